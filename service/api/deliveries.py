"""What came of sending the log to a webhook, and what somebody has sent to it by hand."""

from datetime import timedelta

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from service.access import Caller, Role
from service.api.answering import AskedKept, id_before, page_of_kept, rows_wanted
from service.api.changing import Change, begin_change, changed
from service.api.outlines import listing
from service.api.webhook_shapes import Delivery as DeliveryShown
from service.api.webhook_shapes import DeliveryPage, MessageTried
from service.database import Connection
from service.domain.answers import Json
from service.domain.dates import parse_instant, render_instant
from service.domain.errors import Refused
from service.keys import still_running
from service.once import Done
from service.web.asking import read_query
from service.web.bodies import read_no_body
from service.web.callers import authorise
from service.web.describing import NEXT_PAGE, Answer, documented, view
from service.web.fields import members_of
from service.web.sending import JSON
from service.web.serving import Door, Services, connections
from service.webhooks.by_hand import get_delivery, prepare_by_hand
from service.webhooks.deliveries import Delivery, count_deliveries, find_delivery, list_deliveries
from service.webhooks.subscriptions import Subscription, get_subscription

router = APIRouter(tags=["webhooks"], route_class=Door)
DELIVERIES = listing(members_of(DeliveryPage))

_THIS_WEBHOOK = {"webhook_id": "$request.path.webhook_id"}
_SENT_BY_HAND = changed(
    {
        200: Answer(
            "It was tried, and this came of it.",
            {JSON: DeliveryShown},
            links={
                "resendDelivery": {**_THIS_WEBHOOK, "delivery_id": "$response.body#/id"},
                "listDeliveries": _THIS_WEBHOOK,
            },
        )
    },
    tried=MessageTried,
    refuses=(404,),
    role=Role.EDITOR,
)


@router.post("/v1/webhooks/{webhook_id}/ping", operation_id="pingWebhook", openapi_extra=_SENT_BY_HAND)
async def ping_webhook(request: Request, webhook_id: str) -> Response:
    """Sends a message that only says that messages arrive, whatever the webhook's state; answers what came of it."""
    change = await begin_change(request, Role.EDITOR, read=read_no_body)
    return await _send_by_hand(change, await _find(request, change.caller, webhook_id), None)


async def _find(request: Request, caller: Caller, webhook_id: str) -> Subscription:
    async with connections(request).connection() as connection:
        return await get_subscription(connection, webhook_id, caller.looks_after)


@router.get(
    "/v1/webhooks/{webhook_id}/deliveries",
    operation_id="listDeliveries",
    openapi_extra=documented(
        AskedKept,
        answers=view(
            DeliveryPage,
            "Deliveries.",
            paged=True,
            feed=False,
            links={
                "resendDelivery": {**_THIS_WEBHOOK, "delivery_id": "$response.body#/items/0/id"},
                "listDeliveries": {**_THIS_WEBHOOK, **NEXT_PAGE},
            },
        ),
        refuses=[404],
        role=Role.EDITOR,
    ),
)
async def list_webhook_deliveries(request: Request, webhook_id: str) -> Response:
    """The latest attempts to deliver, newest first, and what came of each."""
    caller = await authorise(request, Role.EDITOR)
    asked = read_query(request, AskedKept)
    webhook, before = await _find(request, caller, webhook_id), id_before(asked)
    async with connections(request).connection() as connection:
        found = await list_deliveries(connection, webhook.webhook_id, before=before, limit=rows_wanted(request, asked))
        total = await count_deliveries(connection, webhook.webhook_id) if asked.count else None
    return page_of_kept(request, asked, [_delivery(one) for one in found], total, DELIVERIES)


@router.post(
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
    operation_id="resendDelivery",
    openapi_extra=_SENT_BY_HAND,
)
async def resend_delivery(request: Request, webhook_id: str, delivery_id: str) -> Response:
    """Sends what a delivery sent once more, now and whatever the webhook's state; the cursor stays where it is."""
    change = await begin_change(request, Role.EDITOR, read=read_no_body)
    webhook = await _find(request, change.caller, webhook_id)
    again = await get_delivery(change.served.writing, webhook.webhook_id, delivery_id)
    return await _send_by_hand(change, webhook, again)


async def _send_by_hand(change: Change, webhook: Subscription, again: Delivery | None) -> Response:
    """Sends an event again, or a ping.

    No transaction is open while the receiver is waited for: the delivery's id is kept under the key before, and what
    came of it is found by that.
    """
    served, done = change.served, Done({}, replayed=False)
    sending = await prepare_by_hand(served.writing, webhook, again, new_id=served.new_id, now=served.clock())
    if change.dry_run:
        return change.tell(Done({"message": orjson.loads(sending.message.body)}, replayed=False))

    async def claim(delivery_id: str) -> bool:
        nonlocal done

        async def begin(_: Connection) -> Json:
            return {"delivery_id": delivery_id, "began_at": render_instant(served.clock())}

        done = await change.do(begin)
        return not done.replayed

    made = await sending.send(served.courier, claim=claim)
    if made is None:
        made = await _came_of(served, webhook, done.content)
    return change.tell(Done(_delivery(made), done.replayed))


async def _came_of(served: Services, webhook: Subscription, begun: Json) -> Delivery:
    """What came of a delivery that was begun before; raises `Running` where that may still be open."""
    async with served.writing.connection() as connection:
        found = await find_delivery(connection, webhook.webhook_id, begun["delivery_id"])
    if found is not None:
        return found
    if served.clock() - parse_instant(begun["began_at"]) < _UNDER_WAY:
        raise still_running()
    raise Refused(
        "This Idempotency-Key was used before, and what came of it is not known any more, or never was: the service "
        "stopped meanwhile. Send it again with a new key."
    )


_UNDER_WAY = timedelta(seconds=30)  # longer than any attempt takes


def _delivery(one: Delivery) -> Json:
    return {
        "id": one.delivery_id,
        "cause": one.cause,
        "position": one.position,
        "event_id": one.event_id,
        "attempt": one.attempt,
        "began_at": render_instant(one.outcome.began_at),
        "took_ms": one.outcome.took_ms,
        "accepted": one.outcome.accepted,
        "status": one.outcome.status,
        "failure": one.outcome.failure,
    }
