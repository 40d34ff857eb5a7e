"""Where subjects stand, and would stand: now, and at the moment of which something late speaks."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Self

from service.database import Connection
from service.domain.actors import shown_name
from service.domain.answers import Json, Moment, in_force, shape
from service.domain.coalition import REGISTRATION
from service.domain.dates import parse_edtf
from service.domain.statement import Statement
from service.domain.subject import SubjectKey
from service.domain.telling import describe, with_other
from service.domain.telling_dates import tell_day
from service.segments.query import Point, References, Scope, StateRow, states_at
from service.trial import Trial


class Turn(NamedTuple):
    """One subject as it stands, and as it would."""

    title: str
    before: str
    after: str

    @property
    def moves(self) -> bool:
        """Whether it would stand otherwise."""
        return self.before != self.after

    @classmethod
    def of(cls, key: SubjectKey, before: Json | None, after: Json | None) -> Self:
        """A subject by what an answer says of it."""
        was, becomes = words_of(key, before), words_of(key, after)
        if was == becomes and before is not None and after is not None:
            becomes += with_other(before, after)  # such as its conditions, of which a few words say nothing
        return cls(title_of(key), was, becomes)


class Past(NamedTuple):
    """How subjects would stand otherwise on a day that is over."""

    day: str
    turns: tuple[Turn, ...]


async def find_past(connection: Connection, trial: Trial, now: Sequence[Turn], stale_after_days: int) -> Past | None:
    """The first moment at which what is tried out changes something otherwise than ``now``; None where none does.

    What comes later may have the last word now, and yet not then; so may what time alone has done since.
    """
    for at in sorted({at for moments in trial.find_turns().values() for at in moments}):
        if at >= trial.recorded.at:
            break
        rows = trial.states_at(at)[:_MOST_PAST]
        before = await states_before(connection, at, [row.key for row in rows])
        after = {**before, **{row.key: row for row in rows}}
        was, became = (
            Moment(at, stale_after_days, in_force((row.key, row.state) for row in one.values()))
            for one in (before, after)
        )
        turns = [Turn.of(row.key, shape_of(before.get(row.key), was), shape_of(row, became)) for row in rows]
        changed = tuple(turn for turn in turns if turn.moves and turn not in now)
        if changed:
            return Past(tell_day(at), changed)
    return None


_MOST_PAST = 20


async def states_before(connection: Connection, at: datetime, keys: Sequence[SubjectKey]) -> dict[SubjectKey, StateRow]:
    """Subjects as they stand at a moment, with the ceasefires that they may hang on."""
    found: dict[SubjectKey, StateRow] = {}
    point = Point(at)
    for coalition, family, slug in sorted({key[:3] for key in keys}):
        values = {"coalition": coalition, "family": family, "slug": slug}
        scope = Scope.SUBJECT_AND_CEASEFIRES
        _, rows = await states_at(connection, point, scope, values, references=References.ALL)
        found |= {row.key: row for row in rows}
    return found


def shape_of(row: StateRow | None, moment: Moment) -> Json | None:
    """A subject as an answer has it; None where nothing is known of it."""
    if row is None or row.state is None:
        return None
    return shape(row.key, row.state, row.references, row.rivals, moment)


def is_late(event: Statement, before: StateRow | None) -> bool:
    """Whether something later is known already about the same."""
    known = before.references if before is not None else []
    return any(parse_edtf(one["occurred"]).latest > event.occurred.bounds.latest for one in known if one["occurred"])


def title_of(key: SubjectKey) -> str:
    """A subject in words: whose, and what."""
    if key.slug == REGISTRATION and key.family == "coalition":
        return f"names of the coalition {key.coalition}"
    whose = f"{shown_name(key.actor)}: " if key.actor else ""
    return f"{whose}{_BETWEEN_WORDS.sub(' ', key.slug)}"


_BETWEEN_WORDS = re.compile(r"(?<![0-9])-|-(?![0-9])")  # not within a date


def words_of(key: SubjectKey, shown: Json | None) -> str:
    """Where a subject stands, in a few words."""
    return "nothing known" if shown is None else describe(key.family, shown)
