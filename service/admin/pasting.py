"""Pasting many: the rows of a spreadsheet become statements, once it is said what their columns mean.

What is pasted and what is chosen is carried by the form from page to page, and kept nowhere: the table as its text, the
choices as fields, and once they are made, as the mapping file of the import, which may as well be where one begins.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import NamedTuple, Self

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.entering import families, key_after, told_of
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.known import list_coalitions
from service.admin.pages import STRICT, render, see
from service.admin.pasted import Line, Looked, is_kept, look, record, retry_of, seen_of
from service.admin.typed import faults_at
from service.admin.typed import read_form as read_sent
from service.domain.errors import Fault, Invalid, RegistryError
from service.forms.fields import kind_of
from service.forms.pasting.asked import ask, too_many_words
from service.forms.pasting.choices import (
    Choices,
    faults_of,
    find_kind,
    read_choices,
    unknown_names,
    used_again,
)
from service.forms.pasting.made import read_back, write_mapping
from service.forms.pasting.mending import mend
from service.forms.pasting.proposing import guessed, propose, unordered
from service.forms.pasting.sheets import LARGEST_TABLE, MOST_ROWS, Sheet, read_sheet
from service.forms.words import spaced
from service.log.read import read_events
from service.reading.mapping import LARGEST_MAPPING, Mapping, parse_mapping
from service.reading.table import text_of
from service.web.asking import read_query
from service.web.bodies import content_type
from service.web.serving import Services, services
from service.web.uploads import MULTIPART, read_parts

router = pages()
PASTE = "/admin/paste"
DELIMITERS = {"": "found by itself", "tab": "tabs", "comma": "commas", "semicolon": "semicolons"}
_SIGNS = {"tab": "\t", "comma": ",", "semicolon": ";"}
_SHOWN = 20  # rows on a page, faults, and what else there may be many of
_FAULTY = 20
_ALIKE = 10


class Pasted(NamedTuple):
    """What a form carries of a table: its text, and the mapping where there is one."""

    table: str = ""
    mapping: str = ""
    kind: str = ""
    coalition: str = ""
    delimiter: str = ""

    @classmethod
    def of(cls, form: "dict[str, str]") -> Self:
        """What a form says of these."""
        return cls(**{name: _lines(form.get(name, "")) for name in cls._fields})


def _lines(text: str) -> str:
    """A text with the line breaks of this service, not those of browsers."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --- what is pasted ---------------------------------------------------------------------------------------------------


@router.get(PASTE)
async def show_paste(request: Request) -> Response:
    """Where a table is pasted, or a file chosen."""
    await signed_in(request, Role.CONTRIBUTOR)
    return await _begin(request, Pasted())


@router.post(PASTE)
async def take_paste(request: Request) -> Response:
    """Reads the table, and asks what its columns mean; with a mapping, shows what its rows say."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    form = await _read_parts(request)
    pasted, faults = Pasted.of({name: text for name, text in form.items() if isinstance(text, str)}), []
    for name in ("table", "mapping"):
        try:
            text = await _text_of(form, name)
        except Invalid as error:
            faults += [Fault(f"/{name}", one.code, one.detail) for one in error.faults]
        else:
            pasted = pasted._replace(**{name: text})
    if not faults:
        faults = await _faults_at_first(request, pasted)
    sheet = _read(pasted, faults) if not faults else None
    if sheet is None:
        return await _begin(request, pasted, faults)
    if pasted.mapping.strip():
        return await _rows(request, caller, pasted)
    kind = find_kind(pasted.kind)
    assert kind is not None
    choices = await asyncio.to_thread(propose, kind, pasted.coalition, sheet, _SIGNS.get(pasted.delimiter))
    return _columns(request, pasted, choices, sheet)


async def _read_parts(request: Request) -> FormData:
    if content_type(request) != MULTIPART:
        raise Invalid("Send this as the form on the page does.")
    most = services(request).settings.largest_body
    return await read_parts(request, most, files=2, fields=7, largest=4 * LARGEST_TABLE)


async def _text_of(form: FormData, name: str) -> str:
    """What was pasted, or what the file says; raises `Invalid` where there is both."""
    pasted, file = form.get(name, ""), form.get(f"{name}_file")
    text = pasted if isinstance(pasted, str) else ""
    if not isinstance(file, UploadFile) or not file.filename:
        return _lines(text)
    if text.strip():
        detail = "Something is pasted here, and a file is chosen: leave one out."
        raise Invalid(detail, Fault(f"/{name}", "ambiguous", detail))
    return _lines(text_of(await file.read()))


async def _faults_at_first(request: Request, pasted: Pasted) -> list[Fault]:
    """What is missing before a table can be looked at; a mapping says itself what it makes of it."""
    faults = []
    if pasted.delimiter not in DELIMITERS:
        faults.append(Fault("/delimiter", "unknown", "Pick one from the list."))
    if pasted.mapping.strip():
        try:
            said = parse_mapping(pasted.mapping.encode()).constants
        except Invalid as error:
            return [*faults, *(Fault("/mapping", one.code, _told(one)) for one in error.faults)]
        if pasted.kind and pasted.kind != said.get("kind"):
            faults.append(Fault("/kind", "ambiguous", "The mapping file says another kind: leave one out."))
        return faults
    coalitions = {one.slug for one in await list_coalitions(services(request))}
    if pasted.coalition not in coalitions:
        faults.append(Fault("/coalition", "missing", "Say which coalition it is about."))
    if find_kind(pasted.kind) is None:
        faults.append(Fault("/kind", "missing", "Say what was said or done, or begin from a mapping file."))
    return faults


def _told(fault: Fault) -> str:
    """A fault of a mapping, with where it is."""
    place = fault.pointer.removeprefix("/mapping").strip("/")
    column = f" (column “{fault.column}”)" if fault.column else ""
    return f"{place}: {fault.detail}{column}" if place else f"{fault.detail}{column}"


def _read(pasted: Pasted, faults: list[Fault]) -> Sheet | None:
    """The table, or what is wrong with it."""
    delimiter, header_row = _SIGNS.get(pasted.delimiter), 1
    if pasted.mapping.strip():
        layout = parse_mapping(pasted.mapping.encode()).table
        delimiter, header_row = layout.delimiter, layout.header_row
    try:
        return read_sheet(pasted.table, delimiter=delimiter, header_row=header_row)
    except Invalid as error:
        for one in faults_at(error):
            row = f"Row {one.row}: " if one.row is not None else ""
            column = f" (“{one.column}”)" if one.column else ""
            faults.append(Fault("/table", one.code, f"{row}{one.detail}{column}"))
        return None


async def _begin(request: Request, pasted: Pasted, faults: Sequence[Fault] = ()) -> Response:
    coalitions = await list_coalitions(services(request))
    only = coalitions[0].slug if len(coalitions) == 1 else ""
    return render(
        request, "paste.html", status=UNSENT if faults else HTTPStatus.OK, faults=faults, pasted=pasted,
        coalitions=coalitions, coalition=pasted.coalition or only, families=families(), delimiters=DELIMITERS,
        most_rows=MOST_ROWS, most_kib=LARGEST_TABLE // 1024,
    )  # fmt: skip


# --- what its columns mean --------------------------------------------------------------------------------------------

_COLUMNS = f"{PASTE}/columns"
_BESIDE = frozenset({"table", "kind", "coalition", "delimiter", "do", "again"})


@router.get(_COLUMNS)
async def begin_columns_anew(request: Request) -> Response:
    """The way to the first page: this one is reached by what is pasted there."""
    await signed_in(request, Role.CONTRIBUTOR)
    return see(PASTE)


@router.post(_COLUMNS)
async def take_columns(request: Request) -> Response:
    """What was chosen: asked on, or, where all is said, what the rows say."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    form = await _read_form(request)
    pasted = Pasted.of(form)
    faults: list[Fault] = []
    kind = find_kind(pasted.kind)
    sheet = _read(pasted, faults)
    if kind is None or sheet is None:
        return await _begin(request, pasted, faults or [Fault("/kind", "missing", "Say what was said or done.")])
    typed = {name: text for name, text in form.items() if name not in _BESIDE}
    if unknown_names(kind, typed):
        raise Invalid("A field was sent that this form does not have.")
    sent = read_choices(kind, pasted.coalition, typed, _SIGNS.get(pasted.delimiter))
    again = form.get("again", "")
    if again.isdecimal():
        sent = used_again(sent, int(again))
    choices = await asyncio.to_thread(_asked_on, sent, sheet)
    fresh = [nth for nth, use in enumerate(choices.uses) if _is_fresh(use, sent.uses[nth])]
    if again or form.get("do") == "ask":
        return _columns(request, pasted, choices, sheet, fresh=fresh)
    faults = [*faults_of(choices, sheet.columns), *too_many_words(choices), *unordered(choices, sheet)]
    if faults or fresh:
        return _columns(request, pasted, choices, sheet, faults, fresh=fresh)
    mapping = write_mapping(choices)
    try:
        parse_mapping(mapping.encode())
    except Invalid as error:
        faults = [Fault("", one.code, _told(one)) for one in error.faults]
        return _columns(request, pasted, choices, sheet, faults)
    return await _rows(request, caller, pasted._replace(mapping=mapping))


async def _read_form(request: Request) -> dict[str, str]:
    """A form of which each field is sent once."""
    form = await read_sent(request)
    return dict(form.items())


def _asked_on(choices: Choices, sheet: Sheet) -> Choices:
    """The same, with first answers to the questions that newly chosen fields raise; columns that are new are added."""
    uses = [guessed(choices.kind, use, sheet) for use in choices.uses if use.column in sheet.columns]
    named = {use.column for use in uses}
    uses += [use for use in propose(choices.kind, "", sheet, None).uses if use.column not in named]
    return replace(choices, uses=tuple(uses))


def _is_fresh(use: object, sent: object) -> bool:
    return getattr(use, "asked", "") != getattr(sent, "asked", "") and getattr(use, "asked", "") != ""


def _columns(
    request: Request, pasted: Pasted, choices: Choices, sheet: Sheet, faults: Sequence[Fault] = (), *,
    fresh: Sequence[int] = (),
) -> Response:  # fmt: skip
    return render(
        request, "paste_columns.html", status=UNSENT if faults else HTTPStatus.OK, faults=faults, pasted=pasted,
        page=ask(choices, sheet, faults), kind=spaced(kind_of(choices.kind)).capitalize(), rows=len(sheet.records),
        fresh=fresh, is_first=request.scope["path"] == PASTE,
    )  # fmt: skip


# --- what its rows say ------------------------------------------------------------------------------------------------

_ROWS = f"{PASTE}/rows"


@router.get(_ROWS)
async def begin_rows_anew(request: Request) -> Response:
    """The way to the first page: this one is reached by what is pasted there."""
    await signed_in(request, Role.CONTRIBUTOR)
    return see(PASTE)


@router.post(_ROWS)
async def take_rows(request: Request) -> Response:
    """What the pressed button says: looked at again, its columns changed, or recorded."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    form = await _read_form(request)
    pasted = Pasted.of(form)
    try:
        mapping = parse_mapping(pasted.mapping.encode())
        sheet = read_sheet(pasted.table, delimiter=mapping.table.delimiter, header_row=mapping.table.header_row)
    except Invalid:
        return await _rows(request, caller, pasted, form=form)  # says what is wrong
    mended = {
        (int(row), int(nth)): _lines(text)
        for name, text in form.items()
        if name.startswith("mend.") and name.count(".") == 2 and name.removeprefix("mend.").replace(".", "").isdecimal()  # noqa: PLR2004
        for row, nth in (name.removeprefix("mend.").split("."),)
    }
    pasted = pasted._replace(table=mend(pasted.table, sheet, mended, header_row=mapping.table.header_row))
    if form.get("do") == "columns":
        return await _back(request, caller, pasted, mapping, form)
    return await _rows(request, caller, pasted, form=form)


async def _back(request: Request, caller: Caller, pasted: Pasted, mapping: Mapping, form: dict[str, str]) -> Response:
    """The choices that make the mapping, to be changed; where it says more than can be chosen, its text is."""
    sheet = read_sheet(pasted.table, delimiter=mapping.table.delimiter, header_row=mapping.table.header_row)
    choices = read_back(mapping, sheet.columns)
    if choices is None:
        detail = "This mapping file says what cannot be chosen on a page: change it in its text, below."
        return await _rows(request, caller, pasted, form=form, faults=[Fault("/mapping", "not_chosen", detail)])
    signs = {sign: name for name, sign in _SIGNS.items()}
    pasted = pasted._replace(
        kind=kind_of(choices.kind), coalition=choices.coalition, delimiter=signs.get(choices.delimiter or "", "")
    )
    return _columns(request, pasted, await asyncio.to_thread(_asked_on, choices, sheet), sheet)


async def _rows(
    request: Request, caller: Caller, pasted: Pasted, *, form: dict[str, str] | None = None,
    faults: Sequence[Fault] = (),
) -> Response:  # fmt: skip
    """The page with what the rows say; or on from it, where they are to be recorded and nothing is in the way."""
    served, form = services(request), form or {}
    told = list(faults)
    looked: Looked | None = None
    sheet: Sheet | None = None
    key = form.get("key") or served.new_id()
    try:
        mapping = parse_mapping(pasted.mapping.encode())
    except Invalid as error:
        told += [Fault("/mapping", one.code, _told(one)) for one in error.faults]
    else:
        sheet = _read(pasted, told)
        if sheet is not None:
            try:
                if form.get("do") == "record":
                    done = await _record(served, caller, pasted, mapping, form, told)
                    if isinstance(done, Response):
                        return done
                    looked = done
                else:
                    looked = await look(served, caller, pasted.table, mapping)
            except Invalid as error:
                told += [_at_its_text(one) for one in faults_at(error)]
            except RegistryError as error:
                told += told_of(error)
                key = key_after(error, served) or key
                looked = await look(served, caller, pasted.table, mapping)
    return _preview(request, caller, pasted, looked, sheet, told, key=key, form=form)


def _at_its_text(fault: Fault) -> Fault:
    where = "/mapping" if fault.pointer.startswith("/mapping") else "/table"
    row = f"Row {fault.row}: " if fault.row is not None and where == "/table" else ""
    return Fault(where, fault.code, f"{row}{_told(fault)}")


async def _record(
    served: Services, caller: Caller, pasted: Pasted, mapping: Mapping, form: dict[str, str], told: list[Fault]
) -> Response | Looked:
    """Records what was looked at, all of it or none; or says what is in the way."""
    skip = bool(form.get("skip"))
    retry = retry_of(caller, form.get("key", ""), pasted.table, pasted.mapping, skip=skip)
    looked = await look(served, caller, pasted.table, mapping)
    if not await is_kept(served, retry):
        if form.get("seen") != seen_of(pasted.table, pasted.mapping, looked):
            told.append(
                Fault("", "unseen", "Something is other than when you looked: look at it again, then record it.")
            )
        elif looked.refusal:
            return looked
        elif looked.at_fault and not skip:
            told.append(Fault("", "at_fault", "Nothing was recorded: mend the rows with faults, or leave them out."))
        elif not looked.events:
            told.append(Fault("", "nothing", "There is nothing to record."))
        if told:
            return looked
    kept = await record(served, caller, looked.events, retry)
    if kept.draft_id is not None:
        return see("/admin", "waits")
    return see(f"{PASTE}/recorded?first={kept.first}&count={kept.many}")


def _preview(
    request: Request, caller: Caller, pasted: Pasted, looked: Looked | None, sheet: Sheet | None,
    told: Sequence[Fault], *, key: str, form: dict[str, str],
) -> Response:  # fmt: skip
    lines = looked.lines if looked else ()
    most = max(1, -(-len(lines) // _SHOWN))
    wanted = form.get("page", "")
    page = min(max(int(wanted), 1), most) if wanted.isdecimal() and len(wanted) < 6 else 1  # noqa: PLR2004
    bad = bool(told) or bool(looked and (looked.at_fault or looked.refusal))
    return render(
        request,
        "paste_rows.html",
        status=UNSENT if bad else HTTPStatus.OK,
        faults=told,
        pasted=pasted,
        looked=looked,
        lines=lines[(page - 1) * _SHOWN : page * _SHOWN],
        page=page,
        pages=most,
        faulty=[_mending(line, sheet) for line in looked.at_fault[:_FAULTY]] if looked and sheet else [],
        alike=looked.alike[:_ALIKE] if looked else (),
        key=key,
        seen=seen_of(pasted.table, pasted.mapping, looked) if looked else "",
        waits=not caller.role.allows(Role.EDITOR),
        skip=bool(form.get("skip")),
        shown=_SHOWN,
    )


class Cell(NamedTuple):
    """A cell that is at fault, to be mended where it stands."""

    name: str
    column: str
    value: str
    details: tuple[str, ...]


class Mending(NamedTuple):
    """A row with faults: those of its cells, and others."""

    line: Line
    cells: tuple[Cell, ...]
    details: tuple[str, ...]


def _mending(line: Line, sheet: Sheet) -> Mending:
    cells: dict[str, Cell] = {}
    others = []
    records = {record.number: record for record in sheet.records}
    for fault in line.faults:
        record = records.get(fault.row or line.first)
        nth = sheet.columns.index(fault.column) if fault.column in sheet.columns else None
        if record is None or nth is None or nth >= len(record.cells):
            others.append(f"{spaced(fault.pointer.strip('/').replace('/', '.'))}: {fault.detail}".lstrip(": "))
            continue
        name = f"mend.{record.number}.{nth}"
        before = cells[name].details if name in cells else ()
        cells[name] = Cell(name, sheet.columns[nth], record.cells[nth], (*before, fault.detail))
    return Mending(line, tuple(cells.values()), tuple(dict.fromkeys(others)))


@router.post(f"{PASTE}/mapping")
async def send_mapping(request: Request) -> Response:
    """The mapping file, to be kept: as it stands on the page."""
    await signed_in(request, Role.CONTRIBUTOR)
    text = Pasted.of(await _read_form(request)).mapping[:LARGEST_MAPPING]
    headers = {**STRICT, "Content-Disposition": 'attachment; filename="mapping.yaml"'}
    return Response(text, media_type="application/yaml; charset=utf-8", headers=headers)


# --- what was recorded ------------------------------------------------------------------------------------------------


class AskedRecorded(BaseModel):
    """Which events: how many, from which position on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(ge=1, le=2**62)
    count: int = Field(ge=1, le=MOST_ROWS)


@router.get(f"{PASTE}/recorded")
async def show_recorded(request: Request) -> Response:
    """What was recorded of a table."""
    await signed_in(request, Role.CONTRIBUTOR)
    asked = read_query(request, AskedRecorded)
    async with services(request).pool.connection() as connection:
        events = await read_events(connection, after=asked.first - 1, limit=min(asked.count, 2 * _SHOWN))
    found = [(event, orjson.loads(event.body)) for event in events]
    return render(request, "paste_recorded.html", count=asked.count, found=found, more=asked.count - len(found))
