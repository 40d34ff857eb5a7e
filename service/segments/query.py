"""As-of answers: the state of subjects at one valid time, as known at one position, in one round trip and one snapshot.

A subject's state is the last segment that began by then: known now, of the current ones; known then, of those that
were current at that position.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from service.database import OPEN, Connection, fetch
from service.domain.coalition import REGISTRATION
from service.domain.errors import Fault, Invalid, Unavailable
from service.domain.subject import SubjectKey
from service.domain.timeline import MOST_REFERENCES, NOTHING, RULES_VERSION
from service.log.append import SHARE_GATE
from service.migrate import OTHER_RULES


@dataclass(frozen=True, slots=True)
class Point:
    """A point on both axes; ``known_position`` None is the head."""

    as_of: datetime
    known_position: int | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer rests on: the same basis gives the same answer for ever."""

    as_of: datetime
    known_position: int
    known_at: datetime
    log_root: bytes

    @property
    def point(self) -> Point:
        """The point that it is about, on both axes."""
        return Point(self.as_of, self.known_position)


class StateRow(NamedTuple):
    """One subject at a point: its state (None: none yet), what may hold too, rivals, and the statements behind it."""

    key: SubjectKey
    state: dict[str, Any] | None
    possible: list[dict[str, Any]]
    rivals: list[dict[str, Any]]
    references: list[dict[str, Any]]


_CEASEFIRES_OF = """
UNION SELECT c.* FROM subject c WHERE c.family = 'ceasefire' AND c.coalition IN (SELECT coalition FROM asked)"""


class Scope(StrEnum):
    """Which subjects an answer is about: the values select them, each by one index.

    A commitment may depend on the ceasefires of its coalition, so that scopes with commitments take those in too.
    """

    COUNTRY = "WITH asked AS (SELECT * FROM subject WHERE actor = %(actor)s) SELECT * FROM asked" + _CEASEFIRES_OF
    COUNTRY_IN_COALITION = (
        "WITH asked AS (SELECT * FROM subject WHERE actor = %(actor)s AND coalition = %(coalition)s) "
        "SELECT * FROM asked" + _CEASEFIRES_OF
    )
    COALITION = "SELECT * FROM subject WHERE coalition = %(coalition)s"
    FAMILIES = "SELECT * FROM subject WHERE coalition = %(coalition)s AND family = ANY(%(families)s::text[])"
    SUBJECT = "SELECT * FROM subject WHERE coalition = %(coalition)s AND family = %(family)s AND slug = %(slug)s"
    SUBJECT_AND_CEASEFIRES = f"WITH asked AS ({SUBJECT}) SELECT * FROM asked" + _CEASEFIRES_OF
    REGISTRATIONS = "SELECT * FROM subject WHERE family = 'coalition' AND slug = 'registration'"


_HEAD_NOW = "SELECT size, recorded_at, root FROM log_head WHERE id = 1"
_HEAD_THEN = """
SELECT position, recorded_at, root FROM event WHERE position = %(known)s
UNION ALL SELECT 0, created_at, sha256('') FROM log_head WHERE %(known)s = 0"""
_KNOWN_NOW = f"g.known_to = {OPEN}"
_KNOWN_THEN = "g.known_from <= %(known)s AND g.known_to > %(known)s"
_REFERENCES = f"""
(SELECT json_agg(r.causes ORDER BY r.valid_from) FROM (
    SELECT g.valid_from, g.causes FROM segment g
    WHERE g.subject_id = s.id AND {{known}} AND g.valid_from <= %(as_of)s AND length(g.causes::text) > 2
    ORDER BY g.valid_from DESC LIMIT {MOST_REFERENCES}) r)"""
_STATES = """
WITH head(position, recorded_at, root) AS MATERIALIZED ({head})
SELECT h.position, h.recorded_at, h.root, s.coalition, s.family, s.slug, s.actor, g.state, g.possible, g.rivals,
       {references}
FROM head h LEFT JOIN (
    ({scope}) s CROSS JOIN LATERAL (
        SELECT g.state, g.possible, g.rivals FROM segment g
        WHERE g.subject_id = s.id AND {known} AND g.valid_from <= %(as_of)s
        ORDER BY g.valid_from DESC LIMIT 1
    ) g
) ON true
"""


class References(StrEnum):
    """Of which subjects the statements behind them are listed; the values are conditions over `subject s`."""

    NONE = "false"
    ALL = "true"
    LISTED_WHOLE = "s.family IN ('meeting', 'warning') OR s.actor LIKE 'group:%%' OR s.actor LIKE 'person:%%'"


def _sql(scope: Scope, *, now: bool, references: References) -> str:
    known = _KNOWN_NOW if now else _KNOWN_THEN
    return _STATES.format(
        head=_HEAD_NOW if now else _HEAD_THEN,
        known=known,
        references=f"CASE WHEN {references} THEN {_REFERENCES.format(known=known)} END",
        scope=scope.value,
    )


_SQL = {
    (scope, now, references): _sql(scope, now=now, references=references)
    for scope in Scope
    for now in (True, False)
    for references in References
}


async def states_at(
    connection: Connection,
    point: Point,
    scope: Scope,
    values: Mapping[str, Any],
    *,
    references: References = References.NONE,
) -> tuple[Basis, list[StateRow]]:
    """The subjects in scope that are known of at the point, ordered by their key.

    Raises `Invalid` where the log is shorter than the position asked for.
    """
    now = point.known_position is None
    rows = await fetch(
        connection,
        _SQL[scope, now, references],
        {**values, "as_of": point.as_of, "known": point.known_position},
    )
    if not rows:
        raise beyond_head()
    position, recorded_at, root = rows[0][:3]
    basis = Basis(point.as_of, position, recorded_at, bytes(root))
    found = [_row(row) for row in rows if row[3] is not None]
    return basis, sorted(found, key=lambda row: row.key)


async def basis_at(connection: Connection, point: Point) -> Basis:
    """What an answer about a point rests on, whatever it is about; raises `Invalid` as `states_at` does."""
    basis, _ = await states_at(connection, point, Scope.SUBJECT, _NOTHING)
    return basis


_NOTHING = {"coalition": "", "family": "", "slug": ""}


def _row(row: Any) -> StateRow:  # noqa: ANN401 - a row of the driver
    _, _, _, coalition, family, slug, actor, state, possible, rivals, references = row
    return StateRow(
        SubjectKey(coalition, family, slug, actor),
        None if state is None else orjson.loads(state),
        [] if possible == NOTHING else orjson.loads(possible),
        [] if rivals == NOTHING else orjson.loads(rivals),
        [] if references is None else _flat(references),
    )


def _flat(references: bytes) -> list[dict[str, Any]]:
    return [one for causes in orjson.loads(references) for one in causes][-MOST_REFERENCES:]


_TRUCE = f"SELECT g.state, g.valid_from FROM segment g WHERE g.subject_id = s.id AND {_KNOWN_NOW}"
_UNTIL = f"SELECT min(n.valid_from) FROM segment n WHERE n.subject_id = s.id AND n.known_to = {OPEN}"
# A statement may be dated in the future: then counts what is foreseen of a ceasefire. (`now()` was before the gate.)
FIND_BACKGROUND = f"""
SELECT b.build, b.rules_version, k.coalition, k.family, k.slug, k.actor, k.valid_from, k.valid_to
FROM (SELECT 'subject'::regclass::oid::bigint AS build, (SELECT rules_version FROM build) AS rules_version) b
LEFT JOIN (
    SELECT coalition, family, slug, actor, NULL::timestamptz AS valid_from, NULL::timestamptz AS valid_to FROM subject
    WHERE coalition = ANY(%b::text[]) AND family = 'coalition' AND slug = 'registration'
    UNION ALL
    SELECT s.coalition, s.family, s.slug, s.actor, g.valid_from, ({_UNTIL} AND n.valid_from > g.valid_from)
    FROM subject s CROSS JOIN LATERAL (
        ({_TRUCE} AND g.valid_from <= statement_timestamp() ORDER BY g.valid_from DESC LIMIT 1)
        UNION ALL
        {_TRUCE} AND g.valid_from > statement_timestamp()
    ) g
    WHERE s.family = 'ceasefire' AND s.coalition = ANY(%b::text[]) AND g.state->>'state' IN ('in_force', 'violated')
) k ON true
"""
Truces = Mapping[SubjectKey, Sequence[tuple[datetime, datetime | None]]]
"""From when to when ceasefires are in force, from now on, as far as can be foreseen; None is an open end."""


class Background(NamedTuple):
    """What a write rests on besides its subjects: the rows of `FIND_BACKGROUND`."""

    build: int  # changes when a rebuild puts other tables in place
    coalitions: frozenset[str]  # the registered ones
    truces: Truces

    @classmethod
    def of(cls, rows: Sequence[Any]) -> "Background":
        """The rows, read. Raises `Unavailable` where other rules computed the states: none fold on from them."""
        build, rules_version = rows[0][:2]
        if rules_version != RULES_VERSION:
            raise Unavailable(OTHER_RULES)
        coalitions, truces = set(), dict[SubjectKey, list[tuple[datetime, datetime | None]]]()
        for _, _, *key, valid_from, valid_to in rows:
            if valid_from is not None:
                truces.setdefault(SubjectKey(*key), []).append((valid_from, valid_to))
            elif key[0] is not None:
                coalitions.add(key[0])
        return cls(build, frozenset(coalitions), truces)


_KNOWN_OF = """
SELECT 1 FROM subject s JOIN subject_statement m ON m.subject_id = s.id
WHERE s.coalition = %(coalition)s AND s.family = %(family)s AND s.slug = %(slug)s AND m.known_from <= %(known)s LIMIT 1
"""


async def is_known_of(connection: Connection, key: SubjectKey, known_position: int) -> bool:
    """Whether anything had ever been recorded about a subject, of whichever actor, by a position."""
    values = {"coalition": key.coalition, "family": key.family, "slug": key.slug, "known": known_position}
    return bool(await fetch(connection, _KNOWN_OF, values))


async def is_registered(connection: Connection, coalition: str, known_position: int) -> bool:
    """Whether a coalition had ever been registered under the slug by a position."""
    return await is_known_of(connection, SubjectKey(coalition, "coalition", REGISTRATION, ""), known_position)


@dataclass(frozen=True, slots=True)
class Span:
    """How many statements there are of a coalition, and from when to when."""

    first: datetime
    last: datetime
    count: int


_SPANS = """
SELECT coalition, min(earliest), max(latest), count(*) FROM statement
WHERE known_from <= %(known)s AND known_to > %(known)s AND NOT retracted AND kind <> 'coalition.registered'
  AND latest <= %(as_of)s AND (%(coalition)s::text IS NULL OR coalition = %(coalition)s)
GROUP BY coalition
"""


async def spans_at(connection: Connection, basis: Basis, coalition: str | None) -> dict[str, Span]:
    """The span of each coalition's statements (or of one's), by slug."""
    values = {"known": basis.known_position, "as_of": basis.as_of, "coalition": coalition}
    return {slug: Span(*span) for slug, *span in await fetch(connection, _SPANS, values)}


def beyond_head(parameter: str = "known_position") -> Invalid:
    """The log is shorter than the position that a parameter asks for."""
    detail = "The log is not that long yet; leave the parameter out to ask for what is known now."
    return Invalid(detail, Fault(f"/query/{parameter}", "beyond_head", detail))


async def resolve_known_at(connection: Connection, known_at: datetime) -> int:
    """The last position recorded at or before an instant; raises `Invalid` for one that has not come yet."""
    position = await find_known_at(connection, known_at)
    if position is None:
        detail = "That instant has not come yet, so what will be known then cannot be told."
        raise Invalid(detail, Fault("/query/known_at", "in_future", detail))
    return position


async def find_known_at(connection: Connection, known_at: datetime) -> int | None:
    """The last position recorded at or before an instant; None where that has not come yet.

    An instant that is not older than the head is closed first: a transaction in flight could still record something
    before it, so the gate is taken in shared mode.
    """
    rows = await fetch(connection, _RESOLVE, {"at": known_at})
    position, closed, to_come = rows[0]
    if to_come:
        return None
    if closed:
        return int(position)
    async with connection.transaction():
        await connection.execute(SHARE_GATE)
        rows = await fetch(connection, _RESOLVE, {"at": known_at})
    return int(rows[0][0])


_RESOLVE = """
SELECT coalesce((SELECT position FROM event WHERE recorded_at <= %(at)s ORDER BY position DESC LIMIT 1), 0),
       h.recorded_at > %(at)s, %(at)s > clock_timestamp()
FROM log_head h WHERE id = 1
"""
