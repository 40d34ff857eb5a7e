"""The log as it is listened to: each event, with the actors whom it concerns."""

from dataclasses import dataclass
from functools import cached_property

import orjson

from service.database import Connection, fetch
from service.log.read import COLUMNS, EventRow, cloud_event


@dataclass(frozen=True)
class Heard:
    """An event and whom it concerns: a correction concerns whoever the statement named before it and after."""

    event: EventRow
    actors: frozenset[str]

    @cached_property
    def told(self) -> bytes:
        """The event as a CloudEvent: made once, however many listen."""
        return orjson.dumps(cloud_event(self.event))


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
