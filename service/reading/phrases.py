"""What people write for a date → EDTF, as far as a mapping says how it is meant. Nothing is guessed."""

import calendar
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from service.domain.dates import parse_edtf
from service.domain.statement import Basis
from service.reading.mapping import Dates, Impossible, Order, Pattern, fold

_MONTHS = {
    name.casefold(): number
    for names in (calendar.month_name, calendar.month_abbr, ("",) * 9 + ("sept",))
    for number, name in enumerate(names)
    if name
}
_ISO = re.compile(r"([0-9]{4})(?:[-/.]([0-9]{1,2})(?:[-/.]([0-9]{1,2}))?)?(?:[T ]00:00(?::00(?:\.0+)?)?)?")
_MIDNIGHT = re.compile(r"(.*[0-9]) 00:00(?::00)?")
_NUMBERS = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})")
_MONTH = re.compile(r"([0-9]{1,2})[-/.]([0-9]{4})")
_DAY_WORD = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?\.?[ -]([^\W\d_]+)\.?,?[ -]([0-9]{4})")
_WORD_DAY = re.compile(r"([^\W\d_]+)\.?[ -]([0-9]{1,2})(?:st|nd|rd|th)?,?[ -]([0-9]{4})")
_WORD_MONTH = re.compile(r"([^\W\d_]+)\.?,?[ -]([0-9]{4})")
_LONGEST_MONTH = 31
_YEARS = range(1, 10_000)
_LONGEST = 200


class Dated(NamedTuple):
    """A date in EDTF, and how it is known."""

    edtf: str
    basis: Basis


class _Date(NamedTuple):
    edtf: str
    as_written: bool = True


def parse_phrase(text: str, dates: Dates) -> Dated | None:
    """The date that a cell names; None where a pattern says that it names none.

    Raises ValueError, with the end of a sentence about the cell, for what no pattern reads.
    """
    plain = " ".join(text.split())[:_LONGEST]
    reasons: list[str] = []
    for pattern, form in _patterns(dates):
        match = form.fullmatch(plain)
        if match is None:
            continue
        try:
            found = {name: _parse_date(part.strip(), dates) for name, part in match.groupdict().items()}
        except ValueError as error:
            reasons.append(str(error))
            continue
        if not pattern.means:
            return None
        edtf = pattern.means
        for name, date in found.items():
            edtf = edtf.replace(f"{{{name.rstrip('_')}}}", date.edtf)
        try:
            parse_edtf(edtf)
        except ValueError as error:
            raise ValueError(f"comes to something that is no date: {error}") from None
        written = all(date.as_written for date in found.values())
        return Dated(edtf, (pattern.basis or dates.basis) if written else Basis.DEDUCED)
    raise ValueError(reasons[0] if reasons else "is no date that the mapping reads")


_PLAIN = Pattern(reads="{date}", means="{date}")


@lru_cache(maxsize=4096)  # more than one mapping has room for
def _compile(reads: str) -> re.Pattern[str]:
    """A pattern's form. A place reads no further than to what stands behind it: were other ways tried, as many as there
    are would be for each cell that it does not fit, and none could fit where this one does not.
    """
    first, *parts = re.split(r"\{(date|from|to)\}", " ".join(reads.split()))
    places = zip(parts[::2], parts[1::2], strict=True)
    made = [f"(?P<{_GROUPS[name]}>.+?){re.escape(behind)}" for name, behind in places]
    return re.compile(re.escape(first) + "".join([*(f"(?>{one})" for one in made[:-1]), *made[-1:]]), re.IGNORECASE)


_GROUPS = {"date": "date", "from": "from_", "to": "to"}


def _patterns(dates: Dates) -> Iterator[tuple[Pattern, re.Pattern[str]]]:
    """A bare date last: what a pattern says counts for more."""
    for pattern in (*dates.patterns, _PLAIN):
        yield pattern, _compile(pattern.reads)


def _parse_date(text: str, dates: Dates) -> _Date:
    midnight = _MIDNIGHT.fullmatch(text)
    text = midnight[1] if midnight else text
    if match := _ISO.fullmatch(text):
        return _dated(match[1], match[2], match[3], dates)
    if match := _NUMBERS.fullmatch(text):
        if dates.order is None:
            raise ValueError("does not say which number is the day: give the mapping's dates an `order`")
        day, month = (match[1], match[3]) if dates.order is Order.DAY_FIRST else (match[3], match[1])
        return _dated(match[4], month, day, dates)
    if match := _MONTH.fullmatch(text):
        return _dated(match[2], match[1], None, dates)
    if match := _DAY_WORD.fullmatch(text):
        return _dated(match[3], _month(match[2], dates), match[1], dates)
    if match := _WORD_DAY.fullmatch(text):
        return _dated(match[3], _month(match[1], dates), match[2], dates)
    if match := _WORD_MONTH.fullmatch(text):
        return _dated(match[2], _month(match[1], dates), None, dates)
    raise ValueError("is no date that the mapping reads")


def _month(word: str, dates: Dates) -> str:
    own = {fold(name): number for name, number in dates.months.items()}
    number = own.get(fold(word)) or _MONTHS.get(word.casefold())
    if number is None:
        raise ValueError("names a month that the mapping does not know")
    return str(number)


def _dated(year: str, month: str | None, day: str | None, dates: Dates) -> _Date:
    if int(year) not in _YEARS:
        raise ValueError("is outside the years 0001 to 9999")
    if month is None:
        return _Date(year)
    if not 1 <= int(month) <= len(calendar.month_name) - 1:
        raise ValueError("has a month that does not exist; look at the `order` of the mapping's dates")
    if day is None:
        return _Date(f"{year}-{int(month):02}")
    last = calendar.monthrange(int(year), int(month))[1]
    if 1 <= int(day) <= last:
        return _Date(f"{year}-{int(month):02}-{int(day):02}")
    if last < int(day) <= _LONGEST_MONTH and dates.impossible_days is Impossible.MONTH_END:
        return _Date(f"{year}-{int(month):02}-{last:02}", as_written=False)
    raise ValueError("is a day that the calendar does not have")
