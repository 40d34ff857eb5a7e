"""The log for programs: in order, and each event with what the record says of it."""

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.domain.answers import Json
from service.domain.errors import Unknown
from service.domain.record import is_event_id
from service.log.read import cloud_event, event_json, find_event, list_events_about, read_events
from service.segments.effective import find_effective, find_event_ids
from service.web.asking import JSON, documented, etag_of, read_query
from service.web.serving import Door, may_read, services, takes_no_parameters

router = APIRouter(tags=["events"], dependencies=[Depends(may_read)], route_class=Door)


class AskedEvents(BaseModel):
    """Which part of the log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: int = Field(0, ge=0, le=2**62, description="the position behind which to read")
    limit: int = Field(50, ge=1, le=500)


@router.get("/v1/events", operation_id="listEvents", openapi_extra=documented(AskedEvents))
async def list_events(request: Request) -> Response:
    """The log in order, as CloudEvents; `next` is the position to go on from."""
    asked = read_query(request, AskedEvents)
    async with services(request).pool.connection() as connection:
        found = await read_events(connection, after=asked.after, limit=asked.limit)
    content = {
        "items": [cloud_event(event) for event in found],
        "next": found[-1].position if len(found) == asked.limit else None,
    }
    return Response(orjson.dumps(content), media_type=JSON, headers={"Cache-Control": "no-cache"})


@router.get("/v1/events/{event_id}", operation_id="getEvent", dependencies=[Depends(takes_no_parameters)])
async def get_event(request: Request, event_id: str) -> Response:
    """One event as recorded, and what the record says of it since."""
    served = services(request)
    async with served.pool.connection() as connection:
        event = await find_event(connection, event_id) if is_event_id(event_id) else None
        if event is None:
            raise Unknown("No event is recorded under this id.")
        about = await list_events_about(connection, event.position)
        effective = await find_effective(connection, event.position)
        ids = await find_event_ids(connection, effective.linked if effective else ())
    content: Json = {"event": event_json(event), "record": [event_json(one) for one in about]}
    headers = {"Cache-Control": "no-cache", "ETag": etag_of(event.event_id, event.position)}
    if effective is not None:
        content |= {
            "effective": effective.content,
            "corrected": effective.corrected,
            "retracted": effective.retracted,
            "duplicate_of": ids.get(effective.duplicate_of or 0),
            "duplicates": [ids[position] for position in effective.duplicates],
            "disputed": effective.disputed,
            "counts": (item := effective.item) is not None and item.counts,
        }
        headers["ETag"] = etag_of(event.event_id, effective.revision)
    return Response(orjson.dumps(content), media_type=JSON, headers=headers)
