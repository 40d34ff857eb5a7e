"""The room that imports take, which is bounded: how many there are at once, and what the disk has for their files."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from service.domain.errors import Busy, NoRoom

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_DATABASE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})
_NO_ROOM = "There is no room on the disk for this file now; send it again once there is, or in parts."


class Places:
    """How many imports may be under way at once in a process."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Takes a place for as long as the block lasts; raises `Busy` where there is none."""
        if self._taken >= self._most:
            raise Busy(f"At most {self._most} imports run at once; nothing was read. Send the file again later.")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


@contextmanager
def room_on_disk() -> Iterator[None]:
    """Work that writes to the disk; raises `NoRoom` where that is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise NoRoom(_NO_ROOM) from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in _FULL_DATABASE:
            raise
        raise NoRoom(_NO_ROOM) from error
