"""Finding a statement: by words of it, or among what was recorded last."""

import asyncio
from typing import NamedTuple

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.admin.guarding import pages, signed_in
from service.admin.known import list_coalitions
from service.admin.pages import render
from service.database import Connection
from service.domain.dates import END
from service.domain.telling_dates import tell_date
from service.forms.words import spaced
from service.log.read import read_events, read_size
from service.segments.query import Point, basis_at
from service.segments.search import Sought, parse_sought
from service.segments.timeline import list_statements
from service.web.asking import read_query
from service.web.serving import services

router = pages()
_MOST = 50


class AskedStatements(BaseModel):
    """What is sought."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    q: str = Field("", max_length=200)
    coalition: str = Field("", max_length=80)


class Line(NamedTuple):
    """A statement in a list."""

    event_id: str
    what: str
    when: str
    summary: str


@router.get("/admin/statements")
async def list_found(request: Request) -> Response:
    """Statements that hold all words, in the order in which they occurred; without any, the last that were recorded."""
    await signed_in(request)
    asked = read_query(request, AskedStatements)
    served = services(request)
    coalitions = await list_coalitions(served)
    coalition = asked.coalition or (coalitions[0].slug if len(coalitions) == 1 else "")
    # The names of actors are loaded when first they are needed, which takes a while.
    sought = await asyncio.to_thread(parse_sought, asked.q)
    async with served.pool.connection() as connection:
        if sought.words and coalition:
            found = await _sought(connection, coalition, sought)
        else:
            found = await _latest(connection)
    return render(
        request,
        "statements.html",
        q=asked.q,
        coalitions=coalitions,
        coalition=coalition,
        is_sought=bool(sought.words and coalition),
        found=found[:_MOST],
        more=len(found) > _MOST,
    )


async def _sought(connection: Connection, coalition: str, sought: Sought) -> list[Line]:
    point = Point(END)
    basis = await basis_at(connection, point)
    values = {"coalition": coalition, "kind": None, "country": None, "from": None, "to": None, **sought.values}
    at = {"as_of": point.as_of, "known": basis.known_position}
    found, _ = await list_statements(connection, {**values, **at}, after=None, limit=_MOST + 1)
    return [_line(one.event_id, one.content) for one in found]


async def _latest(connection: Connection) -> list[Line]:
    after = max(0, await read_size(connection) - _MOST)
    rows = await read_events(connection, after=after, limit=_MOST)
    return [_line(row.event_id, orjson.loads(row.body)) for row in reversed(rows)]


def _line(event_id: str, content: dict[str, object]) -> Line:
    occurred = content.get("occurred")
    when = tell_date(occurred["edtf"]) if isinstance(occurred, dict) else ""
    subject = content.get("subject")
    what = f"{spaced(str(content['kind'])).capitalize()}{f': {subject}' if subject else ''}"
    return Line(event_id, what, when, str(content.get("summary") or content.get("note") or ""))
