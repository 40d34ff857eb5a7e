"""Who may do what: tokens with a role, of which only a hash is stored."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, DateTime, LargeBinary, Table, Text

from service.database import METADATA, Connection, Pool, fetch

token = Table(
    "token",
    METADATA,
    Column("hash", LargeBinary, primary_key=True),
    Column("role", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    CheckConstraint("role IN ('reader', 'contributor', 'editor', 'approver', 'admin')", name="role_known"),
    comment="Who may do what; only a hash of each token is kept.",
)

_PREFIX = "pr_"  # so that a token found in a log or a commit is recognised as one
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
    """Who asks: the owner of the token, and its role."""

    owner: str
    role: Role


async def create_token(connection: Connection, *, role: Role, owner: str, expires_at: datetime | None = None) -> str:
    """Makes a token; it is shown once and stored only as a hash."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    await connection.execute(
        "INSERT INTO token (hash, role, owner, created_at, expires_at) VALUES (%s, %s, %s, clock_timestamp(), %s)",
        (hash_token(secret), role, owner, expires_at),
    )
    return secret


def hash_token(secret: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(secret.encode()).digest()


class Access:
    """Finds the caller of a token; what was found is remembered for a few seconds, so that a write costs no look-up."""

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._remembered: dict[bytes, tuple[float, Caller]] = {}

    async def find_caller(self, secret: str) -> Caller | None:
        """Whose token this is, or None where there is no such token or it has expired."""
        hashed, now = hash_token(secret), self._clock()
        found = self._remembered.get(hashed)
        if found is not None and now - found[0] < _REMEMBERED_SECONDS:
            return found[1]
        async with self._pool.connection() as connection:
            rows = await fetch(
                connection,
                "SELECT owner, role FROM token WHERE hash = %(hash)s"
                " AND (expires_at IS NULL OR expires_at > clock_timestamp())",
                {"hash": hashed},
            )
        if not rows:
            self._remembered.pop(hashed, None)
            return None
        caller = Caller(rows[0][0], Role(rows[0][1]))
        if len(self._remembered) > 10_000:  # noqa: PLR2004 - far above any number of tokens in use
            self._remembered.clear()
        self._remembered[hashed] = (now, caller)
        return caller
