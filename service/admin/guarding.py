"""Who may see a page, and that what a form sends comes from our own: both before anything else is looked at."""

from http import HTTPStatus
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.access import Caller, Role
from service.admin.pages import is_page, see
from service.drafts.queue import count_waiting
from service.web.callers import SAFE, Forbidden, Unauthenticated, check_role, find_person
from service.web.cookies import CROSS_SITE, is_cross_site
from service.web.serving import Door, services

SIGN_IN = "/admin/sign-in"


class PageRoute(Door):
    """A route that answers with pages: whoever is not signed in is led there; what it refuses, `refusing` shows."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive, send)
        try:
            if request.method not in SAFE and is_cross_site(request, services(request).settings.public_url):
                raise Forbidden(CROSS_SITE)
            await super().handle(scope, receive, send)
        except Unauthenticated:
            await _to_sign_in(request)(scope, receive, send)


def pages() -> APIRouter:
    """A router for pages: they stand in no document of the API."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


async def signed_in(request: Request, needed: Role = Role.READER) -> Caller:
    """Who is signed in, whose role has to allow what is needed; raises `Unauthenticated` or `Forbidden`."""
    caller = await find_person(request, services(request))
    if caller is None:
        raise Unauthenticated("Sign in first.")
    request.scope["caller"] = caller
    check_role(caller, needed)
    if caller.role.allows(Role.CONTRIBUTOR):
        async with services(request).pool.connection() as connection:
            request.scope["waiting"] = await count_waiting(connection, caller)
    return caller


def _to_sign_in(request: Request) -> Response:
    """Leads to the page to sign in on, and from there back: to the page, or to the one whose form was sent."""
    if request.method not in SAFE:
        before = urlsplit(request.headers.get("referer", ""))
        on = local_path(urlunsplit(("", "", before.path, before.query, "")))
        return see(f"{SIGN_IN}?{urlencode({'next': on, 'done': 'over'})}")
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    return see(f"{SIGN_IN}?next={quote(path, safe='')}")


def local_path(text: str | None) -> str:
    """Where to go on after signing in: an address of a page of ours, else the first one."""
    is_plain = text is not None and text.isascii() and text.isprintable() and "\\" not in text
    return text if text is not None and is_page(text) and is_plain else "/admin"


UNSENT = HTTPStatus.UNPROCESSABLE_ENTITY
"""The status of a page that shows a form again, with what is wrong in it."""
