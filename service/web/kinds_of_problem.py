"""Every kind of problem that the service answers with, and the page that explains it: `type` leads there."""

import re
from html import escape
from typing import NamedTuple

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from service.domain.errors import Unknown
from service.web.asking import takes_no_parameters
from service.web.describing import TEXT, documented, sent
from service.web.sending import send_bytes
from service.web.serving import Door


class Kind(NamedTuple):
    """A kind of problem: its name in addresses, its title, what has happened, and what helps."""

    name: str
    title: str
    what: str
    remedy: str

    @property
    def type(self) -> str:
        """Where it is explained."""
        return f"/problems/{self.name}"


KINDS: dict[int, Kind] = {
    400: Kind(
        "bad-request",
        "Bad Request",
        "A parameter of the address is unknown, is given twice, or has a value that cannot be read. Unknown "
        "parameters are refused, never ignored: a filter that is misspelt would otherwise answer with everything.",
        "Each entry of `errors` has a `pointer`, such as /query/as_of, and a sentence that says what to send instead.",
    ),
    401: Kind(
        "unauthorized",
        "Unauthorized",
        "The request names no caller, its header lacks the scheme or the token, or the token is unknown, has expired "
        "or was revoked; `detail` says which.",
        "Send the header Authorization: Bearer TOKEN, with your token for TOKEN. `./run token new` makes one.",
    ),
    403: Kind(
        "forbidden",
        "Forbidden",
        "The caller is known, and the role of the token does not allow this. From the least to the most: reader, "
        "contributor, editor, approver, admin.",
        "Ask an admin for a token of the role that `detail` names.",
    ),
    404: Kind(
        "not-found",
        "Not Found",
        "Nothing is served at this address, or nothing is recorded under the name or id in it.",
        "GET /v1/coalitions lists coalitions, GET /v1/actors?q= finds actors, /openapi.json has every address.",
    ),
    405: Kind(
        "method-not-allowed",
        "Method Not Allowed",
        "The address exists and does not take this method.",
        "The header Allow names those that it takes. Nothing is ever changed or deleted: record a correction or a "
        "retraction.",
    ),
    406: Kind(
        "not-acceptable",
        "Not Acceptable",
        "The header Accept takes none of the formats that the address is served in, or the format is an extra that is "
        "not installed here.",
        "Send Accept: application/json or */*, or leave the header out; `detail` names the formats that there are.",
    ),
    408: Kind(
        "request-timeout",
        "Request Timeout",
        "The request did not arrive in time: nothing of it came for too long, or its head or body took too long as a "
        "whole. Nothing was recorded; the connection is closed.",
        "Send it again, on a line that is not so slow, or less at a time; a large file to POST /v1/import, which may "
        "take its time.",
    ),
    409: Kind(
        "conflict",
        "Conflict",
        "The request is well formed, and a rule of the record refuses it: a correction of a correction, a second "
        "retraction, a slug that is taken; or a request with the same Idempotency-Key is still running.",
        "`detail` says which rule. Where the header Retry-After is sent, send the same request again after so many "
        "seconds.",
    ),
    412: Kind(
        "precondition-failed",
        "Precondition Failed",
        "Somebody has changed it since the version whose ETag was sent in If-Match.",
        "Read it again, look at what has changed, and send your change with its new ETag.",
    ),
    413: Kind(
        "content-too-large",
        "Content Too Large",
        "The body is larger than the service takes.",
        "Send fewer statements at a time, or many as a file to POST /v1/import.",
    ),
    415: Kind(
        "unsupported-media-type",
        "Unsupported Media Type",
        "The body is of a type that is not read here.",
        "Send JSON, and say so: Content-Type: application/json. A file for /v1/import says its own type, one of those "
        "that `detail` names.",
    ),
    422: Kind(
        "unprocessable-content",
        "Unprocessable Content",
        "The body is not valid: a field is unknown, missing or of the wrong form, or what it says is impossible. "
        "Nothing of the request is recorded, of a list nothing either.",
        "Each entry of `errors` has a `pointer` into the body (RFC 6901), such as /body/quantity/min, and a "
        "sentence that says what is wrong.",
    ),
    428: Kind(
        "precondition-required",
        "Precondition Required",
        "A change to an event has to say which version of it the editor saw, so that nobody's work is overwritten "
        "unseen.",
        "Read the event, and send its ETag in the header If-Match.",
    ),
    429: Kind(
        "too-many-requests",
        "Too Many Requests",
        "This client has sent more requests than it may in so short a time.",
        "Wait for as many seconds as the header Retry-After says; the header RateLimit says how many are left.",
    ),
    431: Kind(
        "request-header-fields-too-large",
        "Request Header Fields Too Large",
        "Address and headers of the request are larger than the service takes. Nothing was recorded; the connection is "
        "closed.",
        "Send fewer or shorter headers and parameters; what is long belongs into a body.",
    ),
    500: Kind(
        "internal-server-error",
        "Internal Server Error",
        "Something failed here. A write is then either recorded as a whole or not at all.",
        "Send it again with the same Idempotency-Key: it is recorded once. If it fails again, tell whoever runs the"
        " service the number in `detail`.",
    ),
    503: Kind(
        "service-unavailable",
        "Service Unavailable",
        "The database does not answer, too many are waiting for it, the question takes it too long, or as many files "
        "are being imported as may be at once.",
        "Send the same request again after as many seconds as the header Retry-After says, a write with the same "
        "Idempotency-Key. Where `detail` says that it takes too long, ask for less.",
    ),
    507: Kind(
        "insufficient-storage",
        "Insufficient Storage",
        "The disk has no room for the file, which is kept on it while it is read. Nothing of it is recorded, unless a "
        "report had begun.",
        "Send it again later, or in parts; sending it again is safe. Whoever runs the service has to make room where "
        "temporary files are kept (`TMPDIR`).",
    ),
}
"""By status: what a client can act on is the status, the pointer and the sentence."""

router = APIRouter(tags=["documents"], dependencies=[Depends(takes_no_parameters)], route_class=Door)

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }}</style>
<h1>{title}</h1>
{body}
</html>
"""


_HTML = sent("A page.", {"text/html": TEXT})
_STYLED = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


@router.get(
    "/problems",
    operation_id="listProblems",
    openapi_extra=documented(answers=_HTML, refuses=[400], open_to_all=True),
)
async def list_problems(request: Request) -> Response:
    """Every kind of problem."""
    rows = "\n".join(
        f'<li>{status} <a href="{kind.type}">{escape(kind.title)}</a></li>' for status, kind in sorted(KINDS.items())
    )
    return _page(request, "Problems", f"<ul>\n{rows}\n</ul>")


@router.get(
    "/problems/{name}",
    operation_id="explainProblem",
    openapi_extra=documented(answers=_HTML, refuses=[400, 404], open_to_all=True),
)
async def explain_problem(request: Request, name: str) -> Response:
    """What a kind of problem means, and what helps."""
    for status, kind in KINDS.items():
        if kind.name == name:
            body = (
                f"<p>Status {status}</p>\n<h2>What has happened</h2>\n<p>{_words(kind.what)}</p>\n"
                f'<h2>What helps</h2>\n<p>{_words(kind.remedy)}</p>\n<p><a href="/problems">All problems</a></p>'
            )
            return _page(request, escape(kind.title), body)
    raise Unknown("There is no such kind of problem; GET /problems lists them.")


def _words(text: str) -> str:
    """A text as HTML; what stands between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _page(request: Request, title: str, body: str) -> Response:
    return send_bytes(request, _PAGE.format(title=title, body=body).encode(), "text/html", headers=_STYLED)
