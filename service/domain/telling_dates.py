"""A date in plain words: what an EDTF expression says, so that whoever wrote one sees whether it says what is meant."""

import calendar
import re
from datetime import UTC, datetime
from typing import Final

from service.domain.dates import parse_edtf

_MONTHS: Final = tuple(calendar.month_name)
_SEASONS: Final = {"21": "spring", "22": "summer", "23": "autumn", "24": "winter"}
_SURE: Final = {"~": "about {}", "?": "{}, uncertain", "%": "about {}, uncertain"}
_BASES: Final = {"stated": "", "deduced": ", deduced", "published": ", the date of publication"}
_DAY: Final = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})")
_MONTH: Final = re.compile("([0-9]{4})-([0-9]{2})")
_DECADE: Final = re.compile("[0-9]{1,3}X{1,3}")


def tell_date(edtf: str) -> str:
    """The date in words, such as "on or before 17 March 2025"; raises ValueError for what is no date."""
    bounds = parse_edtf(edtf)
    if "/" not in edtf:
        return _single(edtf)
    start, _, end = edtf.partition("/")
    if start in ("", ".."):
        return f"{'on' if _is_day(end) else 'in'} or before {_single(end)}"
    if _is_day(start) and _is_day(end) and (bounds.earliest.year, bounds.earliest.month) == (
        bounds.latest.year, bounds.latest.month,
    ):  # fmt: skip
        return f"between {bounds.earliest.day} and {_single(end)}"
    return f"between {_single(start)} and {_single(end)}"


def tell_occurred(edtf: str, basis: str) -> str:
    """When something occurred, and how that is known: "on or before 17 March 2025, deduced"."""
    return f"{tell_date(edtf)}{_BASES[basis]}"


def tell_when(edtf: str) -> str:
    """The date with the word that belongs before it, in a sentence: "on 17 March 2025", "in March 2025"."""
    words = tell_date(edtf)
    has_one = "/" in edtf or "X" in edtf or edtf[-1] in "~%"  # between, on or before; some day of; about
    return words if has_one else f"{'on' if _is_day(edtf) else 'in'} {words}"


def tell_day(at: datetime) -> str:
    """The day of an instant, in UTC."""
    return _single(at.astimezone(UTC).date().isoformat())


def _is_day(text: str) -> bool:
    return "T" in text or _DAY.fullmatch(text.rstrip("~?%")) is not None


def _single(text: str) -> str:
    if text[-1] in _SURE:
        return _SURE[text[-1]].format(_single(text[:-1]))
    if "T" in text:
        at = parse_edtf(text).earliest
        seconds = f":{at.second:02}" if at.second or at.microsecond else ""
        return f"{at.day} {_MONTHS[at.month]} {at.year:04}, {at.hour:02}:{at.minute:02}{seconds} UTC"
    if "X" in text:
        return _unspecified(text)
    if day := _DAY.fullmatch(text):
        return f"{int(day[3])} {_MONTHS[int(day[2])]} {day[1]}"
    if month := _MONTH.fullmatch(text):
        return f"{_SEASONS.get(month[2]) or _MONTHS[int(month[2])]} {month[1]}"
    return text


def _unspecified(text: str) -> str:
    if _DECADE.fullmatch(text):
        return f"some year from {text.replace('X', '0')} to {text.replace('X', '9')}"
    year, month, *_ = text.split("-")
    if month == "XX":
        return f"some {'day' if text.count('-') > 1 else 'month'} of {year}"
    return f"some day of {_MONTHS[int(month)]} {year}"
