"""Imports that are cut off, by the client, the database or a kill, and how much memory they take: real processes."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.processes import PATIENCE, Server, open_folder, serving, wait_until
from tests.registry import TOKEN, Json, allow
from tests.test_imports import lines, said, size_of

REGISTRATION: Json = {"kind": "coalition.registered", "coalition": "willing", "name": "Willing"}
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/jsonl"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


def send(server: Server, body: bytes, path: str = "/v1/import") -> tuple[int, Any]:
    """What a file is answered: a status, and its JSON."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("POST", path, body, HEADERS)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def begin(server: Server, body: bytes, declared: int, **more: str) -> socket.socket:
    """Sends a file, or the beginning of one, and does not wait for an answer; ``more`` are further headers."""
    line = socket.create_connection((server.host, server.port), timeout=PATIENCE)
    head = [
        f"POST /v1/import HTTP/1.1\r\nHost: {server.host}",
        *(f"{name}: {value}" for name, value in (HEADERS | more).items()),
    ]
    line.sendall("\r\n".join([*head, f"Content-Length: {declared}", "\r\n"]).encode() + body)
    return line


def check_whole(database: str, server: Server, rows: list[Json]) -> None:
    """Sent again, a file is recorded once, whatever of it was before, and its report names the events of the log."""
    status, report = send(server, lines(rows))
    assert status == 200
    assert report["complete"]
    assert report["recorded"] + report["repeated"] == len(rows) == size_of(database)
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT position, event_id::text, body->>'summary' FROM event").fetchall()
    events = {(event_id, position): summary for position, event_id, summary in found}
    told = [events[row["event_id"], row["position"]] for row in report["results"]]
    assert told == [row.get("summary") for row in rows]


def test_a_client_that_goes_away_and_comes_back_records_each_row_once(folder: Path, database: str) -> None:
    allow(database)
    rows = [REGISTRATION, *said(3000)]
    body = lines(rows)
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        begin(server, body[: len(body) // 2], len(body)).close()
        with begin(server, body, len(body)) as line:
            assert line.recv(1000).startswith(b"HTTP/1.1 200")
        assert 250 <= size_of(database) < len(rows), "it was cut off in the middle"
        check_whole(database, server, rows)
        assert "Traceback" not in server.said()


def test_a_server_that_is_killed_in_the_middle_and_started_again_records_each_row_once(
    folder: Path, database: str
) -> None:
    allow(database)
    rows = [REGISTRATION, *said(3000)]
    body = lines(rows)
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server, begin(server, body, len(body)):
        assert wait_until(lambda: size_of(database) >= 250)
        server.kill()
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        assert wait_until(lambda: server.get("/v1/events?limit=1"))
        assert size_of(database) < len(rows), "it was killed in the middle"
        check_whole(database, server, rows)


def test_a_database_that_goes_away_ends_the_report_incomplete_and_sending_it_again_mends_it(
    folder: Path, database: str
) -> None:
    allow(database)
    rows = [REGISTRATION, *said(3000)]
    body = lines(rows)
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        with begin(server, body, len(body)) as line:
            assert line.recv(10).startswith(b"HTTP/1.1")
            told = b""
            with psycopg.connect(database, autocommit=True) as connection:
                while not told.endswith(b"\r\n0\r\n\r\n"):
                    # Once might meet no transaction: a connection that dies while it is idle is replaced.
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                    piece = line.recv(4096)
                    assert piece, "the report has an end"
                    told += piece
        assert b'"complete":false,"error":"The database' in told
        check_whole(database, server, rows)


def day_by_day(rows: list[Json]) -> list[Json]:
    """The same rows, each of another day: each of one day would be compared with all the others of that day."""
    days = (date(2000, 1, 1) + timedelta(days=number) for number in range(len(rows)))
    return [
        row | {"occurred": {"edtf": day.isoformat(), "basis": "stated"}} for row, day in zip(rows, days, strict=True)
    ]


def peak_of(server: Server) -> float:
    """The most memory that a process has held, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from Linux's /proc")
def test_a_file_of_many_times_the_rows_takes_no_more_memory(folder: Path, database: str) -> None:
    allow(database)
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        assert send(server, lines([REGISTRATION, *said(1000)]))[1]["complete"]
        small = peak_of(server)
        status, problem = send(server, lines(said(20_000, row_19000={"body": {}})))
        assert (status, problem["errors"][0]["row"]) == (422, 19_000)
        assert send(server, lines(day_by_day(said(10_000))), "/v1/import?dry_run=true")[1]["rows"] == 10_000
        checked = peak_of(server)
        report = send(server, lines(said(4000)))[1]
        assert (report["repeated"], report["recorded"]) == (1000, 3000)
        recorded = peak_of(server)

    assert checked - small < 10, f"{small:.0f} MiB, then {checked:.0f}"
    assert recorded - small < 60, (
        f"{small:.0f} MiB, then {recorded:.0f}"
    )  # what the recorder keeps of subjects is bounded
