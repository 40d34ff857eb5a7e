"""Who speaks and acts: one code for each actor, and every way a source may write it.

Countries are ISO 3166-1 alpha-2 codes (XK for Kosovo) and organisations come from the table below: both sets
are closed, so that one actor never goes by two codes. People, anonymous groups, coalitions and their forces
are open sets: ``person:``, ``group:``, ``coalition:`` or ``force:`` and a slug.

The English names are a table of our own and not a library's, because answers hold them and the same basis
must give the same bytes after an upgrade too. The names in other languages (`spellings`) only help to read input.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, JsonValue

from service.domain.errors import Coded
from service.domain.spellings import (
    CLOSED_NAMES,
    COUNTRY_NAMES,
    ENGLISH,
    FOREIGN,
    ORGANISATION_ALIASES,
    ORGANISATION_NAMES,
    OWN_ALIASES,
    all_names,
    alpha_2,
    alpha_3,
    fold_name,
    meanings,
    plain_text,
    search_list,
)

Kind = Literal["country", "organisation", "person", "group", "coalition", "force"]

MAX_SLUG: Final = 80
MAX_LENGTH: Final = 100
"""Longer than any code and any name of a state."""

_CONSTITUENT: Final = (
    "That is a part of the United Kingdom, not a state. Send GB where the United Kingdom speaks or acts."
)
_REFUSED: Final = {
    "england": _CONSTITUENT,
    "scotland": _CONSTITUENT,
    "wales": _CONSTITUENT,
    "northern ireland": _CONSTITUENT,
    "congo": "Two states go by that name. Send CD (its capital is Kinshasa) or CG (Brazzaville).",
    "korea": "Two states go by that name. Send KP (North Korea) or KR (South Korea).",
}

_MEANT: Final = {
    **dict.fromkeys(("england", "scotland", "wales", "northern ireland"), ("GB",)),
    "congo": ("CD", "CG"),
    "korea": ("KP", "KR"),
}

_SLUG: Final = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_OPEN_CODE: Final = re.compile(rf"(?:person|group|coalition|force):(?=[a-z0-9-]{{1,{MAX_SLUG}}}\Z){_SLUG}")
_OPEN_PREFIX: Final = re.compile(r"(?:person|group|coalition|force):")
_NOT_PLAIN: Final = re.compile(r"[^a-z0-9 ]+")

_HASH_LENGTH: Final = 12
_MOST_NEAR: Final = 3
_MOST_SUGGESTED: Final = 6
CODES: Final = (
    "Send a country's ISO code or name, an organisation such as org:nato, or person:, group:, coalition: or force: "
    "and a slug."
)
"""What may be sent for an actor."""
COUNTRIES: Final = frozenset(COUNTRY_NAMES)
"""Every country code."""
ORGANISATIONS: Final = frozenset(ORGANISATION_NAMES)
"""Every organisation's code."""


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor as a list shows it."""

    code: str
    name: str
    kind: Kind
    aliases: tuple[str, ...]


class UnknownActor(Coded):
    """A text that names no actor, or more than one."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="unknown_actor")


def parse_actor(text: str) -> str:
    """Which actor does the text name?

    Takes a code, an ISO alpha-3 code, or a country's or organisation's name in one of some sixty languages,
    whatever its case, accents and punctuation. A name that means two territories in two languages counts only
    if English uses it.

    Raises `UnknownActor`, with a sentence and the nearest names, when the text names none or more than one.
    """
    if text in CLOSED_NAMES or _OPEN_CODE.fullmatch(text):
        return text
    return _parse_name(text)


def name_of(code: str) -> str:
    """Give the English short name, as the press uses it.

    Raises ValueError for a text that is no code.
    """
    name = CLOSED_NAMES.get(code)
    if name:
        return name
    if not _OPEN_CODE.fullmatch(code):
        raise ValueError("That is no actor's code. Send one such as GB, org:nato or person:jane-doe.")
    kind, _, slug = code.partition(":")
    words = slug.replace("-", " ")
    return words.title() if kind in ("person", "force") else words


def shown_name(code: str) -> str:
    """The name as a page shows it: that of a group, which is its words, begins with a capital.

    Raises ValueError for a text that is no code.
    """
    name = name_of(code)
    return name[:1].upper() + name[1:] if is_group(code) else name


def get_actor(code: str) -> Actor:
    """Give an actor's name, kind and other names; raises ValueError for a text that is no code."""
    name = name_of(code)
    if code in COUNTRIES:
        return Actor(code, name, "country", (alpha_3()[code], *OWN_ALIASES.get(code, ())))
    if code in ORGANISATIONS:
        return Actor(code, name, "organisation", tuple(ORGANISATION_ALIASES[code]))
    return Actor(code, name, _open_kind(code), ())


def is_country(code: str) -> bool:
    """Tell whether the code is a country's."""
    return code in COUNTRIES


def is_open_code(text: str) -> bool:
    """Tell whether the text is a code that no table has: a person's, a group's, a coalition's or a force's."""
    return _OPEN_CODE.fullmatch(text) is not None


def is_group(code: str) -> bool:
    """Tell whether the code stands for an anonymous group, which counts in no country's list."""
    return code.startswith("group:")


def is_person(code: str) -> bool:
    """Tell whether the code is a person's."""
    return code.startswith("person:")


def person_code(name: str) -> str:
    """Make a person's code from a name: the same for every spelling of case, accents and punctuation.

    Every name has a code. Where letters are lost (another script, more than 80 characters) a short hash
    keeps two people apart.
    """
    folded = plain_text(name) or name
    plain = "-".join(_NOT_PLAIN.sub("", folded).split())
    if plain and len(plain) == len(folded) <= MAX_SLUG:
        return f"person:{plain}"
    digest = sha256(folded.encode(errors="surrogatepass")).hexdigest()[:_HASH_LENGTH]
    kept = plain[: MAX_SLUG - _HASH_LENGTH - 1].strip("-")
    return f"person:{kept}-{digest}" if kept else f"person:{digest}"


def find_actors(q: str, limit: int | None = None) -> list[Actor]:
    """List the countries and organisations whose code or name, in any language, holds the text; best first.

    An empty text finds them all, by name; a negative limit counts as 0, none takes all.
    """
    folded = fold_name(q) if len(q) <= MAX_LENGTH else ""
    if q and not folded:
        return []
    ranks: dict[str, int] = {}
    for key, code, tier in search_list():
        rank = _rank(key, folded, tier)
        if rank is not None and rank < ranks.get(code, 99):
            ranks[code] = rank
    best = sorted(ranks, key=lambda code: (ranks[code], fold_name(CLOSED_NAMES[code]), code))
    return [get_actor(code) for code in best[: None if limit is None else max(limit, 0)]]


def suggest_actors(text: str) -> list[Actor]:
    """List the countries and organisations that a text may mean which names none of them, or more than one."""
    if len(text) > MAX_LENGTH:
        return []
    folded = fold_name(text)
    meant = (*_MEANT.get(folded, ()), *sorted(meanings().get(folded, ())))
    found = (actor.code for actor in find_actors(text, _MOST_SUGGESTED))
    codes = list(dict.fromkeys((*meant, *found, *_near(folded)))) or _near(folded, FOREIGN)
    return [get_actor(code) for code in codes[:_MOST_SUGGESTED]]


@lru_cache(maxsize=1_024)
def codes_named(word: str) -> frozenset[str]:
    """Every country and organisation of which a name, in any language, has a word that begins with the text."""
    folded = fold_name(word) if len(word) <= MAX_LENGTH else ""
    return frozenset(code for key, code, _ in search_list() if folded and f" {key}".find(f" {folded}") >= 0)


def _rank(key: str, sought: str, tier: int) -> int | None:
    """Place a hit: whole before beginning before word before part, then English before other names."""
    at = key.find(sought)
    if at < 0:
        return None
    if key == sought:
        place = 0
    elif at == 0:
        place = 1
    else:
        place = 2 if f" {sought}" in key else 3
    return place * (FOREIGN + 1) + tier


def _open_kind(code: str) -> Kind:
    kinds: tuple[Kind, ...] = ("person", "group", "coalition", "force")
    return next(kind for kind in kinds if code.startswith(f"{kind}:"))


@lru_cache(maxsize=4_096)
def _parse_name(text: str) -> str:
    if len(text) > MAX_LENGTH:
        raise UnknownActor(f"An actor's code or name has at most {MAX_LENGTH} characters.")
    code = _parse_iso(text.strip())
    if code:
        return code
    if _OPEN_PREFIX.match(text):
        raise UnknownActor(
            f"Behind the colon stand 1 to {MAX_SLUG} characters: small letters a-z and digits, in words "
            "joined by single hyphens, as in person:jane-doe."
        )
    folded = fold_name(text)
    if folded in _REFUSED:
        raise UnknownActor(_REFUSED[folded])
    codes = meanings().get(folded)
    if not codes:
        raise UnknownActor(_unknown(folded))
    if len(codes) > 1:
        named = " or ".join(f"{code} ({name_of(code)})" for code in sorted(codes))
        raise UnknownActor(f"That name means different actors in different languages. Send {named}.")
    return next(iter(codes))


def _parse_iso(text: str) -> str | None:
    """Read a country code in any case but a name's own: "NGA" is Nigeria, "Nga" Vietnamese for Russia."""
    if not text.isascii() or text.istitle():
        return None
    code = text.upper()
    return code if code in COUNTRIES else alpha_2().get(code)


def _unknown(folded: str) -> str:
    codes = _near(folded)
    if codes:
        named = ", ".join(f"{name_of(code)} ({code})" for code in codes)
        return f"No actor goes by that code or name. Near to it: {named}."
    return f"No actor goes by that code or name. {CODES}"


def _near(folded: str, tier: int = ENGLISH) -> list[str]:
    """The codes of what goes by almost that name in English, or in any language."""
    known = {key: code for key, code, of in all_names() if of <= tier and key[:4] != "org "}
    near = get_close_matches(folded.removeprefix("org "), known, n=2 * _MOST_NEAR, cutoff=0.7)
    return list(dict.fromkeys(known[key] for key in near))[:_MOST_NEAR]


NAMED: dict[str, JsonValue] = {"format": "actor"}
"""Of a text that names an actor, as its schema has it."""

ActorCode = Annotated[
    str,
    Field(
        max_length=MAX_LENGTH,
        description=(
            "An actor. Countries by ISO 3166-1 alpha-2 code (XK for Kosovo); alpha-3 codes and names in many "
            "languages are accepted and turned into it. Organisations as `org:nato`; people, anonymous "
            "groups, coalitions and their forces as `person:`, `group:`, `coalition:` or `force:` and a slug."
        ),
        examples=["GB", "org:nato", "person:jane-doe", "group:other-nations", "coalition:willing"],
        json_schema_extra=NAMED,
    ),
    AfterValidator(parse_actor),
]
"""Any accepted way to name an actor, turned into the actor's code."""
