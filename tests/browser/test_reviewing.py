"""Review by a second pair of eyes, in a browser: what a contributor enters, somebody else looks at and approves."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site
from tests.browser.test_entering import fill_in, form
from tests.browser.windows import Window


def put_up(on: Window, subject: str, who: str) -> None:
    """Enters a pledge as somebody whose entries wait."""
    form(on, "pledge.stated")
    fill_in(on, subject, who=who)
    on.click(on.page.get_by_role("button", name="Put up for approval", exact=True))
    expect(on.page.get_by_role("status")).to_contain_text("It waits for an approver")


def find(on: Window, subject: str) -> None:
    """Goes by the queue to the entry about a subject."""
    page = on.open("/admin")
    on.click(page.get_by_role("navigation").get_by_role("link", name=re.compile("^Review")))
    on.click(page.get_by_role("link", name=f"Pledge stated: {subject}"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Pledge stated: {subject}")


def test_a_second_person_sees_what_it_would_change_and_approves_it(open_window: Open) -> None:
    with open_window("con") as author, open_window("app") as approver:
        put_up(author, "seen by two", "Norway")
        find(approver, "seen-by-two")
        page = approver.page
        row = page.get_by_role("region", name="What it would change").get_by_role("row").last
        expect(row).to_contain_text("Norway: seen by two")
        expect(page.locator("main")).to_contain_text("About seen by two.")
        approver.click(page.get_by_role("button", name="Approve and record"))
        expect(page.get_by_role("status")).to_contain_text("It is recorded, in its author's name.")
        (event,) = (one for one in approver.ask("/v1/events?limit=500")["items"] if one.get("subject") == "seen-by-two")
        found = approver.ask(f"/v1/events/{event['id']}")
        assert (found["event"]["recorded_by"], found["approved_by"]) == ("con", "app")
        expect(approver.open(f"/admin/events/{event['id']}").locator("main")).to_contain_text(
            re.compile("approved by app")
        )


def test_nobody_decides_on_what_they_have_put_up_themselves(open_window: Open, site: Site) -> None:
    with open_window("con") as author:
        put_up(author, "my own", "Spain")
        find(author, "my-own")
        page = author.page
        assert page.get_by_role("button", name=re.compile("Approve|Reject|Return")).count() == 0
        expect(page.locator("main")).to_contain_text("somebody else, an approver, has to decide on it")
        path = author.path
        forced = author.context.request.post(
            path, form={"do": "approve", "key": "k" * 20, "reason": ""}, headers={"Origin": site.base}
        )
        assert forced.status in (403, 409, 422)
        assert author.ask(f"/v1/drafts/{path.rpartition('/')[2]}")["draft"]["state"] == "pending"


def test_what_is_returned_comes_back_changed_and_is_then_approved(open_window: Open) -> None:
    with open_window("con") as author, open_window("app") as approver:
        put_up(author, "sent back", "Italy")
        find(approver, "sent-back")
        approver.page.get_by_label("Note").fill("How many?")
        approver.click(approver.page.get_by_role("button", name="Return to its author"))
        expect(approver.page.get_by_role("status")).to_contain_text("It went back to its author")
        page = author.open("/admin/review")
        expect(page.locator("main")).to_contain_text("How many?")
        author.click(page.get_by_role("link", name=re.compile("^Change it.*sent-back")))
        expect(page.get_by_label("What was said, in your own words required")).to_have_value("About sent back.")
        page.get_by_label("What was said, in your own words required").fill("About twelve, sent back.")
        author.click(page.get_by_role("button", name="Put up for approval", exact=True))
        expect(page.get_by_role("status")).to_contain_text("It waits for an approver")
        find(approver, "sent-back")
        expect(approver.page.locator("main")).to_contain_text("About twelve, sent back.")
        approver.click(approver.page.get_by_role("button", name="Approve and record"))
        expect(approver.page.get_by_role("status")).to_contain_text("It is recorded")
