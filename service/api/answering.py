"""What every computed answer shares: the point asked about, the rows behind it, what may also hold, and pages."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Request
from pydantic import AfterValidator, Field
from starlette.responses import Response

from service.database import Connection
from service.domain.actors import parse_actor
from service.domain.answers import Json, Moment, in_force, may_be, shape
from service.domain.dates import parse_instant, render_instant
from service.domain.errors import Fault, Invalid, Unknown
from service.domain.kinds import parse_kind
from service.domain.record import is_event_id
from service.domain.statement import PRINTABLE, check_printable
from service.domain.subject import SubjectKey
from service.segments.effective import NOT_REGISTERED
from service.segments.query import Basis, Point, References, Scope, StateRow, is_known_of, is_registered, states_at
from service.segments.search import Sought, find_positions, parse_sought
from service.web.asking import Asked, AskedView, basis_of, find_point, moment_of, parse_parameter
from service.web.fields import Outline
from service.web.sending import PRIVATE, answer, most_rows, next_page, page_size
from service.web.serving import Services

FIRST_PAGE = 50
LONGEST_PAGE = 500
NO_SUBJECT = "Nothing is recorded about this subject, as far as known at the position asked about."
Limit = Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="how many items at most")]
Count = Annotated[bool, Field(description="whether to say in `total` how many items there are on all pages")]
Row = TypeVar("Row")


class AskedPage(Asked):
    """The parameters of a list: a point on both axes, and which page."""

    limit: Limit = FIRST_PAGE
    after: str | None = Field(
        None, max_length=1000, description="`next` of the page before: it pins the point asked about"
    )
    count: Count = False


class AskedKept(AskedView):
    """The parameters of a list of what is kept beside the log: which page."""

    limit: Limit = FIRST_PAGE
    after: str | None = Field(None, max_length=100, description="`next` of the page before")
    count: Count = False


@dataclass(frozen=True, slots=True)
class Found:
    """The subjects in scope at a point."""

    basis: Basis
    rows: list[StateRow]
    moment: Moment

    def only(self, keep: Callable[[SubjectKey], bool]) -> "Found":
        """Some of the subjects; what holds across subjects stays as it was found."""
        return replace(self, rows=[row for row in self.rows if keep(row.key)])

    def told_in(self, positions: Collection[int]) -> "Found":
        """What some statements are behind, and what they may make of it."""
        told = [
            row._replace(
                state=row.state if any(one["position"] in positions for one in row.references) else None,
                possible=[one for one in row.possible if one["position"] in positions],
            )
            for row in self.rows
        ]
        return replace(self, rows=told)

    def shapes(self) -> list[Json]:
        """Each subject that has a state, in its family's shape."""
        return [
            shape(row.key, row.state, row.references, row.rivals, self.moment)
            for row in self.rows
            if row.state is not None
        ]

    def possible(self) -> list[Json]:
        """What may also hold by then: statements whose date leaves it open."""
        return [may_be(row.key, one, self.moment) for row in self.rows for one in row.possible]


async def find_states(
    served: Services, asked: Asked, scope: Scope, values: Mapping[str, Any], *, references: References = References.ALL
) -> Found:
    """The subjects in scope at the point asked about, in one round trip where the point is given as a position."""
    async with served.pool.connection() as connection:
        point = await find_point(asked, connection, served.clock())
        return await _found(served, connection, point, scope, values, references=references)


async def _found(
    served: Services,
    connection: Connection,
    point: Point,
    scope: Scope,
    values: Mapping[str, Any],
    *,
    references: References,
) -> Found:
    basis, rows = await states_at(connection, point, scope, values, references=references)
    if not rows and values.get("coalition") is not None:
        await check_coalition(connection, values["coalition"], basis.known_position)
    moment = moment_of(served, point.as_of, in_force((row.key, row.state) for row in rows))
    return Found(basis, rows, moment)


async def check_subject(connection: Connection, key: SubjectKey, known_position: int) -> None:
    """Raises `Unknown` where nothing had been recorded about a subject by a position, of whatever moment."""
    await check_coalition(connection, key.coalition, known_position)
    if not await is_known_of(connection, key, known_position):
        raise Unknown(NO_SUBJECT)


async def check_coalition(connection: Connection, slug: str, known_position: int) -> None:
    """Raises `Unknown` where no coalition had been registered under the slug by a position."""
    if not await is_registered(connection, slug, known_position):
        raise Unknown(NOT_REGISTERED)


Words = Annotated[
    Annotated[str, AfterValidator(check_printable)] | None,
    Field(
        max_length=200,
        json_schema_extra={"pattern": rf"^{PRINTABLE}$"},
        description="words, all of which are in what was stated (summary, quote, who speaks, titles and other texts), "
        "whatever their case and accents, or in the name of an actor of it, in any language",
    ),
]


async def sought_in(q: str | None) -> Sought:
    """What a text seeks. The names of actors are loaded when first they are needed, which takes a while."""
    return await asyncio.to_thread(parse_sought, q) if q else parse_sought(None)


class AskedSubjects(AskedPage):
    """The parameters of a list of subjects."""

    q: Words = None


async def find_listed(
    served: Services, asked: AskedSubjects, point: Asked, coalition: str, family: str, *, actor: str | None = None
) -> Found:
    """The subjects of a family; where words are sought, those of which a statement behind them holds all."""
    values = {"coalition": coalition, "families": [family, "ceasefire"] if family == "pledge" else [family]}
    every = await find_states(served, point, Scope.FAMILIES, values)
    found = every.only(lambda key: key.family == family and actor in (None, key.actor))
    sought = await sought_in(asked.q)
    if not sought.words:
        return found
    at = {"as_of": found.basis.as_of, "known": found.basis.known_position}
    async with served.pool.connection() as connection:
        positions = await find_positions(connection, sought, {**at, "coalition": coalition, "family": family})
    return found.told_in(positions)


def known_kind(kind: str | None) -> str | None:
    """A kind or family of kinds that there is; raises `Invalid` for another."""
    return None if kind is None else parse_parameter("kind", kind, parse_kind)


def known_actor(country: str | None) -> str | None:
    """The code of the actor that a filter names; raises `Invalid`, with the nearest names, where it names none."""
    return None if country is None else parse_parameter("country", country, parse_actor)


# --- pages ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended, and the point (of a difference, both) that all its pages are about."""

    points: tuple[Point, ...]
    last: list[Any]

    def render(self) -> str:
        """Opaque text, safe in an address."""
        points = [[render_instant(one.as_of), one.known_position] for one in self.points]
        return base64.urlsafe_b64encode(orjson.dumps([points, self.last])).decode().rstrip("=")


def parse_cursor(text: str, kinds: Sequence[type] = (str,), *, points: int = 1) -> Cursor:
    """The cursor of a page, whose end is told by values of ``kinds``; raises `Invalid` where it is none of ours."""
    try:
        padded = text + "=" * (-len(text) % 4)
        told, last = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(last, list) or [type(one) for one in last] != list(kinds) or len(told) != points:
            raise ValueError  # noqa: TRY301 - the same fault as any other
        return Cursor(tuple(_pinned(*one) for one in told), last)
    except (ValueError, TypeError, binascii.Error):
        raise no_cursor() from None


def _pinned(as_of: str, position: int) -> Point:
    if type(position) is not int or not 0 <= position < 2**62:
        raise ValueError
    return Point(parse_instant(as_of), position)


def no_cursor() -> Invalid:
    """What is sent as the end of the page before is none."""
    detail = "This is no cursor; take `next` from the page before, as it is."
    return Invalid(detail, Fault("/query/after", "bad_cursor", detail))


def continued(asked: AskedPage, kinds: Sequence[type] = (str,)) -> tuple[Asked, Cursor | None]:
    """The point that a page is about: the one its cursor pins, else the one asked for."""
    if asked.after is None:
        return asked, None
    if (asked.as_of, asked.known_at, asked.known_position) != (None, None, None):
        detail = "The cursor already says which point its pages are about; leave as_of and known_… out."
        raise Invalid(detail, Fault("/query/after", "ambiguous", detail))
    cursor = parse_cursor(asked.after, kinds)
    (point,) = cursor.points
    return Asked(as_of=render_instant(point.as_of), known_at=None, known_position=point.known_position), cursor


def cut(rows: Sequence[Row], limit: int | None) -> tuple[Sequence[Row], bool]:
    """What a page shows of the rows that are left, and whether there are more; None shows all."""
    return rows[:limit], limit is not None and len(rows) > limit


def page(
    request: Request, found: Found, asked: AskedPage, items: Sequence[Json], outline: Outline, *, key: str = "id"
) -> Response:
    """One page of a computed list, ordered by the field that identifies an item."""
    last = parse_cursor(asked.after).last if asked.after else None
    ordered = sorted(items, key=lambda item: str(item[key]))
    rest = [item for item in ordered if last is None or [item[key]] > last]
    shown, more = cut(rest, page_size(request, asked.limit))
    after = Cursor((found.basis.point,), [shown[-1][key]]).render() if more else None
    return answer(
        request,
        {
            "items": shown,
            "next": after,
            **({"total": len(ordered)} if asked.count else {}),
            "basis": basis_of(request, found.basis, found.moment),
            "possible": found.possible(),
        },
        outline,
        headers=next_page(request, after),
    )


def id_before(asked: AskedKept) -> str | None:
    """The id behind which a page begins, of what has ids such as events have; raises `Invalid` where it is none."""
    if asked.after is not None and not is_event_id(asked.after):
        raise no_cursor()
    return asked.after


def rows_wanted(request: Request, asked: AskedKept) -> int:
    """How many rows a page of what is kept is made from: one more than it shows."""
    return most_rows(request, asked.limit + 1)


def page_of_kept(
    request: Request, asked: AskedKept, items: Sequence[Json], total: int | None, outline: Outline
) -> Response:
    """One page of what is kept beside the log, in order; it concerns the caller alone."""
    shown = items[: page_size(request, asked.limit)]
    after = shown[-1]["id"] if len(shown) < len(items) else None
    content = {"items": shown, "next": after, **({} if total is None else {"total": total})}
    return answer(request, content, outline, headers={**next_page(request, after), "Cache-Control": PRIVATE})
