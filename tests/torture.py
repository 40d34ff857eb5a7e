"""Kills the registry under load, again and again, and counts whether anything that it acknowledged is lost.

    python -m tests.torture --rounds 100 [--seed 7] [--writers 8] [--death server --death postmaster …]

Writers record statements, some in batches, some with an Idempotency-Key that they send again after a lost answer, until
they have one. Meanwhile something dies: the server, its PostgreSQL, one of PostgreSQL's processes; or it stands still
for a moment. In the end the log has to hold every acknowledged statement once and at its position, nothing that was
never sent, and no gap, and `verify` has to find it as it should be.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import secrets
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from service.postgres.system import command_line
from tests.processes import PATIENCE, Server, command, open_folder, wait_until
from tests.registry import Json, statement

COALITION = "willing"
_ANSWER_SECONDS = 30.0
_KINDS = ("pledge.stated", "position.stated", "warning.issued", "ceasefire.proposed")


class Death(StrEnum):
    """What happens to the registry in a round."""

    SERVER = "server"  # killed, and started again on the same state
    POSTMASTER = "postmaster"  # killed; the server has to start it again
    BACKEND = "backend"  # one of PostgreSQL's processes: PostgreSQL throws all others out and recovers
    PAUSE = "pause"  # the server stands still for a moment, and goes on
    PAUSE_AND_DEATH = "pause-and-death"  # it stands still, and is killed there


# --- what is sent, and what became of it ------------------------------------------------------------------------------


@dataclass(slots=True)
class Sent:
    """A request of one or more statements, told apart by their summaries, and where they were acknowledged to be."""

    summaries: tuple[str, ...]
    key: str | None
    positions: tuple[int, ...] = ()
    tries: int = 0


@dataclass(slots=True)
class Target:
    """Where the writers send to: it moves when the server is started again."""

    host: str
    port: int
    token: str


@dataclass
class Writers:
    """Threads that record statements until they are told to stop; each then still gets an answer to its last retry."""

    target: Target
    count: int
    seed: int
    retrying: bool = True  # whether half the requests have a key
    sent: list[list[Sent]] = field(init=False)
    surprises: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sent = [[] for _ in range(self.count)]

    @property
    def acknowledged(self) -> int:
        """How many requests were answered that they are recorded."""
        return self.statuses["201"]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Writes as long as the block lasts."""
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(self.count)]
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(2 * PATIENCE)

    def _write(self, number: int) -> None:
        """One writer: one request after the other."""
        chance = random.Random(f"{self.seed}/{number}")
        line = _Line(self.target)
        try:
            while not self._stop.is_set():
                one, contents = self._request(number, chance)
                self.sent[number].append(one)
                self._send(line, one, contents)
        except Exception as problem:  # noqa: BLE001 - whatever it was, the judge tells
            self.surprises.append(repr(problem))
        finally:
            line.hang_up()

    def _request(self, number: int, chance: random.Random) -> tuple[Sent, list[Json]]:
        size = chance.choice((1, 1, 1, 1, 2, 5))
        nth = len(self.sent[number])
        summaries = tuple(f"Writer {number}, request {nth}, part {part}." for part in range(size))
        contents = [_content(summary, chance) for summary in summaries]
        return Sent(summaries, secrets.token_hex(8) if self.retrying and chance.random() < 0.5 else None), contents

    def _send(self, line: "_Line", one: Sent, contents: list[Json]) -> None:
        """Sends a request; one with a key until it is answered, another once, whatever becomes of it."""
        path = "/v1/statements" if len(contents) == 1 else "/v1/statements/batch"
        body = json.dumps(contents[0] if len(contents) == 1 else contents)
        headers = {} if one.key is None else {"Idempotency-Key": one.key}
        deadline = time.monotonic() + 2 * PATIENCE
        while time.monotonic() < deadline:
            one.tries += 1
            status, answer = line.post(path, body, headers)
            self.statuses[str(status)] += 1
            if status == 201:
                events = [answer["event"]] if "event" in answer else answer["events"]
                one.positions = tuple(event["position"] for event in events)
                return
            still_running = status == 409 and one.key is not None and "still running" in answer["detail"]
            if status not in (0, 503) and not still_running:
                self.surprises.append(f"{status}: {answer}")
                return
            time.sleep(0.05)
            if one.key is None:
                return
        self.surprises.append(f"a request was not answered in {2 * PATIENCE:.0f} s")


class _Line:
    """A kept-alive connection of one writer, made anew after any failure."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: str, headers: dict[str, str]) -> tuple[int, Json]:
        """The status and the answer; 0 where there was none, so that nobody knows what became of it."""
        fixed = {"Authorization": f"Bearer {self._target.token}", "Content-Type": "application/json"}
        try:
            if self._connection is None:
                here = self._target
                self._connection = http.client.HTTPConnection(here.host, here.port, timeout=_ANSWER_SECONDS)
            self._connection.request("POST", path, body, fixed | headers)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            self.hang_up()
            return 0, {}

    def hang_up(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _content(summary: str, chance: random.Random) -> Json:
    """A statement of any date on one of some subjects, so that many are late and change what came after them."""
    kind = chance.choice(_KINDS)
    said = statement(
        kind,
        subject=f"subject-{chance.randrange(8)}",
        summary=summary,
        actors=chance.sample(("FR", "GB", "PL", "DE", "EE"), chance.choice((1, 1, 2))),
        occurred={"edtf": f"2025-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}", "basis": "stated"},
    )
    if kind == "position.stated":
        said["subject"] = said["body"]["topic"] = f"topic-{chance.randrange(8)}"
    return said


# --- the judge --------------------------------------------------------------------------------------------------------


def judge(writers: Writers, events: Sequence[Json]) -> list[str]:
    """Where the log does not hold what was acknowledged, as sentences."""
    found = list(writers.surprises)
    if [event["position"] for event in events] != list(range(1, len(events) + 1)):
        found.append("the positions are not 1…n")
    places: dict[str, list[int]] = {}
    for event in events:
        if event["type"] != "coalition.registered":
            places.setdefault(event["data"]["summary"], []).append(event["position"])
    for line in writers.sent:
        for one in line:
            found += _judge_request(one, [places.pop(summary, []) for summary in one.summaries])
        positions = [position for one in line for position in one.positions]
        if any(after <= before for before, after in pairwise(positions)):
            found.append("a request that was sent after an answer stands before it")
    found += [f"nobody sent {summary!r}" for summary in places]
    return found


def _judge_request(one: Sent, places: list[list[int]]) -> Iterator[str]:
    if one.positions:
        if [list(each) for each in zip(one.positions, strict=True)] != places:
            yield f"{one} was acknowledged, and stands at {places}"
    elif any(len(place) > 1 for place in places):
        yield f"{one} was recorded more than once: {places}"
    elif any(places) and not all(places):
        yield f"of {one} only a part was recorded: {places}"
    if one.key is not None and not one.positions:
        yield f"{one} was never answered"
    recorded = [place[0] for place in places if place]
    if recorded != list(range(recorded[0], recorded[0] + len(recorded)) if recorded else []):
        yield f"{one} is not recorded in one piece: {places}"


# --- the rounds -------------------------------------------------------------------------------------------------------


@dataclass
class Torture:
    """A registry of its own, its writers, and what is done to it."""

    folder: Path
    seed: int
    writers_count: int = 6
    chance: random.Random = field(init=False)
    server: Server = field(init=False)
    statuses: Counter[str] = field(default_factory=Counter)  # how often each was answered; 0 stands for no answer

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    @property
    def state(self) -> Path:
        """The folder of the private PostgreSQL and the token."""
        return self.folder / "state"

    def run(self, deaths: Sequence[Death], *, between: tuple[int, int] = (100, 300), loud: bool = False) -> list[str]:
        """Does one thing after the other, each after so many more acknowledgements; answers what is wrong."""
        self._start()
        try:
            self._register()
            target = Target(self.server.host, self.server.port, self.server.token)
            writers = Writers(target, self.writers_count, self.seed, statuses=self.statuses)
            found: list[str] = []
            with writers.writing():
                for number, death in enumerate(deaths, start=1):
                    found += self._go_on(writers, self.chance.randrange(*between))
                    time.sleep(self.chance.random() / 20)
                    self._do(death)
                    target.host, target.port = self.server.host, self.server.port
                    if loud:
                        say(f"[{number}/{len(deaths)}] {death}: {dict(writers.statuses)}")
                    if found or writers.surprises:
                        break
                found += self._go_on(writers, self.chance.randrange(*between))
            found += judge(writers, self.server.events())
            if self.server.end() != 0:
                found.append("the server did not end well")
        finally:
            self.server.kill()
        verified = command("verify", STATE_DIR=str(self.state))
        if (verified.returncode, verified.stdout) != (0, "ok\n"):
            found.append(f"verify: {verified.stdout}{verified.stderr}")
        if loud or found:
            say(f"seed {self.seed}: {dict(self.statuses)} (0: no answer)")
        return found

    def _start(self) -> None:
        self.server = Server(self.folder, "--no-seeds", STATE_DIR=str(self.state))

    def _register(self) -> None:
        line = _Line(Target(self.server.host, self.server.port, self.server.token))
        status, answer = line.post("/v1/coalitions", json.dumps({"slug": COALITION, "name": "Willing"}), {})
        line.hang_up()
        assert status == 201, answer

    def _go_on(self, writers: Writers, more: int) -> list[str]:
        """Waits for so many more acknowledgements."""
        wanted = writers.acknowledged + more
        if wait_until(lambda: writers.acknowledged >= wanted or writers.surprises):
            return []
        return [f"the writers did not get on: {dict(writers.statuses)}\n{self.server.said()}"]

    def _do(self, death: Death) -> None:
        if death in (Death.PAUSE, Death.PAUSE_AND_DEATH):
            self.server.process.send_signal(signal.SIGSTOP)
            time.sleep(self.chance.random() / 2)
        match death:
            case Death.SERVER | Death.PAUSE_AND_DEATH:
                self.server.kill()
                self._start()
            case Death.PAUSE:
                self.server.process.send_signal(signal.SIGCONT)
            case Death.POSTMASTER:
                kill_own(self.postmaster())
            case Death.BACKEND:
                kill_own(self.chance.choice(self._children() or [self.postmaster()]))

    def postmaster(self) -> int:
        """The process of the private PostgreSQL; it may be starting just now."""
        data = self.state.resolve() / "postgres" / "data"

        def find() -> int:
            with contextlib.suppress(OSError, ValueError, IndexError):
                pid = int((data / "postmaster.pid").read_text().split()[0])
                if f"postgres -D {data} " in command_line(pid):
                    return pid
            return 0

        assert wait_until(find), "there is no PostgreSQL"
        return find()

    def _children(self) -> list[int]:
        listed = Path(f"/proc/{self.postmaster()}/task/{self.postmaster()}/children")
        return [int(pid) for pid in listed.read_text().split()] if listed.exists() else []


def kill_own(pid: int) -> None:
    """Kills a process of this registry, if it has not ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        if pid:
            os.kill(pid, signal.SIGKILL)


def torture(deaths: Sequence[Death], *, seed: int, writers: int, loud: bool) -> list[str]:
    """Tortures a fresh registry; answers what is wrong with it afterwards."""
    with open_folder(large=True) as folder:
        return Torture(folder, seed, writers).run(deaths, loud=loud)


def say(line: str) -> None:
    """A remark, on standard error."""
    sys.stderr.write(line + "\n")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="./run torture", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="how many deaths (default 20)")
    parser.add_argument("--writers", type=int, default=6, help="how many writers at once (default 6)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of what is left to chance")
    parser.add_argument("--death", type=Death, action="append", choices=list(Death), help="only these kinds")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    deaths = [chance.choice(given.death or list(Death)) for _ in range(given.rounds)]
    say(f"seed {given.seed}")
    found = torture(deaths, seed=given.seed, writers=given.writers, loud=True)
    for line in found:
        say(line)
    say("something is wrong" if found else "ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
