"""What is known already, for who enters something: the coalitions, the subjects of a family, and where they stand."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from service.domain.actors import shown_name
from service.domain.answers import in_force, shape
from service.domain.subject import SubjectKey
from service.domain.telling import describe
from service.log.read import find_event
from service.segments.effective import find_effective
from service.segments.query import Point, References, Scope, StateRow, states_at
from service.web.asking import moment_of
from service.web.serving import Services


class Named(NamedTuple):
    """A coalition, by slug and name."""

    slug: str
    name: str


class Standing(NamedTuple):
    """A subject, and where each of its actors stands on it."""

    slug: str
    words: str


class Entered(NamedTuple):
    """A statement that was just recorded."""

    event_id: str
    words: str


_MOST_ACTORS = 4
MOST_SUBJECTS = 40


async def list_coalitions(served: Services) -> list[Named]:
    """The coalitions that are registered, by slug."""
    async with served.pool.connection() as connection:
        _, rows = await states_at(connection, Point(served.clock()), Scope.REGISTRATIONS, {})
    return [Named(row.key.coalition, row.state["name"] or row.key.coalition) for row in rows if row.state]


def only_one(coalitions: Sequence[Named]) -> str:
    """The slug of the only coalition, which nobody has to pick; "" where there are others, or none."""
    return coalitions[0].slug if len(coalitions) == 1 else ""


async def list_subjects(served: Services, coalition: str, family: str) -> list[Standing]:
    """The subjects of a family, each with its present states in a few words; those stated last come first."""
    point = Point(served.clock())
    values = {"coalition": coalition, "families": [family, "ceasefire"]}
    async with served.pool.connection() as connection:
        _, rows = await states_at(connection, point, Scope.FAMILIES, values, references=References.NONE)
    moment = moment_of(served, point.as_of, in_force((row.key, row.state) for row in rows))
    of_family = [row for row in rows if row.key.family == family and row.key.slug != _NAMES and row.state is not None]
    found: list[tuple[str, Standing]] = []
    for slug, alike in groupby(of_family, key=lambda row: row.key.slug):
        several = list(alike)
        told = [
            (row.key, describe(family, shape(row.key, row.state, row.references, row.rivals, moment)))
            for row in several
            if row.state is not None
        ]
        found.append((max(map(_last, several)), Standing(slug, _words(told))))
    return [standing for _, standing in sorted(found, key=lambda one: (one[0], one[1].slug), reverse=True)]


_NAMES = "registration"  # of a coalition: no statement is about it


def _last(row: StateRow) -> str:
    return str((row.state or {}).get("last_stated") or "")


def _words(told: list[tuple[SubjectKey, str]]) -> str:
    """Where the actors of one subject stand: those who stand alike together."""
    alike: dict[str, list[str]] = {}
    for key, words in told:
        alike.setdefault(words, []).append(shown_name(key.actor) if key.actor else "")
    parts = []
    for words, names in alike.items():
        shown = names[:_MOST_ACTORS] + ([f"{len(names) - _MOST_ACTORS} more"] if len(names) > _MOST_ACTORS else [])
        parts.append(f"{', '.join(shown)}: {words}" if any(names) else words)
    return "; ".join(parts)


async def words_of_named(served: Services, event_ids: Iterable[str]) -> dict[str, str]:
    """What statements that are named say, by their ids; what is none of ours is left out."""
    return {one.event_id: one.words for one in await list_entered(served, dict.fromkeys(event_ids))}


async def list_entered(served: Services, event_ids: Iterable[str]) -> list[Entered]:
    """Statements by their ids, in that order; what is none of ours is left out."""
    found = []
    async with served.pool.connection() as connection:
        for event_id in event_ids:
            event = await find_event(connection, event_id)
            effective = None if event is None else await find_effective(connection, event.position)
            if effective is not None:
                found.append(Entered(event_id, effective.content.get("summary", effective.event.kind)))
    return found
