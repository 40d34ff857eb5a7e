"""What never reaches a route: what is no HTTP, heads without end, and clients that neither send nor take anything.

The web server bounds only the pause between two requests. Here each connection has a bound for every head that is sent
on it, in bytes and in time, and for how long a client may take nothing of an answer. What is refused is so in the form
of all refusals.
"""

import asyncio
import contextlib
import fcntl
import logging
import secrets
import sys
import termios
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.journal import REQUEST_ID
from service.web.problems import problem

_LOGGER = logging.getLogger(__name__)
LARGEST_HEAD = 2**16
"""Bytes of a head that are always taken, or of what else in a request is no body: extensions of its pieces, a tail."""
MOST_WAITING = 100
"""Requests that may wait on one connection for the answer to the one before them."""
_STALL_AT_END = 1.0
"""Seconds for which a client may take nothing of an answer once the service stops."""
_NO_HTTP = "This is no valid HTTP request; a client library sends one, whatever the values in it are."


class _TooManyWaitError(Exception):
    """More is asked on one connection than may wait there."""


class Protocol(HttpToolsProtocol):
    """HTTP as the web server reads it, from clients that make no one wait."""

    head_seconds: ClassVar[float] = 10
    stall_seconds: float = 20
    _late: asyncio.TimerHandle | None = None  # runs while no request is being answered, and none has begun in time
    _taking: asyncio.TimerHandle | None = None  # runs while the client has to take something before more is sent
    _in_head = False
    _apart = 0  # bytes since the last head that came to its end, or the last piece of a body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """A client has come, and has to send a request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        super().connection_lost(exc)
        self._stop_waiting()
        self._stop_sending()

    def shutdown(self) -> None:
        """The service stops: an answer under way is brought to its end for whoever takes it."""
        super().shutdown()
        self.stall_seconds = _STALL_AT_END
        if self._taking is not None:
            self._expect_taking()

    def data_received(self, data: bytes) -> None:
        """Something was sent: it has begun a request, or has to in time, however little comes at once."""
        self._apart += len(data)
        super().data_received(data)
        if self._apart > LARGEST_HEAD:
            self._is_endless()
        if self._is_answering():
            self._stop_waiting()
        elif self._late is None:
            self._expect_head()

    def on_message_begin(self) -> None:
        """The first of a head."""
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; what comes behind a body adds nothing to a request that is being answered already."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The last of a head; what is answered now says nothing of how the client took the answer before."""
        self._in_head, self._apart = False, 0
        if not self._is_answering():
            self._stop_sending()
        super().on_headers_complete()
        if len(self.pipeline) > MOST_WAITING:
            self.transport.abort()
            raise _TooManyWaitError  # so that the rest of what has come is not read

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._apart = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The last of a request."""
        self._apart = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """All of an answer is on its way, also what the client has not taken yet."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._expect_taking()

    def pause_writing(self) -> None:
        """More than enough waits to be taken."""
        super().pause_writing()
        self._expect_taking()

    def resume_writing(self) -> None:
        """Enough was taken; the rest of a whole answer is still looked after."""
        super().resume_writing()
        if self._is_answering():
            self._stop_sending()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        self._late = self.loop.call_later(self.head_seconds, self._is_late)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _is_endless(self) -> None:
        """Ends what would fill the memory: as a refusal, unless an answer is on its way already."""
        if self._in_head and not self._is_answering() and not self.transport.is_closing():
            detail = f"The head of the request is larger than {LARGEST_HEAD} bytes; send less in address and headers."
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
        else:
            self.transport.abort()

    def _is_late(self) -> None:
        self._late = None
        if self.transport.is_closing() or self._is_answering():
            return
        if self._in_head:
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT,
                f"The head of the request did not arrive within {self.head_seconds} seconds; send it at once.",
            )
        else:
            self.transport.close()

    def _expect_taking(self) -> None:
        self._stop_sending()
        self._taking = self.loop.call_later(self.stall_seconds, self._look, self._untaken())

    def _stop_sending(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _look(self, before: int) -> None:
        """Cuts off a client that has taken nothing since."""
        self._taking = None
        untaken = self._untaken()
        if untaken >= before:
            self.transport.abort()
        elif self.transport.get_write_buffer_size():
            self._taking = self.loop.call_later(self.stall_seconds, self._look, untaken)

    def _untaken(self) -> int:
        """How many bytes wait for the client, here and in the system, which passes on a slow line's seldom."""
        waiting = bytes(4)
        with contextlib.suppress(OSError):
            waiting = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, waiting)
        return self.transport.get_write_buffer_size() + int.from_bytes(waiting, sys.byteorder)

    def send_400_response(self, msg: str) -> None:
        """Refuses what cannot be read, without repeating any of it, and ends the connection."""
        del msg
        if not self.transport.is_closing():
            self._refuse(HTTPStatus.BAD_REQUEST, _NO_HTTP)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        request_id = secrets.token_hex(8)  # the client's own cannot be read either
        before = REQUEST_ID.set(request_id)
        _LOGGER.info("A head that is no HTTP, came too slowly or is too large is refused with %s", int(status))
        REQUEST_ID.reset(before)
        refusal = problem(status, detail, headers={"Connection": "close", "X-Request-Id": request_id})
        head = b"".join(b"%b: %b\r\n" % header for header in [*self.server_state.default_headers, *refusal.raw_headers])
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + bytes(refusal.body))
        self.transport.close()


def protocol(*, head_seconds: float, stall_seconds: float) -> type[Protocol]:
    """HTTP with bounds: for a whole head, and for how long a client may take nothing of an answer."""
    return type("Protocol", (Protocol,), {"head_seconds": head_seconds, "stall_seconds": stall_seconds})
