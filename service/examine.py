"""What `doctor` looks at: everything that the service needs of its database, each with what to do about it."""

from dataclasses import dataclass

import psycopg

from service.database import WRITER
from service.domain.timeline import RULES_VERSION
from service.migrate import LATER, OLDEST, READ_RULES, find_revision, is_later, present_revision


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    what: str
    ok: bool
    remedy: str


def examine(url: str) -> list[Check]:
    """Looks at the database; stops at the first thing without which the others cannot be seen."""
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        return [Check("the database answers", ok=False, remedy=f"check DATABASE_URL ({str(error).strip()})")]
    with connection:
        checks = [
            Check("the database answers", ok=True, remedy=""),
            Check("PostgreSQL is version 15 or later", connection.info.server_version >= OLDEST, "upgrade the server"),
        ]
        revision = find_revision(connection)
        remedy = LATER if is_later(revision) else "run ./run migrate"
        checks.append(Check("the tables are migrated", revision == present_revision(), remedy))
        if not checks[-1].ok:
            return checks
        return [*checks, *(Check(what, bool(_value(connection, sql)), remedy) for what, sql, remedy in _LOOKS)]


def _value(connection: psycopg.Connection[tuple[object, ...]], sql: str) -> object:
    row = connection.execute(sql.encode()).fetchone()
    return None if row is None else row[0]


_LOOKS = (
    (
        "the states were computed by the rules of this version",
        f"SELECT ({READ_RULES}) = '{RULES_VERSION}'",
        "run ./run rebuild",
    ),
    (
        "the login may act as the writer",
        f"SELECT pg_has_role(current_user, '{WRITER}', 'MEMBER')",
        f"GRANT {WRITER} to the login of DATABASE_URL",
    ),
    (
        "the server takes writes",
        "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'",
        "let DATABASE_URL name the primary: this is a standby, or all transactions here only read",
    ),
    (
        "the writer cannot change history",
        f"SELECT NOT has_table_privilege('{WRITER}', 'event', 'UPDATE, DELETE, TRUNCATE')",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON event FROM {WRITER}",
    ),
    (
        "the append-only triggers are always on",
        "SELECT count(*) = 6 FROM pg_trigger WHERE tgfoid = 'refuse_change'::regproc AND tgenabled = 'A'",
        "ALTER TABLE … ENABLE ALWAYS TRIGGER for event, merkle_node and idempotency, and ask who switched them off",
    ),
    (
        "the head agrees with the log",
        (
            "SELECT h.size = coalesce((SELECT max(position) FROM event), 0) AND h.size = (SELECT count(*) FROM event) "
            "FROM log_head h"
        ),
        "the log has been changed from outside: restore the last backup, then run ./run verify",
    ),
    (
        "commits are durable",
        "SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'",
        "set fsync and synchronous_commit on, or accept that a crash loses what was acknowledged",
    ),
    (
        "no transaction has been open for over an hour",
        "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE xact_start < now() - interval '1 hour')",
        "end it: it slows every append",
    ),
)
