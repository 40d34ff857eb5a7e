"""What a page's past consists of: the positions of the log at which something that the page rests on changed.

Two pages have a past that can be asked for by header (RFC 7089): a coalition's status and a country's commitments. The
positions only ever grow at the end, so that whoever goes through them by position misses none.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from service.database import OPEN, Connection, fetch
from service.segments.query import Scope, find_known_at


class Memento(NamedTuple):
    """A position at which a page changed, and when that was."""

    position: int
    recorded_at: datetime


class Chosen(NamedTuple):
    """The memento that answers a question about an instant, among its neighbours."""

    first: Memento
    prev: Memento | None
    memento: Memento
    next: Memento | None
    last: Memento


_TOUCHED = f"""
    SELECT {{columns}}g.known_from AS position FROM asked s JOIN segment g ON g.subject_id = s.id
    UNION
    SELECT {{columns}}g.known_to FROM asked s JOIN segment g ON g.subject_id = s.id WHERE g.known_to < {OPEN}
"""
# A ceasefire counts from when the country has anything in its coalition: before, the page did not rest on it.
_OF_COUNTRY = f"""
WITH asked AS ({{scope}}), touched AS ({_TOUCHED.format(columns="s.coalition, s.actor, ")}),
counted AS (
    SELECT actor, position, min(position) FILTER (WHERE actor <> '') OVER (PARTITION BY coalition) AS since FROM touched
),
memento AS (SELECT DISTINCT position FROM counted WHERE actor <> '' OR position > since)
"""


class PageWithPast(StrEnum):
    """Which page's past is asked for; the values end in a table `memento` of its positions."""

    COALITION = f"WITH asked AS ({Scope.COALITION}), memento AS ({_TOUCHED.format(columns='')})"
    COUNTRY = _OF_COUNTRY.format(scope=Scope.COUNTRY)
    COUNTRY_IN_COALITION = _OF_COUNTRY.format(scope=Scope.COUNTRY_IN_COALITION)


_CHOOSE = """
, chosen AS (SELECT coalesce(max(position) FILTER (WHERE position <= %(known)s), min(position)) AS at FROM memento),
near AS (
    SELECT min(m.position) AS first, max(m.position) FILTER (WHERE m.position < c.at) AS prev, c.at,
           min(m.position) FILTER (WHERE m.position > c.at) AS next, max(m.position) AS last
    FROM memento m, chosen c GROUP BY c.at
)
SELECT n.first, n.prev, n.at, n.next, n.last, e.position, e.recorded_at
FROM near n JOIN event e ON e.position IN (n.first, n.prev, n.at, n.next, n.last)
"""
_LIST = """
SELECT e.position, e.recorded_at
FROM (SELECT position FROM memento WHERE position > %(after)s ORDER BY position LIMIT %(limit)s) m
JOIN event e USING (position) ORDER BY e.position
"""


async def find_memento(
    connection: Connection, page: PageWithPast, values: Mapping[str, Any], at: datetime
) -> Chosen | None:
    """The last memento by an instant, or the first of all; None where the page has no past.

    An instant that has not come yet asks for the last.
    """
    known = await find_known_at(connection, at)
    rows = await fetch(connection, page + _CHOOSE, {**values, "known": OPEN if known is None else known})
    if not rows:
        return None
    by_position = {position: Memento(position, recorded_at) for *_, position, recorded_at in rows}
    first, prev, chosen, after, last = rows[0][:5]
    return Chosen(
        by_position[first], by_position.get(prev), by_position[chosen], by_position.get(after), by_position[last]
    )


async def list_mementos(
    connection: Connection, page: PageWithPast, values: Mapping[str, Any], *, after: int, limit: int
) -> list[Memento]:
    """The next mementos of a page behind a position, in order."""
    rows = await fetch(connection, page + _LIST, {**values, "after": after, "limit": limit})
    return [Memento(*row) for row in rows]
