"""Pasting many, in a browser without JavaScript: a table becomes statements, all of them or none."""

import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.pages import Sheet, get, press, read
from tests.people import COOKIE, add_person, begin_session, browser
from tests.registry import allow, register

Json = dict[str, Any]
PASTE = "/admin/paste"
HEADINGS = ["Country", "Date", "Category", "Firmness", "Troops", "Summary", "Link"]


@pytest.fixture
def editor(database: str) -> Iterator[TestClient]:
    """A browser in which an editor is signed in, over a registry with one coalition."""
    with browser(database, "ed", "editor") as client:
        register(client, "willing")
        yield client


NAMES = ["Germany", "France", "Belgium", "Norway", "Sweden", "Denmark", "Spain", "Italy", "Estonia", "Latvia"]


def rows(count: int = 50) -> list[list[str]]:
    """Rows of a table, as untidy as they are in the field."""
    categories = ["Ground troops", "air", "training", "logistics", "maritime"]
    return [
        [
            NAMES[nth % 10], f"{1 + nth % 28}.{1 + nth // 10}.2025", categories[nth // 10], "announced",
            f"{1 + nth}.000", f"{NAMES[nth % 10]} promises number {nth}.", f"https://news.example/{nth}?a=1&b=2",
        ]
        for nth in range(count)
    ]  # fmt: skip


def tabbed(cells: list[list[str]]) -> str:
    """As a spreadsheet puts it on the clipboard."""
    return "".join("\t".join(row) + "\n" for row in [HEADINGS, *cells])


def begin(client: TestClient, table: str = "", *, file: bytes | None = None, name: str = "rows.csv", **more: str) -> Response:
    """Sends the first page, as a browser does: with a part for each file, empty where none is chosen."""
    given = {"table": table.replace("\n", "\r\n"), "delimiter": "", "coalition": "willing", "mapping": ""}
    given |= {"kind": "" if more.get("mapping") else "pledge.stated"} | more
    files = {
        "table_file": (name if file is not None else "", io.BytesIO(file or b"")),
        "mapping_file": ("", io.BytesIO(b"")),
    }
    return client.post(PASTE, data=given, files=files)


CONSTANTS = {
    "const__subject": "Promised support",
    "const__sources__0__title": "The made-up table",
    "const__body__quantity__unit": "persons",
}


def columns(client: TestClient, table: str, **more: str) -> Sheet:
    """The page that asks what the columns mean."""
    answer = begin(client, table, **more)
    assert answer.status_code == 200, answer.text
    return read(answer)


def look(client: TestClient, table: str) -> Sheet:
    """The page that shows what the rows say."""
    answer = press(client, columns(client, table), "do", "look", **CONSTANTS)
    return read(answer)


def test_try(editor: TestClient) -> None:
    page = columns(editor, tabbed(rows()))
    print(page.data)
    answer = press(editor, page, "do", "look", **CONSTANTS)
    page = read(answer)
    print(answer.status_code, page.text, len(answer.content))
    done = press(editor, page, "do", "record")
    print(done.status_code, done.headers)
    print(read(editor.get(done.headers["location"])).text)
    assert 0
