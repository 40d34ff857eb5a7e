"""The point that a question is about, on both axes, and the basis on which it is answered."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from service.database import Connection
from service.domain.answers import Json, Moment
from service.domain.dates import END, TICK, parse_as_of, parse_instant, render_instant
from service.domain.errors import Fault, Invalid, code_of
from service.domain.kinds import invalid
from service.segments.query import Basis, Point, resolve_known_at
from service.web.formats import address_of
from service.web.serving import Services

Parsed = TypeVar("Parsed")


MOMENT: dict[str, JsonValue] = {
    "pattern": "^[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T.+)?)?)?$",
    "format": "moment",
    "examples": ["2025-07-31", "2025-07", "2025-07-31T12:00:00Z"],
}
INSTANT: dict[str, JsonValue] = {"format": "date-time", "examples": ["2026-11-22T10:00:00Z"]}
"""What the document says of parameters that are read by hand, so that a refusal can say what to send instead."""


class AskedView(BaseModel):
    """The parameters of every view."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: str | None = Field(
        None, max_length=2000, description="members that are wanted, by name: `id,quantity.min`; default all"
    )


class Asked(AskedView):
    """The parameters of a computed answer: which point on both axes."""

    as_of: str | None = Field(
        None,
        description="valid time: a date (to the end of that day, UTC) or an instant; default now",
        json_schema_extra=MOMENT,
    )
    known_at: str | None = Field(
        None, description="record time as an instant; default the head of the log", json_schema_extra=INSTANT
    )
    known_position: int | None = Field(None, ge=0, le=2**62, description="record time as an exact position in the log")


LAST = END - TICK
"""The last moment that can be asked about: segments without an end run to `END`, which is no part of them."""


Model = TypeVar("Model", bound=BaseModel)


def read_query(request: Request, model: type[Model]) -> Model:
    """The parameters of a question; raises `Invalid` with a pointer to each that is unknown, wrong or given twice."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            detail = "This parameter is given twice."
            raise Invalid(detail, Fault(f"/query/{name}", "given_twice", detail))
        given[name] = value
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = [
            Fault(one.pointer, one.code, _unknown(model) if one.code == _UNKNOWN else one.detail)
            for one in invalid(error, pointer="/query").faults
        ]
        detail = faults[0].detail if len(faults) == 1 else "Parameters are not valid; see `errors`."
        raise Invalid(detail, *faults) from None


_UNKNOWN = "extra_forbidden"


def _unknown(model: type[BaseModel]) -> str:
    names = [field.alias or name for name, field in model.model_fields.items()]
    there = f"there are {', '.join(sorted(names))}" if names else "there is none"
    return f"This parameter is unknown here; {there}."


class _Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


async def takes_no_parameters(request: Request) -> None:
    """Unknown parameters are refused, never ignored, also where there is none to know."""
    if request.scope["query_string"]:
        read_query(request, _Nothing)


async def find_point(asked: Asked, connection: Connection, now: datetime) -> Point:
    """The point that the parameters name; raises `Invalid` with a pointer to the parameter."""
    as_of = min(parse_parameter("as_of", asked.as_of, parse_as_of), LAST) if asked.as_of is not None else now
    if asked.known_at is None:
        return Point(as_of, asked.known_position)
    if asked.known_position is not None:
        detail = "Give either known_at or known_position, not both."
        raise Invalid(detail, Fault("/query/known_at", "ambiguous", detail))
    known_at = parse_parameter("known_at", asked.known_at, parse_instant)
    return Point(as_of, await resolve_known_at(connection, known_at))


def parse_parameter(name: str, text: str, parse: Callable[[str], Parsed]) -> Parsed:
    """A query parameter's value; its ValueError becomes a fault at the parameter."""
    try:
        return parse(text)
    except ValueError as error:
        raise Invalid(str(error), Fault(f"/query/{name}", code_of(error), str(error))) from None


def moment_of(served: Services, as_of: datetime, in_force: frozenset[str] = frozenset()) -> Moment:
    """The moment asked about, with the settings that the rules depend on."""
    return Moment(as_of, served.settings.stale_after_days, in_force)


def basis_of(request: Request, basis: Basis, moment: Moment) -> Json:
    """The basis as every computed answer carries it; its address repeats exactly this answer."""
    as_of = render_instant(basis.as_of)
    named = request.query_params
    kept = sorted((name, value) for name, value in named.multi_items() if name not in POINT)
    # A cursor pins both already. Of an instant, only the colons have to be escaped.
    pinned = "" if "after" in named else f"as_of={as_of.replace(':', '%3A')}&known_position={basis.known_position}"
    asked = "&".join(part for part in (pinned, urlencode(kept)) if part)
    return {
        "as_of": as_of,
        "known_position": basis.known_position,
        "known_at": render_instant(basis.known_at),
        "log_root": basis.log_root.hex(),
        "rules_version": moment.rules,
        "url": f"{address_of(request.scope)}?{asked}",
    }


POINT = frozenset({"as_of", "known_at", "known_position"})
"""The parameters that name a point."""
