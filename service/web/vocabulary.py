"""The words of the OpenAPI document that many routes share: tags, the names in addresses, headers taken and sent."""

from service.domain.answers import Json
from service.domain.kinds import FAMILIES
from service.domain.record import EVENT_ID
from service.web.kinds_of_problem import KINDS

ABOUT = """For programs; people enter statements, and look them up, on the pages at [/admin](/admin).

Two times run through everything: `as_of` is the world (what had been said or done by then),
`known_position` or `known_at` the register (what had been recorded by then). Whoever leaves them out asks about now.

Every list and view also comes as a table: add `.csv`, `.xlsx`, `.jsonl` or `.parquet` to its path, or ask for the type
in `Accept`. With `fields` an answer has the members that are named; its schema is that of a whole one. Every refusal
is a problem document (RFC 9457). Words of enumerations (`x-extensible-enum`) and fields of answers may be added: be
ready for those that you do not know.

A method that an address does not take is answered 405 (`components.responses.MethodNotAllowed`), with those that it
takes in `Allow`. A request may bring an id of its own in `X-Request-Id`."""

TAGS = {
    "coalitions": "Which coalitions there are, and where each stands.",
    "commitments": "Who has promised what.",
    "subjects": "The states of a family, one subject with all its actors, and everything that was ever known of it.",
    "timeline": "What was said when, and what changed between two points on both axes.",
    "events": "The log: in order, live, and event by event.",
    "actors": "Who can be named, by code, name or alias, in any language.",
    "recording": "Statements, and notes on the record of earlier ones. Nothing is ever changed or deleted.",
    "webhooks": "The log, sent to an address of the caller's: signed, in order, at least once.",
    "drafts": "What waits for a second editor: a contributor's writes, and whatever is put up on purpose.",
    "tokens": "Who may do what.",
    "operations": "For whoever runs the service.",
    "documents": "What explains the service: this document, a page to read it in, the kinds of problems.",
}

_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_ID = {
    "pattern": EVENT_ID,
    "example": "019a8f3e-0000-7000-8000-000000000000",
}
PATH: dict[str, Json] = {
    "coalition": {"description": "the slug of a coalition", "pattern": _SLUG, "maxLength": 80, "example": "willing"},
    "code": {"description": "a country: its code, or its name in any language", "maxLength": 100, "example": "GB"},
    "family": {"description": "a family of subjects", "enum": list(FAMILIES), "example": "pledge"},
    "slug": {"description": "the slug of a subject", "pattern": _SLUG, "maxLength": 80, "example": "ground-troops"},
    "event_id": {"description": "the id of an event", **_ID},
    "webhook_id": {"description": "the id of a webhook", **_ID},
    "delivery_id": {"description": "the id of a delivery", **_ID},
    "draft_id": {"description": "the id of a draft", **_ID},
    "token_id": {"description": "the id of a token", "pattern": "^[0-9a-f]{12}$", "example": "3f0c9a1b7e24"},
    "file": {
        "description": "a file of the page",
        "enum": ["swagger-ui-bundle.js", "swagger-ui.css", "start.js"],
        "example": "start.js",
    },
    "name": {
        "description": "a kind of problem",
        "enum": [kind.name for kind in KINDS.values()],
        "example": KINDS[404].name,
    },
}
"""The names in addresses."""

TAKEN: dict[str, Json] = {
    "If-None-Match": {"description": "the ETag of the answer that the client has", "example": '"0f3a"'},
    "If-Match": {
        "description": "the ETag of what the editor saw, several of which one has to be the present one, "
        "or `*` for any",
        "example": "*",
    },
    "Idempotency-Key": {
        "description": "makes a repetition safe: the same key and body have one effect",
        "minLength": 1,
        "maxLength": 255,
        "pattern": '^"*[!#-~]([ -~]*[!-~])?$',
    },
    "webhook-id": {
        "description": "names the message, the same at every attempt: the event's id",
        "example": "019a8f3e-0000-7000-8000-000000000000",
    },
    "webhook-timestamp": {
        "description": "when it was sent, in seconds since 1970", "pattern": "^[0-9]+$", "example": "1752157800"
    },
    "webhook-signature": {
        "description": "a signature for each live secret, with spaces between (Standard Webhooks)",
        "example": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    },
    "Last-Event-ID": {
        "description": "the last `id` that the client has seen: a position", "pattern": "^[0-9]{1,18}$", "example": "57"
    },
    "Accept-Datetime": {
        "description": "asks for the page as it was then (RFC 7089); to the second, which means through its end",
        "format": "http-date",
        "example": "Thu, 31 Jul 2025 12:00:00 GMT",
    },
}  # fmt: skip
"""The headers that are read."""

SENT: dict[str, Json] = {
    "ETag": {"description": "names this version of the answer; for `If-None-Match` and `If-Match`"},
    "Cache-Control": {"description": "for how long the answer may be kept: for ever where both axes are named"},
    "Vary": {"description": "which headers make another answer"},
    "Link": {"description": "the next page, with all its filters (RFC 8288); or a page's past (RFC 7089)"},
    "Memento-Datetime": {"description": "on a memento: when what it says came to be known (RFC 7089)"},
    "Location": {"description": "where it is found from now on"},
    "Idempotency-Replayed": {"description": "`true`: this was answered before, to the same key"},
    "Retry-After": {"description": "after how many seconds to try again", "type": "integer"},
    "RateLimit-Policy": {"description": "how many requests of this kind a client may send in how many seconds"},
    "RateLimit": {"description": "how many of them are left, and in how many seconds the window ends"},
    "WWW-Authenticate": {"description": "how to say who asks"},
    "Allow": {"description": "the methods that this address takes"},
    "X-Request-Id": {"description": "the id of the request: the one that it was sent with, or else a new one"},
}
"""The headers that are sent."""

SOMETIMES = frozenset({"Link", "Memento-Datetime", "Idempotency-Replayed", "RateLimit-Policy", "RateLimit"})
"""The headers that an answer need not have."""
