"""Recorded statements as they now stand: loaded for a decision, stored as versions on the axis of record time."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from service.database import OPEN, Connection, fetch
from service.domain.decide import Known
from service.domain.record import Dispute, Effective, Rank
from service.domain.statement import Event, Statement
from service.log.codec import lift

_FIND_EVENTS = "SELECT event_id, position, about FROM event WHERE event_id = ANY(%(ids)b::uuid[])"
_REGISTRATIONS = """
SELECT s.coalition, e.event_id
FROM subject s JOIN subject_statement m ON m.subject_id = s.id JOIN event e USING (position)
WHERE s.family = 'coalition' AND s.slug = 'registration'
"""
_FIND_IDS = "SELECT position, event_id FROM event WHERE position = ANY(%(positions)b::bigint[])"
_FIND_STATEMENTS = f"""
SELECT s.position, s.event_id, s.kind, e.version, s.retracted, s.content, s.notes, e.body
FROM statement s JOIN event e USING (position)
WHERE s.position = ANY(%(positions)b::bigint[]) AND s.known_to = {OPEN}
"""
_FIND_COALITIONS = """
SELECT coalition FROM subject
WHERE coalition = ANY(%b::text[]) AND family = 'coalition' AND slug = 'registration' AND actor = ''
"""


async def load_known(connection: Connection, named: Sequence[str], coalitions: Iterable[str]) -> Known:
    """What the record says now of the named events, and of every statement whose standing hangs on theirs.

    ``coalitions`` are the registered ones among those the batch names.
    """
    known = Known(coalitions=set(coalitions))
    wanted: set[int] = set()
    if named:
        for event_id, position, about in await fetch(connection, _FIND_EVENTS, {"ids": named}):
            if about is None:
                wanted.add(position)
            else:
                known.record_level[str(event_id)] = position
                wanted.update(about)
    while wanted:
        found = await fetch(connection, _FIND_STATEMENTS, {"positions": sorted(wanted)})
        loaded = [parse_row(row) for row in found]
        known.add(loaded)
        wanted = {position for one in loaded for position in one.linked} - set(known.by_position)
    return known


NOT_REGISTERED = "No coalition is registered under this slug; GET /v1/coalitions lists those that are."


async def find_registered(connection: Connection, slugs: Sequence[str]) -> set[str]:
    """Those of the slugs under which a coalition is registered."""
    rows = await connection.cursor(binary=True).execute(_FIND_COALITIONS, (list(slugs),))
    return {slug for (slug,) in await rows.fetchall()}


async def find_registrations(connection: Connection) -> dict[str, str]:
    """The id of the event that registered each coalition, by slug; of those that were retracted, too."""
    return {slug: str(event_id) for slug, event_id in await fetch(connection, _REGISTRATIONS)}


async def find_effective(connection: Connection, position: int) -> Effective | None:
    """What the statement recorded at a position is now taken to say; None where that event is no statement."""
    rows = await fetch(connection, _FIND_STATEMENTS, {"positions": [position]})
    return parse_row(rows[0]) if rows else None


async def find_event_ids(connection: Connection, positions: Sequence[int]) -> dict[int, str]:
    """The ids of statements by position."""
    rows = await fetch(connection, _FIND_IDS, {"positions": list(positions)}) if positions else []
    return {position: str(event_id) for position, event_id in rows}


def parse_row(row: Sequence[Any]) -> Effective:
    """(position, event_id, kind, version, retracted, content, notes, body) → the statement as it stands."""
    position, event_id, kind, version, retracted, content, notes, body = row
    said, event = lift(kind, version, body if content is None else content)
    return Effective(
        position=position, event_id=str(event_id), event=event, content=said, retracted=retracted, **_parse_notes(notes)
    )


def _parse_notes(notes: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(notes)
    for name in ("duplicates", "backs", "more_origins"):
        if name in found:
            found[name] = tuple(found[name])
    if "disputes" in found:
        found["disputes"] = {
            int(position): Dispute(Rank(part["rank"]), part["open"], tuple(part["yields_to"]))
            for position, part in found["disputes"].items()
        }
    return found


def _render_notes(one: Effective) -> str:
    notes: dict[str, Any] = {"revision": one.revision}
    for name in ("corrected", "duplicate_of", "duplicates", "backs", "suppressed", "more_origins"):
        value = getattr(one, name)
        if value not in (None, (), False):
            notes[name] = value
    if one.disputes:
        notes["disputes"] = {
            str(position): {"rank": part.rank, "open": part.open, "yields_to": part.yields_to}
            for position, part in one.disputes.items()
        }
    return orjson.dumps(notes).decode()


class Versions:
    """The statement versions of one batch: each version is known until the position that closes it."""

    def __init__(self) -> None:
        self._opened: dict[int, tuple[int, Effective]] = {}
        self._passed: list[tuple[int, int, Effective]] = []
        self._closed: dict[int, int] = {}

    def put(self, statements: Iterable[Effective], *, at: int) -> None:
        """Takes in what statements say from a position on."""
        for one in statements:
            before = self._opened.get(one.position)
            if before is not None:
                if before[0] < at:
                    self._passed.append((before[0], at, before[1]))
            elif one.position < at:
                self._closed[one.position] = at
            self._opened[one.position] = (at, one)

    async def write(self, connection: Connection) -> None:
        """Closes and inserts versions. Runs inside the caller's pipeline."""
        if self._closed:
            await connection.execute(_CLOSE, (list(self._closed), list(self._closed.values())))
        rows = self._passed + [(since, OPEN, one) for since, one in self._opened.values()]
        if not rows:
            return
        document = orjson.dumps([_row(since, until, one) for since, until, one in rows])
        await connection.execute(_INSERT, (document.decode(),))


def _row(since: int, until: int, one: Effective) -> dict[str, Any]:
    bounds = one.bounds
    return {
        "position": one.position,
        "known_from": since,
        "known_to": until,
        "event_id": one.event_id,
        "kind": one.event.kind,
        "coalition": one.event.coalition,
        "earliest": bounds.earliest,
        "latest": bounds.latest,
        "actors": actors_of(one.event),
        "retracted": one.retracted,
        "content": orjson.dumps(one.content).decode() if one.corrected else None,
        "notes": _render_notes(one),
    }


def actors_of(event: Event) -> list[str]:
    """The actors by whom a timeline is filtered, and what is similar is found."""
    if not isinstance(event, Statement):
        return []
    speaker = (event.said_by.actor,) if event.said_by and event.said_by.actor else ()
    return sorted({*event.actors, *speaker, *event.addressees})


_CLOSE = f"""
UPDATE statement s SET known_to = c.known_to
FROM unnest(%b::bigint[], %b::bigint[]) AS c(position, known_to)
WHERE s.position = c.position AND s.known_to = {OPEN}
"""
_INSERT = """
INSERT INTO statement (position, known_from, known_to, event_id, kind, coalition, earliest, latest, actors, retracted,
                       content, notes)
SELECT position, known_from, known_to, event_id, kind, coalition, earliest, latest, actors, retracted, content::json,
       notes::json
FROM json_to_recordset(%b::json) AS new(
    position bigint, known_from bigint, known_to bigint, event_id uuid, kind text, coalition text,
    earliest timestamptz, latest timestamptz, actors text[], retracted boolean, content text, notes text)
"""
