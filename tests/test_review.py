"""The review queue: contributors' entries wait for somebody else, who approves, returns or rejects them."""

import re
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

import psycopg
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.pages import Sheet, event_at, get, press, read
from tests.people import COOKIE, add_person, begin_session, opened, sends_like_a_browser
from tests.registry import Json, allow, note, register, statement
from tests.test_drafts import at_once
from tests.test_entering import FILLED, MARKUP, NEW, form, size
from tests.test_noting import TERMS, recorded

REVIEW = "/admin/review"
PEOPLE = {"con": "contributor", "eve": "contributor", "ed": "editor", "ann": "approver", "bob": "approver"}


class Office(NamedTuple):
    """A registry with one coalition, and those who sit before it, each signed in."""

    url: str
    client: TestClient
    cookies: dict[str, str]

    def turn_to(self, who: str) -> TestClient:
        """The browser of somebody."""
        self.client.cookies.set(COOKIE, self.cookies[who])
        return self.client

    def enter(self, who: str = "con", **changes: Any) -> str:
        """The id of a new draft, entered by the form."""
        client = self.turn_to(who)
        return draft_at(press(client, form(client), "do", "save", **{**FILLED, **changes}))

    def page(self, who: str, draft_id: str) -> Sheet:
        """The page of a draft, as somebody has it."""
        return get(self.turn_to(who), f"{REVIEW}/{draft_id}")

    def decide(self, who: str, draft_id: str, do: str, reason: str = "") -> Response:
        """Presses a button on the page of a draft."""
        return press(self.turn_to(who), self.page(who, draft_id), "do", do, reason=reason)

    def send(self, who: str, draft_id: str, **sent: str) -> Response:
        """Sends what no button sends."""
        return self.turn_to(who).post(f"{REVIEW}/{draft_id}", data=sent)

    def waiting(self, who: str) -> int:
        """How many the navigation says that wait for somebody."""
        found = re.search(r'<span class="count">(\d+)<', self.turn_to(who).get("/admin").text)
        return int(found[1]) if found else 0

    def see(self, draft_id: str) -> Json:
        """A draft as the API has it."""
        draft: Json = self.turn_to("ann").get(f"/v1/drafts/{draft_id}").json()["draft"]
        return draft


def draft_at(answer: Response) -> str:
    """The id of the draft to whose page an answer leads."""
    found = re.fullmatch(r"/admin/review/([0-9a-f-]{36})\?done=waits", answer.headers.get("Location", ""))
    assert answer.status_code == HTTPStatus.SEE_OTHER, answer.text
    assert found, answer.headers
    return found[1]


def done_at(answer: Response) -> str:
    assert answer.status_code == HTTPStatus.SEE_OTHER, answer.text
    return answer.headers["Location"].partition("?done=")[2]


@pytest.fixture
def office(database: str) -> Iterator[Office]:
    for login, role in PEOPLE.items():
        add_person(database, login, role)
    with opened(database) as client:
        cookies = {login: begin_session(database, login) for login in PEOPLE}
        made = Office(database, sends_like_a_browser(client), cookies)
        register(made.turn_to("ed"), "willing")
        yield made


# --- a draft's life ---------------------------------------------------------------------------------------------------


def test_what_a_contributor_enters_is_shown_to_them_as_waiting_and_recorded_once_somebody_approves_it(
    office: Office,
) -> None:
    before = size(office.turn_to("ed"))
    draft_id = office.enter(sources__0__url="https://example.org/report")
    own = office.page("con", draft_id)
    assert "so somebody else, an approver, has to decide on it" in own.text
    assert {value for _, value in own.buttons} == {"withdraw"}
    assert "United Kingdom: ground troops nothing known announced" in own.text

    page = office.page("ann", draft_id)
    for shown in ("put up by con", "Britain would send troops.", "10 July 2025", "A report", "Put up by con"):
        assert shown in page.text
    assert "https://example.org/report" in page.links
    assert {value for _, value in page.buttons} == {"approve", "return", "reject"}
    assert size(office.client) == before

    approved = office.decide("ann", draft_id, "approve", "As in the source.")
    assert done_at(approved) == "approved"
    assert size(office.client) == before + 1
    page = get(office.client, approved.headers["Location"])
    assert "It is recorded, in its author's name." in page.text
    assert re.search(r"Approved by ann, \d+ \w+ \d{4}, \d\d:\d\d UTC As in the source\.", page.text)
    (event_id,) = office.see(draft_id)["event_ids"]
    assert f"/admin/events/{event_id}" in page.links
    assert not page.buttons


def test_a_returned_draft_goes_back_to_its_author_who_changes_it_and_sends_it_in_again(office: Office) -> None:
    draft_id = office.enter()
    assert (office.waiting("ann"), office.waiting("con")) == (1, 0)
    assert done_at(office.decide("ann", draft_id, "return", "Which day?\nThe report says the 11th.")) == "returned"
    assert (office.waiting("ann"), office.waiting("con")) == (0, 1)

    queue = get(office.turn_to("con"), REVIEW)
    assert "Which day? The report says the 11th." in queue.text
    page = office.page("con", draft_id)
    assert "Returned by ann" in page.text
    again = get(office.client, f"{NEW}?draft={draft_id}")
    assert f"{NEW}?draft={draft_id}" in page.links
    assert "Which day? The report says the 11th." in again.text
    assert (again.data["summary"], again.data["actors"]) == ([FILLED["summary"]], ["GB"])
    preview = read(press(office.client, again, "do", "preview", occurred__edtf="11 July 2025"))
    assert preview.data["draft"] == [draft_id]
    sent = press(office.client, preview, "do", "save")
    twice = press(office.client, preview, "do", "save")
    second = draft_at(sent)
    assert twice.headers["Location"] == sent.headers["Location"]

    assert office.see(draft_id)["state"] == "withdrawn"
    assert office.see(second)["replaces"] == draft_id
    page = office.page("ann", second)
    told = page.text.partition("What happened to it")[2]
    assert re.search(r"Put up by con.*Returned by ann.*The report says the 11th\..*Sent in again by con", told)
    assert f"{REVIEW}/{draft_id}" in page.links
    assert f"{REVIEW}/{second}" in office.page("ann", draft_id).links
    assert done_at(office.decide("bob", second, "approve")) == "approved"
    assert office.waiting("con") == 0
    (event_id,) = office.see(second)["event_ids"]
    event = office.client.get(f"/v1/events/{event_id}").json()
    assert (event["event"]["occurred"]["edtf"], event["approved_by"]) == ("2025-07-11", "bob")


def test_a_returned_draft_is_withdrawn_or_sent_in_again_once(office: Office) -> None:
    first, second = office.enter(), office.enter(summary="Quite another thing was said.")
    for draft_id in (first, second):
        office.decide("ann", draft_id, "return", "Why?")
    assert done_at(office.decide("con", first, "withdraw", "A slip.")) == "withdrawn"
    assert office.client.get(f"{NEW}?draft={first}").status_code == HTTPStatus.CONFLICT
    open_twice = get(office.client, f"{NEW}?draft={second}"), get(office.client, f"{NEW}?draft={second}")
    draft_at(press(office.client, open_twice[0], "do", "save"))
    refused = press(office.client, open_twice[1], "do", "save", summary="Otherwise.")
    assert refused.status_code == HTTPStatus.CONFLICT
    assert "returned to you" in read(refused).text
    assert office.turn_to("eve").get(f"{NEW}?draft={second}").status_code == HTTPStatus.NOT_FOUND


def test_an_author_may_choose_another_kind_when_they_change_a_draft(office: Office) -> None:
    draft_id = office.enter()
    office.decide("ann", draft_id, "return", "This is a position, no pledge.")
    page = get(office.turn_to("con"), f"{NEW}?draft={draft_id}")
    (another,) = (link for link in page.links if link.startswith(f"{NEW}?") and "draft=" in link)
    chosen = read(press(office.client, get(office.client, another), "kind", "position.stated"))
    assert (chosen.data["summary"], chosen.data["draft"]) == ([FILLED["summary"]], [draft_id])
    second = draft_at(press(office.client, chosen, "do", "save", body__topic="troops", body__stance="supportive"))
    assert (office.see(second)["records"][0]["kind"], office.see(second)["replaces"]) == ("position.stated", draft_id)


def test_a_rejected_draft_is_not_recorded_and_says_why(office: Office) -> None:
    draft_id, before = office.enter(), size(office.client)
    assert done_at(office.decide("ann", draft_id, "reject", "Not in the source.")) == "rejected"
    assert size(office.client) == before
    page = office.page("con", draft_id)
    assert re.search(r"Rejected by ann, .* UTC Not in the source\.", page.text)
    assert not page.buttons
    assert f"{REVIEW}/{draft_id}" in get(office.client, f"{REVIEW}?state=decided").links


@pytest.mark.parametrize("do", ["return", "reject"])
def test_who_returns_or_rejects_has_to_say_why_at_its_field(office: Office, do: str) -> None:
    draft_id = office.enter()
    refused = office.decide("ann", draft_id, do, "  ")
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert read(refused).at_fault() == {"reason"}
    assert office.see(draft_id)["state"] == "pending"


# --- who may ----------------------------------------------------------------------------------------------------------


def test_a_contributor_approves_nothing_by_form_or_api(office: Office) -> None:
    draft_id, before = office.enter(), size(office.client)
    assert office.send("con", draft_id, do="approve", key="k").status_code == HTTPStatus.FORBIDDEN
    assert office.send("con", draft_id, do="return", reason="x", key="k").status_code == HTTPStatus.FORBIDDEN
    assert office.client.post(f"/v1/drafts/{draft_id}/approval").status_code == HTTPStatus.FORBIDDEN
    for who in ("eve", "ed"):
        assert office.send(who, draft_id, do="approve", key="k").status_code == HTTPStatus.NOT_FOUND
        assert office.client.get(f"{REVIEW}/{draft_id}").status_code == HTTPStatus.NOT_FOUND
    assert (office.see(draft_id)["state"], size(office.client)) == ("pending", before)


@pytest.mark.parametrize("who", ["ed", "bob"])
def test_nobody_approves_their_own_draft_whatever_their_role(office: Office, who: str) -> None:
    sent = {"path": "/v1/statements", "body": statement()}
    draft_id = office.turn_to(who).post("/v1/drafts", json=sent).json()["draft"]["id"]
    before = size(office.client)
    page = office.page(who, draft_id)
    assert "there are no buttons for that here" in page.text
    assert {value for _, value in page.buttons} == {"withdraw"}
    for do in ("approve", "return", "reject"):
        refused = office.send(who, draft_id, do=do, reason="So it is.", key=f"k-{do}")
        assert refused.status_code == (HTTPStatus.CONFLICT if who == "bob" else HTTPStatus.FORBIDDEN)
    approved = office.client.post(f"/v1/drafts/{draft_id}/approval")
    assert approved.status_code == (HTTPStatus.CONFLICT if who == "bob" else HTTPStatus.FORBIDDEN)
    assert (office.see(draft_id)["state"], size(office.client)) == ("pending", before)
    assert done_at(office.decide("ann", draft_id, "approve")) == "approved"


def test_only_its_author_withdraws_a_draft(office: Office) -> None:
    draft_id = office.enter()
    assert office.send("ann", draft_id, do="withdraw", key="k").status_code == HTTPStatus.CONFLICT
    assert done_at(office.decide("con", draft_id, "withdraw")) == "withdrawn"


def test_what_no_button_sends_is_refused(office: Office) -> None:
    draft_id = office.enter()
    for sent in ({"do": "publish"}, {"do": "approve"}, {"do": "approve", "key": "k", "force": "yes"}, {"key": "k"}):
        assert office.send("ann", draft_id, **sent).status_code == HTTPStatus.UNPROCESSABLE_ENTITY, sent
    office.client.headers["Origin"] = "https://elsewhere.example"
    assert office.send("ann", draft_id, do="approve", key="k").status_code == HTTPStatus.FORBIDDEN
    office.client.headers["Origin"] = "http://testserver"
    assert office.see(draft_id)["state"] == "pending"


# --- pressed twice, and two at once -----------------------------------------------------------------------------------


@pytest.mark.parametrize("do", ["approve", "return", "reject"])
def test_a_button_that_is_pressed_twice_decides_once(office: Office, do: str) -> None:
    draft_id = office.enter()
    page, before = office.page("ann", draft_id), size(office.client)
    answers = [press(office.client, page, "do", do, reason="So it is.") for _ in range(2)]
    assert [done_at(answer) for answer in answers] == [office.see(draft_id)["state"]] * 2
    assert size(office.client) == before + (do == "approve")


@pytest.mark.parametrize(("first", "told"), [("approve", "approved"), ("return", "returned"), ("reject", "rejected")])
def test_of_two_reviewers_the_second_is_told_what_the_first_did(office: Office, first: str, told: str) -> None:
    draft_id = office.enter()
    pages = {who: office.page(who, draft_id) for who in ("ann", "bob")}
    press(office.turn_to("ann"), pages["ann"], "do", first, reason="So it is.")
    before = size(office.client)
    for do, reason in [(do, reason) for do in ("approve", "return", "reject") for reason in ("I think otherwise.", "")]:
        late = press(office.turn_to("bob"), pages["bob"], "do", do, reason=reason, key=f"k-{do}-{bool(reason)}")
        assert late.status_code == HTTPStatus.CONFLICT, "and is not asked for a note"
        shown = read(late)
        assert f"This draft is already {told}" in shown.text
        assert "ann" in shown.text
        assert not shown.buttons
    assert (office.see(draft_id)["state"], size(office.client)) == (told, before)


def test_two_reviewers_who_press_at_once_do_one_thing(office: Office) -> None:
    for actor in ("Poland", "France", "Spain"):
        draft_id, before = office.enter(actors=actor), size(office.client)
        office.client.cookies.clear()

        def press_as(who: str, do: str, draft_id: str = draft_id) -> Response:
            sent = {"do": do, "reason": "So it is.", "key": f"{who}-{draft_id}"}
            cookie = {"Cookie": f"{COOKIE}={office.cookies[who]}"}
            return office.client.post(f"{REVIEW}/{draft_id}", data=sent, headers=cookie)

        answers = at_once(partial(press_as, "ann", "approve"), partial(press_as, "bob", "return"))
        assert [answer.status_code for answer in answers] in ([303, 409], [409, 303])
        is_approved = answers[0].status_code == HTTPStatus.SEE_OTHER
        assert office.see(draft_id)["state"] == ("approved" if is_approved else "returned")
        assert size(office.client) == before + is_approved


def test_who_thinks_otherwise_after_deciding_is_told_that_they_have_decided(office: Office) -> None:
    draft_id = office.enter()
    page = office.page("ann", draft_id)
    press(office.client, page, "do", "return", reason="Why?")
    before = size(office.client)
    for do in ("approve", "reject"):
        late = press(office.client, page, "do", do, reason="I think otherwise.")
        assert late.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert "You have decided on this already" in read(late).text
    assert (office.see(draft_id)["state"], size(office.client)) == ("returned", before)


# --- notes on the record ----------------------------------------------------------------------------------------------


def correct(office: Office, event_id: str, **changes: str) -> str:
    """The id of a contributor's correction that waits."""
    client = office.turn_to("con")
    page = get(client, f"/admin/events/{event_id}/corrections")
    return draft_at(press(client, page, "do", "save", **{"reason": "entry_error", **changes}))


def test_a_correction_is_shown_old_and_new_side_by_side(office: Office) -> None:
    event_id = recorded(office.turn_to("ed"))
    draft_id = correct(office, event_id, changes__occurred__edtf="11 July 2025", changes__summary="Otherwise.")
    page = office.page("ann", draft_id)
    assert page.text.startswith("Correction of pledge stated: ground-troops")
    assert "10 July 2025 11 July 2025" in page.text
    assert f"/admin/events/{event_id}" in page.links
    assert done_at(office.decide("ann", draft_id, "approve")) == "approved"
    page = get(office.client, f"/admin/events/{event_id}")
    assert re.search(r"Corrected \d+ \w+ \d{4}, \d\d:\d\d UTC, by con, approved by ann , at position 3", page.text)
    old_and_new = get(office.client, f"{REVIEW}/{draft_id}").text
    assert "10 July 2025 11 July 2025" in old_and_new


def test_a_correction_that_somebody_overtook_can_be_returned_and_is_made_anew_on_top_of_theirs(office: Office) -> None:
    event_id = recorded(office.turn_to("ed"), body=TERMS)
    draft_id = correct(office, event_id, changes__summary="Otherwise.", note="As the minister said.")
    page = office.page("ann", draft_id)
    theirs = {"changes": {"body": {"firmness": "committed"}}, "reason": "better_source"}
    note(office.turn_to("ed"), event_id, "corrections", theirs)
    before = size(office.client)
    late = press(office.turn_to("ann"), page, "do", "approve")
    assert (late.status_code, size(office.client)) == (HTTPStatus.PRECONDITION_FAILED, before)
    shown = read(late)
    assert "It can no longer be recorded as it stands" in shown.text
    assert "What others have changed since it was put up" in shown.text
    assert "committed: bound" in shown.text
    assert {value for _, value in shown.buttons} == {"return", "reject"}

    office.decide("ann", draft_id, "return", "It has moved.")
    (again,) = (link for link in office.page("con", draft_id).links if "?draft=" in link)
    form_again = get(office.client, again)
    assert form_again.data["changes.summary"] == ["Otherwise."]
    assert form_again.data["changes.body.firmness"] == ["committed"]
    assert (form_again.data["reason"], form_again.data["note"]) == (["entry_error"], ["As the minister said."])
    second = draft_at(press(office.client, form_again, "do", "save"))
    assert office.see(second)["records"][0]["changes"] == {"summary": "Otherwise."}
    assert done_at(office.decide("ann", second, "approve")) == "approved"
    now = office.client.get(f"/v1/events/{event_id}").json()["effective"]
    assert (now["summary"], now["body"]["firmness"]) == ("Otherwise.", "committed")


def test_every_note_on_the_record_waits_is_shown_and_is_filled_in_again(office: Office) -> None:
    one, other = recorded(office.turn_to("ed")), recorded(office.client, actors=["FR"])
    asked = {
        "retraction": {"reason": "legal", "note": "Because."},
        "disputes": {"rivals__0__event_id": other, "rank": "preferred", "note": "Two accounts."},
        "duplicates": {"original": other, "note": "Told twice."},
        "sources": {"sources__0__title": "Another report", "sources__0__reliability": "B"},
    }
    for name, filled in asked.items():
        client = office.turn_to("con")
        page = get(client, f"/admin/events/{one}/{name}")
        if name == "sources":
            page = read(press(client, page, "add", "sources")) if "sources.0.title" not in page.data else page
        elif name == "disputes" and "rivals.0.event_id" not in page.data:
            page = read(press(client, page, "add", "rivals"))
        draft_id = draft_at(press(client, page, "do", "save", **filled))
        assert "ground-troops" in office.page("ann", draft_id).text
        office.decide("ann", draft_id, "return", "Once more.")
        (again,) = (link for link in office.page("con", draft_id).links if "?draft=" in link)
        data = get(office.client, again).data
        assert {field: data[field.replace("__", ".")] for field in filled} == {
            field: [text] for field, text in filled.items()
        }, name


# --- what can no longer be recorded, and what looks alike -------------------------------------------------------------


def test_a_draft_whose_target_is_gone_says_so_and_offers_no_approval(office: Office) -> None:
    event_id = recorded(office.turn_to("ed"))
    client = office.turn_to("con")
    page = get(client, f"/admin/events/{event_id}/retraction")
    draft_id = draft_at(press(client, page, "do", "save", reason="legal"))
    note(office.turn_to("ed"), event_id, "retraction", {"reason": "other"})
    before = size(office.client)
    assert "approve" not in {value for _, value in office.page("ann", draft_id).buttons}
    refused = office.send("ann", draft_id, do="approve", key="k")
    assert (refused.status_code, size(office.client)) == (HTTPStatus.PRECONDITION_FAILED, before)
    assert office.see(draft_id)["state"] == "pending"


def test_a_reviewer_sees_what_is_alike_and_what_was_recorded_since(office: Office) -> None:
    draft_id = office.enter()
    alike = recorded(office.turn_to("ed"), summary=FILLED["summary"], body=TERMS)
    page = office.page("ann", draft_id)
    assert f"/admin/events/{alike}" in page.links
    assert "Something alike is recorded already" in page.text
    assert "something was recorded about United Kingdom: ground troops" in page.text


def test_a_reviewer_sees_what_else_waits_about_the_same(office: Office) -> None:
    event_id = recorded(office.turn_to("ed"), subject="air-policing")
    first = office.enter()
    same, other = office.enter("eve", summary="She read it too."), office.enter("eve", subject="Mine hunting")
    slip, day = (correct(office, event_id, changes__summary=said) for said in ("A slip.", "Another day."))

    def beside(draft_id: str, who: str = "ann") -> set[str]:
        links = {link.rpartition("/")[2] for link in office.page(who, draft_id).links if link.startswith(f"{REVIEW}/")}
        return links & {first, same, other, slip, day}

    assert (beside(first), beside(same), beside(other)) == ({same}, {first}, set())
    assert (beside(slip), beside(day)) == ({day}, {slip})
    assert beside(first, "con") == set(), "others' drafts are not for them"
    office.decide("ann", same, "reject", "It is entered already.")
    assert beside(first) == set()


# --- the queue --------------------------------------------------------------------------------------------------------


def test_the_queue_says_who_put_up_what_when_where_it_was_read_and_how_good_that_is(office: Office) -> None:
    first = office.enter(sources__0__reliability="B", sources__0__credibility="2")
    second = office.enter("eve", actors="Frankreich", summary="France as well.")
    queue = get(office.turn_to("ann"), REVIEW)
    found = [link.rpartition("/")[2] for link in queue.links if link.startswith(f"{REVIEW}/")]
    assert found == [first, second]
    for shown in (
        "Pledge stated: ground-troops",
        "A report",
        "B2: usually reliable, probably true",
        "by con",
        "by eve",
    ):
        assert shown in queue.text
    assert re.search(r"by con \d+ \w+ \d{4}, \d\d:\d\d UTC willing", queue.text)


def test_the_queue_is_filtered_and_leads_on_page_by_page(office: Office) -> None:
    register(office.turn_to("ed"), "able")
    with psycopg.connect(office.url, autocommit=True) as connection:
        drafts = [office.enter(coalition="willing"), office.enter("eve")]
        allow(office.url, "pr_robot", "contributor", "robot")
        bearer = {"Authorization": "Bearer pr_robot"}
        for coalition in ("able", "willing"):
            sent = office.client.post("/v1/statements", json=statement(coalition=coalition), headers=bearer)
            drafts.append(sent.json()["draft"]["id"])
        office.decide("ann", drafts[0], "reject", "No.")
        office.decide("ann", drafts[1], "return", "Why?")

        def found(who: str, query: str = "") -> list[int]:
            links = get(office.turn_to(who), f"{REVIEW}?{query}").links
            return [drafts.index(link.rpartition("/")[2]) for link in links if link.startswith(f"{REVIEW}/")]

        assert found("ann") == found("ann", "state=waiting") == [2, 3]
        assert found("ann", "state=decided") == [0]
        assert found("ann", "state=returned") == [1]
        assert found("ann", "state=all") == [0, 1, 2, 3]
        assert found("ann", "coalition=able") == found("bob", "coalition=able&state=all") == [2]
        assert found("ann", "author=robot&coalition=willing") == [3]
        assert found("ann", "mine=yes&state=all") == []
        assert found("con", "state=all&author=eve") == [0]
        assert found("eve", "state=all") == [1, 1]  # among all, and as returned to them
        for nonsense in ("state=x", "kind=x", "after=x&state=y"):
            assert office.client.get(f"{REVIEW}?{nonsense}").status_code == HTTPStatus.BAD_REQUEST
        connection.execute(
            "INSERT INTO draft (id, author, created_at, events, listed, coalitions, known_position, state)"
            " SELECT gen_random_uuid(), repeat('&', 300), created_at, events, false, coalitions, 1, 'pending'"
            " FROM draft, generate_series(1, 50) WHERE author = 'robot' AND coalitions = '{able}'"
        )
    seen, address = 0, f"{REVIEW}?coalition=able"
    while address:
        page = get(office.turn_to("ann"), address)
        seen += page.text.count("Pledge stated:")
        address = next((given["href"] for tag, given in page.elements if given.get("rel") == "next"), "")
    assert seen == 51


def test_a_draft_made_with_a_token_is_in_the_queue_of_its_owner_and_of_approvers(office: Office) -> None:
    allow(office.url, "pr_con", "contributor", "con")
    many = [statement(summary=f"Number {number}.") for number in range(12)]
    sent = office.client.post("/v1/statements/batch", json=many, headers={"Authorization": "Bearer pr_con"})
    draft_id = sent.json()["draft"]["id"]
    assert "12 statements, the first: Pledge stated: ground-troops" in get(office.turn_to("con"), REVIEW).text
    page = office.page("ann", draft_id)
    assert "Number 9." in page.text
    assert "Number 10." not in page.text
    assert "Number 11." in get(office.client, f"{REVIEW}/{draft_id}?from=10").text
    office.decide("ann", draft_id, "return", "Too many.")
    page = office.page("con", draft_id)
    assert "All 12 rows can be read" in get(office.client, next(link for link in page.links if "draft=" in link)).text


def test_what_waits_for_whom_is_counted_in_the_navigation(office: Office) -> None:
    office.enter()
    office.enter("eve", summary="Quite another thing was said.")
    own = {"path": "/v1/statements", "body": statement()}
    office.turn_to("ann").post("/v1/drafts", json=own)
    assert {who: office.waiting(who) for who in PEOPLE} == {"con": 0, "eve": 0, "ed": 0, "ann": 2, "bob": 3}


def test_a_coalition_that_was_returned_is_changed_in_its_form_too(office: Office) -> None:
    client = office.turn_to("con")
    filled = {"slug": "able", "name": "The able", "aliases": "Die Fähigen\nLes capables", "force__name": "A force"}
    draft_id = draft_at(press(client, get(client, "/admin/coalitions/new"), "do", "save", **filled))
    assert office.page("ann", draft_id).text.startswith("Coalition registered: The able")
    office.decide("ann", draft_id, "return", "They have another name.")
    (again,) = (link for link in office.page("con", draft_id).links if "?draft=" in link)
    page = get(client, again)
    assert {name.replace(".", "__"): text for name, (text,) in page.data.items()}.items() >= filled.items()
    second = draft_at(press(client, page, "do", "save", name="The able ones"))
    assert (office.see(second)["replaces"], office.see(draft_id)["state"]) == (draft_id, "withdrawn")
    office.decide("ann", second, "approve")
    assert client.get("/v1/coalitions/able").json()["name"] == "The able ones"
    assert office.turn_to("con").get(f"/admin/coalitions/new?draft={office.enter()}").status_code == HTTPStatus.CONFLICT


# --- by whom, and since when ------------------------------------------------------------------------------------------


def test_by_whom_something_was_recorded_and_approved_stands_on_the_event_and_in_the_audit(office: Office) -> None:
    draft_id = office.enter()
    office.decide("ann", draft_id, "approve")
    (event_id,) = office.see(draft_id)["event_ids"]
    for who, leads in {"con": True, "eve": False, "ed": False, "bob": True}.items():
        page = get(office.turn_to(who), f"/admin/events/{event_id}")
        assert re.search(r"Recorded \d+ \w+ \d{4}, \d\d:\d\d UTC, by con, approved by ann\b", page.text)
        assert (f"{REVIEW}/{draft_id}" in page.links) == leads
    audit = get(office.turn_to("ed"), "/admin/audit")
    assert "con approved by ann" in audit.text
    assert audit.text.count("con approved by") == 1
    assert "con approved by ann" in get(office.client, "/admin/audit?by=ann&kind=pledge").text, "found by both"
    assert "Nothing of this kind" in get(office.client, "/admin/audit?by=ann&kind=position").text
    assert "con approved by ann" not in get(office.client, "/admin/audit?by=bob").text
    assert f"{REVIEW}/{draft_id}" in get(office.turn_to("bob"), "/admin/audit").links


def test_what_is_approved_later_is_known_from_its_approval_on_and_not_before(office: Office) -> None:
    draft_id = office.enter()
    recorded(office.turn_to("ed"), actors=["PL"])
    before = size(office.client)
    office.decide("ann", draft_id, "approve")
    (event_id,) = office.see(draft_id)["event_ids"]
    event = office.client.get(f"/v1/events/{event_id}").json()["event"]

    def known(query: str) -> list[str]:
        path = f"/v1/coalitions/willing/pledges?as_of=2025-07-31&{query}"
        return [one["actor"]["code"] for one in office.client.get(path).json()["items"]]

    assert event["position"] == before + 1
    assert known(f"known_position={before}") == ["PL"]
    assert known(f"known_position={before + 1}") == ["GB", "PL"]
    put_up_at = office.see(draft_id)["created_at"]
    assert "GB" not in known(f"known_at={put_up_at}")
    assert office.see(draft_id)["decided_at"] == event["recorded_at"] > put_up_at


def test_markup_in_every_text_of_a_draft_and_its_notes_is_shown_as_text(office: Office) -> None:
    draft_id = office.enter(summary=MARKUP, sources__0__title=MARKUP, subject="troops")
    office.decide("ann", draft_id, "return", MARKUP)
    for path in (f"{REVIEW}/{draft_id}", f"{NEW}?draft={draft_id}", REVIEW):
        page = office.turn_to("con").get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_there_is_no_page_of_what_nobody_put_up(office: Office) -> None:
    nothing = "019a8f3e-0000-7000-8000-000000000000"
    for part in ("7", "10000"):
        assert "Britain would send troops." in get(office.turn_to("ann"), f"{REVIEW}/{office.enter()}?from={part}").text
    for draft_id in (nothing, "nonsense", "%00"):
        assert office.turn_to("ann").get(f"{REVIEW}/{draft_id}").status_code == HTTPStatus.NOT_FOUND
    for draft in (nothing, "nonsense"):
        assert office.client.get(f"{NEW}?draft={draft}").status_code == HTTPStatus.NOT_FOUND
    assert office.turn_to("ann").post("/v1/drafts", json={}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert event_at(press(office.turn_to("ed"), form(office.client), "do", "save", **FILLED))
