"""The subjects that a file touches, so that a dry run can say how they would stand at its end.

A state follows from all rows about its subject, and those may stand anywhere in a file of any size. So only some
subjects are followed through it: the first ones, until their rows are as many as others may be kept waiting for; then
the one with the most rows is let go. The others are counted.
"""

from collections.abc import Iterable

from service.domain.coalition import REGISTRATION
from service.domain.subject import SubjectKey
from service.load.checked import Good
from service.reading.occurrences import Occurrences, digest_of

_MOST_SUBJECTS = 100
_MOST_ROWS = 250
_MOST_BYTES = 2**20


class Touched:
    """How many subjects the rows so far touch, and of some all the rows."""

    def __init__(self, seen: Occurrences) -> None:
        self.count = 0
        self._seen = seen
        self._followed: dict[SubjectKey, set[int]] = {}  # by the first rows of what is about them
        self._rows: dict[int, Good] = {}
        self._size = 0

    def add(self, row: Good, keys: Iterable[SubjectKey]) -> None:
        """Takes in a row that would be recorded."""
        for key in keys:
            if self._seen.count(digest_of([*key])) == 1:
                self.count += 1
                if len(self._followed) < _MOST_SUBJECTS:
                    self._followed[key] = set()
            if key in self._followed:
                self._followed[key].add(row.first)
                self._keep(row)
        while len(self._rows) > _MOST_ROWS or self._size > _MOST_BYTES:
            self._let_go(max(reversed(self._followed), key=lambda key: len(self._followed[key])))

    def _keep(self, row: Good) -> None:
        if row.first not in self._rows:
            self._rows[row.first] = row
            self._size += len(row.body)

    def _let_go(self, key: SubjectKey) -> None:
        for first in self._followed.pop(key):
            if not any(first in others for others in self._followed.values()):
                self._size -= len(self._rows.pop(first).body)

    @property
    def coalitions(self) -> set[str]:
        """Those of the subjects that are followed."""
        return {key.coalition for key in self._followed}

    def followed(self, registered: set[str]) -> tuple[list[SubjectKey], list[Good]]:
        """The subjects that were followed to the end, and all rows about them, in order.

        ``registered`` are the coalitions that the record has; of another, its registration has to be among the rows.
        """
        known = registered | {key.coalition for key in self._followed if key[1:3] == ("coalition", REGISTRATION)}
        for key in [key for key in self._followed if key.coalition not in known]:
            self._let_go(key)
        return list(self._followed), [self._rows[first] for first in sorted(self._rows)]
