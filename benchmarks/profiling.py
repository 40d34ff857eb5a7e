"""Where the time goes: the server, or a command, under cProfile while a load runs on it."""

import io
import pstats
from collections.abc import Callable
from pathlib import Path

from benchmarks.append import WRITERS, single_requests
from benchmarks.load import Supply
from benchmarks.lookup import COUNTRY, HEADLINE, STATUS, Instants, Question, ask_anew, load_asked, write_lines
from benchmarks.machine import Machine, create_database, module, run
from benchmarks.measure import Options
from benchmarks.server import running_server
from benchmarks.whole_log import lines_of

_SHOWN = 25


def profile(machine: Machine, what: str, options: Options) -> str:
    """The functions that took most time of their own, and those that took most with what they called."""
    path = machine.folder / "profile"
    done, unit = _PROFILES[what](machine, options, path)
    out = io.StringIO()
    stats = pstats.Stats(str(path), stream=out)
    stats.sort_stats("tottime").print_stats(_SHOWN)
    stats.sort_stats("cumulative").print_stats("service", _SHOWN)
    note = "what `lifespan` or `poll` shows as time of its own is waiting: for requests, for PostgreSQL, for a core"
    return f"{what}: {done} {unit} under the profiler; {note}\n{out.getvalue()}"


def _append(machine: Machine, options: Options, path: Path) -> tuple[int, str]:
    url = create_database(machine, "profiled")
    with running_server(url, profile=path) as port:
        supply = Supply(single_requests(port, options.seed))
        outcome = supply.send(port, connections=WRITERS, seconds=options.seconds, at_most=20_000)
    return len(outcome.latencies), "statements"


def _asking(path_asked: str) -> Callable[[Machine, Options, Path], tuple[int, str]]:
    def ask(machine: Machine, options: Options, path: Path) -> tuple[int, str]:
        url = create_database(machine, "profiled")
        load_asked(machine, url, options.seed)
        with running_server(url, profile=path) as port:
            outcome = ask_anew(port, Question(path_asked), Instants(), connections=HEADLINE, seconds=options.seconds)
        return len(outcome.latencies), "requests"

    return ask


def _import(machine: Machine, options: Options, path: Path) -> tuple[int, str]:
    url = create_database(machine, "profiled")
    size = min(options.imports)
    file = write_lines(machine.folder / "profiled.jsonl", lines_of(options.seed, size))
    run(_profiled(path, "import", str(file)), url=url)
    return size, "statements"


def _rebuild(machine: Machine, options: Options, path: Path) -> tuple[int, str]:
    url = create_database(machine, "profiled")
    size = min(options.imports)
    file = write_lines(machine.folder / "profiled.jsonl", lines_of(options.seed, size))
    run(module("service.cli", "import", file), url=url)
    run(_profiled(path, "rebuild"), url=url)
    return size, "events"


def _profiled(path: Path, *words: str) -> list[str]:
    return module("cProfile", "-o", path, "-m", "service.cli", *words)


_PROFILES: dict[str, Callable[[Machine, Options, Path], tuple[int, str]]] = {
    "append": _append,
    "country": _asking(COUNTRY),
    "status": _asking(STATUS),
    "import": _import,
    "rebuild": _rebuild,
}
PROFILED = tuple(_PROFILES)
