"""Ids of events: UUIDs of version 7 (RFC 9562), which sort by the time at which they were made."""

import os
import time

_VERSION, _VARIANT = 0x7 << 76, 0b10 << 62
_RANDOM = (0xFFF << 64) | (2**62 - 1)  # the bits that neither of them takes


def new_event_id() -> str:
    """A fresh id."""
    random = int.from_bytes(os.urandom(10)) & _RANDOM
    digits = f"{(time.time_ns() // 1_000_000) << 80 | _VERSION | _VARIANT | random:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
