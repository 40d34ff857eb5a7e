"""What people write or pick for a date → EDTF."""

import re
from typing import Final, NamedTuple

from service.domain.dates import parse_edtf
from service.reading.mapping import Dates, Impossible, Order, Pattern
from service.reading.phrases import parse_phrase

WRITTEN: Final = tuple(
    Pattern(reads=reads, means=means)
    for reads, means in (
        ("on or before {date}", "../{date}"),
        ("in or before {date}", "../{date}"),
        ("by the end of {date}", "../{date}"),
        ("by {date}", "../{date}"),
        ("until {date}", "../{date}"),
        ("between {from} and {to}", "{from}/{to}"),
        ("from {from} to {to}", "{from}/{to}"),
        ("about {date}", "{date}~"),
        ("around {date}", "{date}~"),
        ("on {date}", "{date}"),
        ("in {date}", "{date}"),
    )
)
"""How dates are put into words."""
_DATES: Final = tuple(Dates(patterns=WRITTEN, order=order) for order in Order)
_NEARLY: Final = tuple(dates.model_copy(update={"impossible_days": Impossible.MONTH_END}) for dates in _DATES)
_LAST_DAYS: Final = re.compile("(?<![0-9])(?:29|30|31)(?![0-9])")
_SHARING: Final = re.compile(
    r"(?:(?:between|from) )?(?:(?P<day>[0-9]{1,2})(?: (?P<of>[^\W\d_]+))?|(?P<month>[^\W\d_]+))"
    r"(?: (?:and|to) | ?[-\u2013] ?)(?P<last>(?:[0-9]{1,2} )?(?P<in>[^\W\d_]+) (?P<year>[0-9]{4}))",
    re.IGNORECASE,
)
"""Two dates of which only the second says the month or the year: "between 21 and 22 March 2025", as pages tell them."""


class Precision(NamedTuple):
    """One way to say how precisely a date is known; how it is called, and the EDTF of it."""

    name: str
    words: str
    means: str


PRECISIONS: Final = (
    Precision("day", "on a day", "{date}"),
    Precision("month", "in a month", "{date}"),
    Precision("year", "in a year", "{date}"),
    Precision("by", "on or before", "../{date}"),
    Precision("between", "between two dates", "{date}/{until}"),
)
_LENGTHS: Final = {"day": 10, "month": 7, "year": 4}  # of a date to the day, the month, the year


def parse_written(text: str) -> str:
    """The EDTF of a date as people write it: EDTF itself, words such as "by 17 March 2025", or 25.11.2025.

    What is no date, or may be two, as 3/4/2025 may, stays as it was written: the model says what is wrong with it. So
    it does of a day that the calendar does not have, which is given as EDTF would write it.
    """
    try:
        parse_edtf(text)
    except ValueError:
        pass
    else:
        return text
    whole = _whole(text)
    read = {edtf for dates in _DATES if (edtf := _read(whole, dates))}
    if not read:
        return _no_such_day(whole) or text
    return read.pop() if len(read) == 1 else text


def _whole(text: str) -> str:
    """Two dates that share their month or their year, each with its own."""
    found = _SHARING.fullmatch(" ".join(text.split()))
    if found is None:
        return text
    first = f"{found['day']} {found['of'] or found['in']}" if found["day"] else found["month"]
    return f"between {first} {found['year']} and {found['last']}"


def _no_such_day(text: str) -> str | None:
    """The 31st of April, in EDTF; None for whatever else is no date."""
    read = {edtf for dates in _NEARLY if (edtf := _read(text, dates))}
    days = _LAST_DAYS.findall(text)
    return f"{read.pop()[:-2]}{days[0]}" if len(read) == len(days) == 1 else None


def _read(text: str, dates: Dates) -> str | None:
    try:
        phrase = parse_phrase(text, dates)
    except ValueError:
        return None
    return None if phrase is None else phrase.edtf


def parse_picked(precision: str, date: str, until: str, *, about: bool) -> str:
    """The EDTF of a date by its parts; raises ValueError, with a sentence, where they do not go together."""
    chosen = next((one for one in PRECISIONS if one.name == precision), None)
    if not date:
        raise ValueError("Write the date beside how precisely it is known.")
    if chosen is None and until:
        raise ValueError("A second date belongs to “between two dates”; choose that, or leave it out.")
    if chosen is not None and (chosen.name == "between") != bool(until):
        raise ValueError("Between two dates takes both of them; everything else takes one.")
    first, last = parse_written(date), parse_written(until)
    sign = "~" if about else ""
    if chosen is None:
        return first + sign
    longest = _LENGTHS.get(chosen.name)
    if longest is not None:
        if len(first) < longest:
            raise ValueError(f"A date {chosen.words} says more: write one such as {'2025-07-10'[:longest]}.")
        first = first[:longest]  # a day lies in its month, and in its year
    return chosen.means.format(date=first + sign, until=last + sign)
