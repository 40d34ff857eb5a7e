"""Rate limits: what a client may send in a minute, who a client is, and what it is told."""

import http.client
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from starlette.testclient import TestClient

from service.accounts.sessions import hash_cookie
from service.main import create_app
from service.settings import Settings
from service.web.limits import NEVER_LIMITED, SECONDS, Windows, network_of
from tests.people import COOKIE, add_person, begin_session, browser
from tests.processes import open_folder, serving
from tests.registry import allow, client_of, post, register, registry, settings_for, statement
from tests.test_signing_in import sign_in

PATH = "/v1/coalitions"


@contextmanager
def limited(url: str, *, reads: int = 0, writes: int = 0) -> Iterator[TestClient]:
    """A registry with limits, and a client without a token."""
    with client_of(
        create_app(settings_for(url, reads_per_minute=reads, writes_per_minute=writes)), token=None
    ) as client:
        yield client


def test_every_answer_says_the_quota_and_what_is_left_of_it(database: str) -> None:
    with limited(database, reads=9, writes=5) as client:
        found = [client.get(path).headers for path in (PATH, "/v1/nowhere", f"{PATH}?nonsense=1", "/problems")]
        refused = client.post("/v1/statements", json={})

    assert {one["RateLimit-Policy"] for one in found} == {'"reads";q=9;w=60'}
    left = [re.fullmatch(r'"reads";r=(\d+);t=(\d+)', one["RateLimit"]) for one in found]
    assert [one and int(one[1]) for one in left] == [8, 7, 6, 5]
    assert all(one and 0 < int(one[2]) <= SECONDS for one in left)
    assert refused.status_code == 401
    assert refused.headers["RateLimit-Policy"] == '"writes";q=5;w=60'
    assert refused.headers["RateLimit"].startswith('"writes";r=4;t=')


def test_what_exceeds_the_quota_is_refused_with_a_problem_that_says_when_to_go_on(database: str) -> None:
    with limited(database, reads=2) as client:
        assert [client.get(PATH).status_code for _ in range(2)] == [200, 200]
        refused = client.get(PATH)
        explained = client.get(refused.json()["type"])
        figures = client.get("/metrics").text

    assert refused.status_code == explained.status_code == 429
    assert refused.headers["Content-Type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["type"], problem["status"]) == ("/problems/too-many-requests", 429)
    assert refused.headers["RateLimit"] == f'"reads";r=0;t={refused.headers["Retry-After"]}'
    assert f"go on in {refused.headers['Retry-After']}" in problem["detail"]
    assert 0 < int(refused.headers["Retry-After"]) <= SECONDS
    assert 'registry_limited_requests_total{quota="reads"} 2.0' in figures


def test_reads_and_writes_are_counted_apart_and_a_list_of_statements_is_one_write(database: str) -> None:
    allow(database)
    with limited(database, reads=2, writes=3) as client:
        client.headers["Authorization"] = "Bearer pr_test_admin"
        assert client.get(PATH).status_code == 200  # from now on the token is known
        register(client, "willing")
        post(client, [statement(summary=f"Number {number}.") for number in range(50)], "/v1/statements/batch")
        post(client, statement())
        assert client.post("/v1/statements", json=statement()).status_code == 429
        assert client.get(PATH).status_code == 200


def test_a_refused_write_records_nothing(database: str) -> None:
    with registry(database, writes_per_minute=2) as client:
        post(client, statement())
        before = client.get("/v1/events?count=true").json()["total"]
        statuses = {client.post("/v1/statements", json=statement()).status_code for _ in range(3)}
        assert 429 in statuses
        recorded = client.get("/v1/events?count=true").json()["total"] - before
    assert recorded <= 1


def test_an_owner_is_one_client_whichever_token_is_sent_and_others_are_not_kept_waiting(database: str) -> None:
    for token, owner in (("pr_one", "jane"), ("pr_two", "jane"), ("pr_other", "joe")):
        allow(database, token, "reader", owner)
    with limited(database, reads=3) as client:
        first = [{"Authorization": f"Bearer {token}"} for token in ("pr_one", "pr_two", "pr_other")]
        assert [client.get(PATH, headers=header).status_code for header in first] == [200] * 3
        one, two, other = first
        assert [client.get(PATH, headers=header).status_code for header in (one, two, one)] == [200, 429, 429]
        assert client.get(PATH, headers=other).status_code == 200
        assert client.get(PATH).status_code == 200


def test_a_valid_token_is_not_kept_waiting_by_whoever_shares_its_address_not_even_the_first_time(database: str) -> None:
    allow(database, "pr_one", "reader", "jane")
    with limited(database, reads=2) as client:
        assert [client.get(PATH).status_code for _ in range(3)] == [200, 200, 429]
        header = {"Authorization": "Bearer pr_one"}
        answers = [client.get(PATH, headers=header) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit"][:11] for answer in answers] == [f'"reads";r={left}' for left in (1, 0, 0)]


def test_whoever_guesses_tokens_is_counted_by_address(database: str) -> None:
    with limited(database, reads=3) as client:
        guesses = [{"Authorization": f"Bearer pr_guess_{number}"} for number in range(5)]
        assert [client.get(PATH, headers=one).status_code for one in guesses] == [401] * 3 + [429] * 2
        assert client.get(PATH).status_code == 429


def test_no_more_tokens_are_looked_up_for_an_address_than_it_may_send_requests(database: str) -> None:
    allow(database, "pr_one", "reader", "jane")
    with limited(database, reads=3) as client:
        assert [client.get(PATH).status_code for _ in range(4)] == [200] * 3 + [429]
        guesses = [{"Authorization": f"Bearer pr_guess_{number}"} for number in range(3)]
        assert [client.get(PATH, headers=one).status_code for one in guesses] == [429] * 3
        assert client.get(PATH, headers={"Authorization": "Bearer pr_one"}).status_code == 429  # one guess too many


def test_valid_tokens_are_no_guesses_however_many_share_an_address(database: str) -> None:
    for number in range(5):
        allow(database, f"pr_{number}", "reader", f"owner-{number}")
    with limited(database, reads=1) as client:
        headers = [{"Authorization": f"Bearer pr_{number}"} for number in range(5)]
        assert [client.get(PATH, headers=one).status_code for one in headers] == [200] * 5


def ask(client: TestClient, cookie: str, path: str = "/admin/actors") -> int:
    """The status of a page, or of an answer, to a browser with a cookie."""
    return client.get(path, headers={"Cookie": f"{COOKIE}={cookie}"}, follow_redirects=False).status_code


def test_whoever_is_signed_in_is_one_client_in_all_browsers_and_with_their_tokens(database: str) -> None:
    for login in ("jane", "joe"):
        add_person(database, login, "reader")
    allow(database, "pr_one", "reader", "jane")
    with limited(database, reads=3) as client:
        one, two, other = (begin_session(database, login) for login in ("jane", "jane", "joe"))
        assert [client.get(PATH).status_code for _ in range(4)] == [200] * 3 + [429], "the address has had its share"
        assert [ask(client, one), ask(client, two), ask(client, one, PATH), ask(client, two)] == [200, 200, 200, 429], (
            "pages and API together"
        )
        assert client.get(PATH, headers={"Authorization": "Bearer pr_one"}).status_code == 429
        assert ask(client, other) == 200


def test_a_session_that_was_ended_counts_for_its_address_again(database: str) -> None:
    add_person(database, "jane", "reader")
    with limited(database, reads=4) as client:
        stolen = begin_session(database, "jane")
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM session WHERE hash = %s", (hash_cookie(stolen),))

        assert [ask(client, stolen) for _ in range(5)] == [303] * 4 + [429], "as a guess"
        assert client.get(PATH).status_code == 429


def test_a_session_that_is_ended_while_it_is_in_use_takes_nothing_more_of_its_persons_share(database: str) -> None:
    add_person(database, "jane", "reader")
    with limited(database, reads=4) as client:
        stolen, own = (begin_session(database, "jane") for _ in range(2))

        assert [ask(client, stolen), ask(client, own)] == [200, 200]
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM session WHERE hash = %s", (hash_cookie(stolen),))
        assert [ask(client, stolen) for _ in range(4)] == [303] * 4, "of which the first was the person's still"
        assert [ask(client, own), ask(client, own)] == [200, 429]


def test_no_more_cookies_are_looked_up_for_an_address_than_it_may_send_requests(database: str) -> None:
    add_person(database, "jane", "reader")
    with limited(database, reads=3) as client:
        assert [ask(client, f"guess{number}") for number in range(4)] == [303] * 3 + [429]
        assert ask(client, begin_session(database)) == 429


def test_whoever_is_signed_in_waits_for_guessing_passwords_like_anybody(database: str) -> None:
    with browser(database, "jane", "reader", writes_per_minute=50) as client:
        statuses = [sign_in(client, "jane", "a wrong password") for _ in range(7)]
    assert statuses == [422] * 5 + [429] * 2


def test_health_readiness_and_metrics_are_never_limited(database: str) -> None:
    with limited(database, reads=1) as client:
        assert [client.get(PATH).status_code for _ in range(2)] == [200, 429]
        for path in NEVER_LIMITED:
            for _ in range(3):
                answer = client.get(path)
                assert answer.status_code == 200
                assert "RateLimit" not in answer.headers


def test_an_answer_from_memory_counts_too_and_tells_each_client_what_is_left_for_it(database: str) -> None:
    with registry(database):
        pass
    with limited(database, reads=3) as client:
        path = f"{PATH}?as_of=2025-07-01&known_position=1"
        answers = [client.get(path) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert [answer.headers["RateLimit"][:11] for answer in answers] == [f'"reads";r={left}' for left in (2, 1, 0, 0)]
    assert all(len(answer.headers.get_list("RateLimit-Policy")) == 1 for answer in answers)
    assert len({answer.content for answer in answers[:3]}) == 1


def test_without_a_limit_nothing_is_counted_nor_said(database: str) -> None:
    with limited(database) as client:
        assert "RateLimit" not in client.get(PATH).headers
    assert (Settings().reads_per_minute, Settings().writes_per_minute) == (6000, 1200)


def test_a_window_begins_with_a_clients_first_request_and_ends_a_minute_later() -> None:
    now = [100.0]
    windows = Windows(lambda: now[0])
    assert windows.count("reads", "a") == (1, 60)
    now[0] += 20.5
    assert windows.count("reads", "a") == (2, 40)
    assert windows.count("reads", "b") == windows.count("writes", "a") == (1, 60)
    now[0] += 39.5
    assert windows.count("reads", "a") == (1, 60)
    assert windows.count("reads", "b") == (2, 21)


def test_windows_that_have_ended_are_forgotten() -> None:
    now = [0.0]
    windows = Windows(lambda: now[0])
    for number in range(1000):
        windows.count("reads", f"address {number}")
        now[0] += 1
    assert len(windows) <= 2 * SECONDS + 2


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_of_ipv6_counts_with_its_network(address: str, client: str) -> None:
    assert network_of(address) == client


def _statuses(port: int, forwarded: list[str]) -> list[int]:
    found = []
    for address in forwarded:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", PATH, headers={"X-Forwarded-For": address})
        found.append(connection.getresponse().status)
        connection.close()
    return found


def test_who_a_request_was_forwarded_for_is_believed_only_from_a_proxy_that_is_named(database: str) -> None:
    settings = {"DATABASE_URL": database, "READS_PER_MINUTE": "2"}
    for named, statuses in {
        "": [200, 200, 429, 429],
        "127.0.0.0/8": [200] * 4,
    }.items():
        with open_folder() as folder, serving(folder, "--no-seeds", TRUSTED_PROXIES=named, **settings) as server:
            assert _statuses(server.port, [f"198.51.100.{number}" for number in range(4)]) == statuses
            if named == "127.0.0.0/8":  # what the client itself claims stands before what the proxy saw
                forged = [f"203.0.113.{number}, 198.51.100.99" for number in range(3)]
                assert _statuses(server.port, forged) == [200, 200, 429]


@pytest.mark.parametrize("text", ["*", "proxy.example", "10.0.0.1/8"])
def test_a_proxy_is_named_by_its_address(text: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings(trusted_proxies=text)
