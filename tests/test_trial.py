"""A dry run says what recording would come to, exactly, and leaves no trace."""

from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from tests.registry import Json, note, post, registry, statement

COUNTED = ("event", "subject", "statement", "subject_statement", "segment", "idempotency")


def counts(url: str) -> list[Any]:
    """How much there is of everything, and the number that the next subject would be given."""
    with psycopg.connect(url) as connection:
        found = [connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in COUNTED]
        return [*found, connection.execute("SELECT last_value FROM subject_id_seq").fetchone()]


def try_out(client: TestClient, said: Any, path: str = "/v1/statements", **headers: str) -> Json:
    """What a dry run answers, which must be a success."""
    answer = client.post(f"{path}?dry_run=true", json=said, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Location" not in answer.headers
    content: Json = answer.json()
    assert content["dry_run"] is True
    return content


def without_names(content: Json) -> Json:
    """An answer without the ids and numbers that only recording gives to what is new."""
    events = content["events"] if "events" in content else [content["event"]]
    own = {event.get("event_id") for event in events}
    for state in content["states"]:
        for reference in state["statements"]:
            if reference["event_id"] is None or reference["event_id"] in own:
                reference |= {"event_id": None, "position": None}
    for event in events:
        for name in ("event_id", "position", "recorded_at", "recorded_by"):
            event.pop(name, None)
    return {name: value for name, value in content.items() if name not in ("dry_run", "similar")}


SAID = [
    statement(),
    statement(actors=["GB", "FR", "PL"], occurred={"edtf": "2025-07~", "basis": "deduced"}),
    statement(body={"category": "ground_troops", "firmness": "committed", "quantity": {"max": 9, "unit": "persons"}}),
    statement("pledge.delivered", body={"complete": True}),
    statement("position.stated", subject="force", actors=["TR"], said_by={"actor": "GB"}),
    statement("meeting.announced", subject="paris", actors=[]),
    statement("ceasefire.proposed", subject="truce", actors=["US"]),
]


@pytest.mark.parametrize("said", [*SAID, SAID], ids=lambda one: None)
def test_it_says_what_recording_then_answers_and_records_nothing(database: str, said: Any) -> None:
    path = "/v1/statements/batch" if isinstance(said, list) else "/v1/statements"
    with registry(database) as client:
        post(client, statement(occurred={"edtf": "2025-06-01", "basis": "stated"}))
        before = counts(database)
        tried = try_out(client, said, path)
        assert counts(database) == before
        recorded = post(client, said, path)

    assert without_names(tried) == without_names(recorded)


def test_a_note_on_the_record_is_tried_out_like_a_statement(database: str) -> None:
    with registry(database) as client:
        event_id = post(client, statement())["event"]["event_id"]
        etag = client.get(f"/v1/events/{event_id}").headers["ETag"]
        change = {"changes": {"actors": ["FR"]}, "reason": "entry_error"}
        before = counts(database)
        tried = try_out(client, change, f"/v1/events/{event_id}/corrections", **{"If-Match": etag})
        assert counts(database) == before
        assert client.get(f"/v1/events/{event_id}").headers["ETag"] == etag
        recorded = note(client, event_id, "corrections", change)

    assert tried["states"]
    assert without_names(tried) == without_names(recorded)


def test_a_coalition_is_tried_out_too(database: str) -> None:
    with registry(database) as client:
        before = counts(database)
        try_out(client, {"slug": "others", "name": "Others"}, "/v1/coalitions")
        assert counts(database) == before
        assert client.get("/v1/coalitions/others").status_code == 404


@pytest.mark.parametrize(
    ("said", "path", "status"),
    [
        (statement(actors=["nowhere"]), "/v1/statements", 422),
        (statement(coalition="nowhere"), "/v1/statements", 422),
        ([statement(), statement(coalition="nowhere")], "/v1/statements/batch", 422),
        ({"slug": "willing", "name": "Again"}, "/v1/coalitions", 409),
    ],
)
def test_what_would_be_refused_is_refused_in_the_same_words(database: str, said: Any, path: str, status: int) -> None:
    with registry(database) as client:
        tried, meant = client.post(f"{path}?dry_run=true", json=said), client.post(path, json=said)

    assert tried.status_code == meant.status_code == status
    assert tried.json() == meant.json()


def test_a_stale_etag_is_refused_also_where_nothing_would_be_recorded(database: str) -> None:
    with registry(database) as client:
        event_id = post(client, statement())["event"]["event_id"]
        path = f"/v1/events/{event_id}/retraction?dry_run=true"
        given = {"If-Match": f'"{event_id}.1"'}
        assert client.post(path, json={"reason": "entry_error"}, headers=given).status_code == 412
        assert client.post(path, json={"reason": "entry_error"}).status_code == 428


def test_a_key_is_not_used_up_by_a_dry_run(database: str) -> None:
    with registry(database) as client:
        try_out(client, statement(), **{"Idempotency-Key": "k"})
        meant = client.post("/v1/statements", json=statement(), headers={"Idempotency-Key": "k"})

    assert meant.status_code == 201
    assert "Idempotency-Replayed" not in meant.headers


def test_what_may_tell_the_same_act_is_shown(database: str) -> None:
    words = "France will send up to five thousand soldiers once a ceasefire holds."
    with registry(database) as client:
        same = post(client, statement(actors=["FR"], summary=words))["event"]["event_id"]
        alike = post(client, statement(actors=["FR"], subject="brigade", summary=words))["event"]["event_id"]
        gone = post(client, statement(actors=["FR"], summary=words))["event"]["event_id"]
        note(client, gone, "retraction", {"reason": "entry_error"})
        for other in (
            statement(actors=["GB"], summary=words),
            statement("position.stated", actors=["FR"], summary=words),
            statement(actors=["FR"], summary=words, occurred={"edtf": "2025-09-01", "basis": "stated"}),
            statement(actors=["FR"], subject="other", summary="Something else entirely."),
        ):
            post(client, other)
        found = try_out(
            client,
            statement(
                actors=["FR"],
                summary="Up to five thousand soldiers will be sent by France when a ceasefire holds.",
                occurred={"edtf": "2025-07-12", "basis": "published"},
            ),
        )["similar"]

    assert [one["event_id"] for one in found] == [same, alike]
    assert all(0.35 <= one["similarity"] <= 1 for one in found)
    assert {"event_id", "position", "similarity", "subject", "occurred", "summary"} == found[0].keys()


def test_dates_at_the_ends_of_time_are_compared_too(database: str) -> None:
    with registry(database) as client:
        for edtf in ("../2025-07-10", "9999-12-30"):
            said = statement(occurred={"edtf": edtf, "basis": "deduced"})
            post(client, said)
            assert len(try_out(client, said)["similar"]) >= 1


def test_many_statements_are_each_compared_as_if_alone(database: str) -> None:
    said = [
        statement(kind, subject=f"{subject}-{day}", actors=actors, summary=f"{words} by {subject}, on day {day}.",
                  occurred={"edtf": f"2025-07-{day}", "basis": "stated"})
        for kind, subject in (("pledge.stated", "brigade"), ("position.stated", "force"), ("meeting.held", "paris"))
        for words, actors in (("Some are sent", ["FR"]), ("Some may be sent", ["FR", "GB"]), ("Nobody meets", []))
        for day in (10, 12, 19)
        if actors or kind == "meeting.held"
    ]  # fmt: skip
    with registry(database) as client:
        for one in said:
            post(client, one)
        alone = [try_out(client, one)["similar"] for one in said]
        together = try_out(client, said, "/v1/statements/batch")["similar"]

    assert together == alone
    assert len({len(found) for found in alone}) > 2


@pytest.mark.parametrize("query", ["dry_run=perhaps", "dry_run=true&dry_run=true", "dryrun=true"])
def test_a_parameter_that_cannot_be_read_records_nothing(database: str, query: str) -> None:
    with registry(database) as client:
        refused = client.post(f"/v1/statements?{query}", json=statement())

    assert refused.status_code == 400
    assert counts(database)[0] == (1,)
