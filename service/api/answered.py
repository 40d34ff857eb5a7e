"""The shapes of whole answers to questions, for the OpenAPI document: pages, status, history, differences.

As in `shapes`, nothing is serialised through them, and a test holds every answer to them.
"""

from typing import Annotated

from pydantic import Field

from service.api.recorded import Content, Event
from service.api.shapes import (
    ABSENT,
    TOTAL,
    Actor,
    Answered,
    Category,
    Ceasefire,
    Claim,
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
    Next,
    Position,
    RoleIn,
    Shape,
    State,
    SubjectId,
    Warning,  # noqa: A004 - the contract's word
)
from service.domain import ceasefire
from service.domain.answers import Json
from service.domain.quantities import Sum
from service.domain.record import EventId

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

    next: Next
    total: int = TOTAL


# --- coalitions and countries ---


class CoalitionNamed(Shape):
    """A coalition, by its names."""

    slug: str
    name: str
    aliases: list[str]


class Coalition(CoalitionNamed):
    """A coalition, by the names under which it was registered."""

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


class Member(Actor):
    """A member, by name."""

    role: RoleIn


class Members(Shape):
    """Who belongs to it: named, and claimed in numbers."""

    named: list[Member]
    claimed: list[Claim]


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
    known_min: Sum | None
    known_max: Sum | None
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
    next: Next
    total: int = TOTAL
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


# --- what was said when, and what was ever known ---


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
    next: Next
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
    next: Next
    total: int = TOTAL
    from_: AnswerBasis = Field(alias="from")
    to: AnswerBasis
