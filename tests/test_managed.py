"""Writes beside the log (tokens, webhooks, drafts) keep the contract of every write: tried out, done once, seen."""

import base64
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx2
import psycopg
import pytest
from starlette.testclient import TestClient

from service.main import create_app
from tests.processes import wait_until
from tests.receivers import LOOPBACK, Receiver, receiving
from tests.registry import Json, allow, client_of, post, register, registry, settings_for, statement
from tests.test_drafts import at_once

KEY = {"Idempotency-Key": "once"}
MANAGED = ("token", "webhook", "webhook_secret", "webhook_delivery", "draft", "event", "idempotency")
MOVES = re.compile(r'"(next_at|leased_by|leased_until|last_used_at|position)":[^,}]*,?')


@dataclass
class World:
    """A registry with a webhook, a token and drafts, and whoever receives."""

    url: str
    client: TestClient
    receiver: Receiver
    names: Mapping[str, str]

    def send(self, sending: "Sending", query: str = "", headers: Mapping[str, str] | None = None) -> httpx2.Response:
        method, path, body = sending
        return self.client.request(method, path.format(**self.names) + query, headers=dict(headers or {}), json=body)

    def kept(self) -> dict[str, list[str]]:
        """All that is kept, but what moves by itself."""
        found = {}
        with psycopg.connect(self.url) as connection:
            for table in MANAGED:
                rows = connection.execute(f"SELECT row_to_json(t)::text FROM {table} t".encode()).fetchall()
                found[table] = sorted(MOVES.sub("", row) for (row,) in rows)
        return found


Sending = tuple[str, str, Json | None]


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with receiving() as receiver, registry(database, webhook_networks=LOOPBACK) as client:
        allow(database, "pr_con", "contributor", "con")
        con = {"Authorization": "Bearer pr_con"}
        webhook = client.post("/v1/webhooks", json={"url": receiver.url, "kind": "warning"}).json()
        token = client.post("/v1/tokens", json={"role": "reader", "owner": "jane"}).json()["token"]
        drafts = [client.post("/v1/statements", json=statement(), headers=con).json()["draft"]["id"] for _ in range(2)]
        own = client.post("/v1/drafts", json={"path": "/v1/statements", "body": statement()}).json()["draft"]["id"]
        client.post(f"/v1/webhooks/{webhook['id']}/ping")
        delivery = client.get(f"/v1/webhooks/{webhook['id']}/deliveries").json()["items"][0]
        names = {"token": token["id"], "webhook": webhook["id"], "delivery": delivery["id"], "url": receiver.url}
        yield World(database, client, receiver, {**names, "draft": drafts[0], "other": drafts[1], "own": own})


WRITES: dict[str, tuple[Sending, int]] = {
    "make a token": (("POST", "/v1/tokens", {"role": "editor", "owner": "joe"}), 201),
    "revoke a token": (("DELETE", "/v1/tokens/{token}", None), 204),
    "subscribe": (("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9009/other", "kind": "pledge"}), 201),
    "change a webhook": (("PATCH", "/v1/webhooks/{webhook}", {"state": "paused"}), 200),
    "replace a secret": (("POST", "/v1/webhooks/{webhook}/secret", None), 200),
    "ping": (("POST", "/v1/webhooks/{webhook}/ping", None), 200),
    "send again": (("POST", "/v1/webhooks/{webhook}/deliveries/{delivery}/resend", None), 200),
    "end a webhook": (("DELETE", "/v1/webhooks/{webhook}", None), 204),
    "put up a draft": (("POST", "/v1/drafts", {"path": "/v1/statements", "body": statement(actors=["FR"])}), 202),
    "approve": (("POST", "/v1/drafts/{draft}/approval", {"reason": "As in the source."}), 201),
    "reject": (("POST", "/v1/drafts/{draft}/rejection", {"reason": "Not in the source."}), 200),
    "return": (("POST", "/v1/drafts/{draft}/return", {"reason": "Which day?"}), 200),
    "withdraw": (("POST", "/v1/drafts/{own}/withdrawal", {}), 200),
}
every_write = pytest.mark.parametrize("what", WRITES)


@every_write
def test_a_dry_run_says_what_would_be_so_and_changes_nothing(world: World, what: str) -> None:
    sending, status = WRITES[what]
    before, sent = world.kept(), len(world.receiver.got)
    tried = world.send(sending, "?dry_run=true", KEY)
    assert (tried.status_code, tried.json()["dry_run"]) == (200, True), tried.text
    assert "secret" not in tried.json()
    assert (world.kept(), len(world.receiver.got)) == (before, sent)
    done = world.send(sending, "", KEY)  # the key was not used up
    assert done.status_code == status, done.text
    assert world.kept() != before


@every_write
def test_the_same_key_again_gets_the_same_answer_and_has_no_second_effect(world: World, what: str) -> None:
    sending, status = WRITES[what]
    first = world.send(sending, "", KEY)
    assert first.status_code == status, first.text
    assert "Idempotency-Replayed" not in first.headers
    kept, sent = world.kept(), len(world.receiver.got)
    again = world.send(sending, "", KEY)
    assert (again.status_code, again.content) == (status, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    for name in ("Location", "ETag"):
        assert again.headers.get(name) == first.headers.get(name)
    assert (world.kept(), len(world.receiver.got)) == (kept, sent)


@every_write
def test_a_key_that_was_used_for_something_else_is_refused(world: World, what: str) -> None:
    post(world.client, statement(), **KEY)
    before, sent = world.kept(), len(world.receiver.got)
    refused = world.send(WRITES[what][0], "", KEY)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0] | {"detail": ""} == {
        "pointer": "/header/idempotency-key", "code": "reused", "detail": ""
    }  # fmt: skip
    assert (world.kept(), len(world.receiver.got)) == (before, sent)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (WRITES["make a token"][0], ("POST", "/v1/tokens", {"role": "editor", "owner": "ann"})),
        (WRITES["replace a secret"][0], ("POST", "/v1/webhooks/{webhook}/secret?overlap_hours=1", None)),
        (WRITES["approve"][0], ("POST", "/v1/drafts/{draft}/approval", {"reason": "Another."})),
        (WRITES["approve"][0], ("POST", "/v1/drafts/{other}/approval", {"reason": "As in the source."})),
        (WRITES["reject"][0], ("POST", "/v1/drafts/{draft}/rejection", {"reason": "Another."})),
        (WRITES["change a webhook"][0], ("PATCH", "/v1/webhooks/{webhook}", {"state": "active"})),
        (WRITES["change a webhook"][0], WRITES["end a webhook"][0]),
    ],
)
def test_the_same_key_with_another_request_is_refused(world: World, first: Sending, other: Sending) -> None:
    assert world.send(first, "", KEY).is_success
    kept = world.kept()
    refused = world.send(other, "", KEY)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "reused")
    assert world.kept() == kept
    assert world.client.post("/v1/statements", json=statement(), headers=KEY).status_code == 422


@pytest.mark.parametrize(
    "what", ["make a token", "replace a secret", "subscribe", "put up a draft", "approve", "reject"]
)
def test_however_many_send_a_key_at_once_to_two_services_it_is_done_once(world: World, what: str) -> None:
    sending, status = WRITES[what]
    with client_of(create_app(settings_for(world.url, webhook_networks=LOOPBACK))) as second:
        doors = [world, World(world.url, second, world.receiver, world.names)]
        answers = at_once(*[lambda door=door: door.send(sending, "", KEY) for door in doors * 3])
    running = [one for one in answers if one.status_code == 409 and one.headers["Retry-After"]]
    answered = [one for one in answers if one not in running]
    assert {(one.status_code, one.content) for one in answered} == {(status, answered[0].content)}
    assert sum("Idempotency-Replayed" not in one.headers for one in answered) == 1


def test_a_key_that_many_use_at_once_for_different_things_stands_for_one_of_them(world: World) -> None:
    sendings: list[Sending] = [
        WRITES["make a token"][0], ("POST", "/v1/statements", statement(actors=["FR"])), WRITES["replace a secret"][0]
    ]  # fmt: skip
    for turn in range(5):
        key = {"Idempotency-Key": f"turn-{turn}"}
        answers = at_once(*[lambda one=one, key=key: world.send(one, "", key) for one in sendings])
        statuses = sorted(one.status_code for one in answers)
        assert statuses in ([200, 422, 422], [201, 422, 422]), [one.text for one in answers]


def test_a_refused_request_leaves_no_key_behind(world: World) -> None:
    again = ("POST", "/v1/webhooks", {"url": world.names["url"], "kind": "warning"})
    assert world.send(again, "", KEY).status_code == 409
    assert world.send(WRITES["make a token"][0], "", KEY).status_code == 201


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_a_secret_that_can_be_answered_again_stands_nowhere_in_the_database(world: World) -> None:
    token = world.send(WRITES["make a token"][0], "", KEY).json()["secret"]
    signing = world.send(WRITES["replace a secret"][0], "", {"Idempotency-Key": "two"}).json()["secret"]
    drawn = base64.urlsafe_b64decode(token.removeprefix("pr_") + "=")
    key = base64.b64decode(signing.removeprefix("whsec_"))
    forms = [
        token.removeprefix("pr_"),
        drawn.hex(),
        key.hex(),
        signing.removeprefix("whsec_"),
        base64.b64encode(drawn).decode(),
    ]
    forms += [form.encode().hex() for form in forms]  # as bytes are shown
    dumped = {}
    with psycopg.connect(world.url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            dumped[table] = str(connection.execute(f"SELECT t::text FROM {table} t".encode()).fetchall())
    assert [table for table, rows in dumped.items() if any(form in rows for form in forms)] == ["webhook_secret"]
    assert key.hex() in dumped["webhook_secret"]


def test_a_secret_is_answered_again_only_to_the_token_that_asked_for_it(world: World) -> None:
    made = world.send(WRITES["make a token"][0], "", KEY).json()
    allow(world.url, "pr_other", "admin", "tester")  # of the same owner
    other = {**KEY, "Authorization": "Bearer pr_other"}
    refused = world.send(WRITES["make a token"][0], "", other)
    me = world.client.get("/v1/me").json()["token"]["id"]
    assert refused.status_code == 409
    assert me in refused.json()["detail"]
    assert made["secret"] not in refused.text
    assert len(world.client.get("/v1/tokens?owner=joe").json()["items"]) == 1


def test_a_secret_that_was_made_under_a_key_is_the_one_that_counts(world: World) -> None:
    for _ in range(2):
        secret = world.send(WRITES["make a token"][0], "", KEY).json()["secret"]
    assert world.client.get("/v1/me", headers={"Authorization": f"Bearer {secret}"}).json()["owner"] == "joe"


def test_a_reader_of_the_database_reads_no_answers(world: World) -> None:
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute("SET ROLE registry_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM idempotency")


# --- what is sent by hand ---------------------------------------------------------------------------------------------


def test_a_ping_whose_receiver_has_not_answered_yet_is_not_sent_twice(world: World) -> None:
    world.receiver.seconds = 3
    sent = len(world.receiver.got)
    answers: list[httpx2.Response] = []
    thread = threading.Thread(target=lambda: answers.append(world.send(WRITES["ping"][0], "", KEY)))
    thread.start()
    assert wait_until(lambda: len(world.receiver.got) > sent, 10)
    meanwhile = world.send(WRITES["ping"][0], "", KEY)
    thread.join()
    after = world.send(WRITES["ping"][0], "", KEY)
    assert meanwhile.status_code == 409
    assert int(meanwhile.headers["Retry-After"]) > 0
    assert (after.status_code, after.content) == (200, answers[0].content)
    assert len(world.receiver.got) == sent + 1


# --- not overwriting others -------------------------------------------------------------------------------------------


def test_a_webhook_that_somebody_else_has_changed_meanwhile_is_not_changed_unseen(world: World) -> None:
    path = f"/v1/webhooks/{world.names['webhook']}"
    etag = world.client.get(path).headers["ETag"]
    changed = [world.client.patch(path, json={"description": said}, headers={"If-Match": etag}) for said in "ab"]
    assert [one.status_code for one in changed] == [200, 412]
    for sending in (WRITES["end a webhook"][0], WRITES["replace a secret"][0]):
        assert world.send(sending, "", {"If-Match": etag}).status_code == 412
        assert world.send(sending, "?dry_run=true", {"If-Match": etag}).status_code == 412
    assert world.client.get(path).json()["description"] == "a"
    etag = world.client.get(path).headers["ETag"]
    assert world.client.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert world.client.patch(path, json={"state": "paused"}, headers={"If-Match": etag}).status_code == 200
    assert world.client.patch(path, json={"state": "active"}, headers={"If-Match": "*"}).status_code == 200
    assert world.client.patch(path, json={"state": "paused"}, headers={"If-Match": '"x.0"'}).status_code == 412


def test_what_the_cursor_does_is_no_change_of_the_webhook(world: World) -> None:
    path = f"/v1/webhooks/{world.names['webhook']}"
    seen = world.client.get(path)
    post(world.client, statement())
    assert wait_until(lambda: world.client.get(path).json()["position"] > seen.json()["position"], 10)
    assert world.client.get(path).headers["ETag"] != seen.headers["ETag"]
    patched = world.client.patch(path, json={"state": "paused"}, headers={"If-Match": seen.headers["ETag"]})
    assert patched.status_code == 200


# --- lists, filters, bodies -------------------------------------------------------------------------------------------


def test_a_last_page_that_is_full_is_the_last(world: World) -> None:
    for number in range(3):
        world.client.post("/v1/webhooks", json={"url": f"{world.names['url']}/{number}"})
    for path in ("/v1/webhooks", f"/v1/webhooks/{world.names['webhook']}/deliveries"):
        total = world.client.get(f"{path}?count=true").json()["total"]
        whole = world.client.get(f"{path}?limit={total}")
        assert (len(whole.json()["items"]), whole.json()["next"]) == (total, None)
        assert "Link" not in whole.headers
        assert whole.headers["Cache-Control"] == "private, no-cache"
    first = world.client.get("/v1/webhooks?limit=2").json()
    rest = world.client.get(f"/v1/webhooks?limit=2&after={first['next']}").json()
    assert len({one["id"] for one in first["items"] + rest["items"]}) == 4
    assert rest["next"] is None
    assert world.client.get("/v1/webhooks?after=nonsense").status_code == 400


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ({"coalition": "unheard-of"}, "unknown_coalition"),
        ({"kind": "pledge.dreamt"}, None),
        ({"country": "Atlantis"}, None),
    ],
)
def test_a_filter_by_what_there_is_not_is_refused(world: World, filters: Json, code: str | None) -> None:
    ((name, value),) = filters.items()
    path = f"/v1/webhooks/{world.names['webhook']}"
    made = world.client.post("/v1/webhooks", json={"url": world.names["url"], **filters})
    changed = world.client.patch(path, json=filters)
    heard = world.client.get("/v1/events/stream", params=filters)
    assert [one.status_code for one in (made, changed, heard)] == [422, 422, 400]
    faults = [one.json()["errors"][0] for one in (made, changed, heard)]
    assert [one["pointer"] for one in faults] == [f"/{name}", f"/{name}", f"/query/{name}"]
    assert code is None or {one["code"] for one in faults} == {code}
    assert value not in made.text
    assert world.client.get(path).json()[name] != value


def test_a_coalition_can_be_followed_from_its_registration_on(world: World) -> None:
    wanted = {"url": world.names["url"], "coalition": "later"}
    assert world.client.post("/v1/webhooks", json=wanted).status_code == 422
    register(world.client, "later")
    assert world.client.post("/v1/webhooks", json=wanted).status_code == 201


NEEDED: dict[str, set[str]] = {
    "/v1/statements": {"/kind"},
    "/v1/statements/batch": {""},
    "/v1/coalitions": {"/slug", "/name"},
    "/v1/events/{event_id}/corrections": {"/changes", "/reason"},
    "/v1/events/{event_id}/retraction": {"/reason"},
    "/v1/events/{event_id}/reinstatement": {"/reason"},
    "/v1/events/{event_id}/disputes": {"/rivals"},
    "/v1/events/{event_id}/settlement": {"/ranks"},
    "/v1/events/{event_id}/duplicates": {"/original"},
    "/v1/events/{event_id}/sources": {"/sources"},
    "/v1/drafts": {"/path", "/body"},
    "/v1/drafts/{draft_id}/approval": set(),
    "/v1/drafts/{draft_id}/rejection": {"/reason"},
    "/v1/drafts/{draft_id}/return": {"/reason"},
    "/v1/drafts/{draft_id}/withdrawal": set(),
    "/v1/tokens": {"/role", "/owner"},
    "/v1/webhooks": {"/url"},
    "/v1/webhooks/{webhook_id}/secret": set(),
    "/v1/webhooks/{webhook_id}/ping": set(),
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend": set(),
}
"""By path, what a POST without a body lacks; nothing where it needs none."""


def test_a_post_without_a_body_works_or_is_told_what_it_lacks(world: World) -> None:
    event_id = world.client.get("/v1/events").json()["items"][0]["id"]
    ids = {"event_id": event_id, "webhook_id": world.names["webhook"], "delivery_id": world.names["delivery"]}
    document = world.client.get("/openapi.json").json()
    posts = {path for path, methods in document["paths"].items() if "post" in methods}
    assert posts == {*NEEDED, "/v1/import"}
    for path, needed in NEEDED.items():
        draft = world.names["own" if path.endswith("withdrawal") else "draft"]
        answer = world.client.post(path.format(**ids, draft_id=draft), headers={"If-Match": "*"})
        pointers = {one["pointer"] for one in answer.json().get("errors", ())}
        assert (answer.status_code == 422, pointers) == (bool(needed), needed), (path, answer.text)
    refused = world.client.post("/v1/import")
    assert refused.status_code == 415
    assert "text/csv" in refused.json()["detail"]


def test_how_long_a_key_is_waited_for_is_bounded(world: World) -> None:
    """While somebody else holds the row, whoever has the same key is told that the request is still running."""
    with psycopg.connect(world.url) as other:
        other.execute("SELECT 1 FROM webhook FOR UPDATE")
        began = time.monotonic()
        answers = at_once(*[lambda: world.send(WRITES["change a webhook"][0], "", KEY)] * 2)
        assert time.monotonic() - began < 8
    assert {one.status_code for one in answers} <= {409, 503}
    assert all(int(one.headers["Retry-After"]) > 0 for one in answers)
    assert world.send(WRITES["change a webhook"][0], "", KEY).status_code == 200
