"""Coalitions: their names, and the facts of organisation that somebody stated about them."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from service.domain.actors import ActorCode
from service.domain.conditions import Condition, ConditionKind
from service.domain.quantities import Quantity
from service.domain.statement import Event, Line, Slug, Speaker, Statement, Text, Value
from service.domain.subject import Change, Family, Item, SubjectState, mentioned

REGISTRATION = "registration"  # the subject that holds a coalition's names


class Force(Value):
    """The force of a coalition; it and the coalition are two different things."""

    name: Line
    aliases: tuple[Line, ...] = Field((), max_length=50)


class CoalitionRegistered(Event):
    """A coalition is known to the registry, by these names. It has no date: it is no statement."""

    family: ClassVar[str] = "coalition"
    kind: Literal["coalition.registered"]
    name: Line
    aliases: tuple[Line, ...] = Field((), max_length=50)
    force: Force | None = None


class Headquarters(Value):
    """Where the coalition or its force is led from."""

    place: Line
    role: Line | None = Field(None, description="what is there: headquarters, coordination cell, …")
    host: ActorCode | None = None
    text: Text | None = None


class ClaimedFigure(Value):
    """A figure at the coalition's level, with who claims it: in no country's list or total."""

    what: Slug = Field(examples=["troops", "participants"])
    quantity: Quantity
    text: Text | None = None


class OrganisationTerms(Value):
    """Facts of organisation in the terms of one statement."""

    phase: Slug | None = Field(None, examples=["planning", "ready-to-deploy", "deployed"])
    force: Force | None = None
    leads: tuple[ActorCode, ...] | None = Field(None, min_length=1, max_length=20)
    headquarters: tuple[Headquarters, ...] | None = Field(None, min_length=1, max_length=20)
    command: Text | None = None
    target_strength: Quantity | None = None
    figures: tuple[ClaimedFigure, ...] | None = Field(None, min_length=1, max_length=20)
    mandate: Text | None = None
    readiness: Text | None = None
    conditions: tuple[Condition, ...] | None = Field(None, min_length=1, max_length=30)
    description: Text | None = None
    cleared: tuple[
        Literal["phase", "leads", "headquarters", "command", "mandate", "readiness", "conditions", "description"],
        ...,
    ] = ()


class CoalitionStated(Statement):
    """Facts of organisation: phase, force, leads, headquarters, command, claimed strength, mandate, conditions."""

    family: ClassVar[str] = "coalition"
    per_actor: ClassVar[bool] = False
    kind: Literal["coalition.stated"]
    subject: Slug = Field(json_schema_extra={"not": {"const": REGISTRATION}})
    body: OrganisationTerms

    @field_validator("subject")
    @classmethod
    def _leaves_the_registration_alone(cls, subject: str) -> str:
        if subject == REGISTRATION:
            raise ValueError("is the subject that holds the coalition's names; take another slug")
        return subject


KINDS = (CoalitionRegistered, CoalitionStated)


class FigureClaim(Value):
    """A claimed figure and its claimant."""

    what: str
    quantity: Quantity
    text: str | None = None
    said_by: Speaker | None = None
    occurred: str
    event_id: str


class CoalitionState(SubjectState):
    """What is known of a coalition's organisation."""

    name: str | None = None
    aliases: tuple[str, ...] = ()
    phase: str | None = None
    force: Force | None = None
    leads: tuple[str, ...] = ()
    headquarters: tuple[Headquarters, ...] = ()
    command: str | None = None
    figures: tuple[FigureClaim, ...] = ()
    mandate: str | None = None
    readiness: str | None = None
    conditions: tuple[Condition, ...] = ()
    description: str | None = None


def _step(state: CoalitionState, item: Item) -> CoalitionState:
    event = item.event
    if isinstance(event, CoalitionRegistered):
        return state.model_copy(
            update={"name": event.name, "aliases": event.aliases, "force": event.force, **state.told(item)}
        )
    assert isinstance(event, CoalitionStated)
    if not event.official:
        return state.model_copy(
            update={"statement_count": state.statement_count + 1, "change": Change(label="unofficial")}
        )
    body = event.body
    terms: dict[str, Any] = {
        name: CoalitionState.model_fields[name].default if value is None else value
        for name, value in mentioned(body, without=frozenset({"figures", "target_strength"})).items()
    }
    label = "stated" if state.statement_count == 0 else "restated"
    if body.conditions is not None:
        terms["conditions"] = _conditions(state.conditions, body.conditions)
    return state.model_copy(
        update={
            **terms,
            "figures": _figures(state, item, event),
            "change": Change(label=label),
            **state.told(item),
        }
    )


def _conditions(before: tuple[Condition, ...], stated: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """What the coalition depends on: a condition that is stated again is brought up to date, the others stay."""
    again = {_which(condition) for condition in stated}
    return (*(condition for condition in before if _which(condition) not in again), *stated)


def _which(condition: Condition) -> tuple[str, str | None]:
    return (condition.kind, condition.text if condition.kind is ConditionKind.OTHER else None)


def _figures(state: CoalitionState, item: Item, event: CoalitionStated) -> tuple[FigureClaim, ...]:
    """The latest figure of each speaker for each thing."""
    claimed = list(event.body.figures or ())
    if event.body.target_strength is not None:
        claimed.append(ClaimedFigure(what="target-strength", quantity=event.body.target_strength))
    new = tuple(
        FigureClaim(
            what=figure.what,
            quantity=figure.quantity,
            text=figure.text,
            said_by=event.said_by,
            occurred=item.edtf,
            event_id=item.event_id,
        )
        for figure in claimed
    )
    replaced = {(figure.what, figure.said_by) for figure in new}
    kept = tuple(figure for figure in state.figures if (figure.what, figure.said_by) not in replaced)
    return (*kept, *new)[-50:]


def _words(shown: dict[str, Any]) -> Iterator[str]:
    yield shown["name"] or ""
    yield f"phase {shown['phase']}" if shown["phase"] else ""


FAMILY = Family(
    name="coalition", state=CoalitionState, step=_step, words=_words,
    shows=(
        "name", "aliases", "phase", "force", "leads", "headquarters", "command", "figures", "mandate", "readiness",
        "description",
    ),
)  # fmt: skip
