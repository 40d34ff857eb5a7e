"""One PostgreSQL for the run, migrated once into a template; each test that asks for one gets its own database.

`DATABASE_URL` names the server to use instead of a private one; its login must be allowed to create databases.
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo
from starlette.testclient import TestClient

from service.migrate import migrate
from service.postgres import is_running, private_postgres
from tests.people import browser
from tests.processes import swift_place
from tests.profiles import THOROUGH
from tests.registry import register

settings.load_profile("thorough" if THOROUGH else "quick")
_TEMPLATE_LOCK = 0x74656D70
_HOUR = 3600
_LONG = ("tests/browser/", "tests/test_fuzzing.py", "tests/test_crashes.py", "tests/test_feed.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take longest come first, so that in the end no worker waits for one of them."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.fixture(scope="session")
def server_url(worker_id: str) -> Iterator[str]:
    """The address of a PostgreSQL on which databases may be created."""
    del worker_id
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    for left in swift_place().glob("registry-tests-*"):  # by a run that was killed; one that just begins is younger
        with contextlib.suppress(OSError):  # the other worker was quicker
            if time.time() - left.stat().st_mtime > _HOUR and not is_running(left):
                shutil.rmtree(left, ignore_errors=True)
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or secrets.token_hex(8)
    state_dir = swift_place() / f"registry-tests-{run[:16]}"
    state_dir.mkdir(mode=0o755, exist_ok=True)
    settings = {"max_connections": "300", "shared_buffers": "64MB", "max_wal_size": "128MB"}
    with private_postgres(state_dir, durable=False, settings=settings) as url:
        yield url
    if not is_running(state_dir):  # the last worker out
        shutil.rmtree(state_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """The name of a migrated database that others are copied from; made by whichever worker comes first."""
    name = "registry_template_" + (os.environ.get("PYTEST_XDIST_TESTRUNUID") or secrets.token_hex(8))[:16]
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_TEMPLATE_LOCK,))
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if known is None:
            building = f"{name}_building"
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(building)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(building)))
            migrate(make_conninfo(server_url, dbname=building))
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(building), sql.Identifier(name))
            )
        connection.execute("SELECT pg_advisory_unlock(%s)", (_TEMPLATE_LOCK,))
    return name


@contextlib.contextmanager
def fresh_database(server_url: str, template: str | None) -> Iterator[str]:
    """The address of a new database, dropped afterwards; empty where there is no template."""
    name = f"registry_{secrets.token_hex(8)}"
    source = sql.SQL(" TEMPLATE {} STRATEGY file_copy").format(sql.Identifier(template)) if template else sql.SQL("")
    with psycopg.connect(server_url, autocommit=True) as connection:
        # Copies wait for one another: the server refuses a template that is being copied twice at once.
        connection.execute("SELECT pg_advisory_lock(%s)", (_TEMPLATE_LOCK,))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + source)
        connection.execute("SELECT pg_advisory_unlock(%s)", (_TEMPLATE_LOCK,))
        try:
            yield make_conninfo(server_url, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(server_url: str, template: str) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    with fresh_database(server_url, template) as url:
        yield url


@pytest.fixture
def editor(database: str) -> Iterator[TestClient]:
    """A browser in which an editor is signed in, over a registry with one coalition."""
    with browser(database, "ed", "editor") as client:
        register(client, "willing")
        yield client


@pytest.fixture
def empty_database(server_url: str) -> Iterator[str]:
    """The address of a database that was never migrated."""
    with fresh_database(server_url, None) as url:
        yield url


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """The xdist worker's name, also where xdist is not used."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "master"))
