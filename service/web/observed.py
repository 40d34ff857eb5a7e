"""Every request seen from outside: its id, its count, its line in the journal, and an answer where the service failed.

The line names the route's template and the owner of the token, never what was asked or sent. It costs a few
microseconds, for it is on the way of every answer, those from memory too.
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Iterable
from http import HTTPStatus
from itertools import count

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.journal import REQUEST_ID, Journal, render_failure
from service.web.limits import NEVER_LIMITED as ASKED_BY_MACHINES
from service.web.metrics import Metrics
from service.web.problems import cut_off, failed

# What looks like a token or a secret is none of these, whoever has put it there.
_WELL_FORMED = re.compile(rb"(?!pr_|whsec_)[A-Za-z0-9._:+/=-]{1,128}")
CLIENT_IS_GONE = 499
"""The status under which requests are counted whose clients left before they had sent all; nobody is answered it."""
_HEADER = b"x-request-id"
_AS_IT_SAYS = (b"x-content-type-options", b"nosniff")  # a browser takes no answer for a page or a script that is none
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observed:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, journal: Journal | None) -> None:
        self._app = app
        self._metrics = metrics
        self._journal = journal
        self._process, self._numbers = secrets.token_hex(6), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, whatever happens inside; then counts and tells."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, size, failure = time.perf_counter(), 0, 0, None
        request_id = _given(scope["headers"]) or f"{self._process}-{next(self._numbers):x}"
        REQUEST_ID.set(request_id)

        async def listen(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                # The message itself is not ours to change: it may be kept, for others' requests.
                message = {**message, "headers": [*message["headers"], (_HEADER, request_id.encode()), _AS_IT_SAYS]}
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, listen)
        except asyncio.CancelledError:  # of a stop that has waited long enough
            if status:
                raise
            await cut_off()(scope, receive, listen)
        except ClientDisconnect:
            status = status or CLIENT_IS_GONE
        except Exception as error:
            if status:  # the server cuts the connection off, and tells why
                raise
            failure = render_failure(error)
            await failed(request_id)(scope, receive, listen)
        finally:
            route = getattr(scope.get("route"), "path", None)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            seconds = time.perf_counter() - began
            self._metrics.count_answer(method, route or "none", status, seconds)
            journal, level = self._journal, _level(status, route)
            if journal is not None and journal.tells(level):
                facts = {"exception": failure} if failure else {}
                journal.tell(
                    level, "request", request_id=request_id, method=method, route=route, status=status,
                    seconds=round(seconds, 6), bytes=size, owner=scope.get("owner"), **facts,
                )  # fmt: skip


def _given(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id that the client gave its request, where that is well formed."""
    for name, value in headers:
        if name == _HEADER:
            return value.decode() if _WELL_FORMED.fullmatch(value) else ""
    return ""


def _level(status: int, route: str | None) -> int:
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.DEBUG if route in ASKED_BY_MACHINES else logging.INFO
    return logging.WARNING if status == HTTPStatus.SERVICE_UNAVAILABLE else logging.ERROR
