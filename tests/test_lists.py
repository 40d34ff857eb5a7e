"""Every list is read alike: page by page, by cursors that pin what it is about, counted where that is asked."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.conftest import fresh_database
from tests.profiles import histories
from tests.registry import Json, note, post, register, registry, statement

HISTORY = "/v1/subjects/willing/pledge/ground-troops/history"
CHANGES = "/v1/coalitions/willing/changes"
DIFFERENCE = f"{CHANGES}?from=2025-01-01&to=2025-12-01&from_position=4"
LISTS = {
    "/v1/coalitions": ("items",),
    "/v1/coalitions/willing/commitments": ("items",),
    "/v1/coalitions/willing/pledges": ("items",),
    "/v1/coalitions/willing/positions": ("items",),
    "/v1/coalitions/willing/timeline": ("items",),
    "/v1/actors?q=united": ("items",),
    DIFFERENCE: ("items",),
    HISTORY: ("events", "states"),
}
"""The lists that are about a point or two, and what each lists."""
CODES = ("GB", "FR", "DE", "PL", "NL", "SE")


def fill(client: TestClient) -> None:
    """Pledges of several countries, late ones too, a correction and a retraction; positions; another coalition."""
    register(client, "another")
    for number, code in enumerate(CODES):
        post(client, statement(actors=[code], occurred={"edtf": f"2025-0{9 - number}-01", "basis": "stated"}))
    for code in CODES[:4]:
        post(client, statement("position.stated", subject="force", actors=[code]))
    first, last = (post(client, statement(actors=["GB"]))["event"]["event_id"] for _ in range(2))
    note(client, first, "corrections", {"changes": {"body": {"firmness": "committed"}}, "reason": "entry_error"})
    note(client, last, "retraction", {"reason": "entry_error"})


@pytest.fixture(scope="module")
def filled(server_url: str, template: str) -> Iterator[TestClient]:
    """A registry with something in each list; tests only read from it, or add what no page that is pinned shows."""
    with fresh_database(server_url, template) as url, registry(url) as client:
        fill(client)
        yield client


def get(client: TestClient, path: str) -> Any:
    """An answer, which has to be one."""
    answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.text}"
    return answer


def asked(path: str, query: str) -> str:
    """A path with more parameters."""
    return f"{path}{'&' if '?' in path else '?'}{query}"


def pages(client: TestClient, path: str) -> Iterator[Any]:
    """The pages of a list, found by the header alone."""
    while path:
        answer = get(client, path)
        yield answer
        found = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        assert bool(found) == (answer.json()["next"] is not None)
        path = found[1] if found else ""


def points(content: Json) -> list[Any]:
    """What an answer is about."""
    bases = [content[name] for name in ("basis", "from", "to") if name in content]
    return [(one["as_of"], one["known_position"], one["log_root"]) for one in bases]


@given(path=st.sampled_from(sorted(LISTS)), limit=st.integers(1, 7))
@histories(60)
def test_the_pages_of_a_list_are_the_whole_list(filled: TestClient, path: str, limit: int) -> None:
    whole = get(filled, asked(path, "limit=500&count=true")).json()
    for name in LISTS[path]:
        found = list(pages(filled, asked(path, f"limit={limit}&count=true")))
        told = [one for answer in found for one in answer.json()[name]]
        total = whole["total"] if isinstance(whole["total"], int) else whole["total"][name]
        assert [_ageless(one) for one in told] == [_ageless(one) for one in whole[name]]
        assert len(told) == total > 0
        assert all(len(answer.json()[name]) <= limit for answer in found)
        assert {str(answer.json()["total"]) for answer in found} == {str(whole["total"])}
        assert len({str(points(answer.json())) for answer in found}) == 1


def _ageless(one: Json) -> Json:
    return {name: value for name, value in one.items() if name not in ("age_days", "stale")}


@pytest.mark.parametrize("path", LISTS)
def test_all_pages_are_about_what_the_first_was_about_whatever_is_recorded_meanwhile(database: str, path: str) -> None:
    with registry(database) as client:
        fill(client)
        before = get(client, path).json()
        first = get(client, asked(path, "limit=1"))
        register(client, "later")
        post(client, statement(actors=["IT"]))
        post(client, statement("position.stated", subject="force", actors=["IT"]))
        follow = re.fullmatch(r'<([^>]+)>; rel="next"', first.headers.get("Link", ""))
        rest = list(pages(client, follow[1])) if follow else []
        for name in LISTS[path]:
            told = [one for answer in (first, *rest) for one in answer.json()[name]]
            assert [_ageless(one) for one in told] == [_ageless(one) for one in before[name]]
        for answer in rest:
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", LISTS)
def test_the_address_of_a_page_leads_to_the_same_page(filled: TestClient, path: str) -> None:
    for answer in pages(filled, asked(path, "limit=2")):
        content = answer.json()
        address = (content["basis"] if "basis" in content else content["to"])["url"]
        again = get(filled, address)
        assert again.json() == content
        assert again.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_and_a_point_exclude_each_other_and_one_of_another_list_is_refused(
    filled: TestClient, path: str
) -> None:
    bare = path.partition("?")[0]
    point = "from=2025" if path == DIFFERENCE else "as_of=2025"
    after = get(filled, asked(path, "limit=1")).json()["next"]
    others = "/v1/actors?limit=1" if path in (DIFFERENCE, HISTORY) else f"{DIFFERENCE}&limit=1"
    other = get(filled, others).json()["next"]
    for query in (f"after={after}&{point}", f"after={other}", "after=nonsense", f"after={after}x"):
        refused = filled.get(f"{bare}?{query}")
        assert refused.status_code == 400, query
        assert refused.json()["errors"][0]["pointer"] == "/query/after"


def test_a_table_has_all_rows_or_those_of_a_page(filled: TestClient) -> None:
    for path, names in LISTS.items():
        bare, _, query = path.partition("?")
        whole = get(filled, asked(path, "limit=500")).json()
        lines = get(filled, f"{bare}.jsonl?{query}").text.splitlines()
        page = get(filled, f"{bare}.jsonl?{query}&limit=1").text.splitlines()
        assert (len(lines), len(page)) == (len(whole[names[-1]]), 1), path


# --- differences ------------------------------------------------------------------------------------------------------


def test_a_difference_names_both_moments_or_a_cursor(filled: TestClient) -> None:
    for query, pointer in (("", "from"), ("?from=2025", "to"), ("?to=2025", "from"), ("?from=2026&to=2025", "to")):
        refused = filled.get(f"{CHANGES}{query}")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, f"/query/{pointer}")


# --- actors -----------------------------------------------------------------------------------------------------------


def test_actors_are_the_same_at_every_point_and_say_what_it_is(filled: TestClient) -> None:
    early = get(filled, "/v1/actors?q=united&known_position=1&as_of=2025-01-01")
    now = get(filled, "/v1/actors?q=united")
    assert early.json()["items"] == now.json()["items"]
    assert early.json()["basis"]["known_position"] == 1
    assert early.headers["Cache-Control"] == "public, max-age=31536000, immutable"


# --- what is unknown --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["", "/history", ".atom"])
def test_a_subject_is_unknown_before_anything_is_recorded_of_it_and_empty_before_it_begins(
    database: str, part: str
) -> None:
    with registry(database) as client:
        path = f"/v1/subjects/willing/pledge/ground-troops{part}"
        assert client.get(path).status_code == 404
        known = post(client, statement())["event"]
        assert client.get(path).status_code == 200
        assert client.get(f"{path}?known_position={known['position'] - 1}").status_code == 404
        if part != ".atom":
            early = get(client, f"{path}?as_of=2024-01-01").json()
            assert early["items" if part == "" else "states"] == []
        note(client, known["event_id"], "retraction", {"reason": "entry_error"})
        assert client.get(path).status_code == 200  # it is known that nothing holds


@pytest.mark.parametrize("part", ["", "/history", ".atom"])
def test_what_a_correction_moves_to_another_subject_is_known_of_both(database: str, part: str) -> None:
    with registry(database) as client:
        event = post(client, statement())["event"]
        change = {"changes": {"subject": "air-defence"}, "reason": "entry_error"}
        note(client, event["event_id"], "corrections", change)
        for slug in ("ground-troops", "air-defence"):
            assert client.get(f"/v1/subjects/willing/pledge/{slug}{part}").status_code == 200
        then = f"known_position={event['position']}"
        assert client.get(f"/v1/subjects/willing/pledge/air-defence{part}?{then}").status_code == 404


@pytest.mark.parametrize("part", ["", "/history", ".atom"])
@pytest.mark.parametrize("subject", ["unheard/pledge/x", "willing/mood/x", "willing/pledge/x", "willing/ceasefire/x"])
def test_nothing_is_known_of_other_coalitions_families_and_slugs(filled: TestClient, subject: str, part: str) -> None:
    refused = filled.get(f"/v1/subjects/{subject}{part}")
    assert (refused.status_code, refused.headers["Content-Type"]) == (404, "application/problem+json")


# --- which format -----------------------------------------------------------------------------------------------------

JSON, ATOM, CSV = "application/json", "application/atom+xml", "text/csv"
STATUS = "/v1/coalitions/willing/status"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", JSON),
        ("application/*", JSON),
        (ATOM, ATOM),
        (f"{ATOM}, {JSON}", ATOM),
        (f"{JSON}, {ATOM}", JSON),
        (f"{ATOM};q=0.4, {JSON};q=0.5", JSON),
        (f"{ATOM};q=0.5, */*;q=0.4", ATOM),
        ("text/html, application/xml;q=0.9, */*;q=0.8", JSON),
        (f"{JSON};q=0, {CSV}", CSV),
        (f"{ATOM};q=0, */*", JSON),
        ("text/*", CSV),
    ],
)
def test_a_format_is_chosen_by_what_is_wanted_most(filled: TestClient, accept: str, chosen: str) -> None:
    answer = filled.get(STATUS, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == chosen


@pytest.mark.parametrize(
    "path",
    [
        f"{STATUS}?as_of=2025-07",
        DIFFERENCE,
        "/v1/coalitions/willing/commitments?category=ground_troops",
        "/v1/coalitions/willing/pledges?q=words",
        "/v1/coalitions/willing/timeline?kind=pledge",
        "/v1/countries/GB/commitments?as_of=2025",
        "/v1/events?count=true",
        "/v1/actors?fields=code",
        f"{HISTORY}?as_of=2025",
    ],
)
def test_what_no_feed_can_be_asked_is_answered_in_another_format_or_not_at_all(filled: TestClient, path: str) -> None:
    for accept, chosen in ((f"{ATOM}, {JSON};q=0.1", JSON), (f"{ATOM}, {CSV};q=0.1", CSV), (f"{ATOM}, */*;q=0", None)):
        answer = filled.get(path, headers={"Accept": accept})
        if chosen:
            assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, chosen)
        else:
            assert answer.status_code == 406
            assert JSON in answer.json()["detail"]
            assert "known_position" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        f"{STATUS}?known_position=3",
        "/v1/coalitions/willing/commitments?country=GB",
        "/v1/countries/GB/commitments?coalition=willing&limit=5",
        "/v1/events?after=2&limit=3",
        "/v1/actors?q=united+kingdom",
        CHANGES,
    ],
)
def test_what_a_feed_can_be_asked_it_is_asked_by_accept_too(filled: TestClient, path: str) -> None:
    bare, _, query = path.partition("?")
    by_accept = filled.get(path, headers={"Accept": ATOM})
    by_suffix = filled.get(f"{bare}.atom?{query}")
    assert by_accept.headers["Content-Type"] == by_suffix.headers["Content-Type"] == f"{ATOM}; charset=utf-8"
    assert (by_accept.status_code, by_suffix.status_code) == (200, 200)
    assert by_accept.content.count(b"<entry>") == by_suffix.content.count(b"<entry>")


@pytest.mark.parametrize("path", ["/v1/tokens", "/v1/webhooks", "/v1/drafts"])
def test_lists_beside_the_log_are_no_feeds_and_say_what_they_come_as(filled: TestClient, path: str) -> None:
    for refused in (filled.get(f"{path}.atom"), filled.get(path, headers={"Accept": ATOM})):
        assert (refused.status_code, refused.headers["Content-Type"]) == (406, "application/problem+json")
        assert "csv" in refused.json()["detail"]
    assert filled.get(path, headers={"Accept": f"{ATOM}, */*;q=0.1"}).status_code == 200


def test_the_feed_of_an_event_has_it_and_the_notes_about_it(database: str) -> None:
    with registry(database) as client:
        event_id = post(client, statement())["event"]["event_id"]
        post(client, statement(actors=["FR"]))
        note(client, event_id, "sources", {"sources": [{"title": "Another report"}]})
        note(client, event_id, "retraction", {"reason": "entry_error"})
        feed = get(client, f"/v1/events/{event_id}.atom").text
        early = get(client, f"/v1/events/{event_id}.atom?known_position=2").text
        assert client.get(f"/v1/events/{event_id}.atom?known_position=1").status_code == 404
    assert (feed.count("<entry>"), early.count("<entry>")) == (3, 1)
    assert "record.retracted" in feed


def test_the_feed_of_actors_tells_what_happened_to_those_that_are_found(filled: TestClient) -> None:
    feed = get(filled, "/v1/actors.atom?q=germany&limit=500").text
    assert "Germany" in feed
    assert "Sweden" not in feed
    assert get(filled, "/v1/actors.atom?q=no+such+actor").text.count("<entry>") == 0
