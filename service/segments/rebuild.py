"""Everything computed, anew from the log: beside the live tables, without stopping anybody.

A rebuild replays the log in order through the same decisions and the same fold, in bounded batches, into tables of a
schema of its own; compares them with the live ones, both ways; and, if asked, takes their place in one transaction
under the gate. `verify` does the same without the last step, and hashes every leaf anew.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.schema import CreateIndex, CreateTable, SetColumnComment, SetTableComment

from service.database import METADATA, OPEN, OWNER, Connection, fetch, register_json
from service.domain.decide import Revision, decide
from service.domain.errors import Refused, RegistryError, Unavailable
from service.domain.statement import Event
from service.domain.timeline import RULES_VERSION
from service.log import append
from service.log.codec import lift
from service.log.leaves import Finding, Leaves, check_leaves
from service.log.read import EventRow, read_events, read_size
from service.segments.effective import Versions, find_registered, load_known
from service.segments.revise import Planes, touches
from service.segments.storing import Unwritten
from service.segments.tables import DERIVED, LATE_INDEXES, PARTITIONS, RIGHTS

BATCH = 500
_BESIDE = "registry_rebuild"
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]
_ALONE = 0x72656275696C64  # "rebuild": the advisory lock of whoever uses the schema beside
_TRIES = 1000  # to find a moment in which nobody reads the live tables
_PAUSE_SECONDS = 0.5
_COMPARING_MEMORY = "64MB"  # the database's, to compare the new tables with the live ones
_LOCK_PATIENCE = "100ms"  # far below PostgreSQL's deadlock_timeout: no reader is thrown out because of us
_DAMAGE = (RegistryError, ValueError, LookupError, psycopg.IntegrityError)  # what a changed log makes of a replay
Progress = Callable[[int, int], None]
"""Called with how many events are done, and how many there are."""


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        register_json(connection)
        await connection.execute("SET TIME ZONE 'UTC'")
        yield connection


@asynccontextmanager
async def _owner(url: str) -> AsyncIterator[Connection]:
    """A connection of its own in the owner's role, that sees the tables beside before the live ones."""
    async with _connected(url) as connection:
        row = await fetch(connection, "SELECT current_schema(), current_database()")
        live, database = row[0]
        if not (await fetch(connection, f"SELECT pg_try_advisory_lock({_ALONE})"))[0][0]:
            raise Unavailable("Another rebuild or verification is running; wait until it has ended.")
        await connection.execute(f'GRANT CREATE ON DATABASE "{database}" TO {OWNER}'.encode())
        await connection.execute(f"SET ROLE {OWNER}".encode())
        await connection.execute(f'SET search_path TO {_BESIDE}, "{live}"'.encode())
        # What is built beside is worth nothing until it is in place: only that commit waits for the disk.
        await connection.execute("SET synchronous_commit TO off")
        await connection.execute(f"SET work_mem TO '{_COMPARING_MEMORY}'".encode())
        yield connection


async def rebuild(url: str, progress: Progress = lambda *_: None) -> list[Finding]:
    """Builds the computed tables anew and puts them in place of the live ones; answers how those differed."""
    async with _owner(url) as connection:
        live = await _live_schema(connection)
        await _create_beside(connection)
        done = await _replay_all(url, connection, progress)
        findings = await _compare(connection, live, done)
        await _finish_beside(connection)
        await _switch(connection, live, done)
        return findings


async def verify(url: str, progress: Progress = lambda *_: None) -> list[Finding]:
    """Whether every leaf is that of its event, the tree that of its leaves, and every state a fresh fold's."""
    async with _owner(url) as connection:
        live = await _live_schema(connection)
        await _create_beside(connection)
        try:
            leaves = Leaves()
            try:
                done = await _replay_all(url, connection, progress, leaves.check)
            except Refused as fault:
                return [*await check_leaves(connection), Finding(fault.detail, "log", 1)]
            findings = await leaves.close(connection)
            return findings + await _compare(connection, live, done)
        finally:
            await connection.execute(f"DROP SCHEMA {_BESIDE} CASCADE".encode())


@dataclass(frozen=True, slots=True)
class _Read:
    """A batch of the log, read and lifted."""

    rows: list[EventRow]
    lifted: list[tuple[dict[str, Any], Event]]


class _Replay:
    """Computes what the log's events make, batch by batch, in the tables that come first on the search path."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._planes = Planes()
        self._coalitions: set[str] = set()
        self._storing: asyncio.Task[None] | None = None

    async def take(self, batch: _Read) -> None:
        """Computes one batch, and begins to store it: meanwhile the next may be computed, as far as nothing is read."""
        named = sorted({name for _, event in batch.lifted for name in event.named})
        unknown = {row.coalition for row in batch.rows} - self._coalitions
        if named or unknown:
            await self.finish()
            self._coalitions |= await find_registered(self._connection, sorted(unknown))
        known = await load_known(self._connection, named, self._coalitions)
        steps: list[tuple[int, tuple[Revision, ...]]] = []
        for row, (content, event) in zip(batch.rows, batch.lifted, strict=True):
            revisions = decide(event, event_id=row.event_id, position=row.position, known=known, content=content)
            steps.append((row.position, revisions))
        self._coalitions = known.coalitions
        wanted = touches(revision for _, revisions in steps for revision in revisions)
        if not self._planes.covers(wanted):
            await self.finish()
            await self._planes.load(self._connection, wanted)
        versions = Versions()
        for position, revisions in steps:
            versions.put((revision.after for revision in revisions), at=position)
            self._planes.revise(revisions, at=position)
            if self._planes.is_full:
                await self.finish()
                await self._store(versions, self._planes.drain())
                versions = Versions()
        await self.finish()
        self._storing = asyncio.create_task(self._store(versions, self._planes.take()))

    async def _store(self, versions: Versions, changes: Unwritten) -> None:
        async with self._connection.transaction(), self._connection.pipeline():
            await versions.write(self._connection)
            await changes.write(self._connection)

    async def finish(self) -> None:
        """Waits until all that was taken is stored."""
        storing, self._storing = self._storing, None
        if storing is not None:
            await storing


def _lift(events: Sequence[EventRow]) -> _Read:
    return _Read(list(events), [lift(row.kind, row.version, row.body) for row in events])


async def _replay_all(
    url: str, connection: Connection, progress: Progress, check: Callable[[EventRow], None] = lambda _: None
) -> int:
    """Replays the log up to the end that it has when it gets there; answers the last position.

    While one batch is written, the next is read, lifted and checked.
    """
    done = 0
    replay = _Replay(connection)
    async with _connected(url) as reader:
        reading = asyncio.create_task(_read_next(reader, done, check))
        try:
            while (batch := await reading).rows:
                done = batch.rows[-1].position
                reading = asyncio.create_task(_read_next(reader, done, check))
                await replay.take(batch)
                progress(done, await read_size(reader))
            await replay.finish()
        except _DAMAGE as fault:
            raise Refused(
                f"The log cannot be replayed, at about event {done + 1}: `./run verify` says what was changed in it."
            ) from fault
        finally:
            await asyncio.gather(reading, replay.finish(), return_exceptions=True)
    return done


async def _read_next(reader: Connection, after: int, check: Callable[[EventRow], None]) -> _Read:
    events = await read_events(reader, after=after, limit=BATCH)
    for event in events:
        check(event)
    return _lift(events)


async def _live_schema(connection: Connection) -> str:
    rows = await fetch(connection, "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                       "WHERE c.oid = 'log_head'::regclass")  # fmt: skip
    schema: str = rows[0][0]
    return schema


async def _create_beside(connection: Connection) -> None:
    await connection.execute(f"DROP SCHEMA IF EXISTS {_BESIDE} CASCADE".encode())
    await connection.execute(f"CREATE SCHEMA {_BESIDE}".encode())
    for ddl in _definitions():
        await connection.execute(ddl.encode())
    await connection.execute("INSERT INTO build VALUES (1, %s)", (RULES_VERSION,))


async def _finish_beside(connection: Connection) -> None:
    """What only readers and the proof of no overlap need: quicker made once than kept up."""
    for ddl in _late_definitions():
        await connection.execute(ddl.encode())


_NEEDED_AT_ONCE = frozenset({"ix_subject_statement_subject_id_latest"})


def _definitions() -> list[str]:
    """The tables as they are declared, what a declaration cannot say, and the indexes that the replay itself uses."""
    tables = [METADATA.tables[name] for name in reversed(DERIVED)]
    columns = [column for table in tables for column in table.columns if column.comment]
    written = [str(CreateTable(table).compile(dialect=_DIALECT)) for table in tables]
    written += [str(SetTableComment(table).compile(dialect=_DIALECT)) for table in tables]
    written += [str(SetColumnComment(column).compile(dialect=_DIALECT)) for column in columns]
    return [*written, PARTITIONS, RIGHTS, *(ddl for name, ddl in _indexes() if name in _NEEDED_AT_ONCE)]


def _late_definitions() -> list[str]:
    return [ddl for name, ddl in _indexes() if name not in _NEEDED_AT_ONCE] + [LATE_INDEXES]


def _indexes() -> list[tuple[str, str]]:
    found = [index for name in DERIVED for index in METADATA.tables[name].indexes]
    return sorted((str(index.name), str(CreateIndex(index).compile(dialect=_DIALECT))) for index in found)


async def _switch(connection: Connection, live: str, done: int) -> None:
    """Puts the new tables in place of the live ones, in a moment in which nobody reads those.

    The gate is never held while a reader is waited for: a backup reads for hours, and nobody could write.
    """
    tables = ", ".join(f'"{live}".{table}' for table in DERIVED)
    for _ in range(_TRIES):
        done = await _catch_up(connection, done)
        with contextlib.suppress(psycopg.errors.LockNotAvailable):
            async with connection.transaction():
                await connection.execute("SET LOCAL synchronous_commit TO on")
                await connection.execute(append.TAKE_GATE)
                await connection.execute(append.LOCK_HEAD)
                await connection.execute(f"SET LOCAL lock_timeout TO '{_LOCK_PATIENCE}'".encode())
                await connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE".encode())
                await connection.execute("SET LOCAL lock_timeout TO 0")
                await _catch_up(connection, done)
                await _take_their_place(connection, live)
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    await connection.execute(f"DROP SCHEMA {_BESIDE} CASCADE".encode())
    raise Unavailable(
        "Somebody has been reading the states all the time (a backup?), so that the new ones could not take their "
        "place. Nothing was changed: run it again when that has ended."
    )


async def _catch_up(connection: Connection, done: int) -> int:
    replay = _Replay(connection)
    while events := await read_events(connection, after=done, limit=BATCH):
        await replay.take(_lift(events))
        await replay.finish()
        done = events[-1].position
    return done


async def _take_their_place(connection: Connection, live: str) -> None:
    for table in DERIVED:
        await connection.execute(f'DROP TABLE "{live}".{table}'.encode())
    for table in (*DERIVED, "segment_current", "segment_superseded"):
        await connection.execute(f'ALTER TABLE {_BESIDE}.{table} SET SCHEMA "{live}"'.encode())
    await connection.execute(f"DROP SCHEMA {_BESIDE}".encode())


# What each table says at a position, without the numbers that only the database gives. A membership says how it is now:
# of a statement that was changed since that position, in the live tables, only its being there is compared.
_SAYS = {
    "segment": f"""
        SELECT s.coalition, s.family, s.slug, s.actor, g.valid_from, g.known_from,
               CASE WHEN g.known_to > %(known)s THEN {OPEN} ELSE g.known_to END,
               g.state::text, g.causes::text, g.possible::text, g.rivals::text
        FROM {{schema}}.segment g JOIN {{schema}}.subject s ON s.id = g.subject_id WHERE g.known_from <= %(known)s""",
    "statement": f"""
        SELECT position, known_from, CASE WHEN known_to > %(known)s THEN {OPEN} ELSE known_to END, event_id, kind,
               coalition, earliest, latest, actors, retracted, content::text, notes::text
        FROM {{schema}}.statement WHERE known_from <= %(known)s""",
    "subject_statement": """
        SELECT s.coalition, s.family, s.slug, s.actor, m.position, m.known_from,
               CASE WHEN c.position IS NULL THEN m.latest END, CASE WHEN c.position IS NULL THEN m.current END
        FROM {schema}.subject_statement m JOIN {schema}.subject s ON s.id = m.subject_id
        LEFT JOIN (SELECT DISTINCT position FROM {live}.statement WHERE known_from > %(known)s) c USING (position)
        WHERE m.known_from <= %(known)s""",
}


async def _compare(connection: Connection, live: str, known: int) -> list[Finding]:
    """How the live tables differ from those beside, as known at a position; empty when they do not.

    Two tables of as many rows are the same when nothing of one is missing in the other.
    """
    findings = []
    for table, says in _SAYS.items():
        ours, theirs = (says.format(schema=schema, live=f'"{live}"') for schema in (_BESIDE, f'"{live}"'))
        missing = await _count(connection, f"{ours} EXCEPT ALL {theirs}", known)
        surplus = missing + await _count(connection, theirs, known) - await _count(connection, ours, known)
        findings += [
            Finding(what, table, count)
            for what, count in (("is missing", missing), ("should not be there", surplus))
            if count
        ]
    return findings


async def _count(connection: Connection, rows: str, known: int) -> int:
    found = await fetch(connection, f"SELECT count(*) FROM ({rows}) AS rows", {"known": known})
    count: int = found[0][0]
    return count
