"""The schema: it goes up and down, equals what the code declares, and says what it lacks."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.conninfo import make_conninfo
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from service import access
from service.accounts import tables as account_tables
from service.database import METADATA, OPEN
from service.domain.dates import END
from service.domain.errors import Unavailable
from service.drafts import stored as drafts
from service.examine import examine
from service.log import tables as log_tables
from service.migrate import migrate, present_revision
from service.segments import tables as segment_tables
from service.webhooks import tables as webhook_tables
from tests.judging import bench, rows_of
from tests.processes import command
from tests.test_seeded_bugs import some_histories

PARTITIONS = frozenset({"segment_current", "segment_superseded"})
DECLARED = {
    log_tables.event.name,
    segment_tables.segment.name,
    access.token.name,
    webhook_tables.webhook.name,
    drafts.draft.name,
    account_tables.person.name,
}


def tables_of(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in found}


def belongs(found: object, name: str | None, kind: str, *_: object) -> bool:
    """Partitions belong to their table and are not declared apart."""
    table = name if kind == "table" else getattr(getattr(found, "table", None), "name", None)
    return table not in PARTITIONS


def test_processes_that_migrate_at_once_take_turns_and_all_find_the_schema(empty_database: str) -> None:
    with ThreadPoolExecutor(4) as at_once:
        done = list(at_once.map(lambda _: command("migrate", DATABASE_URL=empty_database), range(4)))
    assert [one.returncode for one in done] == [0] * 4, done
    assert tables_of(empty_database) >= DECLARED


def test_an_empty_database_goes_up_down_and_up_again(empty_database: str) -> None:
    head = present_revision()
    assert migrate(empty_database) == head
    tables = tables_of(empty_database)
    assert tables >= DECLARED
    assert migrate(empty_database, to="base") == "base"
    assert tables_of(empty_database) <= {"alembic_version"}
    assert migrate(empty_database) == head
    assert tables_of(empty_database) == tables


def test_a_database_that_is_up_to_date_stays_as_it_is(database: str) -> None:
    assert migrate(database) == migrate(database) == present_revision()


def test_the_migrated_database_equals_what_the_code_declares(database: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database), poolclass=NullPool)
    with engine.connect() as connection:
        options = {"include_object": belongs, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_states_that_were_stored_with_their_end_are_the_same_states_without_it(database: str) -> None:
    """As recorded before revision 0003: a state whose end changed was closed, and stored anew with the other end."""
    with bench(database) as registry:
        ledgers = [registry.record(history) for history in some_histories()]
        told = [
            one
            for ledger in ledgers
            for key in registry.segments(ledger.coalition)
            for one in registry.history(key, ledger.head)
        ]
    before = rows_of(database)
    assert migrate(database, to="0002") == "0002"
    with psycopg.connect(database) as connection:
        connection.execute("TRUNCATE segment")
        for one in told:
            bounds = (one.valid_from, one.valid_to or END, one.known_from, one.known_to or OPEN)
            says = (
                one.state and one.state.decode(),
                *(part.decode() for part in (one.causes, one.possible, one.rivals)),
            )
            connection.execute(_STORE_WITH_END, (*bounds, *says, *one.key))
    assert migrate(database) == present_revision()
    assert rows_of(database) == before


_STORE_WITH_END = """
INSERT INTO segment (subject_id, valid_from, valid_to, known_from, known_to, state, causes, possible, rivals)
SELECT id, %s, %s, %s, %s, %s, %s, %s, %s FROM subject WHERE (coalition, family, slug, actor) = (%s, %s, %s, %s)"""


def test_tables_of_a_later_version_are_left_as_they_are_and_told_apart(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match=r"later version \(schema 9999\)"):
        migrate(database)
    (unmigrated,) = [check for check in examine(database) if not check.ok]
    assert "restore the backup" in unmigrated.remedy


def test_every_table_belongs_to_the_owner(database: str) -> None:
    with psycopg.connect(database) as connection:
        owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert owners == [("registry_owner",)]


@pytest.fixture
def plain_login(server_url: str) -> Iterator[str]:
    """A role that may log in and nothing else."""
    name = f"plain_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN NOCREATEROLE NOSUPERUSER".encode())
        yield name
        connection.execute(f"DROP ROLE {name}".encode())


def test_a_login_that_may_not_create_roles_is_told_what_to_do(empty_database: str, plain_login: str) -> None:
    url = make_conninfo(empty_database, options=f"-crole={plain_login}")
    with pytest.raises(Unavailable, match=r"CREATEROLE.*registry_owner, registry_writer") as refused:
        migrate(url)
    assert refused.value.detail.endswith(".")
    assert tables_of(empty_database) == set()


def test_a_server_that_does_not_answer_is_told_apart(empty_database: str) -> None:
    url = make_conninfo(empty_database, host="/nonexistent", port="1")
    with pytest.raises(Unavailable, match="check DATABASE_URL"):
        migrate(url)
