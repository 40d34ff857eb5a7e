"""Every request is bounded in time, whatever its client or the database does; what is only slow is still answered."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.settings import Settings
from service.web.malformed import LARGEST_HEAD, MOST_WAITING
from tests.conftest import fresh_database
from tests.processes import PATIENCE, Reply, Server, exchange, serving, wait_until
from tests.registry import TOKEN, allow, statement
from tests.test_feed import say, start
from tests.test_imports import lines, said
from tests.test_stopping import fill, not_reading

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
HEAD = "Host: registry\r\n" + "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
SLACK = 3.0  # seconds that a busy machine may be late


@pytest.fixture(scope="module")
def url(server_url: str, template: str) -> Iterator[str]:
    """The database of the tests that share a server; what they slow down they set free again."""
    with fresh_database(server_url, template) as url:
        yield url


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a coalition, and with bounds that a test can wait for."""
    allow(url)
    bounds = {
        "HEAD_SECONDS": "1", "STALL_SECONDS": "1", "READ_SECONDS": "2", "WRITE_SECONDS": "2", "REQUEST_SECONDS": "3",
        "MOST_STREAMS": "2",
    }  # fmt: skip
    with serving(tmp_path_factory.mktemp("server"), "--no-seeds", DATABASE_URL=url, **bounds) as server:
        start(server)
        yield server


def connect(server: Server, sent: bytes) -> socket.socket:
    """A connection on which something was sent."""
    line = socket.create_connection((server.host, server.port), timeout=PATIENCE)
    line.sendall(sent)
    return line


def ending(line: socket.socket, began: float) -> tuple[bytes, float]:
    """What comes on a connection until its end, and how long after a moment that was."""
    found = b""
    try:
        while piece := line.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    finally:
        line.close()
    return found, time.monotonic() - began


def drip(line: socket.socket, sent: bytes, pause: float) -> None:
    """Sends byte by byte, until the other end will have no more."""
    try:
        for one in sent:
            line.sendall(bytes([one]))
            time.sleep(pause)
    except OSError:
        pass


def check_timeout(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 "), answer
    assert b"connection: close" in head.lower()
    assert b"x-request-id: " in head.lower()
    assert json.loads(body)["type"] == "/problems/request-timeout"


@pytest.mark.parametrize("dripping", [False, True])
@pytest.mark.parametrize("kept_alive", [False, True])
def test_half_a_head_is_refused_in_time_however_it_is_sent(server: Server, dripping: bool, kept_alive: bool) -> None:
    line = connect(server, b"GET /healthz HTTP/1.1\r\nHost: registry\r\n\r\n" if kept_alive else b"")
    if kept_alive:
        healthy = http.client.HTTPResponse(line)
        healthy.begin()
        assert healthy.read() == b"ok\n"
    began = time.monotonic()
    line.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: ")
    if dripping:
        threading.Thread(target=drip, args=(line, b"a" * 1000, 0.1)).start()
    answer, seconds = ending(line, began)
    check_timeout(answer)
    assert seconds < 1 + SLACK


@pytest.mark.parametrize(
    "begin", [b"GET /", b"GET /healthz HTTP/1.1\r\nX-Long: ", b"GET /healthz HTTP/1.1\r\nX: a\r\nY: "]
)
def test_a_head_without_end_is_refused_before_it_fills_the_memory(server: Server, begin: bytes) -> None:
    line = connect(server, begin + b"a" * LARGEST_HEAD)
    answer, _ = ending(line, time.monotonic())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 "), answer
    assert b"connection: close" in head.lower()
    assert json.loads(body)["type"] == "/problems/request-header-fields-too-large"


def test_a_large_head_is_taken_and_does_not_count_for_the_next(server: Server) -> None:
    large = b"GET /healthz HTTP/1.1\r\nHost: registry\r\nX-Long: " + b"a" * (LARGEST_HEAD - 100) + b"\r\n\r\n"
    with connect(server, b"") as line:
        for _ in range(3):
            line.sendall(large)
            answer = http.client.HTTPResponse(line)
            answer.begin()
            assert answer.read() == b"ok\n"


def test_so_many_requests_may_wait_on_a_connection_and_one_with_more_is_cut_off(server: Server) -> None:
    healthy = b"GET /healthz HTTP/1.1\r\nHost: registry\r\n\r\n"
    last = healthy.replace(b"Host", b"Connection: close\r\nHost")
    answer, _ = ending(connect(server, healthy * MOST_WAITING + last), time.monotonic())
    assert answer.count(b"HTTP/1.1 200 ") == MOST_WAITING + 1
    answer, _ = ending(connect(server, healthy * 2 * MOST_WAITING + last), time.monotonic())
    assert answer.count(b"HTTP/1.1 200 ") < MOST_WAITING


def test_what_comes_behind_a_body_is_no_header_of_it_and_has_an_end(server: Server) -> None:
    head = f"POST /v1/statements HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
    with connect(server, head + b"1\r\n{\r\n0\r\nX-Request-Id: behind\r\n\r\n") as line:
        answer = http.client.HTTPResponse(line)
        answer.begin()
    assert answer.status == 422
    assert answer.headers["X-Request-Id"] != "behind"
    line = connect(server, head + b"1\r\n{\r\n0\r\n")
    time.sleep(0.1)
    line.sendall(b"X-Long: " + b"a" * LARGEST_HEAD)
    assert ending(line, time.monotonic())[0] == b"", "cut off, not waited for"


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"\r\n\r\n"])
def test_a_connection_on_which_nothing_is_asked_is_closed(server: Server, sent: bytes) -> None:
    began = time.monotonic()
    line = connect(server, sent)
    if sent:
        threading.Thread(target=drip, args=(line, sent * 100, 0.3)).start()
    answer, seconds = ending(line, began)
    assert answer == b""
    assert seconds < 1 + SLACK


@pytest.mark.parametrize("path", ["/v1/statements", "/v1/import"])
def test_half_a_body_is_refused_in_time(server: Server, path: str) -> None:
    began = time.monotonic()
    head = HEAD.replace("application/json", "application/jsonl") if path == "/v1/import" else HEAD
    line = connect(server, f"POST {path} HTTP/1.1\r\n{head}Content-Length: 99\r\n\r\n{{".encode())
    answer, seconds = ending(line, began)
    check_timeout(answer)
    assert seconds < 1 + SLACK


def test_a_body_that_drips_is_refused_when_a_request_has_had_its_time(server: Server, url: str) -> None:
    began = time.monotonic()
    line = connect(server, f"POST /v1/statements HTTP/1.1\r\n{HEAD}Content-Length: 999\r\n\r\n".encode())
    threading.Thread(target=drip, args=(line, b"{" * 999, 0.1)).start()
    answer, seconds = ending(line, began)
    check_timeout(answer)
    assert 3 <= seconds < 3 + SLACK


def test_a_body_that_nobody_wants_may_not_drip_on_for_ever(server: Server, url: str) -> None:
    began = time.monotonic()
    line = connect(server, b"POST /v1/statements HTTP/1.1\r\nHost: registry\r\nContent-Length: 999\r\n\r\n")
    threading.Thread(target=drip, args=(line, b"{" * 999, 0.1)).start()
    answer, seconds = ending(line, began)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert seconds < 1 + SLACK


def test_an_import_takes_as_long_as_its_line_is_slow(server: Server, url: str) -> None:
    rows = lines(said(8))
    head = HEAD.replace("application/json", "application/jsonl")
    began = time.monotonic()
    line = connect(server, f"POST /v1/import HTTP/1.1\r\n{head}Content-Length: {len(rows)}\r\n\r\n".encode())
    for first in range(0, len(rows), len(rows) // 8):
        line.sendall(rows[first : first + len(rows) // 8])
        time.sleep(0.5)
    answer = http.client.HTTPResponse(line)
    answer.begin()
    assert answer.status == 200
    assert json.loads(answer.read())["recorded"] == 8
    assert time.monotonic() - began > 4
    line.close()


def test_a_client_that_takes_nothing_of_an_answer_is_cut_off_and_one_that_is_slow_has_all(
    server: Server, url: str
) -> None:
    fill(server, 2000)
    with not_reading(server, "/v1/events.jsonl") as idle, not_reading(server, "/v1/events.jsonl") as slow:
        found, last = b"", time.monotonic()
        while not found.endswith(b"\r\n0\r\n\r\n"):
            piece = slow.recv(2**18)
            assert piece, "it was cut off"
            found += piece
            if time.monotonic() - last < 4:
                time.sleep(0.3)
        told, _ = ending(idle, last)
        assert not told.endswith(b"\r\n0\r\n\r\n")
    assert found.count(b'"specversion"') == size_of(url)


# --- the database is slow ---------------------------------------------------------------------------------------------


@contextmanager
def slowly_read(url: str, table: str, seconds: float) -> Iterator[None]:
    """Lets whoever reads a table wait for each of its rows; what is only put into it waits for nothing."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION waited(seconds float) RETURNS boolean LANGUAGE plpgsql VOLATILE AS "
            "$$ BEGIN PERFORM pg_sleep(seconds); RETURN true; END $$"
        )
        connection.execute(f"CREATE POLICY slowly ON {table} FOR SELECT TO registry_writer USING (waited({seconds}))")
        connection.execute(f"CREATE POLICY added ON {table} FOR INSERT TO registry_writer WITH CHECK (true)")
        connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        try:
            yield
        finally:
            connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            connection.execute(f"DROP POLICY slowly ON {table}")
            connection.execute(f"DROP POLICY added ON {table}")


def timed(server: Server, method: str, path: str, body: Any = None) -> tuple[Reply, float]:
    """An answer, and how many seconds it took."""
    began = time.monotonic()
    reply = exchange(server.port, method, path, None if body is None else json.dumps(body).encode(), HEADERS)
    return reply, time.monotonic() - began


def check_unavailable(reply: Reply, *words: str) -> None:
    assert reply.status == 503, reply.body
    assert int(reply.headers["Retry-After"]) >= 1
    assert reply.content["type"] == "/problems/service-unavailable"
    for word in words:
        assert word in reply.content["detail"]


def size_of(url: str) -> int:
    with psycopg.connect(url) as connection:
        (size,) = connection.execute("SELECT size FROM log_head").fetchone() or (0,)
    return int(size)


def test_a_query_that_takes_too_long_is_given_up_and_the_answer_says_what_to_narrow(server: Server, url: str) -> None:
    with slowly_read(url, "event", 30):
        reply, seconds = timed(server, "GET", "/v1/events?limit=1")
        check_unavailable(reply, "more than 2 seconds", "`limit`", "`from`")
        assert 2 <= seconds < 2 + SLACK
        assert reading(url) == 0  # nothing goes on for it either
    assert timed(server, "GET", "/v1/events?limit=1")[0].status == 200


def test_an_answer_that_takes_many_queries_has_a_bound_for_all_of_them(server: Server, url: str) -> None:
    with slowly_read(url, "build", 1.7), slowly_read(url, "log_head", 1.7):
        reply, seconds = timed(server, "GET", "/readyz")
        check_unavailable(reply, "no answer within 3 seconds", "Ask for less")
        assert 3 <= seconds < 3 + SLACK


def test_what_is_slow_within_its_bounds_is_answered(server: Server, url: str) -> None:
    with slowly_read(url, "event", 1):
        reply, seconds = timed(server, "GET", "/v1/events?limit=1")
        assert reply.status == 200
        assert len(reply.content["items"]) == 1
        assert seconds >= 1


def test_a_table_that_somebody_locks_keeps_readers_and_writers_for_a_moment_only(server: Server, url: str) -> None:
    size = size_of(url)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        for reply, seconds in (
            timed(server, "GET", "/v1/events"),
            timed(server, "POST", "/v1/statements", statement()),
        ):
            check_unavailable(reply)
            assert seconds < 2.5 + SLACK
        other.rollback()
    assert timed(server, "GET", "/v1/events?limit=1")[0].status == 200
    assert say(server, statement())["event"]["position"] == size + 1


def test_a_write_that_takes_the_database_too_long_is_given_up_and_nothing_of_it_is_recorded(
    server: Server, url: str
) -> None:
    size = size_of(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION wait_long() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$"
        )
        connection.execute("CREATE TRIGGER slow AFTER INSERT ON event EXECUTE FUNCTION wait_long()")
        try:
            reply, seconds = timed(server, "POST", "/v1/statements", statement())
        finally:
            connection.execute("DROP TRIGGER slow ON event")
    check_unavailable(reply, "nothing was recorded")
    assert 2 <= seconds < 2 + SLACK
    assert size_of(url) == size
    assert say(server, statement())["event"]["position"] == size + 1


def test_however_many_read_no_write_waits_for_them(tmp_path: Path, database: str) -> None:
    allow(database)
    with serving(tmp_path, "--no-seeds", DATABASE_URL=database) as server, ThreadPoolExecutor(40) as readers:
        start(server)
        with slowly_read(database, "event", 4):
            reads = [readers.submit(timed, server, "GET", "/v1/events?limit=1") for _ in range(40)]
            assert wait_until(lambda: reading(database) == POOL_SIZE, 20)  # all that there are for them
            for number in range(5):
                reply, seconds = timed(server, "POST", "/v1/statements", statement(subject=f"s-{number}"))
                assert reply.status == 201, reply.body
                assert seconds < 2
            assert exchange(server.port, "GET", "/readyz").status == 200
            assert reading(database) == POOL_SIZE
            assert connections(database) <= POOL_SIZE + WRITE_POOL_SIZE
            for read in reads:
                reply, seconds = read.result()
                assert reply.status in (200, 503)
                assert seconds < 20 + SLACK  # ten for a connection, and ten for the query


POOL_SIZE, WRITE_POOL_SIZE = (Settings.model_fields[name].default for name in ("pool_size", "write_pool_size"))


def reading(url: str) -> int:
    """How many connections wait for a slow read."""
    return _activity(url, "wait_event = 'PgSleep'")


def connections(url: str) -> int:
    """How many connections the server has: all but the two of this test."""
    return _activity(url, "backend_type = 'client backend'") - 2


def _activity(url: str, which: str) -> int:
    with psycopg.connect(url) as connection:
        sql = f"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {which}"
        (found,) = connection.execute(sql.encode()).fetchone() or (0,)
    return int(found)


def test_so_many_may_listen_and_no_more_and_a_place_that_is_left_is_taken(server: Server) -> None:
    def streams(count: int) -> bool:
        return b"registry_open_streams %d.0" % count in exchange(server.port, "GET", "/metrics").body

    stream = b"GET /v1/events/stream HTTP/1.1\r\nHost: registry\r\n\r\n"
    assert wait_until(lambda: streams(0))
    with connect(server, stream) as first, connect(server, stream) as second:
        assert first.recv(100).startswith(b"HTTP/1.1 200 ")
        assert second.recv(100).startswith(b"HTTP/1.1 200 ")
        assert streams(2)
        check_unavailable(exchange(server.port, "GET", "/v1/events/stream"), "/v1/events")
        second.close()
        assert wait_until(lambda: streams(1))
        with connect(server, stream) as third:
            assert third.recv(100).startswith(b"HTTP/1.1 200 ")
