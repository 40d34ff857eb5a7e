"""A judge that never finds anyone guilty is no judge: each bug that is put in on purpose must be found.

The same histories that pass with the real code are recorded with a mutant of it; the judge must object to one of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from service.database import OPEN
from service.domain import record, timeline
from service.domain.dates import TICK
from service.domain.decide import Revision
from service.domain.record import Effective
from service.domain.subject import Item, SubjectKey
from service.domain.timeline import Segment
from service.segments import query, revise
from service.segments.revise import Planes
from service.segments.storing import Unwritten
from tests.judging import Bench, bench, instants_of, judge, judge_answers, judge_queries
from tests.strategies import History, delivered, histories, note, one_by_one, pledged

RANDOM = 25  # histories beside the telling ones

TELLING = (
    one_by_one(pledged("2025-01-10", 5), pledged("2025-01-20", deadline="2025-06"), pledged("2025-01-15", 9)),
    one_by_one(delivered("2025-01-10", 5), delivered("2025-01-20", 3), delivered("2025-01-15", 9)),
    one_by_one(
        pledged("2025-01-10", 5),
        pledged("2025-01-20", 8),
        note("corrected", 1, changes={"subject": "air-policing"}),
    ),
    one_by_one(pledged("2025-01-10", 5), note("retracted", 0), note("reinstated", 0)),
    one_by_one(pledged("2025-01-10T12:00:00Z", 5), note("corrected", 0, changes={"body": {"firmness": "ready"}})),
    one_by_one(*(pledged("2025-01-10", count) for count in (1, 2, 3, 4))),
    one_by_one(
        delivered("2025-01-10", 5),
        delivered("2025-01-12", 5),
        note("duplicate", 1, original="#0"),
        note("disputed", 0, rivals=[{"event_id": "#1"}]),
    ),
    one_by_one(
        delivered("2025-01-10", 5),
        {**delivered("2025-01-12", 5), "sources": [{"title": "Another report"}]},
        note("duplicate", 1, original="#0"),
        note("reinstated", 1),
    ),
)


@cache
def some_histories() -> tuple[History, ...]:
    """The histories that all bugs are looked for in: the telling ones, and some at random, always the same."""
    found: list[History] = []

    @settings(
        max_examples=RANDOM, database=None, derandomize=True, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(histories())
    def collect(history: History) -> None:
        found.append(history)

    collect()
    return (*TELLING, *found)


def try_all(registry: Bench) -> None:
    """Records every history, and judges it; raises AssertionError at the first that is wrong."""
    for history in some_histories():
        ledger = registry.record(history)
        judge(registry, ledger)
        judge_answers(ledger)
        keys = sorted(ledger.known[ledger.head])
        instants = [at for at in instants_of(ledger, keys[-1]) if at.year > 2000][::7]
        judge_queries(registry, ledger, [(at, known) for at in instants for known in (None, ledger.positions[0])])


# --- the bugs ---------------------------------------------------------------------------------------------------------

refold = Planes.refold
_close = Unwritten.close
_fold = timeline.fold
_next = timeline._next
_weigh = record.weigh
_reinstate = record.reinstate


def _without_what_came_after(planes: Planes, revisions: Sequence[Revision], *, at: int) -> revise.Touches:
    """A late statement holds from its day on, for ever: nothing that came after it is folded again."""
    for before, after in revisions:
        planes._move(before, after, at)
    touched = revise.touches(revisions)
    new = {after.position for _, after in revisions}
    for key, since in touched.items():
        plane = planes._planes[key]
        everything = plane.items
        plane.items = [one for one in everything if one.position in new]
        refold(planes, key, since, at)
        plane.items = everything
    return touched


def _only_where_it_is_now(revisions: Sequence[Revision]) -> revise.Touches:
    """The subject that a statement was moved away from is forgotten."""
    earliest: revise.Touches = {}
    for _, after in revisions:
        for key in after.keys:
            earliest[key] = min(after.bounds.earliest, earliest.get(key, after.bounds.earliest))
    return earliest


def _closed_elsewhere(changes: Unwritten, subject_id: int, live: Any, at: int, *, off: int) -> None:
    """What is superseded ends one position too late, or too early."""
    _close(changes, subject_id, live, at + off)


def _not_reinstated(before: Effective, _: Effective | None, *, at: int) -> tuple[Effective, ...]:
    """A reinstatement is recorded and changes nothing."""
    return (replace(before, revision=at),)


def _reinstated_alone(before: Effective, original: Effective | None, *, at: int) -> tuple[Effective, ...]:
    """What is no duplicate any more still lends its sources to what it duplicated."""
    return _reinstate(before, original, at=at)[:1]


def _recording_order(item: Item) -> tuple[datetime, datetime, int]:
    """Of statements of one moment the one that was recorded last has the last word."""
    return (item.bounds.latest, item.bounds.earliest, item.position)


def _from_the_touched_moment_itself(planes: Planes, key: SubjectKey, since: datetime, at: int) -> None:
    """What holds just before is looked for up to the moment that is touched, instead of before it."""
    refold(planes, key, since + TICK, at)


def _from_nothing_before(family: Any, items: Any, opening: Segment | None = None, *_: Any) -> list[Segment]:
    """What held before is forgotten when a fold goes on from it."""
    return _fold(family, items, None if opening is None else replace(opening, state=None, held=None))


def _time_stands_still(edges: Any, family: Any, states: Any, at: Any) -> Any:
    """Time alone changes nothing."""
    return _next(edges, family, (), at)


def _twice(statement: Effective, others: Any) -> Effective:
    """A duplicate counts beside its original."""
    return replace(_weigh(statement, others), suppressed=False)


Seed = Callable[[pytest.MonkeyPatch], None]
SEEDS: dict[str, Seed] = {
    "what came after a late statement is not folded again": lambda patch: patch.setattr(
        Planes, "revise", _without_what_came_after
    ),
    "the subject that a correction moved away from is forgotten": lambda patch: patch.setattr(
        revise, "touches", _only_where_it_is_now
    ),
    "what is superseded ends one position too late": lambda patch: patch.setattr(
        Unwritten, "close", lambda *given: _closed_elsewhere(*given, off=1)
    ),
    "what is superseded ends one position too early": lambda patch: patch.setattr(
        Unwritten, "close", lambda *given: _closed_elsewhere(*given, off=-1)
    ),
    "a reinstatement is ignored": lambda patch: patch.setattr(record, "reinstate", _not_reinstated),
    "what was reinstated still counts for what it duplicated": lambda patch: patch.setattr(
        record, "reinstate", _reinstated_alone
    ),
    "equal moments are ordered by recording": lambda patch: patch.setattr(Item, "order", property(_recording_order)),
    "what holds before a moment includes the moment": lambda patch: patch.setattr(
        Planes, "refold", _from_the_touched_moment_itself
    ),
    "what no longer holds is not closed": lambda patch: patch.setattr(Unwritten, "close", lambda *_: None),
    "what held before is forgotten": lambda patch: patch.setattr(revise, "fold", _from_nothing_before),
    "time alone changes nothing": lambda patch: patch.setattr(timeline, "_next", _time_stands_still),
    "a duplicate counts beside its original": lambda patch: patch.setattr(record, "weigh", _twice),
    "what was superseded is found when one asks what is known now": lambda patch: patch.setattr(
        query, "_SQL", {which: sql.replace(f"g.known_to = {OPEN}", "true") for which, sql in query._SQL.items()}
    ),
    "as known then is answered as known now": lambda patch: patch.setattr(
        query,
        "_SQL",
        {which: sql.replace("g.known_from <= %(known)s AND", "") for which, sql in query._SQL.items()},
    ),
}


@pytest.mark.parametrize("bug", SEEDS)
def test_a_bug_that_is_put_in_on_purpose_is_found(database: str, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    SEEDS[bug](monkeypatch)
    with bench(database) as registry, pytest.raises(AssertionError):
        try_all(registry)


def test_without_any_bug_the_same_histories_pass(database: str) -> None:
    with bench(database) as registry:
        try_all(registry)
