"""The guard: a small process that sleeps until nobody uses the server, then stops it."""

import contextlib
import fcntl
import os
import sys
from pathlib import Path

from service.postgres.place import Place, change, choose_account, lock_file
from service.postgres.server import stop
from service.postgres.system import spawn, try_lock

_ROOT = Path(__file__).resolve().parent.parent.parent
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from service.postgres.guard import guard; guard(sys.argv[2], int(sys.argv[3]))"
)


def ensure_guard(place: Place) -> None:
    """Starts a guard, unless there is one: without any package, and without what a user has set for Python."""
    with lock_file(place, "guard.lock") as lock:
        if try_lock(lock):
            command = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_ROOT), str(place.folder), str(lock)]
            spawn(command, Path(os.devnull), lock)


def guard(folder: str, lock: int) -> None:
    """Sleeps until nobody uses the server, then stops it.

    Each turn waits in the kernel for the last user to go, and the turns end with the server. The guard's own
    lock goes before the change lock does, or the next user could take a leaving guard for one that stays.
    """
    with contextlib.suppress(FileNotFoundError):  # the folder was removed in the meantime
        _watch(Path(folder), lock)


def _watch(folder: Path, lock: int) -> None:
    place = Place(folder, choose_account(folder))
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    with lock_file(place, "users.lock") as users:
        while True:
            fcntl.flock(users, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_UN)
            with change(place):
                if try_lock(users):
                    stop(place)
                    os.close(lock)
                    return
