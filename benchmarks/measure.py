"""What is measured: repeated figures with their medians and ranges, and the claims that they are held against."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.sender import Outcome


@dataclass(frozen=True, slots=True)
class Options:
    """How thoroughly a run measures."""

    repeats: int
    seconds: float
    seed: int
    connections: tuple[int, ...]
    writers: tuple[int, ...]
    events: tuple[int, ...]
    imports: tuple[int, ...]


@dataclass(slots=True)
class Series:
    """One thing measured several times."""

    unit: str
    values: list[float] = field(default_factory=list)
    typical: list[float] = field(default_factory=list)  # median latency of each repeat, in milliseconds
    slowest: list[float] = field(default_factory=list)  # the 99th percentile

    @property
    def median(self) -> float:
        """The median of the repeats."""
        return statistics.median(self.values)

    @property
    def p50(self) -> float:
        """The median of the repeats' median latencies, in milliseconds."""
        return statistics.median(self.typical)

    def add(self, outcome: Outcome, *, each: int = 1) -> None:
        """Takes in the outcome of a load whose every request stands for so many of the unit."""
        self.values.append(outcome.rate * each)
        self.typical.append(outcome.latency(0.5))
        self.slowest.append(outcome.latency(0.99))


@dataclass(frozen=True, slots=True)
class Claim:
    """What ours is compared with, and what the ratio should be."""

    what: str
    ours: str
    against: str
    ratio: float
    target: float | None
    at_most: bool = False
    spread: str = ""  # of the ratios of single repeats

    @property
    def is_met(self) -> bool:
        """Whether the ratio is what it should be."""
        if self.target is None:
            return True
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


class Report:
    """What a run has found so far."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._series: dict[str, Series] = {}
        self._claims: list[Claim] = []
        self._say = say

    def series(self, name: str, unit: str) -> Series:
        """The series of that name; a new one the first time."""
        return self._series.setdefault(name, Series(unit))

    def say(self, line: str) -> None:
        """A remark on how far the run has come."""
        self._say(line)

    def compare(self, what: str, ours: str, against: str, target: float | None = None) -> None:
        """Claims that one series is at least so many times another, repeat by repeat."""
        one, other = self._series[ours], self._series[against]
        ratios = [mine / theirs for mine, theirs in zip(one.values, other.values, strict=True)]
        spread = f" ({min(ratios):.3f} to {max(ratios):.3f})"
        shown = f"{_figure(other)} ({against})"
        self._claims.append(Claim(what, _figure(one), shown, statistics.median(ratios), target, spread=spread))

    def require(self, what: str, ours: str, at_least: float) -> None:
        """Claims that a series reaches a figure."""
        one = self._series[ours]
        self._claims.append(Claim(what, _figure(one), f"{at_least:,.0f} {one.unit}", one.median / at_least, 1.0))

    def bound(self, what: str, ours: tuple[str, float], against: tuple[str, float], at_most: float | None) -> None:
        """Claims that a figure is at most so many times another."""
        ratio = ours[1] / against[1]
        self._claims.append(Claim(what, ours[0], against[0], ratio, at_most, at_most=True))

    def compare_latency(
        self, what: str, ours: tuple[str, Series], against: tuple[str, Series], at_most: float | None
    ) -> None:
        """Claims that one series' median latency is at most so many times another's, repeat by repeat."""
        shown = [f"{series.p50:.2f} ms at {name}" for name, series in (ours, against)]
        ratios = [mine / other for mine, other in zip(ours[1].typical, against[1].typical, strict=True)]
        spread = f" ({min(ratios):.3f} to {max(ratios):.3f})"
        ratio = statistics.median(ratios)
        self._claims.append(Claim(what, shown[0], shown[1], ratio, at_most, at_most=True, spread=spread))

    def render(self) -> str:
        """Every measurement, then every claim, as Markdown tables."""
        return f"{_measurements(self._series)}\n\n{_claims(self._claims)}"


def _figure(series: Series) -> str:
    return f"{series.median:,.4g} {series.unit}" if series.median < 100 else f"{series.median:,.0f} {series.unit}"


def _measurements(series: Mapping[str, Series]) -> str:
    lines = ["| measured | median | range | latency, median | p99 |", "|---|---:|---:|---:|---:|"]
    for name, one in series.items():
        low, high = (
            f"{value:,.4g}" if value < 100 else f"{value:,.0f}" for value in (min(one.values), max(one.values))
        )
        p50 = f"{one.p50:.2f} ms" if one.typical else ""
        p99 = f"{statistics.median(one.slowest):.2f} ms" if one.slowest else ""
        lines.append(f"| {name} | {_figure(one)} | {low} to {high} | {p50} | {p99} |")
    return "\n".join(lines)


def _claims(claims: list[Claim]) -> str:
    lines = ["| what | ours | compared with | ratio | target | met |", "|---|---:|---:|---:|---:|---|"]
    for one in claims:
        target = "" if one.target is None else f"{'≤' if one.at_most else '≥'} {one.target:g}"
        met = "" if one.target is None else "yes" if one.is_met else "**no**"
        lines.append(f"| {one.what} | {one.ours} | {one.against} | {one.ratio:.3f}{one.spread} | {target} | {met} |")
    return "\n".join(lines)
