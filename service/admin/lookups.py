"""What editors look up: how an actor is called."""

import asyncio

from fastapi import Request
from starlette.responses import Response

from service.admin.guarding import pages, signed_in
from service.admin.pages import render
from service.admin.people import PAGE_ROWS
from service.domain.actors import find_actors

_ALIASES = 12
router = pages()


@router.get("/admin/actors")
async def show_actors(request: Request) -> Response:
    """Actors whose code, name or alias fits, in any language, best first."""
    await signed_in(request)
    q = request.query_params.get("q", "")[:100]
    found = await asyncio.to_thread(find_actors, q, PAGE_ROWS + 1) if q.strip() else []
    return render(
        request, "actors.html", q=q, actors=found[:PAGE_ROWS], is_cut=len(found) > PAGE_ROWS, aliases=_ALIASES
    )  # fmt: skip
