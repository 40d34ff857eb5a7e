"""The shapes of what is answered about webhooks, and of what they are sent, for the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import Field

from service.api.kept import PageOfKept
from service.api.shapes import ABSENT, Instant, Known, LogPosition, Shape
from service.domain.kinds import KINDS
from service.domain.record import EventId
from service.webhooks.deliveries import CAUSES
from service.webhooks.sending import Failure
from service.webhooks.subscriptions import REASONS, State


class SwitchedOff(Shape):
    """Why the service has switched a webhook off."""

    code: Annotated[str, Known(REASONS)]
    detail: str


class Webhook(Shape):
    """A subscription: who is sent which events, and how far that has come."""

    id: EventId
    url: str
    description: str
    coalition: str | None
    kind: str | None
    country: str | None
    state: Annotated[str, Known(State)]
    reason: SwitchedOff | None
    position: int = Field(ge=0, description="the cursor: everything up to it was accepted, or is not wanted")
    failed_attempts: int = Field(ge=0, description="how often the next event has failed")
    next_attempt_at: Instant | None
    owner: str
    created_at: Instant
    changed_at: Instant


class WebhookMade(Webhook):
    """A new subscription, with its secret."""

    secret: str = Field(pattern="^whsec_", description="shown to whoever asked for it alone")


class WebhookTried(Webhook):
    """A subscription as it would be; of one that would be made, the id is nobody's. One that would go, as it is."""

    dry_run: Literal[True]


class SecretTried(Shape):
    """Until when the present secret would sign."""

    dry_run: Literal[True]
    former_valid_until: Instant


class SecretMade(Shape):
    """A new secret; the one before signs as well for a while."""

    secret: str = Field(pattern="^whsec_", description="shown to whoever asked for it alone")
    former_valid_until: Instant


class Delivery(Shape):
    """One attempt to deliver, and what came of it."""

    id: EventId
    cause: Annotated[str, Known(CAUSES)]
    position: LogPosition | None
    event_id: EventId | None = Field(description="null: a ping")
    attempt: int = Field(ge=1)
    began_at: Instant
    took_ms: int = Field(ge=0)
    accepted: bool
    status: int | None = Field(description="what the receiver answered; null: nothing")
    failure: Annotated[str, Known(Failure)] | None


class ThinEvent(Shape):
    """A thin CloudEvent (1.0): that something was recorded, and where it is read."""

    specversion: Literal["1.0"]
    id: EventId
    source: str = Field(examples=["/v1/coalitions/willing"])
    type: Annotated[str, Known((*KINDS, "webhook.ping"))]
    time: Instant
    subject: str = ABSENT
    position: LogPosition = ABSENT
    coalition: str = ABSENT
    dataref: str = Field(default_factory=lambda: "", description="where it is read", examples=["/v1/events/019a8f3e-…"])


class MessageTried(Shape):
    """What would be sent."""

    dry_run: Literal[True]
    message: ThinEvent


class WebhookPage(PageOfKept):
    """Webhooks, oldest first."""

    items: list[Webhook]


class DeliveryPage(PageOfKept):
    """Deliveries, newest first."""

    items: list[Delivery]
