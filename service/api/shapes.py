"""The shapes of answers, for the OpenAPI document: what is said of each subject, and the values it is made of.

Nothing is serialised through them: answers are bytes before they come here. A test holds every answer to its shape, at
many points of both axes, and forbids there what no shape names. In the document they are open: a field or a word may be
added to an answer, and a client has to be ready for one that it does not know.
"""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)

from service.domain import ceasefire, conditions, meeting, membership, pledge, position, warning
from service.domain.answers import Json
from service.domain.quantities import Sum
from service.domain.record import EventId


def _open(schema: Json) -> None:
    schema.pop("additionalProperties", None)


class Shape(BaseModel):
    """A part of an answer: every field that has no word to the contrary is always there."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, json_schema_extra=_open,
        defer_build=True,  # not at every start, but when the document is asked for
    )  # fmt: skip


ABSENT: Any = Field(default_factory=lambda: None)
"""The default of a field that an answer may leave out; where it is there, it is not null unless its type says so."""
TOTAL: Any = Field(default_factory=int, description="items on all pages; only with `count=true`")
"""The same, of how many items a list has."""
Next = Annotated[str | None, Field(description="`after` of the next page; null on the last")]


class Known:
    """An open enumeration: the words that there are today. More may come, so that a document must not close it."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(words)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:  # noqa: ANN401 - pydantic's
        """Refuses other words: in a test they are a mistake."""
        return handler.generate_schema(Annotated[source, AfterValidator(self._check)])

    def _check(self, word: str) -> str:
        if word not in self._words:
            raise ValueError("is none of the known words")
        return word

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> Json:  # noqa: ANN401 - pydantic's
        """Names the words, and takes others."""
        return {**handler(schema), "x-extensible-enum": list(self._words), "examples": [self._words[0]]}


Code = Annotated[str, Field(description="the code of an actor: a country's is alpha-2", examples=["GB", "org:nato"])]
Day = Annotated[str, WithJsonSchema({"type": "string", "format": "date", "examples": ["2025-07-10"]})]
Instant = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2025-07-10T23:59:59.999999Z"]})
]
Dated = Annotated[str, Field(description="a partial date as stated (EDTF)", examples=["2025-07-10", "2025-11~"])]
LogPosition = Annotated[int, Field(ge=1, description="the position in the log", examples=[57])]
SubjectId = Annotated[
    str,
    Field(
        description="coalition, family, slug and, where the family has one, actor of a subject, which is found with "
        "all its actors at `/v1/subjects/` and the first three",
        examples=["willing/pledge/ground-troops/GB"],
    ),
]
Firmness = Annotated[str, Known(pledge.Firmness)]
Category = Annotated[str, Known(pledge.Category)]


class Actor(Shape):
    """An actor, by code and name."""

    code: Code
    name: str = Field(examples=["United Kingdom"])


class QuantityShown(Shape):
    """How many, as stated: either end may be open; words are never turned into numbers."""

    min: Sum | None
    max: Sum | None
    unit: str | None
    approximate: bool
    text: str | None


class MoneyShown(Shape):
    """A sum as stated, in its own currency."""

    min_amount: str | None
    max_amount: str | None
    currency: str


class ConditionShown(Shape):
    """Something that must hold first."""

    kind: Annotated[str, Known(conditions.ConditionKind)]
    text: str | None
    responsible: Code | None
    status: Annotated[str, Known(conditions.ConditionStatus)]


class SpeakerShown(Shape):
    """Who said it, with the post held on that day."""

    actor: Code | None
    name: str | None
    post: str | None
    official: bool


class Change(Shape):
    """How the last statement differs from what stood before."""

    label: str = Field(examples=["announced", "reaffirmed"])
    from_: Any = Field(alias="from")
    to: Any


class Told(Shape):
    """A statement behind a state, and the change that it made. In a dry run, the new one has no id and no position."""

    event_id: EventId | None
    position: LogPosition | None
    occurred: Dated
    label: str | None


class Delivered(Shape):
    """What has been delivered so far."""

    complete: bool
    quantities: list[QuantityShown]
    money: list[MoneyShown]
    deliveries: int


class Rival(Shape):
    """One side of a dispute: the statement, and the state that it would make."""

    event_id: EventId
    position: LogPosition
    occurred: Dated
    counts: bool = Field(description="whether it is the one that stands")
    state: "State"


class Subject(Shape):
    """What the states of all families share."""

    family: ClassVar[str]

    id: SubjectId
    coalition: str
    subject: str
    disputed: bool
    first_stated: Day | None
    last_stated: Day | None
    change: Change | None
    statements: list[Told] = Field(description="the latest behind the state; its history has all")
    statement_count: int
    independent_sources: int
    rivals: list[Rival]


class Commitment(Subject):
    """What one actor has promised, in the terms that stand."""

    family: ClassVar = "pledge"
    actor: Actor
    category: Category
    firmness: Firmness | None
    status: Annotated[str, Known(pledge.CommitmentStatus)]
    conditional: bool
    conditions: list[ConditionShown]
    quantity: QuantityShown | None
    money: MoneyShown | None
    delivered: Delivered | None
    attributed_only: bool = Field(description="only others say so")
    stale: bool
    age_days: int | None
    places: list[str]
    starts: Dated | None
    ends: Dated | None
    deadline: Dated | None
    beneficiary: Code | None
    description: str | None


class Position(Subject):
    """Where one actor stands on a topic."""

    family: ClassVar = "position"
    actor: Actor
    topic: str | None
    stance: Annotated[str, Known(position.Stance)] | None
    expression: Annotated[str, Known(position.Expression)] | None
    text: str | None
    occurred: Dated | None
    attributed_only: bool


class Warning(Subject):  # noqa: A001 - the contract's word
    """What one issuer threatens."""

    family: ClassVar = "warning"
    issuer: Actor
    official: bool
    said_by: SpeakerShown | None
    status: Annotated[str, Known(warning.WarningStatus)]
    targets: list[Code]
    trigger: str | None
    consequence: str | None
    threat: Annotated[str, Known(warning.Threat)] | None
    severity: Annotated[str, Known(warning.Severity)] | None
    explicit: bool | None
    first_issued: Dated | None
    last_issued: Dated | None
    times: int
    attributed_only: bool


class MeetingDate(Shape):
    """When it takes or took place, as given and in its bounds."""

    edtf: Dated
    earliest: Instant
    latest: Instant


class ParticipantShown(Shape):
    """Somebody who took part, or is to."""

    actor: Code | None
    name: str | None
    post: str | None
    role: str | None
    mode: str | None


class OutcomeShown(Shape):
    """Something that a meeting brought."""

    kind: str
    text: str


class Meeting(Subject):
    """A meeting, and whether it took place."""

    family: ClassVar = "meeting"
    title: str | None
    status: Annotated[str, Known(meeting.MeetingStatus)]
    date: MeetingDate | None
    format: Annotated[str, Known(meeting.Format)] | None
    level: Annotated[str, Known(meeting.Level)] | None
    place: str | None
    hosts: list[Code]
    chairs: list[Code]
    participants: list[ParticipantShown]
    claimed_participants: int | None
    outcomes: list[OutcomeShown]
    follow_up: str | None


class TermShown(Shape):
    """One term of a proposal."""

    topic: str
    text: str


Answered = Annotated[str, Known(ceasefire.Answer)]


class PastAnswer(Shape):
    """What a party had answered before."""

    answer: Answered
    occurred: Dated


class PartyAnswer(Shape):
    """A party's latest answer, and the version of the terms that it answers."""

    answer: Answered
    occurred: Dated
    conditions: list[str]
    version: int
    attributed: bool
    history: list[PastAnswer]


class Ceasefire(Subject):
    """A proposal, its answers, and how far it has come."""

    family: ClassVar = "ceasefire"
    title: str | None
    proposers: list[Code]
    addressees: list[Code]
    state: Annotated[str, Known(ceasefire.Stage)]
    scope: Annotated[str, Known(ceasefire.Scope)] | None
    duration_days: int | None
    unconditional: bool | None
    terms: list[TermShown]
    document: str | None
    monitoring_lead: Code | None
    expires: Dated | None
    took_effect: Dated | None
    answers: dict[str, PartyAnswer] = Field(description="by the code of the party")
    violations: int


class ForceShown(Shape):
    """The force of a coalition; it and the coalition are two different things."""

    name: str
    aliases: list[str]


class HeadquartersShown(Shape):
    """Where a coalition or its force is led from."""

    place: str
    role: str | None
    host: Code | None
    text: str | None


class Figure(Shape):
    """A figure at the coalition's level, with who claims it."""

    what: str
    quantity: QuantityShown
    text: str | None
    said_by: SpeakerShown | None
    occurred: Dated
    event_id: EventId


class Organisation(Subject):
    """Facts of a coalition's organisation."""

    family: ClassVar = "coalition"
    name: str | None
    aliases: list[str]
    phase: str | None
    force: ForceShown | None
    leads: list[Code]
    headquarters: list[HeadquartersShown]
    command: str | None
    figures: list[Figure]
    mandate: str | None
    readiness: str | None
    description: str | None
    conditions: list[ConditionShown]


class Claim(Shape):
    """Somebody's count of the members."""

    count: int
    said_by: SpeakerShown | None
    occurred: Dated
    event_id: EventId


RoleIn = Annotated[str, Known(membership.Role)]


class Membership(Subject):
    """An actor's role, or the claims about how many members there are."""

    family: ClassVar = "membership"
    actor: Actor | None
    role: RoleIn | None
    text: str | None
    claims: list[Claim]
    attributed_only: bool
    official: bool


State = Commitment | Position | Warning | Meeting | Ceasefire | Organisation | Membership
"""A subject's state, in the shape of its family."""
