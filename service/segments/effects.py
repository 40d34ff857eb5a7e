"""What each event changed: of which subjects, from which state to which; and which events concern what.

An event's effect is found in the bounds of segments: those known up to it, and those known from it. Both only ever
grow, so that what an event did is told the same for ever, whatever is recorded later.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from service.database import Connection, fetch
from service.domain.answers import Json, Moment, shape
from service.domain.ceasefire import IN_FORCE
from service.domain.changes import is_other
from service.domain.subject import SubjectKey
from service.domain.telling import Effect
from service.domain.timeline import NOTHING
from service.log.read import COLUMNS, EventRow
from service.segments.query import Point, Scope, states_at
from service.segments.timeline import view_of

# Notes about a few statements are found by an index, those about many by going through all notes of the coalition.
_NOTED_FEW = """
    SELECT e.position, true FROM event e
    WHERE e.about && (SELECT array_agg(position) FROM stated)
      AND EXISTS (SELECT 1 FROM stated t WHERE t.position = ANY(e.about) AND t.known_from <= e.position)"""
_NOTED_MANY = """
    SELECT e.position, true FROM event e CROSS JOIN LATERAL unnest(e.about) AS target(position)
    JOIN stated t ON t.position = target.position AND t.known_from <= e.position
    WHERE e.about IS NOT NULL AND e.coalition = %(coalition)s"""
_CONCERNED = """
stated AS (
    SELECT s.coalition, m.position, m.known_from FROM asked s JOIN subject_statement m ON m.subject_id = s.id
),
truce AS (
    SELECT c.id, o.since FROM (SELECT coalition, min(known_from) AS since FROM stated GROUP BY coalition) o
    JOIN subject c ON c.coalition = o.coalition AND c.family = 'ceasefire'
),
touched AS (
    SELECT known_from AS position, true AS own FROM stated
    UNION ALL
    {noted}
    UNION ALL
    SELECT g.known_from, true FROM asked s JOIN segment g ON g.subject_id = s.id
    UNION ALL
    SELECT g.known_to, true FROM asked s JOIN segment g ON g.subject_id = s.id
    UNION ALL
    SELECT g.known_from, false FROM truce t JOIN segment g ON g.subject_id = t.id WHERE g.known_from > t.since
    UNION ALL
    SELECT g.known_to, false FROM truce t JOIN segment g ON g.subject_id = t.id WHERE g.known_to > t.since
),
told AS (SELECT position, bool_or(own) AS own FROM touched GROUP BY position)
"""
_BY_FEW, _BY_MANY = (_CONCERNED.format(noted=noted) for noted in (_NOTED_FEW, _NOTED_MANY))


class Concerned(StrEnum):
    """Whose events are asked for; the values end in a table `told` of their positions.

    ``own`` is false for what happened to a ceasefire alone, of which only that counts which others hang on.
    """

    LOG = "WITH told AS (SELECT position, true AS own FROM event)"
    EVENT = """WITH told AS (
        SELECT position, true AS own FROM event WHERE event_id = %(event_id)s
        UNION
        SELECT e.position, true FROM event t JOIN event e ON e.about @> ARRAY[t.position]
        WHERE t.event_id = %(event_id)s
    )"""
    COALITION = "WITH told AS (SELECT position, true AS own FROM event WHERE coalition = %(coalition)s)"
    FAMILY = (
        "WITH asked AS (SELECT * FROM subject WHERE coalition = %(coalition)s AND family = %(family)s "
        f"AND (%(actor)s::text IS NULL OR actor = %(actor)s)), {_BY_MANY}"
    )
    SUBJECT = f"WITH asked AS ({Scope.SUBJECT}), {_BY_FEW}"
    REGISTRATIONS = f"WITH asked AS ({Scope.REGISTRATIONS}), {_BY_FEW}"
    ACTORS = (
        "WITH asked AS (SELECT * FROM subject WHERE actor = ANY(%(actors)s::text[]) "
        f"AND (%(coalition)s::text IS NULL OR coalition = %(coalition)s)), {_BY_FEW}"
    )


class Part(NamedTuple):
    """A part of the events that concern something, in order: how many come before it, and how many there are."""

    events: list[tuple[EventRow, bool]]
    before: int
    total: int
    earlier: int | None  # the position behind which the whole part before this one begins
    first_event: str | None  # the id of the log's first event


_PART = """
, numbered AS MATERIALIZED (
    SELECT position, own, row_number() OVER (ORDER BY position) AS nth FROM told WHERE position <= %(known)s
),
counted AS (
    SELECT count(*) AS total,
           CASE WHEN %(after)s::bigint IS NULL THEN greatest(count(*) - %(limit)s, 0)
                ELSE count(*) FILTER (WHERE position <= %(after)s) END AS before
    FROM numbered
),
-- Whole parts of the log's own making: they begin behind the same positions, whenever one looks.
aligned AS MATERIALIZED (
    SELECT total, before, CASE WHEN before > 0 THEN coalesce((
        SELECT position FROM numbered
        WHERE nth = CASE WHEN %(after)s::bigint IS NULL THEN (total / %(limit)s - 1) * %(limit)s
                         ELSE before - %(limit)s END), 0) END AS earlier
    FROM counted
)
SELECT a.before, a.total, a.earlier, (SELECT event_id FROM event WHERE position = 1), n.own, {columns}
FROM aligned a LEFT JOIN numbered n ON n.nth > a.before AND n.nth <= a.before + %(limit)s
LEFT JOIN event e ON e.position = n.position
ORDER BY n.nth
""".replace("{columns}", COLUMNS)


async def list_concerning(
    connection: Connection,
    concerned: Concerned,
    values: Mapping[str, Any],
    *,
    known: int,
    after: int | None,
    limit: int,
) -> Part:
    """The last events that concern something, as known at a position; or the next ones behind ``after``."""
    rows = await fetch(connection, concerned + _PART, {**values, "known": known, "after": after, "limit": limit})
    before, total, earlier, first_event = rows[0][:4]
    events = [(EventRow.of(event), own) for *_, own, event in ((*row[:5], row[5:]) for row in rows) if event[0]]
    return Part(events, before, total, earlier, None if first_event is None else str(first_event))


# --- what an event did ------------------------------------------------------------------------------------------------

# Where a segment ends or begins to be known, two accounts may part: the first such moment tells what an event did.
# Where they never do (a source was added), it is the first of all.
_AS_KNOWN = """
SELECT g.state, g.rivals FROM segment g
WHERE g.subject_id = t.id AND g.known_from <= {known} AND g.known_to > {known} AND g.valid_from <= t.at
ORDER BY g.valid_from DESC LIMIT 1"""
_TURNS = f"""
WITH turned AS (
    SELECT s.id, s.coalition, s.family, s.slug, s.actor, turn.position, g.valid_from AS at,
           max(g.valid_from) FILTER (WHERE g.known_from = turn.position AND length(g.causes::text) > 2)
               OVER (PARTITION BY s.id, turn.position) AS last_caused
    FROM subject s JOIN segment g ON g.subject_id = s.id
    CROSS JOIN LATERAL (VALUES (g.known_from), (g.known_to)) AS turn(position)
    WHERE s.coalition = ANY(%(coalitions)s::text[]) AND turn.position = ANY(%(positions)s::bigint[])
      AND (g.known_from = ANY(%(positions)s::bigint[]) OR g.known_to = ANY(%(positions)s::bigint[]))
)
SELECT DISTINCT ON (t.position, t.id)
       t.coalition, t.family, t.slug, t.actor, t.position, t.at, coalesce(t.last_caused > t.at, false),
       was.state, was.rivals, became.state, became.rivals
FROM turned t
LEFT JOIN LATERAL ({_AS_KNOWN.format(known="t.position - 1")}) was ON true
LEFT JOIN LATERAL ({_AS_KNOWN.format(known="t.position")}) became ON true
ORDER BY t.position, t.id,
         (was.state::text, coalesce(was.rivals::text, '[]'))
         IS NOT DISTINCT FROM (became.state::text, coalesce(became.rivals::text, '[]')), t.at
"""
_TRUCES = f"""
SELECT w.nth, EXISTS (
    SELECT 1 FROM subject s JOIN segment g ON g.subject_id = s.id
    WHERE s.coalition = w.coalition AND s.family = 'ceasefire'
      AND g.known_from <= w.position AND g.known_to > w.position AND g.valid_from <= w.at
      AND g.state->>'state' IN ({", ".join(f"'{stage}'" for stage in sorted(IN_FORCE))})
      AND NOT EXISTS (
          SELECT 1 FROM segment n WHERE n.subject_id = s.id AND n.known_from <= w.position AND n.known_to > w.position
            AND n.valid_from > g.valid_from AND n.valid_from <= w.at)
)
FROM unnest(%(coalitions)s::text[], %(positions)s::bigint[], %(ats)s::timestamptz[])
  WITH ORDINALITY AS w(coalition, position, at, nth)
ORDER BY w.nth
"""


class _Said(NamedTuple):
    """What a segment says of its subject."""

    state: Json | None
    rivals: list[Json]

    @classmethod
    def of(cls, state: bytes | None, rivals: bytes | None) -> "_Said":
        return cls(
            None if state is None else orjson.loads(state),
            [] if rivals is None or rivals == NOTHING else orjson.loads(rivals),
        )


class _Turn(NamedTuple):
    """The first moment at which a subject is in another state because of an event, and both states."""

    position: int
    key: SubjectKey
    at: datetime
    late: bool
    was: _Said
    became: _Said


async def find_effects(
    connection: Connection, events: Sequence[EventRow], *, stale_after_days: int
) -> dict[int, list[Effect]]:
    """What each event did, by its position: to the subjects that it is about, then to those that hang on them."""
    if not events:
        return {}
    positions = [event.position for event in events]
    coalitions = sorted({event.coalition for event in events})
    rows = await fetch(connection, _TURNS, {"coalitions": coalitions, "positions": positions})
    turns = [_turn(*row) for row in rows]
    truces = await _truces(connection, turns)
    found: dict[int, list[Effect]] = defaultdict(list)
    hanging = []
    for turn, (was, became) in zip(turns, truces, strict=True):
        found[turn.position].append(_effect(turn, was=was, became=became, stale_after_days=stale_after_days))
        if turn.key.family == "ceasefire" and was != became:
            hanging.append(turn)
    for turn in hanging:
        known = {effect.key for effect in found[turn.position]}
        more = await _hanging_on(connection, turn, stale_after_days=stale_after_days)
        found[turn.position] += [effect for effect in more if effect.key not in known]
    return found


def _turn(
    coalition: str, family: str, slug: str, actor: str, position: int, at: datetime, late: bool, *said: bytes | None
) -> _Turn:  # fmt: skip
    return _Turn(
        position, SubjectKey(coalition, family, slug, actor), at, late, _Said.of(*said[:2]), _Said.of(*said[2:])
    )


async def _truces(connection: Connection, turns: Sequence[_Turn]) -> list[tuple[bool, bool]]:
    """Whether a ceasefire was in force at each turn, as known before the event and after it."""
    asked = [
        (turn.key.coalition, position, turn.at) for turn in turns for position in (turn.position - 1, turn.position)
    ]
    values = {
        "coalitions": [one for one, _, _ in asked],
        "positions": [one for _, one, _ in asked],
        "ats": [one for _, _, one in asked],
    }
    found = [holds for _, holds in await fetch(connection, _TRUCES, values)] if asked else []
    return list(zip(found[::2], found[1::2], strict=True))


def _effect(turn: _Turn, *, was: bool, became: bool, stale_after_days: int) -> Effect:
    def shown(said: _Said, *, truce: bool) -> Json | None:
        if said.state is None:
            return None
        moment = Moment(turn.at, stale_after_days, frozenset({turn.key.coalition} if truce else ()))
        return shape(turn.key, said.state, [], said.rivals, moment)

    return Effect(turn.key, turn.at, shown(turn.was, truce=was), shown(turn.became, truce=became), turn.late)


async def _hanging_on(connection: Connection, turn: _Turn, *, stale_after_days: int) -> list[Effect]:
    """What stands otherwise because a ceasefire came into force or is over."""
    views = []
    for position in (turn.position - 1, turn.position):
        values = {"coalition": turn.key.coalition}
        _, rows = await states_at(connection, Point(turn.at, position), Scope.COALITION, values)
        views.append(view_of(rows, as_of=turn.at, stale_after_days=stale_after_days))
    before, after = views
    return [
        Effect(key, turn.at, before.shapes.get(key), shown, turn.late)
        for key, shown in sorted(after.shapes.items())
        if key.family != "ceasefire" and is_other(before.shapes.get(key), shown)
    ]


_ABOUT = """
SELECT DISTINCT e.position, split_part(s.kind, '.', 1) || '/' || coalesce(coalesce(s.content, t.body)->>'subject', '')
FROM event e CROSS JOIN LATERAL unnest(coalesce(e.about, ARRAY[e.position])) AS target(position)
JOIN statement s ON s.position = target.position AND s.known_from <= e.position AND s.known_to > e.position
JOIN event t ON t.position = target.position
WHERE e.position = ANY(%(positions)s::bigint[])
ORDER BY 1, 2
"""


async def find_subjects(connection: Connection, positions: Sequence[int]) -> dict[int, list[str]]:
    """The subjects of the statements that events are, or are about, as `family/slug`, as known with the event."""
    rows = await fetch(connection, _ABOUT, {"positions": list(positions)}) if positions else []
    found: dict[int, list[str]] = defaultdict(list)
    for position, subject in rows:
        found[position].append(subject)
    return found
