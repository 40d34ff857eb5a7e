"""What whoever runs the service asks of it: is it alive, can it work, which version is it, how much has it done."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from service.domain.errors import Unavailable
from service.domain.timeline import RULES_VERSION
from service.log.read import read_size
from service.migrate import present_revision, read_revision
from service.web.sending import send
from service.web.serving import Door, services, takes_no_parameters

router = APIRouter(include_in_schema=False, route_class=Door)
VERSION = "0.1.0"


@router.get("/healthz")
async def get_health(_: Request) -> Response:
    """Answers as long as the process does."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def get_readiness(request: Request) -> Response:
    """Answers as long as the database does, and has the tables that this version needs."""
    async with services(request).pool.connection() as connection:
        found = await read_revision(connection)
        await read_size(connection)
    if found != present_revision():
        raise Unavailable("The database is at another schema than this version needs: run `./run migrate`.")
    return PlainTextResponse("ok\n")


@router.get("/version")
async def get_version(request: Request) -> Response:
    """Which version this is, of the code, the schema and the rules that make its answers."""
    await takes_no_parameters(request)
    return send(request, {"version": VERSION, "schema": present_revision(), "rules_version": RULES_VERSION})


@router.get("/metrics")
async def get_metrics(request: Request) -> Response:
    """How much has been done, for Prometheus."""
    served = services(request)
    async with served.pool.connection() as connection:
        size = await read_size(connection)
    return Response(
        served.metrics.render(head=size, streams=served.feed.listeners), media_type=served.metrics.media_type
    )
