"""The journal: a line for each request and each trouble, that names the request and holds no secret."""

import asyncio
import json
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient

from service.journal import REQUEST_ID, Journal, Level, Look, render_failure
from service.main import create_app
from tests.processes import Server, exchange, wait_until
from tests.registry import TOKEN, Json, allow, client_of, post, register, settings_for, statement
from tests.test_feed import Listener, running, say, start

SECRET = "what nobody may read"
FACTS = {"timestamp", "level", "event", "request_id", "method", "route", "status", "seconds", "bytes", "owner"}


def lines_of(text: str) -> list[Json]:
    """The lines of a journal, each an object."""
    return [json.loads(line) for line in text.splitlines()]


@dataclass
class Written:
    """A journal in a file, and what stands in it."""

    path: Path
    journal: Journal

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text("utf-8")

    @property
    def requests(self) -> list[Json]:
        """The lines about requests."""
        return [line for line in lines_of(self.text) if line["event"] == "request"]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    """A journal of JSON from info on, that takes in all lines."""
    path = tmp_path / "journal"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    journal = Journal(look=Look.JSON, level=Level.INFO, file=file)
    with journal.in_use():
        yield Written(path, journal)
    os.close(file)


@contextmanager
def telling(url: str, written: Written) -> Iterator[TestClient]:
    """A registry that writes a journal, with two routes that fail."""
    allow(url)
    app = create_app(settings_for(url), journal=written.journal)
    _let_fail(app)
    with client_of(app) as client:
        register(client, "willing")
        yield client


def _let_fail(app: FastAPI) -> None:
    @app.post("/fails")
    async def fails(said: dict[str, Any]) -> None:
        raise ValueError(said["secret"]) from psycopg.errors.UniqueViolation(said["secret"])

    @app.get("/breaks-off")
    async def breaks_off() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"one\n"
            raise KeyError(SECRET)

        return StreamingResponse(lines())


# --- requests ---------------------------------------------------------------------------------------------------------


def test_every_request_has_a_line_that_says_what_was_answered_and_not_what_was_asked(
    database: str, written: Written
) -> None:
    with telling(database, written) as client:
        answers = [
            client.get(f"/v1/coalitions/willing/timeline?q={SECRET}"),
            client.post("/v1/statements", json=statement(summary=SECRET), headers={"Idempotency-Key": SECRET}),
            client.get(f"/v1/subjects/willing/pledge/{SECRET}"),
            client.get(f"/nowhere/{SECRET}"),
            client.get("/v1/coalitions", headers={"Authorization": f"Bearer {SECRET}"}),
        ]
    told = written.requests[1:]
    assert [(one["method"], one["route"], one["status"], one["owner"]) for one in told] == [
        ("GET", "/v1/coalitions/{coalition}/timeline", 200, "tester"),
        ("POST", "/v1/statements", 201, "tester"),
        ("GET", "/v1/subjects/{coalition}/{family}/{slug}", 404, "tester"),
        ("GET", None, 404, None),
        ("GET", "/v1/coalitions", 401, None),
    ]
    assert [one["bytes"] for one in told] == [len(one.content) for one in answers]
    assert [one["request_id"] for one in told] == [one.headers["X-Request-Id"] for one in answers]
    assert len({one["request_id"] for one in told}) == len(told)
    assert all(one.keys() == FACTS and 0 < one["seconds"] < 60 for one in told)
    assert SECRET not in written.text
    assert TOKEN not in written.text


def test_an_answer_from_memory_has_its_line_and_its_own_id(database: str, written: Written) -> None:
    with telling(database, written) as client:
        del client.headers["Authorization"]
        path = "/v1/countries/GB/commitments?as_of=2025-07-31&known_position=1"
        answers = [client.get(path, headers={"X-Request-Id": name}) for name in ("one", "two", "three")]

    assert [one.headers["X-Request-Id"] for one in answers] == ["one", "two", "three"]
    assert len({one.content for one in answers}) == 1
    assert [(one["request_id"], one["route"], one["bytes"]) for one in written.requests[1:]] == [
        (name, "/v1/countries/{code}/commitments", len(answers[0].content)) for name in ("one", "two", "three")
    ]


@pytest.mark.parametrize("given", ["0af7651916cd43dd8448eb211c80319c", "a", "Root=1-67:b/c+d.e_f", "x" * 128])
def test_a_client_may_name_its_request(database: str, written: Written, given: str) -> None:
    with telling(database, written) as client:
        assert client.get("/version", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given
    assert written.requests[-1]["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", 'a"b', "é", "a\tb", TOKEN, "whsec_c2VjcmV0"])
def test_an_id_that_is_malformed_or_looks_like_a_secret_is_replaced(
    database: str, written: Written, given: str
) -> None:
    with telling(database, written) as client:
        answer = client.get("/version", headers={b"X-Request-Id": given.encode("latin-1")})
        assert answer.status_code == 200
        assert answer.headers["X-Request-Id"] not in ("", given)
    assert not given or f'"{given}"' not in written.text


def test_health_is_told_of_only_where_it_fails(database: str, written: Written) -> None:
    with telling(database, written) as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert client.get(path).status_code == 200
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0000'")
        assert client.get("/readyz").status_code == 503

    assert [(one["route"], one["level"]) for one in written.requests[1:]] == [("/readyz", "warning")]


# --- troubles ---------------------------------------------------------------------------------------------------------


def test_a_failure_is_one_line_with_its_traceback_under_the_number_that_the_client_has(
    database: str, written: Written
) -> None:
    with telling(database, written) as client:
        failed = client.post("/fails", json={"secret": SECRET})

    assert failed.status_code == 500
    assert failed.headers["Content-Type"] == "application/problem+json"
    assert failed.headers["X-Request-Id"] in failed.json()["detail"]
    (line,) = [one for one in lines_of(written.text) if one["level"] == "error"]
    assert line["request_id"] == failed.headers["X-Request-Id"]
    assert line["exception"].startswith("psycopg.errors.UniqueViolation")
    assert line["exception"].endswith("builtins.ValueError")
    assert "in fails" in line["exception"]
    assert SECRET not in written.text
    assert SECRET not in failed.text


def test_an_answer_that_breaks_off_is_told_of_under_its_id(database: str, written: Written) -> None:
    allow(database)
    app = create_app(settings_for(database), journal=written.journal)
    _let_fail(app)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        with pytest.raises(Exception, match="IncompleteRead"):
            exchange(port, "GET", "/breaks-off", headers={"X-Request-Id": "broken"})
    finally:
        server.should_exit = True
        thread.join()

    told = [line for line in lines_of(written.text) if line.get("request_id") == "broken"]
    assert sorted(line["event"] for line in told) == ["Exception in ASGI application", "request"]
    assert "builtins.KeyError" in written.text
    assert SECRET not in written.text


def test_what_an_exception_says_is_told_only_where_it_cannot_repeat_what_was_sent(database: str) -> None:
    for error, said in (
        (ValueError(SECRET), "builtins.ValueError"),
        (ConnectionRefusedError(111, "Connection refused"), "builtins.ConnectionRefusedError: [Errno 111]"),
        (psycopg.OperationalError("the server is gone"), "psycopg.OperationalError: the server is gone"),
    ):
        assert render_failure(error).startswith(said)
        assert SECRET not in render_failure(error)
    with psycopg.connect(database) as connection, pytest.raises(psycopg.Error) as failed:
        connection.execute("INSERT INTO idempotency SELECT %s, 'k', '', 1, '' FROM generate_series(1, 2)", (SECRET,))
    assert SECRET in str(failed.value)
    assert render_failure(failed.value).endswith("UniqueViolation: 23505 idempotency pk_idempotency")


def test_lines_of_libraries_have_the_same_shape_and_the_id_of_their_request(written: Written) -> None:
    async def work() -> None:
        REQUEST_ID.set("mine")
        logging.getLogger("psycopg.pool").warning("error connecting in %r", "pool-1")
        logging.getLogger("httpx2").info("HTTP Request: GET https://example.org/?%s", SECRET)
        task = asyncio.create_task(_fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(work())
    warned, lost = lines_of(written.text)
    assert (warned["event"], warned["request_id"]) == ("error connecting in 'pool-1'", "mine")
    assert (lost["logger"], lost["event"]) == ("asyncio", "Task exception was never retrieved")
    assert SECRET not in written.text


async def _fail() -> None:
    raise ValueError(SECRET)


# --- where it goes ----------------------------------------------------------------------------------------------------


def test_a_terminal_shows_text_and_only_what_went_wrong() -> None:
    master, terminal = os.openpty()
    with Journal(look=Look.AUTO, level=Level.AUTO, file=terminal).in_use():
        logging.getLogger("service.x").info("a request")
        logging.getLogger("service.x").warning("the database is away")
    shown = os.read(master, 10_000).decode()
    os.close(terminal)
    os.close(master)

    assert "the database is away" in shown
    assert "a request" not in shown
    assert not shown.lstrip().startswith("{")


@pytest.mark.parametrize(
    ("look", "level", "expected"),
    [
        (Look.AUTO, Level.AUTO, ["info", "warning", "error"]),
        (Look.JSON, Level.WARNING, ["warning", "error"]),
        (Look.JSON, Level.DEBUG, ["debug", "info", "warning", "error"]),
        (Look.JSON, Level.ERROR, ["error"]),
    ],
)
def test_the_level_says_which_lines_are_written(tmp_path: Path, look: Look, level: Level, expected: list[str]) -> None:
    file = os.open(tmp_path / "journal", os.O_WRONLY | os.O_CREAT)
    with Journal(look=look, level=level, file=file).in_use():
        for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("service.x").log(number, "said")
    os.close(file)

    assert [one["level"] for one in lines_of((tmp_path / "journal").read_text())] == expected


def test_nothing_fails_where_nobody_reads_the_journal_any_more(database: str, written: Written) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    written.journal = Journal(look=Look.JSON, level=Level.INFO, file=writer)
    with telling(database, written) as client:
        post(client, statement())
    os.close(writer)


def test_a_long_line_is_written_whole(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.extend(iter(lambda: os.read(reader, 4096), b"")))
    thread.start()
    Journal(look=Look.JSON, level=Level.INFO, file=writer).tell(logging.ERROR, "x" * 1_000_000)
    os.close(writer)
    thread.join()
    os.close(reader)

    (line,) = lines_of(b"".join(found).decode())
    assert len(line["event"]) == 1_000_000


def test_a_server_says_everything_in_lines_of_json_from_its_start_to_its_end(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server:
        start(server)
        listener = Listener()
        listener.listen(server)
        _throw_out(database)
        assert wait_until(lambda: "the feed waits" in server.said())
        assert wait_until(lambda: _writes(server))
        assert exchange(server.port, "BAD:", "/v1/coalitions").status == 400
        assert server.end() == 0

    told = lines_of(server.said())
    assert {"request", "stopping on signal 15"} <= {line["event"] for line in told}
    assert all(line["timestamp"].endswith("Z") for line in told)
    assert any("exception" in line for line in told)
    streamed = next(line for line in told if line.get("route") == "/v1/events/stream")
    assert streamed["seconds"] > 0.1
    assert TOKEN not in server.said()


def _writes(server: Server) -> bool:
    try:
        say(server, statement())
    except AssertionError:
        return False
    return True


def _throw_out(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    time.sleep(0.3)
