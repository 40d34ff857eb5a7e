"""Every refusal and every failure below /admin as a page: what has happened, and what to do.

It stands around the whole application, and turns the problem document of whoever refused into a page of the same
status and headers: so no part of the service, from the limits to what failed unforeseen, answers people with JSON.
"""

from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.admin.pages import is_page, render
from service.domain.answers import Json
from service.domain.errors import for_people
from service.web.problems import PROBLEM

_AGAIN = "A form may be sent again: however often that is done, it is saved once."
_BACK = "Go back in your browser: what you filled in is still there."
_WHAT_TO_DO = {
    HTTPStatus.NOT_FOUND: "Look at the address again, or find it from the start.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Open the page that you want from the start, and use what stands on it.",
    HTTPStatus.REQUEST_TIMEOUT: f"{_BACK} Send it again.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"{_BACK} Make it shorter, and send it again.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: f"{_BACK} Load the page again if need be, and send the form that stands on it.",
    HTTPStatus.TOO_MANY_REQUESTS: f"Wait so many seconds, then load this page again. {_AGAIN}",
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        f"Go back, and try again. {_AGAIN} If it fails again, tell whoever runs the registry that number."
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: f"Wait a moment, then load this page again. {_AGAIN}",
    HTTPStatus.INSUFFICIENT_STORAGE: (
        f"Tell whoever runs the registry that its disk is full. {_BACK} Send it again when there is room."
    ),
}
"""What helps, for people; of what is not here, the refusal itself says it."""


class Refusing:
    """Turns problem documents into pages where people are answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers; what is no page's affair goes by untouched."""
        if scope["type"] == "http" and is_page(scope["path"]):
            await _Answer(scope, receive, send).pass_on(self._app)
        else:
            await self._app(scope, receive, send)


class _Answer:
    """One answer: held back from where it turns out to be a problem until that has been told whole."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._begun: Message | None = None
        self._told = bytearray()

    async def pass_on(self, app: ASGIApp) -> None:
        await app(self._scope, self._receive, self._hear)

    async def _hear(self, message: Message) -> None:
        if message["type"] == "http.response.start" and (b"content-type", PROBLEM.encode()) in message["headers"]:
            self._begun = message
        elif self._begun is None:
            await self._send(message)
        else:
            self._told += message.get("body", b"")
            if not message.get("more_body", False):
                page = _page(Request(self._scope), self._begun, orjson.loads(self._told))
                await page(self._scope, self._receive, self._send)


def _page(request: Request, begun: Message, problem: Json) -> Response:
    """A problem as a page, with what else its answer was sent with."""
    sent = {name.decode().title(): value.decode("latin-1") for name, value in begun["headers"]}
    headers = {name: value for name, value in sent.items() if name not in ("Content-Type", "Content-Length")}
    details = [fault["detail"] for fault in problem.get("errors", ()) if fault["detail"] != problem["detail"]]
    return render(
        request, "refused.html", status=begun["status"], headers=headers, title=problem["title"],
        detail=for_people(problem["detail"]), details=details, what_to_do=_WHAT_TO_DO.get(begun["status"]),
    )  # fmt: skip
