"""Membership: the role an actor has in a coalition, and how many members somebody claims there are.

A role says nothing of what the actor stands for or contributes: three separate axes (domain model §4).
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from service.domain.errors import Misplaced
from service.domain.plainly import plain
from service.domain.statement import Count, Speaker, Statement, Text, Value
from service.domain.subject import Change, Family, Item, SubjectState


class Role(StrEnum):
    """What an actor is to the coalition; `none` takes back an earlier role."""

    LEAD = "lead"
    MEMBER = "member"
    PARTICIPANT = "participant"
    OBSERVER = "observer"
    BENEFICIARY = "beneficiary"
    MEDIATOR = "mediator"
    ADVERSARY = "adversary"
    NONE = "none"


class MembershipTerms(Value):
    """A role of the actors, or a claimed count of members."""

    model_config = ConfigDict(
        json_schema_extra={"not": {"properties": {"role": {"type": "null"}, "claimed_count": {"type": "null"}}}}
    )

    role: Role | None = None
    claimed_count: Count | None = Field(None, ge=0, le=10_000)
    text: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.role is None and self.claimed_count is None:
            raise ValueError("needs a `role` or a `claimed_count`")
        return self


class MembershipStated(Statement):
    """An actor's role, or a claimed count."""

    family: ClassVar[str] = "membership"
    actors_needed: ClassVar[dict[str, Any]] = {
        "if": {"properties": {"body": {"not": {"properties": {"role": {"type": "null"}}}}}},
        "then": Statement.actors_needed,
    }
    kind: Literal["membership.stated"]
    body: MembershipTerms

    @model_validator(mode="after")
    def _role_of_somebody(self) -> Self:
        if self.body.role is not None and not self.actors:
            raise Misplaced("actors", "A `role` needs the `actors` that have it.")
        return self

    def _may_lack_actors(self) -> bool:
        return self.body.claimed_count is not None and self.body.role is None


KINDS = (MembershipStated,)


class Claim(Value):
    """Somebody's count of the members."""

    count: int
    said_by: Speaker | None = None
    occurred: str
    event_id: str


class MembershipState(SubjectState):
    """An actor's role, or the claims about how many there are."""

    role: Role | None = None
    text: str | None = None
    claims: tuple[Claim, ...] = ()
    attributed_only: bool = False
    official: bool = True


def _step(state: MembershipState, item: Item) -> MembershipState:
    event = item.event
    assert isinstance(event, MembershipStated)
    own_before = state.role is not None and not state.attributed_only
    if event.attributed and own_before:
        change = Change(label="attributed", from_=state.role, to=state.role)
        return state.model_copy(update={"statement_count": state.statement_count + 1, "change": change})
    role = event.body.role or state.role
    return state.model_copy(
        update={
            "role": role,
            "text": event.body.text,
            "claims": _claims(state, item, event),
            "attributed_only": event.attributed,
            "official": event.official,
            "change": Change(label=_label(state, role), from_=state.role, to=role),
            **state.told(item),
        }
    )


def _claims(state: MembershipState, item: Item, event: MembershipStated) -> tuple[Claim, ...]:
    """The latest count of each speaker."""
    if event.body.claimed_count is None:
        return state.claims
    speaker = event.said_by
    others = tuple(claim for claim in state.claims if claim.said_by != speaker)
    claim = Claim(count=event.body.claimed_count, said_by=speaker, occurred=item.edtf, event_id=item.event_id)
    return (*others, claim)[-50:]


def _label(state: MembershipState, role: Role | None) -> str:
    if state.statement_count == 0:
        return "stated"
    return "reaffirmed" if role is state.role else "changed"


def _words(shown: dict[str, Any]) -> Iterator[str]:
    yield plain(shown["role"] or "")
    yield from (f"{claim['count']} members claimed" for claim in shown["claims"])


FAMILY = Family(
    name="membership", state=MembershipState, step=_step, words=_words,
    shows=("role", "text", "claims", "attributed_only", "official"),
)  # fmt: skip
