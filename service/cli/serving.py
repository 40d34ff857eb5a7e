"""The command that serves: it starts what is needed, and looks after it until it ends."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Annotated

import typer

from service.access import Role, create_token
from service.cli.ground import database, fail, read_settings, record_seeds, talk, with_connection
from service.journal import Journal
from service.migrate import check_rules, migrate
from service.postgres import PostgresError, is_running, private_postgres
from service.settings import Settings

_CHECK_SECONDS = 0.5
_LOGGER = logging.getLogger(__name__)


def serve(*, seeds: Annotated[bool, typer.Option(help="Load the seeds first.")] = True) -> None:
    """Migrate, load the seeds, and serve until SIGINT or SIGTERM."""
    leave = _Leave()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which is not there in the background of a script
    signal.signal(signal.SIGTERM, leave)
    settings = read_settings()
    journal = Journal(look=settings.log_format, level=settings.log_level)
    with journal.in_use(), database(settings) as url, _kept_running(settings):
        migrate(url)
        check_rules(url)
        if seeds:
            added = asyncio.run(record_seeds(url))
            _announce(journal, f"seeds: {added} new")
        secret = None if settings.database_url else _local_token(settings, url)
        from service.server import serve_until_stopped  # noqa: PLC0415 - no other command loads the web's libraries

        try:
            served = settings.model_copy(update={"database_url": url})
            started = serve_until_stopped(served, journal, secret, lambda: leave.asked)
        except SystemExit:
            fail("The service cannot start; see above. Where the port is taken, set PORT to another; 0 takes any.")
    if not started:
        raise typer.Exit(1)


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
    try:
        watcher.start()  # a signal may end this before it has returned
        yield
    finally:
        leaving.set()
        if watcher.is_alive():
            watcher.join()


def _announce(journal: Journal, what: str) -> None:
    """Says something that belongs to every start, on a terminal too."""
    if journal.is_json:
        _LOGGER.info(what)
    else:
        talk.print(what)


def _local_token(settings: Settings, url: str) -> str:
    """The token for local use: made once, kept where only its owner can read it."""
    path = settings.state_dir / "token"
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    made = with_connection(url, lambda connection: create_token(connection, role=Role.ADMIN, owner="local"))
    secret, _ = asyncio.run(made)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
    return secret


class _Leave:
    """What ends a start: as Ctrl-C does it, so that a loop is left in order, and is not broken off wherever it is.

    It is kept in mind as well, for a library may let no exception through while it is being imported.
    """

    asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """A signal has come."""
        del number
        self.asked = True
        interrupt = signal.getsignal(signal.SIGINT)
        assert callable(interrupt)
        interrupt(signal.SIGINT, frame)
