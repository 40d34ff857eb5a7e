"""Tokens, for admins: which there are, a new one, the end of one."""

import hashlib
from datetime import timedelta
from typing import Annotated

import orjson
from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import Response

from service.access import (
    Role,
    TokenState,
    WantedTokens,
    create_token,
    get_token,
    list_tokens,
    render_secret,
    revoke_token,
)
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.pages import PAGE_ROWS, cut, render, see
from service.admin.people import ROLES
from service.admin.typed import Form, faults_at, parse_typed, read_form, without_open
from service.database import Connection
from service.domain.answers import Json
from service.domain.errors import Fault, Invalid, Refused, Unknown
from service.domain.statement import Line
from service.once import do_secretly
from service.submission import Retry
from service.web.callers import secret_of
from service.web.serving import connections, services

PATH = "/admin/tokens"
STATES = tuple(TokenState)
_EMPTY = {"days": "90"}
router = pages()


class NewToken(BaseModel):
    """What a token shall allow, in whose name, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    owner: Line
    days: Annotated[
        Annotated[int, Field(ge=1, le=3650)] | None, BeforeValidator(lambda given: given.strip() or None)
    ] = None
    key: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]


@router.get(PATH)
async def show_tokens(request: Request) -> Response:
    """The tokens in the order in which they were made, page by page, and the form to make one."""
    await signed_in(request, Role.ADMIN)
    return await _tokens(request, _EMPTY)


async def _tokens(
    request: Request, typed: Form | dict[str, str], faults: tuple[Fault, ...] = (), *, secret: str | None = None
) -> Response:
    asked = request.query_params
    state = next((one for one in STATES if one == asked.get("state")), None)
    async with connections(request).connection() as connection:
        after = asked.get("after") or None
        try:
            if after is not None:
                await get_token(connection, after)
        except Unknown:
            after = None
        found = await list_tokens(connection, WantedTokens(None, state), after=after, limit=PAGE_ROWS + 1)
    shown, following = cut(found, lambda one: one.id)
    return render(
        request, "tokens.html", status=UNSENT if faults else 201 if secret else 200, tokens=shown,
        next=following, state=state, states=[(one, one) for one in STATES], secret=secret,
        typed={name: typed.get(name, "") for name in ("role", "owner", "days")}, roles=ROLES, faults=faults,
    )  # fmt: skip


@router.post(PATH)
async def make_token(request: Request) -> Response:
    """Makes a token and shows its secret, this once; sent twice, the form makes one."""
    caller, served = await signed_in(request, Role.ADMIN), services(request)
    form = await read_form(request)
    try:
        new = parse_typed(NewToken, without_open(form, "role"), besides=())
        expires = None if new.days is None else served.clock() + timedelta(days=new.days)

        async def make(connection: Connection, drawn: bytes) -> Json:
            _, made = await create_token(
                connection, role=new.role, owner=new.owner, expires_at=expires, created_by=caller.owner, drawn=drawn
            )
            return {"id": made.id}

        said = hashlib.sha256(orjson.dumps([new.role, new.owner, new.days])).digest()
        retry = Retry(f"form/{caller.owner}", new.key, said)
        done = await do_secretly(served.writing, retry, secret_of(request), make, render_secret)
    except (Invalid, Refused) as error:
        return await _tokens(request, form, faults_at(error))
    return await _tokens(request, _EMPTY, secret=done.content["secret"])


@router.post(PATH + "/{token_id}/revoke")
async def end_token(request: Request, token_id: str) -> Response:
    """Revokes a token, for ever."""
    caller, served = await signed_in(request, Role.ADMIN), services(request)
    async with connections(request).connection() as connection:
        await revoke_token(connection, token_id, by=caller.owner)
    served.access.forget(token_id)
    return see(PATH, "revoked")
