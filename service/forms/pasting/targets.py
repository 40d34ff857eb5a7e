"""Where a column can go: every field of a kind that a mapping can fill, with the words that its form has for it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from service.domain.statement import Statement
from service.forms.fields import EXACTLY, Field, Widget, ordered
from service.forms.words import labels_in_one
from service.reading.columns import find_place


class Reads(StrEnum):
    """What is asked about the cells of a column, by the field that it goes to."""

    TEXT = "text"
    DATE = "date"
    NUMBER = "number"
    WORDS = "words"  # each stands for one of a few
    NAMES = "names"  # of actors: those that are not known have to be told
    CURRENCY = "currency"
    SLUG = "slug"


_READS = {
    Widget.DATE: Reads.DATE, Widget.DAY: Reads.DATE, Widget.NUMBER: Reads.NUMBER, Widget.COUNT: Reads.NUMBER,
    Widget.CHOICE: Reads.WORDS, Widget.CHECKS: Reads.WORDS, Widget.TRUTH: Reads.WORDS,
    Widget.ACTOR: Reads.NAMES, Widget.ACTORS: Reads.NAMES, Widget.SLUG: Reads.SLUG, Widget.SLUGS: Reads.SLUG,
}  # fmt: skip
_LISTS = frozenset({Widget.ACTORS, Widget.SLUGS, Widget.LINES, Widget.CHECKS, Widget.ROWS})
OCCURRED, EDTF, BASIS = "occurred", "occurred.edtf", "occurred.basis"


@dataclass(frozen=True, slots=True)
class Target:
    """A field that a column can go to, or that is the same in all rows."""

    path: str
    label: str
    field: Field
    fills: tuple[str, ...]  # the fields of a mapping: both ends where a number is exact
    needed: bool = False
    within: str = ""  # what it is a part of, where that may be left out: a quantity, a condition

    @property
    def reads(self) -> Reads:
        """What is asked about its cells."""
        return Reads.CURRENCY if self.field.name == "currency" else _READS.get(self.field.widget, Reads.TEXT)

    @property
    def around(self) -> str:
        """The path of what it is a part of."""
        return self.path.rpartition(".")[0]

    @property
    def takes_several(self) -> bool:
        """Whether one cell may hold several values."""
        return self.field.widget in _LISTS

    @property
    def options(self) -> dict[str, str]:
        """What its words may stand for, as a mapping says it, each with how it is called."""
        if self.field.widget is Widget.TRUTH:
            return {"true": "yes", "false": "no"}
        return {option.value: option.words for option in self.field.options}


@cache
def targets_of(kind: type[Statement]) -> Mapping[str, Target]:
    """The fields of a kind, by their paths, in the order of its form."""
    found = [one for field in ordered(kind) for one in _walk(kind, field, field.name, (), needed=True)]
    times = Counter(one.label for one in found)
    return {
        one.path: one if times[one.label] == 1 else replace(one, label=f"{one.label} ({one.path})") for one in found
    }


def _walk(
    kind: type[Statement], field: Field, path: str, around: tuple[str, ...], *, needed: bool, within: str = ""
) -> Iterator[Target]:
    needed = needed and field.required
    labels = around if path == "body" else (*around, field.label)
    if field.widget is Widget.ROWS and field.parts[0].widget is Widget.GROUP:
        item = replace(field.parts[0], required=True)
        inner = within if needed else f"{path}.0"
        yield from _walk(kind, item, f"{path}.0", around, needed=needed, within=inner)
        return
    if field.widget is Widget.GROUP:
        inner = within if field.required or path == "body" else path
        for part in field.parts:
            if part.name != EXACTLY:
                yield from _walk(kind, part, f"{path}.{part.name}", labels, needed=needed, within=inner)
            elif field.exact is not None:
                both = tuple(f"{path}.{end}" for end in field.exact)
                at_once = f"{path}.amount"
                fills = (at_once,) if find_place(kind, at_once) else both
                yield Target(f"{path}.{EXACTLY}", labels_in_one((*labels, part.label)), part, fills, within=inner)
        return
    name = OCCURRED if path == EDTF else path
    called = around if path == EDTF else labels
    yield Target(name, labels_in_one(called), field, (name,), needed, within)


def find_target(kind: type[Statement], typed: str) -> Target | None:
    """The field that somebody means, by its name on the page or its path."""
    targets = targets_of(kind)
    plain = " ".join(typed.split()).casefold()
    return targets.get(typed.strip()) or next((one for one in targets.values() if one.label.casefold() == plain), None)
