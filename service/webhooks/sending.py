"""One attempt: a message goes to an address, in bounded time, and what came of it is known by its kind."""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

import httpx2

from service.webhooks.addresses import Addresses, CheckedTransport, Unreachable
from service.webhooks.messages import MEDIA_TYPE, Message, sign

REQUEST_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
_READ_SECONDS, _READ_BYTES = 1.0, 16_384  # of an answer's body, which says nothing: only so that the line can be kept

# It would write every address into the log, and an address is often a secret by itself.
logging.getLogger("httpx2").setLevel(logging.WARNING)


class Failure(StrEnum):
    """Why a message was not accepted."""

    ADDRESS = "address"  # it is loopback, private, or otherwise none that may be sent to
    NAME = "name"  # it has no address
    CONNECTION = "connection"  # it cannot be opened, broke, or what came back is no HTTP
    TLS = "tls"
    TIMEOUT = "timeout"
    REDIRECT = "redirect"  # never followed: it would lead past what was checked
    GONE = "gone"  # 410: the receiver wants no more
    STATUS = "status"  # any other that is not 2xx


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    began_at: datetime
    took_ms: int
    status: int | None = None
    failure: Failure | None = None

    @property
    def accepted(self) -> bool:
        """Whether the receiver has it."""
        return self.failure is None


class Sender:
    """Sends messages to addresses that may be sent to."""

    def __init__(self, addresses: Addresses, clock: Callable[[], datetime], *, agent: str) -> None:
        self._addresses = addresses
        self._clock = clock
        self._headers = {"Content-Type": MEDIA_TYPE, "User-Agent": agent, "Accept": "*/*"}
        self._tls: ssl.SSLContext | None = None  # reading the machine's authorities takes a while: once, when needed

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Line"]:
        """A line to one receiver, which is kept open between messages.

        One receiver to a line: connections are kept by address, and two names can share one.
        """
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx2.create_ssl_context)
        transport = CheckedTransport(self._addresses, self._tls)
        timeout = httpx2.Timeout(REQUEST_SECONDS, connect=_CONNECT_SECONDS)
        async with httpx2.AsyncClient(
            transport=transport, timeout=timeout, trust_env=False, follow_redirects=False
        ) as client:
            yield Line(client, self._headers, self._clock)

    async def may_send(self, url: str) -> bool:
        """Whether an address may be sent to, as far as can be told now: one without addresses may come to have some."""
        try:
            await self._addresses.find(httpx2.URL(url))
        except Unreachable as error:
            return not error.refused
        return True


class Line:
    """An open line to one receiver."""

    def __init__(self, client: httpx2.AsyncClient, headers: dict[str, str], clock: Callable[[], datetime]) -> None:
        self._client = client
        self._headers = headers
        self._clock = clock

    async def send(self, url: str, message: Message, keys: Sequence[bytes]) -> Outcome:
        """Sends a message, signed with each key; takes no longer than `REQUEST_SECONDS`, and raises nothing."""
        began_at, began = self._clock(), time.perf_counter()
        status, failure = await self._post(url, message, self._headers | dict(sign(message, keys, began_at)))
        took_ms = round((time.perf_counter() - began) * 1000)
        return Outcome(began_at, took_ms, status, failure)

    async def _post(self, url: str, message: Message, headers: dict[str, str]) -> tuple[int | None, Failure | None]:
        try:
            async with (
                asyncio.timeout(REQUEST_SECONDS) as limit,
                self._client.stream("POST", url, content=message.body, headers=headers) as answer,
            ):
                limit.reschedule(None)  # it has answered
                await _read_some(answer)
                return answer.status_code, _failure_of(answer.status_code)
        except Unreachable as error:
            return None, Failure.ADDRESS if error.refused else Failure.NAME
        except (TimeoutError, httpx2.TimeoutException):
            return None, Failure.TIMEOUT
        except httpx2.TransportError as error:
            return None, Failure.TLS if _is_about_tls(error) else Failure.CONNECTION


async def _read_some(answer: httpx2.Response) -> None:
    """Reads a short body to its end; a long or slow one is left, and the connection with it."""
    read = 0
    with contextlib.suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(_READ_SECONDS), contextlib.aclosing(answer.aiter_raw()) as chunks:
            async for chunk in chunks:
                read += len(chunk)
                if read > _READ_BYTES:
                    return


def _failure_of(status: int) -> Failure | None:
    if status // 100 == 2:  # noqa: PLR2004 - 2xx
        return None
    if status == HTTPStatus.GONE:
        return Failure.GONE
    return Failure.REDIRECT if HTTPStatus(300) <= status < HTTPStatus(400) else Failure.STATUS


def _is_about_tls(error: BaseException | None) -> bool:
    """Whether a failure to connect, or what led to it, was about certificates."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
