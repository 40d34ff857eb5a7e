"""A browser's window over a running registry: what a person does in it is counted, and what goes wrong in it fails.

Wrong is every request that leaves this machine, every dialog, since nothing of ours opens one, and everything that the
browser complains of: an error in a script, a breach of the Content-Security-Policy, an asset that is not there.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    Response,
    WebError,
    expect,
    sync_playwright,
)

from service.main import create_app
from service.web.malformed import protocol
from tests.chromium import get_browser
from tests.people import COOKIE, begin_session
from tests.processes import ROOT, wait_until
from tests.registry import settings_for

WIDE, NARROW = 1280, 360
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # nor does the browser itself go out
)
_REFUSED = "Failed to load resource: the server responded with a status of 4"  # of a page too, where it is right
LARGEST_PAGE = 60_000  # bytes of a page as it is sent, with all that stands beside it, which is loaded once
_BESIDE = sum(path.stat().st_size for path in (ROOT / "service" / "admin" / "static").iterdir())
_PATIENCE = 30_000  # milliseconds for anything that a page does; two busy cores are slow


@contextmanager
def driven() -> Iterator[Browser]:
    """A Chromium that a test drives."""
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=get_browser(), args=[*_FLAGS])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(url: str, **settings: Any) -> Iterator[str]:
    """The address of a registry that runs over a database, as `serve` has it."""
    app = create_app(settings_for(url, **settings))
    config = uvicorn.Config(
        app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=3,
        http=protocol(head_seconds=10, stall_seconds=20),
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Window:
    """A window of a browser of its own."""

    def __init__(
        self, browser: Browser, base: str, *, script: bool = True, width: int = WIDE, cookie: str = ""
    ) -> None:
        self.base, self.script = base, script
        self.context = browser.new_context(
            base_url=base, java_script_enabled=script, viewport={"width": width, "height": 900}, locale="en-GB"
        )
        self.context.set_default_timeout(_PATIENCE)
        self.complaints: list[str] = []
        self.keys = self.written = self.clicks = 0
        self.context.on("request", self._sent)
        self.context.on("response", self._answered)
        self.context.on("console", self._said)
        self.context.on("weberror", self._failed)
        self.context.on("dialog", self._asked)
        if cookie:
            self.keep(cookie)
        self.page = self.context.new_page()

    def _sent(self, request: Request) -> None:
        if not request.url.startswith((f"{self.base}/", "data:")):
            self.complaints.append(f"it asked for {request.url}")

    def _answered(self, response: Response) -> None:
        is_page = response.request.resource_type == "document"
        if response.status >= (500 if is_page else 400):
            self.complaints.append(f"{response.status} of {response.url}")
        size = int(response.headers.get("content-length", 0)) + _BESIDE
        if is_page and size >= LARGEST_PAGE:
            self.complaints.append(f"{size} bytes of {response.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_REFUSED):
            self.complaints.append(message.text)

    def _failed(self, error: WebError) -> None:
        self.complaints.append(str(error.error))

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
        self.check()

    def check(self) -> None:
        """Fails where something has gone wrong in it so far."""
        found, self.complaints = self.complaints, []
        assert not found, "\n".join(found)

    # --- what a person does -------------------------------------------------------------------------------------------

    def open(self, path: str) -> Page:
        """Goes to an address."""
        self.page.goto(path)
        return self.page

    def click(self, on: Locator) -> None:
        """One click."""
        self.clicks += 1
        on.click()

    def press(self, *keys: str) -> None:
        """One keystroke each."""
        for key in keys:
            self.keys += 1
            self.page.keyboard.press(key)

    def send(self) -> None:
        """Enter, in a field; on to the page that it leads to."""
        with self.page.expect_navigation():
            self.press("Enter")

    def type(self, text: str) -> None:
        """As many keystrokes as there are characters."""
        self.keys += len(text)
        self.written += len(text)
        if self.script:
            self.page.keyboard.type(text)
        else:  # nothing listens to single keys, but a list that is searched by its first letters
            self._write(text)

    def _write(self, text: str) -> None:
        is_list = self.page.evaluate("document.activeElement instanceof HTMLSelectElement")
        (self.page.keyboard.type if is_list else self.page.keyboard.insert_text)(text)

    # --- what is known of it ------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """Where it is."""
        return urlsplit(self.page.url).path

    @property
    def focused(self) -> Locator:
        """Where the keyboard is."""
        return self.page.locator(":focus")

    def keep(self, cookie: str) -> None:
        """Has the session of a cookie."""
        self.context.add_cookies([{"name": COOKIE, "value": cookie, "url": self.base}])

    @property
    def cookie(self) -> str:
        """The session that the browser keeps; empty where there is none."""
        return next((one["value"] for one in self.context.cookies() if one.get("name") == COOKIE), "")

    def ask(self, path: str) -> Any:
        """The API's answer, to whoever is signed in here."""
        answer = self.context.request.get(path)
        assert answer.ok, answer.text()
        return answer.json()

    def status(self, path: str) -> int:
        """With what an address is answered, to whoever is signed in here."""
        return self.context.request.get(path, max_redirects=0).status


@contextmanager
def window(
    browser: Browser, base: str, url: str, login: str = "", *, script: bool = True, width: int = WIDE
) -> Iterator[Window]:
    """A window in which somebody of a database is signed in, or nobody."""
    cookie = begin_session(url, login) if login else ""
    with Window(browser, base, script=script, width=width, cookie=cookie) as made:
        yield made
