"""The command line, as a user meets it: real processes, on a private PostgreSQL or on a database of the tests' server.

What needs no process of its own, because another test has shown the command in one, is called in this process.
"""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from service import cli
from service.cli import ground
from service.load.checking import PART
from service.migrate import present_revision
from tests.processes import (
    PATIENCE,
    ROOT,
    begin,
    command,
    environment,
    open_folder,
    servers_below,
    serving,
    wait_until,
)
from tests.registry import TOKEN, Json, allow, note, post, registry, statement
from tests.torture import COALITION, Target, Writers, judge

REGISTRATION: Json = {"kind": "coalition.registered", "coalition": COALITION, "name": "Willing"}
SEEDS = len(list((ROOT / "seeds").glob("*.yaml")))


class Said(NamedTuple):
    """What a command that was called in this process said, and its exit code."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]


@pytest.fixture
def call(database: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs a command on the database without starting a process."""
    monkeypatch.setenv("DATABASE_URL", database)

    def run(*arguments: str | Path, url: str = database) -> Said:
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setattr(sys, "argv", ["pledge-registry", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Said(code, *capfd.readouterr())

    return run


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


def ask(url: str, sql: str) -> Any:
    """The one value that a query gives."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
    return row and row[0]


def size_of(url: str) -> int:
    """How long the log is."""
    size: int = ask(url, "SELECT size FROM log_head")
    return size


def some_history(url: str) -> list[Json]:
    """A few events of several kinds, the fourth a correction of the second; answers how they are listed."""
    with registry(url) as client:
        first = post(client, statement(actors=["FR", "GB"]))["event"]["event_id"]
        post(client, statement(summary="Another.", occurred={"edtf": "2025-06-01", "basis": "stated"}))
        note(client, first, "corrections", {"changes": {"actors": ["PL"]}, "reason": "entry_error"})
        positions: Any = [  # enough of them for a stored node of the tree
            statement("position.stated", subject="multinational-force", summary=f"Position {number}.", actors=[actor])
            for number, actor in enumerate(["FR", "GB", "PL", "DE", "EE", "LT"] * 50)
        ]
        post(client, positions, "/v1/statements/batch")
        listed: list[Json] = client.get("/v1/events?limit=500").json()["items"]
    return listed


# --- token, migrate, seed ---------------------------------------------------------------------------------------------


def test_a_new_token_stands_alone_on_standard_output_and_opens_the_door(database: str) -> None:
    made = command("token", "new", "--role", "admin", "--owner", "somebody", DATABASE_URL=database)
    assert (made.returncode, made.stderr) == (0, "")
    assert re.fullmatch(r"pr_[\w-]{40,}\n", made.stdout)
    assert ask(database, "SELECT role || ' ' || owner FROM token") == "admin somebody"
    with registry(database, coalition=None) as client:
        client.headers["Authorization"] = f"Bearer {made.stdout.strip()}"
        posted = client.post("/v1/coalitions", json={"slug": "another", "name": "Another"})
    assert posted.status_code == 201


def test_a_token_may_expire_and_knows_no_other_roles(database: str, call: Call) -> None:
    assert call("token", "new", "--role", "reader", "--days", "1").code == 0
    assert ask(database, "SELECT expires_at - created_at < interval '25 hours' FROM token")
    refused = call("token", "new", "--role", "emperor")
    assert refused.code == 2
    assert "editor" in refused.err


def test_migrating_says_the_revision_and_a_second_time_changes_nothing(empty_database: str, call: Call) -> None:
    first = command("migrate", DATABASE_URL=empty_database)
    assert (first.returncode, first.stdout) == (0, f"{present_revision()}\n")
    assert call("migrate", url=empty_database) == (0, first.stdout, "")


def test_seeding_twice_adds_nothing(database: str, call: Call) -> None:
    first = command("seed", DATABASE_URL=database)
    assert (first.returncode, first.stderr) == (0, "")
    assert int(first.stdout) == size_of(database) > 100
    assert call("seed") == (0, "0\n", "")
    assert int(first.stdout) == size_of(database)
    assert call("verify").out == "ok\n"


def test_a_seed_that_was_changed_after_it_was_recorded_is_refused_by_its_name(
    database: str, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    monkeypatch.setattr(ground, "SEEDS", tmp_path / "seeds")
    assert call("seed").code == 0
    before = size_of(database)
    changed = tmp_path / "seeds" / "article-001.yaml"
    text = changed.read_text("utf-8")
    changed.write_text(re.sub(r"summary: (\w)", r"summary: Changed \1", text, count=1), "utf-8")
    assert changed.read_text("utf-8") != text
    refused = call("seed")
    assert refused.code == 1
    assert "article-001:" in refused.err
    assert "Traceback" not in refused.err
    assert size_of(database) == before


# --- import -----------------------------------------------------------------------------------------------------------


def lines(count: int, **changes: Json) -> list[Json]:
    """A registration and so many statements; ``changes`` replace fields of single lines, by `line_N`."""
    made = [REGISTRATION, *map(_line, range(count))]
    return [{**one, **changes.get(f"line_{number}", {})} for number, one in enumerate(made, start=1)]


def _line(number: int) -> Json:
    day = f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}"
    occurred = {"edtf": day, "basis": "stated"}
    return statement(summary=f"Line {number}.", subject=f"subject-{number % 100}", occurred=occurred)


def write(path: Path, contents: Sequence[Json]) -> Path:
    """A JSON Lines file."""
    path.write_text("".join(json.dumps(one) + "\n" for one in contents), "utf-8")
    return path


def summaries(url: str) -> list[str]:
    """What the statements of the log say, in order."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT body->>'summary' FROM event WHERE position > 1 ORDER BY position").fetchall()
    return [summary for (summary,) in rows]


def test_a_file_is_imported_in_order_and_the_same_file_again_adds_nothing(
    database: str, call: Call, tmp_path: Path
) -> None:
    file = write(tmp_path / "file.jsonl", lines(1200))
    done = command("import", file, DATABASE_URL=database)
    assert (done.returncode, done.stdout) == (0, "1201\n")
    assert summaries(database) == [f"Line {number}." for number in range(1200)]
    again = call("import", file)
    assert (again.code, again.out, again.err) == (0, "0\n", "recorded before: 1,201 rows\n")
    assert size_of(database) == 1201


def test_a_fault_is_named_by_row_and_pointer_and_nothing_is_recorded(database: str, call: Call, tmp_path: Path) -> None:
    file = write(tmp_path / "file.jsonl", lines(600, line_503={"body": {"firmness": "announced"}}))
    refused = command("import", file, DATABASE_URL=database)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Of 601 rows 1 row is not valid, and nothing is recorded.\n" in refused.stderr
    assert "row 503, /body/category" in refused.stderr
    assert size_of(database) == 0


def test_skipping_records_all_other_rows_and_names_the_one(database: str, call: Call, tmp_path: Path) -> None:
    file = write(tmp_path / "file.jsonl", lines(600, line_503={"body": {"firmness": "announced"}}))
    report = tmp_path / "report.jsonl"
    done = call("import", file, "--on-error", "skip", "--report", report)
    assert (done.code, done.out) == (0, "600\n")
    assert "row 503, /body/category" in done.err
    assert "refused: 1 of 601 rows, for 1 fault\n" in done.err
    told = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    assert [one["row"] for one in told] == list(range(1, 602))
    assert {one["row"]: one["status"] for one in told if one["status"] != "recorded"} == {503: "refused"}
    assert summaries(database) == [f"Line {number}." for number in range(600) if number != 501]


def test_a_mended_file_records_what_was_mended_and_nothing_twice(database: str, call: Call, tmp_path: Path) -> None:
    file = write(tmp_path / "file.jsonl", lines(600, line_503={"body": {}}))
    assert call("import", file, "--on-error", "skip").code == 0
    mended = call("import", write(file, lines(600)))
    assert (mended.code, mended.out) == (0, "1\n")
    assert mended.err == "recorded before: 600 rows\n"
    assert sorted(summaries(database)) == sorted(f"Line {number}." for number in range(600))


def test_a_file_that_grew_records_what_was_added_and_nothing_twice(database: str, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "file.jsonl"
    for count, added in ((3, 4), (260, 257), (700, 440)):
        assert call("import", write(file, lines(count))).out == f"{added}\n"
    assert summaries(database) == [f"Line {number}." for number in range(700)]


def test_rows_that_read_alike_are_as_many_as_they_are_however_often_they_are_sent(
    database: str, call: Call, tmp_path: Path
) -> None:
    file = write(tmp_path / "file.jsonl", [*lines(1), _line(0), _line(1), _line(0)])
    for added in (5, 0):
        assert call("import", file).out == f"{added}\n"
    assert summaries(database) == ["Line 0.", "Line 0.", "Line 1.", "Line 0."]


def test_a_dry_run_records_nothing_and_tells_what_would_be(database: str, call: Call, tmp_path: Path) -> None:
    file = write(tmp_path / "file.jsonl", lines(3))
    report = tmp_path / "report"
    tried = call("import", file, "--dry-run", "--report", report)
    assert (tried.code, tried.err) == (0, "")
    assert tried.out.splitlines() == [
        "would record: 4 of 4 rows",
        "  1 coalition.registered",
        "  3 pledge.stated",
        "would change: 4 subjects",
        "  willing/coalition/registration",
        *(f"  willing/pledge/subject-{number}/GB: announced, standing (announced)" for number in range(3)),
    ]
    assert size_of(database) == 0
    told = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    assert told[1]["subjects"] == ["willing/pledge/subject-0/GB"]
    assert {one["status"] for one in told} == {"valid"}


def test_a_dry_run_tells_of_all_rows_what_is_wrong_and_what_may_be_recorded_already(
    database: str, call: Call, tmp_path: Path
) -> None:
    known = call("import", write(tmp_path / "known.jsonl", lines(2)))
    retold = _line(1) | {"summary": "Line 1, retold."}
    rows = [*lines(2, line_2={"body": {"firmness": "announced"}}), retold]
    tried = call("import", write(tmp_path / "file.jsonl", rows), "--dry-run")

    assert (known.out, tried.code) == ("3\n", 1)
    assert tried.out.splitlines()[:4] == [
        "would record: 1 of 4 rows",
        "  1 pledge.stated",
        "may be recorded already, in other words: 1 row",
        f"  row 4 is like {_id_of(database, 'Line 1.')} of 2025-02-02 (50%)",
    ]
    assert tried.out.splitlines()[4:] == [
        "would change: 1 subject",
        "  willing/pledge/subject-1/GB: announced, standing (reaffirmed)",
    ]
    assert tried.err.splitlines() == [
        "  row 2, /body/category: This field is required here.",
        "refused: 1 of 4 rows, for 1 fault",
        "recorded before: 2 rows",
        "error: Nothing would be recorded, as rows are refused; with --on-error skip the others would be.",
    ]
    assert size_of(database) == 3


def _id_of(url: str, summary: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT event_id::text FROM event WHERE body->>'summary' = %s", (summary,)).fetchone()
    assert row
    return str(row[0])


def test_a_file_whose_name_tells_nothing_needs_its_format(database: str, call: Call, tmp_path: Path) -> None:
    file = write(tmp_path / "file", lines(1))
    assert "--format" in call("import", file).err
    assert "saved as CSV" in call("import", write(tmp_path / "file.xlsx", lines(1))).err
    assert call("import", file, "--format", "jsonl").out == "2\n"


def test_an_import_that_was_killed_and_is_repeated_ends_with_each_line_once(
    database: str, call: Call, tmp_path: Path
) -> None:
    file = write(tmp_path / "file.jsonl", lines(3000))
    with begin("import", file, DATABASE_URL=database) as running:
        assert wait_until(lambda: size_of(database) >= 500)
        running.kill()
        running.wait()
    assert wait_until(
        lambda: (
            not ask(
                database,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
        )
    )
    assert size_of(database) % PART == 0, "a part is recorded whole or not at all"
    assert size_of(database) < 3001, "it was not done yet"
    assert call("import", file).code == 0
    assert summaries(database) == [f"Line {number}." for number in range(3000)]
    assert call("verify").out == "ok\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "row 1: This line is not valid JSON"),
        ("\n[1]\n", "row 2: This line is not a JSON object"),
        (json.dumps(statement(coalition="nobody")), "row 1, /coalition: No coalition is registered under this slug"),
        (json.dumps({"kind": "no.such"}), "row 1, /kind: Name a kind of statement"),
        ("\ufeff\u0000", "row 1: This line is not valid JSON"),
    ],
)
def test_a_file_that_is_refused_leaves_no_trace(
    database: str, call: Call, tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "file.jsonl"
    file.write_text(text, "utf-8")
    refused = call("import", file)
    assert refused.code == 1
    assert sentence in refused.err
    assert "Traceback" not in refused.err
    assert size_of(database) == 0


def test_an_empty_file_is_imported_and_a_missing_one_is_named(database: str, call: Call, tmp_path: Path) -> None:
    assert call("import", write(tmp_path / "empty.jsonl", [])).out == "0\n"
    missing = call("import", tmp_path / "missing")
    assert missing.code == 2
    assert "does not exist" in re.sub(r"[│\s]+", " ", missing.err)


# --- export -----------------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_written_is_a_sentence(database: str, call: Call, tmp_path: Path) -> None:
    report = write(tmp_path / "empty.jsonl", []), "--report", tmp_path / "no" / "report"
    for refused in (call("export", tmp_path / "no" / "log.jsonl"), call("import", *report)):
        assert (refused.code, refused.out) == (1, "")
        assert re.search(r"^error: \S+ cannot be written: No such file or directory\.$", refused.err, re.MULTILINE)


def test_what_is_exported_is_what_the_door_for_programs_lists(database: str, call: Call, tmp_path: Path) -> None:
    listed = some_history(database)
    exported = command("export", DATABASE_URL=database)
    assert exported.returncode == 0
    events = [json.loads(line) for line in exported.stdout.splitlines()]
    told = [
        {"event_id": one["id"], "position": one["position"], "recorded_at": one["time"], **one["data"]}
        for one in listed
    ]
    assert events == told
    assert len(events) == size_of(database)
    file = tmp_path / "exported"
    assert call("export", file) == (0, "", "")
    assert file.read_text("utf-8") == exported.stdout


# --- verify, doctor, rebuild ------------------------------------------------------------------------------------------


def tamper(url: str, table: str, *commands: str) -> None:
    """Changes what may not be changed, as only the owner can: with the triggers switched off."""
    with psycopg.connect(url, autocommit=True) as connection:
        for one in (f"ALTER TABLE {table} DISABLE TRIGGER ALL", *commands):
            connection.execute(one.encode())


TAMPERINGS = {
    "a changed body": (
        "UPDATE event SET body = replace(body::text, 'Position', 'Opinion')::json WHERE position = 7",
        "event 7: body does not fit its commitment",
    ),
    "a changed author": (
        "UPDATE event SET recorded_by = 'somebody else' WHERE position = 3",
        "event 3: leaf hash does not fit the event",
    ),
    "a changed leaf hash": (
        "UPDATE event SET leaf_hash = sha256('') WHERE position = 5",
        "event 5: leaf hash does not fit the event",
    ),
    "a changed root": (
        "UPDATE event SET root = sha256('') WHERE position = 9",
        "event 9: root does not fit the leaves",
    ),
    "a deleted event": (
        "DELETE FROM event WHERE position = 11",
        "event 11: is missing",
    ),
    "a deleted event that others name": (
        "DELETE FROM event WHERE position = 2",
        "event 2: is missing",
    ),
    "a body that says nothing": (
        "UPDATE event SET body = '{}' WHERE position = 8",
        "event 8: body does not fit its commitment",
    ),
    "an unknown kind": (
        "UPDATE event SET kind = 'no.such' WHERE position = 8",
        "event 8: leaf hash does not fit the event",
    ),
    "a correction of nothing": (
        "UPDATE event SET body = replace(body::text, '-', '_')::json WHERE position = 4",
        "event 4: body does not fit its commitment",
    ),
    "a deleted end": (
        "DELETE FROM event WHERE position > 300",
        "event 301: is missing (4)",
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_who_changes_the_log_is_found_and_the_place_is_named(database: str, call: Call, what: str) -> None:
    *commands, sentence = TAMPERINGS[what]
    some_history(database)
    tamper(database, "event", *commands)
    verified = call("verify")
    assert verified.code == 1
    assert sentence in verified.out
    assert "restore" in verified.err
    assert "Traceback" not in verified.err
    looked = call("doctor")
    assert looked.code == 1
    assert "NO  the append-only triggers are always on: ALTER TABLE" in looked.out
    assert ("NO  the head agrees with the log" in looked.out) == ("deleted" in what)


def test_a_changed_node_of_the_tree_and_a_changed_head_are_found(database: str, call: Call) -> None:
    some_history(database)
    tamper(database, "merkle_node", "UPDATE merkle_node SET hash = sha256('')")
    assert "merkle_node: node does not fit the leaves (1)" in command("verify", DATABASE_URL=database).stdout
    tamper(database, "log_head", "UPDATE log_head SET root = sha256('')")
    assert "log_head: head does not fit the log (1)" in call("verify").out


def test_changed_states_are_found_and_a_rebuild_puts_them_right(database: str, call: Call) -> None:
    some_history(database)
    tamper(
        database,
        "segment",
        "UPDATE segment SET state = '{}' WHERE (subject_id, valid_from) = "
        "(SELECT subject_id, valid_from FROM segment_current LIMIT 1)",
    )
    found = call("verify")
    assert found.code == 1
    assert "segment: is missing (1)" in found.out
    assert "segment: should not be there (1)" in found.out
    assert "rebuild" in found.err
    rebuilt = command("rebuild", DATABASE_URL=database)
    assert rebuilt.returncode == 1
    assert rebuilt.stdout == found.out
    assert "have been replaced" in rebuilt.stderr
    assert call("verify") == (0, "ok\n", "")
    assert call("rebuild") == (0, "ok\n", ""), "what is right stays as it is"


def test_a_log_that_cannot_be_replayed_is_a_sentence_and_changes_no_state(database: str, call: Call) -> None:
    some_history(database)
    before = ask(database, "SELECT string_agg(g::text, '' ORDER BY g::text) FROM segment g")
    tamper(database, "event", "UPDATE event SET body = '{}' WHERE position = 8")
    refused = call("rebuild")
    assert refused.code == 1
    assert "cannot be replayed" in refused.err
    assert "verify" in refused.err
    assert ask(database, "SELECT string_agg(g::text, '' ORDER BY g::text) FROM segment g") == before


def test_a_rebuild_while_many_write_and_read_refuses_nobody_and_loses_nothing(folder: Path, database: str) -> None:
    allow(database)
    troubles: list[Any] = []
    stop = threading.Event()
    with serving(folder, DATABASE_URL=database) as server:
        writers = Writers(Target(server.host, server.port, TOKEN), 4, seed=1, retrying=False)

        def read() -> None:
            line = http.client.HTTPConnection(server.host, server.port, timeout=60)
            paths = ("/v1/countries/GB/commitments", "/v1/coalitions/willing/status", "/v1/coalitions/willing/timeline")
            while not stop.is_set():
                for path in paths:
                    line.request("GET", path)
                    answer = line.getresponse()
                    content = answer.read()
                    if answer.status != 200:
                        troubles.append(content)
            line.close()

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            with writers.writing():
                for _ in range(2):
                    rebuilt = command("rebuild", DATABASE_URL=database)
                    assert (rebuilt.returncode, rebuilt.stdout) == (0, "ok\n"), rebuilt.stderr
        finally:
            stop.set()
            for reader in readers:
                reader.join(60)
        seeded = [event for event in server.events() if event["data"]["recorded_by"] != "tester"]
        assert not troubles
        assert set(writers.statuses) == {"201"}
        written = server.events()
        assert judge(writers, [*_as_registrations(seeded), *written[len(seeded) :]]) == []
    assert command("verify", DATABASE_URL=database).stdout == "ok\n"


def _as_registrations(events: Sequence[Json]) -> list[Json]:
    """Events that the judge takes as given."""
    return [{**event, "type": "coalition.registered"} for event in events]


def test_doctor_says_what_to_do_about_each_thing(empty_database: str, database: str, call: Call) -> None:
    unmigrated = command("doctor", DATABASE_URL=empty_database)
    assert unmigrated.returncode == 1
    assert "NO  the tables are migrated: run ./run migrate" in unmigrated.stdout
    unreachable = call("doctor", url="postgresql://127.0.0.1:1/nothing")
    assert unreachable.code == 1
    assert "NO  the database answers: check DATABASE_URL" in unreachable.out
    looked = call("doctor")
    assert "ok  the head agrees with the log" in looked.out
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("GRANT DELETE ON event TO registry_writer")
    assert "NO  the writer cannot change history: REVOKE" in call("doctor").out


def test_a_database_that_takes_no_writes_is_told_by_doctor_and_refused_in_a_sentence(database: str, call: Call) -> None:
    standby = make_conninfo(database, options="-cdefault_transaction_read_only=on")
    assert "NO  the server takes writes: let DATABASE_URL name the primary" in call("doctor", url=standby).out
    refused = call("verify", url=standby)
    assert refused.code == 1
    assert "read-only transaction" in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    "arguments", [["verify"], ["rebuild"], ["export"], ["migrate"], ["token", "new", "--role", "reader"]]
)
def test_a_database_that_is_not_there_is_a_sentence(call: Call, arguments: list[str]) -> None:
    refused = call(*arguments, url="postgresql://127.0.0.1:1/nothing")
    assert (refused.code, refused.out) == (1, "")
    assert "DATABASE_URL" in refused.err
    assert "Traceback" not in refused.err


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"), [("PORT", "abc"), ("PORT", "70000"), ("POOL_SIZE", "1"), ("READING_IS_OPEN", "perhaps")]
)
def test_a_setting_that_cannot_be_read_is_a_sentence(
    call: Call, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setenv(setting, value)
    refused = call("serve", "--no-seeds")
    assert (refused.code, refused.out) == (1, "")
    assert f"error: A setting is not valid: {setting}: " in refused.err


def test_an_address_of_a_database_that_cannot_be_read_is_a_sentence_without_its_password(call: Call) -> None:
    refused = call("migrate", url="localhost/registry?password=canary")
    assert (refused.code, refused.out) == (1, "")
    assert "error: A setting is not valid: DATABASE_URL: is no address such as " in refused.err
    assert "canary" not in refused.err


def test_settings_that_do_not_fit_each_other_are_a_sentence(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "https://id.example")
    refused = call("verify")
    assert (refused.code, refused.out) == (1, "")
    assert "error: A setting is not valid: OIDC_ISSUER and OIDC_CLIENT_ID are set together" in refused.err


def test_a_folder_that_cannot_be_made_is_a_sentence(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIR", "/dev/null/state")
    refused = call("verify", url="")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "error: The folder of STATE_DIR cannot be made: Not a directory.\n"


def test_no_command_at_all_shows_the_help_without_a_database() -> None:
    shown = command("--help", DATABASE_URL="nowhere")
    assert shown.returncode == 0
    assert "Usage: ./run " in shown.stdout
    for name in ("serve", "migrate", "seed", "import", "export", "rebuild", "verify", "token", "doctor"):
        assert name in shown.stdout


# --- serve ------------------------------------------------------------------------------------------------------------


def test_it_starts_with_nothing_configured_and_ends_cleanly_with_its_postgresql(folder: Path) -> None:
    state = {"STATE_DIR": str(folder / "state")}
    with serving(folder, "--no-seeds") as server:
        assert server.events() == []
        assert servers_below(folder)
        token = server.token
        assert ((folder / "state" / "token").stat().st_mode & 0o777) == 0o600
        assert server.end(signal.SIGTERM) == 0
    assert not servers_below(folder)
    with serving(folder) as server:
        assert server.token == token
        seeded = len(server.events())
        assert f"seeds: {seeded} new" in server.said()
        assert command("doctor", **state).returncode == 0, "healthy while it serves"
        assert server.end(signal.SIGINT) == 0
    assert not servers_below(folder)
    with serving(folder) as server:
        assert "seeds: 0 new" in server.said()
        assert len(server.events()) == seeded
        assert command("verify", **state).stdout == "ok\n"
        _get_in_the_way_of(server.port, folder, state)
        assert server.end() == 0
    assert not servers_below(folder)


def _get_in_the_way_of(port: int, folder: Path, state: dict[str, str]) -> None:
    refused = command("serve", "--no-seeds", PORT=str(port), **state)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "address already in use" in refused.stderr
    assert "set PORT to another" in refused.stderr
    assert servers_below(folder), "the first one still has its PostgreSQL"


def test_a_start_that_is_interrupted_leaves_no_process(folder: Path) -> None:
    starting = begin("serve", STATE_DIR=str(folder / "state"))
    try:
        assert wait_until(lambda: servers_below(folder))
        starting.send_signal(signal.SIGTERM)
        assert starting.wait(60) in (0, 130, -signal.SIGTERM)
    finally:
        starting.kill()
        starting.wait()
    assert wait_until(lambda: not servers_below(folder))


@pytest.mark.parametrize("recorded", [1, 50, 100])
def test_a_start_that_is_interrupted_while_it_records_is_over_soon(empty_database: str, recorded: int) -> None:
    command("migrate", DATABASE_URL=empty_database)
    starting = begin("serve", DATABASE_URL=empty_database, PORT="0")
    try:
        assert wait_until(lambda: size_of(empty_database) >= recorded)
        starting.send_signal(signal.SIGTERM)
        assert starting.wait(60) in (0, 130)
    finally:
        starting.kill()
        starting.wait()


_LOSING = """
import os, signal, sys

class Losing:
    def find_spec(self, name, *_):
        if name == "uvicorn":
            sys.meta_path.remove(self)
            type("Lost", (), {"__del__": lambda _: os.kill(os.getpid(), signal.SIGTERM)})()

sys.meta_path.insert(0, Losing())
from service.cli import main
main()
"""
"""A start to which a signal comes where Python lets no exception through, while the web server is being imported."""


def test_a_start_that_is_interrupted_where_no_exception_gets_through_is_over_too(database: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOSING, "serve", "--no-seeds"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE,
        env=environment(DATABASE_URL=database, PORT="0"),
    )  # fmt: skip
    assert "Exception ignored in" in done.stderr
    assert (done.returncode, done.stdout) == (0, "")
