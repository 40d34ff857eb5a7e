"""Filling in a form as whoever reads it: each field found by its label, rows added, what is folded opened."""

from collections.abc import Mapping

from playwright.sync_api import Locator, expect

from service.domain.actors import name_of
from service.forms.fields import Field, Form, Widget
from service.forms.reading import Data
from service.forms.shown import MOST_RADIOS
from tests.browser.windows import Window

_DEPTHS = """all => all.map(one => {
    let depth = 0;
    for (let at = one; (at = at.parentElement.closest("fieldset, [role=group]")); ) depth += 1;
    return depth;
})"""  # of two fields of one label, that of the group itself, not that of a group within it


class Filling:
    """What is to be said, by the names of the fields; a person sees their labels alone."""

    def __init__(self, on: Window, data: Data) -> None:
        self.on, self.data = on, data

    def fill(self, form: Form, fields: Mapping[str, Field]) -> None:
        """Goes through a form from its top to its end."""
        for section in form.sections:
            title = self.on.page.get_by_role("heading", level=2).filter(has_text=section.title)
            around = self.on.page.locator(".section").filter(has=title)
            named = [name for name in section.names if self.is_said(name)]
            if named and section.folded:
                self.unfold(around)
            for name in named:
                if section.names in (("body",), ("said_by",)):
                    self.parts(around.get_by_role("group", name=section.title, exact=True), fields[name], name)
                else:
                    self.say(around, fields[name], name)

    def is_said(self, name: str) -> bool:
        """Whether something is to be said in a field or below it."""
        return name in self.data or any(one.startswith(f"{name}.") for one in self.data)

    def unfold(self, details: Locator) -> None:
        """Opens what is folded, unless it is open."""
        if details.get_attribute("open") is None:
            self.on.click(details.locator("summary").first)

    def parts(self, around: Locator, field: Field, name: str) -> None:
        """Each part of a value that has several."""
        for part in field.parts:
            if self.is_said(f"{name}.{part.name}"):
                self.say(around, part, f"{name}.{part.name}")

    def say(self, around: Locator, field: Field, name: str) -> None:
        """One field, within what stands around it."""
        label = field.label + (" required" if field.required and field.widget is not Widget.GROUP else "")
        if name == "subject" and around.get_by_role("group", name=label, exact=True).count():
            self.new_subject(around.get_by_role("group", name=label, exact=True), self.data[name][0])
        elif field.widget is Widget.GROUP:
            group = around.get_by_role("group", name=field.label, exact=True)
            if not field.required:
                called = self.on.page.locator("summary").get_by_text(field.label, exact=True)
                self.unfold(around.locator("details.fold").filter(has=called))
            self.parts(group, field, name)
        elif field.widget is Widget.ROWS:
            self.rows(around.get_by_role("group", name=label, exact=True), field, name)
        elif field.widget is Widget.CHECKS:
            group = around.get_by_role("group", name=label, exact=True)
            for value in self.data[name]:
                group.get_by_label(self.option(field, value), exact=True).check()
        elif field.widget is Widget.TRUTH or (field.widget is Widget.CHOICE and len(field.options) <= MOST_RADIOS):
            group = around.get_by_role("group", name=label, exact=True)
            group.get_by_label(self.option(field, self.data[name][0]), exact=True).check()
        elif field.widget is Widget.CHOICE:
            self.written(around, label).select_option(label=self.option(field, self.data[name][0]))
        else:
            self.written(around, label).fill(self.words(field, self.data[name][0]))

    @staticmethod
    def new_subject(around: Locator, words: str) -> None:
        """Where subjects are known already: none of these."""
        around.get_by_label("another one:", exact=True).check()
        around.get_by_label("Another subject, in a few words", exact=True).fill(words)

    def written(self, around: Locator, label: str) -> Locator:
        """A field in which something is written or chosen from a list; what is ticked may be called the same."""
        fields = self.on.page.locator("input:not([type=checkbox]), textarea, select")
        found = around.get_by_label(label, exact=True).and_(fields).filter(visible=True)
        depths = found.evaluate_all(_DEPTHS)
        return found.nth(depths.index(min(depths))) if len(depths) > 1 else found

    def rows(self, around: Locator, field: Field, name: str) -> None:
        """As many rows as are said; for each that is not there yet, the button below them."""
        (item,) = field.parts
        for number in range(self.count(name)):
            row = around.get_by_role("group", name=f"{item.label} {number + 1}", exact=True)
            if row.count() == 0:
                self.on.click(around.get_by_role("button", name="Add"))
                expect(row).to_be_visible()
            if item.widget is Widget.GROUP:
                self.parts(row, item, f"{name}.{number}")
            else:
                self.say(row, item, f"{name}.{number}")

    def count(self, name: str) -> int:
        """How many rows are said."""
        return len({one[len(name) + 1 :].partition(".")[0] for one in self.data if one.startswith(f"{name}.")})

    @staticmethod
    def option(field: Field, value: str) -> str:
        """What an option is called."""
        return next((option.words for option in field.options if option.value == value), value)

    @staticmethod
    def words(field: Field, text: str) -> str:
        """Actors by their names."""
        if field.widget not in (Widget.ACTOR, Widget.ACTORS):
            return text
        return "; ".join(name_of(code) if code.isupper() else code for code in text.split("; "))


# --- by keyboard ------------------------------------------------------------------------------------------------------

_CALLED = """() => {
    const at = document.activeElement;
    const label = at.getAttribute("aria-label") ?? at.labels?.[0]?.innerText ?? at.innerText;
    return label.replace(/\\s+/g, " ").trim();
}"""
_FARTHEST = 60


def tab_to(on: Window, label: str) -> None:
    """Goes on with Tab until the keyboard is at what is called so."""
    passed: list[str] = []
    while not passed or not passed[-1].startswith(label):
        assert len(passed) < _FARTHEST, f"{label} is not reached by {passed}"
        on.press("Tab")
        passed.append(on.page.evaluate(_CALLED))


def write(on: Window, label: str, text: str) -> None:
    """Goes to a field, and writes."""
    tab_to(on, label)
    on.type(text)


def pick(on: Window, label: str, letters: str) -> None:
    """Goes to a list, and writes the first letters of what is wanted of it."""
    tab_to(on, label)
    on.type(letters)
    chosen = on.focused.evaluate("one => one.selectedOptions[0].text")
    assert chosen.lower().startswith(letters), chosen


def tick(on: Window, first: str, option: str) -> None:
    """Goes to several options that exclude one another, of which Tab reaches one, and with the arrows to another."""
    tab_to(on, first)
    if first == option:
        on.press("Space")
    passed = [first]
    while not passed[-1].startswith(option):
        assert len(passed) < _FARTHEST, f"{option} is not reached by {passed}"
        on.press("ArrowDown")
        passed.append(on.page.evaluate(_CALLED))


def unfold(on: Window, label: str) -> None:
    """Opens a part that is folded, unless what was chosen before has opened it."""
    if on.page.locator("details[open] > summary", has_text=label).count() == 0:
        tab_to(on, label)
        on.press("Enter")
