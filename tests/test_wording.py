"""What is refused is said in the words of whoever sent it, at the place where it is wrong: never in the parser's."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from service.domain.coalition import CoalitionRegistered
from service.domain.errors import Fault, Invalid
from service.domain.kinds import KINDS, STATEMENTS, parse_event
from service.domain.statement import Event
from service.domain.wording import _OTHER
from service.reading.columns import Field, Shape, fields_of
from tests.registry import Json, statement

_PARSERS = re.compile(
    r"pydantic|python|tuple|\bdict(ionary)?\b|\bnonetype\b|\bstr\b|\bint\b|\bbool\b|\bfloat\b|value error|assertion|"
    r"input should|\bshould (be|have|match)\b|\bstring\b|validation|instance of|extra inputs|permitted|discriminator|"
    r"\btag\b|literal|\benum\b|datetime|traceback|\b[a-z]+\.stated needs",
    re.IGNORECASE,
)
_CLASS = re.compile(r"\b[A-Z][a-z]+[A-Z]\w*")
WRONG: tuple[Any, ...] = (
    None, 5, -1, 1.5, 2**70, True, "", " ", "zq", "x" * 5000, "\x00", "é/..", [], [[]], [5], ["zq"], [None], ["a"] * 99,
    {}, {"zq": 1}, [{}], [{"zq": 1}], {"x" * 1000: 1},
)  # fmt: skip


def check_plain(sentence: str) -> None:
    """A sentence has no word that only a parser, or who programs in Python, knows."""
    assert _PARSERS.search(sentence) is None, sentence
    assert _CLASS.search(sentence) is None, sentence
    assert sentence != _OTHER


def places(fields: dict[str, Field]) -> Iterator[tuple[str | int, ...]]:
    """Where something can be said in events of a kind."""
    for name, field in fields.items():
        yield (name,)
        if field.shape in (Shape.OBJECT, Shape.OBJECTS):
            within: tuple[str | int, ...] = (name,) if field.shape is Shape.OBJECT else (name, 0)
            yield from ((*within, *below) for below in places(field.below))
        elif field.shape is Shape.WORDS:
            yield (name, 0)


def put(content: Json, path: tuple[str | int, ...], value: Any) -> None:
    """Puts a value into its place, in whatever is there or has to be."""
    at: Any = content
    for part, following in zip(path, (*path[1:], None), strict=True):
        fresh: Any = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(at, list):
            at[:] = at or [fresh]
            at[0] = fresh if following is None or not isinstance(at[0], type(fresh)) else at[0]
            at = at[0]
        else:
            at[part] = fresh if following is None or not isinstance(at.get(part), type(fresh)) else at[part]
            at = at[part]


def faults_of(content: Json) -> tuple[Fault, ...]:
    """What is wrong with an event; nothing where it is as it may be."""
    try:
        parse_event(content)
    except Invalid as error:
        return error.faults
    return ()


def valid(kind: type[Event]) -> Json:
    """An event of a kind with nothing wrong in it, or with little."""
    (name,) = kind.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]  # always a Literal
    if kind is CoalitionRegistered:
        return {"kind": name, "coalition": "willing", "name": "Willing"}
    if kind in STATEMENTS:
        return statement(name)
    return {"kind": name, "coalition": "willing", "target": "01a20f14-9dda-76b9-bde3-df169754c3f3"}


@pytest.mark.parametrize("name", KINDS)
def test_whatever_is_wrong_is_told_without_a_word_of_the_parser(name: str) -> None:
    kind, told = KINDS[name], 0
    for path in [("zq",), *places(fields_of(kind))]:
        for value in WRONG:
            content = valid(kind)
            put(content, path, value)
            if not isinstance(content["kind"], str):
                continue  # no event of any kind
            for fault in faults_of(content):
                told += 1
                check_plain(fault.detail)
                assert fault.pointer.startswith("/"), f"{fault} of {path} as {value!r:.60}"
                assert len(fault.pointer) < 300
                assert fault.detail[0].isupper() or fault.detail[0] == "`"
                assert fault.detail.endswith((".", "?"))
    assert told > 100


@pytest.mark.parametrize(
    ("path", "value", "pointer", "detail"),
    [
        (("actors",), [], "/actors", "Name at least one actor: whoever says or does this."),
        (("said_by",), {"official": False}, "/said_by/name",
         "An unofficial voice needs a name: it is listed under the person."),
        (("sources",), [], "/sources", "This may not be empty."),
        (("sources",), "A report", "/sources", "This is no list: send it in square brackets."),
        (("body",), ["troops"], "/body", "This is no object: send its fields in braces."),
        (("subject",), "Ground Troops", "/subject", "Use lower-case words joined by hyphens, such as ground-troops."),
        (("summary",), "", "/summary", "This text may not be empty."),
        (("summary",), 7, "/summary", "Send a text, in quotation marks."),
        (("summary",), "x" * 4001, "/summary", "This text has at most 4,000 characters."),
        (("mood",), 1, "/mood", "This field is unknown here; look at its name and its place, or remove it."),
        (("occurred", "basis"), "rumour", "/occurred/basis", "Send one of these: 'stated', 'deduced' or 'published'."),
        (("sources", 0, "published_on"), "July", "/sources/0/published_on",
         "This is no day; send one such as 2025-07-10."),
        (("sources", 0, "url"), "news.example", "/sources/0/url",
         "Use an address that begins with https:// or http://, without spaces."),
        (("body", "quantity"), {"min": 5}, "/body/quantity/unit", "A number needs its `unit`, such as persons."),
        (("body", "quantity"), {"min": True, "unit": "persons"}, "/body/quantity/min", "This is not a number."),
        (("body", "money"), {"amount": "1,5", "currency": "EUR"}, "/body/money/amount",
         "Use a decimal number in quotation marks, such as “1000000.00”, with at most six places."),
        (("body", "money"), {"amount": "1", "currency": "Taler"}, "/body/money/currency",
         "This text has at most 3 characters."),
        (("body", "firmness"), "firm", "/body/firmness",
         "Send one of these: 'ruled_out', 'considering', 'announced', 'declared_intent', 'committed', 'allocated', 'ready' or 'delivered'."),  # noqa: E501 - one sentence
    ],
)  # fmt: skip
def test_a_fault_says_where_it_is_and_what_to_send_instead(
    path: tuple[str | int, ...], value: Any, pointer: str, detail: str
) -> None:
    content = statement()
    put(content, path, value)
    assert [(fault.pointer, fault.detail) for fault in faults_of(content)] == [(pointer, detail)]


def test_a_name_that_is_longer_than_any_field_is_not_repeated() -> None:
    (fault,) = faults_of(statement(said_by={"x" * 1000: 1}))
    assert (fault.pointer, fault.code) == ("/said_by", "extra_forbidden")
