"""The calendar room: what a date as written says about the instants it can mean.

Sources rarely name an instant. They say "in March", "last winter", "on or before the 17th". Such dates are
kept as EDTF expressions (ISO 8601-2, levels 0 and 1) exactly as given, and everything that compares them asks
here for their bounds: the first and the last instant, UTC, that the expression can mean. A qualifier
(``~ ? %``) says how sure the source is, not how wide the period is, so it leaves the bounds alone.

The EDTF library sits behind `parse_edtf` and sees only single periods that it reads well (seasons and
unspecified digits). Its intervals lose open starts and qualified seasons, its instants forget their time, and
it is a thousand times slower than a regular expression.
"""

import re
import warnings
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import ModuleType
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, Field

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
"""Stands for an open start."""
END: Final = datetime.max.replace(tzinfo=UTC)
"""Stands for an open end."""
TICK: Final = timedelta(microseconds=1)
"""The smallest step between two instants."""

MAX_LENGTH: Final = 64
"""Longer than any expression of level 0 or 1."""

_PERIOD: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_INSTANT: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_LOCAL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+")
_SEASON: Final = re.compile(r"[0-9]{4}-2[1-4]")
_SEASONS: Final = frozenset({"21", "22", "23", "24"})
# Level 1 leaves digits unspecified from the right only; level 2 forms (2025-X1, 20X5) stay out.
_UNSPECIFIED: Final = re.compile(r"[0-9](?:[0-9]{2}X|[0-9]XX|XXX)|[0-9]{4}-(?:XX|(?:XX|[0-9]{2})-XX)")
_DECODED_PLUS: Final = re.compile(r" (?=[0-9]{2}:[0-9]{2}\Z)")

_WINTER: Final = "24"
_MONTHS: Final = 12
_MAX_OFFSET_HOURS: Final = 23
_MAX_MINUTES: Final = 59

_LAST_HOUR: Final = timedelta(days=1) - TICK

HELP: Final = (
    "Send an EDTF expression such as 2025-07-10, 2025-03, 2025, 2025-11~, 2025-21 (spring), 202X, "
    "2025-03-24/2025-03-30, ../2025-03-17 (on or before) or 2025-07-10T14:30:00Z."
)
"""What may be sent for a date."""
_AS_OF_HELP: Final = (
    "Send a date such as 2025-07-10 (the end of that day, UTC), a month such as 2025-07, a year such as "
    "2025, or an instant with its offset such as 2025-07-10T14:30:00Z."
)
_INSTANT_HELP: Final = (
    "Send an RFC 3339 instant with its offset, such as 2025-07-10T14:30:00Z or 2025-07-10T16:30:00+02:00."
)
_LOCAL_TIME: Final = (
    "A time needs its offset from UTC: write 2025-07-10T14:30:00Z or 2025-07-10T16:30:00+02:00, "
    "with at most six digits of a second and nothing behind the offset."
)
_NO_SUCH_DATE: Final = "That date does not exist in the calendar. Send one that does, such as 2025-02-28."
_NO_SUCH_TIME: Final = (
    "That time does not exist: hours run from 00 to 23, minutes and seconds from 00 to 59 (leap seconds are "
    "not taken). Send one such as 2025-07-10T14:30:00Z."
)
_OUT_OF_RANGE: Final = "Years run from 0001 to 9999. Send one with four digits, such as 2025."


class Bounds(NamedTuple):
    """The first and the last instant, both included and both UTC, that a date can mean."""

    earliest: datetime
    latest: datetime


@lru_cache(maxsize=16_384)
def parse_edtf(text: str) -> Bounds:
    """Which instants can the expression mean?

    Takes EDTF of levels 0 and 1: years, months, days, seasons, qualifiers, unspecified digits, instants
    with an offset, and intervals of these with an open or unknown start. A season is the meteorological one
    of the northern hemisphere; winter runs from December of the named year to the end of the next February,
    so that it never counts as past before it is.

    Raises ValueError, with a sentence that says what to send instead, for anything else.
    """
    _require_plain(text, HELP)
    if "/" not in text:
        return _parse_single(text)
    start, _, end = text.partition("/")
    if "/" in end:
        raise ValueError(
            "An interval has one start and one end, as in 2025-03-24/2025-03-30; a day is written like 2025-07-10."
        )
    if end in ("", ".."):
        raise ValueError("An interval needs a known end, as in 2025-03-24/2025-03-30 or ../2025-03-17.")
    earliest = BEGINNING if start in ("", "..") else _parse_single(start).earliest
    latest = _parse_single(end).latest
    if earliest > latest:
        raise ValueError("The interval ends before it starts. Put the earlier date first: 2025-03-24/2025-03-30.")
    return Bounds(earliest, latest)


def parse_as_of(text: str) -> datetime:
    """Up to which instant does a question about this date ask?

    A day, month or year means through its end, UTC; an RFC 3339 instant means itself. The space that an
    unescaped ``+`` of an offset becomes in a query string is read as the ``+``.

    Raises ValueError, with a sentence that says what to send instead, for anything else.
    """
    _require_plain(text, _AS_OF_HELP)
    period = _parse_period(text)
    return period.latest if period else _parse_rfc3339(text, _AS_OF_HELP)


def parse_instant(text: str) -> datetime:
    """Which instant, in UTC, does the RFC 3339 text name?

    Raises ValueError for a mere date and for anything else that is not an instant with its offset.
    """
    _require_plain(text, _INSTANT_HELP)
    return _parse_rfc3339(text, _INSTANT_HELP)


def render_instant(d: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, always to the microsecond, so that equal instants are equal texts.

    Raises ValueError for a datetime without an offset: it names no instant.
    """
    if d.utcoffset() is None:
        raise ValueError("An instant needs an offset from UTC.")
    return d.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def render_day(edtf: str) -> str:
    """Write the last day (UTC) that the expression can mean: 2025-03 gives 2025-03-31."""
    return parse_edtf(edtf).latest.date().isoformat()


def _require_plain(text: str, help_: str) -> None:
    if not text:
        raise ValueError(f"The date is empty. {help_}")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"The date is longer than {MAX_LENGTH} characters. {help_}")
    if not text.isascii():
        raise ValueError(f"A date is written in plain digits and ASCII signs. {help_}")


def _parse_single(text: str) -> Bounds:
    bare = text[:-1] if text[-1:] in ("~", "?", "%") else text
    period = _parse_period(bare)
    if period:
        return period
    if _SEASON.fullmatch(bare) or _UNSPECIFIED.fullmatch(bare):
        return _parse_with_library(bare)
    instant = _parse_offset_time(text)
    if instant:
        return Bounds(instant, instant)
    raise ValueError(_reason(text))


def _parse_period(text: str) -> Bounds | None:
    """Read a plain year, month or day; None when the text has another form."""
    match = _PERIOD.fullmatch(text)
    if not match:
        return None
    year, month, day = match.groups()
    if month in _SEASONS and not day:
        return None
    if year == "0000":
        raise ValueError(_OUT_OF_RANGE)
    try:
        first = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    except ValueError:
        raise ValueError(_NO_SUCH_DATE) from None
    if day:
        return Bounds(first, first + _LAST_HOUR)
    return Bounds(first, _end_of_month(first.year, first.month if month else _MONTHS))


def _end_of_month(year: int, month: int) -> datetime:
    if month < _MONTHS:
        return datetime(year, month + 1, 1, tzinfo=UTC) - TICK
    return datetime(year, month, 31, tzinfo=UTC) + _LAST_HOUR


def _parse_with_library(text: str) -> Bounds:
    """Let the EDTF library find the first and last day of a season or of unspecified digits."""
    if text.startswith("0000"):
        raise ValueError(_OUT_OF_RANGE)
    edtf = _library()
    try:
        parsed = edtf.parse_edtf(text)
    except edtf.EDTFParseException:
        raise ValueError(_NO_SUCH_DATE) from None
    first, last = parsed.lower_strict(), parsed.upper_strict()
    # Unspecified digits may reach back to a year 0 (00XX), which no datetime holds.
    earliest = datetime(first.tm_year, first.tm_mon, first.tm_mday, tzinfo=UTC) if first.tm_year else BEGINNING
    if text.endswith("-" + _WINTER):
        return Bounds(earliest, END if first.tm_year == END.year else _end_of_month(first.tm_year + 1, 2))
    return Bounds(earliest, datetime(last.tm_year, last.tm_mon, last.tm_mday, tzinfo=UTC) + _LAST_HOUR)


@lru_cache(maxsize=1)
def _library() -> ModuleType:
    with warnings.catch_warnings():
        # Its grammar trips pyparsing's diagnostics while it is imported; they are not about our input.
        warnings.simplefilter("ignore")
        import edtf  # noqa: PLC0415 - 0.2 s that most processes never need
    return edtf


def _parse_rfc3339(text: str, help_: str) -> datetime:
    instant = _parse_offset_time(_DECODED_PLUS.sub("+", text).upper())
    if instant:
        return instant
    raise ValueError(_LOCAL_TIME if _LOCAL.match(text) else f"That cannot be read as a point in time. {help_}")


def _parse_offset_time(text: str) -> datetime | None:
    """Read an instant with its offset; None when the text has another form."""
    match = _INSTANT.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    if year == "0000":
        raise ValueError(_OUT_OF_RANGE)
    try:
        midnight = datetime(int(year), int(month), int(day), tzinfo=UTC)
    except ValueError:
        raise ValueError(_NO_SUCH_DATE) from None
    try:
        written = midnight.replace(
            hour=int(hour),
            minute=int(minute),
            second=int(second or 0),
            microsecond=int((fraction or "").ljust(6, "0")),
        )
    except ValueError:
        raise ValueError(_NO_SUCH_TIME) from None
    return _to_utc(written, sign, offset_hours, offset_minutes)


def _to_utc(written: datetime, sign: str | None, hours: str | None, minutes: str | None) -> datetime:
    if not sign:
        return written
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if int(hours or 0) > _MAX_OFFSET_HOURS or int(minutes or 0) > _MAX_MINUTES:
        raise ValueError("An offset runs from -23:59 to +23:59, as in 2025-07-10T16:30:00+02:00.")
    try:
        return written - offset if sign == "+" else written + offset
    except OverflowError:
        raise ValueError(_OUT_OF_RANGE) from None


def _reason(text: str) -> str:
    """Say what is wrong with a text that has none of the known forms."""
    if text.startswith("-") or re.match(r"Y-?[0-9]", text):
        return _OUT_OF_RANGE
    if re.match(r"[0-9]+E[0-9]", text):
        return f"Years with an exponent are not taken. {_OUT_OF_RANGE}"
    if _LOCAL.match(text):
        return _LOCAL_TIME
    if text in ("", ".."):
        return f"A date cannot be open on its own. {HELP}"
    return f"That is not a date the registry can read. {HELP}"


def _require_edtf(text: str) -> str:
    parse_edtf(text)
    return text


Edtf = Annotated[
    str,
    Field(
        max_length=MAX_LENGTH,
        description=(
            "A date as precise as it is known: an EDTF expression (ISO 8601-2, levels 0 and 1). A day, "
            "month, year, season, instant with offset, or an interval, whose start may be open "
            "(`../2025-03-17`, on or before). `~` approximate, `?` uncertain, `%` both, `X` an unspecified "
            "digit."
        ),
        examples=["2025-07-10", "2025-11~", "../2025-03-17", "2025-03-24/2025-03-30", "2025-07-10T14:30:00Z"],
        json_schema_extra={"format": "edtf"},
    ),
    AfterValidator(_require_edtf),
]
"""A partial date, checked and kept exactly as given; its bounds are `parse_edtf` of it."""
