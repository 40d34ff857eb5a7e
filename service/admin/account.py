"""One's own account: where one is signed in, and the password."""

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from service.accounts.guessing import Waits
from service.accounts.passwords import SHORTEST
from service.accounts.people import get_person
from service.accounts.sessions import end_session, end_sessions, list_sessions
from service.accounts.signing_in import change_password
from service.admin.guarding import SIGN_IN, UNSENT, pages, signed_in
from service.admin.pages import render, see
from service.admin.signing_in import faults_of_password
from service.admin.typed import faults_at, parse_typed, read_form
from service.domain.errors import Fault, Invalid
from service.web.callers import lifetime
from service.web.serving import connections, services

router = pages()


class Changed(BaseModel):
    """The password before, and the one that it shall be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: str
    password: str
    again: str


@router.get("/admin/account")
async def show_account(request: Request) -> Response:
    """Who one is, and where one is signed in."""
    return await _account(request)


async def _account(request: Request, faults: tuple[Fault, ...] = ()) -> Response:
    caller, served = await signed_in(request), services(request)
    async with connections(request).connection() as connection:
        person = await get_person(connection, caller.owner)
        sessions = await list_sessions(connection, caller.owner, lifetime(served.settings).idle)
    status = UNSENT if faults else 200
    return render(
        request, "account.html", status=status, person=person, sessions=sessions, faults=faults, shortest=SHORTEST
    )


@router.post("/admin/account/password")
async def take_password(request: Request) -> Response:
    """Changes one's password, and ends all other sessions."""
    caller, served = await signed_in(request), services(request)
    form = await read_form(request)
    faults = faults_of_password(form, caller.owner)
    if faults:
        return await _account(request, faults)
    try:
        given = parse_typed(Changed, form)
        await change_password(served.writing, caller.owner, given.before, given.password, session_id=caller.session_id)
    except Invalid as error:
        return await _account(request, faults_at(error))
    except Waits as error:
        return await _account(request, (Fault("/before", "waits", error.detail),))
    return see("/admin/account", "password")


@router.post("/admin/account/sessions/{session_id}/end")
async def end_own_session(request: Request, session_id: str) -> Response:
    """Ends one of one's own sessions; the one that this is sent in, too."""
    caller = await signed_in(request)
    async with connections(request).connection() as connection:
        await end_session(connection, caller.owner, session_id)
    return see(SIGN_IN, "out") if session_id == caller.session_id else see("/admin/account", "session")


@router.post("/admin/account/sessions/end-others")
async def end_own_other_sessions(request: Request) -> Response:
    """Ends all of one's sessions but this one."""
    caller = await signed_in(request)
    async with connections(request).connection() as connection:
        await end_sessions(connection, caller.owner, but=caller.session_id)
    return see("/admin/account", "sessions")
