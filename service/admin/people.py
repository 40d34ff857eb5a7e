"""People, for admins: who may sign in, with which role, and where they are signed in."""

from datetime import timedelta

from fastapi import Request
from starlette.responses import Response

from service.access import Role
from service.accounts.links import make_link
from service.accounts.people import (
    Person,
    add_person,
    change_person,
    disable_person,
    enable_person,
    get_person,
    list_people,
    parse_person,
)
from service.accounts.sessions import end_session, end_sessions, list_sessions
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.pages import PAGE_ROWS, cut, render, see
from service.admin.typed import Form, faults_at, read_form, without_open
from service.database import Connection
from service.domain.errors import Fault, Invalid, Refused
from service.web.callers import lifetime
from service.web.cookies import whole_address
from service.web.serving import connections, services

PATH = "/admin/people"
ROLES = (
    (Role.READER, "Reader: only reads"),
    (Role.CONTRIBUTOR, "Contributor: enters for an approver"),
    (Role.EDITOR, "Editor: records"),
    (Role.APPROVER, "Approver: records and approves"),
    (Role.ADMIN, "Admin: also people and tokens"),
)
"""Each allows all that the ones before it do."""
router = pages()


@router.get(PATH)
async def show_people(request: Request) -> Response:
    """Everybody by login, page by page, and the form to invite somebody."""
    await signed_in(request, Role.ADMIN)
    return await _people(request, {})


async def _people(request: Request, typed: Form | dict[str, str], faults: tuple[Fault, ...] = ()) -> Response:
    after = request.query_params.get("after", "").replace("\x00", "") or None
    async with connections(request).connection() as connection:
        found = await list_people(connection, after=after, limit=PAGE_ROWS + 1)
    shown, following = cut(found, lambda one: one.login)
    return render(
        request, "people.html", status=UNSENT if faults else 200, people=shown, next=following,
        typed={name: typed.get(name, "") for name in ("login", "name", "email", "role")}, roles=ROLES, faults=faults,
    )  # fmt: skip


@router.post(PATH)
async def invite(request: Request) -> Response:
    """Lets somebody sign in; shows the link with which they set their password, this once."""
    caller = await signed_in(request, Role.ADMIN)
    form = await read_form(request)
    try:
        new = parse_person(without_open(form, "role"))
        async with connections(request).connection() as connection, connection.transaction():
            await add_person(connection, new, by=caller.owner)
            path = await make_link(connection, new.login, by=caller.owner, lasts=_lasts(request))
    except (Invalid, Refused) as error:
        return await _people(request, form, faults_at(error))
    return await _person(request, new.login, link=_whole(request, path), status=201)


def _lasts(request: Request) -> timedelta:
    return timedelta(hours=services(request).settings.link_hours)


def _whole(request: Request, path: str) -> str:
    return whole_address(request, services(request).settings.public_url, path)


@router.get(PATH + "/{login}")
async def show_person(request: Request, login: str) -> Response:
    """One person: what they may do, and where they are signed in."""
    await signed_in(request, Role.ADMIN)
    return await _person(request, login)


async def _person(
    request: Request, login: str, *, link: str | None = None, status: int = 200, typed: Form | None = None,
    faults: tuple[Fault, ...] = (),
) -> Response:  # fmt: skip
    served = services(request)
    async with connections(request).connection() as connection:
        person = await get_person(connection, login)
        sessions = await list_sessions(connection, login, lifetime(served.settings).idle)
    return render(
        request, "person.html", status=UNSENT if faults else status, person=person, sessions=sessions, link=link,
        link_hours=served.settings.link_hours, roles=ROLES, typed=_typed(person, typed), faults=faults,
    )  # fmt: skip


def _typed(person: Person, typed: Form | None) -> dict[str, str]:
    """What stands in the form: what was typed, else what is so."""
    if typed is None:
        return {"name": person.name, "email": person.email or "", "role": person.role}
    return {name: typed.get(name, "") for name in ("name", "email", "role")}


@router.post(PATH + "/{login}")
async def change(request: Request, login: str) -> Response:
    """Changes a person's name, e-mail address and role."""
    await signed_in(request, Role.ADMIN)
    form = await read_form(request)
    try:
        changed = parse_person({**without_open(form, "role"), "login": login})
        async with connections(request).connection() as connection:
            await change_person(connection, changed)
    except (Invalid, Refused) as error:
        return await _person(request, login, typed=form, faults=faults_at(error))
    return see(f"{PATH}/{login}", "changed")


@router.post(PATH + "/{login}/link")
async def link(request: Request, login: str) -> Response:
    """Makes another link for a person, and shows it, this once."""
    caller = await signed_in(request, Role.ADMIN)
    async with connections(request).connection() as connection:
        path = await make_link(connection, login, by=caller.owner, lasts=_lasts(request))
    return await _person(request, login, link=_whole(request, path), status=201)


@router.post(PATH + "/{login}/disable")
async def disable(request: Request, login: str) -> Response:
    """Ends all that a person can do, at once."""
    caller, served = await signed_in(request, Role.ADMIN), services(request)
    async with connections(request).connection() as connection:
        for token_id in await disable_person(connection, login, by=caller.owner):
            served.access.forget(token_id)
    return see(f"{PATH}/{login}", "disabled")


@router.post(PATH + "/{login}/enable")
async def enable(request: Request, login: str) -> Response:
    """Lets a person sign in again."""
    await signed_in(request, Role.ADMIN)
    async with connections(request).connection() as connection:
        await enable_person(connection, login)
    return see(f"{PATH}/{login}", "enabled")


@router.post(PATH + "/{login}/sessions/{session_id}/end")
async def end_session_of(request: Request, login: str, session_id: str) -> Response:
    """Ends one of a person's sessions; the id `all` ends every one."""
    await signed_in(request, Role.ADMIN)
    async with connections(request).connection() as connection:
        await _end(connection, login, session_id)
    return see(f"{PATH}/{login}", "sessions" if session_id == _ALL else "session")


_ALL = "all"


async def _end(connection: Connection, login: str, session_id: str) -> None:
    if session_id == _ALL:
        await get_person(connection, login)
        await end_sessions(connection, login)
    else:
        await end_session(connection, login, session_id)
