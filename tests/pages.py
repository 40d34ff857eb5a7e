"""Pages as a browser without JavaScript has them: what a form would send, which fields are at fault, what is shown."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from httpx2 import Response
from starlette.testclient import TestClient

_VOID = frozenset({"input", "link", "meta", "br", "hr", "img"})


@dataclass
class Sheet(HTMLParser):
    """A page, read: the form on it, its texts, its links, and the elements with their attributes."""

    action: str = ""
    method: str = "get"
    data: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._form = ""
        self._area: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "form":
            self._form = given.get("action", "")
            if not self._form.endswith("sign-out"):
                self.action, self.method = self._form, given.get("method", "get")
        elif tag == "a":
            self.links.append(given.get("href", ""))
        if self._form.endswith("sign-out") or not self._form:
            return
        self._control(tag, given)

    def _control(self, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "button" and name:
            self.buttons.append((name, given.get("value", "")))
        elif tag == "input" and name and (given.get("type") not in ("radio", "checkbox") or "checked" in given):
            self.data.setdefault(name, []).append(given.get("value", ""))
        elif tag == "textarea":
            self._area = name
            self.data.setdefault(name, []).append("")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select is not None and (self._select not in self.data or "selected" in given):
            self.data[self._select] = [given.get("value", "")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> ends nothing"
        assert self.open[-1] == tag, f"</{tag}> ends <{self.open[-1]}>"
        self.open.pop()
        if tag == "form":
            self._form = ""
        elif tag == "textarea":
            assert self._area is not None
            self.data[self._area][-1] = self.data[self._area][-1].removeprefix("\n")
            self._area = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.data[self._area][-1] += data
        self.texts.append(data)

    @property
    def text(self) -> str:
        """Everything that is shown, with single spaces."""
        return " ".join(" ".join(self.texts).split())

    def at_fault(self) -> set[str]:
        """The names of the fields that are marked as wrong."""
        return {
            given.get("name") or given["id"].removeprefix("f-").replace("-", ".")
            for _, given in self.elements
            if "true" in (given.get("aria-invalid"), given.get("data-invalid"))
        }

    def summary(self) -> list[str]:
        """Where the summary leads."""
        return [link for link in self.links if link.startswith("#f-")]

    def ids(self) -> list[str]:
        """The ids of all elements."""
        return [given["id"] for _, given in self.elements if "id" in given]


def read(answer: Response) -> Sheet:
    """A page, held to what every page keeps to: small, well formed, each id once, each control with a label."""
    assert answer.headers["Content-Type"].startswith("text/html"), answer.text
    assert len(answer.content) < 60_000, len(answer.content)
    sheet = Sheet()
    sheet.feed(answer.text)
    sheet.close()
    assert sheet.open == []
    assert len(set(sheet.ids())) == len(sheet.ids()), "an id is there twice"
    _check_labels(sheet)
    assert set(re.findall(r'(?:href|aria-describedby)="#?(f-[^" ]+)', answer.text)) <= set(sheet.ids())
    return sheet


def _check_labels(sheet: Sheet) -> None:
    labelled = {given["for"] for tag, given in sheet.elements if tag == "label" and "for" in given}
    for tag, given in sheet.elements:
        shown = tag in ("input", "select", "textarea") and given.get("type") not in ("hidden", "radio", "checkbox")
        assert not shown or given["id"] in labelled, given


def get(client: TestClient, path: str) -> Sheet:
    """A page that is there."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return read(answer)


def press(client: TestClient, sheet: Sheet, button: str, value: str, **filled: Any) -> Response:
    """Sends the form of a page by one of its buttons; names of what is filled in have two underscores for each dot."""
    assert (button, value) in sheet.buttons, sheet.buttons
    data = dict(sheet.data)
    for name, text in filled.items():
        data[name.replace("__", ".")] = text if isinstance(text, list) else [text]
    broken = {name: [re.sub("\r?\n", "\r\n", text) for text in texts] for name, texts in data.items()}
    pairs = {**broken, button: [value]}
    if sheet.method == "get":
        return client.get(sheet.action, params=pairs)
    return client.post(sheet.action, data=pairs)


def event_at(answer: Response) -> str:
    """The id of the event to whose page an answer leads."""
    assert answer.status_code == 303, answer.text
    return urlsplit(answer.headers["Location"]).path.rpartition("/")[2]
