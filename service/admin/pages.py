"""How a page is made and sent: templates, what every page says of itself, and the way to the next one."""

import gzip
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, TypeVar

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import RedirectResponse, Response

from service.access import Caller, Role
from service.admin.static import address_of
from service.domain.telling_dates import tell_day, tell_occurred
from service.ids import new_event_id
from service.web.problems import RETRY_AFTER_SECONDS

Row = TypeVar("Row")
Key = TypeVar("Key")

STRICT = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every page is sent with. Without a referrer a browser would not say either where a form comes from."""


PAGE_ROWS = 25
"""Of a list; what follows has a page of its own."""


def cut(found: Sequence[Row], key_of: Callable[[Row], Key], rows: int = PAGE_ROWS) -> tuple[Sequence[Row], Key | None]:
    """The rows of one page, and the key behind which the next one begins, where one more was found than it has."""
    return found[:rows], key_of(found[rows - 1]) if len(found) > rows else None


class Entry(NamedTuple):
    """A page that is always one step away, for those whose role allows it."""

    path: str
    label: str
    role: Role


NAVIGATION = (
    Entry("/admin/statements/new", "Enter a statement", Role.CONTRIBUTOR),
    Entry("/admin/articles/new", "Open an article", Role.CONTRIBUTOR),
    Entry("/admin/paste", "Paste many", Role.CONTRIBUTOR),
    Entry("/admin/review", "Review", Role.CONTRIBUTOR),
    Entry("/admin/statements", "Statements", Role.READER),
    Entry("/admin/coalitions", "Coalitions", Role.READER),
    Entry("/admin/actors", "Actors", Role.READER),
    Entry("/admin/audit", "Who did what", Role.EDITOR),
    Entry("/admin/webhooks", "Webhooks", Role.EDITOR),
    Entry("/admin/tokens", "Tokens", Role.ADMIN),
    Entry("/admin/people", "People", Role.ADMIN),
)


def shown_instant(at: datetime | None) -> str:
    """An instant as people read it, in UTC."""
    return "never" if at is None else f"{at.astimezone(UTC):%-d %B %Y, %H:%M} UTC"


def _when(occurred: Mapping[str, str]) -> str:
    """When something occurred, as its content has it, in plain words."""
    return tell_occurred(occurred["edtf"], occurred["basis"])


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.globals |= {"address_of": address_of, "new_key": new_event_id}
_ENVIRONMENT.filters |= {"instant": shown_instant, "day": tell_day, "occurred": _when}


def is_page(path: str) -> bool:
    """Whether people are answered at a path."""
    return path == "/admin" or path.startswith("/admin/")


def caller_of(request: Request) -> Caller | None:
    """Who is signed in, as far as the page has looked."""
    found: Caller | None = request.scope.get("caller")
    return found


def render(
    request: Request,
    template: str,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> Response:
    """A page of a template; it knows who is signed in, where it is, and which pages are one step away."""
    caller, path = caller_of(request), request.scope["path"]
    shared = {
        "caller": caller,
        "path": path,
        "navigation": [one for one in NAVIGATION if caller is not None and caller.role.allows(one.role)],
        "waiting": request.scope.get("waiting", 0),
        "done": DONE.get(request.query_params.get("done", "")),
        "faults": (),
    }
    body = _ENVIRONMENT.get_template(template).render({**shared, **values})
    again = {"Retry-After": RETRY_AFTER_SECONDS} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    packed, how = _pack(request, body.encode())
    sent = {**STRICT, **again, **how, **(headers or {})}
    return Response(packed, status, media_type="text/html; charset=utf-8", headers=sent)


def _pack(request: Request, body: bytes) -> tuple[bytes, dict[str, str]]:
    """A page as it is sent. Forms with many rows say much over and over: of a hundred kilobytes some eight are left."""
    if not re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", request.headers.get("accept-encoding", "")):
        return body, {"Vary": "Accept-Encoding"}
    packed = gzip.compress(body, compresslevel=5, mtime=0)
    return packed, {"Vary": "Accept-Encoding", "Content-Encoding": "gzip"}


DONE = {
    "recorded": "Recorded.",
    "waits": "It waits for an approver: somebody else looks at it before it is recorded.",
    "approved": "It is recorded, in its author's name.",
    "returned": "It went back to its author, with your note.",
    "rejected": "It is not recorded.",
    "withdrawn": "You have taken it back; it is not recorded.",
    "welcome": "Your password is set, and you are signed in.",
    "password": "Your password was changed. Wherever else you were signed in, you no longer are.",
    "session": "The session was ended.",
    "sessions": "The sessions were ended.",
    "out": "You have signed out.",
    "over": "You are signed in no longer, so nothing was saved. Sign in, and go on where you were.",
    "disabled": "This person is out: all sessions and links have ended, and the tokens in their name are revoked.",
    "sent": "It was sent; what came of it stands below.",
    "deleted": "The webhook is gone.",
    "revoked": "The token is revoked.",
    "changed": "The change was saved.",
    "enabled": "This person can sign in again. What was ended stays ended: tokens and sessions are made anew.",
}
"""What a page says has just been done, by the word that the address has for it."""


def see(path: str, done: str | None = None) -> Response:
    """The way to another page after something was done: a reload there does nothing twice."""
    address = path if done is None else f"{path}?done={done}"
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})
