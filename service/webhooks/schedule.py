"""How long a subscription waits after a failure: gaps that grow from seconds to a day, then no more."""

from datetime import timedelta

GAPS = (
    timedelta(seconds=2),
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
    timedelta(hours=24),
    timedelta(hours=24),
)
"""After the first failed attempt, the second, and so on: some five days, so that a weekend is survived."""
_SPREAD = 0.2


def gap_after(attempts: int, chance: float) -> timedelta | None:
    """How long to wait after so many failed attempts at one event (from 1); None: no further attempt.

    ``chance``, from 0 to below 1, moves the gap by up to a tenth either way, so that what failed together does not all
    come back together.
    """
    if attempts > len(GAPS):
        return None
    return GAPS[attempts - 1] * (1 - _SPREAD / 2 + _SPREAD * chance)
