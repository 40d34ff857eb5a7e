"""The rules of pledges: what each statement changes, and what becomes of a commitment as time passes."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from service.domain.errors import Invalid
from service.domain.kinds import parse_statement
from service.domain.pledge import LADDER
from service.domain.quantities import Money, Quantity, compare_ranges, range_of
from tests.folding import LATER, Book
from tests.registry import Json, statement

GB = "pledge/ground-troops/GB"
FRENCH_PRESIDENT: Json = {"actor": "FR", "name": "Emmanuel Macron", "post": "President"}
PRESENTER: Json = {"actor": "GB", "name": "A Presenter", "official": False}


def persons(low: int | None = None, high: int | None = None, unit: str = "persons") -> Json:
    ends = {"min": low, "max": high}
    return {"unit": unit} | {name: end for name, end in ends.items() if end is not None}


def euros(amount: str) -> Json:
    return {"amount": amount, "currency": "EUR"}


# --- change labels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "label"),
    [
        ({}, {}, "reaffirmed"),
        ({}, {"firmness": "committed"}, "firmed_up"),
        ({"firmness": "committed"}, {"firmness": "announced"}, "weakened"),
        ({}, {"firmness": "ruled_out"}, "ruled_out"),
        ({"firmness": "ruled_out"}, {"firmness": "considering"}, "firmed_up"),
        ({"firmness": "ruled_out"}, {"firmness": "ruled_out"}, "reaffirmed"),
        ({"quantity": persons(100, 100)}, {"quantity": persons(200, 200)}, "scaled_up"),
        ({"quantity": persons(200, 200)}, {"quantity": persons(100, 100)}, "scaled_down"),
        ({"money": euros("5.00")}, {"money": euros("7.50")}, "scaled_up"),
        ({"money": euros("7.50")}, {"money": euros("5")}, "scaled_down"),
        ({"quantity": persons(100, 100)}, {"quantity": persons(9, 9, "tanks")}, "terms_changed"),
        ({"money": euros("5")}, {"money": {"amount": "9", "currency": "GBP"}}, "terms_changed"),
        ({"quantity": {"text": "thousands"}}, {"quantity": {"text": "tens of thousands"}}, "terms_changed"),
        ({}, {"conditions": [{"kind": "mandate"}]}, "conditions_changed"),
        ({"conditions": [{"kind": "mandate"}]}, {"cleared": ["conditions"]}, "conditions_changed"),
        (
            {"conditions": [{"kind": "mandate"}]},
            {"conditions": [{"kind": "mandate", "status": "met"}]},
            "conditions_changed",
        ),
        ({}, {"places": ["Lviv"]}, "terms_changed"),
        ({}, {"category": "air"}, "terms_changed"),
    ],
)
def test_two_successive_statements_earn_the_label_of_their_difference(before: Json, after: Json, label: str) -> None:
    book = Book()
    book.pledge("2025-03-01", **before)
    book.pledge("2025-07-10", **after)
    assert book.label() == label


def test_the_first_statement_announces() -> None:
    book = Book()
    book.pledge(firmness="committed")
    assert book.label() == "announced"


def test_the_first_statement_may_rule_out() -> None:
    book = Book()
    book.pledge(firmness="ruled_out")
    assert (book.label(), book.at(GB).status) == ("ruled_out", "ruled_out")


def test_a_change_of_rung_is_named_before_a_change_of_size() -> None:
    book = Book()
    book.pledge("2025-03-01", quantity=persons(100, 100))
    book.pledge(firmness="committed", quantity=persons(50, 50))
    assert book.label() == "firmed_up"


def test_a_change_says_from_what_to_what() -> None:
    book = Book()
    book.pledge("2025-03-01")
    book.pledge(firmness="committed")
    assert book.view()["change"] == {"label": "firmed_up", "from": "announced", "to": "committed"}


def test_the_ladder_of_firmness_runs_from_ruled_out_to_delivered() -> None:
    assert [str(rung) for rung in LADDER] == [
        "ruled_out", "considering", "announced", "declared_intent", "committed", "allocated", "ready", "delivered",
    ]  # fmt: skip


# --- terms ------------------------------------------------------------------------------------------------------------

EVERY_TERM: Json = {
    "quantity": persons(100, 200),
    "money": euros("5.00"),
    "conditions": [{"kind": "mandate", "responsible": "UA"}],
    "starts": "2027",
    "ends": "2029",
    "deadline": "2028",
    "places": ["Lviv"],
    "beneficiary": "UA",
    "description": "A battalion.",
}


def test_a_field_that_a_statement_does_not_mention_stays_as_it_was() -> None:
    book = Book()
    book.pledge("2025-03-01", **EVERY_TERM)
    before = book.view(as_of="2025-03-01")
    book.pledge(firmness="committed")
    after = book.view()
    assert {name: after[name] for name in EVERY_TERM} == {name: before[name] for name in EVERY_TERM}
    assert after["firmness"] == "committed"


@pytest.mark.parametrize("name", EVERY_TERM)
def test_a_field_that_is_cleared_is_removed_and_no_other(name: str) -> None:
    book = Book()
    book.pledge("2025-03-01", **EVERY_TERM)
    before = book.view(as_of="2025-03-01")
    book.pledge(cleared=[name])
    after = book.view()
    assert after[name] in (None, [])
    assert all(after[other] == before[other] for other in EVERY_TERM if other != name)


def test_a_statement_cannot_both_set_and_clear_a_field() -> None:
    body = {"category": "air", "firmness": "announced", "description": "x", "cleared": ["description"]}
    with pytest.raises(Invalid):
        parse_statement(statement(body=body))


def test_a_condition_changes_its_status_by_a_later_statement() -> None:
    book = Book()
    book.pledge("2025-03-01", conditions=[{"kind": "parliamentary_approval"}])
    book.pledge("2025-05-01", conditions=[{"kind": "parliamentary_approval", "status": "met"}])
    assert book.at(GB, "2025-04-01").status == "conditional"
    assert book.at(GB).status == "standing"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("outstanding", "conditional"), ("failed", "conditional"), ("met", "standing"), ("waived", "standing")],
)
def test_a_commitment_is_conditional_while_a_condition_is_not_met(status: str, expected: str) -> None:
    book = Book()
    book.pledge(conditions=[{"kind": "us_backing", "status": status}])
    assert book.at(GB).status == expected


def test_a_joint_statement_is_one_event_and_one_commitment_for_each_actor() -> None:
    book = Book()
    book.say(actors=["FR", "GB"])
    assert book.size == 1
    assert book.at("pledge/ground-troops/FR") == book.at(GB) is not None


def test_statements_about_two_subjects_are_two_commitments() -> None:
    book = Book()
    book.pledge()
    book.say(subject="air-policing", body={"category": "air", "firmness": "considering"})
    assert book.at(GB).firmness == "announced"
    assert book.at("pledge/air-policing/GB").firmness == "considering"


# --- quantities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "sign"),
    [
        ((100, 100), (200, 200), 1),
        ((100, 200), (100, 150), -1),
        ((100, 200), (50, 300), None),  # wider, neither more nor less
        ((None, 30_000), (None, 15_000), -1),  # "up to" against "up to"
        ((None, 30_000), (20_000, None), None),  # no end in common
        ((100, 100), (100, 100), 0),
        ((100, None), (100, 100), None),
        ((10, 20), (20, None), 1),
    ],
)
def test_two_quantities_are_compared_by_the_ends_that_both_state(before: Any, after: Any, sign: int | None) -> None:
    ranges = [range_of(Quantity(min=low, max=high, unit="persons")) for low, high in (before, after)]
    assert compare_ranges(*ranges) == sign


def test_up_to_has_an_upper_end_only_and_at_least_a_lower_one() -> None:
    assert range_of(Quantity(max=30_000, unit="persons")) == (None, Decimal(30_000))
    assert range_of(Quantity(min=500, unit="persons")) == (Decimal(500), None)


def test_words_are_never_turned_into_a_number() -> None:
    thousands = Quantity(text="thousands")
    assert (range_of(thousands), thousands.unit) == ((None, None), None)
    with pytest.raises(ValueError, match="not a number"):
        Quantity(min="thousands", unit="persons")


def test_a_sum_keeps_its_currency_and_its_digits_as_stated() -> None:
    book = Book()
    book.pledge(money={"min_amount": "1000000.00", "max_amount": "1500000.50", "currency": "eur"})
    assert book.view()["money"] == {"min_amount": "1000000.00", "max_amount": "1500000.50", "currency": "EUR"}


def test_one_amount_is_short_for_both_ends() -> None:
    assert Money.model_validate(euros("5.00")) == Money(min_amount="5.00", max_amount="5.00", currency="EUR")


def test_a_fraction_is_kept_as_a_decimal_string() -> None:
    quantity = Quantity.model_validate({"min": 0.25, "unit": "percent_gdp"})
    assert quantity.min == "0.25"


# --- who says it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [rung for rung in LADDER if rung.rung >= 2])
def test_what_another_says_of_an_actor_is_capped_at_announced(said: str) -> None:
    book = Book()
    book.pledge(said_by=FRENCH_PRESIDENT, firmness=said)
    state = book.at(GB)
    assert (state.firmness, state.attributed_only) == ("announced", True)


def test_the_cap_never_raises_what_another_says() -> None:
    book = Book()
    book.pledge(said_by=FRENCH_PRESIDENT, firmness="considering")
    assert book.at(GB).firmness == "considering"


@pytest.mark.parametrize("speaker", [{"actor": "GB", "name": "Keir Starmer"}, {"name": "A spokesperson"}, None])
def test_an_actor_that_speaks_for_itself_or_a_report_that_names_nobody_is_no_attribution(speaker: Json | None) -> None:
    book = Book()
    book.pledge(said_by=speaker, firmness="committed")
    state = book.at(GB)
    assert (state.firmness, state.attributed_only) == ("committed", False)


def test_a_person_that_acts_in_its_own_name_is_no_attribution() -> None:
    book = Book()
    book.pledge(actor="person:keir-starmer", said_by={"name": "Keir Starmer"}, firmness="committed")
    assert not book.at("pledge/ground-troops/person:keir-starmer").attributed_only


def test_an_actors_first_own_word_starts_afresh() -> None:
    book = Book()
    book.pledge("2025-03-01", said_by=FRENCH_PRESIDENT, **EVERY_TERM)
    book.pledge(firmness="considering")
    state = book.at(GB)
    assert (state.label, state.firmness, state.attributed_only) == ("announced", "considering", False)
    assert (state.quantity, state.money, state.conditions, state.places, state.deadline) == (None, None, (), (), None)


def test_an_actors_first_own_delivery_takes_over_nothing_that_others_said() -> None:
    book = Book()
    book.pledge("2025-03-01", said_by=FRENCH_PRESIDENT, quantity=persons(5000, 5000))
    book.say("pledge.delivered", body={"quantity": persons(10, 10)})
    state = book.at(GB)
    assert (state.attributed_only, state.quantity, state.firmness) == (False, None, None)


def test_what_another_says_changes_nothing_that_an_actor_said_itself() -> None:
    book = Book()
    book.pledge("2025-03-01", quantity=persons(100, 100))
    before = book.at(GB, "2025-03-01")
    book.pledge(said_by=FRENCH_PRESIDENT, firmness="considering", quantity=persons(5, 5))
    after = book.at(GB)
    assert after.label == "attributed"
    assert after.statement_count == 2
    same = {"change", "statement_count"}
    assert after.model_dump(exclude=same) == before.model_dump(exclude=same)


def test_another_cannot_withdraw_what_an_actor_said_itself() -> None:
    book = Book()
    book.pledge("2025-03-01")
    book.say("pledge.withdrawn", said_by=FRENCH_PRESIDENT)
    assert book.at(GB).status == "standing"


def test_another_can_withdraw_what_only_others_said() -> None:
    book = Book()
    book.pledge("2025-03-01", said_by=FRENCH_PRESIDENT)
    book.say("pledge.withdrawn", said_by=FRENCH_PRESIDENT)
    assert book.at(GB).status == "withdrawn"


def test_an_unofficial_voice_changes_no_commitment_and_is_listed_under_the_person() -> None:
    book = Book()
    book.pledge(said_by=PRESENTER, firmness="committed")
    assert book.at(GB) is None
    assert book.at("pledge/ground-troops/person:a-presenter").firmness == "committed"


def test_an_unofficial_voice_has_to_be_named() -> None:
    with pytest.raises(Invalid):
        parse_statement(statement(said_by={"actor": "GB", "official": False}))


# --- withdrawal and delivery ------------------------------------------------------------------------------------------


def test_a_withdrawal_may_come_before_its_pledge() -> None:
    book = Book()
    book.say("pledge.withdrawn", on="2025-08-01", body={"category": "air"})
    assert (book.at(GB).status, book.at(GB).category, book.at(GB).firmness) == ("withdrawn", "air", None)
    book.pledge("2025-03-01", quantity=persons(9, 9))
    assert (book.at(GB, "2025-07-01").status, book.at(GB).status) == ("standing", "withdrawn")


def test_a_pledge_that_is_made_again_after_it_was_withdrawn_starts_afresh() -> None:
    book = Book()
    book.pledge("2025-03-01", **EVERY_TERM)
    book.say("pledge.withdrawn", on="2025-05-01")
    book.pledge("2025-06-01", firmness="considering")
    state = book.at(GB)
    assert (state.label, state.change.from_, state.status) == ("announced", "withdrawn", "standing")
    assert (state.quantity, state.conditions, state.places) == (None, (), ())


def test_a_delivery_may_come_without_a_pledge() -> None:
    book = Book()
    book.say("pledge.delivered", body={"category": "air", "quantity": persons(4, 4, "jets")})
    state = book.at(GB)
    assert (state.status, state.label, state.category) == ("partly_delivered", "partly_delivered", "air")
    assert state.firmness is None


def test_deliveries_add_up_apart_by_unit_and_by_currency() -> None:
    book = Book()
    for day, body in enumerate(
        (
            {"quantity": persons(4, 4, "jets")},
            {"quantity": persons(2, None, "jets")},
            {"quantity": persons(9, 9, "tanks"), "money": euros("1.50")},
            {"money": euros("2.25")},
            {"money": {"amount": "7", "currency": "GBP"}},
        ),
        start=10,
    ):
        book.say("pledge.delivered", on=f"2025-07-{day}", body=body)
    delivered = book.at(GB).delivered
    assert [(one.unit, one.min, one.max) for one in delivered.quantities] == [("jets", 6, None), ("tanks", 9, 9)]
    assert [(one.currency, one.min_amount) for one in delivered.money] == [("EUR", "3.75"), ("GBP", "7")]
    assert delivered.deliveries == 5


def test_what_was_delivered_in_all_may_be_more_than_one_statement_can_say() -> None:
    book = Book()
    for day in ("01", "02"):
        money = {"amount": "999999999999999.50", "currency": "EUR"}
        body = {"quantity": persons(2**53 - 1, 2**53 - 1), "money": money}
        book.say("pledge.delivered", on=f"2025-07-{day}", body=body)
    delivered = book.at(GB).delivered
    (quantity,), (money,) = delivered.quantities, delivered.money
    assert (quantity.min, quantity.max) == ("18014398509481982", "18014398509481982")
    assert (money.min_amount, money.max_amount) == ("1999999999999999.00", "1999999999999999.00")
    assert type(delivered).model_validate_json(delivered.model_dump_json()) == delivered


def test_a_pledge_is_delivered_once_all_that_was_pledged_has_surely_arrived() -> None:
    book = Book()
    book.pledge("2025-03-01", quantity=persons(None, 10, "jets"))
    book.say("pledge.delivered", on="2025-04-01", body={"quantity": persons(6, 6, "jets")})
    book.say("pledge.delivered", on="2025-05-01", body={"quantity": persons(4, 4, "jets")})
    assert book.at(GB, "2025-04-01").status == "partly_delivered"
    assert (book.at(GB).status, book.at(GB).firmness, book.label()) == ("delivered", "delivered", "delivered")


def test_a_pledge_without_a_number_is_delivered_only_when_it_is_said_so() -> None:
    book = Book()
    book.pledge("2025-03-01", quantity={"text": "dozens"})
    book.say("pledge.delivered", on="2025-04-01", body={"quantity": persons(60, 60)})
    assert book.at(GB).status == "partly_delivered"
    book.say("pledge.delivered", on="2025-05-01", body={"complete": True})
    assert book.at(GB).status == "delivered"


def test_a_delivery_in_another_unit_covers_nothing() -> None:
    book = Book()
    book.pledge("2025-03-01", quantity=persons(2, 2, "jets"))
    book.say("pledge.delivered", body={"quantity": persons(50, 50, "tanks")})
    assert book.at(GB).status == "partly_delivered"


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["deadline", "ends"])
def test_a_pledge_lapses_once_its_deadline_or_its_end_has_passed_with_nothing_recorded(field: str) -> None:
    book = Book()
    terms: Json = {field: "2025-11~"}
    book.pledge(**terms)
    assert book.at(GB, "2025-11-30").status == "standing"
    assert book.at(GB, "2025-12-01").status == "lapsed"


def test_a_pledge_is_overdue_once_its_start_has_passed() -> None:
    book = Book()
    book.pledge(starts="2025-09-01")
    assert book.at(GB, "2025-09-01").status == "standing"
    assert book.at(GB, "2025-09-02").status == "overdue"


def test_a_pledge_whose_conditions_are_not_met_is_not_overdue() -> None:
    book = Book()
    book.pledge(starts="2025-09-01", conditions=[{"kind": "mandate"}])
    assert book.at(GB).status == "conditional"


def test_what_was_delivered_or_withdrawn_does_not_lapse() -> None:
    book = Book()
    book.pledge("2025-03-01", deadline="2025-06")
    book.pledge("2025-03-01", actor="FR", deadline="2025-06")
    book.say("pledge.delivered", on="2025-04-01", body={"complete": True})
    book.say("pledge.withdrawn", on="2025-04-01", actors=["FR"])
    assert (book.at(GB).status, book.at("pledge/ground-troops/FR").status) == ("delivered", "withdrawn")


def test_a_later_deadline_revives_a_lapsed_pledge() -> None:
    book = Book()
    book.pledge("2025-03-01", deadline="2025-04-01")
    book.pledge("2025-06-01", deadline="2027")
    assert [book.at(GB, day).status for day in ("2025-04-01", "2025-05-01", "2025-06-01")] == [
        "standing", "lapsed", "standing",
    ]  # fmt: skip


def test_it_remembers_when_it_was_first_and_last_stated() -> None:
    book = Book()
    book.pledge("2025-03")
    book.pledge("2025-07-10")
    state = book.at(GB)
    assert (str(state.first_stated), str(state.last_stated)) == ("2025-03-31", "2025-07-10")


# --- order ------------------------------------------------------------------------------------------------------------


def test_no_order_of_recording_changes_the_state() -> None:
    said: list[tuple[str, str, Json]] = [
        ("pledge.stated", "2025-03-01", {"category": "air", "firmness": "announced", "quantity": persons(5, 5)}),
        ("pledge.stated", "2025-03-01", {"category": "air", "firmness": "committed"}),
        ("pledge.delivered", "2025-04-01", {"quantity": persons(2, 2)}),
        ("pledge.withdrawn", "2025-05-01", {}),
    ]
    states = set()
    for order in permutations(said):
        book = Book()
        for kind, on, body in order:
            book.say(kind, on=on, body=body)
        states.add(tuple(book.at(GB, day).model_dump_json() for day in ("2025-03-01", "2025-04-15", LATER)))
    assert len(states) == 1


def test_of_one_moment_the_delivery_follows_the_pledge_and_the_withdrawal_both() -> None:
    book = Book()
    book.say("pledge.withdrawn")
    book.say("pledge.delivered", body={"quantity": persons(2, 2)})
    book.pledge()
    assert (book.at(GB).status, book.at(GB).delivered.deliveries) == ("withdrawn", 1)


def test_of_one_moment_an_actors_own_word_follows_what_others_say_of_it() -> None:
    book = Book()
    book.pledge(firmness="committed")
    book.pledge(said_by=FRENCH_PRESIDENT, firmness="considering")
    assert (book.at(GB).firmness, book.at(GB).attributed_only) == ("committed", False)


def test_a_late_raise_is_folded_anew_and_never_overwrites_what_came_after() -> None:
    book = Book()
    book.pledge("2025-01-10", quantity=persons(5, 5))
    book.pledge("2025-01-20", quantity=persons(8, 8))
    book.pledge("2025-01-15", quantity=persons(9, 9))
    assert [book.at(GB, f"2025-01-{day}").quantity.min for day in (10, 15, 20)] == [5, 9, 8]
    assert [book.label(as_of=f"2025-01-{day}") for day in (10, 15, 20)] == ["announced", "scaled_up", "scaled_down"]
