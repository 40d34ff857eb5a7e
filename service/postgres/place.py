"""The folder of the private PostgreSQL: to whom it belongs, its locks, and where its socket is."""

import contextlib
import os
import pwd
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from service.postgres.system import (
    PATIENCE_WITH_OTHERS,
    Account,
    PostgresError,
    run,
    try_lock,
    wait_until,
)

DATABASE = SUPERUSER = "registry"
PORT = 5432  # only names the socket file
_SOCKET_PATH_LIMIT = 103  # bytes; sockaddr_un holds 108 on Linux, 104 on macOS, each with a closing zero
_LOCKS = ("users.lock", "change.lock", "server.lock", "guard.lock")


@dataclass(frozen=True)
class Place:
    """Where all of it lies, and as whom the server runs there; None: as ourselves."""

    folder: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"


def prepare(state_dir: Path) -> Place:
    """Makes the folder and gives it to the server's account; nothing above the state folder is changed."""
    state = state_dir.absolute()
    for folder in reversed([each for each in (state, *state.parents) if not each.exists()]):
        folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            folder.chmod(0o755)  # whatever the umask: the server's account has to pass
    folder = state.resolve() / "postgres"
    folder.mkdir(mode=0o700, exist_ok=True)
    place = Place(folder, choose_account(folder))
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


def _make_lock_files(place: Place) -> None:
    """Here alone, so that a guard that ends late makes nothing in a folder that is being removed."""
    for name in _LOCKS:
        lock = os.open(place.folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if place.account:
            os.fchown(lock, place.account.uid, place.account.gid)
        os.close(lock)


def choose_account(folder: Path) -> Account | None:
    """As whom the server runs; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat()
    if owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError(
        "PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody. "
        "Start as an ordinary user, or set DATABASE_URL to a server that runs already."
    )


def _can_enter(folder: Path, account: Account | None) -> bool:
    return run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], account).returncode == 0


@contextlib.contextmanager
def change(place: Place) -> Iterator[None]:
    """Alone, while the server is started or stopped."""
    with lock_file(place, "change.lock") as lock:
        if not wait_until(lambda: try_lock(lock), PATIENCE_WITH_OTHERS):
            raise PostgresError(
                f"Another process has been starting or stopping the server in {place.folder} for "
                f"{PATIENCE_WITH_OTHERS:.0f} s. End it, then try again."
            )
        yield


@contextlib.contextmanager
def lock_file(place: Place, name: str) -> Iterator[int]:
    """An open lock file, not yet locked; closing it drops the lock, unless a child has inherited it."""
    lock = os.open(place.folder / name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield lock
    finally:
        os.close(lock)


def socket_folder(place: Place) -> Path:
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
    return f".s.PGSQL.{PORT}"


def remove_socket(place: Place, folder: Path) -> None:
    """Removes the socket, and the folder that was made for it."""
    with contextlib.suppress(OSError):  # a name below the temporary folder may be someone else's by now
        for name in (_socket_name(), f"{_socket_name()}.lock"):
            (folder / name).unlink(missing_ok=True)
        if folder != place.folder:
            folder.rmdir()


def url_of(sockets: Path) -> str:
    """The address of the database behind a socket."""
    host = quote(os.fsencode(sockets), safe="")
    return f"postgresql:///{DATABASE}?host={host}&port={PORT}&user={SUPERUSER}"
