"""What the script makes quicker: it is only there where the browser runs it, and everything works without."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_by_keyboard import ARTICLE, enter
from tests.people import PASSWORD

pytestmark = pytest.mark.parametrize("script", [True], indirect=True, ids=["with-script"])


def test_slash_leads_to_the_search_but_is_written_where_one_writes(open_window: Open) -> None:
    with open_window("ed") as on:
        page = on.open("/admin/statements/new?coalition=willing&kind=pledge.stated")
        expect(page.get_by_label("Who", exact=True)).to_be_focused()
        on.press("/")
        expect(page.get_by_label("Who", exact=True)).to_have_value("/")
        on.press("Tab", "Tab", "Tab", "Tab")
        page.locator("main").focus()
        on.press("/")
        page.wait_for_url("**/admin/statements")
        page.locator("main").focus()
        on.press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()
        expect(page.get_by_role("searchbox")).to_have_value("")


def test_what_is_being_filled_in_survives_a_reload_until_it_is_saved(open_window: Open) -> None:
    with open_window("ed") as on:
        page = on.open("/admin/statements/new?coalition=willing&kind=pledge.stated")
        enter(on, ARTICLE[0])
        page.reload()
        for label, value in (("Date required", ARTICLE[0].date), ("Exactly", "5,000")):
            expect(page.get_by_label(label, exact=True).first).to_have_value(value)
        expect(page.get_by_label("stated: the source says it")).to_be_checked()
        expect(page.get_by_label("Category required")).to_have_value("ground_troops")
        on.click(page.get_by_label("Title required"))
        on.type("A report")
        page.reload()
        expect(page.get_by_label("Title required")).to_have_value("A report")
        on.click(page.get_by_role("button", name="Save", exact=True))
        expect(page.get_by_role("status")).to_have_text("Recorded.")
        page = on.open("/admin/statements/new?coalition=willing&kind=pledge.stated")
        page.reload()
        expect(page.get_by_label("Date required")).to_have_value("")


def test_what_was_sent_when_the_session_was_over_is_there_again_after_signing_in(open_window: Open) -> None:
    with open_window("ed") as on:
        page = on.open("/admin/statements/new?coalition=willing&kind=pledge.stated")
        enter(on, ARTICLE[0])
        on.click(page.get_by_label("Title required"))
        on.type("A report")
        on.click(page.get_by_role("button", name="Preview", exact=True))
        expect(page.get_by_text("What it would change")).to_be_visible()
        page.context.clear_cookies()
        on.click(page.get_by_role("button", name="Save", exact=True).first)
        expect(page.get_by_role("status")).to_contain_text("nothing was saved")
        page.get_by_label("Login").fill("ed")
        page.get_by_label("Password").fill(PASSWORD)
        on.click(page.get_by_role("button", name="Sign in", exact=True))
        expect(page.get_by_label("Title required")).to_have_value("A report")
        expect(page.get_by_label("Category required")).to_have_value("ground_troops")
