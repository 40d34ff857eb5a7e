"""JSON Lines: a JSON object to a line, in UTF-8."""

from collections.abc import Iterator
from typing import BinaryIO

import orjson

from service.domain.errors import Fault
from service.reading.row import LONGEST_ROW, MARK, Row, unreadable


class Lines:
    """The lines of a file, by their numbers; empty ones say nothing."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def column_of(self, _: str) -> None:
        """A line has no columns."""

    def __iter__(self) -> Iterator[Row]:
        """Each line as what it says; one that cannot be read is no hindrance to the next."""
        number = 0
        while line := self._file.readline(LONGEST_ROW):
            number += 1
            if number == 1:
                line = _without_mark(line)
            if len(line) == LONGEST_ROW and not line.endswith(b"\n"):
                yield self._too_long(number)
            elif line.strip():
                yield _parse(number, line)

    def _too_long(self, number: int) -> Row:
        while (passed := self._file.readline(LONGEST_ROW)) and not passed.endswith(b"\n"):
            pass
        return _fault(number, "too_long", f"This line is longer than {LONGEST_ROW} bytes.")


def _without_mark(line: bytes) -> bytes:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise unreadable("This is UTF-16; JSON Lines are UTF-8. Save the file in that encoding.", "encoding", row=1)
    return line.removeprefix(MARK)


def _parse(number: int, line: bytes) -> Row:
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return _fault(number, "json_invalid", f"This line is not valid JSON: {error.msg}.")
    if not isinstance(content, dict):
        return _fault(number, "object_type", "This line is not a JSON object.")
    return Row(number, number, content, size=len(line))


def _fault(number: int, code: str, detail: str) -> Row:
    return Row(number, number, faults=(Fault("", code, detail, row=number),))
