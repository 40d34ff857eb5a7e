"""What a client that has asked before need not be sent again, and how it finds the next page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from service.main import create_app
from tests.conftest import fresh_database
from tests.registry import Json, allow, client_of, note, post, register, registry, settings_for, statement

PINS = "as_of=2026-01-01&known_position=5"
COMPUTED = [
    "/v1/coalitions",
    "/v1/coalitions/willing",
    "/v1/coalitions/willing/status",
    "/v1/coalitions/willing/commitments",
    "/v1/coalitions/willing/pledges",
    "/v1/coalitions/willing/timeline",
    "/v1/countries/GB/commitments",
    "/v1/subjects/willing/pledge/ground-troops",
    "/v1/subjects/willing/pledge/ground-troops/history",
]
FIXED = [
    "/v1/events",
    "/v1/actors?q=united",
    "/v1/coalitions/willing/changes?from=2025-01-01&to=2025-12-31",
    "/version",
    "/healthz",
    "/readyz",
]


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.now


def record_four(client: TestClient) -> None:
    """Four pledges of four countries."""
    for code in ("GB", "FR", "DE", "PL"):
        post(client, statement(actors=[code]))


@contextmanager
def at_any_time(url: str) -> Iterator[tuple[TestClient, Clock]]:
    """A registry with its own clock."""
    clock = Clock()
    allow(url)
    with client_of(create_app(settings_for(url), clock=clock)) as client:
        register(client, "willing")
        yield client, clock


@pytest.fixture(scope="module")
def filled(server_url: str, template: str) -> Iterator[TestClient]:
    """A registry with a few pledges; tests only read from it."""
    with fresh_database(server_url, template) as url, registry(url) as client:
        record_four(client)
        yield client


@pytest.mark.parametrize("path", COMPUTED + FIXED)
def test_every_answer_has_a_strong_etag_and_is_not_sent_twice(filled: TestClient, path: str) -> None:
    first = filled.get(path)
    etag = first.headers["ETag"]
    again = filled.get(path, headers={"If-None-Match": etag})

    assert re.fullmatch(r'"[^"]+"', etag)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert "content-type" not in again.headers


@pytest.mark.parametrize("given", ['"another"', 'W/"another", "and another"', "", '"'])
def test_whoever_has_something_else_is_sent_the_answer(filled: TestClient, given: str) -> None:
    for path in ("/v1/coalitions/willing/status", f"/v1/coalitions/willing/status?{PINS}", "/v1/events"):
        assert filled.get(path, headers={"If-None-Match": given}).status_code == 200


def test_a_list_of_etags_and_weak_ones_count_too(filled: TestClient) -> None:
    for path in ("/v1/coalitions/willing/status", f"/v1/coalitions/willing/status?{PINS}", "/v1/events"):
        etag = filled.get(path).headers["ETag"]
        for given in (f'"x", W/{etag}', f'W/"x,y" , {etag}', f'{etag},"x"', "*"):
            assert filled.get(path, headers={"If-None-Match": given}).status_code == 304
        lines = [("If-None-Match", '"x"'), ("If-None-Match", etag)]
        assert filled.get(path, headers=lines).status_code == 304


@pytest.mark.parametrize("path", COMPUTED)
def test_answers_of_two_moments_differ_in_their_etag_yet_the_older_will_do(database: str, path: str) -> None:
    with at_any_time(database) as (client, clock):
        record_four(client)
        first = client.get(path)
        clock.now += timedelta(minutes=5)
        second = client.get(path)

        assert first.content != second.content
        assert first.headers["ETag"] != second.headers["ETag"]
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.headers["ETag"]) == (304, first.headers["ETag"])


def test_what_time_alone_changes_is_sent_again(database: str) -> None:
    body = {"category": "ground_troops", "firmness": "committed", "deadline": "2026-03-01"}
    with at_any_time(database) as (client, clock):
        post(client, statement(body=body))
        path = "/v1/countries/GB/commitments"
        etag = client.get(path).headers["ETag"]
        clock.now += timedelta(hours=13)
        after = client.get(path, headers={"If-None-Match": etag})

        assert after.status_code == 200
        assert after.json()["commitments"][0]["status"] == "lapsed"


def test_what_is_recorded_changes_the_etag_of_what_it_touches_and_of_every_basis(database: str) -> None:
    with registry(database) as client:
        said = post(client, statement())["event"]["event_id"]
        kept = {path: client.get(path).headers["ETag"] for path in [*COMPUTED, "/v1/events", f"/v1/events/{said}"]}
        note(client, said, "corrections", {"changes": {"summary": "Otherwise."}, "reason": "entry_error"})

        for path, etag in kept.items():
            assert client.get(path, headers={"If-None-Match": etag}).status_code == 200, path


def test_what_counts_again_because_of_another_event_is_sent_again(database: str) -> None:
    with registry(database) as client:
        original, copy = (post(client, statement(summary=text))["event"]["event_id"] for text in ("One.", "Other."))
        note(client, copy, "duplicates", {"original": original})
        first = client.get(f"/v1/events/{copy}")
        note(client, original, "retraction", {"reason": "entry_error"})
        again = client.get(f"/v1/events/{copy}", headers={"If-None-Match": first.headers["ETag"]})

    assert first.json()["counts"] is False
    assert (again.status_code, again.json()["counts"]) == (200, True)


def test_an_answer_from_memory_is_not_sent_twice_either(database: str) -> None:
    path = f"/v1/countries/GB/commitments?{PINS}"
    with registry(database) as client:
        record_four(client)
        del client.headers["Authorization"]  # what is asked with a token is never answered from memory
        first, second = client.get(path), client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    for answered in (first, second):
        assert answered.headers.pop("X-Request-Id")
    assert first.headers == second.headers
    assert (again.status_code, again.content) == (304, b"")
    assert "immutable" in again.headers["Cache-Control"]


# --- pages ------------------------------------------------------------------------------------------------------------


def follow(client: TestClient, path: str) -> list[Json]:
    """All items, page by page, found by the header alone."""
    items: list[Json] = []
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        found = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        assert bool(found) == (answer.json()["next"] is not None)
        path = found[1] if found else ""
    return items


@pytest.mark.parametrize("path", ["/v1/coalitions", "/v1/coalitions.csv", "/v1/webhooks", "/v1/events", "/healthz"])
def test_wherever_there_is_something_to_get_there_is_its_head(filled: TestClient, path: str) -> None:
    whole, head = filled.get(path), filled.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]


@pytest.mark.parametrize(
    ("path", "all_of_them"),
    [
        ("/v1/coalitions?limit=1", 1),
        ("/v1/coalitions/willing/commitments?limit=1", 4),
        ("/v1/coalitions/willing/commitments?limit=3&firmness=announced&as_of=2026-01-01", 4),
        ("/v1/coalitions/willing/pledges?limit=2", 4),
        ("/v1/coalitions/willing/timeline?limit=1&kind=pledge", 4),
        ("/v1/coalitions/willing/timeline?limit=2&country=France&q=troops", 1),
        ("/v1/events?limit=2", 5),
    ],
)
def test_the_header_leads_through_all_pages_and_keeps_every_filter(
    filled: TestClient, path: str, all_of_them: int
) -> None:
    assert len(follow(filled, path)) == all_of_them


@pytest.mark.parametrize(
    ("path", "total"),
    [
        ("/v1/coalitions?", 1),
        ("/v1/coalitions/willing/commitments?limit=1&", 4),
        ("/v1/coalitions/willing/commitments?limit=1&country=FR&", 1),
        ("/v1/coalitions/willing/timeline?limit=1&", 4),
        ("/v1/coalitions/willing/timeline?limit=1&country=FR&", 1),
        ("/v1/events?limit=1&", 5),
    ],
)
def test_how_many_there_are_is_said_only_when_asked(filled: TestClient, path: str, total: int) -> None:
    assert "total" not in filled.get(path).json()
    assert filled.get(path + "count=true").json()["total"] == total


def test_figures_have_an_etag_too_though_no_two_are_the_same(filled: TestClient) -> None:
    first, second = (filled.get("/metrics").headers["ETag"] for _ in range(2))
    assert re.fullmatch(r'"[^"]+"', first)
    assert first != second


# --- which version is changed -----------------------------------------------------------------------------------------

RETRACTION = {"reason": "entry_error"}


def retract(client: TestClient, event_id: str, *if_match: str) -> int:
    """The status of a retraction that names these versions, each in a line of its own."""
    headers = [("If-Match", one) for one in if_match]
    return client.post(f"/v1/events/{event_id}/retraction", json=RETRACTION, headers=headers).status_code


@pytest.mark.parametrize(
    "given",
    ["{now}", '"x", {now}', '{now} ,"x"', "{before}, {now}", "{now}, {before}", 'W/"x", {now}', "*", '"x,y",{now}'],
)
def test_an_event_is_changed_where_one_of_the_versions_named_is_the_present_one(database: str, given: str) -> None:
    with registry(database) as client:
        event_id = post(client, statement())["event"]["event_id"]
        before = client.get(f"/v1/events/{event_id}").headers["ETag"]
        note(client, event_id, "sources", {"sources": [{"title": "Another report"}]})
        now = client.get(f"/v1/events/{event_id}").headers["ETag"]
        assert retract(client, event_id, given.format(now=now, before=before)) == 201


@pytest.mark.parametrize(
    "given", ["{before}", '"x", {before}', "W/{now}", '"x", W/{now}, {before}', '"*"', "", "{bare}"]
)
def test_a_weak_etag_and_those_of_other_versions_change_nothing(database: str, given: str) -> None:
    with registry(database) as client:
        event_id = post(client, statement())["event"]["event_id"]
        before = client.get(f"/v1/events/{event_id}").headers["ETag"]
        note(client, event_id, "sources", {"sources": [{"title": "Another report"}]})
        now = client.get(f"/v1/events/{event_id}").headers["ETag"]
        assert retract(client, event_id, given.format(now=now, before=before, bare=now.strip('"'))) == 412
        assert client.get(f"/v1/events/{event_id}").headers["ETag"] == now


def test_versions_may_stand_in_several_lines(database: str) -> None:
    with registry(database) as client:
        event_id = post(client, statement())["event"]["event_id"]
        now = client.get(f"/v1/events/{event_id}").headers["ETag"]
        assert retract(client, event_id, '"x"', now) == 201


# --- problems and operations ------------------------------------------------------------------------------------------


def problems() -> list[tuple[str, str, dict[str, Any], int]]:
    """Requests that are refused, each in another way."""
    said = {"Content-Type": "application/json"}
    return [
        ("GET", "/v1/coalitions?as_off=2025", {}, 400),
        ("POST", "/v1/statements", {"headers": {"Authorization": "Bearer nonsense"}}, 401),
        ("GET", "/v1/nowhere", {}, 404),
        ("DELETE", "/v1/events", {}, 405),
        ("POST", "/v1/coalitions", {"json": {"slug": "willing", "name": "Again"}}, 409),
        ("POST", "/v1/statements", {"content": b"x" * (8 * 2**20 + 1), "headers": said}, 413),
        ("POST", "/v1/statements", {"content": b"a,b", "headers": {"Content-Type": "text/csv"}}, 415),
        ("POST", "/v1/statements", {"json": {}}, 422),
    ]


@pytest.mark.parametrize(("method", "path", "sent", "status"), problems(), ids=lambda one: str(one)[:20])
def test_the_type_of_every_problem_is_a_page_that_explains_it(
    filled: TestClient, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    problem = filled.request(method, path, **sent)
    assert problem.status_code == status
    page = filled.get(problem.json()["type"])

    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f"<h1>{problem.json()['title']}</h1>" in page.text
    assert f"Status {status}" in page.text


def test_all_kinds_of_problems_are_listed_and_no_other_is_known(filled: TestClient) -> None:
    named = re.findall(r'href="(/problems/[a-z-]+)"', filled.get("/problems").text)

    assert len(named) >= 14
    assert all(filled.get(path).status_code == 200 for path in named)
    assert filled.get("/problems/of-all-kinds").status_code == 404


def test_the_version_names_the_code_the_schema_and_the_rules(filled: TestClient) -> None:
    version = filled.get("/version").json()
    assert version.keys() == {"version", "schema", "rules_version"}
    assert version["rules_version"] == filled.get("/v1/coalitions").json()["basis"]["rules_version"]


def test_it_is_ready_only_with_the_tables_that_it_needs(database: str) -> None:
    with registry(database) as client:
        assert client.get("/readyz").text == "ok\n"
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0000'")
        refused = client.get("/readyz")

    assert refused.status_code == 503
    assert "./run migrate" in refused.json()["detail"]


def test_figures_are_as_open_as_reading_and_health_is_open_to_all(database: str) -> None:
    with registry(database, reading_is_open=False) as client:
        assert client.get("/metrics").status_code == 200
        del client.headers["Authorization"]
        assert client.get("/metrics").status_code == 401
        assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/version")] == [200] * 3


def test_metrics_count_by_template_and_name_nobody(database: str) -> None:
    with registry(database) as client:
        post(client, statement())
        for code in ("GB", "FR", "NOWHERE"):
            client.get(f"/v1/countries/{code}/commitments")
        client.get("/v1/nothing")
        del client.headers["Authorization"]
        for _ in range(2):
            client.get(f"/v1/countries/GB/commitments?{PINS.replace('5', '1')}")
        shown = client.get("/metrics").text

    template = "/v1/countries/{code}/commitments"
    assert f'registry_requests_total{{method="GET",route="{template}",status="200"}} 4.0' in shown
    assert f'registry_requests_total{{method="GET",route="{template}",status="404"}} 1.0' in shown
    assert 'registry_requests_total{method="GET",route="none",status="404"} 1.0' in shown
    assert "registry_pinned_answers_total 1.0" in shown
    assert "registry_append_seconds_count 2.0" in shown
    assert "registry_head_position 2.0" in shown
    assert "NOWHERE" not in shown
