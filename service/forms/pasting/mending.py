"""A cell of a pasted text is replaced; the other rows stay as they were, as cells."""

import csv
import io
from collections.abc import Mapping

from service.forms.pasting.sheets import Sheet


def mend(
    text: str, sheet: Sheet, cells: Mapping[tuple[int, int], tuple[str, str]], *, header_row: int = 1
) -> tuple[str, list[int]]:
    """The text with other cells, and the rows in which that was not possible: they do not say any more what they said.

    A cell is named by the number of its row and the place of its column, with what it said before and what it says.
    """
    lines = text.split("\n")
    above, table = lines[: header_row - 1], "\n".join(lines[header_row - 1 :])
    rows = list(csv.reader(io.StringIO(table, newline=""), delimiter=sheet.delimiter, strict=True))
    changed, lost = False, []
    for (number, nth), (before, after) in cells.items():
        at = number - header_row
        present = rows[at][nth] if 0 < at < len(rows) and nth < len(rows[at]) else None
        if after in (before, present):
            continue
        if present == before:
            rows[at][nth], changed = after, True
        else:
            lost.append(number)
    if not changed:
        return text, lost
    written = io.StringIO()
    csv.writer(written, delimiter=sheet.delimiter, lineterminator="\n").writerows(rows)
    return "\n".join([*above, written.getvalue()]), lost
