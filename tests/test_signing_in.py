"""Signing in: by password, by a link that works once, and never by guessing."""

import asyncio
import re
from datetime import timedelta

import psycopg
import pytest
from starlette.testclient import TestClient

from service.accounts import passwords
from service.accounts.links import make_link
from service.accounts.passwords import check_password
from service.database import open_pool
from service.domain.errors import Invalid
from tests.people import COOKIE, PASSWORD, add_person, begin_session, browser, opened
from tests.registry import registry


def link_for(url: str, login: str | None = None, *, lasts: timedelta = timedelta(hours=1)) -> str:
    """A link for a person, or for the first admin."""

    async def make() -> str:
        async with open_pool(url, size=2) as pool, pool.connection() as connection:
            return await make_link(connection, login, by=None, lasts=lasts)

    return asyncio.run(make())


def do(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def faults(page: str) -> list[str]:
    return re.findall(r'<p class="fault" id="(\w+)-fault', page)


def sign_in(client: TestClient, login: str = "jane", password: str = PASSWORD, **more: str) -> int:
    return client.post("/admin/sign-in", data={"login": login, "password": password, **more}).status_code


CHOSEN = {"login": "Jane", "name": "Jane Doe", "password": PASSWORD, "again": PASSWORD}


def test_the_first_link_makes_an_admin_once(database: str) -> None:
    path = link_for(database)
    with opened(database) as client:
        assert client.get(path).status_code == client.get(path).status_code == 200, "looking uses nothing up"
        made = client.post(path, data=CHOSEN)
        assert (made.status_code, made.headers["Location"]) == (303, "/admin?done=welcome")
        assert "Jane Doe" in client.get("/admin?done=welcome").text
        assert client.get("/v1/me").json() == {"owner": "jane", "role": "admin", "token": None}
        assert client.get(path).status_code == client.post(path, data=CHOSEN | {"login": "eve"}).status_code == 404
        assert "Whoever has set a password signs in with it" in client.get(path).text


def test_no_link_for_a_first_admin_works_once_there_is_one(database: str) -> None:
    early, late = link_for(database), link_for(database)
    with opened(database) as client:
        assert client.post(late, data=CHOSEN).status_code == 303
        assert client.post(early, data=CHOSEN | {"login": "eve"}).status_code == 404


def test_a_link_that_has_expired_opens_nothing(database: str) -> None:
    path = link_for(database, lasts=timedelta(0))
    with opened(database) as client:
        assert client.get(path).status_code == client.post(path, data=CHOSEN).status_code == 404


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"login": "Jane Doe"}, "login"),
        ({"login": "seeds"}, "login"),
        ({"name": " "}, "name"),
        ({"password": "short", "again": "short"}, "password"),
        ({"password": "jane12345678", "again": "jane12345678"}, "password"),
        ({"again": "four blue chairs"}, "again"),
        ({"login": "", "name": "", "password": "short", "again": "long"}, "login name password again"),
    ],
)
def test_what_is_wrong_with_a_choice_is_said_at_its_field_and_uses_nothing_up(
    database: str, typed: dict[str, str], field: str
) -> None:
    path = link_for(database)
    with opened(database) as client:
        said = client.post(path, data=CHOSEN | typed)
        assert (said.status_code, faults(said.text)) == (422, field.split())
        assert re.findall('<a href="#([a-z]+)">.*: ', said.text) == field.split()
        assert PASSWORD not in said.text
        assert client.post(path, data=CHOSEN).status_code == 303


@pytest.mark.parametrize(
    "password",
    ["elevenchars", "janeslogin!!", "aaaaaaaaaaaaa", "passwordpassword", "Passw0rd2024!!", "123456789012", "x" * 201],
)
def test_a_password_that_would_be_guessed_soon_will_not_do(password: str) -> None:
    with pytest.raises(Invalid):
        check_password(password, "janeslogin")


def test_a_long_password_of_ones_own_will_do() -> None:
    for password in (PASSWORD, "zwölf Zeichen", "Q7-v/2mN:pLx", "🦊 fox and hound"):
        check_password(password, "jane")


def test_a_password_opens_the_page_that_was_asked_for(database: str) -> None:
    add_person(database)
    with opened(database) as client:
        led = client.get("/admin/account?x=1").headers["Location"]
        assert led == "/admin/sign-in?next=%2Fadmin%2Faccount%3Fx%3D1"
        assert 'value="/admin/account?x=1"' in client.get(led).text
        opens = client.post("/admin/sign-in", data={"login": " Jane ", "password": PASSWORD, "next": "/admin/account"})
        assert (opens.status_code, opens.headers["Location"]) == (303, "/admin/account")
        assert client.get("/admin").status_code == 200


@pytest.mark.parametrize(
    ("before", "on"),
    [
        ("http://testserver/admin/statements/new?kind=pledge.stated", "/admin/statements/new?kind=pledge.stated"),
        ("https://evil.example/?x=/admin", "/admin"),
        ("http://testserver//evil.example", "/admin"),
        ("", "/admin"),
    ],
)
def test_whoever_sends_a_form_when_the_session_is_over_is_told_so_and_led_back_to_it(
    database: str, before: str, on: str
) -> None:
    add_person(database)
    with opened(database) as client:
        led = client.post("/admin/statements/new", data={"kind": "x"}, headers={"Referer": before} if before else {})
        assert led.status_code == 303
        page = client.get(led.headers["Location"]).text
        assert "You are signed in no longer, so nothing was saved." in page
        assert f'name="next" value="{on}"' in page


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/admin\\evil", "/docs", "/administer"]
)
def test_signing_in_leads_to_pages_of_ours_alone(database: str, elsewhere: str) -> None:
    add_person(database)
    with opened(database) as client:
        opens = client.post("/admin/sign-in", data={"login": "jane", "password": PASSWORD, "next": elsewhere})
        assert opens.headers["Location"] == "/admin"


def test_nobody_is_told_who_has_a_login(database: str) -> None:
    add_person(database)
    with opened(database) as client:
        said = [
            client.post("/admin/sign-in", data={"login": login, "password": "wrong password"})
            for login in ("jane", "john")
        ]
        assert [one.status_code for one in said] == [422, 422]
        assert said[0].text.replace("jane", "john") == said[1].text


def waits(url: str) -> list[int]:
    """The seconds that have to pass after the latest attempts: by login and by address."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT extract(epoch FROM waits_until - last_at)::int FROM attempt").fetchall()
        connection.execute("UPDATE attempt SET waits_until = now()")
    return sorted(seconds for (seconds,) in found)


@pytest.mark.parametrize("login", ["jane", "nobody"])
def test_whoever_guesses_a_login_waits_longer_each_time_whether_anybody_has_it_or_not(
    database: str, login: str
) -> None:
    add_person(database)
    with opened(database) as client:
        for expected in (0, 0, 0, 0, 5, 10, 20, 40):
            assert sign_in(client, login, "wrong password") == 422
            assert waits(database) == [0, expected]
        do(database, "UPDATE attempt SET waits_until = now() + interval '80 seconds'")
        for password in ("wrong password", PASSWORD):
            said = client.post("/admin/sign-in", data={"login": login, "password": password})
            assert said.status_code == 429, "the right one is not looked at either"
            assert 60 < int(said.headers["Retry-After"]) <= 80
            assert f"Wait {said.headers['Retry-After']} seconds" in said.text


def test_a_wait_is_a_quarter_of_an_hour_at_most(database: str) -> None:
    with opened(database) as client:
        sign_in(client, "jane", "wrong password")
        do(database, "UPDATE attempt SET failures = 1000000")
        assert sign_in(client, "jane", "wrong password") == 422
        said = client.post("/admin/sign-in", data={"login": "jane", "password": PASSWORD})
        assert 890 < int(said.headers["Retry-After"]) <= 900
        assert "Wait 15 minutes" in said.text


def test_many_guesses_at_once_are_no_way_round(database: str) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - for this test alone

    add_person(database)
    with opened(database) as client, ThreadPoolExecutor(10) as many:
        answers = list(many.map(lambda n: sign_in(client, "jane", f"wrong password {n}"), range(20)))
    assert sorted(answers) == [422] * 5 + [429] * 15


def test_a_password_is_hashed_whether_anybody_has_the_login_or_not(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_person(database)
    add_person(database, "john")
    do(database, "UPDATE person SET password = NULL WHERE login = 'john'")
    do(database, f"UPDATE person SET password = '{passwords._HASHER.hash(PASSWORD)}' WHERE login = 'jane'")
    verified: list[str] = []
    verify = passwords._HASHER.verify

    def noted(password: str, kept: str) -> bool:
        verified.append(kept[:30])
        return verify(password, kept)

    monkeypatch.setattr(passwords._HASHER, "verify", noted)
    with opened(database) as client:
        for login in ("jane", "john", "nobody"):
            assert sign_in(client, login, "wrong password") == 422
    assert len(verified) == 3
    assert len(set(verified)) == 1, "with the same costs"


def test_whoever_guesses_at_many_logins_from_one_address_waits_too(database: str) -> None:
    with opened(database) as client:
        do(database, "TRUNCATE attempt")
        assert sign_in(client, "a", "wrong password") == 422
        do(database, "UPDATE attempt SET failures = 19")
        assert sign_in(client, "b", "wrong password") == 422
        assert sign_in(client, "c", "wrong password") == 429


def test_signing_in_forgives_the_failures_before(database: str) -> None:
    add_person(database)
    with opened(database) as client:
        for _ in range(4):
            assert [sign_in(client, "jane", "wrong password") for _ in range(4)] == [422] * 4
            assert sign_in(client) == 303
            client.cookies.clear()


def test_a_password_that_was_typed_as_a_login_is_kept_nowhere(database: str) -> None:
    with opened(database) as client:
        sign_in(client, "hunter2hunter2", "x")
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM attempt WHERE guessed::text LIKE '%hunter%'").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM attempt").fetchone() == (2,)


def test_what_is_kept_of_a_password_is_a_dear_argon2id_hash_and_of_a_cookie_another(database: str) -> None:
    path = link_for(database)
    with opened(database) as client:
        client.post(path, data=CHOSEN)
        cookie = client.cookies[COOKIE]
    with psycopg.connect(database) as connection:
        ((kept,),) = connection.execute("SELECT password FROM person").fetchall()
        assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), "dear to compare with"
        ((hashed, name),) = connection.execute("SELECT hash, id FROM session").fetchall()
    assert cookie.encode() not in hashed
    assert name not in cookie


# Cookies, and where requests come from


def test_the_cookie_is_for_http_alone_and_for_the_host_alone_where_there_is_tls(database: str) -> None:
    add_person(database)
    for address, name, secure in (("", COOKIE, False), ("https://registry.example", f"__Host-{COOKIE}", True)):
        with opened(database, public_url=address) as client:
            data = {"login": "jane", "password": PASSWORD}
            said = client.post("/admin/sign-in", data=data, headers={"Origin": address or "http://testserver"})
            cookie = said.headers["Set-Cookie"]
            assert cookie.startswith(f"{name}=")
            assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=604800"} <= set(cookie.split("; "))
            assert ("Secure" in cookie, "Domain" in cookie) == (secure, False)


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://testserver.evil.example"},
    {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://testserver", "Sec-Fetch-Site": "same-site"},
    {},
]


@pytest.mark.parametrize("says", FOREIGN)
@pytest.mark.parametrize("path", ["/admin/sign-in", "/admin/sign-out", "/v1/coalitions"])
def test_a_write_from_another_sites_page_is_refused(database: str, path: str, says: dict[str, str]) -> None:
    with browser(database) as client:
        del client.headers["Origin"]
        sent = {"json": {"slug": "willing", "name": "Willing"}} if path.startswith("/v1") else {"data": CHOSEN}
        assert client.post(path, headers=says, **sent).status_code == 403  # type: ignore[arg-type]  # either
        assert client.get("/v1/me").status_code == 200, "and changes nothing"
        assert client.get("/v1/coalitions").json()["items"] == []


def test_a_token_says_by_itself_that_a_write_is_meant(database: str) -> None:
    with registry(database) as client:
        headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert client.post("/v1/coalitions", json={"slug": "x", "name": "X"}, headers=headers).status_code == 201


def test_whoever_is_signed_in_may_call_the_api_as_far_as_their_role_allows(database: str) -> None:
    with browser(database, role="reader", reading_is_open=False) as client:
        assert client.get("/v1/coalitions").status_code == 200
        refused = client.post("/v1/coalitions", json={"slug": "x", "name": "X"})
        assert (refused.status_code, refused.json()["detail"]) == (
            403, "This needs the role contributor; you have the role reader."
        )  # fmt: skip
        client.cookies.clear()
        assert client.get("/v1/coalitions").status_code == 401


def test_an_old_cookie_closes_nothing_that_is_open_to_all(database: str) -> None:
    with opened(database) as client:
        client.cookies.set(COOKIE, "of a session that is long over")
        assert client.get("/v1/coalitions").status_code == 200


# How long a session lasts


@pytest.mark.parametrize(
    "ended",
    [
        "DELETE FROM session",
        "UPDATE session SET last_used_at = now() - interval '241 minutes'",
        "UPDATE session SET expires_at = now()",
        "UPDATE person SET disabled_at = now()",
    ],
)
def test_a_cookie_of_a_session_that_is_over_opens_nothing(database: str, ended: str) -> None:
    with browser(database) as client:
        assert client.get("/admin").status_code == client.get("/v1/me").status_code == 200
        do(database, ended)
        assert client.get("/admin").headers["Location"] == "/admin/sign-in?next=%2Fadmin"
        assert client.get("/v1/me").status_code == 401


def test_signing_out_ends_the_session_not_only_the_cookie(database: str) -> None:
    with browser(database) as client:
        stolen = client.cookies[COOKIE]
        assert client.post("/admin/sign-out").headers["Location"] == "/admin/sign-in?done=out"
        client.cookies.set(COOKIE, stolen)
        assert client.get("/v1/me").status_code == 401


def test_use_keeps_a_session_alive_and_is_noted(database: str) -> None:
    with browser(database) as client:
        do(database, "UPDATE session SET last_used_at = now() - interval '200 minutes'")
        assert client.get("/admin").status_code == 200
    with psycopg.connect(database) as connection:
        noted = connection.execute("SELECT now() - last_used_at < interval '1 minute' FROM session").fetchone()
    assert noted == (True,)


def test_the_role_that_somebody_has_now_counts(database: str) -> None:
    with browser(database, role="admin") as client:
        assert client.get("/v1/tokens").status_code == 200
        do(database, "UPDATE person SET role = 'editor'")
        assert client.get("/v1/tokens").status_code == 403


def test_sessions_of_before_are_forgotten_when_somebody_signs_in(database: str) -> None:
    add_person(database)
    begin_session(database)
    do(database, "UPDATE session SET expires_at = now()")
    with opened(database) as client:
        assert sign_in(client) == 303
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM session").fetchone() == (1,)
