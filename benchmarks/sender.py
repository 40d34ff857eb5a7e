"""The load generator's process: sends ready requests over kept connections, one at a time on each.

It parses no more of an answer than its status and its length, so that what is measured is the server. It reads a
pickled `Job` from standard input and writes a pickled `Outcome`.
"""

import asyncio
import os
import pickle
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

import uvloop

_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to send, over how many connections, for how long; ``again``: from the start when all is sent."""

    port: int
    connections: int
    seconds: float
    requests: Sequence[bytes]
    again: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of it: how long it took, and each answer's latency in seconds, in ascending order."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    bytes_received: int = 0
    fault: str = ""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def latency(self, share: float) -> float:
        """The latency, in milliseconds, that this share of the answers did not exceed."""
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)] * 1000


@dataclass(slots=True)
class _Run:
    requests: Iterator[bytes]
    until: float
    open: int
    finished: asyncio.Event
    outcome: Outcome


class _Connection(asyncio.Protocol):
    """One client: it sends its next request when the last is answered."""

    def __init__(self, shared: _Run) -> None:
        self._run = shared
        self._buffer = bytearray()
        self._sent_at = 0.0
        self._length = -1  # of the whole answer; -1 while its head is still to come
        self._is_done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has one of its own
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        request = next(self._run.requests, None) if self._sent_at < self._run.until else None
        if request is None:
            self._end()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._length < 0:
            self._read_head()
        if 0 <= self._length <= len(self._buffer):
            self._run.outcome.latencies.append(time.perf_counter() - self._sent_at)
            self._run.outcome.bytes_received += self._length
            self._buffer.clear()
            self._length = -1
            self._send()

    def _read_head(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        start = head.find(b"\r\ncontent-length:")
        if start < 0 or not head.startswith(b"http/1.1 20"):
            self._end(f"{bytes(self._buffer[:1500])!r}")
            return
        line_end = head.find(b"\r\n", start + 2)
        self._length = end + 4 + int(head[start + 17 : line_end if line_end > 0 else None])

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_done:
            self._end(f"the server closed a connection: {exc}")

    def _end(self, fault: str = "") -> None:
        self._is_done = True
        self._run.outcome.fault = self._run.outcome.fault or fault
        self._run.open -= 1
        if fault or self._run.open == 0:
            self._run.finished.set()
        self._transport.close()


async def _perform(job: Job) -> Outcome:
    outcome = Outcome()
    requests = cycle(job.requests) if job.again else iter(job.requests)
    began = time.perf_counter()
    shared = _Run(requests, began + job.seconds, job.connections, asyncio.Event(), outcome)
    loop = asyncio.get_running_loop()
    for _ in range(job.connections):
        await loop.create_connection(lambda: _Connection(shared), "127.0.0.1", job.port)
    try:
        await asyncio.wait_for(shared.finished.wait(), job.seconds + _PATIENCE)
    except TimeoutError:
        outcome.fault = "answers did not come"
    outcome.seconds = time.perf_counter() - began
    outcome.latencies.sort()
    return outcome


def main() -> None:
    """Runs the one job that it is given."""
    job: Job = pickle.loads(sys.stdin.buffer.read())
    outcome = memoryview(pickle.dumps(uvloop.run(_perform(job))))
    os.set_blocking(sys.stdout.fileno(), True)  # the loop may have left it otherwise
    while outcome:
        outcome = outcome[os.write(sys.stdout.fileno(), outcome) :]
