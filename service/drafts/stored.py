"""Drafts as they are kept.

An approval is recorded under a key of the draft's own, in the event's transaction; the draft is marked right after.
What is recorded under the key counts: between the two the draft reads as approved already, by whom it says there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSON, UUID

from service.database import METADATA, Connection, fetch
from service.domain.answers import Json
from service.domain.dates import parse_instant
from service.domain.kinds import parse_event
from service.domain.statement import Event

draft = Table(
    "draft",
    METADATA,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("author", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("events", JSON, nullable=False, comment="what it would record, in order"),
    Column("listed", Boolean, nullable=False, comment="sent as a list"),
    Column("revision", BigInteger, comment="of the target, as the author saw it"),
    Column("coalitions", ARRAY(Text), nullable=False),
    Column("known_position", BigInteger, nullable=False, comment="how long the log was when it was put up"),
    Column("note", Text),
    Column("state", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("reason", Text),
    CheckConstraint("state IN ('pending', 'approved', 'rejected', 'withdrawn')", name="state_known"),
    CheckConstraint("(state = 'pending') = (decided_by IS NULL)", name="decided"),
    Index(None, "state", "id"),
    comment="What waits for a second editor, and what became of it.",
)


class DraftState(StrEnum):
    """What has become of a draft."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody would have recorded, and what became of it."""

    id: str
    author: str
    created_at: datetime
    events: tuple[Event, ...]
    listed: bool  # sent as a list, and answered as one
    revision: int | None  # of the target, as the author saw it
    known_position: int  # how long the log was then
    note: str | None
    state: DraftState = DraftState.PENDING
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    recorded: Json | None = None  # what its approval was answered

    @property
    def coalitions(self) -> list[str]:
        """Which coalitions it is about."""
        return sorted({event.coalition for event in self.events})

    @property
    def event_ids(self) -> list[str]:
        """What it was recorded as."""
        return [] if self.recorded is None else [event["event_id"] for event in _recorded_events(self.recorded)]

    def as_created(self) -> "Draft":
        """The draft before anybody decided on it."""
        return replace(self, state=DraftState.PENDING, decided_by=None, decided_at=None, reason=None, recorded=None)


def approved(one: Draft, answer: bytes) -> Draft:
    """The draft with what stands in the answer to its approval."""
    content: Json = orjson.loads(answer)
    by, reason = content.pop("decided_by"), content.pop("reason")
    at = parse_instant(_recorded_events(content)[-1]["recorded_at"])
    return replace(one, state=DraftState.APPROVED, decided_by=by, decided_at=at, reason=reason, recorded=content)


def _recorded_events(content: Json) -> list[Json]:
    events: list[Json] = content["events"] if "events" in content else [content["event"]]
    return events


CLIENT = "draft"
"""In whose name the answers to approvals are kept; the key is the draft's id."""

_FROM = f"""
FROM draft d LEFT JOIN idempotency i
    ON i.client = '{CLIENT}' AND i.key = d.id::text AND d.state IN ('pending', 'approved')
"""
_STATE = "CASE WHEN i.key IS NOT NULL THEN 'approved' ELSE d.state END"
_SELECT = f"""
SELECT d.id, d.author, d.created_at, d.events, d.listed, d.revision, d.known_position, d.note, d.state, d.decided_by,
       d.decided_at, d.reason, i.answer
{_FROM}
"""
_FIND = f"{_SELECT} WHERE d.id = %(id)s"
_WHERE = f"""
WHERE (%(author)s::text IS NULL OR d.author = %(author)s)
  AND (%(coalition)s::text IS NULL OR %(coalition)s = ANY(d.coalitions))
  AND (%(state)s::text IS NULL OR ({_STATE} = %(state)s AND d.state = ANY(%(stored)s::text[])))
"""
_LIST = f"{_SELECT} {_WHERE} AND (%(after)s::uuid IS NULL OR d.id > %(after)s::uuid) ORDER BY d.id LIMIT %(limit)s"
_COUNT = f"SELECT count(*) {_FROM} {_WHERE}"
_INSERT = """
INSERT INTO draft (id, author, created_at, events, listed, revision, coalitions, known_position, note, state)
VALUES (%(id)s, %(author)s, %(created_at)s, %(events)s, %(listed)s, %(revision)s, %(coalitions)s,
        %(known_position)s, %(note)s, 'pending')
"""
_MARK = """
UPDATE draft SET state = %(state)s, decided_by = %(by)s, reason = %(reason)s,
                 decided_at = coalesce(%(at)s::timestamptz, clock_timestamp())
WHERE id = %(id)s AND state = 'pending'
"""


async def find_draft(connection: Connection, draft_id: str) -> Draft | None:
    """One draft by its id, or None."""
    rows = await fetch(connection, _FIND, {"id": draft_id})
    return _parse_row(rows[0]) if rows else None


class Wanted(NamedTuple):
    """Which drafts are asked for; None is any."""

    state: DraftState | None = None
    author: str | None = None
    coalition: str | None = None

    def values(self) -> dict[str, Any]:
        """The same for the queries: what is recorded and not yet marked is still kept as pending."""
        stored = [DraftState.PENDING, DraftState.APPROVED] if self.state is DraftState.APPROVED else [self.state]
        return {**self._asdict(), "stored": stored}


async def list_drafts(
    connection: Connection, wanted: Wanted, *, after: str | None = None, limit: int | None = None
) -> list[Draft]:
    """Drafts in the order in which they were put up, behind one of them."""
    rows = await fetch(connection, _LIST, {**wanted.values(), "after": after, "limit": limit})
    return [_parse_row(row) for row in rows]


async def count_drafts(connection: Connection, wanted: Wanted) -> int:
    """How many there are."""
    count: int = (await fetch(connection, _COUNT, wanted.values()))[0][0]
    return count


async def insert_draft(connection: Connection, one: Draft) -> None:
    """Keeps a new draft."""
    values = {
        "id": one.id,
        "author": one.author,
        "created_at": one.created_at,
        "events": orjson.dumps([event.content() for event in one.events]).decode(),
        "listed": one.listed,
        "revision": one.revision,
        "coalitions": one.coalitions,
        "known_position": one.known_position,
        "note": one.note,
    }
    await connection.execute(_INSERT.encode(), values)


async def mark(
    connection: Connection, draft_id: str, state: DraftState, *, by: str, reason: str | None, at: datetime | None = None
) -> None:
    """Keeps what was decided, unless something is already; ``at`` is now where nothing else is said."""
    values = {"id": draft_id, "state": state, "by": by, "reason": reason, "at": at}
    await connection.execute(_MARK.encode(), values)


def _parse_row(row: Sequence[Any]) -> Draft:
    draft_id, author, created_at, events, listed, revision, known, note, state, by, at, reason, answer = row
    found = Draft(
        id=str(draft_id),
        author=author,
        created_at=created_at,
        events=tuple(parse_event(one) for one in orjson.loads(events)),
        listed=listed,
        revision=revision,
        known_position=known,
        note=note,
        state=DraftState(state),
        decided_by=by,
        decided_at=at,
        reason=reason,
    )
    return found if answer is None else approved(found, bytes(answer))
