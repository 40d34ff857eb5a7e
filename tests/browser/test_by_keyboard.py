"""By keyboard alone, and how many keys and clicks it takes to enter what stands in an article."""

import re
from typing import NamedTuple

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.filling import pick, tab_to, tick, unfold, write
from tests.browser.windows import Window
from tests.processes import ROOT


class Said(NamedTuple):
    """A statement of an article, as an analyst sums it up; of its body what is written, picked or ticked, by label."""

    kind: str
    who: str
    subject: str
    date: str
    summary: str
    written: tuple[tuple[str, str], ...] = ()
    picked: tuple[tuple[str, str], ...] = ()
    unfolded: str = ""
    ticked: tuple[str, str] | None = None  # of several options the one that Tab reaches, and the one that is wanted


PLEDGE = "Pledge stated"
_LETTERS = {"Position stated": "po", "Meeting held": "meeting h"}  # by which a list finds them
ARTICLE = (
    Said(PLEDGE, "United Kingdom", "ground troops", "4 September 2025", "Britain would send a brigade.",
         (("Exactly", "5,000"), ("Unit", "persons")), (("Category", "gr"), ("Firmness", "an")), "Quantity"),
    Said(PLEDGE, "France", "air policing", "4 September 2025", "France would police the sky with its jets.",
         (("Exactly", "12"), ("Unit", "jets")), (("Category", "ai"), ("Firmness", "dec")), "Quantity"),
    Said(PLEDGE, "Norway; Denmark", "air defence", "4 September 2025", "Both pay for air defence.",
         (("Exactly", "80,000,000"), ("Currency", "EUR")), (("Category", "fi"), ("Firmness", "com")), "Money"),
    Said("Position stated", "Poland", "multinational force", "3 September 2025", "Warsaw helps, but sends no soldiers.",
         (("Topic", "multinational force"),), ticked=("not said", "supportive")),
    Said("Meeting held", "", "paris in september", "4 September 2025", "The leaders met in Paris.",
         (("Title", "Leaders of the willing"), ("Date", "4 September 2025"))),
)  # fmt: skip


def enter(on: Window, said: Said, before: Said | None = None) -> None:
    """Fills in the form from where the keyboard is: in its first field; the date of the one before is kept."""
    expect(on.page.get_by_label("Who", exact=True)).to_be_focused()
    on.type(said.who)
    new = on.page.get_by_label("Another subject, in a few words")
    write(on, "Another subject" if new.count() else "Subject", said.subject)
    if before is None or before.date != said.date:
        write(on, "Date", said.date)
    if before is None:
        tick(on, "stated", "stated")
    write(on, "What was said", said.summary)
    for label, letters in said.picked:
        pick(on, label, letters)
    if said.unfolded:
        unfold(on, said.unfolded)
    for label, text in said.written:
        write(on, label, text)
    if said.ticked:
        tick(on, *said.ticked)


def enter_article(on: Window) -> None:
    """Opens the article from the first page on, and enters what stands in it."""
    page = on.page
    on.click(page.get_by_role("navigation").get_by_role("link", name="Open an article"))
    expect(page.get_by_label("Title required")).to_be_focused()
    on.type("Leaders meet in Paris")
    write(on, "Publisher", "A paper")
    write(on, "Published on", "5 September 2025")
    on.send()
    on.click(page.get_by_role("button", name=ARTICLE[0].kind))
    for before, said, following in zip([None, *ARTICLE], ARTICLE, [*ARTICLE[1:], None], strict=False):
        enter(on, said, before)
        if following is None or following.kind == said.kind:
            on.send()  # the preview, from which one goes on
            expect(page.get_by_role("heading", name="What it would change")).to_be_visible()
            tab_to(on, "Save and add the next" if following else "Save")
            on.send()
        else:
            on.click(page.get_by_label("of kind"))
            on.type(_LETTERS[following.kind])
            on.press("Enter")
            on.click(page.get_by_role("button", name="Save and add the next"))
        expect(page.get_by_role("status")).to_have_text("Recorded.")


_TOLD = re.compile(
    r"takes (\d+) keystrokes, (\d+) of them to write what is said, and (\d+) clicks;"
    r" without the script, (\d+) and (\d+)"
)


def test_five_statements_of_an_article_take_as_many_keystrokes_and_clicks_as_is_told(open_window: Open) -> None:
    told = _TOLD.search(" ".join((ROOT / "docs" / "editors.md").read_text(encoding="utf-8").split()))
    assert told, "docs/editors.md tells how long it takes"
    keys, written, clicks, keys_without, clicks_without = map(int, told.groups())
    with open_window("ed") as on:
        on.open("/admin")
        enter_article(on)
        events = [one["data"] for one in on.ask("/v1/events?limit=50")["items"][-5:]]
        assert [one["kind"] for one in events] == [one.kind.lower().replace(" ", ".") for one in ARTICLE]
        assert [one["summary"] for one in events] == [one.summary for one in ARTICLE]
        days = [{"edtf": f"2025-09-0{one.date[0]}", "basis": "stated"} for one in ARTICLE]
        assert [one["occurred"] for one in events] == days
        source = {"title": "Leaders meet in Paris", "publisher": "A paper", "published_on": "2025-09-05"}
        assert [one["sources"] for one in events] == [[source]] * len(ARTICLE)
        assert (on.keys, on.clicks) == ((keys, clicks) if on.script else (keys_without, clicks_without))
        assert on.written == written
        assert on.keys - on.written < 40 * len(ARTICLE), "to get about, beside what is said"


def test_a_whole_form_is_filled_in_by_keyboard_alone(open_window: Open) -> None:
    with open_window("ed") as on:
        page = on.open("/admin/statements/new")
        tab_to(on, "Skip to the content")
        on.press("Enter")
        tab_to(on, "Pledge stated")
        on.send()
        enter(on, ARTICLE[0]._replace(subject="by keyboard alone", written=(("Exactly", "700"), ("Unit", "persons"))))
        tab_to(on, "Add condition")
        on.send()
        expect(page.get_by_role("group", name="Condition 1").get_by_label("Kind required")).to_be_focused()
        on.type("man")
        tab_to(on, "Add another condition")
        on.send()
        expect(page.get_by_role("group", name="Condition 2").get_by_label("Kind required")).to_be_focused()
        on.type("us")
        tab_to(on, "Add another condition")
        on.send()
        tab_to(on, "Remove condition 3")
        on.send()
        unfold(on, "Who said it")
        write(on, "Name", "A Minister")
        write(on, "Title", "A report")
        unfold(on, "More")
        write(on, "Place", "London")
        on.send()
        expect(page.get_by_role("region", name="What it would change")).to_be_focused()
        tab_to(on, "Save")
        on.send()
        expect(page.get_by_role("status")).to_have_text("Recorded.")
        said = on.ask(f"/v1/events/{on.path.rpartition('/')[2]}")["effective"]
        assert (said["said_by"], said["place"]) == ({"name": "A Minister"}, "London")
        assert said["body"]["conditions"] == [{"kind": "mandate"}, {"kind": "us_backing"}]
        assert on.clicks == 0
