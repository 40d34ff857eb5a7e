"""How every refusal and every failure looks: a problem document (RFC 9457).

One table maps the errors to a status. What was sent is never repeated; a failure of ours says only the request's id.
"""

from collections.abc import Sequence
from http import HTTPStatus

import orjson
import psycopg
from fastapi import FastAPI, Request
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from service.domain import errors
from service.domain.answers import Json
from service.domain.errors import Fault, Invalid, RegistryError
from service.record import CUT_OFF
from service.web.bodies import NotJson, PreconditionRequired, TooLarge
from service.web.callers import Forbidden, Unauthenticated
from service.web.formats import NotAcceptable
from service.web.kinds_of_problem import KINDS
from service.web.mementos import BadAcceptDatetime
from service.web.serving import NARROW, Stalled, services

_STATUS: dict[type[RegistryError], HTTPStatus] = {
    errors.Stale: HTTPStatus.PRECONDITION_FAILED,
    errors.Refused: HTTPStatus.CONFLICT,
    BadAcceptDatetime: HTTPStatus.BAD_REQUEST,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unknown: HTTPStatus.NOT_FOUND,
    errors.NoRoom: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    Stalled: HTTPStatus.REQUEST_TIMEOUT,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    NotJson: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
}
PROBLEM = "application/problem+json"
RETRY_AFTER_SECONDS = "1"
_BUSY_SECONDS = "10"  # what keeps others out takes longer than a request


def problem(
    status: int,
    detail: str,
    faults: Sequence[Fault] = (),
    *,
    count: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A problem document (RFC 9457); ``count`` is of all faults, where only the first are listed."""
    kind = KINDS[status]
    content: Json = {
        "type": kind.type,
        "title": kind.title,
        "status": status,
        "detail": detail,
    }
    if faults:
        content["errors"] = [one.render() for one in faults]
    if count is not None:
        content["error_count"] = count
    return Response(orjson.dumps(content), status_code=status, media_type=PROBLEM, headers=headers)


def status_of(error: RegistryError) -> HTTPStatus:
    """The status of a refusal; a fault in a parameter, not in a body, is a bad request."""
    if isinstance(error, Invalid) and any(_in_parameter(fault) for fault in error.faults):
        return HTTPStatus.BAD_REQUEST
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def _in_parameter(fault: Fault) -> bool:
    return fault.pointer.startswith("/query/") or fault.pointer == "/header/last-event-id"


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RegistryError)
    status = status_of(error)
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.SERVICE_UNAVAILABLE or isinstance(error, errors.Running):
        headers["Retry-After"] = _BUSY_SECONDS if isinstance(error, errors.Busy) else RETRY_AFTER_SECONDS
    if status is HTTPStatus.REQUEST_TIMEOUT:  # what is still to come of the body would be taken for a request
        headers["Connection"] = "close"
    faults = error.faults or ((Fault("", "refused", error.detail),) if isinstance(error, errors.Refused) else ())
    count = error.count if isinstance(error, errors.Faulty) else None
    return problem(status, error.detail, faults, count=count, headers=headers)


async def unreachable(request: Request, _: Exception) -> Response:
    """Says so, and lets the pools replace the connections that died with the server."""
    served = services(request)
    await served.pool.check()
    await served.writing.check()
    return _unavailable("The database does not answer; try again in a moment.")


async def _too_busy(_: Request, __: Exception) -> Response:
    return _unavailable("The database does not answer, or too many wait for it already; try again in a moment.")


async def _locked(_: Request, __: Exception) -> Response:
    return _unavailable("Another transaction keeps what is asked for to itself; try again in a moment.")


async def _too_long(request: Request, _: Exception) -> Response:
    settings = services(request).settings
    if request.method in ("GET", "HEAD"):
        return _unavailable(f"A query of this took more than {settings.read_seconds} seconds. {NARROW}")
    detail = f"The database took more than {settings.write_seconds} seconds for this; nothing was recorded."
    return _unavailable(f"{detail} Try again in a moment, or with less at a time.")


def _unavailable(detail: str) -> Response:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": RETRY_AFTER_SECONDS})


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code if error.status_code in KINDS else HTTPStatus.BAD_REQUEST
    headers = dict(error.headers or {})
    detail = KINDS[status].what
    if status == HTTPStatus.NOT_FOUND:
        near = _near(request)
        where = f"something is at {near}" if near else "GET / says where to begin"
        detail = f"Nothing is served at this address; {where}."
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:  # the framework names those of one route; others share its address
        headers["Allow"] = ", ".join(_methods_at(request))
        detail = f"This address does not take this method; it takes {headers['Allow']}."
    return problem(status, detail, headers=headers)


def _near(request: Request) -> str | None:
    """The address that was meant, where it lacks `/v1` or has a slash too many."""
    path = request.scope["path"]
    for near in (path.rstrip("/"), f"/v1{path.rstrip('/')}"):
        scope = {**request.scope, "path": near}
        if near != path and any(route.matches(scope)[0] is not Match.NONE for route in request.app.router.routes):
            return near
    return None


def _methods_at(request: Request) -> list[str]:
    """The methods that an address takes; where there is something to get there is its head."""
    matched = (route for route in request.app.router.routes if route.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in matched for method in route.methods}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def failed(request_id: str) -> Response:
    """Something failed here: what, stands in the journal under the request's id."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"Something failed here; its number is {request_id}.")


def cut_off() -> Response:
    """The service stops before it has an answer."""
    return _unavailable(CUT_OFF)


def handle_errors(app: FastAPI) -> None:
    """Every refusal and every failure answers as a problem document."""
    app.add_exception_handler(RegistryError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(psycopg.OperationalError, unreachable)
    app.add_exception_handler(psycopg.errors.LockNotAvailable, _locked)
    app.add_exception_handler(psycopg.errors.QueryCanceled, _too_long)
    app.add_exception_handler(PoolTimeout, _too_busy)
