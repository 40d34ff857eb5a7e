"""The queue of drafts: what waits for whom, who sees which, and what became of a draft that was changed."""

from service.access import Caller, Role
from service.database import Connection, fetch
from service.domain.record import RecordEvent, is_event_id
from service.domain.statement import Statement
from service.drafts.stored import FROM, SELECT, Draft, find_draft, parse_row

_COUNT = f"""
SELECT count(*) {FROM} WHERE i.key IS NULL AND d.state IN ('pending', 'returned')
  AND CASE d.state WHEN 'returned' THEN d.author = %(who)s ELSE %(decides)s AND d.author <> %(who)s END
"""
_CHAIN = f"""
WITH RECURSIVE chain(id) AS (
    SELECT %(id)s::uuid
    UNION
    SELECT CASE d.id WHEN chain.id THEN d.replaces ELSE d.id END
    FROM chain JOIN draft d ON d.replaces = chain.id OR (d.id = chain.id AND d.replaces IS NOT NULL)
)
{SELECT} JOIN chain ON chain.id = d.id ORDER BY d.created_at, d.id
"""

_BESIDE = f"""
{SELECT} WHERE d.id <> %(id)s AND d.state = 'pending' AND i.key IS NULL AND d.coalitions && %(coalitions)s AND EXISTS (
    SELECT FROM json_array_elements(d.events) AS event
    WHERE event ->> 'subject' = ANY(%(subjects)s) OR event ->> 'target' = ANY(%(targets)s)
)
ORDER BY d.id LIMIT %(limit)s
"""


def decides(caller: Caller) -> bool:
    """Whether somebody decides on the drafts of others, and so sees all; others see their own."""
    return caller.role.allows(Role.APPROVER)


async def find_visible(connection: Connection, caller: Caller, draft_id: str) -> Draft | None:
    """One draft that somebody may see, or None."""
    one = await find_draft(connection, draft_id) if is_event_id(draft_id) else None
    return one if one is not None and (decides(caller) or one.author == caller.owner) else None


async def count_waiting(connection: Connection, caller: Caller) -> int:
    """How many drafts wait for somebody: to be decided on, or, returned to them, to be changed."""
    values = {"who": caller.owner, "decides": decides(caller)}
    count: int = (await fetch(connection, _COUNT, values))[0][0]
    return count


async def list_beside(connection: Connection, one: Draft, *, limit: int) -> list[Draft]:
    """The other drafts that wait and are about the same: a subject of the same name, or the same event."""
    subjects = [event.subject for event in one.events if isinstance(event, Statement)]
    targets = [event.target for event in one.events if isinstance(event, RecordEvent)]
    values = {"id": one.id, "coalitions": one.coalitions, "subjects": subjects, "targets": targets, "limit": limit}
    return [parse_row(row) for row in await fetch(connection, _BESIDE, values)]


async def list_versions(connection: Connection, draft_id: str) -> list[Draft]:
    """A draft with those that it replaces and is replaced by, in the order in which they were put up."""
    return [parse_row(row) for row in await fetch(connection, _CHAIN, {"id": draft_id})]
