"""A pasted table, read as the import reads a file; bounded, as a page carries it in its form."""

import io
from typing import NamedTuple

from service.domain.errors import Fault, Invalid
from service.reading.table import Record, Table

MOST_ROWS = 1000
LARGEST_TABLE = 2**18
"""Bytes of a pasted table."""
MOST_COLUMNS = 30
"""Columns about which a page can ask; a mapping file may read more."""


class Sheet(NamedTuple):
    """A heading for each column, and the rows below."""

    columns: tuple[str, ...]
    records: tuple[Record, ...]
    delimiter: str

    def distinct(self, column: str) -> list[str]:
        """What the cells of a column say, each once, in order; empty ones say nothing."""
        nth = self.columns.index(column)
        cells = (record.cells[nth].strip() for record in self.records if nth < len(record.cells))
        return list(dict.fromkeys(filter(None, cells)))


def read_sheet(text: str, *, delimiter: str | None = None, header_row: int = 1) -> Sheet:
    """A pasted text as a table; raises `Invalid` where it is none, or too large for a page."""
    content = text.encode("utf-8", "surrogatepass")
    if not text.strip():
        raise _refused("empty", "Paste the rows of a table, with its row of headings first, or choose a file.")
    if len(content) > LARGEST_TABLE:
        raise _refused("too_large", f"The table is larger than {LARGEST_TABLE // 1024} KiB. {_ELSEWHERE}")
    table = Table(io.BytesIO(content), delimiter=delimiter, header_row=header_row)
    records: list[Record] = []
    for record in table:
        records.append(record)
        if len(records) > MOST_ROWS:
            raise _refused("too_many_rows", f"The table has more than {MOST_ROWS:,} rows. {_ELSEWHERE}")
    if not records:
        raise _refused("no_rows", "There are headings, and no row below them. Copy the rows too.")
    return Sheet(tuple(table.columns), tuple(records), table.delimiter)


_ELSEWHERE = (
    "Paste some of its rows to make the mapping file; with that, ./run import or POST /v1/import take it as a whole."
)


def _refused(code: str, detail: str) -> Invalid:
    return Invalid(detail, Fault("/table", code, detail))
