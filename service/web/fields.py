"""What an answer can hold, member by member, and which of its members a client wants: `fields=id,quantity.min`.

An outline says of an answer what can stand in it and which of it are tables. From that follow the names that `fields`
may ask for, the columns of every table, and their types, whether or not anything is recorded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, WithJsonSchema

from service.domain.answers import Json
from service.domain.errors import Fault, Invalid

Row = Mapping[str, Any]


class Kind(StrEnum):
    """What one value is: in a table, of which type its column is."""

    TEXT = "text"  # words, lists of words too; and what has no members of its own that could be named
    INTEGER = "integer"
    NUMBER = "number"  # an integer, or a decimal string
    AMOUNT = "amount"  # a decimal string
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class Each:
    """A list of objects, each with these members."""

    of: "Members"


Shape: TypeAlias = "Kind | Each | Members"
Members: TypeAlias = Mapping[str, "Shape"]


# --- shapes of models -------------------------------------------------------------------------------------------------

_PLAIN: Mapping[Any, Kind] = {bool: Kind.BOOLEAN, int: Kind.INTEGER, date: Kind.DATE}
_FORMATS = {"date": Kind.DATE, "date-time": Kind.INSTANT}
_AMOUNTS = frozenset({"min_amount", "max_amount"})


@cache  # one model is a part of many, and asking a type what it is takes time
def members_of(model: type[BaseModel], within: frozenset[Any] = frozenset()) -> dict[str, Shape]:
    """The members of a model as JSON has them; what a model holds of itself is not taken apart again."""
    return {
        field.alias or name: Kind.AMOUNT
        if name in _AMOUNTS
        else _shape_of(field.annotation, field.metadata, within | {model})
        for name, field in model.model_fields.items()
    }


def _shape_of(annotation: Any, metadata: Iterable[Any], within: frozenset[Any]) -> Shape:  # noqa: ANN401 - a type
    kind = next(
        (
            _FORMATS.get((one.json_schema or {}).get("format", ""))
            for one in metadata
            if isinstance(one, WithJsonSchema)
        ),
        None,
    )
    if kind is not None:
        return kind
    if get_origin(annotation) is Annotated:
        return _shape_of(get_args(annotation)[0], annotation.__metadata__, within)
    if get_origin(annotation) in (Union, UnionType):
        return _of_union([one for one in get_args(annotation) if one is not NoneType], within)
    if get_origin(annotation) in (tuple, list):
        each = _shape_of(get_args(annotation)[0], (), within)
        return Each(each) if isinstance(each, Mapping) else Kind.TEXT
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Kind.TEXT if annotation in within else members_of(annotation, within)
    return _PLAIN.get(annotation, Kind.TEXT) if isinstance(annotation, type) else Kind.TEXT


def _of_union(types: Sequence[Any], within: frozenset[Any]) -> Shape:
    if len(types) > 1 and set(types) == {int, str}:
        return Kind.NUMBER
    shapes = [_shape_of(one, (), within) for one in types]
    if all(isinstance(shape, Mapping) for shape in shapes):
        return merged(*shapes)  # type: ignore[arg-type]  # as was asked
    return shapes[0] if len(shapes) == 1 else Kind.TEXT


def merged(*all_of_them: Members) -> dict[str, Shape]:
    """The members of whatever has one of several shapes."""
    both: dict[str, Shape] = {}
    for members in all_of_them:
        for name, shape in members.items():
            both[name] = _either(both[name], shape) if name in both else shape
    return both


def _either(one: Shape, other: Shape) -> Shape:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return merged(one, other)
    if isinstance(one, Each) or isinstance(other, Each):
        return Each(merged(*(shape.of for shape in (one, other) if isinstance(shape, Each))))
    assert isinstance(one, Kind), "a member is an object in one shape and none in another"
    assert isinstance(other, Kind), "a member is an object in one shape and none in another"
    return one if one is other else Kind.TEXT


# --- outlines ---------------------------------------------------------------------------------------------------------


def listed(found: Any) -> list[Row]:  # noqa: ANN401 - a part of an answer
    """What stands at one place of an answer, as rows."""
    return found if isinstance(found, list) else [] if found is None else [found]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of an answer: where in it they stand, what each can hold. Where that is several places, a row says which."""

    at: tuple[str, ...]
    members: Members
    rows: Callable[[Any], list[Row]] = listed


@dataclass(frozen=True, slots=True)
class Outline:
    """An answer: what it can hold, and its tables by name; the first is what it is about.

    ``each`` is where what it lists stands, whose members `fields` then means: all else stays.
    """

    members: Members
    tables: Mapping[str, Table]
    each: tuple[str, ...] = ()

    def names(self, fields: str) -> tuple[str, ...]:
        """Every member that is wanted, by its dotted name from the top; raises `Invalid` for one there is not."""
        if not self.each:
            return (*_parse(fields, self.members), *(name for name in _KEPT if name in self.members))
        wanted = _parse(fields, _find(self.members, self.each[0]))
        heads = {path.partition(".")[0] for path in self.each}
        kept = [name for name in self.members if name not in heads]
        beside = [
            f"{head}.{name}"
            for head, _, below in (path.partition(".") for path in self.each)
            for name in (_find(self.members, head) if below else ())
            if name != below
        ]
        return (*kept, *beside, *(f"{path}.{name}" for path in self.each for name in wanted))

    def sheets(self, content: Json, names: Sequence[str] | None) -> list["Sheet"]:
        """The tables of an answer; with names, those that have any of them, and nothing else."""
        found = []
        for title, table in self.tables.items():
            wanted = None if names is None else list(dict.fromkeys(_within(table, names)))
            if wanted is None or wanted:
                rows, columns = _rows(table, content), list(columns_of(table.members, wanted))
                if len(table.at) > 1:
                    columns.insert(0, Column("listed_as", ("listed_as",), Kind.TEXT))
                found.append(Sheet(title, columns, rows))
        return found


_KEPT = ("id", "next", "total", "basis", "from", "to")
"""What says of a document which it is, where it goes on, and on what it rests."""


def _parse(fields: str, members: Members) -> list[str]:
    names = [name.strip() for name in fields.split(",")]
    for name in names:
        _find(members, name)
    return list(dict.fromkeys(names))


def _find(members: Members, name: str) -> Any:  # noqa: ANN401 - a shape, or members where that is known
    """What stands under a dotted name; raises `Invalid`, with the names that there are."""
    here: Shape = members
    done: list[str] = []
    for part in name.split("."):
        below = here.of if isinstance(here, Each) else here
        if not isinstance(below, Mapping):
            raise _unknown(f"`{'.'.join(done)}` has no members that can be named.")
        if part not in below:
            known = ", ".join(".".join([*done, one]) for one in below)
            raise _unknown(f"There is no such member; there are {known}.")
        here = below[part]
        done.append(part)
    return here.of if isinstance(here, Each) else here


def _unknown(detail: str) -> Invalid:
    return Invalid("A parameter is not valid; see `errors`.", Fault("/query/fields", "unknown_member", detail))


def _within(table: Table, names: Iterable[str]) -> Iterator[str]:
    """Those of some names that are columns of a table, as seen from its rows."""
    for name in names:
        for at in table.at:
            if not at:
                yield from (name,) if name.partition(".")[0] in table.members else ()
            elif at == name or at.startswith(f"{name}."):
                yield from table.members
            elif name.startswith(f"{at}."):
                yield name.removeprefix(f"{at}.")


def _rows(table: Table, content: Json) -> list[Row]:
    if len(table.at) == 1:
        return table.rows(cell(content, _path(table.at[0])))
    return [
        {"listed_as": at.rpartition(".")[2], **row}
        for at in table.at
        for row in table.rows(cell(content, _path(at)))
    ]  # fmt: skip


def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split(".")) if name else ()


def narrowed(content: Json, names: Iterable[str]) -> Json:
    """What of an answer has one of the names."""
    wanted: Json = {}
    for name in names:
        below = wanted
        for part in name.split("."):
            below = below.setdefault(part, {})
        below[_WHOLE] = {}
    found: Json = _chosen(content, wanted)
    return found


_WHOLE = ""  # stands beside the members that are named where all of them are


def _chosen(value: Any, wanted: Json) -> Any:  # noqa: ANN401 - any JSON
    if _WHOLE in wanted or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [_chosen(one, wanted) for one in value]
    return {name: _chosen(value[name], below) for name, below in wanted.items() if name in value}


# --- columns ----------------------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """One column: its title, where in a row its cells stand, and what they are."""

    title: str
    path: tuple[str, ...]
    kind: Kind


class Sheet(NamedTuple):
    """A table, ready to be written."""

    title: str
    columns: list[Column]
    rows: list[Row]


def columns_of(members: Members, names: Iterable[str] | None = None) -> Iterator[Column]:
    """The columns of some members, or of all; an object has one for each of its own."""
    for name in members if names is None else names:
        here: Any = members  # each name was looked up before
        many = False
        for part in name.split("."):
            many = many or isinstance(here, Each)
            here = (here.of if isinstance(here, Each) else here)[part]
        yield from _columns(name, here, many=many)


def _columns(title: str, shape: Shape, *, many: bool) -> Iterator[Column]:
    if isinstance(shape, Mapping):
        for name, below in shape.items():
            yield from _columns(f"{title}.{name}", below, many=many)
    else:
        yield Column(title, _path(title), Kind.TEXT if many or isinstance(shape, Each) else shape)


def cell(value: Any, path: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON
    """What stands under a path; below a list, what does in each of its entries; None where nothing does."""
    for number, name in enumerate(path):
        if isinstance(value, list):
            every = (cell(one, path[number:]) for one in value)
            return [one for one in every if one is not None]
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
