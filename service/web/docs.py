"""The document, served: for programs in two versions of OpenAPI, for people as a page that loads nothing from outside.

The page's program and style are those of Swagger UI, as the package `fastapi-offline` ships them.
"""

from functools import lru_cache
from http import HTTPStatus
from importlib.resources import files

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from service.domain.answers import Json
from service.domain.errors import Unknown
from service.web.asking import takes_no_parameters
from service.web.describing import TEXT, documented, led, sent
from service.web.document import Application
from service.web.formats import by_preference
from service.web.sending import JSON, lead, send, send_bytes
from service.web.serving import Door

router = APIRouter(tags=["documents"], dependencies=[Depends(takes_no_parameters)], route_class=Door)

_SELF = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
_PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pledge registry: the API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="document"></div>
<noscript>This page needs JavaScript; the document itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
_START = b"""SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#document",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
"""
_OWN = {"start.js": _START}
_TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "start.js": "text/javascript"}


def _document(request: Request, version: str) -> Json:
    app = request.app
    assert isinstance(app, Application)
    return app.document(version)


class Index(BaseModel):
    """Where to begin."""

    title: str
    version: str = Field(description="of the service")
    links: dict[str, str] = Field(description="the address of each entry point")


_BEGIN = {
    "docs": "/docs",
    "people": "/admin",
    "openapi": "/openapi.json",
    "problems": "/problems",
    "coalitions": "/v1/coalitions",
    "actors": "/v1/actors",
    "events": "/v1/events",
    "version": "/version",
    "health": "/healthz",
}


@router.get(
    "/",
    operation_id="getIndex",
    openapi_extra=documented(
        answers={
            **sent("Where to begin.", {JSON: Index}),
            303: led("A browser is led to the page to read the document in.", "Vary"),
        },
        refuses=[400],
        open_to_all=True,
    ),
)
async def get_index(request: Request) -> Response:
    """Where to begin: for programs the addresses, for people the page about the API."""
    wanted = by_preference(request.headers.get("accept") or "*/*", (JSON, "text/html"))
    if wanted[:1] == ["text/html"]:
        detail = "People read about the API on a page."
        return lead("/docs", HTTPStatus.SEE_OTHER, detail, headers={"Vary": "Accept"})
    app = request.app
    return send(request, {"title": app.title, "version": app.version, "links": _BEGIN})


_OPENAPI = documented(
    answers=sent("The document.", {JSON: {"type": "object"}}), refuses=[400], open_to_all=True
)  # fmt: skip


@router.get("/openapi.json", operation_id="getDocument", openapi_extra=_OPENAPI)
async def get_document(request: Request) -> Response:
    """The document that you read, in OpenAPI 3.1."""
    return send(request, _document(request, "3.1"))


@router.get("/openapi-3.2.json", operation_id="getNewerDocument", openapi_extra=_OPENAPI)
async def get_newer_document(request: Request) -> Response:
    """The same document in OpenAPI 3.2.

    It also says what stands in JSON Lines and in the stream.
    """
    return send(request, _document(request, "3.2"))


@router.get(
    "/docs",
    operation_id="getDocs",
    openapi_extra=documented(answers=sent("A page.", {"text/html": TEXT}), refuses=[400], open_to_all=True),
)
async def get_docs(request: Request) -> Response:
    """A page to read the document in, and to try things out."""
    return send_bytes(request, _PAGE, "text/html", headers=_SELF)


@router.get(
    "/docs/{file}",
    operation_id="getDocsFile",
    openapi_extra=documented(
        answers=sent("The file.", dict.fromkeys(_TYPES.values(), TEXT)), refuses=[400, 404], open_to_all=True
    ),
)
async def get_docs_file(request: Request, file: str) -> Response:
    """A file that the page about the API is made of."""
    if file not in _TYPES:
        raise Unknown("The page about the API has no such file.")
    return send_bytes(request, _read(file), _TYPES[file], headers=_SELF)


@lru_cache(maxsize=len(_TYPES))
def _read(file: str) -> bytes:
    return _OWN.get(file) or (files("fastapi_offline") / "static" / file).read_bytes()
