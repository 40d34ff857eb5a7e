"""Who uses the server: it runs as long as anybody does."""

import contextlib
import fcntl
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.postgres.guard import ensure_guard
from service.postgres.place import Place, change, lock_file, prepare, url_of
from service.postgres.server import find_server, running_server, stop
from service.postgres.system import operating_system_errors, try_lock


@contextlib.contextmanager
def private_postgres(
    state_dir: Path,
    *,
    durable: bool = True,
    settings: Mapping[str, str] = {},
    binaries: Path | None = None,
) -> Iterator[str]:
    """The URL of the database `registry` in the private server of `state_dir`, which runs at least that long.

    The first process that asks starts the server, later ones share it, the last one out stops it. Not
    `durable` is for tests: fast, and lost at a power cut. `settings` are PostgreSQL's own; they and `durable`
    count for the process that starts the server. `binaries` is a bin folder to use instead of the one that
    `find_binaries` gives. Raises PostgresError.
    """
    with operating_system_errors(state_dir):
        place = prepare(state_dir)
    with lock_file(place, "users.lock") as users:
        try:
            with operating_system_errors(state_dir), change(place):
                fcntl.flock(users, fcntl.LOCK_SH)
                ensure_guard(place)
                server = running_server(place, durable, settings, binaries)
            yield url_of(server.sockets)
        finally:
            with operating_system_errors(state_dir), change(place):
                if try_lock(users):
                    stop(place)


def is_running(state_dir: Path) -> bool:
    """Whether the private server of `state_dir` takes connections."""
    with operating_system_errors(state_dir):
        server = find_server(Place(state_dir.resolve() / "postgres", None))
    return server is not None and server.status == "ready"
