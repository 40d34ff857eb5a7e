"""How an answer goes out: what of it, in which format, its ETag, how it may be kept, and whether the client has it."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote, urlencode

import orjson
from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.domain.answers import Json
from service.domain.errors import Fault, Invalid
from service.web.asking import POINT
from service.web.fields import Outline, Sheet, narrowed
from service.web.formats import FORMATS, TABLES, no_such_format, wanted_format
from service.web.serving import Services, services

JSON = "application/json"
REVALIDATE = "no-cache"
PRIVATE = "private, no-cache"
PINNED = "public, max-age=31536000, immutable"
"""How an answer to a question with both axes pinned may be kept, by us and by every cache."""
_DIGEST_BYTES = 12
Part = TypeVar("Part")


def etag_of(event_id: str, revision: int) -> str:
    """The ETag of an event: it changes with every correction of it."""
    return f'"{event_id}.{revision}"'


_ETAG = re.compile(r'\*|(?:W/)?"[!#-~\x80-\xff]*"')


def etags_in(if_none_match: str) -> list[str]:
    """The ETags that a client has, or `*`; weak ones count as strong where a copy is asked for (RFC 9110 §13.1.2)."""
    return [one.removeprefix("W/") for one in _ETAG.findall(if_none_match)]


def revisions_in(if_match: str, name: str) -> frozenset[int] | None:
    """Which revisions of a thing a client would change, by the ETags that it names, also of parts and tables of it.

    None is any (`*`). Weak ETags fit nothing there (RFC 9110 §13.1.1), nor do those of something else.
    """
    given = [one for one in _ETAG.findall(if_match) if not one.startswith("W/")]
    if "*" in given:
        return None
    named = (one.strip('"').partition("+")[0].rpartition(".") for one in given)
    return frozenset(
        int(revision)
        for thing, _, revision in named
        if thing == name and revision.isdecimal() and len(revision) <= _LONGEST_REVISION
    )


_LONGEST_REVISION = 18


def had_by(request: Request) -> list[str]:
    """The ETags of answers that the client has."""
    given = request.headers.getlist("if-none-match")
    return etags_in(",".join(given)) if given else []


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has the answer already."""
    return not {etag, "*"}.isdisjoint(had_by(request))


def send(
    request: Request, content: Json | list[Json], *, etag: str = "", media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """Any JSON that is no view, with an ETag of its own or of its bytes; 304 where the client has it already."""
    if request.scope.get("suffix", "json") != "json":
        raise no_such_format()
    sent = {"Cache-Control": REVALIDATE, "Vary": "Accept", **(headers or {})}
    return _unless_known(request, orjson.dumps(content), media_type, sent, etag)


def lead(address: str, status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """The way to another address of ours, which says so to whoever does not follow it: why, and where."""
    url = quote(address, safe=_IN_ADDRESSES)
    body = orjson.dumps({"detail": f"{detail} {_FOLLOW}", "url": url})
    return Response(body, status, {"Location": url, **(headers or {})}, JSON)


_FOLLOW = "Follow `url`, as `curl -L` does."
_IN_ADDRESSES = "/:?=&%,;@+!$'()*#[]"  # what is in an address already stays as it is


def send_bytes(
    request: Request, body: bytes, media_type: str, *, headers: Mapping[str, str] | None = None
) -> Response:  # fmt: skip
    """Bytes of any type, with an ETag of theirs; 304 where the client has them already."""
    return _unless_known(request, body, media_type, {"Cache-Control": REVALIDATE, **(headers or {})})


def _unless_known(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str], etag: str = ""
) -> Response:  # fmt: skip
    sent = {**headers, "ETag": etag or f'"{digest_of(body)}"'}
    if is_known(request, sent["ETag"]):
        return Response(status_code=304, headers=sent)
    return Response(body, media_type=media_type, headers=sent)


def answer(
    request: Request, content: Json, outline: Outline, *, headers: Mapping[str, str] | None = None, etag: str = "",
    revalidates: bool = True,
) -> Response:  # fmt: skip
    """A view, whole or the members of it that are wanted; as JSON or as a table.

    A computed one is repeatable for ever where both axes were named, else good for as long as it says the same.
    ``etag`` is that of an answer which has one of its own; without ``revalidates`` having it proves nothing.
    """
    fields = request.query_params.get("fields")
    names = None if fields is None else outline.names(fields)
    if names is not None:
        content = narrowed(content, names)
    kind = wanted_format(request.scope)
    sheets = [] if kind == "json" else _checked(request, outline.sheets(content, names))
    body = orjson.dumps(content)
    said = body if kind == "json" else body + kind.encode()
    etag, is_had = _tagged(request, content, said, etag, whole=names is None and kind == "json")
    sent = {"Cache-Control": _how_to_keep(request, content), "Vary": "Accept", **(headers or {}), "ETag": etag}
    if kind != "json":
        sent["Content-Disposition"] = f'inline; filename="{_file_name(request)}.{kind}"'
    if is_had and revalidates:
        return Response(status_code=304, headers=sent)
    if kind == "json":
        return Response(body, media_type=JSON, headers=sent)
    media_type, write, _ = FORMATS[kind]
    assert write, "what is no table is made where it is asked for"
    return TableResponse(partial(write, sheets, _about(request, content)), sheets, media_type, sent)


def _tagged(request: Request, content: Json, said: bytes, etag: str, *, whole: bool) -> tuple[str, bool]:
    """The ETag of an answer, and whether the client has it already.

    Where no moment was named, each answer names that of asking, so no two have the same bytes. The ETag then ends with
    that moment; what stands before it says whether anything but the clock has moved.
    """
    if etag and not whole:  # parts and tables of one answer are told apart
        etag = f'{etag[:-1]}+{digest_of(said)}"'
    if etag or "basis" not in content or is_pinned(request) or "as_of" in request.query_params:
        etag = etag or f'"{digest_of(said)}"'
        return etag, is_known(request, etag)
    as_of: str = content["basis"]["as_of"]
    timeless = digest_of(said.replace(as_of.encode(), b"").replace(as_of.replace(":", "%3A").encode(), b""))
    for one in had_by(request):
        if one.strip('"').partition(".")[0] == timeless:
            return one, True
    etag = f'"{timeless}.{as_of}"'
    return etag, is_known(request, etag)


def _how_to_keep(request: Request, content: Json) -> str:
    if "basis" not in content or not is_pinned(request):
        return REVALIDATE
    return kept_for_ever(services(request))


def kept_for_ever(served: Services) -> str:
    """How an answer may be kept that never changes: by every cache where reading is open, else by the client alone."""
    return PINNED if served.settings.reading_is_open else PINNED.replace("public", "private")


# --- tables -----------------------------------------------------------------------------------------------------------

_WRITERS = ThreadPoolExecutor(2, "tables")
_WRITTEN_AT_ONCE = 20  # rows: some milliseconds as XLSX


class TableResponse(Response):
    """A table that is written when it is sent; a large one, and any Parquet, beside the event loop, two at a time."""

    def __init__(
        self, write: Callable[[], bytes], sheets: list[Sheet], media_type: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__(media_type=media_type, headers=headers)
        del self.headers["Content-Length"]  # not known before it is written
        self._write = write
        self._is_large = sum(len(sheet.rows) for sheet in sheets) > _WRITTEN_AT_ONCE or media_type == _SLOW

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes and sends it."""
        loop = asyncio.get_running_loop()
        self.body = await loop.run_in_executor(_WRITERS, self._write) if self._is_large else self._write()
        self.headers["Content-Length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


_SLOW = FORMATS["parquet"].media_type  # its package takes a while to be imported


def _checked(request: Request, sheets: list[Sheet]) -> list[Sheet]:
    """Sheets that are not too long; raises `Invalid` where one is."""
    most = services(request).settings.largest_table
    if any(len(sheet.rows) > most for sheet in sheets):
        detail = (
            f"The table has more than {most} rows; narrow it by filters, or take it page by page with limit and after."
        )
        raise Invalid(detail, Fault("/query/limit", "too_many_rows", detail))
    return sheets


def page_size(request: Request, limit: int) -> int | None:
    """How many rows to show at most. A table has all, unless the request says how many: None."""
    return limit if not is_table(request) or "limit" in request.query_params else None


def most_rows(request: Request, limit: int) -> int:
    """How many rows to look up at most: as many as are shown or, of a whole table, one more than it may have."""
    return services(request).settings.largest_table + 1 if page_size(request, limit) is None else limit


def is_table(request: Request) -> bool:
    """Whether a table is asked for: it has all rows, unless the request says how many."""
    return wanted_format(request.scope) in TABLES


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


def next_page(request: Request, after: str | int | None, *, point: frozenset[str] = POINT) -> dict[str, str]:
    """The header that leads to the next page (RFC 8288); none on the last. The cursor says what ``point`` names do."""
    if after is None:
        return {}
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in (*point, "after")]
    address = f"{request.scope['raw_path'].decode('ascii')}?{urlencode([*kept, ('after', str(after))])}"
    return {"Link": f'<{address}>; rel="next"'}


async def rejoined(first: Part, rest: AsyncGenerator[Part]) -> AsyncGenerator[Part]:
    """A stream from its beginning, where its first part was waited for: what refuses it is then still a refusal."""
    async with aclosing(rest):
        yield first
        async for part in rest:
            yield part


def digest_of(body: bytes) -> str:
    """What tells the bytes of an answer from others."""
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()
