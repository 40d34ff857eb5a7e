"""The browser that drives the pages under test: one that is there, else one that is fetched; never none.

One on PATH is taken; else root installs Debian's package, and whoever is not root, or has no such package, gets
Playwright's own. `./run test` sees to it before the tests begin, and says what to install where nothing helps.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PLAYWRIGHT = Path(sys.executable).with_name("playwright")  # of the version that drives it, not one on PATH
HELP = (
    "No Chromium was found on PATH, and none could be installed; see above. Install it (on Debian: apt install "
    "chromium; else .venv/bin/playwright install --with-deps chromium) and start ./run test again."
)


class NoBrowserError(Exception):
    """The pages cannot be driven; the message says what to do."""


def find_browser() -> Path | None:
    """A browser that starts: on PATH, or Playwright's own where that was downloaded."""
    there = (Path(found) for found in map(shutil.which, NAMES) if found)
    return next(filter(starts, there), None) or next(filter(starts, [own_place()]), None)


@cache
def own_place() -> Path:
    """Where Playwright has its own browser, or would have it."""
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


def starts(program: str | Path) -> bool:
    """Whether it is a browser: some systems have only a command of that name that says how to get one."""
    try:
        done = subprocess.run(
            [program, "--version"], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def install_package() -> bool:
    """Debian's package, which only root may install."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return False
    _succeeds(apt, "update")  # fails as a whole where one of its sources does, and may know enough all the same
    return _succeeds(apt, "install", "-y", "--no-install-recommends", "chromium")


def download() -> bool:
    """Playwright's own."""
    return _succeeds(PLAYWRIGHT, "install", "chromium")


WAYS: tuple[Callable[[], bool], ...] = (install_package, download)
"""How to get one where none is there, in the order in which they are tried."""


def _succeeds(*command: str | Path) -> bool:
    """Whether a command ends well; it asks nothing, and what it says goes to standard error."""
    print(f"No Chromium yet: {' '.join(map(str, command))}", file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        return (
            subprocess.run(
                [*command], check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment
            ).returncode
            == 0
        )
    except OSError:
        return False


def get_browser() -> Path:
    """A browser that starts, fetched where there is none; raises `NoBrowserError` where that fails."""
    found = find_browser()
    for way in WAYS:
        if found is None and way():
            found = find_browser()
    if found is None:
        raise NoBrowserError(HELP)
    return found


if __name__ == "__main__":
    try:
        get_browser()
    except NoBrowserError as problem:
        sys.exit(str(problem))
