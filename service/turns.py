"""Turns at the loop: long work in a process that serves others ends its turn now and then, and they get theirs."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

One = TypeVar("One")
Made = TypeVar("Made")
_LONGEST = 0.02  # seconds of work before others get their turn


class Turn:
    """A turn at the loop, which ends when it has lasted long enough."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._began = self._time()

    async def end_if_long(self) -> None:
        """Lets others go first, once this has had its turn."""
        if self._time() - self._began > _LONGEST:
            await asyncio.sleep(0)
            self._began = self._time()


async def in_turns(make: Callable[[One], Made], items: Iterable[One]) -> list[Made]:
    """What is made of each item, in their order; others get their turn meanwhile."""
    turn, made = Turn(), list[Made]()
    for item in items:
        made.append(make(item))
        await turn.end_if_long()
    return made
