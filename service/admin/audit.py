"""Who did what, from the log: all that was ever recorded, newest first, by whom it was said or approved, what, when."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.known import list_entered
from service.admin.pages import render
from service.admin.people import PAGE_ROWS
from service.admin.typed import faults_at, parse_typed
from service.domain.answers import Json
from service.domain.errors import Fault, Invalid
from service.domain.kinds import KINDS, parse_kind
from service.drafts.approvals import Approved, find_approvals, find_approved_by
from service.drafts.queue import decides
from service.forms.words import spaced
from service.log.read import EventRow, Recorded, list_recorded
from service.web.serving import services

PATH = "/admin/audit"
_SHOWN = 200
router = pages()


class AskedAudit(BaseModel):
    """What is looked for; what is left empty is any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str = Field("", max_length=300)
    kind: str = Field("", max_length=40)
    since: str = ""
    until: str = ""
    before: int | None = Field(None, ge=1, le=2**62)

    @field_validator("kind")
    @classmethod
    def _is_one(cls, text: str) -> str:
        return text and parse_kind(text)

    @field_validator("since", "until")
    @classmethod
    def _is_a_day(cls, text: str) -> str:
        if text:
            _parse_day(text)
        return text


def _parse_day(text: str) -> datetime:
    """The beginning of a day, in UTC; raises ValueError."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("Write a day like 2026-01-31.")
    try:
        return datetime.combine(datetime.fromisoformat(text), time(), UTC)
    except ValueError:
        raise ValueError("There is no such day.") from None


@router.get(PATH)
async def show_audit(request: Request) -> Response:
    """What was recorded, with the form to look for some of it."""
    caller = await signed_in(request, Role.EDITOR)
    given = {name: value for name, value in request.query_params.items() if name != "done"}
    try:
        asked = parse_typed(AskedAudit, given)
    except Invalid as error:
        return _audit(request, caller, given, [], None, faults_at(error))
    last_day = _parse_day(asked.until) + timedelta(days=1) if "0001" < asked.until < "9999-12-31" else None
    wanted = Recorded(
        asked.by.replace("\x00", "").strip() or None, asked.kind or None,
        _parse_day(asked.since) if asked.since else None, last_day,
    )  # fmt: skip
    async with services(request).pool.connection() as connection:
        if wanted.by is not None:
            wanted = wanted._replace(besides=await find_approved_by(connection, wanted.by))
        found = await list_recorded(connection, wanted, before=asked.before, limit=PAGE_ROWS + 1)
        approvals = await find_approvals(connection, [one.position for one in found])
    targets = [content["target"] for one in found if "target" in (content := orjson.loads(one.body))]
    words = {one.event_id: one.words for one in await list_entered(services(request), targets)}
    following = found[PAGE_ROWS - 1].position if len(found) > PAGE_ROWS else None
    rows = [_row(one, approvals.get(one.position), words) for one in found[:PAGE_ROWS]]
    return _audit(request, caller, given, rows, following)


def _audit(
    request: Request, caller: Caller, given: dict[str, str], rows: list[Json], following: int | None,
    faults: tuple[Fault, ...] = (),
) -> Response:  # fmt: skip
    typed = {name: given.get(name, "") for name in ("by", "kind", "since", "until")}
    families = list(dict.fromkeys(kind.partition(".")[0] for kind in KINDS))
    kinds = [(one, spaced(one).capitalize()) for one in (*families, *KINDS)]
    return render(
        request, "audit.html", status=UNSENT if faults else 200, rows=rows, following=following,
        decides=decides(caller), typed=typed, kinds=kinds, faults=faults,
    )  # fmt: skip


def _row(event: EventRow, approved: Approved | None, words: Mapping[str, str]) -> Json:
    """An event as a row: who approved it, what it is about, and how it begins."""
    content = orjson.loads(event.body)
    said = content.get("summary") or content.get("note") or content.get("name") or ""
    return {
        "event": event,
        "approved": approved,
        "kind": spaced(event.kind).capitalize(),
        "about": content.get("subject"),
        "target": content.get("target"),
        "told": words.get(content.get("target", ""), content.get("target")),
        "says": said if len(said) <= _SHOWN else f"{said[:_SHOWN]} …",
    }
