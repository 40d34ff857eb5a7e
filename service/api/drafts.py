"""What waits for a second editor: to put up, to look at, and to decide on."""

import json
from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import Response

from service.access import Caller, Role
from service.api.answering import AskedKept, id_before, page_of_kept, rows_wanted
from service.api.changing import UNKEPT, Change, begin_change, changed
from service.api.kept import ApprovalTried, DraftAnswer, DraftKept, DraftPage, DraftRecorded, DraftTried
from service.api.outlines import listing
from service.api.recorded import Tried, TriedBatch
from service.api.recording import WAITS, AskedWrite, begin, draft_json, put_up, record
from service.domain.answers import Json
from service.domain.errors import Fault, Invalid, Unknown
from service.domain.record import EventId
from service.domain.statement import Line, Slug, Text
from service.drafts.queue import decides, find_visible
from service.drafts.stored import Draft, DraftState, WantedDrafts, count_drafts, list_drafts
from service.once import Done
from service.web.asking import read_query, takes_no_parameters
from service.web.bodies import find_versions, parse_body, read_body
from service.web.callers import authorise
from service.web.describing import NEXT_PAGE, Answer, documented, sent, view
from service.web.fields import members_of
from service.web.problems import status_of
from service.web.sending import JSON, PRIVATE, etag_of, send
from service.web.serving import Door, Services, connections, services
from service.web.submitting import content_of, tried
from service.web.writing import WRITE, read_write

router = APIRouter(tags=["drafts"], route_class=Door)
DRAFTS = listing(members_of(DraftPage))
_SHOWN_IN_A_LIST = 10  # events of each draft; one has up to a thousand


class AskedDrafts(AskedKept):
    """Which drafts."""

    state: DraftState | None = Field(None, description="pending, returned, approved, rejected or withdrawn")
    author: Line | None = Field(None, description="who put it up")
    coalition: Slug | None = Field(None, description="which coalition it is about")


_THIS_DRAFT = {"draft_id": "$response.body#/draft/id"}
_DECIDED = {200: Answer("The draft.", {JSON: DraftKept}, links={"getDraft": _THIS_DRAFT})}
_DECISIONS = dict.fromkeys(("approveDraft", "returnDraft", "rejectDraft", "withdrawDraft"), _THIS_DRAFT)


@router.get(
    "/v1/drafts",
    operation_id="listDrafts",
    openapi_extra=documented(
        AskedDrafts,
        answers=view(
            DraftPage,
            "Drafts.",
            paged=True,
            feed=False,
            links={"getDraft": {"draft_id": "$response.body#/items/0/id"}, "listDrafts": NEXT_PAGE},
        ),
        role=Role.CONTRIBUTOR,
    ),
)
async def get_drafts(request: Request) -> Response:
    """Drafts in the order in which they were put up; below the role approver, one's own."""
    caller = await authorise(request, Role.CONTRIBUTOR)
    asked = read_query(request, AskedDrafts)
    after = id_before(asked)
    author = asked.author if decides(caller) else caller.owner
    wanted = WantedDrafts(None if asked.state is None else (asked.state,), author, asked.coalition)
    if asked.author not in (None, author):  # what others have put up is not there for whoever may not see it
        return page_of_kept(request, asked, [], 0 if asked.count else None, DRAFTS)
    async with connections(request).connection() as connection:
        found = await list_drafts(connection, wanted, after=after, limit=rows_wanted(request, asked))
        total = await count_drafts(connection, wanted) if asked.count else None
    return page_of_kept(request, asked, [draft_json(one, most=_SHOWN_IN_A_LIST) for one in found], total, DRAFTS)


@router.get(
    "/v1/drafts/{draft_id}",
    operation_id="getDraft",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=documented(
        answers=sent("The draft.", {JSON: DraftAnswer}, links=_DECISIONS), refuses=[404], role=Role.CONTRIBUTOR
    ),
)
async def get_draft(request: Request, draft_id: str) -> Response:
    """One draft; while it waits, with what approving it now would come to."""
    caller = await authorise(request, Role.CONTRIBUTOR)
    served = services(request)
    one = await _visible(request, caller, draft_id)
    trial = await _outlook(served, one) if one.state is DraftState.PENDING else None
    return send(request, {"draft": draft_json(one), "trial": trial}, headers={"Cache-Control": PRIVATE})


async def _outlook(served: Services, one: Draft) -> Json:
    found = await served.drafts.outlook(one)
    if found.trial is None:
        assert found.refusal is not None
        faults = [one.render() for one in found.refusal.faults]
        status = status_of(found.refusal)
        return {"accepted": False, "status": status, "detail": found.refusal.detail, "errors": faults}
    would = tried(found.trial, served.settings.stale_after_days, many=one.listed)
    return {
        "accepted": True,
        "known_position": found.trial.size,
        "changed": found.changed,
        "states": would["states"],
        "similar": would["similar"],
    }


_LIST_OR_NOT: dict[str, JsonValue] = {
    "if": {"properties": {"path": {"const": "/v1/statements/batch"}}},
    "then": {"properties": {"body": {"type": "array"}}},
    "else": {"properties": {"body": {"type": "object"}}},
}


class PutUp(BaseModel):
    """A write that shall wait: the path and the body that would record it."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_LIST_OR_NOT)

    path: str = Field(max_length=200, examples=["/v1/statements"], json_schema_extra={"pattern": WRITE})
    body: dict[str, Any] | list[Any]
    note: Text | None = None
    replaces: EventId | None = Field(None, description="a draft that was returned to you, if this is what became of it")


@router.post(
    "/v1/drafts",
    operation_id="putUpDraft",
    openapi_extra=documented(
        AskedWrite,
        headers=["Idempotency-Key", "If-Match"],
        body={JSON: PutUp},
        answers={
            200: Answer("A dry run: what it would come to.", {JSON: Tried | TriedBatch}, UNKEPT),
            202: WAITS,
        },
        refuses=[404, 409, 412, 428],
        role=Role.CONTRIBUTOR,
    ),
)
async def put_up_draft(request: Request) -> Response:
    """Puts a write up for somebody else to approve."""
    begun = await begin(request)
    body = await read_body(request)
    given = parse_body(PutUp, body)
    inner = json.dumps(given.body).encode()
    try:
        write = await read_write(begun.served, given.path, inner, find_versions(request))
        if not begun.dry_run:
            return await put_up(request, begun, write, body, note=given.note, replaces=given.replaces)
        if given.replaces is not None:
            await begun.served.drafts.check_replaceable(given.replaces, begun.caller.owner)
        return await record(request, begun, write, body)
    except Invalid as error:
        raise Invalid(error.detail, *map(_inside, error.faults)) from None


def _inside(fault: Fault) -> Fault:
    """A fault in the body that is put up, at its place in the body that was sent."""
    outside = fault.pointer.startswith(("/header/", "/path", "/replaces"))
    return fault if outside else Fault(f"/body{fault.pointer}", fault.code, fault.detail)


class Decision(BaseModel):
    """Why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Text | None = None


class Rejection(BaseModel):
    """Why it is not recorded, or what has to be changed before it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Text


_RECORDED = Answer(
    "Recorded, or recorded before and answered again.",
    {JSON: DraftRecorded},
    ("Location", "ETag"),
    {"getDraft": _THIS_DRAFT, "getEvent": {"event_id": "$response.body#/event/event_id"}},
    ("Location", "ETag"),  # of a list there is neither
)


@router.post(
    "/v1/drafts/{draft_id}/approval",
    operation_id="approveDraft",
    openapi_extra=changed(
        {201: _RECORDED},
        tried=ApprovalTried,
        body=Decision,
        body_required=False,
        refuses=[404, 412],
        role=Role.APPROVER,
    ),
)
async def approve_draft(request: Request, draft_id: str) -> Response:
    """Records a draft in its author's name; answers as recording does, with the draft."""
    change = await _decide(request, draft_id, Role.APPROVER)
    served, by, given = change.served, change.caller.owner, parse_body(Decision, change.body)
    stale_after = served.settings.stale_after_days
    if change.dry_run:
        one, trial = await served.drafts.try_approval(draft_id, by=by, reason=given.reason)
        content = {"draft": draft_json(one), **tried(trial, stale_after, many=one.listed)}
        return change.tell(Done(content, replayed=False))
    done = await served.drafts.approve(
        draft_id,
        by=by,
        reason=given.reason,
        render=lambda one, recorded: content_of(recorded, stale_after, many=one.listed),
        retry=change.retry,
    )
    headers = {}
    if not done.draft.listed:
        (event_id,) = done.draft.event_ids
        headers = {"Location": f"/v1/events/{event_id}", "ETag": etag_of(event_id, done.position)}
    content = {"draft": draft_json(done.draft), **(done.draft.recorded or {})}
    return change.tell(Done(content, done.replayed), 201, headers)


@router.post(
    "/v1/drafts/{draft_id}/return",
    operation_id="returnDraft",
    openapi_extra=changed(_DECIDED, tried=DraftTried, body=Rejection, refuses=[404], role=Role.APPROVER),
)
async def return_draft(request: Request, draft_id: str) -> Response:
    """Gives a draft back to its author, and says what has to be changed."""
    return await _close(request, draft_id, DraftState.RETURNED, Role.APPROVER, Rejection)


@router.post(
    "/v1/drafts/{draft_id}/rejection",
    operation_id="rejectDraft",
    openapi_extra=changed(_DECIDED, tried=DraftTried, body=Rejection, refuses=[404], role=Role.APPROVER),
)
async def reject_draft(request: Request, draft_id: str) -> Response:
    """Says that a draft is not recorded, and why."""
    return await _close(request, draft_id, DraftState.REJECTED, Role.APPROVER, Rejection)


@router.post(
    "/v1/drafts/{draft_id}/withdrawal",
    operation_id="withdrawDraft",
    openapi_extra=changed(
        _DECIDED, tried=DraftTried, body=Decision, body_required=False, refuses=[404], role=Role.CONTRIBUTOR
    ),
)
async def withdraw_draft(request: Request, draft_id: str) -> Response:
    """Takes one's own draft back."""
    return await _close(request, draft_id, DraftState.WITHDRAWN, Role.CONTRIBUTOR, Decision)


async def _close(
    request: Request, draft_id: str, state: DraftState, needed: Role, asked: type[Decision | Rejection]
) -> Response:
    """Takes a draft out of the queue without recording it."""
    change = await _decide(request, draft_id, needed)
    reason = parse_body(asked, change.body).reason
    one, replayed = await change.served.drafts.settle(
        draft_id, state, by=change.caller.owner, reason=reason, retry=change.retry, dry_run=change.dry_run
    )
    return change.tell(Done({"draft": draft_json(one)}, replayed))


async def _decide(request: Request, draft_id: str, needed: Role) -> Change:
    change = await begin_change(request, needed)
    await _visible(request, change.caller, draft_id)
    return change


async def _visible(request: Request, caller: Caller, draft_id: str) -> Draft:
    """A draft that the caller may see; others are not there."""
    async with connections(request).connection() as connection:
        one = await find_visible(connection, caller, draft_id)
    if one is None:
        raise Unknown("There is no draft with this id that you may see; GET /v1/drafts lists those.")
    return one
