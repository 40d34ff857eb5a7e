"""What editors look up: how an actor is called, and who is known by a name."""

import asyncio

from fastapi import Request
from starlette.responses import Response

from service.admin.guarding import pages, signed_in
from service.admin.naming import known_names
from service.admin.pages import PAGE_ROWS, render
from service.domain.actors import Actor, find_actors, suggest_actors
from service.web.serving import Services, services

_ALIASES = 12
router = pages()


@router.get("/admin/actors")
async def show_actors(request: Request) -> Response:
    """Actors whose code, name or alias fits, in any language, best first."""
    await signed_in(request)
    q = request.query_params.get("q", "")[:100]
    found = await _find(services(request), q) if q.strip() else []
    return render(
        request, "actors.html", q=q, actors=found[:PAGE_ROWS], is_cut=len(found) > PAGE_ROWS, aliases=_ALIASES
    )  # fmt: skip


async def _find(served: Services, q: str) -> list[Actor]:
    """Those whom statements have named, by the name or one that is nearly it, then the countries and organisations."""
    names = await known_names(served)
    named = await asyncio.to_thread(names.suggest, q, PAGE_ROWS)
    found = await asyncio.to_thread(find_actors, q, PAGE_ROWS + 1)
    return [*named, *(found or await asyncio.to_thread(suggest_actors, q))]
