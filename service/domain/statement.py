"""What was said: the shared values of every statement, before any of them is counted.

A statement is validated once, when it is recorded. Afterwards it is a frozen value, and its canonical content is
exactly what the editor stated, with every code in its one spelling: a field that was not mentioned is not there.
"""

import hashlib
import re
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

from service.domain.actors import ActorCode, is_person, person_code
from service.domain.dates import END, Bounds, Edtf, parse_edtf
from service.domain.errors import Misplaced

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
URL = r"^https?://[^\s\x85\x00-\x1f]+$"
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def check_printable(text: str) -> str:
    """The text itself; raises ValueError where it holds what no text needs."""
    if _FORBIDDEN.search(text):
        raise ValueError("holds a control character or half a surrogate pair; remove it")
    return text


PRINTABLE = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*"
_WORDS: dict[str, JsonValue] = {"pattern": rf"^{PRINTABLE}[^\s\x85\x00-\x1f\x7f]{PRINTABLE}$"}
"""Of a text, as its schema has it: no control characters, and more than blanks."""

Slug = Annotated[
    str,
    StringConstraints(pattern=SLUG, max_length=80),
    Field(description="lower-case words joined by hyphens", examples=["ground-troops"]),
]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    AfterValidator(check_printable),
    Field(json_schema_extra=_WORDS),
]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    AfterValidator(check_printable),
    Field(json_schema_extra=_WORDS),
]
Language = Annotated[str, StringConstraints(pattern=LANGUAGE), Field(examples=["en", "uk", "pt-BR"])]


def _no_truth(given: Any) -> Any:  # noqa: ANN401 - what a client sent
    """A truth is no number, though Python takes one for the other."""
    if isinstance(given, bool):
        raise ValueError("is not a number")  # noqa: TRY004 - pydantic reports ValueError
    return given


def _only_a_day(given: Any) -> Any:  # noqa: ANN401 - what a client sent, or what a seed file holds
    if isinstance(given, str) and _DAY.fullmatch(given) is None:
        raise ValueError("is no day; send one such as 2025-07-10")
    if isinstance(given, int | float):
        raise ValueError("is no day; send one such as 2025-07-10")  # noqa: TRY004 - pydantic reports ValueError
    return given


Count = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Day = Annotated[date, BeforeValidator(_only_a_day)]
Url = Annotated[str, StringConstraints(pattern=URL, max_length=2000)]


class Value(BaseModel):
    """A frozen value that refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class Basis(StrEnum):
    """How the editor knows when it happened."""

    STATED = "stated"
    DEDUCED = "deduced"
    PUBLISHED = "published"


class Channel(StrEnum):
    """Where it was said."""

    SPEECH = "speech"
    INTERVIEW = "interview"
    SOCIAL_MEDIA = "social_media"
    COMMUNIQUE = "communique"
    DOCUMENT = "document"
    PRESS_REPORT = "press_report"
    OTHER = "other"


class Wording(StrEnum):
    """How close the record is to what was said."""

    VERBATIM = "verbatim"
    TRANSLATED = "translated"
    REWORDED = "reworded"
    PARAPHRASE = "paraphrase"
    SUMMARY = "summary"


class SourceType(StrEnum):
    """What a source is."""

    OFFICIAL = "official"
    TRANSCRIPT = "transcript"
    WIRE = "wire"
    PRESS = "press"
    SOCIAL_MEDIA = "social_media"
    AGGREGATOR = "aggregator"


class Occurred(Value):
    """When it was said or done: an EDTF expression and how it is known."""

    edtf: Edtf
    basis: Basis

    @field_validator("edtf")
    @classmethod
    def _within_time(cls, edtf: str) -> str:
        if parse_edtf(edtf).latest >= END:
            raise ValueError("lies at the end of time; a statement occurred before 9999-12-31")
        return edtf

    @property
    def bounds(self) -> Bounds:
        """The first and the last instant at which it may have happened."""
        return parse_edtf(self.edtf)


_PERSON: JsonValue = {"type": "string", "pattern": "^person:"}
_UNOFFICIAL_IS_NAMED: dict[str, JsonValue] = {
    "if": {"properties": {"official": {"const": False}}, "required": ["official"]},
    "then": {"not": {"properties": {"name": {"type": "null"}, "actor": {"not": _PERSON}}}},
}


class Speaker(Value):
    """Who said it, with the post held on that day; null fields are unknown, not absent."""

    model_config = ConfigDict(json_schema_extra=_UNOFFICIAL_IS_NAMED)

    actor: ActorCode | None = Field(None, description="on whose behalf; null where the report itself speaks")
    name: Line | None = None
    post: Line | None = Field(None, description="the post held on that date, not today's")
    official: Flag = Field(True, description="false: a voice that does not speak for the state")


class Source(Value):
    """Where we read it, graded by the Admiralty code: two grades, never one number."""

    title: Line
    publisher: Line | None = None
    url: Url | None = None
    published_on: Day | None = None
    retrieved_on: Day | None = None
    archive_url: Url | None = None
    language: Language | None = None
    type: SourceType | None = None
    derived_from: Line | None = Field(None, description="the original that this one retells")
    reliability: Literal["A", "B", "C", "D", "E", "F"] | None = None
    credibility: Annotated[Literal[1, 2, 3, 4, 5, 6], BeforeValidator(_no_truth)] | None = None

    @property
    def origin(self) -> str:
        """A short digest of the original: sources that share it corroborate nothing."""
        named = self.derived_from or self.url or f"{self.publisher or ''}|{self.title}"
        return hashlib.sha256(" ".join(named.casefold().split()).encode()).hexdigest()[:12]


class Event(Value):
    """Anything the log can hold. Subclasses fix ``kind``; the name of a kind is permanent."""

    family: ClassVar[str]
    version: ClassVar[int] = 1

    kind: str
    coalition: Slug

    @property
    def named(self) -> tuple[str, ...]:
        """The ids of all earlier events that it is about."""
        return ()

    def content(self) -> dict[str, Any]:
        """Exactly what was stated, as plain JSON values: unmentioned fields are left out."""
        content: dict[str, Any] = self.__pydantic_serializer__.to_python(
            self, mode="json", exclude_unset=True, exclude_none=True
        )
        return content


def _name_their_actors(schema: dict[str, Any], kind: "type[Statement]") -> None:
    schema["properties"]["actors"]["uniqueItems"] = True
    if kind.per_actor:
        schema |= kind.actors_needed


class Statement(Event):
    """What an actor said or did in public, with its source."""

    model_config = ConfigDict(json_schema_extra=_name_their_actors)

    per_actor: ClassVar[bool] = True
    actors_needed: ClassVar[dict[str, Any]] = {"not": {"properties": {"actors": {"maxItems": 0}}}}
    rank: ClassVar[int] = 0  # among statements of one moment: the higher has the last word

    subject: Slug
    occurred: Occurred
    actors: tuple[ActorCode, ...] = Field((), max_length=80)
    said_by: Speaker | None = None
    addressees: tuple[ActorCode, ...] = Field((), max_length=80)
    channel: Channel | None = None
    wording: Wording | None = None
    summary: Text = Field(description="in the editor's own words")
    quote: Text | None = None
    language: Language | None = None
    place: Line | None = None
    tags: tuple[Slug, ...] = Field((), max_length=30)
    sources: tuple[Source, ...] = Field(min_length=1, max_length=50)

    @field_validator("actors")
    @classmethod
    def _once_each(cls, actors: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(actors)) != len(actors):
            raise ValueError("names an actor twice")
        return actors

    @model_validator(mode="after")
    def _has_its_actors(self) -> Self:
        if self.per_actor and not self.actors and not self._may_lack_actors():
            raise Misplaced("actors", "Name at least one actor: whoever says or does this.")
        if not self.official and self.person is None:
            raise Misplaced("said_by/name", "An unofficial voice needs a name: it is listed under the person.")
        return self

    def _may_lack_actors(self) -> bool:
        return False

    @property
    def official(self) -> bool:
        """Whether it speaks for the state: false only when the editor says so."""
        return self.said_by is None or self.said_by.official

    @property
    def person(self) -> str | None:
        """The code of the person who said it, where one is named."""
        if self.said_by is None:
            return None
        if self.said_by.actor and is_person(self.said_by.actor):
            return self.said_by.actor
        return person_code(self.said_by.name) if self.said_by.name else None

    @cached_property
    def attributed(self) -> bool:
        """Whether one actor speaks of another's deeds (domain model §3)."""
        if self.said_by is None or self.said_by.actor is None or not self.actors:
            return False
        if self.said_by.actor in self.actors:
            return False
        return not any(is_person(actor) and actor == self.person for actor in self.actors)

    @cached_property
    def subject_actors(self) -> tuple[str, ...]:
        """The actors whose subjects this statement touches; ``""`` where the subject has none.

        An unofficial voice touches only the person's own subject, never the state's.
        """
        if not self.per_actor:
            return ("",)
        if not self.official and self.person is not None:
            return (self.person,)
        return self.actors or ("",)


def canonical(content: dict[str, Any]) -> bytes:
    """Content as canonical JSON (RFC 8785).

    Keys are ASCII and numbers are integers below 2^53 by the models, and for such documents orjson with
    sorted keys writes what RFC 8785 asks for; a test holds it to the reference implementation.
    """
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def tie_text(content: dict[str, Any]) -> bytes:
    """What orders statements of one moment: what they say, never when they were recorded.

    Sources are left out: a source that is added later must not change the order.
    """
    return canonical({key: value for key, value in content.items() if key != "sources"})


def tie_digest(text: bytes) -> str:
    """The same in short."""
    return hashlib.sha256(text).hexdigest()[:16]
