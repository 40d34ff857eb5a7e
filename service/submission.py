"""One request to record something: what it sends, what came of it, and what it is answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from service.domain.record import Effective
from service.log.append import Appended
from service.log.codec import Entry
from service.segments.query import StateRow


@dataclass(frozen=True, slots=True)
class Retry:
    """By what a retry of a request is recognised: the client's key, and a digest of what it sent."""

    client: str
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a request recorded: its events in order, and the subjects that it touched, with their state at the end.

    ``at`` is the moment of those states: that of recording, or, for what is yet to come, that of its occurrence.
    """

    events: tuple[Appended, ...]
    statements: tuple[Effective, ...]  # the changed ones, as they stand after it
    states: tuple[StateRow, ...]
    at: datetime
    in_force: frozenset[str]  # coalitions with a ceasefire in force at that moment


def render_id(recorded: Recorded) -> bytes:
    """An answer that says no more than the id of the first event."""
    return recorded.events[0].entry.event_id.encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered; ``replayed`` when an earlier try had already recorded it."""

    content: bytes
    position: int  # of the first event
    replayed: bool = False


@dataclass(slots=True)
class Submission:
    """One request to record one or more events: all of them or none.

    ``render`` makes the answer from what was recorded, inside the transaction, so that a retry is given the same bytes.
    """

    entries: tuple[Entry, ...]
    recorded_by: str
    render: Callable[[Recorded], bytes]
    retry: Retry | None = None
    claim: Retry | None = None  # a second key, of the request of which this is only the first part
    revision: int | None = None  # of the target, as the editor saw it
    listed: bool = False  # sent as a list: a fault says at which place
    brief: bool = False  # its answer tells of no states, which then need not be drawn
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def again(self) -> "Submission":
        """The same request, to be made once more."""
        return replace(self, answer=asyncio.get_running_loop().create_future())

    @property
    def retries(self) -> tuple[Retry, ...]:
        """All the keys under which its answer is kept."""
        if self.claim is not None and self.retry is not None:
            return (self.claim, self.retry)
        return () if self.retry is None else (self.retry,)
