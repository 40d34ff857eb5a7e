"""Atom feeds (RFC 4287), in parts that never change (RFC 5005).

Written with the standard library: what a feed of ours is made of (several links of an entry, links between parts) the
usual packages would have to be taught element by element. Addresses are relative to the feed's own, as in all answers.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import Request
from pydantic import BaseModel

from service.domain.dates import render_instant
from service.web.formats import ATOM, NotAcceptable, wanted_format

_ATOM_NAMES, _HISTORY_NAMES = "http://www.w3.org/2005/Atom", "http://purl.org/syndication/history/1.0"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2


class Link(NamedTuple):
    """Where a feed or an entry leads."""

    relation: str
    address: str
    title: str = ""
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, and what it did."""

    id: str
    title: str
    text: str
    updated: datetime
    links: Sequence[Link]
    terms: Sequence[str]


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed, newest entry first; an archive is a part that never changes."""

    id: str
    title: str
    updated: datetime
    rights: str
    links: Sequence[Link]
    entries: Sequence[Entry] = field(default_factory=tuple)
    is_archive: bool = False


def wants_feed(request: Request, view: type[BaseModel], feed: type[BaseModel], *also: str) -> bool:
    """Whether an address is asked for as a feed; ``view`` and ``feed`` are what it takes as the one and the other.

    A feed tells what events did, and has no room for most of what a view can be asked. Its suffix refuses that; by
    `Accept` there is then no feed, and whoever takes nothing else is told so (`NotAcceptable`). ``also`` are further
    formats, as in `wanted_format`.
    """
    if wanted_format(request.scope, ATOM, *also) != ATOM:
        return False
    if "suffix" in request.scope or (_names(view) - _names(feed)).isdisjoint(request.query_params):
        return True
    del request.scope["format"]
    try:
        wanted_format(request.scope, *also)
    except NotAcceptable as error:
        taken = ", ".join(sorted(_names(feed)))
        raise NotAcceptable(f"{error.detail} As a feed it takes no other parameters than {taken}.") from None
    return False


@cache
def _names(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def render_feed(feed: Feed) -> bytes:
    """A feed as XML."""
    root = Element("feed", {"xmlns": _ATOM_NAMES, "xmlns:fh": _HISTORY_NAMES, "xml:lang": "en"})
    _put(root, "id", feed.id)
    _put(root, "title", feed.title)
    _put(root, "updated", render_instant(feed.updated))
    _put(root, "rights", feed.rights)
    _put(root, "generator", _REGISTRY)
    _put(SubElement(root, "author"), "name", _REGISTRY)
    if feed.is_archive:
        SubElement(root, "fh:archive")
    _link(root, feed.links)
    for entry in feed.entries:
        _enter(SubElement(root, "entry"), entry)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


_REGISTRY = "Pledge registry"


def _enter(parent: Element, entry: Entry) -> None:
    _put(parent, "id", entry.id)
    _put(parent, "title", entry.title)
    _put(parent, "summary", entry.text)
    _put(parent, "published", render_instant(entry.updated))
    _put(parent, "updated", render_instant(entry.updated))
    for term in entry.terms:
        SubElement(parent, "category", {"term": printable(term)})
    _link(parent, entry.links)


def _put(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = printable(text)


def _link(parent: Element, links: Iterable[Link]) -> None:
    for one in links:
        named = {"rel": one.relation, "href": one.address, "title": printable(one.title), "type": one.media_type}
        SubElement(parent, "link", {name: value for name, value in named.items() if value})


def printable(text: str) -> str:
    """A text without what XML cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text)
