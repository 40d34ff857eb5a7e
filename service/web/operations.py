"""What whoever runs the service asks of it: is it alive, can it work, which version is it, how much has it done."""

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from service.domain.errors import Unavailable
from service.domain.timeline import RULES_VERSION
from service.log.read import read_size
from service.migrate import OTHER_RULES, present_revision, read_revision, read_rules
from service.web.asking import moment_of, takes_no_parameters
from service.web.callers import may_read
from service.web.describing import TEXT, documented, sent
from service.web.sending import JSON, send, send_bytes
from service.web.serving import Door, services
from service.webhooks.cursors import read_lag

router = APIRouter(tags=["operations"], route_class=Door)
_PLAIN = sent("It does.", {"text/plain": TEXT})
_FINE = b"ok\n"
VERSION = "0.1.0"


@router.get(
    "/healthz", operation_id="getHealth", openapi_extra=documented(answers=_PLAIN, open_to_all=True, limited=False)
)
async def get_health(request: Request) -> Response:
    """Answers as long as the process does."""
    return send_bytes(request, _FINE, "text/plain")


@router.get(
    "/readyz",
    operation_id="getReadiness",
    openapi_extra=documented(answers=_PLAIN, refuses=[503], open_to_all=True, limited=False),
)
async def get_readiness(request: Request) -> Response:
    """Answers as long as the database does, and has the tables and states that this version needs.

    However many read: whoever may still write is ready.
    """
    async with services(request).writing.connection() as connection:
        if await read_revision(connection) != present_revision():
            raise Unavailable("The database is at another schema than this version needs: run `./run migrate`.")
        if await read_rules(connection) != RULES_VERSION:
            raise Unavailable(OTHER_RULES)
        await read_size(connection)
    return send_bytes(request, _FINE, "text/plain")


class Version(BaseModel):
    """Which version this is."""

    version: str = Field(description="of the code")
    schema_: str = Field(alias="schema", description="of the tables: the last migration")
    rules_version: str = Field(description="of the rules that make its answers, as in their `basis`")


@router.get(
    "/version",
    operation_id="getVersion",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=documented(answers=sent("The versions.", {JSON: Version}), refuses=[400], open_to_all=True),
)
async def get_version(request: Request) -> Response:
    """Which version this is, of the code, the schema and the rules that make its answers."""
    served = services(request)
    rules = moment_of(served, served.clock()).rules
    return send(request, {"version": VERSION, "schema": present_revision(), "rules_version": rules})


@router.get(
    "/metrics",
    operation_id="getMetrics",
    dependencies=[Depends(takes_no_parameters), Depends(may_read)],
    openapi_extra=documented(
        answers=sent("Figures, as Prometheus reads them.", {"text/plain": TEXT}),
        limited=False,
    ),
)
async def get_metrics(request: Request) -> Response:
    """How much has been done, for Prometheus. It tells how the register is used, and so is as open as reading."""
    served = services(request)
    async with served.pool.connection() as connection:
        size, lag = await read_size(connection), await read_lag(connection)
    shown = served.metrics.render(head=size, streams=served.feed.listeners, lag=lag)
    return send_bytes(request, shown, served.metrics.media_type)
