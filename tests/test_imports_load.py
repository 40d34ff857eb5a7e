"""What imports leave to others: memory, the disk, places, and the time in which others are answered."""

import http.client
import json
import resource
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from service.load.checking import PART, in_parts
from tests.processes import PATIENCE, Server, open_folder, serving
from tests.registry import Json, allow, registry, statement
from tests.test_imports import JSONL, lines, report_of, said, send, size_of
from tests.test_imports_cut import HEADERS, REGISTRATION, begin, peak_of
from tests.test_imports_cut import send as send_to

ON_LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="it is read from, or set by, Linux alone")
MIB = 2**20


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


# --- memory -----------------------------------------------------------------------------------------------------------


def test_a_part_ends_after_so_many_rows_or_so_many_bytes() -> None:
    assert [len(part) for part in in_parts(range(600), lambda _: 10)] == [PART, PART, 100]
    assert [len(part) for part in in_parts(range(10), lambda _: 100_000)] == [3, 3, 3, 1]
    assert [len(part) for part in in_parts(range(2), lambda _: 5 * MIB)] == [1, 1]
    assert list(in_parts((), lambda _: 1)) == []


def told(count: int, *, size: int, actor: str = "GB") -> list[Json]:
    """So many statements about twenty subjects, day after day, each of some bytes."""
    return [
        statement(
            subject=f"subject-{number % 20}",
            actors=[actor],
            summary=f"Row {number} " + "x" * (size // 2 - 250),
            quote="y" * (size // 2 - 250),
            occurred={"edtf": (date(1990, 1, 1) + timedelta(days=number)).isoformat(), "basis": "stated"},
        )
        for number in range(count)
    ]  # fmt: skip


@ON_LINUX
def test_ten_times_the_rows_take_no_more_memory(folder: Path, database: str) -> None:
    allow(database)
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        few, many = lines(told(500, size=8000)), lines(told(5000, size=8000))
        for body in (lines([REGISTRATION]), few):
            assert send_to(server, body)[1]["complete"]
        assert send_to(server, lines(told(500, size=8000, actor="FR")), "/v1/import?dry_run=true")[1]["rows"] == 500
        before = peak_of(server)
        assert send_to(server, lines(told(5000, size=8000, actor="FR")), "/v1/import?dry_run=true")[1]["rows"] == 5000
        tried = peak_of(server)
        assert send_to(server, many)[1]["recorded"] == 4500
        recorded = peak_of(server)

    kept = len(many) / MIB  # as they stand in the file; in memory each would be several times as large
    assert tried - before < kept / 2, f"{before:.0f} MiB, then {tried:.0f}, for {kept:.0f} MiB of rows"
    assert recorded - before < kept, f"{before:.0f} MiB, then {recorded:.0f}, for {kept:.0f} MiB of rows"


@ON_LINUX
def test_large_rows_that_are_recorded_are_let_go_of(folder: Path, database: str) -> None:
    def drafts(actor: str, count: int) -> list[Json]:
        terms = [{"topic": f"term-{number}", "text": "x" * 3990} for number in range(100)]
        body = {"title": "A long draft", "terms": terms}
        said = statement("ceasefire.proposed", actors=[actor], body=body)
        return [{**said, "subject": f"draft-{number % 20}", "summary": f"{number}"} for number in range(count)]

    allow(database)
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        assert send_to(server, lines([REGISTRATION, *said(500)]))[1]["complete"]
        assert send_to(server, lines(drafts("FR", 20)))[1]["recorded"] == 20
        before = peak_of(server)
        rows = lines(drafts("GB", 150))
        assert send_to(server, rows)[1]["recorded"] == 150
        kept = peak_of(server) - before
    assert kept < 160, f"{kept:.0f} MiB more for {len(rows) / MIB:.0f} MiB of rows, of which each makes two states"


@ON_LINUX
def test_rows_of_a_mebibyte_take_no_more_memory_than_short_ones(folder: Path, database: str) -> None:
    allow(database)
    bad = [statement(summary=f"Row {number}.", more="x" * (MIB - 1000)) for number in range(40)]
    named = [statement(summary=f"Row {number}.") | {"x" * (MIB - 1000): 1} for number in range(40)]
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        assert send_to(server, lines([REGISTRATION, *said(500)]))[1]["complete"]
        before = peak_of(server)
        for rows in (bad, named):
            report = send_to(server, lines(rows), "/v1/import?on_error=skip")[1]
            assert (report["rows"], report["refused"]) == (40, 40)
            assert len(json.dumps(report)) < 40_000, "what was sent is not repeated"
        assert peak_of(server) - before < 15, f"{before:.0f} MiB, then {peak_of(server):.0f}"


# --- time -------------------------------------------------------------------------------------------------------------


def test_others_are_answered_soon_while_a_large_file_is_imported(folder: Path, database: str) -> None:
    allow(database)
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        assert send_to(server, lines([REGISTRATION]))[1]["complete"]
        body = lines(told(4000, size=1500))
        importing = threading.Thread(target=send_to, args=(server, body))
        importing.start()
        waits: dict[str, list[float]] = {"/healthz": [], "/v1/countries/GB/commitments": []}
        line = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
        while importing.is_alive():
            for path, waited in waits.items():
                began = time.perf_counter()
                line.request("GET", path)
                assert line.getresponse().read()
                waited.append(time.perf_counter() - began)
            time.sleep(0.005)
        line.close()
        importing.join()

    for path, waited in waits.items():
        assert len(waited) > 10, f"{path} was asked only {len(waited)} times"
        assert statistics.median(waited) < 0.25, f"{path}: {statistics.median(waited):.3f} s"
        assert max(waited) < 2, f"{path}: {max(waited):.3f} s"


# --- places -----------------------------------------------------------------------------------------------------------


def test_only_so_many_files_are_imported_at_once_and_the_next_is_refused_unread(folder: Path, database: str) -> None:
    allow(database)
    body = lines([REGISTRATION, *said(20)])
    with serving(folder, "--no-seeds", DATABASE_URL=database, IMPORTS_AT_ONCE="1") as server:
        with begin(server, b"", len(body), Expect="100-continue") as slow:
            assert slow.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"  # it has its place
            line = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
            line.request("POST", "/v1/import", headers={**HEADERS, "Content-Length": str(len(body))})  # and no byte
            refused = line.getresponse()
            problem = json.loads(refused.read())
            line.close()
            slow.sendall(body)
            answer = http.client.HTTPResponse(slow)
            answer.begin()
            assert (answer.status, json.loads(answer.read())["complete"]) == (200, True)
        status, again = send_to(server, body)

    assert (refused.status, problem["type"]) == (503, "/problems/service-unavailable")
    assert int(refused.headers["Retry-After"]) >= 1
    assert "nothing was read" in problem["detail"]
    assert (status, again["repeated"]) == (200, 21)


def test_every_import_gives_its_place_back(database: str) -> None:
    with registry(database, imports_at_once=1, largest_import=100_000) as client:
        for body, query, status in (
            (b"{", "", 422), (b"", "?on_error=perhaps", 400), (b"x" * 200_000, "", 413), (lines(said(3)), "", 200),
            (lines(said(3)), "?dry_run=true", 200),
        ):  # fmt: skip
            assert send(client, body, query).status_code == status
        assert client.post("/v1/import", content=b"", headers={**JSONL, "Accept": "image/png"}).status_code == 406
        assert report_of(client, lines(said(4)))["recorded"] == 1


def test_a_client_that_goes_away_gives_its_place_back(folder: Path, database: str) -> None:
    allow(database)
    rows = [REGISTRATION, *said(2000)]
    body = lines(rows)
    with serving(folder, "--no-seeds", DATABASE_URL=database, IMPORTS_AT_ONCE="1") as server:
        begin(server, body[:1000], len(body)).close()
        with begin(server, body, len(body)) as line:
            line.recv(1000)
        deadline = time.monotonic() + PATIENCE
        while (answer := send_to(server, body))[0] == 503:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (answer[0], answer[1]["complete"]) == (200, True)


# --- the disk ---------------------------------------------------------------------------------------------------------


def bound_files(server: Server, size: int) -> None:
    """No file of the server may become larger: for the process that is a disk without room."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@ON_LINUX
@pytest.mark.parametrize(
    ("rows", "room"),
    [(said(2000), 300_000), (said(1500), 520_000)],
    ids=["while the file is received", "while its rows are kept"],
)
def test_a_file_for_which_the_disk_has_no_room_is_refused_and_nothing_is_recorded(
    folder: Path, database: str, rows: list[Json], room: int
) -> None:
    allow(database)
    body = lines(rows)
    with serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        assert send_to(server, lines([REGISTRATION]))[1]["complete"]
        bound_files(server, room)
        status, problem = send_to(server, body)
        bound_files(server, resource.RLIM_INFINITY)
        assert size_of(database) == 1
        assert (status, problem["type"]) == (507, "/problems/insufficient-storage")
        assert "no room on the disk" in problem["detail"]
        assert send_to(server, body)[1]["recorded"] == len(rows)
        assert "Traceback" not in server.said()
