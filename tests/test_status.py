"""The rules of a coalition's status: what is counted, what is only shown, and what never mixes."""

from typing import Any

import pytest

from tests.folding import LATER, Book
from tests.registry import Json

FRENCH_PRESIDENT: Json = {"actor": "FR", "name": "Emmanuel Macron"}
PRESENTER: Json = {"actor": "GB", "name": "A Presenter", "official": False}
EMPTY: Json = {"unknown_count": 0, "open_min_count": 0, "open_max_count": 0}


def persons(low: int | None = None, high: int | None = None) -> Json:
    ends = {"min": low, "max": high}
    return {"unit": "persons"} | {name: end for name, end in ends.items() if end is not None}


# --- totals -----------------------------------------------------------------------------------------------------------


def test_totals_add_the_lower_and_the_upper_ends_apart() -> None:
    book = Book()
    book.pledge(actor="FR", quantity=persons(100, 200))
    book.pledge(actor="GB", quantity=persons(50, 75))
    assert book.category()["totals"] == [
        {"firmness": "announced", "unit": "persons", "known_min": 150, "known_max": 275} | EMPTY
    ]


def test_totals_have_no_bound_and_are_texts_where_programs_would_round_them() -> None:
    book = Book()
    for one, other in (("FR", "DE"), ("GB", "PL")):
        book.pledge(actor=one, quantity=persons(2**53 - 1, 2**53 - 1))
        book.pledge(actor=other, category="financial", money={"amount": "999999999999999.50", "currency": "EUR"})
    assert book.category()["totals"][0]["known_min"] == "18014398509481982"
    assert book.category("financial")["totals"][0]["known_max"] == "1999999999999999.00"


def test_totals_say_how_many_are_unknown_and_how_many_ends_are_open() -> None:
    book = Book()
    book.pledge(actor="FR", quantity=persons(None, 200))
    book.pledge(actor="GB", quantity=persons(50))
    book.pledge(actor="DE", quantity={"text": "thousands"})
    book.pledge(actor="PL")
    assert book.category()["totals"] == [
        {
            "firmness": "announced",
            "unit": "persons",
            "known_min": 50,
            "known_max": 200,
            "unknown_count": 2,
            "open_min_count": 1,
            "open_max_count": 1,
        }
    ]


def test_words_alone_add_up_to_no_number() -> None:
    book = Book()
    book.pledge(quantity={"text": "30,000", "unit": "persons"})
    (total,) = book.category()["totals"]
    assert (total["known_min"], total["known_max"], total["unknown_count"]) == (None, None, 1)


def test_totals_never_mix_rungs() -> None:
    book = Book()
    book.pledge(actor="FR", quantity=persons(1, 1))
    book.pledge(actor="GB", firmness="committed", quantity=persons(20, 20))
    found = [(one["firmness"], one["known_min"], one["unknown_count"]) for one in book.category()["totals"]]
    assert found == [("announced", 1, 0), ("committed", 20, 0)]


def test_totals_never_mix_units() -> None:
    book = Book()
    book.pledge(actor="FR", quantity=persons(7, 7))
    book.pledge(actor="GB", quantity={"min": 2, "max": 2, "unit": "tanks"})
    found = {one["unit"]: (one["known_min"], one["unknown_count"]) for one in book.category()["totals"]}
    assert found == {"persons": (7, 1), "tanks": (2, 1)}


def test_totals_never_mix_currencies_and_keep_decimals() -> None:
    book = Book()
    for actor, amount, currency in (("FR", "0.10", "EUR"), ("DE", "0.20", "EUR"), ("GB", "5.00", "GBP")):
        money = {"amount": amount, "currency": currency}
        book.pledge(actor=actor, category="financial", money=money)
    found = {one["currency"]: (one["known_min"], one["known_max"]) for one in book.category("financial")["totals"]}
    assert found == {"EUR": ("0.30", "0.30"), "GBP": ("5.00", "5.00")}


@pytest.mark.parametrize("firmness", ["ruled_out", "considering"])
def test_what_is_ruled_out_or_only_considered_is_shown_and_counts_in_no_total(firmness: str) -> None:
    book = Book()
    book.pledge(firmness=firmness, quantity=persons(100, 100))
    found = book.category()
    assert (found["by_firmness"], found["countries"], found["totals"]) == ({firmness: ["GB"]}, [], [])


def test_what_was_withdrawn_or_has_lapsed_counts_no_longer() -> None:
    book = Book()
    book.pledge(actor="FR", quantity=persons(100, 100), deadline="2025-09")
    book.pledge(actor="GB", quantity=persons(100, 100))
    book.say("pledge.withdrawn", on="2025-09-01")
    assert book.category(as_of="2025-08-01")["countries"] == ["FR", "GB"]
    assert (book.category()["countries"], book.category()["totals"]) == ([], [])


def test_what_others_attribute_to_a_country_is_listed_apart_and_in_no_total() -> None:
    book = Book()
    book.pledge(said_by=FRENCH_PRESIDENT, quantity=persons(100, 100))
    found = book.category()
    assert (found["attributed"], found["countries"], found["totals"], found["by_firmness"]) == (["GB"], [], [], {})


def test_an_anonymous_group_is_in_no_countrys_list_and_in_no_total() -> None:
    book = Book()
    book.pledge(actor="group:other-nations", quantity=persons(9000, 9000))
    commitments = book.status()["commitments"]
    assert commitments["by_category"] == []
    (shown,) = commitments["anonymous"]
    assert shown["actor"] == {"code": "group:other-nations", "name": "other nations"}
    assert shown["quantity"]["min"] == 9000


def test_an_unofficial_voice_is_listed_under_the_person_and_in_no_total() -> None:
    book = Book()
    book.pledge(said_by=PRESENTER, quantity=persons(9000, 9000))
    commitments = book.status()["commitments"]
    assert (commitments["by_category"], commitments["anonymous"]) == ([], [])
    assert [one["actor"]["code"] for one in commitments["people"]] == ["person:a-presenter"]


def test_an_organisation_is_in_no_list_of_countries_and_in_no_total() -> None:
    book = Book()
    book.pledge(actor="org:eu", quantity=persons(5, 5))
    found = book.category()
    assert (found["organisations"], found["countries"], found["totals"]) == (["org:eu"], [], [])


def test_countries_are_in_alphabetical_order_and_each_once() -> None:
    book = Book()
    for actor in ("PL", "FR", "GB"):
        book.pledge(actor=actor)
    book.say(subject="engineers", actors=["GB"])
    assert book.category()["countries"] == ["FR", "GB", "PL"]


def test_figures_of_the_coalition_are_in_no_countrys_list_and_in_no_total() -> None:
    book = Book()
    strength = {"target_strength": {"max": 30000, "unit": "persons"}}
    book.say("coalition.stated", subject="organisation", said_by={"actor": "GB"}, body=strength)
    found = book.status()
    (figure,) = found["claimed_figures"]
    assert (figure["said_by"]["actor"], figure["quantity"]["max"], figure["what"]) == ("GB", 30000, "target-strength")
    assert found["commitments"]["by_category"] == []


# --- members and stances ----------------------------------------------------------------------------------------------


def test_membership_stance_and_firmness_are_three_separate_axes() -> None:
    book = Book()
    book.say("membership.stated", subject="members", body={"role": "member"})
    book.say("position.stated", subject="troops", body={"topic": "troops", "stance": "opposed"})
    book.pledge(category="logistics")
    found = book.status()
    assert [(one["code"], one["role"]) for one in found["members"]["named"]] == [("GB", "member")]
    assert found["stances"]["troops"]["opposed"] == ["GB"]
    assert book.category("logistics")["countries"] == ["GB"]


def test_a_role_of_none_makes_a_member_no_more() -> None:
    book = Book()
    book.say("membership.stated", "2025-03-01", subject="members", body={"role": "member"})
    book.say("membership.stated", "2025-07-10", subject="members", body={"role": "none"})
    assert len(book.status("2025-03-01")["members"]["named"]) == 1
    assert book.status()["members"]["named"] == []


def test_a_claimed_count_is_shown_with_who_claims_it_and_names_no_member() -> None:
    book = Book()
    for day, speaker, count in ((1, "GB", 30), (2, "FR", 26)):
        said: Json = {"said_by": {"actor": speaker}, "body": {"claimed_count": count}}
        book.say("membership.stated", f"2025-03-0{day}", subject="members", actors=[], **said)
    members = book.status()["members"]
    assert [(one["count"], one["said_by"]["actor"]) for one in members["claimed"]] == [(30, "GB"), (26, "FR")]
    assert members["named"] == []


def test_stances_are_grouped_by_topic_and_attributed_ones_stand_apart() -> None:
    book = Book()
    stances: list[tuple[str, str, Any]] = [
        ("PL", "opposed", None), ("GB", "supportive", None), ("FR", "supportive", None), ("IT", "undecided", None),
        ("DE", "supportive", FRENCH_PRESIDENT),
    ]  # fmt: skip
    for actor, stance, speaker in stances:
        changes: Json = {"said_by": speaker} if speaker else {}
        body = {"topic": "force", "stance": stance}
        book.say("position.stated", subject="force", actors=[actor], body=body, **changes)
    assert book.status()["stances"] == {
        "force": {"supportive": ["FR", "GB"], "undecided": ["IT"], "opposed": ["PL"], "attributed": ["DE"]}
    }


# --- organisation -----------------------------------------------------------------------------------------------------


def test_facts_of_organisation_are_drawn_together_the_last_to_be_stated_standing() -> None:
    book = Book()
    book.record(
        {"kind": "coalition.registered", "coalition": "willing-two", "name": "Second", "force": {"name": "Force Two"}}
    )
    book.say("coalition.stated", "2025-03-01", subject="plan", body={"phase": "planning", "leads": ["GB", "FR"]})
    book.say("coalition.stated", "2025-07-10", subject="command", body={"phase": "ready", "command": "Rotates."})
    found = book.status()
    assert (found["phase"], found["leads"], found["command"]) == ("ready", ["FR", "GB"], "Rotates.")
    assert book.status("2025-03-01")["phase"] == "planning"


def test_conditions_of_the_coalition_are_outstanding_or_met() -> None:
    book = Book()
    conditions = [{"kind": "mandate"}, {"kind": "us_backing", "status": "met"}]
    book.say("coalition.stated", subject="plan", body={"conditions": conditions})
    found = book.status()
    assert [one["kind"] for one in found["conditions_outstanding"]] == ["mandate"]
    assert [one["kind"] for one in found["conditions_met"]] == ["us_backing"]


def test_a_ceasefire_in_force_meets_the_coalitions_condition() -> None:
    book = Book()
    book.say("coalition.stated", subject="plan", body={"conditions": [{"kind": "ceasefire_in_force"}]})
    book.say("ceasefire.took_effect", "2025-09-01", subject="truce")
    assert len(book.status("2025-08-31")["conditions_outstanding"]) == 1
    assert [one["kind"] for one in book.status()["conditions_met"]] == ["ceasefire_in_force"]


# --- ceasefires, meetings, warnings -----------------------------------------------------------------------------------


def test_every_proposal_is_shown_with_its_answers() -> None:
    book = Book()
    book.say("ceasefire.proposed", subject="truce", actors=["US"], addressees=["RU", "UA"], body={"title": "Truce"})
    book.say("ceasefire.answered", subject="truce", actors=["RU"], body={"answer": "reserved"})
    assert book.status()["ceasefire"] == {
        "in_force": False,
        "proposals": [
            {
                "subject": "truce",
                "title": "Truce",
                "proposers": ["US"],
                "state": "proposed",
                "answers": {"RU": "reserved"},
            }
        ],
    }


def test_meetings_are_the_last_held_the_next_announced_the_unconfirmed_and_the_undated() -> None:
    book = Book()
    for slug, kind, date in (
        ("one", "held", "2025-03-15"),
        ("two", "held", "2025-05-10"),
        ("three", "announced", "2025-09-04"),
        ("four", "announced", "2026-02-01"),
        ("five", "announced", "2026-03-01"),
    ):
        book.say(f"meeting.{kind}", "2025-07-10", subject=slug, actors=[], body={"date": date})
    book.say("meeting.announced", subject="six", actors=[], body={"title": "Some day"})
    meetings = book.status(LATER)["meetings"]
    assert (meetings["last_held"]["subject"], meetings["next_announced"]["subject"]) == ("two", "four")
    assert [one["subject"] for one in meetings["unconfirmed"]] == ["three"]
    assert [one["subject"] for one in meetings["undated"]] == ["six"]


def test_active_warnings_are_shown_by_issuer_and_unofficial_ones_apart() -> None:
    book = Book()
    book.say("warning.issued", subject="war", actors=["RU"], body={"severity": "high"})
    book.say("warning.issued", subject="old", actors=["RU"], body={"severity": "high"})
    book.say("warning.withdrawn", "2025-08-01", subject="old", actors=["RU"])
    book.say("warning.issued", subject="war", actors=["RU"], said_by=PRESENTER | {"actor": "RU"}, body={})
    warnings = book.status()["warnings"]
    assert [one["issuer"]["code"] for one in warnings["active"]] == ["RU"]
    assert [one["issuer"]["code"] for one in warnings["unofficial"]] == ["person:a-presenter"]


def test_a_coalition_of_which_nothing_is_known_has_an_empty_status() -> None:
    found = Book().status()
    assert (found["commitments"], found["stances"]) == ({"by_category": [], "anonymous": [], "people": []}, {})
    assert (found["phase"], found["leads"], found["claimed_figures"]) == (None, [], [])
