"""Answers of constant size while the log grows: what is asked about stays, other coalitions come."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice, pairwise

import orjson

from benchmarks.load import WARM_UP
from benchmarks.lookup import (
    COUNTRY,
    HEADLINE,
    STATUS,
    Instants,
    Question,
    ask_again,
    ask_anew,
    check_answers,
    load_asked,
    settle,
)
from benchmarks.machine import BenchError, Machine, copy_database, create_database, module, query, run
from benchmarks.measure import Options, Report
from benchmarks.server import TRIVIAL, running_server
from benchmarks.statements import Json, coalition_slug, growing_statements, registration

_AT_ONCE = 100_000  # lines of a file of the import


def measure_growth(machine: Machine, options: Options, report: Report) -> None:
    """Latencies at each size of one growing log, of which a copy is kept at each size: the sizes take turns."""
    url = create_database(machine, "growing")
    older = load_asked(machine, url, options.seed)
    further, instants = _lines(options.seed), Instants()
    sizes = sorted(options.events)
    copies = {}
    for size in sizes:
        _grow(machine, url, size, further, report)
        copies[size] = copy_database(machine, "growing", f"grown_{size}")
        settle(copies[size])
    with ExitStack() as running:
        ports = {size: running.enter_context(running_server(copies[size])) for size in sizes}
        if len({orjson.dumps(check_answers(port, older)[1::2]) for port in ports.values()}) > 1:
            raise BenchError("What was known then is answered otherwise since the log has grown.")
        for port in ports.values():
            for question in _questions(older).values():
                ask_anew(port, question, instants, connections=HEADLINE, seconds=WARM_UP)
        for repeat in range(options.repeats):
            for size in sizes:
                report.say(f"d: asking at {size:,} events, {repeat + 1} of {options.repeats}")
                _measure(ports[size], older, size, instants, options, report)
    _claim(sizes, report)


def _lines(seed: int) -> Iterator[Json]:
    known = -1
    for number, one in growing_statements(seed):
        if number > known:
            yield registration(coalition_slug(number))
            known = number
        yield one


def _grow(machine: Machine, url: str, size: int, lines: Iterator[Json], report: Report) -> None:
    """Lets the log grow to a size, through the import."""
    before = _size(url)
    spent = 0.0
    while (missing := size - _size(url)) > 0:
        report.say(f"d: importing up to {size:,} events, {missing:,} to go")
        file = machine.folder / "growing.jsonl"
        with file.open("wb") as out:
            out.writelines(orjson.dumps(line) + b"\n" for line in islice(lines, min(missing, _AT_ONCE)))
        began = time.perf_counter()
        run(module("service.cli", "import", file), url=url)
        spent += time.perf_counter() - began
    settle(url)
    if _size(url) != size:
        raise BenchError(f"The log has {_size(url)} events instead of {size}.")
    if spent:
        report.series(f"import, from {before:,} to {size:,} events", "events/s").values.append((size - before) / spent)


def _size(url: str) -> int:
    size = query(url, "SELECT size FROM log_head")
    assert isinstance(size, int)
    return size


def _questions(older: int) -> dict[str, Question]:
    return {
        "country, known now": Question(COUNTRY),
        "country, known then": Question(COUNTRY, older),
        "status, known now": Question(STATUS),
        "status, known then": Question(STATUS, older),
    }


def _measure(port: int, older: int, size: int, instants: Instants, options: Options, report: Report) -> None:
    for connections in (1, HEADLINE):
        trivial = report.series(_named("trivial endpoint", connections, size), "requests/s")
        trivial.add(ask_again(port, TRIVIAL, connections=connections, seconds=options.seconds))
        for name, question in _questions(older).items():
            outcome = ask_anew(port, question, instants, connections=connections, seconds=options.seconds)
            report.series(_named(name, connections, size), "requests/s").add(outcome)


def _named(name: str, connections: int, size: int) -> str:
    return f"{name}, {connections} conn., {size:,} events"


def _claim(sizes: list[int], report: Report) -> None:
    """The last step of the growth is held to the targets; the ones before are shown beside it."""
    for one, other in pairwise(sizes):
        for name, target in (("country, known now", 1.2), ("country, known then", 2.0),
                             ("status, known now", None), ("status, known then", None)):  # fmt: skip
            for connections in (1, HEADLINE):
                what = f"latency of {name}, {connections} conn."
                ends = [(f"{size:,}", report.series(_named(name, connections, size), "")) for size in (one, other)]
                report.compare_latency(what, ends[1], ends[0], target if other == sizes[-1] else None)
