"""What the doors share: the services behind them, the caller's rights, the point asked about, and how errors look.

Errors are problem documents (RFC 9457). One table maps the domain's errors to a status; what was sent is never repeated.
"""

import logging
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import orjson
import psycopg
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.access import Access, Caller, Role
from service.database import Connection, Pool
from service.domain import errors
from service.domain.answers import Json, Moment
from service.domain.dates import END, TICK, parse_as_of, parse_instant, render_instant
from service.domain.errors import Fault, Invalid, RegistryError
from service.record import Recorder
from service.segments.query import Basis, Point, resolve_known_at
from service.settings import Settings

_LOGGER = logging.getLogger(__name__)
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a door needs; made once by `service.main`."""

    settings: Settings
    pool: Pool
    recorder: Recorder
    access: Access
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    new_salt: Callable[[], bytes]


def services(request: Request) -> Services:
    """The services of this application."""
    found: Services = request.app.state.services
    return found


Served = Annotated[Services, Depends(services)]


# --- the caller -------------------------------------------------------------------------------------------------------


class Unauthenticated(RegistryError):
    """The request names no caller that is known."""


class Forbidden(RegistryError):
    """The caller's role does not allow it."""


async def _find_caller(request: Request, served: Services) -> Caller | None:
    given = request.headers.get("authorization")
    if given is None:
        return None
    scheme, _, secret = given.partition(" ")
    caller = await served.access.find_caller(secret.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise Unauthenticated("The token is unknown or has expired; send Authorization: Bearer and a valid token.")
    return caller


def allowed(needed: Role) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that lets in only callers whose role allows what is needed."""

    async def check(request: Request) -> Caller:
        caller = await _find_caller(request, services(request))
        if caller is None:
            raise Unauthenticated("This needs a token: send Authorization: Bearer and your token.")
        if not caller.role.allows(needed):
            raise Forbidden(f"This needs the role {needed}; your token has the role {caller.role}.")
        return caller

    return check


async def may_read(request: Request) -> None:
    """Reading is open, or needs any valid token; no name in an address holds a NUL, which the database refuses."""
    if "\x00" in request.scope["path"]:
        raise errors.Unknown("Nothing is recorded under this name.")
    served = services(request)
    caller = await _find_caller(request, served)
    if caller is None and not served.settings.reading_is_open:
        raise Unauthenticated("Reading needs a token here: send Authorization: Bearer and your token.")


Editor = Annotated[Caller, Depends(allowed(Role.EDITOR))]


async def takes_no_parameters(request: Request) -> None:
    """Unknown parameters are refused, never ignored, also where there is none to know."""
    if request.query_params:
        faults = [
            Fault(f"/query/{name}", "extra_forbidden", "This parameter is unknown here.")
            for name in request.query_params
        ]
        raise Invalid("A parameter is not valid; see `errors`.", *faults)


# --- the point asked about --------------------------------------------------------------------------------------------


class Asked(BaseModel):
    """The parameters of a computed answer: which point on both axes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: str | None = Field(
        None, description="valid time: a date (to the end of that day, UTC) or an instant; default now"
    )
    known_at: str | None = Field(None, description="record time as an instant; default the head of the log")
    known_position: int | None = Field(None, ge=0, le=2**62, description="record time as an exact position in the log")


LAST = END - TICK
"""The last moment that can be asked about: segments without an end run to `END`, which is no part of them."""


async def find_point(asked: Asked, connection: Connection, now: datetime) -> Point:
    """The point that the parameters name; raises `Invalid` with a pointer to the parameter."""
    as_of = min(parse_parameter("as_of", asked.as_of, parse_as_of), LAST) if asked.as_of is not None else now
    if asked.known_at is None:
        return Point(as_of, asked.known_position)
    if asked.known_position is not None:
        detail = "Give either known_at or known_position, not both."
        raise Invalid(detail, Fault("/query/known_at", "ambiguous", detail))
    known_at = parse_parameter("known_at", asked.known_at, parse_instant)
    return Point(as_of, await resolve_known_at(connection, known_at))


def parse_parameter(name: str, text: str, parse: Callable[[str], Parsed]) -> Parsed:
    """A query parameter's value; its ValueError becomes a fault at the parameter."""
    try:
        return parse(text)
    except ValueError as error:
        raise Invalid("A parameter is not valid.", Fault(f"/query/{name}", "value_error", str(error))) from None


def moment_of(served: Services, as_of: datetime, in_force: frozenset[str] = frozenset()) -> Moment:
    """The moment asked about, with the settings that the rules depend on."""
    return Moment(as_of, served.settings.stale_after_days, in_force)


# --- answers ----------------------------------------------------------------------------------------------------------

JSON = "application/json"
PINNED = "public, max-age=31536000, immutable"


def basis_of(request: Request, basis: Basis, moment: Moment) -> Json:
    """The basis as every computed answer carries it; its address repeats exactly this answer."""
    kept = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in ("as_of", "known_at", "known_position")
    ]
    pinned = [("as_of", render_instant(basis.as_of)), ("known_position", str(basis.known_position))]
    return {
        "as_of": render_instant(basis.as_of),
        "known_position": basis.known_position,
        "known_at": render_instant(basis.known_at),
        "log_root": basis.log_root.hex(),
        "rules_version": moment.rules,
        "url": f"{request.url.path}?{urlencode([*pinned, *sorted(kept)])}",
    }


def is_pinned(request: Request) -> bool:
    """Whether the request names both axes exactly, so that its answer can never change."""
    return "as_of" in request.query_params and "known_position" in request.query_params


def answer(request: Request, content: Any) -> Response:  # noqa: ANN401 - any JSON
    """A computed answer: repeatable for ever where both axes were named."""
    caching = PINNED if is_pinned(request) else "no-cache"
    return Response(orjson.dumps(content), media_type=JSON, headers={"Cache-Control": caching})


# --- bodies -----------------------------------------------------------------------------------------------------------


class TooLarge(RegistryError):
    """The body is larger than the service takes."""


class NotJson(RegistryError):
    """The body is of another type than the service reads here."""


def etag_of(event_id: str, revision: int) -> str:
    """The ETag of an event: it changes with every correction of it."""
    return f'"{event_id}.{revision}"'


class PreconditionRequired(RegistryError):
    """A change must say which version it changes."""


async def read_body(request: Request) -> bytes:
    """The body of a write, bounded; it has to be JSON."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != JSON:
        raise NotJson("Send the body as JSON, with Content-Type: application/json.")
    most = services(request).settings.largest_body
    too_large = TooLarge(f"The body is larger than {most} bytes; send fewer statements at a time.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise too_large
    return bytes(body)


# --- errors -----------------------------------------------------------------------------------------------------------

_STATUS: dict[type[RegistryError], HTTPStatus] = {
    errors.Stale: HTTPStatus.PRECONDITION_FAILED,
    errors.Refused: HTTPStatus.CONFLICT,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unknown: HTTPStatus.NOT_FOUND,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotJson: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
}
_RETRY_AFTER_SECONDS = "1"


def problem(
    status: int, detail: str, faults: Sequence[Fault] = (), *, headers: dict[str, str] | None = None
) -> Response:
    """A problem document (RFC 9457)."""
    phrase = HTTPStatus(status).phrase
    content: Json = {
        "type": f"/problems/{phrase.lower().replace(' ', '-')}",
        "title": phrase,
        "status": status,
        "detail": detail,
    }
    if faults:
        content["errors"] = [{"pointer": one.pointer, "code": one.code, "detail": one.detail} for one in faults]
    return Response(orjson.dumps(content), status_code=status, media_type="application/problem+json", headers=headers)


def status_of(error: RegistryError) -> HTTPStatus:
    """The status of a refusal; a fault in a parameter, not in a body, is a bad request."""
    if isinstance(error, Invalid) and any(fault.pointer.startswith("/query/") for fault in error.faults):
        return HTTPStatus.BAD_REQUEST
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RegistryError)
    status = status_of(error)
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.SERVICE_UNAVAILABLE or isinstance(error, errors.Running):
        headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return problem(status, error.detail, error.faults, headers=headers)


async def _unreachable(_: Request, __: Exception) -> Response:
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database does not answer; try again in a moment.",
        headers={"Retry-After": _RETRY_AFTER_SECONDS},
    )


async def _not_valid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault("/" + "/".join(str(part) for part in one["loc"]), one["type"], _parameter_sentence(one))
        for one in error.errors()
    ]
    return problem(HTTPStatus.BAD_REQUEST, "A parameter is not valid; see `errors`.", faults)


def _parameter_sentence(found: dict[str, Any]) -> str:
    if found["type"] == "extra_forbidden":
        return "This parameter is unknown here."
    message: str = found["msg"]
    return f"{message.removeprefix('Value error, ')}."


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {404: "Nothing is served at this address.", 405: "This address does not take this method."}
    detail = details.get(error.status_code, HTTPStatus(error.status_code).description or "The request was refused.")
    return problem(error.status_code, detail, headers=dict(error.headers or {}))


async def _failed(_: Request, error: Exception) -> Response:
    number = uuid.uuid4().hex
    _LOGGER.error("request %s failed", number, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"Something failed here; its number is {number}.")


def handle_errors(app: FastAPI) -> None:
    """Every refusal and every failure answers as a problem document."""
    app.add_exception_handler(RegistryError, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http)
    for unreachable in (psycopg.OperationalError, PoolTimeout):
        app.add_exception_handler(unreachable, _unreachable)
    app.add_exception_handler(Exception, _failed)


# --- pinned answers ---------------------------------------------------------------------------------------------------

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
        self._kept[key] = messages
        self._bytes += size
        while self._bytes > self._most:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= _size(gone)


def _size(messages: Sequence[Message]) -> int:
    return sum(len(message.get("body", b"")) for message in messages) + 1024


def utc_now() -> datetime:
    """The service's clock."""
    return datetime.now(UTC)
