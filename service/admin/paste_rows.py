"""The rows of a pasted table: what they would say, mended where they are at fault, and recorded, all or none."""

import asyncio
import re
from collections.abc import Mapping, Sequence

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.again import find_own
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.pages import STRICT, render, see
from service.admin.paste_pages import PASTE, SHOWN, Pasted, at_its_text, columns_page, rows_page, sheet_of
from service.admin.pasted import Looked, look, record, seen_of
from service.admin.saving import is_kept, key_after, page_of, read_note_to_reviewer, retry_of, told_of
from service.admin.typed import read_form as read_sent
from service.domain.errors import Fault, Invalid, RegistryError
from service.forms.fields import kind_of
from service.forms.pasting.asked import too_many_words
from service.forms.pasting.made import DELIMITER_NAMES, read_back
from service.forms.pasting.mending import mend
from service.forms.pasting.proposing import asked_on
from service.forms.pasting.sheets import MOST_COLUMNS, MOST_ROWS
from service.forms.reading import plain_lines
from service.log.read import read_events
from service.reading import mapping as files
from service.reading.mapping import LARGEST_MAPPING
from service.web.asking import read_query
from service.web.problems import status_of
from service.web.serving import Services, services

router = pages()
ROWS = f"{PASTE}/rows"
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
    faults = [Fault("", "changed_twice", detail.format(row)) for row in lost]
    return await look_at(request, caller, pasted, form, faults)


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
        return await look_at(request, caller, pasted, form, [Fault("/mapping", "not_chosen", detail)])
    chosen = Pasted(
        pasted.table,
        "",
        kind_of(choices.kind),
        choices.coalition,
        DELIMITER_NAMES.get(choices.delimiter or "", ""),
        choices.title,
        pasted.draft,
    )
    return await columns_page(request, chosen, await asyncio.to_thread(asked_on, choices, sheet), sheet)


async def look_at(
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
