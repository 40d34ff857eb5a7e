"""The pages for people: who may see which, what they do, and what every one of them is sent with."""

import re
from itertools import pairwise

import psycopg
import pytest
from starlette.testclient import TestClient

from service.access import Role
from service.accounts.passwords import SHORTEST
from service.admin.guarding import PageRoute
from service.admin.pages import NAVIGATION, STRICT
from service.main import create_app
from tests.pages import get
from tests.people import COOKIE, ORIGIN, PASSWORD, add_person, begin_session, browser, opened, sends_like_a_browser
from tests.registry import TOKEN, allow, register, settings_for, statement
from tests.test_roles import TABLE
from tests.test_signing_in import CHOSEN, do, faults, sign_in

LARGEST_PAGE = 60_000
MARKUP = '<img src=x onerror="alert(1)">&amp;\'"'
OPEN = {
    *("/admin/sign-in", "/admin/sign-in/provider", "/admin/sign-in/provider/back", "/admin/sign-out"),
    *("/admin/welcome/{secret}", "/admin/{path:path}"),
}
NEEDS = {
    path: Role(role)
    for path, role in re.findall(r"^\| `(/admin\S*)` \| (\w+) \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
}
"""The least role that each page is for, as docs/roles.md says."""

SECRET = re.compile(r'<code class="secret">(pr_[\w-]+)</code>')


def routes() -> list[tuple[str, str]]:
    found = [route for route in create_app(settings_for("")).router.routes if isinstance(route, PageRoute)]
    return [(method, route.path) for route in found for method in sorted(route.methods or ())]


def test_every_page_stands_in_the_table_of_roles_and_the_navigation_keeps_to_it() -> None:
    assert {path for _, path in routes()} == OPEN | set(NEEDS)
    assert {one.path: one.role for one in NAVIGATION}.items() <= NEEDS.items()


def test_each_role_sees_its_pages_and_no_others(database: str) -> None:
    with opened(database) as client:
        for role in Role:
            add_person(database, f"a-{role}", role)
            client.cookies.set(COOKIE, begin_session(database, f"a-{role}"))
            for method, path in routes():
                if path in OPEN or path.endswith(("/end", "/end-others")):
                    continue
                address = re.sub(r"\{\w+\}", "nobody", path)
                said = client.request(method, address, data={} if method == "POST" else None)
                assert (said.status_code == 403) != role.allows(NEEDS[path]), f"{role} {method} {path}"
        client.cookies.clear()
        allow(database)
        for method, path in routes():
            if path not in OPEN:
                for headers in ({}, {"Authorization": f"Bearer {TOKEN}"}):
                    said = client.request(method, path, data={} if method == "POST" else None, headers=headers)
                    assert said.headers["Location"].startswith("/admin/sign-in"), f"{method} {path}"


PAGES = [
    *("/admin", "/admin/account", "/admin/people", "/admin/people/jane", "/admin/tokens", "/admin/nothing"),
    *(
        "/admin/review",
        "/admin/review?state=all&mine=yes",
        "/admin/webhooks",
        "/admin/audit",
        "/admin/audit?since=x",
        "/admin/coalitions",
        "/admin/actors?q=ger",
    ),
]


@pytest.mark.parametrize("path", [*PAGES, "/admin/sign-in", "/admin/welcome/none"])
def test_every_page_is_small_strict_and_kept_by_nobody(database: str, path: str) -> None:
    with browser(database) as client:
        if path.startswith("/admin/sign"):
            client.cookies.clear()
        said = client.get(path)
        assert said.headers.items() >= {name.lower(): value for name, value in STRICT.items()}.items()
        assert said.headers["X-Content-Type-Options"] == "nosniff"
        assert said.headers["Content-Type"] == "text/html; charset=utf-8"
        assert len(said.content) < LARGEST_PAGE
        assert "<script>" not in said.text
        assert not re.search(r' (style|on\w+)="', said.text)
        assert not re.search(r'(?:src|href|action)="(?!/|#|data:)', said.text), "nothing from outside"
        assert '<html lang="en">' in said.text
        assert '<a class="skip" href="#main">' in said.text
        levels = [int(level) for level in re.findall(r"<h([1-6])", said.text)]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_page_is_packed_for_whoever_takes_it_so(database: str) -> None:
    with browser(database) as client:
        plain = client.get("/admin/audit", headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        for takes, is_packed in (
            ("br, gzip", True),
            ("gzip;q=0.5", True),
            ("gzip;q=0", False),
            ("gzip;q=0.0, br", False),
        ):
            said = client.get("/admin/audit", headers={"Accept-Encoding": takes})
            assert (said.headers.get("Content-Encoding") == "gzip") == is_packed, takes
            assert (said.text, said.headers["Vary"]) == (plain.text, "Accept-Encoding")
        assert int(client.get("/admin/audit").headers["Content-Length"]) < len(plain.content) / 2


def test_the_longest_lists_make_no_page_large(database: str) -> None:
    with browser(database) as client:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO person (login, name, role, created_at)"
                " SELECT 'p' || n, repeat('&', 300), 'contributor', now() FROM generate_series(1, 120) AS n"
            )
            connection.execute(
                "INSERT INTO token (hash, role, owner, created_at, expires_at, last_used_at)"
                " SELECT sha256(n::text::bytea), 'contributor', repeat('&', 300), now(), now(), now()"
                " FROM generate_series(1, 120) AS n"
            )
        for path, rows in (("/admin/people", 121), ("/admin/tokens", 120)):
            seen, address = 0, path
            while address:
                page = client.get(address)
                assert len(page.content) < LARGEST_PAGE
                seen += page.text.count('<th scope="row">')
                following = re.search(r'<a href="([^"]+)" rel="next">', page.text)
                address = following[1].replace("&amp;", "&") if following else ""
            assert seen == rows


def test_stylesheet_and_script_are_named_by_what_they_hold_and_never_asked_for_again(database: str) -> None:
    with opened(database) as client:
        found = re.findall(r'(?:href|src)="(/admin/static/[^"]+)"', client.get("/admin/sign-in").text)
        assert len(found) == 3
        for address in found:
            file = client.get(address)
            assert file.headers["X-Content-Type-Options"] == "nosniff"
            assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert len(file.content) < LARGEST_PAGE
        assert client.get("/admin/static/pages.000000000000.css").status_code == 404
        script = next(client.get(one).text for one in found if one.endswith(".js"))
        assert len(script.splitlines()) < 100


def test_markup_in_what_people_type_is_shown_as_text(database: str) -> None:
    with browser(database) as client:
        form = {"login": "eve", "name": MARKUP, "role": "editor", "email": ""}
        assert client.post("/admin/people", data=form).status_code == 201
        assert (
            client.post("/admin/tokens", data=KEY | {"owner": MARKUP, "role": "editor", "days": ""}).status_code == 201
        )
        client.post("/admin/people", data=form | {"login": MARKUP})
        client.cookies.set(COOKIE, begin_session(database, "eve"))
        own = client.get("/admin").text + client.get("/admin/account").text
        do(database, "UPDATE person SET role = 'admin'")
        pages = [client.get(path).text for path in PAGES] + [
            own,
            client.post("/admin/people", data={"login": MARKUP}).text,
        ]
        client.cookies.clear()
        pages.append(client.post("/admin/sign-in", data={"login": MARKUP, "password": "x"}).text)
        assert sum("&lt;img src=x onerror=" in page for page in pages) >= 6
        assert not any("<img" in page for page in pages)


# People


KEY = {"key": "01a20f3f-28b0-7190-8b01-7b595fdd40bb"}


def link_on(page: str) -> str:
    found = re.search(r'<code class="secret">http://testserver(/admin/welcome/[\w-]+)</code>', page)
    assert found
    return found[1]


def test_an_admin_invites_somebody_who_then_signs_in(database: str) -> None:
    with browser(database, "boss") as client:
        form = {"login": "Jane", "name": "Jane Doe", "email": "Jane@example.org", "role": "editor"}
        invited = client.post("/admin/people", data=form)
        assert invited.status_code == 201
        assert "invited" in client.get("/admin/people/jane").text
        assert "/admin/welcome/" not in client.get("/admin/people/jane").text, "shown this once"
        path = link_on(invited.text)
        client.cookies.clear()
        assert client.post(path, data=CHOSEN).status_code == 303
        assert client.get("/v1/me").json() == {"owner": "jane", "role": "editor", "token": None}


def test_a_form_that_was_sent_twice_invites_once_and_says_so(database: str) -> None:
    with browser(database, "boss") as client:
        form = {"login": "jane", "name": "Jane Doe", "email": "", "role": "editor"}
        assert client.post("/admin/people", data=form).status_code == 201
        again = client.post("/admin/people", data=form)
        assert (again.status_code, faults(again.text)) == (422, ["login"])
        assert 'value="Jane Doe"' in again.text, "what was typed stays"


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"role": ""}, "role"),
        ({"role": "owner"}, "role"),
        ({"login": ""}, "login"),
        ({"login": "local"}, "login"),
        ({"name": ""}, "name"),
        ({"email": "nowhere"}, "email"),
        ({"email": "boss@example.org"}, "email"),
    ],
)
def test_what_is_wrong_with_an_invitation_stands_at_its_field(database: str, typed: dict[str, str], field: str) -> None:
    with browser(database, "boss") as client:
        do(database, "UPDATE person SET email = 'boss@example.org'")
        form = {"login": "jane", "name": "Jane Doe", "email": "", "role": "editor"} | typed
        said = client.post("/admin/people", data=form)
        assert (said.status_code, faults(said.text)) == (422, [field])
        assert re.search(rf'id="{field}"[^>]* aria-describedby="[^"]*{field}-fault-1" aria-invalid="true"', said.text)
        assert client.get("/admin/people/jane").status_code == 404


@pytest.mark.parametrize("path", ["/admin/people", "/admin/tokens"])
def test_a_role_that_was_not_chosen_is_missing(database: str, path: str) -> None:
    with browser(database) as client:
        said = client.post(path, data=KEY | {"owner": "jane", "role": ""} if path.endswith("tokens") else {"role": ""})
        assert said.status_code == 422
        assert "This field is required here." in said.text
        assert "one of these" not in said.text


def test_a_field_that_the_form_does_not_have_is_refused(database: str) -> None:
    with browser(database, "boss") as client:
        form = {"login": "jane", "name": "Jane", "role": "editor", "password": "x"}
        assert client.post("/admin/people", data=form).status_code == 422


def test_an_admin_changes_a_role_and_it_counts_at_once(database: str) -> None:
    add_person(database, "jane", "reader")
    with browser(database, "boss") as admin, opened(database) as client:
        sends_like_a_browser(client, begin_session(database, "jane"))
        assert client.get("/admin/tokens").status_code == 403
        said = admin.post("/admin/people/jane", data={"name": "Jane", "email": "", "role": "admin"})
        assert said.headers["Location"] == "/admin/people/jane?done=changed"
        assert client.get("/admin/tokens").status_code == 200


def test_nobody_can_take_the_last_admin_away(database: str) -> None:
    with browser(database, "boss") as client:
        demoted = client.post("/admin/people/boss", data={"name": "Boss", "email": "", "role": "editor"})
        disabled = client.post("/admin/people/boss/disable")
        assert (demoted.status_code, disabled.status_code) == (422, 409)
        for page in (demoted, disabled):
            assert "Nobody would be left who may look after people" in page.text
        assert client.get("/v1/me").json()["role"] == "admin"


def test_disabling_somebody_ends_every_session_and_token_of_theirs_at_once(database: str) -> None:
    add_person(database, "jane", "editor")
    allow(database, "pr_of_jane", "editor", "jane")
    bearer = {"Authorization": "Bearer pr_of_jane"}
    with browser(database, "boss") as client:
        mine, stolen = client.cookies[COOKIE], [begin_session(database, "jane") for _ in range(2)]
        assert client.get("/v1/me", headers=bearer).json()["owner"] == "jane"
        assert client.post("/admin/people/jane/disable").headers["Location"] == "/admin/people/jane?done=disabled"
        assert client.get("/v1/me", headers=bearer).status_code == 401
        for cookie in stolen:
            client.cookies.set(COOKIE, cookie)
            assert client.get("/v1/me").status_code == 401
        assert sign_in(client, "jane") == 422
        client.cookies.set(COOKIE, mine)
        assert client.post("/admin/people/jane/link").status_code == 409
        assert client.post("/admin/people/jane/enable").status_code == 303
        client.cookies.clear()
        assert sign_in(client, "jane") == 303


# Where to begin


def test_the_first_page_says_where_to_begin_to_each_role(database: str) -> None:
    def told(role: Role) -> str:
        client.cookies.set(COOKIE, begin_session(database, role))
        return re.sub(" ([.,:])", r"\1", get(client, "/admin").text)

    for role in Role:
        add_person(database, role, role)
    writers = [role for role in Role if role.allows(Role.CONTRIBUTOR)]
    with browser(database) as client:
        assert "Nothing is recorded yet." in told(Role.READER)
        assert all("begin by registering one" in told(role) for role in writers)
        assert [role for role in Role if "or by inviting those who will" in told(role)] == [Role.ADMIN]
        client.cookies.set(COOKIE, begin_session(database))
        register(client, "willing")
        assert "Begin with the statements" in told(Role.READER)
        assert all("open it, and enter what stands in it" in told(role) for role in writers)
        assert [role for role in Role if "What you save waits" in told(role)] == [Role.CONTRIBUTOR]
        client.cookies.set(COOKIE, begin_session(database, Role.CONTRIBUTOR))
        assert client.post("/v1/drafts", json={"path": "/v1/statements", "body": statement()}).status_code == 202
        waits = [role for role in Role if "Begin with what waits for you: one entry." in told(role)]
        assert waits == [role for role in Role if role.allows(Role.APPROVER)]


# Sessions


def test_ones_sessions_are_listed_and_each_can_be_ended(database: str) -> None:
    with browser(database) as client:
        stolen = begin_session(database)
        page = client.get("/admin/account").text
        assert page.count("Firefox on Linux</th>") + page.count('class="state active">this one') == 2
        assert "192.0.2.1" in page
        ends = re.findall(r'action="(/admin/account/sessions/[0-9a-f]{12}/end)"', page)
        assert len(ends) == 2
        with opened(database) as thief:
            sends_like_a_browser(thief, stolen)
            assert thief.get("/v1/me").status_code == 200
            said = [client.post(address).headers["Location"] for address in ends]
            assert "/admin/sign-in?done=out" in said, "of the own one too"
            assert thief.get("/v1/me").status_code == thief.get("/admin").status_code - 303 + 401 == 401


def test_nobody_ends_the_session_of_another_but_an_admin(database: str) -> None:
    add_person(database, "jane", "editor")
    theirs = begin_session(database, "jane")
    with psycopg.connect(database) as connection:
        ((session_id,),) = connection.execute("SELECT id FROM session").fetchall()
    with browser(database, "john", "editor") as client:
        assert client.post(f"/admin/account/sessions/{session_id}/end").status_code == 404
        assert client.post(f"/admin/people/jane/sessions/{session_id}/end").status_code == 403
        do(database, "UPDATE person SET role = 'admin' WHERE login = 'john'")
        assert client.post(f"/admin/people/john/sessions/{session_id}/end").status_code == 404
        assert client.post(f"/admin/people/jane/sessions/{session_id}/end").status_code == 303
        client.cookies.set(COOKIE, theirs)
        assert client.get("/v1/me").status_code == 401


def test_changing_the_password_ends_all_other_sessions(database: str) -> None:
    with browser(database) as client:
        other = begin_session(database)
        new = "five green chairs"
        form = {"before": PASSWORD, "password": new, "again": new}
        assert client.post("/admin/account/password", data=form).headers["Location"] == "/admin/account?done=password"
        assert client.get("/v1/me").status_code == 200
        client.cookies.set(COOKIE, other)
        assert client.get("/v1/me").status_code == 401
        client.cookies.clear()
        assert (sign_in(client, "jane"), sign_in(client, "jane", new)) == (422, 303)


@pytest.mark.parametrize(
    ("typed", "field"),
    [({"before": "wrong"}, "before"), ({"password": "short"}, "password again"), ({"again": "x"}, "again")],
)
def test_a_password_is_changed_by_whoever_has_the_present_one_alone(
    database: str, typed: dict[str, str], field: str
) -> None:
    with browser(database) as client:
        new = "five green chairs"
        said = client.post("/admin/account/password", data={"before": PASSWORD, "password": new, "again": new} | typed)
        assert (said.status_code, faults(said.text)) == (422, field.split())
        client.cookies.clear()
        assert sign_in(client, "jane", PASSWORD) == 303
    assert SHORTEST == 12


# Tokens


def test_a_token_is_shown_once_and_works_until_it_is_revoked(database: str) -> None:
    with browser(database) as client:
        made = client.post("/admin/tokens", data=KEY | {"owner": "importer", "role": "editor", "days": "30"})
        assert made.status_code == 201
        secret = SECRET.findall(made.text)[0]
        assert secret not in client.get("/admin/tokens").text
        bearer = {"Authorization": f"Bearer {secret}"}
        me = client.get("/v1/me", headers=bearer).json()
        assert (me["owner"], me["role"], me["token"]["created_by"]) == ("importer", "editor", "jane")
        assert (
            client.post(f"/admin/tokens/{me['token']['id']}/revoke").headers["Location"] == "/admin/tokens?done=revoked"
        )
        assert client.get("/v1/me", headers=bearer).status_code == 401
        assert "importer" not in client.get("/admin/tokens?state=active").text
        assert "importer" in client.get("/admin/tokens?state=revoked").text


def test_a_form_that_was_sent_twice_makes_one_token(database: str) -> None:
    with browser(database) as client:
        form = KEY | {"owner": "importer", "role": "editor", "days": ""}
        made = [client.post("/admin/tokens", data=form) for _ in range(2)]
        assert [one.status_code for one in made] == [201, 201]
        first, again = (SECRET.findall(one.text) for one in made)
        assert first == again, "the answer to the first may have been lost"
        assert len(client.get("/v1/tokens").json()["items"]) == 1


@pytest.mark.parametrize(
    ("typed", "field"),
    [({"owner": " "}, "owner"), ({"role": ""}, "role"), ({"days": "0"}, "days"), ({"days": "x"}, "days")],
)
def test_what_is_wrong_with_a_token_stands_at_its_field(database: str, typed: dict[str, str], field: str) -> None:
    with browser(database) as client:
        said = client.post("/admin/tokens", data=KEY | {"owner": "importer", "role": "editor", "days": "30"} | typed)
        assert (said.status_code, faults(said.text)) == (422, [field])
        assert client.get("/v1/tokens").json()["items"] == []


FORMS = [
    ("/admin/people", {"login": "eve", "name": "Eve", "role": "admin"}),
    ("/admin/tokens", KEY | {"owner": "eve", "role": "admin", "days": ""}),
    ("/admin/people/jane/disable", {}),
    ("/admin/account/password", {"before": PASSWORD, "password": "x" * 12, "again": "x" * 12}),
]


@pytest.mark.parametrize(("path", "form"), FORMS)
def test_a_form_on_another_sites_page_does_nothing_here(database: str, path: str, form: dict[str, str]) -> None:
    with browser(database) as client:
        before = everything(client)
        for headers in ({"Origin": "https://evil.example"}, {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}):
            said = client.post(path, data=form, headers=headers)
            assert (said.status_code, "another site" in said.text) == (403, True)
        assert everything(client) == before


def everything(client: TestClient) -> tuple[str, str]:
    return client.get("/admin/people").text, re.sub(r'name="key" value="[^"]+"', "", client.get("/admin/tokens").text)
