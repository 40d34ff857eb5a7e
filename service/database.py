"""How the rooms with SQL reach PostgreSQL: pools of connections, one role, one way to run a statement.

Tables are declared in SQLAlchemy Core, against which the migrations are checked; queries are SQL constants that stand
in the rooms of what they are about (`log`, `segments`; `access`, `drafts` and `webhooks` have tables of their own) and
run on asynchronous psycopg, so that a read costs one round trip and little else.
See docs/decisions/0002-sql-on-async-psycopg.md.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.string import ByteaBinaryLoader
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import MetaData

from service.domain.errors import Unavailable

OWNER, WRITER, READER = "registry_owner", "registry_writer", "registry_reader"
_LOCK_PATIENCE = "2500ms"  # less than a stop waits for answers: nobody waits longer for what somebody else has locked
OPEN = 2**63 - 1  # the upper bound of what is still known: an open end that sorts and compares

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Connection = psycopg.AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]


class _RawJson(Loader):
    """JSON passes through as the bytes that were stored: decoding it here would cost three times the query."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


def register_json(connection: Connection) -> None:
    """Lets JSON pass through a connection as bytes."""
    connection.adapters.register_loader("json", _RawJson)
    connection.adapters.register_loader("json", ByteaBinaryLoader)  # the same for binary rows, without Python


@asynccontextmanager
async def open_pool(url: str, *, size: int, longest: int | None = None) -> AsyncIterator[Pool]:
    """A pool of connections in the writer's role: it may append, and may not change what was appended.

    ``longest`` is how many seconds one statement may take; without it as many as it needs.
    """

    async def configure(connection: Connection) -> None:
        register_json(connection)
        await connection.execute(f"SET ROLE {WRITER}".encode())
        await connection.execute(b"SET TIME ZONE 'UTC'")
        await connection.execute(f"SET lock_timeout TO '{_LOCK_PATIENCE}'".encode())
        if longest is not None:
            await connection.execute(f"SET statement_timeout TO '{longest}s'".encode())

    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        timeout=10,
        kwargs={"autocommit": True},
        configure=configure,
    )
    try:
        await pool.open(wait=True, timeout=15)
    except PoolTimeout as error:
        await pool.close()
        raise Unavailable(
            "The database does not answer, or its tables are missing: check DATABASE_URL, then run `./run doctor`."
        ) from error
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """A connection whose reads all see one moment; it writes nothing, and takes no lock that a writer waits for."""
    async with pool.connection() as connection:
        await connection.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield connection
        finally:
            await connection.execute(b"ROLLBACK")


async def fetch(connection: Connection, sql: str, values: Mapping[str, Any] | None = None) -> list[Any]:
    """The rows of one query, read in binary."""
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(sql.encode(), values)
        return await cursor.fetchall()
