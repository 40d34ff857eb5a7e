"""Statements in the order in which they occurred, as known at one position; and what lies between two points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from service.database import Connection, fetch
from service.domain.answers import Json
from service.domain.changes import Difference, View, differences
from service.domain.subject import SubjectKey
from service.segments.query import Basis, Point, References, Scope, StateRow, states_at
from service.segments.search import HOLDS


@dataclass(frozen=True, slots=True)
class Told:
    """A statement as it was taken to say at a position."""

    position: int
    event_id: str
    recorded_at: datetime
    latest: datetime
    content: Json
    notes: Json


_WHICH = """
WHERE s.coalition = {where} AND s.known_from <= %(known)s AND s.known_to > %(known)s AND NOT s.retracted
  AND s.kind <> 'coalition.registered'
  AND {when}
  AND (%(kind)s::text IS NULL OR s.kind = %(kind)s OR starts_with(s.kind, %(kind)s || '.'))
  AND (%(country)s::text IS NULL OR %(country)s = ANY(s.actors))
  AND (%(from)s::timestamptz IS NULL OR s.latest >= %(from)s)
  AND (%(to)s::timestamptz IS NULL OR s.earliest <= %(to)s)
  AND {holds}
"""
_TIMELINE = f"""
SELECT s.position, s.event_id, e.recorded_at, s.latest, coalesce(s.content, e.body), s.notes
FROM statement s JOIN event e USING (position) {_WHICH}"""
_ONE, _OCCURRED = "%(coalition)s", "s.latest <= %(as_of)s"


def _page_of(where: str) -> str:
    return (
        _TIMELINE.format(where=where, when=_OCCURRED, holds=HOLDS)
        + """  AND (%(last)s::timestamptz IS NULL OR (s.latest, s.position) > (%(last)s, %(last_position)s))
ORDER BY s.latest, s.position LIMIT %(limit)s
"""
    )


_DEFINITE = _page_of(_ONE)
_COUNT = f"SELECT count(*) FROM ({_TIMELINE.format(where=_ONE, when=_OCCURRED, holds=HOLDS)}) AS definite"
# What was said is only looked at where words are sought.
_COUNT_ALL = f"SELECT count(*) FROM statement s {_WHICH.format(where=_ONE, when=_OCCURRED, holds='true')}"
_POSSIBLE = (
    _TIMELINE.format(where=_ONE, when="s.earliest <= %(as_of)s AND s.latest > %(as_of)s", holds=HOLDS)
    + "ORDER BY s.latest, s.position"
)
# A page of each coalition, by the index that begins with it: nothing behind the page is read, however many there are.
_AMONG = f"""
SELECT found.* FROM unnest(%(coalitions)s::text[]) AS one(coalition)
CROSS JOIN LATERAL ({_page_of("one.coalition")}) AS found
ORDER BY found.latest, found.position LIMIT %(limit)s
"""
_COUNT_AMONG = f"""
SELECT count(*) FROM statement s {_WHICH.format(where="ANY(%(coalitions)s)", when=_OCCURRED, holds="true")}"""


async def list_statements(
    connection: Connection, values: Mapping[str, Any], *, after: tuple[datetime, int] | None, limit: int
) -> tuple[list[Told], list[Told]]:
    """A page of the statements that had definitely occurred, and all that may have."""
    definite = [_told(row) for row in await fetch(connection, _DEFINITE, _paged(values, after, limit))]
    return definite, [_told(row) for row in await fetch(connection, _POSSIBLE, values)]


async def list_among(
    connection: Connection, values: Mapping[str, Any], *, after: tuple[datetime, int] | None, limit: int
) -> list[Told]:
    """A page of the statements of several coalitions (``coalitions``) that had definitely occurred, in one order."""
    return [_told(row) for row in await fetch(connection, _AMONG, _paged(values, after, limit))]


async def count_among(connection: Connection, values: Mapping[str, Any]) -> int:
    """How many of them there are on all pages, whatever their words."""
    count: int = (await fetch(connection, _COUNT_AMONG, values))[0][0]
    return count


def _paged(values: Mapping[str, Any], after: tuple[datetime, int] | None, limit: int) -> dict[str, Any]:
    last, last_position = after or (None, None)
    return {**values, "last": last, "last_position": last_position, "limit": limit}


async def count_statements(connection: Connection, values: Mapping[str, Any]) -> int:
    """How many statements had definitely occurred, on all pages."""
    count: int = (await fetch(connection, _COUNT if values["words"] else _COUNT_ALL, values))[0][0]
    return count


def _told(row: Sequence[Any]) -> Told:
    position, event_id, recorded_at, latest, content, notes = row
    return Told(position, str(event_id), recorded_at, latest, orjson.loads(content), orjson.loads(notes))


# What put another state in place of the one that held at the moment comes first; what only changed the statements
# before it counts where nothing did.
_LEARNED = """
SELECT s.coalition, s.family, s.slug, s.actor, e.event_id, e.position, bool_or(NOT EXISTS (
    SELECT FROM segment later
    WHERE later.subject_id = g.subject_id AND later.known_from <= turn.known AND later.known_to > turn.known
      AND later.valid_from > g.valid_from AND later.valid_from <= %(as_of)s))
FROM subject s JOIN segment g ON g.subject_id = s.id
CROSS JOIN LATERAL (VALUES (g.known_from, g.known_from), (g.known_to, g.known_to - 1)) AS turn(position, known)
JOIN event e ON e.position = turn.position
WHERE s.coalition = %(coalition)s AND g.valid_from <= %(as_of)s
  AND turn.position > %(from)s AND turn.position <= %(to)s
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY e.position
"""
_MOVED = """
SELECT s.coalition, s.family, s.slug, s.actor, g.causes
FROM subject s JOIN segment g ON g.subject_id = s.id
WHERE s.coalition = %(coalition)s AND g.known_from <= %(known)s AND g.known_to > %(known)s
  AND g.valid_from > %(from)s AND g.valid_from <= %(to)s
ORDER BY g.valid_from
"""


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two points."""

    start: Basis
    end: Basis
    rows: list[Difference]


async def list_changes(
    connection: Connection, coalition: str, start: Point, end: Point, *, stale_after_days: int
) -> Changes:
    """What differs between two points, through the corner (start's valid time, end's position), with causes.

    First what was learned of the earlier moment between the two positions, then what moved between the two moments as
    known at the end.
    """
    values = {"coalition": coalition}
    bases, views = [], []
    for point in (start, Point(start.as_of, end.known_position), end):
        basis, rows = await states_at(connection, point, Scope.COALITION, values, references=References.ALL)
        bases.append(basis)
        views.append(view_of(rows, as_of=point.as_of, stale_after_days=stale_after_days))
    before, _, after = bases
    learned = await fetch(
        connection,
        _LEARNED,
        {**values, "as_of": start.as_of, "from": before.known_position, "to": after.known_position},
    )
    moved = await fetch(
        connection, _MOVED, {**values, "known": after.known_position, "from": start.as_of, "to": end.as_of}
    )
    return Changes(before, after, differences(*views, learned=_learned_by(learned), moved=_moved_by(moved)))


def view_of(rows: Sequence[StateRow], *, as_of: datetime, stale_after_days: int) -> View:
    """What an answer about a whole coalition says of each of its subjects."""
    told = [(row.key, row.state, row.references, row.rivals) for row in rows if row.state is not None]
    return View(told, as_of=as_of, stale_after_days=stale_after_days)


def _learned_by(rows: Sequence[Any]) -> dict[SubjectKey, list[Json]]:
    causes: dict[SubjectKey, dict[bool, list[Json]]] = {}
    for *key, event_id, position, at_that_moment in rows:
        told = {"event_id": str(event_id), "position": position}
        causes.setdefault(SubjectKey(*key), {}).setdefault(at_that_moment, []).append(told)
    return {key: found.get(True) or found[False] for key, found in causes.items()}


def _moved_by(rows: Sequence[Any]) -> dict[SubjectKey, list[Json]]:
    causes: dict[SubjectKey, list[Json]] = {}
    for row in rows:
        told = [{"event_id": one["event_id"], "position": one["position"]} for one in orjson.loads(row[4])]
        causes.setdefault(SubjectKey(*row[:4]), []).extend(told)
    return causes
