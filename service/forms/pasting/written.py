"""Statements → the table that is read as them again: its columns are named like their fields, and need no mapping."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from service.reading.columns import cells_of

_FIRST = ("kind", "coalition", "subject", "actors", "occurred.edtf", "occurred.basis", "summary")


def write_table(contents: Sequence[Mapping[str, Any]]) -> str:
    """The table, parted by tabs as a spreadsheet's clipboard is: what every statement says first, then the rest."""
    rows = [cells_of(dict(content)) for content in contents]
    named = dict.fromkeys(name for row in rows for name in row)
    columns = [*(name for name in _FIRST if name in named), *(name for name in named if name not in _FIRST)]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="", delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
