"""What no schema can say, so that requests made of the schemas are taken, and a walk leads on: what there is to name.

A schema knows how an event is named, and not which there are. Whatever was made by the schemas of the document is
changed in these parts alone, and only where it was made to be accepted.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from jsonschema import Draft202012Validator
from schemathesis import Case, Response

Json = dict[str, Any]
COALITION = "willing"  # the seeds are of it
SEEDS = 50  # the log is never shorter
NOBODY = "http://127.0.0.1:65535/hook"  # where nothing listens
_POINT = ("as_of", "known_at", "known_position")


@dataclass
class Seen:
    """What answers have named."""

    events: dict[str, str] = field(default_factory=dict)  # id → kind
    disputes: dict[str, list[str]] = field(default_factory=dict)  # id → events
    cursors: set[str] = field(default_factory=set)
    turns: dict[str, int] = field(default_factory=dict)

    def keep(self, case: Case[Any], response: Response) -> None:
        """Remembers what an answer names."""
        if response.status_code not in (200, 201) or "json" not in response.headers.get("content-type", [""])[0]:
            return
        content = response.json()
        if not isinstance(content, dict):
            return
        if isinstance(content.get("next"), str):
            self.cursors.add(content["next"])
        for event in (content.get("event"), *_logged(content)):
            if isinstance(event, dict) and "event_id" in event:
                self.events[event["event_id"]] = event["kind"]
                if event["kind"] == "record.disputed":
                    rivals = [rival["event_id"] for rival in event["rivals"]]
                    self.disputes[event["event_id"]] = [event["target"], *rivals]

    def other(self, event_id: str) -> str:
        """Another event of the same kind, if there is one."""
        kind = self.events.get(event_id)
        others = [one for one, its in self.events.items() if its == kind and one != event_id]
        return others[self.turn("event") % len(others)] if others else event_id

    def turn(self, what: str) -> int:
        """How often something was done before."""
        self.turns[what] = self.turns.get(what, -1) + 1
        return self.turns[what]


def _logged(content: Json) -> Iterator[Json]:
    """The events of a page of the log."""
    for item in content.get("items") or ():
        if isinstance(item, dict) and {"specversion", "id", "type"} <= set(item):
            yield {"event_id": item["id"], "kind": item["type"], **(item.get("data") or {})}


def make_sense(case: Case[Any], seen: Seen) -> None:
    """Names what there is."""
    operation = operation_of(case)
    _ask(case, seen)
    _write(case.body)
    if operation == "getChanges":
        _ask_in_order(case.query)
    if operation == "streamEvents":
        _listen(case)
    if case.headers.get("If-Match", '"')[:1] != '"':
        case.headers["If-Match"] = "*"


def operation_of(case: Case[Any]) -> str:
    """The operationId."""
    return str(case.operation.definition.raw["operationId"])


def leave_out(case: Case[Any], seen: Seen) -> None:
    """Three times of four, what need not be said: a walk goes on where there is much."""
    ends = ("from", "to") if operation_of(case) == "getChanges" else ()
    for name in _not_needed(case, "query"):
        if name in case.query and name not in ("limit", *ends) and seen.turn(name) % 4:
            del case.query[name]
    for name in _not_needed(case, "header"):
        if name in case.headers and seen.turn(name) % 4:
            del case.headers[name]
    if "limit" in case.query:
        case.query["limit"] = 1 + seen.turn("limit") % 2  # so that there is a next page


def _not_needed(case: Case[Any], where: str) -> list[str]:
    return [one.name for one in case.operation.iter_parameters() if one.location.value == where and not one.is_required]


def _ask(case: Case[Any], seen: Seen) -> None:
    """A question about what there is."""
    query = case.query
    for name in query:
        if name.endswith("position") and isinstance(query[name], int):
            query[name] %= SEEDS
    after = query.get("after")
    if isinstance(after, int):
        query["after"] %= SEEDS
    elif after is not None and after not in seen.cursors:
        del query["after"]
    elif after is not None:
        for name in _POINT:
            query.pop(name, None)
    if query.get("known_position") is not None:
        query.pop("known_at", None)
    if "Accept-Datetime" in case.headers:
        query.pop("known_at", None)
        query.pop("known_position", None)
    if "fields" in query:
        names = list(_members(case))
        first = seen.turn("fields")
        query["fields"] = ",".join(islice(cycle(names), first, first + 2)) if names else "basis"


_HEARD = {"coalition": COALITION, "kind": "pledge", "country": "GB"}


def _listen(case: Case[Any]) -> None:
    """To what was recorded already; whoever waits for something else waits long, and seldom hears of it."""
    case.query["after"] = 0
    if case.headers.get("Last-Event-ID", "").isdecimal():
        case.headers["Last-Event-ID"] = "0"
    for name in _HEARD.keys() & case.query.keys():
        case.query[name] = _HEARD[name]


def _ask_in_order(query: Json) -> None:
    """An interval that begins before it ends, with one name for each end; a cursor says it already."""
    if "after" in query:
        for name in [name for name in query if name.startswith(("from", "to"))]:
            del query[name]
        return
    query.setdefault("from", "2025-01")
    query.setdefault("to", "2025-12")
    for end in ("from", "to"):
        given = [name for name in (f"{end}_known_at", f"{end}_known_position", f"{end}_position") if name in query]
        for name in given[1:]:
            del query[name]
    if str(query.get("from")) > str(query.get("to")):
        query["from"], query["to"] = query["to"], query["from"]


def _members(case: Case[Any]) -> Iterator[str]:
    """What an answer to a question can have."""
    raw: Json = case.operation.schema.raw_schema
    answer = case.operation.definition.raw["responses"]["200"]["content"].get("application/json", {})
    schema = _followed(raw, answer.get("schema", {}))
    if "items" in schema.get("properties", {}):
        schema = _followed(raw, schema["properties"]["items"]["items"])
    for choice in schema.get("anyOf", [schema])[:1]:
        yield from islice(_followed(raw, choice).get("properties", {}), 4)  # of several shapes, those of all


def fits_in_part(case: Case[Any], response: Response) -> bool:
    """Whether an answer is what its schema says but for members that it lacks, as `fields` asked."""
    raw: Json = case.operation.schema.raw_schema
    schema = case.operation.definition.raw["responses"][str(response.status_code)]["content"]["application/json"]
    validator = Draft202012Validator(_optional({**schema["schema"], "components": raw["components"]}))
    return bool(validator.is_valid(response.json()))


_DEMANDS = {"required", "if", "then", "else", "not"}


def _optional(part: Any) -> Any:
    """A schema that demands no member."""
    if isinstance(part, dict):
        within = "properties" not in part  # a member may be called like a demand
        return {name: _optional(below) for name, below in part.items() if within or name not in _DEMANDS}
    return [_optional(one) for one in part] if isinstance(part, list) else part


def _followed(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _write(body: Any) -> None:
    """Statements of a coalition that there is; and nothing is sent to another machine."""
    for one in body if isinstance(body, list) else [body]:
        if isinstance(one, dict):
            if "coalition" in one and "kind" in one:
                one["coalition"] = COALITION
            _write(one.get("body"))


def lead_nowhere(case: Case[Any]) -> None:
    """Leads every webhook to this machine; an address that is none stays what it is."""
    body = case.body
    if isinstance(body, dict) and str(body.get("url"))[:4].lower() == "http" and "/webhooks" in case.path:
        body["url"] = f"{NOBODY}?{len(json.dumps(body))}"


def name_others(case: Case[Any], seen: Seen) -> None:
    """Names in a body what goes with the address: other events of the same kind, all events of a dispute."""
    operation = operation_of(case)
    event_id = str(case.path_parameters.get("event_id"))
    body: Any = case.body
    if not isinstance(body, dict):
        return
    if operation == "recordDuplicates":
        body["original"] = seen.other(event_id)
    elif operation == "recordDisputes":
        body["rivals"] = [{"event_id": seen.other(event_id), "rank": "preferred"}]
    elif operation == "recordSettlement" and event_id in seen.disputes:
        body["ranks"] = [{"event_id": one} for one in seen.disputes[event_id]]
    elif operation == "recordCorrections":
        body["changes"] = {"summary": f"Corrected for the {seen.turn('correction')}th time."}
    elif operation == "putUpDraft":
        body["path"] = "/v1/coalitions"
        body["body"] = {"slug": f"draft-{seen.turn('draft')}", "name": "A draft"}
        body.pop("replaces", None)
    elif operation == "createToken":
        body.pop("expires_at", None)
