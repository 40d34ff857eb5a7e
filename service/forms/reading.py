"""What was filled in → content of the model, exactly as the API takes it; content → what a form is filled in with.

Data are what a browser sends: texts by name, where a name is the path to a field, its parts joined by dots. What is
left blank is not there: unset stays unset. What cannot be read stays as it was written, so that the model refuses it
and says why; only what no model can know of (two ways to say one thing) is at fault here.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from service.domain.actors import MAX_LENGTH, parse_actor, person_code, shown_name, suggest_actors
from service.domain.answers import Json
from service.domain.errors import Fault
from service.domain.named import NOBODY, Names
from service.forms.dates import parse_picked, parse_written
from service.forms.fields import EXACTLY, NO, YES, Field, Widget

Data = Mapping[str, Sequence[str]]

PICKED: Final = ("precision", "date", "until", "about")
"""The parts of a date, for who would rather pick than write; behind the name of its field."""
_ABSENT: Final = object()
_SIGNS: Final = r"[, \u00a0\u202f\u2009'\u2019]"  # what stands between thousands
_GROUPED: Final = re.compile(rf"[0-9]{{1,3}}(?:{_SIGNS}[0-9]{{3}})+(?:\.[0-9]+)?")
_WHOLE: Final = re.compile("[0-9]{1,15}")  # longer ones are left to the model, which refuses them
_EVENT: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST_SLUG: Final = 80


@dataclass(frozen=True, slots=True)
class Choice:
    """One actor that a name may mean."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """A name that names no actor, or more than one, and those that it may mean."""

    text: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in: its content, the data with their rows counted anew, and what is unclear, by field."""

    content: Json
    data: dict[str, list[str]]
    faults: tuple[Fault, ...] = ()
    unclear: Mapping[str, tuple[Unclear, ...]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()  # names that the form does not have
    instead: Mapping[str, str] = field(default_factory=dict)  # fields that were filled in by way of another
    told: Mapping[str, str] = field(default_factory=dict)  # whom names were understood to name, by field


def read_form(fields: Sequence[Field], data: Data, names: Names = NOBODY) -> Filled:
    """The content that was filled in; ``names`` are those of people and groups who are known."""
    reader = _Reader(data, names)
    content = {one.name: value for one in fields if (value := reader.read(one, one.name, one.name)) is not _ABSENT}
    unknown = tuple(sorted(name for name in data if name not in reader.used))
    return Filled(content, reader.kept, tuple(reader.faults), reader.unclear, unknown, reader.instead, reader.told)


def fill_form(fields: Sequence[Field], content: Json) -> dict[str, list[str]]:
    """The data with which a form says the content."""
    data: dict[str, list[str]] = {}
    for one in fields:
        if one.name in content:
            data |= dict(_fill(one, one.name, content[one.name]))
    return data


def plain_lines(text: str) -> str:
    """A text with the line breaks of this service, not those of browsers."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def slug_of(words: str) -> str:
    """A slug from words: small plain letters and digits, joined by hyphens; the words themselves where none is left."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", words.casefold()) if not unicodedata.combining(c))
    slug = "-".join(re.findall("[a-z0-9]+", plain))
    return slug[:_LONGEST_SLUG].strip("-") or words.strip()


# --- what was filled in → content -------------------------------------------------------------------------------------


class _Reader:
    """Reads each field once, and counts what has been said so far: a row in which nothing is said is none."""

    def __init__(self, data: Data, names: Names) -> None:
        self.data = data
        self.names = names
        self.kept: dict[str, list[str]] = {}
        self.used: set[str] = set()
        self.said = 0
        self.faults: list[Fault] = []
        self.unclear: dict[str, tuple[Unclear, ...]] = {}
        self.instead: dict[str, str] = {}
        self.told: dict[str, str] = {}

    def read(self, one: Field, old: str, new: str) -> Any:  # noqa: ANN401 - any JSON
        """The value of a field, whose name counts its rows as they were sent (``old``) and as they are (``new``)."""
        if one.widget is Widget.GROUP:
            return self._group(one, old, new)
        if one.widget is Widget.ROWS:
            return self._rows(one, old, new)
        if one.widget is Widget.CHECKS:
            return self._checks(old, new)
        if one.widget is Widget.DATE:
            return self._date(old, new)
        text = self._take(old, new)
        if not text.strip():
            return _ABSENT
        self.said += 1
        if one.widget in (Widget.ACTOR, Widget.ACTORS):
            return self._actors(one, text, old, new)
        return _parse(one, text)

    def _take(self, old: str, new: str) -> str:
        """A text as it was sent."""
        self.used.add(old)
        given = self.data.get(old, ())
        text = plain_lines(given[-1]) if given else ""
        if text:
            self.kept[new] = [text]
        return text

    def _group(self, one: Field, old: str, new: str) -> Any:  # noqa: ANN401 - any JSON
        before = self.said
        value = {
            part.name: found
            for part in one.parts
            if (found := self.read(part, f"{old}.{part.name}", f"{new}.{part.name}")) is not _ABSENT
        }
        if self.said == before and not one.required:
            return _ABSENT
        return value if one.exact is None else self._both_ends(value, one.exact, new)

    def _both_ends(self, value: Json, ends: tuple[str, str], new: str) -> Json:
        """A range of which both ends were said at once."""
        exactly = value.pop(EXACTLY, None)
        if exactly is None:
            return value
        if any(end in value for end in ends):
            detail = "Give either an exact number or its ends."
            self.faults.append(Fault(_pointer(f"{new}.{EXACTLY}"), "ambiguous", detail))
        self.instead |= {f"{new}.{end}": f"{new}.{EXACTLY}" for end in ends}
        return {**value, **dict.fromkeys(ends, exactly)}

    def _rows(self, one: Field, old: str, new: str) -> Any:  # noqa: ANN401 - any JSON
        (item,) = one.parts
        rows: list[Any] = []
        for number in self._numbers(old):
            before, place = self.said, f"{new}.{len(rows)}"
            found = self.read(item, f"{old}.{number}", place)
            if self.said > before:
                rows.append(found)
            else:
                self._forget(place)
        return rows or _ABSENT

    def _numbers(self, path: str) -> list[int]:
        """The rows that were sent."""
        form = re.compile(rf"{re.escape(path)}\.([0-9]{{1,4}})(?:[.?].*)?", re.DOTALL)
        return sorted({int(match[1]) for name in self.data if (match := form.fullmatch(name))})

    def _forget(self, place: str) -> None:
        for name in [name for name in self.kept if name == place or name.startswith(f"{place}.")]:
            del self.kept[name]

    def _checks(self, old: str, new: str) -> Any:  # noqa: ANN401 - any JSON
        self.used.add(old)
        ticked = [value for value in self.data.get(old, ()) if value]
        if not ticked:
            return _ABSENT
        self.said += 1
        self.kept[new] = ticked
        return ticked

    def _date(self, old: str, new: str) -> Any:  # noqa: ANN401 - any JSON
        """A date as it was written, or as it was picked; said twice it has to be the same."""
        written = self._take(old, new).strip()
        precision, date, until, about = (self._take(f"{old}.{part}", f"{new}.{part}").strip() for part in PICKED)
        if not (written or precision or date or until or about):
            return _ABSENT
        self.said += 1
        edtf = parse_written(written)
        if not (precision or date or until or about):
            return edtf
        try:
            picked = parse_picked(precision, date, until, about=bool(about))
        except ValueError as error:
            self.faults.append(Fault(_pointer(new), "bad_date", str(error)))
            return edtf or date
        if written and picked != edtf:
            detail = "The date is written and picked, and the two are not the same: leave one out."
            self.faults.append(Fault(_pointer(new), "ambiguous", detail))
            return edtf
        for part in PICKED:
            self.kept.pop(f"{new}.{part}", None)
        self.kept[new] = [picked]
        return picked

    def _actors(self, one: Field, text: str, old: str, new: str) -> Any:  # noqa: ANN401 - any JSON
        names = _split_actors(text) if one.widget is Widget.ACTORS else [text.strip()]
        codes, unclear, kept, told = [], [], [], []
        for name in names:
            self.used.add(f"{old}?{name}")
            chosen = next(iter(self.data.get(f"{old}?{name}", ())), "")
            code = find_actor(chosen or name)
            if code is not None:
                told.append(shown_name(code))
            elif code := self.names.find(name):
                told.append(f"{self.names.get(code).name} ({code})")
            else:
                choices = _choices(name, self.names) if len(name) <= MAX_LENGTH else ()
                unclear.append(Unclear(name, tuple(choices)))
            codes.append(code or name)
            kept.append(chosen if chosen and code else name)
        self.kept[new] = ["; ".join(kept)]
        self.told[new] = ", ".join(told)
        if unclear:
            self.unclear[new] = tuple(unclear)
        return codes if one.widget is Widget.ACTORS else codes[0]


def find_actor(text: str) -> str | None:
    """The one actor that a text names, or None."""
    try:
        return parse_actor(text)
    except ValueError:
        return None


def _split_actors(text: str) -> list[str]:
    """The names in a text; commas part them too, unless a name has one in it."""
    names = [name.strip() for name in re.split("[;\n]", text)]
    parted: list[str] = []
    for name in filter(None, names):
        whole = "," not in name or find_actor(name) is not None
        parted += [name] if whole else [part.strip() for part in name.split(",") if part.strip()]
    return list(dict.fromkeys(parted))


def _choices(name: str, names: Names) -> Iterator[Choice]:
    """What a name may mean: those who are known by it or by one like it, else a person or a group that is new."""
    known = {actor.code: actor for actor in (*names.suggest(name), *suggest_actors(name))}
    for actor in known.values():
        yield Choice(actor.code, f"{actor.name} ({actor.code})")
    group = f"group:{slug_of(name)}"
    for code, words in ((person_code(name), "a person not named before"), (group, "a group not named before")):
        if code not in known and find_actor(code) is not None:
            yield Choice(code, f"{words}: {name} ({code})")


def _parse(one: Field, text: str) -> Any:  # noqa: ANN401 - any JSON
    """A text as its widget is meant; what cannot be read stays as it was written."""
    bare = text.strip()
    match one.widget:
        case Widget.NUMBER:
            return _number(bare)
        case Widget.COUNT:
            return int(number) if _WHOLE.fullmatch(number := _number(bare)) else bare
        case Widget.DAY:
            return parse_written(bare)
        case Widget.SLUG:
            return slug_of(bare) if re.fullmatch("[a-z0-9]+([_-][a-z0-9]+)*", bare) is None else bare
        case Widget.SLUGS:
            return [slug_of(word) for word in re.split("[,;\n]", bare) if word.strip()]
        case Widget.LINES:
            return [line.strip() for line in bare.split("\n") if line.strip()]
        case Widget.EVENT:
            found = _EVENT.search(bare)
            return found[0].lower() if found else bare
        case Widget.TRUTH:
            return {YES: True, NO: False}.get(bare, bare)
        case Widget.CHOICE:
            return next((option.meant for option in one.options if option.value == bare), bare)
    return bare


def _number(text: str) -> str:
    """A number without what stands between its thousands: "30,000" is 30000, while "1,5" is left as it is."""
    return re.sub(_SIGNS, "", text) if _GROUPED.fullmatch(text) else text


def _pointer(name: str) -> str:
    return f"/{name.replace('.', '/')}"


# --- content → what a form is filled in with --------------------------------------------------------------------------


def _fill(one: Field, path: str, value: Any) -> Iterator[tuple[str, list[str]]]:  # noqa: ANN401 - any JSON
    match one.widget:
        case Widget.GROUP:
            yield from _fill_group(one, path, value)
        case Widget.ROWS:
            for number, row in enumerate(value):
                yield from _fill(one.parts[0], f"{path}.{number}", row)
        case Widget.CHECKS:
            yield path, list(value)
        case Widget.ACTORS:
            yield path, ["; ".join(value)]
        case Widget.SLUGS:
            yield path, [", ".join(value)]
        case Widget.LINES:
            yield path, ["\n".join(" ".join(line.split("\n")) for line in value)]
        case Widget.TRUTH:
            yield path, [YES if value else NO]
        case _:
            yield path, [str(value)]


def _fill_group(one: Field, path: str, value: Json) -> Iterator[tuple[str, list[str]]]:
    for part, said in one.said_in(value):
        yield from _fill(part, f"{path}.{part.name}", said)
