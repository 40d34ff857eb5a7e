"""How far each subscription has come, and which process sends to it now.

A lease says who sends: it is taken in one statement, renewed with each event that was accepted, and runs out by the
database's clock, so that a process that was killed leaves nothing behind. A cursor moves only in the hands of whoever
holds the lease, and only from where that holder has left it.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from service.database import Connection, fetch
from service.webhooks.deliveries import NOTE, Delivery, noted
from service.webhooks.subscriptions import COLUMNS, KEYS, Subscription

LEASE = timedelta(seconds=20)
"""Longer than an attempt can take, with what is read and written around it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A subscription that this process may send to, while its lease lasts."""

    subscription: Subscription
    keys: tuple[bytes, ...] = field(repr=False)
    holder: str


_TAKE = f"""
WITH due AS (
    SELECT w.webhook_id FROM webhook w, log_head h
    WHERE w.state = 'active' AND w.position < h.size AND w.next_at <= clock_timestamp()
      AND (w.leased_until IS NULL OR w.leased_until < clock_timestamp())
      AND w.webhook_id <> ALL (%(busy)s::uuid[])
    ORDER BY w.next_at LIMIT %(limit)s FOR UPDATE OF w SKIP LOCKED
)
UPDATE webhook w SET leased_by = %(holder)s, leased_until = clock_timestamp() + %(lease)s
FROM due WHERE w.webhook_id = due.webhook_id
RETURNING {COLUMNS}, {KEYS}
"""


async def take_due(connection: Connection, holder: str, *, busy: list[str], limit: int) -> list[Taken]:
    """Subscriptions with something to send, which nobody sends to now; those that have waited longest first."""
    values = {"holder": holder, "lease": LEASE, "busy": busy, "limit": limit}
    return [
        Taken(Subscription.of(row[:-1]), tuple(map(bytes, row[-1])), holder)
        for row in await fetch(connection, _TAKE, values)
    ]


async def any_active(connection: Connection) -> bool:
    """Whether anybody may have to be sent anything."""
    found: bool = (await fetch(connection, "SELECT EXISTS (SELECT FROM webhook WHERE state = 'active')"))[0][0]
    return found


_HELD = "webhook_id = %(webhook_id)s AND leased_by = %(holder)s AND position = %(left_at)s"
_ACCEPT = f"""
WITH noted AS ({NOTE}), moved AS (
    UPDATE webhook SET position = %(event)s, attempts = 0, leased_until = clock_timestamp() + %(lease)s
    WHERE {_HELD} RETURNING revision
)
SELECT revision FROM moved
"""
_FAIL = f"""
WITH noted AS ({NOTE})
UPDATE webhook SET position = %(event)s - 1, attempts = %(attempt)s, leased_by = NULL, leased_until = NULL,
    next_at = clock_timestamp() + %(gap)s, state = %(state)s, reason = %(reason)s,
    changed_at = CASE WHEN %(reason)s::text IS NULL THEN changed_at ELSE clock_timestamp() END
WHERE {_HELD} AND revision = %(revision)s
"""
_LEAVE = f"""
UPDATE webhook SET position = %(position)s, leased_by = NULL, leased_until = NULL,
    next_at = clock_timestamp() + %(gap)s
WHERE {_HELD} AND revision = %(revision)s
"""
_RELEASE = "UPDATE webhook SET leased_by = NULL, leased_until = NULL WHERE leased_by = %(holder)s"
_RELEASE_ONE = f"{_RELEASE} AND webhook_id = %(webhook_id)s"


def _held(taken: Taken, left_at: int) -> dict[str, Any]:
    """By what a holder is known, and where it has left the cursor."""
    return {
        "webhook_id": taken.subscription.webhook_id,
        "holder": taken.holder,
        "revision": taken.subscription.revision,
        "left_at": left_at,
        "lease": LEASE,
    }


async def note_accepted(connection: Connection, taken: Taken, delivery: Delivery, left_at: int) -> bool:
    """Moves the cursor onto an event that was accepted; answers whether the holder may go on as it began."""
    rows = await fetch(connection, _ACCEPT, _held(taken, left_at) | noted(delivery))
    return [revision for (revision,) in rows] == [taken.subscription.revision]


async def note_failed(
    connection: Connection, taken: Taken, delivery: Delivery, left_at: int, *, gap: timedelta | None, reason: str | None
) -> None:
    """Leaves the cursor before an event that was not accepted: until the gap is over, or for good with a reason.

    A subscription that was changed meanwhile stays as it was changed.
    """
    state = "active" if reason is None else "switched_off"
    values = _held(taken, left_at) | noted(delivery) | {"gap": gap or timedelta(), "reason": reason, "state": state}
    await connection.execute(_FAIL.encode(), values)
    await connection.execute(_RELEASE_ONE.encode(), values)


async def leave(connection: Connection, taken: Taken, left_at: int, *, position: int, gap: timedelta) -> None:
    """Gives the lease back; nothing up to the position is wanted or outstanding. No turn before the gap is over."""
    values = _held(taken, left_at)
    await connection.execute(_LEAVE.encode(), values | {"position": position, "gap": gap})
    await connection.execute(_RELEASE_ONE.encode(), values)  # also where the cursor was moved by hand


async def release_all(connection: Connection, holder: str) -> None:
    """Gives back every lease of a process that ends."""
    await connection.execute(_RELEASE.encode(), {"holder": holder})


_LAG = """
SELECT count(*) FILTER (WHERE w.state = 'active'), count(*) FILTER (WHERE w.state = 'paused'),
       count(*) FILTER (WHERE w.state = 'switched_off'),
       coalesce(max(h.size - w.position) FILTER (WHERE w.state = 'active'), 0),
       coalesce(extract(epoch FROM clock_timestamp() - min(e.recorded_at) FILTER (WHERE w.state = 'active')), 0)::float8
FROM log_head h CROSS JOIN webhook w LEFT JOIN event e ON e.position = w.position + 1
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """How many subscriptions there are, and how far the slowest active one is behind: in events, and in seconds."""

    active: int
    paused: int
    switched_off: int
    positions: int
    seconds: float


async def read_lag(connection: Connection) -> Lag:
    """How far the subscriptions are behind."""
    return Lag(*(await fetch(connection, _LAG))[0])
