"""Signing in by a provider: the way there, and the way back."""

import secrets
from urllib.parse import quote, unquote

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from service.accounts.openid import NotVouched, Provider
from service.accounts.sessions import begin_session
from service.accounts.vouching import find_login
from service.admin.guarding import SIGN_IN, local_path, pages
from service.admin.pages import see
from service.admin.signing_in import sign_in_again, visitor_of, with_session
from service.domain.errors import Fault, Unknown
from service.web.callers import lifetime
from service.web.cookies import find_cookie, keep, whole_address
from service.web.serving import connections, services

BEGIN, BACK = f"{SIGN_IN}/provider", f"{SIGN_IN}/provider/back"
_COOKIE = "registry_provider"
_SECONDS = 600
router = pages()


def _provider(request: Request) -> Provider:
    found = services(request).provider
    if found is None:
        raise Unknown("No sign-in provider is set here; sign in with a password.")
    return found


def _back(request: Request) -> str:
    """Where the provider sends the browser back to; it knows this address beforehand."""
    return whole_address(request, services(request).settings.public_url, BACK)


@router.get(BEGIN)
async def begin(request: Request) -> Response:
    """Leads to the provider; what ties the way back to this browser goes into a cookie."""
    secret, on = secrets.token_urlsafe(32), local_path(request.query_params.get("next"))
    address = await _provider(request).begin(secret, _back(request))
    response = RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
    keep(
        request, response, services(request).settings.public_url, _COOKIE, f"{secret}.{quote(on, safe='')}",
        seconds=_SECONDS,
    )  # fmt: skip
    return response


@router.get(BACK)
async def come_back(request: Request) -> Response:
    """Signs in whoever the provider vouches for, and leads on."""
    served, provider = services(request), _provider(request)
    secret, _, path = (find_cookie(request, served.settings.public_url, _COOKIE) or "").partition(".")
    on = local_path(unquote(path))
    try:
        who = await provider.finish(secret, _back(request), dict(request.query_params))
        async with connections(request).connection() as connection, connection.transaction():
            login = await find_login(connection, who)
            cookie = await begin_session(connection, login, visitor_of(request), lifetime(served.settings))
    except NotVouched as error:
        response = sign_in_again(request, on, "", Fault("", "not_vouched", error.detail))
    else:
        response = with_session(request, see(on), cookie)
    keep(request, response, served.settings.public_url, _COOKIE, "", seconds=0)
    return response
