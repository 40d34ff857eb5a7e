"""The services behind the doors, made once by `service.main`, and the routes that reach them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from service.access import Access
from service.accounts.openid import Provider
from service.accounts.sessions import Seen
from service.database import Pool
from service.domain import errors
from service.domain.errors import RegistryError
from service.drafts.deciding import Drafts
from service.feed import Feed
from service.load.room import Places
from service.record import Recorder
from service.segments.named import Naming
from service.settings import Settings
from service.web.metrics import Metrics
from service.webhooks.courier import Courier


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a door needs; made once by `service.main`."""

    settings: Settings
    pool: Pool  # for what only reads
    writing: Pool  # for what writes: however many read, no write waits for them
    recorder: Recorder
    feed: Feed
    courier: Courier
    access: Access
    seen: Seen
    drafts: Drafts
    importing: Places
    naming: Naming
    provider: Provider | None
    metrics: Metrics
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    new_salt: Callable[[], bytes]


def services(request: Request) -> Services:
    """The services of this application."""
    found: Services = request.app.state.services
    return found


def connections(request: Request) -> Pool:
    """The pool for a request that reads or writes, as its method says."""
    served = services(request)
    return served.pool if request.method in ("GET", "HEAD") else served.writing


def utc_now() -> datetime:
    """The service's clock."""
    return datetime.now(UTC)


class Door(APIRoute):
    """A route whose handler takes the request and the names in its address, and makes the whole answer itself.

    The framework documents it and no more: finding out, for each request anew, what a handler wants costs a quarter of
    a short answer. What the router depends on takes the request alone.
    """

    is_bounded = True  # in time, until its answer begins

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Where there is something to get there is its head, also beside another route of the same address."""
        return super().matches({**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; one for the head alone is answered without a body, wherever there is one to get."""
        methods = self.methods or set()
        head_alone = scope["method"] == "HEAD" and "GET" in methods
        if scope["method"] not in methods and not head_alone:
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive, send)
        seconds = services(request).settings.request_seconds if self.is_bounded else None
        try:
            async with asyncio.timeout(seconds) as bound:
                for needed in self.dependencies:
                    assert needed.dependency is not None
                    await needed.dependency(request)
                response = await self.endpoint(request, **scope["path_params"])
        except TimeoutError:
            if bound.expired():
                raise _overdue(scope, seconds) from None
            raise
        if head_alone:  # a stream is not even begun
            response = _HeadAlone(response)
        await response(scope, receive, send)


class LongDoor(Door):
    """A route that takes as long as what it is sent is large; bounded by that, and by how long its client may stall."""

    is_bounded = False


class Stalled(RegistryError):
    """The body did not arrive in time."""


RECEIVING = "receiving"  # in the scope of a request: true while its body is waited for


def _overdue(scope: Scope, seconds: int | None) -> RegistryError:
    if scope.get(RECEIVING):
        return Stalled(
            f"The body did not arrive within {seconds} seconds; send less at a time, or a file to POST /v1/import."
        )
    if scope["method"] in ("GET", "HEAD"):
        return errors.Unavailable(f"There was no answer within {seconds} seconds. {NARROW}")
    return errors.Unavailable(
        f"There was no answer within {seconds} seconds, so it is not known whether it was recorded. "
        "Send it again with the same Idempotency-Key: it is then recorded once."
    )


NARROW = (
    "Ask for less: fewer rows with `limit`, a shorter time with `from` and `to`, one kind, country or coalition, "
    "longer words in `q`."
)


class _HeadAlone(Response):
    """Another answer's status and headers."""

    def __init__(self, whole: Response) -> None:
        self.status_code, self.raw_headers = whole.status_code, whole.raw_headers
        self.body, self.background = b"", None
