"""The services behind the doors, made once by `service.main`, and what a caller may do."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from service.access import Access, Caller, Found, Role, TokenState
from service.accounts import sessions
from service.accounts.openid import Provider
from service.accounts.sessions import Lifetime, Seen
from service.database import Pool
from service.domain import errors
from service.domain.errors import Fault, Invalid, RegistryError
from service.drafts.deciding import Drafts
from service.feed import Feed
from service.load.room import Places
from service.record import Recorder
from service.segments.named import Naming
from service.settings import Settings
from service.web.cookies import CROSS_SITE, SESSION, find_cookie, is_cross_site
from service.web.metrics import Metrics
from service.webhooks.courier import Courier

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


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


class Unauthenticated(RegistryError):
    """The request names no caller that is known."""


class Forbidden(RegistryError):
    """The caller's role does not allow it."""


_REFUSED = {
    None: "No token is known by this name here; send Authorization: Bearer and a valid token.",
    TokenState.EXPIRED: "This token has expired; ask an admin for another, and send that.",
    TokenState.REVOKED: "This token has been revoked, for ever; ask an admin for another, and send that.",
}


def token_in(authorization: str) -> str | None:
    """The token that a header holds; None where it holds something else."""
    scheme, _, secret = authorization.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def secret_of(request: Request) -> str:
    """By what an authorised caller was known: a token, or the session of a person."""
    given = request.headers.get("authorization")
    secret = find_cookie(request, services(request).settings.public_url, SESSION) if given is None else token_in(given)
    assert secret is not None
    return secret


async def _find_by_token(request: Request, served: Services) -> Caller | None:
    given = request.headers.get("authorization")
    if given is None:
        return None
    found: Found = request.scope.get("ended")  # who counts the requests has looked it up already
    if "ended" not in request.scope and (secret := token_in(given)) is not None:
        found = await served.access.find_caller(secret)
    if not isinstance(found, Caller):
        raise Unauthenticated(_REFUSED.get(found, _REFUSED[None]))
    request.scope["owner"] = found.owner  # for the journal
    return found


async def find_person(request: Request, served: Services) -> Caller | None:
    """Who is signed in with the cookie of the request; None where there is none, or its session is over.

    A browser sends the cookie along whoever asks it to: what would change something has to come from our own pages,
    else it raises `Forbidden`.
    """
    secret = find_cookie(request, served.settings.public_url, SESSION)
    if secret is None:
        return None
    if request.method not in SAFE and is_cross_site(request, served.settings.public_url):
        raise Forbidden(CROSS_SITE)
    caller = await find_session(request, served, secret)
    if caller is not None:
        request.scope["owner"] = caller.owner
    return caller


async def find_session(request: Request, served: Services, secret: str) -> Caller | None:
    """Whose session a cookie is; it is looked up once for a request."""
    if _SESSION not in request.scope:
        async with served.pool.connection() as connection:
            caller = await sessions.find_caller(connection, secret, lifetime(served.settings).idle)
        served.seen.note(secret, caller)
        request.scope[_SESSION] = caller
    found: Caller | None = request.scope[_SESSION]
    return found


_SESSION = "session of"  # in the scope of a request whose cookie has been looked up


def lifetime(settings: Settings) -> Lifetime:
    """How long sessions last."""
    return Lifetime(timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours))


async def authorise(request: Request, needed: Role) -> Caller:
    """The caller, whose role has to allow what is needed; raises `Unauthenticated` or `Forbidden`."""
    served = services(request)
    caller = await _find_by_token(request, served) or await find_person(request, served)
    if caller is None:
        raise Unauthenticated("This needs a token: send Authorization: Bearer and your token; or sign in.")
    check_role(caller, needed)
    return caller


def check_role(caller: Caller, needed: Role) -> None:
    """Raises `Forbidden` where the caller's role does not allow what is needed."""
    if not caller.role.allows(needed):
        whose = "your token has" if caller.token_id is not None else "you have"
        raise Forbidden(f"This needs the role {needed}; {whose} the role {caller.role}.")


async def may_read(request: Request) -> None:
    """Reading is open, or needs any valid token; no name in an address holds a NUL, which the database refuses."""
    if "\x00" in request.scope["path"]:
        raise errors.Unknown("Nothing is recorded under this name.")
    served = services(request)
    caller = await _find_by_token(request, served)
    if caller is None and not served.settings.reading_is_open and await find_person(request, served) is None:
        raise Unauthenticated("Reading needs a token here: send Authorization: Bearer and your token.")


async def takes_no_parameters(request: Request) -> None:
    """Unknown parameters are refused, never ignored, also where there is none to know."""
    if request.scope["query_string"]:
        faults = [
            Fault(f"/query/{name}", "extra_forbidden", "This parameter is unknown here.")
            for name in request.query_params
        ]
        raise Invalid("A parameter is not valid; see `errors`.", *faults)
