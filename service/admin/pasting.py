"""Pasting many: the rows of a spreadsheet become statements, once it is said what their columns mean.

What is pasted and what is chosen is carried by the form from page to page, and kept nowhere: the table as its text, the
choices as fields, and once they are made, as the mapping file of the import, which may as well be where one begins.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.again import find_own
from service.admin.entering import key_after, told_of
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.known import list_coalitions
from service.admin.pages import STRICT, render, see
from service.admin.paste_pages import (
    DELIMITERS,
    PASTE,
    PASTE_AGAIN,
    SHOWN,
    Pasted,
    at_its_text,
    columns_page,
    narrow_sheet_of,
    paste_page,
    rows_page,
    sheet_of,
)
from service.admin.pasted import Looked, is_kept, look, record, seen_of
from service.admin.saving import page_of, read_note_to_reviewer, retry_of
from service.admin.typed import read_form as read_sent
from service.domain.errors import Fault, Invalid, Refused, RegistryError, Unknown
from service.forms.fields import kind_of
from service.forms.pasting.asked import too_many_words, unseen
from service.forms.pasting.choices import Choices, faults_of, find_kind, read_choices, unknown_names, used_again
from service.forms.pasting.made import DELIMITER_NAMES, read_back, write_mapping
from service.forms.pasting.mending import mend
from service.forms.pasting.proposing import guessed, propose, unordered
from service.forms.pasting.sheets import LARGEST_TABLE, MOST_COLUMNS, MOST_ROWS, Sheet
from service.forms.pasting.written import write_table
from service.forms.reading import plain_lines
from service.log.read import read_events
from service.reading import mapping as files
from service.reading.mapping import LARGEST_MAPPING, parse_mapping
from service.reading.table import text_of
from service.web.asking import read_query
from service.web.bodies import NotJson, content_type
from service.web.problems import status_of
from service.web.serving import Services, services
from service.web.uploads import MULTIPART, read_parts

router = pages()
COLUMNS, ROWS = f"{PASTE}/columns", f"{PASTE}/rows"


class AskedPaste(BaseModel):
    """In place of which returned draft a table is pasted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    draft: str = ""
    done: str = ""


@router.get(PASTE)
async def show_paste(request: Request) -> Response:
    """Where a table is pasted, or a file chosen."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    asked = read_query(request, AskedPaste)
    await find_own(services(request), caller, asked.draft, begins=True, listed=True)
    return await paste_page(request, Pasted(draft=asked.draft))


@router.get(PASTE_AGAIN)
async def show_returned(request: Request) -> Response:
    """The statements of a draft that was returned to its author, as a table to be mended and sent in again."""
    caller, asked = await signed_in(request, Role.CONTRIBUTOR), read_query(request, AskedPaste)
    returned = await find_own(services(request), caller, asked.draft, begins=True, listed=True)
    if returned is None:
        raise Unknown("There is no draft of yours that could be changed here.")
    table = write_table([event.content() for event in returned.events])
    if len(table.encode()) > LARGEST_TABLE or len(returned.events) > MOST_ROWS:
        raise Refused(
            "This draft is too large for a page. Put up another one through the API, with the id of this one in "
            "`replaces`; or withdraw it, and send it in anew."
        )
    return await _look(request, caller, Pasted(table=table, draft=asked.draft), {})


@router.get(COLUMNS)
@router.get(ROWS)
async def begin_anew(request: Request) -> Response:
    """The way to where one begins: these pages are made of what is pasted there."""
    await signed_in(request, Role.CONTRIBUTOR)
    return see(PASTE)


# --- what is pasted ---------------------------------------------------------------------------------------------------


@router.post(PASTE)
async def take_paste(request: Request) -> Response:
    """Reads the table, and asks what its columns mean; with a mapping, shows what its rows say."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    if content_type(request) != MULTIPART:
        raise NotJson("Send this as the form on the page does.")
    most = services(request).settings.largest_body
    form = await read_parts(request, most, files=2, fields=8, largest=4 * LARGEST_TABLE)
    try:
        pasted, faults = await _pasted(form)
    finally:
        await form.close()
    faults = faults or await _faults_before_reading(request, pasted)
    if faults:
        return await paste_page(request, pasted, faults)
    if pasted.mapping.strip():
        return await _look(request, caller, pasted, {})
    try:
        sheet = narrow_sheet_of(pasted)
    except Invalid as error:
        return await paste_page(request, pasted, error.faults)
    kind = find_kind(pasted.kind)
    assert kind is not None
    choices = await asyncio.to_thread(propose, kind, pasted.coalition, sheet, pasted.layout.delimiter)
    return await columns_page(request, pasted, choices, sheet)


async def _pasted(form: FormData) -> tuple[Pasted, list[Fault]]:
    """What was pasted, or what the chosen files say."""
    pasted, faults = Pasted.of(form), []
    for name in ("table", "mapping"):
        file = form.get(f"{name}_file")
        if not isinstance(file, UploadFile) or not file.filename:
            continue
        if getattr(pasted, name).strip():
            detail = "Something is pasted here, and a file is chosen: leave one out."
            faults.append(Fault(f"/{name}", "ambiguous", detail))
            continue
        try:
            pasted = pasted._replace(**{name: plain_lines(text_of(await file.read()))})
        except Invalid as error:
            faults += [Fault(f"/{name}", one.code, one.detail) for one in error.faults]
    return pasted, faults


async def _faults_before_reading(request: Request, pasted: Pasted) -> list[Fault]:
    """What is missing before a table can be looked at; a mapping says itself what it makes of it."""
    if pasted.mapping.strip():
        try:
            said = parse_mapping(pasted.mapping.encode()).constants
        except Invalid as error:
            return [at_its_text(one) for one in error.faults]
        given = {"kind": pasted.kind, "coalition": pasted.coalition}
        detail = "The mapping file says something else: leave one out."
        faults = [
            Fault(f"/{name}", "ambiguous", detail)
            for name, text in given.items()
            if text and text != said.get(name, text)
        ]
        if pasted.delimiter:
            faults.append(Fault("/delimiter", "ambiguous", "The mapping file says this itself: leave it out here."))
        return faults
    faults = []
    if pasted.delimiter not in DELIMITERS:
        faults.append(Fault("/delimiter", "unknown", "Pick one from the list."))
    if pasted.coalition not in {one.slug for one in await list_coalitions(services(request))}:
        faults.append(Fault("/coalition", "missing", "Say which coalition it is about."))
    if find_kind(pasted.kind) is None:
        faults.append(Fault("/kind", "missing", "Say what was said or done, or begin from a mapping file."))
    return faults


# --- what its columns mean --------------------------------------------------------------------------------------------

_BESIDE = frozenset({"table", "kind", "coalition", "delimiter", "title", "draft", "do", "again"})


@router.post(COLUMNS)
async def take_columns(request: Request) -> Response:
    """What was chosen: asked on, or, where all is said, what the rows say."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    form = dict((await read_sent(request)).items())
    pasted = Pasted.of(form)._replace(mapping="")
    kind, faults = find_kind(pasted.kind), await _faults_before_reading(request, pasted)
    if faults or kind is None:
        return await paste_page(request, pasted, faults)
    try:
        sheet = narrow_sheet_of(pasted)
    except Invalid as error:
        return await paste_page(request, pasted, error.faults)
    typed = {name: text for name, text in form.items() if name not in _BESIDE}
    if unknown_names(kind, typed):
        raise Invalid("A field was sent that this form does not have.")
    sent, again = read_choices(kind, pasted.coalition, typed, pasted.layout.delimiter), form.get("again", "")
    sent = replace(sent, title=pasted.title)
    if again:
        sent = used_again(sent, int(again) if again.isascii() and again.isdecimal() else -1)
    choices = await asyncio.to_thread(_asked_on, sent, sheet)
    fresh = unseen(choices, sent)
    if choices.is_grouped and not any(name.endswith(".rows") for name in typed):  # what that means for the others
        fresh = [nth for nth, use in enumerate(choices.uses) if use.asked]
    if again or form.get("do") == "ask":
        return await columns_page(request, pasted, choices, sheet, fresh=fresh)
    faults = [*faults_of(choices, sheet.columns), *too_many_words(choices), *unordered(choices, sheet)]
    if faults or fresh:
        return await columns_page(request, pasted, choices, sheet, faults, fresh=fresh)
    mapping = write_mapping(choices)
    try:
        parse_mapping(mapping.encode())
    except Invalid as error:
        unsaid = [Fault("", one.code, at_its_text(one).detail) for one in error.faults]
        return await columns_page(request, pasted, choices, sheet, unsaid)
    return await _look(request, caller, pasted._replace(mapping=mapping), {})


def _asked_on(choices: Choices, sheet: Sheet) -> Choices:
    """The same, with first answers to the questions that newly chosen fields raise; columns that are new are added."""
    uses = [guessed(choices.kind, use, sheet) for use in choices.uses if use.column in sheet.columns]
    named = {use.column for use in uses}
    uses += [use for use in propose(choices.kind, "", sheet, None).uses if use.column not in named]
    return replace(choices, uses=tuple(uses))


# --- what its rows say ------------------------------------------------------------------------------------------------

_OF_ROWS = frozenset({"table", "mapping", "draft", "to_reviewer", "key", "seen", "do", "page", "skip", "change"})
_CELL = re.compile("(cell|was)[.]([0-9]{1,6})[.]([0-9]{1,4})")


@router.post(ROWS)
async def take_rows(request: Request) -> Response:
    """What the pressed button says: looked at again, its columns changed, or recorded."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    form = dict((await read_sent(request)).items())
    if any(name not in _OF_ROWS and not _CELL.fullmatch(name) for name in form):
        raise Invalid("A field was sent that this form does not have.")
    pasted = Pasted.of(form)
    try:
        mapping = pasted.meaning
        layout = mapping.table if mapping else pasted.layout
        sheet = sheet_of(pasted, layout)
    except Invalid as error:
        return await _unread(request, caller, pasted, error, form)
    table, lost = mend(pasted.table, sheet, _mended(form), header_row=layout.header_row)
    pasted = pasted._replace(table=table)
    if form.get("do") == "columns" and mapping is not None and not lost:
        return await _choose_again(request, caller, pasted, mapping, form)
    detail = "Row {} was changed here and in the table: what the table says counts."
    return await _look(request, caller, pasted, form, [Fault("", "changed_twice", detail.format(row)) for row in lost])


def _mended(form: Mapping[str, str]) -> dict[tuple[int, int], tuple[str, str]]:
    """The cells that were mended beside their rows: by row and column, what they said before and what they say."""
    cells = {}
    for name, text in form.items():
        match = _CELL.fullmatch(name)
        if match is not None and match[1] == "cell":
            before = form.get(f"was.{match[2]}.{match[3]}", "")
            cells[int(match[2]), int(match[3])] = (plain_lines(before), plain_lines(text))
    return cells


async def _unread(
    request: Request, caller: Caller, pasted: Pasted, error: Invalid, form: Mapping[str, str]
) -> Response:
    """The page of a table, or a mapping, that cannot be read."""
    served = services(request)
    faults = [one if one.pointer == "/table" else at_its_text(one) for one in error.faults]
    returned = await find_own(served, caller, pasted.draft, listed=True)
    key = form.get("key") or served.new_id()
    return rows_page(request, caller, pasted, None, None, faults, key=key, form=form, returned=returned)


async def _choose_again(
    request: Request, caller: Caller, pasted: Pasted, mapping: files.Mapping, form: Mapping[str, str]
) -> Response:
    """The choices that make the mapping, to be changed; where it says more than can be chosen, its text is."""
    sheet = sheet_of(pasted, mapping.table)
    choices = read_back(mapping, sheet.columns) if len(sheet.columns) <= MOST_COLUMNS else None
    if choices is None or any(too_many_words(choices)):
        detail = "This mapping file says what cannot be chosen on a page: change it in its text, below."
        return await _look(request, caller, pasted, form, [Fault("/mapping", "not_chosen", detail)])
    chosen = Pasted(
        pasted.table,
        "",
        kind_of(choices.kind),
        choices.coalition,
        DELIMITER_NAMES.get(choices.delimiter or "", ""),
        choices.title,
        pasted.draft,
    )
    return await columns_page(request, chosen, await asyncio.to_thread(_asked_on, choices, sheet), sheet)


async def _look(
    request: Request, caller: Caller, pasted: Pasted, form: Mapping[str, str], faults: Sequence[Fault] = ()
) -> Response:
    """The page with what the rows say; or on from it, where they are to be recorded and nothing is in the way."""
    served, told = services(request), list(faults)
    key = form.get("key") or served.new_id()
    returned = await find_own(served, caller, pasted.draft, listed=True)
    try:
        mapping = pasted.meaning
        sheet = sheet_of(pasted, mapping.table if mapping else pasted.layout)
        looked = await look(served, caller, pasted.table, mapping)
    except Invalid as error:
        return await _unread(request, caller, pasted, error, form)
    status: int = UNSENT
    if form.get("do") == "record" and not told:
        try:
            done = await _record(served, caller, pasted, looked, form)
        except RegistryError as error:
            done, key, status = told_of(error), key_after(error, served) or key, status_of(error)
        if isinstance(done, Response):
            return done
        told = done
    return rows_page(
        request, caller, pasted, looked, sheet, told, key=key, form=form, returned=returned, status=status
    )  # fmt: skip


async def _record(
    served: Services, caller: Caller, pasted: Pasted, looked: Looked, form: Mapping[str, str]
) -> Response | list[Fault]:
    """Records what was looked at, all of it or none; or says what is in the way."""
    skip = bool(form.get("skip"))
    note = read_note_to_reviewer(form.get("to_reviewer", ""))
    said = orjson.dumps([pasted.table, pasted.mapping, skip, pasted.draft, note])
    retry = retry_of(caller, form.get("key", ""), PASTE, said)
    is_repeated = await is_kept(served, retry)  # then it is alike to itself
    if not is_repeated and (hindrance := _hindrance(pasted, looked, form.get("seen", ""), skip=skip)):
        return [Fault("", "not_recorded", f"Nothing was recorded. {hindrance}")]
    kept = await record(served, caller, looked.events, retry, note=note, replaces=pasted.draft)
    if kept.draft_id is not None:
        return see(page_of(kept.draft_id, "waits"))
    return see(f"{PASTE}/recorded?first={kept.first}&count={kept.many}")


def _hindrance(pasted: Pasted, looked: Looked, seen: str, *, skip: bool) -> str | None:
    """Why nothing is recorded."""
    if looked.refusal or (looked.at_fault and not skip):
        return "Mend the rows with faults, or leave them out."
    if not looked.events:
        return "No row has anything to record."
    if seen != seen_of(pasted.table, pasted.mapping, looked):
        return "It is other than when you looked: look at it again, then record it."
    return None


@router.post(f"{PASTE}/mapping")
async def send_mapping(request: Request) -> Response:
    """The mapping file, to be kept: as it stands on the page."""
    await signed_in(request, Role.CONTRIBUTOR)
    text = Pasted.of(dict((await read_sent(request)).items())).mapping[:LARGEST_MAPPING]
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
        events = await read_events(connection, after=asked.first - 1, limit=min(asked.count, 2 * SHOWN))
    found = [(event, orjson.loads(event.body)) for event in events]
    return render(request, "paste_recorded.html", count=asked.count, found=found, more=asked.count - len(found))
