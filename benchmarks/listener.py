"""The listeners' process: many clients of the live feed, and how old each event was when it came to each of them.

It reads a pickled `Audience` from standard input, writes a line once all of them listen, and a pickled `Outcome` when
each has heard every event. An event's age is counted from its `recorded_at`, so it takes in the commit; both clocks are
the machine's.
"""

import asyncio
import pickle
import re
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import uvloop

from benchmarks.sender import Outcome

_PATIENCE = 60.0
_RECORDED_AT = re.compile(rb'\ndata: \{.*?"time":"([^"]+)"')
_REQUEST = b"GET /v1/events/stream HTTP/1.1\r\nHost: bench\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Audience:
    """How many listen, for how many events, within how many seconds."""

    port: int
    listeners: int
    events: int
    seconds: float


class _Hall:
    """What all listeners share."""

    def __init__(self, audience: Audience) -> None:
        self.events = audience.events
        self.outcome = Outcome()
        self.still_to_listen = self.still_to_hear = audience.listeners
        self.listening, self.over = asyncio.Event(), asyncio.Event()
        self._recorded: dict[bytes, float] = {}  # everybody hears the same: read once

    def hear(self, recorded_at: bytes, at: float) -> None:
        """Takes in an event that came to one listener."""
        if recorded_at not in self._recorded:
            self._recorded[recorded_at] = datetime.fromisoformat(recorded_at.decode()).timestamp()
        self.outcome.latencies.append(at - self._recorded[recorded_at])

    def fail(self, fault: str) -> None:
        """Ends it all."""
        self.outcome.fault = self.outcome.fault or fault
        self.listening.set()
        self.over.set()


class _Listener(asyncio.Protocol):
    """One client: it listens, and looks at no more of an event than when it was recorded."""

    def __init__(self, hall: _Hall) -> None:
        self._hall = hall
        self._buffer = b""
        self._listens = False
        self._heard = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(_REQUEST)  # uvloop has one of its own

    def data_received(self, data: bytes) -> None:
        now = time.time()
        whole, end, self._buffer = (self._buffer + data).rpartition(b"\n\n")
        if not end:
            return
        if not self._listens:
            self._begin(whole)
        for recorded_at in _RECORDED_AT.findall(whole):
            self._hall.hear(recorded_at, now)
            self._heard += 1
        if self._heard == self._hall.events:
            self._heard += 1  # once
            self._hall.still_to_hear -= 1
            if not self._hall.still_to_hear:
                self._hall.over.set()

    def _begin(self, head: bytes) -> None:
        if not head.startswith(b"HTTP/1.1 200"):
            self._hall.fail(f"{head[:1500]!r}")
        self._listens = True
        self._hall.still_to_listen -= 1
        if not self._hall.still_to_listen:
            self._hall.listening.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._hall.over.is_set():
            self._hall.fail(f"the server closed a stream: {exc}")


async def _listen(audience: Audience) -> Outcome:
    hall = _Hall(audience)
    loop = asyncio.get_running_loop()
    for _ in range(audience.listeners):
        await loop.create_connection(lambda: _Listener(hall), "127.0.0.1", audience.port)
    try:
        async with asyncio.timeout(_PATIENCE):
            await hall.listening.wait()
        print("listening", flush=True)
        began = time.perf_counter()
        async with asyncio.timeout(audience.seconds + _PATIENCE):
            await hall.over.wait()
        hall.outcome.seconds = time.perf_counter() - began
    except TimeoutError:
        hall.fail("events did not come")
    hall.outcome.latencies.sort()
    if not hall.outcome.fault and len(hall.outcome.latencies) != audience.listeners * audience.events:
        hall.outcome.fault = "some heard more than was recorded"
    return hall.outcome


def main() -> None:
    """Listens as it is told."""
    audience: Audience = pickle.loads(sys.stdin.buffer.read())
    outcome = uvloop.run(_listen(audience))
    sys.stdout.buffer.write(pickle.dumps(outcome))
    sys.stdout.buffer.flush()
