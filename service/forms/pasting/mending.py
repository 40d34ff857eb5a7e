"""A cell of a pasted text is replaced; the other rows stay as they were, as cells."""

import csv
import io
from collections.abc import Mapping

from service.forms.pasting.sheets import Sheet


def mend(text: str, sheet: Sheet, cells: Mapping[tuple[int, int], str], *, header_row: int = 1) -> str:
    """The text with other cells, each named by the number of its row and its column's place; as it was without any."""
    lines = text.splitlines(keepends=True)
    above, table = "".join(lines[: header_row - 1]), "".join(lines[header_row - 1 :])
    rows = list(csv.reader(io.StringIO(table, newline=""), delimiter=sheet.delimiter, strict=True))
    changed = False
    for (number, nth), cell in cells.items():
        at = number - header_row
        if 0 < at < len(rows) and 0 <= nth < len(rows[at]) and rows[at][nth] != cell:
            rows[at][nth], changed = cell, True
    if not changed:
        return text
    written = io.StringIO()
    csv.writer(written, delimiter=sheet.delimiter, lineterminator="\n").writerows(rows)
    return above + written.getvalue()
