"""Everything that was ever known of a subject: its events, and its states with all four bounds."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from service.database import Connection, fetch
from service.domain.subject import SubjectKey
from service.log.read import COLUMNS, EventRow
from service.segments.query import Basis


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A state between two valid times, as known between two positions; None is an open end."""

    key: SubjectKey
    valid_from: datetime
    valid_to: datetime | None
    known_from: int
    known_to: int | None
    state: bytes | None
    causes: bytes
    possible: bytes
    rivals: bytes

    @property
    def place(self) -> tuple[str, int, datetime]:
        """Where it stands among the states of its subject: by actor, in the order in which they were learned."""
        return self.key.actor, self.known_from, self.valid_from


_SUBJECTS = "s.coalition = %(coalition)s AND s.family = %(family)s AND s.slug = %(slug)s"
_SEGMENTS = f"""
SELECT s.coalition, s.family, s.slug, s.actor, g.valid_from, g.known_from, g.known_to, g.state, g.causes, g.possible,
       g.rivals
FROM subject s JOIN segment g ON g.subject_id = s.id
WHERE {_SUBJECTS} AND g.known_from <= %(known)s
ORDER BY s.actor
"""
_TOUCHED = f"""
WITH told AS (
    SELECT DISTINCT m.position FROM subject s JOIN subject_statement m ON m.subject_id = s.id
    WHERE {_SUBJECTS} AND m.known_from <= %(known)s
)
SELECT {{columns}} FROM event e
WHERE e.position <= %(known)s
  AND (e.position IN (SELECT position FROM told) OR e.about && (SELECT array_agg(position) FROM told))
"""
_EVENTS = _TOUCHED.format(columns=COLUMNS) + "AND e.position > %(after)s ORDER BY e.position LIMIT %(limit)s"
_COUNT = _TOUCHED.format(columns="count(*)")


async def list_events_of(
    connection: Connection, basis: Basis, key: SubjectKey, *, after: int, limit: int
) -> list[EventRow]:
    """The next events behind a position that ever touched a subject (any actor), as known then, in order."""
    values = {**_values(basis, key), "after": after, "limit": limit}
    return [EventRow.of(row) for row in await fetch(connection, _EVENTS, values)]


async def count_events_of(connection: Connection, basis: Basis, key: SubjectKey) -> int:
    """How many events ever touched a subject, as known then."""
    count: int = (await fetch(connection, _COUNT, _values(basis, key)))[0][0]
    return count


async def list_states_of(connection: Connection, basis: Basis, key: SubjectKey) -> list[Rectangle]:
    """The states that a subject (each of its actors) was ever known to be in, up to a point: by their `place`."""
    segments = [_Stored.of(row) for row in await fetch(connection, _SEGMENTS, _values(basis, key))]
    found = [
        one
        for _, of_subject in groupby(segments, key=lambda one: one.key)
        for one in _rectangles(list(of_subject), basis.known_position)
        if one.valid_from <= basis.as_of
    ]
    return sorted(found, key=lambda one: one.place)


def _values(basis: Basis, key: SubjectKey) -> dict[str, Any]:
    return {"coalition": key.coalition, "family": key.family, "slug": key.slug, "known": basis.known_position}


class _Stored(NamedTuple):
    """A segment as stored: when it ends is when the next one begins."""

    key: SubjectKey
    valid_from: datetime
    known_from: int
    known_to: int
    says: tuple[bytes | None, bytes, bytes, bytes]

    @classmethod
    def of(cls, row: Sequence[Any]) -> "_Stored":
        """The columns of `_SEGMENTS`."""
        valid_from, known_from, known_to, *says = row[4:]
        return cls(SubjectKey(*row[:4]), valid_from, known_from, known_to, tuple(says))


def _rectangles(segments: Sequence[_Stored], known: int) -> list[Rectangle]:
    """What was ever known of one subject by a position."""
    changes: dict[int, tuple[list[_Stored], list[_Stored]]] = defaultdict(lambda: ([], []))  # closed, opened
    for one in segments:
        changes[one.known_from][1].append(one)
        if one.known_to <= known:
            changes[one.known_to][0].append(one)
    plane = _Plane()
    for position, (closed, opened) in sorted(changes.items()):
        plane.change(position, closed, opened)
    return plane.end()


class _Plane:
    """What is known of a subject while one goes through the positions at which that changed.

    Segments in the order of valid time: where one comes in or goes, the one before it ends elsewhere from then on.
    """

    def __init__(self) -> None:
        self._begins: list[datetime] = []
        self._standing: dict[datetime, tuple[_Stored, datetime | None, int]] = {}  # until when, since which position
        self._found: list[Rectangle] = []

    def change(self, position: int, closed: Sequence[_Stored], opened: Sequence[_Stored]) -> None:
        """Takes out what is closed at a position, takes in what is opened there, and ends anew what that moves."""
        moved: set[datetime] = set()
        for one in closed:
            at = bisect_left(self._begins, one.valid_from)
            moved.update(self._begins[max(at - 1, 0) : at])
            del self._begins[at]
            self._close(one.valid_from, position)
        for one in opened:
            at = bisect_left(self._begins, one.valid_from)
            moved.update([*self._begins[max(at - 1, 0) : at], one.valid_from])
            self._begins.insert(at, one.valid_from)
            self._standing[one.valid_from] = (one, None, position)
        for begin in moved & self._standing.keys():
            following = bisect_right(self._begins, begin)
            valid_to = self._begins[following] if following < len(self._begins) else None
            if self._standing[begin][1] != valid_to:
                self._standing[begin] = (self._close(begin, position), valid_to, position)

    def end(self) -> list[Rectangle]:
        """All that was known, with what still is."""
        for begin in self._begins:
            self._close(begin, None)
        return self._found

    def _close(self, begin: datetime, position: int | None) -> _Stored:
        one, valid_to, since = self._standing.pop(begin)
        if since != position:
            self._found.append(Rectangle(one.key, begin, valid_to, since, position, *one.says))
        return one
