"""Ids of events: UUIDs of version 7 (RFC 9562), which sort by the time at which they were made."""

import secrets
import time
import uuid


def new_event_id() -> str:
    """A fresh id."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))
