"""Answers that can never change, remembered as bytes: they need no database at all."""

from collections import OrderedDict
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.metrics import Metrics
from service.web.sending import PINNED, etags_in


class PinnedAnswers:
    """Remembers answers that can never change, by their address; the least recently asked are forgotten first."""

    def __init__(self, app: ASGIApp, *, most_bytes: int, metrics: Metrics) -> None:
        self._app = app
        self._most = most_bytes
        self._metrics = metrics
        self._bytes = 0
        self._kept: OrderedDict[tuple[bytes, bytes], tuple[Any, list[Message]]] = OrderedDict()  # with their route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers from memory, or lets the application answer and remembers what it said."""
        if scope["type"] != "http" or scope["method"] != "GET" or b"known_position=" not in scope["query_string"]:
            await self._app(scope, receive, send)
            return
        if any(_asks_apart(name, value) for name, value in scope["headers"]):
            await self._app(scope, receive, send)
            return
        key = (scope["raw_path"], scope["query_string"])  # an answer names its address as it was written
        found = self._kept.get(key)
        if found is not None:
            scope["route"], kept = found
            self._kept.move_to_end(key)
            self._metrics.pinned.inc()
            for message in _unless_known(kept, scope["headers"]):
                await send(message)
            return
        await self._app(scope, receive, self._listening(key, scope, send))

    def _listening(self, key: tuple[bytes, bytes], scope: Scope, send: Send) -> Send:
        messages: list[Message] = []

        async def listen(message: Message) -> None:
            messages.append(message)
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._keep(key, scope.get("route"), messages)

        return listen

    def _keep(self, key: tuple[bytes, bytes], route: object, messages: list[Message]) -> None:
        start = messages[0]
        immutable = any(name == b"cache-control" and value == PINNED.encode() for name, value in start["headers"])
        size = _size(messages)
        if start["status"] != HTTPStatus.OK or not immutable or size > self._most // 8:
            return
        if key in self._kept:  # asked twice at once
            return
        self._kept[key] = route, messages
        self._bytes += size
        while self._bytes > self._most:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= _size(gone)


def _asks_apart(name: bytes, value: bytes) -> bool:
    """Whether a header makes the answer another than everybody's."""
    return name == b"authorization" or (name == b"accept" and value not in _ANY)


def _unless_known(kept: list[Message], asked: Sequence[tuple[bytes, bytes]]) -> list[Message]:
    """The answer as it was kept; 304 where the client says that it has it."""
    given = b",".join(value for name, value in asked if name == b"if-none-match")
    if not given:
        return kept
    headers = {name: value for name, value in kept[0]["headers"] if name not in _OF_A_BODY}
    if {headers[b"etag"].decode(), "*"}.isdisjoint(etags_in(given.decode("latin-1"))):
        return kept
    start = {"type": "http.response.start", "status": HTTPStatus.NOT_MODIFIED, "headers": list(headers.items())}
    return [start, {"type": "http.response.body", "body": b""}]


_ANY = (b"*/*", b"application/json")  # who wants another format is answered by the application
_OF_A_BODY = (b"content-length", b"content-type")


def _size(messages: Sequence[Message]) -> int:
    return sum(len(message.get("body", b"")) for message in messages) + 1024
