"""The first page after signing in, and what is said where there is no page."""

from fastapi import Request
from starlette.responses import Response

from service.access import Role
from service.admin.guarding import pages, signed_in
from service.admin.known import list_coalitions
from service.admin.pages import render, see
from service.domain.errors import Unknown
from service.web.serving import services

router = pages()
last = pages()
"""What comes after every other page."""


@router.get("/admin")
async def show_start(request: Request) -> Response:
    """Who is signed in, and where to begin."""
    caller = await signed_in(request)
    return render(
        request,
        "start.html",
        is_empty=not await list_coalitions(services(request)),
        writes=caller.role.allows(Role.CONTRIBUTOR),
        waits=not caller.role.allows(Role.EDITOR),
        invites=caller.role.allows(Role.ADMIN),
    )


@last.get("/admin/{path:path}")
async def show_nothing(request: Request, path: str) -> Response:
    """There is no such page."""
    if path == "":
        return see("/admin")
    await signed_in(request)
    raise Unknown("There is no such page.")
