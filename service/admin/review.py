"""The review queue: what waits for a second editor, one entry of it in full, and what is decided on it."""

from collections.abc import Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.guarding import pages, signed_in
from service.admin.known import list_coalitions
from service.admin.pages import cut, render, see
from service.admin.saving import KEY, key_after, retry_of
from service.admin.typed import Form, faults_at, parse_typed, read_form
from service.admin.waiting import address_again, foresee_draft, happenings, list_pieces, list_rows
from service.domain.errors import Fault, Invalid, Refused, RegistryError, Stale, Unknown
from service.domain.record import is_event_id
from service.domain.statement import Text
from service.drafts.queue import decides, find_visible, list_beside, list_versions
from service.drafts.stored import Draft, DraftState, WantedDrafts, list_drafts
from service.web.asking import read_query
from service.web.callers import check_role
from service.web.problems import status_of
from service.web.serving import connections, services
from service.web.submitting import content_of

PATH = "/admin/review"
_ROWS = 20
_PIECES = 10
_MOST_RETURNED = 10
_MOST_BESIDE = 10
router = pages()


# --- the queue --------------------------------------------------------------------------------------------------------


class Shown(StrEnum):
    """Which drafts are shown."""

    WAITING = "waiting"
    RETURNED = "returned"
    DECIDED = "decided"
    ALL = "all"


_STATES = {
    Shown.WAITING: (DraftState.PENDING,),
    Shown.RETURNED: (DraftState.RETURNED,),
    Shown.DECIDED: (DraftState.APPROVED, DraftState.REJECTED, DraftState.WITHDRAWN),
    Shown.ALL: None,
}
_WORDS = (
    (Shown.WAITING, "waits"),
    (Shown.RETURNED, "returned to its author"),
    (Shown.DECIDED, "decided on"),
    (Shown.ALL, "any"),
)


class AskedQueue(BaseModel):
    """Which drafts are looked for; what is left empty is any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Shown = Shown.WAITING
    coalition: str = Field("", max_length=80)
    author: str = Field("", max_length=300)
    mine: str = Field("", max_length=3)
    after: str = Field("", max_length=36)


@router.get(PATH)
async def show_queue(request: Request) -> Response:
    """What waits, oldest first, page by page; below an approver, what one has put up oneself."""
    caller, served = await signed_in(request, Role.CONTRIBUTOR), services(request)
    asked = read_query(request, AskedQueue)
    mine = bool(asked.mine) or not decides(caller)
    author = caller.owner if mine else asked.author.replace("\x00", "").strip() or None
    coalition = asked.coalition.replace("\x00", "") or None
    wanted = WantedDrafts(_STATES[asked.state], author, coalition)
    after = asked.after if is_event_id(asked.after) else None
    async with served.pool.connection() as connection:
        found = await list_drafts(connection, wanted, after=after, limit=_ROWS + 1)
        shown, following = cut(found, lambda one: one.id, _ROWS)
        rows = await list_rows(connection, shown)
        own = WantedDrafts((DraftState.RETURNED,), caller.owner)
        returned = await list_rows(connection, await list_drafts(connection, own, limit=_MOST_RETURNED))
    typed = {"state": asked.state, "coalition": asked.coalition, "author": asked.author, "mine": asked.mine}
    return render(
        request,
        "review.html",
        rows=rows,
        returned=returned,
        next=following,
        typed=typed,
        states=_WORDS,
        coalitions=await list_coalitions(served),
        decides=decides(caller),
    )


# --- one of it --------------------------------------------------------------------------------------------------------


class AskedDraft(BaseModel):
    """Which part of a long draft."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    done: str = ""
    begin: int = Field(0, ge=0, le=10_000, alias="from")


@router.get(PATH + "/{draft_id}")
async def show_draft(request: Request, draft_id: str) -> Response:
    """One draft: what it says, what it would change now, what happened to it, and what can be decided."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    asked = read_query(request, AskedDraft)
    return await _draft(request, caller, await _find(request, caller, draft_id), begin=asked.begin)


async def _find(request: Request, caller: Caller, draft_id: str) -> Draft:
    async with connections(request).connection() as connection:
        found = await find_visible(connection, caller, draft_id)
    if found is None:
        raise Unknown("There is no draft with this id that you may see.")
    return found


async def _draft(
    request: Request, caller: Caller, one: Draft, *, begin: int = 0, typed: Form | None = None,
    faults: Sequence[Fault] = (), status: int = HTTPStatus.OK, key: str | None = None,
) -> Response:  # fmt: skip
    served = services(request)
    begin = begin if begin < len(one.events) else 0
    is_pending, is_own = one.state is DraftState.PENDING, one.author == caller.owner
    shown = one.events[begin : begin + _PIECES]
    pieces = await list_pieces(served, one, shown)
    async with served.pool.connection() as connection:
        versions = await list_versions(connection, one.id)
        others = WantedDrafts((DraftState.PENDING,), besides=caller.owner)
        beside = await list_beside(connection, one, limit=_MOST_BESIDE) if decides(caller) and is_pending else []
        rows = await list_rows(connection, beside)
        following = await list_drafts(connection, others, limit=1) if decides(caller) else []
    prospect = await foresee_draft(served, one, shown) if is_pending else None
    return render(
        request,
        "draft.html",
        status=status,
        faults=[fault for fault in faults if prospect is None or fault.detail != prospect.words],
        one=one,
        pieces=pieces,
        begin=begin,
        more=begin + len(pieces) if begin + len(pieces) < len(one.events) else None,
        prospect=prospect,
        beside=rows,
        steps=happenings(versions),
        decides=decides(caller) and is_pending and not is_own,
        is_own=is_own,
        again=address_again(one) if is_own else None,
        withdraws=is_own and one.state in (DraftState.PENDING, DraftState.RETURNED),
        reason=typed.get("reason", "") if typed else "",
        key=key or (typed.get("key") if typed else "") or served.new_id(),
        following=following[0].id if following and not is_pending else None,
    )


# --- what is decided --------------------------------------------------------------------------------------------------


class Does(StrEnum):
    """What the pressed button says."""

    APPROVE = "approve"
    RETURN = "return"
    REJECT = "reject"
    WITHDRAW = "withdraw"


class Decision(BaseModel):
    """What is decided, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Does
    reason: Annotated[Text | None, BeforeValidator(lambda given: given.strip() or None)] = None


_CLOSES = {
    Does.RETURN: DraftState.RETURNED,
    Does.REJECT: DraftState.REJECTED,
    Does.WITHDRAW: DraftState.WITHDRAWN,
}
_LACKS = {
    Does.RETURN: "Say what its author shall change.",
    Does.REJECT: "Say why it is not recorded.",
}


@router.post(PATH + "/{draft_id}")
async def decide(request: Request, draft_id: str) -> Response:
    """Approves, returns, rejects or withdraws a draft; a button that is pressed twice does it once."""
    caller, served = await signed_in(request, Role.CONTRIBUTOR), services(request)
    form = await read_form(request)
    one = await _find(request, caller, draft_id)
    try:
        given = _read_decision(caller, form, one)
        state = await _do(request, caller, one, given, form.get("key", ""))
    except (Invalid, Refused) as error:
        now = await _find(request, caller, draft_id)  # somebody else may have been quicker
        return await _draft(
            request, caller, now, typed=form, faults=_told(error), status=status_of(error), key=key_after(error, served)
        )
    return see(f"{PATH}/{one.id}", state)


def _told(error: RegistryError) -> list[Fault]:
    """What a refusal says beside what the page says of it already: whatever the draft hangs on is told there."""
    if isinstance(error, Stale):
        return []
    used = "You have decided on this already, and changed your form since: what you decided stands."
    return [
        Fault(one.pointer if one.pointer == "/reason" else "", one.code, used if one.pointer == KEY else one.detail)
        for one in faults_at(error)
    ]


def _read_decision(caller: Caller, form: Form, one: Draft) -> Decision:
    given = parse_typed(Decision, form)
    if given.do is not Does.WITHDRAW:
        check_role(caller, Role.APPROVER)
    if given.reason is None and given.do in _LACKS and one.state is DraftState.PENDING:  # else somebody was quicker
        raise Invalid(_LACKS[given.do], Fault("/reason", "missing", _LACKS[given.do]))
    return given


async def _do(request: Request, caller: Caller, one: Draft, given: Decision, key: str) -> DraftState:
    served = services(request)
    said = orjson.dumps([given.do, given.reason])
    retry = retry_of(caller, key, f"{PATH}/{one.id}", said)
    state = _CLOSES.get(given.do)
    if state is not None:
        await served.drafts.settle(one.id, state, by=caller.owner, reason=given.reason, retry=retry)
        return state
    await served.drafts.approve(
        one.id,
        by=caller.owner,
        reason=given.reason,
        render=lambda draft, recorded: content_of(recorded, served.settings.stale_after_days, many=draft.listed),
        retry=retry,
    )
    return DraftState.APPROVED
