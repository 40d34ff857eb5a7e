"""The record of the record: corrections, retractions, disputes, duplicates, further sources.

These events say nothing of the world. They change what an earlier event is taken to say, from their position on: the
functions here turn one `Effective` statement into the next. A change in the world is never a correction.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from service.domain.dates import BEGINNING, Bounds
from service.domain.errors import Fault, Invalid, Misplaced, Refused
from service.domain.quantities import LARGEST
from service.domain.statement import Event, Source, Statement, Text, Value, check_printable, tie_digest, tie_text
from service.domain.subject import Item, SubjectKey, keys_of

EVENT_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
EventId = Annotated[
    str,
    StringConstraints(pattern=EVENT_ID),
    Field(description="the event_id of an event", examples=["019a8f3e-0000-7000-8000-000000000000"]),
]


_EVENT_ID = re.compile(EVENT_ID)


def is_event_id(text: str) -> bool:
    """Whether a text has the form of an event's id."""
    return _EVENT_ID.fullmatch(text) is not None


class Reason(StrEnum):
    """Why a record is changed."""

    ENTRY_ERROR = "entry_error"
    SOURCE_CORRECTED = "source_corrected"
    BETTER_SOURCE = "better_source"
    TRANSLATION = "translation"
    DUPLICATE_ENTRY = "duplicate_entry"
    LEGAL = "legal"
    OTHER = "other"


class Rank(StrEnum):
    """How rival statements stand to one another."""

    PREFERRED = "preferred"
    NORMAL = "normal"
    DEPRECATED = "deprecated"


class RecordEvent(Event):
    """An event about an earlier event."""

    family: ClassVar[str] = "record"
    target: EventId
    note: Text | None = None

    @property
    def named(self) -> tuple[str, ...]:
        return (self.target,)


class RecordCorrected(RecordEvent):
    """We wrote it down wrong, or the source did: a merge patch (RFC 7396) on the event's content."""

    kind: Literal["record.corrected"]
    changes: dict[str, Any] = Field(min_length=1)
    reason: Reason
    sources: tuple[Source, ...] = Field((), max_length=50)

    @field_validator("changes")
    @classmethod
    def _canonical(cls, changes: dict[str, Any]) -> dict[str, Any]:
        _check_canonical(changes)
        return changes


def _check_canonical(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Refuses what canonical JSON cannot hold the same everywhere: fractions as numbers, huge integers, odd text."""
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > LARGEST):
        raise ValueError("holds a fraction or a number above 2^53; write it as a text, in quotation marks")
    if isinstance(value, str):
        check_printable(value)
    elif isinstance(value, dict):
        for name, member in value.items():
            if not name.isascii():
                raise ValueError("names a field that no event has")
            check_printable(name)
            _check_canonical(member)
    elif isinstance(value, list):
        for member in value:
            _check_canonical(member)


class RecordRetracted(RecordEvent):
    """It should not have been recorded."""

    kind: Literal["record.retracted"]
    reason: Reason


class RecordReinstated(RecordEvent):
    """It stands after all: the retraction was wrong or, where there is none, that it was marked as a duplicate."""

    kind: Literal["record.reinstated"]
    reason: Reason


class Ranked(Value):
    """An event and its rank in a dispute."""

    event_id: EventId
    rank: Rank = Rank.NORMAL


class RecordDisputed(RecordEvent):
    """Rival statements, kept side by side."""

    kind: Literal["record.disputed"]
    rank: Rank = Rank.NORMAL
    rivals: tuple[Ranked, ...] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _different_events(self) -> Self:
        if len(set(self.named)) != len(self.named):
            detail = "An event stands here twice: a dispute is between different events."
            raise Misplaced("rivals", detail, code="same_event")
        return self

    @property
    def named(self) -> tuple[str, ...]:
        return (self.target, *(rival.event_id for rival in self.rivals))


class RecordDisputeSettled(RecordEvent):
    """How a dispute ended; `target` is the dispute, `ranks` what its statements rank from now on."""

    kind: Literal["record.dispute_settled"]
    ranks: tuple[Ranked, ...] = Field(min_length=1, max_length=21)

    @property
    def named(self) -> tuple[str, ...]:
        return (self.target, *(ranked.event_id for ranked in self.ranks))


class RecordDuplicate(RecordEvent):
    """The target tells the same act as the original: they count once."""

    kind: Literal["record.duplicate"]
    original: EventId

    @model_validator(mode="after")
    def _another_event(self) -> Self:
        if self.original == self.target:
            raise Misplaced("original", "An event is no duplicate of itself.", code="same_event")
        return self

    @property
    def named(self) -> tuple[str, ...]:
        return (self.target, self.original)


class RecordSourced(RecordEvent):
    """One more source for an event."""

    kind: Literal["record.sourced"]
    sources: tuple[Source, ...] = Field(min_length=1, max_length=50)


KINDS = (
    RecordCorrected, RecordRetracted, RecordReinstated, RecordDisputed, RecordDisputeSettled, RecordDuplicate,
    RecordSourced,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dispute:
    """One statement's part in one dispute."""

    rank: Rank
    open: bool
    yields_to: tuple[int, ...] = ()  # positions of preferred rivals


@dataclass(frozen=True)
class Effective:
    """What a recorded event is taken to say, as known at some position."""

    position: int
    event_id: str
    event: Event
    content: dict[str, Any]
    revision: int  # the position of the last event that touched it
    corrected: bool = False
    retracted: bool = False
    duplicate_of: int | None = None
    duplicates: tuple[int, ...] = ()
    disputes: Mapping[int, Dispute] = field(default_factory=dict)
    backs: tuple[int, ...] = ()  # positions of rivals that yield to this one
    suppressed: bool = False  # something it yields to stands
    more_origins: tuple[str, ...] = ()  # of its standing duplicates

    @cached_property
    def keys(self) -> tuple[SubjectKey, ...]:
        """The subjects it touches."""
        return keys_of(self.event)

    @cached_property
    def bounds(self) -> Bounds:
        """When it happened; what has no date holds from the beginning."""
        if isinstance(self.event, Statement):
            return self.event.occurred.bounds
        return Bounds(BEGINNING, BEGINNING)

    @cached_property
    def linked(self) -> tuple[int, ...]:
        """Positions of the statements whose standing depends on this one's, or this one's on theirs."""
        yields = (position for dispute in self.disputes.values() for position in dispute.yields_to)
        original = () if self.duplicate_of is None else (self.duplicate_of,)
        return tuple(sorted({*original, *self.duplicates, *self.backs, *yields}))

    @cached_property
    def origins(self) -> tuple[str, ...]:
        """Digests of the independent originals of its sources."""
        own = {source.origin for source in self.event.sources} if isinstance(self.event, Statement) else set()
        return tuple(sorted(own | set(self.more_origins)))

    @property
    def disputed(self) -> bool:
        """Whether it takes part in a dispute that is open."""
        return any(dispute.open for dispute in self.disputes.values())

    @cached_property
    def item(self) -> Item | None:
        """What the fold takes in, or None where the statement counts for nothing and is shown nowhere."""
        counts = not self.suppressed and all(dispute.rank is not Rank.DEPRECATED for dispute in self.disputes.values())
        if self.retracted or not (counts or (self.disputed and self.duplicate_of is None)):
            return None
        text = tie_text(self.content)
        return Item(
            event=self.event,
            event_id=self.event_id,
            position=self.position,
            bounds=self.bounds,
            digest=tie_digest(text),
            size=len(text),
            origins=self.origins,
            counts=counts,
            disputed=self.disputed,
        )


def merge_patch(value: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON
    """RFC 7396: objects are merged, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for name, change in patch.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), change)
    return merged


def make_patch(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that makes one content of another; neither has a null in it, which a patch could not say."""
    patch: dict[str, Any] = dict.fromkeys(set(before) - set(after))
    for name, value in after.items():
        known = before.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            if changes := make_patch(known, value):
                patch[name] = changes
        elif name not in before or known != value:
            patch[name] = value
    return patch


FIXED = ("kind", "coalition")  # a correction never changes these


def corrected_content(before: Effective, event: RecordCorrected) -> dict[str, Any]:
    """The content after a correction; the caller validates it as the statement's own kind.

    Raises `Invalid` where it would change the kind or the coalition, `Refused` where it would change nothing.
    """
    fixed = [name for name in FIXED if name in event.changes]
    if fixed:
        detail = f"A correction cannot change `{fixed[0]}`: retract the event and record it anew."
        raise Invalid(detail, Fault(f"/changes/{fixed[0]}", "fixed", detail))
    content: dict[str, Any] = merge_patch(before.content, event.changes)
    if event.sources:
        added = [source.model_dump(mode="json", exclude_unset=True, exclude_none=True) for source in event.sources]
        content["sources"] = [*content.get("sources", []), *added]
    if content == before.content:
        raise Refused("The correction changes nothing: the event already says so.")
    return content


def correct(before: Effective, corrected: Event, *, at: int) -> Effective:
    """The statement as corrected at a position."""
    return replace(before, event=corrected, content=corrected.content(), corrected=True, revision=at)


def retract(before: Effective, *, at: int) -> Effective:
    """The statement as retracted; refused where it already is."""
    if before.retracted:
        raise Refused("The event is already retracted.")
    return replace(before, retracted=True, revision=at)


def reinstate(before: Effective, original: Effective | None, *, at: int) -> tuple[Effective, ...]:
    """The statement once it stands again: no longer retracted or, where it was not, no longer a duplicate.

    ``original`` is the statement that it duplicates; it too is another then. Refused where it stands already.
    """
    if before.retracted:
        return (replace(before, retracted=False, revision=at),)
    if original is None:
        raise Refused("The event is neither retracted nor a duplicate, so there is nothing to reinstate.")
    others = tuple(position for position in original.duplicates if position != before.position)
    return (replace(before, duplicate_of=None, revision=at), replace(original, duplicates=others, revision=at))


def mark_duplicate(target: Effective, original: Effective, *, at: int) -> tuple[Effective, Effective]:
    """Both statements once the first counts as the second.

    Refused where the original is itself a duplicate, the target is one already or has duplicates of its own, or the
    two are of different kinds: they then tell different acts.
    """
    if target.duplicate_of is not None:
        raise Refused("The event is already marked as a duplicate.")
    if original.duplicate_of is not None:
        raise Refused("The original is itself a duplicate: name the event that it duplicates.")
    if target.duplicates:
        raise Refused("The event has duplicates of its own: mark it as the original instead.")
    if target.event.kind != original.event.kind:
        raise Refused("The two events are of different kinds, so they do not tell the same act.")
    return (
        replace(target, duplicate_of=original.position, revision=at),
        replace(original, duplicates=(*original.duplicates, target.position), revision=at),
    )


def rank(
    statements: Mapping[str, Effective], ranks: Mapping[str, Rank], *, dispute: int, still_open: bool, at: int
) -> tuple[Effective, ...]:
    """The named statements as a dispute (by its position) ranks them: a normal one yields to a preferred one."""
    preferred = tuple(sorted(statements[name].position for name, given in ranks.items() if given is Rank.PREFERRED))
    yielding = tuple(sorted(statements[name].position for name, given in ranks.items() if given is Rank.NORMAL))
    after = []
    for name, given in ranks.items():
        before = statements[name]
        part = Dispute(rank=given, open=still_open, yields_to=preferred if given is Rank.NORMAL else ())
        backs = set(before.backs) | (set(yielding) if given is Rank.PREFERRED else set())
        after.append(
            replace(
                before,
                disputes={**before.disputes, dispute: part},
                backs=tuple(sorted(backs)),
                revision=at,
            )
        )
    return tuple(after)


def weigh(statement: Effective, others: Mapping[int, Effective]) -> Effective:
    """The statement with what follows from the standing of those it is linked to.

    ``others`` holds, by position, at least all of `Effective.linked`. A statement never yields to its own duplicate:
    the two tell one act, so that the rank of one against the other says nothing, and the original counts.
    """
    if not (statement.linked or statement.suppressed or statement.more_origins):
        return statement
    yields = {position for dispute in statement.disputes.values() for position in dispute.yields_to}
    yields -= set(statement.duplicates)
    if statement.duplicate_of is not None:
        yields.add(statement.duplicate_of)
    origins = {
        origin
        for position in statement.duplicates
        if not others[position].retracted
        for origin in others[position].origins
    }
    return replace(
        statement,
        suppressed=any(not others[position].retracted for position in yields),
        more_origins=tuple(sorted(origins)),
    )
