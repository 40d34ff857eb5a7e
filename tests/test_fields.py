"""Which members an answer can hold, and the choice of some of them: what `fields` takes is what there is."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from service.api import outlines
from service.domain.kinds import FAMILIES
from service.load import load_seeds
from service.record import Recorder
from service.web.fields import Each, Kind, Outline, Shape, cell, columns_of, narrowed
from service.web.tables import write_parquet
from tests.conftest import fresh_database
from tests.registry import Json, note, post, registry, statement

SEEDS = Path(__file__).resolve().parents[1] / "seeds"
NOT_TAKEN_APART = {"answers", "changes", "roles", "stances", "from", "to", "state", "possible"}
"""Members whose own names are not known beforehand: they are one column, and cannot be chosen from."""


@pytest.fixture(scope="module")
def world(server_url: str, template: str) -> Iterator[TestClient]:
    """The seeds, and each kind of note on the record; tests only read from it."""
    with fresh_database(server_url, template) as url, registry(url, coalition=None) as client:
        assert client.portal
        recorder: Recorder = client.app.state.services.recorder  # type: ignore[attr-defined]
        client.portal.call(load_seeds, recorder, SEEDS)
        money = {"category": "financial", "firmness": "committed", "money": {"amount": "5.25", "currency": "EUR"}}
        half = {"category": "air", "firmness": "announced", "quantity": {"min": "0.5", "unit": "percent_gdp"}}
        delivered = {"quantity": {"min": 3, "unit": "jets"}, "money": {"amount": "1.5", "currency": "EUR"}}
        told = [
            statement(subject="money", body=money),
            statement(subject="air", body=half),
            statement("pledge.delivered", subject="air", body=delivered),
            statement("warning.carried_out", subject="war", actors=["RU"], body={"text": "Done."}),
            statement("coalition.stated", subject="org", actors=[], body={
                "phase": "planning", "force": {"name": "A force", "aliases": ["F"]}, "target_strength":
                {"max": 5, "unit": "persons"}, "headquarters": [{"place": "Paris", "host": "FR"}], "mandate": "None.",
            }),
            statement("membership.stated", subject="members", actors=[], body={"claimed_count": 30}),
            statement(subject="later", occurred={"edtf": "2025-07/2027-07", "basis": "deduced"}),
            statement("meeting.announced", subject="soon", actors=[], body={"title": "Soon"}),
        ]  # fmt: skip
        ids = [post(client, one)["event"]["event_id"] for one in told]
        noted: dict[str, Json] = {
            "corrections": {
                "changes": {"body": {"money": {"max_amount": "6"}}},
                "reason": "entry_error",
            },
            "disputes": {"rank": "preferred", "rivals": [{"event_id": ids[1]}], "note": "Which?"},
            "sources": {"sources": [{"title": "Another"}]},
            "duplicates": {"original": ids[6]},
            "retraction": {"reason": "entry_error", "note": "No."},
        }
        for what, content in noted.items():
            note(client, ids[0], what, content)
        yield client


def get(client: TestClient, path: str) -> Json:
    """An answer that has to succeed."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    content: Json = answer.json()
    return content


def all_outlines(client: TestClient) -> Iterator[tuple[str, Outline]]:
    """Every outline, and all addresses, that the world holds."""
    yield "/v1/coalitions", outlines.COALITIONS
    yield "/v1/actors?q=a&limit=500", outlines.ACTORS
    yield "/v1/coalitions/willing", outlines.COALITION
    for query in ("?as_of=2025-07-31", "?as_of=2026-02-01"):
        yield f"/v1/coalitions/willing/status{query}", outlines.STATUS
        for country in ("GB", "RU"):
            yield f"/v1/countries/{country}/commitments{query}", outlines.COUNTRY
        for plural, family in (
            ("commitments", "pledge"), ("pledges", "pledge"), ("positions", "position"), ("warnings", "warning"),
            ("meetings", "meeting"), ("ceasefires", "ceasefire"),
        ):  # fmt: skip
            yield f"/v1/coalitions/willing/{plural}{query}", outlines.STATES[family]
        yield f"/v1/coalitions/willing/timeline{query}&limit=500", outlines.TIMELINE
    yield "/v1/coalitions/willing/changes?from=2025-01&to=2026-06&from_position=20", outlines.CHANGES
    events = [event for after in (0, 100) for event in get(client, f"/v1/events?limit=500&after={after}")["items"]]
    yield "/v1/events?limit=500", outlines.EVENTS
    for event in {event["type"]: event for event in events}.values():
        yield f"/v1/events/{event['id']}", outlines.EVENT
    subjects = {(one["type"].split(".")[0], one["subject"]) for one in events if "subject" in one}
    for family, slug in sorted(subjects):
        if family in FAMILIES:
            yield f"/v1/subjects/willing/{family}/{slug}", outlines.STATES[family]
            yield f"/v1/subjects/willing/{family}/{slug}/history", outlines.HISTORIES[family]


def misfits(value: Any, shape: Shape, where: str) -> Iterator[str]:
    """Where an answer holds what its outline does not know."""
    if isinstance(value, list):
        for one in value:
            yield from misfits(one, shape.of if isinstance(shape, Each) else shape, where)
    elif isinstance(value, dict) and isinstance(shape, Mapping):
        for name, one in value.items():
            yield from misfits(one, shape[name], f"{where}.{name}") if name in shape else [f"{where}.{name}"]
    elif isinstance(value, dict) and where.rpartition(".")[2] not in NOT_TAKEN_APART:
        yield where


def test_every_answer_holds_only_what_its_outline_knows_and_lists_know_it_all(world: TestClient) -> None:
    seen = 0
    for path, outline in all_outlines(world):
        content = get(world, path)
        assert not list(misfits(content, outline.members, "")), path
        for table, rows in ((outline.tables[sheet.title], sheet.rows) for sheet in outline.sheets(content, None)):
            for row in rows:
                seen += 1
                if outline in outlines.STATES.values() and table.at == ("items",):
                    assert set(row) == set(table.members), path
    assert seen > 1000


def test_every_value_is_of_the_type_of_its_column(world: TestClient) -> None:
    about = {"licence": "CC"}
    for path, outline in all_outlines(world):
        for sheet in outline.sheets(get(world, path), None):
            assert write_parquet([sheet], about), path  # which refuses what is of another type


def test_every_name_that_an_outline_knows_can_be_asked_for(world: TestClient) -> None:
    pinned = "as_of=2026-02-01&known_position=100"
    path = f"/v1/coalitions/willing/commitments?{pinned}"
    items = get(world, path)["items"]
    for column in columns_of(outlines.OF_FAMILY["pledge"]):
        chosen = get(world, f"{path}&fields={column.title}")
        assert [cell(one, column.path) for one in chosen["items"]] == [cell(one, column.path) for one in items]
        assert all(len(one) == 1 for one in chosen["items"])


def test_items_have_the_members_that_are_wanted_and_what_they_rest_on_stays(world: TestClient) -> None:
    path = "/v1/coalitions/willing/commitments?as_of=2026-02-01&limit=2&count=true"
    whole = get(world, path)
    chosen = get(world, path + "&fields=id,firmness,quantity.min,conditions.kind")

    assert chosen.keys() == whole.keys()
    assert (chosen["next"], chosen["total"]) == (whole["next"], whole["total"])
    for one, other in zip(chosen["items"], whole["items"], strict=True):
        quantity = other["quantity"]
        assert one == {
            "id": other["id"],
            "firmness": other["firmness"],
            "quantity": quantity and {"min": quantity["min"]},
            "conditions": [{"kind": condition["kind"]} for condition in other["conditions"]],
        }
    assert "fields=id%2Cfirmness%2Cquantity.min%2Cconditions.kind" in chosen["basis"]["url"]
    assert get(world, chosen["basis"]["url"]) == chosen


def test_what_may_also_hold_has_the_same_members(world: TestClient) -> None:
    chosen = get(world, "/v1/coalitions/willing/commitments?as_of=2026-02-01&fields=firmness")["possible"]
    told = get(world, "/v1/coalitions/willing/timeline?as_of=2026-02-01&fields=summary")["possible"]

    members = {"subject", "event_id", "position", "occurred", "more", "state"}
    assert [one.keys() for one in chosen] == [members] * len(chosen)
    assert [one["state"] for one in chosen] == [{"firmness": "announced"}]
    assert all(one.keys() == {"summary"} for one in told)
    assert told


def test_pages_keep_what_is_wanted(world: TestClient) -> None:
    path: str | None = "/v1/coalitions/willing/timeline?limit=40&fields=kind,said_by.name"
    found: list[Json] = []
    while path:
        answer = world.get(path)
        found += answer.json()["items"]
        path = answer.links["next"]["url"] if "next" in answer.links else None

    assert len(found) == len(get(world, "/v1/coalitions/willing/timeline?limit=500")["items"]) > 80
    assert all(one.keys() <= {"kind", "said_by"} for one in found)
    assert {"name"} in [set(one["said_by"]) for one in found if "said_by" in one]


@pytest.mark.parametrize(
    ("path", "fields", "members"),
    [
        ("/v1/coalitions/willing/status", "phase,members.named.code", {"phase", "members", "basis"}),
        ("/v1/countries/GB/commitments", "commitments.id,roles", {"commitments", "roles", "basis"}),
        ("/v1/coalitions/willing", "name", {"name", "basis"}),
        ("/v1/subjects/willing/pledge/ground-troops/history", "states.valid_from", {"id", "states", "next", "basis"}),
        ("/v1/coalitions/willing/changes?from=2025-01&to=2026", "subject", {"items", "next", "from", "to"}),
        ("/v1/subjects/willing/pledge/ground-troops", "id", {"id", "items", "basis", "possible"}),
        ("/v1/events", "position,data.summary", {"items", "next"}),
        ("/v1/actors?q=france", "code", {"items", "next", "basis"}),
    ],
)
def test_a_document_has_the_members_that_are_wanted_at_its_top(
    world: TestClient, path: str, fields: str, members: set[str]
) -> None:
    chosen = get(world, f"{path}{'&' if '?' in path else '?'}fields={fields}")
    assert chosen.keys() == members
    assert narrowed(chosen, [*members]) == chosen


def rows_of(client: TestClient, path: str) -> list[dict[str, str]]:
    """The rows of a CSV."""
    return list(csv.DictReader(io.StringIO(client.get(path).content.decode("utf-8-sig"), newline="")))


def test_a_table_has_the_columns_that_are_wanted_in_that_order(world: TestClient) -> None:
    path = "/v1/coalitions/willing/commitments.csv?as_of=2026-02-01"
    chosen = rows_of(world, path + "&fields=firmness,quantity.max,id,quantity.min,conditions.kind,actor")
    whole = rows_of(world, path)

    first = list(chosen[0])
    assert first[:7] == [
        "firmness", "quantity.max", "id", "quantity.min", "conditions.kind", "actor.code", "actor.name",
    ]  # fmt: skip
    assert first[7:9] == ["basis.as_of", "basis.known_position"]
    assert [one["id"] for one in chosen] == [one["id"] for one in whole]
    assert "ceasefire_in_force; us_backing" in {one["conditions.kind"] for one in chosen}


def test_of_a_document_the_tables_are_those_that_have_what_is_wanted(world: TestClient) -> None:
    path = (
        "/v1/coalitions/willing/status.xlsx?as_of=2026-02-01&fields=phase,meetings.undated.title,members.named,stances"
    )
    book = openpyxl.load_workbook(io.BytesIO(world.get(path).content))
    meetings = next(book["meetings"].iter_rows(values_only=True))

    assert book.sheetnames == ["members", "stances", "meetings", "coalition", "basis"]
    assert meetings[:3] == ("listed_as", "title", "basis.as_of")
    assert next(iter(rows_of(world, "/v1/coalitions/willing/status.csv?fields=phase"))).keys() >= {"phase"}
    warnings = rows_of(world, "/v1/coalitions/willing/status.csv?fields=warnings")
    assert {one["listed_as"] for one in warnings} == {"active", "unofficial"}
    assert len(warnings) == sum(map(len, get(world, "/v1/coalitions/willing/status")["warnings"].values()))


def test_the_log_is_streamed_with_what_is_wanted(world: TestClient) -> None:
    lines = world.get("/v1/events.jsonl?fields=position,data.kind&after=99").text.splitlines()
    assert lines[0].startswith('{"position":100,"data":{"kind":')
    batch = {"Accept": "application/cloudevents-batch+json"}
    assert world.get("/v1/events?fields=position", headers=batch).status_code == 400


@pytest.mark.parametrize(
    ("path", "fields", "there_are"),
    [
        ("/v1/coalitions/willing/commitments", "zqCanaryqz", "id, coalition, subject"),
        ("/v1/coalitions/willing/commitments", "quantity.zqCanaryqz", "quantity.min, quantity.max"),
        ("/v1/coalitions/willing/commitments", "conditions.zqCanaryqz", "conditions.kind, conditions.text"),
        ("/v1/coalitions/willing/commitments", "id.zqCanaryqz", "`id` has no members"),
        ("/v1/coalitions/willing/commitments", "", "id, coalition, subject"),
        ("/v1/coalitions/willing/commitments", "id,,firmness", "id, coalition, subject"),
        ("/v1/coalitions/willing/commitments", "basis", "id, coalition, subject"),
        ("/v1/coalitions/willing/status", "zqCanaryqz", "coalition, phase"),
        ("/v1/coalitions/willing/status", "stances.zqCanaryqz", "`stances` has no members"),
        ("/v1/countries/GB/commitments", "commitments.zqCanaryqz", "commitments.id, "),
        ("/v1/events", "data.zqCanaryqz", "data.recorded_by, "),
        ("/v1/actors", "zqCanaryqz", "code, name, kind, aliases"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".csv", ".jsonl"])
def test_a_name_that_there_is_not_is_refused_with_those_that_there_are(
    world: TestClient, path: str, fields: str, there_are: str, suffix: str
) -> None:
    refused = world.get(f"{path}{suffix}?fields={fields}")

    assert refused.status_code == 400
    (fault,) = refused.json()["errors"]
    assert fault["pointer"] == "/query/fields"
    assert there_are in fault["detail"]
    assert "zqCanaryqz" not in refused.text


def test_a_change_can_be_made_with_the_etag_of_a_part(database: str) -> None:
    with registry(database) as client:
        said = post(client, statement())["event"]["event_id"]
        whole, part, other = (
            client.get(f"/v1/events/{said}{query}").headers["ETag"] for query in ("", "?fields=event.kind", ".csv")
        )
        assert len({whole, part, other}) == 3
        assert client.get(f"/v1/events/{said}.csv", headers={"If-None-Match": other}).status_code == 304
        assert client.get(f"/v1/events/{said}.csv", headers={"If-None-Match": whole}).status_code == 200
        post(client, {"reason": "entry_error"}, f"/v1/events/{said}/retraction", **{"If-Match": part})
        stale = client.post(
            f"/v1/events/{said}/reinstatement", json={"reason": "entry_error"}, headers={"If-Match": part}
        )
        assert stale.status_code == 412


PLEDGE = st.sampled_from([column.title for column in columns_of(outlines.OF_FAMILY["pledge"])])


@given(names=st.lists(PLEDGE, min_size=1, max_size=6), more=st.lists(PLEDGE, min_size=1, max_size=6))
def test_choosing_twice_is_choosing_what_both_want(names: list[str], more: list[str]) -> None:
    row = {"items": [_example()]}
    both = [name for name in dict.fromkeys(names) if name in more]
    once = narrowed(row, [f"items.{name}" for name in names])
    twice = narrowed(once, [f"items.{name}" for name in more])

    for name in both:
        path = tuple(name.split("."))
        assert cell(twice["items"][0], path) == cell(row["items"][0], path)
    assert narrowed(once, [f"items.{name}" for name in names]) == once


def _example() -> Json:
    """A commitment with something under every name."""
    found: Json = {}
    for column in columns_of(outlines.OF_FAMILY["pledge"]):
        below = found
        for part in column.path[:-1]:
            below = below.setdefault(part, {})
        below[column.path[-1]] = True if column.kind is Kind.BOOLEAN else column.title
    return found
