"""Answers as of a point, through HTTP, beside a trivial endpoint of the same process and beside replaying the log."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

import orjson
import psycopg

from benchmarks.load import WARM_UP, ask, get, send
from benchmarks.machine import BenchError, Machine, create_database, module, query, run
from benchmarks.measure import Options, Report
from benchmarks.sender import Job, Outcome
from benchmarks.server import TRIVIAL, running_server
from benchmarks.statements import (
    ASKED_COALITION,
    ASKED_COUNTRY,
    ASKED_PLEDGES,
    COUNTRIES,
    Json,
    asked_statements,
    registration,
)
from service.database import register_json
from service.domain.kinds import FAMILIES
from service.domain.record import Effective
from service.domain.subject import Item, SubjectKey
from service.domain.timeline import fold, state_at
from service.log.codec import lift
from service.log.read import EventRow, read_events

COUNTRY = f"/v1/countries/{ASKED_COUNTRY}/commitments"
STATUS = f"/v1/coalitions/{ASKED_COALITION}/status"
HEADLINE = 8
_AS_OF = datetime(2025, 3, 1, tzinfo=UTC)  # after all that was said; a whole day has the same answer
_MOST_PER_SECOND = 12_000  # requests made ready for a job: more than a server of one process answers


@dataclass(frozen=True, slots=True)
class Question:
    """An address asked about: known now, or as known at an older position."""

    path: str
    known_position: int | None = None

    def at(self, as_of: datetime) -> str:
        """The question about an instant."""
        values = {"as_of": as_of.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "coalition": ASKED_COALITION}
        if self.path != COUNTRY:
            del values["coalition"]
        if self.known_position is not None:
            values["known_position"] = str(self.known_position)
        return f"{self.path}?{urlencode(values)}"


class Instants:
    """As-of instants that were not asked about before, so that nothing that is remembered helps."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def next(self) -> datetime:
        """The next microsecond."""
        return _AS_OF + timedelta(microseconds=next(self._numbers))


def ask_anew(port: int, question: Question, instants: Instants, *, connections: int, seconds: float) -> Outcome:
    """Asks about an instant of its own in every request."""
    requests = [get(question.at(instants.next())) for _ in range(round(_MOST_PER_SECOND * seconds / 4))]
    return send(Job(port, connections, seconds, requests))


def ask_again(port: int, path: str, *, connections: int, seconds: float) -> Outcome:
    """Asks the same in every request."""
    return send(Job(port, connections, seconds, [get(path)], again=True))


def measure_lookup(machine: Machine, options: Options, report: Report) -> None:
    """One country's commitments and a coalition's status: now and then, asked anew and asked again."""
    url = create_database(machine, "lookup")
    older = load_asked(machine, url, options.seed)
    with running_server(url) as port, running_server() as constant:
        check_answers(port, older)
        loads = _loads(port, constant, older)
        for load in loads.values():
            load(max(options.connections), WARM_UP)
        for repeat in range(options.repeats):
            report.say(f"c: looking up, {repeat + 1} of {options.repeats}")
            for connections in options.connections:
                for name, load in loads.items():
                    series = report.series(_named(name, connections), "requests/s")
                    series.add(load(connections, options.seconds))
    _replay(url, options, report)
    _claim(report, HEADLINE if HEADLINE in options.connections else options.connections[0])


def _loads(port: int, constant: int, older: int) -> dict[str, Callable[[int, float], Outcome]]:
    """What is measured in each repeat, one after the other."""
    instants = Instants()

    def anew(question: Question) -> Callable[[int, float], Outcome]:
        return lambda connections, seconds: ask_anew(port, question, instants, connections=connections, seconds=seconds)

    def again(at: int, path: str) -> Callable[[int, float], Outcome]:
        return lambda connections, seconds: ask_again(at, path, connections=connections, seconds=seconds)

    return {
        "constant bytes, no framework": again(constant, "/"),
        "trivial endpoint": again(port, TRIVIAL),
        "country, known now": anew(Question(COUNTRY)),
        "country, known then": anew(Question(COUNTRY, older)),
        "country, pinned, again": again(port, Question(COUNTRY, older).at(_AS_OF)),
        "status, known now": anew(Question(STATUS)),
        "status, known then": anew(Question(STATUS, older)),
        "status, pinned, again": again(port, Question(STATUS, older).at(_AS_OF)),
    }


def _named(name: str, connections: int) -> str:
    return f"{name}, {connections} conn."


def _claim(report: Report, connections: int) -> None:
    trivial = _named("trivial endpoint", connections)
    targets = {
        "country, known now": 0.2,
        "country, known then": 0.2,
        "country, pinned, again": 0.8,
        "status, known now": 0.05,
        "status, known then": 0.05,
        "status, pinned, again": None,
        "constant bytes, no framework": None,
    }
    for name, target in targets.items():
        report.compare(_named(name, connections), _named(name, connections), trivial, target)
    report.compare("one country, not replayed", _named("country, known now", connections), _REPLAY)


# --- the data ---------------------------------------------------------------------------------------------------------


def load_asked(machine: Machine, url: str, seed: int) -> int:
    """Records the coalition that is asked about; answers a position in the middle of it."""
    lines = [registration(ASKED_COALITION), *asked_statements(seed)]
    import_file(url, write_lines(machine.folder / "asked.jsonl", lines))
    head = query(url, "SELECT size FROM log_head")
    if head != len(lines):
        raise BenchError(f"The log holds {head} events instead of {len(lines)}.")
    return len(lines) * 3 // 4


def write_lines(path: Path, lines: list[Json]) -> Path:
    """A file for the import, one statement to a line."""
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


def import_file(url: str, path: Path) -> None:
    """Imports a file as a user would, and lets PostgreSQL look at what it then holds."""
    run(module("service.cli", "import", path), url=url)
    settle(url)


def settle(url: str) -> None:
    """What autovacuum would do in its time, now, so that no measurement waits for it or is disturbed."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")


def check_answers(port: int, older: int) -> list[Json]:
    """What is answered now and then: as many commitments as were made, else something else would be measured."""
    answers = [ask(port, Question(path, known).at(_AS_OF)) for path in (COUNTRY, STATUS) for known in (None, older)]
    for country in answers[:2]:
        if len(country["commitments"]) != ASKED_PLEDGES:
            raise BenchError(f"The asked country has {len(country['commitments'])} commitments, not {ASKED_PLEDGES}.")
    for status in answers[2:]:
        countries = {country for told in status["stances"].values() for actors in told.values() for country in actors}
        if countries != set(COUNTRIES):
            raise BenchError(f"The status tells of {len(countries)} countries, not {len(COUNTRIES)}.")
    return answers


# --- replaying --------------------------------------------------------------------------------------------------------

_REPLAY = "replayed from the log's events in Python"


def _replay(url: str, options: Options, report: Report) -> None:
    events = asyncio.run(_events_of_country(url))
    for _ in range(options.repeats):
        done, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < options.seconds / 2:
            _states(events)
            done += 1
        report.series(_REPLAY, "answers/s").values.append(done / spent)


async def _events_of_country(url: str) -> list[EventRow]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        register_json(connection)
        events = await read_events(connection, after=0, limit=10**6)
    return [event for event in events if ASKED_COUNTRY in orjson.loads(event.body).get("actors", ())]


def _states(events: list[EventRow]) -> dict[SubjectKey, bytes | None]:
    """The country's states, from nothing but the recorded events."""
    items: dict[SubjectKey, list[Item]] = {}
    for row in events:
        content, event = lift(row.kind, row.version, row.body)
        said = Effective(row.position, row.event_id, event, content, revision=row.position)
        for key in said.keys:
            item = said.item
            if key.actor == ASKED_COUNTRY and item is not None:
                items.setdefault(key, []).append(item)
    states: dict[SubjectKey, bytes | None] = {}
    for key, told in items.items():
        found = state_at(fold(FAMILIES[key.family], sorted(told, key=lambda item: item.order)), _AS_OF)
        states[key] = None if found is None else found.state
    return states
