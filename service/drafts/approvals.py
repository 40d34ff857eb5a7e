"""By whom what is recorded was approved: what was recorded of a draft, found by its position.

An approval is kept under the draft's own key with the position of its first event, in their transaction; so it is there
as soon as they are.
"""

from collections.abc import Collection
from typing import NamedTuple

from service.database import Connection, fetch
from service.drafts.stored import CLIENT

_BY = "coalesce(d.decided_by, convert_from(i.answer, 'UTF8')::json ->> 'decided_by')"
_FIND = f"""
SELECT asked.position, d.id, d.author, {_BY}
FROM unnest(%(positions)s::bigint[]) AS asked(position)
    CROSS JOIN LATERAL (
        SELECT key, position, answer FROM idempotency
        WHERE client = '{CLIENT}' AND position <= asked.position ORDER BY position DESC LIMIT 1
    ) i
    JOIN draft d ON d.id = i.key::uuid AND asked.position < i.position + json_array_length(d.events)
"""
_APPROVED_BY = f"""
SELECT number FROM idempotency i
    JOIN draft d ON d.id = i.key::uuid
    CROSS JOIN LATERAL generate_series(i.position, i.position + json_array_length(d.events) - 1) AS number
WHERE i.client = '{CLIENT}' AND {_BY} = %(by)s
"""


class Approved(NamedTuple):
    """Who approved an event that waited as a draft, and whose draft it was."""

    draft_id: str
    author: str
    by: str


async def find_approvals(connection: Connection, positions: Collection[int]) -> dict[int, Approved]:
    """Who approved the events at these positions; those that nobody had to approve are left out."""
    rows = await fetch(connection, _FIND, {"positions": list(positions)})
    return {position: Approved(str(draft_id), author, by) for position, draft_id, author, by in rows}


async def find_approved_by(connection: Connection, by: str) -> list[int]:
    """The positions of all events that somebody approved."""
    return [position for (position,) in await fetch(connection, _APPROVED_BY, {"by": by})]
