"""Where somebody is signed in: a random cookie, of which only a hash is kept, until it is ended, unused or old.

Nothing is remembered in the process that lets anybody in: a session that was ended, or whose person was disabled, opens
nothing from that moment on, whoever has its cookie.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from service.access import Caller, Role
from service.database import Connection, fetch
from service.domain.errors import Unknown


class Lifetime(NamedTuple):
    """How long a session lasts: unused, and in all."""

    idle: timedelta
    whole: timedelta


class Visitor(NamedTuple):
    """From where somebody comes: their address, and their browser in plain words."""

    address: str
    browser: str


class Session(NamedTuple):
    """A session as it can be shown."""

    id: str
    login: str
    began_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str
    browser: str


_ID = re.compile(r"[0-9a-f]{12}")
_BEGIN = """
INSERT INTO session (hash, login, began_at, last_used_at, expires_at, address, browser)
SELECT %(hash)s, login, now, now, now + %(whole)s, %(address)s, %(browser)s FROM person, clock_timestamp() AS now
WHERE login = %(login)s AND disabled_at IS NULL
"""
_SWEEP = "DELETE FROM session WHERE login = %(login)s AND NOT (expires_at > now() AND last_used_at > now() - %(idle)s)"
_LIVE = "s.expires_at > clock_timestamp() AND s.last_used_at > clock_timestamp() - %(idle)s"
_FIND = f"""
SELECT p.login, p.role, s.id, p.name, s.last_used_at < clock_timestamp() - interval '1 minute'
FROM session s JOIN person p USING (login)
WHERE s.hash = %(hash)s AND p.disabled_at IS NULL AND {_LIVE}
"""
# Nobody waits for it: neither for the disk, nor for another request that notes the same.
_NOTE_USE = """
WITH hurried AS (SELECT set_config('synchronous_commit', 'off', true)),
     mine AS (SELECT hash FROM session, hurried WHERE hash = %(hash)s FOR UPDATE OF session SKIP LOCKED)
UPDATE session SET last_used_at = clock_timestamp() FROM mine WHERE session.hash = mine.hash
"""
_LIST = f"""
SELECT id, login, began_at, last_used_at, expires_at, address, browser FROM session s
WHERE login = %(login)s AND {_LIVE} ORDER BY last_used_at DESC, id
"""
_END = "DELETE FROM session WHERE id = %(id)s AND login = %(login)s RETURNING id"
_END_OTHERS = "DELETE FROM session WHERE login = %(login)s AND id IS DISTINCT FROM %(kept)s"


def hash_cookie(secret: str) -> bytes:
    """What is kept of a cookie."""
    return hashlib.sha256(secret.encode()).digest()


async def begin_session(connection: Connection, login: str, visitor: Visitor, lifetime: Lifetime) -> str:
    """Signs a person in: answers the cookie, which is nowhere else; of whoever is disabled by now it opens nothing.

    Their sessions that are over are forgotten.
    """
    secret = secrets.token_urlsafe(32)
    values = {"hash": hash_cookie(secret), "login": login, **visitor._asdict(), **lifetime._asdict()}
    await connection.execute(_SWEEP.encode(), values)
    await connection.execute(_BEGIN.encode(), values)
    return secret


async def find_caller(connection: Connection, secret: str, idle: timedelta) -> Caller | None:
    """Whose session this is, with the role that they have now; None where it is over, or there is none."""
    values = {"hash": hash_cookie(secret), "idle": idle}
    rows = await fetch(connection, _FIND, values)
    if not rows:
        return None
    login, role, session_id, name, is_to_be_noted = rows[0]
    if is_to_be_noted:
        await connection.execute(_NOTE_USE.encode(), values)
    return Caller(login, Role(role), token_id=None, session_id=session_id, name=name)


async def list_sessions(connection: Connection, login: str, idle: timedelta) -> list[Session]:
    """Where a person is signed in, the last used first."""
    rows: list[tuple[Any, ...]] = await fetch(connection, _LIST, {"login": login, "idle": idle})
    return [Session(*row) for row in rows]


async def end_session(connection: Connection, login: str, session_id: str) -> None:
    """Ends one session of a person; raises `Unknown`."""
    named = {"id": session_id, "login": login}
    if not _ID.fullmatch(session_id) or not await fetch(connection, _END, named):
        raise Unknown("There is no such session, or it has ended already.")


async def end_sessions(connection: Connection, login: str, *, but: str | None = None) -> int:
    """Ends a person's sessions, but for one; answers how many."""
    return (await connection.execute(_END_OTHERS.encode(), {"login": login, "kept": but})).rowcount


class Seen:
    """Whose sessions these were when they were last looked up here. Good for counting, not for letting anybody in."""

    def __init__(self) -> None:
        self._logins: dict[bytes, str] = {}

    def login_of(self, secret: str) -> str | None:
        """Whose session a cookie was found to be, if it was."""
        return self._logins.get(hash_cookie(secret))

    def note(self, secret: str, caller: Caller | None) -> None:
        """What was found of a cookie: whose it is, or that it opens nothing."""
        if caller is None:
            self._logins.pop(hash_cookie(secret), None)
            return
        if len(self._logins) > _MOST_SEEN:
            self._logins.clear()
        self._logins[hash_cookie(secret)] = caller.owner


_MOST_SEEN = 10_000  # far above the browsers that are in use at a time
