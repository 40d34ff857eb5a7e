"""Hooks of Schemathesis: who asks, how lines are written, what formats mean, and what no schema says."""

import hashlib
import json
import os
import re
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response, SerializationContext
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import JsonSchemaError, RejectedPositiveData

from service.domain.actors import COUNTRIES
from service.reading.opening import LINES
from tests.fuzzing_sense import Seen, fits_in_part, lead_nowhere, make_sense, operation_of
from tests.strategies import dates

TOKEN, CONTRIBUTOR = os.environ["FUZZ_TOKEN"], os.environ["FUZZ_CONTRIBUTOR"]
LISTENING = 2.0  # seconds to wait for an event of a stream that has no end
_OWN = {hashlib.sha256(secret.encode()).hexdigest()[:12] for secret in (TOKEN, CONTRIBUTOR)}
SEEN = Seen()
READY: set[str] = set()
"""The requests, by id, that are to be sent as they are."""

# --- what is sent -----------------------------------------------------------------------------------------------------

schemathesis.openapi.format("edtf", dates())
schemathesis.openapi.format("moment", st.sampled_from(["2025", "2025-07", "2025-07-31", "2025-07-31T12:00:00Z"]))
schemathesis.openapi.format("actor", st.sampled_from(["org:nato", "person:jane-doe", *sorted(COUNTRIES)]))
schemathesis.openapi.format("currency", st.sampled_from(["EUR", "usd", "UAH"]))
schemathesis.openapi.format("http-date", st.just("Thu, 31 Jul 2025 12:00:00 GMT"))
schemathesis.openapi.format("uri", st.sampled_from(["https://example.org/hook", "http://example.org:8080/?a=b"]))


@schemathesis.serializer("application/jsonl", "application/x-ndjson", "application/json-lines")
def write_line(context: SerializationContext, value: Any) -> bytes:
    """A file of one line."""
    del context
    return json.dumps(value).encode() + b"\n"


@schemathesis.auth()
class Token:
    """Whoever asks may do everything."""

    def get(self, case: Case[Any], context: Any) -> str:
        """The token."""
        del case, context
        return TOKEN

    def set(self, case: Case[Any], data: str, context: Any) -> None:
        """Says it."""
        del context
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """What is made to be accepted names what there is; no request ends the run itself, or leaves this machine."""
    del context, kwargs
    if case.method == "DELETE" and case.path_parameters.get("token_id") in _OWN:
        case.path_parameters["token_id"] = "0" * 12
    if case.meta is not None and case.meta.generation.mode.is_positive and case.id not in READY:
        make_sense(case, SEEN)
    lead_nowhere(case)


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Remembers what there is."""
    del context
    SEEN.keep(case, response)


# --- what no schema says ----------------------------------------------------------------------------------------------

BEYOND = {
    "ambiguous": "a document cannot say that two parameters exclude each other",
    "bad_cursor": "a cursor is taken from an answer",
    "beyond_head": "how long the log is",
    "in_future": "what time it is",
    "missing": "that the first page needs what the cursor of a later one has",
    "past": "what time it is",
    "turned_round": "that one parameter lies after another",
    "unknown_member": "`fields` are the members of the answer, whose schema has them",
    "unknown_coalition": "which coalitions there are",
    "unknown_actor": "which names an actor goes by, in some sixty languages",
    "fixed": "what a merge patch may change",
    "reused": "which keys were used",
    "entangled": "how much the statements of one request change what others made",
    "too_wide": "how many subjects the statements of one list are about together",
    "same_event": "that two events are different ones",
    "set_and_cleared": "that a field is not both stated and taken away",
    "int_type": "1.0 is an integer to JSON Schema, and here no way to write one",
}
"""What no schema says, by the codes of refusals: whoever is refused for one of these alone has kept to the document."""
BEYOND_AT = {
    "putUpDraft": ("/body", "what the body may be that belongs to a path"),
    "recordCorrections": ("/(changes|sources)", "what the event says once it is patched"),
    "recordSources": ("/sources", "how many sources the event has already"),
    "importStatements": ("/?", "what stands in a table, and which parts of a form have a type or a name"),
}
"""Nor this, by operation and pointer."""
_REFUSED_A_ROW = re.compile(r'"refused": ?[1-9]')  # a file is answered by a report, in which bad rows are told


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Lets pass what is no failure of the service, but more than a schema can say."""
    del context
    return is_failure(failure, case, response)


def is_failure(failure: Failure, case: Case[Any], response: Response) -> bool:
    """Whether it is one of the service."""
    if isinstance(failure, RejectedPositiveData):
        if response.status_code in (409, 412):  # what the register holds forbids it
            return False
        faults = response.json().get("errors", [])
        return not faults or not all(_is_beyond(fault, case) for fault in faults)
    if isinstance(failure, AcceptedNegativeData) and operation_of(case) == "importStatements":
        return _REFUSED_A_ROW.search(response.text) is None
    if isinstance(failure, JsonSchemaError) and "fields" in case.query:
        return not fits_in_part(case, response)
    return True


def _is_beyond(fault: dict[str, Any], case: Case[Any]) -> bool:
    operation = operation_of(case)
    if operation == "importStatements" and case.media_type in LINES:
        return fault["code"] in BEYOND
    pattern, _ = BEYOND_AT.get(operation, ("$.", ""))
    return fault["code"] in BEYOND or re.match(pattern, fault["pointer"]) is not None
