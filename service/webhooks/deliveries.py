"""What came of each attempt to deliver: the latest of them are remembered, and any of these can be sent again."""

from dataclasses import dataclass
from typing import Any

from service.database import Connection, fetch
from service.webhooks.sending import Failure, Outcome

KEPT = 1_000
"""Deliveries of one subscription that are remembered."""
CAUSES = ("log", "resend", "ping")
"""Why something was sent: it was its turn, or somebody asked for it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt, as it is remembered: of an event, or without one of a ping."""

    delivery_id: str
    cause: str
    position: int | None
    event_id: str | None
    attempt: int
    outcome: Outcome


NOTE = """
INSERT INTO webhook_delivery (webhook_id, delivery_id, cause, position, attempt, began_at, took_ms, status, failure)
SELECT webhook_id, %(delivery_id)s, %(cause)s, %(event)s, %(attempt)s, %(began_at)s, %(took_ms)s, %(status)s,
       %(failure)s
FROM webhook WHERE webhook_id = %(webhook_id)s
"""
"""For a subscription that is still there."""


def noted(delivery: Delivery) -> dict[str, Any]:
    """What `NOTE` says of an attempt."""
    return {
        "delivery_id": delivery.delivery_id,
        "cause": delivery.cause,
        "event": delivery.position,
        "attempt": delivery.attempt,
        "began_at": delivery.outcome.began_at,
        "took_ms": delivery.outcome.took_ms,
        "status": delivery.outcome.status,
        "failure": delivery.outcome.failure,
    }


async def note_by_hand(connection: Connection, webhook_id: str, delivery: Delivery) -> None:
    """Remembers an attempt that moves no cursor."""
    await connection.execute(NOTE.encode(), noted(delivery) | {"webhook_id": webhook_id})


_DELIVERIES = """
SELECT d.delivery_id, d.cause, d.position, e.event_id, d.attempt, d.began_at, d.took_ms, d.status, d.failure
FROM webhook_delivery d LEFT JOIN event e ON e.position = d.position
WHERE d.webhook_id = %(webhook_id)s
"""
_LIST = f"""
{_DELIVERIES} AND (%(before)s::uuid IS NULL OR d.delivery_id < %(before)s) ORDER BY d.delivery_id DESC LIMIT %(limit)s
"""
_FIND = f"{_DELIVERIES} AND d.delivery_id = %(delivery_id)s"
_COUNT = "SELECT count(*) FROM webhook_delivery WHERE webhook_id = %(webhook_id)s"
_FORGET = """
DELETE FROM webhook_delivery WHERE webhook_id = %(webhook_id)s AND delivery_id < (
    SELECT delivery_id FROM webhook_delivery WHERE webhook_id = %(webhook_id)s
    ORDER BY delivery_id DESC OFFSET %(kept)s - 1 LIMIT 1
)
"""


async def list_deliveries(connection: Connection, webhook_id: str, *, before: str | None, limit: int) -> list[Delivery]:
    """The deliveries of a subscription, newest first, before one of them."""
    rows = await fetch(connection, _LIST, {"webhook_id": webhook_id, "before": before, "limit": limit})
    return [_delivery(row) for row in rows]


async def count_deliveries(connection: Connection, webhook_id: str) -> int:
    """How many deliveries of a subscription are remembered."""
    count: int = (await fetch(connection, _COUNT, {"webhook_id": webhook_id}))[0][0]
    return count


async def find_delivery(connection: Connection, webhook_id: str, delivery_id: str) -> Delivery | None:
    """A delivery of a subscription that is still remembered, or None."""
    rows = await fetch(connection, _FIND, {"webhook_id": webhook_id, "delivery_id": delivery_id})
    return _delivery(rows[0]) if rows else None


def _delivery(row: tuple[Any, ...]) -> Delivery:
    delivery_id, cause, position, event_id, attempt, began_at, took_ms, status, failure = row
    outcome = Outcome(began_at, took_ms, status, Failure(failure) if failure else None)
    return Delivery(str(delivery_id), cause, position, str(event_id) if event_id else None, attempt, outcome)


async def forget_old(connection: Connection, webhook_id: str) -> None:
    """Forgets all but the latest deliveries of a subscription."""
    await connection.execute(_FORGET.encode(), {"webhook_id": webhook_id, "kept": KEPT})
