"""What goes through the whole log: a bulk import and a rebuild, their speed and their memory."""

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.lookup import settle, write_lines
from benchmarks.machine import BenchError, Machine, create_database, module, query, run
from benchmarks.measure import Options, Report
from benchmarks.statements import Json, coalition_slug, growing_statements, registration

_STARTER = Path(__file__).with_name("starter.py")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a command took: seconds, and the mebibytes that it held at most."""

    seconds: float
    mebibytes: float


def watch(command: Sequence[str], url: str) -> Spent:
    """Runs a command in a process of its own and sees what it takes, its start included."""
    began = time.perf_counter()
    said = run([sys.executable, "-I", "-S", str(_STARTER), *command], url=url)
    spent = time.perf_counter() - began
    peak = re.search(rb"peak (\d+)\s*$", said)
    if not peak:
        raise BenchError(f"The starter did not say how much memory {command[2:4]} took.")
    return Spent(spent, int(peak[1]) / 2**20)


def lines_of(seed: int, events: int) -> list[Json]:
    """The lines of an import that make so many events: each coalition's registration before its statements."""
    lines: list[Json] = []
    known = -1
    for number, one in islice(growing_statements(seed), events):
        if number > known:
            lines.append(registration(coalition_slug(number)))
            known = number
        lines.append(one)
    return lines[:events]


def measure_whole_log(machine: Machine, options: Options, report: Report) -> None:
    """Import and rebuild of logs of several sizes: the largest once, the others in every repeat."""
    sizes = sorted(options.imports)
    files = {size: write_lines(machine.folder / f"{size}.jsonl", lines_of(options.seed, size)) for size in sizes}
    for repeat in range(options.repeats):
        for size in sizes:
            if repeat == 0 or size != sizes[-1]:
                report.say(f"e: import and rebuild of {size:,} events, {repeat + 1} of {options.repeats}")
                _measure_size(machine, size, files[size], report)
    _claim(sizes, report)


def _measure_size(machine: Machine, size: int, file: Path, report: Report) -> None:
    url = create_database(machine, "whole")
    for name, words in (("import", ["import", str(file)]), ("rebuild", ["rebuild"])):
        spent = watch(module("service.cli", *words), url)
        report.series(_named(name, size), "events/s").values.append(size / spent.seconds)
        report.series(f"{_named(name, size)}: memory", "MiB").values.append(spent.mebibytes)
        settle(url)
    if query(url, "SELECT size FROM log_head") != size:
        raise BenchError(f"An import of {size} lines made a log of another length.")


def _named(name: str, size: int) -> str:
    return f"{name} of {size:,} events"


def _claim(sizes: Sequence[int], report: Report) -> None:
    report.require("import", _named("import", sizes[-1]), 1500)
    report.require("rebuild", _named("rebuild", sizes[-1]), 3000)
    if len(sizes) > 1:
        for name in ("import", "rebuild"):
            small, large = (
                report.series(f"{_named(name, size)}: memory", "MiB").median for size in (sizes[0], sizes[-1])
            )
            report.bound(f"peak memory of {name}", (f"{large:.0f} MiB at {sizes[-1]:,}", large),
                         (f"{small:.0f} MiB at {sizes[0]:,}", small), 1.2)  # fmt: skip
