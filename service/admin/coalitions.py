"""Coalitions: which there are, with how much is recorded of each; and registering one.

The names of one that is registered are changed by a correction of its registration, from the list here: its form asks
for a reason and shows both, as that of every other event does.
"""

from http import HTTPStatus
from typing import NamedTuple

import orjson
from fastapi import Request
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.again import asked_of, find_own
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.pages import cut, render, see
from service.admin.saving import Outlook, foresee, key_after, save, told_of
from service.admin.sent import Sent, strangers
from service.admin.typed import read_form as read_sent
from service.domain.answers import Json
from service.domain.coalition import CoalitionRegistered
from service.domain.errors import Fault, Invalid, Refused, RegistryError, Unknown
from service.drafts.stored import Draft
from service.forms.fields import form_of
from service.forms.reading import fill_form, read_form
from service.forms.shown import Page, show
from service.segments.effective import find_registrations
from service.segments.query import Point, Scope, Span, spans_at, states_at
from service.web.problems import status_of
from service.web.serving import Services, services
from service.web.writing import Registration, parse_coalition

router = pages()
PATH = "/admin/coalitions"
NEW = f"{PATH}/new"
_FORM = form_of(Registration)


class Listed(NamedTuple):
    """A coalition in the list: its names (None: retracted), what registered it, and the span of its statements."""

    slug: str
    state: Json | None
    event_id: str
    span: Span | None


@router.get(PATH)
async def show_coalitions(request: Request) -> Response:
    """The coalitions as they are now, with how much is recorded of each; page by page."""
    caller = await signed_in(request)
    found = await _list(services(request), request.query_params.get("after", ""))
    shown, following = cut(found, lambda one: one.slug)
    writes = caller.role.allows(Role.CONTRIBUTOR)
    return render(request, "coalitions.html", coalitions=shown, next=following, can_write=writes)


async def _list(served: Services, after: str) -> list[Listed]:
    async with served.pool.connection() as connection:
        point = Point(served.clock())
        basis, rows = await states_at(connection, point, Scope.REGISTRATIONS, {})
        spans = await spans_at(connection, basis, None)
        registered = await find_registrations(connection)
    states = {row.key.coalition: row.state for row in rows}
    return [
        Listed(slug, states.get(slug), event_id, spans.get(slug))
        for slug, event_id in sorted(registered.items())
        if slug > after
    ]


# --- registering one --------------------------------------------------------------------------------------------------


@router.get(NEW)
async def show_registration(request: Request) -> Response:
    """The form to register a coalition."""
    caller, sent = await signed_in(request, Role.CONTRIBUTOR), Sent.of(request.query_params.multi_items())
    returned = await find_own(services(request), caller, sent.get("draft"), begins=True)
    data = {} if returned is None else fill_form(_FORM.fields, _registration(returned))
    return _form(request, caller, returned, Sent({}, {}), show(_FORM, read_form(_FORM.fields, data)))


def _registration(returned: Draft) -> Json:
    """What a returned draft would register."""
    (event,) = returned.events
    if not isinstance(event, CoalitionRegistered):
        raise Unknown("There is no draft of yours that could be changed here.")
    return {"slug": event.coalition, **asked_of(event)}


@router.post(NEW)
async def register(request: Request) -> Response:
    """Previews or registers a coalition, as the pressed button says."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    served, sent = services(request), Sent.of((await read_sent(request)).multi_items())
    returned = await find_own(served, caller, sent.get("draft"))
    filled = read_form(_FORM.fields, sent.data)
    faults = strangers(filled)
    body = orjson.dumps(filled.content, option=orjson.OPT_SORT_KEYS)
    try:
        write = parse_coalition(body)
    except Invalid as error:
        faults += error.faults
    if faults or filled.faults:
        return _form(request, caller, returned, sent, show(_FORM, filled, faults), status=UNSENT)
    try:
        if sent.get("do") == "preview":
            outlook = await foresee(served, caller, write)
            return _form(request, caller, returned, sent, show(_FORM, filled), outlook=outlook)
        saved = await save(
            served, caller, write, key=sent.get("key"), path=NEW, body=body, replaces=sent.get("draft"),
            to_reviewer=sent.get("to_reviewer"),
        )  # fmt: skip
    except RegistryError as error:
        page = show(_FORM, filled, _told(error))
        return _form(request, caller, returned, sent, page, status=status_of(error), key=key_after(error, served))
    return see(PATH, "recorded") if saved.event_id else see(saved.page)


def _told(error: RegistryError) -> list[Fault]:
    """What is wrong: what a rule forbids of a registration is that its slug is taken."""
    if type(error) is Refused and not error.faults:
        return [Fault("/slug", "taken", error.detail)]
    return told_of(error)


def _form(
    request: Request, caller: Caller, returned: Draft | None, sent: Sent, page: Page, *, key: str | None = None,
    outlook: Outlook | None = None, status: int = HTTPStatus.OK,
) -> Response:  # fmt: skip
    return render(
        request,
        "registration.html",
        status=status,
        faults=page.problems,
        page=page,
        key=key or sent.get("key") or services(request).new_id(),
        outlook=outlook,
        returned=returned,
        to_reviewer=sent.get("to_reviewer"),
        waits=returned is not None or not caller.role.allows(Role.EDITOR),
        focus_first=not (page.problems or outlook),
    )
