"""What PostgreSQL itself can do: pgbench inserting comparable rows, under one advisory lock or freely."""

import re
from pathlib import Path

from benchmarks.machine import BenchError, Machine, create_database, execute, run
from service.postgres import find_binaries

_TABLE = """
CREATE TABLE comparable (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    coalition text NOT NULL,
    recorded_at timestamptz NOT NULL,
    body json NOT NULL
)
"""
_ROW = "(gen_random_uuid(), 'pledge.stated', 'asked', clock_timestamp(), :body)"
_LOCK = "SELECT pg_advisory_xact_lock(7);"


class Pgbench:
    """Runs pgbench on a database of its own, on the same server."""

    def __init__(self, machine: Machine, body: bytes) -> None:
        self._program = find_binaries() / "pgbench"
        if not self._program.exists():
            raise BenchError(
                f"There is no pgbench in {self._program.parent}: install PostgreSQL's contributed programs."
            )
        self._folder = machine.folder
        self._body = body.decode()
        self._url = create_database(machine, "comparable", migrated=False)
        execute(self._url, _TABLE)

    def insert(self, *, rows: int, locked: bool, clients: int, seconds: float) -> float:
        """Rows per second, where each transaction inserts so many."""
        script = self._script(rows, locked=locked)
        options = ["-n", "-M", "prepared", "-c", clients, "-j", 1, "-T", max(round(seconds), 1), "-f", script]
        said = run([str(self._program), *map(str, options), "-D", f"body={self._body}", self._url]).decode()
        failed = re.search(r"number of failed transactions: (\d+)", said)
        tps = re.search(r"tps = ([0-9.]+)", said)
        if not tps or (failed and failed[1] != "0"):
            raise BenchError(f"pgbench said:\n{said}")
        return float(tps[1]) * rows

    def _script(self, rows: int, *, locked: bool) -> Path:
        path = self._folder / f"insert-{rows}-{'locked' if locked else 'free'}.sql"
        insert = (
            f"INSERT INTO comparable (event_id, kind, coalition, recorded_at, body) VALUES {', '.join([_ROW] * rows)};"
        )
        lines = ["BEGIN;", _LOCK, insert, "COMMIT;"] if locked else [insert]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path
