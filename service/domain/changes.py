"""The difference between two points: what was learned, and what moved.

Between (t1, k1) and (t2, k2) lies the corner (t1, k2). What differs at t1 between the two positions was *learned*: the
world was already so, and was recorded or corrected later. What differs at k2 between the two moments *moved*: the world
changed, or time alone changed it. A subject may have done both; it then has two rows. The choice of corner is part of
the contract: through the other one, some changes would be attributed differently.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.domain.subject import SubjectKey

Json = dict[str, Any]
States = Mapping[SubjectKey, Json]
Causes = Mapping[SubjectKey, list[Json]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One subject that differs, one way or the other, with the events that brought it about."""

    key: SubjectKey
    because: str  # "learned" or "moved"
    before: Json | None
    after: Json | None
    causes: list[Json]  # none where time alone did it


def differences(start: States, corner: States, end: States, *, learned: Causes, moved: Causes) -> list[Difference]:
    """The rows of the difference, by subject, what was learned before what moved."""
    rows = []
    for key in sorted({*start, *corner, *end}):
        for because, before, after, causes in (
            ("learned", start.get(key), corner.get(key), learned),
            ("moved", corner.get(key), end.get(key), moved),
        ):
            if before != after:
                rows.append(Difference(key, because, before, after, causes.get(key, [])))
    return rows
