"""Who wants to be sent which events: subscriptions as their owners see and change them, and their secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg

from service.database import Connection, fetch
from service.domain.errors import Fault, Invalid, Refused, Stale, Unknown
from service.segments.heard import WantedEvents, check_wanted

MOST = 100
"""Subscriptions of one owner."""


class State(StrEnum):
    """Whether a subscription is sent anything."""

    ACTIVE = "active"
    PAUSED = "paused"  # by whoever may change it
    SWITCHED_OFF = "switched_off"  # by the service


REASONS = {
    "gone": "The receiver answered 410 Gone: it wants no more.",
    "failing": "One event was refused, or could not be sent, at every attempt over some five days.",
}
"""Why the service switches a subscription off."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is sent which events, and how far that has come."""

    webhook_id: str
    owner: str
    url: str
    description: str
    wanted: WantedEvents
    state: State
    reason: str | None
    position: int
    attempts: int
    next_at: datetime
    revision: int
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> "Subscription":
        """A row of `COLUMNS`."""
        webhook_id, owner, url, description, coalition, kind, country, state, *rest = row
        wanted = WantedEvents.model_construct(coalition=coalition, kind=kind, country=country)
        return cls(str(webhook_id), owner, url, description, wanted, State(state), *rest)


COLUMNS = (
    "w.webhook_id, w.owner, w.url, w.description, w.coalition, w.kind, w.country, w.state, w.reason, w.position, "
    "w.attempts, w.next_at, w.revision, w.created_at, w.changed_at"
)
_MINE = "(%(owner)s::text IS NULL OR w.owner = %(owner)s)"
_ADD = f"""
INSERT INTO webhook AS w (webhook_id, owner, url, description, coalition, kind, country, state, position, attempts,
                          next_at, revision, created_at, changed_at)
SELECT %(webhook_id)s, %(owner)s, %(url)s, %(description)s, %(coalition)s, %(kind)s, %(country)s, 'active',
       coalesce(%(after)s, h.size), 0, now(), 0, now(), now()
FROM log_head h WHERE %(after)s::bigint IS NULL OR %(after)s <= h.size
RETURNING {COLUMNS}
"""
_KEEP = (
    "INSERT INTO webhook_secret (webhook_id, secret, made_at) VALUES (%(webhook_id)s, %(secret)s, clock_timestamp())"
)
_LIST = f"""
SELECT {COLUMNS} FROM webhook w
WHERE {_MINE} AND (%(after)s::uuid IS NULL OR w.webhook_id > %(after)s) ORDER BY w.webhook_id LIMIT %(limit)s
"""
_COUNT = f"SELECT count(*) FROM webhook w WHERE {_MINE}"
_FIND = f"SELECT {COLUMNS} FROM webhook w WHERE w.webhook_id = %(webhook_id)s AND {_MINE}"
_LIVE = "(expires_at IS NULL OR expires_at > clock_timestamp())"
KEYS = f"ARRAY(SELECT secret FROM webhook_secret s WHERE s.webhook_id = w.webhook_id AND {_LIVE} ORDER BY made_at DESC)"
"""The live secrets of a subscription, the newest first."""


async def add_subscription(
    connection: Connection,
    webhook_id: str,
    *,
    owner: str,
    url: str,
    description: str,
    wanted: WantedEvents,
    after: int | None,
    secret: bytes,
) -> Subscription:
    """Makes a subscription that begins behind a position, or now.

    Raises `Refused` where the owner has the same one already, or too many; `Invalid` for an unknown coalition.
    """
    values = {"webhook_id": webhook_id, "owner": owner, "url": url, "description": description, "after": after}
    async with connection.transaction():
        await check_wanted(connection, wanted)
        if await count_subscriptions(connection, owner) >= MOST:
            raise Refused(f"There are {MOST} webhooks of this owner already; delete one that is not needed.")
        try:
            rows = await fetch(connection, _ADD, values | wanted.model_dump())
        except psycopg.errors.UniqueViolation:
            raise _taken() from None
        if not rows:
            raise _beyond_head()
        await connection.execute(_KEEP.encode(), {"webhook_id": webhook_id, "secret": secret})
    return Subscription.of(rows[0])


def _taken() -> Refused:
    return Refused("There is a webhook with this address and these filters already; GET /v1/webhooks lists it.")


def _beyond_head() -> Invalid:
    detail = "The log is not that long yet; leave the position out to begin now."
    return Invalid("The request is not valid.", Fault("/after", "beyond_head", detail))


async def list_subscriptions(
    connection: Connection, owner: str | None, *, after: str | None, limit: int
) -> list[Subscription]:
    """Subscriptions of an owner (None: of all), oldest first, behind one of them."""
    return [
        Subscription.of(row) for row in await fetch(connection, _LIST, {"owner": owner, "after": after, "limit": limit})
    ]


async def count_subscriptions(connection: Connection, owner: str | None) -> int:
    """How many subscriptions an owner has (None: there are)."""
    count: int = (await fetch(connection, _COUNT, {"owner": owner}))[0][0]
    return count


async def get_subscription(connection: Connection, webhook_id: str, owner: str | None) -> Subscription:
    """A subscription of an owner (None: of any); raises `Unknown`."""
    rows = await fetch(connection, _FIND, {"webhook_id": parse_id(webhook_id), "owner": owner})
    if not rows:
        raise _unknown()
    return Subscription.of(rows[0])


async def hold_subscription(
    connection: Connection, webhook_id: str, owner: str | None, *, seen: frozenset[int] | None
) -> Subscription:
    """A subscription that nobody else changes before this transaction ends; ``seen`` are the revisions it may have.

    Raises `Unknown`, and `Stale` where it has none of them.
    """
    rows = await fetch(connection, f"{_FIND} FOR UPDATE", {"webhook_id": webhook_id, "owner": owner})
    if not rows:
        raise _unknown()
    held = Subscription.of(rows[0])
    if seen is not None and held.revision not in seen:
        raise Stale("The webhook was changed meanwhile: read it again, and send its new ETag in If-Match.")
    return held


def parse_id(text: str) -> str:
    """The id that a subscription may have; raises `Unknown` for what is none."""
    try:
        return str(UUID(text))
    except ValueError:
        raise _unknown() from None


def _unknown() -> Unknown:
    """There is no such subscription, or it is another's: which of them, nobody is told."""
    return Unknown("There is no such webhook; GET /v1/webhooks lists yours.")


async def change_subscription(
    connection: Connection, webhook_id: str, owner: str | None, changes: Mapping[str, Any]
) -> Subscription:
    """Changes some of url, description, coalition, kind, country, state and after (the position to go on from).

    Whatever was waiting is tried again at once. Raises `Unknown`; `Refused` where it would be the same as another;
    `Invalid` for a position that the log has not reached, and for an unknown coalition.
    """
    await check_wanted(connection, WantedEvents.model_construct(coalition=changes.get("coalition")))
    columns = {"position" if name == "after" else name: value for name, value in changes.items()}
    sets = "".join(f"{name} = %({name})s, " for name in sorted(columns) if name in _CHANGEABLE)
    reason = "reason = NULL, " if "state" in columns else ""
    sql = (
        f"UPDATE webhook w SET {sets}{reason}attempts = 0, next_at = now(), revision = revision + 1, changed_at = now()"
        f" WHERE w.webhook_id = %(webhook_id)s AND {_MINE}"
        " AND %(position)s <= (SELECT size FROM log_head)"
        f" RETURNING {COLUMNS}"
    )
    values = {"position": 0} | columns | {"webhook_id": webhook_id, "owner": owner}
    try:
        rows = await fetch(connection, sql, values)
    except psycopg.errors.UniqueViolation:
        raise _taken() from None
    if not rows:
        await get_subscription(connection, webhook_id, owner)
        raise _beyond_head()
    return Subscription.of(rows[0])


_CHANGEABLE = ("url", "description", "coalition", "kind", "country", "state", "position")


async def delete_subscription(connection: Connection, webhook_id: str, owner: str | None) -> None:
    """Ends a subscription, with its secrets and its deliveries; raises `Unknown`."""
    sql = f"DELETE FROM webhook w WHERE w.webhook_id = %(webhook_id)s AND {_MINE} RETURNING w.webhook_id"
    if not await fetch(connection, sql, {"webhook_id": webhook_id, "owner": owner}):
        raise _unknown()


async def replace_secret(
    connection: Connection, webhook_id: str, owner: str | None, *, overlap: timedelta, secret: bytes
) -> datetime:
    """Gives it a new secret; answers until when the one before signs as well. An older one ends at once."""
    values = {"webhook_id": webhook_id, "owner": owner, "overlap": overlap, "secret": secret}
    async with connection.transaction():
        changed = await fetch(connection, _NOTE_CHANGE, values)
        if not changed:
            raise _unknown()
        await connection.execute(_END_OLD.encode(), values)
        (until,) = (await fetch(connection, _END_PRESENT, values))[0]
        await connection.execute(_KEEP.encode(), values)
    found: datetime = until
    return found


_NOTE_CHANGE = f"""
UPDATE webhook w SET revision = revision + 1, changed_at = now() WHERE w.webhook_id = %(webhook_id)s AND {_MINE}
RETURNING w.webhook_id
"""
_END_OLD = "DELETE FROM webhook_secret WHERE webhook_id = %(webhook_id)s AND expires_at IS NOT NULL"
_END_PRESENT = """
UPDATE webhook_secret SET expires_at = clock_timestamp() + %(overlap)s WHERE webhook_id = %(webhook_id)s
RETURNING expires_at
"""


async def read_keys(connection: Connection, webhook_id: str) -> list[bytes]:
    """The live secrets of a subscription, the newest first."""
    rows = await fetch(
        connection, f"SELECT {KEYS} FROM webhook w WHERE w.webhook_id = %(webhook_id)s", {"webhook_id": webhook_id}
    )
    return [bytes(key) for (keys,) in rows for key in keys]
