"""The past of a page, asked for by header (RFC 7089): what the pages that have one share."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.api.shapes import ABSENT, Shape
from service.domain.dates import parse_as_of
from service.domain.errors import Unknown
from service.segments.mementos import PageWithPast, find_memento, list_mementos
from service.web.asking import LAST, Asked, parse_parameter
from service.web.describing import CACHED, KNOWN, TEXT, Answer
from service.web.mementos import (
    LINK_FORMAT,
    LINKSET,
    TimeMap,
    find_accepted,
    lead_to,
    send_timemap,
    wanted_timemap,
)
from service.web.serving import Services

_NO_PAST = "Nothing is recorded that this page rests on, so it has no past yet."


class AskedTimeMap(BaseModel):
    """Which part of a page's mementos."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: int = Field(0, ge=0, le=2**62, description="the position behind which to list")
    limit: int = Field(500, ge=1, le=500)


class LinkTarget(Shape):
    """Where a link of a TimeMap leads; attributes of RFC 7089 are lists (RFC 9264)."""

    href: str
    type: str = ABSENT
    datetime: list[str] = ABSENT
    from_: list[str] = Field(default_factory=list, alias="from")
    until: list[str] = ABSENT


class LinkContext(Shape):
    """The links of a page, by relation."""

    anchor: str = Field(description="the page")
    original: list[LinkTarget]
    timegate: list[LinkTarget]
    timemap: list[LinkTarget] = Field(default_factory=list, description="the rest of the list, where this is a part")
    self: list[LinkTarget]
    memento: list[LinkTarget]
    first: list[LinkTarget] = ABSENT
    last: list[LinkTarget] = ABSENT


class LinkSet(Shape):
    """A TimeMap as a set of links (RFC 9264)."""

    linkset: list[LinkContext]


TIMEMAP_ANSWERS = {
    200: Answer(
        "The mementos, in order, or a part of them that leads to the rest.",
        {LINK_FORMAT: TEXT, LINKSET: LinkSet},
        (*CACHED, "Vary"),
    ),
    304: KNOWN,
}


async def find_past(
    request: Request, served: Services, asked: Asked, page: PageWithPast, values: Mapping[str, Any]
) -> Response | None:
    """The way to the memento that is asked for by `Accept-Datetime`; None where it is not sent.

    Raises `BadAcceptDatetime` for what is no date, and `Unknown` where the page has no past.
    """
    at = find_accepted(request, asked)
    if at is None:
        return None
    as_of = None if asked.as_of is None else min(parse_parameter("as_of", asked.as_of, parse_as_of), LAST)
    async with served.pool.connection() as connection:
        chosen = await find_memento(connection, page, values, at)
    if chosen is None:
        raise Unknown(_NO_PAST)
    return lead_to(request, chosen, as_of, min(at, served.clock()))


async def answer_timemap(
    request: Request, served: Services, asked: AskedTimeMap, page: PageWithPast, values: Mapping[str, Any]
) -> Response:
    """The mementos of a page; raises `Unknown` where there are none."""
    kind = wanted_timemap(request)
    async with served.pool.connection() as connection:
        found = await list_mementos(connection, page, values, after=asked.after, limit=asked.limit + 1)
    if not found:
        raise Unknown(_NO_PAST if asked.after == 0 else "The page has no memento behind this position.")
    shown = found[: asked.limit]
    return send_timemap(request, TimeMap(shown, begins=asked.after == 0, ends=len(shown) == len(found)), kind)
