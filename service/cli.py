"""The command line: start the service, and look after its data.

With no DATABASE_URL every command uses the private PostgreSQL below STATE_DIR, and starts it if it is not running.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn, TypeVar

import orjson
import psycopg
import typer
from psycopg_pool import PoolTimeout
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from service import memory
from service.access import Role, Wanted, create_token, list_tokens, revoke_token
from service.accounts.links import make_link
from service.accounts.people import (
    NewPerson,
    add_person,
    change_person,
    disable_person,
    enable_person,
    get_person,
    list_people,
    parse_person,
)
from service.database import Connection, Pool, open_pool
from service.domain.dates import render_instant
from service.domain.errors import RegistryError
from service.examine import examine
from service.ids import new_event_id
from service.journal import Journal
from service.load import load_seeds
from service.load.checked import Spool
from service.load.imports import Import, Importer, OnError
from service.load.room import room_on_disk
from service.load.told import told_fault, told_outlook, told_refused
from service.log.codec import SALT_BYTES
from service.log.read import event_json, read_events
from service.migrate import check_rules
from service.migrate import migrate as migrate_database
from service.postgres import PostgresError, is_running, private_postgres
from service.reading.mapping import parse_mapping
from service.reading.opening import Form, form_of, open_rows
from service.reading.row import Rows
from service.record import Recorder
from service.segments import rebuild as rebuilding
from service.settings import Settings
from service.trial import Trial

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT / "seeds"
_CHECK_SECONDS = 0.5
_PAGE = 500
_REFUSALS = (
    psycopg.OperationalError,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
)
"""What the database says to whoever set it up otherwise than it has to be."""
Result = TypeVar("Result")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
token_app = typer.Typer(no_args_is_help=True, help="Tokens: who may do what.")
app.add_typer(token_app, name="token")
user_app = typer.Typer(no_args_is_help=True, help="Users: people who sign in.")
app.add_typer(user_app, name="user")
_talk = Console(stderr=True, highlight=False)
_LOGGER = logging.getLogger("service.cli")  # also where this is the program itself


# --- commands ---------------------------------------------------------------------------------------------------------


@app.command()
def serve(*, seeds: Annotated[bool, typer.Option(help="Load the seeds first.")] = True) -> None:
    """Migrate, load the seeds, and serve until SIGINT or SIGTERM."""
    signal.signal(signal.SIGTERM, _leave)
    settings = _settings()
    journal = Journal(look=settings.log_format, level=settings.log_level)
    with journal.in_use(), _database(settings) as url, _kept_running(settings):
        migrate_database(url)
        check_rules(url)
        if seeds:
            added = asyncio.run(_with_recorder(url, lambda recorder: load_seeds(recorder, SEEDS)))
            _announce(journal, f"seeds: {added} new")
        secret = None if settings.database_url else _local_token(settings, url)
        from service.server import serve_until_stopped  # noqa: PLC0415 - no other command loads the web's libraries

        try:
            started = serve_until_stopped(settings.model_copy(update={"database_url": url}), journal, secret)
        except SystemExit:
            _fail("The service cannot start; see above. Where the port is taken, set PORT to another; 0 takes any.")
    if not started:
        raise typer.Exit(1)


@app.command()
def migrate() -> None:
    """Bring the database to the present schema."""
    with _database(_settings()) as url:
        print(migrate_database(url))


@app.command()
def seed() -> None:
    """Record what the seed files say, unless it already is."""
    with _migrated() as url:
        print(asyncio.run(_with_recorder(url, lambda recorder: load_seeds(recorder, SEEDS))))


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="statements, as a file")],
    *,
    form: Annotated[Form | None, typer.Option("--format", help="what the file is; else its name tells")] = None,
    mapping: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="what makes statements of a CSV")
    ] = None,
    on_error: Annotated[OnError, typer.Option(help="whether a bad row stops all")] = OnError.STOP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Record nothing.")] = False,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="where a line for each row is written")] = None,
) -> None:
    """Record the statements of a file. Repeating it, also after more was put into it, records nothing twice."""
    read_as = form or form_of(file.name)
    if read_as is None:
        _fail("The name of the file does not tell what it is: say it with --format jsonl or --format csv.")
    meant = None if mapping is None else parse_mapping(mapping.read_bytes())
    with (
        room_on_disk(),
        file.open("rb") as source,
        Spool() as spool,
        report.open("wb") if report else contextlib.nullcontext() as out,
        _migrated() as url,
    ):
        rows = open_rows(source, read_as, meant)
        write = out.write if out else lambda _: None
        # A dry run goes on behind a bad row, to tell of all of them.
        asked = OnError.SKIP if dry_run else on_error
        done = asyncio.run(_import(url, source, rows, spool, asked, write, dry_run))
    _tell(told_refused(done))
    print("\n".join(told_outlook(done)) if dry_run else done.recorded)
    if done.error is not None:
        raise done.error
    if dry_run and spool.bad and on_error is OnError.STOP:
        _fail("Nothing would be recorded, as rows are refused; with --on-error skip the others would be.")


async def _import(
    url: str, source: BinaryIO, rows: Rows, spool: Spool, on_error: OnError, write: Callable[[bytes], object],
    dry_run: bool,
) -> Import:  # fmt: skip
    async with _recording(url) as (pool, recorder):
        importer = Importer(pool, recorder, "import", new_event_id, lambda: secrets.token_bytes(SALT_BYTES))
        wanted = Import(importer, spool, on_error)
        size = os.fstat(source.fileno()).st_size
        with _bar("checking", "bytes") as progress:
            await wanted.check(rows, lambda: progress(os.lseek(source.fileno(), 0, os.SEEK_CUR), size))
        stale_after, done = _settings().stale_after_days, 0
        with _bar("trying out" if dry_run else "importing", "rows") as progress:
            trying = wanted.try_out(lambda trial: _states_of(trial, stale_after)) if dry_run else wanted.record()
            async for told in trying:
                write(b"".join(orjson.dumps(row) + b"\n" for row in told))
                done += len(told)
                progress(done, spool.rows)
        return wanted


def _states_of(trial: Trial, stale_after_days: int) -> list[dict[str, Any]]:
    from service.api.imports import states_of  # noqa: PLC0415 - only a dry run loads the web's libraries

    return states_of(trial, stale_after_days)


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        _talk.print(line, markup=False, soft_wrap=True)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(dir_okay=False, writable=True, help="default: standard output")] = None,
) -> None:
    """Write the log as JSON Lines, one event to a line, in order."""
    with _migrated() as url, _bar("exporting", "events") as progress:
        target = contextlib.nullcontext(sys.stdout.buffer) if file is None else file.open("wb")
        with target as out:
            asyncio.run(_export(url, out.write, progress))


async def _export(url: str, write: Callable[[bytes], object], progress: Callable[[int, int], None]) -> None:
    async with open_pool(url, size=2) as pool, pool.connection() as connection:
        head = await (await connection.execute("SELECT size FROM log_head")).fetchone()
        done = 0
        while found := await read_events(connection, after=done, limit=_PAGE):
            write(b"".join(orjson.dumps(event_json(event)) + b"\n" for event in found))
            done = found[-1].position
            progress(done, max(done, head[0] if head else 0))


@app.command()
def rebuild() -> None:
    """Compute every state anew from the log, beside the live ones, and put them in their place."""
    with _migrated() as url, _bar("rebuilding", "events") as progress:
        findings = asyncio.run(rebuilding.rebuild(url, progress))
    _report(findings, "the states were not what the log says, and have been replaced")


@app.command()
def verify() -> None:
    """Check that every leaf is its event's, and every state what a fresh fold makes."""
    with _migrated() as url, _bar("verifying", "events") as progress:
        findings = asyncio.run(rebuilding.verify(url, progress))
    _report(findings, "the database does not hold what the log says: restore it, or run ./run rebuild for states")


def _report(findings: list[rebuilding.Finding], otherwise: str) -> None:
    for finding in findings:
        print(f"{finding.where}: {finding.what} ({finding.count})")
    if findings:
        _fail(otherwise)
    print("ok")


@app.command()
def doctor() -> None:
    """Look at everything that the service needs, and say what to do where something is wrong."""
    settings = _settings()
    with _database(settings) as url:
        found = examine(url)
    for check in found:
        print(f"{'ok ' if check.ok else 'NO '} {check.what}{'' if check.ok else ': ' + check.remedy}")
    if not all(check.ok for check in found):
        raise typer.Exit(1)


@token_app.command("new")
def new_token(
    role: Annotated[Role, typer.Option(help="what it allows")],
    owner: Annotated[str, typer.Option(help="whose it is; stands on what is recorded with it")] = "local",
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="after how many days it expires")] = None,
) -> None:
    """Make a token and print it, alone, on standard output. It cannot be shown again."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with _migrated() as url:
        print(asyncio.run(_new_token(url, role, owner, expires)))


@token_app.command("list")
def show_tokens() -> None:
    """List the tokens, also those that are over: id, role, owner, state, and when each was made, expires, was used."""
    found = _in_database(lambda connection: list_tokens(connection, Wanted()))
    rows = [
        (
            *(one.id, one.role, one.owner, one.condition),
            *("-" if at is None else render_instant(at) for at in (one.created_at, one.expires_at, one.last_used_at)),
        )
        for one in found
    ]
    for row in [("id", "role", "owner", "state", "created_at", "expires_at", "last_used_at"), *rows]:
        print(*row, sep="\t")


@token_app.command("revoke")
def end_token(token_id: Annotated[str, typer.Argument(metavar="ID", help="as `token list` shows it")]) -> None:
    """End a token for ever. Running services forget it within five seconds."""
    _in_database(lambda connection: revoke_token(connection, token_id, by=None))


@user_app.command("add")
def add_user(
    login: Annotated[str, typer.Argument(help="stands on what they record, and never changes")],
    role: Annotated[Role, typer.Option(help="what they may do")],
    name: Annotated[str, typer.Option(help="as others see them; default: the login")] = "",
    email: Annotated[str, typer.Option(help="by which a provider of OpenID Connect knows them")] = "",
) -> None:
    """Let somebody sign in: prints a link with which they set their password, once."""
    new = parse_person({"login": login, "name": name or login, "role": role, "email": email})

    async def add(connection: Connection) -> str:
        async with connection.transaction():
            await add_person(connection, new, by=None)
            return await _link(connection, new.login)

    print(_in_database(add))


@user_app.command("link")
def link_user(login: Annotated[str, typer.Argument(help="as `user list` shows it")]) -> None:
    """Print a new link with which somebody sets their password, once; the password that they have works until then."""
    print(_in_database(lambda connection: _link(connection, login)))


async def _link(connection: Connection, login: str) -> str:
    settings = _settings()
    path = await make_link(connection, login, by=None, lasts=timedelta(hours=settings.link_hours))
    return settings.address(settings.host, settings.port) + path


@user_app.command("list")
def show_users() -> None:
    """List who may sign in: login, role, state, name, e-mail address, when they were last here."""
    rows = [
        (
            *(one.login, one.role, one.condition, one.name, one.email or "-"),
            "-" if one.last_used_at is None else render_instant(one.last_used_at),
        )
        for one in _in_database(list_people)
    ]
    for row in [("login", "role", "state", "name", "email", "last_used_at"), *rows]:
        print(*row, sep="\t")


@user_app.command("role")
def change_user(
    login: Annotated[str, typer.Argument(help="as `user list` shows it")],
    role: Annotated[Role, typer.Argument(help="what they may do from now on")],
) -> None:
    """Give somebody another role; it counts at once."""

    async def change(connection: Connection) -> None:
        one = await get_person(connection, login)
        await change_person(connection, NewPerson(login=one.login, name=one.name, role=role, email=one.email))

    _in_database(change)


@user_app.command("disable")
def disable_user(login: Annotated[str, typer.Argument(help="as `user list` shows it")]) -> None:
    """End all that somebody can do: their sessions and links at once, tokens in their name within five seconds."""
    ended = _in_database(lambda connection: disable_person(connection, login, by=None))
    print(f"tokens revoked: {len(ended)}")


@user_app.command("enable")
def enable_user(login: Annotated[str, typer.Argument(help="as `user list` shows it")]) -> None:
    """Let somebody sign in again; what was ended stays ended."""
    _in_database(lambda connection: enable_person(connection, login))


# --- what the commands share ------------------------------------------------------------------------------------------


def _settings() -> Settings:
    try:
        settings = Settings()
    except ValidationError as error:
        faults = "; ".join(f"{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors(include_input=False))
        _fail(f"A setting is not valid: {faults}.")
    if "STATE_DIR" in os.environ:
        return settings
    return settings.model_copy(update={"state_dir": _default_state_dir()})


def _default_state_dir() -> Path:
    """Beside the code; for root only where the unprivileged user that PostgreSQL needs can come there."""
    beside = ROOT / ".state"
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in beside.parents):
        return beside
    return Path("/var/lib/pledge-registry")


@contextlib.contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The address of the database: the one that is set, or the private one, running."""
    if settings.database_url:
        yield settings.database_url
        return
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with private_postgres(settings.state_dir.absolute()) as url:
        yield url


@contextlib.contextmanager
def _migrated() -> Iterator[str]:
    with _database(_settings()) as url:
        migrate_database(url)
        memory.settle()
        yield url


@contextlib.contextmanager
def _kept_running(settings: Settings) -> Iterator[None]:
    """Starts the private PostgreSQL again when it was killed; a PostgreSQL of somebody else is theirs to look after."""
    if settings.database_url:
        yield
        return
    leaving = threading.Event()

    def watch() -> None:
        while not leaving.wait(_CHECK_SECONDS):
            if not is_running(settings.state_dir.absolute()):
                _LOGGER.warning("PostgreSQL is gone; starting it again")
                with contextlib.suppress(PostgresError), private_postgres(settings.state_dir.absolute()):
                    pass

    watcher = threading.Thread(target=watch, name="postgres-watcher")
    watcher.start()
    try:
        yield
    finally:
        leaving.set()
        watcher.join()


def _announce(journal: Journal, what: str) -> None:
    """Says something that belongs to every start, on a terminal too."""
    if journal.is_json:
        _LOGGER.info(what)
    else:
        _talk.print(what)


async def _with_recorder(url: str, work: Callable[[Recorder], Coroutine[Any, Any, Result]]) -> Result:
    async with _recording(url) as (_, recorder):
        return await work(recorder)


@asynccontextmanager
async def _recording(url: str) -> AsyncIterator[tuple[Pool, Recorder]]:
    async with open_pool(url, size=2) as pool, Recorder(pool) as recorder:
        yield pool, recorder


async def _with_connection(url: str, work: Callable[[Connection], Coroutine[Any, Any, Result]]) -> Result:
    async with open_pool(url, size=2) as pool, pool.connection() as connection:
        return await work(connection)


def _in_database(work: Callable[[Connection], Coroutine[Any, Any, Result]]) -> Result:
    with _migrated() as url:
        return asyncio.run(_with_connection(url, work))


async def _new_token(url: str, role: Role, owner: str, expires_at: datetime | None) -> str:
    secret, _ = await _with_connection(
        url, lambda connection: create_token(connection, role=role, owner=owner, expires_at=expires_at)
    )
    return secret


def _local_token(settings: Settings, url: str) -> str:
    """The token for local use: made once, kept where only its owner can read it."""
    path = settings.state_dir / "token"
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    secret = asyncio.run(_new_token(url, Role.ADMIN, "local", None))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
    return secret


@contextlib.contextmanager
def _bar(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error: called with how much is done and how much there is."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn())
    with Progress(*columns, console=_talk, disable=not _talk.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _leave(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(message: str) -> NoReturn:
    _talk.print(f"error: {message}", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def main() -> None:
    """Runs a command; what it refuses is said in a sentence, without a traceback."""
    try:
        app(prog_name="./run")
    except RegistryError as error:
        faults = "".join(f"\n{line}" for line in map(told_fault, error.faults))
        _talk.print(f"error: {error.detail}{faults}", markup=False, soft_wrap=True)
        sys.exit(1)
    except (PostgresError, PoolTimeout, *_REFUSALS) as error:
        _talk.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
