"""The first pass of an import: every row is read and checked before any is recorded.

Rows are read some at a time, in a thread beside the loop that serves others, and what was read is kept no longer than
that: so an import takes the same memory whatever its file, and nobody else waits for it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from service.database import Connection, Pool
from service.domain.coalition import CoalitionRegistered
from service.domain.decide import Known
from service.domain.errors import Fault, Invalid
from service.domain.kinds import parse_event, parse_statement
from service.domain.statement import Event, canonical
from service.keys import Kept, find_kept
from service.load.checked import Bad, Checked, Good, LeftOut, Spool
from service.reading.occurrences import Occurrences
from service.reading.row import Row, Rows
from service.segments.effective import find_registered, load_known

One = TypeVar("One")
PART = 250
"""Rows that are checked, and recorded, together: a bound for how long others wait."""
_PART_SIZE = 2**18  # bytes of them, or characters: then the part ends with the row that came to so much
_FAULTS_OF_A_ROW = 50  # the first; there may be more


async def check(rows: Rows, spool: Spool, pool: Pool, *, client: str, passed: Callable[[], object]) -> None:
    """Puts all rows into the spool; ``passed`` is called after each part.

    Raises `Unreadable` where it cannot read on.
    """
    with Occurrences() as occurrences:
        checker = _Checker(rows, client, occurrences)
        while part := await beside(checker.read):
            async with pool.connection() as connection:
                for one in await checker.check(part, connection):
                    spool.put(one)
            passed()


def in_parts(items: Iterable[One], size: Callable[[One], int]) -> Iterator[list[One]]:
    """The items, some hundred at a time, and fewer where they are large."""
    part: list[One] = []
    held = 0
    for one in items:
        part.append(one)
        held += size(one)
        if len(part) == PART or held >= _PART_SIZE:
            yield part
            part, held = [], 0
    if part:
        yield part


async def beside(work: Callable[[], One]) -> One:
    """What some work comes to that others need not wait for. Once begun it ends, so that nothing is closed under it."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()  # nobody asks any more
        raise


class _Read(NamedTuple):
    """A row that is valid in itself."""

    first: int
    last: int
    event: Event
    body: bytes
    key: str
    event_id: str | None


class _Checker:
    def __init__(self, rows: Rows, client: str, occurrences: Occurrences) -> None:
        self._rows, self._client, self._occurrences = rows, client, occurrences
        self._parts = in_parts(rows, lambda row: row.size)
        self._registered: set[str] = set()

    def read(self) -> list[_Read | Bad | LeftOut]:
        """The next rows, each as far as it can be checked by itself; none at the end."""
        return [self._read(row) for row in next(self._parts, ())]

    async def check(self, read: list[_Read | Bad | LeftOut], connection: Connection) -> list[Checked]:
        """What becomes of the rows, which follow on those before."""
        events = [one.event for one in read if isinstance(one, _Read)]
        slugs = {event.coalition for event in events} - self._registered
        if slugs:
            self._registered |= await find_registered(connection, sorted(slugs))
        keys = [one.key for one in read if isinstance(one, _Read)]
        kept = await find_kept(connection, self._client, keys) if keys else {}
        ids = [one.event_id for one in read if isinstance(one, _Read) and one.event_id is not None]
        here = await load_known(connection, ids, ()) if ids else Known()
        checked: list[Checked] = []
        for one in read:
            if not isinstance(one, _Read):
                checked.append(one)
                continue
            recorded = _recorded(kept.get(one.key)) or _recorded_as(one.event_id, here)
            fault = self._misplaced(one.event) if recorded is None else _differs(one.event_id, here, one.event)
            if isinstance(one.event, CoalitionRegistered):
                self._registered.add(one.event.coalition)
            if fault is not None:
                checked.append(Bad(one.first, one.last, (self._placed(fault, one.first),)))
                continue
            checked.append(Good(one.first, one.last, one.event.kind, one.key, one.body, *(recorded or ())))
        return checked

    def _read(self, row: Row) -> _Read | Bad | LeftOut:
        if row.left_out is not None:
            return LeftOut(row.first, row.last, row.left_out)
        if row.content is None or row.faults:
            return Bad(row.first, row.last, row.faults[:_FAULTS_OF_A_ROW])
        registers = row.content.get("kind") == "coalition.registered"
        try:
            event: Event = parse_event(row.content) if registers else parse_statement(row.content)
        except Invalid as error:
            return Bad(row.first, row.last, tuple(self._placed(fault, row.first) for fault in error.faults))
        body = canonical(event.content())
        digest = hashlib.sha256(body)
        key = f"{digest.hexdigest()}/{self._occurrences.count(digest.digest())}"
        return _Read(row.first, row.last, event, body, key, row.event_id)

    def _misplaced(self, event: Event) -> Fault | None:
        """What forbids an event in its place: the log has a coalition's registration once, before all about it."""
        registered = event.coalition in self._registered
        if isinstance(event, CoalitionRegistered):
            return Fault("/coalition", "registered", _REGISTERED) if registered else None
        return None if registered else Fault("/coalition", "unknown_coalition", _UNKNOWN)

    def _placed(self, fault: Fault, row: int) -> Fault:
        return Fault(fault.pointer, fault.code, fault.detail, row, self._rows.column_of(fault.pointer))


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
