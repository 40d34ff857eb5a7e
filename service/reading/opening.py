"""Which reader a file needs: by its name or media type, and with a mapping or without one."""

from enum import StrEnum
from pathlib import PurePath
from typing import BinaryIO

from service.domain.errors import Fault, Invalid
from service.reading.columns import Statements
from service.reading.lines import Lines
from service.reading.mapping import Mapping
from service.reading.row import Rows
from service.reading.translating import Translated


class Form(StrEnum):
    """The forms of files that are read."""

    JSONL = "jsonl"
    CSV = "csv"


BY_TYPE = {
    "application/jsonl": Form.JSONL,
    "application/x-ndjson": Form.JSONL,
    "application/json-lines": Form.JSONL,
    "text/csv": Form.CSV,
    "text/tab-separated-values": Form.CSV,
}
LINES = frozenset(name for name, form in BY_TYPE.items() if form is Form.JSONL)
"""The media types of JSON Lines."""
_BY_SUFFIX = {
    ".jsonl": Form.JSONL, ".ndjson": Form.JSONL, ".jsonlines": Form.JSONL,
    ".csv": Form.CSV, ".tsv": Form.CSV, ".txt": Form.CSV,
}  # fmt: skip


def form_of(name: str) -> Form | None:
    """The form that a file's name tells."""
    return _BY_SUFFIX.get(PurePath(name).suffix.lower())


def open_rows(file: BinaryIO, form: Form, mapping: Mapping | None = None) -> Rows:
    """The rows of a file; raises `Invalid` where it is not what it should be."""
    if mapping is not None and form is not Form.CSV:
        detail = "A mapping reads the columns of a CSV; this file has none."
        raise Invalid(detail, Fault("/mapping", "no_columns", detail))
    if form is Form.CSV:
        return Statements(file) if mapping is None else Translated(file, mapping)
    return Lines(file)
