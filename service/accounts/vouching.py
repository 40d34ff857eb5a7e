"""Who somebody is here whom a provider vouches for: known from before, invited by e-mail, or new with a role."""

import psycopg

from service.access import Role
from service.accounts.openid import NotVouched, Vouched
from service.accounts.people import parse_person
from service.database import Connection, fetch
from service.domain.errors import Invalid

_FIND = "SELECT login, disabled_at IS NOT NULL FROM person WHERE issuer = %(issuer)s AND subject = %(subject)s"
_INVITED = "SELECT login, disabled_at IS NOT NULL FROM person WHERE email = %(email)s AND subject IS NULL"
_TIE = """
UPDATE person SET issuer = %(issuer)s, subject = %(subject)s WHERE login = %(login)s AND subject IS NULL RETURNING login
"""
_ADD = """
INSERT INTO person (login, name, email, role, issuer, subject, created_at, created_by)
SELECT %(login)s, %(name)s, %(email)s, %(role)s, %(issuer)s, %(subject)s, clock_timestamp(), %(issuer)s
WHERE NOT EXISTS (SELECT FROM token WHERE lower(owner) = %(login)s) RETURNING login
"""
_SET_ROLE = "UPDATE person SET role = %(role)s WHERE login = %(login)s AND role <> %(role)s"
_STRANGER = "You are not known here. Ask an admin to invite you with the e-mail address that the provider knows you by."
_TAKEN = (
    "The name by which the provider knows you cannot be a login here, or is somebody's. Ask an admin to invite you "
    "with the e-mail address that the provider knows you by."
)
_DISABLED = "You may not sign in here any more; ask an admin."


async def find_login(connection: Connection, who: Vouched) -> str:
    """The login of whoever a provider vouches for; raises `NotVouched` where they have none.

    Whoever was invited is known by the verified e-mail address, once; from then on by the provider's own name for them.
    Where the provider gives roles, it decides each time, and whoever is new is let in.
    """
    values = {"issuer": who.issuer, "subject": who.subject, "email": who.email, "role": who.role}
    rows = await fetch(connection, _FIND, values)
    if not rows and who.email is not None:
        rows = await fetch(connection, _INVITED, values)
        if rows and not await fetch(connection, _TIE, {**values, "login": rows[0][0]}):
            rows = []
    if not rows:
        return await _add(connection, who)
    login, is_disabled = rows[0]
    if is_disabled:
        raise NotVouched(_DISABLED)
    if who.role is not None:
        await connection.execute(_SET_ROLE.encode(), {**values, "login": login})
    return str(login)


async def _add(connection: Connection, who: Vouched) -> str:
    """Lets in whoever is new, where the provider gives roles; not as the owner of a token, who may be somebody else."""
    if who.role is None:
        raise NotVouched(_STRANGER)
    try:
        new = parse_person({"login": who.login, "name": who.name, "role": Role(who.role), "email": who.email or ""})
        values = {**new.model_dump(), "issuer": who.issuer, "subject": who.subject}
        added = await fetch(connection, _ADD, values)
    except (Invalid, psycopg.errors.UniqueViolation):
        raise NotVouched(_TAKEN) from None
    if not added:
        raise NotVouched(_TAKEN)
    return new.login
