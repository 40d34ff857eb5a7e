"""The same answers as tables: CSV, XLSX, JSON Lines. By suffix of the address, or by `Accept`.

An answer is a document; its table is what it lists. Nested objects become columns with dotted names, those at the top
of a shape whether or not they are filled; lists of words are joined, lists of objects stay JSON. Each row says on what
basis it was answered and how it may be used, so that a table that is passed on still does.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import xlsxwriter
from starlette.types import ASGIApp, Receive, Scope, Send

from service.domain.answers import Json
from service.reading.cells import guarded, joined

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
"""By name; the first is what the answer is about, and the only one where a format has no room for more."""

_NESTED: dict[str, tuple[str, ...]] = {
    "actor": ("code", "name"),
    "issuer": ("code", "name"),
    "quantity": ("min", "max", "unit", "approximate", "text"),
    "money": ("min_amount", "max_amount", "currency"),
    "delivered": ("complete", "deliveries", "quantities", "money"),
    "change": ("label", "from", "to"),
    "date": ("edtf", "earliest", "latest"),
    "force": ("name", "aliases"),
    "occurred": ("edtf", "basis"),
    "said_by": ("actor", "name", "post", "official"),
}


def table(rows: Iterable[Row], about: Row) -> tuple[list[str], list[list[Any]]]:
    """Columns and cells of rows; what is the same for all of them stands last."""
    flat, same = [_flat(row) for row in rows], _flat(about)
    columns = list(dict.fromkeys(name for row in flat for name in row))
    return [*columns, *same], [[*map(row.get, columns), *same.values()] for row in flat]


def _flat(row: Row, prefix: str = "") -> Json:
    flat: Json = {}
    for name, value in row.items():
        column = prefix + name
        if isinstance(value, dict):
            flat |= _flat({part: value.get(part) for part in _NESTED.get(name, ())} | value, f"{column}.")
        elif value is None and name in _NESTED and not prefix:
            flat |= {f"{column}.{part}": None for part in _NESTED[name]}
        elif isinstance(value, list):
            flat[column] = _joined(value)
        else:
            flat[column] = value
    return flat


def _joined(values: list[Any]) -> str | None:
    if any(isinstance(value, dict | list) for value in values):
        return orjson.dumps(values).decode()
    return joined([str(value) for value in values]) or None


def write_csv(tables: Tables, about: Row) -> bytes:
    """The first table as CSV (RFC 4180), in UTF-8; without the mark before it spreadsheets guess another encoding."""
    columns, rows = table(next(iter(tables.values())), about)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _plain(cell: Any) -> Any:  # noqa: ANN401 - any cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return guarded(cell) if isinstance(cell, str) else cell


def write_jsonl(tables: Tables, about: Row) -> bytes:
    """The first table, a JSON object to a line, nested as it is."""
    return b"".join(orjson.dumps({**row, **about}) + b"\n" for row in next(iter(tables.values())))


def write_xlsx(tables: Tables, about: Row) -> bytes:
    """Every table on a sheet of its own, and one that says what they are; the same answer is the same file."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.set_properties({"created": _NO_DATE})
        bold = book.add_format({"bold": True})
        for name, rows in {**tables, "basis": [about]}.items():
            sheet = book.add_worksheet(name[:31])
            columns, cells = table(rows, {} if name == "basis" else about)
            for column, title in enumerate(columns):
                sheet.write_string(0, column, title, bold)
            for number, row in enumerate(cells, start=1):
                for column, cell in enumerate(row):
                    _write_cell(sheet, number, column, cell)
            sheet.freeze_panes(1, 0)
            sheet.autofilter(0, 0, max(len(cells), 1), max(len(columns) - 1, 0))
            sheet.set_column(0, max(len(columns) - 1, 0), 18)
    return out.getvalue()


_NO_DATE = datetime(2000, 1, 1)  # noqa: DTZ001 - a file that names its moment would differ each time
_LARGEST_IN_A_CELL = 10**15  # beyond it a spreadsheet rounds
_LONGEST_IN_A_CELL = 32_767
_CUT = " … (cut here: a cell holds no more; the other formats have it whole)"


def _write_cell(sheet: Any, row: int, column: int, cell: Any) -> None:  # noqa: ANN401 - a sheet, any cell
    if cell is None:
        return
    if isinstance(cell, bool):
        sheet.write_boolean(row, column, cell)
    elif isinstance(cell, int) and abs(cell) < _LARGEST_IN_A_CELL:
        sheet.write_number(row, column, cell)
    else:
        text = str(cell)
        fits = len(text) <= _LONGEST_IN_A_CELL
        sheet.write_string(row, column, text if fits else text[: _LONGEST_IN_A_CELL - len(_CUT)] + _CUT)


Writer = Callable[[Tables, Row], bytes]
FORMATS: dict[str, tuple[str, Writer]] = {
    "csv": ("text/csv; charset=utf-8", write_csv),
    "jsonl": ("application/jsonl", write_jsonl),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
}
SUFFIX_OF_ATOM, ATOM = "atom", "application/atom+xml"
CLOUDEVENTS, CLOUDEVENTS_BATCH = "cloudevents", "application/cloudevents-batch+json"
_BY_TYPE = {kind.partition(";")[0]: name for name, (kind, _) in FORMATS.items()} | {
    "application/x-ndjson": "jsonl",
    CLOUDEVENTS_BATCH: CLOUDEVENTS,
    ATOM: SUFFIX_OF_ATOM,
}


class Suffixes:
    """Takes the suffix of an address for the format that is wanted: `….csv` is the table of `…`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the application answer what stands before the suffix."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            path, _, suffix = scope["path"].rpartition(".")
            if path and (suffix in FORMATS or suffix in ("json", SUFFIX_OF_ATOM)):
                scope["path"], scope["format"] = path, suffix
        await self._app(scope, receive, send)


def wanted_format(scope: Scope, accept: str | None) -> str:
    """The format asked for; `json` where none is named that there is."""
    named: str = scope.get("format", "")
    if named or not accept or accept == "*/*":
        return named or "json"
    for part in by_preference(accept):
        if part in _BY_TYPE:
            return _BY_TYPE[part]
        if part in ("application/json", "application/*", "*/*"):
            return "json"
    return "json"


def by_preference(accept: str) -> list[str]:
    """The media types of an `Accept` header, most wanted first (RFC 9110 §12.5.1)."""
    weighed = []
    for number, part in enumerate(accept.split(",")):
        kind, *parameters = (one.strip().lower() for one in part.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        try:
            weighed.append((-float(weight), number, kind))
        except ValueError:
            continue
    return [kind for weight, _, kind in sorted(weighed) if weight < 0]
