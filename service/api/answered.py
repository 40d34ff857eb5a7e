"""The shapes of whole answers, for the OpenAPI document: pages, status, events, and what a write answers.

As in `shapes`, nothing is serialised through them, and a test holds every answer to them.
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic import Json as JsonText

from service.api.shapes import (
    ABSENT,
    Actor,
    Answered,
    Category,
    Ceasefire,
    Code,
    Commitment,
    ConditionShown,
    Dated,
    Figure,
    Firmness,
    ForceShown,
    HeadquartersShown,
    Instant,
    Known,
    LogPosition,
    Meeting,
    Position,
    RoleIn,
    Shape,
    SpeakerShown,
    State,
    SubjectId,
    Warning,  # noqa: A004 - the contract's word
)
from service.domain import ceasefire, kinds
from service.domain.coalition import Force
from service.domain.quantities import Number
from service.domain.record import EventId, Rank, Ranked, Reason
from service.domain.statement import Channel, Occurred, Source, Speaker, Wording
from service.web.schemas import Fault

Json = dict[str, Any]
Kind = Annotated[str, Known(kinds.KINDS)]


# --- the point ---


class AnswerBasis(Shape):
    """On what an answer rests: the same basis gives the same bytes, for ever."""

    as_of: Instant = Field(description="valid time: the moment asked about")
    known_position: int = Field(ge=0, description="record time: the last position that counts")
    known_at: Instant = Field(description="when that position was recorded")
    log_root: str = Field(pattern="^[0-9a-f]{64}$", description="the root of the Merkle tree that ends there")
    rules_version: str = Field(description="the rules, with the settings that answers depend on")
    url: str = Field(description="the address of exactly this answer")


class Possible(Shape):
    """What may also hold by then: a statement whose date leaves it open, and the state that it would make."""

    subject: SubjectId
    event_id: EventId
    position: LogPosition
    occurred: Dated
    more: int = Field(description="further statements about the subject that may hold too, and are not shown after it")
    state: State


class Computed(Shape):
    """What every computed answer says besides."""

    basis: AnswerBasis
    possible: list[Possible]


class Page(Computed):
    """One page of a list; all its pages are about one point."""

    next: str | None = Field(description="`after` of the next page; null on the last")
    total: int = Field(default_factory=lambda: 0, description="items on all pages; only with `count=true`")


# --- coalitions and countries ---


class Coalition(Shape):
    """A coalition, by the names under which it was registered."""

    slug: str
    name: str
    aliases: list[str]
    force: ForceShown | None
    first_event: Instant | None
    last_event: Instant | None
    statement_count: int


class CoalitionAnswer(Coalition):
    """One coalition."""

    basis: AnswerBasis


class CoalitionPage(Page):
    """Coalitions, by slug."""

    items: list[Coalition]


class CoalitionNamed(Shape):
    """A coalition, by its names."""

    slug: str
    name: str
    aliases: list[str]


class Member(Actor):
    """A member, by name."""

    role: RoleIn


class ClaimedMembers(Shape):
    """How many members there are, as somebody claims."""

    count: int
    said_by: SpeakerShown | None
    occurred: Dated
    event_id: EventId


class Members(Shape):
    """Who belongs to it: named, and claimed in numbers."""

    named: list[Member]
    claimed: list[ClaimedMembers]


class StancesOnTopic(Shape):
    """Who stands where on one topic; what only others attribute to a country stands apart."""

    supportive: list[Code]
    undecided: list[Code]
    opposed: list[Code]
    attributed: list[Code]


class Total(Shape):
    """What is known of one rung in one unit or currency, lower and upper ends apart, and of how many nothing is."""

    firmness: Firmness
    unit: str | None = ABSENT
    currency: str | None = ABSENT
    known_min: Number | None
    known_max: Number | None
    unknown_count: int
    open_min_count: int
    open_max_count: int


class CategoryOfCommitments(Shape):
    """What is committed in one category, and by whom."""

    category: Category
    countries: list[Code]
    by_firmness: dict[str, list[Code]] = Field(description="codes by rung of the ladder")
    totals: list[Total]
    attributed: list[Code]
    organisations: list[Code]


class CommitmentsInStatus(Shape):
    """A coalition's commitments, drawn together."""

    by_category: list[CategoryOfCommitments]
    anonymous: list[Commitment]
    people: list[Commitment]


class Proposal(Shape):
    """A proposal of a ceasefire, in short."""

    subject: str
    title: str | None
    proposers: list[Code]
    state: Annotated[str, Known(ceasefire.Stage)]
    answers: dict[str, Answered] = Field(description="by the code of the party")


class CeasefireInStatus(Shape):
    """Whether a ceasefire is in force, and every proposal."""

    in_force: bool
    proposals: list[Proposal]


class MeetingsInStatus(Shape):
    """The meetings that count now, those of unknown date too."""

    last_held: Meeting | None
    next_announced: Meeting | None
    unconfirmed: list[Meeting]
    undated: list[Meeting]


class WarningsInStatus(Shape):
    """The warnings that are active; those of unofficial voices apart."""

    active: list[Warning]
    unofficial: list[Warning]


class Status(Computed):
    """Where a coalition stands."""

    coalition: CoalitionNamed
    phase: str | None
    force: ForceShown | None
    headquarters: list[HeadquartersShown]
    command: str | None
    mandate: str | None
    readiness: str | None
    description: str | None
    leads: list[Code]
    members: Members
    stances: dict[str, StancesOnTopic] = Field(description="by topic")
    commitments: CommitmentsInStatus
    claimed_figures: list[Figure]
    conditions_outstanding: list[ConditionShown]
    conditions_met: list[ConditionShown]
    ceasefire: CeasefireInStatus
    meetings: MeetingsInStatus
    warnings: WarningsInStatus


class CountryAnswer(Computed):
    """One country's commitments in every coalition, with its roles and stances."""

    country: Actor
    roles: dict[str, RoleIn] = Field(description="by coalition")
    stances: list[Position]
    commitments: list[Commitment]


class ActorFound(Actor):
    """An actor as a look-up finds it."""

    kind: Annotated[str, Known(("country", "organisation", "person", "group", "coalition", "force"))]
    aliases: list[str]


class ActorPage(Shape):
    """Actors that fit, best first."""

    items: list[ActorFound]
    next: str | None = Field(description="`after` of the next page; null on the last")
    total: int = Field(default_factory=lambda: 0, description="actors on all pages; only with `count=true`")
    basis: AnswerBasis


# --- subjects ---


class CommitmentPage(Page):
    """Commitments, by id."""

    items: list[Commitment]


class PositionPage(Page):
    """Positions, by id."""

    items: list[Position]


class WarningPage(Page):
    """Warnings, by id."""

    items: list[Warning]


class MeetingPage(Page):
    """Meetings, by id."""

    items: list[Meeting]


class CeasefirePage(Page):
    """Ceasefires, by id."""

    items: list[Ceasefire]


class SubjectAnswer(Computed):
    """One subject, with the state of each of its actors."""

    id: str = Field(examples=["willing/pledge/ground-troops"])
    items: list[State]


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


class TimelineItem(Content):
    """A statement as it is now taken to say."""

    event_id: EventId
    position: LogPosition
    recorded_at: Instant
    corrected: bool
    disputed: bool


class TimelinePage(Page):
    """Statements, in the order in which they occurred."""

    items: list[TimelineItem]
    possible: list[TimelineItem]  # type: ignore[assignment]  # statements here, not the states that they would make


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


class Rectangle(Shape):
    """A state between two valid times, as known between two positions; a null bound is open."""

    subject: SubjectId
    valid_from: Instant
    valid_to: Instant | None
    known_from: int
    known_to: int | None
    state: State | None
    possible: list[Json]


class Sizes(Shape):
    """How many there are on all pages."""

    events: int
    states: int


class History(Shape):
    """Everything that was ever known of a subject, on both axes."""

    id: str = Field(examples=["willing/pledge/ground-troops"])
    events: list[Event]
    states: list[Rectangle]
    next: str | None = Field(description="`after` of the next page; null on the last")
    total: Sizes = Field(default_factory=lambda: Sizes(events=0, states=0), description="only with `count=true`")
    basis: AnswerBasis


class Cause(Shape):
    """An event that brought a difference about."""

    event_id: EventId
    position: LogPosition


class Difference(Shape):
    """One subject that differs between two points, and why: the world moved, or we learned."""

    subject: SubjectId
    because: Annotated[str, Known(("moved", "learned"))]
    before: State | None
    after: State | None
    causes: list[Cause] = Field(description="none where time alone did it")


class Changes(Shape):
    """What differs between two points, with the basis of each."""

    items: list[Difference]
    next: str | None = Field(description="`after` of the next page; null on the last")
    total: int = Field(default_factory=lambda: 0, description="items on all pages; only with `count=true`")
    from_: AnswerBasis = Field(alias="from")
    to: AnswerBasis


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
