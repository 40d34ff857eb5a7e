"""Which subjects have come to be known otherwise since a position."""

from collections.abc import Sequence

from service.database import OPEN, Connection, fetch
from service.domain.subject import SubjectKey

_CHANGED = f"""
SELECT s.coalition, s.family, s.slug, s.actor
FROM unnest(%(coalitions)s::text[], %(families)s::text[], %(slugs)s::text[], %(actors)s::text[])
    AS asked(coalition, family, slug, actor)
JOIN subject s USING (coalition, family, slug, actor)
WHERE EXISTS (
    SELECT FROM segment g WHERE g.subject_id = s.id
      AND (g.known_from > %(known)s OR (g.known_to > %(known)s AND g.known_to < {OPEN}))
)
ORDER BY 1, 2, 3, 4
"""


async def changed_since(connection: Connection, keys: Sequence[SubjectKey], position: int) -> list[SubjectKey]:
    """Those of the subjects of which any state, of any day, was learned, corrected or taken back after a position."""
    values = {
        "coalitions": [key.coalition for key in keys],
        "families": [key.family for key in keys],
        "slugs": [key.slug for key in keys],
        "actors": [key.actor for key in keys],
        "known": position,
    }
    return [SubjectKey(*row) for row in await fetch(connection, _CHANGED, values)]
