"""Answers that can never change, remembered as bytes: they need no database at all."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

PINNED = "public, max-age=31536000, immutable"
"""How an answer to a question with both axes pinned may be kept, by us and by every cache."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class PinnedAnswers:
    """Remembers answers that can never change, by their address; the least recently asked are forgotten first."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], *, most_bytes: int) -> None:
        self._app = app
        self._most = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, bytes], list[Message]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers from memory, or lets the application answer and remembers what it said."""
        if scope["type"] != "http" or scope["method"] != "GET" or b"known_position=" not in scope["query_string"]:
            await self._app(scope, receive, send)
            return
        if any(name == b"authorization" for name, _ in scope["headers"]):
            await self._app(scope, receive, send)
            return
        key = (scope["path"], scope["query_string"])
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            for message in kept:
                await send(message)
            return
        await self._app(scope, receive, self._listening(key, send))

    def _listening(self, key: tuple[str, bytes], send: Send) -> Send:
        messages: list[Message] = []

        async def listen(message: Message) -> None:
            messages.append(message)
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._keep(key, messages)

        return listen

    def _keep(self, key: tuple[str, bytes], messages: list[Message]) -> None:
        start = messages[0]
        immutable = any(name == b"cache-control" and value == PINNED.encode() for name, value in start["headers"])
        size = _size(messages)
        if start["status"] != HTTPStatus.OK or not immutable or size > self._most // 8:
            return
        if key in self._kept:  # asked twice at once
            return
        self._kept[key] = messages
        self._bytes += size
        while self._bytes > self._most:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= _size(gone)


def _size(messages: Sequence[Message]) -> int:
    return sum(len(message.get("body", b"")) for message in messages) + 1024
