"""The log, live: one task per process looks for new events, and whoever listens is told.

Nothing is announced by the writers (NOTIFY would queue every commit of the whole server). The task asks for what stands
behind the last event that it knows, often while somebody listens and seldom otherwise, and at once when this process
itself has recorded something. Listeners go by positions alone, so none is missed and none comes twice, whichever
process recorded it.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Self

import psycopg
from psycopg_pool import PoolTimeout

from service.database import Pool
from service.domain.errors import Unavailable
from service.log.read import read_size
from service.segments.heard import Heard, read_heard

_LOGGER = logging.getLogger(__name__)
_OFTEN, _SELDOM = 0.1, 2.0  # seconds between two looks
_SILENCE = 15.0  # seconds after which a listener is told that there is nothing new: proxies close what is silent
_AT_ONCE = 500
_REMEMBERED = 2_000
MOST_LISTENERS = 1_000


class Feed:
    """What is recorded, to whoever listens."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._head = 0  # the last position that is known
        self._recent: deque[Heard] = deque(maxlen=_REMEMBERED)  # without gaps, up to the head
        self._moved = asyncio.Event()  # replaced by another each time the head has moved
        self._poked = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.listeners = 0

    async def __aenter__(self) -> Self:
        self._head = await self._read_head()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._watch(), name="feed")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def poke(self) -> None:
        """Something has just been recorded here."""
        if self.listeners:
            self._poked.set()

    def close(self) -> None:
        """Ends every listener's stream, after what it has been told; safe to call from a signal handler."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._moved.set)

    async def follow(self, after: int | None = None) -> AsyncGenerator[tuple[int, Sequence[Heard]]]:
        """Everything behind a position, then whatever is recorded, in order; an empty batch after a silence.

        Each batch with the position up to which the listener has then heard; the first is empty and says where it
        begins. Without a position, everything from now on. Ends when the service stops. Raises `Unavailable` where too
        many listen already.
        """
        if self.listeners >= MOST_LISTENERS:
            raise Unavailable("Too many are listening already; try again in a moment, or read /v1/events.")
        self.listeners += 1
        self._poked.set()
        try:
            done = after if after is not None else await self._read_head()
            yield done, ()
            while not self._closed:
                moved = self._moved
                found = await self._behind(done)
                if found:
                    done = found[-1].event.position
                    yield done, found
                    continue
                try:
                    async with asyncio.timeout(_SILENCE):
                        await moved.wait()
                except TimeoutError:
                    yield done, ()
        finally:
            self.listeners -= 1

    async def _behind(self, done: int) -> Sequence[Heard]:
        if done >= self._head:
            return ()
        first = self._recent[0].event.position if self._recent else self._head + 1
        if done + 1 >= first:
            return list(self._recent)[done + 1 - first :]
        return await self._read(done)

    async def _read(self, after: int) -> list[Heard]:
        async with self._pool.connection() as connection:
            return await read_heard(connection, after=after, limit=_AT_ONCE)

    async def _read_head(self) -> int:
        async with self._pool.connection() as connection:
            return await read_size(connection)

    async def _watch(self) -> None:
        while True:
            self._poked.clear()
            try:
                found = await self._read(self._head)
            except (psycopg.Error, PoolTimeout):
                _LOGGER.warning("the database does not answer; the feed waits for it", exc_info=True)
                await asyncio.sleep(_SELDOM)
                continue
            if found:
                self._recent.extend(found)
                self._head = found[-1].event.position
                self._moved.set()
                self._moved = asyncio.Event()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OFTEN if self.listeners else _SELDOM):
                    await self._poked.wait()
