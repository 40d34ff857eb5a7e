"""Positions: where an actor stands on a topic, or what it demands, asks for, assesses or criticises."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from service.domain.plainly import plain
from service.domain.statement import Slug, Statement, Text, Value
from service.domain.subject import Change, Family, Item, SubjectState


class Stance(StrEnum):
    """For, against, or not decided."""

    SUPPORTIVE = "supportive"
    UNDECIDED = "undecided"
    OPPOSED = "opposed"


class Expression(StrEnum):
    """What is expressed besides, or instead of, a stance."""

    DEMAND = "demand"
    REQUEST = "request"
    ASSESSMENT = "assessment"
    CRITICISM = "criticism"


class PositionTerms(Value):
    """A stance on a topic, or an expression without one."""

    model_config = ConfigDict(
        json_schema_extra={"not": {"properties": {"stance": {"type": "null"}, "expression": {"type": "null"}}}}
    )

    topic: Slug = Field(examples=["multinational-force"])
    stance: Stance | None = None
    expression: Expression | None = None
    text: Text | None = Field(None, description="what is held, demanded or found, in the editor's own words")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.stance is None and self.expression is None:
            raise ValueError("needs a `stance` or an `expression`")
        return self


class PositionStated(Statement):
    """A stance on a topic, or a demand, request, assessment or criticism."""

    family: ClassVar[str] = "position"
    kind: Literal["position.stated"]
    body: PositionTerms


KINDS = (PositionStated,)


class PositionState(SubjectState):
    """Where an actor stands: its latest stance, and its latest expression beside it."""

    topic: str | None = None
    stance: Stance | None = None
    expression: Expression | None = None
    text: str | None = None
    occurred: str | None = None
    attributed_only: bool = False


def _step(state: PositionState, item: Item) -> PositionState:
    event = item.event
    assert isinstance(event, PositionStated)
    body = event.body
    own_before = state.statement_count > 0 and not state.attributed_only
    if event.attributed and own_before:
        change = Change(label="attributed", from_=state.stance, to=state.stance)
        return state.model_copy(update={"statement_count": state.statement_count + 1, "change": change})
    first_own = state.attributed_only and not event.attributed
    before = None if first_own else state.stance
    stance = body.stance or before
    return state.model_copy(
        update={
            "topic": body.topic,
            "stance": stance,
            "expression": body.expression,
            "text": body.text,
            "occurred": item.edtf,
            "attributed_only": event.attributed,
            "change": Change(label=_label(state, before, stance, first_own=first_own), from_=before, to=stance),
            **state.told(item),
        }
    )


def _label(state: PositionState, before: Stance | None, after: Stance | None, *, first_own: bool) -> str:
    if state.statement_count == 0 or first_own:
        return "stated"
    return "reaffirmed" if before == after else "shifted"


def _words(shown: dict[str, Any]) -> Iterator[str]:
    yield plain(shown["stance"] or "")
    yield plain(shown["expression"] or "")


FAMILY = Family(
    name="position", state=PositionState, step=_step, words=_words,
    shows=("topic", "stance", "expression", "text", "occurred", "attributed_only"),
)  # fmt: skip
