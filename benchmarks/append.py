"""Recording through HTTP, one statement or a hundred to a request, beside what PostgreSQL does with bare rows."""

from collections.abc import Iterator
from itertools import islice

import orjson

from benchmarks.load import WARM_UP, Supply, ask, post
from benchmarks.machine import BenchError, Machine, create_database, flush_rate, query
from benchmarks.measure import Options, Report
from benchmarks.pgbench import Pgbench
from benchmarks.server import running_server
from benchmarks.statements import coalition_slug, growing_statements
from service.domain.kinds import parse_statement
from service.domain.statement import canonical

WRITERS = 16
FLUSHING = 0.5  # seconds
BATCH = 100
_MOST_PER_SECOND = 8_000  # requests made ready for a job: more than a server of one process takes
_MOST_BATCHES_PER_SECOND = 100


def measure_single(machine: Machine, options: Options, report: Report) -> None:
    """One statement to a request, by sixteen writers."""
    pgbench = Pgbench(machine, typical_body(options.seed))
    url = create_database(machine, "single")
    with running_server(url) as port:
        supply = Supply(single_requests(port, options.seed))
        supply.send(port, connections=WRITERS, seconds=WARM_UP, at_most=_MOST_PER_SECOND)
        for repeat in range(options.repeats):
            report.say(f"a: appending, {repeat + 1} of {options.repeats}")
            report.series("the disk alone, 8 KiB", "flushes/s").values.append(flush_rate(machine, FLUSHING))
            outcome = supply.send(
                port, connections=WRITERS, seconds=options.seconds, at_most=round(_MOST_PER_SECOND * options.seconds)
            )
            report.series("append, 16 writers", "statements/s").add(outcome)
            for name, locked in (("pgbench, 1 row, lock", True), ("pgbench, 1 row, no order", False)):
                rows = pgbench.insert(rows=1, locked=locked, clients=WRITERS, seconds=options.seconds)
                report.series(name, "rows/s").values.append(rows)
    _check_log(url)
    report.compare("append: ordered, folded, provable", "append, 16 writers", "pgbench, 1 row, lock", 0.6)
    report.compare("append beside unordered rows", "append, 16 writers", "pgbench, 1 row, no order")


def measure_batches(machine: Machine, options: Options, report: Report) -> None:
    """A hundred statements to a request, by several numbers of writers."""
    pgbench = Pgbench(machine, typical_body(options.seed))
    url = create_database(machine, "batches")
    with running_server(url) as port:
        supply = Supply(batch_requests(port, options.seed))
        supply.send(port, connections=max(options.writers), seconds=WARM_UP, at_most=_MOST_BATCHES_PER_SECOND)
        for repeat in range(options.repeats):
            report.say(f"b: appending by the hundred, {repeat + 1} of {options.repeats}")
            for writers in options.writers:
                at_most = round(_MOST_BATCHES_PER_SECOND * options.seconds)
                outcome = supply.send(port, connections=writers, seconds=options.seconds, at_most=at_most)
                report.series(f"batches of 100, {writers} writers", "statements/s").add(outcome, each=BATCH)
                for locked in (True, False):
                    name = f"pgbench, 100 rows, {'lock' if locked else 'no order'}, {writers} clients"
                    rows = pgbench.insert(rows=BATCH, locked=locked, clients=writers, seconds=options.seconds)
                    report.series(name, "rows/s").values.append(rows)
    _check_log(url)
    for writers in options.writers:
        report.compare(
            f"batches of 100, {writers} writers", f"batches of 100, {writers} writers",
            f"pgbench, 100 rows, lock, {writers} clients", 0.1,
        )  # fmt: skip


def typical_body(seed: int) -> bytes:
    """The stored body of a statement, for the rows that pgbench inserts."""
    bodies = [_stored(one) for _, one in islice(growing_statements(seed), 200)]
    return sorted(bodies, key=len)[len(bodies) // 2]


def _stored(statement: dict[str, object]) -> bytes:
    return canonical(parse_statement(statement).content())


def single_requests(port: int, seed: int) -> Iterator[bytes]:
    """Requests of one statement each, in coalitions that are registered before their first statement is sent."""
    return (post("/v1/statements", orjson.dumps(one)) for one in registered(port, seed))


def batch_requests(port: int, seed: int) -> Iterator[bytes]:
    """Requests of a hundred statements each."""
    statements = registered(port, seed)
    while True:
        yield post("/v1/statements/batch", orjson.dumps(list(islice(statements, BATCH))))


def registered(port: int, seed: int) -> Iterator[dict[str, object]]:
    """Statements, each after its coalition was registered."""
    known = -1
    for number, one in growing_statements(seed):
        if number > known:
            ask(port, "/v1/coalitions", {"slug": coalition_slug(number), "name": coalition_slug(number)})
            known = number
        yield one


def _check_log(url: str) -> None:
    """The log has no gap, and as many events as its head says."""
    wrong = query(
        url,
        "SELECT format('%s events, last position %s, head %s', count(*), max(position), (SELECT size FROM log_head)) "
        "FROM event HAVING count(*) <> max(position) OR count(*) <> (SELECT size FROM log_head)",
    )
    if wrong is not None:
        raise BenchError(f"The log is not gap-free: {wrong}.")
