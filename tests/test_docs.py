"""What the pages say is true: commands are run, names are compared with the code, links are followed."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command

from service.cli import app as command_line
from service.domain.kinds import KINDS
from service.domain.statement import Statement
from service.main import create_app
from service.settings import Settings
from tests.processes import swift_place
from tests.receivers import LOOPBACK

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
ANALYSTS = (ROOT / "docs" / "analysts.md").read_text("utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text("utf-8")
EXAMPLES = (ROOT / "docs" / "examples.md").read_text("utf-8")
API = (ROOT / "docs" / "api.md").read_text("utf-8")
MAPPING = (ROOT / "docs" / "mapping.md").read_text("utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
DECISIONS = ROOT / "docs" / "decisions"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ROW = re.compile(r"^\| (.+?) \| (.*) \|$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
_CODE = re.compile(r"`([^`]+)`")
# Those of ./run itself.
SCRIPT_COMMANDS = {"test", "check", "bench", "setup", "lock", "torture", "totals", "fuzz", "pictures"}


# The commands of the README and of the guide for analysts

QUESTIONS = {"README": README, "analysts": ANALYSTS}


class Registry(NamedTuple):
    """A registry that was started as ./run does it."""

    address: str
    token: str
    state: Path


class Shown(NamedTuple):
    """A block of commands, and the block of output that follows it."""

    commands: str
    output: str


def _shown(page: str) -> tuple[str, list[Shown]]:
    """The block that prepares the others, and the blocks that ask something, in order."""
    fences = _FENCE.findall(page)
    prepares = next(content for kind, content in fences if kind == "sh" and "show() {" in content)
    asking = [
        Shown(content, answer)
        for (kind, content), (next_kind, answer) in pairwise(fences)
        if kind == "sh" and "curl -s" in content and next_kind == "text"
    ]
    return prepares, asking


@pytest.fixture(scope="module")
def running() -> Iterator[Registry]:
    """A registry over an empty state folder, with the seeds, on a free port."""
    folder = Path(tempfile.mkdtemp(prefix="registry-docs-", dir=swift_place()))
    folder.chmod(0o755)  # where root runs the tests, PostgreSQL's user has to come in
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"STATE_DIR": str(folder / "state"), "PORT": "0", "HOST": "127.0.0.1"}
    environment["WEBHOOK_NETWORKS"] = LOOPBACK
    command = [sys.executable, "-m", "service.cli", "serve"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            said = dict(line.split(maxsplit=1) for line in (process.stdout.readline(), process.stdout.readline()))
            yield Registry(said["address:"].strip(), said["token:"].strip(), folder / "state")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            shutil.rmtree(folder, ignore_errors=True)


def with_curl(folder: Path) -> str:
    """The search path for the commands; a stand-in for curl comes last, where the machine has none."""
    stand_in = folder / "curl"
    stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "tests" / "curl.py"}" "$@"\n', encoding="utf-8")
    stand_in.chmod(0o755)
    return f"{os.environ['PATH']}{os.pathsep}{folder}"


def test_the_stand_in_for_curl_answers_what_curl_does(running: Registry, tmp_path: Path) -> None:
    with_curl(tmp_path)
    for options in ([], ["-H", f"Authorization: Bearer {running.token}", "-d", "{}"]):
        path = "/v1/statements" if options else "/v1/coalitions/willing?as_of=2025-07-31&known_position=9"
        command = [str(tmp_path / "curl"), "-s", f"{running.address}{path}", *options]
        said = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
        assert (b'"slug":"willing"' in said) != bool(options)
        assert (b"Content-Type" in said) == bool(options)


@pytest.mark.parametrize("page", QUESTIONS)
def test_every_command_of_a_page_answers_what_it_shows(running: Registry, tmp_path: Path, page: str) -> None:
    environment = os.environ | {"REGISTRY": running.address, "TOKEN": running.token, "PATH": with_curl(tmp_path)}
    prepares, asking = _shown(QUESTIONS[page])
    for commands, output in asking:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", prepares + commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stdout == output, f"{commands}\n{done.stderr}"


@pytest.mark.parametrize("page", QUESTIONS)
def test_every_question_of_a_page_shows_its_answer(page: str) -> None:
    _, asking = _shown(QUESTIONS[page])
    found = _FENCE.findall(QUESTIONS[page])
    assert len(asking) == sum(kind == "sh" and "curl -s" in content for kind, content in found)
    assert all(output.strip() for _, output in asking)


@pytest.mark.parametrize("own", [True, False], ids=["curl", "the stand-in"])
def test_the_examples_run_from_first_to_last_print_what_the_page_shows(
    running: Registry, tmp_path: Path, own: bool
) -> None:
    blocks = _FENCE.findall(EXAMPLES)
    asking = [content for kind, content in blocks if kind == "sh"]
    assert [kind for kind, _ in blocks] == ["sh", *["sh", "text"] * (len(asking) - 1)], "each shows what it prints"
    page = "printf '\\0'\n".join(asking)
    slug = "aid" if own else "help"  # each has a coalition of its own, and a key
    page = re.sub(r"\baid\b", slug, page).replace("generators-1", f"{slug}-1")
    search = with_curl(tmp_path) if own else f"{tmp_path}{os.pathsep}{with_curl(tmp_path)}"
    environment = os.environ | {"REGISTRY": running.address, "TOKEN": running.token, "TMPDIR": str(tmp_path)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{search}"
    command = ["bash", "-euo", "pipefail", "-c", page]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as shell:
        try:
            printed, failed = shell.communicate(timeout=120)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    assert printed.split("\0")[1:] == [content for kind, content in blocks if kind == "text"], failed


@pytest.mark.parametrize("own", [True, False], ids=["curl", "the stand-in"])
def test_the_commands_of_the_pages_about_the_api_and_mappings_run(running: Registry, tmp_path: Path, own: bool) -> None:
    """With the table and the mapping of the example; nothing is recorded, for other pages ask the same registry."""
    (tmp_path / "run").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m service.cli "$@"\n', "utf-8")
    (tmp_path / "run").chmod(0o755)
    for kind, content in _FENCE.findall(MAPPING):
        for name in {"csv": ("pledges.csv", "table.csv"), "yaml": ("pledges.yaml", "mapping.yaml")}.get(kind, ()):
            (tmp_path / name).write_text(content, "utf-8")
    page = "".join(content for text in (API, MAPPING) for kind, content in _FENCE.findall(text) if kind == "sh")
    for written, run in (
        ("'http://127.0.0.1:8000", '"$REGISTRY"\''),
        ("curl --no-buffer", "! timeout 2 curl -s --no-buffer"),  # it has no end of its own
        ('import" -H "Authorization: Bearer $TOKEN" -F', 'import?dry_run=true" -H "Authorization: Bearer $TOKEN" -F'),
    ):
        assert written in page
        page = page.replace(written, run)
    search = with_curl(tmp_path) if own else f"{tmp_path}{os.pathsep}{with_curl(tmp_path)}"
    environment = os.environ | {"REGISTRY": running.address, "TOKEN": running.token, "STATE_DIR": str(running.state)}
    environment |= {"PATH": search, "PYTHONPATH": str(ROOT)}
    environment.pop("DATABASE_URL", None)
    (sample,) = [content for kind, content in _FENCE.findall(API) if kind == "csv"]
    (tmp_path / "sample.csv").write_text(sample, "utf-8")
    begin = 'curl -s "$REGISTRY/v1/coalitions/willing/timeline.csv" > statements.csv\n'
    begin += "./run import sample.csv --dry-run\n"
    command = ["bash", "-euo", "pipefail", "-c", begin + page]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert '"country":{"code":"GB"' in done.stdout
    assert "\nevent: pledge.stated\n" in done.stdout
    assert done.stdout.count('"complete":true') == 3
    assert '"recorded":0,"repeated"' in done.stdout
    for count in ("1 of 1 row", "3 of"):
        assert f"would record: {count}" in done.stderr + done.stdout


# Names that the code has


def _columns(page: str) -> dict[str, str]:
    """What stands beside each name in the first column of any table; a cell may have several names."""
    return {name: rest for cell, rest in _ROW.findall(page) for name in _CODE.findall(cell)}


def test_every_setting_is_listed_with_its_default_and_no_other() -> None:
    shown = _columns(COMMANDS.partition("## Settings")[2])
    assert set(shown) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
        assert (f"`{default}`" if default else "empty") in shown[name.upper()].split(" | ")[0], name


def _commands() -> set[str]:
    """Every command of the service, those of a group with the group's name before them."""
    found = set()
    for name, command in get_command(command_line).commands.items():  # type: ignore[attr-defined]  # a group
        found |= {f"{name} {below}" for below in command.commands} if hasattr(command, "commands") else {name}
    return found


def test_every_command_is_listed() -> None:
    shown = " ".join(_columns(COMMANDS.partition("## Commands")[2].partition("\n## ")[0]))
    for command in _commands() | SCRIPT_COMMANDS:
        assert re.search(rf"\./run {command}\b", shown), command


def test_every_option_of_a_command_is_listed() -> None:
    section = COMMANDS.partition("## Commands")[2].partition("\n## ")[0]
    for name, command in get_command(command_line).commands.items():  # type: ignore[attr-defined]  # a group
        for one in (command, *getattr(command, "commands", {}).values()):
            options = {option for parameter in one.params for option in (*parameter.opts, *parameter.secondary_opts)}
            for option in options - {"--help", "--seeds"}:
                assert not option.startswith("-") or f"`{option}`" in section, f"{name} {option}"


def test_no_page_names_a_command_that_is_not_there() -> None:
    known = {command.split()[0] for command in _commands()} | SCRIPT_COMMANDS
    for path in _pages():
        for command in re.findall(r"\./run ([a-z]+)", path.read_text("utf-8")):
            assert command in known, f"{path.name}: ./run {command}"


@lru_cache(maxsize=1)
def _operations() -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = create_app(Settings()).openapi()["paths"]
    return {f"{method.upper()} {path}": found for path, methods in paths.items() for method, found in methods.items()}


def test_every_address_is_in_the_page_about_the_api_and_no_other() -> None:
    shown = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`\s?]*)`", API))
    assert shown == set(_operations())


def test_every_parameter_is_in_the_page_about_the_api() -> None:
    for operation, found in _operations().items():
        for parameter in found.get("parameters", ()):
            name = parameter["name"]
            shown = f"{{{name}}}" in API if parameter["in"] == "path" else f"`{name}`" in API
            assert shown, f"{operation}: {name}"


def test_every_kind_is_in_the_glossary_and_in_the_page_about_the_api() -> None:
    assert {name for name in _columns(GLOSSARY) if "." in name} == set(KINDS)
    for kind in KINDS:
        assert f"`{kind}`" in API, kind


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if issubclass(kind, Statement)])
def test_the_page_about_the_api_has_every_field_of_a_body(kind: str) -> None:
    body = KINDS[kind].model_fields["body"].annotation
    assert body
    shown = _CODE.findall(_columns(API)[kind])
    assert set(body.model_fields) <= set(shown), set(body.model_fields) - set(shown)


def test_the_page_about_the_api_has_every_field_of_a_statement() -> None:
    shown = set(_columns(API)) | {name for row in _columns(API).values() for name in _CODE.findall(row)}
    assert set(Statement.model_fields) <= shown


# Links and files


@lru_cache(maxsize=1)
def _files() -> tuple[Path, ...]:
    """Every file of the project, the new ones too, without what git ignores."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def _pages() -> list[Path]:
    return [path for path in _files() if path.suffix == ".md"]


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in _pages():
        for target in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_every_decision_is_indexed_by_its_number_and_title() -> None:
    index = (DECISIONS / "README.md").read_text("utf-8")
    decisions = sorted(DECISIONS.glob("[0-9]*.md"))
    numbers = [path.name[:4] for path in decisions]
    assert len(numbers) == len(set(numbers)), "no two have one number"
    for path in decisions:
        number, _, title = path.read_text("utf-8").partition("\n")[0].removeprefix("# ").partition(" ")
        assert path.name.startswith(f"{number}-")
        assert f"| [{number}]({path.name}) | {title} |" in index, path.name


def test_every_decision_says_what_led_to_it_and_what_follows() -> None:
    for path in DECISIONS.glob("[0-9]*.md"):
        headings = re.findall(r"^## (.+)$", path.read_text("utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], path.name


def test_every_decision_that_the_code_names_exists() -> None:
    for path in _files():
        if path.suffix == ".py":
            for name in re.findall(r"docs/decisions/([0-9][\w-]+\.md)", path.read_text("utf-8")):
                assert (DECISIONS / name).exists(), f"{path.relative_to(ROOT)}: {name}"


def test_every_test_that_a_page_names_exists() -> None:
    for page in _pages():
        text = page.read_text("utf-8")
        for name in re.findall(r"\btests/(\w+\.py)\b", text):
            assert (ROOT / "tests" / name).exists(), f"{page.name}: {name}"
        for file, test in re.findall(r"\btests/(\w+\.py)::(\w+)", text):
            assert f"def {test}(" in (ROOT / "tests" / file).read_text("utf-8"), f"{page.name}: {test}"


def test_no_file_names_a_path_of_a_machine_or_the_host_of_a_registry() -> None:
    private = ["/" + "work" + "/", "pypi" + ".org", "files" + ".pythonhosted"]  # in parts, or this file would be found
    for path in _files():
        content = path.read_bytes().decode("utf-8", errors="replace")
        for name in private:
            assert name not in content, f"{path.relative_to(ROOT)} names {name}"


# The maps of the rooms


MAPS = {room.parent.name: room.read_text("utf-8") for room in (ROOT / "service").glob("*/__init__.py")}


@pytest.mark.parametrize("room", sorted(set(MAPS) - {"domain", "load", "reading"}))  # a sentence says what these are
def test_the_map_of_a_room_names_each_of_its_modules_and_no_others(room: str) -> None:
    named = set(re.findall(r"`(\w+)`|^    (\w+) {2,}", MAPS[room], re.MULTILINE))
    folder = ROOT / "service" / room
    there = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert {"".join(one) for one in named} == there - {"__init__"}
