"""What a write would record: the body that is sent to an address, as events."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.domain import record
from service.domain.coalition import CoalitionRegistered, Force
from service.domain.errors import Fault, Invalid
from service.domain.kinds import ANY_STATEMENT, STATEMENT_LIST, invalid
from service.domain.record import Ranked, Reason
from service.domain.statement import Event, Line, Slug, Source, Text, Value
from service.log.read import EventRow, get_event
from service.segments.effective import find_effective
from service.web.bodies import PreconditionRequired, parse_body
from service.web.sending import revisions_in
from service.web.serving import Services


class Write(NamedTuple):
    """What one request would record."""

    events: tuple[Event, ...]
    many: bool = False  # sent as a list, and answered as one
    revision: int | None = None  # of the target, as the editor saw it


def parse_statement(body: bytes) -> Write:
    """One statement."""
    return Write((_parse(ANY_STATEMENT, body),))


def parse_batch(body: bytes) -> Write:
    """A list of statements."""
    return Write(tuple(_parse(STATEMENT_LIST, body)), many=True)


class Registration(Value):
    """A coalition, and the names that it and its force go by."""

    slug: Slug
    name: Line
    aliases: tuple[Line, ...] = Field((), max_length=50)
    force: Force | None = None


def parse_coalition(body: bytes) -> Write:
    """A coalition under a slug."""
    given = parse_body(Registration, body).model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return Write((CoalitionRegistered(kind="coalition.registered", coalition=given.pop("slug"), **given),))


# --- notes on the record ----------------------------------------------------------------------------------------------


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


async def read_note(served: Services, name: str, event_id: str, body: bytes, if_match: str | None) -> Write:
    """A note on an event that is recorded; ``if_match`` says which version of it the editor saw."""
    note, kind = NOTES[name]
    given = parse_body(note, body)
    async with served.writing.connection() as connection:
        target = await get_event(connection, event_id)
    unchanging = target.kind.startswith("record.") or kind is record.RecordDisputeSettled  # what is no statement
    revision = None if unchanging else await _revision(served, target, if_match)
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
    return Write((event,), revision=revision)


async def _revision(served: Services, target: EventRow, if_match: str | None) -> int | None:
    """The revision that the editor saw, from its ETag: of several, the present one; `*` is any."""
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the event's ETag, so that nobody's change is overwritten.")
    seen = sorted(found) if (found := revisions_in(if_match, target.event_id)) is not None else None
    if seen is None:
        return None
    if len(seen) > 1:
        async with served.pool.connection() as connection:
            present = await find_effective(connection, target.position)
        seen = [one for one in seen if present and one == present.revision]
    return seen[0] if seen else _NONE_OF_THEM


_NONE_OF_THEM = -1


# --- any of them ------------------------------------------------------------------------------------------------------

_PLAIN: dict[str, Callable[[bytes], Write]] = {
    "/v1/statements": parse_statement,
    "/v1/statements/batch": parse_batch,
    "/v1/coalitions": parse_coalition,
}
_NOTE = re.compile(rf"/v1/events/([^/]+)/({'|'.join(NOTES)})")
WRITE = rf"^({'|'.join(_PLAIN)}|/v1/events/[^/\n]+/({'|'.join(NOTES)}))$"
"""The path of any write."""


async def read_write(served: Services, path: str, body: bytes, if_match: str | None) -> Write:
    """What would be recorded by a body that is sent to the path of any write."""
    if path in _PLAIN:
        return _PLAIN[path](body)
    note = _NOTE.fullmatch(path)
    if note is None:
        detail = "Name the path of a write: /v1/statements, /v1/statements/batch, /v1/coalitions or /v1/events/{id}/…"
        raise Invalid(detail, Fault("/path", "unknown_path", detail))
    return await read_note(served, note[2], note[1], body, if_match)


def _parse(adapter: Any, body: bytes) -> Any:  # noqa: ANN401 - a pydantic adapter
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None
