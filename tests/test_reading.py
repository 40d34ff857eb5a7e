"""Tables as people have them: in any encoding, delimiter and quotes, they are read as they were meant, or refused."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.outlines import TIMELINE
from service.domain.kinds import parse_statement
from service.reading.cells import guarded, joined, parted, unguarded
from service.reading.columns import Statements
from service.reading.opening import Form, open_rows
from service.reading.row import Row, Unreadable
from service.web.fields import Sheet, columns_of
from service.web.tables import write_csv
from tests.registry import Json, note, post, registry, statement
from tests.strategies import statements

BASE = {"kind": "pledge.stated", "coalition": "willing", "subject": "troops", "occurred.edtf": "2025-07",
        "occurred.basis": "stated", "actors": "GB", "summary": "Said.", "sources.0.title": "A report",
        "body.category": "ground_troops", "body.firmness": "announced"}  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t'=;,\"["), min_size=1)


def table(rows: list[dict[str, str]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """Rows as a table; its columns are those of the first."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode(encoding)


def read(content: bytes) -> list[Row]:
    """What the rows of a table of statements say."""
    return list(open_rows(io.BytesIO(content), Form.CSV))


def refusal(content: bytes) -> Any:
    """The one fault for which a file is not read on."""
    with pytest.raises(Unreadable) as refused:
        read(content)
    (fault,) = refused.value.faults
    return fault


@given(TEXTS)
def test_a_guarded_cell_is_read_back_as_it_was(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("text", ["'quoted'", "'", "it's", "''", "plain"])
def test_an_apostrophe_that_guards_nothing_stays(text: str) -> None:
    assert guarded(text) == unguarded(text) == text


@given(st.lists(st.text(min_size=1).filter(lambda word: word == word.strip()), min_size=1))
def test_a_list_of_words_in_a_cell_is_read_back_as_it_was(words: list[str]) -> None:
    assert parted(joined(words)) == words


@given(
    st.lists(TEXTS.filter(lambda text: text.strip() == text), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"]),
    st.sampled_from(["\r\n", "\n"]),
)
def test_every_encoding_delimiter_and_line_end_reads_the_same(
    texts: list[str], delimiter: str, encoding: str, end: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow([*BASE, "quote"])
    writer.writerows([*BASE.values(), text] for text in texts)
    marked = encoding == "utf-16-le-bom"
    content = b"\xff\xfe" + out.getvalue().encode("utf-16-le") if marked else out.getvalue().encode(encoding)
    rows = read(content)

    assert [row.content and row.content["quote"] for row in rows] == [unguarded(text) for text in texts]
    assert [row.first for row in rows] == list(range(2, len(texts) + 2))


@given(st.lists(statements(), min_size=1, max_size=4))
def test_a_statement_in_our_own_table_is_read_back_as_it_was(said: list[Json]) -> None:
    events = [parse_statement({"coalition": "willing", **one}) for one in said]
    columns = list(columns_of(TIMELINE.tables["items"].members))
    sheet = Sheet("items", columns, [event.content() for event in events])
    rows = read(write_csv([sheet], {"licence": "CC-BY-4.0"}))

    assert [row.faults for row in rows] == [()] * len(events)
    read_back = [{"body": {}} | parse_statement(row.content).content() for row in rows]
    assert read_back == [{"body": {}} | event.content() for event in events]


def test_a_field_is_named_by_its_path_also_within_a_list() -> None:
    (row,) = read(table([BASE | {"sources.1.title": "Another", "sources.1.credibility": "3", "actors": "GB; FR",
                                 "body.conditions": '[{"kind": "mandate"}]', "body.places": '["A; B", "C"]',
                                 "body.quantity.max": "30000", "body.quantity.unit": "persons",
                                 "said_by.official": "false", "said_by.name": "Jane"}]))  # fmt: skip
    said = parse_statement(row.content).content()

    assert said["sources"] == [{"title": "A report"}, {"title": "Another", "credibility": 3}]
    assert said["actors"] == ["GB", "FR"]
    assert said["said_by"] == {"name": "Jane", "official": False}
    assert said["body"] == {
        "category": "ground_troops", "firmness": "announced", "conditions": [{"kind": "mandate"}],
        "places": ["A; B", "C"], "quantity": {"max": 30000, "unit": "persons"},
    }  # fmt: skip


@pytest.mark.parametrize("name", ["body.firmnes", "Donor", "sources.x.title", "sources.0", "sources.01.title", "body",
                                  "actors.0.x", "sources.100.title", "body.category.x"])  # fmt: skip
def test_a_column_that_no_statement_has_is_refused_by_name(name: str) -> None:
    fault = refusal(table([BASE | {name: ""}]))
    assert (fault.row, fault.column, fault.code) == (1, name, "unknown_column")


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        ({"body.quantity.max": "3", "body.answer": "accepted"}, "body.answer", "extra_forbidden"),
        ({"sources.2.title": "Third"}, "sources.2.title", "cell"),
        ({"sources": "[{}]"}, "sources.0.title", "extra_forbidden"),
        ({"body.conditions": "[{"}, "body.conditions", "cell"),
        ({"body.conditions": '{"kind": "mandate"}'}, "body.conditions", "cell"),
        ({"body.places": "[1]"}, "body.places", "cell"),
        ({"summary": "a\x00b"}, "summary", "nul"),
        ({"event_id": "17"}, "event_id", "event_id"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named_by_row_and_column(cells: dict[str, str], column: str, code: str) -> None:
    first, second = read(table([BASE | dict.fromkeys(cells, ""), BASE | cells]))
    (fault,) = second.faults

    assert not first.faults
    assert (fault.row, fault.column, fault.code) == (3, column, code)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_header"),
        (b"\n\n", "no_header"),
        (b"kind,kind\n", "duplicate_column"),
        (b"kind,,summary\n", "unnamed_column"),
        (b"kind,summary\n\xe4,b\n", "encoding"),
        (b"kind,summ\xe4ry\n", "encoding"),
        ("kind,summary\n".encode("utf-16-le"), "encoding"),
        (b'kind,summary\n"a,b\n', "csv"),
        (b'kind,summary\n"a"b,c\n', "csv"),
        (b'kind,"summary\n', "csv"),
        (b"kind;summary,quote;language,channel\n", "delimiter"),
        (b"kind,summary\n" + b'"' + b"x\n" * 600_000, "csv"),
        (b"kind,summary\n" + b'"x\n",' * 600_000, "too_long"),
        (b"kind," + b"x" * 2_000_000, "too_long"),
        (b",".join(b"c%d" % number for number in range(1001)) + b"\n", "columns"),
    ],
)
def test_what_is_no_table_is_refused_as_a_whole_with_its_row(content: bytes, code: str) -> None:
    fault = refusal(content)
    assert fault.code == code
    assert fault.row in (1, 2)


def test_lines_that_are_taken_for_a_table_are_told_how_to_be_sent() -> None:
    fault = refusal(b'{"kind": "pledge.stated", "summary": "One, two"}\n')
    assert (fault.code, fault.row) == ("csv", 1)
    assert "--format jsonl" in fault.detail


def test_a_ragged_row_is_a_fault_and_the_next_is_read() -> None:
    header = ",".join(BASE).encode() + b"\n"
    good = table([BASE]).partition(b"\n")[2]
    rows = read(header + b"one,two\n" + good + b",".join([b"x"] * 20) + b"\n" + good)

    assert [row.faults[0].code if row.faults else None for row in rows] == ["ragged", None, "ragged", None]
    assert [row.first for row in rows] == [2, 3, 4, 5]


def test_rows_are_counted_as_a_spreadsheet_does() -> None:
    content = table([BASE | {"quote": "one\ntwo\r\nthree"}]) + b",,,,,,,,,,\r\n\r\n" + table([BASE | {"quote": "x"}])
    rows = read(content)

    assert [row.first for row in rows] == [2, 5, 6]
    assert rows[0].content
    assert rows[0].content["quote"] == "one\ntwo\r\nthree"


def test_a_table_is_closed_by_whoever_opened_it() -> None:
    file = io.BytesIO(table([BASE]))
    rows = Statements(file)
    list(rows)
    del rows
    assert not file.closed


def test_our_own_timeline_is_read_back_and_what_is_recorded_here_is_not_recorded_again(database: str) -> None:
    said = [statement(summary="=Plain."), statement("meeting.held", subject="kyiv", actors=[], summary="Über; “x”,\ny")]
    with registry(database) as client:
        for one in said:
            post(client, one)
        address = "/v1/coalitions/willing/timeline"
        exported, items = client.get(f"{address}.csv").content, client.get(address).json()["items"]
        headers = {"Content-Type": "text/csv"}
        again = client.post("/v1/import", content=exported, headers=headers).json()
        rows = list(csv.DictReader(io.StringIO(exported.decode("utf-8-sig"))))
        elsewhere = [row | {"event_id": "", "summary": row["summary"] + "!"} for row in rows]
        new = client.post("/v1/import", content=table(elsewhere), headers=headers).json()
        changed = client.post("/v1/import", content=table([rows[0] | {"summary": "Else."}]), headers=headers)
        note(client, items[0]["event_id"], "corrections", {"changes": {"summary": "Else."}, "reason": "other"})
        mended = client.post("/v1/import", content=table([rows[0] | {"summary": "Else."}]), headers=headers)
        after = client.get(address).json()["items"]

    assert [one["event_id"] for one in again["results"]] == [item["event_id"] for item in items]
    assert again["repeated"] == 2
    assert new["recorded"] == 2
    assert new["repeated"] == 0
    assert changed.status_code == 422
    assert changed.json()["errors"][0]["code"] == "recorded_otherwise"
    assert mended.json()["repeated"] == 1
    assert len(after) == 4
    assert json.dumps(said[0]["summary"] + "!") in json.dumps(after)
