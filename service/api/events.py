"""The log for programs: in order, and each event with what the record says of it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from service.api.following import AskedFeed, follow_event, follow_log
from service.api.outlines import EVENT, EVENTS
from service.api.recorded import CloudEvent, EventAnswer, EventPage, SentEvent
from service.database import snapshot
from service.domain.answers import Json
from service.domain.errors import Fault, Invalid
from service.drafts.approvals import find_approvals
from service.log.read import cloud_event, event_json, get_event, list_events_about, read_events, read_size
from service.segments.effective import find_effective, find_event_ids
from service.segments.heard import Heard, WantedEvents, check_wanted
from service.segments.query import beyond_head
from service.web.asking import AskedView, read_query
from service.web.atom import wants_feed
from service.web.callers import may_read
from service.web.describing import EVENT_STREAM, NEXT_PAGE, Answer, Items, documented, log, view
from service.web.fields import narrowed
from service.web.formats import CLOUDEVENTS, FORMATS, no_such_format, wanted_format
from service.web.limits import CLIENT
from service.web.sending import REVALIDATE, answer, etag_of, is_known, most_rows, next_page, page_size, rejoined, send
from service.web.serving import Door, Services, services

router = APIRouter(tags=["events"], dependencies=[Depends(may_read)], route_class=Door)


class AskedEvents(AskedView):
    """Which part of the log."""

    after: int = Field(0, ge=0, le=2**62, description="the position behind which to read")
    limit: int = Field(50, ge=1, le=500)
    count: bool = Field(default=False, description="whether to say in `total` how long the log is")


@router.get(
    "/v1/events",
    operation_id="listEvents",
    openapi_extra=documented(
        AskedEvents,
        answers=log(
            EventPage,
            CloudEvent,
            "A page of the log.",
            links={
                "getEvent": {"event_id": "$response.body#/items/0/id"},
                "listEvents": NEXT_PAGE,
                "streamEvents": NEXT_PAGE,
            },
        ),
    ),
)
async def list_events(request: Request) -> Response:
    """The log in order, as CloudEvents; `next` is the position to go on from. JSON Lines are all, unless limited."""
    if wants_feed(request, AskedEvents, AskedFeed, CLOUDEVENTS):
        return await follow_log(request)
    kind = wanted_format(request.scope)
    asked = read_query(request, AskedEvents)
    served = services(request)
    names = None if asked.fields is None else EVENTS.names(asked.fields)
    whole = page_size(request, asked.limit) is None
    if kind == "jsonl" and whole:
        return await _stream(request, served, asked.after, names)
    if kind == CLOUDEVENTS and names is not None:
        detail = "A batch of CloudEvents has them whole; leave fields out, or ask for application/json."
        raise Invalid(detail, Fault("/query/fields", "not_selectable", detail))
    async with served.pool.connection() as connection:
        found = await read_events(connection, after=asked.after, limit=most_rows(request, asked.limit))
        total = {"total": await read_size(connection)} if asked.count else {}
    items = [cloud_event(event) for event in found]
    after = found[-1].position if len(found) == asked.limit and not whole else None
    headers = next_page(request, after)
    if kind == CLOUDEVENTS:
        return send(request, items, media_type=FORMATS[kind].media_type, headers=headers)
    return answer(request, {"items": items, "next": after, **total}, EVENTS, headers=headers)


_READ_AT_ONCE = 500


async def _stream(request: Request, served: Services, after: int, names: Sequence[str] | None) -> Response:
    """Every event behind a position, up to the end that the log has now, a CloudEvent to a line."""
    async with served.pool.connection() as connection:
        size = await read_size(connection)

    async def lines() -> AsyncIterator[bytes]:
        done = after
        while done < size:
            async with served.pool.connection() as connection:
                found = await read_events(connection, after=done, limit=min(_READ_AT_ONCE, size - done))
            content: Json = {"items": [cloud_event(event) for event in found]}
            told = content if names is None else narrowed(content, names)
            yield b"".join(orjson.dumps(one) + b"\n" for one in told["items"])
            done = found[-1].position

    etag = f'"{after}-{size}"'
    headers = {"ETag": etag, "Cache-Control": REVALIDATE, "Vary": "Accept"}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    return StreamingResponse(lines(), media_type=FORMATS["jsonl"].media_type, headers=headers)


class AskedStream(WantedEvents):
    """What to listen to."""

    after: int | None = Field(None, ge=0, le=2**62, description="the position behind which to begin; default: now")


@router.get(
    "/v1/events/stream",
    operation_id="streamEvents",
    openapi_extra=documented(
        AskedStream,
        answers={200: Answer("Events, as they are recorded.", {EVENT_STREAM: Items(SentEvent)}, ["Cache-Control"])},
        headers=["Last-Event-ID"],
    ),
)
async def stream_events(request: Request) -> Response:
    """The log, live, as server-sent events: `id` is the position, `data` a CloudEvent.

    A client that was cut off names the last `id` that it has seen in `Last-Event-ID`, and misses nothing.
    """
    asked = read_query(request, AskedStream)
    if "suffix" in request.scope:
        raise no_such_format()
    served = services(request)
    after = _last_seen(request.headers.get("last-event-id"), asked.after)
    if after is not None or asked.coalition is not None:
        async with served.pool.connection() as connection:
            await check_wanted(connection, asked, inside="/query")
            if after is not None and after > await read_size(connection):
                raise beyond_head("after")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    lines = _lines(served.feed.follow(after, client=request.scope.get(CLIENT)), asked.lets_through)
    first = await anext(lines)  # a refusal is still answered as one
    return StreamingResponse(rejoined(first, lines), media_type=EVENT_STREAM, headers=headers)


def _last_seen(header: str | None, after: int | None) -> int | None:
    """Where to go on: what the client has seen last counts for more than where it began."""
    if header is None:
        return after
    if not header.isdecimal() or len(header) > _LONGEST_POSITION:
        detail = "Send the last `id` that you have received: a position in the log."
        raise Invalid(detail, Fault("/header/last-event-id", "bad_position", detail))
    return int(header)


_LONGEST_POSITION = 18
_RETRY = b"retry: 2000\n\n"


async def _lines(
    heard_of: AsyncGenerator[tuple[int, Sequence[Heard]]], wanted: Callable[[Heard], bool]
) -> AsyncGenerator[bytes]:
    """What stands in a stream: the events that are wanted, and how far it has come where there are none."""
    begun = False
    async with aclosing(heard_of) as followed:
        async for position, batch in followed:
            told = [
                b"id: %d\nevent: %b\ndata: %b\n\n" % (heard.event.position, heard.event.kind.encode(), heard.told)
                for heard in batch
                if wanted(heard)
            ]
            if not batch or not wanted(batch[-1]):
                # Dispatches nothing: the client remembers how far it has come, and knows that the line is open.
                told.append(b"id: %d\n\n" % position)
            yield (b"" if begun else _RETRY) + b"".join(told)
            begun = True


_NOTES_ON_IT = {
    f"record{name.capitalize()}": {"event_id": "$request.path.event_id", "If-Match": "$response.header.ETag"}
    for name in ("corrections", "retraction", "reinstatement", "disputes", "duplicates", "sources")
}


@router.get(
    "/v1/events/{event_id}",
    operation_id="getEvent",
    openapi_extra=documented(
        AskedView,
        answers=view(EventAnswer, "The event, and what the record says of it.", links=_NOTES_ON_IT),
        refuses=[404],
    ),
)
async def get_one_event(request: Request, event_id: str) -> Response:
    """One event as recorded, and what the record says of it since."""
    if wants_feed(request, AskedView, AskedFeed):
        return await follow_event(request, event_id)
    read_query(request, AskedView)
    served = services(request)
    async with snapshot(served.pool) as connection:
        event = await get_event(connection, event_id)
        about = await list_events_about(connection, event.position)
        effective = await find_effective(connection, event.position)
        ids = await find_event_ids(connection, effective.linked if effective else ())
        approvals = await find_approvals(connection, [event.position])
    approved = approvals.get(event.position)
    content: Json = {
        "event": event_json(event),
        "approved_by": None if approved is None else approved.by,
        "record": [event_json(one) for one in about],
    }
    etag = etag_of(event.event_id, event.position)
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
        etag = etag_of(event.event_id, effective.revision)
    # Whether it counts hangs on the statements that it is linked to, and so on more than its own revision.
    return answer(request, content, EVENT, etag=etag, revalidates=effective is None or not effective.linked)
