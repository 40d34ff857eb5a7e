"""The script ./run: what it does with its arguments, and when it sets up."""

import fcntl
import os
import shutil
import stat
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A copy of the script, as a module, in a project folder of its own, where nothing is set up yet."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    script = shutil.copy(ROOT / "run", tmp_path / "run")
    (tmp_path / "requirements.lock").write_text("package==1\n")
    loader = SourceFileLoader("run_script", str(script))
    spec = spec_from_loader("run_script", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def _begin(run: Any, *arguments: str) -> subprocess.Popen[str]:
    """Starts the copy as a person does."""
    command = [sys.executable, str(run.ROOT / "run"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _program(run: Any, name: str, script: str) -> None:
    run.BIN.mkdir(parents=True, exist_ok=True)
    (run.BIN / name).write_text(f"#!/bin/sh\n{script}\n")
    (run.BIN / name).chmod(0o755)


# Arguments

CLI = ["python", "-m", "service.cli"]


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], [*CLI, "serve"]),
        (["serve"], [*CLI, "serve"]),
        (["--no-seeds"], [*CLI, "serve", "--no-seeds"]),
        (["--port", "9", "x"], [*CLI, "serve", "--port", "9", "x"]),
        (["token", "new", "--role", "a b"], [*CLI, "token", "new", "--role", "a b"]),
        (["no-such-thing"], [*CLI, "no-such-thing"]),
        (["bench", "--quick"], ["python", "-m", "benchmarks", "--quick"]),
        (["totals", "--door", "cli"], ["python", "-m", "tests.totals", "--door", "cli"]),
        (["torture", "--rounds", "9"], ["python", "-m", "tests.torture", "--rounds", "9"]),
        (["fuzz", "--minutes", "9"], ["python", "-m", "tests.fuzzing", "--minutes", "9"]),
    ],
)
def test_arguments_reach_the_right_program(run: Any, arguments: list[str], command: list[str]) -> None:
    assert run.plan(arguments) == [command]


def test_pictures_are_taken_with_the_browser_of_the_tests(run: Any) -> None:
    browser, pictures = run.plan(["pictures", "start"])
    assert browser == run.plan(["test"])[-2]
    assert pictures == ["python", "-m", "tests.browser.pictures", "start"]


def test_set_up_alone_does_nothing_more(run: Any) -> None:
    assert run.plan(["setup"]) == []


def test_the_gate_is_the_checks_in_order_and_then_the_tests(run: Any) -> None:
    gate = run.plan(["test", "-k", "one thing"])
    assert [command[0] for command in gate] == ["ruff", "ruff", "mypy", "lint-imports", "deptry", "python", "pytest"]
    assert gate[:-2] == run.plan(["check"])
    assert gate[-2] == ["python", "-m", "tests.chromium"], "a browser, before what drives it"
    assert gate[-1] == ["pytest", "-n", "2", "--dist", "worksteal", "-k", "one thing"]


def test_the_lock_file_names_no_registry_and_holds_hashes(run: Any) -> None:
    (command,) = run.plan(["lock", "--upgrade"])
    assert {"--generate-hashes", "--no-emit-index-url", "--universal", "--upgrade"} <= set(command)
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_tools_work_in_the_projects_folder_and_commands_where_the_user_is(run: Any) -> None:
    assert run.belongs_to_root_folder(["mypy"])
    assert not run.belongs_to_root_folder(run.plan(["import", "file.json"])[0])


def test_help_needs_no_set_up(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--help"]) == 0
    assert "./run test" in capsys.readouterr().out
    assert not run.VENV.exists()


def test_the_project_can_be_imported_from_anywhere(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert run.environment()["PYTHONPATH"] == str(run.ROOT)
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    monkeypatch.setenv("STATE_DIR", "/kept")
    assert run.environment()["PYTHONPATH"] == f"{run.ROOT}{os.pathsep}/theirs"
    assert run.environment()["STATE_DIR"] == "/kept"
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in run.environment(), "else each start compiles everything anew"


# Set-up


def test_ready_only_with_a_stamp_of_this_lock_file_and_python(run: Any) -> None:
    assert not run.is_ready()
    _program(run, "python", "exit 0")
    assert not run.is_ready()
    run.STAMP.write_text(run.fingerprint(run.LOCK.read_bytes()))
    assert run.is_ready()
    run.LOCK.write_text("package==2\n")
    assert not run.is_ready()


def test_not_ready_when_the_python_behind_it_is_gone(run: Any) -> None:
    _program(run, "python", "exit 0")
    run.STAMP.write_text(run.fingerprint(run.LOCK.read_bytes()))
    (run.BIN / "python").unlink()
    (run.BIN / "python").symlink_to("/no/such/python")
    assert not run.is_ready()


def test_the_stamp_differs_between_versions_of_python(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = run.fingerprint(b"")
    monkeypatch.setattr(run.sys, "version_info", (3, 99, 0, "final", 0))
    assert run.fingerprint(b"") != here


def _with_working_uv(run: Any, uv: str) -> None:
    _program(run, "python", "exit 0")
    _program(run, "uv", f'[ "$1" = --version ] || {{ {uv}; }}')


def test_set_up_installs_once(run: Any) -> None:
    calls = run.ROOT / "calls"
    _with_working_uv(run, f'echo "$@" >> "{calls}"')
    run.set_up()
    run.set_up()
    (call,) = calls.read_text().splitlines()
    assert "--require-hashes" in call
    assert str(run.LOCK) in call
    run.LOCK.write_text("package==2\n")
    run.set_up()
    assert len(calls.read_text().splitlines()) == 2


def test_a_failed_installation_leaves_no_stamp(run: Any) -> None:
    _with_working_uv(run, "exit 1")
    run.STAMP.write_text("an old one")
    with pytest.raises(run.SetupError, match="installed"):
        run.set_up()
    assert not run.STAMP.exists()


def test_the_second_of_two_that_start_at_once_finds_it_done(run: Any) -> None:
    _with_working_uv(run, "exit 1")
    first = os.open(run.ROOT, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    with _begin(run, "setup") as second:
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.5)
        run.STAMP.write_text(run.fingerprint(run.LOCK.read_bytes()))
        os.close(first)
        assert second.wait(30) == 0


def test_says_what_to_install_when_no_environment_can_be_made(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def refuse(command: list[Any], *, quiet: bool = False) -> bool:
        tried.append(" ".join(map(str, command)))
        return False

    monkeypatch.setattr(run, "succeeds", refuse)
    with pytest.raises(run.SetupError, match="python3-venv"):
        run.set_up()
    assert any("--without-pip" in command for command in tried)
    assert any("virtualenv" in command for command in tried)


def test_a_set_up_that_fails_is_a_message_and_not_a_traceback(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "succeeds", lambda *_, **__: False)
    assert run.main(["token", "new"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Install Python's venv" in captured.err


# Steps


@pytest.fixture
def ready(run: Any) -> Any:
    """A set-up with tools that do nothing but say so."""
    for name in ("python", "ruff", "mypy", "lint-imports", "deptry", "pytest"):
        _program(run, name, f'echo "{name} $@ in $PWD"')
    run.STAMP.write_text(run.fingerprint(run.LOCK.read_bytes()))
    return run


def _finish(run: Any, *arguments: str) -> tuple[int, str, str]:
    with _begin(run, *arguments) as process:
        out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_the_gate_announces_each_step_and_passes_the_rest_to_pytest(ready: Any) -> None:
    code, out, err = _finish(ready, "test", "-k", "one thing")
    assert code == 0
    assert err.splitlines()[0] == "[1/7] ruff check . run"
    assert len(err.splitlines()) == len(out.splitlines()) == 7
    assert out.splitlines()[-1] == f"pytest -n 2 --dist worksteal -k one thing in {ready.ROOT}"


def test_the_first_step_that_fails_is_the_last(ready: Any) -> None:
    _program(ready, "mypy", "exit 3")
    code, out, err = _finish(ready, "test")
    assert code == 3
    assert "mypy failed" in err
    assert "lint-imports" not in out


def test_a_step_ended_by_a_signal_has_failed(ready: Any) -> None:
    _program(ready, "mypy", "kill -9 $$")
    assert _finish(ready, "check")[0] == 1


def test_a_missing_tool_is_a_failure(ready: Any) -> None:
    (ready.BIN / "deptry").unlink()
    code, _, err = _finish(ready, "check")
    assert code == 1
    assert "deptry is missing" in err


def test_a_command_takes_the_place_of_the_script_and_says_nothing_of_its_own(ready: Any) -> None:
    _program(ready, "python", 'echo "$$ $PYTHONPATH $PWD" "$@"; exit 7')
    with _begin(ready, "token", "new") as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 7
    assert out == f"{process.pid} {ready.environment()['PYTHONPATH']} {Path.cwd()} -m service.cli token new\n"
    assert err == ""


# The files that call it


def test_the_scripts_can_be_executed() -> None:
    for path in (ROOT / "run", ROOT / ".ci" / "run"):
        assert path.stat().st_mode & stat.S_IXUSR, path
        assert path.read_text().startswith("#!/usr/bin/env ")


def test_the_gate_of_the_machines_is_that_of_the_people() -> None:
    assert "./run test" in (ROOT / ".ci" / "run").read_text()
    assert "./run $(filter-out run,$@)" in (ROOT / "Makefile").read_text()
