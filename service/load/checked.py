"""The rows of a file once they have been checked: on disk, in their order, to be recorded from there.

What has been checked is not read a second time from a file that may have changed meanwhile, nor kept in memory.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from typing import NamedTuple, Self

import orjson

from service.domain.errors import Fault, Invalid

MOST_FAULTS = 100
"""How many faults are told at once; there may be more."""


class Good(NamedTuple):
    """A row that can be recorded, or was: then with its event's id and position."""

    first: int
    last: int
    kind: str
    key: str
    body: bytes
    event_id: str | None = None
    position: int | None = None

    @property
    def is_new(self) -> bool:
        """Whether it is still to be recorded."""
        return self.event_id is None

    @property
    def digest(self) -> bytes:
        """The hash of what it says, with which its key begins."""
        return bytes.fromhex(self.key.partition("/")[0])


class Bad(NamedTuple):
    """A row that cannot be recorded."""

    first: int
    last: int
    faults: tuple[Fault, ...]


class LeftOut(NamedTuple):
    """A row that is not meant to be recorded."""

    first: int
    last: int
    why: str


Checked = Good | Bad | LeftOut


def size_of(one: Checked) -> int:
    """How much of it is in memory, about: what is recorded of it."""
    return len(one.body) if isinstance(one, Good) else 0


class Spool:
    """Checked rows on disk; bounded, and gone when it is closed."""

    def __init__(self, most_bytes: int | None = None) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the spool
        self._most, self._size = most_bytes, 0
        self.rows = self.good = self.known = self.bad = self.left_out = self.fault_count = 0
        self.first_faults: list[Fault] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what there was no room for is not wanted any more
            self._file.close()

    def put(self, one: Checked) -> None:
        """Takes a row in; raises `Invalid` where there is no more room."""
        self.rows += 1
        if isinstance(one, Good):
            self.good += 1
            self.known += not one.is_new
            self._write([one.first, one.last, one.kind, one.key, one.event_id, one.position], one.body)
        elif isinstance(one, Bad):
            self.bad += 1
            self.fault_count += len(one.faults)
            self.first_faults += one.faults[: MOST_FAULTS - len(self.first_faults)]
            faults = [[fault.pointer, fault.code, fault.detail, fault.row, fault.column] for fault in one.faults]
            self._write([one.first, one.last, faults])
        else:
            self.left_out += 1
            self._write([one.first, one.last, one.why])

    def _write(self, head: list[object], body: bytes | None = None) -> None:
        line = orjson.dumps(head) + b"\n" + (b"" if body is None else body + b"\n")
        self._size += len(line)
        if self._most is not None and self._size > self._most:
            detail = "The rows of this file are too large together; send it in parts."
            raise Invalid(detail, Fault("", "too_large", detail))
        self._file.write(line)

    def __iter__(self) -> Iterator[Checked]:
        """All rows, from the first on."""
        self._file.seek(0)
        while line := self._file.readline():
            first, last, *rest = orjson.loads(line)
            if len(rest) > 1:
                kind, key, event_id, position = rest
                yield Good(first, last, kind, key, self._file.readline()[:-1], event_id, position)
            elif isinstance(rest[0], str):
                yield LeftOut(first, last, rest[0])
            else:
                yield Bad(first, last, tuple(Fault(*fault) for fault in rest[0]))
