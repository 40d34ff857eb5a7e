"""Drafts: what a contributor writes waits for an approver, is decided on once, and recorded in its author's name."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

import psycopg
import pytest
from starlette.testclient import TestClient

from service.main import create_app
from tests.processes import open_folder, serving, wait_until
from tests.registry import Json, allow, client_of, note, post, registry, settings_for, statement

PEOPLE = {"con": "contributor", "eve": "contributor", "ed": "editor", "ann": "approver", "bob": "approver"}


def let_in(url: str) -> None:
    for name, role in PEOPLE.items():
        allow(url, f"pr_{name}", role, name)


class Desk(NamedTuple):
    """A registry, and the people who work with it."""

    url: str
    client: TestClient

    def ask(self, who: str, method: str, path: str, content: Any = None, **headers: str) -> Any:
        """What somebody is answered."""
        sent = {"Authorization": f"Bearer pr_{who}", **headers}
        return self.client.request(method, path, headers=sent, **({} if content is None else {"json": content}))

    def put_up(self, who: str, content: Any, path: str = "/v1/statements", **headers: str) -> Json:
        """A draft that must be taken."""
        answer = self.ask(who, "POST", path, content, **headers)
        assert answer.status_code == HTTPStatus.ACCEPTED, answer.text
        draft: Json = answer.json()["draft"]
        assert answer.headers["Location"] == f"/v1/drafts/{draft['id']}"
        return draft

    def approve(self, who: str, draft: Json) -> Any:
        return self.ask(who, "POST", f"/v1/drafts/{draft['id']}/approval")

    def reject(self, who: str, draft: Json, reason: str = "Not in the source.") -> Any:
        return self.ask(who, "POST", f"/v1/drafts/{draft['id']}/rejection", {"reason": reason})

    def see(self, draft: Json, who: str = "ann") -> Json:
        """A draft as it stands, with what approving it would come to."""
        content: Json = self.ask(who, "GET", f"/v1/drafts/{draft['id']}").json()
        return content

    def size(self) -> int:
        size: int = self.client.get("/v1/events?limit=1&count=true").json()["total"]
        return size


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    let_in(database)
    with registry(database) as client:
        yield Desk(database, client)


@contextmanager
def two_desks(url: str) -> Iterator[tuple[Desk, Desk]]:
    """The same registry, served twice."""
    let_in(url)
    with ExitStack() as open_ones:
        first = open_ones.enter_context(registry(url))
        second = open_ones.enter_context(client_of(create_app(settings_for(url))))
        yield Desk(url, first), Desk(url, second)


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    """What tasks answer that begin together."""
    answers: list[Any] = [None] * len(tasks)
    ready = threading.Barrier(len(tasks))

    def run(nth: int, task: Callable[[], Any]) -> None:
        ready.wait(10)
        answers[nth] = task()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


# --- what becomes of a contributor's writes ---------------------------------------------------------------------------


def test_a_contributors_statement_waits_and_is_recorded_in_their_name_when_somebody_approves_it(desk: Desk) -> None:
    size = desk.size()
    draft = desk.put_up("con", statement(actors=["France", "GBR"]))
    assert (draft["state"], draft["author"], draft["event_ids"]) == ("pending", "con", [])
    assert draft["records"][0]["actors"] == ["FR", "GB"]
    assert desk.size() == size
    assert desk.client.get("/v1/coalitions/willing/pledges").json()["items"] == []

    answer = desk.approve("ann", draft)

    assert answer.status_code == HTTPStatus.CREATED
    content = answer.json()
    event = content["event"]
    assert event["recorded_by"] == "con"
    assert [one["id"] for one in content["states"]] == [f"willing/pledge/ground-troops/{code}" for code in ("FR", "GB")]
    assert answer.headers["Location"] == f"/v1/events/{event['event_id']}"
    read = desk.client.get(answer.headers["Location"])
    assert read.headers["ETag"] == answer.headers["ETag"]
    assert read.json()["event"] == event
    assert desk.see(draft) == {"draft": content["draft"], "trial": None}
    done = content["draft"]
    assert (done["state"], done["decided_by"], done["event_ids"]) == ("approved", "ann", [event["event_id"]])
    assert done["decided_at"] == event["recorded_at"]
    assert {name: done[name] for name in ("id", "author", "created_at", "records", "known_position")} == {
        name: draft[name] for name in ("id", "author", "created_at", "records", "known_position")
    }


def test_an_approved_draft_is_known_from_its_approval_on_and_not_before(desk: Desk) -> None:
    path = "/v1/coalitions/willing/pledges?as_of=2025-07-31&known_position"
    draft = desk.put_up("con", statement())
    post(desk.client, statement(actors=["PL"]))
    before = desk.size()
    desk.approve("ann", draft)

    assert [one["actor"]["code"] for one in desk.client.get(f"{path}={before}").json()["items"]] == ["PL"]
    assert [one["actor"]["code"] for one in desk.client.get(f"{path}={before + 1}").json()["items"]] == ["GB", "PL"]


def _noted(desk: Desk) -> dict[str, tuple[str, Any]]:
    """For each note on the record: the event that it is about, and a note that could be recorded."""
    first, second = (post(desk.client, statement(actors=[code]))["event"]["event_id"] for code in ("GB", "FR"))
    gone = post(desk.client, statement())["event"]["event_id"]
    note(desk.client, gone, "retraction", {"reason": "entry_error"})
    dispute = note(desk.client, first, "disputes", {"rivals": [{"event_id": second}]})["event"]["event_id"]
    ranks = [{"event_id": first, "rank": "preferred"}, {"event_id": second}]
    return {
        "corrections": (first, {"changes": {"place": "Paris", "quote": None}, "reason": "entry_error", "note": "Oh."}),
        "retraction": (first, {"reason": "legal"}),
        "reinstatement": (gone, {"reason": "other"}),
        "disputes": (first, {"rivals": [{"event_id": second}]}),
        "settlement": (dispute, {"ranks": ranks}),
        "duplicates": (second, {"original": first}),
        "sources": (first, {"sources": [{"title": "Another report"}]}),
    }


@pytest.mark.parametrize(
    "name", ["corrections", "retraction", "reinstatement", "disputes", "settlement", "duplicates", "sources"]
)
def test_a_contributors_note_on_the_record_waits_too(desk: Desk, name: str) -> None:
    event_id, content = _noted(desk)[name]
    path = f"/v1/events/{event_id}/{name}"
    etag = {} if name == "settlement" else {"If-Match": desk.client.get(f"/v1/events/{event_id}").headers["ETag"]}
    tried = desk.ask("ed", "POST", f"{path}?dry_run=true", content, **etag).json()
    size = desk.size()

    draft = desk.put_up("con", content, path, **etag)
    assert desk.size() == size
    assert draft["records"] == [{name: value for name, value in tried["event"].items() if name != "schema_version"}]
    answer = desk.approve("ann", draft)

    assert answer.status_code == HTTPStatus.CREATED, answer.text
    assert desk.size() == size + 1
    assert answer.json()["event"]["target"] == event_id
    assert answer.json()["event"]["recorded_by"] == "con"


def test_a_list_is_one_draft_and_a_coalition_can_be_one(desk: Desk) -> None:
    listed = desk.put_up("con", [statement(actors=[code]) for code in ("GB", "FR", "PL")], "/v1/statements/batch")
    coalition = desk.put_up("con", {"slug": "others", "name": "Others"}, "/v1/coalitions")
    assert listed["record_count"] == 3
    assert coalition["coalitions"] == ["others"]
    many, one = desk.approve("ann", listed), desk.approve("ann", coalition)

    assert many.status_code == one.status_code == HTTPStatus.CREATED
    assert "Location" not in many.headers
    events = many.json()["events"]
    assert {event["recorded_by"] for event in events} == {"con"}
    assert many.json()["draft"]["event_ids"] == [event["event_id"] for event in events]
    assert desk.client.get("/v1/coalitions/others").status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (statement(actors=["nowhere"]), "/v1/statements"),
        (statement(coalition="nowhere"), "/v1/statements"),
        ([statement(), statement(coalition="nowhere")], "/v1/statements/batch"),
        ({"slug": "willing", "name": "Again"}, "/v1/coalitions"),
        ({"reason": "legal"}, "/v1/events/019a8f3e-0000-7000-8000-000000000000/retraction"),
    ],
)
def test_what_could_not_be_recorded_is_refused_at_once_in_the_same_words(desk: Desk, content: Any, path: str) -> None:
    header = {"If-Match": "*", "Idempotency-Key": "k"}
    drafted, meant = (desk.ask(who, "POST", path, content, **header) for who in ("con", "ed"))
    assert drafted.status_code == meant.status_code >= HTTPStatus.BAD_REQUEST
    assert drafted.json() == meant.json()
    assert desk.ask("con", "GET", "/v1/drafts").json()["items"] == []


def test_a_draft_says_which_version_it_changes(desk: Desk) -> None:
    event_id = post(desk.client, statement())["event"]["event_id"]
    path = f"/v1/events/{event_id}/retraction"
    missing = desk.ask("con", "POST", path, {"reason": "legal"})
    stale = desk.ask("con", "POST", path, {"reason": "legal"}, **{"If-Match": f'"{event_id}.1"'})
    assert (missing.status_code, stale.status_code) == (428, 412)


def test_a_contributor_may_try_out_and_keeps_nothing(desk: Desk) -> None:
    tried = desk.ask("con", "POST", "/v1/statements?dry_run=true", statement())
    assert (tried.status_code, tried.json()["dry_run"]) == (HTTPStatus.OK, True)
    assert desk.ask("con", "GET", "/v1/drafts").json()["items"] == []


def test_a_reader_puts_nothing_up_and_sees_no_drafts(desk: Desk) -> None:
    allow(desk.url, "pr_rea", "reader", "rea")
    for method, path, content in (
        ("POST", "/v1/statements", statement()),
        ("POST", "/v1/drafts", {"path": "/v1/statements", "body": statement()}),
        ("GET", "/v1/drafts", None),
    ):
        assert desk.ask("rea", method, path, content).status_code == HTTPStatus.FORBIDDEN


# --- put up on purpose ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["con", "ed", "ann"])
def test_whoever_may_record_may_ask_for_a_second_pair_of_eyes(desk: Desk, who: str) -> None:
    draft = desk.put_up(
        who, {"path": "/v1/statements", "body": statement(), "note": "Is this the right day?"}, "/v1/drafts"
    )
    assert (draft["author"], draft["note"]) == (who, "Is this the right day?")
    assert desk.approve("bob", draft).json()["event"]["recorded_by"] == who


def test_a_note_on_the_record_is_put_up_with_the_version_that_it_changes(desk: Desk) -> None:
    event_id = post(desk.client, statement())["event"]["event_id"]
    sent = {"path": f"/v1/events/{event_id}/retraction", "body": {"reason": "legal"}}
    assert desk.ask("ed", "POST", "/v1/drafts", sent).status_code == 428
    etag = desk.client.get(f"/v1/events/{event_id}").headers["ETag"]
    draft = desk.put_up("ed", sent, "/v1/drafts", **{"If-Match": etag})
    assert etag == f'"{event_id}.{draft["revision"]}"'
    assert desk.approve("ann", draft).status_code == HTTPStatus.CREATED


def test_putting_up_can_be_tried_out(desk: Desk) -> None:
    tried = desk.ask("ed", "POST", "/v1/drafts?dry_run=true", {"path": "/v1/statements", "body": statement()})
    assert tried.json()["dry_run"] is True
    assert desk.ask("ed", "GET", "/v1/drafts").json()["items"] == []


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"body": statement()}, "/path"),
        ({"path": "/v1/tokens", "body": {}}, "/path"),
        ({"path": "/v1/statements"}, "/body"),
        ({"path": "/v1/statements", "body": statement(actors=["nowhere"])}, "/body/actors/0"),
        ({"path": "/v1/statements", "body": statement(coalition="nowhere")}, "/body/coalition"),
        ({"path": "/v1/statements/batch", "body": [statement(), statement(summary="")]}, "/body/1/summary"),
        ({"path": "/v1/statements", "body": statement(), "note": ""}, "/note"),
        ({"path": "/v1/statements", "body": statement(), "notes": "x"}, "/notes"),
        ([], ""),
    ],
)
def test_a_fault_of_what_is_put_up_is_named_at_its_place(desk: Desk, content: Any, pointer: str) -> None:
    refused = desk.ask("ed", "POST", "/v1/drafts", content)
    assert refused.status_code == 422
    assert pointer in [one["pointer"] for one in refused.json()["errors"]]


# --- retries ----------------------------------------------------------------------------------------------------------


def test_a_retry_with_its_key_finds_its_draft_also_when_it_has_been_decided_on(desk: Desk) -> None:
    key = {"Idempotency-Key": "once"}
    first = desk.ask("con", "POST", "/v1/statements", statement(), **key)
    again = desk.ask("con", "POST", "/v1/statements", statement(), **key)
    desk.approve("ann", first.json()["draft"])
    late = desk.ask("con", "POST", "/v1/statements", statement(), **key)

    assert first.content == again.content == late.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == late.headers["Idempotency-Replayed"] == "true"
    assert len(desk.ask("con", "GET", "/v1/drafts").json()["items"]) == 1
    other = desk.ask("con", "POST", "/v1/statements", statement(subject="other"), **key)
    assert other.status_code == 422
    assert desk.put_up("eve", statement(), **key)["author"] == "eve"


def test_one_key_puts_up_one_draft_however_many_try_at_once(database: str) -> None:
    with two_desks(database) as desks:
        tries = [
            lambda desk=desk: desk.ask("con", "POST", "/v1/statements", statement(), **{"Idempotency-Key": "k"})
            for desk in desks * 3
        ]
        answers = at_once(*tries)
        assert {answer.status_code for answer in answers} == {HTTPStatus.ACCEPTED}
        assert len({answer.content for answer in answers}) == 1
        assert len(desks[0].ask("con", "GET", "/v1/drafts").json()["items"]) == 1


# --- who sees what ----------------------------------------------------------------------------------------------------


def test_below_an_approver_everybody_sees_their_own_drafts_alone(desk: Desk) -> None:
    own, other = desk.put_up("con", statement()), desk.put_up("eve", statement(actors=["FR"]))
    for who, seen in {"con": [own], "eve": [other], "ed": [], "ann": [own, other]}.items():
        assert desk.ask(who, "GET", "/v1/drafts?count=true").json() == {
            "items": seen, "next": None, "total": len(seen)
        }  # fmt: skip
    path = f"/v1/drafts/{own['id']}"
    for who in ("eve", "ed"):
        assert desk.ask(who, "GET", path).status_code == HTTPStatus.NOT_FOUND
        assert desk.ask(who, "POST", f"{path}/withdrawal").status_code == HTTPStatus.NOT_FOUND
        assert desk.ask(who, "GET", "/v1/drafts?author=con&count=true").json() == {
            "items": [],
            "next": None,
            "total": 0,
        }
    assert desk.ask("con", "GET", path).headers["Cache-Control"] == "private, no-cache"
    assert desk.client.get(path, headers={"Authorization": ""}).status_code == HTTPStatus.UNAUTHORIZED


def test_drafts_are_found_by_state_author_and_coalition_and_listed_by_page(desk: Desk) -> None:
    post(desk.client, {"slug": "others", "name": "Others"}, "/v1/coalitions")
    drafts = [desk.put_up("con", statement(summary=f"Number {number}.")) for number in range(4)]
    drafts.append(desk.put_up("eve", statement(coalition="others")))
    desk.approve("ann", drafts[0])
    desk.reject("ann", drafts[1])
    desk.ask("con", "POST", f"/v1/drafts/{drafts[2]['id']}/withdrawal")

    def found(query: str) -> list[int]:
        ids = [one["id"] for one in drafts]
        return [ids.index(one["id"]) for one in desk.ask("ann", "GET", f"/v1/drafts?{query}").json()["items"]]

    assert found("state=approved") == [0]
    assert found("state=rejected") == [1]
    assert found("state=withdrawn") == [2]
    assert found("state=pending") == [3, 4]
    assert found("author=eve") == found("coalition=others") == [4]
    assert found("state=pending&coalition=willing&author=con") == [3]
    first = desk.ask("ann", "GET", "/v1/drafts?limit=3&count=true")
    assert first.json()["total"] == 5
    assert f"after={first.json()['next']}" in first.headers["Link"]
    assert found(f"limit=3&after={first.json()['next']}") == [3, 4]
    table = desk.ask("ann", "GET", "/v1/drafts.csv")
    assert table.headers["Content-Type"].startswith("text/csv")
    assert len(table.text.splitlines()) == 6


def test_a_list_shows_the_first_events_of_a_long_draft_and_the_draft_all(desk: Desk) -> None:
    many = [statement(summary=f"Number {number}.") for number in range(12)]
    draft = desk.put_up("con", many, "/v1/statements/batch")
    (listed,) = desk.ask("con", "GET", "/v1/drafts").json()["items"]
    assert (len(listed["records"]), listed["record_count"]) == (10, 12)
    assert len(desk.see(draft)["draft"]["records"]) == 12


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/drafts?state=lost", 400),
        ("GET", "/v1/drafts?after=1", 400),
        ("GET", "/v1/drafts?author=%00", 400),
        ("GET", "/v1/drafts?kind=x", 400),
        ("GET", "/v1/drafts/019a8f3e-0000-7000-8000-000000000000", 404),
        ("GET", "/v1/drafts/%00", 404),
        ("GET", "/v1/drafts/x?y=1", 400),
        ("POST", "/v1/drafts/019a8f3e-0000-7000-8000-000000000000/approval", 404),
        ("POST", "/v1/drafts/x/approval?force=true", 400),
        ("DELETE", "/v1/drafts/x", 405),
    ],
)
def test_what_cannot_be_asked_of_drafts_is_refused(desk: Desk, method: str, path: str, status: int) -> None:
    assert desk.ask("ann", method, path).status_code == status


# --- what it would come to --------------------------------------------------------------------------------------------


def test_a_waiting_draft_shows_what_approving_it_now_would_come_to(desk: Desk) -> None:
    alike = post(desk.client, statement(actors=["FR"]))["event"]["event_id"]
    draft = desk.put_up("con", statement(actors=["FR", "GB"]))
    trial = desk.see(draft)["trial"]
    assert trial["accepted"] is True
    assert [one["event_id"] for one in trial["similar"]] == [alike]
    assert (trial["changed"], trial["known_position"]) == ([], draft["known_position"])
    assert [one["id"] for one in trial["states"]] == [
        "willing/pledge/ground-troops/FR", "willing/pledge/ground-troops/GB"
    ]  # fmt: skip

    post(desk.client, statement(actors=["FR"], occurred={"edtf": "2025-08-01", "basis": "stated"}))
    post(desk.client, statement(actors=["PL"]))
    later = desk.see(draft)["trial"]
    assert later["changed"] == ["willing/pledge/ground-troops/FR"]
    assert later["known_position"] == trial["known_position"] + 2


def test_what_it_rests_on_has_changed_also_when_something_was_taken_back(desk: Desk) -> None:
    event_id = post(desk.client, statement())["event"]["event_id"]
    draft = desk.put_up("con", statement(summary="Again."))
    note(desk.client, event_id, "retraction", {"reason": "entry_error"})
    assert desk.see(draft)["trial"]["changed"] == ["willing/pledge/ground-troops/GB"]


@pytest.mark.parametrize("seen", ["the version that is there", "*"])
def test_a_target_that_was_corrected_meanwhile_is_not_overwritten_and_the_draft_stays(desk: Desk, seen: str) -> None:
    event_id = post(desk.client, statement())["event"]["event_id"]
    etag = seen if seen == "*" else desk.client.get(f"/v1/events/{event_id}").headers["ETag"]
    change = {"changes": {"actors": ["FR"]}, "reason": "entry_error"}
    draft = desk.put_up("con", change, f"/v1/events/{event_id}/corrections", **{"If-Match": etag})
    note(desk.client, event_id, "corrections", {"changes": {"actors": ["PL"]}, "reason": "entry_error"})
    size = desk.size()

    refused = desk.approve("ann", draft)

    assert refused.status_code == HTTPStatus.PRECONDITION_FAILED
    assert desk.size() == size
    content = desk.see(draft)
    assert content["draft"] == draft
    assert (content["trial"]["accepted"], content["trial"]["status"]) == (False, 412)
    assert desk.reject("ann", draft, "It was corrected otherwise.").status_code == HTTPStatus.OK


# --- decisions --------------------------------------------------------------------------------------------------------


def test_nobody_decides_on_their_own_draft(desk: Desk) -> None:
    sent = {"path": "/v1/statements", "body": statement()}
    draft = desk.put_up("ann", sent, "/v1/drafts")
    for answer in (desk.approve("ann", draft), desk.reject("ann", draft)):
        assert answer.status_code == HTTPStatus.CONFLICT
        assert "somebody else with the role approver" in answer.json()["detail"]
    assert desk.see(draft)["draft"]["state"] == "pending"
    assert desk.approve("bob", draft).status_code == HTTPStatus.CREATED


def test_only_an_approver_decides(desk: Desk) -> None:
    draft = desk.put_up("con", statement())
    for who in ("con", "eve", "ed"):
        assert desk.approve(who, draft).status_code == HTTPStatus.FORBIDDEN
        assert desk.reject(who, draft).status_code == HTTPStatus.FORBIDDEN
    assert desk.see(draft)["draft"] == draft


def test_a_rejected_draft_is_not_recorded_and_says_by_whom_and_why(desk: Desk) -> None:
    size = desk.size()
    draft = desk.put_up("con", statement())
    assert desk.ask("ann", "POST", f"/v1/drafts/{draft['id']}/rejection", {}).status_code == 422
    answer = desk.reject("ann", draft)
    done = answer.json()["draft"]
    assert (done["state"], done["decided_by"], done["reason"]) == ("rejected", "ann", "Not in the source.")
    assert done["decided_at"] > done["created_at"]
    assert desk.see(draft, "con") == {"draft": done, "trial": None}
    assert desk.reject("ann", draft).json() == answer.json()
    for refused in (desk.approve("bob", draft), desk.approve("ann", draft), desk.reject("bob", draft)):
        assert refused.status_code == HTTPStatus.CONFLICT
        assert "already rejected, by ann" in refused.json()["detail"]
    assert desk.size() == size


def test_an_author_withdraws_and_nobody_else_does(desk: Desk) -> None:
    draft = desk.put_up("con", statement())
    path = f"/v1/drafts/{draft['id']}/withdrawal"
    assert desk.ask("ann", "POST", path).status_code == HTTPStatus.CONFLICT
    done = desk.ask("con", "POST", path, {"reason": "Sent twice."}).json()["draft"]
    assert (done["state"], done["decided_by"], done["reason"]) == ("withdrawn", "con", "Sent twice.")
    assert desk.approve("ann", draft).status_code == HTTPStatus.CONFLICT


def test_whoever_approves_again_gets_the_same_answer_and_records_nothing_more(desk: Desk) -> None:
    draft = desk.put_up("con", statement())
    first = desk.ask("ann", "POST", f"/v1/drafts/{draft['id']}/approval", {"reason": "Checked."})
    size = desk.size()
    again = desk.approve("ann", draft)
    assert first.content == again.content
    assert (first.headers["ETag"], first.headers["Location"]) == (again.headers["ETag"], again.headers["Location"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["draft"]["reason"] == "Checked."
    for refused in (desk.approve("bob", draft), desk.reject("bob", draft), desk.reject("ann", draft)):
        assert refused.status_code == HTTPStatus.CONFLICT
        assert "already approved, by ann" in refused.json()["detail"]
    assert desk.size() == size


def test_of_two_who_decide_at_once_on_two_processes_one_does_and_the_other_is_told(database: str) -> None:
    with two_desks(database) as (here, there):
        for number in range(6):
            draft, size = here.put_up("con", statement(summary=f"Number {number}.")), here.size()
            second = there.approve if number % 2 else there.reject
            answers = at_once(partial(here.approve, "ann", draft), partial(second, "bob", draft))
            codes = [answer.status_code for answer in answers]
            assert codes in ([201, 409], [409, 201 if number % 2 else 200]), [answer.text for answer in answers]
            done = here.see(draft)["draft"]
            assert done["decided_by"] == ("ann" if codes[0] == HTTPStatus.CREATED else "bob")
            assert (done["state"] == "approved") == (here.size() == size + 1)
            assert here.size() - size == len(done["event_ids"]) <= 1


def test_several_drafts_are_approved_at_once_with_the_smallest_pool(database: str) -> None:
    let_in(database)
    with registry(database, pool_size=2) as client:
        desk = Desk(database, client)
        drafts = [desk.put_up("con", statement(summary=f"Number {number}.")) for number in range(8)]
        answers = at_once(*[partial(desk.approve, "ann", draft) for draft in drafts])
    assert [answer.status_code for answer in answers] == [201] * 8


# --- processes that die -----------------------------------------------------------------------------------------------

_HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE {what} FOR EACH ROW EXECUTE FUNCTION hold();
"""


_ASLEEP = b"SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"


def _killed_while_approving(url: str, what: str, *, seconds: float) -> Json:
    """A draft whose approver's server was killed while the database was at ``what``."""
    with open_folder() as folder, serving(folder, "--no-seeds", DATABASE_URL=url) as server:
        with registry(url) as client:
            draft = Desk(url, client).put_up("con", statement())
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_HOLD.format(seconds=seconds, what=what).encode())

            def approve() -> None:
                line = http.client.HTTPConnection(server.host, server.port, timeout=60)
                line.request("POST", f"/v1/drafts/{draft['id']}/approval", headers={"Authorization": "Bearer pr_ann"})
                with closing(line), pytest.raises((OSError, http.client.HTTPException)):
                    line.getresponse()

            approving = threading.Thread(target=approve)
            approving.start()
            assert wait_until(lambda: connection.execute(_ASLEEP).fetchone())
            server.kill()
            approving.join(60)
    return draft


def test_a_server_killed_between_recording_and_marking_leaves_an_approved_draft(database: str) -> None:
    let_in(database)
    draft = _killed_while_approving(database, "UPDATE ON draft", seconds=600)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )
        connection.execute("DROP FUNCTION hold CASCADE")
        assert connection.execute("SELECT state FROM draft").fetchone() == ("pending",)
    with client_of(create_app(settings_for(database))) as client:
        desk = Desk(database, client)
        size = desk.size()
        before = desk.see(draft)["draft"]
        assert (before["state"], before["decided_by"], len(before["event_ids"])) == ("approved", "ann", 1)
        for state, count in {"pending": 0, "approved": 1}.items():
            listed = desk.ask("ann", "GET", f"/v1/drafts?state={state}&count=true").json()
            assert (len(listed["items"]), listed["total"]) == (count, count)
        assert desk.reject("bob", draft).status_code == HTTPStatus.CONFLICT
        assert desk.approve("bob", draft).status_code == HTTPStatus.CONFLICT
        again = desk.approve("ann", draft)
        assert again.status_code == HTTPStatus.CREATED
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.json()["draft"] == desk.see(draft)["draft"] == before
        assert desk.size() == size
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT state, decided_by FROM draft").fetchone() == ("approved", "ann")


def test_a_rejection_does_not_overtake_a_recording_whose_server_has_just_been_killed(database: str) -> None:
    let_in(database)
    draft = _killed_while_approving(database, "INSERT ON event", seconds=1.5)
    with client_of(create_app(settings_for(database))) as client:
        desk = Desk(database, client)
        rejected = desk.reject("bob", draft)
        with psycopg.connect(database) as connection:
            others = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            )
            row = connection.execute(others.encode()).fetchone()
            assert row == (0,), "the rejection was answered while the recording was still under way"
        done = desk.see(draft)["draft"]
        recorded = [one for one in client.get("/v1/events").json()["items"] if one["type"] == "pledge.stated"]

    assert len(recorded) == len(done["event_ids"])
    if rejected.status_code == HTTPStatus.OK:
        assert (done["state"], recorded) == ("rejected", [])
    else:
        assert rejected.status_code == HTTPStatus.CONFLICT
        assert (done["state"], done["decided_by"], len(recorded)) == ("approved", "ann", 1)


def test_whoever_decides_while_another_stands_still_is_asked_to_try_again(database: str) -> None:
    let_in(database)
    with registry(database) as client:
        desk = Desk(database, client)
        draft = desk.put_up("con", statement())
        with psycopg.connect(database) as other:
            other.execute("SELECT 1 FROM draft FOR UPDATE")
            refused = desk.approve("ann", draft)
        assert refused.status_code == HTTPStatus.CONFLICT
        assert refused.headers["Retry-After"]
        assert desk.approve("ann", draft).status_code == HTTPStatus.CREATED
