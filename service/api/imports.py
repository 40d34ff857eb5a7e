"""Importing: a file of statements, of any size, and a report about each of its rows."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import orjson
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.access import Caller, Role
from service.api.recorded import ImportEnd, ImportReport, ImportRow
from service.api.recording import AskedWrite
from service.domain.answers import Json
from service.domain.kinds import AnyStatement
from service.load.checked import Spool
from service.load.imports import Import, Importer, OnError
from service.load.room import room_on_disk
from service.reading.opening import BY_TYPE, LINES, open_rows
from service.submission import Retry
from service.trial import Trial
from service.web.asking import read_query
from service.web.bodies import find_key
from service.web.callers import authorise
from service.web.describing import TEXT, Answer, Items, documented
from service.web.formats import FORMATS, wanted_format
from service.web.sending import JSON, rejoined
from service.web.serving import LongDoor, Services, services
from service.web.submitting import tried
from service.web.uploads import MULTIPART, Form, Upload, receive

_PIECE = 2**18
_LARGER = 4  # what the rows of a file come to on disk, as a multiple of the largest file

_LINES = FORMATS["jsonl"].media_type
router = APIRouter(tags=["recording"], route_class=LongDoor)


class AskedImport(AskedWrite):
    """How an import is meant."""

    on_error: OnError = Field(
        OnError.STOP, description="`stop`: a bad row anywhere, and nothing is recorded; `skip`: the good rows are"
    )


_WHAT = "The report, written as rows are recorded. It ends with `complete`: without that, it was cut off."


@router.post(
    "/v1/import",
    operation_id="importStatements",
    openapi_extra=documented(
        AskedImport,
        body={**{kind: Items(AnyStatement) if kind in LINES else TEXT for kind in BY_TYPE}, MULTIPART: Form},
        answers={
            200: Answer(
                _WHAT,
                {JSON: ImportReport, _LINES: Items(ImportRow | ImportEnd)},
                ("Cache-Control", "Idempotency-Replayed"),
                {"getEvent": {"event_id": "$response.body#/results/0/event_id"}},
            )
        },
        headers=["Idempotency-Key"],
        refuses=[507],
        role=Role.EDITOR,
    ),
)
async def import_statements(request: Request) -> Response:
    """Records the statements of a file, and reports on each of its rows."""
    caller = await authorise(request, Role.EDITOR)
    asked = read_query(request, AskedImport)
    key = find_key(request)
    wanted_format(request.scope)  # raises, before anything is read, where none will do
    served = services(request)
    async with AsyncExitStack() as held:
        held.enter_context(served.importing.take())
        held.enter_context(room_on_disk())
        upload = held.enter_context(await receive(request))
        spool = held.enter_context(Spool(_LARGER * served.settings.largest_import))
        wanted = Import(_importer(served, caller, dry_run=asked.dry_run), spool, asked.on_error)
        if key is not None and not asked.dry_run:
            wanted.claim = await _claim(caller, key, asked.on_error, upload)
        await wanted.check(open_rows(upload.file, upload.form, upload.mapping))
        return await _report(request, wanted, dry_run=asked.dry_run, held=held)


def _importer(served: Services, caller: Caller, *, dry_run: bool) -> Importer:
    return Importer(
        served.pool if dry_run else served.writing, served.recorder, caller.owner, served.new_id, served.new_salt
    )


def states_of(trial: Trial, stale_after_days: int) -> list[Json]:
    """The states in which a file would leave the subjects that it touches."""
    found: list[Json] = tried(trial, stale_after_days, many=True)["states"]
    return found


async def _claim(caller: Caller, key: str, on_error: OnError, upload: Upload) -> Retry:
    """By what a retry of the whole is recognised: not by the bytes of a form, whose boundary differs each time."""

    def digest() -> bytes:
        upload.file.seek(0)
        found = hashlib.sha256()
        while piece := upload.file.read(_PIECE):
            found.update(piece)
        found.update(orjson.dumps(["/v1/import", on_error, upload.form, upload.mapping_digest]))
        upload.file.seek(0)
        return found.digest()

    return Retry(f"token/{caller.owner}", key, await asyncio.to_thread(digest))


async def _report(request: Request, wanted: Import, *, dry_run: bool, held: AsyncExitStack) -> Response:
    """The report as it comes about. What fails before there is any of it is still answered as a refusal."""
    stale_after = services(request).settings.stale_after_days
    rows = wanted.try_out(lambda trial: states_of(trial, stale_after)) if dry_run else wanted.record()
    first: list[Json] = await anext(rows, [])
    if wanted.error is not None and not wanted.recorded:
        await rows.aclose()
        raise wanted.error
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if wanted.replayed:
        headers["Idempotency-Replayed"] = "true"
    as_lines = wanted_format(request.scope) == "jsonl"
    render, media_type = (_lines, _LINES) if as_lines else (_document, JSON)
    told = render(rejoined(first, rows), wanted, dry_run=dry_run)
    return _Report(told, held.pop_all(), media_type=media_type, headers=headers)


class _Report(StreamingResponse):
    """A report, and what is held until it has left, or its client has."""

    def __init__(self, told: AsyncGenerator[bytes], held: AsyncExitStack, **how: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(told, **how)
        self._told, self._held = told, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held, aclosing(self._told):
            await super().__call__(scope, receive, send)


async def _document(report: AsyncGenerator[list[Json]], wanted: Import, *, dry_run: bool) -> AsyncGenerator[bytes]:
    """One JSON document, written as it comes about: the rows, and behind them what they come to."""
    async with aclosing(report):
        yield b'{"dry_run":true,"results":[' if dry_run else b'{"results":['
        between = b""
        async for rows in report:
            if rows:
                yield between + b",".join(map(orjson.dumps, rows))
                between = b","
        yield b"]," + orjson.dumps(wanted.summary())[1:]


async def _lines(report: AsyncGenerator[list[Json]], wanted: Import, *, dry_run: bool) -> AsyncGenerator[bytes]:
    """A line for each row, and a last one with what they come to."""
    async with aclosing(report):
        async for rows in report:
            yield b"".join(orjson.dumps(row) + b"\n" for row in rows)
        summary = {"dry_run": True, **wanted.summary()} if dry_run else wanted.summary()
        yield orjson.dumps({"summary": summary}) + b"\n"
