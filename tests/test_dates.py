"""Dates as written, and the instants that they can mean."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from service.domain.dates import (
    BEGINNING,
    END,
    TICK,
    Bounds,
    Edtf,
    parse_as_of,
    parse_edtf,
    parse_instant,
    render_day,
    render_instant,
)

DAYS = st.dates()
OFFSETS = st.integers(-(24 * 60 - 1), 24 * 60 - 1).map(timedelta).map(lambda d: timezone(d / (24 * 60)))
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS)  # noqa: DTZ001
QUALIFIERS = st.sampled_from(["", "~", "?", "%"])


@pytest.fixture(autouse=True, scope="module")
def library() -> None:
    """Load the EDTF library before a property test is timed."""
    parse_edtf("2025-21")


@st.composite
def periods(draw: st.DrawFn) -> str:
    """Any single date of level 0 or 1 within the calendar."""
    day = draw(DAYS)
    year = f"{day.year:04}"
    month = f"{year}-{day.month:02}"
    season = f"{year}-{draw(st.integers(21, 24))}"
    forms = [year, month, day.isoformat(), season, f"{year[:3]}X", f"{year[:2]}XX", f"{year[0]}XXX"]
    forms += [f"{year}-XX", f"{month}-XX", f"{year}-XX-XX"]
    return draw(st.sampled_from(forms)) + draw(QUALIFIERS)


def utc(text: str) -> datetime:
    """Shorten the tables: an ISO instant without its zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def last(day: str) -> datetime:
    """Give the last instant of a day."""
    return utc(day) + timedelta(days=1) - TICK


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("2025-07-10", utc("2025-07-10"), last("2025-07-10")),
        ("2025-03", utc("2025-03-01"), last("2025-03-31")),
        ("2024-02", utc("2024-02-01"), last("2024-02-29")),
        ("2025", utc("2025-01-01"), last("2025-12-31")),
        ("9999", utc("9999-01-01"), END),
        ("9999-12-31", utc("9999-12-31"), END),
        ("0001", BEGINNING, last("0001-12-31")),
        ("2025-21", utc("2025-03-01"), last("2025-05-31")),
        ("2025-22", utc("2025-06-01"), last("2025-08-31")),
        ("2025-23", utc("2025-09-01"), last("2025-11-30")),
        ("2025-24", utc("2025-12-01"), last("2026-02-28")),
        ("2023-24", utc("2023-12-01"), last("2024-02-29")),
        ("9999-24", utc("9999-12-01"), END),
        ("2025-21~", utc("2025-03-01"), last("2025-05-31")),
        ("202X", utc("2020-01-01"), last("2029-12-31")),
        ("20XX", utc("2000-01-01"), last("2099-12-31")),
        ("2XXX", utc("2000-01-01"), last("2999-12-31")),
        ("0XXX", BEGINNING, last("0999-12-31")),
        ("2025-XX", utc("2025-01-01"), last("2025-12-31")),
        ("2024-02-XX", utc("2024-02-01"), last("2024-02-29")),
        ("2025-XX-XX", utc("2025-01-01"), last("2025-12-31")),
        ("2025-03-XX?", utc("2025-03-01"), last("2025-03-31")),
        ("2025-03-24/2025-03-30", utc("2025-03-24"), last("2025-03-30")),
        ("2025-03/2025-04-05", utc("2025-03-01"), last("2025-04-05")),
        ("2025-03-10/2025-03", utc("2025-03-10"), last("2025-03-31")),
        ("2025/2025", utc("2025-01-01"), last("2025-12-31")),
        ("2025-11~/2026-24?", utc("2025-11-01"), last("2027-02-28")),
        ("2025-XX/2026-XX", utc("2025-01-01"), last("2026-12-31")),
        ("../2025-03-17", BEGINNING, last("2025-03-17")),
        ("../2025-22", BEGINNING, last("2025-08-31")),
        ("/2025", BEGINNING, last("2025-12-31")),
        ("2025-07-10T14:30:00Z/2025-07-11", utc("2025-07-10T14:30"), last("2025-07-11")),
    ],
)
def test_a_date_means_every_instant_of_what_it_names(text: str, earliest: datetime, latest: datetime) -> None:
    assert parse_edtf(text) == Bounds(earliest, latest)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2025-07-10T14:30:00Z", utc("2025-07-10T14:30:00")),
        ("2025-07-10T14:30Z", utc("2025-07-10T14:30:00")),
        ("2025-07-10T14:30:00.5Z", utc("2025-07-10T14:30:00.500000")),
        ("2025-07-10T14:30:00.000001Z", utc("2025-07-10T14:30:00.000001")),
        ("2025-07-10T14:30:00+02:00", utc("2025-07-10T12:30:00")),
        ("2025-07-10T20:30-05:30", utc("2025-07-11T02:00:00")),
        ("2025-07-10T14:30:00-00:00", utc("2025-07-10T14:30:00")),
    ],
)
def test_an_instant_means_itself_in_utc(text: str, instant: datetime) -> None:
    assert parse_edtf(text) == Bounds(instant, instant)
    assert parse_instant(text) == parse_as_of(text) == instant


BAD_FOR_ALL = {
    "nothing": "",
    "blank": " ",
    "words": "last winter",
    "a day that does not exist": "2025-02-30",
    "a leap day in a common year": "2025-02-29",
    "a leap day in a common century": "1900-02-29",
    "a thirteenth month": "2025-13",
    "a month nought": "2025-00",
    "a day nought": "2025-01-00",
    "one digit of a month": "2025-1",
    "the year nought": "0000",
    "the first day of the year nought": "0000-01-01",
    "an instant in the year nought": "0000-01-01T00:00:00Z",
    "a negative year": "-0100",
    "a year beyond 9999": "12025",
    "a long year": "Y170000",
    "an exponent year": "Y2E4",
    "a bare exponent": "2025E2",
    "a local time": "2025-07-10T14:30:00",
    "an hour alone": "2025-07-10T14Z",
    "hour 24": "2025-07-10T24:00:00Z",
    "minute 60": "2025-07-10T14:60:00Z",
    "a leap second": "2016-12-31T23:59:60Z",
    "a leap second east of Greenwich": "2017-01-01T00:59:60+01:00",
    "seven digits of a second": "2025-07-10T14:30:00.1234567Z",
    "a point without digits": "2025-07-10T14:30:00.Z",
    "an offset of a day": "2025-07-10T14:30:00+24:00",
    "an offset of sixty minutes": "2025-07-10T14:30:00+01:60",
    "an offset without a colon": "2025-07-10T14:30:00+0200",
    "an instant before the calendar": "0001-01-01T00:00:00+01:00",
    "an instant after the calendar": "9999-12-31T23:59:59-01:00",
    "an instant on a day that does not exist": "2025-02-30T14:30:00Z",
    "an open end": "2025/..",
    "an unknown end": "2025/",
    "open at both ends": "../..",
    "a lone solidus": "/",
    "two dots": "..",
    "an old word for open": "open/2025",
    "an interval turned round": "2026/2025",
    "an interval turned round by a day": "2025-03-18/2025-03-17",
    "an interval turned round within a year": "2025-12/2025-03-05",
    "an interval with a bad start": "2025-02-30/2025-03-01",
    "an interval with a bad end": "2025-02-28/2025-02-30",
    "an interval of three": "2025/2026/2027",
    "a day with solidi": "10/7/2025",
    "trailing text": "2025-07-10 or so",
    "leading space": " 2025-07-10",
    "a trailing newline": "2025-07-10\n",
    "a newline in front": "\n2025-07-10",
    "two qualifiers": "2025~?",
    "a qualified instant": "2025-07-10T14:30:00Z~",
    "level 2 qualification": "2025?-07-10",
    "level 2 digits": "2025-1X",
    "a hidden tens digit": "20X5",
    "a hidden year": "XXXX",
    "a hidden month of a known day": "2025-XX-05",
    "a day of a season": "2025-21-XX",
    "a hidden day of month 13": "2025-13-XX",
    "a hidden month of the year nought": "0000-XX",
    "a level 2 season": "2025-25",
    "a season of the year nought": "0000-21",
    "a set": "{2025,2026}",
    "one of a set": "[2025,2026]",
    "significant digits": "2025S2",
    "the basic format": "20250710",
    "a week": "2025-W10",
    "an ordinal day": "2025-191",
    "fullwidth digits": "２０２５-07-10",  # noqa: RUF001
    "Arabic digits": "٢٠٢٥",
    "a true minus": "2025\u221207\u221210",
    "a null": "2025\0",
    "too much": "2025-07-10" + "~" * 60,
    "far too much": "9" * 100_000,
}


@pytest.mark.parametrize("text", BAD_FOR_ALL.values(), ids=BAD_FOR_ALL.keys())
def test_what_is_no_date_is_refused_with_a_sentence_and_an_example(text: str) -> None:
    for parse in (parse_edtf, parse_as_of, parse_instant):
        with pytest.raises(ValueError) as refusal:
            parse(text)
        message = str(refusal.value)
        assert message.endswith(".")
        assert "such as" in message or ": write" in message or "as in" in message or "first:" in message
        assert len(message) < 400


@pytest.mark.parametrize("text", ["<script>", "2031-02-30", "2031-13-XX", "2031/..", "2031-05-05T10:00:00"])
def test_a_refusal_does_not_repeat_what_was_sent(text: str) -> None:
    for parse in (parse_edtf, parse_as_of, parse_instant):
        with pytest.raises(ValueError) as refusal:
            parse(text)
        assert text not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("2025-02-30", "does not exist in the calendar"),
        ("2025-13", "does not exist in the calendar"),
        ("2026/2025", "ends before it starts"),
        ("2025-07-10T14:30:00", "needs its offset"),
        ("2025/..", "needs a known end"),
        ("2025/", "needs a known end"),
        ("-0100", "from 0001 to 9999"),
        ("Y170000", "from 0001 to 9999"),
        ("Y2E4", "from 0001 to 9999"),
        ("2016-12-31T23:59:60Z", "leap seconds"),
        ("", "empty"),
        ("２０２５", "ASCII"),  # noqa: RUF001
        ("2025-07-10 or so", "not a date"),
        ("2" * 65, "longer than 64"),
    ],
)
def test_a_refusal_names_what_is_wrong(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_edtf(text)


@given(st.text(max_size=70) | st.text("0123456789-/XT:.Z+~?%Y ", max_size=40))
@example("2025-X1/..")
def test_any_text_has_ordered_bounds_or_a_value_error(text: str) -> None:
    try:
        bounds = parse_edtf(text)
    except ValueError:
        return
    assert BEGINNING <= bounds.earliest <= bounds.latest <= END
    assert bounds.earliest.utcoffset() == bounds.latest.utcoffset() == timedelta(0)


@given(periods())
def test_every_period_of_the_calendar_is_read_from_midnight_to_the_last_microsecond(text: str) -> None:
    bounds = parse_edtf(text)
    assert bounds.earliest <= bounds.latest
    assert bounds.earliest.time() == BEGINNING.time()
    assert bounds.latest.time() == END.time()


@given(DAYS)
def test_a_day_lies_in_its_month_and_the_month_in_its_year_and_the_year_in_its_decade(day: date) -> None:
    text = day.isoformat()
    widening = [parse_edtf(form) for form in (text, text[:7], text[:4], text[:3] + "X", text[:2] + "XX")]
    for inner, outer in pairwise(widening):
        assert outer.earliest <= inner.earliest <= inner.latest <= outer.latest


@given(DAYS, QUALIFIERS)
def test_a_qualifier_does_not_widen_the_bounds(day: date, qualifier: str) -> None:
    for text in (day.isoformat(), day.isoformat()[:7], day.isoformat()[:4]):
        assert parse_edtf(text + qualifier) == parse_edtf(text)


@given(DAYS.filter(lambda day: day < date.max))
def test_a_day_ends_one_tick_before_the_next_begins(day: date) -> None:
    following = day + timedelta(days=1)
    assert parse_edtf(day.isoformat()).latest + TICK == parse_edtf(following.isoformat()).earliest


@given(periods(), periods())
def test_an_interval_runs_from_the_first_instant_of_its_start_to_the_last_of_its_end(one: str, other: str) -> None:
    start, end = sorted((one, other), key=parse_edtf)
    bounds = parse_edtf(f"{start}/{end}")
    assert bounds == Bounds(parse_edtf(start).earliest, parse_edtf(end).latest)
    assert bounds.earliest <= parse_edtf(end).earliest
    assert parse_edtf(f"../{end}") == parse_edtf(f"/{end}") == Bounds(BEGINNING, parse_edtf(end).latest)


@given(periods(), periods())
def test_an_interval_that_ends_before_it_starts_is_refused(one: str, other: str) -> None:
    start, end = sorted((one, other), key=parse_edtf)
    assume(parse_edtf(start).latest < parse_edtf(end).earliest)
    with pytest.raises(ValueError, match="ends before it starts"):
        parse_edtf(f"{end}/{start}")


@given(INSTANTS)
def test_an_instant_survives_being_written_and_read(instant: datetime) -> None:
    text = render_instant(instant)
    assert parse_instant(text) == parse_as_of(text) == instant
    assert parse_instant(text).utcoffset() == timedelta(0)
    assert parse_edtf(text) == Bounds(instant, instant)
    assert len(text) == 27


@given(INSTANTS)
def test_an_offset_changes_how_an_instant_is_written_and_not_which_it_is(instant: datetime) -> None:
    written = instant.isoformat(timespec="microseconds")
    assert parse_instant(written) == parse_as_of(written) == parse_edtf(written).earliest == instant
    decoded = written.replace("+", " ")
    assert parse_instant(decoded) == parse_as_of(decoded) == instant


@given(INSTANTS, INSTANTS)
def test_written_instants_sort_as_the_instants_do(one: datetime, other: datetime) -> None:
    assert (render_instant(one) < render_instant(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2025-07-10", "2025-07-10T23:59:59.999999Z"),
        ("2025-07", "2025-07-31T23:59:59.999999Z"),
        ("2024-02", "2024-02-29T23:59:59.999999Z"),
        ("2025", "2025-12-31T23:59:59.999999Z"),
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000Z"),
        ("2026-11-22T10:00:00+02:00", "2026-11-22T08:00:00.000000Z"),
        ("2026-11-22T10:00:00 02:00", "2026-11-22T08:00:00.000000Z"),
        ("2026-11-22t10:00:00z", "2026-11-22T10:00:00.000000Z"),
    ],
)
def test_as_of_a_date_means_through_its_end(text: str, written: str) -> None:
    assert render_instant(parse_as_of(text)) == written


@pytest.mark.parametrize(
    "text", ["2025~", "2025-21", "202X", "2025/2026", "../2025", "now", "2026-11-22 10:00:00Z", "2025-07-10Z"]
)
def test_as_of_takes_neither_vague_dates_nor_intervals(text: str) -> None:
    with pytest.raises(ValueError, match="such as 2025-07-10"):
        parse_as_of(text)


@pytest.mark.parametrize("text", ["2025-07-10", "2025-07", "2025"])
def test_a_mere_date_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_instant(text)


def test_a_time_without_an_offset_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="offset"):
        render_instant(datetime(2025, 7, 10))  # noqa: DTZ001


def test_open_bounds_can_be_written_and_read() -> None:
    assert render_instant(BEGINNING) == "0001-01-01T00:00:00.000000Z"
    assert render_instant(END) == "9999-12-31T23:59:59.999999Z"
    assert parse_instant(render_instant(BEGINNING)) == BEGINNING
    assert parse_instant(render_instant(END)) == END


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-03", "2025-03-31"),
        ("2025-07-10", "2025-07-10"),
        ("../2025-03-17", "2025-03-17"),
        ("2025-03-24/2025-03-30", "2025-03-30"),
        ("2025-07-10T23:30:00-02:00", "2025-07-11"),
        ("0999", "0999-12-31"),
    ],
)
def test_the_day_of_a_date_is_the_last_it_can_mean(text: str, day: str) -> None:
    assert render_day(text) == day


class Meeting(BaseModel):
    """Something with a date."""

    occurred: Edtf


def test_a_date_field_keeps_the_date_as_given() -> None:
    assert Meeting(occurred="2025-11~").model_dump() == {"occurred": "2025-11~"}


@pytest.mark.parametrize("value", ["2025-02-30", "", "2" * 65, 2025, date(2025, 7, 10), None])
def test_a_date_field_refuses_what_is_no_date(value: object) -> None:
    with pytest.raises(ValidationError):
        Meeting.model_validate({"occurred": value})


def test_every_example_in_the_schema_is_a_date() -> None:
    schema = TypeAdapter(Edtf).json_schema()
    assert schema["type"] == "string"
    assert schema["description"]
    for example_ in schema["examples"]:
        parse_edtf(example_)
