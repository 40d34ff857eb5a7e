"""What a page with a form sends: the form's own fields, and what the page says beside them."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from service.domain.errors import Fault
from service.forms.reading import Filled

BESIDE = frozenset({
    "do", "add", "remove", "key", "kind", "coalition", "category", "entered", "known", "etag", "seen", "warned", "kept",
    "next_kind", "done", "draft", "to_reviewer",
})  # fmt: skip
"""What a page says beside its form: what to do, under which key, about what. No form has such a field."""


class Sent(NamedTuple):
    """What was sent: the texts of the form's fields by name, and the page's own."""

    data: dict[str, list[str]]
    beside: dict[str, list[str]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Names and texts, told apart."""
        sent = cls({}, {})
        for name, text in pairs:
            (sent.beside if name in BESIDE else sent.data).setdefault(name, []).append(text)
        return sent

    def get(self, name: str) -> str:
        """A thing that the page says; "" where it does not."""
        return self.beside.get(name, [""])[-1]

    def all(self, name: str) -> list[str]:
        """A thing that the page may say several times."""
        return [text for text in self.beside.get(name, []) if text]

    @property
    def only_grows(self) -> bool:
        """Whether a list is to have a row more or less, and nothing else is asked for yet."""
        return bool(self.get("add") or self.get("remove"))

    def without_removed(self) -> dict[str, list[str]]:
        """The fields, without the row that is to go."""
        gone = self.get("remove")
        if not gone:
            return self.data
        return {name: texts for name, texts in self.data.items() if name != gone and not name.startswith(f"{gone}.")}


def strangers(filled: Filled) -> list[Fault]:
    """Fields that the form does not have: refused, never ignored."""
    return [Fault("", "extra_forbidden", "A field was sent that this form does not have.") for _ in filled.unknown[:1]]
