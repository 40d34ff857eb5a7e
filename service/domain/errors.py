"""Everything the registry refuses, as one tree without status codes; the doors translate it in one table.

    RegistryError
    ├── Invalid      what was sent is malformed or impossible; says where (`faults`)
    │   └── Faulty   so are rows of a file; says how many faults there are in all
    ├── Refused      well formed, but a rule forbids it in this place
    │   ├── Stale    somebody changed it meanwhile
    │   └── Running  the same request is being dealt with already
    ├── Unknown      nothing is recorded under that name
    └── Unavailable  the registry cannot do it now
        ├── Busy     as many of the kind are under way as may be at once
        └── NoRoom   there is no room on its disk

Messages are full sentences that say what to do, and never repeat what was sent.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (a JSON Pointer, RFC 6901), a stable code, and a sentence.

    In something of many rows the pointer leads into what the row says; the row has its number, the column its name.
    """

    pointer: str
    code: str
    detail: str
    row: int | None = None
    column: str | None = None

    def render(self) -> dict[str, Any]:
        """As clients see it."""
        place = {"row": self.row, "column": self.column}
        named = {name: value for name, value in place.items() if value is not None}
        return {**named, "pointer": self.pointer, "code": self.code, "detail": self.detail}


VALUE = "value_error"
"""The code of what is wrong with a value, where it has none of its own."""


class Coded(ValueError):
    """What is wrong with a value; a ``code`` of its own has what no schema can say."""

    def __init__(self, message: str, *, code: str = VALUE) -> None:
        super().__init__(message)
        self.code = code


class Misplaced(Coded):
    """What is wrong with a value, where it lies in a field of it: ``field`` leads there, as `said_by/name`."""

    def __init__(self, field: str, message: str, *, code: str = VALUE) -> None:
        super().__init__(message, code=code)
        self.field = field


def code_of(error: ValueError) -> str:
    """By which code a value is refused."""
    return error.code if isinstance(error, Coded) else VALUE


class RegistryError(Exception):
    """The registry refuses."""

    def __init__(self, detail: str, *faults: Fault) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = faults


class Invalid(RegistryError):
    """What was sent is malformed or impossible."""


class Faulty(Invalid):
    """Rows of a file are malformed or impossible; `faults` are the first of ``count``."""

    def __init__(self, detail: str, *faults: Fault, count: int) -> None:
        super().__init__(detail, *faults)
        self.count = count


class Refused(RegistryError):
    """It is well formed, but a rule forbids it here."""


class Stale(Refused):
    """It was changed by somebody else in the meantime."""


class Running(Refused):
    """The same request is being dealt with already."""


class Unknown(RegistryError):
    """Nothing is recorded under that name."""


class Unavailable(RegistryError):
    """The registry cannot do it now; try again later."""


class Busy(Unavailable):
    """As many of the kind are under way as may be at once."""


class NoRoom(Unavailable):
    """There is no room for it on the disk."""


def for_people(detail: str) -> str:
    """What has happened, without what only programs send or see: people are told the faults beside it."""
    for said in (" with the same Idempotency-Key", "; see `errors` for where and why", "; see `errors`"):
        detail = detail.replace(said, "")
    return detail
