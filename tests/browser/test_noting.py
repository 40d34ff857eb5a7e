"""Putting right what was recorded, in a browser: old and new side by side, a reason, and the whole history."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Site
from tests.browser.full import call
from tests.browser.windows import Window
from tests.registry import statement


def recorded(site: Site, subject: str, **changes: Any) -> str:
    """The page of a new statement."""
    said = statement(**{"subject": subject, "summary": f"About {subject}.", **changes})
    event_id: str = call(site.base, "ed", "/v1/statements", said)["event"]["event_id"]
    return f"/admin/events/{event_id}"


def of_two(page: Page, heading: str) -> list[str]:
    """What a table below a heading says, cell by cell."""
    table = page.locator("table").filter(has=page.get_by_role("columnheader", name="Before"))
    assert heading in page.locator("main").inner_text()
    return [
        " ".join(text.split()) for text in table.first.locator("tbody tr").first.locator("th, td").all_inner_texts()
    ]


def test_a_correction_shows_old_and_new_needs_a_reason_and_stands_in_the_history(open_window: Open, site: Site) -> None:
    own = recorded(site, "to-be-corrected")
    with open_window("eve") as on:
        page = on.open(own)
        on.click(page.get_by_role("link", name="Correct", exact=True))
        expect(page.get_by_label("Date required")).to_have_value("2025-07-10")
        page.get_by_label("Date required").fill("11 July 2025")
        on.click(page.get_by_role("button", name="Save", exact=True).last)
        summary = page.get_by_role("alert")
        on.click(summary.get_by_role("link", name=re.compile("^Reason: ")))
        expect(page.get_by_label("Reason required")).to_be_focused()
        expect(page.get_by_label("Date required")).to_have_value("11 July 2025")
        page.get_by_label("Reason required").select_option("source_corrected")
        page.get_by_label("Note", exact=True).fill("The paper had the day wrong.")
        on.click(page.get_by_role("button", name="Preview", exact=True).last)
        sides = ["When it was said or done: date", "10 July 2025", "11 July 2025"]
        assert of_two(page, "What you change") == sides
        on.click(page.get_by_role("button", name="Save", exact=True).first)
        expect(page.get_by_role("status")).to_have_text("Recorded.")
        assert on.path == own
        steps = page.locator(".steps > li")
        expect(steps).to_have_count(2)
        assert of_two(page, "History") == sides
        for step, by in zip(steps.all(), ("ed", "eve"), strict=True):
            expect(step).to_contain_text(re.compile(rf"\d+ \w+ \d{{4}}, \d\d:\d\d UTC, by {by}, at position \d+"))
        expect(steps.last).to_contain_text("The paper had the day wrong.")
        expect(page.locator("main")).to_contain_text("Said or done 11 July 2025", use_inner_text=True)


def test_whoever_is_quicker_takes_nothing_from_whoever_is_slower(open_window: Open, site: Site) -> None:
    own = recorded(site, "corrected-by-two")
    with open_window("ed") as slow, open_window("eve") as quick:
        for on, label, text in ((slow, "Place", "Paris"), (quick, "Date required", "12 July 2025")):
            page = on.open(f"{own}/corrections")
            if label == "Place":
                on.click(page.locator("summary").get_by_text("More", exact=True))
            page.get_by_label(label, exact=True).fill(text)
            page.get_by_label("Reason required").select_option("entry_error")
        quick.click(quick.page.get_by_role("button", name="Save", exact=True).last)
        expect(quick.page.get_by_role("status")).to_have_text("Recorded.")
        slow.click(slow.page.get_by_role("button", name="Save", exact=True).last)
        expect(slow.page.get_by_role("alert")).to_contain_text("Somebody changed this meanwhile")
        expect(slow.page.get_by_label("Place", exact=True)).to_have_value("Paris")
        slow.click(slow.page.get_by_role("button", name="Save", exact=True).last)
        expect(slow.page.get_by_role("status")).to_have_text("Recorded.")
        said = slow.ask(f"/v1/events/{own.rpartition('/')[2]}")["effective"]
        assert (said["place"], said["occurred"]["edtf"]) == ("Paris", "2025-07-12")


def test_a_statement_is_retracted_and_reinstated_with_reasons(open_window: Open, site: Site) -> None:
    own = recorded(site, "taken-back")
    with open_window("ed") as on:
        page = on.open(own)
        for action in ("Retract", "Reinstate"):
            on.click(page.get_by_role("link", name=action, exact=True))
            page.get_by_label("Reason required").select_option(index=1)
            on.click(page.get_by_role("button", name="Save", exact=True).last)
            expect(page.get_by_role("status")).to_have_text("Recorded.")
        expect(page.locator(".steps > li")).to_have_count(3)


# --- what is written is shown, and is nothing else --------------------------------------------------------------------

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"


def fill_every_text(on: Window) -> int:
    """Writes markup into every text field of a form, also into those that are folded; how many they are."""
    on.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    fields = on.page.locator("form[data-draft] :is(input:not([type]), input[type=text], input[type=search], textarea)")
    for number in range(fields.count()):
        fields.nth(number).fill(MARKUP)
    return fields.count()


def test_markup_in_every_text_field_is_shown_as_text_wherever_it_is_shown(open_window: Open, site: Site) -> None:
    with open_window("ed") as on:
        page = on.open("/admin/statements/new?coalition=willing&kind=pledge.stated")
        assert fill_every_text(on) > 30
        on.click(page.get_by_role("button", name="Preview", exact=True).last)
        expect(page.get_by_role("alert")).to_contain_text("These have to be mended")
        expect(page.get_by_label("What was said, in your own words required")).to_have_value(MARKUP)
    texts = dict.fromkeys(("summary", "quote", "place"), MARKUP) | {
        "said_by": {"name": MARKUP, "post": MARKUP},
        "sources": [{"title": MARKUP, "publisher": MARKUP, "derived_from": MARKUP}],
        "body": {
            "category": "air", "firmness": "announced", "description": MARKUP, "places": [MARKUP],
            "quantity": {"text": MARKUP, "unit": "jets"}, "conditions": [{"kind": "other", "text": MARKUP}],
        },
    }  # fmt: skip
    own = recorded(site, "marked-up", **texts)
    with open_window("ed") as on:
        page = on.open(f"{own}/corrections")
        page.get_by_label("Reason required").select_option("entry_error")
        page.get_by_label("Note", exact=True).fill(MARKUP)
        page.get_by_label("Place", exact=True).fill(f"{MARKUP} again")
        on.click(page.get_by_role("button", name="Save", exact=True).last)
        expect(page.get_by_role("status")).to_have_text("Recorded.")
        notes = ("corrections", "retraction", "disputes", "duplicates", "sources")
        lists = ("/admin/statements", "/admin/statements?q=script", "/admin/audit", "/admin")
        new = "/admin/statements/new?coalition=willing&kind=pledge.stated"
        for path in (own, *(f"{own}/{name}" for name in notes), *lists, new):
            page = on.open(path)
            assert page.locator("script").count() == 1, path
            assert page.locator("img").count() == 0, path
        expect(on.open(own).locator("main")).to_contain_text(MARKUP)
        expect(on.open("/admin/audit").locator("main")).to_contain_text(MARKUP)
        feed = on.context.request.get("/v1/coalitions/willing/timeline.atom").text()
        assert "<script" not in feed
        assert "&lt;script" in feed or "&amp;lt;script" in feed
