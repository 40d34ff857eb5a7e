"""Webhooks and what came of their deliveries: an editor's own, an admin's all; as in the API."""

from datetime import timedelta
from secrets import token_bytes
from typing import Any
from uuid import UUID

from fastapi import Request
from pydantic import model_validator
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.pages import PAGE_ROWS, cut, render, see
from service.admin.typed import Form, faults_at, parse_typed, read_form
from service.domain.errors import Fault, Invalid, Refused
from service.segments.heard import WantedEvents
from service.web.serving import Services, connections, services
from service.webhooks import subscriptions
from service.webhooks.by_hand import Description, HookUrl, check_reachable, get_delivery, prepare_by_hand
from service.webhooks.deliveries import Delivery, list_deliveries
from service.webhooks.messages import render_secret
from service.webhooks.subscriptions import REASONS, Subscription

PATH = "/admin/webhooks"
_FIELDS = ("url", "description", "coalition", "kind", "country")
_OVERLAP = timedelta(hours=24)
_SECRET_BYTES = 32
router = pages()


class NewWebhook(WantedEvents):
    """What is to be sent where; a filter that is left empty lets everything through."""

    url: HookUrl
    description: Description = ""

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if name == "url" or value.strip()}


async def _allowed(request: Request) -> tuple[Services, Caller, str | None]:
    """The services, who asks, and whose webhooks they may see: None is all."""
    caller = await signed_in(request, Role.EDITOR)
    return services(request), caller, caller.looks_after


def _after(request: Request) -> str | None:
    """Behind which row the page begins; what is none begins anew."""
    try:
        return str(UUID(request.query_params.get("after", "")))
    except ValueError:
        return None


@router.get(PATH)
async def show_webhooks(request: Request) -> Response:
    """The webhooks, oldest first, page by page, and the form to make one."""
    return await _webhooks(request, {})


async def _webhooks(request: Request, typed: Form | dict[str, str], faults: tuple[Fault, ...] = ()) -> Response:
    _, _, owner = await _allowed(request)
    async with connections(request).connection() as connection:
        found = await subscriptions.list_subscriptions(connection, owner, after=_after(request), limit=PAGE_ROWS + 1)
    shown, following = cut(found, lambda one: one.webhook_id)
    return render(
        request, "webhooks.html", status=UNSENT if faults else 200, webhooks=shown,
        next=following, typed={name: typed.get(name, "") for name in _FIELDS}, faults=faults,
    )  # fmt: skip


@router.post(PATH)
async def make_webhook(request: Request) -> Response:
    """Subscribes an address to events; shows the secret, this once."""
    served, caller, _ = await _allowed(request)
    form = await read_form(request)
    try:
        new = parse_typed(NewWebhook, form)
        await check_reachable(served.courier, new.url)
        secret = token_bytes(_SECRET_BYTES)
        wanted = WantedEvents.model_construct(coalition=new.coalition, kind=new.kind, country=new.country)
        async with connections(request).connection() as connection:
            made = await subscriptions.add_subscription(
                connection, served.new_id(), owner=caller.owner, url=new.url, description=new.description,
                wanted=wanted, after=None, secret=secret,
            )  # fmt: skip
    except (Invalid, Refused) as error:
        return await _webhooks(request, form, faults_at(error))
    served.courier.wake()
    return await _webhook(request, made.webhook_id, secret=render_secret(secret))


@router.get(PATH + "/{webhook_id}")
async def show_webhook(request: Request, webhook_id: str) -> Response:
    """One webhook, how far it has come, and the latest attempts to deliver."""
    return await _webhook(request, webhook_id)


async def _find(request: Request, webhook_id: str) -> tuple[Services, Subscription, str | None]:
    served, _, owner = await _allowed(request)
    async with connections(request).connection() as connection:
        return served, await subscriptions.get_subscription(connection, webhook_id, owner), owner


async def _webhook(request: Request, webhook_id: str, *, secret: str | None = None) -> Response:
    _, webhook, _ = await _find(request, webhook_id)
    async with connections(request).connection() as connection:
        found = await list_deliveries(connection, webhook.webhook_id, before=_after(request), limit=PAGE_ROWS + 1)
    shown, following = cut(found, lambda one: one.delivery_id)
    return render(
        request, "webhook.html", status=201 if secret else 200, webhook=webhook, secret=secret,
        reason=REASONS.get(webhook.reason or ""), deliveries=shown, next=following,
    )  # fmt: skip


async def _set_state(request: Request, webhook_id: str, state: str) -> Response:
    served, webhook, owner = await _find(request, webhook_id)
    async with connections(request).connection() as connection:
        await subscriptions.change_subscription(connection, webhook.webhook_id, owner, {"state": state})
    served.courier.wake()
    return see(f"{PATH}/{webhook.webhook_id}", "changed")


@router.post(PATH + "/{webhook_id}/pause")
async def pause(request: Request, webhook_id: str) -> Response:
    """Sends nothing more until it is resumed; nothing is lost."""
    return await _set_state(request, webhook_id, "paused")


@router.post(PATH + "/{webhook_id}/resume")
async def resume(request: Request, webhook_id: str) -> Response:
    """Goes on from where it was."""
    return await _set_state(request, webhook_id, "active")


@router.post(PATH + "/{webhook_id}/delete")
async def delete(request: Request, webhook_id: str) -> Response:
    """Ends a webhook, and forgets its deliveries."""
    _, webhook, owner = await _find(request, webhook_id)
    async with connections(request).connection() as connection:
        await subscriptions.delete_subscription(connection, webhook.webhook_id, owner)
    return see(PATH, "deleted")


@router.post(PATH + "/{webhook_id}/secret")
async def rotate(request: Request, webhook_id: str) -> Response:
    """A new secret, shown once; the one before signs as well for a day."""
    _, webhook, owner = await _find(request, webhook_id)
    async with connections(request).connection() as connection:
        secret = token_bytes(_SECRET_BYTES)
        await subscriptions.replace_secret(connection, webhook.webhook_id, owner, overlap=_OVERLAP, secret=secret)
    return await _webhook(request, webhook.webhook_id, secret=render_secret(secret))


@router.post(PATH + "/{webhook_id}/ping")
async def send_ping(request: Request, webhook_id: str) -> Response:
    """Sends a message that only says that messages arrive."""
    served, webhook, _ = await _find(request, webhook_id)
    return await _send(served, webhook, None)


@router.post(PATH + "/{webhook_id}/deliveries/{delivery_id}/resend")
async def resend(request: Request, webhook_id: str, delivery_id: str) -> Response:
    """Sends what a delivery sent once more."""
    served, webhook, _ = await _find(request, webhook_id)
    again = await get_delivery(served.pool, webhook.webhook_id, delivery_id)
    return await _send(served, webhook, again)


async def _send(served: Services, webhook: Subscription, again: Delivery | None) -> Response:
    sending = await prepare_by_hand(served.writing, webhook, again, new_id=served.new_id, now=served.clock())
    await sending.send(served.courier, claim=_always)
    return see(f"{PATH}/{webhook.webhook_id}", "sent")


async def _always(_: str) -> bool:
    """Whoever presses the button again means it again."""
    return True
