"""CSV as people have it: UTF-8 or UTF-16, with commas, semicolons or tabs, and line breaks inside quotes.

A row has the number that a spreadsheet shows: the header is row 1, however many lines a cell has. What the form leaves
open is found in the header; what contradicts the form is a fault, as a guess would move cells into other columns.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from service.domain.errors import Fault
from service.reading.row import LONGEST_ROW, MARK, UNREADABLE, Unreadable, unreadable

DELIMITERS = (",", ";", "\t")
_MOST_COLUMNS = 1000
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}


class Record(NamedTuple):
    """A row of cells, or what is wrong with it."""

    number: int
    cells: Sequence[str]
    faults: tuple[Fault, ...] = ()
    size: int = 0  # characters


class Table:
    """A header, and the records below it. Raises `Unreadable` where the file is no table."""

    def __init__(self, file: BinaryIO, *, delimiter: str | None = None, header_row: int = 1) -> None:
        """``header_row`` counts from 1; what stands above it is passed over."""
        self._lines = _Lines(file)
        self._number = 0
        for _ in range(header_row - 1):
            self._lines.begin()
            self._number += 1
            if not next(self._lines, ""):
                raise unreadable("The file ends before its header.", "no_header", row=self._number)
        self._number += 1
        self._lines.begin()
        first = self._lines.header()
        if first.startswith('{"'):
            raise unreadable(_LIKE_LINES, "csv", row=self._number)
        self.delimiter = delimiter or _detect(first, self._number)
        self._records = csv.reader(self._lines, delimiter=self.delimiter, strict=True)
        self.columns = _checked([name.strip() for name in self._read(first)], self._number)

    def _read(self, header: str) -> list[str]:
        try:
            rows = list(csv.reader(io.StringIO(header, newline=""), delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            raise unreadable(f"The header is not CSV: {error}.", "csv", row=self._number) from None
        return rows[0] if rows else []

    def __iter__(self) -> Iterator[Record]:
        """The records that say anything, by their numbers."""
        while True:
            self._number += 1
            self._lines.begin()
            try:
                cells = next(self._records)
            except StopIteration:
                return
            except csv.Error as error:
                detail = f"From here on this is not CSV: {error}. Look for a quotation mark that is not closed."
                raise unreadable(detail, "csv", row=self._number) from None
            except _NotText as error:
                raise unreadable(str(error), "encoding", row=self._number) from None
            except _TooLong:
                detail = (
                    f"This row is longer than {LONGEST_ROW} characters; look for a quotation mark that is not closed."
                )
                raise unreadable(detail, "too_long", row=self._number) from None
            if any(map(str.strip, cells)):
                yield Record(self._number, cells, self._faults(cells), self._lines.size)

    def _faults(self, cells: Sequence[str]) -> tuple[Fault, ...]:
        if len(cells) != len(self.columns):
            detail = (
                f"This row has {len(cells)} cells, the header {len(self.columns)}. A {_NAMES[self.delimiter]} inside "
                "a cell needs quotation marks around the cell."
            )
            return (Fault("", "ragged", detail, row=self._number),)
        return tuple(
            Fault("", "nul", "This cell holds a NUL character; remove it.", row=self._number, column=column)
            for column, cell in zip(self.columns, cells, strict=True)
            if "\x00" in cell
        )


class _NotText(Exception):
    """The bytes are not what their encoding allows."""


class _TooLong(Exception):
    """A record is longer than any real one."""


class _Lines:
    """The lines of a file as text, in pieces; counts how much of the present record has been read."""

    def __init__(self, file: BinaryIO) -> None:
        start = file.read(len(MARK))
        file.seek(0)
        self._text = io.TextIOWrapper(file, encoding=_encoding(start), newline="")
        self._left = LONGEST_ROW

    def __del__(self) -> None:
        if not self._text.buffer.closed:
            self._text.detach()  # the file is not ours to close

    def begin(self) -> None:
        """A record begins."""
        self._left = LONGEST_ROW

    @property
    def size(self) -> int:
        """How many characters of the present record have been read."""
        return LONGEST_ROW - self._left

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(self._left + 1)
        except UnicodeDecodeError:
            raise _NotText(_ENCODING) from None
        self._left -= len(line)
        if self._left < 0:
            raise _TooLong
        if not line:
            raise StopIteration
        return line

    def header(self) -> str:
        """The first record, whose delimiter is not known yet: it ends where all its quotation marks are closed."""
        text = ""
        try:
            for line in self:
                text += line
                if text.count('"') % 2 == 0:
                    break
        except _NotText:
            raise unreadable(_ENCODING, "encoding", row=1) from None
        except _TooLong:
            raise unreadable("The header is too long.", "too_long", row=1) from None
        return text


def _encoding(start: bytes) -> str:
    """By what a file begins with: spreadsheets write UTF-16 with a mark, and UTF-8 with one or without."""
    return "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"


def text_of(content: bytes) -> str:
    """A small file as text, read as every table is; raises `Unreadable` where it is none."""
    try:
        return content.decode(_encoding(content))
    except UnicodeDecodeError:
        raise unreadable(_ENCODING, "encoding") from None


_ENCODING = (
    "This is neither UTF-8 nor UTF-16 with a byte order mark. Save the file as “CSV UTF-8”, as spreadsheets call it."
)


_LIKE_LINES = "This begins like JSON Lines, not like a table: send it as application/jsonl, or with `--format jsonl`."


def _detect(header: str, number: int) -> str:
    """The delimiter that parts the header's names; raises `Unreadable` where two would."""
    counts = {one: len(_cells(header, one)) for one in DELIMITERS}
    most = max(counts.values())
    found = [one for one, count in counts.items() if count == most]
    if most > 1 and len(found) > 1:
        named = " and ".join(_NAMES[one] for one in found)
        detail = f"The header could be parted by {named} alike. Put names that hold one of them in quotation marks."
        raise unreadable(detail, "delimiter", row=number)
    return found[0]


def _cells(header: str, delimiter: str) -> list[str]:
    return next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), [])


def _checked(names: list[str], number: int) -> list[str]:
    """The names of the columns, each there and each once."""
    if not any(names):
        raise unreadable("The file has no header: its first row names the columns.", "no_header", row=number)
    if len(names) > _MOST_COLUMNS:
        raise unreadable(f"A table has at most {_MOST_COLUMNS} columns.", "columns", row=number)
    if any("\x00" in name for name in names):
        raise unreadable(f"The header holds NUL characters. {_ENCODING}", "encoding", row=number)
    faults = []
    for nth, name in enumerate(names, start=1):
        if not name:
            faults.append(Fault("", "unnamed_column", f"Column {nth} has no name in the header.", row=number))
        elif names.index(name) < nth - 1:
            detail = f"Column {nth} has the name of column {names.index(name) + 1}."
            faults.append(Fault("", "duplicate_column", detail, row=number, column=name))
    if faults:
        raise Unreadable(UNREADABLE, *faults)
    return names
