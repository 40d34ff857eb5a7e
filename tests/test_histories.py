"""The states are right at every point of both axes, whatever is recorded and in whatever order.

Properties over random histories, judged by an oracle that shares no code with the fold (`tests.oracle`), and the cases
that are worth telling one by one.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.answers import Moment, in_force, shape
from service.domain.changes import Difference
from service.domain.dates import parse_as_of, render_instant
from service.domain.subject import SubjectKey
from service.domain.timeline import MOST_REFERENCES
from service.main import create_app
from service.segments import rebuild
from service.segments.query import Point
from service.segments.timeline import list_changes
from tests.conftest import fresh_database
from tests.folding import STALE_AFTER_DAYS
from tests.judging import (
    Bench,
    Ledger,
    as_told,
    bench,
    instants_of,
    judge,
    judge_answers,
    judge_history,
    judge_queries,
    judge_shape,
)
from tests.oracle import Answer, Json
from tests.profiles import histories as so_many
from tests.registry import client_of, settings_for
from tests.strategies import History, dates, delivered, histories, named_in, note, one_by_one, pledged, said

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def registry(database: str) -> Iterator[Bench]:
    """A registry without doors."""
    with bench(database) as opened:
        yield opened


class Benches(NamedTuple):
    """Registries that are equal at the start."""

    one: Bench
    other: Bench
    third: Bench


@pytest.fixture
def registries(server_url: str, template: str) -> Iterator[Benches]:
    """Several registries, to record the same in each in another way."""
    with ExitStack() as stack:
        urls = [stack.enter_context(fresh_database(server_url, template)) for _ in Benches._fields]
        yield Benches(*(stack.enter_context(bench(url)) for url in urls))


# --- segments and the oracle ------------------------------------------------------------------------------------------


def test_at_every_point_of_both_axes_the_segments_say_what_a_fold_from_nothing_says(registry: Bench) -> None:
    @so_many(110)
    @given(histories())
    def holds(history: History) -> None:
        judge(registry, registry.record(history))

    holds()


def test_what_is_asked_of_the_database_is_what_a_fold_from_nothing_says(registry: Bench) -> None:
    @so_many(40)
    @given(histories(), st.data())
    def holds(history: History, data: st.DataObject) -> None:
        ledger = registry.record(history)
        asked = st.tuples(st.sampled_from(_instants(ledger)), st.one_of(st.none(), st.sampled_from(ledger.positions)))
        judge_queries(registry, ledger, data.draw(st.lists(asked, min_size=8, max_size=12)))

    holds()


def test_a_request_is_answered_with_the_states_that_a_later_question_finds(registry: Bench) -> None:
    @so_many(40)
    @given(histories())
    def holds(history: History) -> None:
        judge_answers(registry.record(history))

    holds()


def test_no_two_states_of_a_subject_begin_at_one_point_and_none_is_split_for_nothing(registry: Bench) -> None:
    @so_many(50)
    @given(histories())
    def holds(history: History) -> None:
        ledger = registry.record(history)
        judge_shape(ledger, registry.segments(ledger.coalition))

    holds()


def test_a_history_covers_each_point_of_both_axes_once_with_the_state_of_that_point(registry: Bench) -> None:
    @so_many(25)
    @given(histories())
    def holds(history: History) -> None:
        ledger = registry.record(history)
        judge_history(registry, ledger, registry.segments(ledger.coalition))

    holds()


# --- recording the same in other ways ---------------------------------------------------------------------------------


def test_the_log_replayed_one_by_one_or_all_at_once_gives_the_same_segments_on_all_bounds(
    registries: Benches,
) -> None:
    @so_many(30)
    @given(histories())
    def holds(history: History) -> None:
        ledger = registries.one.record(history)
        order = [ledger.ids.index(logged.event_id) for logged in ledger.log[1:]]
        for again, batches in (
            (registries.other, [[[index]] for index in order]),
            (registries.third, [[order]]),
        ):
            replayed = again.record(history, coalition=ledger.coalition, batches=batches)
            assert _stored(again, replayed) == _stored(registries.one, ledger)

    holds()


def test_a_rebuild_computes_exactly_what_was_computed_as_it_was_recorded(database: str) -> None:
    with bench(database) as registry:

        @so_many(60)
        @given(histories())
        def recorded(history: History) -> None:
            registry.record(history)

        recorded()
    assert asyncio.run(rebuild.verify(database)) == []


def test_no_order_of_recording_changes_the_final_state(registries: Benches) -> None:
    @so_many(60)
    @given(histories(), st.data())
    def holds(history: History, data: st.DataObject) -> None:
        weights = data.draw(st.lists(st.integers(0, 99), min_size=len(history.cuts), max_size=len(history.cuts)))
        ledger = registries.one.record(history, batches=[[[index]] for index in range(len(history.cuts))])
        batches = [[[index]] for index in _reordered(history, weights)]
        other = registries.other.record(history, coalition=ledger.coalition, batches=batches)
        assert other.accepted == ledger.accepted
        assert _final(registries.other, other) == _final(registries.one, ledger)

    holds()


def _reordered(history: History, weights: Sequence[int]) -> list[int]:
    """The events in another order: statements as they come, each note after what it names and after earlier notes."""
    waiting = list(range(len(history.contents)))
    order: list[int] = []
    while waiting:
        notes = [index for index in waiting if _is_note(history, index)]
        ready = [
            index
            for index in waiting
            if not _is_note(history, index)
            or (index == notes[0] and named_in(history.contents[index]).isdisjoint(waiting))
        ]
        order.append(min(ready, key=lambda index: (weights[index], index)))
        waiting.remove(order[-1])
    return order


def _is_note(history: History, index: int) -> bool:
    return str(history.contents[index]["kind"]).startswith("record.")


def _stored(registry: Bench, ledger: Ledger) -> list[Any]:
    """All segments, with positions counted from the history's start."""
    return as_told(registry.segments(ledger.coalition), base=ledger.log[0].position)


def _final(registry: Bench, ledger: Ledger) -> list[Any]:
    """The segments known now, without any position."""
    return as_told(registry.segments(ledger.coalition), known_now=True)


# --- what changes nothing ---------------------------------------------------------------------------------------------


def test_a_retraction_that_is_taken_back_leaves_the_states_as_they_were(registry: Bench) -> None:
    @so_many(30)
    @given(histories(), st.data())
    def holds(history: History, data: st.DataObject) -> None:
        ledger = registry.record(history)
        before = _final(registry, ledger)
        for target in _drawn(data, _standing(history, ledger)):
            there = {"kind": "record.retracted", "target": f"#{target}", "reason": "entry_error"}
            back = {"kind": "record.reinstated", "target": f"#{target}", "reason": "other"}
            _note(registry, ledger, history, there, back)
            assert _final(registry, ledger) == before

    holds()


def test_a_correction_there_and_back_leaves_the_states_as_they_were(registry: Bench) -> None:
    @so_many(30)
    @given(histories(), dates(), st.data())
    def holds(history: History, date: str, data: st.DataObject) -> None:
        ledger = registry.record(history)
        before = _final(registry, ledger)
        for target in _drawn(data, _standing(history, ledger)):
            said = _said(ledger, target)
            there = {"subject": "elsewhere", "occurred": {"edtf": date}}
            back = {"subject": said["subject"], "occurred": {"edtf": said["occurred"]["edtf"]}}
            if date != said["occurred"]["edtf"]:
                _note(registry, ledger, history, _correction(target, there), _correction(target, back))
                assert _final(registry, ledger) == before

    holds()


def test_a_statement_told_twice_changes_only_how_many_sources_there_are(registry: Bench) -> None:
    @so_many(30)
    @given(histories(), st.data())
    def holds(history: History, data: st.DataObject) -> None:
        ledger = registry.record(history)
        before = _final(registry, ledger)
        for target in _drawn(data, _originals(history, ledger)):
            twin = {**_said(ledger, target), "sources": [{"title": "Yet another paper"}]}
            del twin["coalition"]
            told = {"kind": "record.duplicate", "target": f"#{len(history.contents)}", "original": f"#{target}"}
            _note(registry, ledger, history, twin, told)
            assert _without_origins(_final(registry, ledger)) == _without_origins(before)

    holds()


def _drawn(data: st.DataObject, statements: Sequence[int]) -> list[int]:
    """One of the statements, or none where there is none."""
    return [data.draw(st.sampled_from(statements))] if statements else []


def _note(registry: Bench, ledger: Ledger, history: History, *contents: Json) -> None:
    """Records more after a history, each by itself, and all of it must be accepted."""
    first = len(history.contents)
    longer = History((*history.contents, *contents), (*history.cuts, *[2] * len(contents)))
    number = ledger.ids[0].partition("-")[0] if ledger.ids else "0"
    ids = [*ledger.ids, *(f"{number}-0000-7000-8000-{first + index:012x}" for index in range(len(contents)))]
    more = Ledger(ledger.coalition, ids, ledger.log, ledger.submitted)
    after = registry.go_on(more, longer, [[[first + index]] for index in range(len(contents))])
    assert len(after.log) == len(ledger.log) + len(contents)


def _correction(target: int, changes: Json) -> Json:
    return {"kind": "record.corrected", "target": f"#{target}", "changes": changes, "reason": "entry_error"}


def _said(ledger: Ledger, index: int) -> Json:
    """What a statement is taken to say now."""
    deeds = (deed for found in ledger.known[ledger.head].values() for deed in found)
    content: Json = next(deed.item.event.content() for deed in deeds if deed.item.event_id == ledger.ids[index])
    return content


def _standing(history: History, ledger: Ledger) -> list[int]:
    """The statements that count now."""
    counted = {deed.item.event_id for found in ledger.known[ledger.head].values() for deed in found if deed.item.counts}
    return [index for index, _ in enumerate(history.contents) if ledger.ids[index] in counted]


def _originals(history: History, ledger: Ledger) -> list[int]:
    """The statements that count now and are nobody's duplicate."""
    twins = {logged.content["target"] for logged in ledger.log if logged.content["kind"] == "record.duplicate"}
    return [index for index in _standing(history, ledger) if ledger.ids[index] not in twins]


def _without_origins(told: list[Any]) -> list[Any]:
    return [(*one[:4], [{**cause, "origins": None} for cause in one[4]], *one[5:]) for one in told]


# --- what was answered stays answered ---------------------------------------------------------------------------------

QUESTIONS = (
    "/v1/coalitions",
    "/v1/coalitions/{coalition}",
    "/v1/coalitions/{coalition}/status",
    "/v1/coalitions/{coalition}/commitments?min_firmness=announced",
    "/v1/coalitions/{coalition}/pledges?limit=2",
    "/v1/coalitions/{coalition}/positions",
    "/v1/coalitions/{coalition}/warnings",
    "/v1/coalitions/{coalition}/meetings",
    "/v1/coalitions/{coalition}/ceasefires",
    "/v1/coalitions/{coalition}/timeline?limit=3",
    "/v1/countries/GB/commitments",
    "/v1/countries/FR/commitments?coalition={coalition}",
    "/v1/subjects/{coalition}/pledge/ground-troops",
    "/v1/subjects/{coalition}/pledge/ground-troops/history",
    "/v1/subjects/{coalition}/ceasefire/truce/history",
)


def test_an_old_basis_answers_the_same_bytes_whatever_is_recorded_since(database: str, registry: Bench) -> None:
    kept: dict[str, tuple[int, bytes]] = {}
    with _reading(database) as client:

        @so_many(25)
        @given(histories(most=15), st.sampled_from(["2025-01-15", "2025-02-01T00:00:00Z", "2026-06-01"]))
        def pinned(history: History, as_of: str) -> None:
            batches = history.batches()
            half = len(batches) // 2
            ledger = registry.record(history, batches=batches[:half])
            for position in {ledger.log[0].position, ledger.head}:
                for address in _pinned(ledger, as_of, position):
                    asked = client.get(address)
                    kept[address] = (asked.status_code, asked.content)
            registry.go_on(ledger, history, batches[half:])

        pinned()
    with _reading(database) as afresh:
        for address, answered in kept.items():
            again = afresh.get(address)
            assert (again.status_code, again.content) == answered, address


def _pinned(ledger: Ledger, as_of: str, position: int) -> Iterator[str]:
    for question in QUESTIONS:
        address = question.format(coalition=ledger.coalition)
        yield f"{address}{'&' if '?' in address else '?'}as_of={as_of}&known_position={position}"
    span = f"from=2025-01-10&to={as_of}&from_position={ledger.log[0].position}&to_position={position}"
    yield f"/v1/coalitions/{ledger.coalition}/changes?{span}"


def test_an_answer_as_of_now_is_the_answer_of_now(database: str, registry: Bench) -> None:
    with _reading(database) as client:

        @so_many(15)
        @given(histories(most=15))
        def holds(history: History) -> None:
            ledger = registry.record(history)
            recorded_at = render_instant(ledger.submitted[-1].recorded.events[-1].recorded_at)
            now = render_instant(NOW)
            for question in QUESTIONS:
                address = question.format(coalition=ledger.coalition)
                answered = client.get(address)
                for same in (
                    f"as_of={now}",
                    f"known_position={ledger.head}",
                    f"known_at={recorded_at}",
                    f"as_of={now}&known_position={ledger.head}",
                ):
                    again = client.get(f"{address}{'&' if '?' in address else '?'}{same}")
                    assert again.status_code == answered.status_code, again.text
                    assert again.content == answered.content, same

        holds()


def _reading(url: str) -> Any:
    """A reader of a registry that was just started, at a fixed hour."""
    return client_of(create_app(settings_for(url), clock=lambda: NOW), token=None)


# --- differences ------------------------------------------------------------------------------------------------------


def test_a_difference_agrees_with_the_states_at_its_corners_and_names_its_causes(registry: Bench) -> None:
    @so_many(40)
    @given(histories(), st.data())
    def holds(history: History, data: st.DataObject) -> None:
        ledger = registry.record(history)
        instants = data.draw(st.lists(st.sampled_from(_instants(ledger)), min_size=2, max_size=2))
        positions = data.draw(st.lists(st.sampled_from(ledger.positions), min_size=2, max_size=2))
        _judge_changes(registry, ledger, sorted(instants), sorted(positions))

    holds()


def _judge_changes(registry: Bench, ledger: Ledger, instants: Sequence[datetime], positions: Sequence[int]) -> None:
    (first, last), (early, late) = instants, positions
    rows = _changes(registry, ledger, Point(first, early), Point(last, late))
    start, corner, end = (_shown(ledger, *point) for point in ((first, early), (first, late), (last, late)))
    expected: dict[tuple[SubjectKey, str], tuple[Json | None, Json | None]] = {}
    for key in {*start, *corner, *end}:
        for because, before, after in (("learned", start, corner), ("moved", corner, end)):
            pair = (before.get(key), after.get(key))
            if _ageless(pair[0]) != _ageless(pair[1]):
                expected[key, because] = pair
    assert {(row.key, row.because): (row.before, row.after) for row in rows} == expected
    for row in rows:
        causes = {cause["event_id"] for cause in row.causes}
        if row.because == "learned":
            between = {logged.event_id for logged in ledger.log if early < logged.position <= late}
            assert causes, f"{row.key} was learned from nothing"
            assert causes <= between, f"{row.key} was learned from what is recorded at another time"
        else:
            happened = _happened(ledger, row.key, late, first, last)
            assert happened <= causes, f"{row.key} moved by what happened between, or by time alone"
            truces = [key for key in ledger.known[late] if key.family == "ceasefire"]
            assert causes - happened <= {one for key in truces for one in _happened(ledger, key, late, first, last)}
    assert _changes(registry, ledger, Point(first, late), Point(first, late)) == []


def _shown(ledger: Ledger, at: datetime, position: int) -> dict[SubjectKey, Json]:
    """What an answer about the whole coalition says of each subject, by the oracle."""
    found = {key: ledger.answer(key, at, position) for key in ledger.known[position]}
    moment = Moment(at, STALE_AFTER_DAYS, in_force((key, one.state) for key, one in found.items()))
    return {
        key: shape(key, one.state, one.references[-MOST_REFERENCES:], one.rivals, moment)
        for key, one in found.items()
        if one.state is not None
    }


def _ageless(shown: Json | None) -> Json | None:
    return shown and {name: value for name, value in shown.items() if name not in ("age_days", "stale")}


def _happened(ledger: Ledger, key: SubjectKey, position: int, first: datetime, last: datetime) -> set[str]:
    deeds = ledger.known[position].get(key, [])
    return {d.item.event_id for d in deeds if d.item.counts and first < d.item.bounds.latest <= last}


def _changes(registry: Bench, ledger: Ledger, start: Point, end: Point) -> list[Difference]:
    async def ask() -> list[Difference]:
        async with registry.pool.connection() as connection:
            stale = STALE_AFTER_DAYS
            return (await list_changes(connection, ledger.coalition, start, end, stale_after_days=stale)).rows

    found: list[Difference] = registry.run(ask())
    return found


def _instants(ledger: Ledger) -> list[datetime]:
    """The instants that matter to any subject of a history, save those before all dates."""
    keys = sorted({key for known in ledger.known.values() for key in known})
    return sorted({at for key in keys for at in instants_of(ledger, key) if at.year > 2000})


# --- cases worth telling ----------------------------------------------------------------------------------------------

TROOPS = "pledge/ground-troops/GB"


class Told:
    """A history as told, and its states as found in the database."""

    def __init__(self, registry: Bench, *contents: Json) -> None:
        self._registry = registry
        self.ledger = registry.record(one_by_one(*contents))
        assert len(self.ledger.log) == len(contents) + 1, "all of it is accepted"
        judge(registry, self.ledger)
        judge_answers(self.ledger)

    def answer(self, day: str, known: int | None = None, subject: str = TROOPS) -> Answer:
        """What is found of a subject as of a day, as known once so many events of the history were recorded."""
        at = parse_as_of(day)
        position = self.ledger.log[-1 if known is None else known].position
        judge_queries(self._registry, self.ledger, [(at, position)])
        return self.ledger.answer(SubjectKey(self.ledger.coalition, *subject.split("/")), at, position)

    def state(self, day: str, known: int | None = None, subject: str = TROOPS) -> Any:
        """The state alone."""
        return self.answer(day, known, subject).state

    def soldiers(self, day: str, known: int | None = None, subject: str = TROOPS) -> Any:
        """How many are pledged."""
        state = self.state(day, known, subject)
        return state and state["quantity"] and state["quantity"]["max"]

    def arrived(self, day: str, known: int | None = None) -> Any:
        """How many have arrived."""
        return self.state(day, known)["delivered"]["quantities"][0]["max"]


def test_a_late_delivery_is_added_to_what_came_after_it_and_overwrites_nothing(registry: Bench) -> None:
    told = Told(
        registry,
        delivered("2025-01-10", 5),
        delivered("2025-01-20", 3),
        delivered("2025-01-15", 9),
    )

    assert [told.arrived(day, known=2) for day in ("2025-01-12", "2025-01-17", "2025-01-25")] == [5, 5, 8]
    assert [told.arrived(day, known=3) for day in ("2025-01-12", "2025-01-17", "2025-01-25")] == [5, 14, 17]


def test_a_late_figure_holds_after_what_was_known_before_it_where_that_named_none(registry: Bench) -> None:
    told = Told(
        registry,
        pledged("2025-01-10", 5),
        pledged("2025-01-20", deadline="2025-06"),
        pledged("2025-01-15", 9),
    )

    assert told.soldiers("2025-01-25", known=2) == 5
    assert told.soldiers("2025-01-25", known=3) == 9
    assert told.state("2025-01-25")["deadline"] == "2025-06"


def test_a_late_statement_changes_the_label_of_the_one_that_came_after_it(registry: Bench) -> None:
    told = Told(registry, pledged("2025-01-10", 5), pledged("2025-01-20", 8), pledged("2025-01-15", 9))

    assert told.state("2025-01-25", known=2)["change"]["label"] == "scaled_up"
    assert told.state("2025-01-25", known=3)["change"]["label"] == "scaled_down"
    assert told.soldiers("2025-01-25", known=3) == 8


def test_a_corrected_figure_holds_from_the_statement_on_but_only_as_known_since(registry: Bench) -> None:
    told = Told(registry, pledged("2025-01-10", 5), note("corrected", 0, changes={"body": {"quantity": {"max": 7}}}))

    assert told.soldiers("2025-01-10", known=1) == 5
    assert told.soldiers("2025-01-10", known=2) == 7
    assert told.soldiers("2025-01-09", known=2) is None


def test_a_corrected_date_leaves_no_trace_of_the_old_one(registry: Bench) -> None:
    told = Told(registry, pledged("2025-01-10", 5), note("corrected", 0, changes={"occurred": {"edtf": "2025-02-10"}}))

    assert told.state("2025-01-31", known=1) is not None
    assert told.state("2025-01-31", known=2) is None
    assert told.soldiers("2025-02-10") == 5


def test_a_statement_moved_to_another_subject_is_gone_from_the_first(registry: Bench) -> None:
    told = Told(
        registry,
        pledged("2025-01-10", 5),
        pledged("2025-01-20", 8),
        note("corrected", 1, changes={"subject": "air-policing", "actors": ["FR"]}),
    )

    assert told.soldiers("2025-02-01", known=2) == 8
    assert told.soldiers("2025-02-01", known=3) == 5
    assert told.soldiers("2025-02-01", known=3, subject="pledge/air-policing/FR") == 8


def test_one_actor_taken_out_of_a_joint_statement_loses_its_commitment_alone(registry: Bench) -> None:
    told = Told(
        registry,
        {**pledged("2025-01-10", 5), "actors": ["FR", "GB"]},
        note("corrected", 0, changes={"actors": ["FR"]}),
    )

    assert told.soldiers("2025-02-01", known=1) == 5
    assert told.state("2025-02-01", known=2) is None
    assert told.soldiers("2025-02-01", known=2, subject="pledge/ground-troops/FR") == 5


def test_a_statement_moved_away_from_a_day_to_come_leaves_what_held_before(registry: Bench) -> None:
    told = Told(
        registry,
        pledged("2025-01-10", 5, deadline="2500"),
        pledged("2990-01-01", 8),
        note("corrected", 1, changes={"subject": "air-policing", "occurred": {"edtf": "2025-01-20"}}),
    )

    assert told.soldiers("2990-06-01", known=2) == 8
    assert told.soldiers("2990-06-01", known=3) == 5
    assert told.soldiers("2025-06-01", known=3, subject="pledge/air-policing/GB") == 8


def test_what_was_retracted_never_was_and_what_stood_before_it_goes_on(registry: Bench) -> None:
    told = Told(registry, pledged("2025-01-10", 5), pledged("2025-01-20", 8), note("retracted", 1))

    assert told.soldiers("2025-02-01", known=2) == 8
    assert told.soldiers("2025-02-01", known=3) == 5
    assert told.soldiers("9999-12-30", known=3) == 5


def test_after_its_only_statement_is_retracted_nothing_is_known_of_a_subject(registry: Bench) -> None:
    told = Told(registry, pledged("2025-01-10", 5), note("retracted", 0))

    assert told.soldiers("2025-02-01", known=1) == 5
    assert told.state("2025-02-01", known=2) is None


def test_what_was_reinstated_stands_as_it_was_last_corrected(registry: Bench) -> None:
    told = Told(
        registry,
        pledged("2025-01-10", 5),
        note("corrected", 0, changes={"body": {"quantity": {"max": 7}}}),
        note("retracted", 0),
        note("reinstated", 0),
    )

    assert [told.soldiers("2025-02-01", known=known) for known in (1, 2, 3, 4)] == [5, 7, None, 7]


def test_a_duplicate_counts_once_and_lends_its_sources(registry: Bench) -> None:
    told = Told(
        registry,
        delivered("2025-01-10", 5),
        {**delivered("2025-01-10", 5), "summary": "Told again.", "sources": [{"title": "Another report"}]},
        note("duplicate", 1, original="#0"),
    )

    assert told.arrived("2025-02-01", known=2) == 10
    assert told.arrived("2025-02-01", known=3) == 5
    assert [len(one["origins"]) for one in told.answer("2025-02-01").references] == [2]


def test_what_was_marked_as_a_duplicate_by_mistake_counts_again_once_it_is_reinstated(registry: Bench) -> None:
    told = Told(
        registry,
        delivered("2025-01-10", 5),
        {**delivered("2025-01-10", 5), "summary": "Of another day.", "sources": [{"title": "Another report"}]},
        note("duplicate", 1, original="#0"),
        note("retracted", 1),
        note("reinstated", 1),
        note("reinstated", 1),
    )

    assert [told.arrived("2025-02-01", known=known) for known in (2, 3, 4, 5, 6)] == [10, 5, 5, 5, 10]
    assert [len(one["origins"]) for one in told.answer("2025-02-01").references] == [1, 1]


@pytest.mark.parametrize("settled", [False, True])
def test_an_original_does_not_yield_to_its_own_duplicate(registry: Bench, *, settled: bool) -> None:
    ranks = [{"event_id": "#0", "rank": "normal"}, {"event_id": "#1", "rank": "preferred"}]
    told = Told(
        registry,
        pledged("2025-01-10", 5),
        pledged("2025-01-10", 7),
        note("disputed", 0, rivals=[ranks[1]]),
        *([note("dispute_settled", 2, ranks=ranks)] if settled else []),
        note("duplicate", 1, original="#0"),
    )
    assert told.soldiers("2025-02-01", known=3) == 7
    assert told.soldiers("2025-02-01") == 5


def test_a_duplicate_speaks_for_itself_once_its_original_is_retracted(registry: Bench) -> None:
    told = Told(
        registry,
        delivered("2025-01-10", 5),
        {**delivered("2025-01-12", 5), "summary": "Told again."},
        note("duplicate", 1, original="#0"),
        note("retracted", 0),
    )

    assert told.state("2025-01-11", known=4) is None
    assert told.arrived("2025-01-12", known=4) == 5


def test_of_rivals_the_preferred_one_counts_and_the_other_is_shown_beside_it(registry: Bench) -> None:
    ranks = [{"event_id": "#0", "rank": "deprecated"}, {"event_id": "#1"}]
    told = Told(
        registry,
        pledged("2025-01-10", 5),
        pledged("2025-01-20", 8, deadline="2025-02"),
        note("disputed", 1, rivals=[{"event_id": "#0", "rank": "preferred"}]),
        {"kind": "record.dispute_settled", "target": "#2", "ranks": ranks},
    )

    disputed = told.answer("2025-02-10", known=3)
    assert told.soldiers("2025-02-10", known=3) == 5
    assert [rival["counts"] for rival in disputed.rivals] == [True, False]
    assert told.soldiers("2025-02-10", known=4) == 8
    assert told.answer("2025-02-10", known=4).rivals == []


def test_time_changes_what_is_shown_beside_a_state_too(registry: Bench) -> None:
    told = Told(
        registry,
        pledged("2025-01-10", 5),
        pledged("2025-01-20", 8, deadline="2025-02"),
        note("disputed", 1, rivals=[{"event_id": "#0", "rank": "preferred"}]),
        pledged("2025-02/2025-06", 9, deadline="2025-04"),
    )

    assert [rival["state"]["status"] for rival in told.answer("2025-03-10").rivals] == ["standing", "lapsed"]
    assert [one["state"]["status"] for one in told.answer("2025-04-10").possible] == ["standing"]
    assert [one["state"]["status"] for one in told.answer("2025-05-10").possible] == ["lapsed"]


def test_a_statement_of_uncertain_date_is_possible_until_it_is_definite(registry: Bench) -> None:
    told = Told(registry, pledged("2025-01-10", 5), pledged("2025-02", 8))

    assert told.soldiers("2025-02-27") == 5
    assert [one["state"]["quantity"]["max"] for one in told.answer("2025-02-27").possible] == [8]
    assert told.soldiers("2025-02-28") == 8
    assert told.answer("2025-02-28").possible == []


def test_a_deadline_passes_although_nothing_is_recorded(registry: Bench) -> None:
    told = Told(registry, pledged("2025-01-10", 5, deadline="2025-02"))

    assert told.state("2025-02-28")["status"] == "standing"
    assert told.state("2025-03-01")["status"] == "lapsed"


def test_that_a_meetings_day_has_passed_makes_no_news_of_a_repetition(registry: Bench) -> None:
    announced = said("2025-01-01", "meeting.announced", subject="summit", body={"date": "2025-01-10"})
    again = {**announced, "occurred": {"edtf": "2025-01-20", "basis": "stated"}}
    told = Told(registry, announced, again)

    assert told.state("2025-01-15", subject="meeting/summit/")["status"] == "unconfirmed"
    assert told.state("2025-01-25", subject="meeting/summit/")["change"]["label"] == "reaffirmed"


def test_what_a_ceasefire_came_from_does_not_depend_on_when_it_was_recorded(registry: Bench) -> None:
    proposed = said("2025-01-01", "ceasefire.proposed", subject="truce", body={"expires": "2025-01-10"})
    began = said("2025-01-20", "ceasefire.took_effect", subject="truce", body={})
    late = said("2025-01-15", "ceasefire.answered", subject="truce", body={"answer": "reserved"})
    told = Told(registry, proposed, began, late)

    assert told.state("2025-01-12", subject="ceasefire/truce/")["state"] == "expired"
    assert told.state("2025-01-25", subject="ceasefire/truce/")["change"]["from"] == "proposed"


def test_statements_of_one_moment_stand_in_an_order_that_does_not_look_at_recording(registries: Benches) -> None:
    both = one_by_one(pledged("2025-01-10", 5), pledged("2025-01-10", 8))
    ledger = registries.one.record(both, batches=[[[0]], [[1]]])
    other = registries.other.record(both, coalition=ledger.coalition, batches=[[[1]], [[0]]])

    assert _final(registries.one, ledger) == _final(registries.other, other)


def test_events_of_one_request_are_each_known_at_a_position_of_their_own(registry: Bench) -> None:
    contents = (pledged("2025-01-10", 5), pledged("2025-01-20", 8), note("retracted", 0))
    ledger = registry.record(History(contents, (2, 0, 0)))
    judge(registry, ledger)

    days = [parse_as_of(day) for day in ("2025-01-15", "2025-01-25")]
    judge_queries(registry, ledger, [(day, position) for day in days for position in ledger.positions])
    assert len(ledger.submitted) == 2


def test_requests_that_arrive_at_one_moment_are_recorded_as_if_one_came_after_the_other(registry: Bench) -> None:
    contents = (pledged("2025-01-10", 5), pledged("2025-01-20", 8), pledged("2025-01-15", 9), note("retracted", 1))
    ledger = registry.record(History(contents, (2, 1, 1, 1)))
    judge(registry, ledger)
    judge_answers(ledger)

    moments = [one.recorded.events[-1].recorded_at for one in ledger.submitted[1:]]
    assert {(after - before).microseconds for before, after in pairwise(moments)} == {1}, (
        "one transaction held them all"
    )


def test_a_refused_request_leaves_its_neighbours_as_they_are(registry: Bench) -> None:
    contents = (pledged("2025-01-10", 5), note("reinstated", 0), pledged("2025-01-20", 8))
    ledger = registry.record(History(contents, (2, 1, 1)))
    judge(registry, ledger)

    assert len(ledger.log) == 3


def test_totals_count_a_duplicate_once(database: str, registry: Bench) -> None:
    twin = {**pledged("2025-01-10", 5), "summary": "Told again.", "sources": [{"title": "Another report"}]}
    ledger = registry.record(one_by_one(pledged("2025-01-10", 5), twin, note("duplicate", 1, original="#0")))
    with _reading(database) as client:
        status = client.get(f"/v1/coalitions/{ledger.coalition}/status").json()
        listed = client.get(f"/v1/coalitions/{ledger.coalition}/commitments").json()["items"]

    (category,) = status["commitments"]["by_category"]
    assert [(total["known_min"], total["known_max"]) for total in category["totals"]] == [(5, 5)]
    assert [(one["statement_count"], one["independent_sources"]) for one in listed] == [(1, 2)]


def test_the_end_of_time_can_be_asked_about(database: str, registry: Bench) -> None:
    ledger = registry.record(one_by_one(pledged("2025-01-10", 5)))
    with _reading(database) as client:
        asked = client.get(f"/v1/coalitions/{ledger.coalition}/commitments?as_of=9999-12-31").json()

    assert len(asked["items"]) == 1
