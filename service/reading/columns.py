"""A table whose columns are the names of a statement's fields, as our own tables have them: `body.quantity.min`.

The names follow from the kinds: a field of an object stands behind a dot, one of a list of objects behind its number
(`sources.0.title`). A list of words is one cell, parted by semicolons; a list of objects may be one cell of JSON.
"""

from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple, Union, get_args, get_origin

import orjson
from pydantic import BaseModel

from service.domain.answers import Json
from service.domain.errors import Fault
from service.domain.kinds import KINDS, STATEMENTS
from service.domain.quantities import Money
from service.domain.record import is_event_id
from service.domain.statement import Event
from service.reading.cells import guarded, joined, parted, unguarded
from service.reading.row import Row, Unreadable
from service.reading.table import Record, Table

_LONGEST_LIST = 100
_IMPORTED = {name: kind for name, kind in KINDS.items() if kind in STATEMENTS or name == "coalition.registered"}
_OURS = frozenset(
    {"event_id", "position", "recorded_at", "recorded_by", "schema_version", "corrected", "disputed", "licence"}
)
_BASIS = "basis."
_UNKNOWN = "No statement has a field of this name. Name it like a field (such as body.firmness), or send a mapping."


class Shape(Enum):
    """How a field stands in cells."""

    TEXT = "one cell"
    WHOLE = "one cell with a whole number"
    TRUTH = "one cell with true or false"
    WORDS = "one cell, parted"
    OBJECT = "a cell for each of its fields"
    OBJECTS = "one cell of JSON, or a cell for each field of each"


_PLAIN = {int: Shape.WHOLE, bool: Shape.TRUTH}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LONGEST_WHOLE = 9  # no count and no code is longer


class Field(NamedTuple):
    """A field of a statement, and where it is an object the fields below it."""

    shape: Shape
    below: dict[str, "Field"]


@lru_cache(maxsize=256)
def fields_of(model: type[BaseModel]) -> dict[str, Field]:
    """The fields of a model by the names that they have in JSON."""
    found = {name: _field(one.annotation) for name, one in model.model_fields.items()}
    if model is Money:
        found["amount"] = Field(Shape.TEXT, {})  # short for both ends being the same
    return found


def _field(annotation: Any) -> Field:  # noqa: ANN401 - any annotation
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _field(inner[0])
    if origin in (Union, UnionType):
        return _field(next(one for one in inner if one is not NoneType))
    if origin is tuple:
        below = _field(inner[0]).below
        return Field(Shape.OBJECTS if below else Shape.WORDS, below)
    if annotation in _PLAIN:
        return Field(_PLAIN[annotation], {})
    if origin is Literal:
        return Field(Shape.WHOLE if isinstance(inner[0], int) else Shape.TEXT, {})
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Field(Shape.OBJECT, fields_of(annotation))
    return Field(Shape.TEXT, {})


class Place(NamedTuple):
    """Where in the content of a statement a column belongs, and how its cells are read."""

    path: tuple[str | int, ...]
    shape: Shape


@lru_cache(maxsize=4096)
def find_place(kind: type[Event], column: str) -> Place | None:
    """The place of a column in statements of a kind; None where they have none of that name."""
    path: list[str | int] = []
    field = Field(Shape.OBJECT, fields_of(kind))
    for part in column.split("."):
        if field.shape is Shape.OBJECTS and path and isinstance(path[-1], str):
            if not (part.isascii() and part.isdigit()) or str(int(part)) != part or int(part) >= _LONGEST_LIST:
                return None
            path.append(int(part))
            continue
        if not field.below or part not in field.below:
            return None
        path.append(part)
        field = field.below[part]
    whole = field.shape is not Shape.OBJECT and isinstance(path[-1], str)
    return Place(tuple(path), field.shape) if whole else None


def is_known(column: str) -> bool:
    """Whether statements of any kind have a field of that name."""
    return any(find_place(kind, column) for kind in _IMPORTED.values())


def is_ours(column: str) -> bool:
    """Whether it is a column that our tables have beside what was stated: what the registry knows of the statement."""
    return column in _OURS or column.startswith(_BASIS)


class Statements:
    """The rows of a table whose columns are named like the fields of statements."""

    def __init__(self, file: BinaryIO) -> None:
        self._table = Table(file)
        faults = [
            Fault("", "unknown_column", _UNKNOWN, row=1, column=name)
            for name in self._table.columns
            if not is_known(name) and not is_ours(name)
        ]
        if faults:
            detail = "The table has columns that no statement has; nothing of it is recorded."
            raise Unreadable(detail, *faults)

    def column_of(self, pointer: str) -> str | None:
        """The column that a pointer leads to, or into."""
        return find_column(pointer, self._table.columns)

    def __iter__(self) -> Iterator[Row]:
        """Each record as the content of a statement."""
        for record in self._table:
            yield self._read(record)

    def _read(self, record: Record) -> Row:
        if record.faults:
            return Row(record.number, record.number, faults=record.faults)
        given = {
            name: unguarded(cell) for name, cell in zip(self._table.columns, record.cells, strict=True) if cell != ""
        }
        stated = {name: cell for name, cell in given.items() if not is_ours(name)}
        row, event_id = fill(stated, record.number), given.get("event_id")
        if event_id is not None and not is_event_id(event_id):
            fault = Fault("", "event_id", "This is no event's id.", record.number, "event_id")
            return row._replace(faults=(*row.faults, fault))
        return row._replace(event_id=event_id, size=record.size)


def fill(given: dict[str, str], row: int) -> Row:
    """The content that cells make, by the names of their columns."""
    kind = _IMPORTED.get(given.get("kind", ""))
    if kind is None:
        return Row(row, row, {"kind": given.get("kind", "")})  # of which the domain says what is wrong
    content: Json = {}
    faults: list[Fault] = []
    for column in sorted(given, key=_in_order):
        place = None if _is_within(column, given) else find_place(kind, column)
        pointer = "/" + column.replace(".", "/")
        if place is None:
            detail = f"A {given['kind']} has no such field, or another cell says it already; leave this cell empty."
            faults.append(Fault(pointer, "extra_forbidden", detail, row=row, column=column))
            continue
        try:
            put(content, place.path, _parse(given[column], place.shape))
        except ValueError as error:
            faults.append(Fault(pointer, "cell", f"This cell {error}.", row=row, column=column))
    body = kind.model_fields.get("body")
    if body is not None and body.is_required():  # one that says nothing has no cell of its own
        content.setdefault("body", {})
    return Row(row, row, content, tuple(faults))


def cells_of(content: Json) -> dict[str, str]:
    """The cells that make a content, by the names of their columns: the way back of `fill`."""
    return {".".join(map(str, path)): cell for path, value in _leaves(content, ()) if (cell := _cell(value))}


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:  # noqa: ANN401 - any JSON
    """Each value that has a cell of its own, with its path: a list of words has one, each object of a list several."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, (*path, name))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for number, part in enumerate(value):
            yield from _leaves(part, (*path, number))
    else:
        yield path, value


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return joined(value)
    return guarded(value if isinstance(value, str) else orjson.dumps(value).decode())


def _is_within(column: str, given: dict[str, str]) -> bool:
    """Whether the whole list to which a column belongs is given in a cell of its own."""
    return any(column.startswith(f"{other}.") for other in given)


def _in_order(column: str) -> list[tuple[int, str]]:
    """Sorts the parts of a list by number, so that the second is put behind the first."""
    return [(int(part), "") if part.isdecimal() and part.isascii() else (-1, part) for part in column.split(".")]


def _parse(cell: str, shape: Shape) -> Any:  # noqa: ANN401 - any JSON
    if shape not in (Shape.WORDS, Shape.OBJECTS):
        return plain(cell, shape)
    try:
        if shape is Shape.WORDS:
            return parted(cell)
        listed = orjson.loads(cell)
    except orjson.JSONDecodeError:
        raise ValueError("is not valid JSON") from None
    if not isinstance(listed, list):
        raise ValueError("is no list of objects")  # noqa: TRY004 - a fault of the cell
    return listed


def plain(cell: str, shape: Shape) -> Any:  # noqa: ANN401 - a text, a number or a truth
    """A cell as the JSON that its field takes; what cannot be read so stays a text, which the field then refuses."""
    if shape is Shape.WHOLE and cell.isascii() and cell.isdigit() and len(cell) <= _LONGEST_WHOLE:
        return int(cell)
    return _TRUTHS.get(cell.strip().lower(), cell) if shape is Shape.TRUTH else cell


def put(content: Json, path: tuple[str | int, ...], value: Any) -> None:  # noqa: ANN401 - any JSON
    """Puts a value into its place; raises ValueError where the place is taken, or one of a list before it is empty."""
    at: Any = content
    for part, following in zip(path, (*path[1:], None), strict=True):
        fresh: Any = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(part, int):
            if part > len(at):
                raise ValueError(f"is number {part} of a list that has no number {part - 1}")
            if part == len(at):
                at.append(fresh)
        elif part not in at:
            at[part] = fresh
        elif following is None:
            raise ValueError("says what another column says already")
        at = at[part]
        if following is not None and not isinstance(at, list if isinstance(following, int) else dict):
            raise ValueError("says what another column says already")


def find_column(pointer: str, columns: list[str]) -> str | None:
    """The column that a pointer leads to, into, or to a part of which it leads."""
    name = pointer.removeprefix("/").replace("/", ".")
    within = [column for column in columns if name == column or name.startswith(f"{column}.")]
    return max(within, key=len, default=None)
