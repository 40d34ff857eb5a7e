"""The OpenAPI document says everything that the service does, and nothing else: held to the routes and to answers."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, OpenAPIV32SpecValidator
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from service.api.kept import DraftKept, DraftRecorded
from service.domain.errors import Invalid
from service.domain.kinds import KINDS, parse_event
from service.load import load_seeds
from service.main import create_app
from service.settings import Settings
from service.web.describing import Items
from service.web.document import Application, described, doors_among
from service.web.kinds_of_problem import KINDS as PROBLEMS
from service.web.serving import Door
from service.web.vocabulary import TAGS
from tests.conftest import fresh_database
from tests.examples import FILE, render, storyteller, tell
from tests.registry import Json, client_of, note, post, recording, register, registry, settings_for, statement

SEEDS = Path(__file__).parents[1] / "seeds"
NEWER_WORDS = {"itemSchema", "itemEncoding", "prefixEncoding", "additionalOperations", "dataValue", "serializedValue"}
APP: Application = create_app(Settings())
DOORS = doors_among(APP.router.routes)


def operations(version: str = "3.1") -> dict[str, Json]:
    """Every operation of the document by its id."""
    paths = APP.document(version)["paths"]
    return {found["operationId"]: found for methods in paths.values() for found in methods.values()}


def objects(part: Any) -> Iterator[Json]:
    """Every object in a document."""
    if isinstance(part, dict):
        yield part
    for below in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from objects(below)


# --- the document ---


def test_the_document_is_valid_in_both_versions() -> None:
    OpenAPIV31SpecValidator(APP.document("3.1")).validate()
    OpenAPIV32SpecValidator(APP.document("3.2")).validate()


def test_words_of_the_newer_version_stand_only_in_it() -> None:
    assert NEWER_WORDS.isdisjoint(name for part in objects(APP.document("3.1")) for name in part)
    newer = operations("3.2")
    for operation, media in (("listEvents", "application/jsonl"), ("streamEvents", "text/event-stream")):
        assert "itemSchema" in newer[operation]["responses"]["200"]["content"][media]


def test_every_route_of_the_application_is_in_the_document() -> None:
    pages = [route for route in APP.router.routes if isinstance(route, Door) and not route.include_in_schema]
    assert len(DOORS) + len(pages) == len(APP.router.routes), (
        "a route that is no Door answers nothing that can be described"
    )
    paths = APP.document("3.1")["paths"]
    assert {(door.path_format, method.lower()) for door in DOORS for method in door.methods or ()} == {
        (path, method) for path, methods in paths.items() for method in methods
    }


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.operation_id or door.path_format)
def test_every_route_says_how_it_answers_and_what_it_refuses(door: Door) -> None:
    said = described(door)
    assert door.operation_id
    assert any(status < 400 for status in said.answers)
    for status, answer in said.answers.items():
        assert status < 400, "refusals are all alike: name them in `refuses`"
        assert answer.what
        assert answer.content or status in (204, 304), "say what stands in it"
    assert said.refuses <= set(PROBLEMS)
    assert 500 in said.refuses
    if door.path_format.startswith("/v1/"):
        assert {400, 401, 503} <= said.refuses
    if re.search(r"{\w+}", door.path_format):
        assert not {404, 401, 400}.isdisjoint(said.refuses)
    operation = operations()[door.operation_id]
    assert operation["summary"]
    assert set(operation["tags"]) <= set(TAGS)
    assert operation["tags"]


def test_refusals_say_which_headers_they_always_have_and_which_at_times() -> None:
    responses = APP.document("3.1")["components"]["responses"]
    told = {name: {one: how["required"] for one, how in found["headers"].items()} for name, found in responses.items()}
    assert told["MethodNotAllowed"]["Allow"]
    assert told["ServiceUnavailable"]["Retry-After"]
    assert told["TooManyRequests"]["Retry-After"]
    assert not told["Conflict"]["Retry-After"]
    assert responses["MethodNotAllowed"]["content"]["application/problem+json"]["example"]["status"] == 405


def test_programs_and_people_begin_at_the_same_address(database: str) -> None:
    with registry(database, reading_is_open=False) as client:
        index = client.get("/").json()
        for address in index["links"].values():
            assert client.head(address).status_code == 200, address
        del client.headers["Authorization"]
        browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
        led = client.get("/", headers=browser, follow_redirects=False)
        assert (led.status_code, led.headers["Location"], led.json()["url"]) == (303, "/docs", "/docs")
        assert f"({index['links']['people']})" in APP.document("3.1")["info"]["description"], "shown on that page"
        for accept in ("*/*", "application/json", "application/json, text/html;q=0.9", ""):
            assert client.get("/", headers={"Accept": accept}).json() == index
        assert client.get("/?x=1").status_code == 400


def test_what_subscribers_are_sent_is_in_the_document() -> None:
    sent = APP.document("3.1")["webhooks"]["receiveEvent"]["post"]
    assert {one["name"] for one in sent["parameters"]} == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert set(sent["requestBody"]["content"]) == {"application/cloudevents+json"}


def test_every_operation_has_a_name_of_its_own_and_every_link_leads_to_one() -> None:
    names = [door.operation_id for door in DOORS]
    assert len(set(names)) == len(names)
    found = operations()
    for operation in found.values():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                taken = {one["name"] for one in found[link["operationId"]]["parameters"]}
                assert set(link["parameters"]) <= taken


def test_no_two_types_share_a_name_in_the_document() -> None:
    for name in APP.document("3.1")["components"]["schemas"]:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), f"{name}: give one of the types another name"


def test_every_kind_of_statement_can_be_sent() -> None:
    body = operations()["recordStatement"]["requestBody"]["content"]["application/json"]["schema"]
    mapping = body["discriminator"]["mapping"]
    assert set(mapping) == {name for name, kind in KINDS.items() if hasattr(kind, "rank")}


def test_the_subject_that_holds_a_coalitions_names_is_refused_and_the_document_says_so() -> None:
    schema = {"$ref": "#/components/schemas/CoalitionStated", "components": APP.document("3.1")["components"]}
    said = statement("coalition.stated")
    Draft202012Validator(schema).validate(said)
    said["subject"] = "registration"
    with pytest.raises(Invalid) as refused:
        parse_event(said)
    assert [fault.pointer for fault in refused.value.faults] == ["/subject"]
    assert not Draft202012Validator(schema).is_valid(said)


def test_every_example_is_what_its_schema_says() -> None:
    document = APP.document("3.1")
    schemas = {"components": document["components"]}
    count = 0
    for part in objects(document):
        if not isinstance(part.get("schema"), dict):
            continue
        shown = [one["value"] for one in part.get("examples", {}).values()]
        shown += [part["example"]] if "example" in part else []
        for value in shown:
            Draft202012Validator({**part["schema"], **schemas}).validate(value)
            count += 1
    assert count > 100


def test_the_examples_are_what_the_service_takes_and_answers(database: str) -> None:
    with storyteller(database) as client:
        told = render(tell(client))
    assert told == FILE.read_text(encoding="utf-8"), "run `python -m tests.examples`, and look at what has changed"


@pytest.mark.parametrize("operation", sorted(operations()))
def test_every_operation_shows_an_example_of_the_json_that_it_takes_and_answers(operation: str) -> None:
    found = operations()[operation]
    taken = found.get("requestBody", {}).get("content", {}).get("application/json")
    assert taken is None or taken["examples"]
    answered = [
        answer["content"]["application/json"]
        for status, answer in found["responses"].items()
        if status in ("200", "201", "202") and "application/json" in answer.get("content", {})
    ]
    assert (
        not answered or operation in ("getDocument", "getNewerDocument") or any(one.get("examples") for one in answered)
    )


def test_the_document_is_served_and_kept_by_its_etag(database: str) -> None:
    with client_of(create_app(settings_for(database)), token=None) as client:
        for path, version in (("/openapi.json", "3.1"), ("/openapi-3.2.json", "3.2")):
            answer = client.get(path)
            assert answer.json()["openapi"].startswith(version)
            again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
            assert again.status_code == 304


# --- the page ---

_ADDRESS = re.compile(r"https?://[^\s\"'<>)]+")


def test_the_page_about_the_api_names_nothing_outside(database: str) -> None:
    with client_of(create_app(settings_for(database)), token=None) as client:
        page = client.get("/docs")
        assert not _ADDRESS.findall(page.text)
        sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(sources) > 3
        for source in sources:
            assert source.startswith(("/docs/", "/openapi", "data:,"))
            if source.startswith("/"):
                assert client.get(source).status_code == 200
        for file in ("", "/swagger-ui-bundle.js", "/swagger-ui.css", "/start.js"):
            policy = client.get(f"/docs{file}").headers["Content-Security-Policy"]
            allowed = {one for part in policy.split(";") for one in part.split()[1:]}
            assert allowed == {"'none'", "'self'", "data:"}
            assert policy.startswith("default-src 'none'")
        assert not re.findall(r"url\((?![\"']?data:)[^)]*", client.get("/docs/swagger-ui.css").text)


# --- answers ---


@pytest.fixture(scope="module")
def seeded(server_url: str, template: str) -> Iterator[TestClient]:
    """A registry with the seeds, with a coalition in which everything happens, and with quarrels about the record."""
    with fresh_database(server_url, template) as url:
        asyncio.run(_seed(url))
        with registry(url, coalition=None) as client:
            register(client, "busy")
            _quarrel(client)
            _wait(client)
            yield client


async def _seed(url: str) -> None:
    async with recording(url) as (_, recorder):
        await load_seeds(recorder, SEEDS)


def _quarrel(client: TestClient) -> None:
    """Every kind once, and twice what is disputed, about subjects that a status shows whole too."""
    kinds = [name for name, kind in KINDS.items() if hasattr(kind, "rank")]
    for kind in kinds:
        actors = [] if kind.startswith(("meeting", "coalition")) else ["GB"]
        said = statement(kind, coalition="busy", subject=kind.split(".")[0], actors=actors)
        if kind == "pledge.stated":
            said["body"] |= {"quantity": {"min": 1, "unit": "persons"}, "money": {"amount": "1", "currency": "EUR"}}
        post(client, said)
    for kind, changes in (
        ("pledge.stated", {"actors": ["group:others"]}),
        ("meeting.held", {"actors": []}),
        ("warning.issued", {"actors": ["RU"]}),
        ("pledge.stated", {"actors": ["person:jane-doe"]}),
        ("position.stated", {"occurred": {"edtf": "2025-07/2030-01", "basis": "deduced"}}),
    ):
        first, second = (
            post(client, statement(kind, coalition="busy", subject="disputed", summary=summary, **changes))["event"]
            for summary in ("One side says so.", "The other says otherwise.")
        )
        note(client, first["event_id"], "disputes", {"rivals": [{"event_id": second["event_id"]}]})
    third = post(client, statement(coalition="busy", subject="third"))["event"]["event_id"]
    again = post(client, statement(coalition="busy", subject="third", summary="Again."))["event"]["event_id"]
    note(client, again, "duplicates", {"original": third})
    note(client, third, "corrections", {"changes": {"summary": "Better."}, "reason": "entry_error"})
    note(client, third, "sources", {"sources": [{"title": "Another"}]})
    note(client, third, "retraction", {"reason": "legal", "note": "It had to go."})
    note(client, third, "reinstatement", {"reason": "other"})
    made = client.post("/v1/webhooks", json={"url": "https://nowhere.invalid/", "kind": "pledge"}).json()
    assert client.post(f"/v1/webhooks/{made['id']}/ping").json()["failure"] == "name"


POINTS = (
    "", "as_of=2025-03-17", "as_of=2025-07-31&known_position=13", "as_of=2025-07-31&known_position=16",
    "as_of=2026-01-31", "as_of=2030-01-01", "as_of=2025-07-31&known_position=0", "known_position=140",
    "as_of=2025-12", "as_of=2024", "known_position=73&as_of=9999-12-31",
)  # fmt: skip


def filled(door: Door, client: TestClient) -> Iterator[str]:
    """The addresses to which a route leads in the registry."""
    names = {
        "coalition": ["willing", "busy"],
        "code": ["GB", "FR", "TR", "RU"],
        "event_id": [one["id"] for one in client.get("/v1/events?limit=500").json()["items"]],
        "draft_id": [one["id"] for one in client.get("/v1/drafts").json()["items"]],
        "token_id": [one["id"] for one in client.get("/v1/tokens").json()["items"]],
        "name": [kind.name for kind in PROBLEMS.values()],
        "webhook_id": [one["id"] for one in client.get("/v1/webhooks").json()["items"]],
    }
    if "{slug}" in door.path_format:
        for coalition in names["coalition"]:
            timeline = client.get(f"/v1/coalitions/{coalition}/timeline?limit=500").json()["items"]
            for family, slug in {(one["kind"].split(".")[0], one["subject"]) for one in timeline}:
                yield door.path_format.format(coalition=coalition, family=family, slug=slug)
        return
    (name,) = re.findall(r"{(\w+)}", door.path_format) or [""]
    for value in names.get(name, [""]):
        yield door.path_format.format(**{name: value})


def _wait(client: TestClient) -> None:
    """Drafts in every state, one of them impossible by now, and tokens that are over."""
    made = client.post("/v1/tokens", json={"role": "contributor", "owner": "con"}).json()
    author = {"Authorization": f"Bearer {made['secret']}"}
    said = statement(coalition="busy")
    third = post(client, said)["event"]["event_id"]
    correction = {"changes": {"place": "Paris"}, "reason": "entry_error"}
    for path, content, decision in (
        (f"/v1/events/{third}/corrections", correction, ""),
        (f"/v1/events/{third}/retraction", {"reason": "legal"}, "approval"),
        ("/v1/statements", said, "approval"),
        ("/v1/statements", said, "rejection"),
        ("/v1/statements", said, "return"),
        ("/v1/statements", said, ""),
        ("/v1/statements/batch", [said, said], "approval"),
        ("/v1/statements/batch", [said, said], ""),
    ):
        put_up = client.post(path, json=content, headers=author | {"If-Match": "*"})
        DraftKept.model_validate_json(put_up.content)
        if decision:
            shape = DraftRecorded if decision == "approval" else DraftKept
            decided = client.post(f"{put_up.headers['Location']}/{decision}", json={"reason": "So it is."})
            shape.model_validate_json(decided.content)
    client.delete(f"/v1/tokens/{made['token']['id']}")


RECORDED = {"event_id", "position", "recorded_at", "recorded_by", "schema_version"}
ENDS = (
    "from=2025-01-01&to=2026-06-30", "from=2025-07-31&to=2025-07-31&from_position=13",
    "from=2000&to=2030&from_position=130",
)  # fmt: skip


def shape_of(door: Door) -> Any:
    """What a route says that it answers in JSON."""
    content = described(door).answers[200].content if 200 in described(door).answers else {}
    shape = content.get("application/json")
    return None if shape is None or isinstance(shape, dict) else shape


READING = [door for door in DOORS if door.methods == {"GET"} and shape_of(door) is not None]


@pytest.mark.parametrize("door", READING, ids=lambda door: door.operation_id)
def test_every_answer_has_the_shape_that_the_document_gives_it(seeded: TestClient, door: Door) -> None:
    shape = TypeAdapter(shape_of(door))
    model = described(door).asked
    asked = set(model.model_fields) if model else set()
    points = POINTS if "as_of" in asked else ENDS if "to_position" in asked else ("",)
    answered = 0
    for address in filled(door, seeded):
        for point in points:
            answer = seeded.get(f"{address}?{point}")
            assert answer.status_code in (200, 404), answer.text
            if answer.status_code == 200:
                shape.validate_json(answer.content)
                answered += 1
    assert answered


def test_what_an_event_says_is_what_its_kind_takes(seeded: TestClient) -> None:
    for one in seeded.get("/v1/events?limit=500").json()["items"]:
        event = seeded.get(f"/v1/events/{one['id']}").json()["event"]
        parse_event({name: value for name, value in event.items() if name not in RECORDED})


def test_every_line_of_the_log_and_every_event_of_a_batch_has_its_shape(seeded: TestClient) -> None:
    (door,) = (door for door in DOORS if door.operation_id == "listEvents")
    content = described(door).answers[200].content
    lines = content["application/jsonl"]
    assert isinstance(lines, Items)
    for line in seeded.get("/v1/events.jsonl").content.splitlines():
        TypeAdapter(lines.of).validate_json(line)
    batch = content["application/cloudevents-batch+json"]
    accept = {"Accept": "application/cloudevents-batch+json"}
    TypeAdapter(batch).validate_json(seeded.get("/v1/events?limit=500", headers=accept).content)


def test_what_a_write_answers_has_its_shape(database: str) -> None:
    shapes = {door.operation_id: described(door).answers for door in DOORS if door.methods == {"POST"}}
    with registry(database) as client:
        for kind in (name for name, kind in KINDS.items() if hasattr(kind, "rank")):
            said = statement(kind, subject=kind.split(".")[0], occurred={"edtf": "2025-07", "basis": "deduced"})
            for operation, path, body in (
                ("recordStatement", "/v1/statements", said),
                ("recordBatch", "/v1/statements/batch", [said | {"summary": "Another."}] * 2),
            ):
                for query, status in (("?dry_run=true", 200), ("", 201)):
                    answer = client.post(path + query, json=body)
                    assert answer.status_code == status, answer.text
                    TypeAdapter(shapes[operation][status].content["application/json"]).validate_json(answer.content)
