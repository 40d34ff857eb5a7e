"""What is refused or fails below /admin: a page with the right status, that says what happened and what to do."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from service.admin.pages import STRICT
from service.admin.refusing import Refusing
from service.web.kinds_of_problem import KINDS
from service.web.problems import problem
from tests.pages import Sheet, get, press, read
from tests.people import COOKIE, browser
from tests.registry import register
from tests.test_entering import FILLED, NEW, form, size

MARKUP = '<img src=x onerror="alert(1)">'


def refused(answer: Response, status: int, *words: str) -> Sheet:
    """A refusal as a page, held to what every page keeps to."""
    assert answer.status_code == status, answer.text
    assert answer.headers.items() >= {name.lower(): value for name, value in STRICT.items()}.items()
    sheet = read(answer)
    assert [tag for tag, _ in sheet.elements].count("h1") == 1
    assert KINDS[status].title in sheet.text
    assert all(word in sheet.text for word in words), sheet.text
    assert "Traceback" not in answer.text
    assert "X-Request-Id" in answer.headers
    return sheet


@pytest.mark.parametrize("status", KINDS)
def test_every_kind_of_problem_is_a_page_where_people_are_answered_and_a_document_elsewhere(status: int) -> None:
    async def refuse(_: Request) -> Any:
        return problem(status, f"What happened: {MARKUP}", headers={"Retry-After": "7"})

    app = Starlette(routes=[Route(path, refuse) for path in ("/admin", "/admin/{rest:path}", "/{rest:path}")])

    async def ask(path: str) -> Response:
        async with AsyncClient(transport=ASGITransport(Refusing(app)), base_url="http://testserver") as client:
            return await client.get(path)

    for path in ("/admin", "/admin/", "/admin/events/x"):
        answer = asyncio.run(ask(path))
        sheet = read(answer)
        assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")
        assert f"{KINDS[status].title} What happened: {MARKUP}" in sheet.text
        assert "img" not in [tag for tag, _ in sheet.elements]
    for path in ("/", "/administer", "/v1/admin"):
        answer = asyncio.run(ask(path))
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_what_there_is_not_is_a_page_that_leads_back(database: str) -> None:
    with browser(database) as client:
        for path in ("/admin/nothing", "/admin/people/nobody", "/admin/events/x", "/admin/welcome/none"):
            refused(client.get(path), 404, "find it from the start")
        assert "/admin" in refused(client.get("/admin/nothing"), 404).links
        assert "People" in refused(client.get("/admin/nothing"), 404).text, "with the way to all other pages"
        assert client.get("/v1/nothing").headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/admin/people"), ("POST", "/admin/actors"), ("PUT", "/admin/nothing")]
)
def test_a_method_that_a_page_does_not_take_is_said_with_those_that_it_takes(
    database: str, method: str, path: str
) -> None:
    with browser(database) as client:
        answer = client.request(method, path, data={})
        refused(answer, 405, "use what stands on it")
        assert "GET" in answer.headers["Allow"]


def test_what_is_no_form_and_what_is_too_large_is_said_on_a_page(database: str) -> None:
    with browser(database, largest_body=20_000) as client:
        refused(client.post("/admin/people", json={"login": "x"}), 415, "Send this as the form on the page does.")
        refused(client.post("/admin/people", data={"login": "x" * 30_000}), 413, "Go back in your browser")
        broken = {"Content-Type": "application/x-www-form-urlencoded"}
        refused(client.post("/admin/people", content=b"login=%ff", headers=broken), 422, "load the page again")
        rows = {"kind": "pledge.stated", "coalition": "x", **{f"sources.{row}.title": "" for row in range(501)}}
        refused(client.post(NEW, data=rows), 422, "more than 500 rows")
        asked = refused(client.get(f"{NEW}?coalition=x&kind=pledge.stated&colour=red"), 400, "does not have")
        assert "`" not in asked.text


def test_who_may_not_see_a_page_is_told_so_on_one(database: str) -> None:
    with browser(database, "ed", "editor") as client:
        refused(client.get("/admin/people"), 403, "This needs the role admin")
        cross = client.post("/admin/statements/new", data={}, headers={"Origin": "https://evil.example"})
        refused(cross, 403, "a page of another site")


def test_too_many_requests_are_refused_with_the_seconds_to_wait(database: str) -> None:
    with browser(database, reads_per_minute=2) as client:
        assert [client.get("/admin/actors").status_code for _ in range(2)] == [200, 200]
        answer = client.get("/admin/actors")
        refused(answer, 429, f"go on in {answer.headers['Retry-After']}", "Wait so many seconds")
        assert answer.headers["RateLimit"].startswith('"reads";r=0')


def test_what_fails_unforeseen_says_its_number_and_nothing_of_how(database: str) -> None:
    with browser(database) as client:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("ALTER TABLE person RENAME COLUMN email TO post")
        answer = client.get("/admin/people")
        sheet = refused(answer, 500, answer.headers["X-Request-Id"], "tell whoever runs the registry that number")
        assert not re.search("email|column|psycopg|SELECT", sheet.text)


@contextmanager
def out_of_reach(url: str) -> Iterator[None]:
    """A database that lets nobody in, as if its server were down."""
    given = conninfo_to_dict(url)
    name = sql.Identifier(str(given["dbname"]))
    with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (given["dbname"],)
        )
        try:
            yield
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def test_without_its_database_every_page_says_so_and_what_was_filled_in_is_saved_once_it_is_back(database: str) -> None:
    with browser(database, "ed", "editor") as client:
        register(client, "willing")
        page = form(client)
        with out_of_reach(database):
            answer = press(client, page, "do", "save", **FILLED)
            refused(answer, 503, "The database does not answer", "it is saved once")
            assert int(answer.headers["Retry-After"]) > 0
        answer = press(client, page, "do", "save", **FILLED)
        assert answer.status_code == 303
        assert size(client) == 2
        assert get(client, "/admin/statements").links


def test_who_is_not_signed_in_is_led_to_sign_in_whatever_there_is(database: str) -> None:
    with browser(database) as client:
        del client.cookies[COOKIE]
        assert client.get("/admin/nothing").status_code == client.get("/admin/people").status_code == 303


def test_head_of_a_refusal_has_its_headers_alone(client_of_page: TestClient) -> None:
    answer = client_of_page.head("/admin/nothing")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.fixture
def client_of_page(database: str) -> Iterator[TestClient]:
    """A browser in which somebody is signed in."""
    with browser(database) as client:
        yield client
