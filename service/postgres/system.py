"""What the operating system is asked for: programs to be run, processes to be started, locks to be held."""

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE_WITH_OTHERS = 300.0
"""Seconds until another process has started or stopped the server."""


class PostgresError(Exception):
    """The private PostgreSQL cannot be used; the message says where, and what to do."""


@dataclass(frozen=True)
class Account:
    """The unprivileged user that the server runs as when we are root: PostgreSQL refuses to be root."""

    uid: int
    gid: int


def run(
    command: Sequence[str | Path],
    account: Account | None = None,
    *,
    text: str = "",
    environment: Mapping[str, str] | None = None,
    inherited: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Runs a short command of this module's own making, in a folder that every account can read."""
    return subprocess.run(  # noqa: S603 - no shell sees the words, and none comes from outside
        [os.fspath(word) for word in command],
        check=False,
        cwd="/",
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE_WITH_OTHERS,
        env=environment,
        pass_fds=inherited,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def last_lines(text: str) -> str:
    """The end of what a program has said."""
    return "\n".join(text.strip().splitlines()[-15:])


def try_lock(lock: int) -> bool:
    """Takes an open lock file for oneself alone, unless somebody holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether something comes to be so within some time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@contextlib.contextmanager
def operating_system_errors(state_dir: Path) -> Iterator[None]:
    """Says of what the system refuses where that was, and what to do."""
    try:
        yield
    except (OSError, subprocess.SubprocessError) as problem:
        raise PostgresError(
            f"The private PostgreSQL in {state_dir} cannot be used: {problem}. Mend that, or set STATE_DIR "
            "to a folder that you may write to."
        ) from problem


def spawn(
    command: Sequence[str | Path],
    log: Path,
    lock: int,
    *,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Starts a process that outlives us, and gives its pid.

    A shell starts it and ends at once, so that it is not our child to wait for. It has a session of its own,
    where the terminal's Ctrl-C does not reach it, and it inherits the lock.
    """
    script = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
    shell = ["/bin/sh", "-c", script, "sh", log, *command]
    result = run(shell, account, environment=environment, inherited=(lock,))
    if result.returncode != 0:
        raise PostgresError(f"{command[0]} could not be started: {result.stderr.strip()}")
    return int(result.stdout)


def command_line(pid: int) -> str:
    """The words of a living process; nothing for one that is gone, or dead and not yet waited for."""
    if not Path("/proc/self").exists():
        return run(["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)]).stdout
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return os.fsdecode(words.replace(b"\0", b" "))
