"""Ways in that work once: for the first admin, for whoever was invited, for whoever has forgotten a password.

To look at a link uses nothing up, for mail programs do; to set a password by it does.
"""

import secrets
from datetime import timedelta
from typing import NamedTuple

from service.accounts.guessing import by_login, forgive_login
from service.accounts.people import NewPerson, add_person, get_person, is_anybody_there
from service.accounts.sessions import end_sessions, hash_cookie
from service.database import Connection, fetch
from service.domain.errors import Refused, Unknown

PATH = "/admin/welcome/"


class Link(NamedTuple):
    """What a link is good for: to set the password of a person; None: to become the first admin."""

    login: str | None


_ADD = """
INSERT INTO link (hash, login, made_at, made_by, expires_at)
SELECT %(hash)s, %(login)s, now, %(by)s, now + %(lasts)s FROM clock_timestamp() AS now
"""
_END_EARLIER = "DELETE FROM link WHERE login = %(login)s OR expires_at <= clock_timestamp()"
_FIND = """
SELECT l.login FROM link l LEFT JOIN person p USING (login)
WHERE l.hash = %(hash)s AND l.expires_at > clock_timestamp() AND p.disabled_at IS NULL
  AND (l.login IS NOT NULL OR NOT EXISTS (SELECT FROM person))
"""
_USE = "DELETE FROM link WHERE hash = %(hash)s RETURNING hash"
_END_FIRST = "DELETE FROM link WHERE login IS NULL"
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('first person'))"
_SET_PASSWORD = "UPDATE person SET password = %(password)s, name = %(name)s WHERE login = %(login)s"  # noqa: S105 - SQL
_USED = (
    "This link has been used, has expired, or never was. Whoever has set a password signs in with it; else ask an "
    "admin for another link, or run ./run user link LOGIN; where nobody can sign in yet, each ./run prints a new one."
)


async def make_link(connection: Connection, login: str | None, *, by: str | None, lasts: timedelta) -> str:
    """A new link for a person (None: for the first admin): its path. Earlier ones of the person end.

    Of links for the first admin each works, whichever process printed it, until one is used; then all have ended.
    Raises `Unknown`; `Refused` where the person is disabled, or there is somebody already.
    """
    secret = secrets.token_urlsafe(32)
    values = {"hash": hash_cookie(secret), "login": login, "by": by, "lasts": lasts}
    if login is None and await is_anybody_there(connection):
        raise Refused("There is somebody already; links for others are made by an admin, or by ./run user link LOGIN.")
    if login is not None and (await get_person(connection, login)).disabled_at is not None:
        raise Refused("This person is disabled; a link would open nothing. Let them sign in again first.")
    async with connection.transaction():
        await connection.execute(_END_EARLIER.encode(), values)
        await connection.execute(_ADD.encode(), values)
    return PATH + secret


async def get_link(connection: Connection, secret: str) -> Link:
    """What a link is good for; raises `Unknown` where it is good for nothing any more."""
    rows = await fetch(connection, _FIND, {"hash": hash_cookie(secret)})
    if not rows:
        raise Unknown(_USED)
    return Link(rows[0][0])


async def use_link(connection: Connection, secret: str, person: NewPerson, password: str) -> None:
    """Sets a person's password (of which the hash is given) and name, once; of the first link, makes the person.

    Wherever the person was signed in, they no longer are; nor do they wait any longer for failures to sign in.
    Raises `Unknown` where the link is good for nothing any more, also since a moment ago.
    """
    named = {"hash": hash_cookie(secret)}
    async with connection.transaction():
        await connection.execute(_ALONE.encode())
        link = await get_link(connection, secret)
        if not await fetch(connection, _USE, named):
            raise Unknown(_USED)
        if link.login is None:
            await add_person(connection, person, by=None, password=password)
            await connection.execute(_END_FIRST.encode())
        else:
            values = {"login": link.login, "name": person.name, "password": password}
            await connection.execute(_SET_PASSWORD.encode(), values)
            await end_sessions(connection, link.login)
            await forgive_login(connection, by_login(link.login))
