"""The registry as real processes: commands, and servers of which a test knows the address; each ends with its test."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from service.postgres.system import command_line
from service.settings import Settings
from tests.registry import Json

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 90.0  # seconds for anything that a process does; two busy cores are slow
_CLI = [sys.executable, "-m", "service.cli"]
_STARTER = [sys.executable, "-I", "-S", str(ROOT / "benchmarks" / "starter.py")]


def environment(**settings: str) -> dict[str, str]:
    """Ours, without any setting of the registry but those given, and without rate limits unless they are."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    unlimited = {"READS_PER_MINUTE": "0", "WRITES_PER_MINUTE": "0"}
    return kept | {"PYTHONPATH": str(ROOT)} | unlimited | settings


_SWIFT_ROOM = 2 << 30  # bytes


def swift_place() -> Path:
    """Where databases of tests are kept: in memory where that has 2 GiB of room, unless TMPDIR says where.

    Each database is some three hundred files, which disks make slowly. What a test kills are processes, and whatever
    those have written outlives them in either place.
    """
    memory = Path("/dev/shm")
    with contextlib.suppress(OSError):
        spacious = os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free >= _SWIFT_ROOM
        if spacious and "TMPDIR" not in os.environ:
            return memory
    return Path(tempfile.gettempdir())


@contextmanager
def open_folder(*, large: bool = False) -> Iterator[Path]:
    """A folder that every account can enter, as PostgreSQL's has to when root runs the tests; it leaves no server.

    ``large`` is one that is to hold more than tests put into theirs.
    """
    made = Path(tempfile.mkdtemp(prefix="registry-", dir=None if large else swift_place()))
    made.chmod(0o755)
    try:
        yield made
    finally:
        ended = wait_until(lambda: not servers_below(made), 30)
        shutil.rmtree(made, ignore_errors=True)
    assert ended, "a PostgreSQL was left behind"


def servers_below(folder: Path) -> list[int]:
    """The postmasters whose data are below a folder."""
    found = []
    # A walk passes over a folder that is renamed under it, which a cluster is once it is made; a glob fails.
    for data in [Path(parent, "postmaster.pid") for parent, _, files in os.walk(folder) if "postmaster.pid" in files]:
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(data.read_text().split()[0])
            if f"postgres -D {data.parent} " in command_line(pid):
                found.append(pid)
    return found


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def command(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of the service to its end; what it says is kept, and is never a traceback."""
    return _run([*_CLI, *map(str, arguments)], settings)


def watched(*arguments: str | Path, **settings: str) -> tuple[str, int]:
    """What a command of the service says, run to its end, and the bytes of memory that it held at most."""
    said, _, peak = _run([*_STARTER, *_CLI, *map(str, arguments)], settings).stdout.rpartition("\npeak ")
    return said, int(peak)


def _run(words: list[str], settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        env=environment(**settings),
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def begin(*arguments: str | Path, **settings: str) -> subprocess.Popen[bytes]:
    """Starts a command of the service, of which nothing is wanted but that it runs."""
    return subprocess.Popen(
        [*_CLI, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(**settings),
    )


class Reply(NamedTuple):
    """What was answered, read to its end."""

    status: int
    headers: Message
    body: bytes

    @property
    def content(self) -> Any:
        """The body, of JSON."""
        return json.loads(self.body)


def exchange(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """One request on a connection of its own; raises `OSError` or `HTTPException` where it is cut off."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Server:
    """A running service, started like any user does; what it says on standard error is kept in a file."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self._said = folder / "stderr"
        with self._said.open("ab") as said:
            self.process = subprocess.Popen(
                [*_CLI, "serve", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env=environment(PORT="0", **settings),
            )
        address = self._read("address:")
        self.host, _, port = address.removeprefix("http://").rpartition(":")
        self.port = int(port)
        self.token = self._read("token:")
        self.way_in = self._read("sign in:")

    def _read(self, name: str) -> str:
        """The rest of the next line, which has to begin with a name."""
        assert self.process.stdout
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line.startswith(name):
            self.kill()
            raise AssertionError(f"the server did not start: {line!r}\n{self.said()}")
        return line.removeprefix(name).strip()

    def said(self) -> str:
        """What it said on standard error."""
        return self._said.read_text(errors="replace")

    def get(self, path: str) -> Any:
        """The JSON at an address, which must be there."""
        reply = exchange(self.port, "GET", path)
        assert reply.status == 200, reply.body
        return reply.content

    def events(self) -> list[Json]:
        """The whole log."""
        found: list[Json] = []
        after: int | None = 0
        while after is not None:
            page = self.get(f"/v1/events?limit=500&after={after}")
            found += page["items"]
            after = page["next"]
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ends it with a signal that it heeds; gives its exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends it at once, if it runs."""
        self.process.kill()
        self.process.wait(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()


@contextmanager
def serving(folder: Path, *arguments: str, **settings: str) -> Iterator[Server]:
    """A server that is gone afterwards; its state is below the folder unless the settings say otherwise."""
    below: dict[str, str] = {} if "DATABASE_URL" in settings else {"STATE_DIR": str(folder / "state")}
    server = Server(folder, *arguments, **(settings | below))
    try:
        yield server
    finally:
        server.kill()
