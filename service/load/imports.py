"""Imports: a file's rows → the log, in two passes, through the write path.

The first pass checks every row, so that a bad one anywhere is known before anything is recorded; the second records
the good ones, each under a key that is made of what it says. Whoever sends a file again, because the line was cut, or
with more rows, or with some of them mended, records nothing twice. See docs/decisions/0017-import-in-two-passes.md.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from service.database import Pool, snapshot
from service.domain.errors import Fault, Faulty, RegistryError, Running, Unavailable
from service.domain.kinds import parse_event, read_event
from service.domain.statement import Event, Statement
from service.domain.subject import SubjectKey
from service.load.checked import Bad, Checked, Good, LeftOut, Spool
from service.load.checking import check, in_parts
from service.log.codec import Entry, commit
from service.reading.row import Rows
from service.record import Outcome, Recorder, find_kept, reused
from service.segments.similar import find_similar
from service.submission import Answer, Recorded, Retry, Submission

Json = dict[str, Any]
_AHEAD = 2  # parts under way: while one is written, the next is prepared
_COMPARED = 200  # rows of a dry run for which similar statements are looked for
_PATIENCE_SECONDS = 0.05


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
    replayed: bool = False
    recorded: int = 0
    repeated: int = 0  # of the recorded ones, those that an earlier try had recorded
    refused: int = 0
    compared: int = 0
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
            kept = (await find_kept(connection, claim.client, [claim.key])).get(claim.key)
        if kept is None:
            return
        if kept.digest != claim.digest:
            raise reused()
        self.claim, self.replayed = None, True

    async def record(self) -> AsyncGenerator[list[Json]]:
        """The second pass: what became of each row, some at a time, in order.

        Where it cannot go on it ends early and says why in ``error``; the rows of which it says nothing are unknown.
        """
        under_way: deque[asyncio.Task[list[Json]]] = deque()
        try:
            for part in in_parts(self.spool):
                if self.claim is not None:  # alone: nothing is recorded under a key that is another's
                    yield await self._record_part(part)
                    continue
                if len(under_way) >= _AHEAD:
                    yield await under_way.popleft()
                if self.error is not None:
                    break
                under_way.append(asyncio.create_task(self._record_part(part)))
                await asyncio.sleep(0)
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:  # whoever asked is gone; what was submitted is recorded all the same
                task.cancel()

    async def _record_part(self, part: Sequence[Checked]) -> list[Json]:
        new = [one for one in part if isinstance(one, Good) and one.event_id is None]
        submissions = [self._submission(one) for one in new]
        if self.claim is not None and submissions:
            submissions[0].claim, self.claim = self.claim, None
            (outcome,) = await self._settle(submissions[:1])
            if isinstance(outcome, RegistryError):
                self.error = outcome
                return []
            outcomes = [outcome, *await self._settle(submissions[1:])]
        else:
            outcomes = await self._settle(submissions)
        came_of = dict(zip((one.first for one in new), outcomes, strict=True))
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

    def _submission(self, one: Good) -> Submission:
        content, salt = orjson.loads(one.body), self.importer.new_salt()
        event, event_id = parse_event(content), self.importer.new_id()
        entry = Entry(event, event_id, content, one.body, salt, commit(one.body, salt))
        retry = Retry(self.importer.client, one.key, one.digest)
        return Submission((entry,), self.importer.owner, _render_id, retry, brief=True)

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
        event_id, position = one.event_id, one.position
        if isinstance(outcome, Answer):
            event_id, position = outcome.content.decode(), outcome.position
        self.recorded += 1
        self.repeated += not isinstance(outcome, Answer) or outcome.replayed
        return _named(one) | {"status": "recorded", "event_id": event_id, "position": position}

    def _refused(self, one: Good | Bad, faults: Sequence[Fault]) -> Json:
        self.refused += 1
        return _named(one) | {"status": "refused", "errors": [fault.render() for fault in faults]}

    async def try_out(self) -> AsyncGenerator[list[Json]]:
        """What recording would come to, row by row; similar statements are looked for as long as that is cheap."""
        for part in in_parts(self.spool):
            async with snapshot(self.importer.pool) as connection:
                rows = []
                for one in part:
                    if not isinstance(one, Good) or one.event_id is not None:
                        rows.append(self._row(one, None))
                        continue
                    event = read_event(one.body, one.kind)
                    row = _named(one) | {"status": "valid", **_about(event)}
                    if isinstance(event, Statement) and self.compared < _COMPARED:
                        self.compared += 1
                        row["similar"] = [like.render() for like in await find_similar(connection, event)]
                    rows.append(row)
            yield [row for row in rows if row is not None]

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
        return told if self.error is None else told | {"error": self.error.detail}


def _named(one: Checked) -> Json:
    return {"row": one.first} if one.first == one.last else {"row": one.first, "last_row": one.last}


def _about(event: Event) -> Json:
    subjects = (
        [str(SubjectKey(event.coalition, event.family, event.subject, actor)) for actor in event.subject_actors]
        if isinstance(event, Statement)
        else []
    )
    return {"kind": event.kind, "coalition": event.coalition, "subjects": subjects}


def _render_id(recorded: Recorded) -> bytes:
    return recorded.events[0].entry.event_id.encode()


def _faulty(spool: Spool) -> Faulty:
    rows = "1 row is" if spool.bad == 1 else f"{spool.bad:,} rows are"
    detail = f"Of {spool.rows:,} rows {rows} not valid, and nothing is recorded; `errors` says where and why."
    if spool.fault_count > len(spool.first_faults):
        detail += f" It has the first {len(spool.first_faults)} of {spool.fault_count:,} faults."
    return Faulty(detail, *spool.first_faults, count=spool.fault_count)
