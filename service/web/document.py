"""The OpenAPI document, made of what the routes say of themselves; in version 3.1, and in 3.2 for streams.

The framework's own document knows only what it decodes and encodes itself, and here it does neither.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.routing import BaseRoute

from service.domain.answers import Json
from service.web.describing import KEY, Answer, Described, Items
from service.web.kinds_of_problem import KINDS
from service.web.schemas import Problem, Schemas
from service.web.sending import JSON
from service.web.serving import Door
from service.web.vocabulary import ABOUT, PATH, SENT, SOMETIMES, TAGS, TAKEN

VERSIONS = {"3.1": "3.1.1", "3.2": "3.2.0"}
_EXAMPLES = Path(__file__).with_name("examples.json")

LIMITS = ("RateLimit-Policy", "RateLimit")
_ALWAYS = ("X-Request-Id",)
_OF_PROBLEM = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.METHOD_NOT_ALLOWED: ("Allow",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After", *LIMITS),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}
_AT_TIMES = {HTTPStatus.CONFLICT: ("Retry-After",)}  # where the same request is still running

_FAULTS = {
    400: {"pointer": "/query/as_of", "code": "value_error", "detail": "Send a date such as 2025-07-10."},
    422: {"pointer": "/body/quantity", "code": "value_error", "detail": "A number needs its `unit`, such as persons."},
}


class Application(FastAPI):
    """The application, whose document is ours."""

    def __init__(self, *, sends: Mapping[str, Described], **settings: Any) -> None:  # noqa: ANN401 - the framework's
        """``sends`` is what subscribers are sent, by name."""
        super().__init__(**settings)
        self._sends = sends
        self._documents: dict[str, Json] = {}

    def openapi(self) -> Json:
        """The document in the version that most tools read."""
        return self.document("3.1")

    def document(self, version: str) -> Json:
        """The document in a version of OpenAPI, a key of `VERSIONS`; made once."""
        if version not in self._documents:
            self._documents[version] = render_document(
                self.router.routes, self._sends, self.title, self.version, version
            )
        return self._documents[version]


def render_document(
    routes: Iterable[BaseRoute], sends: Mapping[str, Described], title: str, release: str, version: str
) -> Json:
    """The OpenAPI document of all routes, and of what subscribers are sent."""
    doors = doors_among(routes)
    schemas = Schemas([*map(described, doors), *sends.values()])
    paths: dict[str, Json] = {}
    for door in sorted(doors, key=lambda one: one.path_format):
        for method in sorted(door.methods or ()):
            paths.setdefault(door.path_format, {})[method.lower()] = _operation(door, schemas, version)
    statuses = {status for door in doors for status in described(door).refuses} | {405}  # which no method answers
    document: Json = {
        "openapi": VERSIONS[version],
        "info": {
            "title": title,
            "version": release,
            "summary": "Who has promised what, on which conditions, as of any date and as known at any moment.",
            "description": ABOUT,
        },
        "servers": [{"url": "/", "description": "this registry"}],
        "tags": [{"name": name, "description": what} for name, what in TAGS.items()],
        "paths": paths,
        "webhooks": {name: {"post": _sending(name, said, schemas, version)} for name, said in sends.items()},
        "components": {
            "responses": {_name_of(status): _problem(status, schemas) for status in sorted(statuses)},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token. Each has a role: reader < contributor < editor < approver < admin.",
                }
            },
        },
    }
    document["components"]["schemas"] = schemas.needed_by(document)
    return document


def doors_among(routes: Iterable[BaseRoute]) -> list[Door]:
    """The routes that stand in the document: those for programs."""
    return [route for route in routes if isinstance(route, Door) and route.include_in_schema]


def described(door: Door) -> Described:
    """What a route says of itself; raises KeyError with its address where it says nothing."""
    try:
        found: Described = (door.openapi_extra or {})[KEY]
    except KeyError:
        raise KeyError(f"{door.path_format} says nothing of itself: give it openapi_extra=documented(…)") from None
    return found


def _operation(door: Door, schemas: "Schemas", version: str) -> Json:
    said = described(door)
    examples = _examples().get(door.operation_id or "", {})
    summary, _, description = (door.summary or door.description).partition("\n\n")
    told = LIMITS if HTTPStatus.TOO_MANY_REQUESTS in said.refuses else ()
    answers = {
        str(status): _answer(
            replace(one, headers=(*one.headers, *told)), schemas, version, examples.get(str(status), {})
        )
        for status, one in said.answers.items()
    }
    refusals = {str(status): {"$ref": f"#/components/responses/{_name_of(status)}"} for status in sorted(said.refuses)}
    operation: Json = {
        "operationId": door.operation_id,
        "tags": list(door.tags),
        "summary": summary.rstrip(".").replace("\n", " "),
        **({"description": description} if description else {}),
        "parameters": [*_path_parameters(door), *_query_parameters(said.asked, schemas), *_header_parameters(said)],
        **({"requestBody": _body(said, schemas, version, examples)} if said.body else {}),
        "responses": dict(sorted({**answers, **refusals}.items())),
        "security": list(said.security),
    }
    return {name: value for name, value in operation.items() if value != [] or name == "security"}


def _sending(name: str, said: Described, schemas: "Schemas", version: str) -> Json:
    """What a receiver is sent, and what its answers mean."""
    return {
        "operationId": name,
        "tags": ["webhooks"],
        "summary": "What a webhook is sent",
        "parameters": list(_header_parameters(said)),
        "requestBody": _body(said, schemas, version, {}),
        "responses": {str(status): _answer(one, schemas, version, {}) for status, one in said.answers.items()},
        "security": [],
    }


def _path_parameters(door: Door) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", door.path_format):
        yield _parameter(name, "path", PATH[name], required=True)


def _header_parameters(said: Described) -> Iterator[Json]:
    headers = [*said.headers, *(["If-None-Match"] if HTTPStatus.NOT_MODIFIED in said.answers else [])]
    for name in headers:
        yield _parameter(name, "header", TAKEN[name], required=False)
    for name in said.needs:
        yield _parameter(name, "header", TAKEN[name], required=True)


def _parameter(name: str, where: str, about: Json, *, required: bool) -> Json:
    schema = {key: value for key, value in about.items() if key not in ("description", "example")}
    return {
        "name": name,
        "in": where,
        "required": required,
        "description": about["description"],
        "schema": {"type": "string", **schema},
        **({"example": about["example"]} if "example" in about else {}),
    }


def _query_parameters(asked: type[BaseModel] | None, schemas: "Schemas") -> Iterator[Json]:
    if asked is None:
        return
    model = schemas.whole(asked)
    for name, member in model["properties"].items():
        schema = _without_null(member)
        description = schema.pop("description", None)
        yield {
            "name": name,
            "in": "query",
            "required": name in model.get("required", ()),
            **({"description": description} if description else {}),
            "schema": schema,
        }


def _without_null(schema: Json) -> Json:
    """A parameter is there or is not; none is null."""
    kept = {key: value for key, value in schema.items() if (key, value) != ("default", None)}
    choices = [one for one in kept.pop("anyOf", ()) if one != {"type": "null"}]
    return {**kept, **choices[0]} if len(choices) == 1 else {**kept, **({"anyOf": choices} if choices else {})}


def _body(said: Described, schemas: "Schemas", version: str, examples: Json) -> Json:
    return {
        "required": said.body_required,
        "content": {
            media: _media(one, schemas, version, examples.get("request", {}) if media == JSON else {})
            for media, one in said.body.items()
        },
    }


def _answer(one: Answer, schemas: "Schemas", version: str, examples: Json) -> Json:
    return {
        "description": one.what,
        "headers": {name: _sent(name, perhaps=name in one.perhaps) for name in (*one.headers, *_ALWAYS)},
        **(
            {
                "content": {
                    media: _media(kind, schemas, version, examples if media == JSON else {})
                    for media, kind in one.content.items()
                }
            }
            if one.content
            else {}
        ),
        **(
            {"links": {name: {"operationId": name, "parameters": dict(found)} for name, found in one.links.items()}}
            if one.links
            else {}
        ),
    }


def _media(kind: Any, schemas: "Schemas", version: str, examples: Json) -> Json:  # noqa: ANN401 - any type, or a schema
    shown = {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}
    if isinstance(kind, Items):
        items = schemas.of(kind.of)
        return {"itemSchema" if version == "3.2" else "schema": items, **shown}  # 3.1 can say it of one alone
    return {"schema": kind if isinstance(kind, dict) else schemas.of(kind), **shown}


def _sent(name: str, *, perhaps: bool = False) -> Json:
    about = SENT[name]
    return {
        "description": about["description"],
        "required": not perhaps and name not in SOMETIMES,
        "schema": {"type": about.get("type", "string")},
    }


def _name_of(status: int) -> str:
    return KINDS[status].title.replace(" ", "")


def _problem(status: int, schemas: "Schemas") -> Json:
    """A kind of refusal, with an example."""
    kind, fault = KINDS[status], _FAULTS.get(status)
    example: Json = {"type": kind.type, "title": kind.title, "status": status, "detail": kind.what}
    if fault:
        example |= {"detail": "The request is not valid; see `errors` for where and why.", "errors": [fault]}
    headers, at_times = (which.get(HTTPStatus(status), ()) for which in (_OF_PROBLEM, _AT_TIMES))
    return {
        "description": f"{kind.what} {kind.remedy}",
        "headers": {
            **{name: _sent(name) for name in (*headers, *_ALWAYS)},
            **{name: {**_sent(name), "required": False} for name in at_times},
        },
        "content": {"application/problem+json": {"schema": schemas.of(Problem), "example": example}},
    }


@lru_cache(maxsize=1)
def _examples() -> Json:
    """Examples by operationId: requests that the service takes, and what it answered to them. Tests made them."""
    found: Json = orjson.loads(_EXAMPLES.read_bytes()) if _EXAMPLES.exists() else {}
    return found
