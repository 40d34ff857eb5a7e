"""A content in plain words, field by field, and two of them side by side."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from service.domain.actors import name_of
from service.domain.telling_dates import tell_date
from service.forms.fields import NO, YES, Field, Widget

Json = dict[str, Any]


class Told(NamedTuple):
    """One thing that is said: where, what it is called, and in which words."""

    name: str
    label: str
    words: str
    event_id: str = ""  # of the event that it names


class Compared(NamedTuple):
    """One thing that two contents say differently; "" where one of them does not say it."""

    label: str
    before: str
    after: str


def tell_content(fields: Sequence[Field], content: Json) -> list[Told]:
    """What a content says, in the order of the fields."""
    return [told for one in fields if one.name in content for told in _tell(one, one.name, "", content[one.name])]


def compare(fields: Sequence[Field], before: Json, after: Json) -> list[Compared]:
    """What two contents say differently, in the order of their form."""
    old, new = ({told.name: told for told in tell_content(fields, one)} for one in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    return [
        Compared((new.get(name) or old[name]).label, *(side[name].words if name in side else "" for side in (old, new)))
        for name in names
        if old.get(name) != new.get(name)
    ]


def _tell(one: Field, name: str, around: str, value: Any) -> Iterator[Told]:  # noqa: ANN401 - any JSON
    label = f"{around}: {one.label[:1].lower()}{one.label[1:]}" if around else one.label
    if one.widget is Widget.GROUP:
        for part in one.parts:
            if value.get(part.name) is not None:
                yield from _tell(part, f"{name}.{part.name}", "" if name == "body" else label, value[part.name])
    elif one.widget is Widget.ROWS:
        (item,) = one.parts
        for number, row in enumerate(value):
            called = f"{item.label} {number + 1}"
            if item.widget is Widget.GROUP:
                for part in item.parts:
                    if row.get(part.name) is not None:
                        yield from _tell(part, f"{name}.{number}.{part.name}", called, row[part.name])
            else:
                yield Told(f"{name}.{number}", called, _words(item, row))
    else:
        yield Told(name, label, _words(one, value), value if one.widget is Widget.EVENT else "")


def _words(one: Field, value: Any) -> str:  # noqa: ANN401 - any JSON
    match one.widget:
        case Widget.CHOICE:
            return next((option.words for option in one.options if option.meant == value), str(value))
        case Widget.TRUTH:
            return YES if value else NO
        case Widget.DATE:
            words = tell_date(value)
            return words if words == value else f"{words} ({value})"
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
    return f"{name_of(code)} ({code})"
