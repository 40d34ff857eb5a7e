"""Coalitions: which there are, and where each stands."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from service.api.answering import Found, find_states
from service.domain.answers import Json
from service.domain.dates import render_instant
from service.domain.errors import Unknown
from service.domain.status import status
from service.segments.query import References, Scope, Span, spans_at
from service.web.asking import Asked, answer, basis_of, documented, read_query
from service.web.serving import Door, Services, may_read, services

router = APIRouter(tags=["coalitions"], dependencies=[Depends(may_read)], route_class=Door)


@router.get("/v1/coalitions", operation_id="listCoalitions", openapi_extra=documented(Asked))
async def list_coalitions(request: Request) -> Response:
    """The coalitions, with their aliases, their forces, and their first and last statement."""
    asked = read_query(request, Asked)
    served = services(request)
    found = await find_states(served, asked, Scope.REGISTRATIONS, {}, references=References.NONE)
    items = await _with_spans(served, found, None)
    return answer(request, {"items": items, "next": None, "basis": basis_of(request, found.basis, found.moment)})


@router.get("/v1/coalitions/{coalition}", operation_id="getCoalition", openapi_extra=documented(Asked))
async def get_coalition(request: Request, coalition: str) -> Response:
    """One coalition, with its aliases, its force, and its first and last statement."""
    asked = read_query(request, Asked)
    served = services(request)
    values = {"coalition": coalition, "family": "coalition", "slug": "registration"}
    found = await find_states(served, asked, Scope.SUBJECT, values, references=References.NONE)
    items = await _with_spans(served, found, coalition)
    if not items:
        raise Unknown("This coalition was not yet registered then.")
    return answer(request, {**items[0], "basis": basis_of(request, found.basis, found.moment)})


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


@router.get("/v1/coalitions/{coalition}/status", operation_id="getCoalitionStatus", openapi_extra=documented(Asked))
async def get_status(request: Request, coalition: str) -> Response:
    """Where the coalition stands: phase, members, stances, commitments, ceasefires, meetings, warnings."""
    asked = read_query(request, Asked)
    served = services(request)
    found = await find_states(
        served, asked, Scope.COALITION, {"coalition": coalition}, references=References.LISTED_WHOLE
    )
    subjects = [(row.key, row.state, row.references, row.rivals) for row in found.rows if row.state is not None]
    return answer(
        request,
        {
            **status(subjects, found.moment, coalition),
            "basis": basis_of(request, found.basis, found.moment),
            "possible": found.possible(),
        },
    )
