"""Mappings: a foreign table says what its mapping says it does, or is reported; nothing is guessed, nothing dropped."""

import io
import json
import re
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import Fault, Invalid
from service.domain.kinds import parse_statement
from service.reading import phrases
from service.reading.amounts import parse_amount, parse_currency
from service.reading.mapping import Dates, Mapping, Numbers, parse_mapping
from service.reading.phrases import parse_phrase
from service.reading.row import Row
from service.reading.translating import Translated
from tests.registry import Json, registry
from tests.test_reading import table

PAGE = (Path(__file__).parent.parent / "docs" / "mapping.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```(csv|yaml|jsonl)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
PLAIN = """
version: 1
constants: {kind: pledge.stated, coalition: willing, subject: aid, body.category: financial, body.firmness: announced,
            sources.0.title: A table, occurred.basis: stated}
fields:
  actors: Donor
  summary: {text: "{Donor} pledges."}
  occurred.edtf: Day
"""


def plain(more: str = "", **replaced: str) -> Mapping:
    """A short mapping, with more in it."""
    text = PLAIN
    for old, new in replaced.items():
        text = text.replace({"version": "version: 1", "edtf": "occurred.edtf: Day"}[old], new)
    return parse_mapping((text + more).encode())


def rows_of(mapping: Mapping, rows: list[dict[str, str]]) -> list[Row]:
    """What the rows of a table say under a mapping."""
    return list(Translated(io.BytesIO(table(rows)), mapping))


def fault_of(row: Row) -> Fault:
    """The one fault of a row."""
    (fault,) = row.faults
    return fault


def faults(text: str) -> list[Fault]:
    """What is wrong with a mapping."""
    with pytest.raises(Invalid) as refused:
        parse_mapping(text.encode())
    return list(refused.value.faults)


# --- the example ------------------------------------------------------------------------------------------------------


def _short(said: Json) -> Json:
    """A statement as the page shows it."""
    kept = {name: said[name] for name in ("actors", "occurred", "subject", "summary", "body")}
    constants = ("title", "type")
    sources = [{name: one[name] for name in one if name not in constants} for one in said["sources"]]
    return kept | {"sources": sources}


def test_the_example_of_the_page_is_recorded_as_the_page_says(database: str) -> None:
    files: Any = {"mapping": ("m.yaml", BLOCKS["yaml"]), "file": ("pledges.csv", BLOCKS["csv"], "text/csv")}
    with registry(database) as client:
        tried = client.post("/v1/import?dry_run=true", files=files)
        answer = client.post("/v1/import", files=files)
        again = client.post("/v1/import", files=files, headers={"Idempotency-Key": "k"})
        items = client.get("/v1/events?after=1").json()["items"]

    assert answer.status_code == tried.status_code == 200, answer.text
    report = answer.json()
    assert [_short(item["data"]) for item in items] == [json.loads(line) for line in BLOCKS["jsonl"].splitlines()]
    assert [(one["row"], one.get("last_row"), one["status"]) for one in report["results"]] == [
        (2, 3, "recorded"), (4, None, "recorded"), (5, None, "recorded"), (6, None, "left_out"),
    ]  # fmt: skip
    assert report["results"][3]["detail"] == "A row of sums is no pledge."
    assert (report["rows"], report["left_out"]) == (4, 1)
    assert again.json()["repeated"] == 3


# --- tables in the shapes that people have ----------------------------------------------------------------------------

TRACKER = """
version: 1
constants: {coalition: willing, subject: aid, sources.0.title: The tracker, sources.0.type: aggregator}
fields:
  kind: {constant: pledge.stated}
  actors: {column: donor, words: donors}
  occurred: {column: announcement_date, date: us, required: true}
  summary: {text: ["{donor}: {explanation}", "{donor}: {item}"], rows: join}
  body.category: {column: aid_type, words: types}
  body.firmness: {column: measure, words: measures}
  body.money.amount: {column: tot_value, number: english}
  body.money.currency: {column: currency, words: currencies, only_with: body.money.amount}
  sources.0.url: {column: source, rows: first}
words:
  donors: {known: {EU (Council): "org:eu"}, otherwise: keep}
  types: {known: {Military: military_aid, Financial: financial, Humanitarian: humanitarian}}
  measures: {known: {Commitment: announced, Allocation: allocated}}
  currencies: {known: {euro: EUR, usd: USD, No Price: ""}}
dates:
  us:
    order: month_first
    patterns:
      - {reads: "until {date}", means: "../{date}", basis: deduced}
      - {reads: "unclear, {date}", means: "{date}~", basis: deduced}
numbers: {english: {thousands: ",", nothing: ["."]}}
group_by: activity_id
unused: [item_value]
"""
FLOWS = """
version: 1
constants: {coalition: willing, subject: appeal, sources.0.title: Flows, body.category: humanitarian}
fields:
  kind: {column: status, words: kinds}
  body.firmness: {column: status, words: rungs}
  actors: {column: srcOrganization, words: donors}
  addressees: {column: destOrganization, split: "|", words: receivers}
  occurred: {column: date, date: iso, required: true}
  summary: {text: "{srcOrganization} {status} {amountUSD} USD: {description}"}
  body.money.amount: {column: amountUSD, number: english, required: true}
  body.money.currency: {constant: USD}
  tags: {column: flowId, words: flows}
words:
  kinds: {known: {pledge: pledge.stated, commitment: pledge.stated, paid: pledge.delivered}}
  rungs: {known: {pledge: announced, commitment: committed, paid: ""}}
  donors: {known: {"Germany, Government of": DE, "Japan, Government of": JP}}
  receivers: {known: {WFP: "org:wfp"}, otherwise: use, use: "group:recipients"}
  flows: {known: {}, otherwise: leave_out}
dates: {iso: {basis: published}}
numbers: {english: {thousands: ","}}
"""
ACTIVITIES = """
version: 1
table: {delimiter: tab, header_row: 2}
constants: {kind: pledge.delivered, coalition: willing, sources.0.title: Activities}
fields:
  subject: {column: activity, words: activities}
  actors: {column: org, words: orgs, rows: list}
  occurred: {column: date, date: any, rows: first}
  summary: {text: "{org} disbursed {value}.", rows: join}
  body.money.amount: {column: value, number: mixed, rows: sum}
  body.money.currency: {column: value, currency: mixed}
words:
  activities: {known: {XX-1: budget, XX-2: roads}}
  orgs: {known: {GB-GOV: GB, FR-GOV: FR}}
dates: {any: {}}
numbers: {mixed: {thousands: " ", words: {m: 1000000}, currencies: {€: EUR, US$: USD}}}
group_by: [activity]
leave_out: [{column: type, says: ["1", budget]}]
"""


def test_a_tracker_of_packages_has_one_pledge_for_each_package() -> None:
    columns = ("activity_id", "donor", "announcement_date", "aid_type", "measure", "explanation", "item", "tot_value",
               "currency", "item_value", "source")  # fmt: skip
    cells = [
        ("A1", "Poland", "2/24/2023", "Military", "Commitment", "", "Tanks", "1,500,000", "euro", "1", "https://a.example"),
        ("A1", "Poland", "2/24/2023", "Military", "Commitment", "", "Shells", "", "euro", "2", "https://b.example"),
        ("A2", "EU (Council)", "until 2/24/2023", "Financial", "Allocation", "Loan", "", ".", "usd", "", ""),
        ("A3", "Japan", "unclear, 10/2022", "Humanitarian", "Commitment", "Tents", "", "3", "No price", "", ""),
        ("A4", "Japan", "24/2/2023", "Military", "Commitment", "Vests", "", "3", "usd", "", ""),
        ("A5", "Japan", "2022", "Cyber", "Pledge", "Help", "", "3", "usd", "", ""),
        ("A6", "Japan", "2022", "Military", "Commitment", "Help", "", "3", "usd", "", ""),
        ("A6", "Japan", "2023", "Military", "Commitment", "Help", "", "4", "usd", "", ""),
        ("A1", "Poland", "2/24/2023", "Military", "Commitment", "Late", "", "", "", "", ""),
    ]  # fmt: skip
    rows = rows_of(parse_mapping(TRACKER.encode()), [dict(zip(columns, one, strict=True)) for one in cells])

    first, second, third = (row.content for row in rows[:3])
    assert first
    assert (rows[0].first, rows[0].last) == (2, 3)
    assert first["summary"] == "Poland: Tanks; Poland: Shells"
    assert first["body"]["money"] == {"amount": "1500000", "currency": "EUR"}
    assert first["sources"][0]["url"] == "https://a.example"
    assert second
    assert second["occurred"] == {"edtf": "../2023-02-24", "basis": "deduced"}
    assert "money" not in second["body"]
    assert third
    assert third["occurred"] == {"edtf": "2022-10~", "basis": "deduced"}
    assert third["body"]["money"] == {"amount": "3"}, "a sum without its currency, which the domain refuses"
    told = [[(fault.row, fault.column, fault.code) for fault in row.faults] for row in rows[3:]]
    assert told == [
        [(6, "announcement_date", "unmapped")],
        [(7, "aid_type", "unmapped"), (7, "measure", "unmapped")],
        [(9, "announcement_date", "differs"), (9, "tot_value", "differs")],
        [(10, "activity_id", "parted_group")],
    ]


def test_flows_are_pledged_committed_and_paid_by_their_status(database: str) -> None:
    cells = [
        ("1", "pledge", "Germany, Government of", "WFP", "2022-03-01", "1,000,000", "Appeal"),
        ("2", "commitment", "Japan, Government of", "WFP|UNHCR", "2022-03-02", "250,000.50", "Grant"),
        ("3", "paid", "Japan, Government of", "UNHCR", "2022-04-02", "250,000.50", "Grant"),
    ]
    columns = ("flowId", "status", "srcOrganization", "destOrganization", "date", "amountUSD", "description")
    content = table([dict(zip(columns, one, strict=True)) for one in cells], ";", "utf-16")
    files: Any = {"mapping": ("m", FLOWS), "file": ("flows.csv", content, "text/csv")}
    with registry(database) as client:
        report = client.post("/v1/import", files=files).json()
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT kind, body->'body'->>'firmness', sum((body#>>'{body,money,min_amount}')::numeric)::text, "
            "min(body->'occurred'->>'basis') FROM event WHERE position > 1 GROUP BY 1, 2 ORDER BY 3 DESC, 1"
        ).fetchall()

    assert report["recorded"] == 3, report
    assert found == [
        ("pledge.delivered", None, "250000.5", "published"),
        ("pledge.stated", "committed", "250000.5", "published"),
        ("pledge.stated", "announced", "1000000", "published"),
    ]


def test_transactions_of_an_activity_are_added_up() -> None:
    lines = ["Exported today\t\t\t\t", "activity\torg\tdate\ttype\tvalue", "XX-1\tGB-GOV\t2024-01-02\t3\t€1 000 000",
             "XX-1\tFR-GOV\t2024-02-02\t3\t1.5m €", "XX-1\tFR-GOV\t2024-02-02\tbudget\t9",
             "XX-2\tGB-GOV\t2024\t3\tUS$ 7",
             "XX-2\tGB-GOV\t2024\t3\t€ 7"]  # fmt: skip
    file = io.BytesIO("\r\n".join(lines).encode("utf-8-sig"))
    first, out, second = Translated(file, parse_mapping(ACTIVITIES.encode()))

    assert first.content
    assert first.content["actors"] == ["GB", "FR"]
    assert first.content["body"]["money"] == {"amount": "2500000", "currency": "EUR"}
    assert out.left_out
    assert (out.first, second.first) == (5, 6)
    assert (fault_of(second).row, fault_of(second).column) == (7, "value")


def test_a_sum_with_an_unknown_part_is_reported_unless_the_mapping_adds_what_is_known() -> None:
    more = "  body.money.amount: {column: Sum, number: n, rows: %s}\nnumbers: {n: {}}\ngroup_by: Id\n"
    rows = [{"Donor": "GB", "Day": "2025", "Sum": one, "Id": "a"} for one in ("1", "", "2")]
    (unknown,) = rows_of(plain(more % "sum"), rows)
    (known,) = rows_of(plain(more % "sum_known"), rows)

    assert fault_of(unknown).code == "unknown_sum"
    assert known.content
    assert known.content["body"]["money"] == {"amount": "3"}


def test_rows_without_the_column_that_groups_them_stay_alone() -> None:
    rows = [{"Donor": "GB", "Day": "2025", "Id": one} for one in ("", "", "a", "a", "", "b")]
    assert [(row.first, row.last) for row in rows_of(plain("group_by: [Id]\n"), rows)] == [
        (2, 2), (3, 3), (4, 5), (6, 6), (7, 7),
    ]  # fmt: skip


# --- dates ------------------------------------------------------------------------------------------------------------

UNTIL = {"reads": "until {date}", "means": "../{date}", "basis": "deduced"}


@pytest.mark.parametrize(
    ("text", "settings", "edtf"),
    [
        ("2023-02-24", {}, "2023-02-24"),
        ("2023-02-24 00:00:00", {}, "2023-02-24"),
        ("2023-2", {}, "2023-02"),
        ("2023", {}, "2023"),
        ("24 Feb 2023", {}, "2023-02-24"),
        ("24th  february, 2023", {}, "2023-02-24"),
        ("Sept. 3rd, 2022", {}, "2022-09-03"),
        ("October 2022", {}, "2022-10"),
        ("10/2022", {}, "2022-10"),
        ("3/4/2023", {"order": "day_first"}, "2023-04-03"),
        ("3/4/2023", {"order": "month_first"}, "2023-03-04"),
        ("24.02.2023", {"order": "day_first"}, "2023-02-24"),
        ("2 octobre 2022", {"months": {"Octobre": 10}}, "2022-10-02"),
        ("UNTIL 2/24/2023", {"order": "month_first", "patterns": [UNTIL]}, "../2023-02-24"),
        ("1/2022 to 3/2022", {"patterns": [{"reads": "{from} to {to}", "means": "{from}/{to}"}]}, "2022-01/2022-03"),
        ("31 April 2023", {"impossible_days": "month_end"}, "2023-04-30"),
        ("29.2.2023", {"order": "day_first", "impossible_days": "month_end"}, "2023-02-28"),
        ("29.2.2024", {"order": "day_first"}, "2024-02-29"),
        ("early days", {"patterns": [{"reads": "early days", "means": "2022-02~"}]}, "2022-02~"),
        ("n/a", {"patterns": [{"reads": "N/A"}]}, None),
    ],
)
def test_a_phrase_is_the_date_that_it_means(text: str, settings: Json, edtf: str | None) -> None:
    found = parse_phrase(text, Dates(**settings))
    assert (found and found.edtf) == edtf


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("3/4/2023", {}),
        ("24/2/2023", {"order": "month_first"}),
        ("31 April 2023", {}),
        ("32 April 2023", {"impossible_days": "month_end"}),
        ("0.4.2023", {"order": "day_first", "impossible_days": "month_end"}),
        ("24.2.23", {"order": "day_first"}),
        ("13/2022", {}),
        ("0000-01-01", {}),
        ("soon", {}),
        ("until soon", {"patterns": [UNTIL]}),
        ("Brumaire 1799", {}),
        ("3/2022 to 1/2022", {"patterns": [{"reads": "{from} to {to}", "means": "{from}/{to}"}]}),
    ],
)
def test_a_phrase_that_could_mean_anything_else_is_no_date(text: str, settings: Json) -> None:
    with pytest.raises(ValueError):
        parse_phrase(text, Dates(**settings))


_WORDS = st.text("aB. ", max_size=3)


@given(
    _WORDS,
    st.permutations(["date", "from", "to"]),
    st.lists(_WORDS, min_size=1, max_size=3),
    st.text("aB. ", max_size=12),
)
def test_a_pattern_reads_what_trying_every_way_would(
    before: str, names: list[str], behind: list[str], text: str
) -> None:
    parts = list(zip(names, behind, strict=False))
    reads = " ".join((before + "".join(f"{{{name}}}{word}" for name, word in parts)).split())
    naive = re.escape(reads)
    for name, _ in parts:
        naive = naive.replace(rf"\{{{name}\}}", f"(?P<{phrases._GROUPS[name]}>.+?)")
    meant, found = re.fullmatch(naive, text, re.IGNORECASE), phrases._compile(reads).fullmatch(text)
    assert (found and found.groupdict()) == (meant and meant.groupdict())


def test_a_cell_that_no_pattern_fits_is_soon_known_as_such() -> None:
    patterns = [{"reads": f"{{from}}x{{to}}x{{date}}y{'z' * number}"} for number in range(100)]
    dates, began = Dates.model_validate({"patterns": patterns}), time.process_time()
    for _ in range(10):
        with pytest.raises(ValueError):
            parse_phrase("x" * 200, dates)
    assert time.process_time() - began < 2, "a thousand such rows may be pasted at once"


def test_what_is_not_as_written_is_deduced() -> None:
    dates = Dates.model_validate({"impossible_days": "month_end", "patterns": [UNTIL], "basis": "published"})
    known = {text: parse_phrase(text, dates) for text in ("30 April 2023", "31 April 2023", "until 2023")}
    assert [one and one.basis for one in known.values()] == ["published", "deduced", "deduced"]


@given(st.dates(), st.sampled_from(["%d.%m.%Y", "%d %B %Y", "%Y-%m-%d", "%B %d, %Y", "%d-%b-%Y"]))
def test_every_day_is_read_in_every_way_to_write_it(day: Any, form: str) -> None:
    written = day.strftime(form).replace(day.strftime("%Y"), f"{day.year:04}")
    found = parse_phrase(written, Dates.model_validate({"order": "day_first"}))
    assert found
    assert found.edtf == day.isoformat()


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "settings", "number"),
    [
        ("1500", {}, "1500"),
        ("0.25", {}, "0.25"),
        ("1,500,000.5", {"thousands": ","}, "1500000.5"),
        ("1.500.000,5", {"thousands": ".", "decimal": ","}, "1500000.5"),
        ("1\u202f500", {"thousands": " "}, "1500"),
        ("1500", {"thousands": ","}, "1500"),
        ("2.5 BN", {"words": {"bn": 1_000_000_000}}, "2500000000"),
        ("12", {"factor": "1000000"}, "12000000"),
        ("€ 12", {"currencies": {"€": "EUR"}}, "12"),
        ("12 US dollars", {"currencies": {"dollars": "AUD", "US dollars": "USD"}}, "12"),
        ("-", {"nothing": ["-"]}, None),
    ],
)
def test_a_number_is_read_as_the_mapping_says_it_is_written(text: str, settings: Json, number: str | None) -> None:
    found = parse_amount(text, Numbers.model_validate(settings))
    assert (None if found is None else f"{found.normalize():f}") == number


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("1,500", {}),
        ("1,5", {"thousands": ","}),
        ("15,00,000", {"thousands": ","}),
        ("1.500.0", {"thousands": ".", "decimal": ","}),
        ("-5", {}),
        ("1e6", {}),
        ("about 5", {}),
        ("5 bn", {}),
        ("5 €", {}),
        ("", {}),
        ("٣", {}),
        ("3-5", {}),
    ],
)
def test_what_is_written_otherwise_is_no_number(text: str, settings: Json) -> None:
    with pytest.raises(ValueError):
        parse_amount(text, Numbers.model_validate(settings))


def test_the_currency_beside_a_number_is_the_longest_word_that_fits() -> None:
    numbers = Numbers.model_validate({"currencies": {"dollars": "AUD", "US dollars": "USD"}, "nothing": ["n/a"]})
    assert parse_currency("12 US  Dollars", numbers) == "USD"
    assert parse_currency("12 dollars", numbers) == "AUD"
    assert parse_currency("n/a", numbers) is None
    with pytest.raises(ValueError):
        parse_currency("12 pounds", numbers)


# --- a mapping that is wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (PLAIN.replace("version: 1", "version: 2"), "/mapping/version"),
        (PLAIN.replace("version: 1\n", ""), "/mapping/version"),
        (PLAIN + "colour: red\n", "/mapping/colour"),
        (PLAIN + "  body.firmnes: X\n", "/mapping/fields/body.firmnes"),
        (PLAIN + "  body.firmness: X\n", "/mapping/fields/body.firmness"),
        (PLAIN + "  occurred: X\n", "/mapping/fields/occurred"),
        (PLAIN + "  quote: {column: X, text: Y}\n", "/mapping/fields/quote"),
        (PLAIN + "  quote: {words: w}\n", "/mapping/fields/quote"),
        (PLAIN + "  quote: {column: X, words: w}\n", "/mapping/fields/quote/words"),
        (PLAIN + "  quote: {column: X, date: w}\n", "/mapping/fields/quote/date"),
        (PLAIN + "  quote: {column: X, words: w, date: w}\n", "/mapping/fields/quote"),
        (PLAIN + "  quote: {column: X, rows: sum}\n", "/mapping/fields/quote"),
        (PLAIN + "  quote: {column: X, rows: guess}\n", "/mapping/fields/quote/rows"),
        (PLAIN + "  quote: {column: X, only_with: place}\n", "/mapping/fields/quote/only_with"),
        (PLAIN + "words: {w: {known: {a: b}, otherwise: use}}\n", "/mapping/words/w"),
        (PLAIN + "words: {w: {known: {a: b, A: c}}}\n", "/mapping/words/w/known"),
        (PLAIN + "numbers: {n: {decimal: ',', thousands: ','}}\n", "/mapping/numbers/n"),
        (PLAIN + "dates: {d: {patterns: [{reads: '{day}'}]}}\n", "/mapping/dates/d/patterns/0"),
        (PLAIN + "dates: {d: {patterns: [{reads: '{date}', means: '{to}'}]}}\n", "/mapping/dates/d/patterns/0"),
        (PLAIN.replace("pledge.stated", "pledge.made"), "/mapping/constants/kind"),
        (PLAIN.replace("pledge.stated", "coalition.registered"), "/mapping/constants/kind"),
        (PLAIN.replace("subject: aid,", ""), "/mapping/fields"),
        (PLAIN.replace("  occurred.edtf: Day\n", ""), "/mapping/fields"),
        ("[]", "/mapping"),
        ("", "/mapping"),
        ("a: [", "/mapping"),
        ("a: 1\na: 2", "/mapping"),
        ("a: &x [1]\nb: *x", "/mapping"),
        ("a: !!python/object:os.system {}", "/mapping/a"),
        ("a: " + "[" * 50 + "]" * 50, "/mapping"),
        ("a: " + "x" * 70_000, "/mapping"),
        ("[1]: 2", "/mapping"),
    ],
)
def test_a_mapping_that_is_wrong_is_refused_with_a_pointer(text: str, pointer: str) -> None:
    assert pointer in [fault.pointer for fault in faults(text)]


def test_a_mapping_has_to_fit_the_table_before_any_row_is_read() -> None:
    mapping = plain("unused: [Notes]\n")
    with pytest.raises(Invalid) as refused:
        rows_of(mapping, [{"Donor": "GB", "Date": "2025", "Notes": ""}])
    assert [(fault.pointer, fault.column) for fault in refused.value.faults] == [
        ("/mapping/fields/occurred.edtf", "Day"),
        ("/mapping/unused", "Date"),
    ]


def test_yaml_is_read_as_text_so_that_norway_stays_norway() -> None:
    mapping = plain("words: {w: {known: {no: NO, 1: on}}}\n")
    assert mapping.words["w"].known == {"no": "NO", "1": "on"}


def test_words_are_found_whatever_their_capitals_and_an_unknown_one_is_reported() -> None:
    more = "  language: {column: Language, words: w}\nwords: {w: {known: {English Language: en, none: ''}}}\n"
    rows = rows_of(plain(more), [{"Donor": "GB", "Day": "2025", "Language": one} for one in
                                 ("english  language", "None", "", "French")])  # fmt: skip

    assert [row.content and row.content.get("language") for row in rows[:3]] == ["en", None, None]
    assert (fault_of(rows[3]).row, fault_of(rows[3]).column) == (5, "Language")


def test_a_fault_of_what_was_made_is_told_at_the_column_that_it_was_made_of(database: str) -> None:
    content = table([{"Donor": "Nowhere", "Day": "2025-13", "Other": ""}])
    files: Any = {"mapping": ("m", PLAIN + "unused: [Other]\n"), "file": ("t.csv", content)}
    with registry(database) as client:
        told = client.post("/v1/import", files=files).json()["errors"]

    assert {(fault["row"], fault["column"], fault["pointer"]) for fault in told} == {
        (2, "Donor", "/actors/0"), (2, "Day", "/occurred/edtf"),
    }  # fmt: skip


def test_what_a_mapping_makes_is_a_statement() -> None:
    (row,) = rows_of(plain(), [{"Donor": "France", "Day": "2025"}])
    assert parse_statement(row.content).actors == ("FR",)


# --- how it is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "pointer"),
    [
        ({"mapping": ("m", PLAIN)}, "/file"),
        ({"file": ("t", b"a")}, "/file"),
        ({"file": ("t.csv", b"a"), "other": ("o", b"")}, "/other"),
        ({"file": ("t.jsonl", b"{}"), "mapping": ("m", PLAIN)}, "/mapping"),
        ({"file": ("t.csv", b"a"), "mapping": ("m", "x" * 70_000)}, "/mapping"),
        ([("file", ("t.csv", b"a")), ("file", ("u.csv", b"a"))], "/file"),
    ],
)
def test_a_form_that_lacks_something_or_has_more_is_refused(database: str, files: Any, pointer: str) -> None:
    with registry(database) as client:
        refused = client.post("/v1/import", files=files)
    assert refused.status_code == 422
    assert pointer in [fault["pointer"] for fault in refused.json()["errors"]]


def test_a_form_that_is_cut_off_is_no_shorter_file(database: str) -> None:
    content = table([{"Donor": "GB", "Day": "2025"}] * 3)
    head = b'--b\r\nContent-Disposition: form-data; name="mapping"\r\n\r\n' + PLAIN.encode()
    head += b'\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="t.csv"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    with registry(database) as client:
        cut = client.post("/v1/import", content=head + content, headers=headers)
        malformed = client.post("/v1/import", content=b"nothing of the kind", headers=headers)
        whole = client.post("/v1/import", content=head + content + b"\r\n--b--\r\n", headers=headers)

    assert cut.status_code == malformed.status_code == 422
    assert whole.json()["recorded"] == 3


@pytest.mark.parametrize(
    ("rows", "summary"), [(1001, "pledges"), (12, "x" * 100_000)], ids=["of many rows", "of long rows"]
)
def test_a_group_that_is_too_large_is_reported_with_its_rows_and_those_behind_it_are_read(
    rows: int, summary: str
) -> None:
    lines = [{"Id": "1", "Donor": "GB", "Day": "2025-07-10", "Text": summary} for _ in range(rows)]
    lines += [{"Id": "2", "Donor": "FR", "Day": "2025-07-11", "Text": "pledges"}]
    large, following = rows_of(plain("group_by: [Id]\nunused: [Text]\n"), lines)

    fault = fault_of(large)
    assert (large.first, large.last, fault.code, fault.column) == (2, rows + 1, "large_group", "Id")
    assert f"Rows 2 to {rows + 1} belong together" in fault.detail
    assert (following.first, following.faults) == (rows + 2, ())
