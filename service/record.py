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

from service.database import Connection, Pool
from service.domain.decide import Known, Revision, check_revision, decide
from service.domain.errors import Invalid, RegistryError, Running, Unavailable
from service.domain.record import Effective, RecordDisputeSettled, RecordEvent
from service.domain.subject import SubjectKey
from service.log import append
from service.log.append import Appended, Head, Tail
from service.log.codec import Entry
from service.segments.effective import FIND_COALITIONS, Versions, load_known
from service.segments.query import FIND_CEASEFIRES, StateRow
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
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Step(NamedTuple):
    """One event of a request, at its position, and what it changes."""

    appended: Appended
    revisions: tuple[Revision, ...]


@dataclass(slots=True)
class _Accepted:
    submission: Submission
    steps: list[_Step]


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
            batch = [await self._waiting.get()]
            events = len(batch[0].entries)
            while events < _MOST_EVENTS and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
                events += len(batch[-1].entries)
            try:
                await self._record(batch)
            finally:
                for submission in batch:
                    if not submission.answer.done():
                        submission.answer.set_exception(Unavailable("The service is stopping; try again."))
                    submission.answer.exception()  # whoever asked may have gone away
                    self._waiting.task_done()

    async def _record(self, batch: list[Submission]) -> None:
        """One transaction for the batch; where a part of it cannot be written, each request by itself."""
        try:
            await _commit(self._pool, batch)
        except (psycopg.OperationalError, Unavailable):
            _LOGGER.warning("the database went away during a write", exc_info=True)
            for submission in batch:
                _refuse(submission, _UNCERTAIN)
        except Exception as error:
            if len(batch) == 1:
                _LOGGER.exception("a write failed")
                _refuse(batch[0], error)
                return
            for submission in batch:
                if not submission.answer.done():
                    await self._record([submission])


_UNCERTAIN = Unavailable(
    "The database went away, so it is not known whether this was recorded. "
    "Send it again with the same Idempotency-Key: it is then recorded once."
)


def _refuse(submission: Submission, error: Exception) -> None:
    if not submission.answer.done():
        submission.answer.set_exception(error)


async def _commit(pool: Pool, batch: Sequence[Submission]) -> None:
    async with pool.connection() as connection:
        try:
            answers = await _write(connection, batch)
        except BaseException:
            if not connection.closed:
                await connection.execute("ROLLBACK")
            raise
    for submission, answer in answers:
        if not submission.answer.done():
            submission.answer.set_result(answer)


async def _write(connection: Connection, batch: Sequence[Submission]) -> list[tuple[Submission, Answer]]:
    """The transaction. Refused and replayed requests are answered at once; the others when it has committed."""
    head, stored, coalitions, ceasefires = await _open(connection, batch)
    fresh, answers = _without_retries(batch, stored)
    named = sorted({name for one in fresh for entry in one.entries for name in _named(entry)})
    known = await load_known(connection, named, coalitions)
    tail = Tail.after(head)
    accepted = [taken for one in fresh if (taken := _decide(one, known, tail)) is not None]
    if not accepted:
        await connection.execute("ROLLBACK")
        return answers
    planes, versions = Planes(), Versions()
    await planes.load(connection, _all_touches(accepted))
    keys: list[tuple[Retry, int, bytes]] = []
    for one in accepted:
        answer = one.submission.render(_revise(one, planes, versions, ceasefires))
        answers.append((one.submission, Answer(answer)))
        if one.submission.retry is not None:
            keys.append((one.submission.retry, one.steps[0][0].position, answer))
    async with connection.pipeline():
        await append.write(connection, tail)
        await versions.write(connection)
        await planes.write(connection)
        if keys:
            await connection.execute(_KEEP_ANSWERS, _answer_columns(keys))
        await connection.execute("COMMIT")
    return answers


async def _open(
    connection: Connection, batch: Sequence[Submission]
) -> tuple[Head, dict[tuple[str, str], tuple[bytes, bytes]], list[str], frozenset[SubjectKey]]:
    """Begins, takes the gate, locks the head: one round trip, each statement with a snapshot of its own."""
    retries = [one.retry for one in batch if one.retry is not None]
    slugs = sorted({entry.event.coalition for one in batch for entry in one.entries})
    async with connection.pipeline():
        await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        await connection.execute(append.TAKE_GATE)
        head = await connection.cursor(binary=True).execute(append.LOCK_HEAD)
        keys = ([retry.client for retry in retries], [retry.key for retry in retries])
        kept = await connection.cursor(binary=True).execute(_FIND_ANSWERS, keys)
        found = await connection.cursor(binary=True).execute(FIND_COALITIONS, (slugs,))
        truces = await connection.cursor(binary=True).execute(FIND_CEASEFIRES, (slugs,))
        row = await head.fetchone()
        if row is None:
            raise Unavailable("The log has no head row: run `./run migrate`.")
        stored = {
            (client, key): (bytes(digest), bytes(answer)) for client, key, digest, answer in await kept.fetchall()
        }
        coalitions = [slug for (slug,) in await found.fetchall()]
        ceasefires = frozenset(SubjectKey(*key) for key in await truces.fetchall())
    return Head.of(row), stored, coalitions, ceasefires


def _without_retries(
    batch: Sequence[Submission], stored: dict[tuple[str, str], tuple[bytes, bytes]]
) -> tuple[list[Submission], list[tuple[Submission, Answer]]]:
    """The requests that are new, and the answers of those that were recorded before."""
    fresh: list[Submission] = []
    answers: list[tuple[Submission, Answer]] = []
    taken: set[tuple[str, str]] = set()
    for one in batch:
        if one.retry is None:
            fresh.append(one)
            continue
        key = (one.retry.client, one.retry.key)
        if key in taken:
            _refuse(one, Running("A request with this Idempotency-Key is still running; try again in a moment."))
        elif key not in stored:
            taken.add(key)
            fresh.append(one)
        elif stored[key][0] != one.retry.digest:
            _refuse(one, Invalid("This Idempotency-Key was used for another request; take a new key."))
        else:
            answers.append((one, Answer(stored[key][1], replayed=True)))
    return fresh, answers


def _named(entry: Entry) -> tuple[str, ...]:
    event = entry.event
    if isinstance(event, RecordDisputeSettled):
        return (event.target, *event.named)
    return event.named if isinstance(event, RecordEvent) else ()


def _decide(submission: Submission, known: Known, tail: Tail) -> _Accepted | None:
    """Lets the domain decide on each event of a request; None when it refused one, and then nothing is kept."""
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
        _refuse(submission, error)
        return None
    if draft is not known:
        known.take(draft)
    return _Accepted(submission, steps)


def _all_touches(accepted: Sequence[_Accepted]) -> Touches:
    return touches(revision for one in accepted for step in one.steps for revision in step.revisions)


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
