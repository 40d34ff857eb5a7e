"""The difference between two points holds everything that an answer would say otherwise, and why."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import fresh_database
from tests.registry import Json, note, post, registry, statement

TRUCE = [{"kind": "ceasefire_in_force"}]


def said(day: str, kind: str = "pledge.stated", **changes: Any) -> Json:
    """A statement of a day."""
    return statement(kind, occurred={"edtf": day, "basis": "stated"}, **changes)


def pledge(day: str, actor: str = "GB", **terms: Any) -> Json:
    """A pledge of ground troops."""
    return said(day, actors=[actor], body={"category": "ground_troops", "firmness": "announced", **terms})


def took_effect(day: str) -> Json:
    """The ceasefire is in force."""
    return said(day, "ceasefire.took_effect", subject="truce", actors=[])


def changes(client: TestClient, query: str) -> dict[tuple[str, str], Json]:
    """The rows of a difference, by subject and reason."""
    answer = client.get(f"/v1/coalitions/willing/changes?{query}")
    assert answer.status_code == 200, answer.text
    return {(row["subject"].removeprefix("willing/"), row["because"]): row for row in answer.json()["items"]}


@pytest.fixture
def client(server_url: str, template: str) -> Any:
    """A registry with one coalition."""
    with fresh_database(server_url, template) as url, registry(url) as opened:
        yield opened


def test_a_commitment_that_a_ceasefire_freed_has_moved_and_its_event_is_the_cause(client: TestClient) -> None:
    post(client, pledge("2025-03-01", conditions=TRUCE))
    post(client, pledge("2025-03-01", "FR"))
    truce = post(client, took_effect("2025-05-01"))["event"]
    rows = changes(client, "from=2025-04-01&to=2025-06-01")

    assert set(rows) == {("pledge/ground-troops/GB", "moved"), ("ceasefire/truce", "moved")}
    row = rows["pledge/ground-troops/GB", "moved"]
    assert (row["before"]["status"], row["after"]["status"]) == ("conditional", "standing")
    assert [one["status"] for one in row["after"]["conditions"]] == ["met"]
    assert row["causes"] == [{"event_id": truce["event_id"], "position": truce["position"]}]


def test_a_ceasefire_that_is_recorded_late_is_learned_of_what_hangs_on_it_too(client: TestClient) -> None:
    post(client, pledge("2025-03-01", conditions=TRUCE))
    early = post(client, pledge("2025-03-02", "FR"))["event"]["position"]
    truce = post(client, took_effect("2025-05-01"))["event"]
    rows = changes(client, f"from=2025-06-01&to=2025-06-01&from_position={early}")

    assert set(rows) == {("pledge/ground-troops/GB", "learned"), ("ceasefire/truce", "learned")}
    assert [one["event_id"] for one in rows["pledge/ground-troops/GB", "learned"]["causes"]] == [truce["event_id"]]


def test_what_hangs_on_a_ceasefire_moves_back_by_time_alone_when_that_runs_out(client: TestClient) -> None:
    post(client, pledge("2025-03-01", conditions=TRUCE))
    post(client, said("2025-04-01", "ceasefire.proposed", subject="truce", actors=["US"], body={"duration_days": 30}))
    post(client, took_effect("2025-05-01"))
    row = changes(client, "from=2025-05-15&to=2025-07-01")["pledge/ground-troops/GB", "moved"]

    assert (row["before"]["status"], row["after"]["status"], row["causes"]) == ("standing", "conditional", [])


def test_what_is_said_anew_while_a_ceasefire_begins_has_both_causes(client: TestClient) -> None:
    post(client, pledge("2025-03-01", conditions=TRUCE))
    truce = post(client, took_effect("2025-05-01"))["event"]
    again = post(client, pledge("2025-05-02", firmness="committed"))["event"]
    row = changes(client, "from=2025-04-01&to=2025-06-01")["pledge/ground-troops/GB", "moved"]

    assert {one["event_id"] for one in row["causes"]} == {truce["event_id"], again["event_id"]}


def test_a_ceasefire_is_no_cause_where_nothing_hangs_on_it(client: TestClient) -> None:
    post(client, pledge("2025-03-01"))
    post(client, took_effect("2025-05-01"))
    again = post(client, pledge("2025-05-02", firmness="committed"))["event"]
    row = changes(client, "from=2025-04-01&to=2025-06-01")["pledge/ground-troops/GB", "moved"]

    assert [one["event_id"] for one in row["causes"]] == [again["event_id"]]


def test_a_dispute_and_a_further_source_are_learned(client: TestClient) -> None:
    one = post(client, pledge("2025-03-01"))["event"]
    other = post(client, pledge("2025-03-01", firmness="committed"))["event"]
    note(client, one["event_id"], "disputes", {"rivals": [{"event_id": other["event_id"]}]})
    sourced = note(client, other["event_id"], "sources", {"sources": [{"title": "Another report"}]})["event"]
    pair = f"from=2025-04-01&to=2025-04-01&from_position={other['position']}"
    disputed = changes(client, f"{pair}&to_position={sourced['position'] - 1}")["pledge/ground-troops/GB", "learned"]
    row = changes(client, f"from=2025-04-01&to=2025-04-01&from_position={sourced['position'] - 1}")

    assert (disputed["before"]["disputed"], disputed["after"]["disputed"]) == (False, True)
    more = row["pledge/ground-troops/GB", "learned"]
    assert (more["before"]["independent_sources"], more["after"]["independent_sources"]) == (1, 2)
    assert [cause["event_id"] for cause in more["causes"]] == [sourced["event_id"]]


def test_a_correction_of_what_has_been_overtaken_is_the_cause_where_it_alone_differs(client: TestClient) -> None:
    first = post(client, pledge("2025-03-01"))["event"]
    second = post(client, pledge("2025-06-01"))["event"]
    corrected = {"changes": {"occurred": {"edtf": "2025-03-02"}}, "reason": "entry_error"}
    event = note(client, first["event_id"], "corrections", corrected)["event"]
    row = changes(client, f"from=2025-07-01&to=2025-07-01&from_position={second['position']}")

    ((_, found),) = row.items()
    assert (found["before"]["first_stated"], found["after"]["first_stated"]) == ("2025-03-01", "2025-03-02")
    assert [cause["event_id"] for cause in found["causes"]] == [event["event_id"]]


def test_age_is_no_change(client: TestClient) -> None:
    post(client, pledge("2025-01-01"))
    assert changes(client, "from=2025-02-01&to=2025-12-01") == {}


def test_before_and_after_are_what_an_answer_says_at_each_point(client: TestClient) -> None:
    post(client, pledge("2025-03-01", conditions=TRUCE))
    post(client, took_effect("2025-05-01"))
    head = post(client, pledge("2025-05-02", firmness="committed", conditions=TRUCE))["event"]["position"]
    row = changes(client, "from=2025-04-01&to=2025-06-01")["pledge/ground-troops/GB", "moved"]
    for day, state in (("2025-04-01", row["before"]), ("2025-06-01", row["after"])):
        answer = client.get(f"/v1/countries/GB/commitments?as_of={day}&known_position={head}").json()
        assert answer["commitments"] == [state]


def test_a_difference_between_two_points_that_are_named_is_kept_for_ever(client: TestClient) -> None:
    post(client, pledge("2025-03-01"))
    page = "/v1/coalitions/willing/changes?from=2025-01-01&to=2025-06-01"
    pinned = client.get(f"{page}&from_position=1&to_known_position=2")
    post(client, pledge("2025-04-01", firmness="committed"))

    assert pinned.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get(f"{page}&from_position=1&to_known_position=2").content == pinned.content
    assert client.get(pinned.json()["to"]["url"]).json() == pinned.json()
    for open_end in ("", "&from_position=1", "&to_position=3"):
        assert client.get(f"{page}{open_end}").headers["Cache-Control"] == "no-cache"
