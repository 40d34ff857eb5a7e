"""Subjects: the states of a family, one subject with all its actors, and everything that was ever known of it."""

from collections.abc import Awaitable, Callable

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from service.api.answered import (
    CeasefirePage,
    CommitmentPage,
    History,
    MeetingPage,
    Page,
    PositionPage,
    SubjectAnswer,
    WarningPage,
)
from service.api.answering import AskedSubjects, continued, find_listed, find_states, page
from service.api.following import follow_family, follow_subject
from service.api.outlines import HISTORIES, STATES
from service.domain.answers import Json, shape
from service.domain.dates import render_instant
from service.domain.errors import Unknown
from service.domain.kinds import FAMILIES
from service.domain.subject import SubjectKey
from service.log.read import event_json
from service.segments.history import Rectangle, history_of
from service.segments.query import Point, Scope
from service.web.asking import Asked, basis_of, find_point, moment_of, read_query
from service.web.atom import wants_feed
from service.web.describing import documented, view
from service.web.sending import answer
from service.web.serving import Door, Services, may_read, services

router = APIRouter(tags=["subjects"], dependencies=[Depends(may_read)], route_class=Door)

LISTED: dict[str, tuple[str, type[Page]]] = {
    "pledges": ("pledge", CommitmentPage),
    "positions": ("position", PositionPage),
    "warnings": ("warning", WarningPage),
    "meetings": ("meeting", MeetingPage),
    "ceasefires": ("ceasefire", CeasefirePage),
}
"""The lists of a coalition's subjects: of which family, and what a page of them is."""


def _list_family(family: str) -> Callable[..., Awaitable[Response]]:
    async def list_subjects(request: Request, coalition: str) -> Response:
        if wants_feed(request):
            return await follow_family(request, coalition, family)
        asked = read_query(request, AskedSubjects)
        served = services(request)
        point, _ = continued(asked)
        found = await find_listed(served, asked, point, coalition, family)
        return page(request, found, asked, found.shapes(), STATES[family])

    return list_subjects


for plural, (singular, answered) in LISTED.items():
    router.add_api_route(
        f"/v1/coalitions/{{coalition}}/{plural}",
        _list_family(singular),
        methods=["GET"],
        operation_id=f"list{plural.capitalize()}",
        openapi_extra=documented(
            AskedSubjects, answers=view(answered, f"The {plural} of a coalition, by id.", paged=True), refuses=[404]
        ),
        summary=f"The {plural} of a coalition",
    )


def _known_family(family: str) -> str:
    if family not in FAMILIES:
        raise Unknown(f"There is no such family of subjects; there are {', '.join(FAMILIES)}.")
    return family


@router.get(
    "/v1/subjects/{coalition}/{family}/{slug}",
    operation_id="getSubject",
    openapi_extra=documented(
        Asked, answers=view(SubjectAnswer, "The subject, with the state of each of its actors."), refuses=[404]
    ),
)
async def get_subject(request: Request, coalition: str, family: str, slug: str) -> Response:
    """One subject with all its actors."""
    if wants_feed(request):
        return await follow_subject(request, coalition, _known_family(family), slug)
    asked = read_query(request, Asked)
    served = services(request)
    values = {"coalition": coalition, "family": _known_family(family), "slug": slug}
    every = await find_states(served, asked, Scope.SUBJECT_AND_CEASEFIRES, values)
    found = every.only(lambda key: (key.family, key.slug) == (family, slug))
    content: Json = {
        "id": f"{coalition}/{family}/{slug}",
        "items": found.shapes(),
        "basis": basis_of(request, found.basis, found.moment),
        "possible": found.possible(),
    }
    return answer(request, content, STATES[family])


@router.get(
    "/v1/subjects/{coalition}/{family}/{slug}/history",
    operation_id="getSubjectHistory",
    openapi_extra=documented(
        Asked, answers=view(History, "Its events, and its states with all four bounds."), refuses=[404]
    ),
)
async def get_history(request: Request, coalition: str, family: str, slug: str) -> Response:
    """Every statement, correction and state of a subject, on both axes, as far as known at the position asked about."""
    if wants_feed(request):
        return await follow_subject(request, coalition, _known_family(family), slug)
    asked = read_query(request, Asked)
    served = services(request)
    async with served.pool.connection() as connection:
        point = await find_point(asked, connection, served.clock())
        basis, events, rectangles = await history_of(
            connection, point, SubjectKey(coalition, _known_family(family), slug, "")
        )
    moment = moment_of(served, basis.as_of)
    if not events:
        raise Unknown("Nothing is recorded about this subject.")
    content: Json = {
        "id": f"{coalition}/{family}/{slug}",
        "events": [event_json(event) for event in events],
        "states": [_rectangle(one, point, served) for one in rectangles],
        "basis": basis_of(request, basis, moment),
    }
    return answer(request, content, HISTORIES[family])


def _rectangle(one: Rectangle, point: Point, served: Services) -> Json:
    """A state, and the bounds between which it held and was known; null bounds are open."""
    moment = moment_of(served, min(one.valid_from, point.as_of))
    state = None if one.state is None else orjson.loads(one.state)
    causes = orjson.loads(one.causes)
    return {
        "subject": str(one.key),
        "valid_from": render_instant(one.valid_from),
        "valid_to": None if one.valid_to is None else render_instant(one.valid_to),
        "known_from": one.known_from,
        "known_to": one.known_to,
        "state": None if state is None else shape(one.key, state, causes, orjson.loads(one.rivals), moment),
        "possible": orjson.loads(one.possible),
    }
