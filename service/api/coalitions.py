"""Coalitions: which there are, and where each stands."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from service.api.answered import CoalitionAnswer, CoalitionPage, Status
from service.api.answering import AskedPage, Found, continued, find_states, page
from service.api.following import AskedFeed, follow_coalition, follow_coalitions
from service.api.outlines import COALITION, COALITIONS, STATUS
from service.api.past import TIMEMAP_ANSWERS, AskedTimeMap, answer_timemap, find_past
from service.domain.answers import Json
from service.domain.dates import render_instant
from service.domain.errors import Unknown
from service.domain.status import status
from service.segments.mementos import PageWithPast
from service.segments.query import References, Scope, Span, spans_at
from service.web.asking import Asked, basis_of, read_query
from service.web.atom import wants_feed
from service.web.callers import may_read
from service.web.describing import NEXT_PAGE, documented, page_with_past, view
from service.web.mementos import past_of
from service.web.sending import answer
from service.web.serving import Door, Services, services

router = APIRouter(tags=["coalitions"], dependencies=[Depends(may_read)], route_class=Door)


@router.get(
    "/v1/coalitions",
    operation_id="listCoalitions",
    openapi_extra=documented(
        AskedPage,
        answers=view(
            CoalitionPage,
            "Coalitions, by slug.",
            paged=True,
            links={
                "getCoalition": {"coalition": "$response.body#/items/0/slug"},
                "getCoalitionStatus": {"coalition": "$response.body#/items/0/slug"},
                "listCoalitions": NEXT_PAGE,
            },
        ),
    ),
)
async def list_coalitions(request: Request) -> Response:
    """The coalitions, with their aliases, their forces, and their first and last statement."""
    if wants_feed(request, AskedPage, AskedFeed):
        return await follow_coalitions(request)
    asked = read_query(request, AskedPage)
    served = services(request)
    point, _ = continued(asked)
    found = await find_states(served, point, Scope.REGISTRATIONS, {}, references=References.NONE)
    return page(request, found, asked, await _with_spans(served, found, None), COALITIONS, key="slug")


_WITHIN = {
    operation: {"coalition": "$response.body#/slug"}
    for operation in (
        *("getCoalitionStatus", "listCommitments", "listPledges", "listPositions", "listWarnings", "listMeetings"),
        *("listCeasefires", "getTimeline"),
    )
}


@router.get(
    "/v1/coalitions/{coalition}",
    operation_id="getCoalition",
    openapi_extra=documented(
        Asked,
        answers=view(CoalitionAnswer, "The coalition.", links=_WITHIN),
        refuses=[404],
    ),
)
async def get_coalition(request: Request, coalition: str) -> Response:
    """One coalition, with its aliases, its force, and its first and last statement."""
    if wants_feed(request, Asked, AskedFeed):
        return await follow_coalition(request, coalition)
    asked = read_query(request, Asked)
    served = services(request)
    values = {"coalition": coalition, "family": "coalition", "slug": "registration"}
    found = await find_states(served, asked, Scope.SUBJECT, values, references=References.NONE)
    items = await _with_spans(served, found, coalition)
    if not items:
        raise Unknown("This coalition was not yet registered then.")
    content = {**items[0], "basis": basis_of(request, found.basis, found.moment)}
    return answer(request, content, COALITION)


async def _with_spans(served: Services, found: Found, coalition: str | None) -> list[Json]:
    async with served.pool.connection() as connection:
        spans = await spans_at(connection, found.basis, coalition)
    return [_coalition(row.key.coalition, row.state, spans.get(row.key.coalition)) for row in found.rows if row.state]


def _coalition(slug: str, state: Json, span: Span | None) -> Json:
    return {
        "slug": slug,
        "name": state["name"],
        "aliases": state["aliases"],
        "force": state["force"],
        "first_event": render_instant(span.first) if span else None,
        "last_event": render_instant(span.last) if span else None,
        "statement_count": span.count if span else 0,
    }


@router.get(
    "/v1/coalitions/{coalition}/status",
    operation_id="getCoalitionStatus",
    openapi_extra=documented(
        Asked,
        headers=["Accept-Datetime"],
        answers=page_with_past(
            Status,
            "Where the coalition stands.",
            links={
                "getCountryCommitments": {"code": "$response.body#/leads/0"},
                "listStatusMementos": {"coalition": "$request.path.coalition"},
            },
        ),
        refuses=[404],
    ),
)
async def get_status(request: Request, coalition: str) -> Response:
    """Where the coalition stands: phase, members, stances, commitments, ceasefires, meetings, warnings."""
    if wants_feed(request, Asked, AskedFeed):
        return await follow_coalition(request, coalition)
    asked = read_query(request, Asked)
    served = services(request)
    values = {"coalition": coalition}
    past = await find_past(request, served, asked, PageWithPast.COALITION, values)
    if past is not None:
        return past
    found = await find_states(served, asked, Scope.COALITION, values, references=References.LISTED_WHOLE)
    subjects = [(row.key, row.state, row.references, row.rivals) for row in found.rows if row.state is not None]
    content = {
        **status(subjects, found.moment, coalition),
        "basis": basis_of(request, found.basis, found.moment),
        "possible": found.possible(),
    }
    return answer(request, content, STATUS, headers=past_of(request, found.basis.known_at))


@router.get(
    "/v1/coalitions/{coalition}/status/timemap",
    operation_id="listStatusMementos",
    openapi_extra=documented(AskedTimeMap, answers=TIMEMAP_ANSWERS, refuses=[404]),
)
async def list_status_mementos(request: Request, coalition: str) -> Response:
    """The mementos of a coalition's status: when something in it changed (a TimeMap, RFC 7089)."""
    asked = read_query(request, AskedTimeMap)
    return await answer_timemap(request, services(request), asked, PageWithPast.COALITION, {"coalition": coalition})
