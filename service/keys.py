"""Clients' keys: what is kept under each, so that what is sent again has no second effect.

What is recorded keeps its answers in the transaction of its events, what is changed beside the log in that of the
change; all in one table, as a key stands for one request, whichever door it was sent to.
"""

from collections.abc import Sequence
from typing import NamedTuple

from service.database import Connection
from service.domain.errors import Fault, Invalid, Running
from service.submission import Answer, Retry


class Kept(NamedTuple):
    """What is kept under a key: what was sent with it, and what it was answered."""

    digest: bytes
    answer: Answer

    @classmethod
    def of(cls, digest: bytes, position: int, content: bytes) -> "Kept":
        """The last columns of `FIND_KEPT`."""
        return cls(bytes(digest), Answer(bytes(content), position, replayed=True))


FIND_KEPT = """
SELECT i.client, i.key, i.digest, i.position, i.answer
FROM unnest(%b::text[], %b::text[]) AS asked(client, key) JOIN idempotency i USING (client, key)
"""
_KEEP_EACH = """
INSERT INTO idempotency (client, key, digest, position, answer)
SELECT * FROM unnest(%b::text[], %b::text[], %b::bytea[], %b::bigint[], %b::bytea[])
"""
_KEEP_CHANGE = "INSERT INTO idempotency (client, key, digest, position, answer) VALUES (%s, %s, %s, 0, %s)"
_KEEP_CLAIM = """
INSERT INTO idempotency (client, key, digest, position, answer)
SELECT %s, %s, %s, size + 1, '' FROM log_head
ON CONFLICT DO NOTHING
"""


async def find_kept(connection: Connection, client: str, keys: Sequence[str]) -> dict[str, Kept]:
    """What is kept under those of a client's keys that have been used."""
    rows = await connection.cursor(binary=True).execute(FIND_KEPT, ([client] * len(keys), list(keys)))
    return {key: Kept.of(*row) for _, key, *row in await rows.fetchall()}


async def find_answer(connection: Connection, retry: Retry) -> Answer | None:
    """What an earlier try of a request was answered; raises `Invalid` where the key is another request's."""
    kept = (await find_kept(connection, retry.client, [retry.key])).get(retry.key)
    if kept is None:
        return None
    if kept.digest != retry.digest:
        raise reused()
    return kept.answer


async def keep_each(connection: Connection, answered: Sequence[tuple[Retry, Answer]]) -> None:
    """Keeps what requests are answered that recorded something. Runs inside the caller's pipeline."""
    columns = (
        [retry.client for retry, _ in answered],
        [retry.key for retry, _ in answered],
        [retry.digest for retry, _ in answered],
        [answer.position for _, answer in answered],
        [answer.content for _, answer in answered],
    )
    await connection.execute(_KEEP_EACH, columns)


async def keep_change(connection: Connection, retry: Retry, content: bytes) -> None:
    """Keeps what a request is answered that changed something beside the log."""
    await connection.execute(_KEEP_CHANGE, (retry.client, retry.key, retry.digest, content))


async def keep_claim(connection: Connection, retry: Retry) -> bool:
    """Keeps the key of a request that records nothing, behind all that is recorded now; false where it is taken."""
    return (await connection.execute(_KEEP_CLAIM, (retry.client, retry.key, retry.digest))).rowcount == 1


def still_running() -> Running:
    """Another request with the same key is under way."""
    return Running("A request with this Idempotency-Key is still running; try again shortly.")


def reused() -> Invalid:
    """A key that belongs to another request."""
    detail = "This Idempotency-Key was used for another request; take a new key."
    return Invalid(detail, Fault("/header/idempotency-key", "reused", detail))
