"""Who has promised what: one country's commitments, and all of a coalition's."""

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from service.api.answered import CommitmentPage, CountryAnswer
from service.api.answering import AskedSubjects, continued, find_listed, find_states, known_actor, page
from service.api.following import AskedCommitmentFeed, AskedCountryFeed, follow_country, follow_family
from service.api.outlines import COUNTRY, STATES
from service.api.past import TIMEMAP_ANSWERS, AskedTimeMap, answer_timemap, find_past
from service.domain.actors import NAMED, is_country, name_of, parse_actor
from service.domain.answers import Json
from service.domain.errors import Unknown
from service.domain.pledge import LADDER, Category, CommitmentStatus, Firmness
from service.domain.statement import Slug
from service.segments.mementos import PageWithPast
from service.segments.query import Scope
from service.web.asking import Asked, basis_of, read_query
from service.web.atom import wants_feed
from service.web.callers import may_read
from service.web.describing import NEXT_PAGE, documented, led, page_with_past, view
from service.web.mementos import past_of
from service.web.sending import answer, lead
from service.web.serving import Door, services

router = APIRouter(tags=["commitments"], dependencies=[Depends(may_read)], route_class=Door)


class AskedCountry(Asked):
    """The parameters of a country's answer."""

    coalition: Slug | None = Field(None, description="one coalition; default all")


class AskedCommitments(AskedSubjects):
    """The filters of a coalition's commitments."""

    country: str | None = Field(None, max_length=100, description="code or name of an actor", json_schema_extra=NAMED)
    category: Category | None = None
    firmness: Firmness | None = None
    min_firmness: Firmness | None = Field(None, description="this rung of the ladder or a higher one")
    status: CommitmentStatus | None = None
    stale: bool | None = None


MOVED = led("The country goes by a code; the answer is under it.")


@router.get(
    "/v1/countries/{code}/commitments",
    operation_id="getCountryCommitments",
    openapi_extra=documented(
        AskedCountry,
        headers=["Accept-Datetime"],
        answers={
            **page_with_past(
                CountryAnswer,
                "The country's roles, stances and commitments.",
                links={
                    "getSubject": {
                        "coalition": "$response.body#/commitments/0/coalition",
                        "family": "pledge",
                        "slug": "$response.body#/commitments/0/subject",
                    },
                    "getEvent": {"event_id": "$response.body#/commitments/0/statements/0/event_id"},
                    "listCountryMementos": {"code": "$request.path.code"},
                },
            ),
            308: MOVED,
        },
        refuses=[404],
    ),
)
async def get_country_commitments(request: Request, code: str) -> Response:
    """One country's commitments in every coalition, with its role and its stances."""
    country = _country(code)
    if country != code:
        return _redirect(request, code, country)
    if wants_feed(request, AskedCountry, AskedCountryFeed):
        return await follow_country(request, country)
    asked = read_query(request, AskedCountry)
    served = services(request)
    values = {"actor": country, "coalition": asked.coalition}
    past = await find_past(request, served, asked, _page_of(asked.coalition), values)
    if past is not None:
        return past
    scope = Scope.COUNTRY if asked.coalition is None else Scope.COUNTRY_IN_COALITION
    found = await find_states(served, asked, scope, values)
    own = [row for row in found.rows if row.key.actor == country]
    shapes = [
        (row.key.family, one) for row, one in zip((r for r in found.rows if r.state), found.shapes(), strict=True)
    ]
    roles = {row.key.coalition: row.state["role"] for row in own if row.key.family == "membership" and row.state}
    content: Json = {
        "country": {"code": country, "name": name_of(country)},
        "roles": {coalition: role for coalition, role in sorted(roles.items()) if role not in (None, "none")},
        "stances": [one for family, one in shapes if family == "position"],
        "commitments": [one for family, one in shapes if family == "pledge"],
        "basis": basis_of(request, found.basis, found.moment),
        "possible": [one for one in found.possible() if str(one["subject"]).endswith(f"/{country}")],
    }
    return answer(request, content, COUNTRY, headers=past_of(request, found.basis.known_at))


class AskedCountryTimeMap(AskedTimeMap):
    """The parameters of a country's list of mementos."""

    coalition: Slug | None = Field(None, description="one coalition; default all")


@router.get(
    "/v1/countries/{code}/commitments/timemap",
    operation_id="listCountryMementos",
    openapi_extra=documented(AskedCountryTimeMap, answers={**TIMEMAP_ANSWERS, 308: MOVED}, refuses=[404]),
)
async def list_country_mementos(request: Request, code: str) -> Response:
    """The mementos of a country's commitments: when something in them changed (a TimeMap, RFC 7089)."""
    asked = read_query(request, AskedCountryTimeMap)
    country = _country(code)
    if country != code:
        return _redirect(request, code, country)
    values = {"actor": country, "coalition": asked.coalition}
    return await answer_timemap(request, services(request), asked, _page_of(asked.coalition), values)


def _page_of(coalition: str | None) -> PageWithPast:
    return PageWithPast.COUNTRY if coalition is None else PageWithPast.COUNTRY_IN_COALITION


def _redirect(request: Request, code: str, country: str) -> Response:
    """The way to the same page under the country's code."""
    address = request.url.path.replace(f"/{code}/", f"/{country}/")
    if "suffix" in request.scope:
        address += f".{request.scope['suffix']}"
    query = f"?{request.url.query}" if request.url.query else ""
    detail = f"A country is asked for by its code, which is {country} here."
    return lead(address + query, HTTPStatus.PERMANENT_REDIRECT, detail)


def _country(code: str) -> str:
    try:
        actor = parse_actor(code)
    except ValueError as error:
        raise Unknown(str(error)) from error
    if not is_country(actor):
        raise Unknown("This is no country; GET /v1/coalitions/{coalition}/commitments?country= takes others, too.")
    return actor


@router.get(
    "/v1/coalitions/{coalition}/commitments",
    operation_id="listCommitments",
    openapi_extra=documented(
        AskedCommitments,
        answers=view(
            CommitmentPage,
            "Commitments, by id.",
            paged=True,
            links={
                "getSubject": {
                    "coalition": "$response.body#/items/0/coalition",
                    "family": "pledge",
                    "slug": "$response.body#/items/0/subject",
                },
                "getEvent": {"event_id": "$response.body#/items/0/statements/0/event_id"},
                "listCommitments": {"coalition": "$request.path.coalition", **NEXT_PAGE},
            },
        ),
        refuses=[404],
    ),
)
async def list_commitments(request: Request, coalition: str) -> Response:
    """All commitments within a coalition, filtered."""
    if wants_feed(request, AskedCommitments, AskedCommitmentFeed):
        return await follow_family(request, coalition, "pledge")
    asked = read_query(request, AskedCommitments)
    served = services(request)
    point, _ = continued(asked)
    found = await find_listed(served, asked, point, coalition, "pledge", actor=known_actor(asked.country))
    rungs = LADDER[asked.min_firmness.rung :] if asked.min_firmness else LADDER
    items = [
        one
        for one in found.shapes()
        if (asked.category is None or one["category"] == asked.category)
        and (asked.firmness is None or one["firmness"] == asked.firmness)
        and (asked.min_firmness is None or one["firmness"] in rungs)
        and (asked.status is None or one["status"] == asked.status)
        and (asked.stale is None or one["stale"] == asked.stale)
    ]
    return page(request, found, asked, items, STATES["pledge"])
