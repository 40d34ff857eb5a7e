"""People and groups by their names: whom statements have named, and what they were called there.

Their codes are open sets, and any code will do: no table says who there is. Who is known, and by which names, follows
from what was recorded; this is how a name, a part of one or one that is nearly right leads to them.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property
from itertools import groupby, islice
from typing import Final, NamedTuple, Self

from service.domain.actors import MAX_LENGTH, Actor, get_actor, is_person, name_of, person_code, shown_name
from service.domain.spellings import fold_name

_NEAR: Final = 0.75  # of the letters: "Marcon" is near to Macron, "Martin" is not
_SHORTEST_WORD: Final = 4  # that is compared by itself
_PARTS: Final = frozenset(";,\n")  # what stands between names in one field


class Called(NamedTuple):
    """Who was called how; "" where a code stands by itself."""

    code: str
    name: str

    @classmethod
    def of(cls, actor: str | None, name: str | None) -> Self:
        """Whom an actor's code and a name beside it stand for: beside a state, the name is that of a person."""
        if name is None:
            assert actor is not None
            return cls(actor, "")
        itself = actor is not None and (is_person(actor) or actor.startswith("coalition:"))
        return cls(actor if actor is not None and itself else person_code(name), name)


class Names:
    """Who is known by which names, and how often each was called so."""

    def __init__(self, counted: Mapping[Called, int]) -> None:
        by_code = sorted(counted.items(), key=lambda one: (one[0].code, -one[1], one[0].name))
        self._often = {
            code: (
                sum(count for _, count in told),
                tuple(called.name for called, _ in told if called.name) or (shown_name(code),),
            )
            for code, found in groupby(by_code, key=lambda one: one[0].code)
            for told in (list(found),)
        }

    @cached_property
    def _index(self) -> dict[str, frozenset[str]]:
        """Each folded name, with the codes that go by it."""
        found: dict[str, set[str]] = {}
        for code, (_, names) in self._often.items():
            for name in (*names, name_of(code)):
                found.setdefault(fold_name(name), set()).add(code)
        return {key: frozenset(codes) for key, codes in found.items() if key}

    @cached_property
    def _words(self) -> dict[str, frozenset[str]]:
        """Whole names and their longer words, with the codes of whoever has them."""
        found: dict[str, set[str]] = {}
        for key, codes in self._index.items():
            for word in {key, *(word for word in key.split() if len(word) >= _SHORTEST_WORD)}:
                found.setdefault(word, set()).update(codes)
        return {word: frozenset(codes) for word, codes in found.items()}

    def find(self, text: str) -> str | None:
        """The one who goes by exactly that name, whatever its case and accents."""
        codes = self._index.get(fold_name(text), frozenset())
        return next(iter(codes)) if len(codes) == 1 else None

    def suggest(self, text: str, limit: int = 6) -> list[Actor]:
        """Whom a text may mean: those of whose name it says whole words or their beginnings, then those of like names.

        Of several, whoever is named most often comes first.
        """
        words = fold_name(text).split() if len(text) <= MAX_LENGTH else []
        if not words:
            return []
        parts = {code for key, codes in self._index.items() if _begins(words, key) for code in codes}
        near = get_close_matches(" ".join(words), self._words, n=2 * limit, cutoff=_NEAR)
        codes = [*self._by_frequency(parts), *(code for key in near for code in self._by_frequency(self._words[key]))]
        return [self.get(code) for code in list(dict.fromkeys(codes))[:limit]]

    def get(self, code: str) -> Actor:
        """Somebody, with the names that they go by: the first is the one used most."""
        _, names = self._often[code]
        first, *others = names
        actor = get_actor(code)
        return Actor(code, first, actor.kind, tuple(others))

    def most_named(self, limit: int) -> list[str]:
        """The names of those who are named most often, each of which a field for several actors takes for theirs."""
        named = ((code, self._often[code][1][0]) for code in self._by_frequency(self._often))
        return list(islice((name for code, name in named if self.find(name) == code and not _PARTS & set(name)), limit))

    def _by_frequency(self, codes: Iterable[str]) -> list[str]:
        return sorted(codes, key=lambda code: (-self._often[code][0], code))


def _begins(words: Iterable[str], key: str) -> bool:
    """Whether each of the words begins a word of a name."""
    return all(f" {key}".find(f" {word}") >= 0 for word in words)


NOBODY: Final = Names({})
"""Where it is not looked at who is known."""
