"""How fast the registry is, beside what its parts could do at best: `./run bench --help`.

Everything is compared within one run, as figures of different machines, or of different days, say little.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.append import measure_batches, measure_single
from benchmarks.feeding import measure_feed
from benchmarks.growth import measure_growth
from benchmarks.lookup import measure_lookup
from benchmarks.machine import BenchError, Machine, describe, running_machine
from benchmarks.measure import Options, Report
from benchmarks.profiling import PROFILED, profile
from benchmarks.whole_log import measure_whole_log
from service.postgres import PostgresError

PARTS: dict[str, Callable[[Machine, Options, Report], None]] = {
    "a": measure_single,
    "b": measure_batches,
    "c": measure_lookup,
    "d": measure_growth,
    "e": measure_whole_log,
    "f": measure_feed,
}
_THOROUGH = Options(
    repeats=5, seconds=3.0, seed=1, connections=(1, 8, 16), writers=(4, 16),
    events=(10_000, 100_000, 1_000_000), imports=(10_000, 100_000),
)  # fmt: skip
_QUICK = Options(
    repeats=2, seconds=1.0, seed=1, connections=(8,), writers=(8,), events=(5_000, 20_000), imports=(5_000, 20_000)
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("--only", type=_parts, default=tuple(PARTS), metavar="a,b,…",
                        help="a append, b batches, c look-up, d growth, e import and rebuild, f live feed")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="two short repeats on small logs: whether it works")
    parser.add_argument("--repeats", type=_positive, help=f"default {_THOROUGH.repeats}")
    parser.add_argument("--seconds", type=float, help=f"of each measurement; default {_THOROUGH.seconds}")
    parser.add_argument("--events", type=_sizes, metavar="N,N,…", help="sizes of the growing log (d)")
    parser.add_argument("--imports", type=_sizes, metavar="N,N,…", help="sizes of the imported logs (e)")
    parser.add_argument("--seed", type=int, default=_THOROUGH.seed, help="of the data")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure on; default the temporary one")
    parser.add_argument("--profile", choices=PROFILED, help="instead: where the time of one of these goes")
    return parser


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    if not set(parts) <= set(PARTS):
        raise argparse.ArgumentTypeError(f"the parts are {', '.join(PARTS)}")
    return parts


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(_positive(size) for size in text.split(",")))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _options(given: argparse.Namespace) -> Options:
    base = _QUICK if given.quick else _THOROUGH
    return Options(
        repeats=given.repeats or base.repeats,
        seconds=given.seconds or base.seconds,
        seed=given.seed,
        connections=base.connections,
        writers=base.writers,
        events=given.events or base.events,
        imports=given.imports or base.imports,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what the arguments ask for and prints it; gives the exit status, 1 where anything went wrong."""
    given = _parser().parse_args(arguments)
    options = _options(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it has started, as Ctrl-C does
    try:
        with running_machine(given.folder) as machine:
            if given.profile:
                print(profile(machine, given.profile, options))
                return 0
            report = Report(_say)
            for part in given.only:
                PARTS[part](machine, options, report)
            print(f"{report.render()}\n\n{describe(machine)}; {options.repeats} repeats of {options.seconds:g} s")
    except (BenchError, PostgresError) as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
