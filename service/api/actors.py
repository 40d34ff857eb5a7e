"""Who can be named: countries, organisations, by code, name or alias, in any language."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from service.api.answered import ActorPage
from service.api.answering import AskedPage, Cursor, continued, cut, no_cursor
from service.api.following import AskedActorFeed, follow_actors
from service.api.outlines import ACTORS
from service.domain.actors import Actor, find_actors
from service.segments.query import basis_at
from service.web.asking import basis_of, find_point, moment_of, read_query
from service.web.atom import wants_feed
from service.web.callers import may_read
from service.web.describing import NEXT_PAGE, documented, view
from service.web.sending import answer, next_page, page_size
from service.web.serving import Door, services

router = APIRouter(tags=["actors"], dependencies=[Depends(may_read)], route_class=Door)


class AskedActors(AskedPage):
    """What to look for."""

    q: str = Field("", max_length=100, description="a code, a name or a part of one, in any language")


@router.get(
    "/v1/actors",
    operation_id="findActors",
    openapi_extra=documented(
        AskedActors,
        answers=view(
            ActorPage,
            "Actors that fit, best first.",
            paged=True,
            links={"getCountryCommitments": {"code": "$response.body#/items/0/code"}, "findActors": NEXT_PAGE},
        ),
    ),
)
async def list_actors(request: Request) -> Response:
    """Actors whose code, name or alias fits, best first.

    Who can be named is known by the rules and not by the log: the point changes nothing but the basis.
    """
    if wants_feed(request, AskedActors, AskedActorFeed):
        return await follow_actors(request)
    asked = read_query(request, AskedActors)
    served = services(request)
    pinned, cursor = continued(asked)
    async with served.pool.connection() as connection:
        basis = await basis_at(connection, await find_point(pinned, connection, served.clock()))
    found = find_actors(asked.q)
    shown, more = cut(_behind(cursor, found), page_size(request, asked.limit))
    after = Cursor((basis.point,), [shown[-1].code]).render() if more else None
    content = {
        "items": [
            {"code": one.code, "name": one.name, "kind": one.kind, "aliases": list(one.aliases)} for one in shown
        ],
        "next": after,
        **({"total": len(found)} if asked.count else {}),
        "basis": basis_of(request, basis, moment_of(served, basis.as_of)),
    }
    return answer(request, content, ACTORS, headers=next_page(request, after))


def _behind(cursor: Cursor | None, found: Sequence[Actor]) -> Sequence[Actor]:
    """The actors behind the last one of the page before; raises `Invalid` where that is none that was found."""
    if cursor is None:
        return found
    places = [place for place, one in enumerate(found, start=1) if one.code == cursor.last[0]]
    if not places:
        raise no_cursor()
    return found[places[0] :]
