"""The shapes of what is recorded, for the OpenAPI document: events, and what a write answers.

As in `shapes`, nothing is serialised through them, and a test holds every answer to them.
"""

from typing import Annotated, Literal

from pydantic import Field
from pydantic import Json as JsonText

from service.api.shapes import ABSENT, Code, Instant, Known, LogPosition, Shape, State, SubjectId
from service.domain import kinds
from service.domain.answers import Json
from service.domain.coalition import Force
from service.domain.record import EventId, Rank, Ranked, Reason
from service.domain.statement import Channel, Occurred, Source, Speaker, Wording
from service.web.schemas import Fault

Kind = Annotated[str, Known(kinds.KINDS)]


# --- events ---


class Content(Shape):
    """What was recorded, exactly as stated: by kind, and a field that was not mentioned is not there."""

    kind: Kind
    coalition: str
    subject: str = ABSENT
    occurred: Occurred = ABSENT
    actors: list[Code] = ABSENT
    said_by: Speaker = ABSENT
    addressees: list[Code] = ABSENT
    channel: Annotated[str, Known(Channel)] = ABSENT
    wording: Annotated[str, Known(Wording)] = ABSENT
    summary: str = ABSENT
    quote: str = ABSENT
    language: str = ABSENT
    place: str = ABSENT
    tags: list[str] = ABSENT
    sources: list[Source] = ABSENT
    body: Json = Field(default_factory=dict, description="by kind, as in the request that records it")
    name: str = ABSENT
    aliases: list[str] = ABSENT
    force: Force = ABSENT
    target: EventId = ABSENT
    note: str = ABSENT
    changes: Json = Field(default_factory=dict, description="a merge patch (RFC 7396) on the event's content")
    reason: Annotated[str, Known(Reason)] = ABSENT
    rank: Annotated[str, Known(Rank)] = ABSENT
    rivals: list[Ranked] = ABSENT
    ranks: list[Ranked] = ABSENT
    original: EventId = ABSENT


class Event(Content):
    """An event as recorded: where and when, by whom, and what it says."""

    event_id: EventId
    position: LogPosition
    recorded_at: Instant
    recorded_by: str
    schema_version: int


class EventAnswer(Shape):
    """One event as recorded, and what the record says of it since; a record-level event has only the first two."""

    event: Event
    approved_by: str | None = Field(description="who approved it; null where its author could record it themselves")
    record: list[Event] = Field(description="the record-level events about it, in order")
    effective: Content = ABSENT
    corrected: bool = ABSENT
    retracted: bool = ABSENT
    duplicate_of: EventId | None = ABSENT
    duplicates: list[EventId] = ABSENT
    disputed: bool = ABSENT
    counts: bool = ABSENT


class CloudEventData(Content):
    """What an event says."""

    recorded_by: str
    schema_version: int


class CloudEvent(Shape):
    """An event of the log as a CloudEvent (1.0); `position` is an extension attribute."""

    specversion: Literal["1.0"]
    id: EventId
    source: str = Field(examples=["/v1/coalitions/willing"])
    type: Kind
    time: Instant
    subject: str = ABSENT
    datacontenttype: Literal["application/json"]
    position: LogPosition
    data: CloudEventData


class SentEvent(Shape):
    """An event of the stream. Without `data` it only says how far the stream has come."""

    id: str = Field(description="the position in the log")
    event: Kind = ABSENT
    data: JsonText[CloudEvent] = ABSENT


class EventPage(Shape):
    """A page of the log; `next` is the position to go on from."""

    items: list[CloudEvent]
    next: int | None
    total: int = Field(default_factory=lambda: 0, description="how long the log is; only with `count=true`")


# --- writes ---


class Recorded(Shape):
    """What a write recorded, and the states that it produced."""

    event: Event
    states: list[State]


class RecordedBatch(Shape):
    """What a list of statements recorded, and the states that it produced."""

    events: list[Event]
    states: list[State]


class EventTried(Content):
    """What would be recorded."""

    schema_version: int


class Similar(Shape):
    """A recorded statement that may tell the same act."""

    event_id: EventId
    position: LogPosition
    similarity: float = Field(ge=0, le=1, description="how alike the summaries are")
    subject: str
    occurred: Occurred
    summary: str


class Tried(Shape):
    """What a write would come to; nothing is recorded."""

    dry_run: Literal[True]
    event: EventTried
    states: list[State]
    similar: list[Similar]


class TriedBatch(Shape):
    """What a list of statements would come to; nothing is recorded."""

    dry_run: Literal[True]
    events: list[EventTried]
    states: list[State]
    similar: list[list[Similar]]


class ImportRow(Shape):
    """What became of a row of a file, or of several that a mapping draws together."""

    row: int = Field(ge=1, description="the number of the row, as a spreadsheet shows it; of lines, that of the line")
    last_row: int = ABSENT
    status: Annotated[str, Known(["recorded", "repeated", "refused", "left_out", "valid"])]
    event_id: EventId = ABSENT
    position: LogPosition = ABSENT
    errors: list[Fault] = ABSENT
    detail: str = ABSENT
    kind: str = ABSENT
    coalition: str = ABSENT
    subjects: list[SubjectId] = ABSENT
    similar: list[Similar] = ABSENT


class ImportSummary(Shape):
    """What the rows of a file come to."""

    rows: int
    recorded: int = Field(description="recorded now, or by an earlier request with the same Idempotency-Key")
    repeated: int = Field(description="recorded before, by another request, and not again")
    refused: int
    left_out: int
    complete: bool = Field(description="false: it could not go on; send the file again")
    error: str = ABSENT
    dry_run: Literal[True] = ABSENT
    valid: int = Field(default_factory=int, description="of a dry run: what would be recorded")
    kinds: dict[str, int] = Field(default_factory=dict, description="of a dry run: how many of each kind would be")
    similar_rows: int = Field(default_factory=int, description="of a dry run: those that are like what is recorded")
    states: list[State] = Field(default_factory=list, description="of a dry run: how subjects would stand at its end")
    further_subjects: int = Field(default_factory=int, description="of a dry run: touched, and not among `states`")


class ImportReport(ImportSummary):
    """What became of every row of a file."""

    results: list[ImportRow]


class ImportEnd(Shape):
    """The last line of a report in lines."""

    summary: ImportSummary
