"""One batch of events at the end of the log, in one transaction.

The gate (an advisory lock, in a statement of its own) is the queue; the head row, locked for update, is the proof:
under a wrong isolation level it fails instead of reading a stale size. Positions are therefore gap-free and in commit
order. Everything before `rows_of` needs only the head; nothing in here waits on anything but the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from service.database import Connection
from service.log.codec import Entry, leaf_hash
from service.log.merkle import Frontier, Node

GATE = 0x706C6564676500  # "pledge": the advisory lock that queues writers

TAKE_GATE = f"SELECT pg_advisory_xact_lock({GATE})"
SHARE_GATE = f"SELECT pg_advisory_xact_lock_shared({GATE})"
READ_HEAD = "SELECT size, recorded_at, frontier, clock_timestamp() FROM log_head WHERE id = 1"
LOCK_HEAD = f"{READ_HEAD} FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the log as locked by this transaction, and the database's clock."""

    frontier: Frontier
    recorded_at: datetime
    now: datetime

    @classmethod
    def of(cls, row: Sequence[Any]) -> "Head":
        size, recorded_at, frontier, now = row
        return cls(Frontier.parse(size, bytes(frontier)), recorded_at, now)

    @property
    def size(self) -> int:
        return self.frontier.size

    def instant(self, nth: int) -> datetime:
        """`recorded_at` of the nth event of the batch (from 0): strictly later than all before, whatever the clock."""
        return max(self.now, self.recorded_at + _TICK) + nth * _TICK


_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Appended:
    """An entry at its place in the log."""

    entry: Entry
    position: int
    recorded_at: datetime
    recorded_by: str
    about: tuple[int, ...]
    leaf_hash: bytes
    root: bytes


@dataclass(slots=True)
class Tail:
    """The events that a transaction appends, in order."""

    head: Head
    frontier: Frontier
    appended: list[Appended]
    nodes: list[Node]

    @classmethod
    def after(cls, head: Head) -> "Tail":
        return cls(head, head.frontier, [], [])

    def push(self, entry: Entry, *, recorded_by: str, about: tuple[int, ...]) -> Appended:
        """Gives an entry the next position, and its leaf to the tree."""
        position, recorded_at = self.frontier.size + 1, self.head.instant(len(self.appended))
        leaf = leaf_hash(
            position=position,
            event_id=entry.event_id,
            kind=entry.event.kind,
            version=entry.event.version,
            coalition=entry.event.coalition,
            recorded_at=recorded_at,
            recorded_by=recorded_by,
            commitment=entry.commitment,
        )
        self.frontier, nodes = self.frontier.push(leaf)
        self.nodes.extend(nodes)
        one = Appended(entry, position, recorded_at, recorded_by, about, leaf, self.frontier.root)
        self.appended.append(one)
        return one


# A batch travels as one JSON document: an array for each column costs the client several times as much.
_INSERT_EVENTS = """
INSERT INTO event (position, event_id, kind, version, coalition, recorded_at, recorded_by, about, body, salt,
                   commitment, leaf_hash, root)
SELECT position, event_id, kind, version, coalition, recorded_at, recorded_by, about, body::json,
       decode(salt, 'hex'), decode(commitment, 'hex'), decode(leaf_hash, 'hex'), decode(root, 'hex')
FROM json_to_recordset(%b::json) AS new(
    position bigint, event_id uuid, kind text, version smallint, coalition text, recorded_at timestamptz,
    recorded_by text, about bigint[], body text, salt text, commitment text, leaf_hash text, root text)
"""
_INSERT_NODES = """
INSERT INTO merkle_node (level, index, hash)
SELECT level, index, decode(hash, 'hex')
FROM json_to_recordset(%b::json) AS new(level smallint, index bigint, hash text)
"""
_MOVE_HEAD = "UPDATE log_head SET size = %b, recorded_at = %b, frontier = %b, root = %b WHERE id = 1"


async def write(connection: Connection, tail: Tail) -> None:
    """Writes the batch's events and nodes, and moves the head once. Runs inside the caller's pipeline."""
    events = tail.appended
    if not events:
        return
    await connection.execute(_INSERT_EVENTS, (orjson.dumps([_row(one) for one in events]).decode(),))
    if tail.nodes:
        nodes = [{"level": node.level, "index": node.index, "hash": node.hash.hex()} for node in tail.nodes]
        await connection.execute(_INSERT_NODES, (orjson.dumps(nodes).decode(),))
    last = events[-1]
    await connection.execute(_MOVE_HEAD, (last.position, last.recorded_at, tail.frontier.render(), tail.frontier.root))


def _row(one: Appended) -> dict[str, Any]:
    entry = one.entry
    return {
        "position": one.position,
        "event_id": entry.event_id,
        "kind": entry.event.kind,
        "version": entry.event.version,
        "coalition": entry.event.coalition,
        "recorded_at": one.recorded_at,
        "recorded_by": one.recorded_by,
        "about": one.about or None,
        "body": entry.body.decode(),
        "salt": entry.salt.hex(),
        "commitment": entry.commitment.hex(),
        "leaf_hash": one.leaf_hash.hex(),
        "root": one.root.hex(),
    }
