"""A mapping: how the columns of somebody else's table become the fields of statements.

It is a YAML file that is read as text throughout (Norway's `NO` is no truth value), without aliases, of bounded size
and depth. What is wrong with it is told before any row is read. docs/mapping.md describes it, with an example.
"""

import re
from collections.abc import Container
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, field_validator, model_validator

from service.domain.errors import Fault, Invalid
from service.domain.kinds import KINDS, invalid
from service.domain.statement import Basis, Statement, Value
from service.reading.columns import is_known
from service.reading.table import DELIMITERS

LARGEST_MAPPING = 2**16
"""Bytes of a mapping."""
_DEEPEST = 8
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_DATE_NAMES = frozenset({"date", "from", "to"})

Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Otherwise(StrEnum):
    """What becomes of a word that a list does not have."""

    REFUSE = "refuse"
    KEEP = "keep"
    LEAVE_OUT = "leave_out"
    USE = "use"


class Words(Value):
    """A list of words and what each stands for; nothing: the field is left out."""

    known: dict[Name, str] = Field(max_length=5000)
    otherwise: Otherwise = Otherwise.REFUSE
    use: Name | None = Field(None, description="what every other word stands for")

    @model_validator(mode="after")
    def _says_what_to_use(self) -> Self:
        if (self.otherwise is Otherwise.USE) != (self.use is not None):
            raise ValueError("`otherwise: use` and `use` go together")
        return self

    @field_validator("known")
    @classmethod
    def _once_each(cls, known: dict[str, str]) -> dict[str, str]:
        plain = [fold(word) for word in known]
        if len(set(plain)) != len(plain):
            raise ValueError("has a word twice, if capitals and spaces are not looked at")
        return dict(zip(plain, known.values(), strict=True))


class Order(StrEnum):
    """Which number of a date such as 3/4/2023 is the day."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


class Impossible(StrEnum):
    """What becomes of the 31st of April."""

    REFUSE = "refuse"
    MONTH_END = "month_end"


class Pattern(Value):
    """A way to write a date, and the EDTF that it means; nothing: it says nothing."""

    reads: Name = Field(examples=["until {date}"])
    means: str = Field("", examples=["../{date}"])
    basis: Basis | None = None

    @model_validator(mode="after")
    def _has_what_it_means(self) -> Self:
        read, meant = (set(_PLACEHOLDER.findall(text)) for text in (self.reads, self.means))
        if read - _DATE_NAMES:
            raise ValueError("a place for a date is called {date}, {from} or {to}")
        if len(_PLACEHOLDER.findall(self.reads)) != len(read):
            raise ValueError("names a place for a date twice")
        if meant - read:
            raise ValueError("`means` has a date that `reads` does not read")
        return self


class Dates(Value):
    """How dates are written. ISO dates and months in words are read always, 3/4/2023 where the order is said."""

    order: Order | None = None
    basis: Basis = Basis.STATED
    impossible_days: Impossible = Impossible.REFUSE
    months: dict[Name, Annotated[int, Field(ge=1, le=12)]] = Field({}, description="names beside the English ones")
    patterns: tuple[Pattern, ...] = Field((), max_length=100)


class Numbers(Value):
    """How numbers are written."""

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    factor: Annotated[Decimal, Field(gt=0)] = Field(Decimal(1), description="what each is multiplied by")
    words: dict[Name, Annotated[Decimal, Field(gt=0)]] = Field(
        {}, description="words behind a number: {bn: 1000000000}"
    )
    currencies: dict[Name, str] = Field({}, description="words beside a number: {€: EUR}")
    nothing: tuple[Name, ...] = Field((), description="what stands for no number at all, such as n/a")

    @model_validator(mode="after")
    def _keeps_both_apart(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("`decimal` and `thousands` are the same sign")
        return self


class Together(StrEnum):
    """What the rows of a group say together."""

    SAME = "same"  # one thing, in all rows that say anything
    SUM = "sum"  # each says a part
    SUM_KNOWN = "sum_known"  # some may say nothing
    LIST = "list"
    JOIN = "join"
    FIRST = "first"


def _listed(given: Any) -> Any:  # noqa: ANN401 - what was sent
    return [given] if isinstance(given, str) else given


class Rule(Value):
    """Where the value of a field comes from, and how it is read."""

    column: Name | None = None
    text: Annotated[tuple[Name, ...], BeforeValidator(_listed)] = Field(
        (), description="a text with columns in braces; of several, the first whose columns are all filled"
    )
    constant: Name | None = None
    split: Annotated[str, StringConstraints(min_length=1, max_length=10)] | None = None
    words: Name | None = None
    date: Name | None = None
    number: Name | None = None
    currency: Name | None = Field(None, description="the numbers whose currency words the column has")
    rows: Together = Together.SAME
    required: bool = False
    only_with: Name | None = Field(None, description="left out where that other field is")

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if (self.column is not None) + bool(self.text) + (self.constant is not None) != 1:
            raise ValueError("needs one of `column`, `text` and `constant`")
        ways = [name for name in ("words", "date", "number", "currency") if getattr(self, name) is not None]
        if ways and self.column is None:
            raise ValueError(f"`{ways[0]}` reads a `column`")
        if len(ways) > 1:
            raise ValueError(f"is read in one way, not as {' and '.join(ways)}")
        if self.rows in (Together.SUM, Together.SUM_KNOWN) and self.number is None:
            raise ValueError("only numbers are added up")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return (self.column,) if self.column else tuple(name for text in self.text for name in columns_in(text))


class Passed(Value):
    """Rows that are left out: those whose column says one of these things."""

    column: Name
    says: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(min_length=1)
    why: Name = "The mapping leaves it out."


class Layout(Value):
    """What of the table's form is not found by itself."""

    delimiter: Literal[",", ";", "\t"] | None = None
    header_row: Annotated[int, Field(ge=1, le=1000)] = 1

    @field_validator("delimiter", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:  # noqa: ANN401 - what was sent
        return dict(zip(("comma", "semicolon", "tab"), DELIMITERS, strict=True)).get(given, given)


def _rule(given: Any) -> Any:  # noqa: ANN401 - what was sent
    return {"column": given} if isinstance(given, str) else given


class Mapping(Value):
    """How the rows of one kind of table become statements."""

    version: Annotated[int, Field(ge=1, le=1)]
    title: Name | None = None
    table: Layout = Layout()
    constants: dict[Name, Name] = Field({}, max_length=200)
    fields: dict[Name, Annotated[Rule, BeforeValidator(_rule)]] = Field(min_length=1, max_length=200)
    words: dict[Name, Words] = Field({})
    dates: dict[Name, Dates] = Field({})
    numbers: dict[Name, Numbers] = Field({})
    group_by: Annotated[tuple[Name, ...], BeforeValidator(_listed)] = ()
    leave_out: tuple[Passed, ...] = ()
    unused: tuple[Name, ...] = Field((), description="columns that are passed over, named so that none is forgotten")

    @property
    def columns(self) -> frozenset[str]:
        """Every column that it names."""
        read = (name for rule in self.fields.values() for name in rule.columns)
        return frozenset([*read, *self.group_by, *(one.column for one in self.leave_out), *self.unused])


def columns_in(text: str) -> list[str]:
    """The columns that stand in braces in a text."""
    return _PLACEHOLDER.findall(text)


def fill_in(text: str, cells: dict[str, str]) -> str | None:
    """The text with the cells of its columns; None where one of them is empty."""
    if any(name not in cells for name in columns_in(text)):
        return None
    return _PLACEHOLDER.sub(lambda match: cells[match[1]], text)


def fold(word: str) -> str:
    """A word by which others that differ in capitals and spaces are found."""
    return " ".join(word.split()).casefold()


def parse_mapping(text: bytes) -> Mapping:
    """A mapping file's text; raises `Invalid` with a pointer for each fault."""
    said = _load(text)
    if not isinstance(said, dict):
        raise _wrong(Fault("/mapping", "no_mapping", "This is no mapping: YAML with `version: 1` and `fields`."))
    try:
        mapping = Mapping.model_validate(said)
    except ValidationError as error:
        raise _wrong(*invalid(error, pointer="/mapping").faults) from None
    faults = [*_unknown_fields(mapping), *_unknown_names(mapping), *_missing(mapping)]
    if faults:
        raise _wrong(*faults)
    return mapping


def _wrong(*faults: Fault) -> Invalid:
    return Invalid("The mapping is not valid; no row was read.", *faults)


def _load(text: bytes) -> Any:  # noqa: ANN401 - any YAML
    if len(text) > LARGEST_MAPPING:
        raise _wrong(Fault("/mapping", "too_large", f"A mapping has at most {LARGEST_MAPPING} bytes."))
    try:
        return yaml.load(text.decode("utf-8-sig"), _Loader)  # noqa: S506 - it makes texts, lists and mappings only
    except UnicodeDecodeError:
        raise _wrong(Fault("/mapping", "encoding", "A mapping is UTF-8.")) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f"Line {mark.line + 1}, column {mark.column + 1}: "
        said = getattr(error, "problem", None) or "this cannot be read"
        raise _wrong(Fault("/mapping", "yaml", f"{where}{said}.")) from None


class _Loader(yaml.BaseLoader):
    """YAML whose every scalar is text; bounded in depth, each key once, and without what could make it grow."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node; raises where it is an alias, or too deep."""
        if self.check_event(yaml.AliasEvent):
            raise self._refused("aliases are not read here")
        if self._depth == _DEEPEST:
            raise self._refused("this is nested too deeply")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.MappingNode):
            keys = [key.value if isinstance(key, yaml.ScalarNode) else None for key, _ in node.value]
            if None in keys or len(set(keys)) < len(keys):
                raise self._refused("a key above this is no text, or is there twice")
        return node

    def _refused(self, problem: str) -> yaml.MarkedYAMLError:
        return yaml.MarkedYAMLError(problem=problem, problem_mark=self.get_mark())


def _unknown_fields(mapping: Mapping) -> list[Fault]:
    faults = []
    for section in ("constants", "fields"):
        for name in getattr(mapping, section):
            is_date = name == "occurred" and section == "fields" and mapping.fields[name].date is not None
            if not is_date and not is_known(name):
                detail = "No statement has a field of this name; `occurred` is read with a `date`."
                faults.append(Fault(f"/mapping/{section}/{escape(name)}", "unknown_field", detail))
    for name in mapping.constants.keys() & mapping.fields.keys():
        detail = "This field is a constant already."
        faults.append(Fault(f"/mapping/fields/{escape(name)}", "said_twice", detail))
    kind = mapping.constants.get("kind")
    if kind is not None and not (kind in KINDS and issubclass(KINDS[kind], Statement)):
        faults.append(Fault("/mapping/constants/kind", "unknown_kind", "This is no kind of statement."))
    return faults


def _unknown_names(mapping: Mapping) -> list[Fault]:
    """Names in rules that nothing in the mapping has."""
    faults = []
    lists: dict[str, Container[str]]
    lists = {"words": mapping.words, "date": mapping.dates, "number": mapping.numbers, "currency": mapping.numbers}
    for field, rule in mapping.fields.items():
        for way, known in lists.items():
            name = getattr(rule, way)
            if name is not None and name not in known:
                section = {"date": "dates", "number": "numbers", "currency": "numbers"}.get(way, way)
                detail = f"Nothing in `{section}` has this name."
                faults.append(Fault(f"/mapping/fields/{escape(field)}/{way}", "unknown_name", detail))
        if rule.only_with is not None and (rule.only_with not in mapping.fields or rule.only_with == field):
            detail = "Nothing else in `fields` has this name."
            faults.append(Fault(f"/mapping/fields/{escape(field)}/only_with", "unknown_name", detail))
    return faults


def _missing(mapping: Mapping) -> list[Fault]:
    said = mapping.constants.keys() | mapping.fields.keys()
    faults = [
        Fault("/mapping/fields", "missing", f"Nothing says the `{name}` of a statement.")
        for name in ("kind", "coalition", "subject", "summary")
        if name not in said
    ]
    if not {"occurred", "occurred.edtf"} & said:
        faults.append(Fault("/mapping/fields", "missing", "Nothing says when it `occurred`."))
    if not any(name.startswith("sources.") for name in said):
        faults.append(Fault("/mapping/fields", "missing", "Nothing names a source, such as `sources.0.title`."))
    return faults


def escape(name: str) -> str:
    """A name as part of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")
