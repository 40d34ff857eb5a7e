"""The server itself: started, found again, and stopped, each under the change lock."""

import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.postgres.binaries import binaries_for, major_version
from service.postgres.place import DATABASE, PORT, SUPERUSER, Place, lock_file, remove_socket, socket_folder
from service.postgres.system import PostgresError, command_line, last_lines, run, spawn, try_lock, wait_until

PATIENCE = 60.0
"""Seconds to start, or to stop."""
BRIEF_PATIENCE = 10.0
"""Seconds for what takes milliseconds."""
_LARGE_LOG = 10_000_000  # bytes
_UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Server:
    """A server that runs: its process, its socket, what it says of itself, and how it was started."""

    pid: int
    sockets: Path
    status: str
    command: str


def running_server(place: Place, durable: bool, settings: Mapping[str, str], binaries: Path | None) -> Server:
    """The server on these data, started unless it runs."""
    server = find_server(place)
    if server and server.status == "stopping":
        wait_until(lambda: find_server(place) is None, PATIENCE)
        server = find_server(place)
    if server is None:
        return _start(place, durable, settings, binaries)
    if durable and "fsync=off" in server.command:
        raise PostgresError(
            f"The server in {place.folder} was started for tests, without durability. End the processes that "
            "use it, or set STATE_DIR to another folder."
        )
    return _await_ready(place, server.pid, 0)


def _start(place: Place, durable: bool, settings: Mapping[str, str], binaries: Path | None) -> Server:
    folder = binaries_for(place, binaries)
    options = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "off",
        **({} if durable else _UNSAFE_BUT_FAST),
        **settings,
    }
    with lock_file(place, "server.lock") as lock:
        _wait_for_dying_processes(place, lock)
        if not place.data.exists():
            _initialise(place, folder, durable, lock)
        stale_pid = _forget_dead_server(place)
        sockets = socket_folder(place)
        options["unix_socket_directories"] = f'"{sockets}"'
        log_offset = _end_of_log(place.log)
        pid = _spawn_server(place, folder, options, lock, stale_pid)
    try:
        return _await_ready(place, pid, log_offset)
    except PostgresError:
        if find_server(place) is None:
            remove_socket(place, sockets)
        raise


def _end_of_log(log: Path) -> int:
    """Its size; a log that has grown too large is put aside first."""
    size = log.stat().st_size if log.exists() else 0
    if size < _LARGE_LOG:
        return size
    log.replace(log.with_name(f"{log.name}.1"))
    return 0


def _wait_for_dying_processes(place: Place, lock: int) -> None:
    """The children of a killed server, and an initdb whose caller was killed, end by themselves."""
    if not wait_until(lambda: try_lock(lock), PATIENCE):
        raise PostgresError(
            f"The data in {place.data} are in use by a server that cannot be seen from here, perhaps in "
            "another container. Stop it, or set STATE_DIR to another folder."
        )


def _initialise(place: Place, folder: Path, durable: bool, lock: int) -> None:
    """Makes the cluster and its database beside, then renames: `data` is complete or does not exist."""
    fresh = place.folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)  # what a killed start has left
    modern = major_version(folder) >= 17  # noqa: PLR2004 - the first with a locale provider of its own
    provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if modern else []
    initdb: list[str | Path] = [
        folder / "initdb",
        "-D",
        fresh,
        "-U",
        SUPERUSER,
        "-E",
        "UTF8",
        "-k",
        *provider,
    ]
    initdb += [
        "--auth-local=trust",
        "--auth-host=reject",
        "--lc-collate=C",
        "--lc-messages=C",
        "--no-instructions",
    ]
    initdb += [] if durable else ["--no-sync"]
    # Texts are sorted by code point everywhere; letters beyond ASCII are known as such where the system can.
    result = run([*initdb, "--lc-ctype=C.UTF-8"], place.account, inherited=(lock,))
    if result.returncode != 0:
        result = run([*initdb, "--lc-ctype=C"], place.account, inherited=(lock,))
    if result.returncode == 0:
        single: list[str | Path] = [folder / "postgres", "--single", "-D", fresh, "-c", "exit_on_error=on"]
        single += [] if durable else ["-c", "fsync=off"]
        sql = f"CREATE DATABASE {DATABASE}\n"
        result = run([*single, "postgres"], place.account, text=sql, inherited=(lock,))
    if result.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise PostgresError(
            f"No database could be made in {place.folder}. Mend what PostgreSQL says below, or set STATE_DIR "
            f"to another folder.\n{last_lines(result.stdout + result.stderr)}"
        )
    fresh.rename(place.data)
    _sync_folder(place.folder)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _forget_dead_server(place: Place) -> str:
    """Removes what a killed server left, but for its pid file: PostgreSQL looks in there for living children.

    Gives the stale number, which the new server is told not to mind, as it may belong to a stranger by now.
    """
    fields = _read_pid_file(place)
    sockets = Path(fields[4])
    if sockets.name.startswith("registry-"):
        remove_socket(place, sockets)
    remove_socket(place, place.folder)
    return fields[0]


def _spawn_server(place: Place, folder: Path, options: Mapping[str, str], lock: int, stale_pid: str) -> int:
    """PG_GRANDPARENT_PID is how pg_ctl, too, tells the server which number in a pid file is no rival."""
    arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
    command: list[str | Path] = [folder / "postgres", "-D", place.data, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {"LC_ALL": "C", "PG_GRANDPARENT_PID": stale_pid}
    return spawn(command, place.log, lock, account=place.account, environment=environment)


def _await_ready(place: Place, pid: int, log_offset: int) -> Server:
    """The server with this pid, once it takes connections; its part of the log begins at the offset."""
    ready: list[Server] = []

    def is_decided() -> bool:
        server = find_server(place)
        if server and server.pid == pid and server.status == "ready":
            ready.append(server)
        return bool(ready) or not command_line(pid)

    decided = wait_until(is_decided, PATIENCE)
    if ready:
        return ready[0]
    with place.log.open("rb") as log:
        log.seek(log_offset)
        said = last_lines(log.read().decode(errors="replace"))
    what = "ended while starting" if decided else f"was not ready after {PATIENCE:.0f} s"
    raise PostgresError(f"PostgreSQL {what}. Mend what the end of {place.log} says:\n{said or '(nothing)'}")


def stop(place: Place) -> None:
    """A fast shutdown; after a minute an immediate one: nothing is lost, but the next start has to recover.

    A server that was only just born may have the lock already, and no pid file yet.
    """
    with lock_file(place, "server.lock") as lock:
        wait_until(lambda: try_lock(lock) or find_server(place) is not None, BRIEF_PATIENCE)
        for number, patience in ((signal.SIGINT, PATIENCE), (signal.SIGQUIT, BRIEF_PATIENCE)):
            server = find_server(place)
            if server is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.pid, number)
            if wait_until(lambda: try_lock(lock), patience):
                remove_socket(place, server.sockets)
                return


def find_server(place: Place) -> Server | None:
    """The server that the pid file names, if the process of that number really is one on these data."""
    fields = _read_pid_file(place)
    if not fields[0].isdecimal():
        return None
    command = command_line(int(fields[0]))
    if f"postgres -D {place.data} -c " not in command:
        return None
    return Server(int(fields[0]), Path(fields[4]), fields[7].strip(), command)


def _read_pid_file(place: Place) -> list[str]:
    """Its lines, empty where missing: pid, data, start, port, socket folder, address, memory, status."""
    try:
        text = os.fsdecode((place.data / "postmaster.pid").read_bytes())
    except FileNotFoundError:
        text = ""
    return [*text.split("\n"), *[""] * 8]
