"""Warnings: who threatens whom with what, if what; said again on the same subject it is repeated."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import Field

from service.domain.actors import ActorCode
from service.domain.plainly import plain
from service.domain.statement import Flag, Statement, Text, Value
from service.domain.subject import Change, Family, Item, SubjectState, mentioned


class Threat(StrEnum):
    """What is threatened."""

    VIOLENCE = "violence"
    TERRITORY = "territory"
    RELATIONS = "relations"
    RESTRICTION = "restriction"
    EXPULSION = "expulsion"
    OTHER = "other"


class Severity(StrEnum):
    """How grave the threat is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"


class WarningStatus(StrEnum):
    """What has become of a warning."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    CARRIED_OUT = "carried_out"


class WarningTerms(Value):
    """The threat in the terms of one statement."""

    targets: tuple[ActorCode, ...] | None = Field(None, min_length=1, max_length=80)
    trigger: Text | None = Field(None, description="what would bring it about")
    consequence: Text | None = Field(None, description="what is threatened then")
    threat: Threat | None = None
    severity: Severity | None = None
    explicit: Flag | None = None


class WarningOutcome(Value):
    """What was said when a warning was taken back or carried out."""

    text: Text | None = None


class WarningIssued(Statement):
    """A threat; issued again on the same subject, it is repeated."""

    family: ClassVar[str] = "warning"
    kind: Literal["warning.issued"]
    body: WarningTerms


class WarningWithdrawn(Statement):
    """The issuer takes the warning back."""

    family: ClassVar[str] = "warning"
    rank: ClassVar[int] = 2
    kind: Literal["warning.withdrawn"]
    body: WarningOutcome = WarningOutcome()


class WarningCarriedOut(Statement):
    """The issuer did what it had threatened."""

    family: ClassVar[str] = "warning"
    rank: ClassVar[int] = 1
    kind: Literal["warning.carried_out"]
    body: WarningOutcome = WarningOutcome()


KINDS = (WarningIssued, WarningWithdrawn, WarningCarriedOut)


class WarningState(SubjectState):
    """A warning by one issuer, as last issued."""

    official: bool = True
    said_by: dict[str, str | bool | None] | None = None
    status: WarningStatus = WarningStatus.ACTIVE
    targets: tuple[str, ...] = ()
    trigger: str | None = None
    consequence: str | None = None
    threat: Threat | None = None
    severity: Severity | None = None
    explicit: bool | None = None
    first_issued: str | None = None
    last_issued: str | None = None
    times: int = 0
    attributed_only: bool = False


def _step(state: WarningState, item: Item) -> WarningState:
    event = item.event
    assert isinstance(event, WarningIssued | WarningWithdrawn | WarningCarriedOut)
    own_before = state.statement_count > 0 and not state.attributed_only
    if event.attributed and own_before:
        change = Change(label="attributed", from_=state.status, to=state.status)
        return state.model_copy(update={"statement_count": state.statement_count + 1, "change": change})
    if state.attributed_only and not event.attributed:  # its first own word: what others attributed to it is gone
        told = {name: getattr(state, name) for name in ("first_stated", "last_stated", "statement_count")}
        state = WarningState(**told)
    common = {"attributed_only": event.attributed, "official": event.official, **state.told(item)}
    if isinstance(event, WarningIssued):
        change = Change(label="repeated" if state.times else "issued", from_=None, to=WarningStatus.ACTIVE)
        return state.model_copy(
            update={
                **mentioned(event.body),
                "status": WarningStatus.ACTIVE,
                "said_by": event.said_by.model_dump(mode="json") if event.said_by else None,
                "first_issued": state.first_issued or item.edtf,
                "last_issued": item.edtf,
                "times": state.times + 1,
                "change": change,
                **common,
            }
        )
    status = WarningStatus.WITHDRAWN if isinstance(event, WarningWithdrawn) else WarningStatus.CARRIED_OUT
    change = Change(label=status, from_=state.status if state.times else None, to=status)
    return state.model_copy(update={"status": status, "change": change, **common})


def _words(shown: dict[str, Any]) -> Iterator[str]:
    yield plain(shown["status"])
    if shown["severity"]:
        yield f"{shown['severity']} severity"
    if not shown["official"]:
        yield "unofficial"


FAMILY = Family(
    name="warning", state=WarningState, step=_step, words=_words, whose="issuer",
    shows=(
        "official", "said_by", "status", "targets", "trigger", "consequence", "threat", "severity", "explicit",
        "first_issued", "last_issued", "times", "attributed_only",
    ),
)  # fmt: skip
