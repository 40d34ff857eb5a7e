"""Whoever listens to the log hears every event once and in order: through filters, restarts, and the service's end."""

import asyncio
import contextlib
import http.client
import json
import statistics
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from service.database import Connection
from service.domain.errors import Unavailable
from service.feed import Feed
from service.segments.heard import Heard, read_heard
from tests.processes import Server, exchange, serving, wait_until
from tests.registry import (
    TOKEN,
    Json,
    allow,
    entry,
    note,
    post,
    record,
    recording,
    registration,
    registry,
    statement,
)


class Listener:
    """A client of the stream: it keeps what it hears, and comes back where it was cut off."""

    def __init__(self, query: str = "") -> None:
        self.heard: list[Json] = []
        self.last = ""
        self.ended = threading.Event()
        self._query = query

    def listen(self, server: Server, *, last: str | None = None) -> threading.Thread:
        """Listens until the stream ends."""
        self.ended.clear()
        connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        last = self.last if last is None else last
        connection.request("GET", f"/v1/events/stream{self._query}", headers={"Last-Event-ID": last} if last else {})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.readline() == b"retry: 2000\n"  # it listens
        thread = threading.Thread(target=self._read, args=(connection, answer))
        thread.start()
        return thread

    def _read(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> None:
        fields: dict[str, str] = {}
        try:
            while line := answer.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                    continue
                self.last = fields.get("id", self.last)
                if "data" in fields:
                    self.heard.append(json.loads(fields["data"]) | {"id_sent": fields["id"], "at": time.monotonic()})
                fields = {}
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
            self.ended.set()

    @property
    def positions(self) -> list[int]:
        """What it has heard, in order."""
        return [one["position"] for one in self.heard]


def say(server: Server, said: Json, path: str = "/v1/statements", **headers: str) -> Json:
    """Records something through a running server."""
    headers |= {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    reply = exchange(server.port, "POST", path, json.dumps(said).encode(), headers)
    assert reply.status == 201, reply.body
    content: Json = reply.content
    return content


@contextmanager
def running(folder: Path, database: str) -> Iterator[Server]:
    """A real server over a database."""
    with contextlib.suppress(psycopg.errors.UniqueViolation):  # it is already allowed
        allow(database)
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        yield server


def start(server: Server) -> None:
    """Registers the coalition."""
    say(server, {"slug": "willing", "name": "Willing"}, "/v1/coalitions")


def test_a_listener_hears_what_is_recorded_from_now_on(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server:
        start(server)
        listener = Listener()
        listener.listen(server)
        assert wait_until(lambda: listener.last == "1")  # it knows where it began, before anything was recorded
        said = say(server, statement())["event"]

        assert wait_until(lambda: listener.heard)
        heard = listener.heard[0]
        assert (heard["id"], heard["position"], heard["id_sent"]) == (said["event_id"], 2, "2")
        assert {name: heard[name] for name in ("specversion", "type", "source", "subject")} == {
            "specversion": "1.0",
            "type": "pledge.stated",
            "source": "/v1/coalitions/willing",
            "subject": "ground-troops",
        }


def test_through_restarts_and_a_kill_nothing_is_missed_and_nothing_comes_twice(tmp_path: Path, database: str) -> None:
    listener, late, choosy = Listener(), Listener("?after=0"), Listener("?kind=position&country=TR")
    recorded, wanted = 1, list[int]()
    with running(tmp_path, database) as server:
        start(server)
    for end in ("stop", "kill", "stop"):
        with running(tmp_path, database) as server:
            for one in (listener, choosy):
                one.listen(server, last=one.last or "1")
            for number in range(8):
                position = statement("position.stated", subject="force", actors=["TR"])
                said = say(server, position if number in (3, 5) else statement(subject=f"s-{number}"))
                wanted += [said["event"]["position"]] if number in (3, 5) else []
            recorded += 8
            if end == "stop":
                assert wait_until(lambda: listener.last == choosy.last == str(recorded))  # noqa: B023 - asked at once
                assert server.end() == 0
            else:
                server.kill()
            assert listener.ended.wait(20)
            assert choosy.ended.wait(20)
    with running(tmp_path, database) as server:
        listener.listen(server)
        late.listen(server)
        choosy.listen(server)
        say(server, statement())

        assert wait_until(lambda: listener.positions[-1:] == [recorded + 1] == late.positions[-1:])
        assert listener.positions == list(range(2, recorded + 2))
        assert late.positions == list(range(1, recorded + 2))
        assert wait_until(lambda: choosy.last == str(recorded + 1))
        assert choosy.positions == wanted


def test_the_service_ends_within_five_seconds_while_many_listen(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server:
        start(server)
        listeners = [Listener() for _ in range(30)]
        for listener in listeners:
            listener.listen(server)
        began = time.monotonic()

        assert server.end() == 0
        assert time.monotonic() - began < 5
        assert all(listener.ended.wait(5) for listener in listeners)
        assert "Traceback" not in server.said()


def test_two_hundred_listeners_hear_everything_and_soon(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server:
        start(server)
        listeners = [Listener() for _ in range(200)]
        for listener in listeners:
            listener.listen(server)
        sent = []
        for number in range(10):
            sent.append(time.monotonic())
            say(server, statement(subject=f"s-{number}"))
            time.sleep(0.1)

        assert wait_until(lambda: all(len(listener.heard) == 10 for listener in listeners))
        assert all(listener.positions == list(range(2, 12)) for listener in listeners)
        waited = [one["at"] - at for listener in listeners for one, at in zip(listener.heard, sent, strict=True)]
        assert statistics.median(waited) < 2


def test_what_another_process_recorded_is_heard_too(tmp_path: Path, database: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    with running(tmp_path / "one", database) as one, running(tmp_path / "other", database) as other:
        start(one)
        listener = Listener()
        listener.listen(other)
        for server in (one, other, one):
            say(server, statement())

        assert wait_until(lambda: len(listener.heard) == 3)
        assert listener.positions == [2, 3, 4]


def test_what_fails_in_the_feed_ends_its_streams_and_whoever_comes_back_hears_the_rest(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [RuntimeError("what nobody has thought of")]

    async def failing(connection: Connection, *, after: int, limit: int) -> list[Heard]:
        if after >= 3 and failures:
            raise failures.pop()
        return await read_heard(connection, after=after, limit=limit)

    async def listen() -> None:
        async with recording(database) as (pool, recorder), Feed(pool) as feed:
            await record(recorder, registration("willing"))
            streams = [feed.follow(0), feed.follow(1)]
            monkeypatch.setattr("service.feed.read_heard", failing)
            ended = asyncio.gather(*(_positions(stream) for stream in streams))
            for number in range(2):
                await record(recorder, entry(statement(subject=f"s-{number}")))
                feed.poke()
            heard = await asyncio.wait_for(ended, 20)
            await record(recorder, entry(statement(subject="later")))
            for first, before in zip((1, 2), heard, strict=True):
                stream = feed.follow(before[-1])
                async with asyncio.timeout(20), aclosing(stream):
                    while before[-1] != 4:
                        before += [one.event.position for one in (await anext(stream))[1]]
                assert before == [first - 1, *range(first, 5)]
            assert feed.listeners == 0

    asyncio.run(listen())
    assert not failures
    (told,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert told.exc_info
    assert isinstance(told.exc_info[1], RuntimeError)


async def _positions(stream: AsyncGenerator[tuple[int, Sequence[Heard]]]) -> list[int]:
    """The positions of what is heard until a stream ends, one for each event."""
    found = [(await anext(stream))[0]]
    async for _, batch in stream:
        found += [one.event.position for one in batch]
    return found


def test_nobody_takes_all_places_of_those_who_listen(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def listen() -> None:
        async with recording(database) as (pool, _), Feed(pool, most=15) as feed:
            streams = [feed.follow(client="one") for _ in range(10)]
            for stream in streams:
                await anext(stream)
            with pytest.raises(Unavailable, match="often enough"):
                await anext(feed.follow(client="one"))
            for client in ("another", None):
                streams.append(feed.follow(client=client))
                await anext(streams[-1])
            await streams.pop(0).aclose()
            streams.append(feed.follow(client="one"))
            await anext(streams[-1])
            for stream in streams:
                await stream.aclose()
            assert feed.listeners == 0

    asyncio.run(listen())
    monkeypatch.setattr("service.feed._ALWAYS", 0)
    with registry(database, reads_per_minute=100, most_streams=9) as client:
        refused = client.get("/v1/events/stream")
        assert (refused.status_code, "often enough" in refused.json()["detail"]) == (503, True)


@pytest.mark.parametrize(("most", "most_bytes"), [(5, 2**30), (2000, 12_000), (2000, 10)])
def test_the_feed_remembers_no_more_than_so_many_events_and_bytes_and_all_is_heard(
    database: str, most: int, most_bytes: int
) -> None:
    async def listen() -> None:
        async with (
            recording(database) as (pool, recorder),
            Feed(pool, remembered=most, remembered_bytes=most_bytes) as feed,
        ):
            late, early = feed.follow(1), feed.follow(0)
            await record(recorder, registration("willing"))
            assert (await anext(early))[0] == 0
            for number in range(12):
                await record(recorder, entry(statement(subject=f"s-{number}", summary="Long. " * 100)))
                feed.poke()
            for stream, first in ((early, 1), (late, 2)):
                heard = list[int]()
                async with asyncio.timeout(20), aclosing(stream):
                    while heard[-1:] != [13]:
                        heard += [one.event.position for one in (await anext(stream))[1]]
                assert heard == list(range(first, 14))
            async with asyncio.timeout(20):
                while feed._head < 13:  # a listener may have read further by itself
                    await feed._moved.wait()
            remembered = feed._recent.behind(13 - len(feed._recent._heard)) or ()
            assert len(remembered) <= most
            assert sum(one.size for one in remembered) == feed._recent._bytes <= most_bytes
            assert remembered or most_bytes == 10

    asyncio.run(listen())


FILTERED = {
    "": [1, 2, 3, 4, 5, 6],
    "&coalition=willing": [1, 3, 4, 5, 6],
    "&kind=pledge": [3, 4],
    "&kind=position.stated": [5],
    "&country=France": [4, 6],
    "&country=GB&kind=record": [6],
    "&country=LT": [],
}


def test_each_filter_lets_through_what_concerns_it(tmp_path: Path, database: str) -> None:
    with registry(database) as client:
        client.post("/v1/coalitions", json={"slug": "others", "name": "Others"})
        post(client, statement(actors=["DE"]))
        said = post(client, statement(actors=["FR"]))["event"]["event_id"]
        post(client, statement("position.stated", subject="force", actors=["TR"]))
        note(client, said, "corrections", {"changes": {"actors": ["GB"]}, "reason": "entry_error"})
    with serving(tmp_path, "--no-seeds", DATABASE_URL=database) as server:
        listeners = {query: Listener(f"?after=0{query}") for query in FILTERED}
        for listener in listeners.values():
            listener.listen(server)

        heard_all = wait_until(lambda: all(one.last == "6" for one in listeners.values()))
        assert heard_all, "also where nothing of it is wanted"
        assert {query: one.positions for query, one in listeners.items()} == FILTERED


@pytest.mark.parametrize(
    ("query", "headers", "pointer"),
    [
        ("?after=9", {}, "/query/after"),
        ("?after=-1", {}, "/query/after"),
        ("?kind=nonsense", {}, "/query/kind"),
        ("?country=nowhere", {}, "/query/country"),
        ("?since=1", {}, "/query/since"),
        ("", {"Last-Event-ID": "9"}, "/query/after"),
        ("", {"Last-Event-ID": "x"}, "/header/last-event-id"),
    ],
)
def test_what_cannot_be_listened_to_is_refused(
    refusing: TestClient, query: str, headers: dict[str, Any], pointer: str
) -> None:
    refused = refusing.get(f"/v1/events/stream{query}", headers=headers)

    assert refused.status_code in (400, 422)
    assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]


@pytest.fixture
def refusing(database: str) -> Iterator[TestClient]:
    """A registry with one event."""
    with registry(database) as client:
        yield client
