"""What editors look up: which coalitions there are, and how an actor is called."""

import asyncio

from fastapi import Request
from starlette.responses import Response

from service.admin.guarding import pages, signed_in
from service.admin.pages import render
from service.admin.people import PAGE_ROWS
from service.domain.actors import find_actors
from service.segments.query import Point, Scope, spans_at, states_at
from service.web.serving import services

_ALIASES = 12
router = pages()


@router.get("/admin/coalitions")
async def show_coalitions(request: Request) -> Response:
    """The coalitions as they are now, with how much is recorded of each; page by page."""
    await signed_in(request)
    served, after = services(request), request.query_params.get("after", "")
    async with served.pool.connection() as connection:
        basis, rows = await states_at(connection, Point(served.clock()), Scope.REGISTRATIONS, {})
        spans = await spans_at(connection, basis, None)
    found = [(row.key.coalition, row.state) for row in rows if row.state is not None and row.key.coalition > after]
    return render(
        request, "coalitions.html", coalitions=found[:PAGE_ROWS], spans=spans,
        next=found[PAGE_ROWS - 1][0] if len(found) > PAGE_ROWS else None,
    )  # fmt: skip


@router.get("/admin/actors")
async def show_actors(request: Request) -> Response:
    """Actors whose code, name or alias fits, in any language, best first."""
    await signed_in(request)
    q = request.query_params.get("q", "")[:100]
    found = await asyncio.to_thread(find_actors, q, PAGE_ROWS + 1) if q.strip() else []
    return render(
        request, "actors.html", q=q, actors=found[:PAGE_ROWS], is_cut=len(found) > PAGE_ROWS, aliases=_ALIASES
    )  # fmt: skip
