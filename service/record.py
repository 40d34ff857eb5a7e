"""The write path: the only caller of the log's append.

Each process has one `Recorder`. It takes whatever requests have arrived, and records them together in one transaction:
one gate, one flush, however many they are (a lock held over the flush would lose the database's own group commit). Each
request keeps its own answer, precondition and refusal: a refused one is left out before anything is written.

    gate and head → retries and preconditions → domain decides → subjects re-folded → one write → commit → answers
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Self

import psycopg
from psycopg_pool import PoolTimeout

from service.database import Connection, Pool
from service.domain.decide import Known, Revision, check_revision, decide
from service.domain.errors import Fault, Invalid, RegistryError, Running, Unavailable
from service.domain.record import Effective, RecordDisputeSettled, RecordEvent
from service.domain.subject import SubjectKey
from service.log import append
from service.log.append import Appended, Head, Tail
from service.log.codec import Entry
from service.segments.effective import Versions, load_known
from service.segments.query import FIND_BACKGROUND, StateRow
from service.segments.revise import Planes, Touches, touches

_LOGGER = logging.getLogger(__name__)
_MOST_EVENTS = 1000  # in one transaction: bounds its length, and so the wait of whoever comes next


@dataclass(frozen=True, slots=True)
class Retry:
    """By what a retry of a request is recognised: the client's key, and a digest of what it sent."""

    client: str
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a request recorded: its events in order, and the subjects that it touched, with their state at the end.

    ``at`` is the moment of those states: that of recording, or, for what is yet to come, that of its occurrence.
    """

    events: tuple[Appended, ...]
    statements: tuple[Effective, ...]  # the changed ones, as they stand after it
    states: tuple[StateRow, ...]
    at: datetime
    in_force: frozenset[str]  # coalitions with a ceasefire in force at that moment


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered; ``replayed`` when an earlier try had already recorded it."""

    content: bytes
    replayed: bool = False


@dataclass(slots=True)
class Submission:
    """One request to record one or more events: all of them or none.

    ``render`` makes the answer from what was recorded, inside the transaction, so that a retry is given the same bytes.
    """

    entries: tuple[Entry, ...]
    recorded_by: str
    render: Callable[[Recorded], bytes]
    retry: Retry | None = None
    revision: int | None = None  # of the target, as the editor saw it
    listed: bool = False  # sent as a list: a fault says at which place
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Step(NamedTuple):
    """One event of a request, at its position, and what it changes."""

    appended: Appended
    revisions: tuple[Revision, ...]


@dataclass(slots=True)
class _Accepted:
    submission: Submission
    steps: list[_Step]


class _Begun(NamedTuple):
    """What a transaction knows once it holds the gate."""

    head: Head
    stored: dict[tuple[str, str], tuple[bytes, bytes]]  # (client, key) → (digest, answer) of earlier requests
    coalitions: list[str]
    ceasefires: frozenset[SubjectKey]  # those in force


class Recorder:
    """Records what the doors submit, in batches, through one task."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: asyncio.Queue[Submission] = asyncio.Queue(maxsize=10_000)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="recorder")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Finishes what has arrived, then ends."""
        await self._waiting.join()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def record(self, submission: Submission) -> Answer:
        """Records a request; answers once it is durable. Raises what refused it, and then it left no trace."""
        try:
            self._waiting.put_nowait(submission)
        except asyncio.QueueFull:
            raise Unavailable("Too many writes are waiting; try again in a moment.") from None
        # A client that goes away does not undo what it asked for: the batch holds others' requests too.
        return await asyncio.shield(submission.answer)

    async def _run(self) -> None:
        while True:
            batch = await self._gather()
            try:
                await self._record(batch)
            finally:
                for submission in batch:
                    if not submission.answer.done():
                        submission.answer.set_exception(Unavailable("The service is stopping; try again."))
                    submission.answer.exception()  # whoever asked may have gone away
                    self._waiting.task_done()

    async def _gather(self) -> list[Submission]:
        """What is recorded together next: all that has arrived, and what is just being read off the network.

        One turn of the loop costs a lone writer next to nothing; without it the first of many would each time begin a
        transaction of its own.
        """
        batch = [await self._waiting.get()]
        events = len(batch[0].entries)
        while events < _MOST_EVENTS:
            if self._waiting.empty():
                await asyncio.sleep(0)
            if self._waiting.empty():
                break
            batch.append(self._waiting.get_nowait())
            events += len(batch[-1].entries)
        return batch

    async def _record(self, batch: list[Submission]) -> None:
        """One transaction for the batch; where a part of it cannot be written, each request by itself."""
        try:
            await _commit(self._pool, batch)
        except Unavailable as error:
            _refuse_all(batch, error)
        except psycopg.OperationalError:
            _LOGGER.warning("the database went away during a write", exc_info=True)
            _refuse_all(batch, _UNCERTAIN)
        except Exception as error:
            if len(batch) == 1:
                _LOGGER.exception("a write failed")
                _refuse_all(batch, error)
                return
            for submission in batch:
                await self._record([submission])


_NOTHING_RECORDED = Unavailable("The database does not answer; nothing was recorded. Try again in a moment.")
_UNCERTAIN = Unavailable(
    "The database went away, so it is not known whether this was recorded. "
    "Send it again with the same Idempotency-Key: it is then recorded once."
)


def _refuse_all(batch: Sequence[Submission], error: Exception) -> None:
    for submission in batch:
        if not submission.answer.done():
            submission.answer.set_exception(error)


Outcome = Answer | RegistryError
"""What a request is answered once its transaction has ended: its answer, or what refused it."""


async def _commit(pool: Pool, batch: Sequence[Submission]) -> None:
    """Records the batch; a connection that died while it was idle is replaced once, before anything is written."""
    for last_try in (False, True):
        try:
            async with pool.connection() as connection:
                try:
                    begun = await _open(connection, batch)
                except psycopg.OperationalError as error:
                    if last_try:
                        raise _NOTHING_RECORDED from error
                    continue
                outcomes = await _rolled_back_unless_done(connection, batch, begun)
        except PoolTimeout as error:
            raise _NOTHING_RECORDED from error
        for submission, outcome in outcomes:
            if submission.answer.done():  # its client is gone, and the loop with it
                continue
            if isinstance(outcome, Answer):
                submission.answer.set_result(outcome)
            else:
                submission.answer.set_exception(outcome)
        return


async def _rolled_back_unless_done(
    connection: Connection, batch: Sequence[Submission], begun: _Begun
) -> list[tuple[Submission, Outcome]]:
    try:
        return await _write(connection, batch, begun)
    except BaseException:
        if not connection.closed:
            await connection.execute("ROLLBACK")
        raise


async def _write(
    connection: Connection, batch: Sequence[Submission], begun: _Begun
) -> list[tuple[Submission, Outcome]]:
    """The transaction; what each request is answered when it has ended."""
    fresh, outcomes = _without_retries(batch, begun.stored)
    named = sorted({name for one in fresh for entry in one.entries for name in _named(entry)})
    known = await load_known(connection, named, begun.coalitions)
    tail = Tail.after(begun.head)
    accepted: list[_Accepted] = []
    for one in fresh:
        decided = _decide(one, known, tail)
        if isinstance(decided, _Accepted):
            accepted.append(decided)
        else:
            outcomes.append((one, decided))
    if not accepted:
        await connection.execute("ROLLBACK")
        return outcomes
    planes, versions = Planes(), Versions()
    await planes.load(connection, _all_touches(accepted))
    keys: list[tuple[Retry, int, bytes]] = []
    for done in accepted:
        answer = done.submission.render(_revise(done, planes, versions, begun.ceasefires))
        outcomes.append((done.submission, Answer(answer)))
        if done.submission.retry is not None:
            keys.append((done.submission.retry, done.steps[0].appended.position, answer))
    async with connection.pipeline():
        await append.write(connection, tail)
        await versions.write(connection)
        await planes.write(connection)
        if keys:
            await connection.execute(_KEEP_ANSWERS, _answer_columns(keys))
        await connection.execute("COMMIT")
    return outcomes


async def _open(connection: Connection, batch: Sequence[Submission]) -> _Begun:
    """Begins, takes the gate, locks the head: one round trip, each statement with a snapshot of its own."""
    retries = [one.retry for one in batch if one.retry is not None]
    slugs = sorted({entry.event.coalition for one in batch for entry in one.entries})
    async with connection.pipeline():
        await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        await connection.execute(append.TAKE_GATE)
        head = await connection.cursor(binary=True).execute(append.LOCK_HEAD)
        found = await connection.cursor(binary=True).execute(FIND_BACKGROUND, (slugs, slugs))
        kept = connection.cursor(binary=True)
        if retries:
            await kept.execute(_FIND_ANSWERS, ([one.client for one in retries], [one.key for one in retries]))
        row = await head.fetchone()
        if row is None:
            raise Unavailable("The log has no head row: run `./run migrate`.")
        answers = await kept.fetchall() if retries else []
        keys = [SubjectKey(*key) for key in await found.fetchall()]
        return _Begun(
            head=Head.of(row),
            stored={(client, key): (bytes(digest), bytes(answer)) for client, key, digest, answer in answers},
            coalitions=[key.coalition for key in keys if key.family == "coalition"],
            ceasefires=frozenset(key for key in keys if key.family == "ceasefire"),
        )


def _without_retries(
    batch: Sequence[Submission], stored: dict[tuple[str, str], tuple[bytes, bytes]]
) -> tuple[list[Submission], list[tuple[Submission, Outcome]]]:
    """The requests that are new, and what the others are answered."""
    fresh: list[Submission] = []
    outcomes: list[tuple[Submission, Outcome]] = []
    taken: set[tuple[str, str]] = set()
    for one in batch:
        key = None if one.retry is None else (one.retry.client, one.retry.key)
        if one.retry is None or key is None:
            fresh.append(one)
        elif key in taken:
            outcomes.append((one, Running("A request with this Idempotency-Key is still running; try again shortly.")))
        elif key not in stored:
            taken.add(key)
            fresh.append(one)
        elif stored[key][0] != one.retry.digest:
            detail = "This Idempotency-Key was used for another request; take a new key."
            outcomes.append((one, Invalid(detail, Fault("/header/idempotency-key", "reused", detail))))
        else:
            outcomes.append((one, Answer(stored[key][1], replayed=True)))
    return fresh, outcomes


def _named(entry: Entry) -> tuple[str, ...]:
    event = entry.event
    if isinstance(event, RecordDisputeSettled):
        return (event.target, *event.named)
    return event.named if isinstance(event, RecordEvent) else ()


def _decide(submission: Submission, known: Known, tail: Tail) -> _Accepted | RegistryError:
    """Lets the domain decide on each event of a request; where it refuses one, nothing of the request is kept."""
    mark, draft = tail.mark(), known.copy() if len(submission.entries) > 1 else known
    steps: list[_Step] = []
    try:
        for entry in submission.entries:
            if isinstance(entry.event, RecordEvent):
                check_revision(submission.revision, entry.event.target, draft)
            revisions = decide(
                entry.event,
                event_id=entry.event_id,
                position=tail.next_position,
                known=draft,
                content=entry.content,
            )
            about = tuple(sorted(draft.positions[name] for name in _named(entry) if name in draft.positions))
            steps.append(_Step(tail.push(entry, recorded_by=submission.recorded_by, about=about), revisions))
    except RegistryError as error:
        tail.reset(mark)
        return _at(len(steps), error) if submission.listed else error
    if draft is not known:
        known.take(draft)
    return _Accepted(submission, steps)


def _at(nth: int, error: RegistryError) -> RegistryError:
    """The same refusal, with the place in the list to which it belongs."""
    faults = error.faults or (Fault("", "refused", error.detail),)
    return type(error)(error.detail, *(Fault(f"/{nth}{one.pointer}", one.code, one.detail) for one in faults))


def _all_touches(accepted: Sequence[_Accepted]) -> Touches:
    """Each touched subject, and from when to load it: not later than now, for the answers tell of now."""
    now = accepted[0].steps[0].appended.recorded_at
    touched = touches(revision for one in accepted for step in one.steps for revision in step.revisions)
    return {key: min(since, now) for key, since in touched.items()}


def _revise(accepted: _Accepted, planes: Planes, versions: Versions, ceasefires: frozenset[SubjectKey]) -> Recorded:
    """Re-folds what a request touches, each event at its own position."""
    touched: Touches = {}
    standing: dict[int, Effective] = {}
    for step in accepted.steps:
        at = step.appended.position
        after = [revision.after for revision in step.revisions]
        versions.put(after, at=at)
        touched |= planes.revise(step.revisions, at=at)
        standing |= {one.position: one for one in after}
    events = tuple(step.appended for step in accepted.steps)
    moment = max(events[-1].recorded_at, *(one.bounds.latest for one in standing.values()))
    return Recorded(
        events=events,
        statements=tuple(standing.values()),
        states=tuple(planes.row(key, moment) for key in touched),
        at=moment,
        in_force=frozenset(key.coalition for key in planes.in_force(ceasefires, moment)),
    )


def _answer_columns(
    keys: Sequence[tuple[Retry, int, bytes]],
) -> tuple[list[str], list[str], list[bytes], list[int], list[bytes]]:
    return (
        [retry.client for retry, _, _ in keys],
        [retry.key for retry, _, _ in keys],
        [retry.digest for retry, _, _ in keys],
        [position for _, position, _ in keys],
        [answer for _, _, answer in keys],
    )


_FIND_ANSWERS = """
SELECT i.client, i.key, i.digest, i.answer
FROM unnest(%b::text[], %b::text[]) AS asked(client, key) JOIN idempotency i USING (client, key)
"""
_KEEP_ANSWERS = """
INSERT INTO idempotency (client, key, digest, position, answer)
SELECT * FROM unnest(%b::text[], %b::text[], %b::bytea[], %b::bigint[], %b::bytea[])
"""
