"""Walks from answer to answer, along the links of the OpenAPI document, and holds every answer to the document.

    FUZZ_TOKEN=… FUZZ_CONTRIBUTOR=… python -m tests.fuzzing_walk ADDRESS FILE --steps 1000 --seed 7

What is sent is made by Schemathesis, what is answered is checked by it; where to go is decided here, for the link that
was taken least. Its own walks end as soon as the same choices are answered otherwise, and a register answers otherwise
whenever something was recorded. FILE is written at the end: what became of each link.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import requests
import schemathesis
from schemathesis import Case, GenerationMode, Response
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.meta import TestPhase

from tests import fuzzing_hooks
from tests.fuzzing_sense import leave_out, make_sense, name_others, operation_of
from tests.processes import PATIENCE

AT_ONCE = 6  # requests that are made of an operation's schemas at a time
_WRITES = ("record", "register")
_HALF = 0.5
KEPT = 12  # answers of an operation from which a walk may go on
EVERY = 4  # so many steps begin anew, and do not go on from an answer


class Link(NamedTuple):
    """From an answer of one operation to a request of another."""

    source: str
    status: int
    target: str
    parameters: Mapping[str, str]

    def __str__(self) -> str:
        """As the summary names it."""
        return f"{self.source} {self.status} -> {self.target}"


class Answered(NamedTuple):
    """An answer, and what was asked."""

    case: Case[Any]
    response: Response


@dataclass(frozen=True)
class Found:
    """Something that the document does not have."""

    link: str
    told: str


def links_of(document: Any) -> Iterator[Link]:
    """Every link of a document."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                for link in answer.get("links", {}).values():
                    yield Link(operation["operationId"], int(status), link["operationId"], link["parameters"])


def resolve(expression: str, answered: Answered, choice: random.Random) -> Any:
    """What a runtime expression of OpenAPI stands for; None where the answer does not have it.

    The first of a list stands for any.
    """
    case, response = answered
    if expression.startswith("$request.path."):
        return case.path_parameters.get(expression.removeprefix("$request.path."))
    if expression.startswith("$response.header."):
        return next(iter(response.headers.get(expression.removeprefix("$response.header.").lower(), ())), None)
    if not expression.startswith("$response.body#/"):
        return expression
    if "json" not in response.headers.get("content-type", [""])[0]:
        return None
    found = response.json()
    for name in expression.removeprefix("$response.body#/").split("/"):
        try:
            found = choice.choice(found) if isinstance(found, list) else found[name]
        except (LookupError, TypeError):
            return None
    return found


class Walker:
    """Goes where it has been least."""

    def __init__(self, address: str, seed: int) -> None:
        self._address = address
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        self.links = list(links_of(schema.raw_schema))
        self._operations: dict[str, Any] = {}
        for result in schema.get_all_operations():
            operation: Any = result.ok()  # type: ignore[union-attr]  # a valid document has no other
            self._operations[operation.definition.raw["operationId"]] = operation
        sources = {link.source for link in self.links}
        self._roots = [name for name, one in self._operations.items() if name in sources and not one.path_parameters]
        self._random = random.Random(seed)
        self._cases: dict[str, list[Case[Any]]] = defaultdict(list)
        self._answers: dict[tuple[str, int], deque[Answered]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._first: dict[str, list[Answered]] = {}
        self._session = requests.Session()
        self.taken: Counter[str] = Counter()
        self.arrived: Counter[str] = Counter()
        self.begun: Counter[str] = Counter()
        self.found: set[Found] = set()

    def look_around(self) -> None:
        """Learns what there is before it adds to it."""
        for name in ("listEvents", "listCoalitions"):
            case = self._operations[name].Case(method="GET", query={"limit": 500})
            if self._send(case, name) == HTTPStatus.OK:
                self._first[name] = [self._answers[name, HTTPStatus.OK][-1]]

    def walk(self, steps: int, until: float | None) -> None:
        """Takes so many steps, or steps until then."""
        done = 0
        while done < steps if until is None else time.monotonic() < until:
            ways = [] if done % EVERY == 0 else list(self._ways())
            if ways:
                self._follow(*min(ways, key=lambda way: (self.taken[str(way[0])], self._random.random())))
            else:
                self._begin(min(self._roots, key=lambda name: (self.begun[name], self._random.random())))
            done += 1

    def _ways(self) -> Iterator[tuple[Link, dict[str, Any]]]:
        """The links that can be taken now, each from one of its answers."""
        for link in self.links:
            answers: Sequence[Answered] = self._answers.get((link.source, link.status), ())
            if link.source in self._first and self._random.random() < _HALF:
                answers = self._first[link.source]
            if answers:
                answered = answers[-1] if self._random.random() < _HALF else self._random.choice(answers)
                values = {name: resolve(one, answered, self._random) for name, one in link.parameters.items()}
                if all(value is not None for value in values.values()):
                    yield link, values

    def _begin(self, name: str) -> None:
        self.begun[name] += 1
        self._send(self._case(name), name)

    def _follow(self, link: Link, values: Mapping[str, Any]) -> None:
        case = self._case(link.target)
        places = {one.name: one.location.container_name for one in case.operation.iter_parameters()}
        for name, value in values.items():
            getattr(case, places[name])[name] = value
        if "after" in values and link.target == "getChanges":
            for name in ("from", "to"):
                case.query.pop(name, None)  # the cursor says it already
        self.taken[str(link)] += 1
        if self._send(case, str(link)) < HTTPStatus.BAD_REQUEST:
            self.arrived[str(link)] += 1

    def _send(self, case: Case[Any], way: str) -> int:
        name = operation_of(case)
        name_others(case, fuzzing_hooks.SEEN)
        case.headers["Authorization"] = f"Bearer {self._token(name)}"
        fuzzing_hooks.READY.add(case.id)
        timeout = fuzzing_hooks.LISTENING if name == "streamEvents" else PATIENCE
        response = case.call(base_url=self._address, session=self._session, timeout=timeout)
        try:
            case.validate_response(response)
        except FailureGroup as group:
            for failure in group.exceptions:
                if fuzzing_hooks.is_failure(failure, case, response):
                    told = f"{failure}\n[{response.status_code}] {response.text[:500]}\n{case.as_curl_command()[:1500]}"
                    self.found.add(Found(f"{way}: {failure.title}", told))
        self._answers[name, response.status_code].append(Answered(case, response))
        return response.status_code

    def _token(self, name: str) -> str:
        """Drafts are a contributor's; so is now and then another write, and then waits for the other."""
        waits = name in ("putUpDraft", "withdrawDraft")
        if name.startswith(_WRITES) and (name, HTTPStatus.CREATED) in self._answers:
            never = (name, HTTPStatus.ACCEPTED) not in self._answers
            waits = never or fuzzing_hooks.SEEN.turn(name) % 3 == 1
        return fuzzing_hooks.CONTRIBUTOR if waits else fuzzing_hooks.TOKEN

    def _case(self, name: str) -> Case[Any]:
        """A request of an operation that fits its schemas."""
        made = self._cases[name]
        if not made:
            strategy = self._operations[name].as_strategy(
                generation_mode=GenerationMode.POSITIVE, phase=TestPhase.STATEFUL
            )

            @hypothesis.seed(self._random.getrandbits(32))
            @hypothesis.settings(
                max_examples=AT_ONCE, database=None, deadline=None, phases=[hypothesis.Phase.generate],
                suppress_health_check=list(hypothesis.HealthCheck),
            )  # fmt: skip
            @hypothesis.given(strategy)
            def make(case: Case[Any]) -> None:
                made.append(case)

            make()
        case = made.pop()
        make_sense(case, fuzzing_hooks.SEEN)
        leave_out(case, fuzzing_hooks.SEEN)
        return case


def main(arguments: Sequence[str] | None = None) -> int:
    """Walks, and says where."""
    parser = argparse.ArgumentParser(description="walk along the links of a registry's OpenAPI document")
    parser.add_argument("address")
    parser.add_argument("file", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    walker = Walker(given.address, given.seed)
    walker.look_around()
    walker.walk(given.steps, None if given.seconds is None else time.monotonic() + given.seconds)
    for one in sorted(walker.found, key=lambda found: found.link):
        print(f"{one.link}\n{one.told}\n")
    links = [str(link) for link in walker.links]
    told = {"links": links, "taken": walker.taken, "arrived": walker.arrived}
    given.file.write_text(json.dumps(told), encoding="utf-8")
    return 1 if walker.found else 0


if __name__ == "__main__":
    sys.exit(main())
