"""How many requests a client may send in a minute; every answer says it (draft-ietf-httpapi-ratelimit-headers-11).

Counted by the owner of the token or by the person who is signed in, or by address where there is neither. Whose a token
or a session is, is looked up before anything is counted, so that nobody is kept waiting by whoever else shares an
address. Of each address as many wrong ones are looked up as it may send requests, so that guessing is limited like
asking. A window begins with a client's first request, so that clients do not all come back at once. See
docs/decisions/0016-rate-limits-of-our-own.md for why no library counts.
"""

import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil
from typing import NamedTuple

import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access import Caller
from service.web.callers import SAFE, find_session, token_in
from service.web.cookies import SESSION, find_cookie
from service.web.metrics import Metrics
from service.web.problems import problem, unreachable
from service.web.serving import Services

SECONDS = 60
CLIENT = "client that it counts for"
"""In the scope of a request: who it is counted for; not there where nothing is."""
NEVER_LIMITED = frozenset({"/healthz", "/readyz", "/metrics"})


class Quota(NamedTuple):
    """How many requests of a kind there may be in a window (0: any number), and the header that says so."""

    name: str
    most: int
    policy: tuple[bytes, bytes]

    @classmethod
    def of(cls, name: str, most: int) -> "Quota":
        """A quota with its header."""
        return cls(name, most, (b"ratelimit-policy", f'"{name}";q={most};w={SECONDS}'.encode()))


class _Window:
    __slots__ = ("ends", "used")

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.used = 0


class Windows:
    """Counts what each client has used of the window that it is in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[tuple[str, str], _Window] = {}
        self._swept_at = clock()

    def __len__(self) -> int:
        return len(self._open)

    def count(self, quota: str, client: str) -> tuple[int, int]:
        """How many requests there are with this one, and in how many whole seconds the window ends."""
        now, key = self._clock(), (quota, client)
        window = self._open.get(key)
        if window is None or window.ends <= now:
            window = self._begin(key, now)
        window.used += 1
        return window.used, ceil(window.ends - now)

    def take_back(self, quota: str, client: str) -> None:
        """Counts one request less: it was another's."""
        window = self._open.get((quota, client))
        if window is not None:
            window.used -= 1

    def _begin(self, key: tuple[str, str], now: float) -> _Window:
        if now - self._swept_at > SECONDS:
            self._open = {other: one for other, one in self._open.items() if one.ends > now}
            self._swept_at = now
        window = self._open[key] = _Window(now + SECONDS)
        return window


class Limited:
    """Refuses what exceeds a client's quota, and tells every client what is left of it."""

    def __init__(self, app: ASGIApp, *, reads: int, writes: int, metrics: Metrics) -> None:
        """``reads`` and ``writes`` are numbers of requests in a minute; 0 is any."""
        self._app = app
        self._reads, self._writes = Quota.of("reads", reads), Quota.of("writes", writes)
        self._metrics = metrics
        self._windows = Windows()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, unless there were too many requests."""
        if scope["type"] != "http" or scope["path"] in NEVER_LIMITED:
            await self._app(scope, receive, send)
            return
        quota = self._reads if scope["method"] in SAFE else self._writes
        if not quota.most:
            await self._app(scope, receive, send)
            return
        try:
            client = await self._find_client(scope, quota)
        except (psycopg.OperationalError, PoolTimeout) as error:
            refusal = await unreachable(Request(scope), error)
            await refusal(scope, receive, send)
            return
        scope[CLIENT] = client
        used, seconds = self._windows.count(quota.name, client)
        left = max(quota.most - used, 0)
        stand = (b"ratelimit", f'"{quota.name}";r={left};t={seconds}'.encode())

        def tell(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], quota.policy, stand]}
            return send(message)

        if used <= quota.most:
            await self._app(scope, receive, tell)
            return
        self._metrics.limited.labels(quota.name).inc()
        detail = f"There may be {quota.most} {quota.name} in {SECONDS} seconds; go on in {seconds}."
        refusal = problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(seconds)})
        await refusal(scope, receive, tell)

    async def _find_client(self, scope: Scope, quota: Quota) -> str:
        """Who a request is counted for: whoever owns its token or has signed in with its cookie, else its address."""
        address = _address_in(scope)
        served: Services | None = getattr(scope["app"].state, "services", None)
        shown = None if served is None else _shown_in(scope, served)
        if served is None or shown is None:
            return address
        is_token, secret = shown
        owner = _last_known(served, secret) if is_token else served.seen.login_of(secret)
        if owner is None:
            guesses = f"guesses of {address}"
            if self._windows.count(quota.name, guesses)[0] > quota.most:
                return guesses
            find = _find_by_token if is_token else _find_by_cookie
            owner = await find(scope, served, secret)
            if owner is None:
                return address
            self._windows.take_back(quota.name, guesses)
        return f"owner {owner}"


def _last_known(served: Services, secret: str) -> str | None:
    found = served.access.last_known(secret)
    return None if found is None else found.owner


async def _find_by_token(scope: Scope, served: Services, secret: str) -> str | None:
    found = await served.access.find_caller(secret)
    if isinstance(found, Caller):
        return found.owner
    scope["ended"] = found  # the door need not look it up again
    return None


async def _find_by_cookie(scope: Scope, served: Services, secret: str) -> str | None:
    found = await find_session(Request(scope), served, secret)
    return None if found is None else found.owner


def _shown_in(scope: Scope, served: Services) -> tuple[bool, str] | None:
    """By what a request may be somebody's: whether it is a token, and the secret; None where there is none."""
    has_cookie = False
    for name, value in scope["headers"]:
        if name == b"authorization":
            secret = token_in(value.decode("latin-1"))
            return None if secret is None else (True, secret)
        has_cookie = has_cookie or name == b"cookie"
    kept = find_cookie(Request(scope), served.settings.public_url, SESSION) if has_cookie else None
    return None if kept is None else (False, kept)


def _address_in(scope: Scope) -> str:
    address = scope["client"]
    return f"address {network_of(address[0])}" if address else "address"


@lru_cache(maxsize=10_000)
def network_of(address: str) -> str:
    """An address, as what it is counted by; of IPv6 the network, which is one customer's, but for addresses of IPv4."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), 64), strict=False))
