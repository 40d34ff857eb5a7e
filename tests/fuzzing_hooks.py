"""Hooks of Schemathesis: how it writes lines; and whatever webhooks it makes up, nothing is sent to another machine."""

import json
from typing import Any

import schemathesis

NOBODY = "http://127.0.0.1:9/hook"  # where nothing listens


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Leads every webhook to this machine; an address that is none stays what it is."""
    del context, kwargs
    body = case.body
    if isinstance(body, dict) and str(body.get("url")).startswith("http") and "/webhooks" in case.path:
        body["url"] = NOBODY


@schemathesis.serializer("application/jsonl", "application/x-ndjson", "application/json-lines")
def write_line(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A file of one line."""
    del context
    return json.dumps(value).encode() + b"\n"
