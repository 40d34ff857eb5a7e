"""Load on a server: what is sent, and what came of it. The sending is a process of its own (`benchmarks.sender`)."""

import contextlib
import http.client
import pickle
import sys
from collections.abc import Iterator
from itertools import islice

import orjson

from benchmarks.machine import TOKEN, BenchError, run
from benchmarks.sender import Job, Outcome
from benchmarks.statements import Json

WARM_UP = 0.5  # seconds: connections opened, queries prepared
_PROCESS = [sys.executable, "-c", "from benchmarks.sender import main; main()"]


def send(job: Job) -> Outcome:
    """Runs a job in a process of its own; raises `BenchError` when any answer was not a success."""
    outcome: Outcome = pickle.loads(run(_PROCESS, given=pickle.dumps(job)))
    if outcome.fault or not outcome.latencies:
        raise BenchError(f"The load failed: {outcome.fault or 'nothing was answered'}")
    return outcome


def get(path: str) -> bytes:
    """A request, ready to send."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A write with the benchmarks' token, ready to send."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ask(port: int, path: str, said: Json | None = None) -> Json:
    """One answer, read whole: for what prepares a measurement, and looks whether what is measured is right."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"} if said else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST" if said else "GET", path, orjson.dumps(said) if said else None, headers)
        answer = connection.getresponse()
        content = answer.read()
    if answer.status not in (200, 201):
        raise BenchError(f"{path} was answered {answer.status}: {content[:1500]!r}")
    found: Json = orjson.loads(content)
    return found


class Supply:
    """Requests that are sent once each: what one job leaves over the next one sends."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._left: list[bytes] = []

    def send(self, port: int, *, connections: int, seconds: float, at_most: int) -> Outcome:
        """Sends as many as are answered within the time."""
        self._left += islice(self._source, max(at_most - len(self._left), 0))
        outcome = send(Job(port, connections, seconds, self._left))
        del self._left[: len(outcome.latencies)]
        return outcome
