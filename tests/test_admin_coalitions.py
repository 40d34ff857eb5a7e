"""Coalitions by their pages: registered, and their names changed, as the API would."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.pages import event_at, get, press, read
from tests.people import COOKIE, add_person, begin_session, browser
from tests.registry import Json, post, register, statement
from tests.test_entering import size

LIST, NEW = "/admin/coalitions", "/admin/coalitions/new"
FILLED: Json = {
    "slug": "The Able",
    "name": "The able and willing",
    "aliases": "Die Fähigen\n有志連合",
    "force__name": "A joint force",
    "force__aliases": "JF",
}
MARKUP = '<img src=x onerror="alert(1)">&amp;'


@pytest.fixture
def editor(database: str) -> Iterator[TestClient]:
    """A browser in which an editor is signed in; nothing is registered yet."""
    with browser(database, "ed", "editor") as client:
        yield client


def the_able(client: TestClient) -> Json:
    """What is known of the coalition."""
    found: Json = client.get("/v1/coalitions/the-able").json()
    return found


def test_a_coalition_is_registered_by_its_form_as_the_api_would(editor: TestClient) -> None:
    assert NEW in get(editor, "/admin/statements/new").links
    assert NEW in get(editor, "/admin/articles/new").links
    assert NEW in get(editor, LIST).links
    saved = press(editor, get(editor, NEW), "do", "save", **FILLED)
    assert (saved.status_code, saved.headers["Location"]) == (303, f"{LIST}?done=recorded")
    found = the_able(editor)
    assert (found["name"], found["aliases"]) == ("The able and willing", ["Die Fähigen", "有志連合"])
    assert found["force"] == {"name": "A joint force", "aliases": ["JF"]}
    assert editor.get("/v1/events").json()["items"][0]["data"]["recorded_by"] == "ed"
    listed = get(editor, LIST).text
    assert all(name in listed for name in ("The able and willing", "Die Fähigen; 有志連合", "A joint force", "JF"))
    assert "Firmness" in get(editor, "/admin/statements/new?coalition=the-able&kind=pledge.stated").text


def test_only_slug_and_name_are_needed_and_nothing_is_filled_in_beforehand(editor: TestClient) -> None:
    page = get(editor, NEW)
    assert {name for name, texts in page.data.items() if any(texts)} == {"key"}
    refused = press(editor, page, "do", "save")
    assert (refused.status_code, read(refused).at_fault(), size(editor)) == (422, {"slug", "name"}, 0)
    press(editor, read(refused), "do", "save", slug="the-able", name="The able")
    assert the_able(editor)["force"] is None


def test_a_preview_shows_the_registration_and_records_nothing(editor: TestClient) -> None:
    page = read(press(editor, get(editor, NEW), "do", "preview", **FILLED))
    assert "names of the coalition the-able nothing known The able and willing" in page.text
    assert (size(editor), page.data["aliases"]) == (0, [FILLED["aliases"]])
    press(editor, page, "do", "save")
    assert size(editor) == 1


@pytest.mark.parametrize(
    ("typed", "field"),
    [({"slug": "有志連合"}, "slug"), ({"name": "x" * 400}, "name"), ({"force__name": ""}, "force.name")],
)
def test_what_is_wrong_with_a_registration_stands_at_its_field(editor: TestClient, typed: Json, field: str) -> None:
    refused = press(editor, get(editor, NEW), "do", "save", **FILLED | typed)
    assert (refused.status_code, read(refused).at_fault(), size(editor)) == (422, {field}, 0)


def test_a_slug_that_is_taken_is_refused_at_its_field_and_what_was_filled_in_stays(editor: TestClient) -> None:
    register(editor, "the-able")
    refused = press(editor, get(editor, NEW), "do", "save", **FILLED)
    page = read(refused)
    assert (refused.status_code, page.at_fault(), size(editor)) == (409, {"slug"}, 1)
    assert "correct its registration instead" in page.text
    assert page.data["force.name"] == ["A joint force"]
    previewed = press(editor, get(editor, NEW), "do", "preview", **FILLED)
    assert (previewed.status_code, read(previewed).at_fault()) == (409, {"slug"})


def test_a_field_that_the_form_does_not_have_is_refused(editor: TestClient) -> None:
    refused = press(editor, get(editor, NEW), "do", "save", **FILLED, members="DE; FR")
    assert (refused.status_code, "does not have" in refused.text, size(editor)) == (422, True, 0)


def test_a_second_click_registers_once(editor: TestClient) -> None:
    page = get(editor, NEW)
    answers = [press(editor, page, "do", "save", **FILLED) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert size(editor) == 1


def test_what_a_contributor_registers_waits_for_an_approver(editor: TestClient, database: str) -> None:
    add_person(database, "con", "contributor")
    editor.cookies.set(COOKIE, begin_session(database, "con"))
    page = get(editor, NEW)
    assert "waits for an approver" in page.text
    saved = press(editor, page, "do", "save", **FILLED)
    (draft,) = editor.get("/v1/drafts").json()["items"]
    assert saved.headers["Location"] == f"/admin/review/{draft['id']}?done=waits"
    (draft,) = editor.get("/v1/drafts").json()["items"]
    assert (draft["records"][0]["kind"], draft["author"], size(editor)) == ("coalition.registered", "con", 0)


def test_who_only_reads_is_offered_neither(editor: TestClient, database: str) -> None:
    register(editor, "the-able")
    add_person(database, "rea", "reader")
    editor.cookies.set(COOKIE, begin_session(database, "rea"))
    page = get(editor, LIST)
    assert NEW not in page.links
    assert not [link for link in page.links if link.endswith("/corrections")]
    assert editor.get(NEW).status_code == editor.post(NEW, data={"slug": "x"}).status_code == 403


def test_names_are_changed_with_a_reason_old_beside_new_and_the_old_ones_stay_known(editor: TestClient) -> None:
    press(editor, get(editor, NEW), "do", "save", **FILLED)
    post(editor, statement(coalition="the-able"))
    (change,) = [link for link in get(editor, LIST).links if link.endswith("/corrections")]
    form = get(editor, change)
    renamed = {"changes__name": "The able", "changes__aliases": "Les capables"}
    refused = press(editor, form, "do", "save", **renamed)
    assert (refused.status_code, read(refused).at_fault()) == (422, {"reason"})
    shown = read(press(editor, form, "do", "preview", **renamed, reason="other", note="They call themselves so now."))
    assert "Name The able and willing The able" in shown.text
    assert "Aliases Die Fähigen; 有志連合 Les capables" in shown.text
    event_id = event_at(press(editor, shown, "do", "save"))
    found = the_able(editor)
    assert (found["name"], found["aliases"], found["force"]["name"]) == ("The able", ["Les capables"], "A joint force")
    before = editor.get("/v1/coalitions/the-able?known_position=2").json()
    assert before["name"] == "The able and willing"
    history = get(editor, f"/admin/events/{event_id}").text
    assert "They call themselves so now." in history
    assert "Name The able and willing The able" in history
    again = get(editor, LIST)
    assert change in again.links, "and it may be changed again"
    assert "Les capables" in again.text


def test_one_that_was_retracted_is_listed_as_such_and_can_be_reinstated(editor: TestClient) -> None:
    press(editor, get(editor, NEW), "do", "save", **FILLED)
    event_id = editor.get("/v1/events").json()["items"][0]["id"]
    event_at(press(editor, get(editor, f"/admin/events/{event_id}/retraction"), "do", "save", reason="other"))
    page = get(editor, LIST)
    assert "the-able its registration retracted none" in page.text
    assert read(press(editor, get(editor, NEW), "do", "save", **FILLED)).at_fault() == {"slug"}
    (back,) = [link for link in page.links if link.endswith("/reinstatement")]
    event_at(press(editor, get(editor, back), "do", "save", reason="other"))
    assert "the-able The able and willing" in get(editor, LIST).text


def test_coalitions_are_shown_with_how_much_is_recorded_of_each(editor: TestClient) -> None:
    named = {"slug": "willing", "name": MARKUP, "aliases": ["The Willing", MARKUP], "force": {"name": MARKUP}}
    post(editor, named, "/v1/coalitions")
    post(editor, statement())
    page = get(editor, LIST)
    assert f"willing {MARKUP} The Willing; {MARKUP} {MARKUP} 1 10 July 2025 Change its names" in page.text
    assert "img" not in [tag for tag, _ in page.elements]
