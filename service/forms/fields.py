"""A model → the fields of its form: what is asked for, how, and in which words.

Everything follows from the annotations and descriptions of the models. A type of which it is not known how to ask for
it is refused when the form is made: a test makes the form of every kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from service.domain.actors import ActorCode
from service.domain.answers import Json
from service.domain.dates import Edtf
from service.domain.quantities import Amount, Currency, Money, Number, Quantity, Unit
from service.domain.record import EventId
from service.domain.statement import Count, Day, Event, Flag, Language, Line, Slug, Statement, Text, Url
from service.forms.words import HINTS, OPENS, label_of, option_of, sentence_of, spaced


class Widget(StrEnum):
    """How a field is filled in."""

    LINE = "line"
    TEXT = "text"  # lines, as many as are written
    NUMBER = "number"
    COUNT = "count"  # a whole number
    DAY = "day"
    DATE = "date"  # as precise as it is known
    SLUG = "slug"  # words, of which a slug is made
    ACTOR = "actor"  # one, by code or name
    EVENT = "event"  # the id of an event, or its address
    CHOICE = "choice"  # one of a few
    TRUTH = "truth"  # yes, no, or not said
    ACTORS = "actors"  # several, in one line
    SLUGS = "slugs"
    LINES = "lines"  # a list, one to a line
    CHECKS = "checks"  # some of a few
    GROUP = "group"  # a value of several parts
    ROWS = "rows"  # as many values as there are; `parts` has the field of one


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be chosen."""

    value: str
    words: str
    meant: Any = None  # the value itself, where it is no text
    opens: tuple[str, ...] = ()  # the parts beside it that are usual then


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a form asks for; ``name`` is the member's, "" of a row."""

    name: str
    label: str
    widget: Widget
    hint: str = ""
    required: bool = False
    options: tuple[Option, ...] = ()
    parts: tuple["Field", ...] = ()
    most: int | None = None  # characters of a text, rows of a list
    default: str = ""  # what leaving it out counts as, in words
    exact: tuple[str, str] | None = None  # both ends of a range that may be said at once

    def said_in(self, value: Json) -> Iterator[tuple["Field", Any]]:
        """The parts in which a value says something, with what; a range whose ends are the same is said at once."""
        low, high = map(value.get, self.exact or ("", ""))
        if low is not None and low == high:
            value = {EXACTLY: low, **{name: said for name, said in value.items() if name not in (self.exact or ())}}
        return ((part, said) for part in self.parts if (said := value.get(part.name)) is not None)


EXACTLY = "exactly"
"""The part of a range in which both ends are said at once; no model has it."""
YES, NO = "yes", "no"
_HINTS: dict[Widget, str] = {
    Widget.ACTOR: "A name in any language, or a code: Germany, DE, org:nato, person:jane-doe.",
    Widget.ACTORS: "Names in any language, or codes, with semicolons between: France; United Kingdom.",
    Widget.DATE: "Such as 2025-07-10, July 2025, by 17 March 2025.",
    Widget.DAY: "A day such as 2025-07-10.",
    Widget.EVENT: "Its id, or the address of its page.",
    Widget.LINES: "One to a line.",
}
_PLAIN: tuple[tuple[Any, Widget], ...] = (
    (ActorCode, Widget.ACTOR), (Edtf, Widget.DATE), (EventId, Widget.EVENT), (Slug, Widget.SLUG), (Unit, Widget.SLUG),
    (Day, Widget.DAY), (Text, Widget.TEXT), (Line, Widget.LINE), (Url, Widget.LINE), (Language, Widget.LINE),
    (Currency, Widget.LINE), (Number, Widget.NUMBER), (Amount, Widget.NUMBER), (Count, Widget.COUNT),
    (Flag, Widget.TRUTH),
)  # fmt: skip
_LISTS = {
    Widget.ACTOR: Widget.ACTORS, Widget.SLUG: Widget.SLUGS, Widget.LINE: Widget.LINES, Widget.CHOICE: Widget.CHECKS,
}  # fmt: skip
_GENERAL = {
    info.description for alias, _ in _PLAIN for info in get_args(alias)[1:] if isinstance(info, FieldInfo)
}  # what a type says of itself, to programs
_LEFT_OUT = frozenset({"kind", "coalition", "target"})  # of events: said by the page that a form stands on


@cache
def fields_of(model: type[BaseModel]) -> tuple[Field, ...]:
    """The fields that a model takes, in its order; what is a patch of something else is asked for by another form."""
    hints = get_type_hints(model, include_extras=True)
    left_out = _LEFT_OUT if issubclass(model, Event) else frozenset()
    asked = {name: info for name, info in model.model_fields.items() if name not in left_out}
    fields = tuple(
        _field(name, info, hints[name], model) for name, info in asked.items() if get_origin(hints[name]) is not dict
    )
    labels = {field.name: field.label for field in fields}
    return tuple(_naming(field, labels) for field in fields)


def _naming(field: Field, labels: dict[str, str]) -> Field:
    """What can be taken back is called as where it is said."""
    if field.widget is not Widget.CHECKS:
        return field
    return replace(field, options=tuple(replace(one, words=labels.get(one.value, one.words)) for one in field.options))


def _field(name: str, info: FieldInfo, hint: Any, model: type[BaseModel]) -> Field:  # noqa: ANN401 - an annotation
    made = _asked(name, hint, model)
    own = None if info.description in _GENERAL else info.description
    default = info.get_default() if not info.is_required() else None
    examples = info.examples or []
    told = sentence_of(own) or made.hint or (f"Such as {examples[0]}." if examples else "")
    return replace(
        made,
        label=label_of(name, info.title),
        hint=HINTS.get(f"{model.__name__}.{name}", HINTS.get(name, told)),
        required=info.is_required(),
        most=_most(info.metadata) or made.most,
        default=_in_words(default),
    )


def _in_words(default: Any) -> str:  # noqa: ANN401 - any default
    if isinstance(default, bool):
        return YES if default else NO
    return spaced(default.value) if isinstance(default, Enum) else ""


def _within(alias: Any) -> list[Any]:  # noqa: ANN401 - an annotation
    """What a type says of itself, those of a field taken apart."""
    told = get_args(alias)[1:]
    return [*told, *(one for info in told if isinstance(info, FieldInfo) for one in info.metadata)]


def _most(metadata: list[Any]) -> int | None:
    found = (getattr(one, "max_length", None) for one in metadata)
    return next((most for most in found if most is not None), None)


def _asked(name: str, hint: Any, model: type[BaseModel]) -> Field:  # noqa: ANN401 - an annotation
    """How a value of a type is asked for."""
    for alias, widget in _PLAIN:
        if hint is alias:
            return Field(name, label_of(name), widget, _HINTS.get(widget, ""), most=_most(_within(alias)))
    origin, given = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (only,) = (one for one in given if one is not NoneType)
        return _asked(name, only, model)
    if origin is Annotated:
        return _asked(name, given[0], model)
    if origin is Literal:
        return _choice(name, list(given))
    if origin is tuple:
        return _listed(name, given[0], model)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return replace(_choice(name, [one.value for one in hint]), hint=sentence_of(hint.__doc__))
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return _group(name, hint)
    raise TypeError(f"it is not known how to ask for {model.__name__}.{name}")


def _choice(name: str, values: list[Any]) -> Field:
    opens = OPENS.get(name, {})
    options = tuple(
        Option(str(value), option_of(name, str(value)), value, opens.get(str(value), ())) for value in values
    )
    return Field(name, label_of(name), Widget.CHOICE, options=options)


_RANGES: dict[type[BaseModel], tuple[str, str]] = {Quantity: ("min", "max"), Money: ("min_amount", "max_amount")}


def _group(name: str, model: type[BaseModel]) -> Field:
    parts, ends = fields_of(model), _RANGES.get(model)
    if ends:
        exactly = Field(EXACTLY, label_of(EXACTLY), Widget.NUMBER, "Or one end, or both.")
        parts = (exactly, *parts)
    return Field(name, label_of(name), Widget.GROUP, sentence_of(model.__doc__), parts=parts, exact=ends)


def _listed(name: str, of: Any, model: type[BaseModel]) -> Field:  # noqa: ANN401 - an annotation
    one = _asked(name, of, model)
    widget = _LISTS.get(one.widget)
    if widget is not None:
        return replace(one, widget=widget, hint=_HINTS.get(widget, ""), most=None)
    item = replace(one, name="", label=_singular(one.label))
    return Field(name, label_of(name), Widget.ROWS, parts=(item,))


def _singular(label: str) -> str:
    return label.removesuffix("s")


# --- forms ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that stand together; a folded one is opened by whoever needs it."""

    title: str
    hint: str
    names: tuple[str, ...]  # the paths to its fields
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """What a page asks for: fields, and how they stand together."""

    fields: tuple[Field, ...]
    sections: tuple[Section, ...]


def ordered(model: type[BaseModel]) -> tuple[Field, ...]:
    """The fields of a model in the order in which its form asks for them."""
    form = form_of(model)
    named = {field.name: field for field in form.fields}
    return tuple(named[name] for section in form.sections for name in section.names)


_FIRST = ("actors", "subject", "occurred", "summary")
_LAST = "note"
_APART = ("body", "said_by", "sources")


@cache
def form_of(model: type[BaseModel]) -> Form:
    """The form of a model: of a statement in sections, of anything else as it comes."""
    fields = fields_of(model)
    if not issubclass(model, Statement):
        names = sorted((field.name for field in fields), key=_LAST.__eq__)
        return Form(fields, (Section("", "", tuple(names)),))
    return Form(fields, tuple(_sections(model, {field.name: field for field in fields})))


def _sections(kind: type[Statement], fields: dict[str, Field]) -> Iterator[Section]:
    asked = [name for name, field in fields.items() if field.required and name not in (*_FIRST, *_APART)]
    yield Section("What it is about", "", (*(name for name in _FIRST if name in fields), *asked))
    yield Section("What it says", sentence_of(kind.__doc__), ("body",))
    yield Section("Who said it", fields["said_by"].hint, ("said_by",), folded=True)
    yield Section("Sources", "", ("sources",))
    rest = [name for name in fields if name not in (*_FIRST, *_APART, *asked)]
    yield Section("More", "How and where it was said.", tuple(rest), folded=True)


@cache
def form_around(name: str, inner: type[BaseModel], model: type[BaseModel]) -> Form:
    """The form of a model of which one member is the content of another model, such as what a correction changes."""
    within = form_of(inner)
    whole = Field(name, label_of(name), Widget.GROUP, required=True, parts=within.fields)
    moved = (replace(one, names=tuple(f"{name}.{path}" for path in one.names)) for one in within.sections)
    (asked,) = form_of(model).sections
    own = replace(asked, title="Why")
    return Form((whole, *fields_of(model)), (*moved, own))


def with_reason(form: Form) -> Form:
    """A form whose note has to say why."""
    hint = "It stands in the history, for whoever asks later."
    asked = (replace(one, label="Why", hint=hint, required=True) if one.name == _LAST else one for one in form.fields)
    return replace(form, fields=tuple(asked))


def kind_of(event: type[Event]) -> str:
    """The permanent name of a kind."""
    (name,) = get_args(event.model_fields["kind"].annotation)
    return str(name)
