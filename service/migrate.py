"""Brings a database to the present schema, as the owner of its tables.

The login that `DATABASE_URL` names needs the right to create roles and extensions the first time; afterwards it only
has to be a member of the owner and the writer.
"""

from functools import cache
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from service.database import OWNER, READER, WRITER, Connection, fetch
from service.domain.errors import Unavailable
from service.domain.timeline import RULES_VERSION

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
OLDEST = 150_000  # PostgreSQL 15
_ALONE = b"SELECT pg_advisory_lock(x'6d696772617465'::bigint)"  # "migrate": processes that start at once take turns
_READ_REVISION = "SELECT version_num FROM alembic_version"
READ_RULES = "SELECT rules_version FROM build"

_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of this server was quicker
END $$
"""
_MEMBER = """
DO $$ BEGIN
    -- Since version 16 whoever creates a role administers it, and still has to grant himself to act as it.
    IF NOT pg_has_role(CURRENT_USER, '{role}', CASE WHEN {version} < 160000 THEN 'MEMBER' ELSE 'SET' END) THEN
        EXECUTE format('GRANT %I TO %I', '{role}', CURRENT_USER);
    END IF;
END $$
"""


def migrate(url: str, *, to: str = "head") -> str:
    """Migrates the database at ``url``, or back to an earlier revision; answers the one that it now has.

    Raises `Unavailable`, saying what to do, where the server is too old or refuses a right that is needed.
    """
    try:
        return _migrate(url, to)
    except (psycopg.errors.InsufficientPrivilege, ProgrammingError) as error:
        refused = error.orig if isinstance(error, ProgrammingError) else error
        if not isinstance(refused, psycopg.errors.InsufficientPrivilege):
            raise Unavailable(
                f"The migration failed ({refused}). The tables are as they were before; restore a whole backup."
            ) from error
        raise Unavailable(
            "The database refuses a right that the migration needs "
            f"({refused.diag.message_primary}). Let the login of DATABASE_URL own the database and create roles "
            "(ALTER ROLE … CREATEROLE), or create the roles registry_owner, registry_writer and registry_reader "
            "and the extensions btree_gist and pg_trgm yourself, and grant it the first two."
        ) from error
    except psycopg.OperationalError as error:
        raise Unavailable(f"The database cannot be reached: check DATABASE_URL ({str(error).strip()}).") from error


def _migrate(url: str, to: str) -> str:
    with psycopg.connect(url, autocommit=True) as login:
        if login.info.server_version < OLDEST:
            raise Unavailable("PostgreSQL 15 or later is needed.")
        if to == "head" and find_revision(login) == present_revision():
            return present_revision()  # nothing to do, and no right needed for it
        login.execute(_ALONE)
        revision = find_revision(login)
        if to == "head" and revision == present_revision():
            return present_revision()  # another process was quicker
        if is_later(revision):
            raise Unavailable(f"The tables are of a later version (schema {revision}): {LATER}.")
        _prepare(login)
        return _run(url, to)


def _run(url: str, to: str) -> str:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SET ROLE {OWNER}")
            config = _config()
            config.attributes["connection"] = connection
            if to == "head":
                command.upgrade(config, to)
            else:
                command.downgrade(config, to)
            connection.commit()
            return MigrationContext.configure(connection).get_current_revision() or "base"
    finally:
        engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _prepare(login: psycopg.Connection[tuple[object, ...]]) -> None:
    """Roles, extension and rights: what the owner of the tables cannot give itself."""
    for role in (OWNER, WRITER, READER):
        login.execute(_ROLE.format(role=role).encode())
    for role in (OWNER, WRITER):
        login.execute(_MEMBER.format(role=role, version=login.info.server_version).encode())
    for extension in ("btree_gist", "pg_trgm"):
        login.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}".encode())
    login.execute(
        f"DO $$ BEGIN EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO {OWNER}', current_schema()); "
        f"EXECUTE format('GRANT USAGE ON SCHEMA %I TO {WRITER}, {READER}', current_schema()); END $$".encode()
    )


def find_revision(login: psycopg.Connection[tuple[object, ...]]) -> object:
    """The revision that a database has, or None where it was never migrated."""
    known = login.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    if known is None or not known[0]:
        return None
    row = login.execute(_READ_REVISION.encode()).fetchone()
    return None if row is None else row[0]


def is_later(revision: object) -> bool:
    """Whether a database has a revision that only a later version of this code knows."""
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return revision is not None and revision not in known


LATER = "start the version that made them, or restore the backup from before the upgrade"
OTHER_RULES = "The states were computed by other rules than this version has: run `./run rebuild`."


def check_rules(url: str) -> None:
    """Raises `Unavailable` where a migrated database has states that this version would answer otherwise."""
    with psycopg.connect(url, autocommit=True) as login:
        if login.execute(READ_RULES.encode()).fetchone() != (RULES_VERSION,):
            raise Unavailable(OTHER_RULES)


async def read_rules(connection: Connection) -> str | None:
    """By which rules the states of a migrated database were computed."""
    rows = await fetch(connection, READ_RULES)
    return rows[0][0] if rows else None


async def read_revision(connection: Connection) -> str | None:
    """The revision that a migrated database has, for whoever is connected already."""
    rows = await fetch(connection, _READ_REVISION)
    return rows[0][0] if rows else None


@cache
def present_revision() -> str:
    """The revision that this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head
