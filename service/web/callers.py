"""Who asks, by a token or signed in, and what that allows."""

from datetime import timedelta

from fastapi import Request

from service.access import Caller, Found, Role, TokenState
from service.accounts import sessions
from service.accounts.sessions import Lifetime
from service.domain.errors import RegistryError, Unknown
from service.settings import Settings
from service.web.cookies import CROSS_SITE, SESSION, find_cookie, is_cross_site
from service.web.serving import Services, services

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


class Unauthenticated(RegistryError):
    """The request names no caller that is known."""


class Forbidden(RegistryError):
    """The caller's role does not allow it."""


_SEND = "send it as Authorization: Bearer TOKEN, with your token for TOKEN."
_NO_SCHEME = f"The scheme Bearer is missing before the token in the header Authorization; {_SEND}"
_NO_TOKEN = f"No token stands behind the scheme Bearer in the header Authorization; {_SEND}"
_REFUSED = {
    None: "No token is known by this name here; send Authorization: Bearer and a valid token.",
    TokenState.EXPIRED: "This token has expired; ask an admin for another, and send that.",
    TokenState.REVOKED: "This token has been revoked, for ever; ask an admin for another, and send that.",
}


def token_in(authorization: str) -> str | None:
    """The token that a header holds; None where it holds something else, or nothing behind the scheme."""
    scheme, _, secret = authorization.partition(" ")
    return secret.strip() or None if _is_bearer(scheme) else None


def _is_bearer(scheme: str) -> bool:
    return scheme.lower() == "bearer"


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
    secret = token_in(given)
    if secret is None:
        raise Unauthenticated(_NO_TOKEN if _is_bearer(given.strip()) else _NO_SCHEME)
    found: Found = request.scope.get("ended")  # who counts the requests has looked it up already
    if "ended" not in request.scope:
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
        raise Unknown("Nothing is recorded under this name.")
    served = services(request)
    caller = await _find_by_token(request, served)
    if caller is None and not served.settings.reading_is_open and await find_person(request, served) is None:
        raise Unauthenticated("Reading needs a token here: send Authorization: Bearer and your token.")
