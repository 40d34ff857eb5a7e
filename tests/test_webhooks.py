"""Webhooks: whoever subscribed is sent what it wants, in order, at least once, signed; what fails is tried again."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.testclient import TestClient

from service.api.webhook_shapes import Delivery, SecretMade, ThinEvent, WebhookMade
from service.webhooks.deliveries import KEPT
from service.webhooks.schedule import GAPS, gap_after
from tests.processes import wait_until
from tests.receivers import LOOPBACK, Receiver, receiving
from tests.registry import Json, allow, note, post, registry, statement


@pytest.fixture
def client(database: str) -> Iterator[TestClient]:
    """A registry that may send to loopback."""
    with registry(database, webhook_networks=LOOPBACK) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that says yes."""
    with receiving() as receiver:
        yield receiver


def subscribe(client: TestClient, url: str, **fields: Any) -> Json:
    """Makes a webhook."""
    answer = client.post("/v1/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    WebhookMade.model_validate(made)
    assert answer.headers["Location"] == f"/v1/webhooks/{made['id']}"
    assert answer.headers["Cache-Control"] == "no-store"
    return made


def state_of(client: TestClient, webhook: Json) -> Json:
    """A webhook as it now is."""
    found: Json = client.get(f"/v1/webhooks/{webhook['id']}").json()
    return found


def list_deliveries(client: TestClient, webhook: Json) -> list[Json]:
    """Its deliveries, newest first."""
    found: list[Json] = client.get(f"/v1/webhooks/{webhook['id']}/deliveries").json()["items"]
    return found


def let_the_gap_pass(database: str) -> None:
    """Whatever waits for its next attempt has waited long enough."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE webhook SET next_at = now()")


def say_some(client: TestClient, count: int) -> None:
    """Records statements."""
    for number in range(count):
        post(client, statement(subject=f"s-{number}"))


# What is sent


def test_a_subscriber_is_told_of_what_is_recorded_from_now_on(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    said = post(client, statement())["event"]

    assert wait_until(lambda: receiver.got, 10)
    sent = receiver.got[0]
    assert sent.content == {
        "specversion": "1.0",
        "id": said["event_id"],
        "source": "/v1/coalitions/willing",
        "type": "pledge.stated",
        "time": said["recorded_at"],
        "subject": "ground-troops",
        "position": 2,
        "coalition": "willing",
        "dataref": f"/v1/events/{said['event_id']}",
    }
    ThinEvent.model_validate(sent.content)
    assert client.get(sent.content["dataref"]).json()["event"]["summary"] == said["summary"]
    assert sent.headers["content-type"] == "application/cloudevents+json"
    assert sent.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert sent.headers["user-agent"].startswith("pledge-registry/")
    assert wait_until(lambda: state_of(client, made)["position"] == 2, 10)
    assert [one.content["position"] for one in receiver.got] == [2]


def test_a_subscriber_may_begin_anywhere_and_gets_everything_in_order(client: TestClient, receiver: Receiver) -> None:
    say_some(client, 12)
    made = subscribe(client, receiver.url, after=0)
    say_some(client, 8)

    assert wait_until(lambda: len(receiver.got) == 21, 20)
    assert receiver.accepted == list(range(1, 22))
    assert wait_until(lambda: state_of(client, made)["position"] == 21, 10)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"coalition": "willing"}, [1, 3, 4, 5, 6]),
        ({"kind": "pledge"}, [3, 4]),
        ({"kind": "position.stated"}, [5]),
        ({"country": "France"}, [4, 6]),
        ({"country": "GB", "kind": "record"}, [6]),
        ({"country": "LT"}, []),
    ],
)
def test_a_filter_lets_through_what_a_stream_with_it_does(
    client: TestClient, receiver: Receiver, filters: Json, expected: list[int]
) -> None:
    client.post("/v1/coalitions", json={"slug": "others", "name": "Others"})
    post(client, statement(actors=["DE"]))
    said = post(client, statement(actors=["FR"]))["event"]["event_id"]
    post(client, statement("position.stated", subject="force", actors=["TR"]))
    note(client, said, "corrections", {"changes": {"actors": ["GB"]}, "reason": "entry_error"})
    made = subscribe(client, receiver.url, after=0, **filters)

    assert wait_until(lambda: state_of(client, made)["position"] == 6, 10)  # also where nothing of it is wanted
    assert receiver.accepted == expected


# Signatures


def verify(sent: Any, secret: str) -> Json:
    """What a receiver does, with the package that it would use."""
    content: Json = Webhook(secret).verify(sent.body, sent.headers)
    return content


def test_a_message_is_signed_and_the_secret_is_shown_once(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    secret = made.pop("secret")
    post(client, statement())

    assert wait_until(lambda: receiver.got, 10)
    assert verify(receiver.got[0], secret)["position"] == 2
    assert receiver.got[0].headers["webhook-id"] == receiver.got[0].content["id"]
    with pytest.raises(WebhookVerificationError):
        verify(receiver.got[0], "whsec_" + "A" * 43 + "=")
    for path in ("", f"/{made['id']}", f"/{made['id']}/deliveries"):
        assert secret.removeprefix("whsec_") not in client.get(f"/v1/webhooks{path}").text


def test_while_a_secret_is_replaced_both_sign(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    answer = client.post(f"/v1/webhooks/{made['id']}/secret")
    rotated = answer.json()
    SecretMade.model_validate(rotated)
    assert answer.headers["Cache-Control"] == "no-store"
    until = datetime.fromisoformat(rotated["former_valid_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=25)
    post(client, statement())

    assert wait_until(lambda: receiver.got, 10)
    assert len(receiver.got[0].headers["webhook-signature"].split(" ")) == 2
    assert verify(receiver.got[0], made["secret"]) == verify(receiver.got[0], rotated["secret"])


def test_a_former_secret_ends_at_once_where_that_is_asked_for(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    first = client.post(f"/v1/webhooks/{made['id']}/secret").json()["secret"]
    second = client.post(f"/v1/webhooks/{made['id']}/secret?overlap_hours=0").json()["secret"]
    post(client, statement())

    assert wait_until(lambda: receiver.got, 10)
    verify(receiver.got[0], second)
    for ended in (made["secret"], first):
        with pytest.raises(WebhookVerificationError):
            verify(receiver.got[0], ended)


def test_what_takes_no_body_refuses_one_and_does_nothing(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    for path, body in (("secret", b'{"overlap_hours": 0}'), ("secret", b"garbage{"), ("ping", b"{}")):
        refused = client.post(f"/v1/webhooks/{made['id']}/{path}", content=body)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unexpected_body")
    post(client, statement())

    assert wait_until(lambda: receiver.got, 10)
    assert [len(got.headers["webhook-signature"].split(" ")) for got in receiver.got] == [1]


def test_the_reader_sees_neither_secrets_nor_addresses(client: TestClient, receiver: Receiver, database: str) -> None:
    subscribe(client, receiver.url)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET ROLE registry_reader")
        for table in ("webhook", "webhook_secret", "webhook_delivery"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {table}".encode())


# When it fails


def test_a_receiver_that_fails_for_a_while_gets_everything_in_order(
    client: TestClient, receiver: Receiver, database: str
) -> None:
    receiver.status = lambda number: 500 if number <= 3 else 204
    made = subscribe(client, receiver.url)
    say_some(client, 5)
    for attempt in (1, 2, 3):
        assert wait_until(lambda: state_of(client, made)["failed_attempts"] == attempt, 10)  # noqa: B023 - asked at once
        found = state_of(client, made)
        assert (found["state"], found["position"]) == ("active", 1)
        waits = datetime.fromisoformat(found["next_attempt_at"]) - datetime.now(UTC)
        assert waits <= GAPS[attempt - 1] * 1.1
        let_the_gap_pass(database)

    assert wait_until(lambda: receiver.accepted == [2, 3, 4, 5, 6], 20)
    assert [one.content["position"] for one in receiver.got] == [2, 2, 2, 2, 3, 4, 5, 6]  # none overtakes the first
    assert len({one.headers["webhook-id"] for one in receiver.got[:4]}) == 1
    assert wait_until(lambda: state_of(client, made)["failed_attempts"] == 0, 10)
    listed = list_deliveries(client, made)
    assert [(one["position"], one["attempt"], one["status"], one["failure"]) for one in listed[::-1][:5]] == [
        (2, 1, 500, "status"),
        (2, 2, 500, "status"),
        (2, 3, 500, "status"),
        (2, 4, 204, None),
        (3, 1, 204, None),
    ]


def test_a_receiver_that_is_away_gets_everything_when_it_is_back(client: TestClient, database: str) -> None:
    receiver = Receiver()
    with receiving(receiver):
        made = subscribe(client, receiver.url)
        say_some(client, 2)
        assert wait_until(lambda: receiver.accepted == [2, 3], 10)
    say_some(client, 3)
    assert wait_until(lambda: state_of(client, made)["failed_attempts"] > 0, 10)
    assert list_deliveries(client, made)[0]["failure"] == "connection"
    with receiving(receiver):
        let_the_gap_pass(database)
        assert wait_until(lambda: receiver.accepted == [2, 3, 4, 5, 6], 20)


def test_a_receiver_that_hangs_is_given_up_and_holds_nobody_else(client: TestClient, receiver: Receiver) -> None:
    with receiving(Receiver(seconds=60)) as hanging:
        made = subscribe(client, hanging.url)
        subscribe(client, receiver.url)
        post(client, statement())

        assert wait_until(lambda: receiver.accepted == [2], 5)
        began = time.monotonic()
        post(client, statement(subject="other"))
        assert client.get("/v1/countries/GB/commitments").status_code == 200
        assert time.monotonic() - began < 3
        assert wait_until(lambda: receiver.accepted == [2, 3], 5)
        assert wait_until(lambda: state_of(client, made)["failed_attempts"] == 1, 20)
        failed = list_deliveries(client, made)[0]
        assert (failed["failure"], failed["status"]) == ("timeout", None)
        assert 9_000 < failed["took_ms"] < 13_000


def test_an_answer_without_end_is_not_read(client: TestClient, receiver: Receiver) -> None:
    receiver.status, receiver.flood = lambda _: 200, True
    made = subscribe(client, receiver.url)
    say_some(client, 2)

    assert wait_until(lambda: receiver.accepted == [2, 3], 10)
    assert all(one["took_ms"] < 3_000 for one in list_deliveries(client, made))


def test_a_redirect_is_not_followed(client: TestClient, receiver: Receiver) -> None:
    receiver.status = lambda _: 307
    made = subscribe(client, receiver.url)
    post(client, statement())

    assert wait_until(lambda: state_of(client, made)["failed_attempts"] == 1, 10)
    failed = list_deliveries(client, made)[0]
    assert (failed["failure"], failed["status"]) == ("redirect", 307)
    assert {one.path for one in receiver.got} == {"/hook"}


def test_410_switches_off_at_once_and_it_can_be_switched_on_again(client: TestClient, receiver: Receiver) -> None:
    receiver.status = lambda number: 410 if number == 1 else 204
    made = subscribe(client, receiver.url)
    say_some(client, 3)

    assert wait_until(lambda: state_of(client, made)["state"] == "switched_off", 10)
    off = state_of(client, made)
    assert off["reason"]["code"] == "gone"
    assert off["next_attempt_at"] is None
    post(client, statement())
    time.sleep(1.5)
    assert len(receiver.got) == 1
    on = client.patch(f"/v1/webhooks/{made['id']}", json={"state": "active"}).json()
    assert (on["state"], on["reason"], on["failed_attempts"]) == ("active", None, 0)
    assert wait_until(lambda: receiver.accepted == [2, 3, 4, 5], 10)


def test_failing_over_days_switches_off_with_a_reason(client: TestClient, receiver: Receiver, database: str) -> None:
    receiver.status = lambda _: 503
    made = subscribe(client, receiver.url)
    post(client, statement())
    for attempt in range(1, len(GAPS) + 1):
        assert wait_until(lambda: state_of(client, made)["failed_attempts"] == attempt, 10), attempt  # noqa: B023 - asked at once
        let_the_gap_pass(database)

    assert wait_until(lambda: state_of(client, made)["state"] == "switched_off", 10)
    assert state_of(client, made)["reason"]["code"] == "failing"
    assert len(receiver.got) == len(GAPS) + 1


@given(chance=st.floats(0, 1, exclude_max=True), attempt=st.integers(1, len(GAPS)))
def test_gaps_grow_over_days_and_are_spread_by_a_tenth(chance: float, attempt: int) -> None:
    gap = gap_after(attempt, chance)
    assert gap is not None
    assert abs(gap - GAPS[attempt - 1]) <= GAPS[attempt - 1] * 0.1 + timedelta(microseconds=1)


def test_after_five_days_there_is_no_further_attempt() -> None:
    assert list(GAPS) == sorted(GAPS)
    assert timedelta(days=4) < sum(GAPS, timedelta()) < timedelta(days=7)
    assert gap_after(len(GAPS) + 1, 0.5) is None


def test_whoever_has_lost_its_lease_moves_no_cursor(client: TestClient, receiver: Receiver, database: str) -> None:
    receiver.seconds = 1.5
    made = subscribe(client, receiver.url)
    post(client, statement())
    assert wait_until(lambda: receiver.got, 10)
    with psycopg.connect(database, autocommit=True) as connection:  # another has taken over from one that was stopped
        connection.execute(
            "UPDATE webhook SET leased_by = '01900000-0000-7000-8000-000000000000',"
            " leased_until = now() + interval '4 seconds'"
        )
    assert wait_until(lambda: list_deliveries(client, made), 10)
    assert list_deliveries(client, made)[0]["accepted"]
    assert state_of(client, made)["position"] == 1
    receiver.seconds = 0
    assert wait_until(lambda: receiver.accepted == [2, 2], 10)  # it has not sent it, and its lease has run out
    assert wait_until(lambda: state_of(client, made)["position"] == 2, 10)


def test_a_cursor_that_is_moved_while_something_is_sent_stays_where_it_was_moved(
    client: TestClient, receiver: Receiver
) -> None:
    say_some(client, 4)
    receiver.seconds = 1.5
    made = subscribe(client, receiver.url, after=1)
    assert wait_until(lambda: receiver.got, 10)
    client.patch(f"/v1/webhooks/{made['id']}", json={"after": 4, "state": "paused"})
    assert wait_until(lambda: list_deliveries(client, made), 10)
    time.sleep(0.5)
    assert (state_of(client, made)["position"], receiver.accepted) == (4, [2])
    client.patch(f"/v1/webhooks/{made['id']}", json={"state": "active"})
    assert wait_until(lambda: receiver.accepted == [2, 5], 10)


def test_a_failure_at_the_old_address_does_not_count_against_the_new(client: TestClient, receiver: Receiver) -> None:
    with receiving(Receiver(seconds=1.5, status=lambda _: 410)) as gone:
        made = subscribe(client, gone.url)
        post(client, statement())
        assert wait_until(lambda: gone.got, 10)
        client.patch(f"/v1/webhooks/{made['id']}", json={"url": receiver.url})
        assert wait_until(lambda: receiver.accepted == [2], 10)
        assert state_of(client, made)["state"] == "active"


# What owners do


def test_a_paused_webhook_is_sent_nothing_and_misses_nothing(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    assert client.patch(f"/v1/webhooks/{made['id']}", json={"state": "paused"}).json()["state"] == "paused"
    say_some(client, 3)
    time.sleep(1.5)
    assert receiver.got == []
    client.patch(f"/v1/webhooks/{made['id']}", json={"state": "active"})
    assert wait_until(lambda: receiver.accepted == [2, 3, 4], 10)


def test_a_cursor_can_be_moved_back_and_over_an_event(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    say_some(client, 3)
    assert wait_until(lambda: state_of(client, made)["position"] == 4, 10)
    assert client.patch(f"/v1/webhooks/{made['id']}", json={"after": 2}).status_code == 200
    assert wait_until(lambda: receiver.accepted == [2, 3, 4, 3, 4], 10)
    refused = client.patch(f"/v1/webhooks/{made['id']}", json={"after": 99})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/after"


def test_a_change_of_address_and_filters_holds_for_what_comes_next(client: TestClient, receiver: Receiver) -> None:
    with receiving() as other:
        made = subscribe(client, receiver.url, kind="pledge", country="GB", description="ours")
        changed = client.patch(
            f"/v1/webhooks/{made['id']}", json={"url": other.url, "kind": "position", "country": None}
        ).json()
        assert {name: changed[name] for name in ("url", "kind", "country", "coalition", "description")} == {
            "url": other.url, "kind": "position", "country": None, "coalition": None, "description": "ours",
        }  # fmt: skip
        post(client, statement())
        post(client, statement("position.stated", subject="force", actors=["TR"]))
        assert wait_until(lambda: other.accepted == [3], 10)
        assert receiver.got == []


def test_a_deleted_webhook_is_gone_with_its_secrets(client: TestClient, receiver: Receiver, database: str) -> None:
    made = subscribe(client, receiver.url)
    post(client, statement())
    assert wait_until(lambda: list_deliveries(client, made), 10)
    assert client.delete(f"/v1/webhooks/{made['id']}").status_code == 204
    assert client.get(f"/v1/webhooks/{made['id']}").status_code == 404
    with psycopg.connect(database) as connection:
        for table in ("webhook", "webhook_secret", "webhook_delivery"):
            assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,)


def test_a_delivery_can_be_sent_again_and_the_cursor_stays(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    say_some(client, 2)
    assert wait_until(lambda: state_of(client, made)["position"] == 3, 10)
    first = list_deliveries(client, made)[-1]
    client.patch(f"/v1/webhooks/{made['id']}", json={"state": "paused"})

    again = client.post(f"/v1/webhooks/{made['id']}/deliveries/{first['id']}/resend")
    assert again.status_code == 200
    told = again.json()
    Delivery.model_validate(told)
    assert (told["cause"], told["position"], told["event_id"]) == ("resend", 2, first["event_id"])
    assert (told["accepted"], told["status"]) == (True, 204)
    assert [one.content["position"] for one in receiver.got] == [2, 3, 2]
    assert receiver.got[2].headers["webhook-id"] == receiver.got[0].headers["webhook-id"]
    verify(receiver.got[2], made["secret"])
    assert state_of(client, made)["position"] == 3
    assert list_deliveries(client, made)[0] == told


def test_a_ping_says_whether_messages_arrive(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    told = client.post(f"/v1/webhooks/{made['id']}/ping").json()
    assert (told["cause"], told["position"], told["event_id"], told["accepted"]) == ("ping", None, None, True)
    sent = receiver.got[0]
    assert verify(sent, made["secret"])["type"] == "webhook.ping"
    ThinEvent.model_validate(sent.content)
    receiver.status = lambda _: 500
    told = client.post(f"/v1/webhooks/{made['id']}/deliveries/{told['id']}/resend").json()
    assert (told["cause"], told["accepted"], told["failure"]) == ("ping", False, "status")
    assert state_of(client, made)["failed_attempts"] == 0


def test_only_the_latest_deliveries_are_remembered(client: TestClient, receiver: Receiver, database: str) -> None:
    made = subscribe(client, receiver.url)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO webhook_delivery (webhook_id, delivery_id, cause, attempt, began_at, took_ms)"
            " SELECT %s, ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'ping', 1, now(), 1"
            " FROM generate_series(1, %s) n",
            (made["id"], KEPT),
        )
    told = client.post(f"/v1/webhooks/{made['id']}/ping").json()
    listed = client.get(f"/v1/webhooks/{made['id']}/deliveries?limit=500&count=true").json()
    assert (listed["total"], listed["items"][0]) == (KEPT, told)
    rest = client.get(f"/v1/webhooks/{made['id']}/deliveries?limit=500&after={listed['next']}").json()["items"]
    table = client.get(f"/v1/webhooks/{made['id']}/deliveries.csv").text.splitlines()
    assert len(table) == 1 + KEPT
    ids = [one["id"] for one in listed["items"] + rest]
    assert ids == sorted(set(ids), reverse=True)
    assert (len(ids), ids[-1][-4:]) == (KEPT, "0002")


# Who may


def test_an_editor_sees_its_own_and_an_admin_all(client: TestClient, receiver: Receiver, database: str) -> None:
    ours = subscribe(client, receiver.url)
    allow(database, "pr_jane", "editor", "jane")
    allow(database, "pr_low", "contributor", "low")
    jane = {"Authorization": "Bearer pr_jane"}
    hers = client.post("/v1/webhooks", json={"url": receiver.url}, headers=jane).json()

    listed = client.get("/v1/webhooks?count=true", headers=jane).json()
    assert ([one["id"] for one in listed["items"]], listed["total"]) == ([hers["id"]], 1)
    assert {one["id"] for one in client.get("/v1/webhooks").json()["items"]} == {ours["id"], hers["id"]}
    path = f"/v1/webhooks/{ours['id']}"
    for method, below, body in (
        ("GET", "", None), ("PATCH", "", {"state": "paused"}), ("DELETE", "", None), ("POST", "/secret", None),
        ("POST", "/ping", None), ("GET", "/deliveries", None), ("POST", f"/deliveries/{ours['id']}/resend", None),
    ):  # fmt: skip
        refused = client.request(method, path + below, json=body, headers=jane)
        assert refused.status_code == 404, (method, below)
        assert client.request(method, path + below, json=body, headers={"Authorization": ""}).status_code == 401
        low = client.request(method, path + below, json=body, headers={"Authorization": "Bearer pr_low"})
        assert low.status_code == 403
    assert client.get(path).json()["state"] == "active"


def test_the_same_webhook_twice_is_refused(client: TestClient, receiver: Receiver) -> None:
    subscribe(client, receiver.url, kind="pledge")
    again = client.post("/v1/webhooks", json={"url": receiver.url, "kind": "pledge"})
    assert again.status_code == 409
    other = subscribe(client, receiver.url)
    assert client.patch(f"/v1/webhooks/{other['id']}", json={"kind": "pledge"}).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": "ftp://example.org/"}, "/url"),
        ({"url": "https://user:secret@example.org/"}, "/url"),
        ({"url": "https://example.org/#x"}, "/url"),
        ({"url": "https://example.org:25/"}, "/url"),
        ({"url": "https://example.org:0/"}, "/url"),
        ({"url": "https:///x"}, "/url"),
        ({"url": "http://0177.0.0.1/"}, "/url"),
        ({"url": "https://exa mple.org/"}, "/url"),
        ({"url": "https://[fe80::1%25eth0]/"}, "/url"),
        ({"url": "https://example.org/" + "x" * 2000}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": "http://127.0.0.1:9999/", "kind": "nonsense"}, "/kind"),
        ({"url": "http://127.0.0.1:9999/", "country": "nowhere"}, "/country"),
        ({"url": "http://127.0.0.1:9999/", "coalition": "No Slug"}, "/coalition"),
        ({"url": "http://127.0.0.1:9999/", "after": -1}, "/after"),
        ({"url": "http://127.0.0.1:9999/", "after": 99}, "/after"),
        ({"url": "http://127.0.0.1:9999/", "secret": "mine"}, "/secret"),
        ({"url": "http://127.0.0.1:9999/", "description": "\x00"}, "/description"),
        ({"url": "http://10.0.0.1/"}, "/url"),
    ],
)
def test_what_cannot_be_subscribed_to_is_refused_with_a_pointer(client: TestClient, body: Json, pointer: str) -> None:
    refused = client.post("/v1/webhooks", json=body)
    assert refused.status_code == 422, refused.text
    assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]
    assert client.get("/v1/webhooks").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (None, ""),
        ({}, ""),
        ({"url": None}, "/url"),
        ({"state": "switched_off"}, "/state"),
        ({"state": None}, "/state"),
        ({"after": None}, "/after"),
        ({"owner": "jane"}, "/owner"),
        ({"kind": "nonsense"}, "/kind"),
        ({"url": "http://169.254.169.254/latest"}, "/url"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_a_pointer(
    client: TestClient, receiver: Receiver, body: Json | None, pointer: str
) -> None:
    made = subscribe(client, receiver.url)
    refused = client.patch(f"/v1/webhooks/{made['id']}", json=body)
    assert refused.status_code == 422, refused.text
    assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]
    made.pop("secret")
    assert state_of(client, made) == made


def test_names_that_are_no_webhooks_are_not_found(client: TestClient, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    for path in ("nonsense", made["id"].replace(made["id"][-4:], "0000")):
        assert client.get(f"/v1/webhooks/{path}").status_code == 404
    for name in ("nonsense", made["id"]):
        assert client.post(f"/v1/webhooks/{made['id']}/deliveries/{name}/resend").status_code == 404
    assert client.get("/v1/webhooks?after=x").status_code == 400
    assert client.get("/v1/webhooks?owner=x").status_code == 400
    assert client.post(f"/v1/webhooks/{made['id']}/secret?overlap_hours=169").status_code == 400
    assert client.post(f"/v1/webhooks/{made['id']}/ping?x=1").status_code == 400


def test_webhooks_are_counted_and_no_figure_names_one(client: TestClient, receiver: Receiver) -> None:
    receiver.status = lambda _: 500
    made = subscribe(client, receiver.url)
    say_some(client, 3)
    assert wait_until(lambda: state_of(client, made)["failed_attempts"] == 1, 10)

    figures = client.get("/metrics").text
    assert "registry_webhook_lag_positions 3.0" in figures
    assert 'registry_webhooks{state="active"} 1.0' in figures
    assert 'registry_webhook_deliveries_total{outcome="status"} 1.0' in figures
    seconds = next(line for line in figures.splitlines() if line.startswith("registry_webhook_lag_seconds "))
    assert 0 < float(seconds.split()[1]) < 30
    assert made["id"] not in figures
    assert str(receiver.port) not in figures


def test_what_is_under_way_when_the_service_ends_is_sent_by_the_next(database: str) -> None:
    receiver = Receiver(seconds=30)
    with receiving(receiver):
        with registry(database, webhook_networks=LOOPBACK) as client:
            subscribe(client, receiver.url)
            say_some(client, 2)
            assert wait_until(lambda: receiver.got, 10)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        receiver.seconds = 0
        del receiver.got[:]
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DELETE FROM token")
        with registry(database, coalition=None, webhook_networks=LOOPBACK):
            assert wait_until(lambda: receiver.accepted == [2, 3], 10)  # the lease was given back
