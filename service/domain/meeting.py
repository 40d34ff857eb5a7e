"""Meetings: announced, held, cancelled; with a date or, as yet, without one."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import Field

from service.domain.actors import ActorCode
from service.domain.dates import Edtf, parse_edtf, render_instant
from service.domain.plainly import plain
from service.domain.statement import Count, Line, Slug, Statement, Text, Value
from service.domain.subject import Change, Family, Item, SubjectState, day_after, mentioned
from service.domain.telling_dates import tell_when


class Format(StrEnum):
    """How the participants meet."""

    IN_PERSON = "in_person"
    VIRTUAL = "virtual"
    HYBRID = "hybrid"
    TELEPHONE = "telephone"


class Level(StrEnum):
    """Who meets."""

    LEADERS = "leaders"
    MINISTERS = "ministers"
    CHIEFS_OF_STAFF = "chiefs_of_staff"
    PLANNERS = "planners"
    OFFICIALS = "officials"


class MeetingStatus(StrEnum):
    """Whether it took place; `unconfirmed` once its day has passed and nobody has said so."""

    ANNOUNCED = "announced"
    HELD = "held"
    CANCELLED = "cancelled"
    UNCONFIRMED = "unconfirmed"


class Participant(Value):
    """Somebody who took part, or is to."""

    actor: ActorCode | None = None
    name: Line | None = None
    post: Line | None = None
    role: Line | None = None
    mode: Literal["in_person", "remote"] | None = None


class Outcome(Value):
    """Something the meeting brought."""

    kind: Slug = Field(examples=["working-group", "declaration"])
    text: Text


class MeetingTerms(Value):
    """A meeting in the terms of one statement; a date that nobody gave is left out."""

    title: Line | None = None
    date: Edtf | None = None
    format: Format | None = None
    level: Level | None = None
    place: Line | None = None
    hosts: tuple[ActorCode, ...] | None = Field(None, min_length=1, max_length=20)
    chairs: tuple[ActorCode, ...] | None = Field(None, min_length=1, max_length=20)
    participants: tuple[Participant, ...] | None = Field(None, min_length=1, max_length=200)
    claimed_participants: Count | None = Field(None, ge=0, le=10_000, description="how many, as somebody claims")
    outcomes: tuple[Outcome, ...] | None = Field(None, min_length=1, max_length=50)
    follow_up: Text | None = None
    cleared: tuple[Literal["date", "place", "format", "claimed_participants", "follow_up"], ...] = ()


class CancellationTerms(Value):
    """Why a meeting was called off."""

    reason: Text | None = None


class MeetingAnnounced(Statement):
    """A meeting is to take place; announced again, it is rescheduled or changed."""

    family: ClassVar[str] = "meeting"
    per_actor: ClassVar[bool] = False
    kind: Literal["meeting.announced"]
    body: MeetingTerms


class MeetingHeld(Statement):
    """A meeting took place."""

    family: ClassVar[str] = "meeting"
    per_actor: ClassVar[bool] = False
    rank: ClassVar[int] = 2
    kind: Literal["meeting.held"]
    body: MeetingTerms


class MeetingCancelled(Statement):
    """A meeting was called off."""

    family: ClassVar[str] = "meeting"
    per_actor: ClassVar[bool] = False
    rank: ClassVar[int] = 1
    kind: Literal["meeting.cancelled"]
    body: CancellationTerms = CancellationTerms()


KINDS = (MeetingAnnounced, MeetingHeld, MeetingCancelled)


class MeetingDate(Value):
    """When it takes or took place, as given and in its bounds."""

    edtf: str
    earliest: str
    latest: str

    @classmethod
    def of(cls, edtf: str) -> "MeetingDate":
        """The date with its bounds written out."""
        bounds = parse_edtf(edtf)
        return cls(edtf=edtf, earliest=render_instant(bounds.earliest), latest=render_instant(bounds.latest))


class MeetingState(SubjectState):
    """A meeting: what is known of it, and whether it took place."""

    title: str | None = None
    status: MeetingStatus = MeetingStatus.ANNOUNCED
    said: MeetingStatus = MeetingStatus.ANNOUNCED
    date: MeetingDate | None = None
    format: Format | None = None
    level: Level | None = None
    place: str | None = None
    hosts: tuple[str, ...] = ()
    chairs: tuple[str, ...] = ()
    participants: tuple[Participant, ...] = ()
    claimed_participants: int | None = None
    outcomes: tuple[Outcome, ...] = ()
    follow_up: str | None = None


_LABELS = {MeetingStatus.HELD: "held", MeetingStatus.CANCELLED: "cancelled"}


def _step(state: MeetingState, item: Item) -> MeetingState:
    event = item.event
    if isinstance(event, MeetingCancelled):
        return _said(state, item, MeetingStatus.CANCELLED, {})
    assert isinstance(event, MeetingAnnounced | MeetingHeld)
    body = event.body
    terms = mentioned(body, without=frozenset({"date", "participants", "outcomes"}))
    if body.date is not None:
        terms["date"] = MeetingDate.of(body.date)
    if isinstance(event, MeetingHeld):
        if body.date is None and state.date is None:
            terms["date"] = MeetingDate.of(item.edtf)
        terms["participants"] = (
            (body.participants or ())
            if state.said is not MeetingStatus.HELD
            else (_joined(state.participants, body.participants or ()))
        )
        terms["outcomes"] = _joined(state.outcomes, body.outcomes or ())
        return _said(state, item, MeetingStatus.HELD, terms)
    # That it was to take place is no news once it has: only what was not yet known is taken in.
    if state.said is MeetingStatus.HELD:
        known = {name for name in terms if getattr(state, name) not in (None, ())}
        return _said(state, item, MeetingStatus.HELD, {k: v for k, v in terms.items() if k not in known})
    if body.participants is not None:
        terms["participants"] = body.participants
    if body.outcomes is not None:
        terms["outcomes"] = body.outcomes
    return _said(state, item, MeetingStatus.ANNOUNCED, terms)


def _joined(before: tuple[Any, ...], more: tuple[Any, ...]) -> tuple[Any, ...]:
    return before + tuple(one for one in more if one not in before)


def _said(state: MeetingState, item: Item, status: MeetingStatus, terms: dict[str, Any]) -> MeetingState:
    after = state.model_copy(update={**terms, "said": status, "status": status, **state.told(item)})
    return after.model_copy(
        update={
            "change": Change(label=_label(state, after), from_=state.said if state.statement_count else None, to=status)
        }
    )


def _label(before: MeetingState, after: MeetingState) -> str:
    if before.statement_count == 0 or before.said != after.said:
        return _LABELS.get(after.said, "announced")
    if before.date != after.date:
        return "rescheduled"
    ignored = {"change", "statement_count", "last_stated", "status"}  # what time has made of it is not news
    same = all(
        getattr(before, name) == getattr(after, name) for name in MeetingState.model_fields if name not in ignored
    )
    return "reaffirmed" if same else "changed"


def _settle(state: MeetingState, at: datetime) -> MeetingState:
    passed = day_after(state.date.edtf) if state.date else None
    over = state.said is MeetingStatus.ANNOUNCED and passed is not None and passed <= at
    status = MeetingStatus.UNCONFIRMED if over else state.said
    return state if status is state.status else state.model_copy(update={"status": status})


def _expiries(state: MeetingState) -> tuple[datetime, ...]:
    passed = day_after(state.date.edtf) if state.date else None
    return (passed,) if passed is not None else ()


def _words(shown: dict[str, Any]) -> Iterator[str]:
    yield plain(shown["status"])
    yield tell_when(shown["date"]["edtf"]) if shown["date"] else "without a date"


FAMILY = Family(
    name="meeting", state=MeetingState, step=_step, settle=_settle, expiries=_expiries, words=_words, whose="",
    shows=(
        "title", "status", "date", "format", "level", "place", "hosts", "chairs", "participants",
        "claimed_participants", "outcomes", "follow_up",
    ),
)  # fmt: skip
