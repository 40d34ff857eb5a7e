"""What is kept beside the log (tokens, webhooks, drafts) is changed once, however often that is sent.

As on the write path, the answer is kept under the client's key in the transaction of what was done, in the same table:
a key stands for one request, whichever door it was sent to. A request waits for its like that is under way, and one
that is not meant is done and undone. Secrets are not kept: see docs/decisions/0026-one-key-for-every-write.md.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import orjson
import psycopg

from service.access import hash_token
from service.database import Connection, Pool
from service.domain.answers import Json
from service.domain.errors import Refused, Unavailable
from service.keys import find_answer, keep_change, reused, still_running
from service.log.append import TAKE_GATE
from service.submission import Retry

_SEED_BYTES = 16
_TAKE_TURN = b"SELECT pg_advisory_xact_lock(%s)"
_HELD = "Another transaction keeps the database from changing this; nothing was done. Try again in a moment."


class Done(NamedTuple):
    """What a request is answered; ``replayed`` when an earlier try had already done it."""

    content: Json
    replayed: bool


async def do_once(
    pool: Pool, retry: Retry | None, work: Callable[[Connection], Awaitable[Json]], *, dry_run: bool = False
) -> Done:
    """Does something in one transaction and keeps what it is answered, unless it has been done; answers that.

    With ``dry_run`` it is undone again, and the key not looked at. Raises what ``work`` does; `Invalid` where the key
    is another request's, `Running` where the same is under way.
    """
    try:
        async with pool.connection() as connection, connection.transaction(force_rollback=dry_run):
            if retry is None or dry_run:
                return Done(await work(connection), replayed=False)
            await _take_turn(connection, retry)
            earlier = await find_done(connection, retry)
            if earlier is not None:
                return Done(earlier, replayed=True)
            content = await work(connection)
            await connection.execute(TAKE_GATE.encode())  # so that no statement is recorded under the key meanwhile
            if await find_done(connection, retry) is not None:
                raise reused()
            await keep_change(connection, retry, orjson.dumps(content))
            return Done(content, replayed=False)
    except psycopg.errors.LockNotAvailable:
        raise Unavailable(_HELD) from None


async def find_done(connection: Connection, retry: Retry) -> Json | None:
    """What an earlier try was answered; raises `Invalid` where the key is another request's."""
    answer = await find_answer(connection, retry)
    if answer is None:
        return None
    content: Json = orjson.loads(answer.content)
    return content


async def _take_turn(connection: Connection, retry: Retry) -> None:
    """Waits for whoever is using the key, in whichever process, as long as anybody waits for anything."""
    named = hashlib.sha256(f"{retry.client}\x00{retry.key}".encode()).digest()
    try:
        await connection.execute(_TAKE_TURN, (int.from_bytes(named[:8], signed=True),))
    except psycopg.errors.LockNotAvailable:
        raise still_running() from None


# --- secrets ----------------------------------------------------------------------------------------------------------


class Seed(NamedTuple):
    """From what a secret is drawn, together with the token of whoever asks for it: worth nothing without that."""

    salt: str
    token_id: str

    @classmethod
    def fresh(cls, token_id: str) -> "Seed":
        """A new one, for whoever has this token."""
        return cls(secrets.token_hex(_SEED_BYTES), token_id)

    @classmethod
    def of(cls, kept: Any) -> "Seed":  # noqa: ANN401 - JSON
        """One that was kept."""
        return cls(*kept)

    def draw(self, token: str) -> bytes:
        """32 bytes that nobody can guess who has not the token as well, and the same each time for who has."""
        return hmac.digest(token.encode(), b"secret " + self.salt.encode(), "sha256")


async def do_secretly(
    pool: Pool,
    retry: Retry | None,
    token: str,
    work: Callable[[Connection, bytes], Awaitable[Json]],
    render: Callable[[bytes], str],
    *,
    dry_run: bool = False,
) -> Done:
    """As `do_once`, with a secret in the answer that is not kept: ``render`` makes it of what ``work`` is given.

    ``token`` is the secret of whoever asks, be it of a token or a session. Raises `Refused` where a retry is sent with
    another than the request.
    """
    name = hash_token(token).hex()[:12]  # of a token, the id under which it is listed
    seed = Seed.fresh(name)

    async def keep(connection: Connection) -> Json:
        return {"seed": [*seed], "answer": await work(connection, seed.draw(token))}

    done = await do_once(pool, retry, keep, dry_run=dry_run)
    kept, content = Seed.of(done.content["seed"]), done.content["answer"]
    if dry_run:
        return Done(content, replayed=False)
    if kept.token_id != name:
        raise Refused(
            "This Idempotency-Key has already made a secret, and only the token that it was sent with, "
            f"{kept.token_id}, is answered it again. If that is lost, undo what was made, and use a new key."
        )
    return Done({**content, "secret": render(kept.draw(token))}, done.replayed)
