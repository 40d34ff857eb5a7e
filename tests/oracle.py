"""An oracle: what the registry must answer, worked out in the plainest way there is.

From the events of the log as recorded it works out what each is taken to say at a position, and from that the state of
a subject at one point, each time from nothing. There are no segments here, no re-folding, and none of the code that it
judges: only the models of the kinds, and each family's `step` and `settle`, are shared with the service.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from service.domain.dates import BEGINNING, Bounds
from service.domain.kinds import FAMILIES, parse_event
from service.domain.statement import Event, Statement, tie_digest, tie_text
from service.domain.subject import Item, SubjectKey, SubjectState
from service.domain.timeline import MOST_POSSIBLE

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Logged:
    """An event of the log: where it stands, its id, and its content as recorded."""

    position: int
    event_id: str
    content: Json


@dataclass(slots=True)
class _Said:
    """What one event is taken to say, as known at some position."""

    position: int
    event_id: str
    content: Json
    retracted: bool = False
    original: str | None = None  # the event that this one duplicates


@dataclass(slots=True)
class _Quarrel:
    """A dispute: how each of its statements ranks."""

    ranks: dict[str, str]
    still_open: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A subject at one point: its state, what may hold too, rivals, and the statements behind the state, in order."""

    state: Json | None
    possible: list[Json]
    rivals: list[Json]
    references: list[Json]


NOTHING = Answer(None, [], [], [])


class Deed(NamedTuple):
    """An effective statement, with its place in the order of the domain's rule."""

    order: tuple[datetime, datetime, int, bool, str, str]
    item: Item


@dataclass(slots=True)
class Record:
    """The record as known at one position."""

    said: dict[str, _Said] = field(default_factory=dict)
    quarrels: dict[str, _Quarrel] = field(default_factory=dict)

    def take(self, logged: Logged) -> None:
        """Takes in one more event."""
        content = logged.content
        target = self.said.get(content.get("target", ""))
        match content["kind"]:
            case "record.retracted":
                assert target is not None
                target.retracted = True
            case "record.reinstated":
                assert target is not None
                if not target.retracted:
                    target.original = None
                target.retracted = False
            case "record.corrected":
                assert target is not None
                patched = patch(target.content, content["changes"])
                patched["sources"] = [*patched["sources"], *content.get("sources", [])]
                target.content = parse_event(patched).content()
            case "record.sourced":
                assert target is not None
                known = target.content["sources"]
                more = [source for source in content["sources"] if source not in known]
                target.content = {**target.content, "sources": [*known, *more]}
            case "record.duplicate":
                assert target is not None
                target.original = content["original"]
            case "record.disputed":
                ranks = {content["target"]: content.get("rank", "normal"), **_ranks(content["rivals"])}
                self.quarrels[logged.event_id] = _Quarrel(ranks)
            case "record.dispute_settled":
                self.quarrels[content["target"]] = _Quarrel(_ranks(content["ranks"]), still_open=False)
            case _:
                self.said[logged.event_id] = _Said(logged.position, logged.event_id, content)

    def deeds(self) -> dict[SubjectKey, list[Deed]]:
        """Every subject's effective statements."""
        found: dict[SubjectKey, list[Deed]] = {}
        for one in self.said.values():
            item = self._item(one)
            for key in subjects_of(parse_event(one.content)):
                subject = found.setdefault(key, [])
                if item is not None:
                    subject.append(Deed(_order(item), item))
        return {key: sorted(deeds, key=lambda deed: deed.order) for key, deeds in found.items()}

    def _item(self, one: _Said) -> Item | None:
        quarrels = [quarrel for quarrel in self.quarrels.values() if one.event_id in quarrel.ranks]
        ranks = [quarrel.ranks[one.event_id] for quarrel in quarrels]
        disputed = any(quarrel.still_open for quarrel in quarrels)
        above = [] if one.original is None else [one.original]
        for quarrel in quarrels:
            if quarrel.ranks[one.event_id] == "normal":
                above += [name for name, rank in quarrel.ranks.items() if rank == "preferred"]
        above = [name for name in above if self.said[name].original != one.event_id]
        yields = any(not self.said[name].retracted for name in above)
        counts = not yields and "deprecated" not in ranks
        if one.retracted or not (counts or (disputed and one.original is None)):
            return None
        event = parse_event(one.content)
        return Item(
            event=event,
            event_id=one.event_id,
            position=one.position,
            bounds=event.occurred.bounds if isinstance(event, Statement) else Bounds(BEGINNING, BEGINNING),
            digest=tie_digest(tie_text(one.content)),
            origins=tuple(sorted(self._origins(one))),
            counts=counts,
            disputed=disputed,
        )

    def _origins(self, one: _Said) -> set[str]:
        """The originals of its sources, and those of the standing statements that tell the same act."""
        twins = [twin for twin in self.said.values() if twin.original == one.event_id and not twin.retracted]
        events = [parse_event(told.content) for told in (one, *twins)]
        return {source.origin for event in events if isinstance(event, Statement) for source in event.sources}


def known_at(log: Iterable[Logged], position: int) -> dict[SubjectKey, list[Deed]]:
    """Every subject's effective statements, as known at a position, in the order of the domain's rule."""
    record = Record()
    for logged in log:
        if logged.position <= position:
            record.take(logged)
    return record.deeds()


def answer_at(key: SubjectKey, deeds: Sequence[Deed], at: datetime) -> Answer:
    """A subject at an instant, from nothing: each statement that had definitely occurred, one after the other."""
    family = FAMILIES[key.family]
    state: SubjectState | None = None
    rivals: list[Json] = []
    references: list[Json] = []
    for _, item in deeds:
        if item.bounds.latest > at:
            continue
        told = family.step(family.state() if state is None else state, item)
        if item.disputed:
            rivals.append(_named(item) | {"counts": item.counts, "state": _plain(family.settle(told, at))})
        if item.counts:
            state = told
            references.append(_named(item) | {"label": told.label, "origins": list(item.origins)})
    settled = None if state is None else family.settle(state, at)
    possible = [
        _named(item)
        | {"state": _plain(family.settle(family.step(family.state() if settled is None else settled, item), at))}
        for _, item in deeds
        if item.counts and item.bounds.earliest <= at < item.bounds.latest
    ]
    if len(possible) > MOST_POSSIBLE:
        possible[MOST_POSSIBLE - 1]["more"] = len(possible) - MOST_POSSIBLE
        del possible[MOST_POSSIBLE:]
    return Answer(None if settled is None else _plain(settled), possible, rivals, references)


def subjects_of(event: Event) -> tuple[SubjectKey, ...]:
    """What an event is about."""
    if isinstance(event, Statement):
        return tuple(SubjectKey(event.coalition, event.family, event.subject, one) for one in event.subject_actors)
    return (SubjectKey(event.coalition, event.family, "registration", ""),)


def patch(value: Any, change: Any) -> Any:
    """A JSON merge patch, word for word as RFC 7396 describes it."""
    if not isinstance(change, Mapping):
        return change
    target = {**value} if isinstance(value, Mapping) else {}
    for name, part in change.items():
        if part is None:
            target.pop(name, None)
        else:
            target[name] = patch(target.get(name), part)
    return target


def _ranks(ranked: Iterable[Json]) -> dict[str, str]:
    return {one["event_id"]: one.get("rank", "normal") for one in ranked}


def _order(item: Item) -> tuple[datetime, datetime, int, bool, str, str]:
    """When it had definitely occurred decides; then the rule for equal moments, which never looks at positions."""
    event = item.event
    rank, own = (event.rank, not event.attributed) if isinstance(event, Statement) else (0, True)
    return (item.bounds.latest, item.bounds.earliest, rank, own, item.digest, item.event_id)


def _named(item: Item) -> Json:
    occurred = item.event.occurred.edtf if isinstance(item.event, Statement) else ""
    return {"event_id": item.event_id, "position": item.position, "occurred": occurred}


def _plain(state: SubjectState) -> Json:
    return state.model_dump(mode="json")
