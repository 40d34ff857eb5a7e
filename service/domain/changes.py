"""The difference between two points: what was learned, and what moved.

Between (t1, k1) and (t2, k2) lies the corner (t1, k2). What differs at t1 between the two positions was *learned*: the
world was already so, and was recorded or corrected later. What differs at k2 between the two moments *moved*: the world
changed, or time alone changed it. A subject may have done both; it then has two rows. The choice of corner is part of
the contract: through the other one, some changes would be attributed differently.

What is compared is what an answer says of a subject at each point, and so also what follows from the ceasefires of its
coalition. Only how old it is says nothing: that differs between any two days.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from service.domain.answers import Json, Moment, in_force_keys, shape
from service.domain.subject import SubjectKey

Causes = Mapping[SubjectKey, list[Json]]
_AGE = frozenset({"age_days", "stale"})


class View:
    """What all subjects of a coalition are in at one point."""

    def __init__(
        self,
        rows: Iterable[tuple[SubjectKey, Json, list[Json], list[Json]]],
        *,
        as_of: datetime,
        stale_after_days: int,
    ) -> None:
        """``rows`` hold the key of each, its state, the statements behind it, and rivals."""
        self._rows = {row[0]: row for row in rows}
        self._as_of, self._stale_after_days = as_of, stale_after_days
        self.truces = in_force_keys((key, state) for key, state, _, _ in self._rows.values())
        self.shapes = {key: self.shape(key, self.truces) for key in self._rows}

    def shape(self, key: SubjectKey, truces: frozenset[SubjectKey]) -> Json:
        """A subject that there is, as an answer shows it while these ceasefires are in force."""
        moment = Moment(self._as_of, self._stale_after_days, frozenset(truce.coalition for truce in truces))
        return shape(*self._rows[key], moment)

    def hangs_on(self, key: SubjectKey, truces: frozenset[SubjectKey]) -> bool:
        """Whether an answer would show a subject otherwise while these ceasefires were in force instead."""
        return key in self.shapes and self.shape(key, truces) != self.shapes[key]


@dataclass(frozen=True, slots=True)
class Difference:
    """One subject that differs, one way or the other, with the events that brought it about."""

    key: SubjectKey
    because: str  # "learned" or "moved"
    before: Json | None
    after: Json | None
    causes: list[Json]  # none where time alone did it


def differences(start: View, corner: View, end: View, *, learned: Causes, moved: Causes) -> list[Difference]:
    """The rows of the difference, by subject, what was learned before what moved."""
    rows = []
    for key in sorted({*start.shapes, *corner.shapes, *end.shapes}):
        for because, before, after, causes in (("learned", start, corner, learned), ("moved", corner, end, moved)):
            was, became = before.shapes.get(key), after.shapes.get(key)
            if is_other(was, became):
                rows.append(Difference(key, because, was, became, _causes(key, before, after, causes)))
    return rows


def is_other(before: Json | None, after: Json | None) -> bool:
    """Whether two answers about a subject differ in more than its age."""
    if before is None or after is None:
        return before is not after
    return any(before[name] != after[name] for name in before if name not in _AGE)


def _causes(key: SubjectKey, before: View, after: View, causes: Causes) -> list[Json]:
    """What happened to the subject itself, and to the ceasefires that it hangs on."""
    found = list(causes.get(key, []))
    if key.family != "ceasefire" and (before.hangs_on(key, after.truces) or after.hangs_on(key, before.truces)):
        for truce in sorted(before.truces ^ after.truces):
            found += [one for one in causes.get(truce, []) if one not in found]
    return found
