"""The rules of answers: what depends on the day of the question, on other subjects, and on what the record says."""

import pytest

from service.domain.answers import Moment
from service.domain.dates import parse_as_of
from service.domain.errors import Invalid, Refused, Unknown
from tests.folding import STALE_AFTER_DAYS, Book
from tests.registry import Json

GB = "pledge/ground-troops/GB"
TRUCE = [{"kind": "ceasefire_in_force"}]
OTHER_REASON: Json = {"reason": "entry_error"}


def persons(count: int) -> Json:
    return {"min": count, "max": count, "unit": "persons"}


def source(title: str, **more: str) -> Json:
    return {"title": title} | more


# --- age --------------------------------------------------------------------------------------------------------------


def test_a_commitment_is_stale_after_180_days_without_restatement() -> None:
    book = Book()
    book.pledge("2025-01-01")
    assert STALE_AFTER_DAYS == 180
    found = [book.view(as_of=day) for day in ("2025-06-30", "2025-07-01")]
    assert [(one["age_days"], one["stale"]) for one in found] == [(180, False), (181, True)]


def test_a_restatement_makes_a_commitment_fresh_and_another_voice_does_not() -> None:
    book = Book()
    book.pledge("2025-01-01")
    book.pledge("2025-09-01", said_by={"actor": "FR", "name": "Emmanuel Macron"})
    assert book.view(as_of="2025-09-02")["stale"]
    book.pledge("2025-09-02")
    assert (book.view(as_of="2025-09-02")["stale"], book.view(as_of="2025-09-02")["age_days"]) == (False, 0)


def test_what_is_over_is_not_stale() -> None:
    book = Book()
    book.pledge("2024-01-01")
    book.say("pledge.withdrawn", "2024-02-01")
    assert not book.view(as_of="2026-01-01")["stale"]


def test_the_rules_version_names_the_setting_that_answers_depend_on() -> None:
    assert Moment(parse_as_of("2025-01-01"), 90).rules != Moment(parse_as_of("2025-01-01"), 180).rules


# --- conditions that another family meets -----------------------------------------------------------------------------


def test_a_ceasefire_in_force_meets_the_condition_and_its_end_unmeets_it() -> None:
    book = Book()
    book.pledge(conditions=TRUCE)
    book.say("ceasefire.took_effect", "2025-09-01", subject="truce")
    book.say("ceasefire.ended", "2025-10-01", subject="truce")
    found = [book.view(as_of=day) for day in ("2025-08-31", "2025-09-01", "2025-10-01")]
    assert [one["conditions"][0]["status"] for one in found] == ["outstanding", "met", "outstanding"]
    assert [one["status"] for one in found] == ["conditional", "standing", "conditional"]
    assert [one["conditional"] for one in found] == [True, False, True]


def test_a_ceasefire_meets_no_other_condition() -> None:
    book = Book()
    book.pledge(conditions=[*TRUCE, {"kind": "mandate"}])
    book.say("ceasefire.took_effect", "2025-09-01", subject="truce")
    assert [one["status"] for one in book.view()["conditions"]] == ["met", "outstanding"]
    assert book.view()["status"] == "conditional"


@pytest.mark.parametrize("status", ["waived", "failed"])
def test_a_ceasefire_changes_no_condition_that_was_waived_or_failed(status: str) -> None:
    book = Book()
    book.pledge(conditions=[{"kind": "ceasefire_in_force", "status": status}])
    book.say("ceasefire.took_effect", "2025-09-01", subject="truce")
    assert book.view()["conditions"][0]["status"] == status


def test_a_commitment_whose_start_has_passed_is_overdue_once_a_ceasefire_frees_it() -> None:
    book = Book()
    book.pledge(conditions=TRUCE, starts="2025-08-01")
    book.say("ceasefire.took_effect", "2025-09-01", subject="truce")
    assert (book.view(as_of="2025-08-15")["status"], book.view()["status"]) == ("conditional", "overdue")


# --- partial dates ----------------------------------------------------------------------------------------------------


def test_a_statement_of_a_partial_date_is_possible_before_it_is_definite() -> None:
    book = Book()
    book.pledge("2025-03")
    assert (book.at(GB, "2025-02-28"), book.possible(as_of="2025-02-28")) == (None, [])
    assert book.at(GB, "2025-03-15") is None
    (possible,) = book.possible(as_of="2025-03-15")
    assert (possible["subject"], possible["occurred"]) == ("willing/pledge/ground-troops/GB", "2025-03")
    assert possible["state"]["firmness"] == "announced"
    assert (book.at(GB, "2025-03-31").firmness, book.possible(as_of="2025-03-31")) == ("announced", [])


def test_an_open_start_is_possible_from_the_beginning() -> None:
    book = Book()
    book.pledge("../2025-03-17")
    assert len(book.possible(as_of="1999-01-01")) == 1
    assert (book.at(GB, "2025-03-16"), book.at(GB, "2025-03-17").status) == (None, "standing")


def test_what_is_possible_shows_the_state_that_it_would_make_and_leaves_the_definite_one_alone() -> None:
    book = Book()
    book.pledge("2025-01-10", quantity=persons(5))
    book.pledge("2025-03", firmness="committed")
    assert book.at(GB, "2025-03-15").firmness == "announced"
    (possible,) = book.possible(as_of="2025-03-15")
    assert (possible["state"]["firmness"], possible["state"]["quantity"]["min"]) == ("committed", 5)


def test_a_date_counts_through_the_end_of_its_day_and_an_instant_as_itself() -> None:
    book = Book()
    book.pledge("2025-07-10T14:30:00Z")
    assert book.at(GB, "2025-07-10T14:29:59.999999Z") is None
    assert book.at(GB, "2025-07-10T14:30:00Z") == book.at(GB, "2025-07-10") is not None


def test_the_status_is_definite_only() -> None:
    book = Book()
    book.pledge("2025-03")
    assert book.status("2025-03-15")["commitments"]["by_category"] == []


# --- sources ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sources", "count"),
    [
        ([source("A"), source("B")], 2),
        ([source("A", derived_from="AFP"), source("B", derived_from="afp ")], 1),
        ([source("A", url="https://example.org/1"), source("B", url="https://example.org/1")], 1),
        ([source("A", publisher="One"), source("A", publisher="Two")], 2),
        ([source("A", url="https://example.org/1"), source("B", derived_from="https://example.org/1")], 1),
    ],
)
def test_copies_of_one_original_corroborate_nothing(sources: list[Json], count: int) -> None:
    book = Book()
    book.say(sources=sources)
    assert book.view()["independent_sources"] == count


def test_sources_are_counted_over_all_statements_behind_a_commitment() -> None:
    book = Book()
    book.say(on="2025-03-01", sources=[source("A")])
    book.say(on="2025-07-10", sources=[source("A"), source("B")])
    assert book.view()["independent_sources"] == 2


def test_one_more_source_corroborates_and_changes_nothing_else() -> None:
    book = Book()
    said = book.say(sources=[source("A")])
    before = book.view()
    book.note("sourced", said, sources=[source("B")])
    assert book.view() == before | {"independent_sources": 2}


# --- duplicates, disputes, corrections --------------------------------------------------------------------------------


def test_two_events_that_tell_the_same_act_count_once() -> None:
    book = Book()
    first = book.pledge("2025-07-10")
    second = book.say(summary="The same, told elsewhere.", sources=[source("B")])
    assert book.view()["statement_count"] == 2
    book.note("duplicate", second, original=first)
    view = book.view()
    assert (view["statement_count"], [one["event_id"] for one in view["statements"]]) == (1, [first])
    assert view["independent_sources"] == 2


def test_a_duplicate_counts_again_once_its_original_is_retracted() -> None:
    book = Book()
    first, second = book.pledge(), book.say(summary="Again.", sources=[source("B")])
    book.note("duplicate", second, original=first)
    book.note("retracted", first, **OTHER_REASON)
    view = book.view()
    assert ([one["event_id"] for one in view["statements"]], view["independent_sources"]) == ([second], 1)


def test_duplicates_are_not_chained_and_are_of_one_kind() -> None:
    book = Book()
    first, second, third = book.pledge(), book.pledge(), book.pledge()
    other = book.say("position.stated")
    book.note("duplicate", second, original=first)
    for target, original in ((third, second), (second, third), (first, third), (third, other)):
        with pytest.raises(Refused):
            book.note("duplicate", target, original=original)


def test_rivals_of_equal_rank_are_shown_side_by_side() -> None:
    book = Book()
    one = book.pledge("2025-07-10", quantity=persons(100))
    two = book.pledge("2025-07-10", quantity=persons(900))
    book.note("disputed", one, rivals=[{"event_id": two}])
    view = book.view()
    assert view["disputed"]
    assert {rival["event_id"]: rival["counts"] for rival in view["rivals"]} == {one: True, two: True}


def test_a_preferred_rival_counts_and_the_others_are_shown_beside_it() -> None:
    book = Book()
    one = book.pledge("2025-07-10", quantity=persons(100))
    two = book.pledge("2025-07-10", quantity=persons(900))
    book.note("disputed", one, rivals=[{"event_id": two, "rank": "preferred"}])
    view = book.view()
    assert (view["quantity"]["min"], view["statement_count"], view["disputed"]) == (900, 1, True)
    assert {rival["event_id"]: rival["counts"] for rival in view["rivals"]} == {one: False, two: True}
    assert {rival["state"]["quantity"]["min"] for rival in view["rivals"]} == {100, 900}


def test_a_settled_dispute_leaves_what_ranks_highest() -> None:
    book = Book()
    one = book.pledge("2025-07-10", quantity=persons(100))
    two = book.pledge("2025-07-10", quantity=persons(900))
    dispute = book.note("disputed", one, rivals=[{"event_id": two}])
    ranks = [{"event_id": one, "rank": "preferred"}, {"event_id": two, "rank": "deprecated"}]
    book.note("dispute_settled", dispute, ranks=ranks)
    view = book.view()
    assert (view["quantity"]["min"], view["disputed"], view["rivals"]) == (100, False, [])
    with pytest.raises(Refused):
        book.note("dispute_settled", dispute, ranks=ranks)


def test_a_correction_keeps_when_it_was_said_and_changes_what_was_said() -> None:
    book = Book()
    said = book.pledge("2025-07-10", quantity=persons(100))
    book.note("corrected", said, changes={"body": {"quantity": {"min": 90}}}, **OTHER_REASON)
    view = book.view()
    assert (view["quantity"]["min"], view["first_stated"], view["change"]["label"]) == (90, "2025-07-10", "announced")


def test_a_correction_may_move_a_statement_to_another_subject_actor_or_date() -> None:
    book = Book()
    said = book.pledge("2025-07-10")
    changes = {"subject": "air", "actors": ["FR"], "occurred": {"edtf": "2025-03-01"}}
    book.note("corrected", said, changes=changes, **OTHER_REASON)
    assert book.at(GB) is None
    assert str(book.at("pledge/air/FR").first_stated) == "2025-03-01"


def test_a_correction_removes_a_field_by_null() -> None:
    book = Book()
    said = book.pledge("2025-07-10", description="wrong")
    book.note("corrected", said, changes={"body": {"description": None}}, **OTHER_REASON)
    assert book.view()["description"] is None


@pytest.mark.parametrize("changes", [{"kind": "pledge.withdrawn"}, {"coalition": "others"}, {"summary": ""}])
def test_a_correction_changes_no_kind_and_no_coalition_and_stays_valid(changes: Json) -> None:
    book = Book()
    said = book.pledge()
    with pytest.raises(Invalid):
        book.note("corrected", said, changes=changes, **OTHER_REASON)


def test_a_correction_that_changes_nothing_is_refused() -> None:
    book = Book()
    said = book.pledge()
    with pytest.raises(Refused):
        book.note("corrected", said, changes={"body": {"firmness": "announced"}}, **OTHER_REASON)


def test_a_retraction_takes_a_statement_out_and_a_reinstatement_brings_it_back() -> None:
    book = Book()
    said = book.pledge()
    book.note("retracted", said, **OTHER_REASON)
    assert book.at(GB) is None
    with pytest.raises(Refused):
        book.note("retracted", said, **OTHER_REASON)
    book.note("reinstated", said, **OTHER_REASON)
    assert book.at(GB).status == "standing"
    with pytest.raises(Refused):
        book.note("reinstated", said, **OTHER_REASON)


def test_only_a_statement_can_be_the_target_of_a_note() -> None:
    book = Book()
    correction = book.note("corrected", book.pledge(), changes={"summary": "Better."}, **OTHER_REASON)
    with pytest.raises(Refused):
        book.note("corrected", correction, changes={"summary": "Best."}, **OTHER_REASON)
    with pytest.raises(Unknown):
        book.note("corrected", "00000000-0000-7000-8000-000000000000", changes={"summary": "x"}, **OTHER_REASON)


def test_every_answer_names_the_statements_behind_it_with_the_change_that_each_made() -> None:
    book = Book()
    first = book.pledge("2025-03-01")
    second = book.pledge("2025-07-10", firmness="committed")
    assert book.view()["statements"] == [
        {"event_id": first, "position": 1, "occurred": "2025-03-01", "label": "announced"},
        {"event_id": second, "position": 2, "occurred": "2025-07-10", "label": "firmed_up"},
    ]
