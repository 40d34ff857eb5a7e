"""The schemas of the OpenAPI document: of all types that routes name, each once; and that of a problem."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from service.domain.answers import Json
from service.web.describing import Described, Items

REF = "#/components/schemas/{model}"


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class Fault(_Said):
    """One thing that is wrong."""

    pointer: str = Field(description="where: a JSON Pointer (RFC 6901) into the body; `/query/…` for a parameter")
    code: str = Field(description="what is wrong, for programs")
    detail: str = Field(description="what is wrong and what to send instead, for people")
    row: int = Field(default_factory=int, description="in a file: the number of the row; the pointer leads into it")
    column: str = Field(default_factory=str, description="in a table: the name of the column")


class Problem(_Said):
    """A refusal or a failure (RFC 9457). What was sent is never repeated."""

    type: str = Field(description="the address of a page that explains this kind of problem", pattern="^/problems/")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="what has happened here and what helps, for people")
    errors: list[Fault] = Field(default_factory=list, description="the parts of the request that are at fault")
    error_count: int = Field(default_factory=int, description="in a file: how many faults there are in all")


class _Generator(GenerateJsonSchema):
    """Schemas without a title for each field: it would only repeat the name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - as the class above has it
        del schema
        return False


class Schemas:
    """The schemas of all types that routes name, each once."""

    def __init__(self, routes: Iterable[Described]) -> None:
        self._types: dict[int, Any] = {}
        self._keep(Problem)
        for said in routes:
            self._keep(said.asked)
            for content in (said.body, *(one.content for one in said.answers.values())):
                for kind in content.values():
                    self._keep(kind.of if isinstance(kind, Items) else kind)
        mode: Literal["validation"] = "validation"  # in which an answer's fields are as optional as they are in truth
        inputs = [(key, mode, TypeAdapter(kind)) for key, kind in self._types.items()]
        found, definitions = TypeAdapter.json_schemas(inputs, ref_template=REF, schema_generator=_Generator)
        self._found: Mapping[tuple[int, str], Json] = found  # type: ignore[assignment]  # keys are as they were given
        self._definitions: Json = definitions.get("$defs", {})

    def _keep(self, kind: Any) -> None:  # noqa: ANN401 - any type
        if kind is not None and not isinstance(kind, dict):
            self._types[id(kind)] = kind

    def of(self, kind: Any) -> Json:  # noqa: ANN401 - any type
        """The schema of a type: a reference where it has a name."""
        return dict(self._found[id(kind), "validation"])

    def whole(self, kind: Any) -> Json:  # noqa: ANN401 - any type
        """The schema of a type, written out."""
        schema = self.of(kind)
        return dict(self._definitions[schema["$ref"].rpartition("/")[2]]) if "$ref" in schema else schema

    def needed_by(self, document: Json) -> Json:
        """The named schemas that a document refers to, and those that they refer to."""
        needed: dict[str, Json] = {}
        waiting = list(_references(document))
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed[name] = self._definitions[name]
                waiting += _references(needed[name])
        return dict(sorted(needed.items()))


def _references(part: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str) and reference.startswith(REF.partition("{")[0]):
            yield reference.rpartition("/")[2]
        for member in part.values():
            yield from _references(member)
    elif isinstance(part, list):
        for member in part:
            yield from _references(member)
