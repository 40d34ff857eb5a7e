"""What happens to a draft: it is put up, and decided on once.

Whoever decides holds the draft's row, so that one decision waits for the other. An approval is then recorded through
the one write path, under a key of the draft's own: a process that dies in the middle has recorded it or not, and who
tries again finds the same answer. A rejection, as whatever says that a draft is not recorded as it is, first takes the
gate: a recording whose process has just died may still be on its way into the log, and behind the gate it is either
there or will never be.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import orjson
import psycopg

from service.database import Connection, Pool
from service.domain.answers import Json
from service.domain.errors import Fault, Refused, RegistryError, Running, Unavailable, Unknown
from service.domain.record import RecordEvent
from service.domain.statement import Event
from service.drafts.stored import (
    CLIENT,
    Draft,
    DraftState,
    approved,
    find_draft,
    insert_draft,
    mark,
    mark_returned,
)
from service.log.append import TAKE_GATE
from service.log.codec import prepare
from service.once import do_once, find_done
from service.record import Recorder
from service.segments.effective import load_known
from service.segments.since import changed_since
from service.submission import Recorded, Retry, Submission
from service.trial import Trial, try_out

_LOCK = b"SELECT 1 FROM draft WHERE id = %s FOR UPDATE"


class Outlook(NamedTuple):
    """What a draft would come to if it were approved now: a trial or a refusal, and the subjects changed since."""

    trial: Trial | None
    refusal: RegistryError | None
    changed: list[str]


class Approval(NamedTuple):
    """An approved draft; ``replayed`` when an earlier try had already recorded it."""

    draft: Draft
    position: int
    replayed: bool


class Drafts:
    """Puts drafts up, and decides on them."""

    def __init__(
        self, pool: Pool, writing: Pool, recorder: Recorder, *,
        new_id: Callable[[], str], new_salt: Callable[[], bytes],
    ) -> None:  # fmt: skip
        self._pool, self._writing, self._recorder = pool, writing, recorder
        self._new_id, self._new_salt = new_id, new_salt
        self._turn = asyncio.Lock()  # an approval holds a connection while the recorder needs another

    async def put_up(
        self,
        events: tuple[Event, ...],
        *,
        author: str,
        listed: bool = False,
        revision: int | None = None,
        note: str | None = None,
        replaces: str | None = None,
        retry: Retry | None = None,
    ) -> tuple[Draft, bool]:
        """Keeps what an author would record, and says whether an earlier try had done so.

        With ``replaces`` it is what a returned draft of theirs was changed into, which is then over. Raises what
        recording it would be refused for.
        """
        async with self._writing.connection() as connection:
            earlier = None if retry is None else await find_done(connection, retry)
        if earlier is not None:  # what has been recorded since may now refuse it
            return await self._get_as_put_up(earlier), True
        revision = await self._seen(events, revision)
        submission = self._submission(events, author, listed=listed, revision=revision)
        trial = await try_out(self._writing, submission, compare=False)
        now = trial.recorded.events[0].recorded_at
        one = Draft(self._new_id(), author, now, events, listed, revision, trial.size, note, replaces=replaces)

        async def keep(connection: Connection) -> Json:
            if replaces is not None:
                await _hold(connection, replaces)
                await self._check_replaceable(connection, replaces, author)
                await mark(connection, replaces, DraftState.WITHDRAWN, by=author, reason=None, at=now)
            await insert_draft(connection, one)
            return {"draft": one.id}

        done = await do_once(self._writing, retry, keep)
        return await self._get_as_put_up(done.content) if done.replayed else one, done.replayed

    async def _get_as_put_up(self, kept: Json) -> Draft:
        async with self._writing.connection() as connection:
            return (await self._get(connection, kept["draft"])).as_created()

    async def check_replaceable(self, draft_id: str, author: str) -> None:
        """Raises `Refused` where an author has no draft under this id that was returned to them and is not over."""
        async with self._writing.connection() as connection:
            await self._check_replaceable(connection, draft_id, author)

    async def _check_replaceable(self, connection: Connection, draft_id: str, author: str) -> None:
        found = await find_draft(connection, draft_id)
        if found is None or found.author != author:
            detail = "There is no draft of yours with this id."
            raise Refused(detail, Fault("/replaces", "unknown_draft", detail))
        if found.state is not DraftState.RETURNED:
            detail = "Only a draft that was returned to you, and is not over, can be replaced by another."
            raise Refused(detail, Fault("/replaces", "not_returned", detail))

    async def _seen(self, events: tuple[Event, ...], revision: int | None) -> int | None:
        """The version of the target that the author saw: where any would do, the present one; it cannot know later."""
        target = events[0].target if isinstance(events[0], RecordEvent) else None
        if revision is not None or target is None:
            return revision
        async with self._writing.connection() as connection:
            known = await load_known(connection, [target], ())
        position = known.positions.get(target)
        return None if position is None else known.by_position[position].revision

    async def outlook(self, one: Draft, *, compare: bool = True) -> Outlook:
        """What approving a draft now would come to, and which of its subjects have changed since it was put up.

        Looks for similar statements unless it is not to ``compare``.
        """
        submission = self._submission(one.events, one.author, listed=one.listed, revision=one.revision)
        try:
            trial = await try_out(self._pool, submission, compare=compare)
        except Unavailable:
            raise
        except RegistryError as error:
            return Outlook(None, error, [])
        keys = [row.key for row in trial.recorded.states]
        async with self._pool.connection() as connection:
            changed = await changed_since(connection, keys, one.known_position)
        return Outlook(trial, None, [str(key) for key in changed])

    async def approve(
        self,
        draft_id: str,
        *,
        by: str,
        reason: str | None,
        render: Callable[[Draft, Recorded], Json],
        retry: Retry | None = None,
    ) -> Approval:
        """Records a draft in its author's name; whoever has approved it already gets the same answer again.

        ``render`` makes what is answered, besides the draft, from what was recorded. Where the key of ``retry`` is
        another request's, that is refused, and nothing recorded.
        """
        async with self._turn, self._writing.connection() as connection, connection.transaction():
            await _hold(connection, draft_id)
            if retry is not None:
                await find_done(connection, retry)
            one = await self._approvable(connection, draft_id, by)
            submission = self._submission(
                one.events,
                one.author,
                listed=one.listed,
                revision=one.revision,
                render=lambda recorded: orjson.dumps({"decided_by": by, "reason": reason, **render(one, recorded)}),
                retry=Retry(CLIENT, one.id, hashlib.sha256(one.id.encode()).digest()),
            )
            submission.claim = retry
            answer = await self._recorder.record(submission)
            done = approved(one, answer.content)
            assert done.decided_by is not None
            await mark(connection, one.id, done.state, by=done.decided_by, reason=done.reason, at=done.decided_at)
        return Approval(done, answer.position, answer.replayed)

    async def _approvable(self, connection: Connection, draft_id: str, by: str) -> Draft:
        one = await self._get(connection, draft_id)
        _check_not_own(one, by)
        if one.state is not DraftState.PENDING and (one.state, one.decided_by) != (DraftState.APPROVED, by):
            raise _settled(one)
        return one

    async def try_approval(self, draft_id: str, *, by: str, reason: str | None) -> tuple[Draft, Trial]:
        """The draft as an approval would leave it, and what that would record; raises what it would be refused for."""
        async with self._writing.connection() as connection:
            one = await self._approvable(connection, draft_id, by)
        if one.state is not DraftState.PENDING:
            raise _settled(one)
        submission = self._submission(one.events, one.author, listed=one.listed, revision=one.revision)
        trial = await try_out(self._writing, submission)
        at = trial.recorded.events[-1].recorded_at
        return replace(one, state=DraftState.APPROVED, decided_by=by, decided_at=at, reason=reason), trial

    async def settle(
        self,
        draft_id: str,
        state: DraftState,
        *,
        by: str,
        reason: str | None,
        retry: Retry | None = None,
        dry_run: bool = False,
    ) -> tuple[Draft, bool]:
        """Says that a draft is not recorded as it is, and why; says whether an earlier try had said so.

        It is returned to its author, rejected, or withdrawn by them. With ``dry_run`` the answer is what would stand
        there, and nothing is changed.
        """
        closed: Draft | None = None

        async def work(connection: Connection) -> Json:
            nonlocal closed
            closed = await self._settle(connection, draft_id, state, by=by, reason=reason)
            return {"draft": draft_id}

        done = await do_once(self._writing, retry, work, dry_run=dry_run)
        if closed is None:
            async with self._writing.connection() as connection:
                closed = await self._get(connection, draft_id)
            if state is DraftState.RETURNED:
                closed = closed.as_returned()
        return closed, done.replayed

    async def _settle(
        self, connection: Connection, draft_id: str, state: DraftState, *, by: str, reason: str | None
    ) -> Draft:
        await _hold(connection, draft_id)
        await connection.execute(TAKE_GATE.encode())
        one = await self._get(connection, draft_id)
        if state is not DraftState.WITHDRAWN:
            _check_not_own(one, by)
        elif one.author != by:
            raise Refused("Only its author can withdraw a draft; whoever may approve it may reject it.")
        said = (one.returned_by, one.return_reason) if state is DraftState.RETURNED else (one.decided_by, one.reason)
        if one.state is state and said == (by, reason) and one.replaced_by is None:
            return one
        if one.state is not DraftState.PENDING and (one.state, state) != (DraftState.RETURNED, DraftState.WITHDRAWN):
            raise _settled(one)
        if state is DraftState.RETURNED:
            assert reason is not None
            await mark_returned(connection, one.id, by=by, reason=reason)
        else:
            await mark(connection, one.id, state, by=by, reason=reason)
        return await self._get(connection, draft_id)

    async def _get(self, connection: Connection, draft_id: str) -> Draft:
        found = await find_draft(connection, draft_id)
        if found is None:
            raise Unknown("There is no draft with this id.")
        return found

    def _submission(
        self,
        events: tuple[Event, ...],
        author: str,
        *,
        listed: bool,
        revision: int | None,
        render: Callable[[Recorded], bytes] = lambda _: b"",
        retry: Retry | None = None,
    ) -> Submission:
        return Submission(
            entries=tuple(prepare(event, event_id=self._new_id(), salt=self._new_salt()) for event in events),
            recorded_by=author,
            render=render,
            retry=retry,
            revision=revision,
            listed=listed,
        )


async def _hold(connection: Connection, draft_id: str) -> None:
    """Until this transaction ends nobody else decides on a draft."""
    try:
        await connection.execute(_LOCK, (draft_id,))
    except psycopg.errors.LockNotAvailable:
        raise Running("Somebody is deciding on this draft just now; try again shortly.") from None


def _check_not_own(one: Draft, by: str) -> None:
    if one.author == by:
        raise Refused(
            "You have put this draft up yourself, so somebody else with the role approver has to decide on it; "
            "you may withdraw it."
        )


def _settled(one: Draft) -> Refused:
    if one.replaced_by is not None:
        return Refused("This draft was returned to its author, who has put up another in its place; that one counts.")
    if one.state is DraftState.RETURNED:
        return Refused(f"This draft is already returned to its author, by {one.returned_by}, and waits for them.")
    return Refused(f"This draft is already {one.state}, by {one.decided_by}; a draft is decided on once.")
