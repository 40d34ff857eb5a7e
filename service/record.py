"""The write path: the only caller of the log's append.

Each process has one `Recorder`. It takes whatever requests have arrived, and records them together in one transaction:
one gate, one flush, however many they are (a lock held over the flush would lose the database's own group commit). Each
request keeps its own answer, precondition and refusal: a refused one is left out before anything is written.

    retries → domain decides → subjects re-folded → gate and head → leaves and answers → one write → commit

What stands before the gate is `service.preparing`: it runs while the batch before is being written. Where that does not
hold, or something has to be read for it first, it is done under the gate instead.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple, Self

import psycopg
from psycopg_pool import PoolTimeout

from service.database import Connection, Pool
from service.domain.errors import RegistryError, Unavailable
from service.keys import FIND_KEPT, Kept, keep_each, reused, still_running
from service.log import append
from service.log.append import Head, Tail
from service.preparing import Mark, Prepared, Standing
from service.segments.query import FIND_BACKGROUND, Background
from service.submission import Answer, Retry, Submission

_LOGGER = logging.getLogger(__name__)
_LANES = 2  # while the database writes one batch, the next is prepared
_MOST_EVENTS = 1000  # in one transaction: bounds its length, and so the wait of whoever comes next
_LAST_SECONDS = 0.5  # at the end, for writes whose clients have been waited for already


class _Begun(NamedTuple):
    """What a transaction knows once it holds the gate."""

    head: Head
    background: Background
    stored: dict[tuple[str, str], Kept]  # by client and key

    @property
    def mark(self) -> Mark:
        """Where the record stands."""
        return Mark(self.head.frontier, self.background.build)


Outcome = Answer | RegistryError
"""What a request is answered once its transaction has ended: its answer, or what refused it."""


class Recorder:
    """Records what the doors submit, in batches: one is prepared while the one before is written."""

    def __init__(
        self,
        pool: Pool,
        *,
        observe: Callable[[float], None] = lambda _: None,
        announce: Callable[[], None] = lambda: None,
    ) -> None:
        """``observe`` is told how many seconds each request took, from its arrival until it was durable or refused;
        ``announce`` is called when something has been recorded.
        """
        self._pool = pool
        self._observe, self._announce = observe, announce
        self._waiting: asyncio.Queue[Submission] = asyncio.Queue(maxsize=10_000)
        self._tasks: list[asyncio.Task[None]] = []
        self._standing = Standing()
        self._preparing = asyncio.Lock()  # both: first come, first served, so that batches are written as they were
        self._turn = asyncio.Lock()  # prepared; one that has to read keeps the first lock into its turn
        self._kept_out = 0  # how often somebody else has held the gate for too long

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._run(), name=f"recorder {nth}") for nth in range(_LANES)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Finishes what has arrived, as far as the database lets it, then ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._waiting.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._refuse_waiting(Unavailable("The service is stopping; nothing was recorded. Try again in a moment."))

    async def record(self, submission: Submission) -> Answer:
        """Records a request; answers once it is durable. Raises what refused it, and then it left no trace."""
        try:
            self._waiting.put_nowait(submission)
        except asyncio.QueueFull:
            raise Unavailable("Too many writes are waiting; try again in a moment.") from None
        began = time.perf_counter()
        try:
            # A client that goes away does not undo what it asked for: the batch holds others' requests too.
            return await asyncio.shield(submission.answer)
        finally:
            self._observe(time.perf_counter() - began)

    async def record_each(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Records many requests in their order, each by itself; waits where others wait. Answers what came of each."""
        for submission in submissions:
            await self._waiting.put(submission)
        await asyncio.wait([submission.answer for submission in submissions])
        return [_outcome(submission.answer) for submission in submissions]

    async def _run(self) -> None:
        while True:
            batch = await self._gather()
            try:
                await self._record(batch)
            finally:
                for submission in batch:
                    if not submission.answer.done():
                        submission.answer.set_exception(Unavailable(CUT_OFF))
                    submission.answer.exception()  # whoever asked may have gone away
                    self._waiting.task_done()

    def _refuse_waiting(self, error: Unavailable) -> None:
        """Refuses all that no batch has taken up."""
        while not self._waiting.empty():
            submission = self._waiting.get_nowait()
            _refuse_all([submission], error)
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
            outcomes = await self._commit(batch)
        except Unavailable as error:
            _refuse_all(batch, error)
        except psycopg.OperationalError:
            _LOGGER.warning("the database went away during a write", exc_info=True)
            _refuse_all(batch, Unavailable(_UNCERTAIN))
        except Exception as error:
            if len(batch) == 1:
                if not isinstance(error, RegistryError):
                    _LOGGER.exception("a write failed")
                _refuse_all(batch, error)
                return
            for submission in batch:
                await self._record([submission])
        else:
            _answer_all(outcomes)
            self._announce()

    async def _commit(self, batch: Sequence[Submission]) -> list[tuple[Submission, Outcome]]:
        """Prepares the batch, and writes it in its turn; answers once it is durable."""
        kept_out = self._kept_out
        try:
            async with AsyncExitStack() as preparing:
                await preparing.enter_async_context(self._preparing)
                prepared = await self._standing.prepare_ahead(_without_repeats(batch)[0])
                if prepared is not None:
                    await preparing.aclose()
                async with self._turn:
                    self._refuse_if_kept_out(since=kept_out)
                    return await self._write_in_turn(batch, prepared, preparing)
        except BaseException:
            self._standing.forget()
            raise

    def _refuse_if_kept_out(self, *, since: int) -> None:
        """Whoever waited for the batch before, which was kept out, has waited as long."""
        if since != self._kept_out:
            raise Unavailable(_GATE_IS_HELD)

    async def _write_in_turn(
        self, batch: Sequence[Submission], prepared: Prepared | None, preparing: AsyncExitStack
    ) -> list[tuple[Submission, Outcome]]:
        """A connection that died while it was idle is replaced once, before anything is written."""
        for last_try in (False, True):
            try:
                async with self._pool.connection() as connection:
                    try:
                        begun = await _open(connection, batch)
                    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
                        raise
                    except psycopg.OperationalError as error:
                        if last_try:
                            raise Unavailable(_NOTHING_RECORDED) from error
                        continue
                    try:
                        return await self._write(connection, batch, begun, prepared, preparing)
                    except BaseException:
                        if not connection.closed:
                            await connection.execute("ROLLBACK")
                        raise
            except psycopg.errors.LockNotAvailable as error:  # never of a COMMIT: it waits for no lock
                _LOGGER.warning("another transaction holds the gate or a table of the registry; writes are refused")
                self._kept_out += 1
                held = Unavailable(_GATE_IS_HELD)
                self._refuse_waiting(held)
                raise held from error
            except psycopg.errors.QueryCanceled as error:  # of a COMMIT only before it has had any effect
                _LOGGER.warning("the database took too long for a write; it was given up")
                raise Unavailable(_TOOK_TOO_LONG) from error
            except PoolTimeout as error:
                raise Unavailable(_NOTHING_RECORDED) from error
        raise AssertionError  # the second try has returned or raised

    async def _write(
        self,
        connection: Connection,
        batch: Sequence[Submission],
        begun: _Begun,
        prepared: Prepared | None,
        preparing: AsyncExitStack,
    ) -> list[tuple[Submission, Outcome]]:
        """The rest of the transaction; what each request is answered when it has ended."""
        fresh, outcomes = _without_retries(batch, begun.stored)
        fresh, repeats = _without_repeats(fresh)
        if prepared is not None and (outcomes or not self._standing.holds(prepared, begun.mark)):
            self._standing.forget()  # this batch is part of what it knows
            prepared = None
        if prepared is None:
            prepared = await self._standing.prepare(connection, fresh, begun.head, begun.background)
            await preparing.aclose()
        outcomes += [*repeats, *prepared.refused]
        if not prepared.accepted:
            await connection.execute("ROLLBACK")
            return outcomes
        tail = Tail.after(begun.head)
        keys: list[tuple[Retry, Answer]] = []
        for one in prepared.accepted:
            submission, recorded = one.submission, one.record(tail, begun.background.truces)
            answer = Answer(submission.render(recorded), recorded.events[0].position)
            outcomes.append((submission, answer))
            keys += [(retry, answer) for retry in submission.retries]
        async with connection.pipeline():
            await append.write(connection, tail)
            await prepared.versions.write(connection)
            await prepared.changes.write(connection)
            if keys:
                await keep_each(connection, keys)
            await connection.execute("COMMIT")
        self._standing.wrote(prepared, Mark(tail.frontier, begun.background.build), tail.appended[-1].recorded_at)
        return outcomes


_NOTHING_RECORDED = "The database does not answer; nothing was recorded. Try again in a moment."
_GATE_IS_HELD = "Another transaction keeps the database from recording; nothing was recorded. Try again in a moment."
_TOOK_TOO_LONG = "The database took too long for this; nothing was recorded. Try again, or with less at a time."
CUT_OFF = (
    "The service stopped before this was answered, so it is not known whether it was recorded. "
    "Send it again with the same Idempotency-Key: it is then recorded once."
)
_UNCERTAIN = (
    "The database went away, so it is not known whether this was recorded. "
    "Send it again with the same Idempotency-Key: it is then recorded once."
)


def _outcome(answer: asyncio.Future[Answer]) -> Outcome:
    error = answer.exception()
    if error is None:
        return answer.result()
    if not isinstance(error, RegistryError):
        raise error
    return error


def _refuse_all(batch: Sequence[Submission], error: Exception) -> None:
    for submission in batch:
        if not submission.answer.done():
            submission.answer.set_exception(error)


def _answer_all(outcomes: Sequence[tuple[Submission, Outcome]]) -> None:
    for submission, outcome in outcomes:
        if submission.answer.done():  # its client is gone, and the loop with it
            continue
        if isinstance(outcome, Answer):
            submission.answer.set_result(outcome)
        else:
            submission.answer.set_exception(outcome)


async def _open(connection: Connection, batch: Sequence[Submission]) -> _Begun:
    """Begins, takes the gate, locks the head: one round trip, each statement with a snapshot of its own."""
    retries = [retry for one in batch for retry in one.retries]
    slugs = sorted({entry.event.coalition for one in batch for entry in one.entries})
    async with connection.pipeline():
        await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        await connection.execute(append.TAKE_GATE)
        head = await connection.cursor(binary=True).execute(append.LOCK_HEAD)
        found = await connection.cursor(binary=True).execute(FIND_BACKGROUND, (slugs, slugs))
        kept = connection.cursor(binary=True)
        if retries:
            await kept.execute(FIND_KEPT, ([one.client for one in retries], [one.key for one in retries]))
        row = await head.fetchone()
        if row is None:
            raise Unavailable("The log has no head row: run `./run migrate`.")
        answers = await kept.fetchall() if retries else []
        return _Begun(
            head=Head.of(row),
            background=Background.of(await found.fetchall()),
            stored={(client, key): Kept.of(*row) for client, key, *row in answers},
        )


def _without_repeats(batch: Sequence[Submission]) -> tuple[list[Submission], list[tuple[Submission, Outcome]]]:
    """The requests but those whose key another one of the batch has, and what these are answered."""
    fresh: list[Submission] = []
    outcomes: list[tuple[Submission, Outcome]] = []
    taken: set[tuple[str, str]] = set()
    for one in batch:
        keys = {(retry.client, retry.key) for retry in one.retries}
        if not taken.isdisjoint(keys):
            outcomes.append((one, still_running()))
            continue
        taken |= keys
        fresh.append(one)
    return fresh, outcomes


def _without_retries(
    batch: Sequence[Submission], stored: dict[tuple[str, str], Kept]
) -> tuple[list[Submission], list[tuple[Submission, Outcome]]]:
    """The requests that are new, and what the others are answered."""
    fresh: list[Submission] = []
    outcomes: list[tuple[Submission, Outcome]] = []
    for one in batch:
        known = [(retry, stored[key]) for retry in one.retries if (key := (retry.client, retry.key)) in stored]
        if not known:
            fresh.append(one)
        elif any(retry.digest != digest for retry, (digest, _) in known):
            outcomes.append((one, reused()))
        else:
            outcomes.append((one, known[0][1][1]))
    return fresh, outcomes
