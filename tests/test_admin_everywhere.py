"""What holds of every page and every form below /admin: the routes are walked, so that a new one is held to it at once.

What stands in an address (an event, a person, a draft) is filled in with something that there is, recorded with markup
wherever a text may stand. Of what is not known here yet there is none: then it is its refusal that is looked at.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import psycopg
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from service.admin.pages import STRICT
from service.domain.kinds import STATEMENTS
from service.domain.statement import Statement
from service.forms.fields import Field, Widget, fields_of, kind_of
from service.main import create_app
from service.web.callers import SAFE
from service.web.serving import Door
from service.web.writing import NOTES
from tests.conftest import fresh_database
from tests.pages import Sheet, read
from tests.people import COOKIE, ORIGIN, add_person, begin_session, browser
from tests.registry import Json, allow, golden_content, note, post, settings_for
from tests.test_admin_pages import OPEN, routes
from tests.test_signing_in import link_for

MARKUP = "</textarea></title></option><img src=x onerror=alert(1)>\"' onfocus=alert(2) &amp;"
SHORT = "'\"></p><img src=x>"  # for forms in which everything that can be is at fault


@dataclass
class World:
    """A registry full of markup, a browser of its admin, and what there is, by its name in routes."""

    url: str
    client: TestClient
    there: dict[str, list[str]]

    def addresses(self, path: str) -> list[str]:
        """The addresses of a route, in which each thing that there is stands once."""
        names = re.findall(r"\{(\w+)(?::\w+)?\}", path)
        first = {name: self.there.get(name, ["nobody"])[0] for name in names}
        varied = ({**first, name: value} for name in names for value in self.there.get(name, ()))
        plain = path.replace(":path", "")
        return list(dict.fromkeys(plain.format(**values) for values in (first, *varied)))


@pytest.fixture(scope="module")
def world(server_url: str, template: str) -> Iterator[World]:
    """Nothing of it is changed by a test."""
    with (
        fresh_database(server_url, template) as url,
        browser(url, "jane", "admin", webhook_networks="127.0.0.0/8") as client,
    ):
        yield World(url, client, _fill(client, url))


def _fill(client: TestClient, url: str) -> dict[str, list[str]]:
    named = {"name": MARKUP, "aliases": [MARKUP], "force": {"name": MARKUP, "aliases": [MARKUP]}}
    for slug in ("willing", "able"):
        post(client, {"slug": slug, **named}, "/v1/coalitions")
    events = [post(client, content)["event"]["event_id"] for content in map(marked_content, STATEMENTS)]
    first, second = events[:2]
    noted = {"note": MARKUP, "sources": [{"title": MARKUP, "publisher": MARKUP}]}
    note(client, first, "corrections", {"changes": {"summary": f"{MARKUP} again"}, "reason": "other", **noted})
    note(client, events[3], "sources", {"note": MARKUP, "sources": [{"title": f"{MARKUP} again"}]})
    note(client, first, "disputes", {"rivals": [{"event_id": second}], "note": MARKUP})
    note(client, events[2], "retraction", {"reason": "other", "note": MARKUP})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE person SET name = %s", (MARKUP,))
        connection.execute("UPDATE session SET browser = %s, address = %s", (MARKUP, MARKUP))
    allow(url, "pr_con", "contributor", MARKUP)
    hook = post(client, {"url": "http://127.0.0.1:65535/", "description": MARKUP}, "/v1/webhooks")["id"]
    put_up = {"path": "/v1/statements", "body": marked_content(STATEMENTS[0]), "note": MARKUP}
    draft = client.post("/v1/drafts", json=put_up, headers={"Authorization": "Bearer pr_con"}).json()["draft"]
    return {
        "event_id": [row["id"] for row in client.get("/v1/events?limit=500").json()["items"]],
        "name": sorted(NOTES),
        "login": ["jane"],
        "webhook_id": [hook],
        "draft_id": [draft["id"]],
        "secret": [link_for(url, "jane").rpartition("/")[2]],
        "path": ["nothing"],
    }


def marked_content(kind: type[Statement]) -> Json:
    """The golden statement of a kind with markup in each of its texts, those that it has not, too."""
    content = golden_content(kind_of(kind))
    content.get("body", {}).pop("cleared", None)
    return {**content, **_marked(fields_of(kind), content), "coalition": "willing"}


_OF_A_FORM = frozenset({"url", "archive_url", "language", "currency"})  # texts that take no markup


_TEXTS = (Widget.LINE, Widget.TEXT, Widget.LINES)


def _marked(fields: Sequence[Field], content: Json) -> Json:
    """What is said, with markup in each text."""
    written = [one for one in fields if one.name in content or one.widget in _TEXTS]
    marked = {one.name: _mark(one, content.get(one.name)) for one in written if one.name not in _OF_A_FORM}
    return {**content, **marked}


def _mark(one: Field, said: Any) -> Any:
    if one.widget in _TEXTS:
        return [MARKUP] if one.widget is Widget.LINES else MARKUP
    if one.widget is Widget.ROWS:
        return [_mark(one.parts[0], row) for row in said]
    return _marked(one.parts, said) if one.widget is Widget.GROUP else said


def pages_of(world: World) -> Iterator[tuple[str, Response]]:
    """Every page that can be asked for, and what is answered."""
    for method, path in routes():
        if method == "GET":
            for address in world.addresses(path):
                yield address, world.client.get(address)


def checked(answer: Response, address: str) -> Sheet:
    """A page, held to what every page keeps to."""
    assert answer.headers.items() >= {name.lower(): value for name, value in STRICT.items()}.items(), address
    sheet = read(answer)
    tags = [tag for tag, _ in sheet.elements]
    assert (tags.count("h1"), tags.count("title"), tags.count("main")) == (1, 1, 1), address
    assert ("html", {"lang": "en"}) in sheet.elements, address
    title = re.search("<title>(.+)</title>", answer.text)
    assert title is not None, address
    assert re.fullmatch(r"(Error: )?\S.* \S Pledge registry", title[1]), address
    assert not re.search(r"<script>|<style|javascript:", answer.text), address
    for tag, given in sheet.elements:
        ours = "/|#|data:|\\?" + ("|https?://" if tag == "a" else "")
        led_to = [given[name] for name in ("src", "href", "action") if given.get(name)]
        assert all(re.match(ours, one) for one in led_to), f"{address}: {given}"
    return sheet


def holds_no_element_of_the_input(sheet: Sheet, address: str) -> None:
    """Nothing that was written became an element or an attribute."""
    assert "img" not in [tag for tag, _ in sheet.elements], address
    strange = {
        name for _, given in sheet.elements for name in given if name.startswith("on") or name in ("style", "alert")
    }
    assert strange == set(), address


def test_every_page_is_strict_has_a_language_a_title_one_heading_and_shows_markup_as_text(world: World) -> None:
    shown = 0
    for address, answer in pages_of(world):
        assert answer.status_code < 500, address
        if answer.is_redirect:
            assert answer.headers["Cache-Control"] == "no-store", address
            continue
        sheet = checked(answer, address)
        holds_no_element_of_the_input(sheet, address)
        shown += "onerror=alert(1)" in sheet.text or any(
            "onerror" in text for texts in sheet.data.values() for text in texts
        )
    assert shown > 50, shown
    for event_id in world.there["event_id"]:
        assert MARKUP in read(world.client.get(f"/admin/events/{event_id}")).text, event_id


@pytest.mark.parametrize(
    "path",
    [
        "/admin/audit",
        "/admin/statements",
        "/admin/coalitions",
        "/admin/people",
        "/admin/tokens",
        "/admin/webhooks",
        "/admin/account",
        "/admin/statements/new?coalition=willing&kind=pledge.stated",
    ],
)
def test_what_was_written_is_shown_on_the_page_that_lists_it(world: World, path: str) -> None:
    assert MARKUP[:40] in read(world.client.get(path)).text


# --- where a form comes from ------------------------------------------------------------------------------------------

FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another site that passes for ours": {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    "a neighbour of ours": {"Sec-Fetch-Site": "same-site", "Origin": "http://other.testserver"},
    "another origin": {"Origin": "https://evil.example"},
    "our host under another scheme and port": {"Origin": "http://testserver:81"},
    "nowhere that can be told": {"Origin": "null"},
    "who says nothing": {},
}


@contextmanager
def without_origin(client: TestClient) -> Iterator[None]:
    """The browser says of itself only what a request names."""
    origin = client.headers.pop("Origin")
    try:
        yield
    finally:
        client.headers["Origin"] = origin


def all_of(url: str) -> dict[str, list[Any]]:
    """All that is kept, but for when a session was last used."""
    tables = "event", "person", "session", "link", "token", "webhook", "draft", "idempotency", "attempt"
    with psycopg.connect(url) as connection:
        rows = "SELECT * FROM {} ORDER BY 1"
        kept = {table: connection.execute(rows.format(table).encode()).fetchall() for table in tables}
        kept["session"] = connection.execute("SELECT hash, login FROM session ORDER BY 1").fetchall()
    return kept


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_no_page_of_another_site_can_send_anything_here(world: World, headers: dict[str, str]) -> None:
    before = all_of(world.url)
    with without_origin(world.client):
        for method, path in routes():
            if method == "GET":
                continue
            address = world.addresses(path)[0]
            answer = world.client.request(method, address, data={}, headers=headers)
            assert answer.status_code == 403, f"{method} {address}"
            assert "a page of another site" in checked(answer, address).text
            assert "Set-Cookie" not in answer.headers
    assert all_of(world.url) == before


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_nor_to_the_api_with_the_cookie_of_whoever_is_signed_in(world: World, headers: dict[str, str]) -> None:
    before, walked = all_of(world.url), 0
    with without_origin(world.client):
        for method, path in written_to():
            answer = world.client.request(method, path.format_map(_ANY), json={}, headers=headers)
            assert (answer.status_code, "another site" in answer.text) == (403, True), f"{method} {path}"
            walked += 1
    assert walked > 15
    assert all_of(world.url) == before


class _Any(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "anything"


_ANY = _Any()


def written_to() -> Iterator[tuple[str, str]]:
    """Every address of the API that takes a write."""
    for route in create_app(settings_for("")).router.routes:
        if isinstance(route, Door) and route.path.startswith("/v1/"):
            yield from ((method, route.path) for method in sorted((route.methods or set()) - SAFE))


# --- a cookie that was stolen -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["ended", "disabled", "unused", "over"])
def test_a_stolen_cookie_opens_nothing_from_the_moment_it_is_revoked(world: World, how: str) -> None:
    login = f"eve-{how}"
    add_person(world.url, login, "admin")
    stolen = begin_session(world.url, login)
    own = world.client.cookies[COOKIE]
    world.client.cookies.set(COOKIE, stolen)
    try:
        assert world.client.get("/admin/people").status_code == 200
        with psycopg.connect(world.url, autocommit=True) as connection:
            connection.execute(_REVOKED[how].encode(), {"login": login})
        before = all_of(world.url)
        for method, path in routes():
            if path in OPEN:
                continue
            address = world.addresses(path)[0]
            answer = world.client.request(method, address, data={} if method == "POST" else None)
            assert answer.status_code == 303, f"{method} {address}"
            assert answer.headers["Location"].startswith("/admin/sign-in"), f"{method} {address}"
            assert answer.content == b"", f"{method} {address}"
        for method, path in written_to():
            answer = world.client.request(method, path.format_map(_ANY), json={})
            assert answer.status_code == 401, f"{method} {path}"
        assert all_of(world.url) == before
    finally:
        world.client.cookies.set(COOKIE, own)


_REVOKED = {
    "ended": "DELETE FROM session WHERE login = %(login)s",
    "disabled": "UPDATE person SET disabled_at = now() WHERE login = %(login)s",
    "unused": "UPDATE session SET last_used_at = now() - interval '90 days' WHERE login = %(login)s",
    "over": "UPDATE session SET expires_at = now() WHERE login = %(login)s",
}


# --- what is typed ----------------------------------------------------------------------------------------------------


class Forms(HTMLParser):
    """The forms of a page that are sent by POST: where to, what stands in them, and which of it is typed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], set[str]]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = given.get("method") == "post" and "action" in given
            if self._open:
                self.found.append((given["action"], {}, set()))
        if not self._open or "name" not in given:
            return
        kind, (_, data, typed) = given.get("type", "text"), self.found[-1]
        if tag == "textarea" or (tag == "input" and kind in ("text", "search", "email", "date", "number", "url")):
            typed.add(given["name"])
        elif tag == "input" and kind == "hidden":
            data[given["name"]] = given.get("value", "")


def test_markup_in_everything_that_can_be_typed_comes_back_as_text(world: World) -> None:
    client, sent = world.client, set()
    for address, answer in list(pages_of(world)):
        parser = Forms()
        parser.feed(answer.text)
        for action, data, typed in parser.found:
            if not typed or (action, frozenset(typed)) in sent:
                continue
            sent.add((action, frozenset(typed)))
            said = client.post(action, data={**data, **dict.fromkeys(typed, SHORT), "do": "preview"})
            assert said.status_code < 500, f"{action} on {address}"
            if not said.is_redirect:
                holds_no_element_of_the_input(checked(said, action), action)
    assert len(sent) > 20, "as many forms there are at least"


def test_markup_in_the_forms_that_are_open_to_everybody_comes_back_as_text(world: World) -> None:
    own = world.client.cookies[COOKIE]
    del world.client.cookies[COOKIE]
    try:
        welcome = f"/admin/welcome/{world.there['secret'][0]}"
        for address, names in (("/admin/sign-in", ("login", "next")), (welcome, ("login", "name"))):
            data = dict.fromkeys(names, MARKUP) | {"password": "x", "again": "y"}
            answer = world.client.post(address, data=data)
            assert answer.status_code == 422
            holds_no_element_of_the_input(checked(answer, address), address)
            holds_no_element_of_the_input(checked(world.client.get(address, params={"next": MARKUP}), address), address)
    finally:
        world.client.cookies.set(COOKIE, own)
