"""A walk through the registry by its front door: one statement, what may be noted about it, and each answer."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from service.main import create_app
from tests.registry import Json, client_of, note, post, register, registry, settings_for, statement

LATER = "as_of=2026-01-01"


@pytest.fixture
def client(database: str) -> Iterator[TestClient]:
    """A registry that nothing was stated in yet."""
    with registry(database) as opened:
        yield opened


@pytest.fixture
def first(client: TestClient) -> str:
    """The id of the first statement: what Britain and France announced."""
    event_id: str = post(client, statement(actors=["FR", "GB"]))["event"]["event_id"]
    return event_id


def commitments(client: TestClient, query: str = LATER) -> list[Json]:
    """What Britain has promised."""
    found: list[Json] = client.get(f"/v1/countries/GB/commitments?{query}").json()["commitments"]
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/v1/coalitions",
        "/v1/coalitions/willing",
        "/v1/coalitions/willing/status",
        "/v1/coalitions/willing/commitments",
        "/v1/coalitions/willing/pledges",
        "/v1/coalitions/willing/positions",
        "/v1/coalitions/willing/warnings",
        "/v1/coalitions/willing/meetings",
        "/v1/coalitions/willing/ceasefires",
        "/v1/coalitions/willing/timeline",
        "/v1/coalitions/willing/changes?from=2025-01-01&to=2025-08-01",
        "/v1/countries/GB/commitments",
        "/v1/subjects/willing/pledge/ground-troops",
        "/v1/subjects/willing/pledge/ground-troops/history",
        "/v1/events",
        "/v1/events/{first}",
        "/v1/actors?q=Britain",
        "/healthz",
        "/readyz",
    ],
)
def test_every_question_has_an_answer_once_something_is_stated(client: TestClient, first: str, path: str) -> None:
    answer = client.get(path.format(first=first))
    assert answer.status_code == 200, answer.text


def test_a_correction_is_answered_with_the_states_that_it_corrects(client: TestClient, first: str) -> None:
    changes = {"changes": {"body": {"firmness": "committed"}}, "reason": "entry_error"}
    answered = note(client, first, "corrections", changes)

    assert [one["firmness"] for one in answered["states"]] == ["committed", "committed"]
    assert [one["firmness"] for one in commitments(client)] == ["committed"]
    assert [one["firmness"] for one in commitments(client, f"{LATER}&known_position=2")] == ["announced"]


def test_what_is_retracted_is_gone_but_not_from_what_was_known(client: TestClient, first: str) -> None:
    note(client, first, "retraction", {"reason": "entry_error"})

    assert commitments(client) == []
    assert len(commitments(client, f"{LATER}&known_position=2")) == 1


def test_what_is_reinstated_is_back(client: TestClient, first: str) -> None:
    note(client, first, "retraction", {"reason": "entry_error"})
    answered = note(client, first, "reinstatement", {"reason": "entry_error"})

    assert [one["id"] for one in answered["states"]] == [
        "willing/pledge/ground-troops/FR",
        "willing/pledge/ground-troops/GB",
    ]
    assert len(commitments(client)) == 1


def test_a_duplicate_counts_once_and_its_source_is_one_more(client: TestClient, first: str) -> None:
    told_again = statement(summary="Told again.", sources=[{"title": "Another report"}])
    twin = post(client, told_again)["event"]["event_id"]
    note(client, twin, "duplicates", {"original": first})

    assert [(one["statement_count"], one["independent_sources"]) for one in commitments(client)] == [(1, 2)]


def test_a_dispute_shows_its_rivals_until_it_is_settled(client: TestClient, first: str) -> None:
    rival = statement(body={"category": "ground_troops", "firmness": "considering"})
    second = post(client, rival)["event"]["event_id"]
    dispute = note(client, second, "disputes", {"rivals": [{"event_id": first, "rank": "preferred"}]})
    disputed = commitments(client)
    ranks = [{"event_id": second}, {"event_id": first, "rank": "deprecated"}]
    post(client, {"ranks": ranks}, f"/v1/events/{dispute['event']['event_id']}/settlement")
    settled = commitments(client)

    assert [(one["firmness"], one["disputed"], len(one["rivals"])) for one in disputed] == [("announced", True, 2)]
    assert [(one["firmness"], one["disputed"], len(one["rivals"])) for one in settled] == [("considering", False, 0)]


def test_a_further_source_is_counted(client: TestClient, first: str) -> None:
    note(client, first, "sources", {"sources": [{"title": "Another report"}]})

    assert [one["independent_sources"] for one in commitments(client)] == [2]


def test_what_was_unknown_under_an_old_basis_stays_unknown_under_it(client: TestClient, database: str) -> None:
    address = f"/v1/coalitions/later/status?{LATER}&known_position=1"
    before = client.get(address)
    register(client, "later")
    with client_of(create_app(settings_for(database)), token=None) as afresh:
        after = afresh.get(address)

    assert (after.status_code, after.content) == (before.status_code, before.content)
