"""The rules of positions, warnings, meetings, ceasefires, coalitions and membership."""

from itertools import permutations
from typing import Any

import pytest

from service.domain.errors import Invalid
from service.domain.kinds import parse_statement
from tests.folding import LATER, Book
from tests.registry import Json, statement

FRENCH_PRESIDENT: Json = {"actor": "FR", "name": "Emmanuel Macron"}
PRESENTER: Json = {"actor": "RU", "name": "A Presenter", "official": False}

# --- positions --------------------------------------------------------------------------------------------------------

FORCE = "position/multinational-force/GB"


def stand(book: Book, on: str, *, said_by: Json | None = None, **body: Any) -> None:
    changes: Json = {"said_by": said_by} if said_by else {}
    book.say("position.stated", on, subject="multinational-force", body={"topic": "force"} | body, **changes)


@pytest.mark.parametrize(
    ("before", "after", "label"),
    [
        ("supportive", "supportive", "reaffirmed"),
        ("undecided", "supportive", "shifted"),
        ("supportive", "opposed", "shifted"),
    ],
)
def test_a_stance_that_is_stated_again_is_reaffirmed_or_shifted(before: str, after: str, label: str) -> None:
    book = Book()
    stand(book, "2025-03-01", stance=before)
    stand(book, "2025-07-10", stance=after)
    assert (book.label(FORCE, "2025-03-01"), book.label(FORCE), book.at(FORCE).stance) == ("stated", label, after)


@pytest.mark.parametrize("expression", ["demand", "request", "assessment", "criticism"])
def test_an_expression_without_a_stance_leaves_the_stance_as_it_was(expression: str) -> None:
    book = Book()
    stand(book, "2025-03-01", stance="opposed")
    stand(book, "2025-07-10", expression=expression, text="Withdraw first.")
    state = book.at(FORCE)
    assert (state.stance, state.expression, state.text) == ("opposed", expression, "Withdraw first.")


def test_a_position_is_a_stance_or_an_expression() -> None:
    with pytest.raises(Invalid):
        parse_statement(statement("position.stated", body={"topic": "force"}))


def test_a_stance_that_another_attributes_never_changes_the_actors_own() -> None:
    book = Book()
    stand(book, "2025-03-01", stance="opposed")
    stand(book, "2025-07-10", said_by=FRENCH_PRESIDENT, stance="supportive")
    assert (book.at(FORCE).stance, book.label(FORCE), book.at(FORCE).attributed_only) == (
        "opposed", "attributed", False,
    )  # fmt: skip


def test_an_actors_own_stance_takes_the_place_of_an_attributed_one() -> None:
    book = Book()
    stand(book, "2025-03-01", said_by=FRENCH_PRESIDENT, stance="supportive")
    assert book.at(FORCE).attributed_only
    stand(book, "2025-07-10", expression="criticism")
    state = book.at(FORCE)
    assert (state.stance, state.attributed_only, state.label) == (None, False, "stated")


def test_an_unofficial_voice_changes_no_states_position() -> None:
    book = Book()
    stand(book, "2025-07-10", said_by=PRESENTER, stance="opposed")
    assert book.at(FORCE) is None
    assert book.at("position/multinational-force/person:a-presenter").stance == "opposed"


# --- warnings ---------------------------------------------------------------------------------------------------------

THREAT = "warning/foreign-troops/RU"


def warn(book: Book, on: str, kind: str = "issued", **changes: Any) -> None:
    said: Json = {"subject": "foreign-troops", "actors": ["RU"]} | changes
    book.say(f"warning.{kind}", on, **said)


def test_a_warning_that_is_issued_again_is_repeated_in_the_terms_of_the_last() -> None:
    book = Book()
    warn(book, "2025-03-01", body={"targets": ["GB"], "severity": "high", "threat": "violence", "explicit": True})
    warn(book, "2025-07-10", body={"severity": "extreme"})
    state = book.at(THREAT)
    assert (book.label(THREAT, "2025-03-01"), state.label, state.times) == ("issued", "repeated", 2)
    assert (state.severity, state.targets, state.explicit) == ("extreme", ("GB",), True)
    assert (state.first_issued, state.last_issued) == ("2025-03-01", "2025-07-10")


@pytest.mark.parametrize(("kind", "status"), [("withdrawn", "withdrawn"), ("carried_out", "carried_out")])
def test_a_warning_is_active_until_it_is_withdrawn_or_carried_out(kind: str, status: str) -> None:
    book = Book()
    warn(book, "2025-03-01")
    warn(book, "2025-07-10", kind)
    assert (book.at(THREAT, "2025-07-09").status, book.at(THREAT).status, book.label(THREAT)) == (
        "active", status, status,
    )  # fmt: skip


def test_a_withdrawal_of_a_warning_may_come_before_the_warning() -> None:
    book = Book()
    warn(book, "2025-07-10", "withdrawn")
    assert (book.at(THREAT).status, book.at(THREAT).times) == ("withdrawn", 0)
    warn(book, "2025-03-01")
    assert (book.at(THREAT, "2025-03-01").status, book.at(THREAT).status) == ("active", "withdrawn")


def test_a_warning_that_is_issued_again_after_it_was_withdrawn_is_active() -> None:
    book = Book()
    warn(book, "2025-03-01")
    warn(book, "2025-04-01", "withdrawn")
    warn(book, "2025-05-01")
    assert (book.at(THREAT).status, book.at(THREAT).times) == ("active", 2)


def test_an_unofficial_warning_is_the_persons_and_no_states() -> None:
    book = Book()
    warn(book, "2025-07-10", said_by=PRESENTER)
    assert book.at(THREAT) is None
    state = book.at("warning/foreign-troops/person:a-presenter")
    assert (state.official, state.said_by["name"]) == (False, "A Presenter")


def test_what_another_says_withdraws_no_warning() -> None:
    book = Book()
    warn(book, "2025-03-01")
    warn(book, "2025-07-10", "withdrawn", said_by=FRENCH_PRESIDENT)
    assert (book.at(THREAT).status, book.label(THREAT)) == ("active", "attributed")


# --- meetings ---------------------------------------------------------------------------------------------------------

PARIS = "meeting/paris"


def meet(book: Book, on: str, kind: str = "announced", **body: Any) -> None:
    book.say(f"meeting.{kind}", on, subject="paris", actors=[], body=body)


def test_an_announced_meeting_is_unconfirmed_once_its_day_has_passed_with_nothing_recorded() -> None:
    book = Book()
    meet(book, "2025-07-10", date="2025-09-04")
    assert [book.at(PARIS, day).status for day in ("2025-09-03", "2025-09-04", "2025-09-05")] == [
        "announced", "announced", "unconfirmed",
    ]  # fmt: skip


def test_a_meeting_on_a_partial_date_is_unconfirmed_only_after_all_of_it() -> None:
    book = Book()
    meet(book, "2025-07-10", date="2025-11~")
    assert (book.at(PARIS, "2025-11-30").status, book.at(PARIS, "2025-12-01").status) == ("announced", "unconfirmed")


def test_a_meeting_without_a_date_stays_announced() -> None:
    book = Book()
    meet(book, "2025-07-10", title="Leaders")
    assert (book.at(PARIS, "2035-01-01").status, book.at(PARIS).date) == ("announced", None)


def test_a_meeting_that_is_announced_again_is_rescheduled_changed_or_reaffirmed() -> None:
    book = Book()
    labels = []
    for day, body in enumerate(
        ({"date": "2025-09-04"}, {"date": "2025-09-11"}, {"place": "Paris"}, {"place": "Paris"}), start=10
    ):
        meet(book, f"2025-07-{day}", **body)
        labels.append(book.label(PARIS, f"2025-07-{day}"))
    assert labels == ["announced", "rescheduled", "changed", "reaffirmed"]
    assert (book.at(PARIS).date.edtf, book.at(PARIS).place) == ("2025-09-11", "Paris")


def test_a_meetings_date_keeps_its_words_and_its_bounds() -> None:
    book = Book()
    meet(book, "2025-07-10", date="2025-11~")
    assert book.at(PARIS).date.model_dump() == {
        "edtf": "2025-11~",
        "earliest": "2025-11-01T00:00:00.000000Z",
        "latest": "2025-11-30T23:59:59.999999Z",
    }


def test_a_meetings_date_can_be_taken_away() -> None:
    book = Book()
    meet(book, "2025-07-10", date="2025-09-04")
    meet(book, "2025-08-01", cleared=["date"])
    assert (book.at(PARIS).date, book.at(PARIS).status) == (None, "announced")


def test_a_meeting_may_be_held_that_nobody_announced() -> None:
    book = Book()
    meet(book, "2025-09-04", "held", title="Leaders", claimed_participants=26)
    state = book.at(PARIS)
    assert (state.status, state.label, state.date.edtf, state.claimed_participants) == (
        "held", "held", "2025-09-04", 26,
    )  # fmt: skip


def test_what_a_meeting_that_was_held_brought_is_added_up() -> None:
    book = Book()
    meet(book, "2025-09-04", "held", participants=[{"actor": "FR"}], outcomes=[{"kind": "declaration", "text": "One"}])
    meet(book, "2025-09-05", "held", participants=[{"actor": "FR"}, {"actor": "GB"}])
    meet(book, "2025-09-06", "held", outcomes=[{"kind": "declaration", "text": "Two"}])
    state = book.at(PARIS)
    assert [one.actor for one in state.participants] == ["FR", "GB"]
    assert [one.text for one in state.outcomes] == ["One", "Two"]


def test_a_late_announcement_does_not_undo_that_a_meeting_was_held() -> None:
    book = Book()
    meet(book, "2025-09-04", "held", date="2025-09-04", place="Paris")
    meet(book, "2025-09-10", date="2025-09-30", place="London", level="leaders")
    state = book.at(PARIS)
    assert (state.status, state.place, state.date.edtf, state.level) == ("held", "Paris", "2025-09-04", "leaders")


def test_a_meeting_that_is_cancelled_is_never_unconfirmed() -> None:
    book = Book()
    meet(book, "2025-07-10", date="2025-09-04")
    meet(book, "2025-08-01", "cancelled", reason="No agreement.")
    assert (book.at(PARIS).status, book.label(PARIS)) == ("cancelled", "cancelled")


def test_a_cancellation_may_come_before_the_announcement() -> None:
    book = Book()
    meet(book, "2025-08-01", "cancelled")
    meet(book, "2025-07-10", date="2025-09-04", title="Leaders")
    assert (book.at(PARIS).status, book.at(PARIS).title) == ("cancelled", "Leaders")


# --- ceasefires -------------------------------------------------------------------------------------------------------

TRUCE = "ceasefire/truce"


def propose(book: Book, on: str, addressees: tuple[str, ...] = ("RU", "UA"), **body: Any) -> None:
    terms: Json = {"title": "Truce"} | body
    book.say("ceasefire.proposed", on, subject="truce", actors=["US"], addressees=list(addressees), body=terms)


def answer(book: Book, on: str, party: str, given: str, **changes: Any) -> None:
    book.say("ceasefire.answered", on, subject="truce", actors=[party], body={"answer": given}, **changes)


def become(book: Book, on: str, what: str, **changes: Any) -> None:
    book.say(f"ceasefire.{what}", on, subject="truce", actors=[], **changes)


def stages(book: Book, *days: str) -> list[str]:
    return [str(book.at(TRUCE, day).state) for day in days]


def test_a_proposal_that_is_stated_again_is_amended_or_reaffirmed() -> None:
    book = Book()
    propose(book, "2025-03-01", duration_days=30)
    propose(book, "2025-03-02", duration_days=30)
    propose(book, "2025-03-03", duration_days=60)
    days = ("2025-03-01", "2025-03-02", "2025-03-03")
    assert [book.label(TRUCE, day) for day in days] == ["proposed", "reaffirmed", "amended"]
    assert stages(book, *days) == ["proposed", "proposed", "amended"]
    assert (book.at(TRUCE).proposers, book.at(TRUCE).version) == (("US",), 2)


def test_a_proposal_is_agreed_once_every_addressee_has_accepted_it() -> None:
    book = Book()
    propose(book, "2025-03-01")
    answer(book, "2025-03-02", "UA", "accepted")
    answer(book, "2025-03-04", "RU", "accepted")
    assert stages(book, "2025-03-02", "2025-03-04") == ["proposed", "agreed"]


@pytest.mark.parametrize("given", ["accepted_with_conditions", "reserved", "countered"])
def test_any_other_answer_leaves_a_proposal_proposed(given: str) -> None:
    book = Book()
    propose(book, "2025-03-01", ("RU",))
    answer(book, "2025-03-02", "RU", given)
    assert stages(book, LATER) == ["proposed"]
    assert book.at(TRUCE).answers["RU"].answer == given


def test_each_party_has_its_latest_answer_and_those_before() -> None:
    book = Book()
    propose(book, "2025-03-01")
    answer(book, "2025-03-02", "RU", "reserved")
    answer(book, "2025-03-05", "RU", "rejected")
    found = book.at(TRUCE).answers["RU"]
    assert (found.answer, found.history) == ("rejected", ({"answer": "reserved", "occurred": "2025-03-02"},))
    assert stages(book, "2025-03-02", "2025-03-05") == ["proposed", "rejected"]


def test_an_answer_to_earlier_terms_does_not_reject_amended_ones() -> None:
    book = Book()
    propose(book, "2025-03-01")
    answer(book, "2025-03-02", "RU", "rejected")
    propose(book, "2025-03-03", duration_days=30)
    assert stages(book, "2025-03-02", "2025-03-03") == ["rejected", "amended"]


def test_an_answer_may_come_before_its_proposal() -> None:
    book = Book()
    answer(book, "2025-03-05", "RU", "rejected")
    assert stages(book, LATER) == ["rejected"]
    propose(book, "2025-03-01")
    assert stages(book, "2025-03-01", "2025-03-05") == ["proposed", "rejected"]


def test_an_answer_on_the_day_of_its_proposal_follows_it_in_whatever_order_they_are_recorded() -> None:
    found = set()
    for first in (True, False):
        book = Book()
        if first:
            answer(book, "2025-03-01", "RU", "rejected")
        propose(book, "2025-03-01")
        if not first:
            answer(book, "2025-03-01", "RU", "rejected")
        found.add(book.at(TRUCE).model_dump_json())
    assert len(found) == 1
    assert '"state":"rejected"' in found.pop()


def test_an_answer_that_another_attributes_neither_agrees_nor_rejects() -> None:
    book = Book()
    propose(book, "2025-03-01", ("RU",))
    answer(book, "2025-03-02", "RU", "rejected", said_by=FRENCH_PRESIDENT)
    assert stages(book, LATER) == ["proposed"]
    assert book.at(TRUCE).answers["RU"].attributed


def test_a_proposal_expires_once_the_time_to_answer_has_passed() -> None:
    book = Book()
    propose(book, "2025-03-01", expires="2025-03-20")
    assert stages(book, "2025-03-20", "2025-03-21") == ["proposed", "expired"]


def test_a_proposal_that_was_agreed_or_rejected_does_not_expire() -> None:
    for given, stage in (("accepted", "agreed"), ("rejected", "rejected")):
        book = Book()
        propose(book, "2025-03-01", ("RU",), expires="2025-03-20")
        answer(book, "2025-03-02", "RU", given)
        assert stages(book, LATER) == [stage]


def test_agreement_alone_brings_nothing_into_force() -> None:
    book = Book()
    propose(book, "2025-03-01", ("RU",))
    answer(book, "2025-03-02", "RU", "accepted")
    assert not book.status()["ceasefire"]["in_force"]
    become(book, "2025-03-10", "took_effect")
    assert (stages(book, "2025-03-09", "2025-03-10"), book.status()["ceasefire"]["in_force"]) == (
        ["agreed", "in_force"], True,
    )  # fmt: skip


def test_a_ceasefire_expires_at_the_end_of_its_own_duration() -> None:
    book = Book()
    propose(book, "2025-03-01", duration_days=30)
    become(book, "2025-03-10", "took_effect")
    assert stages(book, "2025-03-10", "2025-04-08", "2025-04-09") == ["in_force", "in_force", "expired"]
    assert [book.status(day)["ceasefire"]["in_force"] for day in ("2025-04-08", "2025-04-09")] == [True, False]


def test_terms_that_are_proposed_later_prolong_no_ceasefire_in_force() -> None:
    book = Book()
    propose(book, "2025-03-01", duration_days=30)
    become(book, "2025-03-10", "took_effect")
    propose(book, "2025-03-20", duration_days=300)
    assert stages(book, "2025-03-20", "2025-04-09") == ["in_force", "expired"]
    propose(book, "2025-05-01", duration_days=400)
    assert stages(book, "2025-05-01") == ["amended"]
    become(book, "2025-05-02", "took_effect")
    assert stages(book, LATER) == ["in_force"]


def test_a_ceasefire_of_no_known_duration_lasts_as_long_as_is_said_of_it_later() -> None:
    book = Book()
    become(book, "2025-03-10", "took_effect")
    assert stages(book, LATER) == ["in_force"]
    propose(book, "2025-03-12", duration_days=30)
    assert stages(book, "2025-04-08", "2025-04-09") == ["in_force", "expired"]


def test_a_violation_is_recorded_beside_a_ceasefire_and_ends_nothing() -> None:
    book = Book()
    become(book, "2025-03-10", "took_effect")
    become(book, "2025-03-11", "violated")
    become(book, "2025-03-12", "violated")
    assert (stages(book, LATER), book.at(TRUCE).violations) == (["violated"], 2)
    assert book.status()["ceasefire"]["in_force"]


def test_a_violation_of_what_is_not_in_force_brings_nothing_into_force() -> None:
    book = Book()
    propose(book, "2025-03-01")
    become(book, "2025-03-11", "violated")
    assert (stages(book, LATER), book.at(TRUCE).violations) == (["proposed"], 1)


@pytest.mark.parametrize(("what", "stage"), [("ended", "ended"), ("withdrawn", "withdrawn")])
def test_a_ceasefire_is_over_once_it_is_ended_or_withdrawn(what: str, stage: str) -> None:
    book = Book()
    become(book, "2025-03-10", "took_effect")
    become(book, "2025-03-20", what)
    assert stages(book, "2025-03-19", "2025-03-20") == ["in_force", stage]
    assert not book.status()["ceasefire"]["in_force"]


def test_a_ceasefire_may_take_effect_that_nobody_proposed() -> None:
    book = Book()
    become(book, "2025-03-10", "took_effect")
    assert (stages(book, LATER), book.at(TRUCE).took_effect) == (["in_force"], "2025-03-10")


def test_an_unofficial_voice_moves_no_ceasefire() -> None:
    book = Book()
    propose(book, "2025-03-01")
    become(book, "2025-03-10", "took_effect", said_by=PRESENTER)
    assert (stages(book, LATER), book.label(TRUCE)) == (["proposed"], "unofficial")


def test_terms_that_are_not_mentioned_stay_and_cleared_ones_go() -> None:
    book = Book()
    terms = [{"topic": "air", "text": "No flights."}]
    propose(book, "2025-03-01", duration_days=30, unconditional=True, scope="air", terms=terms)
    book.say("ceasefire.proposed", "2025-03-02", subject="truce", actors=["US"], body={"cleared": ["duration_days"]})
    state = book.at(TRUCE)
    assert (state.duration_days, state.unconditional, state.scope, len(state.terms)) == (None, True, "air", 1)


def test_no_order_of_recording_changes_a_ceasefire() -> None:
    steps: list[tuple[str, str]] = [
        ("2025-03-01", "propose"), ("2025-03-05", "answer"), ("2025-03-10", "took_effect"), ("2025-03-12", "violated"),
    ]  # fmt: skip
    found = set()
    for order in permutations(steps):
        book = Book()
        for on, step in order:
            if step == "propose":
                propose(book, on)
            elif step == "answer":
                answer(book, on, "RU", "reserved")
            else:
                become(book, on, step)
        found.add(book.at(TRUCE).model_dump_json())
    assert len(found) == 1


# --- coalitions -------------------------------------------------------------------------------------------------------

ORGANISATION = "coalition/organisation"


def organise(book: Book, on: str, said_by: Json | None = None, **body: Any) -> None:
    changes: Json = {"said_by": said_by} if said_by else {}
    book.say("coalition.stated", on, subject="organisation", actors=[], body=body, **changes)


def test_facts_of_organisation_stay_until_they_are_stated_anew_or_cleared() -> None:
    book = Book()
    organise(book, "2025-03-01", phase="planning", leads=["FR", "GB"], headquarters=[{"place": "Paris"}], mandate="UN")
    organise(book, "2025-07-10", phase="ready-to-deploy", cleared=["mandate"])
    state = book.at(ORGANISATION)
    assert (state.phase, state.leads, state.headquarters[0].place, state.mandate) == (
        "ready-to-deploy", ("FR", "GB"), "Paris", None,
    )  # fmt: skip
    assert [book.label(ORGANISATION, day) for day in ("2025-03-01", LATER)] == ["stated", "restated"]


def test_a_claimed_figure_names_its_claimant_and_its_latest_claim_stands() -> None:
    book = Book()
    up_to = {"max": 30000, "unit": "persons"}
    organise(book, "2025-03-01", {"actor": "GB"}, target_strength=up_to)
    organise(book, "2025-04-01", {"actor": "FR"}, target_strength={"max": 15000, "unit": "persons"})
    organise(book, "2025-05-01", {"actor": "GB"}, target_strength={"max": 20000, "unit": "persons"})
    figures = {one.said_by.actor: (one.what, one.quantity.max) for one in book.at(ORGANISATION).figures}
    assert figures == {"FR": ("target-strength", 15000), "GB": ("target-strength", 20000)}


def test_a_coalitions_conditions_are_brought_up_to_date_one_by_one() -> None:
    book = Book()
    organise(book, "2025-03-01", conditions=[{"kind": "mandate"}, {"kind": "us_backing"}])
    organise(book, "2025-07-10", conditions=[{"kind": "mandate", "status": "met"}])
    assert [(one.kind, one.status) for one in book.at(ORGANISATION).conditions] == [
        ("us_backing", "outstanding"), ("mandate", "met"),
    ]  # fmt: skip


def test_an_unofficial_voice_changes_no_coalition() -> None:
    book = Book()
    organise(book, "2025-03-01", phase="planning")
    organise(book, "2025-07-10", PRESENTER, phase="dissolved")
    assert (book.at(ORGANISATION).phase, book.label(ORGANISATION)) == ("planning", "unofficial")


def test_a_registration_has_no_date_and_holds_from_the_beginning() -> None:
    book = Book()
    book.record({"kind": "coalition.registered", "coalition": "friends", "name": "Friends", "aliases": ["F"]})
    assert book.size == 1


# --- membership -------------------------------------------------------------------------------------------------------

BRITAIN = "membership/members/GB"


def join(book: Book, on: str, said_by: Json | None = None, actors: tuple[str, ...] = ("GB",), **body: Any) -> None:
    changes: Json = {"said_by": said_by} if said_by else {}
    book.say("membership.stated", on, subject="members", actors=list(actors), body=body, **changes)


def test_a_role_that_is_stated_again_is_reaffirmed_or_changed() -> None:
    book = Book()
    for day, role in ((1, "member"), (2, "member"), (3, "lead"), (4, "none")):
        join(book, f"2025-03-0{day}", role=role)
    days = [f"2025-03-0{day}" for day in (1, 2, 3, 4)]
    assert [book.label(BRITAIN, day) for day in days] == ["stated", "reaffirmed", "changed", "changed"]
    assert book.at(BRITAIN).role == "none"


def test_a_role_that_another_attributes_never_changes_one_that_the_actor_stated() -> None:
    book = Book()
    join(book, "2025-03-01", role="observer")
    join(book, "2025-07-10", FRENCH_PRESIDENT, role="lead")
    assert (book.at(BRITAIN).role, book.label(BRITAIN)) == ("observer", "attributed")


def test_a_claimed_count_needs_no_actors_and_the_latest_of_each_speaker_stands() -> None:
    book = Book()
    join(book, "2025-03-01", {"actor": "GB"}, (), claimed_count=30)
    join(book, "2025-04-01", {"actor": "FR"}, (), claimed_count=26)
    join(book, "2025-05-01", {"actor": "GB"}, (), claimed_count=35)
    assert [(one.said_by.actor, one.count) for one in book.at("membership/members").claims] == [("FR", 26), ("GB", 35)]


@pytest.mark.parametrize("changes", [{"body": {}}, {"body": {"role": "member"}, "actors": []}])
def test_membership_says_a_role_of_somebody_or_a_count(changes: Json) -> None:
    with pytest.raises(Invalid):
        parse_statement(statement("membership.stated", **changes))


def test_an_unofficial_voice_makes_nobody_a_member() -> None:
    book = Book()
    join(book, "2025-07-10", PRESENTER, role="lead")
    assert book.at(BRITAIN) is None
    assert book.status()["members"]["named"] == []
