"""One row of a file, as far as it could be read."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from service.domain.answers import Json
from service.domain.errors import Fault, Invalid

LONGEST_ROW = 2**20
"""Bytes of a line of JSON, characters of a record of a table: a file of one endless row is not kept in memory."""
MARK = b"\xef\xbb\xbf"
"""The byte order mark, which some programs put before UTF-8."""


class Row(NamedTuple):
    """What a row says: its content, or what is wrong with it, or why it was left out, as its mapping wishes.

    A row of a table of ours may name the event that it was. Several rows that a mapping draws together are one, from
    the first to the last. ``size`` is how much was read for it, in bytes or characters.
    """

    first: int
    last: int
    content: Json | None = None
    faults: tuple[Fault, ...] = ()
    left_out: str | None = None
    event_id: str | None = None
    size: int = 0


class Rows(Protocol):
    """The rows of a file, in order."""

    def __iter__(self) -> Iterator[Row]:
        """The rows; raises `Unreadable` where the file cannot be read on from some place."""

    def column_of(self, pointer: str) -> str | None:
        """The column that a place in the content was read from."""


class Unreadable(Invalid):
    """The file is not in the form that it should have; what stands behind that place cannot be read."""


UNREADABLE = "The file cannot be read; nothing of it is recorded."


def unreadable(detail: str, code: str, *, row: int | None = None) -> Unreadable:
    """That a file cannot be read, and from where on."""
    return Unreadable(UNREADABLE, Fault("", code, detail, row=row))
