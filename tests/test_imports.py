"""Imports through the door for programs: all or nothing, or all that is good; repeated, cut off, of any size."""

import json
import threading
from typing import Any

import psycopg
import pytest
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from service.api.recorded import ImportEnd
from service.main import create_app
from service.settings import Settings
from service.web.document import described
from service.web.serving import Door
from tests.registry import Json, allow, client_of, post, registry, settings_for, statement

JSONL = {"Content-Type": "application/jsonl"}


def said(count: int, **changes: Json) -> list[Json]:
    """So many different statements; ``changes`` replace fields of single ones, by `row_N`."""
    made = [statement(subject=f"subject-{number % 1000}", summary=f"Row {number}.") for number in range(1, count + 1)]
    return [one | changes.get(f"row_{number}", {}) for number, one in enumerate(made, start=1)]


def lines(rows: list[Json]) -> bytes:
    """Rows as JSON Lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def send(client: TestClient, body: bytes, query: str = "", **headers: str) -> Any:
    """Sends a file of JSON Lines, or of what the headers say."""
    return client.post(f"/v1/import{query}", content=body, headers={**JSONL, **headers})


def report_of(client: TestClient, body: bytes, query: str = "", **headers: str) -> Json:
    """The report on a file that must be taken."""
    answer = send(client, body, query, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    content: Json = answer.json()
    return content


def size_of(url: str) -> int:
    """How long the log is."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT size FROM log_head").fetchone()
    assert row
    return int(row[0])


BAD: Json = {"body": {"firmness": "announced"}}


def test_every_row_is_recorded_and_reported_with_its_event(database: str) -> None:
    with registry(database) as client:
        report = report_of(client, lines(said(600)))
        recorded = client.get("/v1/events?limit=500&after=1").json()["items"]

    assert {name: report[name] for name in report if name != "results"} == {
        "rows": 600, "recorded": 600, "repeated": 0, "refused": 0, "left_out": 0, "complete": True,
    }  # fmt: skip
    assert [one["row"] for one in report["results"]] == list(range(1, 601))
    told = [(one["event_id"], one["position"]) for one in report["results"]]
    assert told[:500] == [(event["id"], event["position"]) for event in recorded]
    assert {event["data"]["recorded_by"] for event in recorded} == {"tester"}


@pytest.mark.parametrize("place", [1, 300, 600])
def test_a_bad_row_anywhere_leaves_nothing_recorded(database: str, place: int) -> None:
    with registry(database) as client:
        refused = send(client, lines(said(600, **{f"row_{place}": BAD})))

    assert refused.status_code == 422
    problem = refused.json()
    (fault,) = problem["errors"]
    assert (fault["row"], fault["pointer"]) == (place, "/body/category")
    assert problem["error_count"] == 1
    assert size_of(database) == 1


def test_of_many_faults_the_first_are_told_and_how_many_there_are(database: str) -> None:
    with registry(database) as client:
        refused = send(client, lines([{}] * 300)).json()

    assert len(refused["errors"]) == 100
    assert refused["error_count"] == 300
    assert "first 100 of 300" in refused["detail"]


def test_skipping_leaves_the_bad_rows_out_and_records_all_others(database: str) -> None:
    with registry(database) as client:
        report = report_of(client, lines(said(600, row_300=BAD, row_599={"coalition": "nobody"})), "?on_error=skip")

    refused = {one["row"]: one["errors"] for one in report["results"] if one["status"] == "refused"}
    assert {row: errors[0]["pointer"] for row, errors in refused.items()} == {300: "/body/category", 599: "/coalition"}
    assert (report["recorded"], report["refused"]) == (598, 2)
    assert size_of(database) == 599


def test_a_coalition_is_known_from_the_row_that_registers_it_on(database: str) -> None:
    registration = {"kind": "coalition.registered", "coalition": "others", "name": "Others"}
    early, late = (statement(coalition="others", summary=words) for words in ("Early.", "Late."))
    with registry(database) as client:
        first = report_of(client, lines([early, registration, late, registration]), "?on_error=skip")
        again = report_of(client, lines([registration, late]))

    assert [one["status"] for one in first["results"]] == ["refused", "recorded", "recorded", "refused"]
    assert first["results"][3]["errors"][0]["code"] == "registered"
    assert again["repeated"] == 2


def as_repeated(report: Json) -> list[Json]:
    """The results of a report as they are once all that was recorded is sent again."""
    return [one | {"status": "repeated"} if one["status"] == "recorded" else one for one in report["results"]]


def test_the_same_body_again_names_the_same_events_and_records_nothing(database: str) -> None:
    body = lines(said(300))
    with registry(database) as client:
        first, again = report_of(client, body), report_of(client, body)

    assert again["results"] == as_repeated(first)
    assert (again["recorded"], again["repeated"]) == (0, 300)
    assert size_of(database) == 301


def test_each_row_of_a_report_is_counted_once(database: str) -> None:
    with registry(database) as client:
        report_of(client, lines(said(2)))
        report = report_of(client, lines(said(5, row_4=BAD)), "?on_error=skip")
        tried = report_of(client, lines(said(7, row_4=BAD)), "?on_error=skip&dry_run=true")

    assert [one["status"] for one in report["results"]] == ["repeated", "repeated", "recorded", "refused", "recorded"]
    assert (report["recorded"], report["repeated"], report["refused"], report["rows"]) == (2, 2, 1, 5)
    assert (tried["recorded"], tried["repeated"], tried["refused"], tried["valid"]) == (0, 4, 1, 2)


def test_a_key_stands_for_one_file(database: str) -> None:
    body = lines(said(3))
    with registry(database) as client:
        first = send(client, body, **{"Idempotency-Key": "k"})
        again = send(client, body, **{"Idempotency-Key": '"k"'})
        other = send(client, lines(said(4)), **{"Idempotency-Key": "k"})
        elsewhere = client.post("/v1/statements", json=statement(), headers={"Idempotency-Key": "k"})
        without = report_of(client, body)

    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.content == again.content
    assert without["results"] == as_repeated(first.json())
    assert other.status_code == elsewhere.status_code == 422
    assert size_of(database) == 4


def test_with_a_key_what_was_recorded_before_stays_told_apart(database: str) -> None:
    with registry(database) as client:
        report_of(client, lines(said(2)))
        first, again = (send(client, lines(said(5)), **{"Idempotency-Key": "k"}) for _ in range(2))

    assert (first.json()["recorded"], first.json()["repeated"]) == (3, 2)
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("rows", [said(3), [], [statement(coalition="nobody")]], ids=["repeated", "none", "refused"])
def test_the_key_of_a_file_that_records_nothing_new_is_kept(database: str, rows: list[Json]) -> None:
    with registry(database) as client:
        report_of(client, lines(said(3)))
        first, again = (send(client, lines(rows), "?on_error=skip", **{"Idempotency-Key": "k"}) for _ in range(2))
        other = send(client, lines(said(4)), "?on_error=skip", **{"Idempotency-Key": "k"})

    assert first.status_code == 200
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.content == again.content
    assert (other.status_code, other.json()["errors"][0]["code"]) == (422, "reused")
    assert size_of(database) == 4


def test_of_two_files_without_news_that_come_with_one_key_at_once_one_is_refused(database: str) -> None:
    answers: list[Any] = []
    with registry(database) as client:
        report_of(client, lines(said(3)))
        bodies = [lines(said(1)), lines(said(2))]
        senders = [
            threading.Thread(target=lambda body=body: answers.append(send(client, body, **{"Idempotency-Key": "k"})))
            for body in bodies
        ]
        for one in senders:
            one.start()
        for one in senders:
            one.join()

    assert sorted(answer.status_code for answer in answers) == [200, 422]


def test_a_refused_file_and_a_dry_run_use_no_key_up(database: str) -> None:
    key = {"Idempotency-Key": "k"}
    with registry(database) as client:
        assert send(client, lines(said(3, row_2=BAD)), **key).status_code == 422
        assert send(client, lines(said(4)), "?dry_run=true", **key).status_code == 200
        meant = send(client, lines(said(3)), **key)

    assert meant.status_code == 200
    assert "Idempotency-Replayed" not in meant.headers


def test_many_that_send_the_same_file_at_once_record_it_once(database: str) -> None:
    body = lines(said(120))
    answers: list[Any] = []
    with registry(database, imports_at_once=4) as client:
        senders = [threading.Thread(target=lambda: answers.append(send(client, body))) for _ in range(4)]
        for one in senders:
            one.start()
        for one in senders:
            one.join()

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({json.dumps(as_repeated(answer.json())) for answer in answers}) == 1
    assert sum(answer.json()["recorded"] for answer in answers) == 120
    assert size_of(database) == 121


def test_a_dry_run_tells_of_each_row_and_leaves_no_trace(database: str) -> None:
    rows = [statement(summary="Something new entirely.", subject="new"), statement(summary="Row 1.")]
    with registry(database) as client:
        event_id = post(client, statement(summary="Row 1."))["event"]["event_id"]
        report = report_of(client, lines(rows), "?dry_run=true")
        refused = send(client, lines([*rows, {}]), "?dry_run=true")
        skipped = report_of(client, lines([*rows, {}]), "?dry_run=true&on_error=skip")
        after = report_of(client, lines(rows))

    assert report["dry_run"] is True
    assert report["results"][0] == {
        "row": 1, "status": "valid", "kind": "pledge.stated", "coalition": "willing",
        "subjects": ["willing/pledge/new/GB"], "similar": [],
    }  # fmt: skip
    assert (report["valid"], report["kinds"], report["similar_rows"]) == (2, {"pledge.stated": 2}, 1)
    (similar,) = report["results"][1]["similar"]
    assert (similar["event_id"], similar["position"], similar["similarity"]) == (event_id, 2, 1.0)
    assert report["recorded"] == 0
    assert refused.status_code == 422
    assert [one["status"] for one in skipped["results"]] == ["valid", "valid", "refused"]
    assert after["recorded"] == 2


def test_a_dry_run_shows_what_was_recorded_already(database: str) -> None:
    with registry(database) as client:
        first = report_of(client, lines(said(2)))
        tried = report_of(client, lines(said(3)), "?dry_run=true")

    assert tried["results"][:2] == as_repeated(first)
    assert tried["results"][2]["status"] == "valid"


def test_the_report_comes_as_json_lines_where_they_are_asked_for(database: str) -> None:
    with registry(database) as client:
        by_accept = send(client, lines(said(3)), Accept="application/jsonl")
        by_suffix = client.post("/v1/import.jsonl", content=lines(said(3)), headers=JSONL)
        as_json = report_of(client, lines(said(3)))

    assert by_accept.headers["Content-Type"] == by_suffix.headers["Content-Type"] == "application/jsonl"
    *rows, end = map(json.loads, by_suffix.text.splitlines())
    assert (
        rows == as_json["results"] == as_repeated({"results": list(map(json.loads, by_accept.text.splitlines()))[:-1]})
    )
    assert end["summary"] == {name: value for name, value in as_json.items() if name != "results"}


def test_every_report_has_the_shape_that_the_document_gives_it(database: str) -> None:
    (shape,) = (
        described(route).answers[200].content["application/json"]
        for route in create_app(Settings()).router.routes
        if isinstance(route, Door) and route.operation_id == "importStatements"
    )
    with registry(database) as client:
        for query in ("?on_error=skip&dry_run=true", "?on_error=skip"):
            body = lines(said(3, row_2=BAD))
            TypeAdapter(shape).validate_json(send(client, body, query).content)
            *_, end = send(client, body, query, Accept="application/jsonl").content.splitlines()
            TypeAdapter(ImportEnd).validate_json(end)


def test_an_empty_file_is_a_report_without_rows(database: str) -> None:
    with registry(database) as client:
        for body in (b"", b"\n \n", b"\xef\xbb\xbf"):
            assert report_of(client, body)["results"] == []
        assert send(client, b"", "?dry_run=true").json()["rows"] == 0


@pytest.mark.parametrize("role", ["reader", "contributor"])
def test_importing_needs_the_role_of_an_editor(database: str, role: str) -> None:
    allow(database, f"pr_{role}", role=role)
    with client_of(create_app(settings_for(database)), f"pr_{role}") as client:
        assert send(client, lines(said(1))).status_code == 403


@pytest.mark.parametrize("query", ["?on_error=perhaps", "?on-error=skip", "?dry_run=maybe", "?mapping=x"])
def test_a_parameter_that_cannot_be_read_records_nothing(database: str, query: str) -> None:
    with registry(database) as client:
        assert send(client, lines(said(1)), query).status_code == 400
    assert size_of(database) == 1


def test_a_file_that_is_too_large_or_of_another_type_is_refused(database: str) -> None:
    with registry(database, largest_import=2000) as client:
        assert send(client, lines(said(100))).status_code == 413
        unknown = send(client, b"{}", **{"Content-Type": "application/json"})
        long = send(client, iter([b" " * 1500, b" " * 1500]))  # type: ignore[arg-type]  # of unknown length

    assert unknown.status_code == 415
    assert "application/jsonl" in unknown.json()["detail"]
    assert long.status_code == 413
    assert size_of(database) == 1


def test_a_line_that_is_too_long_is_a_bad_row_and_the_next_is_read(database: str) -> None:
    with registry(database) as client:
        body = b'{"kind": "' + b"x" * 3_000_000 + b'"}\n' + lines(said(1))
        report = report_of(client, body, "?on_error=skip")

    assert [(one["row"], one["status"]) for one in report["results"]] == [(1, "refused"), (2, "recorded")]
    assert report["results"][0]["errors"][0]["code"] == "too_long"
