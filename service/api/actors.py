"""Who can be named: countries, organisations, by code, name or alias, in any language."""

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from service.api.answered import ActorPage
from service.api.outlines import ACTORS
from service.domain.actors import find_actors
from service.web.asking import AskedView, read_query
from service.web.describing import documented, view
from service.web.sending import answer
from service.web.serving import Door, may_read

router = APIRouter(tags=["actors"], dependencies=[Depends(may_read)], route_class=Door)


class AskedActors(AskedView):
    """What to look for."""

    q: str = Field("", max_length=100, description="a code, a name or a part of one, in any language")
    limit: int = Field(50, ge=1, le=500)


@router.get(
    "/v1/actors",
    operation_id="findActors",
    openapi_extra=documented(AskedActors, answers=view(ActorPage, "Actors that fit, best first.", feed=False)),
)
async def list_actors(request: Request) -> Response:
    """Actors whose code, name or alias fits, best first."""
    asked = read_query(request, AskedActors)
    items = [
        {"code": one.code, "name": one.name, "kind": one.kind, "aliases": list(one.aliases)}
        for one in find_actors(asked.q, asked.limit)
    ]
    return answer(request, {"items": items, "next": None}, ACTORS)
