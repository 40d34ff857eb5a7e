"""What an event did, in plain sentences: who, what, from which state to which, as of which day.

The sentences are ours, made of the states before and after, and never of what an editor wrote: a text that is
corrected or retracted does not live on in them. An event *moved* what it carries forward; *learned* is what we now
think otherwise of a time of which we had an account: a late entry, and every note on the record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from service.domain.actors import name_of
from service.domain.answers import Json
from service.domain.dates import BEGINNING
from service.domain.kinds import FAMILIES
from service.domain.plainly import plain
from service.domain.subject import SubjectKey
from service.domain.telling_dates import tell_day

MOVED, LEARNED = "moved", "learned"
_NOTED = {
    "record.corrected": "Corrected",
    "record.retracted": "Retracted",
    "record.reinstated": "Reinstated",
    "record.disputed": "Disputed",
    "record.dispute_settled": "Dispute settled",
    "record.duplicate": "Told twice",
    "record.sourced": "Further source",
    "coalition.registered": "Registered",
}
_LATE = "Late entry"
_NOTHING = "nothing known"
_MOST_NAMED = 6
_NAMES = {"said_by": "speaker"}
_BOOKKEEPING = frozenset({
    "change", "first_stated", "last_stated", "age_days", "stale", "statements", "statement_count", "rivals",
    "independent_sources", "first_issued", "last_issued", "times", "occurred", "id", "coalition", "subject",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Effect:
    """What an event did to one subject: what an answer said of it before and says after, at the first moment that
    differs; the same twice where nothing does.
    """

    key: SubjectKey
    at: datetime
    before: Json | None
    after: Json | None
    late: bool = False  # something later was known already


def because(kind: str, effects: Sequence[Effect]) -> list[str]:
    """Why things are otherwise: the world moved, or we learned; an event may have done both."""
    if kind in _NOTED:
        return [LEARNED]
    found = {LEARNED if effect.late else MOVED for effect in effects} or {MOVED}
    return sorted(found)


def tell(kind: str, effects: Sequence[Effect], about: Sequence[str] = ()) -> list[str]:
    """One sentence for each thing that the event did; actors to whom it did the same stand in one.

    ``about`` are the subjects of an event that did nothing, as `family/slug`.
    """
    if not effects:
        noted = f"{_NOTED[kind]}: " if kind in _NOTED else ""
        whose = f" of {_joined([one.replace('/', ' ') for one in about])}" if about else ""
        text = f"{noted}nothing stands otherwise{whose}."
        return [text[0].upper() + text[1:]]
    return [_sentence(kind, list(alike)) for _, alike in groupby(sorted(effects, key=_alike), key=_alike)]


def _alike(effect: Effect) -> tuple[str, str, str, datetime, bool]:
    key = effect.key
    return (key.family, key.slug, _verb(effect), effect.at, effect.late)


def _sentence(kind: str, effects: Sequence[Effect]) -> str:
    first = effects[0]
    noted = _NOTED.get(kind) or (_LATE if first.late else None)
    what = f"{first.key.family} {first.key.slug}"
    actors = [effect.key.actor for effect in effects if effect.key.actor]
    whose = f" of {_names(actors)}" if actors else ""
    day = "" if first.at <= BEGINNING else f", as of {tell_day(first.at)}"
    text = f"{what}{whose} {_verb(first)}{day}."
    return f"{noted}: {text}" if noted else text[0].upper() + text[1:]


def _names(codes: Sequence[str]) -> str:
    names = sorted(map(name_of, codes))
    if len(names) > _MOST_NAMED:
        names = [*names[: _MOST_NAMED - 1], f"{len(names) - _MOST_NAMED + 1} more"]
    return _joined(names)


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _verb(effect: Effect) -> str:
    """From what to what; what stays the same in a word says what of it changed."""
    family = effect.key.family
    before, after = (_NOTHING if one is None else describe(family, one) for one in (effect.before, effect.after))
    if before != after:
        return f"goes from {before} to {after}"
    return f"stays {after}{_otherwise(effect.before or {}, effect.after or {})}"


def _otherwise(before: Json, after: Json) -> str:
    again = ", said again" if before.get("statement_count", 0) < after.get("statement_count", 0) else ""
    return with_other(before, after) or again


def with_other(before: Json, after: Json) -> str:
    """What two states that few words call the same do not say alike, to go behind these words; else nothing."""
    names = [name for name in after if name not in _BOOKKEEPING and before.get(name) != after[name]]
    return f", with other {_joined([_NAMES.get(name, plain(name)) for name in names])}" if names else ""


def describe(family: str, shown: Json) -> str:
    """A state in a few words."""
    words = [word for word in FAMILIES[family].words(shown) if word]
    said = ", ".join(words) or "known"
    if shown.get("attributed_only"):
        said += ", as others say"
    return f"{said}, disputed" if shown["disputed"] else said
