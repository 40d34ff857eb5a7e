"""Ceasefires: what was proposed, what each party answered, and whether it came into force.

The stages follow the ETH/PRIO ceasefire codebook. Only `ceasefire.took_effect` brings one into force; a violation is
recorded beside it and ends nothing; `ceasefire.ended` and the end of its own duration do.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import Field

from service.domain.actors import ActorCode, name_of
from service.domain.dates import Edtf, parse_edtf
from service.domain.plainly import plain
from service.domain.statement import Count, Flag, Line, Slug, Statement, Text, Value
from service.domain.subject import Change, Family, Item, SubjectState, day_after, mentioned


class Scope(StrEnum):
    """What is to cease."""

    GENERAL = "general"
    PARTIAL = "partial"
    AIR = "air"
    SEA = "sea"
    ENERGY = "energy"
    LOCAL = "local"


class Answer(StrEnum):
    """What a party answers."""

    ACCEPTED = "accepted"
    ACCEPTED_WITH_CONDITIONS = "accepted_with_conditions"
    RESERVED = "reserved"
    REJECTED = "rejected"
    COUNTERED = "countered"


class Stage(StrEnum):
    """How far a ceasefire has come."""

    PROPOSED = "proposed"
    AMENDED = "amended"
    AGREED = "agreed"
    IN_FORCE = "in_force"
    VIOLATED = "violated"
    ENDED = "ended"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Term(Value):
    """One term of a proposal."""

    topic: Slug
    text: Text


class ProposalTerms(Value):
    """A proposal in the terms of one statement."""

    title: Line | None = None
    scope: Scope | None = None
    duration_days: Count | None = Field(None, ge=1, le=36_500)
    unconditional: Flag | None = None
    terms: tuple[Term, ...] | None = Field(None, min_length=1, max_length=100)
    document: Line | None = None
    monitoring_lead: ActorCode | None = None
    expires: Edtf | None = Field(None, description="until when it may be answered")
    cleared: tuple[Literal["duration_days", "unconditional", "terms", "monitoring_lead", "expires"], ...] = ()


class AnswerTerms(Value):
    """A party's answer."""

    answer: Answer
    conditions: tuple[Text, ...] | None = Field(None, min_length=1, max_length=30)
    text: Text | None = None


class EffectTerms(Value):
    """What was said when it took effect, was broken, ended or was withdrawn."""

    text: Text | None = None


class CeasefireProposed(Statement):
    """Terms of a truce, a ceasefire or a peace; proposed again, they are amended."""

    family: ClassVar[str] = "ceasefire"
    per_actor: ClassVar[bool] = False
    kind: Literal["ceasefire.proposed"]
    body: ProposalTerms


class CeasefireAnswered(Statement):
    """A party accepts, reserves its answer, rejects or counters."""

    family: ClassVar[str] = "ceasefire"
    per_actor: ClassVar[bool] = False
    rank: ClassVar[int] = 1
    kind: Literal["ceasefire.answered"]
    actors: tuple[ActorCode, ...] = Field(min_length=1, max_length=80, description="the parties that answer")
    body: AnswerTerms


class CeasefireTookEffect(Statement):
    """The ceasefire is in force."""

    family: ClassVar[str] = "ceasefire"
    per_actor: ClassVar[bool] = False
    rank: ClassVar[int] = 2
    kind: Literal["ceasefire.took_effect"]
    body: EffectTerms = EffectTerms()


class CeasefireViolated(Statement):
    """Somebody is said to have broken it."""

    family: ClassVar[str] = "ceasefire"
    per_actor: ClassVar[bool] = False
    rank: ClassVar[int] = 3
    kind: Literal["ceasefire.violated"]
    body: EffectTerms = EffectTerms()


class CeasefireEnded(Statement):
    """It is over."""

    family: ClassVar[str] = "ceasefire"
    per_actor: ClassVar[bool] = False
    rank: ClassVar[int] = 4
    kind: Literal["ceasefire.ended"]
    body: EffectTerms = EffectTerms()


class CeasefireWithdrawn(Statement):
    """The proposers take the proposal back."""

    family: ClassVar[str] = "ceasefire"
    per_actor: ClassVar[bool] = False
    rank: ClassVar[int] = 4
    kind: Literal["ceasefire.withdrawn"]
    body: EffectTerms = EffectTerms()


KINDS = (
    CeasefireProposed, CeasefireAnswered, CeasefireTookEffect, CeasefireViolated, CeasefireEnded, CeasefireWithdrawn,
)  # fmt: skip


class PartyAnswer(Value):
    """A party's latest answer, the version of the terms it answers, and what it had answered before."""

    answer: Answer
    occurred: str
    conditions: tuple[str, ...] = ()
    version: int = 0
    attributed: bool = False
    history: tuple[dict[str, str], ...] = ()


class CeasefireState(SubjectState):
    """A proposal, its answers, and how far it has come."""

    title: str | None = None
    proposers: tuple[str, ...] = ()
    addressees: tuple[str, ...] = ()
    state: Stage = Stage.PROPOSED
    said: Stage = Stage.PROPOSED
    version: int = 0  # how often terms were stated: 1 is the first proposal, more are amendments
    scope: Scope | None = None
    duration_days: int | None = None
    unconditional: bool | None = None
    terms: tuple[Term, ...] = ()
    document: str | None = None
    monitoring_lead: str | None = None
    expires: str | None = None
    took_effect: str | None = None
    in_force_days: int | None = None  # how long what took effect lasts: terms proposed since then do not prolong it
    answers: dict[str, PartyAnswer] = Field(default_factory=dict)
    violations: int = 0


_OUTCOMES: dict[type[Statement], Stage] = {
    CeasefireTookEffect: Stage.IN_FORCE,
    CeasefireViolated: Stage.VIOLATED,
    CeasefireEnded: Stage.ENDED,
    CeasefireWithdrawn: Stage.WITHDRAWN,
}
IN_FORCE = frozenset({Stage.IN_FORCE, Stage.VIOLATED})


def _step(state: CeasefireState, item: Item) -> CeasefireState:
    event = item.event
    assert isinstance(event, Statement)
    if not event.official:
        return state.model_copy(
            update={"statement_count": state.statement_count + 1, "change": Change(label="unofficial")}
        )
    if isinstance(event, CeasefireProposed):
        return _proposed(state, item, event)
    if isinstance(event, CeasefireAnswered):
        return _answered(state, item, event)
    return _became(state, item, _OUTCOMES[type(event)])


def _proposed(state: CeasefireState, item: Item, event: CeasefireProposed) -> CeasefireState:
    terms = mentioned(event.body)
    if terms.get("terms", ()) is None:
        terms["terms"] = ()
    known_terms = {name: getattr(state, name) for name in terms}
    end = _runs_out(state) if state.said in IN_FORCE else None
    over = state.said in (Stage.ENDED, Stage.WITHDRAWN) or (end is not None and end <= item.bounds.latest)
    changed = state.version == 0 or over or known_terms != terms
    version = state.version + 1 if changed else state.version
    said = (Stage.PROPOSED if version == 1 else Stage.AMENDED) if changed else state.said
    if state.said in IN_FORCE and not over:
        said = state.said
        if state.in_force_days is None:  # its length was not known when it took effect
            terms["in_force_days"] = terms.get("duration_days")
    label = ("proposed" if version == 1 else "amended") if changed else "reaffirmed"
    return state.model_copy(
        update={
            **terms,
            "version": version,
            "said": said,
            "proposers": tuple(dict.fromkeys((*state.proposers, *event.actors))),
            "addressees": tuple(dict.fromkeys((*state.addressees, *event.addressees))),
            "change": Change(label=label, from_=state.said if state.version else None, to=said),
            **state.told(item),
        }
    )


def _answered(state: CeasefireState, item: Item, event: CeasefireAnswered) -> CeasefireState:
    answers = dict(state.answers)
    for party in event.actors:
        before = answers.get(party)
        if event.attributed and before is not None and not before.attributed:
            continue
        history = (*before.history, {"answer": before.answer, "occurred": before.occurred}) if before else ()
        answers[party] = PartyAnswer(
            answer=event.body.answer,
            occurred=item.edtf,
            conditions=event.body.conditions or (),
            version=state.version,
            attributed=event.attributed,
            history=history[-20:],
        )
    return state.model_copy(
        update={
            "answers": dict(sorted(answers.items())),
            "change": Change(label=event.body.answer, from_=None, to=list(event.actors)),
            **state.told(item),
        }
    )


def _became(state: CeasefireState, item: Item, said: Stage) -> CeasefireState:
    violated = said is Stage.VIOLATED
    stays = violated and state.said not in IN_FORCE
    update: dict[str, Any] = {
        "said": state.said if stays else said,
        "violations": state.violations + violated,
        "change": Change(label=said, from_=state.said, to=said),
        **state.told(item),
    }
    if said is Stage.IN_FORCE:
        update["took_effect"] = item.edtf
        update["in_force_days"] = state.duration_days
    return state.model_copy(update=update)


def _settle(state: CeasefireState, at: datetime) -> CeasefireState:
    stage = _stage(state, at)
    return state if stage is state.state else state.model_copy(update={"state": stage})


def _stage(state: CeasefireState, at: datetime) -> Stage:
    if state.said in IN_FORCE:
        over = _runs_out(state)
        return Stage.EXPIRED if over is not None and over <= at else state.said
    if state.said in (Stage.ENDED, Stage.WITHDRAWN):
        return state.said
    given = {
        party: answer.answer
        for party, answer in state.answers.items()
        if _answers_these_terms(answer, state) and not answer.attributed
    }
    if Answer.REJECTED in given.values():
        return Stage.REJECTED
    if state.addressees and all(given.get(party) is Answer.ACCEPTED for party in state.addressees):
        return Stage.AGREED
    lapsed = day_after(state.expires)
    return Stage.EXPIRED if lapsed is not None and lapsed <= at else state.said


def _answers_these_terms(answer: PartyAnswer, state: CeasefireState) -> bool:
    """An answer that is told before its proposal answers the first terms that are."""
    return answer.version == state.version or (answer.version == 0 and state.version == 1)


def _runs_out(state: CeasefireState) -> datetime | None:
    if state.took_effect is None or state.in_force_days is None:
        return None
    try:
        return parse_edtf(state.took_effect).latest + timedelta(days=state.in_force_days)
    except OverflowError:
        return None


def _expiries(state: CeasefireState) -> tuple[datetime, ...]:
    return tuple(day for day in (day_after(state.expires), _runs_out(state)) if day is not None)


def _words(shown: dict[str, Any]) -> Iterator[str]:
    yield plain(shown["state"])
    for party, answer in sorted(shown["answers"].items()):
        yield f"{plain(answer['answer'])} by {name_of(party)}"


FAMILY = Family(
    name="ceasefire", state=CeasefireState, step=_step, settle=_settle, expiries=_expiries, words=_words, whose="",
    shows=(
        "title", "proposers", "addressees", "state", "scope", "duration_days", "unconditional", "terms", "document",
        "monitoring_lead", "expires", "took_effect", "answers", "violations",
    ),
)  # fmt: skip
