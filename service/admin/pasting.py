"""Pasting many: the rows of a spreadsheet become statements, once it is said what their columns mean.

What is pasted and what is chosen is carried by the form from page to page, and kept nowhere: the table as its text, the
choices as fields, and once they are made, as the mapping file of the import, which may as well be where one begins.
"""

import asyncio
from dataclasses import replace

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from service.access import Role
from service.admin.again import find_own
from service.admin.entering import NO_COALITION
from service.admin.guarding import pages, signed_in
from service.admin.known import list_coalitions
from service.admin.pages import see
from service.admin.paste_pages import (
    DELIMITERS,
    PASTE,
    PASTE_AGAIN,
    Pasted,
    at_its_text,
    columns_page,
    narrow_sheet_of,
    paste_page,
)
from service.admin.paste_rows import ROWS, look_at
from service.admin.typed import read_form as read_sent
from service.domain.errors import Fault, Invalid, Refused, Unknown
from service.forms.pasting.asked import too_many_words, unseen
from service.forms.pasting.choices import faults_of, find_kind, read_choices, unknown_names, used_again
from service.forms.pasting.made import write_mapping
from service.forms.pasting.proposing import asked_on, propose, unordered
from service.forms.pasting.sheets import LARGEST_TABLE, MOST_ROWS
from service.forms.pasting.written import write_table
from service.forms.reading import plain_lines
from service.reading.mapping import parse_mapping
from service.reading.table import text_of
from service.web.asking import read_query
from service.web.bodies import NotJson, content_type
from service.web.serving import services
from service.web.uploads import MULTIPART, read_parts

router = pages()
COLUMNS = f"{PASTE}/columns"


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
    return await look_at(request, caller, Pasted(table=table, draft=asked.draft), {})


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
        return await look_at(request, caller, pasted, {})
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
        faults.append(NO_COALITION)
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
    choices = await asyncio.to_thread(asked_on, sent, sheet)
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
    return await look_at(request, caller, pasted._replace(mapping=mapping), {})
