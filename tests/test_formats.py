"""Tables: a spreadsheet and a notebook read the same that the JSON says."""

import asyncio
import csv
import io
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from service.domain.dates import parse_instant
from service.main import create_app
from service.web.document import described, doors_among
from service.web.fields import Column, Kind, Sheet
from service.web.formats import FORMATS
from service.web.sending import TableResponse
from service.web.tables import write_csv
from tests.conftest import fresh_database
from tests.processes import ROOT, environment
from tests.registry import Json, allow, client_of, note, post, registry, settings_for, statement

PINS = "as_of=2026-01-01&known_position=8"
VIEWS = [
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
    "/v1/coalitions/willing/changes?from=2025-01-01&to=2025-12-31",
    "/v1/countries/GB/commitments",
    "/v1/subjects/willing/pledge/ground-troops",
    "/v1/subjects/willing/pledge/ground-troops/history",
    "/v1/events",
    "/v1/events/{event_id}",
    "/v1/actors?q=united",
    "/v1/webhooks",
    "/v1/webhooks/{webhook_id}/deliveries",
    "/v1/drafts",
    "/v1/tokens",
]
TABLES = [".csv", ".jsonl", ".xlsx", ".parquet"]
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
        webhook = post(client, {"url": "https://nowhere.invalid/", "kind": "pledge"}, "/v1/webhooks")
        client.post(f"/v1/webhooks/{webhook['id']}/ping")
        yield client


def get(client: TestClient, path: str, suffix: str = "") -> Any:
    """An answer in the format of a suffix."""
    answer = client.get(address_of(client, path, suffix))
    assert answer.status_code == 200, answer.text
    return answer


def address_of(client: TestClient, path: str, suffix: str = "") -> str:
    """A path with a suffix; of some event or webhook where it asks for one."""
    if "{event_id}" in path:
        path = path.replace("{event_id}", client.get("/v1/events?limit=2").json()["items"][1]["id"])
    if "{webhook_id}" in path:
        path = path.replace("{webhook_id}", client.get("/v1/webhooks").json()["items"][0]["id"])
    address, _, query = path.partition("?")
    return f"{address}{suffix}" + (f"?{query}" if query else "")


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
        (".parquet", "application/vnd.apache.parquet"),
    ],
)
def test_every_view_comes_in_every_format_by_suffix_or_by_accept(
    filled: TestClient, path: str, suffix: str, kind: str
) -> None:
    by_suffix = get(filled, path, suffix)
    accepted = {"Accept": f"{kind.partition(';')[0]}, */*;q=0.1"}
    by_accept = filled.get(address_of(filled, path), headers=accepted)

    assert by_suffix.headers["Content-Type"] == by_accept.headers["Content-Type"] == kind
    assert "Accept" in by_accept.headers["Vary"]
    assert by_suffix.content or suffix == ".jsonl"  # of a list without items
    if (path, suffix) != ("/v1/events", ".jsonl"):  # which is streamed
        assert by_suffix.headers["Content-Length"] == str(len(by_suffix.content))


def test_every_address_that_selects_members_has_tables_that_are_tried_here(filled: TestClient) -> None:
    seen = [address_of(filled, path).partition("?")[0].split("/") for path in VIEWS]
    for door in doors_among(create_app(settings_for("")).router.routes):
        if "fields" in getattr(described(door).asked, "model_fields", ()):
            parts = door.path_format.split("/")
            assert any(
                len(parts) == len(path)
                and all(one == other or one.startswith("{") for one, other in zip(parts, path, strict=True))
                for path in seen
            ), door.path_format


@pytest.mark.parametrize("path", VIEWS)
@pytest.mark.parametrize("suffix", [".json", *TABLES])
def test_the_address_of_the_basis_leads_to_the_same_bytes(filled: TestClient, path: str, suffix: str) -> None:
    content = get(filled, path).json()
    if "basis" not in content and "from" not in content:
        return
    accept = FORMATS[suffix[1:]].media_type.partition(";")[0]
    for answer in (get(filled, path, suffix), filled.get(address_of(filled, path), headers={"Accept": accept})):
        if suffix == ".json":
            found = answer.json()
        elif suffix == ".jsonl":
            found = json.loads(answer.text.splitlines()[0]) if answer.content else {}
        else:
            found = {"basis": {"url": url_in(answer.content, suffix)}}
        url = (found.get("basis") or found.get("from") or {"url": None})["url"]
        assert url is None or filled.get(url).content == answer.content, url


def url_in(table: bytes, suffix: str) -> Any:
    """The address that a table names, in its first row."""
    if suffix == ".xlsx":
        header, row = openpyxl.load_workbook(io.BytesIO(table))["basis"].iter_rows(values_only=True)
        found = dict(zip(header, row, strict=True))
    else:
        frame = pd.read_csv(io.BytesIO(table)) if suffix == ".csv" else pd.read_parquet(io.BytesIO(table))
        found = frame.iloc[0].to_dict() if len(frame) else {}
    return found.get("basis.url") or found.get("from.url")


@pytest.mark.parametrize("path", VIEWS)
def test_a_table_has_the_same_columns_in_every_format_and_when_it_is_empty(
    filled: TestClient, database: str, path: str
) -> None:
    columns = list(frame_of(filled, path).columns)
    sheet, *_ = openpyxl.load_workbook(io.BytesIO(get(filled, path, ".xlsx").content))

    assert [cell.value for cell in sheet[1]] == columns
    assert pq.read_schema(io.BytesIO(get(filled, path, ".parquet").content)).names == columns
    if "/subjects/" in path:  # of one that nothing was ever recorded of there is no table
        assert list(frame_of(filled, path + "?as_of=1900-01-01").columns) == columns
    elif "{" not in path:
        with registry(database) as client:
            assert list(frame_of(client, path).columns) == columns


def test_what_is_no_view_has_no_tables(filled: TestClient) -> None:
    for path in ("/v1/events/stream.csv", "/v1/events/stream.json", "/version.csv"):
        assert filled.get(path).status_code == 404, path


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

    assert book.sheetnames == ["commitments", "stances", "possible", "roles", "country", "basis"]
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


@pytest.mark.parametrize("text", [*"=+-@\t\r\n", *"＝＋－＠"])  # noqa: RUF001 - full width counts too
def test_no_cell_of_a_csv_begins_like_a_formula(text: str) -> None:
    row = {"text": f"{text}cmd", "words": [f"{text.strip() or '='}cmd", "b"], "safe": f"a{text}"}
    columns = [Column(name, (name,), Kind.TEXT) for name in row]
    read = list(
        csv.reader(io.StringIO(write_csv([Sheet("items", columns, [row])], {}).decode("utf-8-sig"), newline=""))
    )

    assert read[1] == [f"'{text}cmd", f"'{text.strip() or '='}cmd; b", f"a{text}"]


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


@pytest.mark.parametrize("suffix", TABLES)
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
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "application/json"),
        ("text/html, image/gif, *; q=.2, */*; q=.2", "application/json"),
        ("application/json, text/csv", "application/json"),
        ("text/csv, application/json", "text/csv; charset=utf-8"),
        ("*/*, text/csv", "text/csv; charset=utf-8"),
        ("application/json;q=0, */*", "text/csv; charset=utf-8"),
        ("text/*", "text/csv; charset=utf-8"),
        ("application/*;q=0.3", "application/json"),
        ("application/x-ndjson", "application/jsonl"),
        ("APPLICATION/JSON; charset=utf-8", "application/json"),
        ("application/cloudevents-batch+json, */*;q=0.1", "application/json"),
    ],
)
def test_the_format_wanted_most_is_sent(filled: TestClient, accept: str, kind: str) -> None:
    assert filled.get("/v1/coalitions", headers={"Accept": accept}).headers["Content-Type"] == kind


@pytest.mark.parametrize(
    "accept", ["image/png", "text/html", "text/csv;q=0", "text/csv;q=nonsense", "application/json;q=0"]
)
def test_whoever_takes_nothing_that_there_is_is_told_so(filled: TestClient, accept: str) -> None:
    for path in VIEWS:
        refused = filled.get(address_of(filled, path), headers={"Accept": accept})
        assert (refused.status_code, refused.headers["Content-Type"]) == (406, "application/problem+json"), path
        assert "application/json" in refused.json()["detail"]
    assert filled.get("/v1/events/stream?after=99", headers={"Accept": accept}).status_code == 400


# --- Parquet ----------------------------------------------------------------------------------------------------------


def test_parquet_has_typed_columns_that_say_what_the_json_says(filled: TestClient) -> None:
    path = "/v1/coalitions/willing/commitments"
    items: list[Json] = get(filled, path).json()["items"]
    content = get(filled, path, ".parquet").content
    read = pq.read_table(io.BytesIO(content))
    types = {field.name: str(field.type) for field in read.schema}

    assert {name: types[name] for name in ("id", "conditional", "age_days", "quantity.min", "first_stated")} == {
        "id": "string",
        "conditional": "bool",
        "age_days": "int64",
        "quantity.min": "double",
        "first_stated": "date32[day]",
    }
    assert types["money.min_amount"] == "decimal128(21, 6)"
    assert types["basis.as_of"] == "timestamp[us, tz=UTC]"
    assert all(field.nullable for field in read.schema)
    for one, row in zip(items, read.to_pylist(), strict=True):
        quantity, money = one["quantity"] or {}, one["money"] or {}
        assert (row["id"], row["conditional"], row["stale"]) == (one["id"], one["conditional"], one["stale"])
        assert (row["quantity.min"], row["quantity.max"]) == (quantity.get("min"), quantity.get("max"))
        assert row["money.min_amount"] == ((money and Decimal(money["min_amount"])) or None)
        assert row["first_stated"] == date.fromisoformat(one["first_stated"])
        assert row["places"] == ("; ".join(one["places"]) or None)
    frame = pd.read_parquet(io.BytesIO(content))
    assert list(frame["actor.code"]) == [one["actor"]["code"] for one in items]
    assert frame["quantity.max"].sum() == 2000


def test_parquet_says_on_what_it_rests_in_its_columns_and_in_its_metadata(filled: TestClient) -> None:
    path = f"/v1/coalitions/willing/commitments.parquet?{PINS}"
    read = pq.read_table(io.BytesIO(filled.get(path).content))
    basis = json.loads(read.schema.metadata[b"basis"])

    assert read.schema.metadata[b"licence"] == b"CC-BY-4.0"
    assert (basis["known_position"], basis["url"]) == (8, read["basis.url"][0].as_py())
    assert read["basis.as_of"][0].as_py() == parse_instant(basis["as_of"]) == datetime.fromisoformat(basis["as_of"])
    assert set(read["licence"].to_pylist()) == {"CC-BY-4.0"}


_WITHOUT = """
import sys
sys.modules["pyarrow"] = None
from tests.registry import client_of, register, settings_for
from service.main import create_app

with client_of(create_app(settings_for(sys.argv[1]))) as client:
    register(client, "willing")
    for path, accept in (
        ("/v1/coalitions.parquet", "*/*"),
        ("/v1/coalitions", "application/vnd.apache.parquet"),
        ("/v1/coalitions", "application/vnd.apache.parquet, text/csv;q=0.5"),
        ("/v1/coalitions", "application/json"),
    ):
        answer = client.get(path, headers={"Accept": accept})
        print(answer.status_code, answer.headers["Content-Type"], "pledge-registry[parquet]" in answer.text)
"""


def test_without_pyarrow_parquet_is_refused_with_what_to_install_and_all_else_works(database: str) -> None:
    allow(database)
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, database],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "406 application/problem+json True",
        "406 application/problem+json True",
        "200 text/csv; charset=utf-8 False",
        "200 application/json False",
    ], done.stderr


# --- large tables -----------------------------------------------------------------------------------------------------


def test_while_a_large_table_is_written_others_are_answered() -> None:
    may_end = threading.Event()
    sheet = Sheet("items", [], [{} for _ in range(1000)])
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    async def scenario() -> None:
        answer = TableResponse(lambda: b"written" if may_end.wait(20) else b"", [sheet], "text/csv", {})
        sending = asyncio.create_task(answer({"type": "http"}, None, keep))  # type: ignore[arg-type]  # it reads nothing
        await asyncio.sleep(0.05)
        assert not sent
        may_end.set()  # which would never come, if the writing held the loop
        await sending

    asyncio.run(scenario())
    assert sent[-1]["body"] == b"written"


def test_a_table_that_is_too_long_is_refused_with_the_way_to_have_it(database: str) -> None:
    allow(database)
    with client_of(create_app(settings_for(database, largest_table=3))) as client:
        post(client, {"slug": "willing", "name": "Willing"}, "/v1/coalitions")
        said = [statement(subject=f"s-{number}") for number in range(4)]
        post(client, said[:3], "/v1/statements/batch")
        for path in ("commitments", "timeline"):
            assert len(frame_of(client, f"/v1/coalitions/willing/{path}")) == 3
        post(client, said[3], "/v1/statements")

        for path in ("/v1/coalitions/willing/commitments", "/v1/coalitions/willing/timeline", "/v1/events"):
            for suffix in (".csv", ".xlsx", ".parquet"):
                refused = client.get(path + suffix)
                assert refused.status_code == 400, path
                assert refused.json()["errors"][0]["pointer"] == "/query/limit"
            first = client.get(f"{path}.csv?limit=3")
            assert len(pd.read_csv(io.BytesIO(first.content))) == 3
            assert ".csv?" in first.headers["Link"]
            assert client.get(path).status_code == 200
        assert len(get(client, "/v1/events", ".jsonl").text.splitlines()) == 5  # is streamed


def test_two_spellings_of_an_address_are_not_taken_for_one_another(filled: TestClient) -> None:
    token = filled.headers.pop("Authorization")
    try:
        paths = [f"/v1/coalitions/{name}/status?{PINS}" for name in ("willing", "wil%6Cing") for _ in range(2)]
        urls = [filled.get(path).json()["basis"]["url"].partition("?")[0] for path in paths]
    finally:
        filled.headers["Authorization"] = token

    assert urls == [path.partition("?")[0] for path in paths]
