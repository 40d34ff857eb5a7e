"""Notes on the record of a statement: corrected, retracted, disputed, told twice, read in another place.

A note names the version that its author saw, as an ETag that the form was served with. Where somebody was quicker, the
form comes back with what they changed and with all that was filled in; a correction is what its author changed in the
form, and takes nothing back that others have.
"""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import NamedTuple

import orjson
from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.again import asked_of, find_own
from service.admin.events import ACTIONS, BESIDE, Recorded, find_recorded
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.known import words_of_named
from service.admin.naming import actor_names, read_named
from service.admin.pages import render, see
from service.admin.saving import Outlook, foresee, key_after, save, told_of
from service.admin.sent import Sent, strangers
from service.admin.typed import read_form as read_sent
from service.domain import errors
from service.domain.answers import Json
from service.domain.errors import Fault, Invalid, RegistryError, Unknown
from service.domain.kinds import parse_event
from service.domain.record import is_event_id, make_patch, merge_patch
from service.domain.statement import Event, Statement
from service.drafts.stored import Draft
from service.forms.fields import Form, fields_of, form_around, form_of, kind_of, ordered, with_reason
from service.forms.reading import Data, Filled, fill_form, read_form
from service.forms.shown import Page, show
from service.forms.told import Compared, compare, tell_content
from service.segments.similar import Similar, find_similar
from service.web.callers import SAFE
from service.web.problems import status_of
from service.web.serving import Services, services
from service.web.writing import NOTES, Write, read_note

router = pages()


# --- notes ------------------------------------------------------------------------------------------------------------


class Noting(NamedTuple):
    """A note that is being made."""

    served: Services
    caller: Caller
    found: Recorded
    name: str
    sent: Sent
    returned: Draft | None = None  # the draft that it is sent in again for

    @property
    def model(self) -> type[BaseModel]:
        """What is asked."""
        return NOTES[self.name][0]

    @property
    def form(self) -> Form:
        """How it is asked; where the model has no reason, its note has to say why."""
        form = form_around("changes", self.found.kind, self.model) if self.corrects else form_of(self.model)
        return with_reason(form) if self.lacks_reason else form

    @property
    def lacks_reason(self) -> bool:
        """Whether only its note says why: of what changes how statements count."""
        return self.name in ("disputes", "settlement", "duplicates")

    @property
    def corrects(self) -> bool:
        """Whether what the event says is asked for anew."""
        return self.name == "corrections"


async def _begin(request: Request, caller: Caller, event_id: str, name: str, sent: Sent) -> Noting:
    if name not in NOTES:
        raise Unknown("There is no such page.")
    served = services(request)
    returned = await find_own(served, caller, sent.get("draft"), begins=request.method in SAFE)
    return Noting(served, caller, await find_recorded(served, event_id), name, sent, returned)


@router.get("/admin/events/{event_id}/{name}")
async def show_note(request: Request, event_id: str, name: str) -> Response:
    """The form of a note; of a correction, filled in with what the event says now."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    noting = await _begin(request, caller, event_id, name, Sent.of(request.query_params.multi_items()))
    data = dict(noting.sent.data)
    if noting.returned is not None:
        data |= _fill_again(noting, noting.returned)
    elif noting.corrects:
        data |= _fill(noting, noting.found.content)
    elif name == "settlement":
        data |= _ranks(noting.found)
    filled = await _read(noting, data)
    return await _form(request, noting, show(noting.form, filled), seen=noting.found.content)


async def _read(noting: Noting, data: Data) -> Filled:
    """What was filled in; of each statement that it names, what that says."""
    filled = await read_named(noting.served, noting.form.fields, data)
    named = {name: texts[-1] for name, texts in filled.data.items() if is_event_id(texts[-1])}
    words = await words_of_named(noting.served, named.values())
    told = {name: words[event_id] for name, event_id in named.items() if event_id in words}
    return replace(filled, told={**filled.told, **told})


def _fill(noting: Noting, content: Json) -> dict[str, list[str]]:
    return {f"changes.{name}": texts for name, texts in fill_form(fields_of(noting.found.kind), content).items()}


def _fill_again(noting: Noting, returned: Draft) -> dict[str, list[str]]:
    """What a returned draft says; of a correction, what the event says now, changed as the draft would."""
    (event,) = returned.events
    if not isinstance(event, NOTES[noting.name][1]):
        raise Unknown("There is no draft of yours that could be changed here.")
    said = asked_of(event)
    changed = _fill(noting, merge_patch(noting.found.content, said.pop("changes"))) if noting.corrects else {}
    return {**changed, **fill_form(fields_of(noting.model), said)}


def _ranks(found: Recorded) -> dict[str, list[str]]:
    """A dispute's events, to be ranked."""
    if found.row.kind != "record.disputed":
        raise Unknown("There is no such page.")
    named = parse_event(orjson.loads(found.row.body)).named
    return {f"ranks.{number}.event_id": [event_id] for number, event_id in enumerate(named)}


@router.post("/admin/events/{event_id}/{name}")
async def make_note(request: Request, event_id: str, name: str) -> Response:
    """What the pressed button says: a row more or less, a preview, or saving."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    sent = Sent.of((await read_sent(request)).multi_items())
    noting = await _begin(request, caller, event_id, name, sent)
    served = noting.served
    filled = await _read(noting, sent.without_removed())
    seen = _seen(noting)
    if sent.only_grows:
        return await _form(request, noting, show(noting.form, filled, add=sent.get("add")), seen=seen)
    faults = strangers(filled)
    if noting.lacks_reason and not filled.content.get("note"):
        faults.append(Fault("/note", "missing", "Say why: it stands in the history."))
    if faults or filled.faults:
        return await _form(request, noting, show(noting.form, filled, faults), seen=seen, status=UNSENT)
    content, before, after = _content(noting, filled, seen)
    body = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    outlook: Outlook | None = None
    try:
        write = await _write(noting, event_id, body)
        if sent.get("do") == "preview":
            outlook = await foresee(served, noting.caller, write)
        else:
            path = request.scope["path"]
            saved = await save(
                served, noting.caller, write, key=sent.get("key"), path=path, body=body, replaces=sent.get("draft"),
                to_reviewer=sent.get("to_reviewer"),
            )  # fmt: skip
            return see(f"/admin/events/{event_id}?done=recorded" if saved.event_id else saved.page)
    except errors.Stale:
        return await _overtaken(request, noting, filled, seen)
    except RegistryError as error:
        page = show(noting.form, filled, _moved(told_of(error)))
        key = key_after(error, served)
        return await _form(request, noting, page, seen=seen, status=status_of(error), key=key)
    compared = compare(ordered(noting.found.kind), before, after)
    return await _form(request, noting, show(noting.form, filled), seen=seen, outlook=outlook, compared=compared)


def _moved(faults: Sequence[Fault]) -> list[Fault]:
    """What is wrong with an empty patch is told in other words: nothing was changed."""
    return [
        Fault("", fault.code, "Nothing is changed yet: change what is wrong, and save again.")
        if (fault.pointer, fault.code) == ("/changes", "too_short")
        else fault
        for fault in faults
    ]


async def _write(noting: Noting, event_id: str, body: bytes) -> Write:
    etag = noting.sent.get("etag") or None
    return await read_note(noting.served, noting.name, event_id, body, etag)


def _seen(noting: Noting) -> Json:
    """What the event said when the form was served; what differs from that is what its author changed."""
    if not noting.corrects:
        return {}
    try:
        seen: Json = orjson.loads(noting.sent.get("seen"))
        parse_event({**seen, "kind": noting.found.row.kind, "coalition": noting.found.row.coalition})
    except (orjson.JSONDecodeError, TypeError, Invalid):
        raise Invalid("This form cannot be read; load the page again, and send it from there.") from None
    return seen


def _content(noting: Noting, filled: Filled, seen: Json) -> tuple[Json, Json, Json]:
    """What the note says, of a correction the difference alone; and what is said before and after it."""
    if not noting.corrects:
        return filled.content, {}, {}
    fields = fields_of(noting.found.kind)
    said = (read_form(fields, fill_form(fields, seen)).content, filled.content["changes"])
    before, after = (_normal(noting.found.kind, noting.found.row.coalition, one) for one in said)
    return {**filled.content, "changes": make_patch(before, after)}, before, after


def _normal(kind: type[Event], coalition: str, content: Json) -> Json:
    """A content as the log would hold it; as it is, where it is not valid: then it will be refused at its fields."""
    try:
        event = parse_event({"kind": kind_of(kind), "coalition": coalition, **content})
    except Invalid:
        return content
    return {name: value for name, value in event.content().items() if name not in BESIDE}


async def _overtaken(request: Request, noting: Noting, filled: Filled, seen: Json) -> Response:
    """The event was changed meanwhile: shows how, keeps what was filled in, and lets it be saved all the same."""
    fields = fields_of(noting.found.kind)
    return await _form(
        request,
        noting,
        show(noting.form, filled),
        seen=seen,
        status=HTTPStatus.PRECONDITION_FAILED,
        meanwhile=compare(fields, seen, noting.found.content) if noting.corrects else [],
        overtaken=True,
    )


async def _form(
    request: Request,
    noting: Noting,
    page: Page,
    *,
    seen: Json,
    status: int = HTTPStatus.OK,
    key: str | None = None,
    outlook: Outlook | None = None,
    compared: Sequence[Compared] = (),
    meanwhile: Sequence[Compared] = (),
    overtaken: bool = False,
) -> Response:
    """The page with the form of a note."""
    found, sent = noting.found, noting.sent
    told = tell_content(ordered(found.kind), found.content)
    return render(
        request,
        "note.html",
        status=status,
        faults=page.problems,
        page=page,
        found=found,
        action=ACTIONS[noting.name],
        told=told,
        words=await words_of_named(noting.served, (one.event_id for one in told if one.event_id)),
        key=key or sent.get("key") or noting.served.new_id(),
        etag=found.etag if overtaken or not sent.get("etag") else sent.get("etag"),
        seen=orjson.dumps(seen).decode() if noting.corrects else "",
        outlook=outlook,
        compared=compared,
        meanwhile=meanwhile,
        overtaken=overtaken,
        added=sent.get("add"),
        alike=await _alike(noting),
        waits=noting.returned is not None or not noting.caller.role.allows(Role.EDITOR),
        returned=noting.returned,
        to_reviewer=sent.get("to_reviewer"),
        actors=await actor_names(noting.served),
    )


async def _alike(noting: Noting) -> list[Similar]:
    """Statements that may be meant by a note that names another one."""
    if noting.name not in ("disputes", "duplicates") or noting.found.effective is None:
        return []
    event = noting.found.effective.event
    if not isinstance(event, Statement):
        return []
    async with noting.served.pool.connection() as connection:
        found = await find_similar(connection, event)
    return [one for one in found if one.event_id != noting.found.row.event_id]
