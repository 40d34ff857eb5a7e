"""A statement's page and the notes on its record: corrected, retracted, disputed, told twice, better sourced."""

import re
from typing import Any

from starlette.testclient import TestClient

from service.domain.record import make_patch, merge_patch
from tests.pages import Sheet, event_at, get, press, read
from tests.people import COOKIE, add_person, begin_session
from tests.registry import Json, note, post, statement
from tests.test_entering import size

TERMS: Json = {"category": "ground_troops", "firmness": "announced", "conditions": [{"kind": "mandate"}]}


def recorded(client: TestClient, **changes: Any) -> str:
    """The id of a new statement."""
    event_id: str = post(client, statement(**{"body": TERMS, **changes}))["event"]["event_id"]
    return event_id


def page_of(client: TestClient, event_id: str, name: str = "") -> Sheet:
    """A statement's page, or the form of a note on it."""
    return get(client, f"/admin/events/{event_id}{f'/{name}' if name else ''}")


def effective(client: TestClient, event_id: str) -> Json:
    """An event as it is taken now."""
    content: Json = client.get(f"/v1/events/{event_id}").json()
    return content


def last_note(client: TestClient, event_id: str) -> Json:
    """The last note on the record of an event."""
    content: Json = effective(client, event_id)["record"][-1]
    return content


# --- the page ---------------------------------------------------------------------------------------------------------


def test_a_statements_page_says_what_it_says_and_both_its_times(editor: TestClient) -> None:
    page = page_of(editor, recorded(editor, occurred={"edtf": "../2025-03-17", "basis": "deduced"}))
    assert "on or before 17 March 2025, deduced" in page.text
    assert re.search(r"Recorded \d+ \w+ \d{4}, \d\d:\d\d UTC, by ed, at position 2", page.text)
    assert "United Kingdom (GB)" in page.text
    assert "United Kingdom: ground troops" in page.text


def test_its_history_has_every_note_with_what_it_changed_by_whom_and_why(editor: TestClient) -> None:
    event_id, other = recorded(editor), recorded(editor, summary="The same.")
    wrong = {"changes": {"occurred": {"edtf": "2025-07-11"}}, "reason": "entry_error", "note": "A slip of the pen."}
    note(editor, event_id, "corrections", wrong)
    note(editor, event_id, "sources", {"sources": [{"title": "A second report"}]})
    note(editor, other, "duplicates", {"original": event_id})
    note(editor, event_id, "retraction", {"reason": "legal"})
    note(editor, event_id, "reinstatement", {"reason": "other"})
    page = page_of(editor, event_id)
    assert "10 July 2025 11 July 2025" in page.text
    assert "A slip of the pen." in page.text
    assert "Source 2: title not said A second report" in page.text
    for word in ("Corrected", "Sourced", "Duplicate", "Retracted", "Reinstated"):
        assert word in page.text
    assert f"/admin/events/{other}" in page.links


def test_only_what_can_be_noted_is_offered(editor: TestClient, database: str) -> None:
    event_id = recorded(editor)

    def offered() -> set[str]:
        links = page_of(editor, event_id).links
        return {link.rpartition("/")[2] for link in links if link.startswith(f"/admin/events/{event_id}/")}

    assert offered() == {"corrections", "retraction", "disputes", "duplicates", "sources"}
    note(editor, event_id, "retraction", {"reason": "other"})
    assert offered() == {"reinstatement"}
    add_person(database, "reader", "reader")
    editor.cookies.set(COOKIE, begin_session(database, "reader"))
    assert offered() == set()


def test_a_statement_is_found_by_its_words_by_an_actors_name_or_among_the_last(editor: TestClient) -> None:
    one, other = recorded(editor), recorded(editor, actors=["FR"], summary="Paris spoke <b>up</b>.")
    own, others = f"/admin/events/{one}", f"/admin/events/{other}"
    assert {own, others} <= set(get(editor, "/admin/statements").links)
    found = get(editor, "/admin/statements?q=spoke").links
    assert (own in found, others in found) == (False, True)
    found = get(editor, "/admin/statements?q=Велика+Британія").links
    assert (own in found, others in found) == (True, False)
    assert "No statement fits all of this." in get(editor, "/admin/statements?q=nonsense").text


def test_there_is_no_page_of_what_was_not_recorded(editor: TestClient) -> None:
    event_id = recorded(editor)
    for path in ("nonsense", "019a8f3e-0000-7000-8000-000000000000", f"{event_id}/nonsense", f"{event_id}/settlement"):
        assert editor.get(f"/admin/events/{path}").status_code == 404, path


def test_a_note_on_the_record_has_a_page_too_and_leads_to_what_it_is_about(editor: TestClient) -> None:
    event_id = recorded(editor)
    note(editor, event_id, "retraction", {"reason": "other"})
    page = page_of(editor, last_note(editor, event_id)["event_id"])
    assert f"/admin/events/{event_id}" in page.links


# --- corrections ------------------------------------------------------------------------------------------------------


def test_a_correction_is_filled_in_with_what_is_said_and_sends_the_difference_alone(editor: TestClient) -> None:
    event_id = recorded(editor, quote="In so many words.", said_by={"actor": "GB", "name": "A Minister"})
    page = page_of(editor, event_id, "corrections")
    assert page.data["changes.body.conditions.0.kind"] == ["mandate"]
    assert page.data["changes.said_by.name"] == ["A Minister"]
    filled = {
        "changes__occurred__edtf": "11 July 2025", "changes__body__conditions__0__kind": "us_backing",
        "changes__quote": "", "reason": "entry_error",
    }  # fmt: skip
    shown = read(press(editor, page, "do", "preview", **filled))
    assert "10 July 2025 11 July 2025" in shown.text
    assert "In so many words. not said" in shown.text
    assert event_at(press(editor, shown, "do", "save")) == event_id
    assert last_note(editor, event_id)["changes"] == {
        "occurred": {"edtf": "2025-07-11"},
        "body": {"conditions": [{"kind": "us_backing"}]},
        "quote": None,
    }
    assert effective(editor, event_id)["effective"]["occurred"] == {"edtf": "2025-07-11", "basis": "stated"}


def test_a_correction_needs_a_reason_and_a_change(editor: TestClient) -> None:
    event_id = recorded(editor)
    before = size(editor)
    page = page_of(editor, event_id, "corrections")
    refused = press(editor, page, "do", "save", changes__summary="Otherwise.")
    assert (refused.status_code, "reason" in read(refused).at_fault()) == (422, True)
    refused = press(editor, page, "do", "save", reason="entry_error")
    assert (refused.status_code, "Nothing is changed yet" in refused.text) == (422, True)
    assert size(editor) == before


def test_what_is_wrong_in_a_correction_stands_at_its_field(editor: TestClient) -> None:
    page = page_of(editor, recorded(editor), "corrections")
    refused = press(editor, page, "do", "save", changes__occurred__edtf="2025-02-30", reason="entry_error")
    assert refused.status_code == 422
    assert read(refused).at_fault() == {"changes.occurred.edtf"}


def test_what_a_form_cannot_say_is_not_changed_by_a_correction(editor: TestClient) -> None:
    odd = {"said_by": {}, "body": {**TERMS, "places": ["two\nlines"]}, "place": "two\nlines"}
    event_id = recorded(editor, **odd)
    page = page_of(editor, event_id, "corrections")
    event_at(press(editor, page, "do", "save", changes__summary="Otherwise.", reason="translation"))
    assert last_note(editor, event_id)["changes"] == {"summary": "Otherwise."}


def test_a_correction_of_what_somebody_changed_meanwhile_shows_that_and_loses_nothing(editor: TestClient) -> None:
    event_id = recorded(editor)
    page = page_of(editor, event_id, "corrections")
    theirs = {"changes": {"body": {"firmness": "committed"}}, "reason": "better_source"}
    note(editor, event_id, "corrections", theirs)
    before = size(editor)
    refused = press(editor, page, "do", "save", changes__summary="Otherwise.", reason="entry_error")
    assert refused.status_code == 412
    again = read(refused)
    assert "Somebody changed this meanwhile" in again.text
    assert "committed: bound" in again.text
    assert again.data["changes.summary"] == ["Otherwise."]
    assert size(editor) == before
    event_at(press(editor, again, "do", "save"))
    now = effective(editor, event_id)["effective"]
    assert (now["summary"], now["body"]["firmness"]) == ("Otherwise.", "committed")


def test_a_correction_may_move_a_statement_and_a_preview_says_what_that_comes_to(editor: TestClient) -> None:
    event_id = recorded(editor)
    page = page_of(editor, event_id, "corrections")
    moved = read(press(editor, page, "do", "preview", changes__actors="Frankreich", reason="entry_error"))
    assert "France: ground troops nothing known announced, conditional" in moved.text
    assert "United Kingdom: ground troops announced, conditional nothing known" in moved.text


def test_what_a_contributor_corrects_waits_with_the_version_that_they_saw(editor: TestClient, database: str) -> None:
    event_id = recorded(editor)
    add_person(database, "con", "contributor")
    editor.cookies.set(COOKIE, begin_session(database, "con"))
    page = page_of(editor, event_id, "corrections")
    saved = press(editor, page, "do", "save", changes__summary="Otherwise.", reason="entry_error")
    assert saved.headers["Location"].endswith("?done=waits")
    (draft,) = editor.get("/v1/drafts").json()["items"]
    assert (draft["revision"], draft["records"][0]["kind"]) == (2, "record.corrected")


def test_a_coalitions_names_are_corrected_as_well(editor: TestClient) -> None:
    (event,) = editor.get("/v1/events").json()["items"]
    page = page_of(editor, event["id"], "corrections")
    event_at(press(editor, page, "do", "save", changes__name="The able", reason="other"))
    assert editor.get("/v1/coalitions/willing").json()["name"] == "The able"


def test_every_patch_leads_from_one_content_to_the_other() -> None:
    before: Json = {"a": 1, "b": {"c": 1, "d": [1]}, "e": "gone"}
    after: Json = {"a": 1, "b": {"d": [2], "f": {}}, "g": "new"}
    patch = make_patch(before, after)
    assert patch == {"b": {"c": None, "d": [2], "f": {}}, "e": None, "g": "new"}
    assert merge_patch(before, patch) == after


# --- the other notes --------------------------------------------------------------------------------------------------


def test_a_statement_is_retracted_and_reinstated_with_a_reason(editor: TestClient) -> None:
    event_id = recorded(editor)
    page = page_of(editor, event_id, "retraction")
    assert press(editor, page, "do", "save").status_code == 422
    shown = read(press(editor, page, "do", "preview", reason="duplicate_entry", note="Entered twice."))
    assert "United Kingdom: ground troops announced, conditional nothing known" in shown.text
    event_at(press(editor, shown, "do", "save"))
    assert effective(editor, event_id)["retracted"]
    event_at(press(editor, page_of(editor, event_id, "reinstatement"), "do", "save", reason="other"))
    assert not effective(editor, event_id)["retracted"]


def test_a_second_click_on_a_note_records_it_once(editor: TestClient) -> None:
    event_id = recorded(editor)
    page, before = page_of(editor, event_id, "retraction"), size(editor)
    answers = [press(editor, page, "do", "save", reason="other") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert size(editor) == before + 1


def test_what_is_retracted_already_is_refused_in_words(editor: TestClient) -> None:
    event_id = recorded(editor)
    page = page_of(editor, event_id, "corrections")
    note(editor, event_id, "retraction", {"reason": "other"})
    refused = press(editor, page, "do", "save", changes__summary="Otherwise.", reason="other")
    assert refused.status_code in (409, 412)
    assert read(refused).data["changes.summary"] == ["Otherwise."]


def test_a_source_is_added(editor: TestClient) -> None:
    event_id = recorded(editor)
    event_at(press(editor, page_of(editor, event_id, "sources"), "do", "save", sources__0__title="A second report"))
    assert [one["title"] for one in effective(editor, event_id)["effective"]["sources"]] == [
        "A report",
        "A second report",
    ]


def test_a_duplicate_is_marked_with_what_may_be_meant_at_hand(editor: TestClient) -> None:
    original, twin = recorded(editor), recorded(editor, summary="What was said, in other words.")
    page = page_of(editor, twin, "duplicates")
    assert f"?original={original}" in page.links
    taken = get(editor, f"/admin/events/{twin}/duplicates?original={original}")
    unsaid = press(editor, taken, "do", "save")
    assert (unsaid.status_code, read(unsaid).at_fault()) == (422, {"note"})
    assert "Say why" in read(unsaid).text
    event_at(press(editor, read(unsaid), "do", "save", note="One speech, told twice."))
    assert effective(editor, twin)["duplicate_of"] == original
    page = page_of(editor, twin)
    assert "a duplicate" in page.text
    summary = editor.get(f"/v1/events/{original}").json()["effective"]["summary"]
    assert f"A duplicate of: {summary}" in page.text, "in words"


def test_a_statements_page_leads_to_the_next_one_from_the_same_source(editor: TestClient) -> None:
    page = page_of(editor, recorded(editor, sources=[{"title": "Fish & chips", "publisher": "A paper"}]))
    (link,) = [link for link in page.links if link.startswith("/admin/statements/new?")]
    kinds = get(editor, link)
    assert "From the article “Fish & chips”" in kinds.text
    chosen = read(press(editor, kinds, "kind", "pledge.delivered"))
    assert chosen.data["sources.0.publisher"] == ["A paper"]
    assert (chosen.data["occurred.edtf"], "Kept from the statement before" in chosen.text) == (["2025-07-10"], True)


def test_a_dispute_is_opened_and_settled(editor: TestClient) -> None:
    one, other = (
        recorded(editor),
        recorded(editor, summary="Something else was said.", body=TERMS | {"firmness": "ready"}),
    )
    taken = get(editor, f"/admin/events/{one}/disputes?rivals.0.event_id={other}")
    assert "Something else was said." in taken.text, "the rival is told in words"
    assert press(editor, taken, "do", "save", rank="normal", rivals__0__rank="normal").status_code == 422
    why = "Two accounts of one speech."
    event_at(press(editor, taken, "do", "save", rank="normal", rivals__0__rank="normal", note=why))
    assert effective(editor, one)["disputed"]
    for shown in (page_of(editor, one), page_of(editor, last_note(editor, one)["event_id"])):
        assert "Something else was said." in shown.text
        assert why in shown.text
        assert f"/admin/events/{other}" in shown.links
        assert f"{other} " not in f"{shown.text} ", "no id"
    dispute = last_note(editor, one)["event_id"]
    page = page_of(editor, dispute, "settlement")
    assert [page.data[f"ranks.{number}.event_id"] for number in (0, 1)] == [[one], [other]]
    event_at(press(editor, page, "do", "save", ranks__0__rank="preferred", ranks__1__rank="normal", note="It is so."))
    assert (effective(editor, one)["counts"], effective(editor, other)["counts"]) == (True, False)


def test_an_unknown_rival_is_refused_at_its_field_or_in_the_summary(editor: TestClient) -> None:
    page = page_of(editor, recorded(editor), "duplicates")
    refused = press(editor, page, "do", "save", original="the one above", note="Told twice.")
    assert read(refused).at_fault() == {"original"}
    refused = press(editor, page, "do", "save", note="Told twice.", original="019a8f3e-0000-7000-8000-000000000000")
    assert refused.status_code == 404
    assert read(refused).data["original"] == ["019a8f3e-0000-7000-8000-000000000000"]
