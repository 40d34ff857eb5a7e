"""How a write beside the log goes through: who may, whether it is meant, that it is done once, what it is answered."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson
from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from service.access import Caller, Role
from service.api.recording import AskedWrite, retry_of
from service.database import Connection
from service.domain.answers import Json
from service.once import Done, do_once, do_secretly
from service.submission import Retry
from service.web.asking import read_query
from service.web.bodies import read_body
from service.web.callers import authorise, secret_of
from service.web.describing import Answer, documented
from service.web.sending import JSON
from service.web.serving import Services, services

UNKEPT = ("Cache-Control",)
REPLAYED = "Idempotency-Replayed"


class Change(NamedTuple):
    """A request to change something: who sends it, whether it is meant, and by what a retry is recognised."""

    served: Services
    caller: Caller
    token: str
    body: bytes
    dry_run: bool
    retry: Retry | None

    async def do(self, work: Callable[[Connection], Awaitable[Json]]) -> Done:
        """Does it once, or only tries it."""
        return await do_once(self.served.writing, self.retry, work, dry_run=self.dry_run)

    async def do_secretly(
        self, work: Callable[[Connection, bytes], Awaitable[Json]], render: Callable[[bytes], str]
    ) -> Done:
        """The same, with a secret in the answer that is not kept: it is made of what ``work`` is given, by ``render``.

        Raises `Refused` where a retry is sent with another token than the request.
        """
        return await do_secretly(self.served.writing, self.retry, self.token, work, render, dry_run=self.dry_run)

    def tell(
        self, done: Done, status: int = 200, headers: Mapping[str, str] | None = None, *, silent: bool = False
    ) -> Response:
        """The answer, which nobody keeps; one that is ``silent`` has a body only where it says what would be."""
        sent = {"Cache-Control": "no-store"}
        if self.dry_run:
            return Response(orjson.dumps({"dry_run": True, **done.content}), media_type=JSON, headers=sent)
        sent |= headers or {}
        if done.replayed:
            sent[REPLAYED] = "true"
        if silent:
            return Response(status_code=204, headers=sent)
        return Response(orjson.dumps(done.content), status, media_type=JSON, headers=sent)


async def begin_change(
    request: Request,
    role: Role,
    *,
    asked: type[AskedWrite] = AskedWrite,
    read: Callable[[Request], Awaitable[bytes]] = read_body,
) -> Change:
    """What every such write checks before it does anything: its parameters, who sends it, and that there is a body."""
    dry_run = read_query(request, asked).dry_run
    caller = await authorise(request, role)
    body = await read(request)
    return Change(services(request), caller, secret_of(request), body, dry_run, retry_of(request, caller, body))


def changed(
    answers: Mapping[int, Answer], *, tried: Any, role: Role, asked: type[AskedWrite] = AskedWrite,  # noqa: ANN401 - a type
    headers: Sequence[str] = (), body: type[BaseModel] | None = None,
    body_required: bool = True, refuses: Sequence[int] = (),
) -> Json:  # fmt: skip
    """What every such write says of itself, for the document: ``tried`` is what a dry run is answered."""
    what = "A dry run: what would be so. Nothing is changed."
    done = {status: replace(one, headers=(*UNKEPT, *one.headers, REPLAYED)) for status, one in answers.items()}
    if 200 in done:  # noqa: PLR2004 - the usual status
        content = done[200].content
        done[200] = replace(done[200], what=f"{done[200].what} Or a dry run.", content={JSON: content[JSON] | tried})
    else:
        done[200] = Answer(what, {JSON: tried}, UNKEPT)
    return documented(
        asked,
        answers=done,
        headers=["Idempotency-Key", *headers],
        body=None if body is None else {JSON: body},
        body_required=body_required,
        refuses=(409, 422, *refuses),
        role=role,
    )
