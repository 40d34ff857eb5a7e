"""What an event changes in what earlier events are taken to say: the rules that may refuse it.

Pure: the caller loads the statements that an event names, and those they are linked to, into `Known`.
"""

from collections import ChainMap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from service.domain import record
from service.domain.errors import Fault, Invalid, Refused, Stale, Unknown
from service.domain.kinds import parse_event
from service.domain.record import Effective
from service.domain.statement import Event


@dataclass(slots=True)
class Known:
    """The statements that a batch may touch, as they stand; kept up as the batch proceeds."""

    coalitions: set[str] = field(default_factory=set)
    by_position: dict[int, Effective] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    record_level: dict[str, int] = field(default_factory=dict)  # positions of events that are about other events

    def add(self, statements: Iterable[Effective]) -> None:
        """Takes statements in, in place of what was known of them before."""
        for one in statements:
            self.by_position[one.position] = one
            self.positions[one.event_id] = one.position

    def take(self, other: "Known") -> None:
        """Knows what the other knows."""
        self.coalitions, self.by_position = other.coalitions, other.by_position
        self.positions, self.record_level = other.positions, other.record_level

    def copy(self) -> "Known":
        """The same knowledge, to come back to when a request of several events is refused midway."""
        return Known(set(self.coalitions), dict(self.by_position), dict(self.positions), dict(self.record_level))

    def get_target(self, event_id: str, coalition: str) -> Effective:
        """The statement that a record-level event names."""
        if event_id in self.record_level:
            raise Refused(
                "The target is itself a correction or another note on the record; name the statement that it is about."
            )
        position = self.positions.get(event_id)
        if position is None:
            raise Unknown("No event is recorded under the id that `target` names.")
        found = self.by_position[position]
        if found.event.coalition != coalition:
            raise Refused("The target belongs to another coalition.")
        return found


class Revision(NamedTuple):
    """One statement as it stood before an event (None: not yet recorded), and as it stands after."""

    before: Effective | None
    after: Effective


def decide(
    event: Event, *, event_id: str, position: int, known: Known, content: dict[str, Any] | None = None
) -> tuple[Revision, ...]:
    """The statements that an event changes; ``known`` is brought up to date. ``content`` is the event's, where at hand.

    Raises `Invalid`, `Refused` or `Unknown`, and then has changed nothing.
    """
    if isinstance(event, record.RecordEvent):
        changed = _record_level(event, position, known)
    else:
        _check_coalition(event, known)
        changed = (Effective(position, event_id, event, content or event.content(), revision=position),)
    changed = _weighed(changed, known)
    revisions = tuple(Revision(known.by_position.get(one.position), one) for one in changed)
    known.add(changed)
    if isinstance(event, record.RecordEvent):
        known.record_level[event_id] = position
    if event.kind == "coalition.registered":
        known.coalitions.add(event.coalition)
    return revisions


def check_revision(expected: int | None, event_id: str, known: Known) -> None:
    """Refuses a change to an event that somebody else has changed meanwhile."""
    position = known.positions.get(event_id)
    if expected is not None and position is not None and known.by_position[position].revision != expected:
        raise Stale("The event was changed meanwhile: read it again, and send its new ETag in If-Match.")


def _check_coalition(event: Event, known: Known) -> None:
    registered = event.coalition in known.coalitions
    if event.kind == "coalition.registered":
        if registered:
            raise Refused("A coalition is already registered under this slug; correct its registration instead.")
    elif not registered:
        detail = "No coalition is registered under this slug; register it first with POST /v1/coalitions."
        raise Invalid(detail, Fault("/coalition", "unknown_coalition", detail))


def _record_level(event: record.RecordEvent, position: int, known: Known) -> tuple[Effective, ...]:
    if isinstance(event, record.RecordDisputeSettled):
        return _settled(event, position, known)
    target = known.get_target(event.target, event.coalition)
    if isinstance(event, record.RecordReinstated):
        original = None if target.duplicate_of is None else known.by_position[target.duplicate_of]
        return record.reinstate(target, original, at=position)
    if target.retracted and not isinstance(event, record.RecordRetracted):
        raise Refused("The event is retracted; reinstate it first.")
    if isinstance(event, record.RecordRetracted):
        return (record.retract(target, at=position),)
    if isinstance(event, record.RecordCorrected):
        return (_corrected(target, event, position),)
    if isinstance(event, record.RecordSourced):
        return (_sourced(target, event, position),)
    if isinstance(event, record.RecordDuplicate):
        original = known.get_target(event.original, event.coalition)
        return record.mark_duplicate(target, original, at=position)
    assert isinstance(event, record.RecordDisputed)
    named = {name: known.get_target(name, event.coalition) for name in event.named}
    ranks = {event.target: event.rank, **{rival.event_id: rival.rank for rival in event.rivals}}
    return record.rank(named, ranks, dispute=position, still_open=True, at=position)


def _corrected(target: Effective, event: record.RecordCorrected, position: int) -> Effective:
    content = record.corrected_content(target, event)
    after = record.correct(target, parse_event(content, pointer="/changes"), at=position)
    if after.content == target.content:
        raise Refused("The correction changes nothing: the event already says so.")
    return after


def _sourced(target: Effective, event: record.RecordSourced, position: int) -> Effective:
    if "sources" not in type(target.event).model_fields:
        raise Refused("This kind of event has no sources.")
    known = target.content["sources"]
    added = [source for source in event.content()["sources"] if source not in known]
    if not added:
        raise Refused("The event already names these sources.")
    return record.correct(target, parse_event({**target.content, "sources": [*known, *added]}), at=position)


def _settled(event: record.RecordDisputeSettled, position: int, known: Known) -> tuple[Effective, ...]:
    ranks = {ranked.event_id: ranked.rank for ranked in event.ranks}
    named = {name: known.get_target(name, event.coalition) for name in ranks}
    shared = set.intersection(*(set(statement.disputes) for statement in named.values()))
    dispute = known.record_level.get(event.target)
    if dispute is None or dispute not in shared:
        raise Refused("`target` is no dispute between the events that `ranks` names.")
    if not all(statement.disputes[dispute].open for statement in named.values()):
        raise Refused("The dispute is already settled.")
    parties = {one.event_id for one in known.by_position.values() if dispute in one.disputes}
    if parties != set(named):
        raise Invalid("Rank every event of the dispute.", Fault("/ranks", "incomplete", "Names too few events."))
    return record.rank(named, ranks, dispute=dispute, still_open=False, at=position)


def _weighed(changed: tuple[Effective, ...], known: Known) -> tuple[Effective, ...]:
    """The changed statements, and those linked to them, with what follows from one another's standing."""
    now = {one.position: one for one in changed}
    affected = {position for one in changed for position in one.linked} | set(now)
    view = ChainMap(now, known.by_position)
    after = []
    for position in sorted(affected):
        weighed = record.weigh(view[position], view)
        if weighed != known.by_position.get(position):
            view[position] = weighed
            after.append(weighed)
    return tuple(after)
