"""Statements that may tell the same act as a new one: of the same actors, about the same days, in like words."""

from collections.abc import Sequence
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

# The index on (coalition, latest) bounds what is compared. What is asked of the same actors and days is compared with
# the same statements, which are read once; the texts are looked at last.
_SIMILAR = f"""
WITH wanted AS MATERIALIZED (
    SELECT w.*, dense_rank() OVER (ORDER BY coalition, family, actors, since, until) AS circle
    FROM json_to_recordset(%(wanted)b::json) AS w(
        nth int, coalition text, family text, subject text, summary text, actors text[], since timestamptz,
        until timestamptz)
), known AS MATERIALIZED (
    SELECT c.circle, s.position, s.said->>'subject' AS subject, lower(s.said->>'summary') AS summary
    FROM (SELECT DISTINCT circle, coalition, family, actors, since, until FROM wanted) c
    CROSS JOIN LATERAL (
        SELECT s.position, coalesce(s.content, e.body) AS said
        FROM statement s JOIN event e USING (position)
        WHERE s.coalition = c.coalition AND s.known_to = {OPEN} AND NOT s.retracted
          AND s.latest >= c.since AND s.earliest <= c.until
          AND starts_with(s.kind, c.family || '.')
          AND (s.actors && c.actors OR (s.actors = '{{}}' AND c.actors = '{{}}'))
        OFFSET 0
    ) s
), compared AS MATERIALIZED (
    SELECT w.nth, k.position, k.subject = w.subject AS same_subject, similarity(k.summary, lower(w.summary)) AS alike
    FROM wanted w JOIN known k USING (circle)
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY nth ORDER BY alike DESC, position) AS rank
    FROM compared WHERE same_subject OR alike >= {_ALIKE}
)
SELECT r.nth, s.event_id, position, coalesce(s.content, e.body), r.alike
FROM ranked r JOIN statement s USING (position) JOIN event e USING (position)
WHERE r.rank <= {_MOST} AND s.known_to = {OPEN}
ORDER BY r.nth, r.rank
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
    return (await find_similar_to_each(connection, [statement]))[0]


async def find_similar_to_each(connection: Connection, statements: Sequence[Statement]) -> list[list[Similar]]:
    """For each of the statements the most similar ones that stand now, in one round trip."""
    found: list[list[Similar]] = [[] for _ in statements]
    if not statements:
        return found
    wanted = orjson.dumps([_wanted(nth, one) for nth, one in enumerate(statements)]).decode()
    for nth, event_id, position, said, alike in await fetch(connection, _SIMILAR, {"wanted": wanted}):
        found[nth].append(Similar(str(event_id), position, orjson.loads(said), alike))
    return found


def _wanted(nth: int, statement: Statement) -> dict[str, Any]:
    bounds = statement.occurred.bounds
    return {
        "nth": nth,
        "coalition": statement.coalition,
        "family": statement.family,
        "subject": statement.subject,
        "summary": statement.summary,
        "actors": actors_of(statement),
        "since": bounds.earliest - min(_WITHIN, bounds.earliest - BEGINNING),
        "until": bounds.latest + min(_WITHIN, END - bounds.latest),
    }
