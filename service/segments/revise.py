"""Keeps the segments right when something is recorded, also when it is late, corrected, moved or retracted.

For each touched subject the fold starts again from the segment that holds just before the earliest valid time
touched. What then differs from the segments that stood is closed at the event's position and inserted anew; what is
equal is left alone, so that what was known before is never touched. A batch is revised event by event in memory, each
at its own position, from one load and with one write.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from service.database import OPEN, Connection
from service.domain.answers import in_force_keys
from service.domain.decide import Revision
from service.domain.kinds import FAMILIES
from service.domain.record import Effective
from service.domain.subject import SubjectKey
from service.domain.timeline import Segment, fold
from service.segments.effective import parse_row
from service.segments.query import MOST_REFERENCES, StateRow

Touches = dict[SubjectKey, datetime]


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
class _Live:
    """A segment of the current plane; ``since`` is the position from which it is known."""

    segment: Segment
    since: int
    stored: bool


@dataclass(slots=True)
class _Closed:
    subject: SubjectKey
    segment: Segment
    since: int
    until: int


@dataclass(slots=True)
class _Plane:
    """What is known now of one subject, from some valid time on."""

    live: list[_Live] = field(default_factory=list)
    statements: dict[int, Effective] = field(default_factory=dict)
    earlier: list[dict[str, Any]] = field(default_factory=list)  # the statements behind what lies before


class Planes:
    """The current planes of the subjects that a batch touches."""

    def __init__(self) -> None:
        self._ids: dict[SubjectKey, int] = {}
        self._planes: dict[SubjectKey, _Plane] = {}
        self._closing: list[tuple[SubjectKey, datetime, int]] = []
        self._passed: list[_Closed] = []
        self._memberships: dict[tuple[SubjectKey, int], tuple[datetime, bool, int]] = {}

    async def load(self, connection: Connection, wanted: Touches) -> None:
        """Loads each wanted subject from just before its earliest valid time on, in one round trip; creates new ones.

        Of what lies before, only the statements behind it are loaded, for the answers (`row`).
        """
        keys = list(wanted)
        self._planes = {key: _Plane() for key in keys}
        asked = (*_columns(keys), [wanted[key] for key in keys])
        async with connection.pipeline():
            subjects = await connection.cursor(binary=True).execute(_FIND_SUBJECTS, asked)
            segments = await connection.cursor(binary=True).execute(_LOAD_SEGMENTS, asked)
            statements = await connection.cursor(binary=True).execute(_LOAD_STATEMENTS, asked)
            for nth, number, earlier in await subjects.fetchall():
                self._ids[keys[nth - 1]] = number
                if earlier is not None:
                    self._planes[keys[nth - 1]].earlier = [one for causes in orjson.loads(earlier) for one in causes]
            for nth, valid_from, valid_to, known_from, state, causes, possible, rivals in await segments.fetchall():
                segment = Segment(valid_from, valid_to, state, causes, possible, rivals)
                self._planes[keys[nth - 1]].live.append(_Live(segment, known_from, stored=True))
            for nth, *row in await statements.fetchall():
                one = parse_row(row)
                self._planes[keys[nth - 1]].statements[one.position] = one
        await self._create(connection, [key for key in keys if key not in self._ids])

    async def _create(self, connection: Connection, missing: Sequence[SubjectKey]) -> None:
        if missing:
            async with connection.cursor(binary=True) as cursor:
                await cursor.execute(_CREATE_SUBJECTS, _columns(missing))
                self._ids |= {SubjectKey(*key): number for number, *key in await cursor.fetchall()}

    def revise(self, revisions: Sequence[Revision], *, at: int) -> Touches:
        """Takes in how statements stand from a position on; answers which subjects were re-folded, and from when."""
        for before, after in revisions:
            self._move(before, after, at)
        touched = touches(revisions)
        for key, since in touched.items():
            self._refold(key, since, at)
        return touched

    def row(self, key: SubjectKey, at: datetime) -> StateRow:
        """A touched subject as known now at a moment that is not before what touched it."""
        plane = self._planes[key]
        passed = [live.segment for live in plane.live if live.segment.valid_from <= at]
        references = plane.earlier + [one for segment in passed for one in orjson.loads(segment.causes)]
        last = passed[-1] if passed else Segment(at, at, None)
        return StateRow(
            key=key,
            state=None if last.state is None else orjson.loads(last.state),
            possible=orjson.loads(last.possible),
            rivals=orjson.loads(last.rivals),
            references=references[-MOST_REFERENCES:],
        )

    def in_force(self, ceasefires: Iterable[SubjectKey], at: datetime) -> frozenset[SubjectKey]:
        """The ceasefires in force at a moment: those that were, with what this batch has changed of them."""
        touched = {key: self.row(key, at).state for key in self._planes if key.family == "ceasefire"}
        return frozenset({key for key in ceasefires if key not in touched} | in_force_keys(touched.items()))

    def _move(self, before: Effective | None, after: Effective, at: int) -> None:
        left = set(before.keys) - set(after.keys) if before else set()
        for key in left:
            self._planes[key].statements.pop(after.position, None)
            self._put_membership(key, after, at, current=False)
        for key in after.keys:
            self._planes[key].statements[after.position] = after
            if before is None or key not in before.keys or before.bounds.latest != after.bounds.latest:
                self._put_membership(key, after, at, current=True)

    def _put_membership(self, key: SubjectKey, statement: Effective, at: int, *, current: bool) -> None:
        before = self._memberships.get((key, statement.position))
        since = at if before is None else before[2]
        self._memberships[key, statement.position] = (statement.bounds.latest, current, since)

    def _refold(self, key: SubjectKey, since: datetime, at: int) -> None:
        plane = self._planes[key]
        keep = sum(1 for live in plane.live if live.segment.valid_from < since)
        kept, old = plane.live[: max(keep - 1, 0)], plane.live[max(keep - 1, 0) :]
        opening = old[0].segment if keep else None
        items = [
            item
            for one in plane.statements.values()
            if (opening is None or one.bounds.latest > opening.valid_from) and (item := one.item()) is not None
        ]
        folded = fold(FAMILIES[key.family], items, opening)
        standing = {live.segment.valid_from: live for live in old}
        fresh: list[_Live] = []
        for segment in folded:
            live = standing.get(segment.valid_from)
            if live is not None and live.segment == segment:
                fresh.append(live)
                del standing[segment.valid_from]
            else:
                fresh.append(_Live(segment, at, stored=False))
        for live in standing.values():
            self._close(key, live, at)
        plane.live = kept + fresh

    def _close(self, key: SubjectKey, live: _Live, at: int) -> None:
        if live.stored:
            self._closing.append((key, live.segment.valid_from, at))
        elif live.since < at:
            self._passed.append(_Closed(key, live.segment, live.since, at))

    async def write(self, connection: Connection) -> None:
        """Closes and inserts segments. Runs inside the caller's pipeline."""
        if self._memberships:
            await connection.execute(
                _PUT_MEMBERSHIPS,
                (
                    [self._ids[key] for key, _ in self._memberships],
                    [position for _, position in self._memberships],
                    [latest for latest, _, _ in self._memberships.values()],
                    [current for _, current, _ in self._memberships.values()],
                    [since for _, _, since in self._memberships.values()],
                ),
            )
        if self._closing:
            await connection.execute(
                _CLOSE_SEGMENTS,
                (
                    [self._ids[key] for key, _, _ in self._closing],
                    [valid_from for _, valid_from, _ in self._closing],
                    [at for _, _, at in self._closing],
                ),
            )
        opened = [
            _Closed(key, live.segment, live.since, OPEN)
            for key, plane in self._planes.items()
            for live in plane.live
            if not live.stored
        ]
        rows = self._passed + opened
        if rows:
            document = orjson.dumps([_row(self._ids[row.subject], row) for row in rows])
            await connection.execute(_INSERT_SEGMENTS, (document.decode(),))


def _row(subject_id: int, row: _Closed) -> dict[str, Any]:
    segment = row.segment
    return {
        "subject_id": subject_id,
        "valid_from": segment.valid_from,
        "valid_to": segment.valid_to,
        "known_from": row.since,
        "known_to": row.until,
        "state": None if segment.state is None else segment.state.decode(),
        "causes": segment.causes.decode(),
        "possible": segment.possible.decode(),
        "rivals": segment.rivals.decode(),
    }


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
SELECT w.nth, g.valid_from, g.valid_to, g.known_from, g.state, g.causes, g.possible, g.rivals
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
_PUT_MEMBERSHIPS = """
INSERT INTO subject_statement (subject_id, position, latest, current, known_from)
SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::timestamptz[], %b::bool[], %b::bigint[])
ON CONFLICT (subject_id, position) DO UPDATE SET latest = excluded.latest, current = excluded.current
"""
_CLOSE_SEGMENTS = f"""
UPDATE segment g SET known_to = c.at
FROM unnest(%b::bigint[], %b::timestamptz[], %b::bigint[]) AS c(id, valid_from, at)
WHERE g.subject_id = c.id AND g.valid_from = c.valid_from AND g.known_to = {OPEN}
"""
_INSERT_SEGMENTS = """
INSERT INTO segment (subject_id, valid_from, valid_to, known_from, known_to, state, causes, possible, rivals)
SELECT subject_id, valid_from, valid_to, known_from, known_to, state::json, causes::json, possible::json, rivals::json
FROM json_to_recordset(%b::json) AS new(
    subject_id bigint, valid_from timestamptz, valid_to timestamptz, known_from bigint, known_to bigint, state text,
    causes text, possible text, rivals text)
"""
