"""A content in plain words, field by field, and two of them side by side."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from service.domain.actors import shown_name
from service.domain.answers import Json
from service.domain.telling_dates import tell_date
from service.forms.fields import NO, YES, Field, Widget
from service.forms.words import labels_in_one

_DATES = (Widget.DATE, Widget.DAY)


class Told(NamedTuple):
    """One thing that is said: where, what it is called, and in which words."""

    name: str
    label: str
    words: str
    event_id: str = ""  # of the event that it names
    edtf: str = ""  # of a date


class Compared(NamedTuple):
    """One thing that two contents say differently; None where one of them does not say it."""

    label: str
    before: Told | None
    after: Told | None


def tell_content(fields: Sequence[Field], content: Json) -> list[Told]:
    """What a content says, in the order of the fields."""
    return [told for one in fields if one.name in content for told in _tell(one, one.name, "", content[one.name])]


def compare(fields: Sequence[Field], before: Json, after: Json) -> list[Compared]:
    """What two contents say differently, in the order of their form."""
    old, new = ({told.name: told for told in tell_content(fields, one)} for one in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    pairs = ((old.get(name), new.get(name)) for name in names)
    return [
        Compared(one.label, before, after)
        for before, after in pairs
        if before != after and (one := after or before) is not None
    ]


def _tell(one: Field, name: str, around: str, value: Any) -> Iterator[Told]:  # noqa: ANN401 - any JSON
    label = labels_in_one((around, one.label) if around else (one.label,))
    if one.widget is Widget.GROUP:
        for part, said in one.said_in(value):
            yield from _tell(part, f"{name}.{part.name}", "" if name == "body" else label, said)
    elif one.widget is Widget.ROWS:
        (item,) = one.parts
        for number, row in enumerate(value):
            called = f"{item.label} {number + 1}"
            if item.widget is Widget.GROUP:
                for part, said in item.said_in(row):
                    yield from _tell(part, f"{name}.{number}.{part.name}", called, said)
            else:
                yield Told(f"{name}.{number}", called, _words(item, row))
    else:
        event_id = value if one.widget is Widget.EVENT else ""
        yield Told(name, label, _words(one, value), event_id, value if one.widget in _DATES else "")


def _words(one: Field, value: Any) -> str:  # noqa: ANN401 - any JSON
    match one.widget:
        case Widget.CHOICE:
            return next((option.words for option in one.options if option.meant == value), str(value))
        case Widget.TRUTH:
            return YES if value else NO
        case Widget.DATE | Widget.DAY:
            return tell_date(value)
        case Widget.ACTOR:
            return _named(value)
        case Widget.ACTORS:
            return "; ".join(map(_named, value))
        case Widget.CHECKS:
            words_of = {option.value: option.words for option in one.options}
            return ", ".join(words_of.get(ticked, ticked) for ticked in value)
        case Widget.SLUGS | Widget.LINES:
            return "; ".join(value)
    return str(value)


def _named(code: str) -> str:
    return f"{shown_name(code)} ({code})"
