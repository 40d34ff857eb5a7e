"""What a run stands on: a private, durable PostgreSQL, databases on it, processes, and how large the machine is."""

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from service.access import hash_token
from service.migrate import migrate
from service.postgres import private_postgres

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "pr_bench"


class BenchError(Exception):
    """A run that cannot be trusted: something failed, or answered other than it must."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the run's server listens, and a folder for its files."""

    url: str
    folder: Path
    busy: float  # processes that wanted a core when the run began, over the last minute


@contextlib.contextmanager
def running_machine(folder: Path | None) -> Iterator[Machine]:
    """A PostgreSQL of its own for this run, with the durable settings of real use."""
    busy = os.getloadavg()[0]
    parent = Path(tempfile.mkdtemp(prefix="registry-bench-", dir=folder))
    parent.chmod(0o755)  # PostgreSQL's account has to pass
    os.environ["PYTHONPYCACHEPREFIX"] = str(parent / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        with private_postgres(parent / "state") as url:
            _check_durable(url)
            run(module("service.cli", "--help"))  # compiles, so that no measured start has to
            yield Machine(url, parent, busy)
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _check_durable(url: str) -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        value = query(url, f"SHOW {name}")
        if value != "on":
            raise BenchError(f"PostgreSQL runs with {name} = {value}: what it commits is not durable.")


def create_database(machine: Machine, name: str, *, migrated: bool = True) -> str:
    """A new database in place of any of that name; migrated, it also lets the benchmarks' token write."""
    with psycopg.connect(machine.url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_conninfo(machine.url, dbname=name)
    if migrated:
        migrate(url)
        execute(url, "INSERT INTO token (hash, role, owner, created_at) VALUES (%s, 'admin', 'bench', now())",
                hash_token(TOKEN))  # fmt: skip
    return url


def copy_database(machine: Machine, name: str, copy: str) -> str:
    """A copy of a database to which nobody is connected, as it is now."""
    with psycopg.connect(machine.url, autocommit=True) as connection:
        names = (sql.Identifier(copy), sql.Identifier(name))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(*names))
    return make_conninfo(machine.url, dbname=copy)


def execute(url: str, statement: str, *values: object) -> None:
    """Runs a statement of the benchmarks' own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode(), values or None)


def query(url: str, statement: str) -> object:
    """The one value that a query gives."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def environment(url: str = "") -> dict[str, str]:
    """Ours, with the project importable, the database set, and no limit to what one client may send."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    unlimited = {"READS_PER_MINUTE": "0", "WRITES_PER_MINUTE": "0"}
    return os.environ | unlimited | {"PYTHONPATH": paths, "DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}


def module(name: str, *arguments: object) -> list[str]:
    """The command that runs a module with this Python."""
    return [sys.executable, "-m", name, *map(str, arguments)]


def run(command: Sequence[str], *, url: str = "", given: bytes = b"") -> bytes:
    """What a command prints; raises `BenchError` with what it says where it fails."""
    done = subprocess.run(command, check=False, input=given, capture_output=True, env=environment(url))
    if done.returncode != 0:
        said = (done.stdout[-2000:] + done.stderr[-4000:]).decode(errors="replace")
        raise BenchError(f"{' '.join(command)[:300]} failed ({done.returncode}):\n{said}")
    return done.stdout


def flush_rate(machine: Machine, seconds: float) -> float:
    """How often in a second the disk makes a page durable for one process: what every ordered commit waits for."""
    page, done, began = bytes(8192), 0, time.perf_counter()
    with (machine.folder / "flushed").open("wb", buffering=0) as file:
        while (spent := time.perf_counter() - began) < seconds:
            file.seek(0)
            file.write(page)
            getattr(os, "fdatasync", os.fsync)(file)
            done += 1
    return done / spent


def describe(machine: Machine) -> str:
    """The machine and the versions, on one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    postgres = str(query(machine.url, "SHOW server_version"))
    return (
        f"{cores} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, PostgreSQL {postgres} "
        f"(fsync on, wal_sync_method {query(machine.url, 'SHOW wal_sync_method')}, shared_buffers "
        f"{query(machine.url, 'SHOW shared_buffers')}), Python {platform.python_version()}; "
        f"load average before the run {machine.busy:.1f}"
    )
