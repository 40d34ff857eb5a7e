"""What a page shows of a form: each field with what was filled in, what it comes to, and what is wrong with it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from service.domain.errors import Fault
from service.domain.statement import Basis
from service.domain.telling_dates import tell_date, tell_occurred
from service.domain.wording import REQUIRED
from service.forms.dates import PRECISIONS, Precision, parse_written
from service.forms.fields import Field, Form, Section, Widget
from service.forms.reading import PICKED, Data, Filled, Unclear
from service.forms.words import for_writing

MOST_RADIOS = 4
"""Up to so many options are shown all at once; more are in a list that opens."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A field on a page."""

    asked: Field
    name: str
    value: str = ""
    values: tuple[str, ...] = ()
    picked: Mapping[str, str] = field(default_factory=dict)  # the parts of a date
    parts: tuple["Shown", ...] = ()  # of a group, or the rows of a list
    errors: tuple[str, ...] = ()
    echo: str = ""  # what was filled in, in plain words
    unclear: tuple[Unclear, ...] = ()
    opened: bool = False  # something is said here, or is wrong here
    fresh: bool = False  # a row that was just asked for

    @property
    def id(self) -> str:
        """How it is called on the page."""
        return f"f-{self.name.replace('.', '-')}"

    @property
    def widget(self) -> str:
        """How it is shown: radio buttons or a list, and a text of several lines as such."""
        if self.asked.widget is Widget.CHOICE:
            return "radios" if len(self.asked.options) <= MOST_RADIOS else "list"
        if self.asked.widget is Widget.LINE and "\n" in self.value:
            return Widget.TEXT
        return self.asked.widget

    @property
    def precisions(self) -> Sequence[Precision]:
        """How precisely a date can be said to be known."""
        return PRECISIONS


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, for the summary: a sentence, and the field that it leads to."""

    detail: str
    label: str = ""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A section on a page."""

    section: Section
    fields: tuple[Shown, ...]

    @property
    def opened(self) -> bool:
        """Whether it is shown unfolded."""
        return not self.section.folded or any(one.opened for one in self.fields)


@dataclass(frozen=True, slots=True)
class Page:
    """A form as it is shown."""

    parts: tuple[Part, ...]
    problems: tuple[Problem, ...]


def show(form: Form, filled: Filled, faults: Sequence[Fault] = (), *, add: str = "") -> Page:
    """A form filled in, with what is wrong; ``add`` names the list that gets one more row."""
    every = (*filled.faults, *faults)
    bare = _shown(form, _Shower(filled, {}, add))
    placed: dict[str, list[str]] = {}
    problems = []
    for fault in every:
        name = _place(fault, bare)
        name = filled.instead.get(name or "", name)
        if name is None:
            detail = fault.detail
        elif fault.detail == REQUIRED:
            name, detail = _asking_for(bare[name])
        else:
            detail = _in_words(fault, name, bare, filled)
        problems.append(Problem(detail) if name is None else Problem(detail, _label(name, bare), bare[name].id))
        placed.setdefault(name or "", []).append(detail)
    shown = _shown(form, _Shower(filled, placed, add))
    parts = tuple(Part(section, tuple(shown[path] for path in section.names)) for section in form.sections)
    return Page(parts, tuple(dict.fromkeys(problems)))


def _shown(form: Form, shower: "_Shower") -> dict[str, Shown]:
    """Every field of a form, by its name."""
    return {one.name: one for field in form.fields for one in _all(shower.show(field, field.name))}


def _all(one: Shown) -> list[Shown]:
    return [one, *(inner for part in one.parts for inner in _all(part))]


def _label(name: str, shown: Mapping[str, Shown]) -> str:
    """What a field is called: of a row, with its number."""
    row = re.search(r"\.([0-9]+)(?:\.|$)", name)
    words = shown[name].asked.label
    return f"{words} ({int(row[1]) + 1})" if row else words


def _place(fault: Fault, names: Mapping[str, object]) -> str | None:
    """The field at which a fault is shown: the one that its pointer names, or the nearest around that; then the first
    of those in it that its sentence names.
    """
    parts = [part.replace("~1", "/").replace("~0", "~") for part in fault.pointer.split("/")[1:]]
    while parts and ".".join(parts) not in names:
        parts.pop()
    around = ".".join(parts)
    named = (f"{around}.{word}" if around else word for word in re.findall("`([a-z_.]+)`", fault.detail))
    return next((name for name in named if name in names), around or None)


def _asking_for(lacks: Shown) -> tuple[str, str]:
    """Where to do something about what was left out, though it is required, and what: of a list, in its first row."""
    if lacks.asked.widget is Widget.ROWS and lacks.parts and lacks.parts[0].parts:
        row, first = lacks.parts[0], lacks.parts[0].parts[0]
        what = f"Name at least one {row.asked.label.lower()}: begin with its {first.asked.label.lower()}."
        return first.name, what
    if lacks.asked.widget in (Widget.CHOICE, Widget.CHECKS):
        return lacks.name, "Choose one of these; it is required."
    return lacks.name, "Fill this in; it is required."


def _in_words(fault: Fault, name: str, shown: Mapping[str, Shown], filled: Filled) -> str:
    """What is wrong, for whoever writes; of a name that is not clear, that it is chosen below."""
    said: Any = filled.content
    for part in fault.pointer.split("/")[1:]:
        said = said[int(part)] if isinstance(said, list) else said.get(part) if isinstance(said, dict) else None
    if any(said == one.text and one.choices for one in filled.unclear.get(name, ())):
        return f"Who is “{said}”? Choose below, or write another name."
    return for_writing(_said_by_label(fault.detail, name, shown))


def _said_by_label(detail: str, name: str, shown: Mapping[str, Shown]) -> str:
    """A sentence that names members, with the labels of their fields."""
    around = name.rpartition(".")[0]

    def called(found: re.Match[str]) -> str:
        inner = (f"{name}.{found[1]}", f"{around}.{found[1]}" if around else found[1])
        label = next((shown[one].asked.label for one in inner if one in shown), None)
        return f"“{label}”" if label else found[1].replace("_", " ")

    return re.sub("`([a-z_.]+)`", called, detail)


class _Shower:
    def __init__(self, filled: Filled, errors: Mapping[str, Sequence[str]], add: str) -> None:
        self._data: Data = filled.data
        self._unclear, self._told, self._errors, self._add = filled.unclear, filled.told, errors, add

    def show(self, one: Field, name: str) -> Shown:
        """A field and all that is in it."""
        values = tuple(self._data.get(name, ()))
        value = values[-1] if values else ""
        parts = self._parts(one, name)
        errors = tuple(dict.fromkeys(self._errors.get(name, ())))
        picked = {part: given[-1] for part in PICKED if (given := self._data.get(f"{name}.{part}"))}
        opened = bool(value or picked or errors or self._add == name or any(part.opened for part in parts))
        unclear = self._unclear.get(name, ())
        echo = self._told.get(name) or _echo(one, value)
        return Shown(one, name, value, values, picked, parts, errors, echo, unclear, opened)

    def _parts(self, one: Field, name: str) -> tuple[Shown, ...]:
        if one.widget is Widget.GROUP:
            shown = [self.show(part, f"{name}.{part.name}") for part in one.parts]
            shown = [_with_basis(part, shown) for part in shown]
            usual = {path for part in shown for path in _usual(part)}
            return tuple(replace(part, opened=part.opened or part.asked.name in usual) for part in shown)
        if one.widget is not Widget.ROWS:
            return ()
        form = re.compile(rf"{re.escape(name)}\.([0-9]+)(?:\..*)?")
        rows = len({match[1] for key in self._data if (match := form.fullmatch(key))})
        most = rows + 1 if self._add == name or (rows == 0 and one.required) else rows
        parts = [self.show(one.parts[0], f"{name}.{number}") for number in range(most)]
        if self._add == name:
            parts[-1] = replace(parts[-1], fresh=True)
        return tuple(parts)


def _with_basis(one: Shown, beside: Sequence[Shown]) -> Shown:
    """A date is told together with how it is known, where that is said beside it."""
    basis = next((part.value for part in beside if part.asked.name == "basis" and part.value in set(Basis)), "")
    told = one.asked.widget is Widget.DATE and one.echo and basis
    return replace(one, echo=tell_occurred(parse_written(one.value.strip()), basis)) if told else one


def _usual(one: Shown) -> tuple[str, ...]:
    """The parts beside it that what was chosen makes usual."""
    return next((option.opens for option in one.asked.options if option.value == one.value), ())


def _echo(one: Field, value: str) -> str:
    if value.strip() and one.widget is Widget.DATE:
        try:
            return tell_date(parse_written(value.strip()))
        except ValueError:
            return ""
    return ""
