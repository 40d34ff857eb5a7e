"""Pledges: what an actor will, may or will not contribute, in the terms of each statement.

The editor records what was said; `step` derives what changed. A commitment is the state that results, for one actor.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from service.domain.actors import ActorCode
from service.domain.conditions import UNMET, Condition
from service.domain.dates import Edtf
from service.domain.errors import Misplaced
from service.domain.plainly import money_in_words, plain, quantity_in_words
from service.domain.quantities import (
    Money,
    MoneySum,
    Quantity,
    QuantitySum,
    add_money,
    add_quantity,
    compare_ranges,
    range_of,
)
from service.domain.statement import Flag, Line, Statement, Text, Value
from service.domain.subject import Change, Family, Item, SubjectState, day_after, mentioned


class Category(StrEnum):
    """What is contributed."""

    GROUND_TROOPS = "ground_troops"
    MILITARY_AID = "military_aid"
    AIR = "air"
    MARITIME = "maritime"
    HEADQUARTERS_STAFF = "headquarters_staff"
    BASING = "basing"
    LOGISTICS = "logistics"
    TRAINING = "training"
    INTELLIGENCE = "intelligence"
    MONITORING_VERIFICATION = "monitoring_verification"
    WEAPONS_AMMUNITION = "weapons_ammunition"
    FINANCIAL = "financial"
    HUMANITARIAN = "humanitarian"
    RECONSTRUCTION = "reconstruction"
    SANCTIONS_LEGAL = "sanctions_legal"
    BACKSTOP = "backstop"
    UNSPECIFIED = "unspecified"


class Firmness(StrEnum):
    """How firm a commitment is: a ladder, weakest first (domain model §4; compare FTS, IATI, the Kiel tracker,
    PCRS).
    """

    RULED_OUT = "ruled_out"
    CONSIDERING = "considering"
    ANNOUNCED = "announced"
    DECLARED_INTENT = "declared_intent"
    COMMITTED = "committed"
    ALLOCATED = "allocated"
    READY = "ready"
    DELIVERED = "delivered"

    @property
    def rung(self) -> int:
        """Its place on the ladder, 0 for the lowest."""
        return LADDER.index(self)


LADDER = tuple(Firmness)
NOT_COUNTED = frozenset({Firmness.RULED_OUT, Firmness.CONSIDERING})  # states worth showing, no commitments


class CommitmentStatus(StrEnum):
    """What has become of a commitment."""

    STANDING = "standing"
    CONDITIONAL = "conditional"
    DELIVERED = "delivered"
    PARTLY_DELIVERED = "partly_delivered"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    OVERDUE = "overdue"
    RULED_OUT = "ruled_out"


class PledgeTerms(Value):
    """The terms of one statement; what it does not mention is left out, what it takes away is named in `cleared`."""

    category: Category
    firmness: Firmness
    quantity: Quantity | None = None
    money: Money | None = None
    conditions: tuple[Condition, ...] | None = Field(None, min_length=1, max_length=30)
    starts: Edtf | None = None
    ends: Edtf | None = None
    deadline: Edtf | None = None
    places: tuple[Line, ...] | None = Field(None, min_length=1, max_length=50)
    beneficiary: ActorCode | None = None
    description: Text | None = None
    cleared: tuple[
        Literal[
            "quantity",
            "money",
            "conditions",
            "starts",
            "ends",
            "deadline",
            "places",
            "beneficiary",
            "description",
        ],
        ...,
    ] = Field((), description="fields that this statement takes away")

    @model_validator(mode="after")
    def _clears_what_it_does_not_set(self) -> Self:
        both = [name for name in self.cleared if getattr(self, name) is not None]
        if both:
            detail = f"The statement sets what this takes away: {', '.join(both)}."
            raise Misplaced("cleared", detail, code="set_and_cleared")
        return self


class DeliveryTerms(Value):
    """What arrived, was deployed or was paid."""

    category: Category | None = None
    quantity: Quantity | None = None
    money: Money | None = None
    complete: Flag | None = Field(None, description="true: with this the pledge is fulfilled")
    description: Text | None = None


class WithdrawalTerms(Value):
    """Why the pledge was taken back."""

    category: Category | None = None
    reason: Text | None = None


class PledgeStated(Statement):
    """What actors will, may or will not contribute."""

    family: ClassVar[str] = "pledge"
    kind: Literal["pledge.stated"]
    body: PledgeTerms


class PledgeDelivered(Statement):
    """Something pledged arrived, deployed or was paid, part or whole."""

    family: ClassVar[str] = "pledge"
    rank: ClassVar[int] = 1
    kind: Literal["pledge.delivered"]
    body: DeliveryTerms = DeliveryTerms()


class PledgeWithdrawn(Statement):
    """The actor takes the pledge back."""

    family: ClassVar[str] = "pledge"
    rank: ClassVar[int] = 2
    kind: Literal["pledge.withdrawn"]
    body: WithdrawalTerms = WithdrawalTerms()


KINDS = (PledgeStated, PledgeDelivered, PledgeWithdrawn)


class Delivered(Value):
    """What has been delivered so far, added up apart by unit and by currency."""

    complete: bool = False
    quantities: tuple[QuantitySum, ...] = ()
    money: tuple[MoneySum, ...] = ()
    deliveries: int = 0


class PledgeState(SubjectState):
    """A commitment of one actor: the terms that stand, and what has become of them."""

    category: Category = Category.UNSPECIFIED
    firmness: Firmness | None = None
    status: CommitmentStatus = CommitmentStatus.STANDING
    conditions: tuple[Condition, ...] = ()
    quantity: Quantity | None = None
    money: Money | None = None
    delivered: Delivered | None = None
    attributed_only: bool = False
    withdrawn: bool = False
    starts: str | None = None
    ends: str | None = None
    deadline: str | None = None
    places: tuple[str, ...] = ()
    beneficiary: str | None = None
    description: str | None = None


_EMPTY_TERMS: dict[str, Any] = {
    name: PledgeState.model_fields[name].default
    for name in (
        "conditions", "quantity", "money", "starts", "ends", "deadline", "places", "beneficiary", "description",
    )
}  # fmt: skip


def _step(state: PledgeState, item: Item) -> PledgeState:
    event = item.event
    if isinstance(event, PledgeStated):
        return _stated(state, item, event)
    if isinstance(event, PledgeDelivered):
        return _delivered(state, item, event)
    assert isinstance(event, PledgeWithdrawn)
    return _withdrawn(state, item, event)


def _has_own_word(state: PledgeState) -> bool:
    return state.statement_count > 0 and not state.attributed_only


def _only_attributed(state: PledgeState) -> PledgeState:
    """What one actor says of another changes nothing that the other has said itself."""
    change = Change(label="attributed", from_=state.firmness, to=state.firmness)
    return state.model_copy(update={"statement_count": state.statement_count + 1, "change": change})


def _stated(state: PledgeState, item: Item, event: PledgeStated) -> PledgeState:
    attributed = event.attributed
    if attributed and _has_own_word(state):
        return _only_attributed(state)
    # An actor's first own word starts afresh: it never said what others attributed to it. So does a pledge
    # that is made again after it was withdrawn.
    fresh = state.withdrawn or (state.attributed_only and not attributed)
    terms = mentioned(event.body, without=frozenset({"firmness"}))
    for name, value in terms.items():
        if value is None:
            terms[name] = _EMPTY_TERMS[name]
    after = {
        **vars(state),
        **(_EMPTY_TERMS | {"delivered": None} if fresh else {}),
        **terms,
        "firmness": _capped(event.body.firmness) if attributed else event.body.firmness,
        "attributed_only": attributed,
        "withdrawn": False,
        **state.told(item),
    }
    return state.model_copy(update=after | {"change": _change(state, after, fresh=fresh)})


def _capped(firmness: Firmness) -> Firmness:
    """Said by another, it is at most announced (domain model §3)."""
    return min(firmness, Firmness.ANNOUNCED, key=lambda rung: rung.rung)


def _change(before: PledgeState, after: dict[str, Any], *, fresh: bool) -> Change:
    """The label that two successive statements on one subject earn (domain model §2)."""
    firmness: Firmness = after["firmness"]
    if firmness is Firmness.RULED_OUT and before.firmness is not Firmness.RULED_OUT:
        return Change(label="ruled_out", from_=before.firmness, to=firmness)
    if before.firmness is None or fresh:
        return Change(label="announced", from_="withdrawn" if before.withdrawn else None, to=firmness)
    if firmness.rung != before.firmness.rung:
        label = "firmed_up" if firmness.rung > before.firmness.rung else "weakened"
        return Change(label=label, from_=before.firmness, to=firmness)
    for name in ("quantity", "money"):
        old, new = getattr(before, name), after[name]
        if old != new:
            return Change(label=_scale(old, new), from_=_plain(old), to=_plain(new))
    if before.conditions != after["conditions"]:
        return Change(
            label="conditions_changed",
            from_=[condition.kind for condition in before.conditions],
            to=[condition.kind for condition in after["conditions"]],
        )
    if any(getattr(before, name) != after[name] for name in ("category", *_EMPTY_TERMS)):
        return Change(label="terms_changed", from_=before.firmness, to=firmness)
    return Change(label="reaffirmed", from_=before.firmness, to=firmness)


def _plain(value: Value | None) -> dict[str, Any] | None:
    return None if value is None else value.model_dump(mode="json")


def _scale(old: Quantity | Money | None, new: Quantity | Money | None) -> str:
    measure = [getattr(value, "unit", None) or getattr(value, "currency", None) for value in (old, new)]
    sign = compare_ranges(range_of(old), range_of(new)) if measure[0] == measure[1] and measure[0] else None
    return {1: "scaled_up", -1: "scaled_down"}.get(sign or 0, "terms_changed")


def _delivered(state: PledgeState, item: Item, event: PledgeDelivered) -> PledgeState:
    body = event.body
    if event.attributed and _has_own_word(state):
        return _only_attributed(state)
    attributed = event.attributed
    if state.withdrawn or (state.attributed_only and not attributed):  # as in `_stated`: it starts afresh
        state = state.model_copy(update={**_EMPTY_TERMS, "firmness": None, "delivered": None})
    before = state.delivered or Delivered()
    quantities = add_quantity(before.quantities, body.quantity)
    money = add_money(before.money, body.money)
    tally = Delivered(
        complete=before.complete or bool(body.complete) or _covers(state, quantities, money),
        quantities=quantities,
        money=money,
        deliveries=before.deliveries + 1,
    )
    firmness = Firmness.DELIVERED if tally.complete else state.firmness
    if attributed and firmness is not None:
        firmness = _capped(firmness)
    label = "delivered" if tally.complete else "partly_delivered"
    return state.model_copy(
        update={
            "category": state.category if state.firmness else body.category or state.category,
            "firmness": firmness,
            "delivered": tally,
            "attributed_only": attributed,
            "withdrawn": False,
            "change": Change(label=label, from_=state.firmness, to=firmness),
            **state.told(item),
        }
    )


def _covers(state: PledgeState, quantities: tuple[Quantity, ...], money: tuple[Money, ...]) -> bool:
    """Whether at least what was pledged has definitely arrived; a pledge without a number is never covered."""
    pledged: Quantity | Money | None = state.quantity or state.money
    if pledged is None:
        return False
    low, high = range_of(pledged)
    needed = high if high is not None else low
    arrived: list[Quantity | Money] = (
        [one for one in quantities if one.unit == pledged.unit]
        if isinstance(pledged, Quantity)
        else [one for one in money if one.currency == pledged.currency]
    )
    if needed is None or not arrived:
        return False
    surely = range_of(arrived[0])[0]
    return surely is not None and surely >= needed


def _withdrawn(state: PledgeState, item: Item, event: PledgeWithdrawn) -> PledgeState:
    if event.attributed and _has_own_word(state):
        return _only_attributed(state)
    return state.model_copy(
        update={
            "category": state.category if state.firmness else event.body.category or state.category,
            "withdrawn": True,
            "attributed_only": event.attributed,
            "change": Change(label="withdrawn", from_=state.firmness, to=None),
            **state.told(item),
        }
    )


def _settle(state: PledgeState, at: datetime) -> PledgeState:
    status = _status(state, at)
    return state if status is state.status else state.model_copy(update={"status": status})


def _status(state: PledgeState, at: datetime) -> CommitmentStatus:
    """What has become of it: facts first, then what time has done, then what it still depends on."""
    started = state.delivered is not None and state.delivered.deliveries > 0
    if state.withdrawn:
        return CommitmentStatus.WITHDRAWN
    if state.firmness is Firmness.RULED_OUT:
        return CommitmentStatus.RULED_OUT
    if state.firmness is Firmness.DELIVERED or (state.delivered and state.delivered.complete):
        return CommitmentStatus.DELIVERED
    if any(edtf and (passed := day_after(edtf)) is not None and passed <= at for edtf in (state.deadline, state.ends)):
        return CommitmentStatus.LAPSED
    if started:
        return CommitmentStatus.PARTLY_DELIVERED
    if any(condition.status in UNMET for condition in state.conditions):
        return CommitmentStatus.CONDITIONAL
    begins = day_after(state.starts)
    return CommitmentStatus.OVERDUE if begins is not None and begins <= at else CommitmentStatus.STANDING


def _expiries(state: PledgeState) -> tuple[datetime, ...]:
    """A pledge lapses after its deadline or its end, and is overdue once its start has passed."""
    named = [edtf for edtf in (state.deadline, state.ends, state.starts) if edtf]
    return tuple(day for day in map(day_after, named) if day is not None) if named else ()


def _words(shown: dict[str, Any]) -> Iterator[str]:
    firmness, status = shown["firmness"], shown["status"]
    yield plain(firmness or "")
    if status not in ("standing", firmness):
        yield plain(status)
    yield quantity_in_words(shown["quantity"])
    yield money_in_words(shown["money"])


FAMILY = Family(name="pledge", state=PledgeState, step=_step, settle=_settle, expiries=_expiries, words=_words)
