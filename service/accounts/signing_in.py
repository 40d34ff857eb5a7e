"""Signing in with a password, and changing one: guessing is slow, and tells nothing of who there is."""

from service.accounts.guessing import by_address, by_login, count_attempt, forgive, forgive_login
from service.accounts.passwords import check_password, hash_password, is_password
from service.accounts.sessions import Lifetime, Visitor, begin_session, end_sessions
from service.database import Pool, fetch
from service.domain.errors import Fault, Invalid, Refused

_FIND = "SELECT login, password, disabled_at IS NOT NULL FROM person WHERE login = %(login)s"
_SET = "UPDATE person SET password = %(password)s WHERE login = %(login)s"


class NotSignedIn(Refused):
    """The login or the password is wrong: which of them, nobody is told."""

    def __init__(self) -> None:
        super().__init__("The login or the password is wrong.")


async def sign_in(pool: Pool, login: str, password: str, visitor: Visitor, lifetime: Lifetime, network: str) -> str:
    """Signs a person in, and answers the cookie; ``network`` is what attempts from there are counted by.

    Raises `NotSignedIn`, after as long where there is nobody of the name; `Waits` after too many attempts.
    """
    login = login.strip().lower()[:100].replace("\x00", "")
    as_login, as_address = by_login(login), by_address(network)
    async with pool.connection() as connection:
        await count_attempt(connection, as_address)
        await count_attempt(connection, as_login)
        rows = await fetch(connection, _FIND, {"login": login})
    kept, is_disabled = rows[0][1:] if rows else (None, False)
    if not await is_password(password, kept) or is_disabled:
        raise NotSignedIn
    async with pool.connection() as connection:
        await forgive(connection, as_login, as_address)
        return await begin_session(connection, login, visitor, lifetime)


async def change_password(pool: Pool, login: str, before: str, password: str, *, session_id: str | None) -> int:
    """Sets another password, where the present one is given too; ends all other sessions, and answers how many.

    Raises `Invalid` for a password that will not do, or where the present one is wrong; `Waits` after too many such.
    """
    async with pool.connection() as connection:
        await count_attempt(connection, by_login(login))
        rows = await fetch(connection, _FIND, {"login": login})
    if not await is_password(before, rows[0][1] if rows else None):
        detail = "This is not your present password."
        raise Invalid(detail, Fault("/before", "wrong", detail))
    check_password(password, login)
    kept = await hash_password(password)
    async with pool.connection() as connection, connection.transaction():
        await forgive_login(connection, by_login(login))
        await connection.execute(_SET.encode(), {"login": login, "password": kept})
        return await end_sessions(connection, login, but=session_id)
