"""How a source may write an actor: every name that a country or an organisation has, in any language, and folded.

The names in other languages come from Babel and are loaded when something that is not a code first asks for them.
"""
# ruff: noqa: RUF001 - letters of other scripts are what this room is about

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from service.domain import actor_names

_LANGUAGES: Final = (
    "ar az be bg bn bs ca cs cy da de el es et eu fa fi fr ga gl he hi hr hu hy id is it ja ka kk ko lb lt "
    "lv mk ms mt nb nl nn pl pt ro ru sk sl sq sr sr_Latn sv sw th tr uk ur uz vi zh zh_Hant"
)

# Letters that Unicode does not take apart into a plain letter and its mark.
_LETTERS: Final = str.maketrans(
    {
        "ı": "i",
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ħ": "h",
        "&": " and ",
    }
)
_DROPPED: Final = frozenset(".'’‘ʼʻ`´")
_MARK_ABOVE: Final = 200
_POINTS: Final = range(10, 36)
OWN, ENGLISH, FOREIGN = range(3)
_NAME_FIELDS: Final = ("name", "official_name", "common_name")


def _entries(table: str) -> Iterator[tuple[str, list[str]]]:
    for line in table.strip().splitlines():
        code, _, names = line.partition(": ")
        yield code, names.split("; ")


COUNTRY_NAMES: Final = {
    code: name
    for entry in actor_names.COUNTRIES.replace("\n", " ").split(";")
    for code, _, name in (entry.strip().partition(" "),)
}
OWN_ALIASES: Final = dict(_entries(actor_names.ALIASES))
ORGANISATION_NAMES: Final = {f"org:{slug}": names[0] for slug, names in _entries(actor_names.ORGANISATIONS)}
ORGANISATION_ALIASES: Final = {f"org:{slug}": names[1:] for slug, names in _entries(actor_names.ORGANISATIONS)}
CLOSED_NAMES: Final = COUNTRY_NAMES | ORGANISATION_NAMES
# What territory lists call by a code of its own although it is no state.
_TERRITORY_CODES: Final = {"EU": "org:eu", "UN": "org:un"}


def fold_name(text: str) -> str:
    """Reduce a name to what its spellings share: no case, accents, punctuation or leading article, initials joined."""
    words = ["st" if word == "saint" else word for word in plain_text(text).split()]
    if len(words) > 1 and words[0] == "the":
        words = words[1:]
    if len(words) > 1 and all(len(word) == 1 and word.isascii() for word in words):
        return "".join(words)
    return " ".join(words)


def plain_text(text: str) -> str:
    """Drop case, accents and punctuation."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    if decomposed.isascii():
        kept = "".join(c if c.isalnum() else " " for c in decomposed if c not in _DROPPED)
    else:
        kept = "".join(map(_plain_character, decomposed))
    return " ".join(kept.split())


@lru_cache(maxsize=4_096)
def _plain_character(c: str) -> str:
    category = unicodedata.category(c)
    if category[0] in "LN":
        return c
    if category[0] == "M":
        # Accents and the points of Hebrew and Arabic go; vowel signs, without which words differ, stay.
        mark = unicodedata.combining(c)
        return "" if mark >= _MARK_ABOVE or mark in _POINTS else c
    return "" if c in _DROPPED or category == "Cf" else " "


@lru_cache(maxsize=1)
def alpha_3() -> dict[str, str]:
    """The alpha-3 code of each country, by alpha-2."""
    import pycountry  # noqa: PLC0415 - needed only when something is not a code

    return {country.alpha_2: country.alpha_3 for country in pycountry.countries} | {"XK": "XKX"}


@lru_cache(maxsize=1)
def alpha_2() -> dict[str, str]:
    """The alpha-2 code of each country, by alpha-3."""
    return {alpha_3: code for code, alpha_3 in alpha_3().items()}


def _english_names() -> Iterator[tuple[str, str]]:
    """Every further name that English text uses, and the organisations' codes."""
    import pycountry  # noqa: PLC0415 - needed only when something is not a code

    for code in sorted(ORGANISATION_NAMES):
        yield code, code
        yield code.removeprefix("org:"), code
    for code, aliases in (OWN_ALIASES | ORGANISATION_ALIASES).items():
        yield from ((alias, code) for alias in aliases)
    for country in pycountry.countries:
        fields = dict(country)  # asking for a missing attribute warns
        yield from ((fields[key], country.alpha_2) for key in _NAME_FIELDS if key in fields)


def _foreign_names() -> Iterator[tuple[str, str]]:
    from babel import Locale  # noqa: PLC0415 - needed only when something is not a code

    for language in ("en", *_LANGUAGES.split()):
        for territory, name in Locale.parse(language).territories.items():
            code = _TERRITORY_CODES.get(territory, territory)
            if code in CLOSED_NAMES:
                yield name, code


@lru_cache(maxsize=1)
def all_names() -> list[tuple[str, str, int]]:
    """Every folded name with its code and tier: an actor's own, another English one, another language's."""
    own = {(fold_name(name), code): OWN for code, name in CLOSED_NAMES.items()}
    english = {(fold_name(name), code): ENGLISH for name, code in _english_names()}
    foreign = {(fold_name(name), code): FOREIGN for name, code in _foreign_names()}
    return [(key, code, tier) for (key, code), tier in (foreign | english | own).items()]


@lru_cache(maxsize=1)
def meanings() -> dict[str, frozenset[str]]:
    """Map each folded name to the codes it can mean; where English knows the name, English decides."""
    english: dict[str, set[str]] = {}
    foreign: dict[str, set[str]] = {}
    for key, code, tier in all_names():
        (foreign if tier == FOREIGN else english).setdefault(key, set()).add(code)
    return {key: frozenset(codes) for key, codes in (foreign | english).items()}


@lru_cache(maxsize=1)
def search_list() -> list[tuple[str, str, int]]:
    """What a search looks through: every folded name, and the codes."""
    codes = [(code.lower(), code, ENGLISH) for code in COUNTRY_NAMES]
    codes += [(alpha_3.lower(), code, ENGLISH) for code, alpha_3 in alpha_3().items()]
    return [*all_names(), *codes]
