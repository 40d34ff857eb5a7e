"""A statement's page: what it says, its whole history, and what can be noted on its record.

A note names the version that its author saw, as an ETag that the form was served with. Where somebody was quicker, the
form comes back with what they changed and with all that was filled in; a correction is what its author changed in the
form, and takes nothing back that others have.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.entering import actor_names, key_after, told_of
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.pages import render, see
from service.admin.saving import Outlook, foresee, save, title_of
from service.admin.sent import Sent, strangers
from service.admin.typed import read_form as read_sent
from service.database import Connection, snapshot
from service.domain import errors
from service.domain.errors import Fault, Invalid, RegistryError, Unknown
from service.domain.kinds import KINDS, parse_event
from service.domain.record import Effective, is_event_id, make_patch, merge_patch
from service.domain.statement import Event, Statement
from service.domain.telling_dates import tell_occurred
from service.forms.fields import Form, fields_of, form_around, form_of, kind_of, ordered
from service.forms.reading import Filled, fill_form, read_form
from service.forms.shown import Page, show
from service.forms.told import Compared, Told, compare, tell_content
from service.forms.words import spaced
from service.log.read import EventRow, find_event, list_events_about
from service.segments.effective import find_effective, find_event_ids
from service.segments.similar import Similar, find_similar
from service.web.problems import status_of
from service.web.sending import etag_of
from service.web.serving import Services, services
from service.web.writing import NOTES, Write, read_note

router = pages()
Json = dict[str, Any]
_NO_EVENT = "No event is recorded under this id."


class Action(NamedTuple):
    """A note that can be made on the record of an event."""

    name: str
    label: str
    says: str


ACTIONS = {
    name: Action(name, label, says)
    for name, label, says in (
        ("corrections", "Correct", "We wrote it down wrong, or the source did. What changed since is a new statement."),
        ("retraction", "Retract", "It should not have been recorded. It stays in the log, and counts for nothing."),
        ("reinstatement", "Reinstate", "Its retraction was wrong: it counts again."),
        ("disputes", "Dispute", "Rival statements, of which not all can be right, are kept side by side."),
        ("settlement", "Settle the dispute", "How it ended: what each of its statements ranks from now on."),
        ("duplicates", "Mark as a duplicate", "It tells the same act as another one, which counts."),
        ("sources", "Add a source", "The same, read in another place."),
    )
}  # fmt: skip


class Recorded(NamedTuple):
    """An event, what it is taken to say now (None: it is no statement), and what the record says of it."""

    row: EventRow
    effective: Effective | None
    about: list[EventRow]
    ids: dict[int, str]  # of the events that it is linked to

    @property
    def content(self) -> Json:
        """What it says now."""
        said: Json = self.effective.content if self.effective else orjson.loads(self.row.body)
        return {name: value for name, value in said.items() if name not in _BESIDE}

    @property
    def etag(self) -> str:
        """The version of it that a note changes."""
        return etag_of(self.row.event_id, self.effective.revision if self.effective else self.row.position)

    @property
    def kind(self) -> type[Event]:
        """Its class."""
        return KINDS[self.row.kind]

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        subject = self.content.get("subject", "")
        return f"{spaced(self.row.kind).capitalize()}{f': {subject}' if subject else ''}"


_BESIDE = frozenset({"kind", "coalition", "target"})


async def _recorded(served: Services, event_id: str) -> Recorded:
    if not is_event_id(event_id):
        raise Unknown(_NO_EVENT)
    async with snapshot(served.pool) as connection:
        return await _load(connection, event_id)


async def _load(connection: Connection, event_id: str) -> Recorded:
    row = await find_event(connection, event_id)
    if row is None:
        raise Unknown(_NO_EVENT)
    effective = await find_effective(connection, row.position)
    about = await list_events_about(connection, row.position)
    ids = await find_event_ids(connection, effective.linked if effective else ())
    return Recorded(row, effective, about, ids)


# --- the page ---------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """One entry of a statement's history: what was recorded, when, by whom, why, and what is said otherwise since."""

    event_id: str
    title: str
    recorded_at: datetime
    recorded_by: str
    position: int
    says: tuple[Told, ...]
    changed: tuple[Compared, ...]


@router.get("/admin/events/{event_id}")
async def show_event(request: Request, event_id: str) -> Response:
    """One event: what it says, both its times, its history, and what can be noted on it."""
    caller = await signed_in(request)
    found = await _recorded(services(request), event_id)
    event = found.effective.event if found.effective else None
    return render(
        request,
        "event.html",
        found=found,
        told=tell_content(ordered(found.kind), found.content),
        occurred=tell_occurred(event.occurred.edtf, event.occurred.basis) if isinstance(event, Statement) else "",
        states=_standing(found),
        subjects=[title_of(key) for key in found.effective.keys] if found.effective else [],
        targets=_targets(found),
        steps=_steps(found),
        actions=_actions(found, caller),
    )


def _standing(found: Recorded) -> list[str]:
    """How the record takes it, in a few words."""
    one = found.effective
    if one is None:
        return ["a note on the record"]
    counts = one.item is not None and one.item.counts
    words = {
        "retracted": one.retracted,
        "corrected": one.corrected,
        "a duplicate": one.duplicate_of is not None,
        "disputed": one.disputed,
        "counts": counts and not one.retracted,
        "does not count": not counts and not one.retracted,
    }
    return [word for word, is_so in words.items() if is_so]


def _targets(found: Recorded) -> list[tuple[str, str]]:
    """The events that it is about, or tells the same as, with what they are to it."""
    if found.effective is not None:
        original = found.ids.get(found.effective.duplicate_of or 0)
        twins = [("Told again in", found.ids[position]) for position in found.effective.duplicates]
        return [*([("A duplicate of", original)] if original else []), *twins]
    return [("It is about", named) for named in parse_event(orjson.loads(found.row.body)).named]


def _steps(found: Recorded) -> list[Step]:
    """What was recorded of it, in order, each correction with what it changed."""
    fields = fields_of(found.kind)
    said: Json = orjson.loads(found.row.body)
    steps = [_step(found.row, "Recorded", (), ())]
    for row in found.about:
        noted: Json = orjson.loads(row.body)
        before = said
        if row.kind == "record.corrected":
            said = merge_patch(said, noted["changes"])
        if noted.get("sources"):
            said = {**said, "sources": [*said.get("sources", []), *noted["sources"]]}
        says = tell_content([one for one in fields_of(KINDS[row.kind]) if one.name != "sources"], noted)
        steps.append(_step(row, spaced(row.kind.partition(".")[2]).capitalize(), says, compare(fields, before, said)))
    return steps


def _step(row: EventRow, title: str, says: Sequence[Told], changed: Sequence[Compared]) -> Step:
    return Step(row.event_id, title, row.recorded_at, row.recorded_by, row.position, tuple(says), tuple(changed))


def _actions(found: Recorded, caller: Caller) -> list[Action]:
    """What the caller can note on it."""
    if not caller.role.allows(Role.CONTRIBUTOR):
        return []
    one = found.effective
    if one is None:
        names = ["settlement"] if found.row.kind == "record.disputed" else []
    elif one.retracted:
        names = ["reinstatement"]
    else:
        names = ["corrections", "retraction"]
        if isinstance(one.event, Statement):
            names += ["disputes", "duplicates", "sources"]
    return [ACTIONS[name] for name in names]


# --- notes ------------------------------------------------------------------------------------------------------------


class Noting(NamedTuple):
    """A note that is being made."""

    served: Services
    caller: Caller
    found: Recorded
    name: str
    sent: Sent

    @property
    def model(self) -> type[BaseModel]:
        """What is asked."""
        return NOTES[self.name][0]

    @property
    def form(self) -> Form:
        """How it is asked."""
        return form_around("changes", self.found.kind, self.model) if self.corrects else form_of(self.model)

    @property
    def corrects(self) -> bool:
        """Whether what the event says is asked for anew."""
        return self.name == "corrections"


async def _begin(request: Request, caller: Caller, event_id: str, name: str, sent: Sent) -> Noting:
    if name not in NOTES:
        raise Unknown("There is no such page.")
    served = services(request)
    return Noting(served, caller, await _recorded(served, event_id), name, sent)


@router.get("/admin/events/{event_id}/{name}")
async def show_note(request: Request, event_id: str, name: str) -> Response:
    """The form of a note; of a correction, filled in with what the event says now."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    noting = await _begin(request, caller, event_id, name, Sent.of(request.query_params.multi_items()))
    data = dict(noting.sent.data)
    if noting.corrects:
        data |= _fill(noting, noting.found.content)
    elif name == "settlement":
        data |= _ranks(noting.found)
    filled = await asyncio.to_thread(read_form, noting.form.fields, data)
    return await _form(request, noting, show(noting.form, filled), seen=noting.found.content)


def _fill(noting: Noting, content: Json) -> dict[str, list[str]]:
    return {f"changes.{name}": texts for name, texts in fill_form(fields_of(noting.found.kind), content).items()}


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
    filled = await asyncio.to_thread(read_form, noting.form.fields, sent.without_removed())
    seen = _seen(noting)
    if sent.only_grows:
        return await _form(request, noting, show(noting.form, filled, add=sent.get("add")), seen=seen)
    faults = strangers(filled)
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
            saved = await save(served, noting.caller, write, key=sent.get("key"), path=path, body=body)
            done = "recorded" if saved.event_id else "waits"
            return see(f"/admin/events/{event_id}?done={done}")
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
    return {name: value for name, value in event.content().items() if name not in _BESIDE}


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
    return render(
        request,
        "note.html",
        status=status,
        faults=page.problems,
        page=page,
        found=found,
        action=ACTIONS[noting.name],
        told=tell_content(ordered(found.kind), found.content),
        key=key or sent.get("key") or noting.served.new_id(),
        etag=found.etag if overtaken or not sent.get("etag") else sent.get("etag"),
        seen=orjson.dumps(seen).decode() if noting.corrects else "",
        outlook=outlook,
        compared=compared,
        meanwhile=meanwhile,
        overtaken=overtaken,
        added=sent.get("add"),
        alike=await _alike(noting),
        waits=not noting.caller.role.allows(Role.EDITOR),
        actors=actor_names(),
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
