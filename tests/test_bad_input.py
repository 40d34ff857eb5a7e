"""Every refusal says what is wrong, where, and what to do; repeats nothing of what was sent; and leaves no trace."""

import base64
import copy
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import orjson
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from service.access import hash_token
from service.domain.errors import Invalid
from service.domain.kinds import KINDS
from service.domain.statement import Statement
from service.main import create_app
from service.web.writing import parse_batch
from tests.conftest import fresh_database
from tests.processes import PATIENCE, open_folder, serving
from tests.profiles import histories
from tests.registry import Json, allow, client_of, note, post, register, registry, settings_for, statement
from tests.test_wording import check_plain

CANARY = "zqCanaryqz"
ABSENT = "00000000-0000-7000-8000-000000000000"
LARGEST = 64 * 1024
NAMES = [name for name, kind in KINDS.items() if issubclass(kind, Statement)]


@dataclass(slots=True)
class World:
    """A registry that holds a little of everything, and what it is called."""

    client: TestClient
    url: str
    said: str = ""
    retracted: str = ""
    correction: str = ""
    elsewhere: str = ""
    etags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> int:
        """How long the log is."""
        position: int = self.client.get("/v1/coalitions").json()["basis"]["known_position"]
        return position


@pytest.fixture(scope="module")
def world(server_url: str, template: str) -> Iterator[World]:
    with (
        fresh_database(server_url, template) as url,
        registry(url, largest_body=LARGEST) as client,
    ):
        made = World(client, url)
        register(client, "others")
        made.said = post(client, statement())["event"]["event_id"]
        made.retracted = post(client, statement(subject="old"))["event"]["event_id"]
        note(client, made.retracted, "retraction", {"reason": "legal"})
        changes = {"changes": {"summary": "Better."}, "reason": "entry_error"}
        made.correction = note(client, made.said, "corrections", changes)["event"]["event_id"]
        made.elsewhere = post(client, statement(coalition="others"))["event"]["event_id"]
        for event_id in (made.said, made.retracted, made.elsewhere, made.correction):
            made.etags[event_id] = client.get(f"/v1/events/{event_id}").headers["ETag"]
        for role in ("reader", "contributor"):
            allow(url, f"pr_{role}", role)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO token (hash, role, owner, created_at, expires_at)"
                " VALUES (%s, 'admin', 'gone', now() - interval '2 days', now() - interval '1 second')",
                (hash_token("pr_expired"),),
            )
        yield made


def check_problem(answer: httpx.Response, status: int, pointer: str | None = None) -> Json:
    """Holds an answer to the contract of refusals."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content: Json = answer.json()
    assert content["status"] == status
    assert content["type"].startswith("/problems/")
    assert content["title"]
    sentences = [content["detail"], *(one["detail"] for one in content.get("errors", []))]
    for sentence in sentences:
        assert len(sentence.split()) > 2, sentence
        assert sentence[0].isupper() or sentence[0] == "`", sentence
        assert sentence.endswith((".", "?")), sentence
        check_plain(sentence)
    if status in (400, 422):
        assert content["errors"], content
    if pointer is not None:
        assert pointer in [one["pointer"] for one in content["errors"]], content
        assert all(one["code"] for one in content["errors"])
    assert CANARY.lower() not in answer.text.lower()
    return content


# --- statements -------------------------------------------------------------------------------------------------------

Change = Callable[[Json], None]


def at(path: str, value: Any) -> Change:
    """Sets a member of a statement, named by a pointer."""
    *above, last = path.strip("/").split("/")

    def change(said: Json) -> None:
        where: Any = said
        for part in above:
            where = where[int(part)] if isinstance(where, list) else where.setdefault(part, {})
        where[last] = value

    return change


def without(name: str) -> Change:
    """Leaves out a member of a statement."""
    return lambda said: said.pop(name)


BAD_STATEMENTS: list[tuple[str, Change, str]] = [
    ("an unknown kind", at("kind", f"pledge.{CANARY}"), "/kind"),
    ("a kind that is a number", at("kind", 5), "/kind"),
    ("no kind", without("kind"), "/kind"),
    ("a kind about the record", at("kind", "record.corrected"), "/kind"),
    ("a registration as a statement's kind", at("kind", "coalition.registered"), "/kind"),
    ("an unknown field", at("mood", CANARY), "/mood"),
    ("an unknown field of the body", at("body/mood", CANARY), "/body/mood"),
    ("an unknown field of a source", at("sources/0/mood", CANARY), "/sources/0/mood"),
    ("an unknown actor", at("actors", [CANARY]), "/actors/0"),
    ("an actor twice", at("actors", ["GB", "UK"]), "/actors"),
    ("no actors", at("actors", []), "/actors"),
    ("an unknown speaker", at("said_by", {"actor": CANARY}), "/said_by/actor"),
    ("an unnamed unofficial voice", at("said_by", {"actor": "GB", "official": False}), "/said_by/name"),
    ("an unknown currency", at("body/money", {"amount": "1", "currency": "ZQC"}), "/body/money/currency"),
    ("a sum that is a number", at("body/money", {"amount": 1.5, "currency": "EUR"}), "/body/money/amount"),
    ("a sum turned round", at("body/money", {"min_amount": "2", "max_amount": "1", "currency": "EUR"}),
     "/body/money/min_amount"),
    ("min above max", at("body/quantity", {"min": 2, "max": 1, "unit": "persons"}), "/body/quantity/min"),
    ("a negative number", at("body/quantity", {"min": -1, "unit": "persons"}), "/body/quantity/min"),
    ("a number beyond exactness", at("body/quantity", {"min": 2**60, "unit": "persons"}), "/body/quantity/min"),
    ("a number that is words", at("body/quantity", {"min": CANARY, "unit": "persons"}), "/body/quantity/min"),
    ("a number without its unit", at("body/quantity", {"min": 1}), "/body/quantity/unit"),
    ("a quantity that says nothing", at("body/quantity", {}), "/body/quantity"),
    ("an unknown category", at("body/category", CANARY), "/body/category"),
    ("an unknown rung", at("body/firmness", CANARY), "/body/firmness"),
    ("an unknown condition", at("body/conditions", [{"kind": CANARY}]), "/body/conditions/0/kind"),
    ("a field both set and cleared", at("body/description", CANARY), "/body/cleared"),
    ("a date that does not exist", at("occurred/edtf", "2025-02-30"), "/occurred/edtf"),
    ("words for a date", at("occurred/edtf", CANARY), "/occurred/edtf"),
    ("an interval turned round", at("occurred/edtf", "2025-03-30/2025-03-24"), "/occurred/edtf"),
    ("an interval with an open end", at("occurred/edtf", "2025-03-30/.."), "/occurred/edtf"),
    ("the end of time", at("occurred/edtf", "9999-12-31"), "/occurred/edtf"),
    ("a date of no basis", at("occurred", {"edtf": "2025-07-10"}), "/occurred/basis"),
    ("no date", without("occurred"), "/occurred"),
    ("NUL", at("summary", f"{CANARY}\x00"), "/summary"),
    ("a control character", at("summary", f"{CANARY}\x1b"), "/summary"),
    ("an empty summary", at("summary", "  "), "/summary"),
    ("a summary too long", at("summary", CANARY * 500), "/summary"),
    ("no sources", at("sources", []), "/sources"),
    ("a bad grade", at("sources", [{"title": "A", "reliability": "G"}]), "/sources/0/reliability"),
    ("a link that is a script", at("sources", [{"title": "A", "url": f"javascript:{CANARY}"}]), "/sources/0/url"),
    ("a slug that is no slug", at("subject", f"{CANARY}/.."), "/subject"),
    ("an unknown coalition", at("coalition", "zqcanaryqz"), "/coalition"),
    ("a truth for a grade", at("sources", [{"title": "A", "credibility": True}]), "/sources/0/credibility"),
    ("a number for a day", at("sources", [{"title": "A", "published_on": 0}]), "/sources/0/published_on"),
    ("an instant for a day", at("sources/0/retrieved_on", "2025-07-10T00:00:00Z"), "/sources/0/retrieved_on"),
    ("a number for a truth", at("said_by", {"actor": "GB", "official": 1}), "/said_by/official"),
    ("a body that is a list", at("body", [CANARY]), "/body"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "pointer"), [case[1:] for case in BAD_STATEMENTS], ids=[c[0] for c in BAD_STATEMENTS]
)
def test_a_statement_is_refused_for(world: World, change: Change, pointer: str) -> None:
    said, head = statement(), world.head
    said["body"]["cleared"] = ["description"]
    change(said)
    check_problem(world.client.post("/v1/statements", json=said), 422, pointer)
    batch = check_problem(world.client.post("/v1/statements/batch", json=[statement(), said]), 422)
    assert world.head == head
    if pointer and pointer != "/coalition":
        assert next(one["pointer"] for one in batch["errors"]).startswith("/1")


@pytest.mark.parametrize(
    ("kind", "body", "pointer"),
    [
        ("membership.stated", {"claimed_count": False}, "/body/claimed_count"),
        ("meeting.held", {"claimed_participants": True}, "/body/claimed_participants"),
        ("ceasefire.proposed", {"duration_days": True}, "/body/duration_days"),
        ("ceasefire.proposed", {"unconditional": 1}, "/body/unconditional"),
        ("warning.issued", {"explicit": 0}, "/body/explicit"),
        ("warning.issued", {"explicit": "true"}, "/body/explicit"),
        ("meeting.held", {"claimed_participants": "30"}, "/body/claimed_participants"),
    ],
)
def test_a_truth_is_no_count_and_a_number_no_truth(world: World, kind: str, body: Json, pointer: str) -> None:
    check_problem(world.client.post("/v1/statements", json=statement(kind, body=body)), 422, pointer)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nonsense zqCanaryqz", b'{"kind": "pledge.stated"', b"\xff\xfe", b"null", b"[]", b'"zqCanaryqz"',
        b"[" * 5000, b'{"summary": "\\ud800zqCanaryqz"}', b'{"a":' * 300 + b"1" + b"}" * 300, b"NaN",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/statements", "/v1/statements/batch", "/v1/coalitions"])
def test_what_is_no_json_of_the_right_form_is_refused(world: World, path: str, body: bytes) -> None:
    head = world.head
    answer = world.client.post(path, content=body, headers={"Content-Type": "application/json"})
    check_problem(answer, 422)
    assert world.head == head


def test_a_lone_surrogate_is_refused(world: World) -> None:
    said = orjson.dumps(statement(summary="PLACE")).replace(b"PLACE", b"zqCanaryqz \\ud800 here")
    answer = world.client.post("/v1/statements", content=said, headers={"Content-Type": "application/json"})
    check_problem(answer, 422)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_a_body_of_another_type_is_refused(world: World, kind: str) -> None:
    head = world.head
    answer = world.client.post("/v1/statements", content=orjson.dumps(statement()), headers={"Content-Type": kind})
    check_problem(answer, 415)
    assert world.head == head


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_how_long_it_is(world: World) -> None:
    head = world.head
    large = orjson.dumps(statement(summary="x" * LARGEST))
    headers = {"Content-Type": "application/json"}

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 4096):
            yield large[start : start + 4096]

    check_problem(world.client.post("/v1/statements", content=large, headers=headers), 413)
    check_problem(world.client.post("/v1/statements", content=chunks(), headers=headers), 413)
    check_problem(world.client.post("/v1/statements", content=b"x" * 10_000_000, headers=headers), 413)
    assert world.head == head


def test_a_batch_whose_last_row_is_refused_records_nothing(world: World) -> None:
    head = world.head
    rows = [statement(subject=f"row-{number}") for number in range(20)]
    check_problem(
        world.client.post("/v1/statements/batch", json=[*rows, statement(actors=[CANARY])]), 422, "/20/actors/0"
    )
    unregistered = statement(coalition="unregistered")
    check_problem(world.client.post("/v1/statements/batch", json=[*rows, unregistered]), 422)
    assert world.head == head
    assert world.client.get("/v1/subjects/willing/pledge/row-0").status_code == 404


def test_of_very_many_faults_the_number_is_told_and_soon() -> None:
    body = json.dumps([statement() | {f"unknown-{number}": 1 for number in range(300)}] * 1000).encode()
    began = time.process_time()
    with pytest.raises(Invalid) as refused:
        parse_batch(body)
    assert time.process_time() - began < 1.5, "others wait meanwhile"
    (fault,) = refused.value.faults
    assert (fault.code, "300,000 places" in fault.detail) == ("too_many_faults", True)


@pytest.mark.parametrize("rows", [[], [statement()] * 1001], ids=["none", "too many"])
def test_a_batch_has_one_to_a_thousand_rows(world: World, rows: list[Json]) -> None:
    with client_of(create_app(settings_for(world.url))) as client:  # the same registry, that takes larger bodies
        check_problem(client.post("/v1/statements/batch", json=rows), 422)


# --- coalitions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "status", "pointer"),
    [
        ({"slug": "willing", "name": CANARY}, 409, None),
        ({"slug": "new"}, 422, "/name"),
        ({"name": CANARY}, 422, "/slug"),
        ({"slug": f"{CANARY} x", "name": "New"}, 422, "/slug"),
        ({"slug": "new", "name": "New", "mood": CANARY}, 422, "/mood"),
        ({"slug": "new", "name": "New", "kind": CANARY}, 422, "/kind"),
        ({"slug": "new", "name": "New", "force": {}}, 422, "/force/name"),
    ],
)
def test_a_coalition_is_not_registered(world: World, content: Json, status: int, pointer: str | None) -> None:
    head = world.head
    check_problem(world.client.post("/v1/coalitions", json=content), status, pointer)
    assert world.head == head


# --- notes on the record ----------------------------------------------------------------------------------------------

CORRECTION: Json = {"changes": {"summary": "Other words."}, "reason": "entry_error"}
REASON: Json = {"reason": "entry_error"}


@pytest.mark.parametrize(
    ("target", "what", "content", "status", "pointer"),
    [
        ("correction", "corrections", CORRECTION, 409, None),
        (ABSENT, "corrections", CORRECTION, 404, None),
        (CANARY, "corrections", CORRECTION, 404, None),
        ("said", "corrections", {"changes": {}, "reason": "entry_error"}, 422, "/changes"),
        ("said", "corrections", {"changes": {"summary": "x"}}, 422, "/reason"),
        ("said", "corrections", CORRECTION | {"reason": CANARY}, 422, "/reason"),
        ("said", "corrections", CORRECTION | {"mood": CANARY}, 422, "/mood"),
        ("said", "corrections", {"changes": {"mood": CANARY}, **REASON}, 422, "/changes/mood"),
        ("said", "corrections", {"changes": {"kind": CANARY}, **REASON}, 422, "/changes/kind"),
        ("said", "corrections", {"changes": {"coalition": CANARY}, **REASON}, 422, "/changes/coalition"),
        ("said", "corrections", {"changes": {"actors": [CANARY]}, **REASON}, 422, "/changes/actors/0"),
        ("said", "corrections", {"changes": {"body": {"x": 0.5}}, **REASON}, 422, "/changes"),
        ("said", "corrections", {"changes": {"body": {"x": 2**70}}, **REASON}, 422, "/changes"),
        ("said", "corrections", {"changes": {"summary": f"{CANARY}\x00"}, **REASON}, 422, "/changes"),
        ("said", "corrections", {"changes": {"sümmary": CANARY}, **REASON}, 422, "/changes"),
        ("said", "corrections", {"changes": {"summary": "Better."}, **REASON}, 409, None),
        ("said", "reinstatement", REASON, 409, None),
        ("retracted", "retraction", REASON, 409, None),
        ("retracted", "corrections", CORRECTION, 409, None),
        ("said", "duplicates", {"original": "said"}, 422, "/original"),
        ("said", "duplicates", {"original": ABSENT}, 404, None),
        ("said", "duplicates", {"original": CANARY}, 422, "/original"),
        ("said", "duplicates", {"original": "elsewhere"}, 409, None),
        ("said", "disputes", {"rivals": []}, 422, "/rivals"),
        ("said", "disputes", {"rivals": [{"event_id": "said"}]}, 422, "/rivals"),
        ("said", "disputes", {"rivals": [{"event_id": "elsewhere"}]}, 409, None),
        ("said", "disputes", {"rivals": [{"event_id": "correction"}]}, 409, None),
        ("said", "settlement", {"ranks": [{"event_id": "said"}, {"event_id": "retracted"}]}, 409, None),
        ("said", "sources", {"sources": []}, 422, "/sources"),
        ("said", "sources", {"sources": [{"title": "A report"}]}, 409, None),
    ],
)
def test_a_note_on_the_record_is_refused(
    world: World, target: str, what: str, content: Json, status: int, pointer: str | None
) -> None:
    head = world.head
    event_id = getattr(world, target, target)
    text = json.dumps(content)
    for name in ("said", "elsewhere", "retracted", "correction"):
        text = text.replace(f'"{name}"', f'"{getattr(world, name)}"')
    named = json.loads(text)
    headers = {"If-Match": world.etags.get(event_id, '"x"')}
    check_problem(world.client.post(f"/v1/events/{event_id}/{what}", json=named, headers=headers), status, pointer)
    assert world.head == head


@pytest.mark.parametrize("what", ["corrections", "retraction", "reinstatement", "disputes", "duplicates", "sources"])
def test_a_change_must_say_which_version_it_changes(world: World, what: str) -> None:
    contents: dict[str, Json] = {
        "corrections": CORRECTION,
        "disputes": {"rivals": [{"event_id": world.retracted}]},
        "duplicates": {"original": world.retracted},
        "sources": {"sources": [{"title": "B"}]},
    }
    head = world.head
    address, content = f"/v1/events/{world.said}/{what}", contents.get(what, REASON)
    check_problem(world.client.post(address, json=content), 428)
    stale = [f'"{world.said}.1"', '"zqCanaryqz"', "zqCanaryqz", f'"{world.said}.99999999999999999999"']
    for etag in stale:
        check_problem(world.client.post(address, json=content, headers={"If-Match": etag}), 412)
    assert world.head == head


# --- reading ----------------------------------------------------------------------------------------------------------

EVERY_ANSWER = (
    "/v1/coalitions",
    "/v1/coalitions/willing",
    "/v1/coalitions/willing/status",
    "/v1/coalitions/willing/commitments",
    "/v1/countries/GB/commitments",
    "/v1/coalitions/willing/pledges",
    "/v1/coalitions/willing/positions",
    "/v1/coalitions/willing/warnings",
    "/v1/coalitions/willing/meetings",
    "/v1/coalitions/willing/ceasefires",
    "/v1/subjects/willing/pledge/ground-troops",
    "/v1/subjects/willing/pledge/ground-troops/history",
    "/v1/coalitions/willing/timeline",
)


@pytest.mark.parametrize("path", EVERY_ANSWER)
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("mood=zqCanaryqz", "/query/mood"),
        ("as_of=zqCanaryqz", "/query/as_of"),
        ("as_of=2025-02-30", "/query/as_of"),
        ("as_of=2025-07-10T14:30:00", "/query/as_of"),
        ("as_of=", "/query/as_of"),
        ("known_position=9999", "/query/known_position"),
        ("known_position=-1", "/query/known_position"),
        ("known_position=zqCanaryqz", "/query/known_position"),
        ("known_position=99999999999999999999", "/query/known_position"),
        ("known_at=2999-01-01T00:00:00Z", "/query/known_at"),
        ("known_at=2025-07-10", "/query/known_at"),
        ("known_at=zqCanaryqz", "/query/known_at"),
        ("known_at=2025-07-10T00:00:00Z&known_position=1", "/query/known_at"),
    ],
)
def test_a_point_that_cannot_be_asked_about_is_refused(world: World, path: str, query: str, pointer: str) -> None:
    check_problem(world.client.get(f"{path}?{query}"), 400, pointer)


@pytest.mark.parametrize(
    ("address", "pointer"),
    [
        ("/v1/coalitions/willing/commitments?limit=0", "/query/limit"),
        ("/v1/coalitions/willing/commitments?limit=501", "/query/limit"),
        ("/v1/coalitions/willing/commitments?limit=zqCanaryqz", "/query/limit"),
        ("/v1/coalitions/willing/commitments?after=zqCanaryqz", "/query/after"),
        ("/v1/coalitions/willing/commitments?after=%C3%A9", "/query/after"),
        ("/v1/coalitions/willing/commitments?category=zqCanaryqz", "/query/category"),
        ("/v1/coalitions/willing/commitments?firmness=zqCanaryqz", "/query/firmness"),
        ("/v1/coalitions/willing/commitments?min_firmness=zqCanaryqz", "/query/min_firmness"),
        ("/v1/coalitions/willing/commitments?status=zqCanaryqz", "/query/status"),
        ("/v1/coalitions/willing/commitments?stale=zqCanaryqz", "/query/stale"),
        ("/v1/coalitions/willing/commitments?country=zqCanaryqz", "/query/country"),
        ("/v1/countries/GB/commitments?coalition=zq%20Canaryqz", "/query/coalition"),
        ("/v1/coalitions/willing/timeline?kind=zqCanaryqz", "/query/kind"),
        ("/v1/coalitions/willing/timeline?country=zqCanaryqz", "/query/country"),
        ("/v1/coalitions/willing/timeline?from=zqCanaryqz", "/query/from"),
        ("/v1/coalitions/willing/timeline?to=2025-13", "/query/to"),
        ("/v1/coalitions/willing/timeline?from=2025-07&to=2025-03", "/query/to"),
        ("/v1/coalitions/willing/timeline?q=%00zqCanaryqz", "/query/q"),
        ("/v1/coalitions/willing/timeline?limit=501", "/query/limit"),
        ("/v1/coalitions/willing/changes", "/query/from"),
        ("/v1/coalitions/willing/changes?from=2025-01-01", "/query/to"),
        ("/v1/coalitions/willing/changes?from=2025-07-01&to=2025-01-01", "/query/to"),
        ("/v1/coalitions/willing/changes?from=2025-01-01&to=zqCanaryqz", "/query/to"),
        ("/v1/coalitions/willing/changes?from=2025&to=2026&mood=zqCanaryqz", "/query/mood"),
        ("/v1/coalitions/willing/changes?from=2025&to=2026&to_position=9999", "/query/known_position"),
        ("/v1/coalitions/willing/changes?from=2025&to=2026&to_known_at=zqCanaryqz", "/query/to_known_at"),
        ("/v1/coalitions/willing/changes?from=2025&to=2026&to_position=1&to_known_position=2", "/query/to_known_at"),
        ("/v1/coalitions/willing/changes?from=2025&to=2026&from_position=2&to_position=1", "/query/to_known_position"),
        ("/v1/events?after=-1", "/query/after"),
        ("/v1/events?after=zqCanaryqz", "/query/after"),
        ("/v1/events?limit=0", "/query/limit"),
        ("/v1/events?mood=zqCanaryqz", "/query/mood"),
        ("/v1/actors?limit=501", "/query/limit"),
        ("/v1/actors?mood=zqCanaryqz", "/query/mood"),
        ("/v1/actors?q=" + "zqCanaryqz" * 11, "/query/q"),
    ],
)
def test_a_parameter_is_refused(world: World, address: str, pointer: str) -> None:
    check_problem(world.client.get(address), 400, pointer)


def cursor(content: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


@pytest.mark.parametrize("path", ["/v1/coalitions/willing/commitments", "/v1/coalitions/willing/timeline"])
@pytest.mark.parametrize(
    "content",
    [
        ["2025-07-10T00:00:00Z", True, ["x"]],
        ["2025-07-10T00:00:00Z", 1, [5]],
        ["2025-07-10T00:00:00Z", 1, []],
        ["2025-07-10T00:00:00Z", 1, ["x", 1]],
        ["2025-07-10T00:00:00Z", 1, {"x": 1}],
        ["2025-07-10T00:00:00Z", -1, ["x"]],
        ["2025-07-10T00:00:00Z", 2**63, ["x"]],
        ["2025-07-10T00:00:00Z", 9999, ["x"]],
        [5, 1, ["x"]],
        ["yesterday", 1, ["x"]],
        {"a": 1, "b": 2, "c": 3},
        5,
    ],
)
def test_a_cursor_that_is_none_of_ours_is_refused(world: World, path: str, content: Any) -> None:
    if path.endswith("commitments") and content == ["2025-07-10T00:00:00Z", 1, ["x", 1]]:
        content = ["2025-07-10T00:00:00Z", 1, [["x"]]]
    check_problem(world.client.get(f"{path}?after={cursor(content)}"), 400)


@pytest.mark.parametrize("path", EVERY_ANSWER[1:3] + EVERY_ANSWER[3:4] + EVERY_ANSWER[5:])
def test_an_unknown_coalition_is_not_found(world: World, path: str) -> None:
    for name in (CANARY, "no-such", "%00", "a%00b", "%C3%A9", "x" * 300):
        check_problem(world.client.get(path.replace("willing", name)), 404)


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/countries/{CANARY}/commitments",
        "/v1/countries/org:nato/commitments",
        "/v1/countries/%00/commitments",
        f"/v1/subjects/willing/{CANARY}/ground-troops",
        f"/v1/subjects/willing/pledge/{CANARY}/history",
        f"/v1/events/{CANARY}",
        f"/v1/events/{ABSENT}",
        "/v1/events/%00",
        f"/{CANARY}",
        "/v1",
        "/v1/statements/nothing",
        "/v1//",
    ],
)
def test_what_is_not_there_is_not_found(world: World, path: str) -> None:
    check_problem(world.client.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/statements"),
        ("GET", "/v1/statements"),
        ("PUT", "/v1/coalitions"),
        ("POST", "/v1/events"),
        ("PATCH", f"/v1/events/{ABSENT}"),
        ("DELETE", f"/v1/events/{ABSENT}"),
        ("POST", "/v1/coalitions/willing/status"),
    ],
)
def test_another_method_is_refused_and_told_which_are_taken(world: World, method: str, path: str) -> None:
    answer = world.client.request(method, path)
    check_problem(answer, 405)
    assert answer.headers["Allow"] in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", [f"/v1/events/{ABSENT}?mood=zqCanaryqz", "/v1/statements?dry=zqCanaryqz", "/v1/coalitions?mood=zqCanaryqz"]
)
def test_an_unknown_parameter_is_refused_where_nothing_is_asked(world: World, path: str) -> None:
    head = world.head
    said: Json = {"slug": "new", "name": "New"} if "coalitions" in path else statement()
    answer = world.client.get(path) if "/events/" in path else world.client.post(path, json=said)
    check_problem(answer, 400)
    assert world.head == head


def test_whoever_sends_an_unknown_parameter_is_told_those_that_there_are(world: World) -> None:
    for path, there in (
        ("/v1/coalitions/willing/changes?form=2025", "there are after, count, "),
        ("/v1/countries/GB/commitments?asof=2025", "there are as_of, "),
        (f"/v1/events/{ABSENT}?mood=low", "there "),
        ("/version?x=1", "there is none."),
    ):
        assert there in world.client.get(path).json()["detail"], path


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/coalitions/", "something is at /v1/coalitions."),
        ("/v1/coalitions/willing/status//", "something is at /v1/coalitions/willing/status."),
        ("/coalitions/willing/status", "something is at /v1/coalitions/willing/status."),
        ("/statements/", "something is at /v1/statements."),
        ("/v1/coalition/willing", "GET / says where to begin."),
        ("/v1/countries/GB", "GET / says where to begin."),
        ("//evil.example/", "GET / says where to begin."),
        ("/", None),
    ],
)
def test_whoever_asks_at_nearly_an_address_is_told_the_one_that_there_is(
    world: World, path: str, told: str | None
) -> None:
    answer = world.client.get(f"http://testserver{path}", follow_redirects=False)
    if told is None:
        assert answer.status_code == 200
    else:
        check_problem(answer, 404)
        assert answer.json()["detail"] == f"Nothing is served at this address; {told}"


@pytest.mark.parametrize("as_of", ["0001-01-01", "0001-01-01T00:00:00Z", "1648-10-24"])
@pytest.mark.parametrize("path", EVERY_ANSWER)
def test_before_everything_there_is_an_empty_answer_and_no_error(world: World, path: str, as_of: str) -> None:
    answer = world.client.get(f"{path}?as_of={as_of}")
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert not [one for one in content.get("items", []) if "statements" in one]
    assert content["basis"]["as_of"].startswith(as_of[:10])


@pytest.mark.parametrize("as_of", ["9999-12-31", "9999", "9999-12-31T23:59:59.999999Z"])
def test_the_end_of_time_is_answered_like_any_other_day(world: World, as_of: str) -> None:
    found = world.client.get(f"/v1/coalitions/willing/commitments?as_of={as_of}").json()
    assert [one["subject"] for one in found["items"]] == ["ground-troops"]


def test_a_fault_within_a_list_is_not_told_of_the_list_too(world: World) -> None:
    said = statement(sources=[{"title": "A report", "url": "javascript:1"}])
    refused = world.client.post("/v1/statements", json=said)
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/sources/0/url"]


# --- rights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer pr_zqCanaryqz", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Basic zqCanaryqz", 401),
        ("Bearer pr_expired", 401),
        ("Bearer pr_reader", 403),
    ],
)
@pytest.mark.parametrize(
    "path", ["/v1/statements", "/v1/statements/batch", "/v1/coalitions", f"/v1/events/{ABSENT}/sources"]
)
def test_recording_needs_a_token_whose_role_allows_it(world: World, path: str, header: str | None, status: int) -> None:
    head = world.head
    del_header = {"Authorization": header} if header is not None else {}
    request = world.client.build_request("POST", path, json=statement(), headers=del_header)
    if header is None:
        del request.headers["Authorization"]
    answer = world.client.send(request)
    check_problem(answer, status)
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert world.head == head


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("pr_zqCanaryqz", "The scheme Bearer is missing"),
        ("Basic zqCanaryqz", "The scheme Bearer is missing"),
        ("", "The scheme Bearer is missing"),
        ("Bearer:pr_zqCanaryqz", "The scheme Bearer is missing"),
        ("Bearer", "No token stands behind the scheme"),
        ("bearer  ", "No token stands behind the scheme"),
        ("Bearer pr_zqCanaryqz", "No token is known"),
    ],
)
def test_whoever_sends_no_token_in_the_header_is_told_what_is_missing_and_shown_the_whole(
    world: World, header: str, sentence: str
) -> None:
    for answer in (
        world.client.get("/v1/events", headers={"Authorization": header}),
        world.client.post("/v1/statements", json=statement(), headers={"Authorization": header}),
    ):
        check_problem(answer, 401)
        assert answer.json()["detail"].startswith(sentence)
        assert "Authorization: Bearer" in answer.json()["detail"]


def test_reading_with_an_unknown_token_is_refused_though_reading_is_open(world: World) -> None:
    check_problem(world.client.get("/v1/events", headers={"Authorization": "Bearer pr_zqCanaryqz"}), 401)


def test_reading_needs_a_token_where_it_is_closed(database: str) -> None:
    with registry(database, reading_is_open=False) as client:
        assert client.get("/v1/events").status_code == 200
        client.headers.pop("Authorization")
        for path in ("/v1/events", "/v1/coalitions/willing/status?as_of=2025-01-01&known_position=1", "/v1/actors"):
            check_problem(client.get(path), 401)


# --- retries ----------------------------------------------------------------------------------------------------------


def test_an_idempotency_key_is_used_for_one_request_only(world: World) -> None:
    key = {"Idempotency-Key": "zqCanaryqz"}
    made = world.client.post("/v1/statements", json=statement(subject="once"), headers=key)
    assert made.status_code == 201
    head = world.head
    check_problem(world.client.post("/v1/statements", json=statement(subject="twice"), headers=key), 422)
    check_problem(world.client.post("/v1/statements/batch", json=[statement(subject="once")], headers=key), 422)
    assert world.head == head


@pytest.mark.parametrize(
    ("key", "status"), [("", 422), ('""', 422), ("  ", 422), ("zqCanaryqz" * 30, 422), ("zqCanary\tqz", 422)]
)
def test_an_idempotency_key_is_a_word(world: World, key: str, status: int) -> None:
    head = world.head
    check_problem(world.client.post("/v1/statements", json=statement(), headers={"Idempotency-Key": key}), status)
    assert world.head == head


def test_a_refused_request_keeps_no_idempotency_key(world: World) -> None:
    key = {"Idempotency-Key": "tried-again"}
    refused = statement(coalition="unregistered", subject="retry")
    check_problem(world.client.post("/v1/statements", json=refused, headers=key), 422)
    assert world.client.post("/v1/statements", json=statement(subject="retry"), headers=key).status_code == 201


# --- anything at all --------------------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["GB", "2025-13", "pledge.stated", "\x00", "../..", "9" * 40, "EUR"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A valid statement with one to three members replaced, removed or added."""
    said: Any = copy.deepcopy(statement(draw(st.sampled_from(NAMES))))
    for _ in range(draw(st.integers(1, 3))):
        where: Any = said
        while isinstance(where, dict | list) and where and draw(st.booleans()):
            keys = list(where) if isinstance(where, dict) else list(range(len(where)))
            inner = where[draw(st.sampled_from(keys))]
            if not isinstance(inner, dict | list):
                break
            where = inner
        if isinstance(where, dict):
            name = draw(st.sampled_from([*where, "extra", "quantity", "money", "conditions", "said_by"]))
            if draw(st.booleans()):
                where.pop(name, None)
            else:
                where[name] = draw(JSON_VALUES)
        elif isinstance(where, list):
            where.append(draw(JSON_VALUES))
    return said


def encoded(value: Any) -> bytes:
    """JSON that may hold what orjson refuses to write."""
    return json.dumps(value).encode()


@given(said=mutated())
@histories(150)
def test_no_mutation_of_a_statement_makes_the_service_fail(world: World, said: Any) -> None:
    headers = {"Content-Type": "application/json"}
    answer = world.client.post("/v1/statements", content=encoded(said), headers=headers)
    assert answer.status_code in (201, 409, 422), answer.text


@given(changes=st.dictionaries(st.sampled_from(["summary", "actors", "body", "sources", "occurred", "x"]), JSON_VALUES))
@histories(80)
def test_no_correction_makes_the_service_fail(world: World, changes: Any) -> None:
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    body = encoded({"changes": changes, "reason": "other"})
    answer = world.client.post(f"/v1/events/{world.elsewhere}/corrections", content=body, headers=headers)
    assert answer.status_code in (201, 409, 422), answer.text


@given(query=st.dictionaries(st.sampled_from(["as_of", "known_at", "limit", "after", "q", "kind", "from"]), st.text()))
@histories(100)
def test_no_question_makes_the_service_fail(world: World, query: dict[str, str]) -> None:
    safe = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    answer = world.client.get("/v1/coalitions/willing/timeline", params=safe)
    assert answer.status_code in (200, 400), answer.text


def test_a_method_that_an_address_does_not_take_is_told_all_that_it_takes(world: World) -> None:
    answer = world.client.request("OPTIONS", "/v1/coalitions")
    check_problem(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, POST"


def test_what_is_no_http_is_refused_like_everything_else(database: str) -> None:
    with open_folder() as folder, serving(folder, "--no-seeds", DATABASE_URL=database) as server:
        for line in (b"nonsense zqCanaryqz", b"GET / HTTP/1.1\r\nzqCanaryqz", b"GET /\x01zqCanaryqz HTTP/1.1"):
            with socket.create_connection((server.host, server.port), timeout=PATIENCE) as connection:
                connection.sendall(line + b"\r\n\r\n")
                answer = http.client.HTTPResponse(connection)
                answer.begin()
                content = answer.read()
            assert answer.status == 400
            assert answer.headers["content-type"] == "application/problem+json"
            assert json.loads(content)["type"] == "/problems/bad-request"
            assert CANARY not in content.decode()
            (told,) = [one for one in server.said().splitlines() if answer.headers["X-Request-Id"] in one]
            assert "no HTTP" in told
        assert CANARY not in server.said()
