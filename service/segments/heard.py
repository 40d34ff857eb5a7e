"""The log as it is listened to: each event, with the actors whom it concerns, and which of them somebody wants."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.database import Connection, fetch
from service.domain.actors import NAMED, parse_actor
from service.domain.errors import Fault, Invalid
from service.domain.kinds import NAMES, parse_kind
from service.domain.statement import Slug
from service.log.read import COLUMNS, EventRow, cloud_event
from service.segments.effective import NOT_REGISTERED, find_registered


@dataclass(frozen=True)
class Heard:
    """An event and whom it concerns: a correction concerns whoever the statement named before it and after."""

    event: EventRow
    actors: frozenset[str]

    @property
    def size(self) -> int:
        """About how many bytes it takes to remember it, and what is told of it."""
        return 2 * len(self.event.body) + _BESIDE

    @cached_property
    def told(self) -> bytes:
        """The event as a CloudEvent: made once, however many listen."""
        return orjson.dumps(cloud_event(self.event))


class WantedEvents(BaseModel):
    """Which events somebody wants: those that all of its fields let through."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coalition: Slug | None = Field(None, description="events of one coalition")
    kind: Annotated[str, Field(max_length=40, json_schema_extra=NAMES), AfterValidator(parse_kind)] | None = Field(
        None, description="a kind, or a family of kinds such as pledge"
    )
    country: Annotated[str, Field(max_length=100, json_schema_extra=NAMED), AfterValidator(parse_actor)] | None = Field(
        None, description="code or name of an actor whom it concerns"
    )

    def lets_through(self, heard: Heard) -> bool:
        """Whether an event is wanted."""
        event = heard.event
        return (
            self.coalition in (None, event.coalition)
            and (self.kind is None or self.kind in (event.kind, event.kind.split(".")[0]))
            and (self.country is None or self.country in heard.actors)
        )


_BESIDE = 1_000  # what comes with any body


async def check_wanted(connection: Connection, wanted: WantedEvents, *, inside: str = "") -> None:
    """Raises `Invalid` where a coalition is wanted that is not registered; ``inside`` is where that was said."""
    if wanted.coalition is not None and not await find_registered(connection, [wanted.coalition]):
        raise Invalid(NOT_REGISTERED, Fault(f"{inside}/coalition", "unknown_coalition", NOT_REGISTERED))


_HEARD = f"""
SELECT {COLUMNS}, (
    SELECT coalesce(array_agg(DISTINCT named.actor), '{{}}'::text[])
    FROM statement s CROSS JOIN LATERAL unnest(s.actors) AS named(actor)
    WHERE s.position = ANY (coalesce(e.about, ARRAY[e.position]))
) AS actors
FROM event e WHERE e.position > %(after)s ORDER BY e.position LIMIT %(limit)s
"""


async def read_heard(connection: Connection, *, after: int, limit: int) -> list[Heard]:
    """The next events behind a position, in order."""
    rows = await fetch(connection, _HEARD, {"after": after, "limit": limit})
    return [Heard(EventRow.of(row[:-1]), frozenset(row[-1])) for row in rows]
