"""What a route says of itself, for the OpenAPI document: what it takes, every way in which it answers, what it refuses.

A route says it where it is declared, in one call of `documented`; `document` makes the whole document of all of them.
Models are named, not schemas: the document has each once. Nothing here is looked at while a request is answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, Field

from service.access import Role
from service.domain.answers import Json
from service.web.formats import ATOM, CLOUDEVENTS, FORMATS, TABLES
from service.web.sending import JSON

Content = Mapping[str, Any]
"""By media type, what stands in it: a type, whose schema is meant; or `TEXT`, `BINARY`, `Items`."""
Links = Mapping[str, Mapping[str, str]]
"""By operationId, where its parameters stand in an answer (runtime expressions of OpenAPI)."""

NEXT_PAGE = {"after": "$response.body#/next"}
"""The link of a list to its next page, as far as `after` says where that begins."""

EVENT_STREAM = "text/event-stream"
TEXT: Json = {"type": "string"}
BINARY: Json = {}  # any bytes: a schema that says more describes JSON


@dataclass(frozen=True, slots=True)
class Items:
    """Many of one type, one after the other: lines, or events of a stream. OpenAPI 3.1 has no word for it."""

    of: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a route answers: in which media types, with which headers, and what can be asked next."""

    what: str
    content: Content = field(default_factory=dict)
    headers: Sequence[str] = ()
    links: Links = field(default_factory=dict)
    perhaps: Sequence[str] = ()  # of the headers, those that it need not have


@dataclass(frozen=True, slots=True)
class Described:
    """All that a route says of itself."""

    asked: type[BaseModel] | None
    headers: Sequence[str]
    body: Content
    answers: Mapping[int, Answer]
    refuses: frozenset[int]
    security: Sequence[Mapping[str, Sequence[str]]]
    body_required: bool = True
    needs: Sequence[str] = ()


KEY = "described"
_READING = (400, 401, 503)
_WRITING = (400, 401, 403, 408, 503)
_WITH_BODY = (413, 415, 422)
_ALWAYS = (429, 500)


def documented(
    asked: type[BaseModel] | None = None,
    *,
    answers: Mapping[int, Answer],
    headers: Sequence[str] = (),
    needs: Sequence[str] = (),
    body: Content | None = None,
    body_required: bool = True,
    refuses: Sequence[int] = (),
    role: Role | None = None,
    open_to_all: bool = False,
    limited: bool = True,
) -> Json:
    """What a route says of itself, for its `openapi_extra`.

    ``asked`` are the parameters of its query, ``headers`` those that it reads (`document.TAKEN`), ``needs`` those that
    it cannot do without, ``body`` what it takes, ``answers`` the ways in which it succeeds, by status. What all routes
    refuse that read or write is known here; ``refuses`` are further statuses. ``role`` is the least that may ask;
    without one the route reads, for which the settings may want any token, unless it is ``open_to_all``. Requests are
    counted where it is ``limited``.
    """
    usual = () if open_to_all else _READING if role is None else _WRITING
    always = _ALWAYS if limited else (500,)
    negotiated = (406,) if any(len(one.content) > 1 for one in answers.values()) else ()
    refused = frozenset((*always, *usual, *(_WITH_BODY if body else ()), *negotiated, *refuses))
    bearer: Mapping[str, Sequence[str]] = {"bearer": [role.value] if role else []}
    security = [bearer] if role else [] if open_to_all else [{}, bearer]
    return {KEY: Described(asked, headers, body or {}, answers, refused, security, body_required, needs)}


CACHED = ("ETag", "Cache-Control")
KNOWN = Answer("The client has it already, as the ETag in `If-None-Match` says.", headers=CACHED)
_TABLES: Content = {
    FORMATS[name].media_type.partition(";")[0]: BINARY if name in ("xlsx", "parquet") else TEXT for name in TABLES
}
_FEED: Content = {FORMATS[ATOM].media_type: TEXT}
_LINES, _BATCH = FORMATS["jsonl"].media_type, FORMATS[CLOUDEVENTS].media_type


def sent(what: str, content: Content, *, links: Links | None = None) -> dict[int, Answer]:
    """How something is answered that there is in one form alone."""
    return {200: Answer(what, content, CACHED, links or {}), 304: KNOWN}


class Led(BaseModel):
    """That something is found at another address."""

    detail: str = Field(description="why, and what to do")
    url: str = Field(description="the address, as `Location` has it")


def led(what: str, *headers: str) -> Answer:
    """How a question is answered whose answer is found at another address of ours."""
    return Answer(what, {JSON: Led}, ("Location", *headers))


def view(
    model: Any, what: str, *, paged: bool = False, feed: bool = True, links: Links | None = None  # noqa: ANN401 - a type
) -> dict[int, Answer]:  # fmt: skip
    """How a question is answered: in JSON, as the tables that say the same, or that the client has it already.

    With a ``feed`` it also tells, event by event, what has changed in it.
    """
    headers = (*CACHED, "Vary", *(("Link",) if paged else ()))
    content = {JSON: model, **_TABLES, **(_FEED if feed else {})}
    return {200: Answer(what, content, headers, links or {}), 304: KNOWN}


def page_with_past(model: Any, what: str, *, links: Links) -> dict[int, Answer]:  # noqa: ANN401 - a type
    """How a page is answered whose past can be asked for by header: as any view, or with the way to a memento."""
    found = view(model, what, links=links)
    whole = replace(found[200], headers=(*CACHED, "Vary", "Link", "Memento-Datetime"))
    way = led("The way to the memento that `Accept-Datetime` asks for.", "Link", "Vary")
    return {**found, 200: whole, 302: way}


def log(page: Any, event: Any, what: str, *, links: Links) -> dict[int, Answer]:  # noqa: ANN401 - types
    """How a part of the log is answered: as any view, as a line for each CloudEvent, and as a batch of them."""
    tables = {**_TABLES, _LINES: Items(event), _BATCH: list[event], **_FEED}
    return {200: Answer(what, {JSON: page, **tables}, (*CACHED, "Vary", "Link"), links), 304: KNOWN}
