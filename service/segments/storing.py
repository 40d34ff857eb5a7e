"""What revising has changed of the segments, and how that is written: in one go, with what nobody may see half of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from service.database import OPEN, Connection
from service.domain.record import Effective
from service.domain.timeline import NOTHING, Segment

_LARGEST_DOCUMENT = 1 << 20  # bytes of rows in one insert


@dataclass(slots=True)
class Live:
    """A segment of the current plane; ``since`` is the position from which it is known."""

    segment: Segment
    since: int
    stored: bool
    size: int = 0
    _causes: list[dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        one = self.segment
        self.size = len(one.state or b"") + len(one.causes) + len(one.possible) + len(one.rivals)

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The statements behind it, read once: every answer about the subject goes through them."""
        if self._causes is None:
            self._causes = shown(self.segment.causes)
        return self._causes


def shown(stored: bytes) -> list[dict[str, Any]]:
    """A list as it is stored, read."""
    found: list[dict[str, Any]] = [] if stored == NOTHING else orjson.loads(stored)
    return found


class Row(NamedTuple):
    """A segment as it is stored, without the state from which it was written: there may be many."""

    subject_id: int
    valid_from: datetime
    since: int
    until: int
    state: bytes | None
    causes: bytes
    possible: bytes
    rivals: bytes

    @classmethod
    def of(cls, subject_id: int, live: Live, until: int) -> "Row":
        """A segment of the current plane, known until a position."""
        one = live.segment
        return cls(subject_id, one.valid_from, live.since, until, one.state, one.causes, one.possible, one.rivals)

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.state or b"") + len(self.causes) + len(self.possible) + len(self.rivals)


class Unwritten:
    """What revising has changed in the tables, and not yet written."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._closing: list[tuple[int, datetime, int]] = []
        self._memberships: dict[tuple[int, int], tuple[datetime, bool, int]] = {}

    def put_membership(self, subject_id: int, statement: Effective, at: int, *, current: bool) -> None:
        """A subject's fold takes in a statement, or no longer does."""
        before = self._memberships.get((subject_id, statement.position))
        since = at if before is None else before[2]
        self._memberships[subject_id, statement.position] = (statement.bounds.latest, current, since)

    def close(self, subject_id: int, live: Live, at: int) -> None:
        """A segment is known only up to a position; one that was never written is written as such, or not at all."""
        if live.stored:
            self._closing.append((subject_id, live.segment.valid_from, at))
        elif live.since < at:
            self.rows.append(Row.of(subject_id, live, at))

    async def write(self, connection: Connection) -> None:
        """Closes and inserts segments. Runs inside the caller's pipeline."""
        if self._memberships:
            await connection.execute(
                _PUT_MEMBERSHIPS,
                (
                    [subject_id for subject_id, _ in self._memberships],
                    [position for _, position in self._memberships],
                    [latest for latest, _, _ in self._memberships.values()],
                    [current for _, current, _ in self._memberships.values()],
                    [since for _, _, since in self._memberships.values()],
                ),
            )
        if self._closing:
            await connection.execute(_CLOSE_SEGMENTS, tuple(map(list, zip(*self._closing, strict=True))))
        for document in _documents(self.rows):
            await connection.execute(_INSERT_SEGMENTS, (document.decode(),))


def _documents(rows: Sequence[Row]) -> Iterator[bytes]:
    """The rows as JSON, in parts of bounded size: one as a rule."""
    part: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        part.append(_row(row))
        size += row.size
        if size > _LARGEST_DOCUMENT:
            yield orjson.dumps(part)
            part, size = [], 0
    if part:
        yield orjson.dumps(part)


def _row(row: Row) -> dict[str, Any]:
    return {
        "subject_id": row.subject_id,
        "valid_from": row.valid_from,
        "known_from": row.since,
        "known_to": row.until,
        "state": None if row.state is None else orjson.Fragment(row.state),
        "causes": orjson.Fragment(row.causes),
        "possible": orjson.Fragment(row.possible),
        "rivals": orjson.Fragment(row.rivals),
    }


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
INSERT INTO segment (subject_id, valid_from, known_from, known_to, state, causes, possible, rivals)
SELECT * FROM json_to_recordset(%b::json) AS new(
    subject_id bigint, valid_from timestamptz, known_from bigint, known_to bigint, state json, causes json,
    possible json, rivals json)
"""
