"""Everything that was ever known of a subject: its events, and its states with all four bounds."""

from dataclasses import dataclass
from datetime import datetime

from service.database import OPEN, Connection, fetch
from service.domain.dates import END
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
_RECTANGLES = f"""
SELECT s.coalition, s.family, s.slug, s.actor, g.valid_from, g.valid_to, g.known_from, g.known_to, g.state, g.causes,
       g.possible, g.rivals
FROM subject s JOIN segment g ON g.subject_id = s.id
WHERE {_SUBJECTS} AND g.known_from <= %(known)s AND g.valid_from <= %(as_of)s
ORDER BY s.actor, g.known_from, g.valid_from
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
    return basis, events, [_rectangle(row, basis) for row in await fetch(connection, _RECTANGLES, bounds)]


def _rectangle(row: tuple[object, ...], basis: Basis) -> Rectangle:
    """A row as known at the basis: what was closed later was still open then."""
    coalition, family, slug, actor, valid_from, valid_to, known_from, known_to, *rest = row
    closed = known_to if isinstance(known_to, int) and known_to != OPEN and known_to <= basis.known_position else None
    return Rectangle(
        SubjectKey(coalition, family, slug, actor),  # type: ignore[arg-type]  # as the query selects
        valid_from,  # type: ignore[arg-type]
        None if valid_to == END else valid_to,  # type: ignore[arg-type]
        known_from,  # type: ignore[arg-type]
        closed,
        *rest,  # type: ignore[arg-type]
    )
