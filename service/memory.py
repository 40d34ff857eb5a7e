"""How the interpreter looks after memory in a process that makes many short-lived values."""

import gc

# Hardly anything here refers to itself, and one statement makes hundreds of values: look for cycles less often.
_COLLECTED_AFTER = (50_000, 20, 20)


def settle() -> None:
    """Call it when everything that lives as long as the process exists: no later collection has to look at that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)
