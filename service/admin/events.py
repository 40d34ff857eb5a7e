"""A statement's page: what it says, both its times, its whole history, and what can be noted on its record."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

import orjson
from fastapi import Request
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.guarding import pages, signed_in
from service.admin.known import words_of_named
from service.admin.pages import render
from service.admin.turning import title_of
from service.database import Connection, snapshot
from service.domain.answers import Json
from service.domain.kinds import KINDS, parse_event
from service.domain.record import Effective, merge_patch
from service.domain.statement import Event, Statement
from service.drafts.approvals import Approved, find_approvals
from service.drafts.queue import decides
from service.forms.fields import fields_of, ordered
from service.forms.reading import fill_form
from service.forms.told import Compared, Told, compare, tell_content
from service.forms.words import heading_of
from service.log.read import EventRow, get_event, list_events_about
from service.segments.effective import find_effective, find_event_ids
from service.web.sending import etag_of
from service.web.serving import Services, services

router = pages()


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
    approvals: dict[int, Approved]  # of it and of those about it

    @property
    def content(self) -> Json:
        """What it says now."""
        said: Json = self.effective.content if self.effective else orjson.loads(self.row.body)
        return {name: value for name, value in said.items() if name not in BESIDE}

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
        return heading_of(self.row.kind, self.content.get("subject", ""))


BESIDE = frozenset({"kind", "coalition", "target"})
"""What of a content no form asks for."""


async def find_recorded(served: Services, event_id: str) -> Recorded:
    """An event and its record; raises `Unknown` where there is none."""
    async with snapshot(served.pool) as connection:
        return await _load(connection, event_id)


async def _load(connection: Connection, event_id: str) -> Recorded:
    row = await get_event(connection, event_id)
    effective = await find_effective(connection, row.position)
    about = await list_events_about(connection, row.position)
    ids = await find_event_ids(connection, effective.linked if effective else ())
    approvals = await find_approvals(connection, [row.position, *(one.position for one in about)])
    return Recorded(row, effective, about, ids, approvals)


# --- the page ---------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """One entry of a statement's history: what was recorded, when, by whom, why, and what is said otherwise since."""

    event_id: str
    title: str
    recorded_at: datetime
    recorded_by: str
    position: int
    approved: Approved | None
    says: tuple[Told, ...]
    changed: tuple[Compared, ...]


@router.get("/admin/events/{event_id}")
async def show_event(request: Request, event_id: str) -> Response:
    """One event: what it says, both its times, its history, and what can be noted on it."""
    caller = await signed_in(request)
    served = services(request)
    found = await find_recorded(served, event_id)
    targets, steps = _targets(found), _steps(found)
    told = tell_content(ordered(found.kind), found.content)
    says = (*told, *(said for step in steps for said in step.says))
    named = [*(event_id for _, event_id in targets), *(one.event_id for one in says if one.event_id)]
    return render(
        request,
        "event.html",
        found=found,
        told=told,
        states=_standing(found),
        subjects=[title_of(key) for key in found.effective.keys] if found.effective else [],
        targets=targets,
        words=await words_of_named(served, named),
        source=_source(found) if caller.role.allows(Role.CONTRIBUTOR) else "",
        steps=steps,
        approved=found.approvals.get(found.row.position),
        sees=lambda one: one is not None and (decides(caller) or one.author == caller.owner),
        actions=_actions(found, caller),
    )


def _source(found: Recorded) -> str:
    """What fills a form in with where it was read and its date, for the next statement from there; "" where nothing
    says that.
    """
    first = found.content.get("sources", [])[:1]
    kept = {"sources": first, "occurred": found.content.get("occurred", {})}
    data = fill_form(fields_of(found.kind), kept) if first else {}
    return urlencode([(name, text) for name, texts in data.items() for text in texts])


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
    before: Json = orjson.loads(found.row.body)
    steps = [_step(found, found.row, "Recorded", (), ())]
    for row in found.about:
        noted: Json = orjson.loads(row.body)
        said = amended(before, noted)
        says = tell_content([one for one in fields_of(KINDS[row.kind]) if one.name != "sources"], noted)
        title = heading_of(row.kind.partition(".")[2])
        steps.append(_step(found, row, title, says, compare(fields, before, said)))
        before = said
    return steps


def _step(found: Recorded, row: EventRow, title: str, says: Sequence[Told], changed: Sequence[Compared]) -> Step:
    approved = found.approvals.get(row.position)
    at, by = row.recorded_at, row.recorded_by
    return Step(row.event_id, title, at, by, row.position, approved, tuple(says), tuple(changed))


def amended(said: Json, noted: Json) -> Json:
    """What a content is once a note on it counts."""
    if "changes" in noted:
        said = merge_patch(said, noted["changes"])
    further = noted.get("sources")
    return {**said, "sources": [*said.get("sources", []), *further]} if further else said


def said_at(found: Recorded, revision: int | None) -> Json:
    """What an event was taken to say at one of its versions; None is the present one."""
    said: Json = orjson.loads(found.row.body)
    for row in found.about:
        if revision is None or row.position <= revision:
            said = amended(said, orjson.loads(row.body))
    return {name: value for name, value in said.items() if name not in BESIDE}


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
