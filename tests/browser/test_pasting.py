"""Pasting rows of a spreadsheet in a browser: fifty, of which three are wrong, mended and recorded together."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.windows import Window
from tests.test_pasting import rows, tabbed

SAME = {
    "Subject required": "Promised support",
    "Source: title required": "The made-up table",
    "Quantity: unit": "persons",
}


def paste(on: Window, cells: list[list[str]]) -> None:
    """Pastes a table; on to what its columns mean."""
    page = on.open("/admin")
    on.click(page.get_by_role("navigation").get_by_role("link", name="Paste many"))
    page.get_by_label("The rows").fill(tabbed(cells))
    page.get_by_label("What was said or done").select_option("Pledge stated")
    on.click(page.get_by_role("button", name="Go on to the columns"))
    expect(page.get_by_role("heading", level=1)).to_have_text("What the columns mean")


def look(on: Window, cells: list[list[str]]) -> None:
    """Pastes a table, and says what its columns mean; on to what its rows say."""
    paste(on, cells)
    page = on.page
    for label, text in SAME.items():
        page.get_by_label(label, exact=True).fill(text)
    on.click(page.get_by_role("button", name="Look at the rows"))
    expect(page.get_by_role("heading", level=1)).to_have_text("What the rows say")


def test_of_fifty_rows_three_are_mended_where_they_are_wrong_and_all_are_recorded_together(open_window: Open) -> None:
    cells = rows()
    cells[3][1], cells[15][0], cells[31][5] = "31.4.2025", "Atlantis", ""
    with open_window("ed") as on:
        before = on.ask("/v1/events?count=true&limit=1")["total"]
        look(on, cells)
        page = on.page
        alert = page.get_by_role("alert")
        expect(alert.get_by_role("heading")).to_have_text("3 of 50 rows have faults")
        assert alert.get_by_role("link").count() == 3
        for label, text in (
            ("Date of row 5", "28.2.2025"),
            ("Country of row 17", "Österreich"),
            ("Summary of row 33", "More."),
        ):
            row = label.rpartition(" ")[2]
            on.click(alert.get_by_role("link", name=re.compile(rf"^Row {row}\b")))
            expect(page.get_by_role("group", name=re.compile(rf"^Row {row}\b"))).to_be_focused()
            field = page.get_by_label(label, exact=True)
            assert field.get_attribute("aria-invalid") == "true"
            field.fill(text)
        assert on.ask("/v1/events?count=true&limit=1")["total"] == before
        on.click(page.get_by_role("button", name="Look again").last)
        expect(page.get_by_role("status")).to_contain_text("All 50 rows can be read: 50 statements would be recorded.")
        page.get_by_role("button", name="Record 50 statements").dblclick()
        expect(page.get_by_role("heading", level=1)).to_have_text("50 statements were recorded")
        assert on.ask("/v1/events?count=true&limit=1")["total"] == before + 50
        said = [one["data"] for one in on.ask(f"/v1/events?after={before}&limit=50")["items"]]
        assert (said[3]["occurred"]["edtf"], said[15]["actors"], said[31]["summary"]) == ("2025-02-28", ["AT"], "More.")
        assert [one["summary"] for one in said if one is not said[31]] == [
            row[5] for row in rows() if row != rows()[31]
        ]
