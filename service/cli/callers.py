"""Commands about who may do what: tokens, and people who sign in."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from service.access import Role, WantedTokens, create_token, list_tokens, revoke_token
from service.accounts.links import make_link
from service.accounts.people import (
    NewPerson,
    add_person,
    change_person,
    disable_person,
    enable_person,
    get_person,
    list_people,
    parse_person,
)
from service.cli.ground import in_database, read_settings
from service.database import Connection
from service.domain.dates import render_instant

tokens = typer.Typer(no_args_is_help=True, help="Tokens: who may do what.")
users = typer.Typer(no_args_is_help=True, help="Users: people who sign in.")


@tokens.command("new")
def new_token(
    role: Annotated[Role, typer.Option(help="what it allows")],
    owner: Annotated[str, typer.Option(help="whose it is; stands on what is recorded with it")] = "local",
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="after how many days it expires")] = None,
) -> None:
    """Make a token and print it, alone, on standard output. It cannot be shown again."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    secret, _ = in_database(lambda connection: create_token(connection, role=role, owner=owner, expires_at=expires))
    print(secret)


@tokens.command("list")
def show_tokens() -> None:
    """List the tokens, also those that are over: id, role, owner, state, and when each was made, expires, was used."""
    found = in_database(lambda connection: list_tokens(connection, WantedTokens()))
    _print_row("id", "role", "owner", "state", "created_at", "expires_at", "last_used_at")
    for one in found:
        _print_row(one.id, one.role, one.owner, one.condition, one.created_at, one.expires_at, one.last_used_at)


@tokens.command("revoke")
def end_token(token_id: Annotated[str, typer.Argument(metavar="ID", help="as `token list` shows it")]) -> None:
    """End a token for ever. Running services forget it within five seconds."""
    in_database(lambda connection: revoke_token(connection, token_id, by=None))


@users.command("add")
def add_user(
    login: Annotated[str, typer.Argument(help="stands on what they record, and never changes")],
    role: Annotated[Role, typer.Option(help="what they may do")],
    name: Annotated[str, typer.Option(help="as others see them; default: the login")] = "",
    email: Annotated[str, typer.Option(help="by which a provider of OpenID Connect knows them")] = "",
) -> None:
    """Let somebody sign in: prints a link with which they set their password, once."""
    new = parse_person({"login": login, "name": name or login, "role": role, "email": email})

    async def add(connection: Connection) -> str:
        async with connection.transaction():
            await add_person(connection, new, by=None)
            return await _link(connection, new.login)

    print(in_database(add))


@users.command("link")
def link_user(login: Annotated[str, typer.Argument(help="as `user list` shows it")]) -> None:
    """Print a new link with which somebody sets their password, once; the password that they have works until then."""
    print(in_database(lambda connection: _link(connection, login)))


async def _link(connection: Connection, login: str) -> str:
    settings = read_settings()
    path = await make_link(connection, login, by=None, lasts=timedelta(hours=settings.link_hours))
    return settings.address(settings.host, settings.port) + path


@users.command("list")
def show_users() -> None:
    """List who may sign in: login, role, state, name, e-mail address, when they were last here."""
    found = in_database(list_people)
    _print_row("login", "role", "state", "name", "email", "last_used_at")
    for one in found:
        _print_row(one.login, one.role, one.condition, one.name, one.email, one.last_used_at)


@users.command("role")
def change_user(
    login: Annotated[str, typer.Argument(help="as `user list` shows it")],
    role: Annotated[Role, typer.Argument(help="what they may do from now on")],
) -> None:
    """Give somebody another role; it counts at once."""

    async def change(connection: Connection) -> None:
        one = await get_person(connection, login)
        await change_person(connection, NewPerson(login=one.login, name=one.name, role=role, email=one.email))

    in_database(change)


@users.command("disable")
def disable_user(login: Annotated[str, typer.Argument(help="as `user list` shows it")]) -> None:
    """End all that somebody can do: their sessions and links at once, tokens in their name within five seconds."""
    ended = in_database(lambda connection: disable_person(connection, login, by=None))
    print(f"tokens revoked: {len(ended)}")


@users.command("enable")
def enable_user(login: Annotated[str, typer.Argument(help="as `user list` shows it")]) -> None:
    """Let somebody sign in again; what was ended stays ended."""
    in_database(lambda connection: enable_person(connection, login))


def _print_row(*cells: str | datetime | None) -> None:
    """One row of a list: cells with tabs between, and a dash where nothing is."""
    print(*(render_instant(one) if isinstance(one, datetime) else one or "-" for one in cells), sep="\t")
