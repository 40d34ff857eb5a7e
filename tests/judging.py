"""Records histories in a real registry, and judges what the registry makes of them by the oracle."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
import psycopg

from service.database import OPEN, Pool
from service.domain.coalition import CoalitionRegistered
from service.domain.dates import BEGINNING, END, TICK, parse_edtf
from service.domain.errors import RegistryError
from service.domain.kinds import FAMILIES
from service.domain.subject import SubjectKey
from service.log.codec import Entry, prepare
from service.record import Recorder
from service.segments.history import Rectangle, list_states_of
from service.segments.query import Point, References, Scope, basis_at, states_at
from service.submission import Recorded, Submission
from tests.oracle import NOTHING, Answer, Deed, Json, Logged, answer_at, known_at
from tests.registry import recording
from tests.strategies import History, bound

LAST = END - TICK
Known = Mapping[SubjectKey, list[Deed]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A segment as stored, with its three bounds: it holds until the next begins."""

    key: SubjectKey
    valid_from: datetime
    known_from: int
    known_to: int
    state: Json | None
    causes: list[Json]
    possible: list[Json]
    rivals: list[Json]

    def at(self, position: int) -> bool:
        """Whether it is known at a position."""
        return self.known_from <= position < self.known_to

    def says(self) -> tuple[Any, ...]:
        """What holds during it."""
        return (self.state, self.possible, self.rivals)


class Submitted(NamedTuple):
    """A request that was accepted: at which position it ended, and what it was answered."""

    position: int
    recorded: Recorded


@dataclass(frozen=True)
class Ledger:
    """A history as recorded: what the log holds of it."""

    coalition: str
    ids: Sequence[str]
    log: Sequence[Logged]
    submitted: Sequence[Submitted]

    @property
    def head(self) -> int:
        """The position of its last event."""
        return self.log[-1].position

    @property
    def positions(self) -> range:
        """Every position from its first event to its last."""
        return range(self.log[0].position, self.head + 1)

    @cached_property
    def known(self) -> dict[int, Known]:
        """What the oracle knows at each position."""
        return {position: known_at(self.log, position) for position in self.positions}

    @property
    def accepted(self) -> set[str]:
        """The ids of the events that were recorded."""
        return {logged.event_id for logged in self.log}

    def answer(self, key: SubjectKey, at: datetime, position: int) -> Answer:
        """What the oracle says of a subject at a point."""
        return answer_at(key, self.known[position].get(key, []), at)


class Bench:
    """A registry without doors, in which histories are recorded, each in a coalition of its own."""

    def __init__(self, runner: asyncio.Runner, pool: Pool, recorder: Recorder, reader: psycopg.Connection[Any]) -> None:
        self._runner, self._recorder, self._reader = runner, recorder, reader
        self.pool = pool
        self._coalitions = 0

    def run(self, work: Any) -> Any:
        """Runs a coroutine to its end."""
        return self._runner.run(work)

    def record(
        self, history: History, *, coalition: str | None = None, batches: list[list[list[int]]] | None = None
    ) -> Ledger:
        """Records a history in a fresh coalition; what is refused is left out."""
        self._coalitions += 1
        slug = coalition or f"coalition-{self._coalitions}"
        number = int(slug.rpartition("-")[2])
        ids = [f"{number:08x}-0000-7000-8000-{index:012x}" for index in range(len(history.contents))]
        registered = CoalitionRegistered(kind="coalition.registered", coalition=slug, name=slug.title())
        first = prepare(registered, event_id=f"{number:08x}-0000-7000-9000-{0:012x}", salt=bytes(32))
        submitted = self._submit([(first,)])
        ledger = Ledger(slug, ids, _logged(submitted), submitted)
        return self.go_on(ledger, history, history.batches() if batches is None else batches)

    def go_on(self, ledger: Ledger, history: History, batches: list[list[list[int]]]) -> Ledger:
        """Records more of a history after what is already recorded of it."""
        submitted = list(ledger.submitted)
        for moment in batches:
            requests = [
                tuple(bound(history, one, ledger.coalition, ledger.ids) for one in request) for request in moment
            ]
            submitted += self._submit(requests)
        return Ledger(ledger.coalition, ledger.ids, _logged(submitted), submitted)

    def _submit(self, requests: Sequence[tuple[Entry, ...]]) -> list[Submitted]:
        """Submits requests at one moment, so that they are recorded in one transaction."""
        return sorted(
            (one for one in self._runner.run(_submit_all(self._recorder, requests)) if one is not None),
            key=lambda one: one.position,
        )

    def history(self, key: SubjectKey, known: int) -> list[Rectangle]:
        """What the registry tells of one actor's subject as known at a position."""
        return [one for one in self.run(_ask_history(self.pool, key, known)) if one.key == key]

    def segments(self, coalition: str) -> dict[SubjectKey, list[Stored]]:
        """All segments of a coalition, by subject, as stored."""
        found: dict[SubjectKey, list[Stored]] = defaultdict(list)
        for family, slug, actor, *bounds, state, causes, possible, rivals in self._reader.execute(
            _SEGMENTS, (coalition,)
        ):
            key = SubjectKey(coalition, family, slug, actor)
            read = [None if one is None else orjson.loads(one) for one in (state, causes, possible, rivals)]
            found[key].append(Stored(key, *bounds, *read))
        return dict(found)


_SEGMENTS = """
SELECT s.family, s.slug, s.actor, g.valid_from, g.known_from, g.known_to,
       g.state::text, g.causes::text, g.possible::text, g.rivals::text
FROM subject s JOIN segment g ON g.subject_id = s.id WHERE s.coalition = %s
ORDER BY g.valid_from, g.known_from
"""


@contextmanager
def bench(url: str) -> Iterator[Bench]:
    """A bench over a database."""
    with asyncio.Runner() as runner, psycopg.connect(url, autocommit=True) as reader:
        reader.execute("SET TIME ZONE 'UTC'")
        stack = AsyncExitStack()
        pool, recorder = runner.run(stack.enter_async_context(recording(url)))
        try:
            yield Bench(runner, pool, recorder, reader)
        finally:
            runner.run(stack.aclose())


async def _submit_all(recorder: Recorder, requests: Sequence[tuple[Entry, ...]]) -> list[Submitted | None]:
    return await asyncio.gather(*(_submit(recorder, request) for request in requests))


async def _submit(recorder: Recorder, entries: tuple[Entry, ...]) -> Submitted | None:
    kept: list[Recorded] = []

    def render(recorded: Recorded) -> bytes:
        kept.append(recorded)
        return b"{}"

    try:
        await recorder.record(Submission(entries=entries, recorded_by="tester", render=render))
    except RegistryError:
        return None
    except Exception as error:
        raise AssertionError(f"what may be recorded was not: {error!r}") from error
    return Submitted(kept[-1].events[-1].position, kept[-1])


def _logged(submitted: Iterable[Submitted]) -> list[Logged]:
    return [
        Logged(one.position, one.entry.event_id, orjson.loads(one.entry.body))
        for _, recorded in submitted
        for one in recorded.events
    ]


def rows_of(url: str) -> dict[str, list[Any]]:
    """All that is computed, on all bounds, without the numbers of subjects, which only the database gives."""
    named = "s.coalition, s.family, s.slug, s.actor"
    asked = {
        "subject": f"SELECT {named} FROM subject s",
        "statement": "SELECT t::text FROM statement t",
        "subject_statement": f"SELECT {named}, m.position, m.latest, m.current, m.known_from "
        "FROM subject_statement m JOIN subject s ON s.id = m.subject_id",
        "segment": f"SELECT {named}, (to_jsonb(g) - 'subject_id')::text, g.state::text, g.causes::text "
        "FROM segment g JOIN subject s ON s.id = g.subject_id",
    }
    with psycopg.connect(url) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        return {table: sorted(connection.execute(sql.encode()).fetchall(), key=repr) for table, sql in asked.items()}


# --- judging ----------------------------------------------------------------------------------------------------------


def judge(registry: Bench, ledger: Ledger) -> None:
    """Holds everything that is stored of a history to the oracle, at every point of both axes."""
    segments = registry.segments(ledger.coalition)
    judge_shape(ledger, segments)
    judge_states(ledger, segments)


def judge_states(ledger: Ledger, segments: Mapping[SubjectKey, list[Stored]]) -> None:
    """Segments say what a naive fold says: of every subject, at every instant that matters, at every position."""
    for key in _subjects(ledger, segments):
        stored = segments.get(key, [])
        instants = instants_of(ledger, key, stored)
        before: tuple[list[Deed], list[Stored]] | None = None
        for position in ledger.positions:
            deeds = ledger.known[position].get(key, [])
            standing = [one for one in stored if one.at(position)]
            if before is None or before[0] != deeds or before[1] != standing:
                for at in instants:
                    expected, found = answer_at(key, deeds, at), found_at(standing, at)
                    assert found == expected, f"{key} at {at} as known at {position}:\n{found}\nis not\n{expected}"
            before = (deeds, standing)


def judge_shape(ledger: Ledger, segments: Mapping[SubjectKey, list[Stored]]) -> None:
    """No two states of a subject begin at one point; none is split for nothing, on neither axis."""
    for key, stored in segments.items():
        for position in ledger.positions:
            standing = [one for one in stored if one.at(position)]
            for one, following in pairwise(standing):
                assert one.valid_from < following.valid_from, f"{key} as known at {position}: {one} then {following}"
                assert one.says() != following.says() or following.causes, f"{key}: {one} is split for nothing"
        for one, again in pairwise(sorted(stored, key=lambda one: (one.valid_from, one.known_from))):
            runs_on = one.valid_from == again.valid_from and one.known_to == again.known_from
            same = (one.says(), one.causes) == (again.says(), again.causes)
            assert not (runs_on and same), f"{key}: {one} was closed for nothing"


def judge_history(registry: Bench, ledger: Ledger, segments: Mapping[SubjectKey, list[Stored]]) -> None:
    """A subject's history covers each point of both axes once, with the state that is stored for it."""
    for key, stored in segments.items():
        for known in (ledger.head, ledger.positions[len(ledger.positions) // 2]):
            told = registry.history(key, known)
            for position in (one for one in ledger.positions if one <= known):
                standing = [one for one in stored if one.at(position)]
                covering = [
                    one
                    for one in told
                    if one.known_from <= position and (one.known_to is None or position < one.known_to)
                ]
                covering.sort(key=lambda one: one.valid_from)
                assert [one.valid_from for one in covering] == [one.valid_from for one in standing]
                assert [one.state and orjson.loads(one.state) for one in covering] == [one.state for one in standing]
                ends = [*(one.valid_from for one in standing[1:]), None] if standing else []
                assert [one.valid_to for one in covering] == ends, f"{key} as known at {position}"


def judge_answers(ledger: Ledger) -> None:
    """Each request was answered with the states that its subjects had once it was recorded."""
    for position, recorded in ledger.submitted:
        for row in recorded.states:
            found = Answer(row.state, row.possible, row.rivals, row.references)
            assert found == ledger.answer(row.key, recorded.at, position), f"{row.key} as answered at {position}"


def judge_queries(registry: Bench, ledger: Ledger, points: Iterable[tuple[datetime, int | None]]) -> None:
    """What is asked of the database is what the oracle says, for a whole coalition at a point."""
    for at, position in points:
        found = registry.run(_ask(registry.pool, Point(at, position), ledger.coalition))
        known = ledger.head if position is None else position
        expected = {key: ledger.answer(key, at, known) for key in ledger.known[known]}
        assert found == {key: one for key, one in expected.items() if one != NOTHING}, f"at {at} as known at {known}"


async def _ask_history(pool: Pool, key: SubjectKey, known: int) -> list[Rectangle]:
    async with pool.connection() as connection:
        return await list_states_of(connection, await basis_at(connection, Point(LAST, known)), key)


async def _ask(pool: Pool, point: Point, coalition: str) -> dict[SubjectKey, Answer]:
    async with pool.connection() as connection:
        values = {"coalition": coalition}
        _, rows = await states_at(connection, point, Scope.COALITION, values, references=References.ALL)
    found = {row.key: Answer(row.state, row.possible, row.rivals, row.references) for row in rows}
    return {key: one for key, one in found.items() if one != NOTHING}


def found_at(standing: Sequence[Stored], at: datetime) -> Answer:
    """What segments, in the order of valid time and all known at one position, say of an instant."""
    begun = [one for one in standing if one.valid_from <= at]
    if not begun:
        return NOTHING
    references = [cause for one in begun for cause in one.causes]
    return Answer(begun[-1].state, begun[-1].possible, begun[-1].rivals, references)


def _subjects(ledger: Ledger, segments: Mapping[SubjectKey, list[Stored]]) -> list[SubjectKey]:
    return sorted({key for known in ledger.known.values() for key in known} | set(segments))


def instants_of(ledger: Ledger, key: SubjectKey, stored: Sequence[Stored] = ()) -> list[datetime]:
    """The instants that matter to a subject: each bound, the microseconds beside it, and the middles between them."""
    deeds = [deed for known in ledger.known.values() for deed in known.get(key, [])]
    bounds = {edge for deed in deeds for edge in deed.item.bounds}
    bounds |= {one.valid_from for one in stored}
    bounds |= {moment for deed in deeds for moment in _by_itself(key, deed)}
    near = {edge + step for edge in bounds for step in (-TICK, timedelta(0), TICK) if BEGINNING < edge < LAST}
    ordered = sorted(near | ({BEGINNING, LAST} & bounds) | {LAST})
    middles = [one + (other - one) / 2 for one, other in pairwise(ordered)]
    return sorted({*ordered, *middles})


def _by_itself(key: SubjectKey, deed: Deed) -> Iterator[datetime]:
    """The instants at which time alone may change something, as far as one statement tells."""
    family = FAMILIES[key.family]
    yield from (moment for moment in family.expiries(family.step(family.state(), deed.item)) if moment < END)
    body = getattr(deed.item.event, "body", None)
    days = getattr(body, "duration_days", None)
    yield from (edge + timedelta(days=days) for edge in _edges(("2025-01", *_EFFECTS)) if days)


_EFFECTS = ("2025-01-10", "2025-01-15", "2025-01-20", "2025-02-01")


def _edges(dates: Iterable[str]) -> Iterator[datetime]:
    return (parse_edtf(one).latest for one in dates)


def as_told(segments: Mapping[SubjectKey, list[Stored]], *, known_now: bool = False, base: int = 0) -> list[Any]:
    """Segments without the positions that depend on where in the log a history stands; or only those known now."""
    told: list[Any] = []
    for key in sorted(segments):
        for one in segments[key]:
            if known_now and one.known_to != OPEN:
                continue
            bounds = (
                None if known_now else (one.known_from - base, one.known_to - (base if one.known_to != OPEN else 0))
            )
            shown = [_placed(named, known_now=known_now, base=base) for named in (one.causes, one.possible, one.rivals)]
            told.append((key, one.valid_from, bounds, one.state, *shown))
    return told


def _placed(named: Sequence[Json], *, known_now: bool, base: int) -> list[Json]:
    return [{**one, "position": None if known_now else one["position"] - base} for one in named]
