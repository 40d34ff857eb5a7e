"""Signing in and out, and the page of a one-time link."""

from http import HTTPStatus

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from service.access import Role
from service.accounts.browsers import name_browser
from service.accounts.guessing import Waits
from service.accounts.links import Link, get_link, use_link
from service.accounts.passwords import SHORTEST, check_password, hash_password
from service.accounts.people import Login, NewPerson, get_person
from service.accounts.sessions import Visitor, begin_session, end_session
from service.accounts.signing_in import NotSignedIn, sign_in
from service.admin.guarding import SIGN_IN, UNSENT, local_path, pages
from service.admin.pages import render, see
from service.admin.typed import Form, faults_at, parse_typed, read_form
from service.domain.errors import Fault, Invalid, Refused
from service.domain.statement import Line
from service.web.callers import find_person, lifetime
from service.web.cookies import SESSION, keep
from service.web.limits import network_of
from service.web.serving import connections, services

router = pages()


@router.get(SIGN_IN)
async def show_sign_in(request: Request) -> Response:
    """The form; whoever is signed in already is led on."""
    on = local_path(request.query_params.get("next"))
    if await find_person(request, services(request)) is not None:
        return see(on)
    return _page(request, on, "", [], HTTPStatus.OK, {})


@router.post(SIGN_IN)
async def take_sign_in(request: Request) -> Response:
    """Signs in, or says that it cannot."""
    form, served = await read_form(request), services(request)
    on, login = local_path(form.get("next")), form.get("login", "")
    visitor = visitor_of(request)
    try:
        secret = await sign_in(
            served.writing, login, form.get("password", ""), visitor, lifetime(served.settings),
            network_of(visitor.address),
        )  # fmt: skip
    except NotSignedIn as error:
        return sign_in_again(request, on, login, Fault("/login", "wrong", error.detail))
    except Waits as error:
        return sign_in_again(request, on, login, Fault("", "waits", error.detail), wait=error.seconds)
    return with_session(request, see(on), secret)


def _page(
    request: Request, on: str, login: str, faults: list[Fault], status: int, headers: dict[str, str]
) -> Response:  # fmt: skip
    provider = services(request).provider
    return render(
        request, "sign_in.html", status=status, headers=headers, faults=faults, next=on, login=login[:100],
        provider=provider and provider.host,
    )  # fmt: skip


def sign_in_again(request: Request, on: str, login: str, fault: Fault, *, wait: int = 0) -> Response:
    """The page to sign in on, with what was wrong; ``wait`` are the seconds that have to pass."""
    status, headers = (HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(wait)}) if wait else (UNSENT, {})
    return _page(request, on, login, [fault], status, headers)


def with_session(request: Request, response: Response, secret: str) -> Response:
    """The answer, which lets the browser keep the session."""
    settings = services(request).settings
    keep(request, response, settings.public_url, SESSION, secret, seconds=settings.session_hours * 3600)
    return response


def visitor_of(request: Request) -> Visitor:
    """From where somebody signs in."""
    address = request.client.host if request.client else "unknown"
    return Visitor(address, name_browser(request.headers.get("user-agent", "")))


@router.post("/admin/sign-out")
async def sign_out(request: Request) -> Response:
    """Ends the session, if there still is one."""
    served = services(request)
    caller = await find_person(request, served)
    if caller is not None and caller.session_id is not None:
        async with connections(request).connection() as connection:
            await end_session(connection, caller.owner, caller.session_id)
    response = see(SIGN_IN, "out")
    keep(request, response, served.settings.public_url, SESSION, "", seconds=0)
    return response


# --- one-time links ---------------------------------------------------------------------------------------------------


class Chosen(BaseModel):
    """What somebody chooses who comes by a link; the login is of the link, but for the first admin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    login: Login
    name: Line
    password: str
    again: str


def faults_of_password(form: Form, login: str) -> tuple[Fault, ...]:
    """What is wrong with a new password, and with how it was typed again."""
    password, faults = form.get("password", ""), tuple[Fault, ...]()
    try:
        check_password(password, login)
    except Invalid as error:
        faults = error.faults
    if password == form.get("again", ""):
        return faults
    return (*faults, Fault("/again", "different", "This is not the same password as above."))


def _parse_chosen(form: Form) -> Chosen:
    """What was chosen; raises `Invalid` with everything that is wrong with it."""
    faults = faults_of_password(form, form.get("login", ""))
    try:
        chosen = parse_typed(Chosen, form)
    except Invalid as error:
        raise Invalid(error.detail, *error.faults, *faults) from None
    if faults:
        raise Invalid("This password cannot be taken.", *faults)
    return chosen


@router.get("/admin/welcome/{secret}")
async def show_welcome(request: Request, secret: str) -> Response:
    """The form to choose a password in. Looking at it uses nothing up."""
    async with connections(request).connection() as connection:
        link = await get_link(connection, secret)
        person = None if link.login is None else await get_person(connection, link.login)
    typed = {"login": "", "name": ""} if person is None else {"login": person.login, "name": person.name}
    return _welcome(request, link, typed)


def _welcome(request: Request, link: Link, typed: Form | dict[str, str], faults: tuple[Fault, ...] = ()) -> Response:
    shown = {"login": typed.get("login", ""), "name": typed.get("name", "")}
    return render(
        request, "welcome.html", status=UNSENT if faults else HTTPStatus.OK, is_first=link.login is None, typed=shown,
        faults=faults, shortest=SHORTEST,
    )  # fmt: skip


@router.post("/admin/welcome/{secret}")
async def take_welcome(request: Request, secret: str) -> Response:
    """Sets the password, uses the link up, and signs in."""
    form, served = await read_form(request), services(request)
    async with connections(request).connection() as connection:
        link = await get_link(connection, secret)
    if link.login is not None:
        form = Form({**form, "login": link.login})
    try:
        chosen = _parse_chosen(form)
        person = NewPerson(login=chosen.login, name=chosen.name, role=Role.ADMIN)
        kept = await hash_password(chosen.password)
        async with connections(request).connection() as connection, connection.transaction():
            await use_link(connection, secret, person, kept)
            cookie = await begin_session(connection, chosen.login, visitor_of(request), lifetime(served.settings))
    except (Invalid, Refused) as error:
        return _welcome(request, link, form, faults_at(error))
    return with_session(request, see("/admin", "welcome"), cookie)
