"""The log in order, and single events of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from service.database import OPEN, Connection, fetch
from service.domain.answers import Json
from service.domain.dates import render_instant
from service.domain.errors import Unknown
from service.domain.record import is_event_id

NO_EVENT = "No event is recorded under this id."


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as recorded."""

    position: int
    event_id: str
    kind: str
    version: int
    coalition: str
    recorded_at: datetime
    recorded_by: str
    body: bytes
    seal: "Seal"

    @classmethod
    def of(cls, row: Sequence[Any]) -> "EventRow":
        """A row of `COLUMNS`."""
        position, event_id, kind, version, coalition, recorded_at, recorded_by, body, *seal = row
        return cls(
            position, str(event_id), kind, version, coalition, recorded_at, recorded_by, body, Seal(*map(bytes, seal))
        )


class Seal(NamedTuple):
    """What proves an event: all four follow from it, save the salt."""

    salt: bytes
    commitment: bytes
    leaf_hash: bytes
    root: bytes


COLUMNS = (
    "e.position, e.event_id, e.kind, e.version, e.coalition, e.recorded_at, e.recorded_by, e.body, "
    "e.salt, e.commitment, e.leaf_hash, e.root"
)
_READ = f"SELECT {COLUMNS} FROM event e WHERE e.position > %(after)s ORDER BY e.position LIMIT %(limit)s"
_FIND = f"SELECT {COLUMNS} FROM event e WHERE e.event_id = %(event_id)s"
_ABOUT = f"SELECT {COLUMNS} FROM event e WHERE e.about @> ARRAY[%(position)s::bigint] ORDER BY e.position"


async def read_events(connection: Connection, *, after: int, limit: int) -> list[EventRow]:
    """The next events behind a position, in order."""
    return [EventRow.of(row) for row in await fetch(connection, _READ, {"after": after, "limit": limit})]


_RECORDED = f"""
SELECT {COLUMNS} FROM event e
WHERE (%(by)s::text IS NULL OR e.recorded_by = %(by)s OR e.position = ANY(%(besides)s::bigint[]))
  AND (%(kind)s::text IS NULL OR e.kind = %(kind)s OR split_part(e.kind, '.', 1) = %(kind)s)
  AND e.position > %(first)s AND e.position < %(before)s
ORDER BY e.position DESC LIMIT %(limit)s
"""
# Positions are without gap and in the order of time: halving finds an instant among them without an index of its own.
_BEFORE = """
WITH RECURSIVE halved(low, high) AS (
    SELECT 0::bigint, size + 1 FROM log_head
    UNION ALL
    SELECT CASE WHEN e.recorded_at < %(at)s THEN e.position ELSE low END,
           CASE WHEN e.recorded_at < %(at)s THEN high ELSE e.position END
    FROM halved JOIN event e ON e.position = (low + high) / 2
    WHERE high - low > 1
)
SELECT low FROM halved WHERE high - low = 1
"""


class WantedRecords(NamedTuple):
    """Which events of the log are looked for: by whom they were recorded (or at which positions ``besides``), which
    they are, and when; None is any.
    """

    by: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    besides: Collection[int] = ()


async def list_recorded(
    connection: Connection, wanted: WantedRecords, *, before: int | None, limit: int
) -> list[EventRow]:
    """What was recorded, newest first, before a position; ``kind`` may be a family, ``until`` is not included."""
    first = await find_last_before(connection, wanted.since) if wanted.since else 0
    ends = [OPEN if before is None else before]
    if wanted.until:
        ends.append(await find_last_before(connection, wanted.until) + 1)
    values = {
        "by": wanted.by,
        "besides": list(wanted.besides),
        "kind": wanted.kind,
        "first": first,
        "before": min(ends),
        "limit": limit,
    }
    return [EventRow.of(row) for row in await fetch(connection, _RECORDED, values)]


async def find_last_before(connection: Connection, at: datetime) -> int:
    """The last position that was recorded before an instant; 0 where none was."""
    position: int = (await fetch(connection, _BEFORE, {"at": at}))[0][0]
    return position


async def read_size(connection: Connection) -> int:
    """How long the log is."""
    size: int = (await fetch(connection, "SELECT size FROM log_head"))[0][0]
    return size


async def find_event(connection: Connection, event_id: str) -> EventRow | None:
    """One event by its id, or None."""
    rows = await fetch(connection, _FIND, {"event_id": event_id})
    return EventRow.of(rows[0]) if rows else None


async def get_event(connection: Connection, event_id: str) -> EventRow:
    """One event by what may be its id; raises `Unknown`."""
    found = await find_event(connection, event_id) if is_event_id(event_id) else None
    if found is None:
        raise Unknown(NO_EVENT)
    return found


async def list_events_about(connection: Connection, position: int) -> list[EventRow]:
    """The record-level events about a statement, in order."""
    return [EventRow.of(row) for row in await fetch(connection, _ABOUT, {"position": position})]


def event_json(event: EventRow) -> Json:
    """An event as clients see it: where and when it was recorded, and what it says."""
    return {
        "event_id": event.event_id,
        "position": event.position,
        "recorded_at": render_instant(event.recorded_at),
        "recorded_by": event.recorded_by,
        "schema_version": event.version,
        **orjson.loads(event.body),
    }


def cloud_event(event: EventRow) -> Json:
    """An event as a CloudEvent (1.0), with its position as an extension attribute."""
    content = orjson.loads(event.body)
    return {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"/v1/coalitions/{event.coalition}",
        "type": event.kind,
        "time": render_instant(event.recorded_at),
        **({"subject": content["subject"]} if "subject" in content else {}),
        "datacontenttype": "application/json",
        "position": event.position,
        "data": {"recorded_by": event.recorded_by, "schema_version": event.version, **content},
    }
