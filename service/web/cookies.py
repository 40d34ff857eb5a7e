"""The cookie of whoever is signed in, and whether a request comes from our own pages.

Over https its name begins with `__Host-`, so that no neighbour on the domain can set it. That a browser sends it along
with what another site asks for is prevented twice: by `SameSite=Lax`, and by looking where each write comes from.
"""

from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

_NAME = "registry_session"
CROSS_SITE = "This was sent from a page of another site, or does not say from where; send it from the registry's own."


def is_secure(request: Request, public_url: str) -> bool:
    """Whether the browser reaches the service over https."""
    return public_url.startswith("https:") or request.url.scheme == "https"


def cookie_name(request: Request, public_url: str) -> str:
    """How the session's cookie is called."""
    return f"__Host-{_NAME}" if is_secure(request, public_url) else _NAME


def find_secret(request: Request, public_url: str) -> str | None:
    """What the session's cookie holds, or None."""
    return (request.cookies.get(cookie_name(request, public_url)) or None) if "cookie" in request.headers else None


def set_cookie(request: Request, response: Response, public_url: str, secret: str, *, seconds: int) -> None:
    """Lets the browser keep the session."""
    response.set_cookie(
        cookie_name(request, public_url), secret, max_age=seconds, path="/", httponly=True, samesite="lax",
        secure=is_secure(request, public_url),
    )  # fmt: skip


def drop_cookie(request: Request, response: Response, public_url: str) -> None:
    """Lets the browser forget the session."""
    response.delete_cookie(
        cookie_name(request, public_url), path="/", httponly=True, samesite="lax", secure=is_secure(request, public_url)
    )


def is_cross_site(request: Request, public_url: str) -> bool:
    """Whether something comes from another site's page, as the browser says it (Fetch Metadata, RFC 6454).

    Every browser says at least one of the two with what a page sends by POST; what says neither is taken for foreign.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return True
    if origin is None:
        return site is None
    if public_url:
        return origin.lower() != public_url
    # A proxy may have ended TLS: then only the host can be compared.
    return urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
