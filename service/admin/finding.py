"""Finding a statement: by words of it, by what it is and when it was, or among what was recorded last; page by page.

What is sought is listed in the order in which it occurred, as the API's timeline has it; the way to the next page says
up to which position its pages are known, so that they agree while others record.
"""

import asyncio
from datetime import datetime
from typing import NamedTuple, Self

import orjson
from fastapi import Request
from pydantic import Field, field_validator
from starlette.responses import Response

from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.known import Named, list_coalitions
from service.admin.pages import PAGE_ROWS, cut, render
from service.admin.period import AskedPeriod, tell_ends
from service.admin.typed import faults_at, parse_typed
from service.database import Connection
from service.domain.actors import parse_actor
from service.domain.dates import END, parse_instant, render_instant
from service.domain.errors import Fault, Invalid
from service.domain.kinds import FAMILIES, STATEMENTS, parse_kind
from service.forms.fields import kind_of
from service.forms.words import heading_of
from service.log.read import WantedRecords, list_recorded
from service.segments.query import Point, basis_at
from service.segments.search import parse_sought
from service.segments.timeline import count_among, list_among
from service.web.serving import services

PATH = "/admin/statements"
router = pages()
_KINDS = [(one, heading_of(one)) for one in (*FAMILIES, *map(kind_of, STATEMENTS))]


class Place(NamedTuple):
    """Where a page ends: behind which position, and of what occurred, as known at which one, behind which moment."""

    position: int
    known: int | None = None
    latest: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """A place as an address has it; raises ValueError."""
        position, *rest = text.split("_")
        if not rest:
            return cls(_position(position))
        known, latest = rest
        return cls(_position(position), _position(known), parse_instant(latest))

    def render(self) -> str:
        """As an address has it."""
        rest = [] if self.latest is None else [str(self.known), render_instant(self.latest)]
        return "_".join([str(self.position), *rest])


def _position(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len("999999999999999999")):
        raise ValueError("That is no position.")
    return int(text)


class AskedStatements(AskedPeriod):
    """What is sought; what is left empty is any."""

    q: str = Field("", max_length=200)
    coalition: str = Field("", max_length=80)
    kind: str = Field("", max_length=40)
    country: str = Field("", max_length=100)
    after: Place | None = None

    @field_validator("kind")
    @classmethod
    def _is_one(cls, text: str) -> str:
        return text and parse_kind(text)

    @field_validator("country")
    @classmethod
    def _is_an_actor(cls, text: str) -> str:
        return text and parse_actor(text.strip())

    @field_validator("after", mode="before")
    @classmethod
    def _is_a_place(cls, text: str) -> Place | None:
        try:
            return Place.parse(text) if text else None
        except ValueError:
            raise ValueError("This is no address of a next page; seek again.") from None

    @property
    def seeks(self) -> bool:
        """Whether anything is sought."""
        return any((self.q.strip(), self.coalition, self.kind, self.country, self.since, self.until))


class Line(NamedTuple):
    """A statement in a list."""

    event_id: str
    what: str
    coalition: str
    occurred: dict[str, str] | None
    summary: str


class Found(NamedTuple):
    """A page of statements, where the next one begins, and how many there are in all, where that is cheap to tell."""

    lines: list[Line]
    following: Place | None = None
    total: int | None = None


@router.get(PATH)
async def list_found(request: Request) -> Response:
    """Statements that fit, in the order in which they occurred; with nothing sought, the last that were recorded."""
    await signed_in(request)
    served = services(request)
    coalitions = await list_coalitions(served)
    given = {name: text.replace("\x00", "") for name, text in request.query_params.items() if name != "done"}
    try:
        # The names of actors are loaded when first they are needed, which takes a while.
        asked = await asyncio.to_thread(parse_typed, AskedStatements, given)
        values = await asyncio.to_thread(_values, asked, coalitions) if asked.seeks else None
    except Invalid as error:
        return _page(request, coalitions, given, Found([]), faults_at(error))
    async with served.pool.connection() as connection:
        found = await (_latest(connection, asked.after) if values is None else _sought(connection, values, asked.after))
    return _page(request, coalitions, given, found)


def _page(
    request: Request, coalitions: list[Named], given: dict[str, str], found: Found, faults: tuple[Fault, ...] = ()
) -> Response:
    names = ("q", "coalition", "kind", "country", "since", "until")
    typed = {name: given.get(name, "").strip() for name in names}
    return render(
        request, "statements.html", status=UNSENT if faults else 200, faults=faults, typed=typed, kinds=_KINDS,
        coalitions=coalitions, named=_named(coalitions, typed["coalition"]), found=found, is_sought=any(typed.values()),
        next=found.following.render() if found.following else None, told=tell_ends(typed),
    )  # fmt: skip


def _named(coalitions: list[Named], chosen: str) -> dict[str, str]:
    """What the coalition of each line is called, where they are of several."""
    return dict(coalitions) if len(coalitions) > 1 and not chosen else {}


def _values(asked: AskedStatements, coalitions: list[Named]) -> dict[str, object]:
    """What is sought, as the timeline takes it, in all coalitions or in one; raises `Invalid` where it is none."""
    among = [one.slug for one in coalitions if asked.coalition in ("", one.slug)]
    if asked.coalition and not among:
        detail = "No coalition is registered under this slug."
        raise Invalid(detail, Fault("/coalition", "unknown_coalition", detail))
    begins, ends = asked.period
    return {
        "coalitions": among, "kind": asked.kind or None, "country": asked.country or None, "from": begins,
        "to": ends, **parse_sought(asked.q).values,
    }  # fmt: skip


async def _sought(connection: Connection, values: dict[str, object], place: Place | None) -> Found:
    last = (place.latest, place.position) if place is not None and place.latest is not None else None
    if place is not None and last is None:
        place = None  # it is one of another list
    known = place.known if place is not None else (await basis_at(connection, Point(END))).known_position
    asked = {**values, "as_of": END, "known": known}
    found = await list_among(connection, asked, after=last, limit=PAGE_ROWS + 1)
    shown, following = cut(found, lambda one: Place(one.position, known, one.latest))
    total = None if values["words"] else await count_among(connection, asked)
    return Found([_line(one.event_id, one.content) for one in shown], following, total)


async def _latest(connection: Connection, place: Place | None) -> Found:
    before = place.position if place is not None else None
    rows = await list_recorded(connection, WantedRecords(), before=before, limit=PAGE_ROWS + 1)
    shown, following = cut(rows, lambda row: Place(row.position))
    lines = [_line(row.event_id, {**orjson.loads(row.body), "kind": row.kind}) for row in shown]
    return Found(lines, following)


def _line(event_id: str, content: dict[str, object]) -> Line:
    occurred = content.get("occurred")
    what = heading_of(str(content["kind"]), str(content.get("subject", "")))
    when = occurred if isinstance(occurred, dict) else None
    summary = str(content.get("summary") or content.get("note") or "")
    return Line(event_id, what, str(content["coalition"]), when, summary)
