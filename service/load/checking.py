"""The first pass of an import: every row is read and checked before any is recorded."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from service.database import Connection, Pool
from service.domain.coalition import CoalitionRegistered
from service.domain.decide import Known
from service.domain.errors import Fault, Invalid
from service.domain.kinds import parse_event, parse_statement
from service.domain.statement import Event, canonical
from service.load.checked import Bad, Checked, Good, LeftOut, Spool
from service.reading.occurrences import Occurrences
from service.reading.row import Row, Rows
from service.record import Kept, find_kept
from service.segments.effective import find_registered, load_known

One = TypeVar("One")
PART = 250
"""Rows that are checked, and recorded, together: bounds for how long others wait."""


async def check(rows: Rows, spool: Spool, pool: Pool, *, client: str, passed: Callable[[], object]) -> None:
    """Puts all rows into the spool; ``passed`` is called after each part.

    Raises `Unreadable` where it cannot read on.
    """
    with Occurrences() as occurrences:
        checker = _Checker(rows, client, occurrences)
        for part in in_parts(rows):
            async with pool.connection() as connection:
                for one in await checker.check(part, connection):
                    spool.put(one)
            passed()
            await asyncio.sleep(0)  # others want to be served too


def in_parts(items: Iterable[One]) -> Iterator[list[One]]:
    """The items, some hundred at a time."""
    rest = iter(items)
    while part := list(islice(rest, PART)):
        yield part


class _Read(NamedTuple):
    """A row that is valid in itself."""

    event: Event
    body: bytes
    key: str


class _Checker:
    def __init__(self, rows: Rows, client: str, occurrences: Occurrences) -> None:
        self._rows, self._client, self._occurrences = rows, client, occurrences
        self._registered: set[str] = set()

    async def check(self, part: list[Row], connection: Connection) -> list[Checked]:
        """What becomes of the rows, which follow on those before."""
        read = [self._read(row) for row in part]
        events = [one.event for one in read if isinstance(one, _Read)]
        slugs = {event.coalition for event in events} - self._registered
        if slugs:
            self._registered |= await find_registered(connection, sorted(slugs))
        keys = [one.key for one in read if isinstance(one, _Read)]
        kept = await find_kept(connection, self._client, keys) if keys else {}
        ids = [row.event_id for row in part if row.event_id is not None]
        here = await load_known(connection, ids, ()) if ids else Known()
        checked: list[Checked] = []
        for row, one in zip(part, read, strict=True):
            if not isinstance(one, _Read):
                checked.append(one)
                continue
            recorded = _recorded(kept.get(one.key)) or _recorded_as(row.event_id, here)
            fault = self._misplaced(one.event) if recorded is None else _differs(row.event_id, here, one.event)
            if isinstance(one.event, CoalitionRegistered):
                self._registered.add(one.event.coalition)
            if fault is not None:
                checked.append(Bad(row.first, row.last, (self._placed(fault, row),)))
                continue
            checked.append(Good(row.first, row.last, one.event.kind, one.key, one.body, *(recorded or ())))
        return checked

    def _read(self, row: Row) -> _Read | Bad | LeftOut:
        if row.left_out is not None:
            return LeftOut(row.first, row.last, row.left_out)
        if row.content is None or row.faults:
            return Bad(row.first, row.last, row.faults)
        registers = row.content.get("kind") == "coalition.registered"
        try:
            event: Event = parse_event(row.content) if registers else parse_statement(row.content)
        except Invalid as error:
            return Bad(row.first, row.last, tuple(self._placed(fault, row) for fault in error.faults))
        body = canonical(event.content())
        digest = hashlib.sha256(body)
        return _Read(event, body, f"{digest.hexdigest()}/{self._occurrences.count(digest.digest())}")

    def _misplaced(self, event: Event) -> Fault | None:
        """What forbids an event in its place: the log has a coalition's registration once, before all about it."""
        registered = event.coalition in self._registered
        if isinstance(event, CoalitionRegistered):
            return Fault("/coalition", "registered", _REGISTERED) if registered else None
        return None if registered else Fault("/coalition", "unknown_coalition", _UNKNOWN)

    def _placed(self, fault: Fault, row: Row) -> Fault:
        return Fault(fault.pointer, fault.code, fault.detail, row.first, self._rows.column_of(fault.pointer))


def _recorded(kept: Kept | None) -> tuple[str, int] | None:
    """The event that a row with this key was recorded as."""
    return (kept.answer.content.decode(), kept.answer.position) if kept else None


def _recorded_as(event_id: str | None, here: Known) -> tuple[str, int] | None:
    """The event that a row of a table of ours was, where it was recorded here."""
    return (event_id, here.positions[event_id]) if event_id in here.positions else None


def _differs(event_id: str | None, here: Known, event: Event) -> Fault | None:
    """What a row of a table of ours says is no news of its event: that would be a correction."""
    position = here.positions.get(event_id or "")
    if position is None or _filled(here.by_position[position].content) == _filled(event.content()):
        return None
    return Fault("", "recorded_otherwise", _OTHERWISE)


def _filled(content: Any) -> Any:  # noqa: ANN401 - any JSON
    """Content without lists and objects that hold nothing, which no table has a cell for."""
    if not isinstance(content, dict):
        return content
    return {name: filled for name, value in content.items() if (filled := _filled(value)) not in ({}, [])}


_OTHERWISE = (
    "The event of this `event_id` is recorded, and says something else. What was wrong in it is mended by a "
    "correction; for another statement, leave `event_id` empty."
)
_REGISTERED = "A coalition is already registered under this slug."
_UNKNOWN = "No coalition is registered under this slug, nor by a row before this one."
