"""A page's past by header (RFC 7089): which moment is asked for, and how an answer leads to the others.

The page without a point is the original and its own TimeGate; an address that names both axes is a memento. A TimeGate
answers with 302 to a memento, and not with the memento itself: that has an address already, and repeats for ever.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

import orjson
from fastapi import Request
from starlette.responses import Response

from service.domain.answers import Json
from service.domain.dates import TICK, render_instant
from service.domain.errors import Fault, Invalid, Unknown
from service.segments.mementos import Chosen, Memento
from service.web.asking import POINT, Asked
from service.web.formats import NotAcceptable, by_preference
from service.web.sending import JSON, REVALIDATE, is_pinned, lead, send_bytes

LINK_FORMAT, LINKSET = "application/link-format", "application/linkset+json"
TIMEMAP = "/timemap"
_VARY = {"Vary": "Accept, Accept-Datetime"}
_ASIDE = POINT | {"after", "limit"}
_SECOND = timedelta(seconds=1)


class BadAcceptDatetime(Invalid):
    """The header `Accept-Datetime` is malformed, or contradicts the address."""


def find_accepted(request: Request, asked: Asked) -> datetime | None:
    """The instant by which a page is asked for: the end of the second that `Accept-Datetime` names.

    None where it is not sent. Nor does it count for a memento: whoever was led there sends it again. Raises
    `BadAcceptDatetime` where it is malformed, or the address already says as known when.
    """
    given = request.headers.getlist("accept-datetime")
    if not given or is_pinned(request):
        return None
    if asked.known_at is not None or asked.known_position is not None:
        raise _bad("ambiguous", "Give one of Accept-Datetime, known_at and known_position.")
    instant = parse_http_date(given[0]) if len(given) == 1 else None
    if instant is None:
        raise _bad("bad_date", "Send one date as HTTP writes it, such as Thu, 10 Jul 2025 14:30:00 GMT.")
    return instant + _SECOND - TICK


def _bad(code: str, detail: str) -> BadAcceptDatetime:
    return BadAcceptDatetime(detail, Fault("/header/accept-datetime", code, detail))


def parse_http_date(text: str) -> datetime | None:
    """A date as HTTP writes it (RFC 9110 §5.6.7, the preferred form); None for anything else."""
    try:
        instant = parsedate_to_datetime(text).replace(tzinfo=UTC)
        return instant if render_http_date(instant) == text else None
    except ValueError:
        return None


def render_http_date(instant: datetime) -> str:
    """An instant as HTTP writes it: to the second."""
    return format_datetime(instant, usegmt=True)


def past_of(request: Request, known_at: datetime) -> dict[str, str]:
    """The headers that lead from an answer to its page's past; a memento says since when that has been known.

    A memento is kept for ever, so that it leads to nothing that may change: not to the next one, nor to the last.
    """
    links = {"Link": ", ".join(_own(request))}
    if is_pinned(request):
        return {**links, "Memento-Datetime": render_http_date(known_at)}
    return {**links, **_VARY}


def lead_to(request: Request, chosen: Chosen, as_of: datetime | None, now: datetime) -> Response:
    """The TimeGate's answer: the way to a memento, and to those around it.

    Each is as of the moment that the question names; where it names none, the one that is led to is as of ``now``, the
    instant asked for, and the others as of when they came to be.
    """
    to = {}
    for one in chosen:
        if one is not None:
            own = max(now, one.recorded_at) if one == chosen.memento else one.recorded_at
            to[one] = _pinned(request, one, as_of or own)
    links = [
        f'<{address}>; rel="{_relation(chosen, one)}"; datetime="{render_http_date(one.recorded_at)}"'
        for one, address in to.items()
    ]
    headers = {"Link": ", ".join([*_own(request), *links]), **_VARY, "Cache-Control": REVALIDATE}
    detail = "The page as it was known then has an address of its own."
    return lead(to[chosen.memento], HTTPStatus.FOUND, detail, headers=headers)


def _relation(chosen: Chosen, one: Memento) -> str:
    around = [name for name in ("first", "prev", "next", "last") if getattr(chosen, name) == one]
    return " ".join([*around, "memento"])


def _own(request: Request) -> list[str]:
    """The links of every answer of a page: to itself without a point, and to the list of its mementos."""
    original = f"{_path(request)}{_query(request)}"
    timemap = f"{_path(request)}{TIMEMAP}{_query(request)}"
    return [f'<{original}>; rel="original timegate"', f'<{timemap}>; rel="timemap"; type="{LINK_FORMAT}"']


def _path(request: Request) -> str:
    """The path of a page, of whatever format and part: a suffix is no page of its own."""
    path: str = request.scope["raw_path"].decode("ascii")
    if "suffix" in request.scope:
        path = path.rpartition(".")[0]
    return path.removesuffix(TIMEMAP)


def _query(request: Request, **more: str | int) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in _ASIDE]
    asked = urlencode([*more.items(), *kept])
    return f"?{asked}" if asked else ""


def _pinned(request: Request, one: Memento, as_of: datetime) -> str:
    suffix = f".{request.scope['suffix']}" if "suffix" in request.scope else ""
    point = _query(request, as_of=render_instant(as_of), known_position=one.position)
    return f"{_path(request)}{suffix}{point}"


# --- the list of mementos ---------------------------------------------------------------------------------------------


class TimeMap(NamedTuple):
    """The mementos of a page, or a part of them: whether that begins and whether it ends them."""

    mementos: Sequence[Memento]
    begins: bool
    ends: bool


class _Link(NamedTuple):
    relation: str
    address: str
    attributes: dict[str, str]


def wanted_timemap(request: Request) -> str:
    """The type in which a list of mementos is wanted; raises `Unknown` or `NotAcceptable` for what it does not have."""
    suffix = request.scope.get("suffix")
    if suffix not in (None, "json"):
        raise Unknown("A list of mementos is served as application/link-format and application/linkset+json alone.")
    if suffix:
        return LINKSET
    accept = request.headers.get("accept") or "*/*"
    wanted = by_preference(accept, (LINK_FORMAT, LINKSET, JSON))
    if not wanted:
        raise NotAcceptable(f"Accept names neither {LINK_FORMAT} nor {LINKSET}.")
    return LINK_FORMAT if wanted[0] == LINK_FORMAT else LINKSET


def send_timemap(request: Request, found: TimeMap, kind: str) -> Response:
    """A TimeMap (RFC 7089 §5) as links (RFC 6690), or as a set of links (RFC 9264); a long one leads to its rest."""
    links = list(_links(request, found, kind))
    body = _linkset(links) if kind == LINKSET else _link_format(links)
    return send_bytes(request, body, kind, headers={"Vary": "Accept"})


def _links(request: Request, found: TimeMap, kind: str) -> Iterator[_Link]:
    first, last = found.mementos[0], found.mementos[-1]
    path, here = _path(request), request.scope["raw_path"].decode("ascii")
    yield _Link("original timegate", f"{path}{_query(request)}", {})
    asked = f"?{request.url.query}" if request.url.query else ""
    spans = {"from": render_http_date(first.recorded_at), "until": render_http_date(last.recorded_at)}
    yield _Link("self", f"{here}{asked}", {"type": kind, **spans})
    if not found.ends:
        page = {name: request.query_params[name] for name in ("limit",) if name in request.query_params}
        rest = _query(request, after=last.position, **page)
        yield _Link("timemap", f"{here}{rest}", {"type": kind})
    for one in found.mementos:
        ends = [
            *(["first"] if found.begins and one == first else []),
            *(["last"] if found.ends and one == last else []),
        ]
        address = f"{path}{_query(request, as_of=render_instant(one.recorded_at), known_position=one.position)}"
        yield _Link(" ".join([*ends, "memento"]), address, {"datetime": render_http_date(one.recorded_at)})


def _link_format(links: Sequence[_Link]) -> bytes:
    return ",\n".join(
        "; ".join([f"<{one.address}>", f'rel="{one.relation}"', *(f'{k}="{v}"' for k, v in one.attributes.items())])
        for one in links
    ).encode()


def _linkset(links: Sequence[_Link]) -> bytes:
    """The same by relation; what RFC 8288 does not define is a list (RFC 9264 §4.2.4.3)."""
    original: Json = {"anchor": links[0].address}
    for one in links:
        attributes: Json = {name: value if name == "type" else [value] for name, value in one.attributes.items()}
        for relation in one.relation.split():
            original.setdefault(relation, []).append({"href": one.address, **attributes})
    return orjson.dumps({"linkset": [original]})
