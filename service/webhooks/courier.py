"""The loop that sends: one task per process takes what is due, a few subscriptions at a time, each in order.

It looks when this process has recorded something, and once a second for what others recorded and for gaps that are
over. While a request is under way no transaction is open and no connection is held: an append waits for no receiver.
"""

import asyncio
import contextlib
import logging
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Self, TypeVar

import psycopg
from psycopg_pool import PoolTimeout

from service.database import Connection, Pool
from service.domain.errors import Unavailable
from service.segments.heard import Heard, read_heard
from service.webhooks.cursors import Taken, any_active, leave, note_accepted, note_failed, release_all, take_due
from service.webhooks.deliveries import Delivery, forget_old, note_by_hand
from service.webhooks.messages import Message, message_of
from service.webhooks.schedule import gap_after
from service.webhooks.sending import Failure, Line, Sender
from service.webhooks.subscriptions import Subscription

_LOGGER = logging.getLogger(__name__)
_AT_ONCE = 8  # subscriptions that are sent to
_BY_HAND = 4  # attempts that somebody waits for
_CONNECTIONS = 2  # of the pool, at any moment
_BREATH = 0.1  # seconds: a burst of writes is looked at once
_TICK = 1.0
_REST = timedelta(seconds=0.5)  # for a subscription that has caught up: a cursor is not moved for each single event
_READ_AT_ONCE = 500
_TURN_SECONDS = 10.0  # then others have theirs
_LOOK_SECONDS = 2.0  # for a look at what is due
_ENDING_SECONDS = 2.0  # for what is under way when the service ends
_RELEASING_SECONDS = 0.5
Result = TypeVar("Result")


class Courier:
    """Sends every subscription what it wants, from where its cursor stands."""

    def __init__(
        self,
        pool: Pool,
        sender: Sender,
        *,
        new_id: Callable[[], str],
        chance: Callable[[], float] = random.random,
        observe: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``chance`` spreads the gaps after failures; ``observe`` is told the outcome of each attempt."""
        self.sender = sender
        self._pool = pool
        self._new_id, self._chance, self._observe = new_id, chance, observe
        self._holder = str(uuid.uuid4())
        self._connections = asyncio.Semaphore(_CONNECTIONS)
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._by_hand: set[asyncio.Task[Delivery | None]] = set()
        self._poked = asyncio.Event()
        self._any_active = True
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="webhooks")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._task is not None:
            await self._task

    def poke(self) -> None:
        """Something has just been recorded here."""
        if self._any_active:
            self._poked.set()

    def wake(self) -> None:
        """A subscription was made or changed: whoever was idle looks again."""
        self._any_active = True
        self._poked.set()

    def close(self) -> None:
        """Begins no further attempt, and soon gives up those under way; safe to call from a signal handler."""
        self._closing = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._poked.set)

    async def _run(self) -> None:
        while not self._closing:
            self._poked.clear()
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._begin_turns()
            except (psycopg.Error, PoolTimeout, TimeoutError):
                _LOGGER.warning("the database does not answer; webhooks wait for it", exc_info=True)
            except Exception:
                _LOGGER.exception("a look at what is due for webhooks failed")
            await asyncio.sleep(_BREATH)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._poked.wait()
        await self._end()

    async def _begin_turns(self) -> None:
        free = _AT_ONCE - len(self._turns)
        if free <= 0 or self._closing:
            return
        async with self._connection() as connection:
            found = await take_due(connection, self._holder, busy=list(self._turns), limit=free)
            self._any_active = bool(found or self._turns) or await any_active(connection)
        for taken in found:
            webhook_id = taken.subscription.webhook_id
            self._turns[webhook_id] = asyncio.create_task(self._take_turn(taken), name=f"webhook {webhook_id}")

    async def _end(self) -> None:
        """Gives what is under way a moment, then gives it up: what was not noted is sent again by whoever is next."""
        under_way = {*self._turns.values(), *self._by_hand}
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=_ENDING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(psycopg.Error, PoolTimeout, TimeoutError):  # then the leases run out by themselves
            async with asyncio.timeout(_RELEASING_SECONDS), self._connection() as connection:
                await release_all(connection, self._holder)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection, of the few that requests can do without."""
        async with self._connections, self._pool.connection() as connection:
            yield connection

    # --- a turn: one subscription, from its cursor on -----------------------------------------------------------------

    async def _take_turn(self, taken: Taken) -> None:
        try:
            async with self._connection() as connection:
                found = await read_heard(connection, after=taken.subscription.position, limit=_READ_AT_ONCE)
            async with self.sender.connected() as line:
                await self._send_in_order(line, taken, found)
        except (psycopg.Error, PoolTimeout):
            _LOGGER.warning("the database does not answer; a webhook's turn ends", exc_info=True)
        except Exception:
            _LOGGER.exception("a webhook's turn failed")
        finally:
            del self._turns[taken.subscription.webhook_id]
            self._poked.set()

    async def _send_in_order(self, line: Line, taken: Taken, found: list[Heard]) -> None:
        left_at = position = taken.subscription.position  # as stored, and as far as nothing more is wanted
        began = time.monotonic()
        for heard in found:
            if taken.subscription.wanted.lets_through(heard):
                if self._closing or time.monotonic() - began > _TURN_SECONDS:
                    break
                if not await self._send_next(line, taken, heard, left_at):
                    return
                left_at = heard.event.position
            position = heard.event.position
        caught_up = bool(found) and position == found[-1].event.position and len(found) < _READ_AT_ONCE
        async with self._connection() as connection:
            await leave(connection, taken, left_at, position=position, gap=_REST if caught_up else timedelta())
            await forget_old(connection, taken.subscription.webhook_id)

    async def _send_next(self, line: Line, taken: Taken, heard: Heard, left_at: int) -> bool:
        """Sends one event, and notes what came of it; answers whether the next one may follow."""
        subscription, event = taken.subscription, heard.event
        attempt = subscription.attempts + 1 if left_at == subscription.position else 1
        outcome = await line.send(subscription.url, message_of(event), taken.keys)
        self._observe(outcome.failure or "accepted")
        delivery = Delivery(self._new_id(), "log", event.position, event.event_id, attempt, outcome)
        async with self._connection() as connection:
            if outcome.accepted:
                if await note_accepted(connection, taken, delivery, left_at):
                    return True
                await leave(connection, taken, event.position, position=event.position, gap=timedelta())
                return False
            gap = gap_after(attempt, self._chance())
            reason = "gone" if outcome.failure is Failure.GONE else "failing" if gap is None else None
            await note_failed(connection, taken, delivery, left_at, gap=gap, reason=reason)
            await forget_old(connection, subscription.webhook_id)
        return False

    # --- by hand ------------------------------------------------------------------------------------------------------

    async def send_by_hand(
        self,
        subscription: Subscription,
        keys: list[bytes],
        message: Message,
        *,
        cause: str,
        position: int | None,
        event_id: str | None,
        claim: Callable[[str], Awaitable[bool]],
    ) -> Delivery | None:
        """Sends a message once, whatever the subscription's state, and moves no cursor; raises `Unavailable`.

        ``claim`` is told the delivery's id before anything is sent; where it says no, nothing is, and None answered.
        """
        if self._closing or len(self._by_hand) >= _BY_HAND:
            raise Unavailable("Too many deliveries by hand are under way; try again in a moment.")

        async def attempt() -> Delivery | None:
            delivery_id = self._new_id()
            if not await claim(delivery_id):
                return None
            async with self.sender.connected() as line:
                outcome = await line.send(subscription.url, message, keys)
            self._observe(outcome.failure or "accepted")
            delivery = Delivery(delivery_id, cause, position, event_id, 1, outcome)
            async with self._connection() as connection:
                await note_by_hand(connection, subscription.webhook_id, delivery)
                await forget_old(connection, subscription.webhook_id)
            return delivery

        return await self._waited_for(attempt())

    async def _waited_for(self, attempt: Coroutine[Any, Any, Delivery | None]) -> Delivery | None:
        task = asyncio.create_task(attempt)
        self._by_hand.add(task)
        task.add_done_callback(self._by_hand.discard)
        await asyncio.wait([task])
        if task.cancelled():
            raise Unavailable("The service is stopping; try again.")
        return task.result()
