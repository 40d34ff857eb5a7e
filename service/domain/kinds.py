"""Every kind of event, by its permanent name.

A kind is added by naming its class in a family's `KINDS`; everything else (the API's union, the OpenAPI document, the
codec) follows from the class. A name that is used twice is refused when this module is imported.
"""

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from service.domain import ceasefire, coalition, meeting, membership, pledge, position, record, warning
from service.domain.errors import Coded, Fault, Invalid, Misplaced, code_of
from service.domain.statement import Event, Statement
from service.domain.subject import Family
from service.domain.wording import Context, worded

_ROOMS = (pledge, position, warning, meeting, ceasefire, coalition, membership, record)


def _by_name(kinds: tuple[type[Event], ...]) -> dict[str, type[Event]]:
    named: dict[str, type[Event]] = {}
    for kind in kinds:
        (name,) = kind.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]  # always a Literal
        if name in named:
            raise RuntimeError(f"the kind {name!r} is already taken by {named[name].__name__}: names are permanent")
        if name.split(".")[0] != kind.family:
            raise RuntimeError(f"the kind {name!r} does not begin with its family {kind.family!r}")
        named[name] = kind
    return named


KINDS: dict[str, type[Event]] = _by_name(tuple(kind for room in _ROOMS for kind in room.KINDS))
STATEMENTS = tuple(kind for kind in KINDS.values() if issubclass(kind, Statement))
FAMILIES: dict[str, Family[Any]] = {room.FAMILY.name: room.FAMILY for room in _ROOMS if hasattr(room, "FAMILY")}

# The union follows from the classes, so its members are known only when this module runs, not to a type checker.
if TYPE_CHECKING:
    AnyStatement = Statement
    Statements = list[Statement]
else:
    AnyStatement = Annotated[reduce(or_, STATEMENTS), Field(discriminator="kind")]
    Statements = Annotated[list[AnyStatement], Field(min_length=1, max_length=1000)]
_ADAPTERS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, kind in KINDS.items()}
ANY_STATEMENT: TypeAdapter[Any] = TypeAdapter(AnyStatement)
STATEMENT_LIST: TypeAdapter[Any] = TypeAdapter(Statements)


NAMES: dict[str, JsonValue] = {"enum": [*FAMILIES, "record", *KINDS]}
"""Of a text that names a kind or a family of kinds, as its schema has it."""


_UNKNOWN = "unknown_kind"


def parse_kind(text: str) -> str:
    """A kind, or a family of kinds, that there is; raises ValueError for another."""
    if any(text in (name, name.split(".")[0]) for name in KINDS):
        return text
    known = ", ".join(name for name in KINDS if not name.startswith("record."))
    raise Coded(f"This kind is unknown; there are {known}.", code=_UNKNOWN)


def parse_statement(content: Any) -> Statement:  # noqa: ANN401 - any JSON
    """JSON values → a statement; raises `Invalid` with a pointer for each fault."""
    try:
        statement: Statement = ANY_STATEMENT.validate_python(content)
    except ValidationError as error:
        raise invalid(error) from None
    return statement


def parse_event(content: dict[str, Any], *, pointer: str = "") -> Event:
    """JSON values → the event of their kind; raises `Invalid` with a pointer for each fault."""
    adapter = _ADAPTERS.get(content.get("kind", ""))
    if adapter is None:
        raise Invalid("The kind is unknown.", Fault(f"{pointer}/kind", _UNKNOWN, "This kind is unknown."))
    try:
        event: Event = adapter.validate_python(content)
    except ValidationError as error:
        raise invalid(error, pointer=pointer) from None
    return event


def read_event(content: bytes | str, kind: str) -> Event:
    """An event as the log holds it; what the log holds is valid by construction."""
    event: Event = _ADAPTERS[kind].validate_json(content)
    return event


_HIDDEN = frozenset(KINDS) | {"function-after", "function-before", "function-wrap", "tagged-union"}


_MOST_LISTED = 10_000
_LONGEST_NAME = 200  # characters: what was sent is not repeated at length


def invalid(error: ValidationError, *, pointer: str = "") -> Invalid:
    """Pydantic's findings as faults, without what was sent; the first of them, or of very many their number alone."""
    if error.error_count() > _MOST_LISTED:  # to list them takes longer than to find them
        detail = f"Something is wrong at {error.error_count():,} places; send less at first, to see what it is."
        return Invalid(detail, Fault(pointer, "too_many_faults", detail))
    found = error.errors(include_url=False, include_input=False)[:50]
    faults = tuple(_fault(pointer + _path(one["loc"]), one["type"], one["msg"], one.get("ctx", {})) for one in found)
    return Invalid("The request is not valid; see `errors` for where and why.", *_without_consequences(faults))


def _fault(pointer: str, kind: str, message: str, context: Context) -> Fault:
    code = kind
    if code.startswith("union_tag"):
        return _unknown_kind(pointer)
    cause = context.get("error")
    if isinstance(cause, Misplaced):
        pointer = f"{pointer}/{cause.field}"
    if isinstance(cause, ValueError):  # of a rule of ours
        code = code_of(cause)
    return Fault(pointer, code, worded(kind, message, context))


def _without_consequences(faults: tuple[Fault, ...]) -> Iterator[Fault]:
    """A list whose items are at fault counts as too short for that: only the items are to be told."""
    for fault in faults:
        within = fault.pointer + "/"
        if fault.code != "too_short" or not any(one.pointer.startswith(within) for one in faults):
            yield fault


def _unknown_kind(pointer: str) -> Fault:
    known = ", ".join(name for name, kind in KINDS.items() if kind in STATEMENTS)
    return Fault(f"{pointer}/kind", _UNKNOWN, f"Name a kind of statement: {known}.")


def _path(loc: tuple[str | int, ...]) -> str:
    """Pydantic's path as a JSON Pointer; it ends before a name that is longer than any of a field."""
    pointer = ""
    for part in loc:
        if isinstance(part, str) and len(part) > _LONGEST_NAME:
            break
        if not _hidden(part):
            pointer += f"/{_escape(str(part))}"
    return pointer


def _hidden(part: str | int) -> bool:
    """Whether a part of pydantic's path names a schema, not a member of the document."""
    return isinstance(part, str) and (part in _HIDDEN or part.startswith(("function-", "tagged-union")))


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
