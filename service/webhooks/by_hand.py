"""What somebody does with a webhook by hand: names an address for it, and has something sent now."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import AfterValidator, Field

from service.database import Pool
from service.domain.errors import Fault, Invalid, Unknown
from service.log.read import EventRow, find_event
from service.webhooks.addresses import parse_url
from service.webhooks.courier import Courier
from service.webhooks.deliveries import Delivery, find_delivery
from service.webhooks.messages import Message, message_of, ping
from service.webhooks.subscriptions import Subscription, read_keys

HookUrl = Annotated[
    str,
    Field(
        max_length=2000,
        description="an address on the web, without user, password or fragment; its port is 80, 443, or 1024 and above",
        json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"},
    ),
    AfterValidator(parse_url),
]
Description = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]


async def check_reachable(courier: Courier, url: str) -> None:
    """Raises `Invalid` for an address that nothing is sent to."""
    if not await courier.sender.may_send(url):
        detail = (
            "This address is loopback, private, or otherwise none on the internet; nothing is sent there. "
            "Whoever runs the service can allow a network in WEBHOOK_NETWORKS."
        )
        raise Invalid("The request is not valid.", Fault("/url", "address_refused", detail))


async def get_delivery(pool: Pool, webhook_id: str, delivery_id: str) -> Delivery:
    """A delivery that can be sent again; raises `Unknown`."""
    async with pool.connection() as connection:
        try:
            found = await find_delivery(connection, webhook_id, str(UUID(delivery_id)))
        except ValueError:
            found = None
    if found is None:
        raise Unknown("There is no such delivery, or it is too long ago; send from a position with PATCH and `after`.")
    return found


class Sending(NamedTuple):
    """Something that is about to be sent by hand, and where."""

    webhook: Subscription
    keys: list[bytes]
    message: Message
    event: EventRow | None

    async def send(self, courier: Courier, *, claim: Callable[[str], Awaitable[bool]]) -> Delivery | None:
        """Sends it; answers what came of it, or None where ``claim`` says that the same has been sent before."""
        event = self.event
        return await courier.send_by_hand(
            self.webhook, self.keys, self.message,
            cause="ping" if event is None else "resend",
            position=event.position if event else None,
            event_id=event.event_id if event else None,
            claim=claim,
        )  # fmt: skip


async def prepare_by_hand(
    pool: Pool, webhook: Subscription, again: Delivery | None, *, new_id: Callable[[], str], now: datetime
) -> Sending:
    """The event of a delivery, to be sent again, or a ping."""
    async with pool.connection() as connection:
        keys = await read_keys(connection, webhook.webhook_id)
        event = await find_event(connection, again.event_id) if again is not None and again.event_id else None
    message = message_of(event) if event else ping(new_id(), webhook.webhook_id, now)
    return Sending(webhook, keys, message, event)
