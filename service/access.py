"""Who may do what: tokens with a role, of which only a hash is stored."""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import CheckConstraint, Column, Computed, DateTime, LargeBinary, Table, Text, UniqueConstraint

from service.database import METADATA, Connection, Pool, fetch
from service.domain.errors import Fault, Invalid, Unknown

token = Table(
    "token",
    METADATA,
    Column("hash", LargeBinary, primary_key=True),
    Column("role", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column(
        "id", Text, Computed("substr(encode(hash, 'hex'::text), 1, 12)", persisted=True), nullable=False,
        comment="names the token without giving it away",
    ),
    Column("created_by", Text, comment="null: on the command line"),
    Column("last_used_at", DateTime(timezone=True), comment="to the minute"),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_by", Text),
    UniqueConstraint("id"),
    CheckConstraint("role IN ('reader', 'contributor', 'editor', 'approver', 'admin')", name="role_known"),
    comment="Who may do what; only a hash of each token is kept.",
)  # fmt: skip

_PREFIX = "pr_"  # so that a token found in a log or a commit is recognised as one
_SECRET_BYTES = 32
_REMEMBERED_SECONDS = 5.0


class Role(StrEnum):
    """What a token allows, each role all that the ones before it do."""

    READER = "reader"
    CONTRIBUTOR = "contributor"
    EDITOR = "editor"
    APPROVER = "approver"
    ADMIN = "admin"

    def allows(self, needed: "Role") -> bool:
        """Whether this role may do what needs the other."""
        ladder = tuple(Role)
        return ladder.index(self) >= ladder.index(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: in whose name, with which role, and by which token, or by which session of a person.

    The owner of a token and the login of a person are names of one kind: both stand on what is recorded.
    """

    owner: str
    role: Role
    token_id: str | None
    session_id: str | None = None
    name: str = ""

    @property
    def looks_after(self) -> str | None:
        """Whose webhooks it may see and change: its own; None, those of all, for an admin."""
        return None if self.role is Role.ADMIN else self.owner


# --- tokens -----------------------------------------------------------------------------------------------------------


class TokenState(StrEnum):
    """What has become of a token."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Token(NamedTuple):
    """A token as it can be shown: everything but the secret, which nobody has but its owner."""

    id: str
    role: Role
    owner: str
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    condition: TokenState


_CONDITION = (
    "CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= clock_timestamp() THEN 'expired' "
    "ELSE 'active' END"
)
_COLUMNS = f"id, role, owner, created_at, created_by, expires_at, last_used_at, revoked_at, revoked_by, {_CONDITION}"
_ID = re.compile(r"[0-9a-f]{12}")
_GET = f"SELECT {_COLUMNS} FROM token WHERE id = %(id)s"
_WHERE = f"""
WHERE (%(owner)s::text IS NULL OR owner = %(owner)s) AND (%(condition)s::text IS NULL OR {_CONDITION} = %(condition)s)
"""
_LIST = f"""
SELECT {_COLUMNS} FROM token {_WHERE}
  AND (%(after)s::text IS NULL OR (created_at, id) > (SELECT created_at, id FROM token WHERE id = %(after)s))
ORDER BY created_at, id LIMIT %(limit)s
"""
_ADD = f"""
INSERT INTO token (hash, role, owner, created_at, expires_at, created_by)
SELECT %(hash)s, %(role)s, %(owner)s, now, %(expires_at)s, %(created_by)s FROM clock_timestamp() AS now
WHERE %(expires_at)s::timestamptz IS NULL OR %(expires_at)s > now
RETURNING {_COLUMNS}
"""
_REVOKE = """
UPDATE token SET revoked_at = coalesce(revoked_at, clock_timestamp()),
                 revoked_by = CASE WHEN revoked_at IS NULL THEN %(by)s ELSE revoked_by END
WHERE id = %(id)s
"""


async def create_token(
    connection: Connection,
    *,
    role: Role,
    owner: str,
    expires_at: datetime | None = None,
    created_by: str | None = None,
    drawn: bytes | None = None,
) -> tuple[str, Token]:
    """Makes a token: its secret, which is shown once and stored only as a hash, and what can be shown of it.

    The secret is made of ``drawn``, 32 random bytes, or of fresh ones. Raises `Invalid` where it would be over already.
    """
    secret = render_secret(secrets.token_bytes(_SECRET_BYTES) if drawn is None else drawn)
    values = {"hash": hash_token(secret), "role": role, "owner": owner, "expires_at": expires_at}
    rows = await fetch(connection, _ADD, {**values, "created_by": created_by})
    if not rows:
        detail = "This moment has passed: say when the token shall expire, or leave it out."
        raise Invalid(detail, Fault("/expires_at", "past", detail))
    return secret, _token(rows[0])


def render_secret(drawn: bytes) -> str:
    """A token as it is sent, made of random bytes."""
    return _PREFIX + base64.urlsafe_b64encode(drawn).decode().rstrip("=")


class WantedTokens(NamedTuple):
    """Which tokens are asked for; None is any."""

    owner: str | None = None
    condition: TokenState | None = None


async def list_tokens(
    connection: Connection, wanted: WantedTokens, *, after: str | None = None, limit: int | None = None
) -> list[Token]:
    """Tokens in the order in which they were made, also those that are over, behind one of them."""
    values = {**wanted._asdict(), "after": after, "limit": limit}
    return [_token(row) for row in await fetch(connection, _LIST, values)]


async def count_tokens(connection: Connection, wanted: WantedTokens) -> int:
    """How many there are."""
    count: int = (await fetch(connection, f"SELECT count(*) FROM token {_WHERE}", wanted._asdict()))[0][0]
    return count


async def get_token(connection: Connection, token_id: str) -> Token:
    """One token; raises `Unknown`."""
    named = {"id": token_id}
    rows = await fetch(connection, _GET, named) if _ID.fullmatch(token_id) else []
    if not rows:
        raise Unknown("There is no token with this id; GET /v1/tokens and ./run token list show those there are.")
    return _token(rows[0])


def _token(row: tuple[object, ...]) -> Token:
    found = Token(*row)  # type: ignore[arg-type]  # as the query selects
    return found._replace(role=Role(found.role), condition=TokenState(found.condition))


async def revoke_token(connection: Connection, token_id: str, *, by: str | None) -> None:
    """Ends a token for ever; every process forgets it within seconds. ``by`` is None on the command line."""
    await get_token(connection, token_id)
    await connection.execute(_REVOKE, {"id": token_id, "by": by})


def hash_token(secret: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(secret.encode()).digest()


# --- callers ----------------------------------------------------------------------------------------------------------

_FIND = f"""
SELECT owner, role, id, {_CONDITION}, expires_at, coalesce(last_used_at < clock_timestamp() - interval '1 minute', true)
FROM token WHERE hash = %(hash)s
"""
# Nobody waits for it: neither for the disk, nor for another process that notes the same.
_NOTE_USE = """
WITH hurried AS (SELECT set_config('synchronous_commit', 'off', true)),
     mine AS (SELECT hash FROM token, hurried WHERE hash = %b FOR UPDATE OF token SKIP LOCKED)
UPDATE token SET last_used_at = clock_timestamp() FROM mine WHERE token.hash = mine.hash
"""

Found = Caller | TokenState | None
"""Whose token it is; or that it has expired or was revoked, which only they are told who have it; or no such token."""


class _Remembered(NamedTuple):
    looked_up: float
    expires_at: datetime | None
    caller: Caller


class Access:
    """Finds the caller of a token; what was found is remembered for a few seconds, so that a write costs no look-up."""

    def __init__(
        self,
        pool: Pool,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``clock`` measures how long something has been remembered; ``now`` says whether a token has expired since."""
        self._pool = pool
        self._clock, self._now = clock, now
        self._remembered: dict[bytes, _Remembered] = {}
        self._revocations = 0

    async def find_caller(self, secret: str) -> Found:
        """Whose token this is, or what has become of it, or None where there is no such token."""
        hashed, began = hash_token(secret), self._clock()
        known = self._remembered.get(hashed)
        if known is not None and began - known.looked_up < _REMEMBERED_SECONDS:
            return self._unless_expired(known)
        while True:
            revocations = self._revocations
            found = await self._look_up(hashed, began)
            if revocations == self._revocations:  # else it may be what was so before one
                break
        if not isinstance(found, _Remembered):
            self._remembered.pop(hashed, None)
            return found
        if len(self._remembered) > 10_000:  # noqa: PLR2004 - far above any number of tokens in use
            self._remembered.clear()
        self._remembered[hashed] = found
        return self._unless_expired(found)

    async def _look_up(self, hashed: bytes, began: float) -> _Remembered | TokenState | None:
        async with self._pool.connection() as connection:
            rows = await fetch(connection, _FIND, {"hash": hashed})
            if not rows:
                return None
            owner, role, token_id, condition, expires_at, long_unused = rows[0]
            if condition != TokenState.ACTIVE:
                return TokenState(condition)
            if long_unused:
                await connection.execute(_NOTE_USE, (hashed,))
        return _Remembered(began, expires_at, Caller(owner, Role(role), token_id))

    def _unless_expired(self, known: _Remembered) -> Found:
        is_over = known.expires_at is not None and known.expires_at <= self._now()
        return TokenState.EXPIRED if is_over else known.caller

    def last_known(self, secret: str) -> Caller | None:
        """Whose token this was when it was last looked up here. Good for counting, not for letting anybody in."""
        found = self._remembered.get(hash_token(secret))
        return None if found is None else found.caller

    def forget(self, token_id: str) -> None:
        """Looks a token up anew when it is next used; a look-up that is under way is made again."""
        self._revocations += 1
        self._remembered = {key: one for key, one in self._remembered.items() if one.caller.token_id != token_id}
