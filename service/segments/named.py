"""Who is named in what stands: people and groups, with the names that statements give them; coalitions, as registered.

Counted in memory, and carried on from what was recorded since it was last asked for: a look-up costs next to nothing,
and recording nothing at all. What counts is what is known now of statements that stand, whenever they occurred: a name
that was corrected is gone with its correction, those of a retracted statement with its retraction.
"""

import asyncio
from collections import Counter

from service.database import Connection, fetch
from service.domain.actors import is_open_code
from service.domain.named import NOBODY, Called, Names

_PART = 5_000  # events, in one query
_HEAD = "SELECT size FROM log_head"
# Of each version of a statement that began since then one more, of each that ended one less.
_NAMED = """
WITH touched AS (
    SELECT position FROM event WHERE position > %(after)s AND position <= %(upto)s
    UNION SELECT unnest(about) FROM event WHERE position > %(after)s AND position <= %(upto)s
)
SELECT named.actor, named.name, sum((s.known_from > %(after)s)::int - (s.known_to <= %(upto)s)::int)
FROM touched JOIN statement s USING (position) JOIN event e USING (position)
CROSS JOIN LATERAL (SELECT coalesce(s.content, e.body) AS content) AS stated
CROSS JOIN LATERAL json_to_record(stated.content) AS said(name text, aliases json, said_by json, body json)
CROSS JOIN LATERAL (
    SELECT code[1], NULL
    FROM regexp_matches(stated.content::text, '"((?:person|group|coalition|force):[a-z0-9-]+)"', 'g') AS code
    UNION ALL SELECT said_by->>'actor', said_by->>'name' WHERE said_by->>'name' IS NOT NULL
    UNION ALL SELECT one->>'actor', one->>'name' FROM json_array_elements(said.body->'participants') AS took_part(one)
              WHERE starts_with(s.kind, 'meeting.') AND one->>'name' IS NOT NULL
    UNION ALL SELECT 'coalition:' || s.coalition, called FROM (
                  SELECT said.name UNION ALL SELECT json_array_elements_text(said.aliases)
              ) AS registered(called) WHERE s.kind = 'coalition.registered'
) AS named(actor, name)
WHERE NOT s.retracted AND s.known_from <= %(upto)s
  AND (s.known_from > %(after)s OR s.known_to > %(after)s AND s.known_to <= %(upto)s)
GROUP BY named.actor, named.name
"""


class Naming:
    """The names under which people and groups are known now; one for each process, as it only reads."""

    def __init__(self) -> None:
        self._upto = 0
        self._counts: Counter[Called] = Counter()
        self._names = NOBODY
        self._turn = asyncio.Lock()

    async def follow(self, connection: Connection, *, whole: bool = True) -> Names:
        """The names known by now; where there is no time for the ``whole`` of a long log, by a part more of it."""
        async with self._turn:
            ((size,),) = await fetch(connection, _HEAD)
            before = self._upto
            while self._upto < size and (whole or self._upto == before):
                await self._carry_on(connection, min(size, self._upto + _PART))
            return self._names

    async def _carry_on(self, connection: Connection, upto: int) -> None:
        changed = await fetch(connection, _NAMED, {"after": self._upto, "upto": upto})
        for actor, name, more in changed:
            if name is not None or is_open_code(actor):  # a text may look like one
                self._counts[Called.of(actor, name)] += more
        self._upto = upto
        if changed:
            self._names = Names({called: count for called, count in self._counts.items() if count > 0})
