"""How an answer goes out: its bytes, its ETag, how it may be kept, and whether the client has it already."""

import hashlib
import re
from collections.abc import Mapping
from urllib.parse import urlencode

import orjson
from fastapi import Request
from starlette.responses import Response

from service.domain.answers import Json
from service.domain.errors import Unknown
from service.web.formats import FORMATS, SUFFIX_OF_ATOM, Tables, wanted_format
from service.web.serving import services

JSON = "application/json"
REVALIDATE = "no-cache"
PRIVATE = "private, no-cache"
PINNED = "public, max-age=31536000, immutable"
"""How an answer to a question with both axes pinned may be kept, by us and by every cache."""
_DIGEST_BYTES = 12


def etag_of(event_id: str, revision: int) -> str:
    """The ETag of an event: it changes with every correction of it."""
    return f'"{event_id}.{revision}"'


def etags_in(if_none_match: str | None) -> list[str]:
    """The ETags that a client names; weak ones count as strong where a copy is asked for (RFC 9110 §13.1.2)."""
    return [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has the answer already."""
    return not {etag, "*"}.isdisjoint(etags_in(request.headers.get("if-none-match")))


def send(
    request: Request, content: Json | list[Json], *, etag: str = "", media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """Any JSON, with an ETag of its own or of its bytes; 304 where the client has it already."""
    if request.scope.get("format") == SUFFIX_OF_ATOM:
        raise Unknown("This address is no feed; leave the suffix out.")
    body = orjson.dumps(content)
    sent = {"Cache-Control": REVALIDATE, "Vary": "Accept", **(headers or {})}
    return _send(request, body, etag or f'"{_digest(body)}"', sent, media_type)


def send_bytes(
    request: Request, body: bytes, media_type: str, *, headers: Mapping[str, str] | None = None
) -> Response:  # fmt: skip
    """Bytes of any type, with an ETag of theirs; 304 where the client has them already."""
    return _send(request, body, f'"{_digest(body)}"', {"Cache-Control": REVALIDATE, **(headers or {})}, media_type)


def answer(
    request: Request, content: Json, tables: Tables | None = None, *, headers: Mapping[str, str] | None = None
) -> Response:
    """A computed answer: repeatable for ever where both axes were named, else good for as long as it says the same.

    ``tables`` is what it lists, for the formats that are tables: its `items` where nothing else is named.

    Where no moment was named, each answer names that of asking, so no two have the same bytes. The ETag then ends with
    that moment; what stands before it says whether anything but the clock has moved.
    """
    sent = {"Cache-Control": REVALIDATE, "Vary": "Accept", **(headers or {})}
    body, media_type = orjson.dumps(content), JSON
    said = body
    kind = wanted_format(request.scope, request.headers.get("accept"))
    if kind in FORMATS:
        media_type, write = FORMATS[kind]
        body = write(tables or {"items": content["items"]}, _about(request, content))
        said += kind.encode()
        sent["Content-Disposition"] = f'inline; filename="{_file_name(request)}.{kind}"'
    if "basis" in content and is_pinned(request):
        open_to_all = services(request).settings.reading_is_open
        sent["Cache-Control"] = PINNED if open_to_all else PINNED.replace("public", "private")
    elif "basis" in content and "as_of" not in request.query_params:
        as_of: str = content["basis"]["as_of"]
        timeless = _digest(said.replace(as_of.encode(), b"").replace(as_of.replace(":", "%3A").encode(), b""))
        for etag in etags_in(request.headers.get("if-none-match")):
            if etag.strip('"').partition(".")[0] == timeless:
                return Response(status_code=304, headers={"ETag": etag, **sent})
        return Response(body, media_type=media_type, headers={"ETag": f'"{timeless}.{as_of}"', **sent})
    return _send(request, body, f'"{_digest(said)}"', sent, media_type)


def _send(request: Request, body: bytes, etag: str, headers: Mapping[str, str], media_type: str) -> Response:
    if is_known(request, etag):
        return Response(status_code=304, headers={"ETag": etag, **headers})
    return Response(body, media_type=media_type, headers={"ETag": etag, **headers})


def is_table(request: Request) -> bool:
    """Whether a table is asked for: it has all rows, unless the request says how many."""
    return wanted_format(request.scope, request.headers.get("accept")) in FORMATS


def _about(request: Request, content: Json) -> Json:
    """On what basis a table was answered, and how it may be used: it is passed on without the address it came from."""
    bases: Json = {name: content[name] for name in ("basis", "from", "to") if name in content}
    return {**bases, "licence": services(request).settings.licence}


def _file_name(request: Request) -> str:
    """A name for a file, from the words of the address."""
    return "-".join(re.findall(r"[A-Za-z0-9_-]+", request.scope["path"].removeprefix("/v1/"))) or "answer"


def is_pinned(request: Request) -> bool:
    """Whether the request names both axes exactly, so that its answer can never change."""
    named = request.query_params
    return "after" in named or ("as_of" in named and "known_position" in named)


def next_page(request: Request, after: str | int | None) -> dict[str, str]:
    """The header that leads to the next page (RFC 8288); none on the last."""
    if after is None:
        return {}
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in _POINT]
    address = f"{request.scope['raw_path'].decode('ascii')}?{urlencode([*kept, ('after', str(after))])}"
    return {"Link": f'<{address}>; rel="next"'}


_POINT = frozenset({"after", "as_of", "known_at", "known_position"})


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()
