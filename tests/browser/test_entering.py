"""Entering statements in a browser, as an editor does with an article beside them."""

import re
from collections.abc import Container, Iterator, Sequence

import pytest
from playwright.sync_api import Page, expect

from service.domain.kinds import STATEMENTS
from service.domain.statement import Statement
from service.forms.fields import Field, Widget, form_of, kind_of
from service.forms.reading import fill_form
from service.forms.words import spaced
from tests.browser.conftest import Open
from tests.browser.filling import Filling
from tests.browser.windows import Window
from tests.registry import Json, golden_content
from tests.test_forms import without_empty


def entered(on: Window) -> Json:
    """What was recorded, of the statement whose page this is."""
    event_id = on.path.removeprefix("/admin/events/")
    answer: Json = on.ask(f"/v1/events/{event_id}")
    return answer


@pytest.mark.parametrize("kind", STATEMENTS, ids=kind_of)
def test_a_statement_of_each_kind_is_entered_by_labels_and_says_what_was_typed(
    editor: Window, kind: type[Statement]
) -> None:
    name = kind_of(kind)
    content = golden_content(name)
    content["subject"] = f"a-{name.replace('.', '-').replace('_', '-')}"
    content["coalition"] = "willing"
    content["summary"] = content["summary"].replace("In our own words.", kind.__doc__ or "")  # or all look alike
    form = form_of(kind)
    on = editor
    page = on.open("/admin/statements/new")
    on.click(page.get_by_role("button", name=spaced(name).capitalize(), exact=True))
    data = fill_form(form.fields, content)
    Filling(on, data).fill(form, {field.name: field for field in form.fields})
    on.click(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_role("status")).to_have_text("Recorded.")
    found = entered(on)
    assert without_empty(found["effective"]) == without_empty(content)
    assert found["event"]["recorded_by"] == "ed"


def form(on: Window, kind: str) -> Page:
    """The form of a kind."""
    return on.open(f"/admin/statements/new?coalition=willing&kind={kind}")


def fill_in(on: Window, subject: str, **said: str) -> None:
    """What a pledge has to say; ``said`` takes the place of some of it."""
    page = on.page
    another = page.get_by_label("Another subject, in a few words")
    (another if another.count() else page.get_by_label("Subject required")).fill(subject)
    page.get_by_label("Who", exact=True).fill(said.get("who", "France"))
    page.get_by_label("Date required", exact=True).fill(said.get("date", "10 July 2025"))
    page.get_by_label("stated: the source says it").check()
    page.get_by_label("What was said, in your own words required").fill(said.get("summary", f"About {subject}."))
    page.get_by_label("Category required").select_option("air")
    page.get_by_label("Firmness required").select_option(said.get("firmness", "announced"))
    page.get_by_label("Title required").fill("A report")


def save(on: Window) -> str:
    """Saves what must be in order; the id of the event."""
    on.click(on.page.get_by_role("button", name="Save", exact=True))
    expect(on.page.get_by_role("status")).to_have_text("Recorded.")
    return on.path.rpartition("/")[2]


_AT = """() => {
    const at = document.activeElement, box = at.getBoundingClientRect();
    const told = (at.getAttribute("aria-describedby") ?? "").trim().split(/ +/).map(id => document.getElementById(id));
    return {
        id: at.id, label: at.labels?.[0]?.innerText ?? at.id, invalid: at.ariaInvalid ?? at.dataset.invalid,
        faults: told.filter(one => one?.className === "fault").map(one => one.innerText),
        isSeen: box.top < innerHeight && box.bottom > 0,
    };
}"""


def follow_summary(on: Window, besides: Container[str] = ()) -> Iterator[Json]:
    """Where each link of the summary leads but ``besides``: there the keyboard is then, and it says what is wrong."""
    links = on.page.get_by_role("alert").get_by_role("link")
    for number, words in enumerate(links.all_inner_texts()):
        if words in besides:
            continue
        on.click(links.nth(number))
        at = on.page.evaluate(_AT)
        assert at["invalid"] == "true", words
        assert at["isSeen"], words
        assert words.partition(": ")[2] in at["faults"], words
        yield at


def test_each_field_that_a_kind_requires_is_pointed_at_when_it_is_empty(open_window: Open) -> None:
    followed: set[str] = set()
    with open_window("ed") as on:
        for kind in STATEMENTS if on.script else first_of_each_family():
            page = form(on, kind_of(kind))
            on.click(page.get_by_role("button", name="Preview", exact=True).last)
            summary = page.get_by_role("alert")
            expect(summary).to_contain_text("These have to be mended")
            if on.script:
                expect(summary).to_be_focused()
            expect(page).to_have_title(re.compile("^Error: "))
            links = page.get_by_role("alert").get_by_role("link")
            list(follow_summary(on, besides=followed))  # what all kinds require leads there once
            followed |= set(links.all_inner_texts())
            targets = {link.partition("#f-")[2] for link in links.evaluate_all("all => all.map(one => one.href)")}
            assert targets >= {name.replace(".", "-") for name in required_of(form_of(kind).fields)}


def first_of_each_family() -> list[type[Statement]]:
    """A kind of each family."""
    return list({kind.family: kind for kind in reversed(STATEMENTS)}.values())


def required_of(fields: Sequence[Field], around: str = "") -> Iterator[str]:
    """The names of the fields that have to be said, whatever else is."""
    for field in fields:
        name = f"{around}{field.name}"
        if field.required and field.widget is Widget.GROUP:
            yield from required_of(field.parts, f"{name}.")
        elif field.required and field.widget is Widget.ROWS:
            yield f"{name}.0.{field.parts[0].parts[0].name}"  # where the first of them is begun
        elif field.required:
            yield name


WRONG = {  # a field of each way to fill one in, by its label, with what cannot be
    "Date required": "next Tuesday",
    "Who": "Nobody In Particular",
    "Exactly": "many",
    "Unit": "€€",
    "Currency required": "euros",
    "Beneficiary": "Atlantis",
    "Address (URL)": "somewhere",
    "Published on": "some day",
    "Retells": "a" * 2100,
    "Tags": "€, ¢",
}


def test_each_error_stands_at_its_field_and_everything_stays_filled_in(open_window: Open) -> None:
    with open_window("ed") as on:
        page = form(on, "pledge.stated")
        fill_in(on, "wrong in every way")
        for label in ("Quantity", "Money", "Who said it", "More"):
            called = page.locator("summary").get_by_text(label, exact=True)
            Filling(on, {}).unfold(page.locator("details").filter(has=called).first)
        for label, text in WRONG.items():
            page.get_by_label(label, exact=True).first.fill(text)
        on.click(page.get_by_role("button", name="Save", exact=True))
        expect(page.get_by_role("alert")).to_contain_text("These have to be mended")
        assert {" ".join(at["label"].split()) for at in follow_summary(on)} == set(WRONG)
        for label, text in WRONG.items():
            expect(page.get_by_label(label, exact=True).first).to_have_value(text)


def test_a_double_click_on_save_records_one_statement(open_window: Open) -> None:
    with open_window("ed") as on:
        form(on, "pledge.stated")
        fill_in(on, "clicked twice")
        on.page.get_by_role("button", name="Save", exact=True).dblclick()
        expect(on.page.get_by_role("status")).to_have_text("Recorded.")
        events = on.ask("/v1/events?limit=500")["items"]
        assert [one["data"].get("subject") for one in events].count("clicked-twice") == 1


def test_an_actor_that_is_unclear_is_chosen_and_a_date_is_picked(open_window: Open) -> None:
    with open_window("ed") as on:
        page = form(on, "pledge.stated")
        fill_in(on, "unclear", who="Korea; Німеччина", date="")
        on.click(page.get_by_text("Pick how precisely it is known").first)
        page.get_by_label("How precisely").first.select_option("on or before")
        page.get_by_label("The date").first.fill("17 March 2025")
        on.click(page.get_by_role("button", name="Save", exact=True))
        unclear = page.get_by_role("group", name="Who is “Korea”?")
        assert unclear.get_by_role("radio", checked=True).count() == 0, "nothing is chosen beforehand"
        unclear.get_by_label("South Korea (KR)").check()
        expect(page.get_by_label("Date required")).to_have_value("../2025-03-17")
        said = on.ask(f"/v1/events/{save(on)}")["effective"]
        assert (said["actors"], said["occurred"]["edtf"]) == (["KR", "DE"], "../2025-03-17")


def test_a_preview_says_what_would_change_and_a_known_subject_is_picked(open_window: Open) -> None:
    with open_window("ed") as on:
        form(on, "pledge.stated")
        fill_in(on, "jets over the sea")
        save(on)
        page = form(on, "pledge.stated")
        fill_in(on, "", date="4 September 2025", firmness="declared_intent", summary="Signed in Paris.")
        page.get_by_label(re.compile("^jets-over-the-sea France: announced")).check()
        on.click(page.get_by_role("button", name="Preview", exact=True).last)
        region = page.get_by_role("region", name="What it would change")
        expect(region.get_by_role("row").last).to_have_text(
            re.compile("France: jets over the sea.*announced.*declared intent", re.DOTALL)
        )
        before = len(on.ask("/v1/events?limit=500")["items"])
        on.click(region.page.get_by_role("button", name="Save", exact=True).first)
        expect(page.get_by_role("status")).to_have_text("Recorded.")
        assert len(on.ask("/v1/events?limit=500")["items"]) == before + 1


def test_what_a_contributor_saves_waits(open_window: Open) -> None:
    with open_window("con") as on:
        page = form(on, "pledge.stated")
        expect(page.get_by_text("What you save waits for an approver before it is recorded.")).to_be_visible()
        fill_in(on, "waiting")
        on.click(page.get_by_role("button", name="Put up for approval", exact=True))
        expect(page.get_by_role("status")).to_contain_text("It waits for an approver")
