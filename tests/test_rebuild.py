"""Promise 8 from inside: a rebuild makes the same rows in tables that are the same, and dies without a trace."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from alembic import command
from hypothesis import given, strategies
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from service.domain import timeline
from service.domain.errors import Unavailable
from service.examine import examine
from service.log.leaves import Finding
from service.migrate import _config, check_rules
from service.segments import rebuild as rebuilding
from service.segments.rebuild import rebuild, verify
from service.segments.tables import DERIVED
from tests.judging import bench, rows_of
from tests.processes import wait_until
from tests.profiles import histories as so_many
from tests.registry import Json, note, post, registry, statement
from tests.strategies import History, histories

TABLES = (*DERIVED, "segment_current", "segment_superseded")


def record_histories(url: str, count: int) -> None:
    """Random histories with late, corrected, moved, retracted, doubled and disputed statements."""
    with bench(url) as made:

        @so_many(count)
        @given(histories(most=40), strategies.integers())
        def recorded(history: History, _: int) -> None:
            made.record(history)

        recorded()


def count(url: str, sql: str) -> Any:
    """The one value that a query gives."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
    return row and row[0]


def run_sql(url: str, *commands: str) -> None:
    """Runs commands as the owner of everything."""
    with psycopg.connect(url, autocommit=True) as connection:
        for command in commands:
            connection.execute(command.encode())


def throw_out_others(url: str) -> None:
    """Ends every other connection to the database, as an administrator does, and waits until they are gone."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid, 10000) {others}".encode())


# --- the same rows ----------------------------------------------------------------------------------------------------


def test_a_rebuild_makes_the_rows_that_recording_made_on_all_bounds(database: str) -> None:
    record_histories(database, 40)
    before = rows_of(database)
    assert all(before.values())
    assert any("9223372036854775807" not in row[4] for row in before["segment"]), "some of it is superseded"

    assert asyncio.run(rebuild(database)) == []
    assert rows_of(database) == before
    assert asyncio.run(verify(database)) == []


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_size_of_the_batches_of_a_replay_makes_no_difference(
    database: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    record_histories(database, 6)
    before = rows_of(database)
    monkeypatch.setattr(rebuilding, "BATCH", size)
    assert asyncio.run(rebuild(database)) == []
    assert rows_of(database) == before


def test_an_empty_log_can_be_rebuilt(database: str) -> None:
    assert asyncio.run(rebuild(database)) == []
    assert asyncio.run(verify(database)) == []
    with registry(database) as client:
        post(client, statement())


def test_after_a_rebuild_recording_goes_on_as_if_nothing_had_happened(database: str) -> None:
    with registry(database) as client:
        first = post(client, statement(actors=["FR", "GB"]))["event"]["event_id"]
        assert asyncio.run(rebuild(database)) == []
        post(client, statement(subject="another", actors=["PL"]))
        note(client, first, "corrections", {"changes": {"actors": ["DE"]}, "reason": "entry_error"})
        assert client.get("/v1/countries/DE/commitments").json()["commitments"]
    assert asyncio.run(verify(database)) == []


def test_what_a_rebuild_replaces_is_said_and_is_right_afterwards(database: str) -> None:
    record_histories(database, 3)
    before = rows_of(database)
    run_sql(
        database,
        "UPDATE segment SET state = '{}' WHERE ctid = (SELECT min(ctid) FROM segment_current)",
        "DELETE FROM statement WHERE position = (SELECT max(position) FROM statement)",
        "DELETE FROM subject_statement WHERE position = (SELECT min(position) FROM subject_statement)",
    )
    findings = asyncio.run(rebuild(database))
    assert {finding.where for finding in findings} == {"segment", "statement", "subject_statement"}
    assert Finding("is missing", "statement", 1) in findings
    assert rows_of(database) == before
    assert asyncio.run(verify(database)) == []


@pytest.mark.parametrize(
    "change", ["latest = latest + interval '1 second'", "current = NOT current", "known_from = known_from - 1"]
)
def test_a_membership_that_says_something_else_is_found(database: str, change: str) -> None:
    record_histories(database, 1)
    run_sql(
        database,
        f"UPDATE subject_statement SET {change} WHERE ctid = (SELECT min(ctid) FROM subject_statement)",
    )
    assert {finding.where for finding in asyncio.run(verify(database))} == {"subject_statement"}
    assert {finding.where for finding in asyncio.run(rebuild(database))} == {"subject_statement"}
    assert asyncio.run(verify(database)) == []


def test_a_statement_that_is_corrected_while_it_is_verified_is_no_finding(database: str) -> None:
    with registry(database) as client:
        said = post(client, statement(actors=["FR", "GB"]))["event"]["event_id"]
        changed: list[Json] = []

        def correct(done: int, total: int) -> None:
            changes = {"actors": ["DE"], "occurred": {"edtf": "2025-08-01", "basis": "stated"}}
            changed.append(note(client, said, "corrections", {"changes": changes, "reason": "entry_error"}))

        assert asyncio.run(verify(database, correct)) == []
        assert changed


# --- by which rules ---------------------------------------------------------------------------------------------------


def test_states_that_other_rules_made_are_neither_served_nor_written_on_until_they_are_rebuilt(database: str) -> None:
    with registry(database) as client:
        post(client, statement())
        before = rows_of(database)
        run_sql(database, "UPDATE build SET rules_version = '0'")
        for refused in (
            client.get("/readyz"),
            client.post("/v1/statements", json=statement()),
            client.post("/v1/statements?dry_run=true", json=statement()),
        ):
            assert refused.status_code == 503
            assert "./run rebuild" in refused.json()["detail"]
        assert [check.remedy for check in examine(database) if "rules" in check.what and not check.ok] == [
            "run ./run rebuild"
        ]
        with pytest.raises(Unavailable, match="run rebuild"):
            check_rules(database)
        assert rows_of(database) == before

        assert asyncio.run(rebuild(database)) == []
        check_rules(database)
        assert client.get("/readyz").status_code == 200
        post(client, statement())


@pytest.mark.parametrize("recorded", [False, True])
def test_a_migration_takes_what_is_recorded_for_the_work_of_the_first_rules(
    database: str, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if recorded:
        record_histories(database, 1)
    url = "postgresql+psycopg://"
    engine = create_engine(url, creator=lambda: psycopg.connect(database), poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET ROLE registry_owner")
        config = _config()
        config.attributes["connection"] = connection
        monkeypatch.setattr(timeline, "RULES_VERSION", "7")
        command.downgrade(config, "0005-1")
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()
    assert count(database, "SELECT rules_version FROM build") == ("1" if recorded else "7")


# --- the same tables --------------------------------------------------------------------------------------------------

_CATALOG = {
    "tables": """
        SELECT relname, relkind, relowner::regrole::text, relacl::text, reloptions, relispartition, relreplident,
               relrowsecurity, pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid), obj_description(oid, 'pg_class')
        FROM pg_class WHERE oid = ANY(%(tables)s::regclass[])""",
    "columns": """
        SELECT attrelid::regclass::text, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
               attgenerated, attcollation, attstorage, attacl::text, pg_get_expr(d.adbin, d.adrelid),
               col_description(attrelid, attnum)
        FROM pg_attribute LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
        WHERE attrelid = ANY(%(tables)s::regclass[]) AND attnum > 0 AND NOT attisdropped""",
    "indexes": """
        SELECT indrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid, indisprimary, indisclustered
        FROM pg_index WHERE indrelid = ANY(%(tables)s::regclass[])""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype, convalidated, conislocal, coninhcount,
               pg_get_constraintdef(oid)
        FROM pg_constraint WHERE conrelid = ANY(%(tables)s::regclass[])""",
    "triggers": """
        SELECT tgrelid::regclass::text, tgfoid::regproc::text, tgenabled FROM pg_trigger
        WHERE tgrelid = ANY(%(tables)s::regclass[])""",
    "sequences": """
        SELECT pg_get_serial_sequence('subject', 'id'), relname, relowner::regrole::text, relacl::text
        FROM pg_class WHERE oid = pg_get_serial_sequence('subject', 'id')::regclass""",
    "schemas": "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'",
}


def catalog_of(url: str) -> dict[str, list[Any]]:
    """What PostgreSQL knows of the computed tables, without what only its own numbers tell apart."""
    with psycopg.connect(url) as connection:
        values = {"tables": list(TABLES)}
        return {
            what: sorted(connection.execute(sql.encode(), values).fetchall(), key=repr)
            for what, sql in _CATALOG.items()
        }


def test_rebuilt_tables_have_the_columns_indexes_constraints_rights_and_comments_of_migrated_ones(
    database: str,
) -> None:
    migrated = catalog_of(database)
    record_histories(database, 1)
    for _ in range(2):
        asyncio.run(rebuild(database))
        for what, rows in catalog_of(database).items():
            assert rows == migrated[what], what


# --- deaths -----------------------------------------------------------------------------------------------------------


def test_a_rebuild_that_is_killed_midway_leaves_the_live_tables_alone_and_the_next_one_works(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_histories(database, 4)
    before, tables = rows_of(database), _oids(database)
    monkeypatch.setattr(rebuilding, "BATCH", 10)

    def die(done: int, total: int) -> None:
        if done * 2 > total:
            throw_out_others(database)

    for work in (rebuild, verify):
        with pytest.raises(psycopg.OperationalError):
            asyncio.run(work(database, die))
        assert (rows_of(database), _oids(database)) == (before, tables)
    assert asyncio.run(rebuild(database)) == []
    assert rows_of(database) == before
    assert count(database, "SELECT to_regnamespace('registry_rebuild')") is None


def test_a_rebuild_that_is_killed_in_the_midst_of_the_switch_has_switched_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_histories(database, 2)
    before, tables = rows_of(database), _oids(database)
    switch = rebuilding._take_their_place

    async def die(connection: Any, live: str) -> None:
        await switch(connection, live)
        await asyncio.to_thread(throw_out_others, database)

    with monkeypatch.context() as patched:
        patched.setattr(rebuilding, "_take_their_place", die)
        with pytest.raises(psycopg.OperationalError):
            asyncio.run(rebuild(database))
    assert (rows_of(database), _oids(database)) == (before, tables)
    assert asyncio.run(rebuild(database)) == []
    assert rows_of(database) == before


def _oids(url: str) -> Any:
    tables = ",".join(TABLES)
    return count(url, f"SELECT array_agg(oid ORDER BY oid) FROM pg_class WHERE oid = ANY('{{{tables}}}'::regclass[])")


def test_two_at_once_never_use_the_same_tables_beside(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record_histories(database, 2)
    before = rows_of(database)
    refusals: list[str] = []

    def another(done: int, total: int) -> None:
        def work() -> None:
            try:
                asyncio.run(verify(database))
            except Unavailable as refused:
                refusals.append(refused.detail)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(30)

    assert asyncio.run(rebuild(database, another)) == []
    assert refusals
    assert all("running" in one for one in refusals)
    assert rows_of(database) == before


# --- others at the same time ------------------------------------------------------------------------------------------


@contextmanager
def _rebuilding(url: str) -> Iterator[Future[list[Finding]]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(lambda: asyncio.run(rebuild(url)))


@contextmanager
def reading(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody who reads in one long transaction, but not for ever."""
    with contextlib.closing(psycopg.connect(url)) as reader:
        reader.execute("SET idle_in_transaction_session_timeout TO '30s'")
        reader.commit()
        yield reader


def _is_waiting(url: str) -> Callable[[], bool]:
    return lambda: bool(count(url, "SELECT count(*) FROM pg_locks WHERE NOT granted"))


def test_a_reader_that_is_in_the_way_of_the_switch_is_neither_thrown_out_nor_stops_the_writers(
    database: str,
) -> None:
    with registry(database) as client, reading(database) as reader:
        post(client, statement())
        reader.execute("SELECT count(*) FROM subject")  # a backup, for instance, which keeps its locks
        with _rebuilding(database) as done:
            assert wait_until(_is_waiting(database), 30)
            post(client, statement(summary="While somebody is in the way."))
            assert client.get("/v1/countries/GB/commitments").json()["commitments"]
            reader.execute("SELECT count(*) FROM segment")
            reader.execute("SELECT count(*) FROM statement")
            reader.rollback()
            assert done.result(60) == []
    assert asyncio.run(verify(database)) == []


def test_a_reader_that_never_ends_makes_the_rebuild_give_up_with_a_sentence(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "_TRIES", 2)
    with registry(database) as client, reading(database) as reader:
        post(client, statement())
        reader.execute("SELECT count(*) FROM segment")
        with pytest.raises(Unavailable, match="backup"):
            asyncio.run(rebuild(database))
        post(client, statement(summary="Afterwards."))
    assert count(database, "SELECT to_regnamespace('registry_rebuild')") is None
    assert asyncio.run(verify(database)) == []
