"""Tables as files: CSV, JSON Lines, XLSX, Parquet. Each is a pure function from sheets to bytes.

Nested objects are columns with dotted names; lists of words are joined, lists of objects are JSON. Each row says on
what basis it was answered and how it may be used, so that a table that is passed on still does.
"""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
import xlsxwriter

from service.domain.dates import parse_instant
from service.reading.cells import guarded, joined
from service.web.fields import Column, Kind, Members, Row, Sheet, cell, columns_of

BASIS: Members = {
    "as_of": Kind.INSTANT,
    "known_position": Kind.INTEGER,
    "known_at": Kind.INSTANT,
    "log_root": Kind.TEXT,
    "rules_version": Kind.TEXT,
    "url": Kind.TEXT,
}
Writer = Callable[[Sequence[Sheet], Row], bytes]
"""The sheets of an answer, and what it rests on (`basis`, `licence`) → a file; the same answer is the same file."""


def _about(about: Row) -> Sheet:
    members: Members = {name: Kind.TEXT if name == "licence" else BASIS for name in about}
    return Sheet("basis", list(columns_of(members)), [about])


def _values(row: Row, columns: Sequence[Column]) -> list[Any]:
    return [_plain(cell(row, column.path)) for column in columns]


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A value as one cell has it."""
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        return joined([str(one) for one in value]) or None
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


# --- text -------------------------------------------------------------------------------------------------------------


def write_csv(sheets: Sequence[Sheet], about: Row) -> bytes:
    """The first table as CSV (RFC 4180), in UTF-8; without the mark before it spreadsheets guess another encoding."""
    sheet, same = sheets[0], _about(about)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(column.title for column in (*sheet.columns, *same.columns))
    last = [_word(value) for value in _values(about, same.columns)]
    writer.writerows([*map(_word, _values(row, sheet.columns)), *last] for row in sheet.rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _word(value: Any) -> Any:  # noqa: ANN401 - any cell
    if isinstance(value, bool):
        return "true" if value else "false"
    return guarded(value) if isinstance(value, str) else value


def write_jsonl(sheets: Sequence[Sheet], about: Row) -> bytes:
    """The first table, a JSON object to a line, nested as it is."""
    return b"".join(orjson.dumps({**row, **about}) + b"\n" for row in sheets[0].rows)


# --- XLSX -------------------------------------------------------------------------------------------------------------

_NO_DATE = datetime(2000, 1, 1)  # noqa: DTZ001 - a file that names its moment would differ each time
_LARGEST_IN_A_CELL = 10**15  # beyond it a spreadsheet rounds
_LONGEST_IN_A_CELL = 32_767
_LONGEST_TITLE = 31
_CUT = " … (cut here: a cell holds no more; the other formats have it whole)"
_WIDTH = 18


def write_xlsx(sheets: Sequence[Sheet], about: Row) -> bytes:
    """Every table on a sheet of its own, and one that says what they are."""
    out, same = io.BytesIO(), _about(about)
    last = _values(about, same.columns)
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.set_properties({"created": _NO_DATE})
        bold = book.add_format({"bold": True})
        for sheet in sheets:
            rows = ([*_values(row, sheet.columns), *last] for row in sheet.rows)
            _fill(book, sheet.title, [*sheet.columns, *same.columns], rows, bold)
        _fill(book, same.title, same.columns, [last], bold)
    return out.getvalue()


def _fill(book: Any, title: str, columns: Sequence[Column], rows: Any, bold: Any) -> None:  # noqa: ANN401 - a workbook
    sheet = book.add_worksheet(title[:_LONGEST_TITLE])
    for number, column in enumerate(columns):
        sheet.write_string(0, number, column.title, bold)
    row = 0
    for row, values in enumerate(rows, start=1):
        for number, value in enumerate(values):
            _write_cell(sheet, row, number, value)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(row, 1), len(columns) - 1)
    sheet.set_column(0, len(columns) - 1, _WIDTH)


def _write_cell(sheet: Any, row: int, column: int, value: Any) -> None:  # noqa: ANN401 - a sheet, any cell
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int) and abs(value) < _LARGEST_IN_A_CELL:
        sheet.write_number(row, column, value)
    else:
        text = str(value)
        fits = len(text) <= _LONGEST_IN_A_CELL
        sheet.write_string(row, column, text if fits else text[: _LONGEST_IN_A_CELL - len(_CUT)] + _CUT)


# --- Parquet ----------------------------------------------------------------------------------------------------------


def write_parquet(sheets: Sequence[Sheet], about: Row) -> bytes:
    """The first table with typed columns, any of which may be empty; what it rests on is in the file's metadata too."""
    import pyarrow as pa  # noqa: PLC0415 - an optional extra, and slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415 - the same

    types: dict[Kind, Any] = {
        Kind.TEXT: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),  # exact up to 2^53, beyond which no number is recorded
        Kind.AMOUNT: pa.decimal128(21, 6),
        Kind.BOOLEAN: pa.bool_(),
        Kind.DATE: pa.date32(),
        Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    }
    sheet, same = sheets[0], _about(about)
    every = [(column, sheet.rows) for column in sheet.columns]
    every += [(column, [about] * len(sheet.rows)) for column in same.columns]
    schema = pa.schema(
        [pa.field(column.title, types[column.kind]) for column, _ in every],
        {name: value if isinstance(value, str) else orjson.dumps(value) for name, value in about.items()},
    )
    arrays = [
        pa.array([_typed(_plain(cell(row, column.path)), column.kind) for row in rows], types[column.kind])
        for column, rows in every
    ]
    out = io.BytesIO()
    pq.write_table(pa.table(arrays, schema=schema), out)
    return out.getvalue()


_TYPED: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: str,
    Kind.NUMBER: float,
    Kind.AMOUNT: Decimal,
    Kind.DATE: date.fromisoformat,
    Kind.INSTANT: parse_instant,
}


def _typed(value: Any, kind: Kind) -> Any:  # noqa: ANN401 - any cell
    return value if value is None or kind not in _TYPED else _TYPED[kind](value)
