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
from service.api.answering import (
    AskedPage,
    AskedSubjects,
    Cursor,
    check_subject,
    continued,
    cut,
    find_listed,
    find_states,
    page,
)
from service.api.following import AskedFeed, follow_family, follow_subject
from service.api.outlines import HISTORIES, STATES
from service.domain.answers import Json, shape
from service.domain.dates import render_instant
from service.domain.errors import Unknown
from service.domain.kinds import FAMILIES
from service.domain.subject import SubjectKey
from service.log.read import event_json
from service.segments.history import Rectangle, count_events_of, list_events_of, list_states_of
from service.segments.query import Scope, basis_at
from service.web.asking import Asked, basis_of, find_point, moment_of, read_query
from service.web.atom import wants_feed
from service.web.callers import may_read
from service.web.describing import NEXT_PAGE, documented, view
from service.web.sending import answer, most_rows, next_page, page_size
from service.web.serving import Door, Services, services

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
        if wants_feed(request, AskedSubjects, AskedFeed):
            return await follow_family(request, coalition, family)
        asked = read_query(request, AskedSubjects)
        served = services(request)
        point, _ = continued(asked)
        found = await find_listed(served, asked, point, coalition, family)
        return page(request, found, asked, found.shapes(), STATES[family])

    return list_subjects


_IN_PATH = {"coalition": "$request.path.coalition"}
_THIS_SUBJECT = {name: f"$request.path.{name}" for name in ("coalition", "family", "slug")}
_FIRST_STATEMENT = {"event_id": "$response.body#/items/0/statements/0/event_id"}

for plural, (singular, answered) in LISTED.items():
    router.add_api_route(
        f"/v1/coalitions/{{coalition}}/{plural}",
        _list_family(singular),
        methods=["GET"],
        operation_id=f"list{plural.capitalize()}",
        openapi_extra=documented(
            AskedSubjects,
            answers=view(
                answered,
                f"The {plural} of a coalition, by id.",
                paged=True,
                links={
                    "getSubject": {**_IN_PATH, "family": singular, "slug": "$response.body#/items/0/subject"},
                    "getEvent": _FIRST_STATEMENT,
                    f"list{plural.capitalize()}": {**_IN_PATH, **NEXT_PAGE},
                },
            ),
            refuses=[404],
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
        Asked,
        answers=view(
            SubjectAnswer,
            "The subject, with the state of each of its actors.",
            links={
                "getSubjectHistory": _THIS_SUBJECT,
                "getEvent": _FIRST_STATEMENT,
            },
        ),
        refuses=[404],
    ),
)
async def get_subject(request: Request, coalition: str, family: str, slug: str) -> Response:
    """One subject with all its actors."""
    if wants_feed(request, Asked, AskedFeed):
        return await follow_subject(request, coalition, _known_family(family), slug)
    asked = read_query(request, Asked)
    served = services(request)
    values = {"coalition": coalition, "family": _known_family(family), "slug": slug}
    every = await find_states(served, asked, Scope.SUBJECT_AND_CEASEFIRES, values)
    found = every.only(lambda key: (key.family, key.slug) == (family, slug))
    if not found.rows:
        async with served.pool.connection() as connection:
            await check_subject(connection, SubjectKey(coalition, family, slug, ""), found.basis.known_position)
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
        AskedPage,
        answers=view(
            History,
            "Its events, and its states with all four bounds.",
            paged=True,
            links={
                "getEvent": {"event_id": "$response.body#/events/0/event_id"},
                "getSubjectHistory": {**_THIS_SUBJECT, **NEXT_PAGE},
            },
        ),
        refuses=[404],
    ),
)
async def get_history(request: Request, coalition: str, family: str, slug: str) -> Response:
    """Every statement, correction and state of a subject, on both axes, as far as known at the position asked about.

    A page has the next of both lists; each goes on until it ends.
    """
    if wants_feed(request, AskedPage, AskedFeed):
        return await follow_subject(request, coalition, _known_family(family), slug)
    asked = read_query(request, AskedPage)
    served = services(request)
    key = SubjectKey(coalition, _known_family(family), slug, "")
    pinned, cursor = continued(asked, (int, str, int, str))
    told, *place = cursor.last if cursor else (0, "", 0, "")
    limit, most = page_size(request, asked.limit), most_rows(request, asked.limit + 1)
    async with served.pool.connection() as connection:
        point = await find_point(pinned, connection, served.clock())
        basis = await basis_at(connection, point)
        await check_subject(connection, key, basis.known_position)
        found = await list_events_of(connection, basis, key, after=told, limit=most)
        total = await count_events_of(connection, basis, key) if asked.count else 0
        every = await list_states_of(connection, basis, key)
    events, more_events = cut(found, limit)
    states, more_states = cut([one for one in every if _place(one) > tuple(place)], limit)
    last = [events[-1].position if events else told, *(_place(states[-1]) if states else place)]
    after = Cursor((basis.point,), last).render() if more_events or more_states else None
    content: Json = {
        "id": f"{coalition}/{family}/{slug}",
        "events": [event_json(event) for event in events],
        "states": [_rectangle(one, served) for one in states],
        "next": after,
        **({"total": {"events": total, "states": len(every)}} if asked.count else {}),
        "basis": basis_of(request, basis, moment_of(served, basis.as_of)),
    }
    return answer(request, content, HISTORIES[family], headers=next_page(request, after))


def _place(one: Rectangle) -> tuple[str, int, str]:
    """Where a page ends, as a cursor has it."""
    actor, known_from, valid_from = one.place
    return actor, known_from, render_instant(valid_from)


def _rectangle(one: Rectangle, served: Services) -> Json:
    """A state, and the bounds between which it held and was known; null bounds are open."""
    moment = moment_of(served, one.valid_from)
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
