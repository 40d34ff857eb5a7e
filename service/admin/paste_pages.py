"""What a pasted table's pages carry, and what they show: where it is pasted, what is asked, what its rows say."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple, Self

from fastapi import Request
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.entering import families
from service.admin.guarding import UNSENT
from service.admin.known import list_coalitions, only_one
from service.admin.pages import render
from service.admin.pasted import Line, Looked, seen_of
from service.admin.typed import faults_at
from service.domain.errors import Fault, Invalid
from service.drafts.stored import Draft
from service.forms.fields import kind_of
from service.forms.pasting.asked import ask
from service.forms.pasting.choices import Choices
from service.forms.pasting.faults import label_at
from service.forms.pasting.sheets import LARGEST_TABLE, MOST_COLUMNS, MOST_ROWS, Sheet, read_sheet
from service.forms.reading import plain_lines
from service.forms.words import heading_of, label_of, labels_in_one
from service.reading import mapping as files
from service.reading.columns import is_known
from service.reading.mapping import Layout, parse_mapping
from service.web.serving import services

PASTE = "/admin/paste"
PASTE_AGAIN = f"{PASTE}/again"
DELIMITERS = {"": "found by itself", "tab": "tabs", "comma": "commas", "semicolon": "semicolons"}
SHOWN = 20
"""Rows on a page, and of those with faults: the page stays small, however many there are."""
_ALIKE = 10
_MOST_PAGES = 999


class Pasted(NamedTuple):
    """What a form carries of a table: its text, and the mapping where there is one."""

    table: str = ""
    mapping: str = ""
    kind: str = ""
    coalition: str = ""
    delimiter: str = ""
    title: str = ""  # of the mapping that the choices began from
    draft: str = ""  # in place of which it is sent in

    @classmethod
    def of(cls, form: Mapping[str, object]) -> Self:
        """What a form says of these."""
        return cls(**{name: plain_lines(text) for name in cls._fields if isinstance(text := form.get(name), str)})

    @property
    def meaning(self) -> files.Mapping | None:
        """What its columns mean; None where they are named like fields, as those of a returned draft are.

        Raises `Invalid` where the mapping cannot be read, or is missing.
        """
        return parse_mapping(self.mapping.encode()) if self.mapping.strip() or not self.draft else None

    @property
    def layout(self) -> Layout:
        """How the table is parted, as far as that was said."""
        return Layout.model_validate({"delimiter": self.delimiter or None})


def sheet_of(pasted: Pasted, layout: Layout) -> Sheet:
    """The table that was pasted; raises `Invalid` with what is wrong with it."""
    try:
        return read_sheet(pasted.table, delimiter=layout.delimiter, header_row=layout.header_row)
    except Invalid as error:
        raise Invalid(error.detail, *map(at_its_text, faults_at(error))) from None


def narrow_sheet_of(pasted: Pasted) -> Sheet:
    """The table that was pasted, if a page can ask about all its columns; raises `Invalid`."""
    sheet = sheet_of(pasted, pasted.layout)
    if len(sheet.columns) > MOST_COLUMNS:
        detail = f"The table has more than {MOST_COLUMNS} columns: leave some out, or begin from a mapping file."
        raise Invalid(detail, Fault("/table", "too_many_columns", detail))
    return sheet


def at_its_text(fault: Fault) -> Fault:
    """A fault of the table or the mapping, in a sentence that says where, at the text that it is in."""
    row = f"Row {fault.row}: " if fault.row is not None else ""
    column = f" (“{fault.column}”)" if fault.column else ""
    if not fault.pointer.startswith("/mapping"):
        return Fault("/table", fault.code, f"{row}{fault.detail}{column}")
    place = fault.pointer.removeprefix("/mapping").strip("/")
    return Fault("/mapping", fault.code, f"{f'{place}: ' if place else ''}{fault.detail}{column}")


async def paste_page(request: Request, pasted: Pasted, faults: Sequence[Fault] = ()) -> Response:
    """Where a table is pasted, or a file chosen."""
    coalitions = await list_coalitions(services(request))
    return render(
        request,
        "paste.html",
        status=UNSENT if faults else HTTPStatus.OK,
        faults=faults,
        pasted=pasted,
        coalitions=coalitions,
        coalition=pasted.coalition or only_one(coalitions),
        families=families(),
        delimiters=DELIMITERS,
        most_rows=MOST_ROWS,
        most_columns=MOST_COLUMNS,
        most_kib=LARGEST_TABLE // 1024,
    )


async def columns_page(
    request: Request, pasted: Pasted, choices: Choices, sheet: Sheet, faults: Sequence[Fault] = (), *,
    fresh: Sequence[int] = (),
) -> Response:  # fmt: skip
    """What is asked of each column; ``fresh`` are those whose questions nobody has seen yet."""
    return render(
        request,
        "paste_columns.html",
        status=UNSENT if faults else HTTPStatus.OK,
        faults=faults,
        pasted=pasted,
        page=await asyncio.to_thread(ask, choices, sheet, faults),  # whom a name may mean takes a while
        kind=heading_of(kind_of(choices.kind)),
        rows=len(sheet.records),
        fresh=fresh,
        is_first=request.scope["path"] == PASTE,
        of_table=hashlib.sha256(pasted.table.encode("utf-8", "replace")).hexdigest()[:12],
    )


class Cell(NamedTuple):
    """A cell that is at fault, to be mended where it stands."""

    place: str  # the number of its row, and the place of its column
    column: str
    value: str
    details: tuple[str, ...]


class Mending(NamedTuple):
    """A row with faults: those of its cells, and others."""

    line: Line
    cells: tuple[Cell, ...]
    details: tuple[str, ...]


def rows_page(
    request: Request, caller: Caller, pasted: Pasted, looked: Looked | None, sheet: Sheet | None,
    faults: Sequence[Fault], *, key: str, form: Mapping[str, str], returned: Draft | None, status: int = UNSENT,
) -> Response:  # fmt: skip
    """What the rows say, some at a time; those with faults first, each with its cells to be mended."""
    lines = looked.lines if looked else ()
    pages = max(1, -(-len(lines) // SHOWN))
    wanted = form.get("page", "")
    page = min(max(int(wanted), 1), pages) if wanted in map(str, range(_MOST_PAGES)) else 1
    bad = bool(faults) or bool(looked and (looked.at_fault or looked.refusal))
    faulty = [_mending(line, sheet) for line in looked.at_fault[:SHOWN]] if looked and sheet else []
    wanted = form.get("change", "")
    changing = [_changing(line, sheet) for line in lines if str(line.first) == wanted and not line.faults and sheet]
    return render(
        request,
        "paste_rows.html",
        status=status if bad else HTTPStatus.OK,
        faults=faults,
        pasted=pasted,
        looked=looked,
        lines=lines[(page - 1) * SHOWN : page * SHOWN],
        page=page,
        pages=pages,
        faulty=faulty,
        opened=[*faulty, *changing],
        changed=changing[0].line.first if changing else None,
        alike=looked.alike[:_ALIKE] if looked else (),
        key=key,
        seen=seen_of(pasted.table, pasted.mapping, looked) if looked else "",
        waits=returned is not None or not caller.role.allows(Role.EDITOR),
        returned=returned,
        to_reviewer=form.get("to_reviewer", ""),
        skip=bool(form.get("skip")),
    )


def _called(column: str) -> str:
    """A column as a page calls it: one that is named like a field by the words of its form."""
    if not is_known(column):
        return column
    parts = [part for part in column.split(".") if part != "body"]
    words = [f"{int(part) + 1}" if part.isdecimal() else label_of(part) for part in parts]
    return labels_in_one([words[0], *(word for word in words[1:] if word != "1")])


def _changing(line: Line, sheet: Sheet) -> Mending:
    """A row without faults that somebody wants to change all the same: all its cells."""
    cells = (
        Cell(f"{record.number}.{nth}", _called(sheet.columns[nth]), value, ())
        for record in sheet.records
        if line.first <= record.number <= line.last
        for nth, value in enumerate(record.cells)
    )
    return Mending(line, tuple(cells), ())


def _mending(line: Line, sheet: Sheet) -> Mending:
    cells: dict[str, Cell] = {}
    others = []
    records = {record.number: record for record in sheet.records}
    for fault in line.faults:
        record = records.get(fault.row or line.first)
        nth = sheet.columns.index(fault.column) if fault.column in sheet.columns else None
        if record is None or nth is None or nth >= len(record.cells):
            field = label_at(fault.pointer)
            others.append(f"{field}: {fault.detail}" if field else fault.detail)
            continue
        place = f"{record.number}.{nth}"
        before = cells[place].details if place in cells else ()
        cells[place] = Cell(place, _called(sheet.columns[nth]), record.cells[nth], (*before, fault.detail))
    return Mending(line, tuple(cells.values()), tuple(dict.fromkeys(others)))
