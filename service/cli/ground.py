"""What every command stands on: its settings, the database, running and migrated, and how it talks."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from service import memory
from service.database import Connection, Pool, open_pool
from service.load import load_seeds
from service.migrate import migrate
from service.postgres import private_postgres
from service.record import Recorder
from service.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent.parent
SEEDS = _ROOT / "seeds"
Result = TypeVar("Result")
talk = Console(stderr=True, highlight=False)
"""Where remarks go: standard output is for answers."""


def read_settings() -> Settings:
    """The settings; says what is wrong with them, and ends."""
    try:
        settings = Settings()
    except ValidationError as error:
        faults = "; ".join(
            ": ".join([*(str(name).upper() for name in one["loc"]), one["msg"].removeprefix("Value error, ")])
            for one in error.errors(include_input=False)
        )
        fail(f"A setting is not valid: {faults}.")
    if "STATE_DIR" in os.environ:
        return settings
    return settings.model_copy(update={"state_dir": _default_state_dir()})


def _default_state_dir() -> Path:
    """Beside the code; for root only where the unprivileged user that PostgreSQL needs can come there."""
    beside = _ROOT / ".state"
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in beside.parents):
        return beside
    return Path("/var/lib/pledge-registry")


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The address of the database: the one that is set, or the private one, running."""
    if settings.database_url:
        yield settings.database_url
        return
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"The folder of STATE_DIR cannot be made: {error.strerror}.")
    with private_postgres(settings.state_dir.absolute()) as url:
        yield url


@contextlib.contextmanager
def migrated() -> Iterator[str]:
    """The same, with the tables that this version needs."""
    with database(read_settings()) as url:
        migrate(url)
        memory.settle()
        yield url


@asynccontextmanager
async def recording(url: str) -> AsyncIterator[tuple[Pool, Recorder]]:
    """A recorder on a database, and its pool."""
    async with open_pool(url, size=2) as pool, Recorder(pool) as recorder:
        yield pool, recorder


async def with_connection(url: str, work: Callable[[Connection], Coroutine[Any, Any, Result]]) -> Result:
    """What some work comes to on a connection to a database that is migrated."""
    async with open_pool(url, size=2) as pool, pool.connection() as connection:
        return await work(connection)


def in_database(work: Callable[[Connection], Coroutine[Any, Any, Result]]) -> Result:
    """The same, on the database that is set or the private one."""
    with migrated() as url:
        return asyncio.run(with_connection(url, work))


async def record_seeds(url: str) -> int:
    """Records what the seed files say, unless it already is; answers how many entries were new."""
    async with recording(url) as (_, recorder):
        return await load_seeds(recorder, SEEDS)


@contextlib.contextmanager
def bar(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error: called with how much is done and how much there is."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn())
    with Progress(*columns, console=talk, disable=not talk.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def fail(message: str) -> NoReturn:
    """Ends the command, and says why."""
    talk.print(f"error: {message}", markup=False, soft_wrap=True)
    raise typer.Exit(1)
