"""The command line and people: how the first admin comes in, and what whoever runs the service can do for others."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlencode

import pytest
from typer.testing import CliRunner, Result

from service.cli import app as command_line
from service.domain.errors import RegistryError
from tests.people import opened
from tests.processes import Server, command, exchange, open_folder, serving
from tests.test_signing_in import CHOSEN, sign_in

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def user(url: str, *arguments: str, **settings: str) -> Result:
    """A command about users, run in this process: starting one for each would take most of the time."""
    return CliRunner().invoke(command_line, ["user", *arguments], env={"DATABASE_URL": url, **settings})


def rows(url: str) -> list[list[str]]:
    said = user(url, "list")
    return [line.split("\t") for line in said.stdout.splitlines()][1:]


def test_the_first_start_prints_a_link_that_makes_an_admin_and_later_ones_none() -> None:
    with open_folder() as folder:
        with serving(folder, "--no-seeds") as server:
            link = server.way_in
            assert re.fullmatch(rf"http://127\.0\.0\.1:{server.port}/admin/welcome/[\w-]{{43}}", link)
            path = link.partition(str(server.port))[2]
            body = urlencode(CHOSEN).encode()
            made = exchange(server.port, "POST", path, body, FORM | {"Origin": f"http://127.0.0.1:{server.port}"})
            assert (made.status, made.headers["Location"]) == (303, "/admin?done=welcome")
            assert server.end() == 0
        with serving(folder, "--no-seeds") as again:
            assert again.way_in == f"http://127.0.0.1:{again.port}/admin"


def test_processes_that_start_at_once_on_an_empty_database_all_serve_and_each_of_their_links_works_until_one_is_used(
    empty_database: str,
) -> None:
    with open_folder() as folder, ExitStack() as stack, ThreadPoolExecutor(3) as at_once:
        places = [folder / name for name in ("one", "two", "three")]
        for place in places:
            place.mkdir()
        begun = [at_once.submit(Server, place, "--no-seeds", DATABASE_URL=empty_database) for place in places]
        servers = [one.result() for one in begun]
        for server in servers:
            stack.callback(server.kill)
        paths = [server.way_in.partition(str(server.port))[2] for server in servers]
        assert len(set(paths)) == len(servers)

        def answers() -> list[int]:
            return [exchange(server.port, "GET", path).status for server in servers for path in paths]

        assert set(answers()) == {200}
        origin = {"Origin": f"http://127.0.0.1:{servers[1].port}"}
        assert exchange(servers[1].port, "POST", paths[0], urlencode(CHOSEN).encode(), FORM | origin).status == 303
        assert set(answers()) == {404}


def test_somebody_who_is_added_sets_a_password_by_the_link_that_is_printed(database: str) -> None:
    said = user(
        database, "add", "Jane.Doe", "--role", "editor", "--name", "Jane Doe", "--email", "Jane@Example.org",
        PUBLIC_URL="https://registry.example",
    )  # fmt: skip
    assert said.exit_code == 0, said.stderr
    path = said.stdout.strip().removeprefix("https://registry.example")
    assert rows(database) == [["jane.doe", "editor", "invited", "Jane Doe", "jane@example.org", "-"]]
    with opened(database) as client:
        assert client.post(path, data=CHOSEN | {"login": "somebody-else"}).status_code == 303
        assert client.get("/v1/me").json() == {"owner": "jane.doe", "role": "editor", "token": None}
    assert rows(database)[0][2] == "active"


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"HOST": "0.0.0.0", "PORT": "9000"}, "http://localhost:9000"),
        ({"HOST": "::1"}, "http://[::1]:8000"),
        ({"HOST": "0.0.0.0", "PUBLIC_URL": "https://Registry.example/"}, "https://registry.example"),
    ],
)
def test_a_link_begins_where_people_reach_the_service(database: str, settings: dict[str, str], address: str) -> None:
    said = user(database, "add", "jane", "--role", "editor", **settings).stdout.strip()
    assert said.startswith(f"{address}/admin/welcome/")


def test_a_new_link_ends_the_one_before_and_by_it_all_sessions(database: str) -> None:
    first = user(database, "add", "jane", "--role", "admin").stdout.strip()
    second = user(database, "link", "jane").stdout.strip()
    first, second = (one.removeprefix("http://127.0.0.1:8000") for one in (first, second))
    with opened(database) as client:
        assert client.get(first).status_code == 404
        assert client.post(second, data=CHOSEN).status_code == 303
        third = user(database, "link", "jane").stdout.strip()
        assert client.get("/v1/me").status_code == 200, "a link that nobody has used changes nothing"
        for _ in range(6):
            sign_in(client, "jane", "wrong password")
        with opened(database) as other:
            path = third.removeprefix("http://127.0.0.1:8000")
            chosen = CHOSEN | {"password": "five green chairs", "again": "five green chairs"}
            assert other.post(path, data=chosen).status_code == 303
            assert other.get("/v1/me").status_code == 200
        assert client.get("/v1/me").status_code == 401
        assert sign_in(client, "jane", "five green chairs") == 303, "whoever has a link need not wait"


def test_who_is_disabled_is_out_until_enabled_and_the_last_admin_stays(database: str) -> None:
    for login, role in (("jane", "admin"), ("john", "admin"), ("mary", "editor")):
        assert user(database, "add", login, "--role", role).exit_code == 0
    assert user(database, "role", "mary", "approver").exit_code == 0
    token = command("token", "new", "--role", "editor", "--owner", "john", DATABASE_URL=database).stdout.strip()
    assert user(database, "disable", "john").stdout == "tokens revoked: 1\n"
    assert [row[:3] for row in rows(database)] == [
        ["jane", "admin", "invited"],
        ["john", "admin", "disabled"],
        ["mary", "approver", "invited"],
    ]
    with opened(database) as client:
        assert client.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    for arguments in (("disable", "jane"), ("role", "jane", "editor")):
        said = user(database, *arguments)
        assert "Nobody would be left" in str(said.exception)
    assert "disabled" in str(user(database, "link", "john").exception)
    assert user(database, "enable", "john").exit_code == 0
    assert rows(database)[1][2] == "invited"


def test_what_cannot_be_done_for_somebody_is_said_in_a_sentence(database: str) -> None:
    assert user(database, "add", "jane", "--role", "admin").exit_code == 0
    for arguments, sentence in [
        (("add", "JANE", "--role", "editor"), "Somebody has this login already"),
        (("add", "seeds", "--role", "editor"), "the service itself records"),
        (("add", "john", "--role", "editor", "--email", "john"), "This is no e-mail address"),
        (("link", "nobody"), "There is nobody with this login."),
        (("role", "nobody", "editor"), "There is nobody with this login."),
        (("disable", "nobody"), "There is nobody with this login."),
    ]:
        refusal = user(database, *arguments).exception
        assert isinstance(refusal, RegistryError)
        assert sentence in " ".join([refusal.detail, *(fault.detail for fault in refusal.faults)])
    said = command("user", "link", "nobody", DATABASE_URL=database)
    assert (said.returncode, said.stderr.split()) == (1, ["error:", "There", "is", "nobody", "with", "this", "login."])
