"""Which browser drives the pages under test, and how it is come by: by what is on PATH, and who asks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import chromium
from tests.chromium import HELP, NoBrowserError, find_browser, get_browser, own_place
from tests.processes import ROOT

BROWSER = "exit 0"
STUB = 'echo "install me" >&2; exit 1'


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where Playwright would have its own browser, which it says but slowly."""
    folder = tmp_path_factory.mktemp("downloads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(folder))
        own_place.cache_clear()
        own_place()
    yield folder
    own_place.cache_clear()


class Machine:
    """A machine of which only the commands are made up: each says that it was called, and does what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.path, self.beside = folder / "path", folder / "beside"
        self.calls = folder / "calls"
        self.calls.touch()

    def put(self, program: Path, does: str) -> None:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)

    def has(self, name: str, does: str = BROWSER) -> Path:
        """A command on PATH."""
        self.put(self.path / name, does)
        return self.path / name

    def has_apt(self, does: str) -> None:
        """Debian's installer; ``does`` is what installing does."""
        self.has(
            "apt-get", f'echo "apt-get $@, asking: $DEBIAN_FRONTEND" >> {self.calls}\n[ $1 = update ] || {{ {does}; }}'
        )

    def has_playwright(self, does: str) -> None:
        """Playwright's installer; ``does`` is what it does."""
        self.put(self.beside / "playwright", f'echo "playwright $@" >> {self.calls}\n{does}')

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()

    def making(self, program: Path, does: str = BROWSER) -> str:
        """The lines that make a program."""
        writes = f'printf "#!/bin/sh\n{does}\n" > "{program}"'
        return f'/bin/mkdir -p "{program.parent}"; {writes}; /bin/chmod 755 "{program}"'


@pytest.fixture
def machine(tmp_path: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine on which nobody is root, with no command on PATH, and with installers that fail."""
    made = Machine(tmp_path)
    made.path.mkdir()
    monkeypatch.setenv("PATH", str(made.path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(downloads))
    monkeypatch.setattr(chromium, "PLAYWRIGHT", made.beside / "playwright")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    made.has_playwright("exit 1")
    made.has_apt("exit 1")
    yield made
    own_place().unlink(missing_ok=True)


@pytest.fixture
def root(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The same, for root."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return machine


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_on_path_is_taken_and_nothing_is_installed(root: Machine, name: str) -> None:
    there = root.has(name)
    assert get_browser() == there
    assert root.called() == []


def test_of_several_browsers_the_first_is_taken_that_starts(machine: Machine) -> None:
    machine.has("chromium", STUB)
    second = machine.has("chromium-browser")
    machine.has("google-chrome")
    assert find_browser() == second


def test_root_installs_the_package_and_is_asked_nothing(root: Machine) -> None:
    root.has_apt(root.making(root.path / "chromium"))
    assert get_browser() == root.path / "chromium"
    assert root.called() == [
        "apt-get update, asking: noninteractive",
        "apt-get install -y --no-install-recommends chromium, asking: noninteractive",
    ]


def test_a_source_of_packages_that_does_not_answer_keeps_none_of_the_others_from_being_used(root: Machine) -> None:
    root.has("apt-get", f"[ $1 = install ] || exit 100\n{root.making(root.path / 'chromium')}")
    assert get_browser() == root.path / "chromium"


def test_whoever_is_not_root_gets_playwrights_own(machine: Machine) -> None:
    machine.has_playwright(machine.making(own_place()))
    assert get_browser() == own_place()
    assert machine.called() == ["playwright install chromium"]


def test_where_the_package_cannot_be_had_root_gets_playwrights_own_too(root: Machine) -> None:
    root.has_playwright(root.making(own_place()))
    assert get_browser() == own_place()
    assert [call.split(",")[0] for call in root.called()] == [
        "apt-get update",
        "apt-get install -y --no-install-recommends chromium",
        "playwright install chromium",
    ]


def test_where_there_is_no_such_package_manager_root_gets_playwrights_own(root: Machine) -> None:
    (root.path / "apt-get").unlink()
    root.has_playwright(root.making(own_place()))
    assert get_browser() == own_place()


def test_what_was_downloaded_once_is_not_fetched_again(root: Machine) -> None:
    root.put(own_place(), BROWSER)
    assert get_browser() == own_place()
    assert root.called() == []


def test_a_download_that_does_not_start_is_none(machine: Machine) -> None:
    machine.has_playwright(machine.making(own_place(), "exit 127"))
    with pytest.raises(NoBrowserError):
        get_browser()


def test_where_nothing_helps_it_is_a_failure_that_says_what_to_install(root: Machine) -> None:
    with pytest.raises(NoBrowserError, match="apt install chromium"):
        get_browser()
    assert [call.split()[0] for call in root.called()] == ["apt-get", "apt-get", "playwright"]


def test_the_gate_ends_with_that_failure(tmp_path: Path) -> None:
    environment = os.environ | {
        "PATH": str(tmp_path),
        "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    script = f"""
import os, pathlib, runpy, sys
os.geteuid = lambda: 1000
sys.executable = {str(tmp_path / "python")!r}
sys.argv = ["chromium"]
runpy.run_module("tests.chromium", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, HELP)


def test_the_gate_gets_a_browser_before_the_tests() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.chromium"], check=False, cwd=ROOT)
    assert done.returncode == 0
