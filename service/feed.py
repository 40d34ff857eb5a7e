"""The log, live: one task per process looks for new events, and whoever listens is told.

Nothing is announced by the writers (NOTIFY would queue every commit of the whole server). The task asks for what stands
behind the last event that it knows, often while somebody listens and seldom otherwise, and at once when this process
itself has recorded something. Listeners go by positions alone, so none is missed and none comes twice, whichever
process recorded it.
"""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from typing import Self

import psycopg
from psycopg_pool import PoolTimeout

from service.database import Pool
from service.domain.errors import Unavailable
from service.log.read import read_size
from service.segments.heard import Heard, read_heard

_NO_DATABASE = (psycopg.Error, PoolTimeout)
_LOGGER = logging.getLogger(__name__)
_OFTEN, _SELDOM = 0.1, 2.0  # seconds between two looks
_SILENCE = 15.0  # seconds after which a listener is told that there is nothing new: proxies close what is silent
_AT_ONCE = 500
_SHARE, _ALWAYS = 10, 10  # one client may have a tenth of all places, and ten where that is less


class _Recent:
    """The latest events, without gaps: so many, and of so many bytes, at most."""

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._heard: deque[Heard] = deque()
        self._bytes = 0

    def extend(self, found: Sequence[Heard]) -> None:
        """Takes in the next ones, and forgets the oldest where there are too many."""
        self._heard.extend(found)
        self._bytes += sum(one.size for one in found)
        while len(self._heard) > self._most or self._bytes > self._most_bytes:
            self._bytes -= self._heard.popleft().size

    def behind(self, position: int) -> Sequence[Heard] | None:
        """All behind a position; None where it does not reach back so far."""
        if not self._heard or position + 1 < (first := self._heard[0].event.position):
            return None
        return list(self._heard)[position + 1 - first :]


class Feed:
    """What is recorded, to whoever listens."""

    def __init__(
        self, pool: Pool, *, most: int = 1_000, remembered: int = 2_000, remembered_bytes: int = 16 * 2**20
    ) -> None:
        """``most`` may listen at once; so many events, of so many bytes, are remembered for them."""
        self._pool = pool
        self._most = most
        self._head = 0  # the last position that is known
        self._recent = _Recent(most=remembered, most_bytes=remembered_bytes)
        self._failures = 0  # each ends the streams there are
        self._moved = asyncio.Event()  # replaced by another each time the head has moved
        self._poked = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._of_each: Counter[str] = Counter()  # by client
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

    async def follow(
        self, after: int | None = None, *, client: str | None = None
    ) -> AsyncGenerator[tuple[int, Sequence[Heard]]]:
        """Everything behind a position, then whatever is recorded, in order; an empty batch after a silence.

        Each batch with the position up to which the listener has then heard; the first is empty and says where it
        begins. Without a position, everything from now on. Ends when the service stops, and where something fails here:
        the listener comes back with its position. Raises `Unavailable` where too many listen already, of all or of
        this client.
        """
        if self.listeners >= self._most:
            raise Unavailable("Too many are listening already; try again in a moment, or read /v1/events.")
        if client is not None and self._of_each[client] >= max(self._most // _SHARE, _ALWAYS):
            raise Unavailable("You are listening often enough already; end a stream, or read /v1/events.")
        self._count(client, 1)
        self._poked.set()
        try:
            done = after if after is not None else await self._read_head()
            failures = self._failures
            yield done, ()
            while not self._closed and failures == self._failures:
                moved = self._moved
                try:
                    found = await self._behind(done)
                except _NO_DATABASE:
                    _LOGGER.warning("the database does not answer; a stream ends", exc_info=True)
                    return
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
            self._count(client, -1)

    def _count(self, client: str | None, more: int) -> None:
        self.listeners += more
        if client is not None:
            self._of_each[client] += more
            if not self._of_each[client]:
                del self._of_each[client]

    async def _behind(self, done: int) -> Sequence[Heard]:
        if done >= self._head:
            return ()
        found = self._recent.behind(done)
        return await self._read(done) if found is None else found

    async def _read(self, after: int) -> list[Heard]:
        async with self._pool.connection() as connection:
            return await read_heard(connection, after=after, limit=_AT_ONCE)

    async def _read_head(self) -> int:
        async with self._pool.connection() as connection:
            return await read_size(connection)

    def _tell(self) -> None:
        """Wakes whoever waits."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def _watch(self) -> None:
        while True:
            self._poked.clear()
            try:
                found = await self._read(self._head)
            except _NO_DATABASE:
                _LOGGER.warning("the database does not answer; the feed waits for it", exc_info=True)
                await asyncio.sleep(_SELDOM)
                continue
            except Exception:
                _LOGGER.exception("the feed failed; its streams end, and it goes on")
                self._failures += 1
                self._tell()
                await asyncio.sleep(_SELDOM)
                continue
            if found:
                self._recent.extend(found)
                self._head = found[-1].event.position
                self._tell()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OFTEN if self.listeners else _SELDOM):
                    await self._poked.wait()
