"""Who did what, from the log: all that was ever recorded, newest first, by whom it was said or approved, what, when."""

from collections.abc import Mapping

import orjson
from fastapi import Request
from pydantic import Field, field_validator
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.known import words_of_named
from service.admin.pages import PAGE_ROWS, cut, render
from service.admin.period import AskedPeriod, tell_ends
from service.admin.typed import faults_at, parse_typed
from service.domain.answers import Json
from service.domain.dates import END, TICK
from service.domain.errors import Fault, Invalid
from service.domain.kinds import KINDS, parse_kind
from service.drafts.approvals import Approved, find_approvals, find_approved_by
from service.drafts.queue import decides
from service.forms.words import heading_of
from service.log.read import EventRow, WantedRecords, list_recorded
from service.web.serving import services

PATH = "/admin/audit"
_SHOWN = 200
router = pages()


class AskedAudit(AskedPeriod):
    """What is looked for; what is left empty is any."""

    by: str = Field("", max_length=300)
    kind: str = Field("", max_length=40)
    before: int | None = Field(None, ge=1, le=2**62)

    @field_validator("kind")
    @classmethod
    def _is_one(cls, text: str) -> str:
        return text and parse_kind(text)


@router.get(PATH)
async def show_audit(request: Request) -> Response:
    """What was recorded, with the form to look for some of it."""
    caller = await signed_in(request, Role.EDITOR)
    given = {name: value for name, value in request.query_params.items() if name != "done"}
    try:
        asked = parse_typed(AskedAudit, given)
    except Invalid as error:
        return _audit(request, caller, given, [], None, faults_at(error))
    begins, ends = asked.period
    behind = None if ends is None or ends == END else ends + TICK
    wanted = WantedRecords(asked.by.replace("\x00", "").strip() or None, asked.kind or None, begins, behind)
    async with services(request).pool.connection() as connection:
        if wanted.by is not None:
            wanted = wanted._replace(besides=await find_approved_by(connection, wanted.by))
        found = await list_recorded(connection, wanted, before=asked.before, limit=PAGE_ROWS + 1)
        shown, following = cut(found, lambda one: one.position)
        approvals = await find_approvals(connection, [one.position for one in shown])
    targets = [content["target"] for one in shown if "target" in (content := orjson.loads(one.body))]
    words = await words_of_named(services(request), targets)
    rows = [_row(one, approvals.get(one.position), words) for one in shown]
    return _audit(request, caller, given, rows, following)


def _audit(
    request: Request, caller: Caller, given: dict[str, str], rows: list[Json], following: int | None,
    faults: tuple[Fault, ...] = (),
) -> Response:  # fmt: skip
    typed = {name: given.get(name, "") for name in ("by", "kind", "since", "until")}
    families = list(dict.fromkeys(kind.partition(".")[0] for kind in KINDS))
    kinds = [(one, heading_of(one)) for one in (*families, *KINDS)]
    return render(
        request, "audit.html", status=UNSENT if faults else 200, rows=rows, next=following,
        decides=decides(caller), typed=typed, kinds=kinds, faults=faults, told=tell_ends(typed),
    )  # fmt: skip


def _row(event: EventRow, approved: Approved | None, words: Mapping[str, str]) -> Json:
    """An event as a row: who approved it, what it is about, and how it begins."""
    content = orjson.loads(event.body)
    said = content.get("summary") or content.get("note") or content.get("name") or ""
    return {
        "event": event,
        "approved": approved,
        "kind": heading_of(event.kind),
        "about": content.get("subject"),
        "target": content.get("target"),
        "told": words.get(content.get("target", ""), content.get("target")),
        "says": said if len(said) <= _SHOWN else f"{said[:_SHOWN]} …",
    }
