"""Who may sign in: a login, which stands on what they record, a name to show, and a role."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import psycopg
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from service.access import Role
from service.database import Connection, fetch
from service.domain.errors import Fault, Refused, Unknown
from service.domain.kinds import invalid
from service.domain.statement import Line

RESERVED = frozenset({"import", "local", "seeds", "system", "service", "registry"})
"""Names under which the service itself records."""
_LOGIN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?")
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}")


def parse_login(text: str) -> str:
    """A login as it is kept; raises ValueError."""
    login = text.strip().lower()
    if _LOGIN.fullmatch(login) is None:
        raise ValueError(
            "A login has up to 40 letters a to z, digits, dots, hyphens and underscores, such as jane.doe."
        )
    if login in RESERVED:
        raise ValueError("Under this name the service itself records; take another.")
    return login


def parse_email(text: str) -> str:
    """An e-mail address as it is kept; raises ValueError."""
    email = text.strip().lower()
    if _EMAIL.fullmatch(email) is None:
        raise ValueError("This is no e-mail address; it looks like jane@example.org.")
    return email


def _none_if_empty(given: object) -> object:
    return None if isinstance(given, str) and not given.strip() else given


Login = Annotated[str, Field(max_length=100), AfterValidator(parse_login)]
Email = Annotated[
    Annotated[str, Field(max_length=254), AfterValidator(parse_email)] | None, BeforeValidator(_none_if_empty)
]


class NewPerson(BaseModel):
    """Who shall be able to sign in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    login: Login
    name: Line
    role: Role
    email: Email = None


def parse_person(given: Mapping[str, object]) -> NewPerson:
    """A person of what was typed; raises `Invalid` with a pointer to each field that is wrong."""
    try:
        return NewPerson.model_validate(given)
    except ValidationError as error:
        raise invalid(error) from None


class PersonState(StrEnum):
    """What is to be known of a person at a glance."""

    ACTIVE = "active"
    INVITED = "invited"
    DISABLED = "disabled"


class Person(NamedTuple):
    """A person as they can be shown."""

    login: str
    name: str
    email: str | None
    role: Role
    created_at: datetime
    created_by: str | None
    disabled_at: datetime | None
    disabled_by: str | None
    last_used_at: datetime | None
    sessions: int
    condition: PersonState


# Who has no password and has never come through a provider was invited, and has not come yet.
_CONDITION = """
CASE WHEN p.disabled_at IS NOT NULL THEN 'disabled' WHEN p.password IS NULL AND p.subject IS NULL THEN 'invited'
     ELSE 'active' END
"""
_SELECT = f"""
SELECT p.login, p.name, p.email, p.role, p.created_at, p.created_by, p.disabled_at, p.disabled_by,
       max(s.last_used_at), count(s.hash), {_CONDITION}
FROM person p LEFT JOIN session s ON s.login = p.login AND s.expires_at > clock_timestamp()
"""
_GET = f"{_SELECT} WHERE p.login = %(login)s GROUP BY p.login"
_LIST = f"""
{_SELECT} WHERE %(after)s::text IS NULL OR p.login > %(after)s GROUP BY p.login ORDER BY p.login LIMIT %(limit)s
"""
_ADD = """
INSERT INTO person (login, name, email, role, password, created_at, created_by)
VALUES (%(login)s, %(name)s, %(email)s, %(role)s, %(password)s, clock_timestamp(), %(by)s)
"""
_CHANGE = "UPDATE person SET name = %(name)s, email = %(email)s, role = %(role)s WHERE login = %(login)s"
_DISABLE = """
UPDATE person SET disabled_at = clock_timestamp(), disabled_by = %(by)s WHERE login = %(login)s AND disabled_at IS NULL
"""
_ENABLE = "UPDATE person SET disabled_at = NULL, disabled_by = NULL WHERE login = %(login)s"
_END_ALL = "DELETE FROM session WHERE login = %(login)s"
_END_LINKS = "DELETE FROM link WHERE login = %(login)s"
_END_TOKENS = """
UPDATE token SET revoked_at = clock_timestamp(), revoked_by = %(by)s
WHERE owner = %(login)s AND revoked_at IS NULL RETURNING id
"""
_ADMINS = "SELECT login FROM person WHERE role = 'admin' AND disabled_at IS NULL ORDER BY login FOR UPDATE"


async def list_people(connection: Connection, *, after: str | None = None, limit: int | None = None) -> list[Person]:
    """People by login, behind one of them."""
    return [_person(row) for row in await fetch(connection, _LIST, {"after": after, "limit": limit})]


async def get_person(connection: Connection, login: str) -> Person:
    """One person; raises `Unknown`."""
    rows = await fetch(connection, _GET, {"login": login}) if "\x00" not in login else []
    if not rows:
        raise Unknown("There is nobody with this login.")
    return _person(rows[0])


def _person(row: tuple[Any, ...]) -> Person:
    found = Person(*row)
    return found._replace(role=Role(found.role), condition=PersonState(found.condition))


async def is_anybody_there(connection: Connection) -> bool:
    """Whether anybody was ever given a login."""
    there: bool = (await fetch(connection, "SELECT EXISTS (SELECT FROM person)"))[0][0]
    return there


async def add_person(connection: Connection, new: NewPerson, *, by: str | None, password: str | None = None) -> None:
    """Lets somebody sign in, once they have a password (of which the hash is given) or come through a provider.

    Raises `Refused` where the login or the e-mail address is somebody's; ``by`` is None on the command line.
    """
    try:
        await connection.execute(_ADD.encode(), {**new.model_dump(), "password": password, "by": by})
    except psycopg.errors.UniqueViolation as error:
        raise _taken(error) from None


def _taken(error: psycopg.errors.UniqueViolation) -> Refused:
    if error.diag.constraint_name == "uq_person_email":
        detail = "Somebody has this e-mail address already."
        return Refused(detail, Fault("/email", "taken", detail))
    detail = "Somebody has this login already; logins are never given to another, for they stand on what was recorded."
    return Refused(detail, Fault("/login", "taken", detail))


async def change_person(connection: Connection, changed: NewPerson) -> None:
    """Changes the name, the e-mail address and the role of a person; what the role allows counts at once.

    Raises `Unknown`; `Refused` where no admin would be left.
    """
    async with connection.transaction():
        before = await get_person(connection, changed.login)
        if before.role is Role.ADMIN and changed.role is not Role.ADMIN:
            await _check_admin_is_left(connection, changed.login)
        try:
            await connection.execute(_CHANGE.encode(), changed.model_dump())
        except psycopg.errors.UniqueViolation as error:
            raise _taken(error) from None


async def disable_person(connection: Connection, login: str, *, by: str | None) -> list[str]:
    """Ends all that a person can do, at once: sessions, links, and tokens in their name, of which it answers the ids.

    Raises `Unknown`; `Refused` where no admin would be left.
    """
    values = {"login": login, "by": by}
    async with connection.transaction():
        if (await get_person(connection, login)).role is Role.ADMIN:
            await _check_admin_is_left(connection, login)
        await connection.execute(_DISABLE.encode(), values)
        await connection.execute(_END_ALL.encode(), values)
        await connection.execute(_END_LINKS.encode(), values)
        return [token_id for (token_id,) in await fetch(connection, _END_TOKENS, values)]


async def _check_admin_is_left(connection: Connection, login: str) -> None:
    if not [one for (one,) in await fetch(connection, _ADMINS) if one != login]:
        raise Refused("Nobody would be left who may look after people; make somebody else an admin first.")


async def enable_person(connection: Connection, login: str) -> None:
    """Lets a person sign in again; what was ended stays ended. Raises `Unknown`."""
    await get_person(connection, login)
    await connection.execute(_ENABLE.encode(), {"login": login})
