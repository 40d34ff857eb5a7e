"""What the states of all families share: the items that are folded, and what a state remembers of them.

A family is a pair of pure functions over its own state: ``step`` takes in one statement, ``settle`` says what time
alone has made of it. Both are total: an answer before its proposal, a delivery without a pledge, anything that people
say in any order has a state.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import Field

from service.domain.dates import END, TICK, Bounds, parse_edtf, render_day
from service.domain.statement import Event, Statement, Value


class SubjectKey(NamedTuple):
    """What a statement is about, within a coalition; ``actor`` is "" where the family has none."""

    coalition: str
    family: str
    slug: str
    actor: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


def keys_of(event: Event) -> tuple[SubjectKey, ...]:
    """The subjects that a statement, or a coalition's registration, is about."""
    if isinstance(event, Statement):
        return tuple(SubjectKey(event.coalition, event.family, event.subject, actor) for actor in event.subject_actors)
    return (SubjectKey(event.coalition, event.family, "registration", ""),)


@dataclass(frozen=True)
class Item:
    """One effective statement as the fold takes it in."""

    event: Event
    event_id: str
    position: int
    bounds: Bounds
    digest: str
    size: int = 0  # of what it says, in bytes
    origins: tuple[str, ...] = ()
    counts: bool = True  # false: a rival that yields to another, shown beside the state only
    disputed: bool = False

    @cached_property
    def order(self) -> tuple[datetime, datetime, int, bool, str, str]:
        """A total order that never looks at when something was recorded, save between identical statements."""
        event = self.event
        rank, own = (event.rank, not event.attributed) if isinstance(event, Statement) else (0, True)
        return (self.bounds.latest, self.bounds.earliest, rank, own, self.digest, self.event_id)

    @property
    def edtf(self) -> str:
        """When it occurred, as given; "" for what has no date (a registration)."""
        return self.event.occurred.edtf if isinstance(self.event, Statement) else ""

    @property
    def day(self) -> str:
        """The day by which it had definitely occurred."""
        return render_day(self.edtf)


class Change(Value):
    """How the last statement differs from what stood before."""

    label: str
    from_: Any = Field(None, alias="from")
    to: Any = None


class SubjectState(Value):
    """What every state of a subject knows."""

    first_stated: date | None = None
    last_stated: date | None = None
    statement_count: int = 0
    change: Change | None = None

    @property
    def label(self) -> str | None:
        """The change label of the statement that made this state."""
        return self.change.label if self.change else None

    def told(self, item: Item) -> dict[str, Any]:
        """The bookkeeping fields after one more statement."""
        day = date.fromisoformat(item.day) if item.edtf else None
        return {
            "first_stated": self.first_stated or day,
            "last_stated": day or self.last_stated,
            "statement_count": self.statement_count + 1,
        }


State = TypeVar("State", bound=SubjectState)


@dataclass(frozen=True, slots=True)
class Family(Generic[State]):
    """One family of subjects: its state, the two functions that fold it, and how it is told.

    ``step`` (state before, item) → state after; ``settle`` (state, instant) → the state as time has left it at that
    instant, of which ``step`` never makes anything; ``expiries`` (state) → the instants, in any order, from which
    ``settle`` may say something else. ``shows`` names what answers have of a state, in their order, and ``whose`` as
    what they have its actor, "" where it has none; ``words`` (state as shown) → a few plain words.
    """

    name: str
    state: type[State]
    step: Callable[[State, Item], State]
    words: Callable[[dict[str, Any]], Iterator[str]]
    shows: tuple[str, ...] = ()
    whose: str = "actor"
    settle: Callable[[State, datetime], State] = lambda state, _: state
    expiries: Callable[[State], tuple[datetime, ...]] = lambda _: ()


def day_after(edtf: str | None) -> datetime | None:
    """The first instant after the period an EDTF expression names; None where nothing is named."""
    latest = parse_edtf(edtf).latest if edtf else END
    return latest + TICK if latest < END - TICK else None


def mentioned(body: Value, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The fields that a statement's body mentions, with those it clears set to None.

    What a statement does not mention stays as it was (domain model §2).
    """
    fields = {
        name: getattr(body, name)
        for name in body.model_fields_set
        if name not in without and name != "cleared" and getattr(body, name) is not None
    }
    return fields | dict.fromkeys(getattr(body, "cleared", ()), None)
