"""The promises of the log: gap-free, in commit order, append-only, provable, and each retry one effect."""

import asyncio
import base64
import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing import get_context
from typing import Any

import psycopg
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from service.database import Connection
from service.domain.dates import TICK
from service.domain.errors import Invalid, Refused
from service.domain.kinds import KINDS, parse_event
from service.domain.statement import canonical
from service.ids import new_event_id
from service.log import append
from service.log.append import LOCK_HEAD, TAKE_GATE, Head, Tail
from service.log.codec import leaf_hash
from service.log.merkle import EMPTY_ROOT, STORED_EVERY, Frontier, Node
from service.log.read import find_last_before, read_events
from service.record import Recorder
from service.segments.query import resolve_known_at
from service.submission import Answer, Retry, Submission
from tests.profiles import histories
from tests.registry import Json, entry, record, recording, registration, statement
from tests.test_golden import FILES, read

# --- the tree ---------------------------------------------------------------------------------------------------------


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over all leaves, as the log grows."""
    frontier = Frontier()
    for leaf in leaves:
        frontier, _ = frontier.push(leaf)
    return frontier.root


def defined_root(leaves: Sequence[bytes]) -> bytes:
    """The root as RFC 9162 §2.1.1 defines it, over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


def leaves_of(count: int) -> list[bytes]:
    return [hashlib.sha256(b"\x00" + number.to_bytes(4)).digest() for number in range(count)]


def test_the_frontier_has_the_root_that_the_standard_defines_at_every_size() -> None:
    leaves, frontier = leaves_of(301), Frontier()
    assert frontier.root == defined_root([]) == EMPTY_ROOT
    for size, leaf in enumerate(leaves, start=1):
        frontier, _ = frontier.push(leaf)
        assert (frontier.size, frontier.root) == (size, defined_root(leaves[:size]))
        assert Frontier.parse(size, frontier.render()) == frontier


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=80))
@histories(60)
def test_the_root_follows_from_the_leaves_alone(leaves: list[bytes]) -> None:
    assert root_of(leaves) == defined_root(leaves)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=40, unique=True), st.data())
@histories(40)
def test_another_leaf_anywhere_is_another_root(leaves: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves) - 2))
    swapped = [*leaves[:at], leaves[at + 1], leaves[at], *leaves[at + 2 :]]
    assert root_of(swapped) != root_of(leaves)
    assert root_of(leaves[:-1]) != root_of(leaves)


def test_the_nodes_to_store_are_the_complete_subtrees_of_every_eighth_level() -> None:
    leaves, frontier = leaves_of(2 * 256 + 1), Frontier()
    stored: list[Node] = []
    for leaf in leaves:
        frontier, nodes = frontier.push(leaf)
        stored += nodes
    assert STORED_EVERY == 8
    assert stored == [
        Node(8, 0, defined_root(leaves[:256])), Node(8, 1, defined_root(leaves[256:512])),
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "stored"), [(1, b""), (3, bytes(32)), (1, bytes(33)), (0, bytes(32))])
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, stored: bytes) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Frontier.parse(size, stored)


# --- canonical bytes --------------------------------------------------------------------------------------------------

PRINTABLE = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\t\n\r"\\/é€😀\u2028\ufeff'), max_size=60
)
GOLDEN = {file.stem.rsplit(".", 1)[0]: read(file)["content"] for file in FILES}


def varied(value: Any, draw: st.DrawFn) -> Any:
    """Content with other free text in it."""
    if isinstance(value, dict):
        return {
            name: (draw(PRINTABLE).strip() or "x") if name in FREE and isinstance(inner, str) else varied(inner, draw)
            for name, inner in value.items()
        }
    return [varied(inner, draw) for inner in value] if isinstance(value, list) else value


FREE = {
    "summary", "quote", "place", "note", "text", "name", "post", "title", "publisher", "derived_from", "trigger",
    "consequence", "command", "mandate", "readiness", "description", "follow_up", "reason",
}  # fmt: skip


@st.composite
def contents(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(sorted(KINDS)))
    content: Json = varied(GOLDEN[kind], draw)
    if "reason" in GOLDEN[kind]:
        content["reason"] = GOLDEN[kind]["reason"]
    return content


@given(contents())
@histories(200)
def test_the_canonical_bytes_of_every_kind_are_those_of_the_reference(content: Json) -> None:
    stated = parse_event(content).content()
    assert canonical(stated) == rfc8785.dumps(stated)
    assert parse_event(stated).content() == stated


FREE_FORM = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=6), FREE_FORM, min_size=1, max_size=4))
@histories(300)
def test_the_free_form_changes_of_a_correction_are_canonical_or_refused(changes: Json) -> None:
    try:
        event = parse_event(GOLDEN["record.corrected"] | {"changes": changes})
    except Invalid:
        return
    content = event.content()
    assert content["changes"] == changes
    assert canonical(content) == rfc8785.dumps(content)


def test_what_a_correction_takes_away_is_kept_in_the_log() -> None:
    changes: Json = {"body": {"quantity": None, "places": []}, "quote": None}
    assert parse_event(GOLDEN["record.corrected"] | {"changes": changes}).content()["changes"] == changes


# --- ids --------------------------------------------------------------------------------------------------------------


def test_ids_are_uuids_of_version_7_that_sort_by_the_time_they_were_made() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    ids = [uuid.UUID(new_event_id()) for _ in range(2000)]
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    assert len(set(ids)) == len(ids)
    milliseconds = [one.int >> 80 for one in ids]
    assert milliseconds == sorted(milliseconds)
    assert before.timestamp() * 1000 <= milliseconds[0] <= milliseconds[-1] <= datetime.now(UTC).timestamp() * 1000


# --- appending --------------------------------------------------------------------------------------------------------


def pledge(slug: str = "ground-troops", **changes: Any) -> Json:
    return statement(subject=slug, **changes)


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def check_log(url: str) -> int:
    """Holds a log to its promises, read from outside; answers its length."""
    columns = (
        "position, event_id::text, kind, version, coalition, recorded_at, recorded_by, commitment, leaf_hash, root"
    )
    events = rows(url, f"SELECT {columns} FROM event ORDER BY position")
    assert [event[0] for event in events] == list(range(1, len(events) + 1))
    assert all(earlier[5] < later[5] for earlier, later in pairwise(events))
    frontier = Frontier()
    leaves = []
    for position, event_id, kind, version, coalition, recorded_at, recorded_by, commitment, leaf, root in events:
        computed = leaf_hash(
            position=position, event_id=event_id, kind=kind, version=version, coalition=coalition,
            recorded_at=recorded_at, recorded_by=recorded_by, commitment=commitment,
        )  # fmt: skip
        leaves.append(computed)
        frontier, _ = frontier.push(computed)
        assert (computed, frontier.root) == (leaf, root)
    ((size, recorded_at, stored, head_root),) = rows(url, "SELECT size, recorded_at, frontier, root FROM log_head")
    assert (size, stored, head_root) == (len(events), frontier.render(), frontier.root)
    assert not events or recorded_at == events[-1][5]
    nodes = rows(url, "SELECT level, index, hash FROM merkle_node ORDER BY index")
    whole = [(8, index, defined_root(leaves[256 * index : 256 * (index + 1)])) for index in range(len(leaves) // 256)]
    assert nodes == whole
    return len(events)


def test_every_event_has_its_leaf_and_every_complete_subtree_its_node(database: str) -> None:
    async def write() -> None:
        async with recording(database) as (_, recorder):
            await record(recorder, registration("willing"))
            await record(recorder, *(entry(pledge(f"subject-{number % 7}")) for number in range(300)))
            await record(recorder, *(entry(pledge("one")) for _ in range(250)))

    asyncio.run(write())
    assert check_log(database) == 551


async def _write_many(url: str, worker: int, recorders: int, each: int) -> None:
    async with AsyncExitStack() as stack:
        opened = [(await stack.enter_async_context(recording(url)))[1] for _ in range(recorders)]

        async def one(recorder: Recorder, number: int) -> None:
            for nth in range(each):
                await record(recorder, entry(pledge(f"w{worker}-r{number % 2}", summary=f"The {nth}.")))

        await asyncio.gather(*(one(recorder, number) for number, recorder in enumerate(opened)))


def write_many(url: str, worker: int, recorders: int, each: int) -> None:
    """Writes with several recorders at once; runs in a process of its own."""
    asyncio.run(_write_many(url, worker, recorders, each))


async def _register(url: str, slug: str = "willing") -> None:
    async with recording(url) as (_, recorder):
        await record(recorder, registration(slug))


def test_positions_are_gap_free_with_sixteen_recorders_in_two_processes(database: str) -> None:
    asyncio.run(_register(database))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        for done in [processes.submit(write_many, database, worker, 8, 10) for worker in range(2)]:
            done.result(timeout=60)
    assert check_log(database) == 161
    ((overlaps, states),) = rows(
        database,
        "SELECT count(*) FILTER (WHERE g.known_to <= g.known_from), count(DISTINCT g.subject_id) FROM segment g",
    )
    assert (overlaps, states) == (0, 5)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_database_whose_default_is_another_isolation_level_changes_nothing(database: str, level: str) -> None:
    url = make_conninfo(database, options=f"-cdefault_transaction_isolation={level.replace(' ', chr(92) + ' ')}")
    asyncio.run(_register(url))
    asyncio.run(_write_many(url, 0, 4, 5))
    assert check_log(database) == 21


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_append_with_a_stale_snapshot_fails_instead_of_reading_a_stale_size(database: str, level: str) -> None:
    async def write() -> None:
        async with recording(database) as (pool, recorder):
            await record(recorder, registration("willing"))
            async with pool.connection() as stale:
                await stale.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
                await stale.execute("SELECT count(*) FROM event")
                await record(recorder, entry(pledge()))
                await stale.execute(TAKE_GATE.encode())
                with pytest.raises(psycopg.errors.SerializationFailure):
                    await stale.execute(LOCK_HEAD.encode())
                await stale.execute("ROLLBACK")
            await record(recorder, entry(pledge()))

    asyncio.run(write())
    assert check_log(database) == 3


SHIM = """
CREATE SCHEMA shim;
CREATE TABLE shim.clock (step interval NOT NULL);
INSERT INTO shim.clock VALUES ('0');
CREATE FUNCTION shim.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT pg_catalog.clock_timestamp() + (SELECT step FROM shim.clock)';
GRANT USAGE ON SCHEMA shim TO PUBLIC;
GRANT SELECT ON shim.clock TO PUBLIC;
"""


def test_recorded_at_rises_strictly_though_the_databases_clock_is_stepped_back(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SHIM)
    url = make_conninfo(database, options="-csearch_path=shim,public,pg_catalog")

    async def write() -> None:
        async with recording(url) as (_, recorder):
            await record(recorder, registration("willing"))
            for step in ("1 hour", "0", "-1 day", "-1 hour", "2 hours"):
                with psycopg.connect(database, autocommit=True) as connection:
                    connection.execute("UPDATE shim.clock SET step = %s::interval", (step,))
                await record(recorder, entry(pledge()), entry(pledge()))

    asyncio.run(write())
    assert check_log(database) == 11
    times = [row[0] for row in rows(database, "SELECT recorded_at FROM event ORDER BY position")]
    tick = timedelta(microseconds=1)
    assert times[3] - times[2] == times[4] - times[3] == times[7] - times[6] == tick  # the clock stood behind the log
    assert times[9] - times[8] > timedelta(minutes=50)  # and was ahead of it again


def test_what_was_known_at_an_instant_waits_for_an_append_in_flight(database: str) -> None:
    async def ask() -> tuple[bool, int, int]:
        async with recording(database) as (pool, recorder):
            await record(recorder, registration("willing"))
            async with pool.connection() as writing, pool.connection() as reading:
                tail = await begin(writing)
                ((known_at,),) = await (await writing.execute("SELECT clock_timestamp()")).fetchall()
                asking = asyncio.create_task(resolve_known_at(reading, known_at))
                await asyncio.sleep(0.3)
                waits = not asking.done()
                tail.push(entry(pledge()), recorded_by="tester", about=())
                assert tail.appended[0].recorded_at <= known_at
                await append.write(writing, tail)
                await writing.execute("COMMIT")
                first = await asyncio.wait_for(asking, 5)
                return waits, first, await resolve_known_at(reading, known_at)

    assert asyncio.run(ask()) == (True, 2, 2)


async def begin(connection: Connection) -> Tail:
    """Begins an append as the recorder does."""
    await connection.execute("BEGIN")
    await connection.execute(TAKE_GATE.encode())
    row = await (await connection.execute(LOCK_HEAD.encode())).fetchone()
    assert row is not None
    return Tail.after(Head.of(row))


# --- append-only ------------------------------------------------------------------------------------------------------

GUARDED = ("event", "merkle_node", "idempotency")
CHANGES = {
    "UPDATE": "UPDATE {} SET {} = {}",
    "DELETE": "DELETE FROM {}",
    "TRUNCATE": "TRUNCATE {} CASCADE",
}
COLUMN = {"event": "kind", "merkle_node": "hash", "idempotency": "key"}


@pytest.fixture
def written(database: str) -> Iterator[str]:
    """A registry with a row in every guarded table."""
    asyncio.run(_register(database))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO merkle_node VALUES (8, 0, ''::bytea)")
        connection.execute("INSERT INTO idempotency VALUES ('a', 'b', ''::bytea, 1, ''::bytea)")
    yield database
    for table in GUARDED:
        assert rows(database, f"SELECT count(*) FROM {table}") == [(1,)]


def change(table: str, how: str) -> bytes:
    return CHANGES[how].format(table, COLUMN[table], COLUMN[table]).encode()


def test_the_writer_has_no_right_to_change_what_was_recorded(written: str) -> None:
    for table in GUARDED:
        for how in CHANGES:
            with psycopg.connect(written, autocommit=True) as connection:
                connection.execute("SET ROLE registry_writer")
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                    connection.execute(change(table, how))


@pytest.mark.parametrize("role", ["registry_owner", "none"])
@pytest.mark.parametrize("replication", ["origin", "replica", "local"])
def test_triggers_refuse_a_change_also_by_the_owner_and_while_replicating(
    written: str, role: str, replication: str
) -> None:
    for table in GUARDED:
        for how in CHANGES:
            with psycopg.connect(written, autocommit=True) as connection:
                connection.execute(f"SET session_replication_role = {replication}".encode())
                connection.execute(f"SET ROLE {role}".encode())
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                    connection.execute(change(table, how))


@pytest.mark.parametrize(
    "what", ["DELETE FROM log_head", "TRUNCATE log_head", "INSERT INTO log_head SELECT * FROM log_head"]
)
def test_the_writer_may_move_the_head_and_nothing_else(written: str, what: str) -> None:
    with psycopg.connect(written, autocommit=True) as connection:
        connection.execute("SET ROLE registry_writer")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(what.encode())


def test_the_reader_reads_and_writes_nothing_and_sees_no_tokens(written: str) -> None:
    with psycopg.connect(written, autocommit=True) as connection:
        connection.execute("SET ROLE registry_reader")
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (1,)
        for refused in ("SELECT * FROM token", "UPDATE log_head SET size = 9", "DELETE FROM segment"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused.encode())


def test_there_is_one_head_and_positions_count_from_one(written: str) -> None:
    with psycopg.connect(written, autocommit=True) as connection:
        for refused in (
            "INSERT INTO log_head SELECT 2, size, recorded_at, frontier, root, created_at FROM log_head",
            (
                "INSERT INTO event SELECT 0, gen_random_uuid(), kind, version, coalition, recorded_at, recorded_by,"
                " about, body, salt, commitment, leaf_hash, root FROM event"
            ),
        ):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(refused.encode())


# --- retries ----------------------------------------------------------------------------------------------------------


def submission(key: str, summary: str) -> Submission:
    said = entry(pledge(summary=summary))
    retry = Retry("tester", key, hashlib.sha256(summary.encode()).digest())
    return Submission((said,), "tester", lambda recorded: base64.b64encode(recorded.events[0].leaf_hash), retry)


def test_one_key_has_one_effect_however_many_try_at_once(database: str) -> None:
    async def write() -> tuple[list[Answer | BaseException], list[Answer | BaseException]]:
        async with AsyncExitStack() as stack:
            opened = [(await stack.enter_async_context(recording(database)))[1] for _ in range(4)]
            await record(opened[0], registration("willing"))
            tries = [one.record(submission("a-key", "The same.")) for one in opened for _ in range(5)]
            same = await asyncio.gather(*tries, return_exceptions=True)
            other = await asyncio.gather(
                *(one.record(submission("a-key", "Another.")) for one in opened), return_exceptions=True
            )
            return same, other

    same, other = asyncio.run(write())
    answered = [one for one in same if isinstance(one, Answer)]
    assert len({one.content for one in answered}) == 1
    assert sum(not one.replayed for one in answered) == 1
    assert all(isinstance(one, Answer | Refused) for one in same)  # refused: one that arrived beside it still runs
    assert all(isinstance(one, Invalid) for one in other)
    assert check_log(database) == 2


def test_keys_of_two_clients_are_two_keys(database: str) -> None:
    async def write() -> list[Answer]:
        async with recording(database) as (_, recorder):
            await record(recorder, registration("willing"))
            first, second = submission("k", "One."), submission("k", "Two.")
            assert second.retry is not None
            second.retry = Retry("somebody else", "k", second.retry.digest)
            return [await recorder.record(first), await recorder.record(second)]

    assert [one.replayed for one in asyncio.run(write())] == [False, False]
    assert check_log(database) == 3


def test_a_refused_request_leaves_its_neighbours_of_the_same_batch_alone(database: str) -> None:
    async def write() -> list[Any]:
        async with recording(database) as (_, recorder):
            await record(recorder, registration("willing"))
            tries = [record(recorder, entry(pledge(coalition=slug))) for slug in ("willing", "nowhere") * 5]
            return await asyncio.gather(*tries, return_exceptions=True)

    found = asyncio.run(write())
    assert [isinstance(one, Invalid) for one in found] == [False, True] * 5
    assert check_log(database) == 6


# --- what was recorded when -------------------------------------------------------------------------------------------


def test_the_last_position_before_an_instant_is_found_whichever_it_is(database: str) -> None:
    async def check() -> None:
        async with recording(database) as (pool, recorder), pool.connection() as connection:
            assert await find_last_before(connection, datetime.now(UTC)) == 0, "of an empty log"
            for size in range(1, 12):
                await record(recorder, registration(f"c-{size}"))
                recorded = [row.recorded_at for row in await read_events(connection, after=0, limit=100)]
                for at in recorded:
                    for instant in (at - TICK, at, at + TICK):
                        wanted = sum(one < instant for one in recorded)
                        assert await find_last_before(connection, instant) == wanted
                assert await find_last_before(connection, datetime.min.replace(tzinfo=UTC)) == 0
                assert await find_last_before(connection, datetime.max.replace(tzinfo=UTC)) == size

    asyncio.run(check())
