"""Recording: statements, and notes on the record of earlier ones. Every write goes through `service.record`."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.recording import begin, record, written
from service.domain.kinds import AnyStatement, Statements
from service.web.bodies import find_versions, read_body
from service.web.serving import Door
from service.web.writing import NOTES, Registration, parse_batch, parse_coalition, parse_statement, read_note

router = APIRouter(tags=["recording"], route_class=Door)


_NOTES_ON_IT = {
    f"record{name.capitalize()}": {"event_id": "$response.body#/event/event_id", "If-Match": "$response.header.ETag"}
    for name in NOTES
    if name not in ("reinstatement", "settlement")
}
"""What can be said of a statement that was just recorded."""
_NAMED = {"getCoalition": {"coalition": "$response.body#/event/coalition"}}
_NEXT_NOTE = {
    "retraction": {"recordReinstatement": {"event_id": "$request.path.event_id"}},
    "disputes": {"recordSettlement": {"event_id": "$response.body#/event/event_id"}},
}
"""The note that may follow one, and what it is about."""


@router.post("/v1/statements", operation_id="recordStatement", openapi_extra=written(AnyStatement, links=_NOTES_ON_IT))
async def record_statement(request: Request) -> Response:
    """Records one statement; answers the event and the states that it produced."""
    begun = await begin(request)
    body = await read_body(request)
    return await record(request, begun, parse_statement(body), body)


@router.post("/v1/statements/batch", operation_id="recordBatch", openapi_extra=written(Statements, many=True))
async def record_batch(request: Request) -> Response:
    """Records a list of statements, all or none."""
    begun = await begin(request)
    body = await read_body(request)
    return await record(request, begun, parse_batch(body), body)


@router.post("/v1/coalitions", operation_id="registerCoalition", openapi_extra=written(Registration, links=_NAMED))
async def register_coalition(request: Request) -> Response:
    """Registers a coalition under a slug."""
    begun = await begin(request)
    body = await read_body(request)
    return await record(request, begun, parse_coalition(body), body)


def _note_on(name: str) -> Any:  # noqa: ANN401 - a route's handler
    async def handle(request: Request, event_id: str) -> Response:
        begun = await begin(request)
        body = await read_body(request)
        write = await read_note(begun.served, name, event_id, body, find_versions(request))
        return await record(request, begun, write, body)

    return handle


for _name in NOTES:
    router.add_api_route(
        f"/v1/events/{{event_id}}/{_name}",
        _note_on(_name),
        methods=["POST"],
        operation_id=f"record{_name.capitalize()}",
        openapi_extra=written(
            NOTES[_name][0],
            note=True,
            links=_NEXT_NOTE.get(_name),
            needs=["If-Match"] if _name != "settlement" else [],  # a dispute is never changed
        ),
        summary=(NOTES[_name][1].__doc__ or "").split("\n")[0],
    )
