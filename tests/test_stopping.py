"""A stop takes less than five seconds, whoever is being answered; what was begun is answered, whoever asks again."""

import http.client
import json
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import Server, exchange, open_folder, servers_below, serving, wait_until
from tests.registry import TOKEN, statement
from tests.test_feed import Listener, running, say, start

_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
_LONG = "What was said, at length. " * 70


def fill(server: Server, events: int) -> None:
    """Records long statements, so that the log does not fit between a server and a client that does not read."""
    for first in range(0, events, 500):
        said = [statement(subject=f"s-{number}", summary=_LONG) for number in range(first, first + 500)]
        body = json.dumps(said).encode()
        assert exchange(server.port, "POST", "/v1/statements/batch", body, _HEADERS).status == 201


@contextmanager
def not_reading(server: Server, path: str) -> Iterator[socket.socket]:
    """A client that has asked for something, and does not take in the answer."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((server.host, server.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: registry\r\n\r\n".encode())
        yield client


def ended(server: Server, number: int = signal.SIGTERM) -> float:
    """Ends a server; gives how long that took."""
    began = time.monotonic()
    assert server.end(number) == 0
    return time.monotonic() - began


def test_whoever_reads_slowly_or_not_at_all_does_not_hold_up_a_stop(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server:
        start(server)
        fill(server, 3000)
        listeners = [Listener() for _ in range(100)]
        for listener in listeners:
            listener.listen(server)
        with (
            not_reading(server, "/v1/events.jsonl") as export,
            not_reading(server, "/v1/events/stream?after=0"),
            not_reading(server, "/v1/events?limit=500"),
        ):
            export.recv(1000)  # it has begun
            assert ended(server) < 5
            assert "graceful shutdown exceeded" not in server.said(), "who takes nothing is cut off before"
        assert all(listener.ended.wait(5) for listener in listeners)
        assert "Traceback" not in server.said()


def test_a_request_that_never_comes_to_its_end_is_refused_when_the_service_does(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server, socket.create_connection((server.host, server.port), 20) as client:
        start(server)
        head = "".join(f"{name}: {value}\r\n" for name, value in _HEADERS.items())
        client.sendall(f"POST /v1/statements HTTP/1.1\r\nHost: registry\r\n{head}Content-Length: 99\r\n\r\n{{".encode())
        time.sleep(0.5)
        assert ended(server) < 5
        refused = b"".join(iter(lambda: client.recv(4096), b""))
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in refused
        assert b"same Idempotency-Key" in refused
        told = [json.loads(line) for line in server.said().splitlines()]
        assert [line["status"] for line in told if line["event"] == "request"] == [201, 503]


def test_an_export_that_is_read_goes_on_to_its_end(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server:
        start(server)
        fill(server, 1000)
        connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        connection.request("GET", "/v1/events.jsonl")
        answer = connection.getresponse()
        first = answer.readline()
        server.process.send_signal(signal.SIGTERM)
        rest = answer.read().splitlines()
        connection.close()
        assert ended(server) < 5
    assert [json.loads(line)["position"] for line in (first, *rest)] == list(range(1, 1002))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_being_written_when_a_stop_comes_is_acknowledged_or_refused(
    tmp_path: Path, database: str, number: int
) -> None:
    statuses: Counter[int] = Counter()
    acknowledged: list[str] = []
    unanswered: list[str] = []
    stopped = threading.Event()

    def write(server: Server, nth: int) -> None:
        for count in range(100_000):
            mark = f"{nth}/{count}"
            body = json.dumps(statement(subject=f"s-{nth}", summary=mark)).encode()
            try:
                reply = exchange(server.port, "POST", "/v1/statements", body, _HEADERS)
            except ConnectionRefusedError:
                return  # it does not listen any more
            except (OSError, http.client.HTTPException):
                assert stopped.is_set()
                unanswered.append(mark)
                return
            statuses[reply.status] += 1
            if reply.status == 201:
                acknowledged.append(mark)

    with running(tmp_path, database) as server, ThreadPoolExecutor(16) as clients:
        start(server)
        writers = [clients.submit(write, server, nth) for nth in range(16)]
        assert wait_until(lambda: len(acknowledged) > 200)
        stopped.set()
        assert ended(server, number) < 5
        for writer in writers:
            writer.result()
        assert "Traceback" not in server.said()
    with running(tmp_path, database) as server:
        recorded = Counter(event["data"]["summary"] for event in server.events()[1:])
    assert not [mark for mark in acknowledged if recorded[mark] != 1]
    assert set(statuses) <= {201, 503}
    assert not [mark for mark in unanswered if recorded[mark]], "what was not answered was not even read"


@pytest.mark.parametrize(("number", "pause"), [(signal.SIGTERM, 0.3), (signal.SIGINT, 0.02), (signal.SIGINT, 0.3)])
def test_a_second_signal_does_not_leave_its_postgresql_behind(number: int, pause: float) -> None:
    with open_folder() as folder, serving(folder, "--no-seeds") as server:
        listener = Listener()
        listener.listen(server)
        began = time.monotonic()
        for _ in range(8):
            server.process.send_signal(number)  # nothing happens where it has ended
            time.sleep(pause)
        assert server.process.wait(20) in (0, -number)  # the last may come when the interpreter has let go of them
        assert time.monotonic() - began < 5
        assert wait_until(lambda: not servers_below(folder), 1)
        assert listener.ended.wait(5)
        assert "Traceback" not in server.said()


def test_what_is_recorded_at_the_end_is_heard_before_the_stream_ends(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server:
        start(server)
        listener = Listener("?after=0")
        listener.listen(server)
        said = say(server, statement())["event"]["position"]
        assert wait_until(lambda: listener.positions[-1:] == [said])
        assert ended(server) < 5
        assert listener.ended.wait(5)
