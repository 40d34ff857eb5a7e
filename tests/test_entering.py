"""Entering statements through forms, in a browser without JavaScript: another door to the same record."""

import asyncio
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from service.admin.saving import record_once
from service.admin.turning import title_of
from service.domain.kinds import STATEMENTS
from service.domain.statement import Statement
from service.domain.subject import SubjectKey
from service.forms.fields import form_of, kind_of
from service.forms.reading import fill_form
from service.submission import Answer, Retry, Submission
from tests.pages import Sheet, event_at, get, press, read
from tests.people import COOKIE, add_person, begin_session
from tests.registry import (
    Json,
    allow,
    entry,
    golden_content,
    post,
    record,
    recording,
    register,
    registration,
    statement,
)
from tests.test_forms import without_empty

NEW = "/admin/statements/new"
FILLED: Json = {
    "actors": "United Kingdom",
    "subject": "Ground troops",
    "occurred__edtf": "10 July 2025",
    "occurred__basis": "stated",
    "summary": "Britain would send troops.",
    "body__category": "ground_troops",
    "body__firmness": "announced",
    "sources__0__title": "A report",
}
MARKUP = "<script>alert(1)</script>\"'&amp;"


def form(client: TestClient, kind: str = "pledge.stated", **more: str) -> Sheet:
    """The form of a kind."""
    filled = "".join(f"&{name.replace('__', '.')}={value}" for name, value in more.items())
    return get(client, f"{NEW}?coalition=willing&kind={kind}{filled}")


def size(client: TestClient) -> int:
    """How long the log is."""
    total: int = client.get("/v1/events?count=true&limit=1").json()["total"]
    return total


def said(client: TestClient, event_id: str) -> Json:
    """What an event says."""
    content: Json = client.get(f"/v1/events/{event_id}").json()["effective"]
    return content


# --- which kind, and its form -----------------------------------------------------------------------------------------


def test_every_kind_can_be_chosen_and_says_what_it_says(editor: TestClient) -> None:
    page = get(editor, NEW)
    assert {value for name, value in page.buttons if name == "kind"} == {kind_of(kind) for kind in STATEMENTS}
    for kind in STATEMENTS:
        assert " ".join((kind.__doc__ or "").split("\n\n")[0].split()) in page.text
    chosen = press(editor, page, "kind", "position.stated")
    assert "Topic" in read(chosen).text


def test_with_several_coalitions_none_is_chosen_beforehand_and_one_has_to_be(editor: TestClient) -> None:
    register(editor, "able")
    page = get(editor, NEW)
    assert "coalition" not in page.data
    again = read(press(editor, page, "kind", "pledge.stated"))
    assert "Say which coalition it is about." in again.text
    assert "Firmness" in read(press(editor, again, "kind", "pledge.stated", coalition="able")).text


@pytest.mark.parametrize("kind", STATEMENTS, ids=kind_of)
def test_nothing_is_filled_in_beforehand_and_an_empty_form_is_refused_at_its_fields(
    editor: TestClient, kind: type[Statement]
) -> None:
    page = form(editor, kind_of(kind))
    beside = {"kind", "coalition", "key", "next_kind"}
    assert {name for name, texts in page.data.items() if any(texts)} == beside
    before = size(editor)
    refused = press(editor, page, "do", "save")
    assert refused.status_code == 422
    again = read(refused)
    assert {"subject", "occurred.edtf", "summary", "sources.0.title"} <= again.at_fault()
    assert "Name at least one source: begin with its title." in refused.text
    assert "This field is required" not in refused.text
    assert len(again.summary()) >= 5
    assert size(editor) == before


@pytest.mark.parametrize("kind", STATEMENTS, ids=kind_of)
def test_a_statement_of_each_kind_is_entered_and_recorded_as_the_api_would(
    editor: TestClient, kind: type[Statement]
) -> None:
    content = golden_content(kind_of(kind))
    if content["coalition"] != "willing":
        register(editor, content["coalition"])
    data = fill_form(form_of(kind).fields, content)
    empty = get(editor, f"{NEW}?coalition={content['coalition']}&kind={content['kind']}")
    answer = press(editor, empty, "do", "save", **data)
    event_id = event_at(answer)
    assert without_empty(said(editor, event_id)) == without_empty(content)
    row = editor.get(f"/v1/events/{event_id}").json()["event"]
    assert row["recorded_by"] == "ed"
    read(editor.get(answer.headers["Location"]))


def test_what_is_wrong_stands_at_its_field_and_everything_stays_filled_in(editor: TestClient) -> None:
    filled = FILLED | {"body__quantity__exactly": "many", "occurred__edtf": "next Tuesday", "body__firmness": ""}
    refused = press(editor, form(editor), "do", "save", **filled)
    page = read(refused)
    assert refused.status_code == 422
    assert page.at_fault() >= {"body.quantity.exactly", "occurred.edtf", "body.firmness"}
    assert page.data["body.quantity.exactly"] == ["many"]
    assert page.data["summary"] == [FILLED["summary"]]
    mended = press(
        editor, page, "do", "save",
        body__quantity__exactly="500", body__quantity__unit="persons", occurred__edtf="2025-07-10",
        body__firmness="announced",
    )  # fmt: skip
    assert said(editor, event_at(mended))["body"]["quantity"] == {"min": 500, "max": 500, "unit": "persons"}


def test_what_is_wrong_is_told_for_who_writes_and_not_for_who_sends(editor: TestClient) -> None:
    wrong = {"occurred__edtf": "3.4.2025", "body__claimed_participants": "about 35", "actors": "Atlantis"}
    page = read(press(editor, form(editor, "meeting.held"), "do", "save", subject="Talks", **wrong))
    assert {"occurred.edtf", "body.claimed_participants", "actors"} <= page.at_fault()
    assert "of 3/4/2025 nobody can tell which number is the day" in page.text
    assert "Write a whole number, in digits." in page.text
    assert "Who is “Atlantis”? Choose below, or write another name." in page.text
    assert "Send " not in page.text
    assert "EDTF" not in page.text


def test_a_list_grows_and_shrinks_by_its_buttons_and_nothing_is_recorded(editor: TestClient) -> None:
    before = size(editor)
    page = read(press(editor, form(editor), "add", "body.conditions", **FILLED))
    assert "body.conditions.0.kind" in page.data
    page = read(press(editor, page, "add", "body.conditions", body__conditions__0__kind="mandate"))
    page = read(press(editor, page, "add", "sources", body__conditions__1__kind="us_backing"))
    page = read(press(editor, page, "remove", "body.conditions.0", sources__1__title="A second report"))
    assert page.data["body.conditions.0.kind"] == ["us_backing"]
    assert "body.conditions.1.kind" not in page.data
    assert size(editor) == before
    content = said(editor, event_at(press(editor, page, "do", "save")))
    assert content["body"]["conditions"] == [{"kind": "us_backing"}]
    assert [source["title"] for source in content["sources"]] == ["A report", "A second report"]


def test_an_actor_that_is_unclear_comes_back_as_a_choice(editor: TestClient) -> None:
    page = read(press(editor, form(editor), "do", "preview", **FILLED | {"actors": "Франція; Korea"}))
    assert "Who is “Korea”?" in page.text
    assert "actors?Korea" not in page.data, "nothing is chosen beforehand"
    assert said(editor, event_at(press(editor, page, "do", "save", **{"actors?Korea": "KR"})))["actors"] == ["FR", "KR"]


def test_somebody_whom_statements_have_named_is_entered_by_name_and_chosen_by_one_that_is_nearly_it(
    editor: TestClient,
) -> None:
    post(editor, statement(actors=["FR"], said_by={"actor": "FR", "name": "Emmanuel Macron", "post": "President"}))
    page = form(editor)
    assert "Emmanuel Macron" in page.text, "and offered while one writes"
    filled = FILLED | {"actors": "Emmanuel MACRON; Marcon; Germny"}
    page = read(press(editor, page, "do", "preview", **filled))
    assert "Emmanuel Macron (person:emmanuel-macron)" in page.text
    assert not [name for name in page.data if "?" in name], "nothing is chosen beforehand"
    chosen = {"actors?Marcon": "person:francois-marcon", "actors?Germny": "DE"}
    offered = {given["value"] for _, given in page.elements if "?" in given.get("name", "")}
    assert {"person:emmanuel-macron", "person:marcon", "group:marcon", "DE"} <= offered
    event_id = event_at(press(editor, page, "do", "save", **chosen))
    assert said(editor, event_id)["actors"] == ["person:emmanuel-macron", "person:francois-marcon", "DE"]


def test_a_date_may_be_picked_and_is_told_in_words(editor: TestClient) -> None:
    picked = {"occurred__edtf": "", "occurred__edtf__precision": "by", "occurred__edtf__date": "2025-03-17"}
    page = read(press(editor, form(editor), "do", "preview", **FILLED | picked))
    assert page.data["occurred.edtf"] == ["../2025-03-17"]
    assert "on or before 17 March 2025" in page.text


def test_what_is_usual_for_a_category_is_unfolded(editor: TestClient) -> None:
    def unfolded(page: Sheet) -> set[str]:
        return {given["data-part"] for _, given in page.elements if "data-part" in given and "open" in given}

    assert unfolded(form(editor, body__category="ground_troops")) == {"quantity"}
    assert unfolded(form(editor, body__category="financial")) == {"money"}


def test_what_is_required_within_something_that_is_not_says_that_all_of_it_may_be_left_out(editor: TestClient) -> None:
    page = form(editor)  # of money, a currency is required
    assert page.text.count("Leave all of this empty where nothing is said of it.") == 1
    assert event_at(press(editor, page, "do", "save", **FILLED))


def test_fields_that_the_form_does_not_have_are_refused(editor: TestClient) -> None:
    refused = press(editor, form(editor), "do", "save", **FILLED, body__colour="red")
    assert (refused.status_code, "does not have" in refused.text) == (422, True)
    assert editor.get(f"{NEW}?coalition=willing&kind=pledge.stated&body.colour=red").status_code == 400


def test_a_kind_or_a_coalition_that_there_is_not_is_no_page(editor: TestClient) -> None:
    assert editor.get(f"{NEW}?coalition=unheard&kind=pledge.stated").status_code == 404
    assert editor.post(NEW, data={"kind": "record.corrected", "coalition": "willing"}).status_code == 404


# --- before saving ----------------------------------------------------------------------------------------------------


def test_a_preview_says_what_would_change_and_records_nothing(editor: TestClient) -> None:
    press(editor, form(editor), "do", "save", **FILLED)
    before = size(editor)
    firmer = FILLED | {"body__firmness": "declared_intent", "occurred__edtf": "2025-09-04", "summary": "They signed."}
    page = read(press(editor, form(editor), "do", "preview", **firmer))
    assert "United Kingdom: ground troops announced declared intent" in page.text
    assert "Pledge ground-troops of United Kingdom goes from announced to declared intent" in page.text
    assert size(editor) == before
    event_id = event_at(press(editor, page, "do", "save"))
    assert said(editor, event_id)["body"]["firmness"] == "declared_intent"


def test_a_preview_of_something_late_says_that_what_came_later_has_the_last_word(editor: TestClient) -> None:
    press(editor, form(editor), "do", "save", **FILLED)
    late = FILLED | {"occurred__edtf": "2025-03", "body__firmness": "considering", "summary": "They think about it."}
    page = read(press(editor, form(editor), "do", "preview", **late))
    assert "Something later is known about this" in page.text
    assert (
        "As of 31 March 2025. Subject Without it With it United Kingdom: ground troops nothing known consi" in page.text
    )
    assert "As of now. Subject Now Then United Kingdom: ground troops announced unchanged" in page.text


def test_a_preview_tells_what_is_otherwise_on_the_day_itself_where_that_is_not_so_now(editor: TestClient) -> None:
    for day, firmness in (("2025-03-10", "announced"), ("2025-09-04", "committed")):
        stated = FILLED | {"occurred__edtf": day, "body__firmness": firmness, "summary": f"On {day}."}
        event_at(press(editor, form(editor), "do", "save", **stated))
    before = size(editor)
    late = FILLED | {"occurred__edtf": "12 March 2025", "body__firmness": "declared_intent", "summary": "They signed."}
    page = read(press(editor, form(editor), "do", "preview", **late))
    named = "United Kingdom: ground troops"
    assert f"As of 12 March 2025. Subject Without it With it {named} announced declared intent" in page.text
    assert f"As of now. Subject Now Then {named} committed unchanged" in page.text
    assert size(editor) == before
    event_id = event_at(press(editor, page, "do", "save"))
    past = "/v1/subjects/willing/pledge/ground-troops?as_of="
    told = [editor.get(f"{past}{day}").json()["items"][0]["firmness"] for day in ("2025-03-11", "2025-03-12", "2026")]
    assert told == ["announced", "declared_intent", "committed"], "as the preview said"
    moved = get(editor, f"/admin/events/{event_id}/corrections")
    shown = read(press(editor, moved, "do", "preview", changes__occurred__edtf="2025-02-01", reason="entry_error"))
    assert f"As of 1 February 2025. Subject Without it With it {named} nothing known declared intent" in shown.text
    shown = read(press(editor, get(editor, f"/admin/events/{event_id}/retraction"), "do", "preview", reason="other"))
    assert f"As of 12 March 2025. Subject Without it With it {named} declared intent announced" in shown.text
    assert f"{named} committed unchanged" in shown.text


def test_a_preview_names_what_is_otherwise_where_the_few_words_stay_the_same(editor: TestClient) -> None:
    for day, condition in (("2025-03-10", "ceasefire_in_force"), ("2025-09-04", "peace_agreement")):
        stated = f"{NEW}?coalition=willing&kind=pledge.stated&body.conditions.0.kind={condition}"
        press(editor, get(editor, stated), "do", "save", **FILLED | {"occurred__edtf": day, "summary": f"On {day}."})
    late = f"{NEW}?coalition=willing&kind=pledge.stated&body.conditions.0.kind=mandate"
    page = read(press(editor, get(editor, late), "do", "preview", **FILLED | {"occurred__edtf": "12 March 2025"}))
    named = "United Kingdom: ground troops announced, conditional"
    assert f"Without it With it {named} announced, conditional, with other conditions" in page.text
    assert f"As of now. Subject Now Then {named} unchanged" in page.text
    page = read(press(editor, get(editor, late), "do", "preview", **FILLED | {"occurred__edtf": "2025-10-01"}))
    assert f"As of now. Subject Now Then {named} announced, conditional, with other conditions" in page.text


def test_the_title_of_a_subject_keeps_the_date_in_it() -> None:
    assert title_of(SubjectKey("willing", "meeting", "leaders-paris-2026-01-06", "")) == "leaders paris 2026-01-06"


def test_a_preview_of_what_time_has_overtaken_tells_both(editor: TestClient) -> None:
    lapsed = FILLED | {"body__deadline": "2025-08-01"}
    page = read(press(editor, form(editor), "do", "preview", **lapsed))
    assert (
        "As of 10 July 2025. Subject Without it With it United Kingdom: ground troops nothing known announced"
        in page.text
    )
    assert "As of now. Subject Now Then United Kingdom: ground troops nothing known announced, lapsed" in page.text


def test_a_preview_of_what_is_the_same_then_and_now_tells_it_once(editor: TestClient) -> None:
    page = read(press(editor, form(editor), "do", "preview", **FILLED))
    assert "As of now. Subject Now Then United Kingdom: ground troops nothing known announced" in page.text
    assert "Without it" not in page.text


def test_a_preview_of_what_is_to_come_is_of_that_day(editor: TestClient) -> None:
    page = read(press(editor, form(editor), "do", "preview", **FILLED | {"occurred__edtf": "2199-02"}))
    assert "As of 28 February 2199, when it will have happened for certain." in page.text


def test_what_is_alike_is_shown_before_it_is_saved_and_saved_when_it_was_seen(editor: TestClient) -> None:
    first = event_at(press(editor, form(editor), "do", "save", **FILLED))
    before = size(editor)
    shown = press(editor, form(editor), "do", "save", **FILLED)
    assert shown.status_code == 200
    page = read(shown)
    assert f"/admin/events/{first}" in page.links
    assert "Nothing is saved yet" in page.text
    assert size(editor) == before
    assert event_at(press(editor, page, "do", "save")) != first
    assert size(editor) == before + 1


def test_what_is_known_already_is_told_with_its_dates_in_words(editor: TestClient) -> None:
    day = {"occurred": {"edtf": "../2025-03", "basis": "deduced"}}
    post(editor, statement("meeting.announced", actors=[], body={"title": "Summit", "date": "2025-03-17~"}, **day))
    page = form(editor, "meeting.announced")
    assert "unconfirmed, about 17 March 2025" in page.text
    kept = {name: FILLED[name] for name in ("occurred__basis", "sources__0__title")}
    meeting = kept | {"occurred__edtf": "March 2025", "known": "ground-troops", "summary": "A summit is to be."}
    shown = press(editor, page, "do", "preview", **meeting)
    assert "about 17 March 2025" in read(shown).text
    assert '<span title="../2025-03">in or before March 2025, deduced</span>' in shown.text


def test_a_double_click_saves_once(editor: TestClient) -> None:
    page, before = form(editor), size(editor)
    first, second = (press(editor, page, "do", "save", **FILLED) for _ in range(2))
    assert event_at(first) == event_at(second)
    assert size(editor) == before + 1


def test_a_click_while_another_is_under_way_is_answered_what_comes_of_that(database: str) -> None:
    async def press_thrice() -> list[Answer]:
        async with recording(database) as (_, recorder):
            await record(recorder, registration("willing"))
            one = Submission((entry(statement()),), "ed", lambda _: b"{}", Retry("form/ed", "key", b"said"))
            return await asyncio.gather(
                *(record_once(recorder, pressed) for pressed in (one, one.again(), one.again()))
            )

    answers = asyncio.run(press_thrice())
    assert {answer.position for answer in answers} == {2}
    assert sorted(answer.replayed for answer in answers) == [False, True, True]


def test_clicks_at_the_same_moment_save_once(editor: TestClient) -> None:
    page, before = form(editor), size(editor)
    threads = [threading.Thread(target=press, args=(editor, page, "do", "save"), kwargs=FILLED) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert size(editor) == before + 1


def test_a_form_that_was_saved_and_changed_since_is_saved_as_another_statement_only_when_asked_again(
    editor: TestClient,
) -> None:
    page = form(editor)
    first = event_at(press(editor, page, "do", "save", **FILLED))
    changed = FILLED | {"subject": "air policing", "summary": "Jets, too."}
    refused = press(editor, page, "do", "save", **changed)
    assert refused.status_code == 422
    assert "saved already" in refused.text
    assert event_at(press(editor, read(refused), "do", "save")) != first


def test_what_a_contributor_saves_waits_for_an_approver(editor: TestClient, database: str) -> None:
    add_person(database, "con", "contributor")
    allow(database)
    before = size(editor)
    editor.cookies.set(COOKIE, begin_session(database, "con"))
    page = form(editor)
    assert "waits for an approver" in page.text
    saved, again = (press(editor, page, "do", "save", **FILLED) for _ in range(2))
    (draft,) = editor.get("/v1/drafts").json()["items"]
    assert saved.headers["Location"] == again.headers["Location"] == f"/admin/review/{draft['id']}?done=waits"
    assert (draft["author"], draft["records"][0]["summary"]) == ("con", FILLED["summary"])
    assert size(editor) == before


def test_whoever_may_only_read_enters_nothing_and_nobody_does_from_another_site(
    editor: TestClient, database: str
) -> None:
    page = form(editor)
    editor.headers["Origin"] = "https://evil.example"
    assert press(editor, page, "do", "save", **FILLED).status_code == 403
    editor.headers["Origin"] = "http://testserver"
    add_person(database, "reader", "reader")
    editor.cookies.set(COOKIE, begin_session(database, "reader"))
    assert editor.get(NEW).status_code == press(editor, page, "do", "save", **FILLED).status_code == 403
    editor.cookies.clear()
    assert editor.get(NEW).headers["Location"].startswith("/admin/sign-in?next=")


# --- what is known already --------------------------------------------------------------------------------------------


def test_known_subjects_are_offered_with_their_state_and_a_restatement_lands_on_the_one_that_is_picked(
    editor: TestClient,
) -> None:
    press(editor, form(editor), "do", "save", **FILLED)
    page = form(editor)
    assert "ground-troops United Kingdom: announced" in page.text
    assert "known" not in page.data, "nothing is chosen beforehand"
    again = FILLED | {"subject": "", "known": "ground-troops", "occurred__edtf": "2025-09-04", "summary": "Once more."}
    assert said(editor, event_at(press(editor, page, "do", "save", **again)))["subject"] == "ground-troops"


def test_a_new_subject_is_named_in_words_and_not_beside_a_known_one(editor: TestClient) -> None:
    press(editor, form(editor), "do", "save", **FILLED)
    both = FILLED | {"known": "ground-troops", "subject": "Air policing", "summary": "Jets."}
    refused = press(editor, form(editor), "do", "save", **both)
    assert (refused.status_code, "leave one out" in refused.text) == (422, True)
    new = press(editor, read(refused), "do", "save", known="", subject="Air policing")
    assert said(editor, event_at(new))["subject"] == "air-policing"


def test_subjects_of_another_family_are_not_offered(editor: TestClient) -> None:
    press(editor, form(editor), "do", "save", **FILLED)
    assert "ground-troops" not in form(editor, "meeting.held").text


# --- one article, many statements -------------------------------------------------------------------------------------


def test_an_article_is_opened_once_and_kept_for_statement_after_statement(editor: TestClient) -> None:
    article = get(editor, "/admin/articles/new")
    opened = press_only(
        editor, article, title="A long report", publisher="A paper", published_on="12 July 2025", reliability="C",
        credibility="3",
    )  # fmt: skip
    kinds = read(editor.get(opened.headers["Location"]))
    page = read(press(editor, kinds, "kind", "pledge.stated"))
    assert (page.data["occurred.edtf"], "Kept from the statement before" in page.text) == ([""], False)
    source = {"title": "A long report", "publisher": "A paper", "published_on": "2025-07-12", "reliability": "C",
              "credibility": 3}  # fmt: skip
    without = {name: text for name, text in FILLED.items() if not name.startswith("sources")}
    for number in range(1, 6):
        filled = without | {"subject": f"subject {number}", "summary": f"Thing {number}."}
        answer = press(editor, page, "do", "next", **filled)
        assert answer.status_code == 303, answer.text
        address = answer.headers["Location"]
        page, reloaded = read(editor.get(address)), read(editor.get(address))
        assert {name: texts for name, texts in page.data.items() if name != "key"} == {
            name: texts for name, texts in reloaded.data.items() if name != "key"
        }
        assert f"Entered so far: {number}" in page.text
        assert "Source: A long report" in page.text
        assert page.data["summary"] == [""]
        assert (page.data["occurred.edtf"], page.data["occurred.basis"]) == (["10 July 2025"], ["stated"])
        assert "Kept from the statement before" in page.text
        event_id = parse_qs(urlsplit(address).query)["entered"][-1]
        assert said(editor, event_id)["sources"] == [source]


def press_only(client: TestClient, sheet: Sheet, **filled: str) -> Any:
    """Sends a form that has a single button."""
    return client.post(sheet.action, data={**sheet.data, **{name: [text] for name, text in filled.items()}})


def test_the_next_statement_may_be_of_another_kind(editor: TestClient) -> None:
    answer = press(editor, form(editor), "do", "next", **FILLED, next_kind="meeting.held")
    page = read(editor.get(answer.headers["Location"]))
    assert (page.data["kind"], page.data["sources.0.title"]) == (["meeting.held"], ["A report"])


def test_an_article_without_a_title_is_refused_at_its_field(editor: TestClient) -> None:
    refused = press_only(editor, get(editor, "/admin/articles/new"), publisher="A paper", url="nonsense")
    page = read(refused)
    assert (refused.status_code, page.at_fault()) == (422, {"title", "url"})
    assert page.data["publisher"] == ["A paper"]


def test_an_article_about_none_of_several_coalitions_is_refused_where_one_is_chosen(editor: TestClient) -> None:
    register(editor, "able")
    page = read(press_only(editor, get(editor, "/admin/articles/new"), title="A report"))
    assert "#coalition" in page.links
    assert page.text.count("Say which coalition it is about.") == 2


# --- what is written is shown, and is nothing else --------------------------------------------------------------------


@pytest.mark.parametrize("kind", STATEMENTS, ids=kind_of)
def test_markup_in_every_text_is_shown_as_text(editor: TestClient, kind: type[Statement]) -> None:
    page = form(editor, kind_of(kind))
    page = read(press(editor, page, "add", "sources"))
    for name in [value for button, value in page.buttons if button == "add"]:
        page = read(press(editor, page, "add", name))
    texts = {
        given["name"]: MARKUP
        for tag, given in page.elements
        if tag == "textarea" or (tag == "input" and given.get("type") is None and "name" in given)
    }
    for button in ("save", "preview"):
        refused = press(editor, page, "do", button, **texts)
        assert refused.status_code == 422
        assert "<script>alert" not in refused.text
        again = read(refused)
        assert again.data["summary"] == [MARKUP]


def test_markup_that_was_recorded_is_shown_as_text_on_every_page(editor: TestClient) -> None:
    texts = FILLED | {
        "summary": MARKUP, "quote": MARKUP, "place": MARKUP, "said_by__name": MARKUP, "said_by__post": MARKUP,
        "body__description": MARKUP, "body__places": MARKUP, "sources__0__title": MARKUP,
        "sources__0__publisher": MARKUP, "body__quantity__text": MARKUP,
    }  # fmt: skip
    answer = press(editor, form(editor), "do", "next", **texts)
    address = answer.headers["Location"]
    event_id = parse_qs(urlsplit(address).query)["entered"][-1]
    notes = ("corrections", "retraction", "disputes", "duplicates", "sources")
    own = f"/admin/events/{event_id}"
    paths = [address, own, *(f"{own}/{name}" for name in notes)]
    for path in paths:
        answer = editor.get(path)
        assert "<script>alert" not in answer.text, path
        assert MARKUP in read(answer).text or "<script>" in read(answer).text, path
    alike = read(press(editor, form(editor), "do", "save", **texts))
    assert MARKUP in alike.text


def test_a_page_stays_small_with_a_hundred_subjects_known(editor: TestClient) -> None:
    for start in range(0, 120, 40):
        many = [
            statement(subject=f"subject-{number}", actors=["GB", "FR", "PL", "DE", "IT", "ES"])
            for number in range(start, start + 40)
        ]
        post(editor, many, "/v1/statements/batch")
    page = form(editor)
    assert "Germany, Spain, France, United Kingdom, 2 more: announced" in page.text
