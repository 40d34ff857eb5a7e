"""What a batch of requests would record, worked out before the gate is taken wherever this process knows enough.

Under the gate everybody waits, so little should happen there. What the domain decides and what the fold makes of it
hang on the end of the record alone; this process knows it while nobody else has written since it did. So it prepares
the next batch while the database is still writing the one before, and the gate only shows whether that holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from service.database import Connection
from service.domain.decide import Known, Revision, check_revision, decide
from service.domain.errors import Fault, Invalid, RegistryError
from service.domain.record import Effective, RecordEvent
from service.domain.subject import SubjectKey
from service.log.append import Head, Tail
from service.log.codec import Entry
from service.log.merkle import Frontier
from service.segments.effective import Versions, load_known
from service.segments.query import Background, StateRow, Truces
from service.segments.revise import Burden, Planes, Touches, View, in_force, touches
from service.segments.storing import Unwritten
from service.submission import Recorded, Submission
from service.turns import Turn

_MOST_TOLD_ANEW = 50_000
"""How many statements one transaction may take in anew: of one subject some 300 that come newest first."""

_MOST_SUBJECTS = 5_000
"""How many subjects one list may be about: one joint statement is about those of 80 actors."""

_ENTANGLED = (
    "Up to here, too many statements of this request are about the same subject and change what later ones made of it. "
    "Send them oldest first, or what stands before this place in a request of its own and the rest after it."
)


_TOO_WIDE = (
    f"Up to here, this list is about more than {_MOST_SUBJECTS:,} subjects, each actor's counted by itself. Send what "
    "stands before this place in a request of its own and the rest after it, or all of it as a file to POST /v1/import."
)


class _Step(NamedTuple):
    """One event of a request, the earlier statements that it is about, and what it changes."""

    entry: Entry
    about: tuple[int, ...]
    revisions: tuple[Revision, ...]


@dataclass(slots=True)
class _Accepted:
    """A request that will be recorded, and what it leaves."""

    submission: Submission
    steps: list[_Step]
    statements: tuple[Effective, ...] = ()
    views: tuple[View, ...] = ()
    truces: tuple[View, ...] = ()  # the ceasefires that it, or one before it in the batch, touches

    def find_turns(self) -> dict[SubjectKey, set[datetime]]:
        """When each subject may stand otherwise for it: where what it changes has occurred, as it was said before and
        as it is said after.
        """
        found: dict[SubjectKey, set[datetime]] = {}
        for one in (one for step in self.steps for revision in step.revisions for one in revision if one is not None):
            for key in one.keys:
                found.setdefault(key, set()).add(one.bounds.latest)
        return found

    def states_at(self, at: datetime) -> list[StateRow]:
        """How what it touches would stand at a moment: those subjects that may stand otherwise by then."""
        turns = self.find_turns()
        return [view.row(at) for view in self.views if min(turns[view.key]) <= at]

    def record(self, tail: Tail, ceasefires: Truces) -> Recorded:
        """Puts its events at the end of the log; ``ceasefires`` are those in force before the batch, and when."""
        by = self.submission.recorded_by
        events = tuple(tail.push(step.entry, recorded_by=by, about=step.about) for step in self.steps)
        if self.submission.brief:
            return Recorded(events, self.statements, (), events[-1].recorded_at, frozenset())
        moment = max(events[-1].recorded_at, *(one.bounds.latest for one in self.statements))
        return Recorded(
            events=events,
            statements=self.statements,
            states=tuple(view.row(moment) for view in self.views),
            at=moment,
            in_force=frozenset(key.coalition for key in in_force(ceasefires, self.truces, moment)),
        )


@dataclass(slots=True)
class Prepared:
    """What a batch would record after the first ``base`` events; it holds as long as its era lasts."""

    base: int
    era: int
    accepted: list[_Accepted]
    refused: list[tuple[Submission, RegistryError]]
    versions: Versions
    changes: Unwritten


class Mark(NamedTuple):
    """Where the record stands: its log, and the tables that were computed from it (a rebuild replaces those)."""

    frontier: Frontier
    build: int


class Standing:
    """The end of the record as this process will have left it, once all that it has prepared is written."""

    def __init__(self) -> None:
        self._era = 0
        self.forget()

    def forget(self) -> None:
        """Knows nothing any more; nothing that was prepared before holds."""
        self._era += 1
        self._mark: Mark | None = None  # of what is written
        self._size: int | None = None  # of what is prepared
        self._recorded_at = datetime.max.replace(tzinfo=UTC)  # of the last event that is written
        self._coalitions: set[str] = set()
        self._planes = Planes()

    async def prepare_ahead(self, batch: Sequence[Submission]) -> Prepared | None:
        """The batch prepared; None where something has to be read for it first: `prepare` does it then."""
        events = [entry.event for one in batch for entry in one.entries]
        if self._size is None or any(event.named or event.coalition not in self._coalitions for event in events):
            return None
        known = Known(coalitions=set(self._coalitions))
        accepted, refused = _decide_all(batch, known, self._size)
        if not self._planes.covers(self._all_touches(accepted)):
            return None
        self._coalitions = known.coalitions
        return await self._fold(accepted, refused, self._size)

    def holds(self, batch: Prepared, mark: Mark) -> bool:
        """Whether what was prepared goes on exactly from where the record stands."""
        return batch.era == self._era and mark == self._mark and batch.base == mark.frontier.size

    async def prepare(
        self, connection: Connection, batch: Sequence[Submission], head: Head, background: Background, *,
        create: bool = True,
    ) -> Prepared:  # fmt: skip
        """The batch prepared under the gate: what is not known here is read, and new subjects are created."""
        if self._mark != Mark(head.frontier, background.build):
            self.forget()
        self._size = None  # until it is done, nothing is prepared ahead
        self._recorded_at = head.recorded_at
        self._coalitions |= background.coalitions
        named = sorted({name for one in batch for entry in one.entries for name in entry.event.named})
        known = await load_known(connection, named, self._coalitions)
        accepted, refused = _decide_all(batch, known, head.size)
        await self._planes.load(connection, self._all_touches(accepted), create=create)
        self._coalitions = known.coalitions
        return await self._fold(accepted, refused, head.size, stepwise=create)

    def wrote(self, batch: Prepared, mark: Mark, recorded_at: datetime) -> None:
        """What was prepared is now part of the record, which stands at the mark."""
        if batch.era == self._era:
            self._mark, self._recorded_at = mark, recorded_at

    def _all_touches(self, accepted: Iterable[_Accepted]) -> Touches:
        """Each touched subject, and from when to know it: not later than now, for the answers tell of now."""
        touched = touches(revision for one in accepted for step in one.steps for revision in step.revisions)
        return {key: min(since, self._recorded_at) for key, since in touched.items()}

    async def _fold(
        self, accepted: list[_Accepted], refused: list[tuple[Submission, RegistryError]], base: int,
        *, stepwise: bool = True,
    ) -> Prepared:  # fmt: skip
        """Folds what the accepted requests touch, each event at its own position.

        Not ``stepwise``, where nothing is going to be written: what is known between two events of a request is then
        asked by nobody. Others get their turn meanwhile, as many events about one subject take long.
        """
        era, planes, turn = self._era, self._planes, Turn()
        if stepwise or any(one.submission.listed for one in accepted):  # rows of a file are tried out together alone
            _check_burden(accepted, planes)
        versions, position = Versions(), base
        truces: dict[SubjectKey, View] = {}
        for one in accepted:
            touched: Touches = {}
            standing: dict[int, Effective] = {}
            together: list[Revision] = []
            for step in one.steps:
                position += 1
                after = [revision.after for revision in step.revisions]
                versions.put(after, at=position)
                standing |= {statement.position: statement for statement in after}
                if stepwise:
                    touched |= planes.revise(step.revisions, at=position)
                    await turn.end_if_long()
                else:
                    together += step.revisions
            for key, since in planes.take_in(together, at=position).items():
                touched[key] = since
                planes.refold(key, since, position)
                await turn.end_if_long()
            one.statements = tuple(standing.values())
            one.views = tuple(planes.view(key) for key in touched)
            truces |= {view.key: view for view in one.views if view.key.family == "ceasefire"}
            one.truces = tuple(truces.values())
        if era == self._era:
            self._size = position
        return Prepared(base, era, accepted, refused, versions, planes.take())


def _check_burden(accepted: Sequence[_Accepted], planes: Planes) -> None:
    """Refuses to prepare what would tell too many states anew in one transaction; a single event never is too much."""
    if sum(len(one.steps) for one in accepted) == 1:
        return
    told = 0
    before: Burden = {}
    for one in accepted:
        for nth, step in enumerate(one.steps):
            told += planes.burden(step.revisions, before)
            if told > _MOST_TOLD_ANEW:
                raise Invalid(_ENTANGLED, Fault(f"/{nth}" if one.submission.listed else "", "entangled", _ENTANGLED))


def _decide_all(
    batch: Sequence[Submission], known: Known, base: int
) -> tuple[list[_Accepted], list[tuple[Submission, RegistryError]]]:
    """What the domain says to each request, in turn; ``known`` is brought up to date."""
    accepted: list[_Accepted] = []
    refused: list[tuple[Submission, RegistryError]] = []
    for one in batch:
        decided = _decide(one, known, base)
        if isinstance(decided, _Accepted):
            accepted.append(decided)
            base += len(decided.steps)
        else:
            refused.append((one, decided))
    return accepted, refused


def _decide(submission: Submission, known: Known, base: int) -> _Accepted | RegistryError:
    """Lets the domain decide on each event of a request; where it refuses one, nothing of the request is kept."""
    trial = known.copy() if len(submission.entries) > 1 else known
    steps: list[_Step] = []
    subjects: set[SubjectKey] = set()
    try:
        for position, entry in enumerate(submission.entries, start=base + 1):
            event = entry.event
            if isinstance(event, RecordEvent):
                check_revision(submission.revision, event.target, trial)
            revisions = decide(event, event_id=entry.event_id, position=position, known=trial, content=entry.content)
            about = tuple(sorted(trial.positions[name] for name in event.named if name in trial.positions))
            if submission.listed:
                subjects.update(touches(revisions))
                if len(subjects) > _MOST_SUBJECTS:
                    raise Invalid(_TOO_WIDE, Fault("", "too_wide", _TOO_WIDE))
            steps.append(_Step(entry, about, revisions))
    except RegistryError as error:
        return _at(len(steps), error) if submission.listed else error
    if trial is not known:
        known.take(trial)
    return _Accepted(submission, steps)


def _at(nth: int, error: RegistryError) -> RegistryError:
    """The same refusal, with the place in the list to which it belongs."""
    faults = error.faults or (Fault("", "refused", error.detail),)
    return type(error)(error.detail, *(Fault(f"/{nth}{one.pointer}", one.code, one.detail) for one in faults))
