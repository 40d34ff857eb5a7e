"""Imports: a file's rows → the log, in two passes, through the write path.

The first pass checks every row, so that a bad one anywhere is known before anything is recorded; the second records
the good ones, each under a key that is made of what it says. Whoever sends a file again, because the line was cut, or
with more rows, or with some of them mended, records nothing twice. See docs/decisions/0017-import-in-two-passes.md.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from service.database import Pool, snapshot
from service.domain.answers import Json
from service.domain.errors import Fault, Faulty, RegistryError, Running, Unavailable
from service.domain.kinds import parse_event, read_event
from service.domain.statement import Event, Statement
from service.domain.subject import keys_of
from service.keys import find_answer, keep_claim
from service.load.checked import Bad, Checked, Good, LeftOut, Spool, size_of
from service.load.checking import check, in_parts
from service.load.room import room_on_disk
from service.load.touched import Touched
from service.log.codec import Entry, commit
from service.reading.occurrences import Occurrences
from service.reading.row import Rows
from service.record import Outcome, Recorder
from service.segments.effective import find_registered
from service.segments.similar import find_similar_to_each
from service.submission import Answer, Retry, Submission, render_id
from service.trial import Trial, try_out
from service.turns import in_turns

_AHEAD = 2  # parts under way: while one is written, the next is prepared
_PATIENCE_SECONDS = 0.05
_EXAMPLES = 10


class OnError(StrEnum):
    """What a bad row means for the others."""

    STOP = "stop"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imports, into what, and where names and salts come from."""

    pool: Pool
    recorder: Recorder
    owner: str
    new_id: Callable[[], str]
    new_salt: Callable[[], bytes]

    @property
    def client(self) -> str:
        """Whose keys the rows have; rows of different owners are never taken for one another."""
        return f"import/{self.owner}"


@dataclass(slots=True)
class Import:
    """One import under way: `check` it, then `record` it, or `try_out` what that would come to."""

    importer: Importer
    spool: Spool
    on_error: OnError = OnError.STOP
    claim: Retry | None = None  # by what a retry of the whole is recognised, where the client sent a key
    since: int | None = None  # with a replay: the position from which on its rows were recorded
    recorded: int = 0  # by this request, or by an earlier one with its key
    repeated: int = 0  # recorded before, of another request
    refused: int = 0
    outlook: "Outlook | None" = None  # of a dry run
    error: RegistryError | None = None

    async def check(self, rows: Rows, passed: Callable[[], object] = lambda: None) -> None:
        """The first pass. Raises `Unreadable`; `Faulty` where a row is bad and that is to stop the import."""
        if self.claim is not None:
            await self._find_claim(self.claim)
        await check(rows, self.spool, self.importer.pool, client=self.importer.client, passed=passed)
        if self.spool.bad and self.on_error is OnError.STOP:
            raise _faulty(self.spool)

    async def _find_claim(self, claim: Retry) -> None:
        async with self.importer.pool.connection() as connection:
            answer = await find_answer(connection, claim)
        if answer is not None:
            self.claim, self.since = None, answer.position

    @property
    def replayed(self) -> bool:
        """Whether an earlier request with the same key has been here."""
        return self.since is not None

    async def _keep_claim(self, claim: Retry) -> None:
        """Keeps the key of a file in which there is nothing to record; raises where another has just taken it."""
        async with self.importer.pool.connection() as connection:
            if await keep_claim(connection, claim):
                self.claim = None
                return
        await self._find_claim(claim)

    async def record(self) -> AsyncGenerator[list[Json]]:
        """The second pass: what became of each row, some at a time, in order.

        Where it cannot go on it ends early and says why in ``error``; the rows of which it says nothing are unknown.
        """
        if self.claim is not None and self.spool.good == self.spool.known:
            await self._keep_claim(self.claim)
        under_way: deque[asyncio.Task[list[Json]]] = deque()
        try:
            for part in in_parts(self.spool, size_of):
                submissions = await self._prepare(part)
                if self.claim is not None:  # alone: nothing is recorded under a key that is another's
                    yield await self._record_part(part, submissions)
                    continue
                if len(under_way) >= _AHEAD:
                    yield await under_way.popleft()
                if self.error is not None:
                    break
                under_way.append(asyncio.create_task(self._record_part(part, submissions)))
                await asyncio.sleep(0)
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:  # whoever asked is gone; what was submitted is recorded all the same
                task.cancel()

    async def _prepare(self, part: Sequence[Checked]) -> dict[int, Submission]:
        """What is to be recorded of a part, by row."""
        new = [one for one in part if isinstance(one, Good) and one.is_new]
        entries = await in_turns(self._entry, new)
        return {one.first: self._submission(one, entry) for one, entry in zip(new, entries, strict=True)}

    async def _record_part(self, part: Sequence[Checked], prepared: dict[int, Submission]) -> list[Json]:
        submissions = list(prepared.values())
        if self.claim is not None and submissions:
            submissions[0].claim, self.claim = self.claim, None
            (outcome,) = await self._settle(submissions[:1])
            if isinstance(outcome, RegistryError):
                self.error = outcome
                return []
            outcomes = [outcome, *await self._settle(submissions[1:])]
        else:
            outcomes = await self._settle(submissions)
        came_of = dict(zip(prepared, outcomes, strict=True))
        rows = (self._row(one, came_of.get(one.first)) for one in part)
        return [row for row in rows if row is not None]

    async def _settle(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """What came of each; where another import records the same row at this moment, what comes of that."""
        if not submissions:
            return []
        outcomes = await self.importer.recorder.record_each(submissions)
        while any(isinstance(outcome, Running) for outcome in outcomes):
            await asyncio.sleep(_PATIENCE_SECONDS)
            for nth, outcome in enumerate(outcomes):
                if isinstance(outcome, Running):
                    again = submissions[nth].again()
                    (outcomes[nth],) = await self.importer.recorder.record_each([again])
        return outcomes

    def _entry(self, one: Good) -> Entry:
        content, salt = orjson.loads(one.body), self.importer.new_salt()
        return Entry(parse_event(content), self.importer.new_id(), content, one.body, salt, commit(one.body, salt))

    def _submission(self, one: Good, entry: Entry) -> Submission:
        retry = Retry(self.importer.client, one.key, one.digest)
        return Submission((entry,), self.importer.owner, render_id, retry, brief=True)

    def _row(self, one: Checked, outcome: Outcome | None) -> Json | None:
        """What is reported of a row; None where that is not known."""
        if isinstance(one, LeftOut):
            return _named(one) | {"status": "left_out", "detail": one.why}
        if isinstance(one, Bad):
            return self._refused(one, one.faults)
        if isinstance(outcome, Unavailable):
            self.error = outcome
            return None
        if isinstance(outcome, RegistryError):
            if self.on_error is OnError.STOP:
                self.error = outcome
            faults = outcome.faults or (Fault("", "refused", outcome.detail),)
            placed = (Fault(fault.pointer, fault.code, fault.detail, one.first) for fault in faults)
            return self._refused(one, tuple(placed))
        event_id, position, before = one.event_id, one.position, True
        if isinstance(outcome, Answer):
            event_id, position, before = outcome.content.decode(), outcome.position, outcome.replayed
        if before and (self.since is None or position is None or position < self.since):
            self.repeated += 1
            status = "repeated"
        else:
            self.recorded += 1
            status = "recorded"
        return _named(one) | {"status": status, "event_id": event_id, "position": position}

    def _refused(self, one: Good | Bad, faults: Sequence[Fault]) -> Json:
        self.refused += 1
        return _named(one) | {"status": "refused", "errors": [fault.render() for fault in faults]}

    async def try_out(self, render: Callable[[Trial], list[Json]]) -> AsyncGenerator[list[Json]]:
        """What recording would come to, row by row, each with the recorded statements that are like it.

        ``render`` makes states of a trial: those in which the file would leave the subjects that it touches.
        """
        self.outlook = outlook = Outlook()
        try:
            with room_on_disk(), Occurrences() as seen:
                touched = Touched(seen)
                for part in in_parts(self.spool, size_of):
                    yield await self._try_part(part, outlook, touched)
                await self._foresee(outlook, touched, render)
        except RegistryError as error:  # what somebody else has just recorded may forbid it
            self.error = error

    async def _try_part(self, part: Sequence[Checked], outlook: "Outlook", touched: Touched) -> list[Json]:
        events = await in_turns(_event_of, part)
        statements = [event for event in events if isinstance(event, Statement)]
        async with snapshot(self.importer.pool) as connection:
            similar = iter(await find_similar_to_each(connection, statements))
        rows = []
        for one, event in zip(part, events, strict=True):
            if event is None or not isinstance(one, Good):
                rows.append(self._row(one, None))
                continue
            keys = keys_of(event)
            touched.add(one, keys)
            row = _named(one) | {"status": "valid", "kind": event.kind, "coalition": event.coalition}
            if isinstance(event, Statement):
                row |= {"subjects": list(map(str, keys)), "similar": [like.render() for like in next(similar)]}
            outlook.count(row)
            rows.append(row)
        return [row for row in rows if row is not None]

    async def _foresee(self, outlook: "Outlook", touched: Touched, render: Callable[[Trial], list[Json]]) -> None:
        async with self.importer.pool.connection() as connection:
            registered = await find_registered(connection, sorted(touched.coalitions))
        keys, rows = touched.followed(registered)
        if rows:
            entries = tuple(await in_turns(self._entry, rows))
            trial = await try_out(
                self.importer.pool, Submission(entries, self.importer.owner, render_id), compare=False
            )
            wanted = set(map(str, keys))
            outlook.states = [state for state in render(trial) if state["id"] in wanted]
        outlook.further_subjects = touched.count - len(outlook.states)

    def summary(self) -> Json:
        """The end of the report."""
        told: Json = {
            "rows": self.spool.rows,
            "recorded": self.recorded,
            "repeated": self.repeated,
            "refused": self.refused,
            "left_out": self.spool.left_out,
            "complete": self.error is None,
        }
        if self.outlook is not None:
            told |= self.outlook.render()
        return told if self.error is None else told | {"error": self.error.detail}


@dataclass(slots=True)
class Outlook:
    """What a dry run has found that recording would come to."""

    kinds: Counter[str] = field(default_factory=Counter)
    similar_rows: int = 0
    examples: list[Json] = field(default_factory=list)  # the first of those rows
    states: list[Json] = field(default_factory=list)
    further_subjects: int = 0

    def count(self, row: Json) -> None:
        """A row that would be recorded."""
        self.kinds[row["kind"]] += 1
        if row.get("similar"):
            self.similar_rows += 1
            if len(self.examples) < _EXAMPLES:
                self.examples.append(row)

    def render(self) -> Json:
        """As clients see it."""
        return {
            "valid": self.kinds.total(),
            "kinds": dict(sorted(self.kinds.items())),
            "similar_rows": self.similar_rows,
            "states": self.states,
            "further_subjects": self.further_subjects,
        }


def _named(one: Checked) -> Json:
    return {"row": one.first} if one.first == one.last else {"row": one.first, "last_row": one.last}


def _event_of(one: Checked) -> Event | None:
    """What a row would record."""
    return read_event(one.body, one.kind) if isinstance(one, Good) and one.is_new else None


def _faulty(spool: Spool) -> Faulty:
    bad = "1 row is" if spool.bad == 1 else f"{spool.bad:,} rows are"
    bad = "The row is" if spool.rows == 1 else f"Of {spool.rows:,} rows {bad}"
    detail = f"{bad} not valid, and nothing is recorded; see `errors` for where and why."
    if spool.fault_count > len(spool.first_faults):
        detail += f" It has the first {len(spool.first_faults)} of {spool.fault_count:,} faults."
    return Faulty(detail, *spool.first_faults, count=spool.fault_count)
