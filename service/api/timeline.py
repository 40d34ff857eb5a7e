"""What was said when, and what changed between two points on both axes."""

from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from pydantic import Field, JsonValue
from starlette.responses import Response

from service.api.answered import Changes as ChangesAnswer
from service.api.answered import TimelinePage
from service.api.answering import (
    FIRST_PAGE,
    AskedPage,
    Count,
    Cursor,
    Limit,
    Words,
    check_coalition,
    continued,
    cut,
    known_actor,
    known_kind,
    parse_cursor,
    sought_in,
)
from service.api.following import AskedFeed, follow_coalition
from service.api.outlines import CHANGES, TIMELINE
from service.database import Connection
from service.domain.actors import NAMED
from service.domain.answers import Json
from service.domain.changes import Difference
from service.domain.dates import parse_as_of, parse_edtf, parse_instant, render_instant
from service.domain.errors import Fault, Invalid
from service.domain.kinds import NAMES
from service.segments.query import Basis, Point, basis_at, resolve_known_at
from service.segments.timeline import Told, count_statements, list_changes, list_statements
from service.web.asking import (
    INSTANT,
    LAST,
    MOMENT,
    AskedView,
    basis_of,
    find_point,
    moment_of,
    parse_parameter,
    read_query,
)
from service.web.atom import wants_feed
from service.web.callers import may_read
from service.web.describing import NEXT_PAGE, documented, view
from service.web.formats import address_of
from service.web.sending import answer, kept_for_ever, most_rows, next_page, page_size
from service.web.serving import Door, services

router = APIRouter(tags=["timeline"], dependencies=[Depends(may_read)], route_class=Door)


_DATE: dict[str, JsonValue] = {"format": "edtf"}


class AskedTimeline(AskedPage):
    """The filters of a timeline."""

    kind: str | None = Field(
        None, max_length=40, description="a kind, or a family of kinds such as pledge", json_schema_extra=NAMES
    )
    country: str | None = Field(None, max_length=100, description="code or name of an actor", json_schema_extra=NAMED)
    from_: str | None = Field(None, alias="from", description="occurred on or after", json_schema_extra=_DATE)
    to: str | None = Field(None, description="occurred on or before", json_schema_extra=_DATE)
    q: Words = None


@router.get(
    "/v1/coalitions/{coalition}/timeline",
    operation_id="getTimeline",
    openapi_extra=documented(
        AskedTimeline,
        answers=view(
            TimelinePage,
            "Statements, in the order in which they occurred.",
            paged=True,
            links={
                "getEvent": {"event_id": "$response.body#/items/0/event_id"},
                "getTimeline": {"coalition": "$request.path.coalition", **NEXT_PAGE},
            },
        ),
        refuses=[404],
    ),
)
async def get_timeline(request: Request, coalition: str) -> Response:
    """Statements in the order in which they occurred; those that may have occurred by then stand apart."""
    if wants_feed(request, AskedTimeline, AskedFeed):
        return await follow_coalition(request, coalition)
    asked = read_query(request, AskedTimeline)
    served = services(request)
    pinned, cursor = continued(asked, (str, int))
    first = parse_parameter("from", asked.from_, parse_edtf).earliest if asked.from_ else None
    final = parse_parameter("to", asked.to, parse_edtf).latest if asked.to else None
    if first and final and first > final:
        raise _turned_round("to")
    filters = {
        "coalition": coalition,
        "kind": known_kind(asked.kind),
        "country": known_actor(asked.country),
        "from": first,
        "to": final,
        **(await sought_in(asked.q)).values,
    }
    last = (parse_parameter("after", cursor.last[0], parse_instant), cursor.last[1]) if cursor else None
    async with served.pool.connection() as connection:
        point = await find_point(pinned, connection, served.clock())
        basis = await basis_at(connection, point)
        values = {**filters, "as_of": point.as_of, "known": basis.known_position}
        found, possible = await list_statements(
            connection, values, after=last, limit=most_rows(request, asked.limit + 1)
        )
        total = {"total": await count_statements(connection, values)} if asked.count else {}
        if not found and not possible:
            await check_coalition(connection, coalition, basis.known_position)
    shown, more = cut(found, page_size(request, asked.limit))
    after = Cursor((basis.point,), [render_instant(shown[-1].latest), shown[-1].position]).render() if more else None
    content = {
        "items": [_told(one) for one in shown],
        "next": after,
        **total,
        "basis": basis_of(request, basis, moment_of(served, basis.as_of)),
        "possible": [_told(one) for one in possible],
    }
    return answer(request, content, TIMELINE, headers=next_page(request, after))


def _turned_round(name: str) -> Invalid:
    detail = "The interval is turned round: its end lies before its start."
    return Invalid(detail, Fault(f"/query/{name}", "turned_round", detail))


def _told(one: Told) -> Json:
    return {
        "event_id": one.event_id,
        "position": one.position,
        "recorded_at": render_instant(one.recorded_at),
        "corrected": one.notes.get("corrected", False),
        "disputed": any(part["open"] for part in one.notes.get("disputes", {}).values()),
        **one.content,
    }


class AskedChanges(AskedView):
    """Two points on both axes, and which page of the difference."""

    from_: str | None = Field(
        None, alias="from", description="the earlier moment of valid time; required on the first page",
        json_schema_extra=MOMENT,
    )  # fmt: skip
    to: str | None = Field(
        None, description="the later moment of valid time; required on the first page", json_schema_extra=MOMENT
    )
    from_known_at: str | None = Field(None, json_schema_extra=INSTANT)
    from_known_position: int | None = Field(None, ge=0, le=2**62)
    from_position: int | None = Field(None, ge=0, le=2**62, description="short for from_known_position")
    to_known_at: str | None = Field(None, json_schema_extra=INSTANT)
    to_known_position: int | None = Field(None, ge=0, le=2**62)
    to_position: int | None = Field(None, ge=0, le=2**62, description="short for to_known_position")
    limit: Limit = FIRST_PAGE
    after: str | None = Field(None, max_length=1000, description="`next` of the page before: it pins both points")
    count: Count = False

    @property
    def is_pinned(self) -> bool:
        """Whether both ends name a position, or a cursor does, so that the difference can never change."""
        ends = ((self.from_known_position, self.from_position), (self.to_known_position, self.to_position))
        return self.after is not None or all(any(position is not None for position in end) for end in ends)


_ENDS = frozenset(
    f"{end}{axis}" for end in ("from", "to") for axis in ("", "_known_at", "_known_position", "_position")
)
"""The parameters that name the two points: a cursor says both already."""


@router.get(
    "/v1/coalitions/{coalition}/changes",
    operation_id="getChanges",
    openapi_extra=documented(
        AskedChanges,
        answers=view(
            ChangesAnswer,
            "One row for each subject that differs, and for each reason.",
            paged=True,
            links={
                "getEvent": {"event_id": "$response.body#/items/0/causes/0/event_id"},
                "getChanges": {"coalition": "$request.path.coalition", **NEXT_PAGE},
            },
        ),
        refuses=[404],
    ),
)
async def get_changes(request: Request, coalition: str) -> Response:
    """What differs between two points: what moved, and what we learned, each with the events that caused it.

    Where neither end names what was known, both are as known now; where only one does, the other is the head.
    """
    if wants_feed(request, AskedChanges, AskedFeed):
        return await follow_coalition(request, coalition)
    asked = read_query(request, AskedChanges)
    served = services(request)
    cursor = _continued_difference(request, asked)
    async with served.pool.connection() as connection:
        start, end = cursor.points if cursor else await _find_ends(asked, connection)
        assert end.known_position is not None
        await check_coalition(connection, coalition, end.known_position)
        stale = served.settings.stale_after_days
        found = await list_changes(connection, coalition, start, end, stale_after_days=stale)
    last = cursor.last if cursor else ["", ""]
    rest = [one for one in found.rows if [str(one.key), one.because] > last]
    shown, more = cut(rest, page_size(request, asked.limit))
    after = Cursor((start, end), [str(shown[-1].key), shown[-1].because]).render() if more else None
    address = _address(request, found.start, found.end)
    return answer(
        request,
        {
            "items": [_difference(one) for one in shown],
            "next": after,
            **({"total": len(found.rows)} if asked.count else {}),
            "from": basis_of(request, found.start, moment_of(served, start.as_of)) | {"url": address},
            "to": basis_of(request, found.end, moment_of(served, end.as_of)) | {"url": address},
        },
        CHANGES,
        headers={
            **next_page(request, after, point=_ENDS),
            **({"Cache-Control": kept_for_ever(served)} if asked.is_pinned else {}),
        },
    )


def _continued_difference(request: Request, asked: AskedChanges) -> Cursor | None:
    """The cursor that pins both points; raises `Invalid` where the request names them too."""
    if asked.after is None:
        return None
    if not _ENDS.isdisjoint(request.query_params):
        detail = "The cursor already says between which points its pages are; leave from… and to… out."
        raise Invalid(detail, Fault("/query/after", "ambiguous", detail))
    return parse_cursor(asked.after, (str, str), points=2)


async def _find_ends(asked: AskedChanges, connection: Connection) -> tuple[Point, Point]:
    """The two points that the parameters name; raises `Invalid` with a pointer to what is missing or wrong."""
    start_at, end_at = _moment("from", asked.from_), _moment("to", asked.to)
    if start_at > end_at:
        raise _turned_round("to")
    head = await basis_at(connection, Point(end_at))
    positions = []
    for name, at, first, second in (
        ("from", asked.from_known_at, asked.from_known_position, asked.from_position),
        ("to", asked.to_known_at, asked.to_known_position, asked.to_position),
    ):
        given = [one for one in (at, first, second) if one is not None]
        if len(given) > 1:
            detail = f"Give one of {name}_known_at, {name}_known_position and {name}_position."
            raise Invalid(detail, Fault(f"/query/{name}_known_at", "ambiguous", detail))
        if at is not None:
            instant = parse_parameter(f"{name}_known_at", at, parse_instant)
            positions.append(await resolve_known_at(connection, instant))
        else:
            positions.append(given[0] if given else head.known_position)  # type: ignore[arg-type]  # no text left
    if positions[0] > positions[1]:
        raise _turned_round("to_known_position")
    return Point(start_at, positions[0]), Point(end_at, positions[1])


def _moment(name: str, given: str | None) -> datetime:
    if given is None:
        detail = f"Say between which moments: {name} is missing."
        raise Invalid(detail, Fault(f"/query/{name}", "missing", detail))
    return min(parse_parameter(name, given, parse_as_of), LAST)


def _address(request: Request, start: Basis, end: Basis) -> str:
    """The address of exactly this page of a difference."""
    pinned = {
        "from": render_instant(start.as_of),
        "from_known_position": start.known_position,
        "to": render_instant(end.as_of),
        "to_known_position": end.known_position,
    }
    if "after" in request.query_params:
        pinned = {}
    kept = sorted((name, value) for name, value in request.query_params.multi_items() if name not in _ENDS)
    return f"{address_of(request.scope)}?{urlencode([*pinned.items(), *kept])}"


def _difference(one: Difference) -> Json:
    return {
        "subject": str(one.key),
        "because": one.because,
        "before": one.before,
        "after": one.after,
        "causes": one.causes,
    }
