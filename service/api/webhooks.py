"""Webhooks: who is sent the log, and what came of it. An editor sees and changes its own, an admin all."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.access import Role
from service.api.outlines import listing
from service.api.webhook_shapes import Delivery as DeliveryShown
from service.api.webhook_shapes import DeliveryPage, SecretMade, ThinEvent, Webhook, WebhookMade, WebhookPage
from service.domain.answers import Json
from service.domain.dates import render_instant
from service.domain.errors import Fault, Invalid, Unknown
from service.log.read import find_event
from service.segments.heard import Wanted
from service.web.asking import AskedView, read_query
from service.web.bodies import parse_body, read_body, takes_no_body
from service.web.describing import Answer, Described, documented, sent, view
from service.web.fields import Outline, members_of
from service.web.sending import JSON, answer, most_rows, next_page, send
from service.web.serving import Door, Services, authorise, connections, services, takes_no_parameters
from service.webhooks import subscriptions
from service.webhooks.addresses import parse_url
from service.webhooks.deliveries import Delivery, count_deliveries, find_delivery, list_deliveries
from service.webhooks.messages import MEDIA_TYPE, message_of, ping, render_secret
from service.webhooks.subscriptions import REASONS, State, Subscription

router = APIRouter(tags=["webhooks"], route_class=Door)
WEBHOOKS, DELIVERIES = listing(members_of(WebhookPage)), listing(members_of(DeliveryPage))

HookUrl = Annotated[str, Field(max_length=2000), AfterValidator(parse_url)]
Description = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Position = Annotated[int, Field(strict=True, ge=0, le=2**62)]
_LONGEST_OVERLAP = 168


class Subscribing(Wanted):
    """What is to be sent where."""

    url: HookUrl
    description: Description = ""
    after: Position | None = Field(None, description="the position behind which to begin; default: now")


class Changing(Wanted):
    """What is to be different: a merge patch (RFC 7396), in which null takes a filter away."""

    url: HookUrl = ""
    description: Description = ""
    state: Literal["active", "paused"] = "active"
    after: Position = Field(0, description="the position behind which to go on, forwards or back")


class AskedList(AskedView):
    """Which page of a list."""

    limit: int = Field(50, ge=1, le=500, description="how many items at most")
    after: UUID | None = Field(None, description="`next` of the page before")
    count: bool = Field(default=False, description="whether to say in `total` how many items there are on all pages")


class AskedSecret(BaseModel):
    """How the present secret ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overlap_hours: int = Field(
        24, ge=0, le=_LONGEST_OVERLAP, description="for how long the secret before signs as well; 0: it ends at once"
    )


_UNKEPT = ("Cache-Control",)
_LINKS = {"getWebhook": {"webhook_id": "$response.body#/id"}}
_SENT_BY_HAND = {200: Answer("It was tried, and this came of it.", {JSON: DeliveryShown}, _UNKEPT)}


def _changing(
    answers: Mapping[int, Answer],
    *,
    asked: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    refuses: Sequence[int] = (),
) -> Json:
    """What a route that is no question says of itself, for the document."""
    taken = None if body is None else {JSON: body}
    return documented(asked, answers=answers, body=taken, refuses=refuses, role=Role.EDITOR)


SENT = Described(
    asked=None,
    headers=("webhook-id", "webhook-timestamp", "webhook-signature"),
    body={MEDIA_TYPE: ThinEvent},
    answers={
        204: Answer("Accepted, as by any 2xx within ten seconds. Everything else is tried again."),
        410: Answer("The receiver wants no more: the webhook is switched off."),
    },
    refuses=frozenset(),
    security=(),
)
"""What a receiver is sent, for the document."""


async def _allowed(request: Request) -> tuple[Services, str, str | None]:
    """The services, the caller, and whose webhooks it may see: None is all."""
    caller = await authorise(request, Role.EDITOR)
    return services(request), caller.owner, None if caller.role is Role.ADMIN else caller.owner


def _parse_id(webhook_id: str) -> str:
    try:
        return str(UUID(webhook_id))
    except ValueError:
        raise subscriptions.unknown() from None


async def _check_url(served: Services, url: str) -> None:
    if not await served.courier.sender.may_send(url):
        detail = (
            "This address is loopback, private, or otherwise none on the internet; nothing is sent there. "
            "Whoever runs the service can allow a network in WEBHOOK_NETWORKS."
        )
        raise Invalid("The request is not valid.", Fault("/url", "address_refused", detail))


@router.post(
    "/v1/webhooks",
    operation_id="createWebhook",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=_changing(
        {201: Answer("Subscribed.", {JSON: WebhookMade}, (*_UNKEPT, "Location"), _LINKS)},
        body=Subscribing,
        refuses=(409,),
    ),
)
async def create_webhook(request: Request) -> Response:
    """Subscribes an address to events; the answer has the secret, which is never shown again."""
    served, owner, _ = await _allowed(request)
    given = parse_body(Subscribing, await read_body(request))
    await _check_url(served, given.url)
    wanted = Wanted.model_construct(coalition=given.coalition, kind=given.kind, country=given.country)
    async with connections(request).connection() as connection:
        made, secret = await subscriptions.add_subscription(
            connection, served.new_id(), owner=owner, url=given.url, description=given.description,
            wanted=wanted, after=given.after,
        )  # fmt: skip
    served.courier.wake()
    headers = {"Location": f"/v1/webhooks/{made.webhook_id}"}
    return _told(_webhook(made) | {"secret": render_secret(secret)}, 201, headers)


def _told(content: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer that nobody keeps."""
    return Response(
        orjson.dumps(content), status, media_type=JSON, headers={"Cache-Control": "no-store", **(headers or {})}
    )


@router.get(
    "/v1/webhooks",
    operation_id="listWebhooks",
    openapi_extra=documented(
        AskedList, answers=view(WebhookPage, "Webhooks.", paged=True, feed=False), role=Role.EDITOR
    ),
)
async def list_webhooks(request: Request) -> Response:
    """The webhooks of the caller, an admin's of all, oldest first."""
    _, _, owner = await _allowed(request)
    asked = read_query(request, AskedList)
    after = str(asked.after) if asked.after else None
    async with connections(request).connection() as connection:
        found = await subscriptions.list_subscriptions(
            connection, owner, after=after, limit=most_rows(request, asked.limit)
        )
        total = await subscriptions.count_subscriptions(connection, owner) if asked.count else None
    return _page(request, most_rows(request, asked.limit), [_webhook(one) for one in found], total, WEBHOOKS)


def _page(request: Request, limit: int, items: Sequence[Json], total: int | None, outline: Outline) -> Response:
    after = items[-1]["id"] if len(items) == limit else None
    counted = {} if total is None else {"total": total}
    return answer(request, {"items": items, "next": after, **counted}, outline, headers=next_page(request, after))


@router.get(
    "/v1/webhooks/{webhook_id}",
    operation_id="getWebhook",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=documented(answers=sent("A webhook.", {JSON: Webhook}), refuses=[404], role=Role.EDITOR),
)
async def get_webhook(request: Request, webhook_id: str) -> Response:
    """One webhook, and how far it has come."""
    _, _, owner = await _allowed(request)
    return send(request, _webhook(await _find(request, webhook_id, owner)))


async def _find(request: Request, webhook_id: str, owner: str | None) -> Subscription:
    async with connections(request).connection() as connection:
        return await subscriptions.get_subscription(connection, _parse_id(webhook_id), owner)


@router.patch(
    "/v1/webhooks/{webhook_id}",
    operation_id="changeWebhook",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=_changing({200: Answer("Changed.", {JSON: Webhook}, _UNKEPT)}, body=Changing, refuses=(404, 409)),
)
async def change_webhook(request: Request, webhook_id: str) -> Response:
    """Changes what is sent where, pauses, or switches on again; what waits is tried at once."""
    served, _, owner = await _allowed(request)
    given = parse_body(Changing, await read_body(request))
    if "url" in given.model_fields_set:
        await _check_url(served, given.url)
    changes = given.model_dump(exclude_unset=True)
    async with connections(request).connection() as connection:
        changed = await subscriptions.change_subscription(connection, _parse_id(webhook_id), owner, changes)
    served.courier.wake()
    return _told(_webhook(changed))


@router.delete(
    "/v1/webhooks/{webhook_id}",
    operation_id="deleteWebhook",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=_changing({204: Answer("Gone.")}, refuses=(404,)),
)
async def delete_webhook(request: Request, webhook_id: str) -> Response:
    """Ends a webhook: nothing more is sent, and its secrets and deliveries are forgotten."""
    _, _, owner = await _allowed(request)
    async with connections(request).connection() as connection:
        await subscriptions.delete_subscription(connection, _parse_id(webhook_id), owner)
    return Response(status_code=204)


@router.post(
    "/v1/webhooks/{webhook_id}/secret",
    operation_id="rotateSecret",
    openapi_extra=_changing(
        {200: Answer("A new secret.", {JSON: SecretMade}, _UNKEPT)}, asked=AskedSecret, refuses=(404, 422)
    ),
)
async def rotate_secret(request: Request, webhook_id: str) -> Response:
    """A new secret, shown once; the one before signs as well until `former_valid_until`, an older one no more."""
    _, _, owner = await _allowed(request)
    await takes_no_body(request)
    overlap = timedelta(hours=read_query(request, AskedSecret).overlap_hours)
    async with connections(request).connection() as connection:
        secret, until = await subscriptions.replace_secret(connection, _parse_id(webhook_id), owner, overlap=overlap)
    return _told({"secret": render_secret(secret), "former_valid_until": render_instant(until)})


@router.post(
    "/v1/webhooks/{webhook_id}/ping",
    operation_id="pingWebhook",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=_changing(_SENT_BY_HAND, refuses=(404, 422)),
)
async def ping_webhook(request: Request, webhook_id: str) -> Response:
    """Sends a message that only says that messages arrive, whatever the webhook's state; answers what came of it."""
    _, _, owner = await _allowed(request)
    await takes_no_body(request)
    return await _send_by_hand(request, await _find(request, webhook_id, owner), None)


@router.get(
    "/v1/webhooks/{webhook_id}/deliveries",
    operation_id="listDeliveries",
    openapi_extra=documented(
        AskedList,
        answers=view(DeliveryPage, "Deliveries.", paged=True, feed=False),
        refuses=[404],
        role=Role.EDITOR,
    ),
)
async def list_webhook_deliveries(request: Request, webhook_id: str) -> Response:
    """The latest attempts to deliver, newest first, and what came of each."""
    _, _, owner = await _allowed(request)
    asked = read_query(request, AskedList)
    webhook = await _find(request, webhook_id, owner)
    before = str(asked.after) if asked.after else None
    async with connections(request).connection() as connection:
        found = await list_deliveries(
            connection, webhook.webhook_id, before=before, limit=most_rows(request, asked.limit)
        )
        total = await count_deliveries(connection, webhook.webhook_id) if asked.count else None
    return _page(request, most_rows(request, asked.limit), [_delivery(one) for one in found], total, DELIVERIES)


@router.post(
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
    operation_id="resendDelivery",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=_changing(_SENT_BY_HAND, refuses=(404, 422)),
)
async def resend_delivery(request: Request, webhook_id: str, delivery_id: str) -> Response:
    """Sends what a delivery sent once more, now and whatever the webhook's state; the cursor stays where it is."""
    _, _, owner = await _allowed(request)
    await takes_no_body(request)
    webhook = await _find(request, webhook_id, owner)
    async with connections(request).connection() as connection:
        try:
            again = await find_delivery(connection, webhook.webhook_id, str(UUID(delivery_id)))
        except ValueError:
            again = None
    if again is None:
        raise Unknown("There is no such delivery, or it is too long ago; send from a position with PATCH and `after`.")
    return await _send_by_hand(request, webhook, again)


async def _send_by_hand(request: Request, webhook: Subscription, again: Delivery | None) -> Response:
    """Sends an event again, or a ping."""
    served = services(request)
    async with connections(request).connection() as connection:
        keys = await subscriptions.read_keys(connection, webhook.webhook_id)
        event = await find_event(connection, again.event_id) if again is not None and again.event_id else None
    message = message_of(event) if event else ping(served.new_id(), webhook.webhook_id, served.clock())
    made = await served.courier.send_by_hand(
        webhook, keys, message,
        cause="ping" if event is None else "resend",
        position=event.position if event else None,
        event_id=event.event_id if event else None,
    )  # fmt: skip
    return _told(_delivery(made))


def _webhook(one: Subscription) -> Json:
    reason = None if one.reason is None else {"code": one.reason, "detail": REASONS[one.reason]}
    waits = one.state is State.ACTIVE and one.attempts > 0
    return {
        "id": one.webhook_id,
        "url": one.url,
        "description": one.description,
        "coalition": one.wanted.coalition,
        "kind": one.wanted.kind,
        "country": one.wanted.country,
        "state": one.state,
        "reason": reason,
        "position": one.position,
        "failed_attempts": one.attempts,
        "next_attempt_at": render_instant(one.next_at) if waits else None,
        "owner": one.owner,
        "created_at": render_instant(one.created_at),
        "changed_at": render_instant(one.changed_at),
    }


def _delivery(one: Delivery) -> dict[str, Any]:
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
