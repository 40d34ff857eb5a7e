"""In which format an answer is sent: by suffix of the address, or by `Accept`."""

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from service.domain.errors import RegistryError, Unknown
from service.web.tables import Writer, write_csv, write_jsonl, write_parquet, write_xlsx


class NotAcceptable(RegistryError):
    """The client takes no format that there is."""


class Format(NamedTuple):
    """A format: its media type, how a table is written in it, and the package that this needs."""

    media_type: str
    write: Writer | None = None
    package: str = ""


_JSON, ATOM, CLOUDEVENTS = "json", "atom", "cloudevents"
FORMATS: Mapping[str, Format] = {
    _JSON: Format("application/json"),
    "csv": Format("text/csv; charset=utf-8", write_csv),
    "jsonl": Format("application/jsonl", write_jsonl),
    "xlsx": Format("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
    "parquet": Format("application/vnd.apache.parquet", write_parquet, "pyarrow"),
    ATOM: Format("application/atom+xml"),
    CLOUDEVENTS: Format("application/cloudevents-batch+json"),
}
"""Every format by its suffix, those first that are wanted before others. JSON and what is written as a table are
everywhere; the others are where they are named (`wanted_format`)."""
TABLES = tuple(name for name, one in FORMATS.items() if one.write)
_ALIASES = {"application/x-ndjson": "jsonl"}


class Suffixes:
    """Takes the suffix of an address for the format that is wanted: `….csv` is the table of `…`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the application answer what stands before the suffix."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            path, _, suffix = scope["path"].rpartition(".")
            if path and suffix in FORMATS:
                scope["path"], scope["suffix"] = path, suffix
        await self._app(scope, receive, send)


def wanted_format(scope: MutableMapping[str, Any], *also: str) -> str:
    """The format to answer in: `json` where none is named; ``also`` are those that this answer has besides.

    It is found out once for a request. Raises `NotAcceptable` where nothing that there is will do.
    """
    found: str | None = scope.get("format")
    if found is None:
        scope["format"] = found = _find(scope, also)
    return found


def _find(scope: MutableMapping[str, Any], also: tuple[str, ...]) -> str:
    suffix: str | None = scope.get("suffix")
    if suffix is not None:
        offered = (_JSON, *TABLES, *also)
        if suffix not in offered:
            known = ", ".join(f".{one}" for one in offered)
            raise NotAcceptable(f"This address is not served in the format of this suffix; there are {known}.")
        if not _is_installed(suffix):
            raise NotAcceptable(_NOT_INSTALLED)
        return suffix
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
    return _JSON if accept in _ANY else _negotiated(accept.decode("latin-1"), also)


_ANY = (b"", b"*/*", b"application/json")
_NOT_INSTALLED = (
    "Parquet is not installed here. Whoever runs the service has to install its extra, pledge-registry[parquet]; "
    "CSV, XLSX and JSON Lines are always there."
)


def no_such_format() -> Unknown:
    """What is said of an address with a suffix that comes in one format alone."""
    return Unknown("This address is not served in that format; leave the suffix out.")


@lru_cache(maxsize=8)
def _is_installed(name: str) -> bool:
    package = FORMATS[name].package
    return not package or find_spec(package) is not None


@lru_cache(maxsize=256)
def _negotiated(accept: str, also: tuple[str, ...]) -> str:
    offered = {FORMATS[name].media_type.partition(";")[0]: name for name in (_JSON, *TABLES, *also)} | _ALIASES
    wanted = [offered[one] for one in by_preference(accept, offered)]
    found = next(filter(_is_installed, wanted), None)
    if found is None:
        raise NotAcceptable(_NOT_INSTALLED if wanted else f"Accept names none of {', '.join(offered)}.")
    return found


class _Range(NamedTuple):
    """One part of an `Accept` header."""

    kind: str
    weight: float
    number: int

    @property
    def precision(self) -> int:
        return 0 if self.kind == "*/*" else 1 if self.kind.endswith("/*") else 2

    def takes(self, media_type: str) -> bool:
        return self.kind in ("*/*", media_type, f"{media_type.partition('/')[0]}/*")


def by_preference(accept: str, offered: Iterable[str]) -> list[str]:
    """Those of the media types offered that an `Accept` header takes, most wanted first (RFC 9110 §12.5.1).

    Of each, the most precise part of the header decides. Among what is wanted alike, what was named goes before what
    is merely taken too, then what was named first, then what is offered first.
    """
    ranges = list(_ranges(accept))
    found = []
    for media_type in offered:
        taken = [one for one in ranges if one.takes(media_type)]
        by = max(taken, key=lambda one: (one.precision, one.weight), default=None)
        if by is not None and by.weight > 0:
            found.append((-by.weight, -by.precision, by.number, media_type))
    return [media_type for *_, media_type in sorted(found, key=lambda one: one[:3])]


def _ranges(accept: str) -> Iterator[_Range]:
    for number, part in enumerate(accept.split(",")):
        kind, *parameters = (one.strip().lower() for one in part.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        if _WEIGHT.fullmatch(weight):
            yield _Range("*/*" if kind == "*" else kind, float(weight), number)


_WEIGHT = re.compile(r"[01](\.[0-9]*)?|\.[0-9]+")


def address_of(scope: MutableMapping[str, Any]) -> str:
    """The path of a request as it was sent, with the suffix of a table that was asked for by `Accept`."""
    path: str = scope["raw_path"].decode("ascii")
    kind = wanted_format(scope)
    return f"{path}.{kind}" if kind in TABLES and "suffix" not in scope else path
