"""Webhooks: who is sent the log. An editor sees and changes its own, an admin all."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Annotated, Literal, Self

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field, model_validator
from starlette.responses import Response

from service.access import Role
from service.api.answering import AskedKept, id_before, page_of_kept, rows_wanted
from service.api.changing import Change, begin_change, changed
from service.api.outlines import listing
from service.api.recording import AskedWrite
from service.api.webhook_shapes import (
    SecretMade,
    SecretTried,
    ThinEvent,
    Webhook,
    WebhookMade,
    WebhookPage,
    WebhookTried,
)
from service.database import Connection
from service.domain.answers import Json
from service.domain.dates import render_instant
from service.segments.heard import WantedEvents
from service.web.asking import read_query, takes_no_parameters
from service.web.bodies import find_versions, parse_body, read_no_body
from service.web.callers import authorise
from service.web.describing import NEXT_PAGE, Answer, Described, documented, sent, view
from service.web.fields import members_of
from service.web.sending import JSON, PRIVATE, digest_of, revisions_in, send
from service.web.serving import Door, connections
from service.webhooks import subscriptions
from service.webhooks.by_hand import Description, HookUrl, check_reachable
from service.webhooks.messages import MEDIA_TYPE, render_secret
from service.webhooks.subscriptions import REASONS, State, Subscription

router = APIRouter(tags=["webhooks"], route_class=Door)
WEBHOOKS = listing(members_of(WebhookPage))

Position = Annotated[int, Field(strict=True, ge=0, le=2**62)]
_LONGEST_OVERLAP = 168


def _of_a_patch(schema: Json) -> None:
    """What is left out stays as it is, and something is said."""
    schema["minProperties"] = 1
    for member in schema["properties"].values():
        member.pop("default", None)


class Subscribing(WantedEvents):
    """What is to be sent where."""

    url: HookUrl
    description: Description = ""
    after: Position | None = Field(None, description="the position behind which to begin; default: now")


class Changing(WantedEvents):
    """What is to be different: a merge patch (RFC 7396), in which null takes a filter away."""

    model_config = ConfigDict(json_schema_extra=_of_a_patch)

    url: HookUrl = ""
    description: Description = ""
    state: Literal["active", "paused"] = "active"
    after: Position = Field(0, description="the position behind which to go on, forwards or back")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("Say what is to be different; what is left out stays as it is.")
        return self


class AskedSecret(AskedWrite):
    """How the present secret ends."""

    overlap_hours: int = Field(
        24, ge=0, le=_LONGEST_OVERLAP, description="for how long the secret before signs as well; 0: it ends at once"
    )


_LINKS = {
    operation: {"webhook_id": "$response.body#/id"}
    for operation in (
        *("getWebhook", "changeWebhook", "deleteWebhook", "rotateSecret", "pingWebhook", "listDeliveries"),
    )
}
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


@router.post(
    "/v1/webhooks",
    operation_id="createWebhook",
    openapi_extra=changed(
        {201: Answer("Subscribed.", {JSON: WebhookMade}, ("Location",), _LINKS)},
        tried=WebhookTried,
        body=Subscribing,
        role=Role.EDITOR,
    ),
)
async def create_webhook(request: Request) -> Response:
    """Subscribes an address to events; the answer has the secret, which nobody else is shown."""
    change = await begin_change(request, Role.EDITOR)
    given, served = parse_body(Subscribing, change.body), change.served
    await check_reachable(served.courier, given.url)
    wanted = WantedEvents.model_construct(coalition=given.coalition, kind=given.kind, country=given.country)

    async def make(connection: Connection, secret: bytes) -> Json:
        made = await subscriptions.add_subscription(
            connection, served.new_id(), owner=change.caller.owner, url=given.url, description=given.description,
            wanted=wanted, after=given.after, secret=secret,
        )  # fmt: skip
        return _webhook(made)

    done = await change.do_secretly(make, render_secret)
    served.courier.wake()
    return change.tell(done, 201, {"Location": f"/v1/webhooks/{done.content['id']}"})


@router.get(
    "/v1/webhooks",
    operation_id="listWebhooks",
    openapi_extra=documented(
        AskedKept,
        answers=view(
            WebhookPage,
            "Webhooks.",
            paged=True,
            feed=False,
            links={"getWebhook": {"webhook_id": "$response.body#/items/0/id"}, "listWebhooks": NEXT_PAGE},
        ),
        role=Role.EDITOR,
    ),
)
async def list_webhooks(request: Request) -> Response:
    """The webhooks of the caller, an admin's of all, oldest first."""
    owner = (await authorise(request, Role.EDITOR)).looks_after
    asked = read_query(request, AskedKept)
    after = id_before(asked)
    async with connections(request).connection() as connection:
        found = await subscriptions.list_subscriptions(
            connection, owner, after=after, limit=rows_wanted(request, asked)
        )
        total = await subscriptions.count_subscriptions(connection, owner) if asked.count else None
    return page_of_kept(request, asked, [_webhook(one) for one in found], total, WEBHOOKS)


@router.get(
    "/v1/webhooks/{webhook_id}",
    operation_id="getWebhook",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=documented(answers=sent("A webhook.", {JSON: Webhook}), refuses=[404], role=Role.EDITOR),
)
async def get_webhook(request: Request, webhook_id: str) -> Response:
    """One webhook, and how far it has come."""
    owner = (await authorise(request, Role.EDITOR)).looks_after
    async with connections(request).connection() as connection:
        found = await subscriptions.get_subscription(connection, webhook_id, owner)
    content = _webhook(found)
    etag = f'"{found.webhook_id}.{found.revision}+{digest_of(orjson.dumps(content))}"'
    return send(request, content, etag=etag, headers={"Cache-Control": PRIVATE})


@router.patch(
    "/v1/webhooks/{webhook_id}",
    operation_id="changeWebhook",
    openapi_extra=changed(
        {200: Answer("Changed.", {JSON: Webhook})},
        tried=WebhookTried,
        body=Changing,
        headers=["If-Match"],
        refuses=(404, 412),
        role=Role.EDITOR,
    ),
)
async def change_webhook(request: Request, webhook_id: str) -> Response:
    """Changes what is sent where, pauses, or switches on again; what waits is tried at once."""
    change = await begin_change(request, Role.EDITOR)
    given = parse_body(Changing, change.body)
    if "url" in given.model_fields_set:
        await check_reachable(change.served.courier, given.url)
    changes = given.model_dump(exclude_unset=True)
    hold = _holder(request, change, webhook_id)

    async def patch(connection: Connection) -> Json:
        held = await hold(connection)
        return _webhook(await subscriptions.change_subscription(connection, held.webhook_id, held.owner, changes))

    done = await change.do(patch)
    change.served.courier.wake()
    return change.tell(done)


def _holder(request: Request, change: Change, webhook_id: str) -> Callable[[Connection], Awaitable[Subscription]]:
    """Holds a webhook that the caller may change, as it has seen it where it says so."""
    named, if_match = subscriptions.parse_id(webhook_id), find_versions(request)
    seen = None if if_match is None else revisions_in(if_match, named)
    return partial(subscriptions.hold_subscription, webhook_id=named, owner=change.caller.looks_after, seen=seen)


@router.delete(
    "/v1/webhooks/{webhook_id}",
    operation_id="deleteWebhook",
    openapi_extra=changed(
        {204: Answer("Gone.")}, tried=WebhookTried, headers=["If-Match"], refuses=(404, 412), role=Role.EDITOR
    ),
)
async def delete_webhook(request: Request, webhook_id: str) -> Response:
    """Ends a webhook: nothing more is sent, and its secrets and deliveries are forgotten."""
    change = await begin_change(request, Role.EDITOR, read=read_no_body)
    hold = _holder(request, change, webhook_id)

    async def delete(connection: Connection) -> Json:
        held = await hold(connection)
        await subscriptions.delete_subscription(connection, held.webhook_id, held.owner)
        return _webhook(held)

    return change.tell(await change.do(delete), silent=True)


@router.post(
    "/v1/webhooks/{webhook_id}/secret",
    operation_id="rotateSecret",
    openapi_extra=changed(
        {200: Answer("A new secret.", {JSON: SecretMade})},
        tried=SecretTried,
        asked=AskedSecret,
        headers=["If-Match"],
        refuses=(404, 412),
        role=Role.EDITOR,
    ),
)
async def rotate_secret(request: Request, webhook_id: str) -> Response:
    """A new secret; the one before signs as well until `former_valid_until`, an older one no more."""
    change = await begin_change(request, Role.EDITOR, asked=AskedSecret, read=read_no_body)
    overlap = timedelta(hours=read_query(request, AskedSecret).overlap_hours)
    hold = _holder(request, change, webhook_id)

    async def rotate(connection: Connection, secret: bytes) -> Json:
        held = await hold(connection)
        until = await subscriptions.replace_secret(
            connection, held.webhook_id, held.owner, overlap=overlap, secret=secret
        )
        return {"former_valid_until": render_instant(until)}

    return change.tell(await change.do_secretly(rotate, render_secret))


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
