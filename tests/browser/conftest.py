"""One Chromium for all of these tests; for each module a registry, once to be used with JavaScript and once without."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser

from service.access import Role
from tests.browser.full import call, let_in
from tests.browser.windows import Window, driven, served, window
from tests.conftest import fresh_database

PEOPLE = {"ann": Role.ADMIN, "ed": Role.EDITOR, "eve": Role.EDITOR, "app": Role.APPROVER, "con": Role.CONTRIBUTOR}


class Site(NamedTuple):
    """A running registry with one coalition, where an admin, two editors and a contributor can sign in."""

    base: str
    url: str


Open = Callable[..., AbstractContextManager[Window]]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser that is driven."""
    with driven() as browser:
        yield browser


@pytest.fixture(scope="module", params=[True, False], ids=["with-script", "without-script"])
def script(request: pytest.FixtureRequest) -> bool:
    """Whether the browser runs JavaScript."""
    return bool(request.param)


@pytest.fixture(scope="module")
def site(script: bool, server_url: str, template: str) -> Iterator[Site]:
    """A registry of the module's own."""
    del script
    with fresh_database(server_url, template) as url:
        let_in(url, PEOPLE)
        with served(url) as base:
            call(base, "ann", "/v1/coalitions", {"slug": "willing", "name": "The willing"})
            yield Site(base, url)


@pytest.fixture
def open_window(chromium: Browser, site: Site, script: bool) -> Open:
    """Opens a window in which somebody is signed in; nobody, where no login is given."""
    return partial(window, chromium, site.base, site.url, script=script)


@pytest.fixture(scope="module")
def kept_window(chromium: Browser, site: Site, script: bool) -> Iterator[Window]:
    """A window in which an editor goes on from test to test."""
    with window(chromium, site.base, site.url, "ed", script=script) as made:
        yield made


@pytest.fixture
def editor(kept_window: Window) -> Iterator[Window]:
    """The window of an editor."""
    yield kept_window
    kept_window.check()
