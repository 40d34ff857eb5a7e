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
from service.segments.query import Basis, Point, Scope, states_at


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


_SUBJECTS = "s.coalition = %(coalition)s AND s.family = %(family)s AND s.slug = %(slug)s"
_SEGMENTS = f"""
SELECT s.coalition, s.family, s.slug, s.actor, g.valid_from, g.known_from, g.known_to, g.state, g.causes, g.possible,
       g.rivals
FROM subject s JOIN segment g ON g.subject_id = s.id
WHERE {_SUBJECTS} AND g.known_from <= %(known)s
ORDER BY s.actor
"""
_EVENTS = f"""
WITH told AS (
    SELECT DISTINCT m.position FROM subject s JOIN subject_statement m ON m.subject_id = s.id
    WHERE {_SUBJECTS} AND m.known_from <= %(known)s
)
SELECT {COLUMNS} FROM event e
WHERE e.position <= %(known)s
  AND (e.position IN (SELECT position FROM told) OR e.about && (SELECT array_agg(position) FROM told))
ORDER BY e.position
"""


async def history_of(
    connection: Connection, point: Point, key: SubjectKey
) -> tuple[Basis, list[EventRow], list[Rectangle]]:
    """The events that ever touched a subject (any actor), and the states it was ever known to be in, up to a point."""
    values = {"coalition": key.coalition, "family": key.family, "slug": key.slug}
    basis, _ = await states_at(connection, point, Scope.SUBJECT, values)
    bounds = {**values, "known": basis.known_position, "as_of": basis.as_of}
    events = [EventRow.of(row) for row in await fetch(connection, _EVENTS, bounds)]
    segments = [_Stored.of(row) for row in await fetch(connection, _SEGMENTS, bounds)]
    found = [
        one
        for _, of_subject in groupby(segments, key=lambda one: one.key)
        for one in _rectangles(list(of_subject), basis.known_position)
        if one.valid_from <= basis.as_of
    ]
    return basis, events, found


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
    """What was ever known of one subject by a position, in the order in which it was learned."""
    changes: dict[int, tuple[list[_Stored], list[_Stored]]] = defaultdict(lambda: ([], []))  # closed, opened
    for one in segments:
        changes[one.known_from][1].append(one)
        if one.known_to <= known:
            changes[one.known_to][0].append(one)
    plane = _Plane()
    for position, (closed, opened) in sorted(changes.items()):
        plane.change(position, closed, opened)
    return sorted(plane.end(), key=lambda one: (one.known_from, one.valid_from))


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
