"""Drafts as they are kept.

An approval is recorded under a key of the draft's own, in the event's transaction; the draft is marked right after.
What is recorded under the key counts: between the two the draft reads as approved already, by whom it says there.
"""

from collections.abc import Collection, Sequence
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
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    UniqueConstraint,
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
    Column("returned_by", Text),
    Column("returned_at", DateTime(timezone=True)),
    Column("return_reason", Text, comment="what its author was asked to change"),
    Column("replaces", UUID(as_uuid=False), comment="the returned draft that its author changed into this one"),
    CheckConstraint("state IN ('pending', 'returned', 'approved', 'rejected', 'withdrawn')", name="state_known"),
    CheckConstraint("(state IN ('pending', 'returned')) = (decided_by IS NULL)", name="decided"),
    CheckConstraint("state <> 'returned' OR returned_by IS NOT NULL", name="returned"),
    ForeignKeyConstraint(["replaces"], ["draft.id"]),
    UniqueConstraint("replaces"),
    Index(None, "state", "id"),
    comment="What waits for a second editor, and what became of it.",
)


class DraftState(StrEnum):
    """What has become of a draft."""

    PENDING = "pending"
    RETURNED = "returned"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody would have recorded, and what became of it.

    What it would record never changes: an author who is asked to change it puts up another draft, which replaces it.
    """

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
    returned_by: str | None = None
    returned_at: datetime | None = None
    return_reason: str | None = None
    replaces: str | None = None  # the returned draft that its author changed into this one
    replaced_by: str | None = None
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
        return Draft(
            self.id, self.author, self.created_at, self.events, self.listed, self.revision, self.known_position,
            self.note, replaces=self.replaces,
        )  # fmt: skip

    def as_returned(self) -> "Draft":
        """The draft as it went back to its author, before they did anything."""
        before = self.as_created()
        by, at, reason = self.returned_by, self.returned_at, self.return_reason
        return replace(before, state=DraftState.RETURNED, returned_by=by, returned_at=at, return_reason=reason)


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

FROM = f"""
FROM draft d LEFT JOIN draft other ON other.replaces = d.id LEFT JOIN idempotency i
    ON i.client = '{CLIENT}' AND i.key = d.id::text AND d.state IN ('pending', 'approved')
"""
_STATE = "CASE WHEN i.key IS NOT NULL THEN 'approved' ELSE d.state END"
SELECT = f"""
SELECT d.id, d.author, d.created_at, d.events, d.listed, d.revision, d.known_position, d.note, d.state, d.decided_by,
       d.decided_at, d.reason, d.returned_by, d.returned_at, d.return_reason, d.replaces, other.id, i.answer
{FROM}
"""
_FIND = f"{SELECT} WHERE d.id = %(id)s"
_WHERE = f"""
WHERE (%(author)s::text IS NULL OR d.author = %(author)s)
  AND (%(besides)s::text IS NULL OR d.author <> %(besides)s)
  AND (%(coalition)s::text IS NULL OR %(coalition)s = ANY(d.coalitions))
  AND (%(states)s::text[] IS NULL OR ({_STATE} = ANY(%(states)s) AND d.state = ANY(%(stored)s::text[])))
"""
_LIST = f"{SELECT} {_WHERE} AND (%(after)s::uuid IS NULL OR d.id > %(after)s::uuid) ORDER BY d.id LIMIT %(limit)s"
_COUNT = f"SELECT count(*) {FROM} {_WHERE}"
_INSERT = """
INSERT INTO draft (id, author, created_at, events, listed, revision, coalitions, known_position, note, replaces, state)
VALUES (%(id)s, %(author)s, %(created_at)s, %(events)s, %(listed)s, %(revision)s, %(coalitions)s,
        %(known_position)s, %(note)s, %(replaces)s, 'pending')
"""
_MARK = """
UPDATE draft SET state = %(state)s, decided_by = %(by)s, reason = %(reason)s,
                 decided_at = coalesce(%(at)s::timestamptz, clock_timestamp())
WHERE id = %(id)s AND decided_by IS NULL
"""
_RETURN = """
UPDATE draft SET state = 'returned', returned_by = %(by)s, return_reason = %(reason)s, returned_at = clock_timestamp()
WHERE id = %(id)s AND state = 'pending'
"""


async def find_draft(connection: Connection, draft_id: str) -> Draft | None:
    """One draft by its id, or None."""
    rows = await fetch(connection, _FIND, {"id": draft_id})
    return parse_row(rows[0]) if rows else None


class WantedDrafts(NamedTuple):
    """Which drafts are asked for; None is any."""

    states: Collection[DraftState] | None = None
    author: str | None = None
    coalition: str | None = None
    besides: str | None = None  # an author whose drafts are not

    def values(self) -> dict[str, Any]:
        """The same for the queries: what is recorded and not yet marked is still kept as pending."""
        states = None if self.states is None else list(self.states)
        stored = [*(states or ()), *([DraftState.PENDING] if DraftState.APPROVED in (states or ()) else [])]
        return {**self._asdict(), "states": states, "stored": stored}


async def list_drafts(
    connection: Connection, wanted: WantedDrafts, *, after: str | None = None, limit: int
) -> list[Draft]:
    """Drafts in the order in which they were put up, behind one of them."""
    rows = await fetch(connection, _LIST, {**wanted.values(), "after": after, "limit": limit})
    return [parse_row(row) for row in rows]


async def count_drafts(connection: Connection, wanted: WantedDrafts) -> int:
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
        "replaces": one.replaces,
    }
    await connection.execute(_INSERT.encode(), values)


async def mark(
    connection: Connection, draft_id: str, state: DraftState, *, by: str, reason: str | None, at: datetime | None = None
) -> None:
    """Keeps what was decided, unless something is already; ``at`` is now where nothing else is said."""
    values = {"id": draft_id, "state": state, "by": by, "reason": reason, "at": at}
    await connection.execute(_MARK.encode(), values)


async def mark_returned(connection: Connection, draft_id: str, *, by: str, reason: str) -> None:
    """Keeps that a draft that waited went back to its author, and what they were asked to change."""
    await connection.execute(_RETURN.encode(), {"id": draft_id, "by": by, "reason": reason})


def parse_row(row: Sequence[Any]) -> Draft:
    """A row of `SELECT`."""
    draft_id, author, created_at, events, listed, revision, known, note, state, by, at, reason, *rest = row
    returned_by, returned_at, return_reason, replaces, replaced_by, answer = rest
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
        returned_by=returned_by,
        returned_at=returned_at,
        return_reason=return_reason,
        replaces=replaces and str(replaces),
        replaced_by=replaced_by and str(replaced_by),
    )
    return found if answer is None else approved(found, bytes(answer))
