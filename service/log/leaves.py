"""Whether the log is what its tree says: every leaf hashed anew, from the bodies up, and compared with what is kept."""

from dataclasses import dataclass

from service.database import Connection, fetch
from service.log.codec import commit, leaf_hash
from service.log.merkle import Frontier
from service.log.read import EventRow, read_events

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the log says: what, where, and how many rows."""

    what: str
    where: str
    count: int


_HEAD_AND_REST = """
SELECT size, root, frontier, (SELECT count(*) FROM event WHERE position > %(last)s) FROM log_head"""


class Leaves:
    """Hashes the events of the log anew, one after the other."""

    def __init__(self) -> None:
        self._frontier = Frontier()
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._findings: list[Finding] = []
        self._last = 0

    def check(self, event: EventRow) -> None:
        """Checks one event: its place, its commitment, its leaf, the root after it."""
        if event.position != self._last + 1:
            self._findings.append(Finding("is missing", f"event {self._last + 1}", event.position - self._last - 1))
        self._last = event.position
        stored = event.seal
        commitment = commit(event.body, stored.salt)
        leaf = leaf_hash(
            position=event.position, event_id=event.event_id, kind=event.kind, version=event.version,
            coalition=event.coalition, recorded_at=event.recorded_at, recorded_by=event.recorded_by,
            commitment=commitment,
        )  # fmt: skip
        self._frontier, nodes = self._frontier.push(leaf)
        self._nodes |= {(node.level, node.index): node.hash for node in nodes}
        for what, found, expected in (
            ("body does not fit its commitment", stored.commitment, commitment),
            ("leaf hash does not fit the event", stored.leaf_hash, leaf),
            ("root does not fit the leaves", stored.root, self._frontier.root),
        ):
            if found != expected:
                self._findings.append(Finding(what, f"event {event.position}", 1))

    async def close(self, connection: Connection) -> list[Finding]:
        """Compares the stored nodes and the head with the tree that the events make."""
        rows = await fetch(
            connection,
            "SELECT level, index, hash FROM merkle_node WHERE (index + 1) << level <= %(n)s",
            {"n": self._last},
        )
        stored = {(level, index): bytes(found) for level, index, found in rows}
        if stored != self._nodes:
            wrong = {place for place in {*stored, *self._nodes} if stored.get(place) != self._nodes.get(place)}
            self._findings.append(Finding("node does not fit the leaves", "merkle_node", len(wrong)))
        rows = await fetch(connection, _HEAD_AND_REST, {"last": self._last})  # in one snapshot: the log may have grown
        size, root, frontier, rest = rows[0]
        if size > self._last + rest:
            self._findings.append(Finding("is missing", f"event {self._last + 1}", size - self._last - rest))
        head_fits = bytes(root) == self._frontier.root and bytes(frontier) == self._frontier.render()
        if size < self._last or (size == self._last and not head_fits):
            self._findings.append(Finding("head does not fit the log", "log_head", 1))
        return self._findings


async def check_leaves(connection: Connection) -> list[Finding]:
    """The log and its tree alone, where something in it stops the replay."""
    leaves, done = Leaves(), 0
    while events := await read_events(connection, after=done, limit=_AT_ONCE):
        for event in events:
            leaves.check(event)
        done = events[-1].position
    return await leaves.close(connection)
