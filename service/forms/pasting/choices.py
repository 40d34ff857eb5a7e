"""What is chosen of a pasted table: where each column goes, how its cells are read, and what all rows share."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

from service.domain.dates import parse_edtf
from service.domain.errors import Fault
from service.domain.kinds import KINDS
from service.domain.statement import Basis, Statement
from service.forms.dates import WRITTEN, parse_written
from service.forms.fields import EXACTLY, Widget
from service.forms.pasting.targets import BASIS, OCCURRED, Reads, Target, find_target, targets_of
from service.forms.reading import find_actor, plain_lines, slug_of
from service.reading.mapping import Dates, Impossible, Numbers, Otherwise, Together, columns_in, fold

NOT_USED = "not used"
NOT_SAID = "not said"
"""What a word stands for that leaves its field out."""
STYLES = {
    ".,": "1,234.5", ",.": "1.234,5", ", ": "1 234,5", ". ": "1 234.5", ".'": "1'234.5", ".": "1234.5", ",": "1234,5",
}  # fmt: skip
"""How numbers are written: the sign before their decimals, and the one between thousands; with an example."""
FACTORS = {"1": "as they stand", "1000": "in thousands", "1000000": "in millions", "1000000000": "in billions"}
SPLITS = {"": "one", ";": "several, with ; between", ",": "several, with , between", "/": "several, with / between"}
"""The sign that parts several values in one cell."""
OTHERWISE = frozenset({"", Otherwise.KEEP, Otherwise.REFUSE})
_SCALE = {
    "thousand": 10**3, "million": 10**6, "mio.": 10**6, "mn": 10**6, "billion": 10**9, "mrd.": 10**9, "bn": 10**9,
}  # fmt: skip
_CURRENCIES = {
    "€": "EUR", "EUR": "EUR", "US$": "USD", "USD": "USD", "$": "USD", "£": "GBP", "GBP": "GBP", "CHF": "CHF",
    "DKK": "DKK", "NOK": "NOK", "SEK": "SEK", "PLN": "PLN", "CZK": "CZK", "UAH": "UAH", "JPY": "JPY",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Use:
    """One column, the field that it goes to, and how its cells are read. A column may be used more than once."""

    column: str
    to: str = ""  # the path of a field; `NOT_USED`; else what was typed
    asked: str = ""  # the field for which the questions below were put
    order: str = ""
    basis: str = ""
    phrases: bool = False
    month_end: bool = False
    style: str = ""  # "": not said yet
    factor: str = "1"
    scale: bool = False
    nothing: str = ""
    currency: bool = False
    split: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = ""  # what becomes of other words, where a mapping has said it
    rows: str = "same"
    group: bool = False

    @property
    def dates(self) -> Dates:
        """How its dates are written."""
        return Dates.model_validate({
            "order": self.order or None,
            "basis": self.basis or Basis.STATED,
            "impossible_days": Impossible.MONTH_END if self.month_end else Impossible.REFUSE,
            "patterns": WRITTEN if self.phrases else (),
        })  # fmt: skip

    @property
    def numbers(self) -> Numbers:
        """How its numbers are written."""
        return Numbers.model_validate({
            "decimal": self.style[:1] or ".",
            "thousands": self.style[1:],
            "factor": self.factor,
            "words": _SCALE if self.scale else {},
            "currencies": _CURRENCIES if self.currency else {},
            "nothing": [word.strip() for word in self.nothing.split(";") if word.strip()],
        })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choices:
    """What a table means, as it was chosen."""

    kind: type[Statement]
    coalition: str
    uses: tuple[Use, ...]
    constants: Mapping[str, str] = field(default_factory=dict)  # by path; with columns in braces, a text made of them
    delimiter: str | None = None
    title: str = ""  # of the mapping file that they began from
    loose: tuple[tuple[str, str], ...] = ()  # fields and what they say in all rows, as typed, that could not be taken

    @property
    def is_grouped(self) -> bool:
        """Whether several rows make one statement."""
        return any(use.group for use in self.uses)

    @property
    def filled(self) -> set[str]:
        """The paths of the fields that columns fill."""
        return {use.to for use in self.uses}


_FLAGS = frozenset(one.name for one in fields(Use) if one.type is bool)
_TEXTS = frozenset(one.name for one in fields(Use) if one.type is str)
_USE = re.compile(r"use\.([0-9]{1,4})\.([a-z_]+)(?:\.([0-9]{1,4}))?")
_MORE = re.compile(r"more\.([0-9]{1,4})\.(to|says)")
CONSTANT = "const."


def read_choices(kind: type[Statement], coalition: str, data: Mapping[str, str], delimiter: str | None) -> Choices:
    """What a page sent, by the names of its fields; those that no page has are `unknown_names`."""
    given: dict[int, dict[str, str]] = {}
    words: dict[int, dict[int, dict[str, str]]] = {}
    for name, text in data.items():
        if not (match := _USE.fullmatch(name)):
            continue
        number = int(match[1])
        if match[3] is None:
            given.setdefault(number, {})[match[2]] = text
        else:
            words.setdefault(number, {}).setdefault(int(match[3]), {})[match[2]] = text
    uses = tuple(_read_use(kind, given[number], words.get(number, {})) for number in sorted(given))
    constants = {
        path: text
        for name, typed in data.items()
        if name.startswith(CONSTANT) and (text := _plain(typed))
        for path in (name.removeprefix(CONSTANT),)
    }
    more, loose = _more(kind, data, constants)
    return Choices(kind, coalition, uses, _constants(kind, constants | more), delimiter, loose=loose)


def _more(
    kind: type[Statement], data: Mapping[str, str], constants: Mapping[str, str]
) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """Further fields that say the same in all rows, by path; and those that lack a part, or are known already."""
    numbers = sorted({int(match[1]) for name in data if (match := _MORE.fullmatch(name))})
    more: dict[str, str] = {}
    loose = []
    for number in numbers:
        to, says = (_plain(data.get(f"more.{number}.{part}", "")) for part in ("to", "says"))
        target = find_target(kind, to)
        if target is not None and says and target.path not in more and target.path not in constants:
            more[target.path] = says
        elif to or says:
            loose.append((to, says))
    return more, tuple(loose)


def unknown_names(kind: type[Statement], data: Mapping[str, str]) -> list[str]:
    """Names of fields that no page about a table has."""
    known = {f"{CONSTANT}{path}" for path in targets_of(kind)}

    def is_known(name: str) -> bool:
        match = _USE.fullmatch(name)
        if match is None:
            return name in known or _MORE.fullmatch(name) is not None
        return match[2] in (("word", "means") if match[3] else _FLAGS | _TEXTS)

    return sorted(name for name in data if not is_known(name))


def _read_use(kind: type[Statement], given: Mapping[str, str], words: Mapping[int, Mapping[str, str]]) -> Use:
    texts = {name: text for name, text in given.items() if name in _TEXTS}
    flags = {name: True for name in given if name in _FLAGS}
    target = find_target(kind, texts.get("to", ""))
    typed = " ".join(texts.get("to", "").split())
    texts["to"] = target.path if target else NOT_USED if fold(typed) == NOT_USED else typed
    for name, known in (
        ("style", STYLES), ("factor", FACTORS), ("split", SPLITS), ("otherwise", OTHERWISE), ("rows", set(Together)),
    ):  # fmt: skip
        if texts.get(name) not in known:
            texts.pop(name, None)
    listed = [one for _, one in sorted(words.items()) if one.get("word")]
    meant = {one["word"]: _plain(one.get("means", "")) for one in listed}
    if target is not None:
        meant = {word: means_of(target, means) for word, means in meant.items()}
    return Use(**{"column": "", **texts}, **flags, words=meant)  # type: ignore[arg-type]  # texts and truths by name


def _plain(text: str) -> str:
    return plain_lines(text).strip()


def means_of(target: Target, typed: str) -> str:
    """What a word stands for, as a mapping says it; what cannot be read so stays as it was typed."""
    if not typed or fold(typed) == NOT_SAID:
        return typed and NOT_SAID
    match target.reads:
        case Reads.WORDS:
            return find_option(target, typed) or typed
        case Reads.NAMES:
            return find_actor(typed) or typed
        case Reads.SLUG:
            return slug_of(typed)
        case Reads.CURRENCY:
            return typed.upper()
    return typed


def find_option(target: Target, word: str) -> str | None:
    """The option that a word names: by its value, or by how it is called."""
    plain = fold(word.replace("_", " ").replace("-", " "))
    for value, words in target.options.items():
        called = {fold(value.replace("_", " ").replace("-", " ")), fold(words), fold(words.partition(":")[0])}
        if plain in called:
            return value
    return None


def _constants(kind: type[Statement], typed: Mapping[str, str]) -> dict[str, str]:
    targets = targets_of(kind)
    return {path: constant_of(targets[path], text) for path, text in typed.items() if path in targets}


def constant_of(target: Target, typed: str) -> str:
    """What is the same in all rows, as a mapping says it."""
    if columns_in(typed):
        return typed
    if target.path == OCCURRED or target.field.widget in (Widget.DATE, Widget.DAY):
        return parse_written(typed)
    return means_of(target, typed)


def faults_of(choices: Choices, columns: tuple[str, ...]) -> list[Fault]:
    """What has to be chosen yet, or cannot be chosen so: each at its field on the page."""
    constants = [fault for path in choices.constants for fault in _of_constant(choices, path, columns)]
    detail = "Say which field this is, and what it says in all rows; one that stands above is filled in there."
    loose = [Fault(f"/more.{number}.to", "loose", detail) for number in range(len(choices.loose))]
    return [*_of_uses(choices), *_ends_twice(choices), *constants, *_missing(choices), *loose]


def _of_uses(choices: Choices) -> Iterator[Fault]:
    targets = targets_of(choices.kind)
    taken: set[str] = set()
    for number, use in enumerate(choices.uses):
        at = f"/use.{number}.to"
        if not use.to:
            yield Fault(at, "undecided", f"Say which field this goes to, or “{NOT_USED}”.")
        elif use.to != NOT_USED and use.to not in targets:
            yield Fault(at, "unknown_field", "No field is called so: pick one from the list.")
        elif use.to != NOT_USED and use.to in taken:
            yield Fault(at, "said_twice", "Another column goes to this field already.")
        taken.add(use.to)
        if use.to in targets:
            yield from _of_use(number, use, targets[use.to])
            if use.currency and f"{targets[use.to].around}.currency" in choices.filled | set(choices.constants):
                detail = "The currency stands beside the number, and something else says it too: leave one out."
                yield Fault(at, "ambiguous", detail)


def _of_use(number: int, use: Use, target: Target) -> Iterator[Fault]:
    if target.reads is Reads.NUMBER and not use.style:
        detail = "The numbers can be read in two ways: say which sign stands before their decimals."
        yield Fault(f"/use.{number}.style", "undecided", detail)
    for nth, means in enumerate(use.words.values()):
        fault = _wrong(target, means) if means and means != NOT_SAID else None
        if fault is not None:
            yield Fault(f"/use.{number}.means.{nth}", "value_error", fault)


def _wrong(target: Target, said: str) -> str | None:
    """Why something that was typed for a field cannot stand there, as far as that needs no statement around it."""
    match target.reads:
        case Reads.WORDS if said not in target.options:
            return "Pick one from the list."
        case Reads.NAMES if find_actor(said) is None:
            return "No actor goes by that name, or several do. Write another name of theirs, or a code."
        case Reads.NUMBER if not _NUMBER.fullmatch(said):
            return "Write a number such as 30000 or 2.5."
        case Reads.DATE:
            try:
                parse_edtf(said)
            except ValueError:
                return "Write a date such as 2025-07-10, July 2025, by 17 March 2025."
    return None


_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?")


def _of_constant(choices: Choices, path: str, columns: tuple[str, ...]) -> Iterator[Fault]:
    at, said = f"/{CONSTANT}{path}", choices.constants[path]
    if path in choices.filled:
        yield Fault(at, "said_twice", "A column goes to this field already.")
    elif not columns_in(said) and (detail := _wrong(targets_of(choices.kind)[path], said)):
        yield Fault(at, "value_error", detail)
    elif any(name not in columns for name in columns_in(said)):
        yield Fault(at, "unknown_column", "What stands in braces has to be the heading of a column.")


def _missing(choices: Choices) -> Iterator[Fault]:
    """What every statement needs, and neither a column nor anything else says."""
    said = choices.filled | set(choices.constants)
    if OCCURRED in choices.constants and BASIS not in said:
        yield Fault(f"/{CONSTANT}{BASIS}", "missing", "Say how the date is known.")
    for path, target in targets_of(choices.kind).items():
        if target.needed and path not in said and path != BASIS:
            detail = "No column goes to this field, and every statement needs it: fill it in here, or pick a column."
            yield Fault(f"/{CONSTANT}{path}", "missing", detail)


def _ends_twice(choices: Choices) -> Iterator[Fault]:
    """Exact numbers beside their ends."""
    targets = targets_of(choices.kind)
    said = choices.filled | set(choices.constants)
    places = {use.to: f"use.{number}.to" for number, use in enumerate(choices.uses)}
    places |= {path: f"{CONSTANT}{path}" for path in choices.constants}
    for path, place in places.items():
        if path.endswith(f".{EXACTLY}") and path in targets:
            around = targets[path].around
            if any(f"{around}.{end}" in said for end in ("min", "max", "min_amount", "max_amount")):
                detail = "This is exact: leave out what says its ends, or say one of them here."
                yield Fault(f"/{place}", "ambiguous", detail)


def used_again(choices: Choices, number: int) -> Choices:
    """The same, with one column once more, for another field."""
    if not 0 <= number < len(choices.uses):
        return choices
    again = Use(choices.uses[number].column)
    return replace(choices, uses=(*choices.uses[: number + 1], again, *choices.uses[number + 1 :]))


def find_kind(name: str) -> type[Statement] | None:
    """A kind of statement by its name."""
    kind = KINDS.get(name)
    return kind if kind is not None and issubclass(kind, Statement) else None
