"""Statements that may tell the same act as a new one: of the same actors, about the same days, in like words."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from service.database import OPEN, Connection, fetch
from service.domain.dates import BEGINNING, END
from service.domain.statement import Statement
from service.segments.effective import actors_of

_WITHIN = timedelta(days=7)
_MOST = 5
_ALIKE = 0.35  # of the trigrams of both summaries: below, texts share little but their topic's words

# The index on (coalition, latest) bounds what is compared: the text is looked at last.
_SIMILAR = f"""
SELECT s.event_id, s.position, coalesce(s.content, e.body), found.alike
FROM statement s JOIN event e USING (position)
CROSS JOIN LATERAL (
    SELECT similarity(lower(coalesce(s.content, e.body)->>'summary'), lower(%(summary)s)) AS alike,
           coalesce(s.content, e.body)->>'subject' = %(subject)s AS same_subject
) found
WHERE s.coalition = %(coalition)s AND s.known_to = {OPEN} AND NOT s.retracted
  AND s.latest >= %(from)s AND s.earliest <= %(to)s
  AND starts_with(s.kind, %(family)s || '.')
  AND (s.actors && %(actors)s::text[] OR (s.actors = '{{}}' AND %(actors)s::text[] = '{{}}'))
  AND (found.same_subject OR found.alike >= %(least)s)
ORDER BY found.alike DESC, s.position LIMIT {_MOST}
"""


@dataclass(frozen=True, slots=True)
class Similar:
    """A recorded statement, and how much its summary is like the new one's: 0 to 1."""

    event_id: str
    position: int
    content: dict[str, Any]
    alike: float

    def render(self) -> dict[str, Any]:
        """As clients see it."""
        said = {name: self.content[name] for name in ("subject", "occurred", "summary")}
        return {
            "event_id": self.event_id, "position": self.position, "similarity": round(self.alike, 2), **said
        }  # fmt: skip


async def find_similar(connection: Connection, statement: Statement) -> list[Similar]:
    """The most similar statements that stand now, most alike first."""
    bounds = statement.occurred.bounds
    rows = await fetch(
        connection,
        _SIMILAR,
        {
            "coalition": statement.coalition,
            "family": statement.family,
            "subject": statement.subject,
            "summary": statement.summary,
            "actors": actors_of(statement),
            "from": bounds.earliest - min(_WITHIN, bounds.earliest - BEGINNING),
            "to": bounds.latest + min(_WITHIN, END - bounds.latest),
            "least": _ALIKE,
        },
    )
    return [Similar(str(event_id), position, orjson.loads(said), alike) for event_id, position, said, alike in rows]
