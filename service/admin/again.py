"""A draft that was returned is changed in the form that made it, filled in with what it says, and sent in again."""

from service.access import Caller
from service.admin.events import BESIDE
from service.domain.answers import Json
from service.domain.errors import Refused, Unknown
from service.domain.record import is_event_id
from service.domain.statement import Event
from service.drafts.stored import Draft, DraftState, find_draft
from service.web.serving import Services


async def find_own(
    served: Services, caller: Caller, draft_id: str, *, begins: bool = False, listed: bool = False
) -> Draft | None:
    """The draft of one's own that a form is about, one event or ``listed``; None where it names none.

    Raises `Unknown` where it is nobody's or another's; where the form ``begins``, also `Refused` where it is not to be
    changed: sent again, the form is told what came of it.
    """
    if not draft_id:
        return None
    async with served.pool.connection() as connection:
        found = await find_draft(connection, draft_id) if is_event_id(draft_id) else None
    if found is None or found.author != caller.owner or found.listed != listed:
        raise Unknown("There is no draft of yours that could be changed here.")
    if begins and found.state is not DraftState.RETURNED:
        raise Refused("This draft is not one that was returned to you and still waits for you.")
    return found


def asked_of(event: Event) -> Json:
    """What an event says, as its form asks for it."""
    return {name: value for name, value in event.content().items() if name not in BESIDE}
