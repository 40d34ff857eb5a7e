"""Drafts that an approver gives back: their authors change them into others, and who approved stands on the event."""

from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest

from service.main import create_app
from service.migrate import migrate
from tests.registry import Json, client_of, note, post, registry, settings_for, statement
from tests.test_drafts import Desk, at_once, let_in, two_desks


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    let_in(database)
    with registry(database) as client:
        yield Desk(database, client)


def give_back(desk: Desk, who: str, draft: Json, reason: str = "Which day?") -> Any:
    return desk.ask(who, "POST", f"/v1/drafts/{draft['id']}/return", {"reason": reason})


def put_up_again(desk: Desk, who: str, draft: Json, content: Any, **headers: str) -> Any:
    sent = {"path": "/v1/statements", "body": content, "replaces": draft["id"]}
    return desk.ask(who, "POST", "/v1/drafts", sent, **headers)


def test_a_returned_draft_is_changed_into_another_one_which_is_recorded(desk: Desk) -> None:
    draft, size = desk.put_up("con", statement()), desk.size()
    answer = give_back(desk, "ann", draft)
    assert answer.status_code == HTTPStatus.OK
    returned = answer.json()["draft"]
    assert (returned["state"], returned["returned_by"], returned["return_reason"]) == ("returned", "ann", "Which day?")
    assert returned["returned_at"] > returned["created_at"]
    assert (returned["decided_by"], desk.see(draft, "con")["trial"]) == (None, None)

    again = put_up_again(desk, "con", draft, statement(summary="As it was meant."))
    assert again.status_code == HTTPStatus.ACCEPTED, again.text
    second = again.json()["draft"]
    assert (second["replaces"], second["state"], desk.size()) == (draft["id"], "pending", size)
    assert desk.see(draft)["draft"] == returned | {
        "state": "withdrawn", "decided_by": "con", "decided_at": second["created_at"], "replaced_by": second["id"]
    }  # fmt: skip
    assert desk.approve("bob", second).status_code == HTTPStatus.CREATED
    assert desk.size() == size + 1


def test_a_returned_draft_may_be_withdrawn_and_still_says_why_it_was_returned(desk: Desk) -> None:
    draft = desk.put_up("con", statement())
    give_back(desk, "ann", draft)
    taken = desk.ask("con", "POST", f"/v1/drafts/{draft['id']}/withdrawal").json()["draft"]
    assert (taken["state"], taken["decided_by"], taken["return_reason"]) == ("withdrawn", "con", "Which day?")


def test_a_returned_draft_is_not_decided_on_and_a_decided_one_not_returned(desk: Desk) -> None:
    returned, rejected, approved = (desk.put_up("con", statement(summary=f"Number {n}.")) for n in range(3))
    give_back(desk, "ann", returned)
    desk.reject("ann", rejected)
    desk.approve("ann", approved)
    for refused in (desk.approve("bob", returned), desk.reject("bob", returned), give_back(desk, "bob", returned)):
        assert refused.status_code == HTTPStatus.CONFLICT
        assert "already returned to its author, by ann" in refused.json()["detail"]
    for draft in (rejected, approved):
        assert give_back(desk, "bob", draft).status_code == HTTPStatus.CONFLICT
    again = give_back(desk, "ann", returned)
    assert (again.status_code, again.json()["draft"]["state"]) == (HTTPStatus.OK, "returned")
    assert give_back(desk, "ann", returned, "Another reason.").status_code == HTTPStatus.CONFLICT


@pytest.mark.parametrize(("who", "status"), [("con", 403), ("ed", 403), ("bob", 409), ("ann", 200)])
def test_only_another_approver_returns_a_draft(desk: Desk, who: str, status: int) -> None:
    draft = desk.put_up("bob", {"path": "/v1/statements", "body": statement()}, "/v1/drafts")
    assert give_back(desk, who, draft).status_code == status
    assert desk.ask("ann", "POST", f"/v1/drafts/{draft['id']}/return", {}).status_code == 422


def test_only_ones_own_returned_draft_is_replaced_and_that_once(desk: Desk) -> None:
    waiting, returned = desk.put_up("con", statement()), desk.put_up("con", statement(summary="The other."))
    give_back(desk, "ann", returned)
    nothing = {"id": "019a8f3e-0000-7000-8000-000000000000"}
    for who, draft, code in (
        ("con", waiting, "not_returned"),
        ("eve", returned, "unknown_draft"),
        ("con", nothing, "unknown_draft"),
    ):
        for query in ("", "?dry_run=true"):
            sent = {"path": "/v1/statements", "body": statement(), "replaces": draft["id"]}
            refused = desk.ask(who, "POST", f"/v1/drafts{query}", sent)
            assert refused.status_code == HTTPStatus.CONFLICT
            assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [("/replaces", code)]
    assert put_up_again(desk, "con", returned, statement()).status_code == HTTPStatus.ACCEPTED
    assert put_up_again(desk, "con", returned, statement()).status_code == HTTPStatus.CONFLICT
    assert len(desk.ask("ann", "GET", "/v1/drafts").json()["items"]) == 3


def test_what_is_sent_again_in_place_of_a_draft_is_put_up_once(desk: Desk) -> None:
    draft = desk.put_up("con", statement())
    give_back(desk, "ann", draft)
    key = {"Idempotency-Key": "once"}
    answers = [put_up_again(desk, "con", draft, statement(), **key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["Idempotency-Replayed"] == "true"


def test_a_return_that_is_sent_again_with_its_key_is_answered_alike_whatever_came_after(desk: Desk) -> None:
    draft = desk.put_up("con", statement())
    send = partial(desk.ask, "ann", "POST", f"/v1/drafts/{draft['id']}/return", {"reason": "Why?"})
    first = send(**{"Idempotency-Key": "k"})
    put_up_again(desk, "con", draft, statement())
    assert send(**{"Idempotency-Key": "k"}).content == first.content


def test_of_an_approval_and_a_return_at_once_one_is_done_and_the_other_is_told(database: str) -> None:
    with two_desks(database) as (here, there):
        for number in range(4):
            draft, size = here.put_up("con", statement(summary=f"Number {number}.")), here.size()
            answers = at_once(partial(here.approve, "ann", draft), partial(give_back, there, "bob", draft))
            assert [answer.status_code for answer in answers] in ([201, 409], [409, 200])
            is_approved = answers[0].status_code == HTTPStatus.CREATED
            assert here.size() == size + is_approved
            assert here.see(draft)["draft"]["state"] == ("approved" if is_approved else "returned")


def test_a_returned_draft_waits_again_where_the_schema_knows_none_and_no_approval_is_lost(database: str) -> None:
    let_in(database)
    with registry(database) as client:
        desk = Desk(database, client)
        returned, approved = desk.put_up("con", statement()), desk.put_up("con", statement(actors=["FR"]))
        give_back(desk, "ann", returned)
        (event_id,) = desk.approve("ann", approved).json()["draft"]["event_ids"]
    assert migrate(database, to="0009") == "0009"
    migrate(database)
    with client_of(create_app(settings_for(database))) as client:
        desk = Desk(database, client)
        assert desk.see(returned)["draft"] == returned
        assert client.get(f"/v1/events/{event_id}").json()["approved_by"] == "ann"


def test_an_event_says_who_approved_it(desk: Desk) -> None:
    own = post(desk.client, statement())["event"]["event_id"]
    one = desk.approve("ann", desk.put_up("con", statement(summary="Another."))).json()["event"]["event_id"]
    listed = desk.put_up("con", [statement(summary=f"Number {n}.") for n in range(3)], "/v1/statements/batch")
    many = desk.approve("bob", listed).json()["draft"]["event_ids"]
    after = post(desk.client, statement(summary="The last."))["event"]["event_id"]
    note(desk.client, one, "retraction", {"reason": "legal"})

    def approved_by(event_id: str) -> Any:
        answer = desk.client.get(f"/v1/events/{event_id}").json()
        return answer["event"]["recorded_by"], answer["approved_by"]

    assert approved_by(one) == ("con", "ann")
    assert [approved_by(event_id) for event_id in many] == [("con", "bob")] * 3
    assert [by for _, by in map(approved_by, (own, after))] == [None, None]
