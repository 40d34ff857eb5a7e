"""Recording: statements, and notes on the record of earlier ones. Every write goes through `service.record`."""

import hashlib
from typing import Any, NamedTuple

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from service.access import Caller, Role
from service.domain import record
from service.domain.answers import Json, Moment, shape
from service.domain.coalition import CoalitionRegistered
from service.domain.dates import render_instant
from service.domain.errors import Fault, Invalid, Unknown
from service.domain.kinds import ANY_STATEMENT, STATEMENT_LIST, invalid
from service.domain.record import Ranked, Reason
from service.domain.statement import Event, Source, Text
from service.log.append import Appended
from service.log.codec import prepare
from service.log.read import find_event
from service.segments.similar import Similar
from service.submission import Recorded, Retry, Submission
from service.trial import Trial, try_out
from service.web.asking import documented, read_query
from service.web.bodies import PreconditionRequired, read_body
from service.web.sending import JSON, etag_of
from service.web.serving import Door, Services, authorise, services

_LONGEST_KEY = 255

router = APIRouter(tags=["recording"], route_class=Door)


class AskedWrite(BaseModel):
    """How a write is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dry_run: bool = Field(default=False, description="only say what would be recorded, and record nothing")


WRITE = documented(AskedWrite)


class _Begun(NamedTuple):
    served: Services
    caller: Caller
    dry_run: bool


async def _begin(request: Request) -> _Begun:
    """What every write checks before it reads anything."""
    dry_run = bool(request.scope["query_string"]) and read_query(request, AskedWrite).dry_run
    return _Begun(services(request), await authorise(request, Role.EDITOR), dry_run)


@router.post("/v1/statements", status_code=201, operation_id="recordStatement", openapi_extra=WRITE)
async def record_statement(request: Request) -> Response:
    """Records one statement; answers the event and the states that it produced."""
    begun = await _begin(request)
    body = await read_body(request)
    return await _record(request, begun, [_parse(ANY_STATEMENT, body)], body)


@router.post("/v1/statements/batch", status_code=201, operation_id="recordBatch", openapi_extra=WRITE)
async def record_batch(request: Request) -> Response:
    """Records a list of statements, all or none."""
    begun = await _begin(request)
    body = await read_body(request)
    return await _record(request, begun, _parse(STATEMENT_LIST, body), body, many=True)


@router.post("/v1/coalitions", status_code=201, operation_id="registerCoalition", openapi_extra=WRITE)
async def register_coalition(request: Request) -> Response:
    """Registers a coalition under a slug."""
    begun = await _begin(request)
    body = await read_body(request)
    given = _object(body)
    if "slug" in given:
        given["coalition"] = given.pop("slug")
    for fixed in ("kind",):
        if fixed in given:
            raise Invalid("The request is not valid.", Fault(f"/{fixed}", "extra_forbidden", "This field is unknown."))
    try:
        event = CoalitionRegistered.model_validate({**given, "kind": "coalition.registered"})
    except ValidationError as error:
        raise _renamed(invalid(error)) from None
    return await _record(request, begun, [event], body)


def _renamed(error: Invalid) -> Invalid:
    faults = (Fault(one.pointer.replace("/coalition", "/slug"), one.code, one.detail) for one in error.faults)
    return Invalid(error.detail, *faults)


class _Note(BaseModel):
    """What a note on the record says; the rest follows from its address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    note: Text | None = None


class Correction(_Note):
    """A merge patch (RFC 7396) on the event's content, and why."""

    changes: dict[str, Any] = Field(min_length=1)
    reason: Reason
    sources: tuple[Source, ...] = Field((), max_length=50)


class Retraction(_Note):
    """Why it should not have been recorded, or why that was wrong."""

    reason: Reason


class DisputeOpened(_Note):
    """The rivals of an event, and how they rank."""

    rank: record.Rank = record.Rank.NORMAL
    rivals: tuple[Ranked, ...] = Field(min_length=1, max_length=20)


class DisputeEnded(_Note):
    """What the events of a dispute rank from now on."""

    ranks: tuple[Ranked, ...] = Field(min_length=2, max_length=21)


class Duplication(_Note):
    """The event that counts."""

    original: record.EventId


class Sourcing(_Note):
    """Further sources."""

    sources: tuple[Source, ...] = Field(min_length=1, max_length=50)


NOTES: dict[str, tuple[type[_Note], type[record.RecordEvent]]] = {
    "corrections": (Correction, record.RecordCorrected),
    "retraction": (Retraction, record.RecordRetracted),
    "reinstatement": (Retraction, record.RecordReinstated),
    "disputes": (DisputeOpened, record.RecordDisputed),
    "settlement": (DisputeEnded, record.RecordDisputeSettled),
    "duplicates": (Duplication, record.RecordDuplicate),
    "sources": (Sourcing, record.RecordSourced),
}


def _note_on(name: str) -> Any:  # noqa: ANN401 - a route's handler
    note, kind = NOTES[name]

    async def handle(request: Request, event_id: str) -> Response:
        begun = await _begin(request)
        body = await read_body(request)
        given = _parse_model(note, body)
        async with begun.served.pool.connection() as connection:
            target = await find_event(connection, event_id) if record.is_event_id(event_id) else None
        if target is None:
            raise Unknown("No event is recorded under this id.")
        about_record = target.kind.startswith("record.")
        revision = None if about_record else _revision(event_id, request.headers.get("if-match"))
        content = given.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        if "changes" in content:
            content["changes"] = given.changes  # type: ignore[attr-defined]  # null removes: it must not be left out
        try:
            event = kind.model_validate(
                {
                    **content,
                    "kind": kind.model_fields["kind"].annotation.__args__[0],  # type: ignore[union-attr]
                    "coalition": target.coalition,
                    "target": event_id,
                }
            )
        except ValidationError as error:
            raise invalid(error) from None
        return await _record(request, begun, [event], body, revision=revision)

    return handle


for _name in NOTES:
    router.add_api_route(
        f"/v1/events/{{event_id}}/{_name}",
        _note_on(_name),
        methods=["POST"],
        status_code=201,
        operation_id=f"record{_name.capitalize()}",
        openapi_extra=WRITE,
        summary=(NOTES[_name][1].__doc__ or "").split("\n")[0],
    )


def _revision(event_id: str, if_match: str | None) -> int | None:
    """The revision that the editor saw, from its ETag; `*` is any."""
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the event's ETag, so that nobody's change is overwritten.")
    if if_match.strip() == "*":
        return None
    given = if_match.strip().removeprefix("W/").strip('"')
    name, _, revision = given.rpartition(".")
    return int(revision) if name == event_id and revision.isdecimal() and len(revision) < 19 else -1  # noqa: PLR2004


def _object(body: bytes) -> Json:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("The body is not valid JSON.", Fault("", "json_invalid", "This is not valid JSON.")) from None
    if not isinstance(given, dict):
        raise Invalid("The body is not an object.", Fault("", "object_type", "Send a JSON object."))
    return given


def _parse(adapter: Any, body: bytes) -> Any:  # noqa: ANN401 - a pydantic adapter
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None


def _parse_model(model: type[_Note], body: bytes) -> _Note:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None


async def _record(
    request: Request, begun: _Begun, events: list[Event], body: bytes,
    *, many: bool = False, revision: int | None = None,
) -> Response:  # fmt: skip
    served, caller = begun.served, begun.caller
    entries = tuple(prepare(event, event_id=served.new_id(), salt=served.new_salt()) for event in events)
    stale_after = served.settings.stale_after_days
    submission = Submission(
        entries=entries,
        recorded_by=caller.owner,
        render=lambda recorded: _render(recorded, stale_after, many=many),
        retry=_retry(request, caller, body),
        revision=revision,
        listed=many,
    )
    if begun.dry_run:
        trial = await try_out(served.pool, submission)
        content = _tried(trial, stale_after, many=many)
        return Response(orjson.dumps(content), media_type=JSON, headers={"Cache-Control": "no-store"})
    answer = await served.recorder.record(submission)
    headers = {"Cache-Control": "no-store"}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    if not many:
        event_id = orjson.loads(answer.content)["event"]["event_id"] if answer.replayed else entries[0].event_id
        headers["Location"] = f"/v1/events/{event_id}"
        headers["ETag"] = etag_of(event_id, answer.position)
    return Response(answer.content, status_code=201, media_type=JSON, headers=headers)


def _retry(request: Request, caller: Caller, body: bytes) -> Retry | None:
    """By what a retry of this request is recognised; None where the client sent no key."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    bare = key.strip().strip('"')
    if not 0 < len(bare) <= _LONGEST_KEY:
        detail = f"Send an Idempotency-Key of 1 to {_LONGEST_KEY} characters."
        raise Invalid(detail, Fault("/header/idempotency-key", "length", detail))
    return Retry(f"token/{caller.owner}", bare, hashlib.sha256(request.url.path.encode() + b"\x00" + body).digest())


def _render(recorded: Recorded, stale_after_days: int, *, many: bool) -> bytes:
    return orjson.dumps(_content(recorded, stale_after_days, many=many))


def _content(recorded: Recorded, stale_after_days: int, *, many: bool) -> Json:
    moment = Moment(recorded.at, stale_after_days, recorded.in_force)
    states = [
        shape(row.key, row.state, row.references, row.rivals, moment)
        for row in recorded.states
        if row.state is not None
    ]
    events = [_event(one) for one in recorded.events]
    return {"events": events, "states": states} if many else {"event": events[0], "states": states}


def _tried(trial: Trial, stale_after_days: int, *, many: bool) -> Json:
    """What would be answered, without the names and numbers that only recording gives."""
    content = _content(trial.recorded, stale_after_days, many=many)
    for event in content["events"] if many else [content["event"]]:
        for given in ("event_id", "position", "recorded_at", "recorded_by"):
            del event[given]
    for state in content["states"]:
        for reference in state["statements"]:
            if reference["position"] > trial.size:
                reference |= {"event_id": None, "position": None}
    similar = [[_similar(one) for one in found] for found in trial.similar]
    return {"dry_run": True, **content, "similar": similar if many else similar[0]}


def _similar(one: Similar) -> Json:
    return {
        "event_id": one.event_id,
        "position": one.position,
        "similarity": round(one.alike, 2),
        **{name: one.content[name] for name in ("subject", "occurred", "summary")},
    }


def _event(one: Appended) -> Json:
    return {
        "event_id": one.entry.event_id,
        "position": one.position,
        "recorded_at": render_instant(one.recorded_at),
        "recorded_by": one.recorded_by,
        "schema_version": one.entry.event.version,
        **one.entry.content,
    }
