"""Keeps the segments right when something is recorded, also when it is late, corrected, moved or retracted.

For each touched subject the fold starts again from the segment that holds just before the earliest valid time
touched. What then differs from the segments that stood is closed at the event's position and inserted anew; what is
equal is left alone, so that what was known before is never touched. A segment holds until the next begins, so that one
in order closes nothing. A batch is revised event by event in memory, each
at its own position, from one load and with one write.
"""

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from service.database import OPEN, Connection
from service.domain.answers import in_force_keys
from service.domain.decide import Revision
from service.domain.kinds import FAMILIES
from service.domain.record import Effective
from service.domain.subject import Item, SubjectKey
from service.domain.timeline import MOST_REFERENCES, Segment, Steps, fold
from service.segments.effective import parse_row
from service.segments.query import StateRow, Truces
from service.segments.storing import Live, Row, Unwritten, shown

Touches = dict[SubjectKey, datetime]
Burden = dict[SubjectKey, list[datetime]]  # when what a request says of each subject becomes definite, in order
LONGEST = 16  # segments of one plane that are kept from batch to batch
MOST_CHANGES = 5_000  # rows that a replay gathers before it writes them
MOST_KEPT = 64 << 20  # bytes of all planes together, as they stand in memory, about
_WEIGHT = 3_000  # bytes of a segment or statement in memory, besides what they say


def touches(revisions: Iterable[Revision]) -> Touches:
    """Each subject that an event touches, old and new, with the earliest valid time at which it may change."""
    earliest: Touches = {}
    for revision in revisions:
        for one in revision:
            if one is not None:
                since = one.bounds.earliest
                for key in one.keys:
                    earliest[key] = min(since, earliest.get(key, since))
    return earliest


@dataclass(slots=True)
class _Plane:
    """What is known now of one subject, from some valid time on.

    ``live`` is replaced, never changed: whoever has looked at it keeps what it saw.
    """

    subject_id: int
    live: list[Live] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)  # in their order: all that become definite after the first segment
    steps: Steps = field(default_factory=Steps)
    earlier: list[dict[str, Any]] = field(default_factory=list)  # the statements behind what lies before
    is_whole: bool = False  # nothing lies before
    weight: int = 0  # in memory, when that was last looked at

    def covers(self, since: datetime) -> bool:
        """Whether it can be folded anew from a valid time on: from the segment that holds just before."""
        return self.is_whole or (bool(self.live) and self.live[0].segment.valid_from < since)

    def shorten(self) -> None:
        """Lets go of what an append in order does not need."""
        gone, self.live = self.live[:-LONGEST], self.live[-LONGEST:]
        if not gone:
            return
        self.is_whole = False
        self.earlier = _references(self.earlier, gone)
        self.items = self.after(self.live[0].segment)
        self.steps = Steps()

    def weigh(self) -> int:
        """How many bytes it has in memory, about."""
        said = sum(live.size for live in self.live) + sum(item.size for item in self.items)
        return said * 2 + _WEIGHT * (len(self.live) + len(self.items))  # as text, and as what it means

    def after(self, opening: Segment) -> list[Item]:
        """The statements that become definite only after a segment has begun."""
        return self.items[bisect_right(self.items, opening.valid_from, key=lambda item: item.bounds.latest) :]

    def put(self, before: Item | None, after: Item | None) -> None:
        """Takes in how a statement stands, in the place of how it stood."""
        if before is not None:
            place = bisect_left(self.items, before.order, key=lambda item: item.order)
            if self.items[place : place + 1] and self.items[place].position == before.position:
                del self.items[place]
        if after is not None:
            insort(self.items, after, key=lambda item: item.order)


def _references(earlier: list[dict[str, Any]], passed: Sequence[Live]) -> list[dict[str, Any]]:
    """The latest statements behind a state, in order."""
    found: list[dict[str, Any]] = []
    for live in reversed(passed):
        if len(found) >= MOST_REFERENCES:
            break
        found[:0] = live.causes
    return (earlier + found)[-MOST_REFERENCES:]


class View(NamedTuple):
    """A subject as known at one position: what may be asked about it later, whatever has happened to it since."""

    key: SubjectKey
    live: Sequence[Live]
    earlier: list[dict[str, Any]]

    def row(self, at: datetime) -> StateRow:
        """The subject at a moment that is not before what touched it."""
        passed = [live for live in self.live if live.segment.valid_from <= at]
        last = passed[-1].segment if passed else Segment(at, None)
        return StateRow(
            key=self.key,
            state=None if last.state is None else orjson.loads(last.state),
            possible=shown(last.possible),
            rivals=shown(last.rivals),
            references=_references(self.earlier, passed),
        )


def in_force(before: Truces, changed: Iterable[View], at: datetime) -> frozenset[SubjectKey]:
    """The ceasefires in force at a moment: those foreseen before, with what has changed of some of them since."""
    now = {truce.key: truce.row(at).state for truce in changed}
    untouched = (
        key
        for key, spans in before.items()
        if key not in now and any(since <= at and (until is None or at < until) for since, until in spans)
    )
    return frozenset(untouched) | in_force_keys(now.items())


class Planes:
    """The current planes of subjects: those that a batch touches, and those that earlier ones touched.

    Kept from batch to batch, so that what has just been written need not be read again; a bounded number, of which the
    least recently touched are forgotten. They are true for as long as nobody else writes: who keeps them has to know.
    """

    def __init__(self) -> None:
        self._planes: OrderedDict[SubjectKey, _Plane] = OrderedDict()
        self._kept = 0  # bytes of all planes, as of the last `take`
        self._touched: set[SubjectKey] = set()
        self._changes = Unwritten()

    def covers(self, wanted: Touches) -> bool:
        """Whether all that is wanted is here already."""
        return not self._missing(wanted)

    def _missing(self, wanted: Touches) -> list[SubjectKey]:
        return [
            key for key, since in wanted.items() if (plane := self._planes.get(key)) is None or not plane.covers(since)
        ]

    async def load(self, connection: Connection, wanted: Touches, *, create: bool = True) -> None:
        """Loads each wanted subject that is not here, from just before its earliest valid time on, in one round trip.

        Creates new ones, unless nothing is going to be written. Of what lies before, only the statements behind it are
        loaded, for the answers.
        """
        keys = self._missing(wanted)
        if not keys:
            return
        loaded: dict[SubjectKey, _Plane] = {}
        asked = (*_columns(keys), [wanted[key] for key in keys])
        async with connection.pipeline():
            subjects = await connection.cursor(binary=True).execute(_FIND_SUBJECTS, asked)
            segments = await connection.cursor(binary=True).execute(_LOAD_SEGMENTS, asked)
            statements = await connection.cursor(binary=True).execute(_LOAD_STATEMENTS, asked)
            for nth, number, earlier in await subjects.fetchall():
                plane = loaded[keys[nth - 1]] = _Plane(number)
                if earlier is not None:
                    plane.earlier = [one for causes in orjson.loads(earlier) for one in causes]
            for nth, valid_from, known_from, state, causes, possible, rivals in await segments.fetchall():
                segment = Segment(valid_from, state, causes, possible, rivals)
                loaded[keys[nth - 1]].live.append(Live(segment, known_from, stored=True))
            for nth, *row in await statements.fetchall():
                loaded[keys[nth - 1]].put(None, parse_row(row).item)
        for key, plane in loaded.items():
            plane.is_whole = not plane.live or plane.live[0].segment.valid_from >= wanted[key]
        new = [key for key in keys if key not in loaded]
        loaded |= await _create(connection, new) if create else {key: _Plane(0, is_whole=True) for key in new}
        for key, plane in loaded.items():
            before = self._planes.pop(key, None)
            self._kept -= before.weight if before else 0
            self._planes[key] = plane
        self._touched |= loaded.keys()

    def burden(self, revisions: Sequence[Revision], before: "Burden") -> int:
        """How many statements are taken in anew if this is known by itself, after what went ``before``: nothing yet is.

        Each that becomes definite once the earliest touched moment has begun is told again, with a state of its own.
        """
        count = 0
        for key, since in touches(revisions).items():
            plane, added = self._planes[key], before.setdefault(key, [])
            count += len(plane.items) - bisect_left(plane.items, since, key=lambda item: item.bounds.latest)
            count += len(added) - bisect_left(added, since)
            for _, after in revisions:
                if key in after.keys:
                    insort(added, after.bounds.latest)
        return count

    def revise(self, revisions: Sequence[Revision], *, at: int) -> Touches:
        """Takes in how statements stand from a position on; answers which subjects were re-folded, and from when."""
        touched = self.take_in(revisions, at=at)
        for key, since in touched.items():
            self.refold(key, since, at)
        return touched

    def take_in(self, revisions: Sequence[Revision], *, at: int) -> Touches:
        """Takes in how statements stand; answers which subjects have to be re-folded, and from when."""
        for before, after in revisions:
            self._move(before, after, at)
        return touches(revisions)

    def view(self, key: SubjectKey) -> View:
        """A touched subject as it now stands."""
        plane = self._planes[key]
        return View(key, plane.live, plane.earlier)

    @property
    def is_full(self) -> bool:
        """Whether so much has changed that some of it should be written before there is more."""
        return len(self._changes.rows) > MOST_CHANGES

    def drain(self) -> Unwritten:
        """What has changed since this was last asked, to be written; from now on it counts as stored."""
        changes, self._changes = self._changes, Unwritten()
        for key in self._touched:
            plane = self._planes[key]
            for live in plane.live:
                if not live.stored:
                    changes.rows.append(Row.of(plane.subject_id, live, OPEN))
                    live.stored = True
        return changes

    def take(self) -> Unwritten:
        """The same, at the end of a batch: what the next is not likely to touch may be forgotten."""
        changes = self.drain()
        self._let_go()
        return changes

    def _let_go(self) -> None:
        """Keeps memory bounded."""
        for key in self._touched:
            plane = self._planes[key]
            plane.shorten()
            self._planes.move_to_end(key)
            weight = plane.weigh()
            self._kept += weight - plane.weight
            plane.weight = weight
        self._touched.clear()
        while self._kept > MOST_KEPT:
            _, gone = self._planes.popitem(last=False)
            self._kept -= gone.weight

    def _move(self, before: Effective | None, after: Effective, at: int) -> None:
        left = set(before.keys) - set(after.keys) if before else set()
        for key in left:
            plane = self._planes[key]
            plane.put(before.item if before else None, None)
            self._changes.put_membership(plane.subject_id, after, at, current=False)
        for key in after.keys:
            plane = self._planes[key]
            plane.put(before.item if before and key in before.keys else None, after.item)
            if before is None or key not in before.keys or before.bounds.latest != after.bounds.latest:
                self._changes.put_membership(plane.subject_id, after, at, current=True)

    def refold(self, key: SubjectKey, since: datetime, at: int) -> None:
        """Folds a subject anew from a moment on, as known from a position on."""
        plane = self._planes[key]
        keep = bisect_left(plane.live, since, key=lambda live: live.segment.valid_from)
        kept, old = plane.live[: max(keep - 1, 0)], plane.live[max(keep - 1, 0) :]
        opening = old[0].segment if keep else None
        items = plane.items if opening is None else plane.after(opening)
        standing = {live.segment.valid_from: live for live in old}
        fresh: list[Live] = []
        for segment in fold(FAMILIES[key.family], items, opening, plane.steps):
            live = standing.get(segment.valid_from)
            if live is not None and live.segment == segment:
                fresh.append(live)
                del standing[segment.valid_from]
            else:
                fresh.append(Live(segment, at, stored=False))
        for live in standing.values():
            self._changes.close(plane.subject_id, live, at)
        plane.live = kept + fresh
        self._touched.add(key)


async def _create(connection: Connection, missing: Sequence[SubjectKey]) -> dict[SubjectKey, _Plane]:
    if not missing:
        return {}
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_CREATE_SUBJECTS, _columns(missing))
        return {SubjectKey(*key): _Plane(number, is_whole=True) for number, *key in await cursor.fetchall()}


def _columns(keys: Sequence[SubjectKey]) -> tuple[list[str], ...]:
    return ([k.coalition for k in keys], [k.family for k in keys], [k.slug for k in keys], [k.actor for k in keys])


_WANTED = """
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[])
  WITH ORDINALITY AS w(coalition, family, slug, actor, since, nth)
JOIN subject s USING (coalition, family, slug, actor)
"""
_CREATE_SUBJECTS = """
INSERT INTO subject (coalition, family, slug, actor)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[])
RETURNING id, coalition, family, slug, actor
"""
# The segment that holds just before the time touched: the fold goes on from it.
_OPENING = f"""{_WANTED}
CROSS JOIN LATERAL (
    SELECT coalesce(max(g.valid_from), '-infinity') AS at FROM segment g
    WHERE g.subject_id = s.id AND g.known_to = {OPEN} AND g.valid_from < w.since
) opening
"""
_FIND_SUBJECTS = f"""
SELECT w.nth, s.id, (
    SELECT json_agg(r.causes ORDER BY r.valid_from) FROM (
        SELECT g.valid_from, g.causes FROM segment g
        WHERE g.subject_id = s.id AND g.known_to = {OPEN} AND g.valid_from < opening.at AND length(g.causes::text) > 2
        ORDER BY g.valid_from DESC LIMIT {MOST_REFERENCES}
    ) r)
{_OPENING}
"""
_LOAD_SEGMENTS = f"""
SELECT w.nth, g.valid_from, g.known_from, g.state, g.causes, g.possible, g.rivals
{_OPENING}
JOIN segment g ON g.subject_id = s.id AND g.known_to = {OPEN} AND g.valid_from >= opening.at
ORDER BY w.nth, g.valid_from
"""
_LOAD_STATEMENTS = f"""
SELECT w.nth, t.position, t.event_id, t.kind, e.version, t.retracted, t.content, t.notes, e.body
{_OPENING}
CROSS JOIN LATERAL (
    SELECT m.position FROM subject_statement m
    WHERE m.subject_id = s.id AND m.current AND m.latest > opening.at
    OFFSET 0  -- keeps the planner from reading every membership first
) m
JOIN statement t ON t.position = m.position AND t.known_to = {OPEN}
JOIN event e ON e.position = m.position
"""
