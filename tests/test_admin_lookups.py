"""Pages to look things up: who did what, actors; and webhooks with their deliveries."""

import re

import psycopg
import pytest

from tests.pages import get
from tests.people import COOKIE, add_person, begin_session, browser
from tests.processes import wait_until
from tests.receivers import receiving
from tests.registry import note, post, statement
from tests.test_admin_pages import LARGEST_PAGE, MARKUP
from tests.test_signing_in import do, faults


def rows(page: str) -> int:
    return page.count('<th scope="row">')


# Who did what


def test_a_note_in_who_did_what_leads_to_the_statement_that_it_is_about(database: str) -> None:
    with browser(database) as client:
        post(client, {"slug": "willing", "name": "Willing"}, "/v1/coalitions")
        event_id = post(client, statement())["event"]["event_id"]
        note(client, event_id, "retraction", {"reason": "other"})
        page = get(client, "/admin/audit")
        assert f"/admin/events/{event_id}" in page.links
        assert "Record retracted" in page.text, "in words, as everywhere"


def test_who_did_what_is_found_by_person_kind_and_day(database: str) -> None:
    with browser(database) as client:
        post(client, {"slug": "willing", "name": "Willing"}, "/v1/coalitions")
        post(client, statement(summary=MARKUP))
        add_person(database, "john", "editor")
        client.cookies.set(COOKIE, begin_session(database, "john"))
        post(client, statement("position.stated", subject="troops"))
        page = client.get("/admin/audit").text
        assert rows(page) == 3
        assert page.index(">3</a>") < page.index(">2</a>") < page.index(">1</a>"), "newest first"
        assert "<img" not in page
        for address in re.findall(r'<th scope="row"><a href="([^"]+)"', page):
            assert client.get(address).status_code == 200, "and leads to the event"
        for asked, found in [
            ("by=john", 1),
            ("by=jane", 2),
            ("by=nobody", 0),
            ("kind=pledge", 1),
            ("kind=position.stated", 1),
            ("kind=pledge&by=john", 0),
            ("since=2000-01-01&until=9999-12-31", 3),
            ("since=July+2000&until=by+31.12.2199", 3),
            ("until=2000-01-01", 0),
            ("since=2200-01-01", 0),
            ("by=&kind=&since=&until=", 3),
            ("before=3", 2),
        ]:
            assert rows(client.get(f"/admin/audit?{asked}").text) == found, asked


@pytest.mark.parametrize(
    ("asked", "field"),
    [("since=yesterday", "since"), ("until=2026-02-30", "until"), ("kind=pact", "kind"), ("unto=2026", "unto")],
)
def test_what_cannot_be_looked_for_is_said_at_its_field(database: str, asked: str, field: str) -> None:
    with browser(database) as client:
        said = client.get(f"/admin/audit?{asked}")
        assert said.status_code == 422
        assert f'href="#{field}"' in said.text
        assert faults(said.text) == ([field] if field != "unto" else [])


def test_the_day_that_is_named_last_counts_too(database: str) -> None:
    with browser(database) as client:
        post(client, {"slug": "willing", "name": "Willing"}, "/v1/coalitions")
        with psycopg.connect(database) as connection:
            ((day,),) = connection.execute("SELECT (recorded_at AT TIME ZONE 'UTC')::date FROM event").fetchall()
        assert rows(client.get(f"/admin/audit?since={day}&until={day}").text) == 1


def test_pages_of_what_was_done_are_small_and_leave_nothing_out(database: str) -> None:
    with browser(database) as client:
        post(client, {"slug": "willing", "name": "Willing"}, "/v1/coalitions")
        said = [statement(summary="&" * 4000, subject=f"s{number}") for number in range(60)]
        post(client, said, "/v1/statements/batch")
        seen, address = 0, "/admin/audit?by=jane"
        while address:
            page = client.get(address)
            assert len(page.content) < LARGEST_PAGE
            seen += rows(page.text)
            following = re.search(r'<a href="([^"]+)" rel="next">', page.text)
            address = following[1].replace("&amp;", "&") if following else ""
        assert seen == 61


# Actors


@pytest.mark.parametrize(
    ("q", "code"), [("Німеччина", "DE"), ("deu", "DE"), ("Côte d", "CI"), ("NATO", "org:nato"), ("Germny", "DE")]
)
def test_an_actor_is_found_in_any_language_and_by_a_name_nearly_right(database: str, q: str, code: str) -> None:
    with browser(database, role="reader") as client:
        page = client.get("/admin/actors", params={"q": q})
        assert f"<code>{code}</code>" in page.text
        assert len(page.content) < LARGEST_PAGE


def test_the_page_of_actors_says_where_names_come_from_and_which_can_be_changed(database: str) -> None:
    with browser(database, role="reader") as client:
        for asked in ("", "?q=deu", "?q=nobody+at+all"):
            page = client.get(f"/admin/actors{asked}").text
            assert "nobody changes them here" in page
            assert '<a href="/admin/coalitions">' in page


def test_a_look_up_that_fits_many_says_so_and_one_that_fits_nobody_too(database: str) -> None:
    with browser(database, role="reader") as client:
        assert "There are more" in client.get("/admin/actors?q=a").text
        assert "Nobody fits this." in client.get("/admin/actors", params={"q": MARKUP}).text


# Webhooks


def webhook_on(page: str) -> tuple[str, str]:
    """The address of the page, and the secret that it shows."""
    path = re.search(r'action="(/admin/webhooks/[0-9a-f-]{36})/', page)
    secret = re.search(r'<code class="secret">(whsec_[^<]+)</code>', page)
    assert path
    assert secret
    return path[1], secret[1]


def test_a_webhook_is_made_tried_paused_and_deleted_by_its_page(database: str) -> None:
    with receiving() as receiver, browser(database, webhook_networks="127.0.0.0/8") as client:
        form = {"url": receiver.url, "description": MARKUP, "coalition": "", "kind": "pledge", "country": "Britain"}
        made = client.post("/admin/webhooks", data=form)
        assert made.status_code == 201
        path, secret = webhook_on(made.text)
        assert secret not in client.get(path).text, "shown this once"
        again = client.post("/admin/webhooks", data=form)
        assert (again.status_code, "already" in again.text) == (422, True), "a form that was sent twice makes one"
        assert client.post(f"{path}/ping").headers["Location"] == f"{path}?done=sent"
        page = client.get(path).text
        assert "ping" in page
        assert "accepted" in page
        assert "pledge, GB" in page
        assert "<img" not in page + client.get("/admin/webhooks").text
        assert client.post(f"{path}/pause").status_code == 303
        assert 'class="state paused"' in client.get(path).text
        assert client.post(f"{path}/resume").status_code == 303
        assert 'class="state active"' in client.get(path).text
        assert webhook_on(client.post(f"{path}/secret").text)[1] != secret
        assert client.post(f"{path}/delete").headers["Location"] == "/admin/webhooks?done=deleted"
        assert client.get(path).status_code == 404


def test_what_was_delivered_is_sent_again_from_the_page(database: str) -> None:
    with receiving() as receiver, browser(database, webhook_networks="127.0.0.0/8") as client:
        made = client.post("/admin/webhooks", data={"url": receiver.url, "description": "", "coalition": ""})
        path, _ = webhook_on(made.text)
        post(client, {"slug": "willing", "name": "Willing"}, "/v1/coalitions")
        assert wait_until(lambda: "/resend" in client.get(path).text)
        (resend,) = re.findall(r'action="([^"]+/resend)"', client.get(path).text)
        assert client.post(resend).status_code == 303
        assert "event 1, again" in client.get(path).text
        assert client.post(resend.replace("/resend", "x/resend")).status_code == 404


@pytest.mark.parametrize(
    ("typed", "field"),
    [({"url": "ftp://x"}, "url"), ({"url": "http://127.0.0.1/"}, "url"), ({"kind": "pact"}, "kind"),
     ({"country": "Nowhereland"}, "country"), ({"coalition": "No Slug"}, "coalition")],
)  # fmt: skip
def test_what_is_wrong_with_a_webhook_stands_at_its_field(database: str, typed: dict[str, str], field: str) -> None:
    with browser(database) as client:
        form = {"url": "https://hooks.example.org/", "description": "", "coalition": "", "kind": "", "country": ""}
        said = client.post("/admin/webhooks", data=form | typed)
        assert (said.status_code, faults(said.text)) == (422, [field])
        assert client.get("/v1/webhooks").json()["items"] == []


def test_an_editor_sees_and_changes_their_own_webhooks_and_an_admin_all(database: str) -> None:
    add_person(database, "john", "editor")
    with receiving() as receiver, browser(database, webhook_networks="127.0.0.0/8") as client:
        path, _ = webhook_on(client.post("/admin/webhooks", data={"url": receiver.url}).text)
        client.cookies.set(COOKIE, begin_session(database, "john"))
        assert rows(client.get("/admin/webhooks").text) == 0
        for what in ("", "/pause", "/resume", "/delete", "/secret", "/ping"):
            said = client.get(path) if not what else client.post(path + what)
            assert said.status_code == 404, what
        do(database, "UPDATE person SET role = 'admin' WHERE login = 'john'")
        assert client.get(path).status_code == 200
