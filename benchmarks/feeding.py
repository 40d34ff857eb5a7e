"""How soon two hundred listeners of the live feed hear what is recorded."""

import pickle
import subprocess
import sys
import time
from itertools import islice

from benchmarks.append import registered
from benchmarks.listener import Audience
from benchmarks.load import ask
from benchmarks.machine import BenchError, Machine, create_database, environment
from benchmarks.measure import Options, Report
from benchmarks.sender import Outcome
from benchmarks.server import running_server
from benchmarks.statements import Json

LISTENERS = 200
PER_SECOND = 20
_PROCESS = [sys.executable, "-c", "from benchmarks.listener import main; main()"]


def measure_feed(machine: Machine, options: Options, report: Report) -> None:
    """Statements recorded one after the other at an even pace, each sent to everybody."""
    with running_server(create_database(machine, "feed")) as port:
        supply = registered(port, options.seed)
        told = round(PER_SECOND * options.seconds)
        _tell(port, list(islice(supply, PER_SECOND)))  # queries prepared
        for repeat in range(options.repeats):
            report.say(f"f: listening, {repeat + 1} of {options.repeats}")
            outcome = _hear(Audience(port, LISTENERS, told, options.seconds), list(islice(supply, told)))
            series = report.series(f"live feed, {LISTENERS} listeners, {PER_SECOND} statements/s", "deliveries/s")
            series.add(outcome)


def _hear(audience: Audience, said: list[Json]) -> Outcome:
    """Records while a process of listeners listens; raises `BenchError` where anybody missed anything."""
    with subprocess.Popen(
        _PROCESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(pickle.dumps(audience))
        process.stdin.close()
        if process.stdout.readline() == b"listening\n":
            _tell(audience.port, said)
        found = process.stdout.read()
    outcome: Outcome = pickle.loads(found) if found else Outcome(fault="the listeners ended; see above")
    if outcome.fault:
        raise BenchError(f"Listening failed: {outcome.fault}")
    return outcome


def _tell(port: int, said: list[Json]) -> None:
    """Records statements at their pace."""
    began = time.perf_counter()
    for number, one in enumerate(said):
        time.sleep(max(began + number / PER_SECOND - time.perf_counter(), 0))
        ask(port, "/v1/statements", one)
