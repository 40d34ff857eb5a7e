"""Tokens: who may do what, for admins; and whose token one uses, for everybody."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import Response

from service.access import (
    Role,
    Token,
    TokenState,
    WantedTokens,
    count_tokens,
    create_token,
    get_token,
    list_tokens,
    render_secret,
    revoke_token,
)
from service.api.answering import AskedKept, no_cursor, page_of_kept, rows_wanted
from service.api.changing import begin_change, changed
from service.api.kept import Me, TokenAnswer, TokenMade, TokenPage, TokenTried
from service.api.outlines import listing
from service.database import Connection
from service.domain.answers import Json
from service.domain.dates import parse_instant, render_instant
from service.domain.errors import Unknown
from service.domain.statement import Line
from service.web.asking import read_query, takes_no_parameters
from service.web.bodies import parse_body, read_no_body
from service.web.callers import authorise
from service.web.describing import NEXT_PAGE, Answer, documented, sent, view
from service.web.fields import members_of
from service.web.sending import JSON, PRIVATE, send
from service.web.serving import Door, connections

router = APIRouter(tags=["tokens"], route_class=Door)
_THIS_TOKEN = {"token_id": "$response.body#/token/id"}
TOKENS = listing(members_of(TokenPage))


class AskedTokens(AskedKept):
    """Which tokens."""

    owner: Line | None = Field(None, description="whose it is")
    state: TokenState | None = Field(None, description="active, expired or revoked")


@router.get(
    "/v1/tokens",
    operation_id="listTokens",
    openapi_extra=documented(
        AskedTokens,
        answers=view(
            TokenPage,
            "Tokens.",
            paged=True,
            feed=False,
            links={"getToken": {"token_id": "$response.body#/items/0/id"}, "listTokens": NEXT_PAGE},
        ),
        role=Role.ADMIN,
    ),
)
async def get_tokens(request: Request) -> Response:
    """All tokens in the order in which they were made, without their secrets."""
    await authorise(request, Role.ADMIN)
    asked = read_query(request, AskedTokens)
    wanted = WantedTokens(asked.owner, asked.state)
    async with connections(request).connection() as connection:
        try:
            if asked.after is not None:
                await get_token(connection, asked.after)
        except Unknown:
            raise no_cursor() from None
        found = await list_tokens(connection, wanted, after=asked.after, limit=rows_wanted(request, asked))
        total = await count_tokens(connection, wanted) if asked.count else None
    return page_of_kept(request, asked, [_shown(one) for one in found], total, TOKENS)


@router.get(
    "/v1/tokens/{token_id}",
    operation_id="getToken",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=documented(answers=sent("The token.", {JSON: TokenAnswer}), refuses=[404], role=Role.ADMIN),
)
async def get_one_token(request: Request, token_id: str) -> Response:
    """One token, without its secret."""
    await authorise(request, Role.ADMIN)
    async with connections(request).connection() as connection:
        found = await get_token(connection, token_id)
    return send(request, {"token": _shown(found)}, headers={"Cache-Control": PRIVATE})


@router.get(
    "/v1/me",
    operation_id="getMe",
    dependencies=[Depends(takes_no_parameters)],
    openapi_extra=documented(
        answers=sent("The token's owner and role.", {JSON: Me}, links={"getToken": _THIS_TOKEN}), role=Role.READER
    ),
)
async def get_me(request: Request) -> Response:
    """In whose name the request was sent, and what that allows."""
    caller = await authorise(request, Role.READER)
    shown = None
    if caller.token_id is not None:
        async with connections(request).connection() as connection:
            shown = _shown(await get_token(connection, caller.token_id))
    content = {"owner": caller.owner, "role": caller.role, "token": shown}
    return send(request, content, headers={"Cache-Control": PRIVATE})


class NewToken(BaseModel):
    """What a token shall allow, whose it is, and until when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["reader", "contributor", "editor", "approver", "admin"]
    owner: Line = Field(description="stands on what is recorded with it")
    expires_at: datetime | None = Field(None, description="an instant; left out: it does not expire")

    @field_validator("expires_at", mode="before")
    @classmethod
    def _an_instant(cls, given: object) -> object:
        if given is not None and not isinstance(given, str):
            raise ValueError("is no instant; write it like 2026-12-31T23:59:59Z")
        return None if given is None else parse_instant(given)


@router.post(
    "/v1/tokens",
    operation_id="createToken",
    openapi_extra=changed(
        {
            201: Answer(
                "Made. The secret is answered to this request alone, however often it is sent.",
                {JSON: TokenMade},
                ("Location",),
                {"getToken": _THIS_TOKEN, "revokeToken": _THIS_TOKEN},
            )
        },
        tried=TokenTried,
        body=NewToken,
        role=Role.ADMIN,
    ),
)
async def make_token(request: Request) -> Response:
    """Makes a token, and answers its secret."""
    change = await begin_change(request, Role.ADMIN)
    given = parse_body(NewToken, change.body)

    async def make(connection: Connection, drawn: bytes) -> Json:
        _, made = await create_token(
            connection,
            role=Role(given.role),
            owner=given.owner,
            expires_at=given.expires_at,
            created_by=change.caller.owner,
            drawn=drawn,
        )
        return {"token": _shown(made)}

    done = await change.do_secretly(make, render_secret)
    return change.tell(done, 201, {"Location": f"/v1/tokens/{done.content['token']['id']}"})


@router.delete(
    "/v1/tokens/{token_id}",
    operation_id="revokeToken",
    openapi_extra=changed({204: Answer("Revoked, now or before.")}, tried=TokenTried, refuses=[404], role=Role.ADMIN),
)
async def end_token(request: Request, token_id: str) -> Response:
    """Revokes a token, for ever."""
    change = await begin_change(request, Role.ADMIN, read=read_no_body)

    async def end(connection: Connection) -> Json:
        await revoke_token(connection, token_id, by=change.caller.owner)
        return {"token": _shown(await get_token(connection, token_id))}

    done = await change.do(end)
    change.served.access.forget(token_id)
    return change.tell(done, silent=True)


def _shown(one: Token) -> Json:
    """A token as clients see it."""
    return {
        "id": one.id,
        "role": one.role,
        "owner": one.owner,
        "state": one.condition,
        "created_at": render_instant(one.created_at),
        "created_by": one.created_by,
        "expires_at": one.expires_at and render_instant(one.expires_at),
        "last_used_at": one.last_used_at and render_instant(one.last_used_at),
        "revoked_at": one.revoked_at and render_instant(one.revoked_at),
        "revoked_by": one.revoked_by,
    }
