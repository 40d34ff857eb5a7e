"""The one fold: effective statements of one subject → segments over valid time.

As-of answers, history, differences, rebuild and verification all come from here; there is no second model of time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from service.domain.dates import END
from service.domain.subject import Family, Item, SubjectState

RULES_VERSION = "2"
"""Changed by hand whenever the same statements would give another answer."""


NOTHING = b"[]"


@dataclass(slots=True)
class Held:
    """A state that the fold holds, and how it is written: once, however many segments show it."""

    state: SubjectState
    _written: bytes | None = None

    @property
    def written(self) -> bytes:
        """The state as segments hold it."""
        if self._written is None:
            self._written = self.state.__pydantic_serializer__.to_json(self.state)
        return self._written

    def settled(self, family: Family[Any], at: datetime) -> "Held":
        """What time alone has made of it by an instant."""
        state = family.settle(self.state, at)
        return self if state is self.state else Held(state)


@dataclass(frozen=True, slots=True)
class Segment:
    """From a moment of valid time until the next segment begins, a subject was in one state.

    ``state`` is None while there is none yet. ``causes`` are the statements that became definite at `valid_from`;
    ``possible`` those that may have happened by now; ``rivals`` those whose dispute is open, each with the state that
    it would make.
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


_Foretold = dict[int, tuple[Held | None, Held]]
"""By position: what a step made, and of what; so that no step is taken twice."""


def fold(family: Family[Any], items: Iterable[Item], opening: Segment | None = None) -> list[Segment]:
    """Segments over valid time, maximal, each until the next, the last for ever.

    ``opening`` is the segment that holds just before the first of the items to be folded anew; ``items`` are then those
    whose `latest` lies after its start. Without it the fold starts from nothing and ``items`` are all there are.
    """
    ordered = sorted(items, key=lambda item: item.order)
    held = _read(family, opening) if opening else None
    plane = _Plane(held, _read_beside(family, opening.rivals) if opening else ())
    possible = _read_beside(family, opening.possible) if opening else ()
    segments = [] if opening is None else [opening]
    edges = _edges(ordered, after=opening.valid_from if opening else None)
    definite = 0
    while definite < len(ordered) and opening and ordered[definite].bounds.latest <= opening.valid_from:
        definite += 1
    at = opening.valid_from if opening else None
    foretold: _Foretold = {}
    while (at := _next(edges, family, _states(plane, possible), at)) is not None:
        causes: list[dict[str, Any]] = []
        while definite < len(ordered) and ordered[definite].bounds.latest <= at:
            plane = _take(family, plane, ordered[definite], at, causes, foretold)
            definite += 1
        if plane.held is not None:
            plane = _Plane(plane.held.settled(family, at), plane.rivals)
        possible = tuple(
            _Beside(_reference(item), _step(family, plane.held, item, at, foretold))
            for item in ordered[definite:]
            if item.counts and item.bounds.earliest <= at
        )
        _extend(
            segments,
            Segment(
                at,
                None if plane.held is None else plane.held.written,
                orjson.dumps(causes) if causes else NOTHING,
                _dump_beside(family, possible, at),
                _dump_beside(family, plane.rivals, at),
                plane.held,
            ),
        )
    return segments


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


def _take(
    family: Family[Any], plane: _Plane, item: Item, at: datetime, causes: list[dict[str, Any]], foretold: _Foretold
) -> _Plane:
    """One statement more; a rival that yields changes only what is shown beside the state."""
    told = _step(family, plane.held, item, at, foretold)
    rivals = plane.rivals
    if item.disputed:
        rivals = (*rivals, _Beside(_reference(item) | {"counts": item.counts}, told))
    if not item.counts:
        return _Plane(plane.held, rivals)
    causes.append(_reference(item) | {"label": told.state.label, "origins": list(item.origins)})
    return _Plane(told, rivals)


def _step(family: Family[Any], before: Held | None, item: Item, at: datetime, foretold: _Foretold) -> Held:
    """What a statement makes of a state, as time has left it by then."""
    of, told = foretold.get(item.position, (None, None))
    if told is None or of is not before:
        state = family.step(before.state if before is not None else family.state(), item)
        told = Held(family.settle(state, at))
        foretold[item.position] = (before, told)
    return told


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


def _dump_beside(family: Family[Any], shown: Sequence[_Beside], at: datetime) -> bytes:
    return orjson.dumps([one.settled(family, at) for one in shown]) if shown else NOTHING


def _extend(segments: list[Segment], more: Segment) -> None:
    """Appends a segment, unless the last one runs on as nothing changes."""
    unchanged = more.causes == NOTHING and (more.says() == segments[-1].says() if segments else more.empty)
    if not unchanged:
        segments.append(more)


def state_at(segments: Sequence[Segment], at: datetime) -> Segment | None:
    """The segment that holds at an instant, or None before the first."""
    return next((segment for segment in reversed(segments) if segment.valid_from <= at), None)
