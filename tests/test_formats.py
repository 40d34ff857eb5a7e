"""Tables: a spreadsheet and a notebook read the same that the JSON says."""

import csv
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import openpyxl
import pandas as pd
import pytest
from starlette.testclient import TestClient

from tests.conftest import fresh_database
from tests.registry import Json, note, post, registry, statement

PINS = "as_of=2026-01-01&known_position=9"
VIEWS = [
    "/v1/coalitions",
    "/v1/coalitions/willing",
    "/v1/coalitions/willing/status",
    "/v1/coalitions/willing/commitments",
    "/v1/coalitions/willing/pledges",
    "/v1/coalitions/willing/positions",
    "/v1/coalitions/willing/meetings",
    "/v1/coalitions/willing/timeline",
    "/v1/coalitions/willing/changes?from=2025-01-01&to=2025-12-31",
    "/v1/countries/GB/commitments",
    "/v1/subjects/willing/pledge/ground-troops",
    "/v1/subjects/willing/pledge/ground-troops/history",
    "/v1/events",
]
FORMULA = "=HYPERLINK(1)"


@pytest.fixture(scope="module")
def filled(server_url: str, template: str) -> Iterator[TestClient]:
    """A registry with a little of everything; tests only read from it."""
    with fresh_database(server_url, template) as url, registry(url) as client:
        money = {"min_amount": "1000000.50", "currency": "EUR"}
        said = [
            statement(body={"category": "ground_troops", "firmness": "committed", "places": ["Lviv", "Kyiv"],
                            "quantity": {"min": 100, "max": 2000, "unit": "persons"}, "description": FORMULA}),
            statement(actors=["FR"], subject="money",
                      body={"category": "financial", "firmness": "announced", "money": money}),
            statement(actors=["DE", "PL"], body={"category": "ground_troops", "firmness": "ruled_out"}),
            statement("position.stated", subject="force"),
            statement("meeting.held", subject="kyiv", actors=[], summary="Über, “quoted”, and\na second line; тут."),
            statement("warning.issued", subject="war", actors=["RU"], addressees=["GB"]),
            statement("ceasefire.proposed", subject="truce", actors=["US"], addressees=["RU"]),
        ]  # fmt: skip
        for one in said:
            post(client, one)
        yield client


def get(client: TestClient, path: str, suffix: str = "") -> Any:
    """An answer in the format of a suffix."""
    address, _, query = path.partition("?")
    answer = client.get(f"{address}{suffix}" + (f"?{query}" if query else ""))
    assert answer.status_code == 200, answer.text
    return answer


def frame_of(client: TestClient, path: str) -> pd.DataFrame:
    """A CSV as pandas reads it without being told anything."""
    return pd.read_csv(io.BytesIO(get(client, path, ".csv").content))


@pytest.mark.parametrize("path", VIEWS)
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".json", "application/json"),
        (".csv", "text/csv; charset=utf-8"),
        (".jsonl", "application/jsonl"),
        (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ],
)
def test_every_view_comes_in_every_format_by_suffix_or_by_accept(
    filled: TestClient, path: str, suffix: str, kind: str
) -> None:
    by_suffix = get(filled, path, suffix)
    by_accept = filled.get(path, headers={"Accept": f"{kind.partition(';')[0]}, */*;q=0.1"})

    assert by_suffix.headers["Content-Type"] == by_accept.headers["Content-Type"] == kind
    assert "Accept" in by_accept.headers["Vary"]
    assert by_suffix.content


@pytest.mark.parametrize("path", ["/v1/coalitions/willing/commitments", "/v1/countries/GB/commitments"])
def test_pandas_reads_from_the_csv_what_the_json_says(filled: TestClient, path: str) -> None:
    content = get(filled, path).json()
    items: list[Json] = content.get("items") or content["commitments"]
    frame = frame_of(filled, path)

    assert list(frame["id"]) == [one["id"] for one in items]
    assert list(frame["actor.code"]) == [one["actor"]["code"] for one in items]
    for name in ("firmness", "status", "category", "first_stated"):
        assert list(frame[name]) == [one[name] for one in items]
    for one, row in zip(items, frame.to_dict("records"), strict=True):
        for nested in ("quantity", "money"):
            for part, value in (one[nested] or {}).items():
                read = row[f"{nested}.{part}"]
                assert pd.isna(read) if value is None else type(value)(read) == value or float(read) == float(value)
        assert row["basis.known_position"] == content["basis"]["known_position"]
        assert row["licence"] == "CC-BY-4.0"


def test_columns_are_the_same_whether_or_not_they_are_filled(filled: TestClient) -> None:
    columns = {
        country: list(frame_of(filled, f"/v1/coalitions/willing/commitments?country={country}").columns)
        for country in ("GB", "FR", "DE")
    }
    assert columns["GB"] == columns["FR"] == columns["DE"]
    assert {"quantity.min", "money.currency", "actor.name", "change.label"} <= set(columns["GB"])


def test_a_spreadsheet_reads_from_the_xlsx_what_the_json_says(filled: TestClient) -> None:
    path = "/v1/countries/GB/commitments"
    content = get(filled, path).json()
    book = openpyxl.load_workbook(io.BytesIO(get(filled, path, ".xlsx").content))
    header, row = book["commitments"].iter_rows(values_only=True)
    found = dict(zip(header, row, strict=True))
    commitment = content["commitments"][0]

    assert book.sheetnames == ["commitments", "stances", "possible", "roles", "basis"]
    assert (found["quantity.min"], found["quantity.max"], found["quantity.unit"]) == (100, 2000, "persons")
    assert found["conditional"] is commitment["conditional"]
    assert found["places"] == "Lviv; Kyiv"
    assert found["basis.known_position"] == content["basis"]["known_position"]
    assert [cell.value for cell in book["basis"][1]][-1] == "licence"


def test_nothing_in_a_table_runs_as_a_formula(filled: TestClient) -> None:
    path = "/v1/coalitions/willing/commitments?country=GB"
    (row,) = csv.DictReader(io.StringIO(get(filled, path, ".csv").content.decode("utf-8-sig")))
    xlsx = get(filled, path, ".xlsx").content
    cells = [cell for line in openpyxl.load_workbook(io.BytesIO(xlsx))["items"].iter_rows() for cell in line]

    assert row["description"] == f"'{FORMULA}"
    assert [cell.data_type for cell in cells if cell.value == FORMULA] == ["s"]
    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(xlsx)).read("xl/worksheets/sheet1.xml")


def test_text_of_any_language_and_with_any_sign_survives(filled: TestClient) -> None:
    frame = frame_of(filled, "/v1/coalitions/willing/timeline?kind=meeting")
    assert list(frame["summary"]) == ["Über, “quoted”, and\na second line; тут."]


def test_a_table_has_all_rows_unless_it_is_told_how_many(database: str) -> None:
    with registry(database) as client:
        post(client, [statement(subject=f"s-{number}") for number in range(60)], "/v1/statements/batch")

        for path in ("/v1/coalitions/willing/commitments", "/v1/coalitions/willing/timeline"):
            assert len(get(client, path).json()["items"]) == 50
            assert len(frame_of(client, path)) == 60
            assert len(frame_of(client, f"{path}?limit=7")) == 7
            assert len(get(client, path, ".jsonl").text.splitlines()) == 60
        assert len(get(client, "/v1/events", ".jsonl").text.splitlines()) == 61
        assert len(frame_of(client, "/v1/events")) == 61
        assert len(frame_of(client, "/v1/events?limit=9")) == 9
        assert len(get(client, "/v1/events?after=58", ".jsonl").text.splitlines()) == 3


def test_another_name_of_a_country_leads_to_its_code_in_the_same_format(filled: TestClient) -> None:
    led = filled.get("/v1/countries/GBR/commitments.csv")

    assert led.url.path == "/v1/countries/GB/commitments.csv"
    assert led.headers["Content-Type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl"])
def test_a_pinned_table_is_the_same_bytes_for_ever(database: str, suffix: str) -> None:
    with registry(database) as client:
        said = [post(client, statement(actors=[code]))["event"]["event_id"] for code in ("GB", "FR", "DE")]
        path = "/v1/coalitions/willing/commitments?as_of=2026-01-01&known_position=4"
        before = get(client, path, suffix)
        note(client, said[0], "retraction", {"reason": "entry_error"})
        after = get(client, path, suffix)

        assert before.content == after.content
        assert "immutable" in after.headers["Cache-Control"]
        assert client.get(after.url, headers={"If-None-Match": after.headers["ETag"]}).status_code == 304
        del client.headers["Authorization"]
        assert {get(client, path, suffix).content for _ in range(2)} == {before.content}
        assert get(client, path).headers["Content-Type"] == "application/json"


def test_the_log_comes_as_a_batch_of_cloudevents(filled: TestClient) -> None:
    answer = filled.get("/v1/events?limit=3", headers={"Accept": "application/cloudevents-batch+json"})

    assert answer.headers["Content-Type"] == "application/cloudevents-batch+json"
    assert [one["position"] for one in answer.json()] == [1, 2, 3]
    assert 'rel="next"' in answer.headers["Link"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv; charset=utf-8"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=nonsense, image/png", "application/json"),
    ],
)
def test_the_format_wanted_most_is_sent(filled: TestClient, accept: str, kind: str) -> None:
    assert filled.get("/v1/coalitions", headers={"Accept": accept}).headers["Content-Type"] == kind
