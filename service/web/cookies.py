"""The cookie of whoever is signed in, and whether a request comes from our own pages, and where those are.

Over https its name begins with `__Host-`, so that no neighbour on the domain can set it. That a browser sends it along
with what another site asks for is prevented twice: by `SameSite=Lax`, and by looking where each write comes from.
"""

from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

SESSION = "registry_session"
CROSS_SITE = "This was sent from a page of another site, or does not say from where; send it from the registry's own."


def is_secure(request: Request, public_url: str) -> bool:
    """Whether the browser reaches the service over https."""
    return public_url.startswith("https:") or request.url.scheme == "https"


def whole_address(request: Request, public_url: str, path: str) -> str:
    """A path with the address under which the browser reaches the service."""
    return (public_url or str(request.base_url).rstrip("/")) + path


def keep(request: Request, response: Response, public_url: str, name: str, value: str, *, seconds: int) -> None:
    """Lets the browser keep something for us alone; nothing, and for no time, lets it forget."""
    secure = is_secure(request, public_url)
    response.set_cookie(
        f"__Host-{name}" if secure else name, value, max_age=seconds, path="/", httponly=True, samesite="lax",
        secure=secure,
    )  # fmt: skip


def find_cookie(request: Request, public_url: str, name: str) -> str | None:
    """What the browser keeps for us under a name, or None."""
    full = f"__Host-{name}" if is_secure(request, public_url) else name
    return (request.cookies.get(full) or None) if "cookie" in request.headers else None


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
