"""Event → what the log stores, and back.

The leaf commits to the event's envelope in canonical JSON (RFC 8785), and through a salted commitment to its body: a
body can later be erased by law while every proof still holds. Old schema versions are lifted on reading, in `UPCASTS`.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from service.domain.dates import render_instant
from service.domain.kinds import KINDS, read_event
from service.domain.statement import Event, canonical
from service.log.merkle import hash_leaf

_SALT_BYTES = 32
_TAG = b"pledge-registry/body/v1\x00"

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
UPCASTS: dict[tuple[str, int], Upcast] = {}
"""(kind, version) → the content in the next version. Pure; never removed once an event of that version exists."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that is ready for the log: everything that can be computed before the gate."""

    event: Event
    event_id: str
    content: dict[str, Any]
    body: bytes
    salt: bytes
    commitment: bytes


def new_salt() -> bytes:
    """A fresh salt: so many random bytes that nobody can try them all."""
    return secrets.token_bytes(_SALT_BYTES)


def prepare(event: Event, *, event_id: str, salt: bytes) -> Entry:
    """Canonicalises and commits to an event's body."""
    content = event.content()
    body = canonical(content)
    return Entry(event, event_id, content, body, salt, commit(body, salt))


def commit(body: bytes, salt: bytes) -> bytes:
    """The salted commitment to a body; without the salt a body of few choices could be guessed from its hash."""
    return hashlib.sha256(_TAG + salt + body).digest()


def leaf_hash(
    *, position: int, event_id: str, kind: str, version: int, coalition: str, recorded_at: datetime,
    recorded_by: str, commitment: bytes,
) -> bytes:  # fmt: skip
    """The hash of an event's leaf at its position."""
    envelope = {
        "body": commitment.hex(),
        "coalition": coalition,
        "event_id": event_id,
        "kind": kind,
        "position": position,
        "recorded_at": render_instant(recorded_at),
        "recorded_by": recorded_by,
        "version": version,
    }
    return hash_leaf(canonical(envelope))


def lift(kind: str, version: int, body: bytes) -> tuple[dict[str, Any], Event]:
    """A stored body as the content and event of the kind's present version."""
    present = KINDS[kind].version
    if version == present:
        return orjson.loads(body), read_event(body, kind)
    content: dict[str, Any] = orjson.loads(body)
    for old in range(version, present):
        content = UPCASTS[kind, old](content)
    return content, read_event(orjson.dumps(content), kind)
