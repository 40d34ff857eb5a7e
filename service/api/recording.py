"""How a write goes through: what is submitted of a request, and what it is answered."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.access import Caller, Role
from service.api.kept import DraftKept
from service.api.recorded import Recorded as RecordedAnswer
from service.api.recorded import RecordedBatch, Tried, TriedBatch
from service.domain.answers import Json
from service.domain.dates import render_instant
from service.drafts.stored import Draft
from service.submission import Retry
from service.trial import try_out
from service.web.asking import read_query
from service.web.bodies import find_key
from service.web.callers import authorise
from service.web.describing import Answer, Links, documented
from service.web.sending import JSON, etag_of
from service.web.serving import Services, services
from service.web.submitting import submission_of, tried
from service.web.writing import Write


class AskedWrite(BaseModel):
    """How a write is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dry_run: bool = Field(default=False, description="only say what would be recorded, and record nothing")


WAITS = Answer(
    "It waits for an approver: a contributor's write does, and what is put up as a draft.",
    {JSON: DraftKept},
    ("Cache-Control", "Location", "Idempotency-Replayed"),
    {
        operation: {"draft_id": "$response.body#/draft/id"}
        for operation in ("getDraft", "approveDraft", "returnDraft", "rejectDraft", "withdrawDraft")
    },
)
_RECORDED = {"event_id": "$response.body#/event/event_id"}


def written(
    body: Any, *, note: bool = False, many: bool = False, links: Links | None = None, needs: Sequence[str] = ()  # noqa: ANN401 - a type
) -> Json:  # fmt: skip
    """What every write says of itself, for the document.

    ``body`` is what it takes, ``links`` are where its answer leads beside the event, ``needs`` are headers that it
    cannot do without.
    """
    unkept = ("Cache-Control",)
    recorded = (*unkept, "Idempotency-Replayed", *(() if many else ("Location", "ETag")))
    first = {"event_id": "$response.body#/events/0/event_id"} if many else _RECORDED
    leads = {"getEvent": first, **(links or {})}
    answered = {JSON: RecordedBatch if many else RecordedAnswer}
    return documented(
        AskedWrite,
        body={JSON: body},
        answers={
            200: Answer("A dry run: what it would come to.", {JSON: TriedBatch if many else Tried}, unkept),
            201: Answer("Recorded, or recorded before and answered again.", answered, recorded, leads),
            202: WAITS,
        },
        headers=["Idempotency-Key"],
        needs=needs,
        refuses=[*([404] if note else []), 409, *([412, 428] if needs else [])],
        role=Role.CONTRIBUTOR,
    )


class Begun(NamedTuple):
    """Who writes, and whether it is meant."""

    served: Services
    caller: Caller
    dry_run: bool


async def begin(request: Request) -> Begun:
    """What every write checks before it reads anything."""
    dry_run = bool(request.scope["query_string"]) and read_query(request, AskedWrite).dry_run
    return Begun(services(request), await authorise(request, Role.CONTRIBUTOR), dry_run)


async def record(request: Request, begun: Begun, write: Write, body: bytes) -> Response:
    """Records what a request would, or only says what that would come to; answers the events and states.

    What a contributor would record waits for an approver.
    """
    served, caller = begun.served, begun.caller
    if not begun.dry_run and not caller.role.allows(Role.EDITOR):
        return await put_up(request, begun, write, body)
    submission = submission_of(served, caller, write, retry_of(request, caller, body))
    if begun.dry_run:
        trial = await try_out(served.pool, submission)
        content = {"dry_run": True, **tried(trial, served.settings.stale_after_days, many=write.many)}
        return Response(orjson.dumps(content), media_type=JSON, headers={"Cache-Control": "no-store"})
    answer = await served.recorder.record(submission)
    headers = {"Cache-Control": "no-store"}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    if not write.many:
        event_id = (
            orjson.loads(answer.content)["event"]["event_id"] if answer.replayed else submission.entries[0].event_id
        )
        headers["Location"] = f"/v1/events/{event_id}"
        headers["ETag"] = etag_of(event_id, answer.position)
    return Response(answer.content, status_code=201, media_type=JSON, headers=headers)


async def put_up(
    request: Request, begun: Begun, write: Write, body: bytes, *, note: str | None = None, replaces: str | None = None,
) -> Response:  # fmt: skip
    """Keeps what a request would record until somebody else approves it; answers the draft."""
    draft, replayed = await begun.served.drafts.put_up(
        write.events,
        author=begun.caller.owner,
        listed=write.many,
        revision=write.revision,
        note=note,
        replaces=replaces,
        retry=retry_of(request, begun.caller, body),
    )
    headers = {"Cache-Control": "no-store", "Location": f"/v1/drafts/{draft.id}"}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(orjson.dumps({"draft": draft_json(draft)}), status_code=202, media_type=JSON, headers=headers)


def draft_json(one: Draft, *, most: int | None = None) -> Json:
    """A draft as clients see it, with what it would record, or the first events of that."""
    return {
        "id": one.id,
        "state": one.state,
        "author": one.author,
        "created_at": render_instant(one.created_at),
        "coalitions": one.coalitions,
        "records": [event.content() for event in one.events[:most]],
        "record_count": len(one.events),
        "revision": one.revision,
        "known_position": one.known_position,
        "note": one.note,
        "decided_by": one.decided_by,
        "decided_at": one.decided_at and render_instant(one.decided_at),
        "reason": one.reason,
        "returned_by": one.returned_by,
        "returned_at": one.returned_at and render_instant(one.returned_at),
        "return_reason": one.return_reason,
        "replaces": one.replaces,
        "replaced_by": one.replaced_by,
        "event_ids": one.event_ids,
    }


def retry_of(request: Request, caller: Caller, body: bytes) -> Retry | None:
    """By what a retry of this request is recognised; None where the client sent no key."""
    key = find_key(request)
    if key is None:
        return None
    query = request.url.query
    address = f"{request.url.path}?{query}" if query else request.url.path
    return Retry(f"token/{caller.owner}", key, hashlib.sha256(address.encode() + b"\x00" + body).digest())
