"""Signing in and out in a browser, being locked out, and ending a session that somebody else has."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site
from tests.browser.windows import Window
from tests.people import PASSWORD, add_person


def sign_in(on: Window, login: str, password: str = PASSWORD) -> None:
    """Fills in the form by its labels, and sends it by Enter."""
    on.page.get_by_label("Login").fill(login)
    on.page.get_by_label("Password").fill(password)
    on.send()


def test_a_password_leads_to_the_page_that_was_asked_for_and_signing_out_away_from_it(open_window: Open) -> None:
    with open_window() as on:
        page = on.open("/admin/account")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        expect(page.get_by_label("Login")).to_be_focused()
        sign_in(on, "ed")
        expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
        on.click(page.get_by_role("button", name="Sign out"))
        expect(page.get_by_role("status")).to_have_text("You have signed out.")
        assert on.cookie == ""
        page.go_back()
        on.open("/admin/account")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_wrong_password_is_told_at_the_form_and_opens_nothing(open_window: Open) -> None:
    with open_window() as on:
        page = on.open("/admin/sign-in")
        sign_in(on, "ed", "not my password")
        summary = page.get_by_role("alert")
        expect(summary).to_contain_text("This has to be mended")
        if on.script:
            expect(summary).to_be_focused()
        on.click(summary.get_by_role("link"))
        expect(page.get_by_label("Login")).to_be_focused()
        expect(page.get_by_label("Login")).to_have_value("ed")
        expect(page.get_by_label("Password")).to_have_value("")
        assert on.cookie == ""
        sign_in(on, "ed")
        expect(page.get_by_role("heading", level=1)).to_have_text("Pledge registry")


def test_whoever_guesses_is_locked_out_even_with_the_right_password(open_window: Open, site: Site) -> None:
    add_person(site.url, "guessed", "admin")
    with open_window() as on:
        page = on.open("/admin/sign-in")
        while "too many attempts" not in page.locator("main").inner_text():
            sign_in(on, "guessed", "a guess")
        sign_in(on, "guessed")
        expect(page.get_by_role("alert")).to_contain_text("There were too many attempts to sign in. Wait")
        assert on.cookie == ""


def test_a_session_is_ended_from_another_and_its_stolen_cookie_is_worth_nothing(open_window: Open, site: Site) -> None:
    add_person(site.url, "robbed", "editor")
    with open_window("robbed") as thief, open_window("robbed") as owner:
        assert thief.open("/admin/account").get_by_role("heading", level=1).inner_text() == "Your account"
        stolen = thief.cookie
        page = owner.open("/admin/account")
        others = page.get_by_role("row").filter(has_not_text="this one")
        owner.click(others.get_by_role("button", name=re.compile("^End the session")))
        expect(page.get_by_role("status")).to_have_text("The session was ended.")
        expect(page.get_by_role("row")).to_have_count(2)
        assert (owner.status("/v1/me"), thief.status("/v1/me")) == (200, 401)
        thief.open("/admin/account")
        assert thief.path == "/admin/sign-in"
        thief.keep(stolen)
        thief.open("/admin/statements/new")
        assert thief.path == "/admin/sign-in"


def test_a_form_on_a_page_that_is_not_ours_does_nothing_here(open_window: Open, site: Site) -> None:
    with open_window("ann") as on:
        page = on.open("/admin/people/con")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.goto("about:blank")
        page.set_content(
            f'<form method="post" action="{site.base}/admin/people/con/disable"><button>Win</button></form>'
        )
        on.click(page.get_by_role("button", name="Win"))
        expect(page.locator("main")).to_contain_text("another site")
        expect(on.open("/admin/people/con").get_by_text("Disable").first).to_be_visible()
