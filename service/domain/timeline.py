"""The one fold: effective statements of one subject → segments over valid time.

As-of answers, history, differences, rebuild and verification all come from here; there is no second model of time.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from service.domain.dates import END
from service.domain.subject import Family, Item, SubjectState

RULES_VERSION = "3"
"""Changed by hand whenever the same statements would give another answer."""

MOST_REFERENCES = 50
"""How many of the statements behind a state an answer lists: the latest, in order; its history has them all."""

MOST_POSSIBLE = 20
"""How many statements that may hold too are shown with the state that each would make: the first, in order."""

NOTHING = b"[]"


@dataclass(slots=True, eq=False)
class Held:
    """A state that the fold holds, and how it is written: once, however many segments show it."""

    state: SubjectState
    _written: bytes | None = None
    _settled: "tuple[datetime, Held | None] | None" = None  # when, and to what; None for the same, as a cycle is waste

    @property
    def written(self) -> bytes:
        """The state as segments hold it."""
        if self._written is None:
            self._written = self.state.__pydantic_serializer__.to_json(self.state)
        return self._written

    def settled(self, family: Family[Any], at: datetime) -> "Held":
        """What time alone has made of it by an instant."""
        if self._settled is None or self._settled[0] != at:
            state = family.settle(self.state, at)
            self._settled = (at, None if state is self.state else Held(state))
        return self._settled[1] or self


@dataclass(frozen=True, slots=True)
class Segment:
    """From a moment of valid time until the next segment begins, a subject was in one state.

    ``state`` is None while there is none yet. ``causes`` are the statements that became definite at `valid_from`, at
    most the last `MOST_REFERENCES` of them; ``possible`` those that may have happened by now, at most the first
    `MOST_POSSIBLE`, the last of which says how many ``more`` there are; ``rivals`` those whose dispute is open, each
    with the state that it would make.
    """

    valid_from: datetime
    state: bytes | None
    causes: bytes = NOTHING
    possible: bytes = NOTHING
    rivals: bytes = NOTHING
    held: Held | None = field(default=None, compare=False, repr=False)  # the state before it was written, if at hand

    def says(self) -> tuple[bytes | None, bytes, bytes]:
        """What holds during the segment, apart from what brought it about."""
        return self.state, self.possible, self.rivals

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known."""
        return self.state is None and self.possible == NOTHING and self.rivals == NOTHING


@dataclass(frozen=True, slots=True)
class _Beside:
    """A statement shown beside the state, with the state that it would make."""

    reference: dict[str, Any]
    held: Held

    def settled(self, family: Family[Any], at: datetime) -> dict[str, Any]:
        """What is shown of it at an instant: time changes such a state as it changes any."""
        return self.reference | {"state": orjson.Fragment(self.held.settled(family, at).written)}


@dataclass(frozen=True, slots=True)
class _Plane:
    """What the fold carries from one moment to the next."""

    held: Held | None
    rivals: tuple[_Beside, ...]


_Step = tuple[Held | None, Item | None, Held | None]
"""What a step was made of, by which statement, and what it made."""
_NO_STEP: _Step = (None, None, None)


class Steps:
    """What each statement made of a state when the fold last took it in, so that no step is taken twice.

    Kept from one fold of a subject to the next, it saves all the steps before the first that is another.
    """

    def __init__(self) -> None:
        self._taken: dict[int, _Step] = {}
        self._foreseen: dict[int, _Step] = {}

    def take(self, family: Family[Any], before: Held | None, item: Item) -> Held:
        """What a statement that holds makes of a state."""
        return self._step(family, before, item, self._taken, self._foreseen)

    def foresee(self, family: Family[Any], before: Held | None, item: Item) -> Held:
        """What a statement that may hold would make of it."""
        return self._step(family, before, item, self._foreseen)

    def _step(self, family: Family[Any], before: Held | None, item: Item, *places: dict[int, _Step]) -> Held:
        for place in places:
            of, by, told = place.get(item.position, _NO_STEP)
            if by is item and of is before and told is not None:
                break
        else:
            told = Held(family.step(before.state if before is not None else family.state(), item))
        places[0][item.position] = (before, item, told)
        return told


def fold(
    family: Family[Any], items: Sequence[Item], opening: Segment | None = None, steps: Steps | None = None
) -> list[Segment]:
    """Segments over valid time, maximal, each until the next, the last for ever.

    ``items`` are in their order. ``opening`` is the segment that holds just before the first of those to be folded
    anew; ``items`` are then those whose `latest` lies after its start. Without it the fold starts from nothing and
    ``items`` are all there are.
    """
    steps = steps or Steps()
    held = _read(family, opening) if opening else None
    plane = _Plane(held, _read_beside(family, opening.rivals) if opening else ())
    possible = _read_beside(family, opening.possible) if opening else ()
    segments = [] if opening is None else [opening]
    at = opening.valid_from if opening else None
    edges = _edges(items, after=at)
    coming = _coming(items)
    begun: list[int] = []  # places in the order of those that may hold by now
    definite = 0
    while definite < len(items) and at is not None and items[definite].bounds.latest <= at:
        definite += 1
    while (at := _next(edges, family, _states(plane, possible), at)) is not None:
        causes: list[tuple[Item, Held]] = []
        while definite < len(items) and items[definite].bounds.latest <= at:
            plane = _take(family, plane, items[definite], causes, steps)
            definite += 1
        if plane.held is not None:
            plane = _Plane(plane.held.settled(family, at), plane.rivals)
        while coming and coming[-1][0] <= at:
            insort(begun, coming.pop()[1])
        del begun[: bisect_right(begun, definite - 1)]
        possible = tuple(
            _Beside(_reference(items[place]), steps.foresee(family, plane.held, items[place]))
            for place in begun[:MOST_POSSIBLE]
        )
        if len(begun) > MOST_POSSIBLE:
            possible[-1].reference["more"] = len(begun) - MOST_POSSIBLE
        _extend(
            segments,
            Segment(
                at,
                None if plane.held is None else plane.held.written,
                _dump_causes(causes),
                _dump_beside(family, possible, at),
                _dump_beside(family, plane.rivals, at),
                plane.held,
            ),
        )
    return segments


def _coming(items: Sequence[Item]) -> list[tuple[datetime, int]]:
    """Those that may hold for a while before they do: from when, and their place in the order; the first one last."""
    return sorted(
        (
            (item.bounds.earliest, place)
            for place, item in enumerate(items)
            if item.counts and item.bounds.earliest < item.bounds.latest
        ),
        reverse=True,
    )


def _edges(items: Sequence[Item], after: datetime | None) -> list[datetime]:
    """The instants at which a statement becomes possible or definite, in descending order."""
    instants = {
        edge
        for item in items
        for edge in ((item.bounds.earliest if item.counts else item.bounds.latest), item.bounds.latest)
    }
    return sorted((edge for edge in instants if after is None or edge > after), reverse=True)


def _next(
    edges: list[datetime], family: Family[Any], states: Iterable[SubjectState], at: datetime | None
) -> datetime | None:
    """The next instant at which something may change: a statement's edge, or what time alone brings."""
    by_itself = None
    if at is not None:
        for state in states:
            for moment in family.expiries(state):
                if at < moment < END and (by_itself is None or moment < by_itself):
                    by_itself = moment
    if edges and (by_itself is None or edges[-1] <= by_itself):
        return edges.pop()
    return by_itself


def _take(family: Family[Any], plane: _Plane, item: Item, causes: list[tuple[Item, Held]], steps: Steps) -> _Plane:
    """One statement more; a rival that yields changes only what is shown beside the state."""
    told = steps.take(family, plane.held, item)
    rivals = plane.rivals
    if item.disputed:
        rivals = (*rivals, _Beside(_reference(item) | {"counts": item.counts}, told))
    if not item.counts:
        return _Plane(plane.held, rivals)
    causes.append((item, told))
    return _Plane(told, rivals)


def _reference(item: Item) -> dict[str, Any]:
    return {"event_id": item.event_id, "position": item.position, "occurred": item.edtf}


def _read(family: Family[Any], segment: Segment) -> Held | None:
    """A segment's state, to go on from."""
    if segment.state is None:
        return None
    return segment.held or Held(family.state.model_validate_json(segment.state), segment.state)


def _read_beside(family: Family[Any], stored: bytes) -> tuple[_Beside, ...]:
    """What a segment shows beside its state, to go on from."""
    shown = () if stored == NOTHING else orjson.loads(stored)
    return tuple(_Beside(one, Held(family.state.model_validate(one.pop("state")))) for one in shown)


def _states(plane: _Plane, possible: Iterable[_Beside]) -> Iterator[SubjectState]:
    """All states that time may change."""
    if plane.held is not None:
        yield plane.held.state
    for one in (*plane.rivals, *possible):
        yield one.held.state


def _dump_causes(causes: Sequence[tuple[Item, Held]]) -> bytes:
    return _dump(
        [
            _reference(item) | {"label": told.state.label, "origins": list(item.origins)}
            for item, told in causes[-MOST_REFERENCES:]
        ]
    )


def _dump_beside(family: Family[Any], shown: Sequence[_Beside], at: datetime) -> bytes:
    return _dump([one.settled(family, at) for one in shown])


def _dump(shown: list[dict[str, Any]]) -> bytes:
    """As JSON, in no more memory than it takes: orjson leaves its whole buffer, and many segments may be held."""
    return bytes(memoryview(orjson.dumps(shown))) if shown else NOTHING


def _extend(segments: list[Segment], more: Segment) -> None:
    """Appends a segment, unless the last one runs on as nothing changes."""
    unchanged = more.causes == NOTHING and (more.says() == segments[-1].says() if segments else more.empty)
    if not unchanged:
        segments.append(more)


def state_at(segments: Sequence[Segment], at: datetime) -> Segment | None:
    """The segment that holds at an instant, or None before the first."""
    return next((segment for segment in reversed(segments) if segment.valid_from <= at), None)
