"""How many histories are tried: few on every push, always the same; many new ones with HYPOTHESIS_PROFILE=thorough."""

import os
from typing import Final

from hypothesis import HealthCheck, settings

THOROUGH: Final = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
_MORE: Final = 10  # times as many in the thorough profile

settings.register_profile(
    "quick", deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True, print_blob=True
)
settings.register_profile("thorough", settings.get_profile("quick"), derandomize=False)


def histories(count: int) -> settings:
    """The settings of a property that is tried on so many histories on every push."""
    profile = settings.get_profile("thorough" if THOROUGH else "quick")
    return settings(profile, max_examples=count * _MORE if THOROUGH else count)
