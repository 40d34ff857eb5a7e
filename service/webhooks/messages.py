"""What is sent: thin CloudEvents, which say what happened and where to read it, signed by Standard Webhooks.

A message says no more than anybody can be told who knows of the subscription; what an event holds, and what the record
has said of it since, is read at its own address.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from standardwebhooks import Webhook

from service.domain.dates import render_instant
from service.log.read import EventRow

MEDIA_TYPE = "application/cloudevents+json"
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Message:
    """What one delivery says; its id is the same however often it is sent."""

    message_id: str
    body: bytes


def message_of(event: EventRow) -> Message:
    """An event as subscribers are told of it."""
    content = orjson.loads(event.body)
    said = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"/v1/coalitions/{event.coalition}",
        "type": event.kind,
        "time": render_instant(event.recorded_at),
        **({"subject": content["subject"]} if "subject" in content else {}),
        "position": event.position,
        "coalition": event.coalition,
        "dataref": f"/v1/events/{event.event_id}",
    }
    return Message(event.event_id, orjson.dumps(said))


def ping(message_id: str, webhook_id: str, now: datetime) -> Message:
    """A message that says only that messages arrive."""
    said = {
        "specversion": "1.0",
        "id": message_id,
        "source": f"/v1/webhooks/{webhook_id}",
        "type": "webhook.ping",
        "time": render_instant(now),
    }
    return Message(message_id, orjson.dumps(said))


def render_secret(secret: bytes) -> str:
    """A secret as receivers write it down."""
    return _PREFIX + base64.b64encode(secret).decode()


def sign(message: Message, keys: Sequence[bytes], now: datetime) -> Mapping[str, str]:
    """The headers by which a receiver knows who sent a message, and when: a signature for each live secret."""
    signatures = (Webhook(key).sign(message.message_id, now, message.body.decode()) for key in keys)
    return {
        "webhook-id": message.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
