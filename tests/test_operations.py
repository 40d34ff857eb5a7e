"""The guide for operators is followed from first to last, by somebody with a PostgreSQL of their own."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import yaml
from psycopg.conninfo import make_conninfo
from starlette.testclient import TestClient
from typer.testing import CliRunner

from service.access import hash_token
from service.cli import app as command_line
from service.main import create_app
from service.migrate import migrate
from service.postgres import find_binaries, private_postgres
from service.web.metrics import Metrics
from service.webhooks.cursors import Lag
from tests.processes import Reply, Server, environment, exchange, open_folder, serving
from tests.registry import settings_for, statement
from tests.test_docs import with_curl

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "operations.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
SERVES = "./run --no-seeds 2>> registry.log\n"
ASKED = tuple(
    f"/v1/{path}?as_of=2025-07-31&known_position=2"
    for path in ("countries/GB/commitments", "coalitions/willing/status")
)


def blocks(kind: str) -> list[str]:
    return [content for found, content in BLOCKS if found == kind]


@dataclass
class Operator:
    """Whoever follows the guide, line by line; a command of the service is called in this process."""

    folder: Path
    sockets: str
    names: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def follow(self, block: str, *, codes: tuple[int, ...] = (0,)) -> list[str]:
        """Does what a block says; what each of its commands said."""
        block = re.sub(r"registry:…@db\.example/(\w+)", rf"registry@/\1?host={quote(self.sockets, safe='')}", block)
        for written, meant in self.names.items():
            block = block.replace(written, meant)
        if "./run" not in block:
            return [self.shell(block, codes)]
        return [said for line in block.splitlines() if (said := self.line(line, codes)) is not None]

    def line(self, line: str, codes: tuple[int, ...]) -> str | None:
        """Does what one line says; nothing is said by one that only sets a variable."""
        words = shlex.split(line)
        if words[0] == "export":
            self.environment |= dict([words[1].split("=", 1)])
            return None
        if "./run" not in words:
            return self.shell(line, codes)
        ahead = words.index("./run")
        own = self.environment | dict(word.split("=", 1) for word in words[:ahead])
        done = CliRunner().invoke(command_line, list(self._files(words[ahead + 1 :])), env=own)
        assert done.exit_code in codes, f"{line}\n{done.output}"
        return done.stdout

    def _files(self, words: list[str]) -> Iterator[str]:
        for word in words:
            yield str(self.folder / word) if word.endswith(".jsonl") else word

    def shell(self, script: str, codes: tuple[int, ...]) -> str:
        """Runs what is no command of the service, as the administrator of the server where it is about that."""
        server = {"PGHOST": self.sockets, "PGUSER": "postgres"}
        path = f"{find_binaries()}{os.pathsep}{with_curl(self.folder)}"
        done = subprocess.run(
            ["bash", "-uc", script],
            cwd=self.folder,
            env=environment() | server | self.environment | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode in codes, f"{script}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def operator() -> Iterator[Operator]:
    """In a folder like a clone, with its .venv, and a server of which somebody else is the administrator.

    That is a private one, too: both ways of making a backup can be followed on it.
    """
    with open_folder() as folder:
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "statements.jsonl").write_text(json.dumps(statement()) + "\n")
        (folder / "registry.log").symlink_to(folder / "stderr")
        with private_postgres(folder / ".state") as url:
            with psycopg.connect(url, autocommit=True) as login:
                login.execute("CREATE ROLE postgres SUPERUSER LOGIN")
            with psycopg.connect(make_conninfo(url, user="postgres", dbname="postgres"), autocommit=True) as admin:
                admin.execute("ALTER DATABASE registry RENAME TO unused")
                admin.execute("ALTER ROLE registry RENAME TO unused")
                for order in filter(str.strip, blocks("sql")[0].split(";")):
                    admin.execute(order.encode())
                yield Operator(folder, admin.info.host)


def answers(url: str, *paths: str) -> list[object]:
    """What the service answers, without the rules that its states were made by."""
    with TestClient(create_app(settings_for(url))) as client:
        found = [client.get(path).json() for path in paths]
    for answer in found:
        answer["basis"].pop("rules_version")
    return found


def test_every_command_of_the_guide_does_what_it_says(operator: Operator) -> None:
    todo = iter(blocks("sh"))
    installing = next(todo)
    assert installing.endswith(SERVES)
    revision, looked, token = operator.follow(installing.removesuffix(SERVES))
    assert "NO " not in looked
    url = operator.environment["DATABASE_URL"]
    with serving(operator.folder, "--no-seeds", DATABASE_URL=url) as server:
        operator.names["http://127.0.0.1:8000"] = f"http://{server.host}:{server.port}"
        follow_access(operator, todo, server)
        follow_running(operator, todo, server, token)
        before = answers(url, *ASKED)
        operator.follow(next(todo))
        assert operator.follow(next(todo))[-1] == "ok\n"
        assert answers(make_conninfo(url, dbname="registry_restored"), *ASKED) == before
        operator.follow(next(todo))
        assert (operator.folder / "private.dump").stat().st_size > 10_000
        assert server.end() == 0
    as_an_earlier_version_left_it(url)
    migrated, looked = operator.follow(next(todo), codes=(0, 1))
    assert migrated == revision
    assert re.findall("NO .*: (.*)", looked) == ["run ./run rebuild"]
    assert operator.follow(next(todo)) == ["ok\n"]
    assert answers(url, *ASKED) == before
    assert next(todo, None) is None, "every block was followed"


def follow_access(operator: Operator, todo: Iterator[str], server: Server) -> None:
    """Tokens and people."""
    (token,) = operator.follow(next(todo))
    operator.names["3f0c9a1b7e24"] = hash_token(token.strip()).hex()[:12]
    listed, _ = operator.follow(next(todo))
    assert operator.names["3f0c9a1b7e24"] in listed
    assert send(server, token).status == 401
    added, linked, people = operator.follow(next(todo))
    assert added != linked
    assert "jane.doe\teditor\tinvited\tJane Doe" in people
    assert operator.follow(next(todo))[1] == "tokens revoked: 0\n"


def follow_running(operator: Operator, todo: Iterator[str], server: Server, token: str) -> None:
    """An import, the journal and the figures."""
    made = send(server, token)
    assert operator.follow(next(todo)) == ["1\n"], "one row was imported"
    operator.names["9f3a1c7be04d-1a"] = str(made.headers["X-Request-Id"])
    (lines,) = operator.follow(next(todo), codes=(0, 1))
    assert '"route":"/v1/coalitions","status":201' in lines
    (figures,) = operator.follow(next(todo))
    assert "registry_head_position 2.0\n" in figures


def send(server: Server, token: str) -> Reply:
    """Registers the coalition, with a token."""
    headers = {"Authorization": f"Bearer {token.strip()}", "Content-Type": "application/json"}
    return exchange(server.port, "POST", "/v1/coalitions", b'{"slug": "willing", "name": "Willing"}', headers)


def as_an_earlier_version_left_it(url: str) -> None:
    """Takes the database back to an earlier schema, with states that other rules made."""
    migrate(url, to="0006")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("SET ROLE registry_owner")
        owner.execute("UPDATE build SET rules_version = '0'")


def test_every_figure_is_in_the_guide() -> None:
    shown = Metrics().render(head=0, streams=0, lag=Lag(active=0, paused=0, switched_off=0, positions=0, seconds=0))
    names = re.findall(r"^# TYPE (registry_\w+) ", shown.decode(), re.MULTILINE)
    section = GUIDE.partition("## The figures")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`registry_.*?) \|", section, re.MULTILINE)
    assert {name for name in names if not name.endswith("_created")} == set(re.findall(r"\w+", " ".join(rows)))


def test_every_command_in_containers_names_a_service_and_a_command_that_there_are() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    other = yaml.safe_load(blocks("yaml")[0])["services"]
    assert set(other) <= set(services)
    commands = [line for block in blocks("shell") for line in block.splitlines() if line.startswith("docker")]
    assert commands
    for line in commands:
        words = [word for word in shlex.split(line) if not word.startswith("-")]
        assert words[:2] == ["docker", "compose"]
        assert words[2] in {"up", "logs", "exec", "run"}, line
        assert set(words[3:4]) <= set(services), line
        if "./run" in words:
            assert words[words.index("./run") + 1] in {"doctor", "token", "verify", "rebuild"}, line
