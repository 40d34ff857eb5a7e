"""Each operation of the OpenAPI document, asked what it does not take: one by one, and with nothing left to chance."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from starlette.testclient import TestClient

from service.main import create_app
from service.settings import Settings
from service.web.document import Application
from tests.conftest import fresh_database
from tests.registry import Json, allow, client_of, settings_for

APP: Application = create_app(Settings())
DOCUMENT = APP.document("3.1")
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


class Operation(NamedTuple):
    """What the document says of one."""

    method: str
    path: str
    said: Json

    @property
    def address(self) -> str:
        """Its path, with the examples of the names in it."""
        named = {one["name"]: one["example"] for one in self.said.get("parameters", ()) if one["in"] == "path"}
        return self.path.format(**named)

    @property
    def needed(self) -> Json:
        """The parameters of its query that it cannot do without."""
        asked = [one for one in self.said.get("parameters", ()) if one["in"] == "query" and one["required"]]
        return {one["name"]: one["schema"]["examples"][0] for one in asked}

    @property
    def body(self) -> Any:
        """A body that it takes; None where it takes none."""
        content = self.said.get("requestBody", {}).get("content", {}).get("application/json")
        return None if content is None else next(iter(content["examples"].values()))["value"]


OPERATIONS = {
    said["operationId"]: Operation(method.upper(), path, said)
    for path, methods in DOCUMENT["paths"].items()
    for method, said in methods.items()
}
WITH_BODY = [name for name, one in OPERATIONS.items() if "requestBody" in one.said]
GETS = [name for name, one in OPERATIONS.items() if one.method == "GET"]


@pytest.fixture(scope="module")
def client(server_url: str, template: str) -> Iterator[TestClient]:
    """A client that may do everything, of a register in which nothing is recorded."""
    with fresh_database(server_url, template) as url:
        allow(url, role="admin")
        with client_of(create_app(settings_for(url))) as found:
            yield found


def ask(client: TestClient, one: Operation, **more: Any) -> Any:
    """Asks as the document says, but for what is said otherwise."""
    told: Json = {"params": one.needed, "headers": {"If-Match": "*"} if one.method != "GET" else {}}
    if one.body is not None and "content" not in more:
        told["json"] = one.body
    return client.request(one.method, one.address, follow_redirects=False, **{**told, **more})


@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if "400" in one.said["responses"]])
def test_a_parameter_that_the_document_does_not_have_is_refused(client: TestClient, name: str) -> None:
    one = OPERATIONS[name]
    refused = ask(client, one, params=one.needed | {"surplus": "1"})
    assert refused.status_code == 400, refused.text
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/query/surplus"]


@pytest.mark.parametrize("name", [name for name in WITH_BODY if OPERATIONS[name].body is not None])
def test_a_field_that_the_document_does_not_have_is_refused(client: TestClient, name: str) -> None:
    one = OPERATIONS[name]
    body = [{**one.body[0], "surplus": 1}] if isinstance(one.body, list) else {**one.body, "surplus": 1}
    refused = ask(client, one, json=body)
    there = 404 if "{" in one.path and refused.status_code == 404 else 422  # what is not there takes nothing
    assert refused.status_code == there, refused.text
    if there == 422:
        assert any(fault["pointer"].endswith("/surplus") for fault in refused.json()["errors"]), refused.text


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_body_of_a_type_that_the_document_does_not_have_is_refused(client: TestClient, name: str) -> None:
    one = OPERATIONS[name]
    refused = ask(client, one, content=b"surplus", headers={"Content-Type": "application/x-surplus", "If-Match": "*"})
    assert refused.status_code in ((404, 415) if "{" in one.path else (415,)), refused.text


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_a_method_that_the_document_does_not_have_is_refused_with_those_that_it_has(
    client: TestClient, path: str
) -> None:
    here = {one.method: one for one in OPERATIONS.values() if one.path == path}
    address = next(iter(here.values())).address
    allowed = set(here) | ({"HEAD"} if "GET" in here else set())
    for method in sorted(METHODS - allowed):
        refused = client.request(method, address)
        assert refused.status_code == 405, (method, refused.text)
        assert allowed <= set(refused.headers["Allow"].split(", "))
        assert refused.json()["type"] == "/problems/method-not-allowed"


@pytest.mark.parametrize("name", GETS)
def test_there_is_a_head_beside_each_get(client: TestClient, name: str) -> None:
    one = OPERATIONS[name]
    head = client.request("HEAD", one.address, params=one.needed, follow_redirects=False)
    assert head.content == b""
    assert str(head.status_code) in one.said["responses"]
    if name != "streamEvents":  # it has no end
        whole = client.get(one.address, params=one.needed, follow_redirects=False)
        assert head.status_code == whole.status_code
        assert head.headers.get("Content-Type") == whole.headers.get("Content-Type")


def test_every_problem_of_the_document_has_a_page_with_what_helps(client: TestClient) -> None:
    problems = DOCUMENT["components"]["responses"]
    assert len(problems) > 10
    for problem in problems.values():
        example = problem["content"]["application/problem+json"]["example"]
        page = client.get(example["type"])
        assert page.status_code == 200
        assert "What helps" in page.text
        assert str(example["status"]) in page.text


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_options_are_answered_the_document_has_or_names_the_methods(client: TestClient, name: str) -> None:
    one = OPERATIONS[name]
    told = client.options(one.address)
    assert told.status_code in (200, 204, 405), told.text
    assert one.method in told.headers["Allow"].split(", ")
