"""Pasting many, in a browser without JavaScript: a table becomes statements, all of them or none."""

import io
import threading

from httpx2 import Response
from starlette.testclient import TestClient

from service.forms.pasting.sheets import MOST_ROWS
from tests.pages import Sheet, get, press, read
from tests.people import COOKIE, add_person, begin_session, browser
from tests.registry import TOKEN, Json, allow, register

PASTE = "/admin/paste"
HEADINGS = ["Country", "Date", "Category", "Firmness", "Troops", "Summary", "Link"]
NAMES = ["Germany", "France", "Belgium", "Norway", "Sweden", "Denmark", "Spain", "Italy", "Estonia", "Latvia"]
CATEGORIES = ["Ground troops", "air", "training", "logistics", "maritime"]
SAME = {
    "const__subject": "Promised support",
    "const__sources__0__title": "The made-up table",
    "const__body__quantity__unit": "persons",
}
MARKUP = "<script>alert(1)</script>\"'&amp;</textarea>"


def rows(count: int = 50) -> list[list[str]]:
    """Rows of a table, as they are in the field."""
    return [
        [
            NAMES[nth % 10], f"{13 + nth % 16}.{1 + nth // 10 % 12}.2025", CATEGORIES[nth // 10 % 5], "announced",
            f"{1 + nth}", f"{NAMES[nth % 10]} promises number {nth}.", f"https://news.example/{nth}?a=1&b=2",
        ]
        for nth in range(count)
    ]  # fmt: skip


def tabbed(cells: list[list[str]], headings: list[str] = HEADINGS) -> str:
    """A table as a spreadsheet puts it on the clipboard."""
    return "".join("\t".join(row) + "\n" for row in [headings, *cells])


def begin(
    client: TestClient, table: str = "", *, file: bytes = b"", name: str = "", kind: str = "pledge.stated", **more: str
) -> Response:
    """Sends the first page, as a browser does: with a part for each file, empty where none is chosen."""
    given = {"table": table.replace("\n", "\r\n"), "delimiter": "", "coalition": "willing", "mapping": "", "kind": kind}
    files = {"table_file": (name, io.BytesIO(file)), "mapping_file": ("", io.BytesIO())}
    return client.post(PASTE, data=given | more, files=files)


def columns(client: TestClient, table: str) -> Sheet:
    """The page that asks what the columns mean."""
    answer = begin(client, table)
    assert answer.status_code == 200, answer.text
    return read(answer)


def look(client: TestClient, table: str, **same: str) -> Sheet:
    """The page that shows what the rows say."""
    return read(press(client, columns(client, table), "do", "look", **{**SAME, **same}))


def size(client: TestClient) -> int:
    """How long the log is."""
    total: int = client.get("/v1/events?count=true&limit=1").json()["total"]
    return total


def contents(client: TestClient, first: int, count: int) -> list[Json]:
    """What was recorded, from a position on."""
    events = client.get(f"/v1/events?after={first - 1}&limit={count}").json()["items"]
    ours = ("recorded_by", "schema_version")
    return [{name: value for name, value in event["data"].items() if name not in ours} for event in events]


def recorded(answer: Response) -> tuple[int, int]:
    """From which position on how many events were recorded."""
    assert answer.status_code == 303, answer.text
    first, count = answer.headers["Location"].removeprefix(f"{PASTE}/recorded?").split("&")
    return int(first.removeprefix("first=")), int(count.removeprefix("count="))


# --- all or none ------------------------------------------------------------------------------------------------------


def test_three_bad_rows_of_fifty_are_told_at_their_cells_mended_there_and_then_all_fifty_are_recorded(
    editor: TestClient,
) -> None:
    cells = rows()
    cells[3][1] = "31.4.2025"
    cells[15][0] = "Atlantis"
    cells[31][5] = ""
    before = size(editor)
    page = look(editor, tabbed(cells))
    assert "3 of 50 rows have faults" in page.text
    assert page.at_fault() == {"cell.5.1", "cell.17.0", "cell.33.5"}
    assert {link for link in page.links if link.startswith("#row-")} == {"#row-5", "#row-17", "#row-33"}
    assert "Row 5 , Date" not in page.text
    assert ("do", "record") in page.buttons  # for the others, if those are left out
    refused = press(editor, page, "do", "record")
    assert refused.status_code == 422
    assert "Nothing was recorded" in read(refused).text
    assert size(editor) == before
    mended = {"cell__5__1": "28.2.2025", "cell__17__0": "Österreich", "cell__33__5": "Denmark promises more."}
    again = press(editor, page, "do", "look", **mended)
    assert again.status_code == 200
    good = read(again)
    assert "All 50 rows can be read: 50 statements would be recorded." in good.text
    assert size(editor) == before
    first, count = recorded(press(editor, good, "do", "record"))
    assert (count, size(editor)) == (50, before + 50)
    said = contents(editor, first, 50)
    for nth, (row, one) in enumerate(zip(rows(), said, strict=True)):
        summary = "Denmark promises more." if nth == 31 else row[5]
        assert one["summary"] == summary
        assert one["sources"] == [{"title": "The made-up table", "url": row[6]}]
        assert one["body"]["quantity"] == {"min": nth + 1, "max": nth + 1, "unit": "persons"}
        assert one["body"]["category"] == CATEGORIES[nth // 10].lower().replace(" ", "_")
    assert said[3]["occurred"] == {"edtf": "2025-02-28", "basis": "stated"}
    assert said[15]["actors"] == ["AT"]
    done = get(editor, f"{PASTE}/recorded?first={first}&count=50")
    assert "50 statements were recorded" in done.text
    assert "and 10 more" in done.text


def test_the_mapping_file_made_by_clicks_makes_the_same_statements_of_the_file_by_the_api(
    editor: TestClient, database: str
) -> None:
    table = tabbed(rows(12))
    page = look(editor, table)
    first, count = recorded(press(editor, page, "do", "record"))
    sent = editor.post(f"{PASTE}/mapping", data={"mapping": page.data["mapping"][0]})
    assert sent.headers["Content-Disposition"] == 'attachment; filename="mapping.yaml"'
    assert sent.text == page.data["mapping"][0]
    allow(database, owner="program")
    files = {"file": ("rows.tsv", table.encode()), "mapping": ("mapping.yaml", sent.content)}
    report = editor.post("/v1/import", files=files, headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert report["recorded"] == count == 12
    assert contents(editor, first, 12) == contents(editor, first + 12, 12)


def test_pressing_twice_records_once(editor: TestClient) -> None:
    page, before = look(editor, tabbed(rows(20))), size(editor)
    answers: list[Response] = []
    presses = [threading.Thread(target=lambda: answers.append(press(editor, page, "do", "record"))) for _ in range(3)]
    for one in presses:
        one.start()
    for one in presses:
        one.join()
    assert {recorded(answer) for answer in answers} == {(before + 1, 20)}
    assert recorded(press(editor, page, "do", "record")) == (before + 1, 20)
    assert size(editor) == before + 20


def test_a_key_that_recorded_something_records_nothing_else(editor: TestClient) -> None:
    page = look(editor, tabbed(rows(2)))
    recorded(press(editor, page, "do", "record"))
    before = size(editor)
    other = read(press(editor, page, "do", "look", table=tabbed(rows(1))))
    refused = press(editor, other, "do", "record")
    assert refused.status_code == 422
    assert "saved already" in read(refused).text
    assert size(editor) == before
    recorded(press(editor, read(refused), "do", "record"))
    assert size(editor) == before + 1


def test_nothing_is_recorded_that_nobody_has_looked_at(editor: TestClient) -> None:
    page, before = look(editor, tabbed(rows(2))), size(editor)
    changed = press(editor, page, "do", "record", table=tabbed(rows(3)))
    assert changed.status_code == 422
    assert "other than when you looked" in read(changed).text
    assert size(editor) == before
    recorded(press(editor, read(changed), "do", "record"))
    assert size(editor) == before + 3


def test_rows_with_faults_are_left_out_only_where_that_is_ticked(editor: TestClient) -> None:
    cells = rows(5)
    cells[2][1] = "soon"
    page, before = look(editor, tabbed(cells)), size(editor)
    assert "Leave out the 1 row with faults" in page.text
    assert "skip" not in page.data
    assert recorded(press(editor, page, "do", "record", skip="yes"))[1] == 4
    assert size(editor) == before + 4


def test_rows_that_look_like_something_recorded_are_told_and_so_are_those_of_an_import(
    editor: TestClient, database: str
) -> None:
    page = look(editor, tabbed(rows(3)))
    recorded(press(editor, page, "do", "record"))
    again = look(editor, tabbed(rows(4)))
    assert "3 rows may be recorded already, or there twice" in again.text
    assert any(link.startswith("/admin/events/") for link in again.links)
    allow(database, "pr_test_ed", "editor", "ed")
    files = {"file": ("rows.tsv", tabbed(rows(6)).encode()), "mapping": ("m.yaml", page.data["mapping"][0].encode())}
    editor.post("/v1/import", files=files, headers={"Authorization": "Bearer pr_test_ed"})
    before = size(editor)
    third = look(editor, tabbed(rows(8)))
    assert "2 statements would be recorded" in third.text
    assert "6 recorded before" in third.text
    assert recorded(press(editor, third, "do", "record")) == (before + 1, 2)


def test_a_row_that_is_there_twice_is_told(editor: TestClient) -> None:
    page = look(editor, tabbed([*rows(3), rows(2)[1]]))
    assert "1 row may be recorded already, or there twice" in page.text
    assert "Row 5: France promises number 1. Row 3 says the same." in page.text
    assert recorded(press(editor, page, "do", "record"))[1] == 4  # whoever has seen it may mean it


def test_what_would_change_is_shown_beside_what_is_so_now(editor: TestClient) -> None:
    recorded(press(editor, look(editor, tabbed(rows(1))), "do", "record"))
    cells = rows(1)
    cells[0][1], cells[0][3], cells[0][4] = "15.6.2025", "committed", "700"
    page = look(editor, tabbed(cells))
    assert "Germany: promised support announced, 1 persons committed, 700 persons" in page.text


def test_what_a_contributor_pastes_waits_as_one_draft_and_is_recorded_together(database: str) -> None:
    with browser(database, "ed", "admin") as client:
        register(client, "willing")
        add_person(database, "con", "contributor")
        client.cookies.set(COOKIE, begin_session(database, "con"))
        page, before = look(client, tabbed(rows(5))), size(client)
        assert "waits for an approver" in page.text
        for _ in range(2):
            waits = press(client, page, "do", "record")
            assert waits.status_code == 303
            assert waits.headers["Location"].startswith("/admin/review/")
        assert "Germany promises number 0." in get(client, waits.headers["Location"]).text
        assert size(client) == before
        client.cookies.set(COOKIE, begin_session(database, "ed"))
        drafts = client.get("/v1/drafts").json()["items"]
        ((draft_id, count),) = ((one["id"], one["record_count"]) for one in drafts)
        assert count == 5
        assert client.post(f"/v1/drafts/{draft_id}/approval", json={}).status_code == 201
        assert size(client) == before + 5
        assert {event["data"]["recorded_by"] for event in client.get("/v1/events?after=1").json()["items"]} == {"con"}


def test_a_reader_cannot_paste(database: str) -> None:
    with browser(database, "rea", "reader") as client:
        assert client.get(PASTE).status_code == 403
        assert begin(client, tabbed(rows(1))).status_code == 403


# --- the table --------------------------------------------------------------------------------------------------------


def test_a_csv_with_semicolons_quotes_and_line_breaks_is_read_cell_by_cell(editor: TestClient) -> None:
    text = (
        'Country;Date;Category;Firmness;Summary;Source\r\n"Germany; France";2025-07-10;air;announced;'
        '"They said ""yes"";\nand meant it.";The report\r\n'
    )
    for file in (text.encode("utf-8-sig"), text.encode("utf-16")):
        page = read(begin(editor, file=file, name="rows.csv"))
        assert page.data["use.0.split"] == [";"]
        first, _ = recorded(
            press(editor, read(press(editor, page, "do", "look", const__subject="air")), "do", "record")
        )
        (said,) = contents(editor, first, 1)
        assert said["actors"] == ["DE", "FR"]
        assert said["summary"].replace("\r", "") == 'They said "yes";\nand meant it.'


NO_TABLES = [
    ("", "Paste the rows of a table"),
    (" \n\t\n", "Paste the rows of a table"),
    ("Country\tDate\tSummary\n", "no row below"),
    ("Country\n", "no row below"),
    ("Country\tDate\tDate\nGermany\t2025\t2025\n", "Column 3 has the name of column 2"),
    ("Country\t\tDate\nGermany\t\t2025\n", "Column 2 has no name"),
    ('Country\tDate\nGermany\t"2025\n', "not CSV"),
    ("a,b;c\n1,2;3\n", "could be parted by comma and semicolon alike"),
    ("Country\tDate\n" + "Germany\t2025\n" * (MOST_ROWS + 1), "more than 1,000 rows"),
    ("Country\tDate\n" + f"Germany\t{'x' * 2**18}\n", "larger than 256 KiB"),
]


def test_a_table_that_is_none_is_refused_with_what_is_wrong_and_stays_on_the_page(editor: TestClient) -> None:
    for table, told in NO_TABLES:
        refused = begin(editor, table)
        assert refused.status_code == 422
        sheet = Sheet()
        sheet.feed(refused.text)
        assert told in sheet.text
        assert sheet.at_fault() == {"table"}
        assert sheet.data["table"][0].replace("\r", "") == table


def test_what_parts_the_columns_can_be_said_and_stands_in_the_mapping_file(editor: TestClient) -> None:
    table = "Country;Date, as announced;Summary, short\nGermany;13.7.2025;Something.\n"
    assert "could be parted by comma and semicolon alike" in read(begin(editor, table)).text
    page = read(begin(editor, table, delimiter="semicolon"))
    same = {
        "const__body__category": "air", "const__body__firmness": "announced", "const__subject": "air",
        "const__sources__0__title": "T", "use__1__to": "When it was said or done", "use__2__to": "summary",
    }  # fmt: skip
    shown = read(press(editor, read(press(editor, page, "do", "look", **same)), "do", "look"))
    assert "delimiter: semicolon" in shown.data["mapping"][0]
    assert recorded(press(editor, shown, "do", "record"))[1] == 1


def test_a_file_that_is_no_text_and_one_beside_what_is_pasted_are_refused(editor: TestClient) -> None:
    binary = begin(editor, file=b"PK\x03\x04\xff\xfe\xfa", name="rows.xlsx")
    assert "neither UTF-8 nor UTF-16" in read(binary).text
    both = begin(editor, tabbed(rows(1)), file=b"a;b\n1;2\n", name="rows.csv")
    assert both.status_code == 422
    assert "leave one out" in read(both).text


def test_a_ragged_row_is_told_in_the_preview_and_mended_in_the_table(editor: TestClient) -> None:
    table = tabbed(rows(3)).replace("\thttps://news.example/1?a=1&b=2", "")
    page = look(editor, table)
    assert "1 of 3 rows has faults" in page.text
    assert "This row has 6 cells, the header 7" in page.text
    nothing = press(editor, page, "do", "record", table="")
    assert nothing.status_code == 422
    assert read(nothing).at_fault() == {"table"}
    good = read(press(editor, page, "do", "look", table=tabbed(rows(3))))
    assert "All 3 rows can be read" in good.text


def test_a_cell_that_is_mended_beside_its_row_does_not_undo_what_was_mended_in_the_table(editor: TestClient) -> None:
    cells = rows(3)
    cells[1][1] = "someday"
    page = look(editor, tabbed(cells))
    fewer = tabbed([cells[0], cells[2]])
    again = read(press(editor, page, "do", "look", table=fewer))
    assert again.data["table"] == [fewer]
    assert "All 2 rows can be read" in again.text
    both = read(press(editor, page, "do", "look", table=fewer, cell__3__1="1.1.2025"))
    assert "what the table says counts" in both.text
    assert both.data["table"] == [fewer]


def test_markup_in_every_cell_is_text_and_formulas_stay_text(editor: TestClient) -> None:
    headings = [f"{heading} <b>'</textarea>" for heading in HEADINGS]
    answer = begin(editor, tabbed([[MARKUP] * len(HEADINGS)], headings))
    page = read(answer)
    assert "<script>alert" not in answer.text
    fields = ["Who", "not used", "not used", "not used", "not used", "What was said, in your own words", "Place"]
    chosen = {f"use__{nth}__to": field for nth, field in enumerate(fields)}
    same = {
        "const__body__category": "air", "const__body__firmness": "announced", "const__occurred": "2025-07-10",
        "const__occurred__basis": "stated", "const__subject": "air", "const__sources__0__title": MARKUP,
    }  # fmt: skip
    asked = press(editor, page, "do", "look", **chosen, **same)
    shown = press(editor, read(asked), "do", "look")
    assert "1 of 1 rows has faults" in read(shown).text
    for answer in (asked, shown):
        assert "<script>alert" not in answer.text
    formula = '=HYPERLINK("https://evil.example")'
    cells = rows(1)
    cells[0][5] = formula
    first, _ = recorded(press(editor, look(editor, tabbed(cells)), "do", "record"))
    assert contents(editor, first, 1)[0]["summary"] == formula


def test_two_hundred_rows_are_shown_some_at_a_time(editor: TestClient) -> None:
    page = look(editor, tabbed(rows(200)))  # `read` holds each page to less than 60,000 bytes
    assert "Page 1 of 10" in page.text
    second = read(press(editor, page, "page", "2"))
    assert "Row 22 " in second.text
    assert "Row 21 " not in second.text
    wrong = rows(200)
    for row in wrong:
        row[0] = "Atlantis"
    bad = look(editor, tabbed(wrong))
    assert "200 of 200 rows have faults" in bad.text
    assert "and 180 more" in bad.text


# --- what the columns mean --------------------------------------------------------------------------------------------


def test_what_is_proposed_is_shown_and_what_nothing_proposes_has_to_be_said(editor: TestClient) -> None:
    headings = ["body.firmness", "Firmnes", "Zweck", "Empty", "When it was said or done"]
    page = columns(editor, tabbed([["announced", "x", "y", "", "by 17 March 2025"]], headings))
    assert [page.data[f"use.{nth}.to"][0] for nth in range(5)] == [
        "Firmness", "", "", "not used", "When it was said or done"
    ]  # fmt: skip
    assert "on or before 17 March 2025" in page.text
    refused = press(editor, page, "do", "look")
    assert refused.status_code == 422
    again = read(refused)
    assert {"use.1.to", "use.2.to", "const.subject", "const.summary", "const.sources.0.title"} <= again.at_fault()
    assert "use.3.to" not in again.at_fault()
    assert {"#f-use-2-to", "#f-const-subject"} <= set(again.summary())
    wrong = read(press(editor, again, "do", "look", use__1__to="Nonsense", use__2__to="firmness"))
    assert {"use.1.to", "use.2.to"} <= wrong.at_fault()


def test_dates_and_numbers_that_can_be_read_in_two_ways_are_asked_about(editor: TestClient) -> None:
    cells = rows(2)
    cells[0][1], cells[1][1] = "3/4/2025", "5/6/2025"
    cells[0][4], cells[1][4] = "1.000", "2.500"
    page = columns(editor, tabbed(cells))
    assert page.data["use.1.order"] == [""]
    assert "it does not say which number is the day: say it of its column, at “Dates are written”" in page.text
    assert [attributes.get("class") for tag, attributes in page.elements if tag == "li"].count("unread") == 2
    assert page.data["use.4.style"] == [""]
    refused = press(editor, page, "do", "look", **SAME)
    assert refused.status_code == 422
    assert read(refused).at_fault() == {"use.1.order", "use.4.style"}
    good = read(press(editor, read(refused), "do", "look", use__1__order="day_first", use__4__style=",."))
    assert "Germany: promised support, 3 April 2025" in good.text
    first, _ = recorded(press(editor, good, "do", "record"))
    assert [one["body"]["quantity"]["min"] for one in contents(editor, first, 2)] == [1000, 2500]


def test_further_fields_that_are_the_same_in_all_rows_are_picked_by_name(editor: TestClient) -> None:
    page = columns(editor, tabbed(rows(2)))
    assert "const.place" not in page.data
    more = {"more__0__to": "Place", "more__0__says": "Paris", "more__1__to": "Said to", "more__1__says": "Україна"}
    asked = read(press(editor, page, "do", "ask", **more))
    assert asked.data["const.place"] == ["Paris"]
    assert asked.data["const.addressees"] == ["UA"]
    for wrong in ({"more__2__to": "Place"}, {"more__2__to": "Mood", "more__2__says": "good"}, {"more__2__says": "x"}):
        refused = press(editor, asked, "do", "look", **SAME, **wrong)
        assert refused.status_code == 422
        assert read(refused).at_fault() == {"more.0.to"}
    shown = read(press(editor, asked, "do", "look", **SAME))
    first, _ = recorded(press(editor, shown, "do", "record"))
    assert {(one["place"], *one["addressees"]) for one in contents(editor, first, 2)} == {("Paris", "UA")}


def test_a_page_asks_about_so_many_columns_and_words_and_stays_small(editor: TestClient) -> None:
    headings = [f"Column {nth}" for nth in range(30)]
    cells = [[f"word {nth} {row}" for nth in range(30)] for row in range(60)]
    wide = begin(editor, tabbed(cells, headings))
    page = Sheet()
    page.feed(wide.text)
    fields = ["Category", "Firmness", "When it was said or done", "Quantity: exactly", "Money: exactly", "Who"]
    chosen = {f"use__{nth}__to": field for nth, field in enumerate(fields)}
    asked = press(editor, page, "do", "look", **chosen)
    assert "More than 60 words would have to be told" in asked.text
    for answer in (wide, asked):
        assert len(answer.content) - len(tabbed(cells, headings)) < 60_000
    wider = begin(editor, tabbed([[*cells[0], "x"]], [*headings, "One more"]))
    assert wider.status_code == 422
    assert "more than 30 columns" in read(wider).text


def test_a_field_that_is_chosen_anew_is_asked_about_before_anything_is_shown(editor: TestClient) -> None:
    headings = [*HEADINGS[:2], "Zweck", *HEADINGS[3:]]
    page = columns(editor, tabbed(rows(12), headings))
    asked = press(editor, page, "do", "look", use__2__to="Category", **SAME)
    assert asked.status_code == 200
    again = read(asked)
    assert "raise questions" in again.text
    assert again.data["use.2.means.0"] == ["ground_troops"]
    assert "All 12 rows can be read" in read(press(editor, again, "do", "look")).text


def test_words_are_told_what_they_stand_for_and_others_are_faults_at_their_rows(editor: TestClient) -> None:
    cells = rows(4)
    for row, word in zip(cells, ["Boots", "Jets", "?", "Boots"], strict=True):
        row[2] = word
    cells[1][0] = "The Reich"
    page = columns(editor, tabbed(cells))
    assert [page.data[f"use.2.word.{nth}"][0] for nth in range(3)] == ["Boots", "Jets", "?"]
    assert page.data["use.0.word.0"] == ["The Reich"]
    told = {"use__2__means__0": "ground troops", "use__2__means__1": "air", "use__0__means__0": "Deutschland"}
    shown = read(press(editor, page, "do", "look", **told, **SAME))
    assert shown.at_fault() == {"cell.4.2"}
    assert "This cell has a word of which its column does not say what it stands for." in shown.text
    back = read(press(editor, shown, "do", "columns"))
    assert back.data["use.2.means.0"] == ["ground_troops"]
    assert back.data["use.0.means.0"] == ["DE"]
    good = read(press(editor, back, "do", "look", use__2__means__2="unspecified"))
    first, _ = recorded(press(editor, good, "do", "record"))
    said = contents(editor, first, 4)
    assert [one["body"]["category"] for one in said] == ["ground_troops", "air", "unspecified", "ground_troops"]
    assert said[1]["actors"] == ["DE"]


def test_a_column_can_go_to_two_fields_and_texts_are_put_together_of_cells(editor: TestClient) -> None:
    headings = ["Country", "Date", "Category", "Firmness", "Item"]
    page = columns(editor, tabbed([["Germany", "2025-07-10", "Ground troops", "announced", "a brigade"]], headings))
    twice = read(press(editor, page, "again", "2"))
    assert twice.data["use.3.column"] == ["Category"]
    same = {"const__summary": "{Country} promises {Item}.", "const__sources__0__title": "T"}
    asked = read(press(editor, twice, "do", "look", use__3__to="Subject", use__5__to="not used", **same))
    assert asked.data["use.3.means.0"] == ["ground-troops"]
    first, _ = recorded(press(editor, read(press(editor, asked, "do", "look")), "do", "record"))
    (said,) = contents(editor, first, 1)
    assert said["subject"] == "ground-troops"
    assert said["body"] == {"category": "ground_troops", "firmness": "announced"}
    assert said["summary"] == "Germany promises a brigade."
    strange = read(press(editor, asked, "do", "look", const__summary="{Nobody} promises."))
    assert strange.at_fault() == {"const.summary"}


def test_rows_of_a_group_make_one_statement_and_money_is_read_with_its_currency(editor: TestClient) -> None:
    headings = ["Package", "Donor", "Date", "Item", "Amount"]
    cells = [
        ["P-1", "Germany", "2025-07-10", "Shells", "€ 1.250.000,50"],
        ["P-1", "Germany", "2025-07-10", "Howitzers", "€ 2,5 Mrd."],
        ["P-2", "France", "2025-07-11", "Jets", "n/a"],
    ]
    page = columns(editor, tabbed(cells, headings))
    assert page.data["use.4.to"] == ["Money: exactly"]
    assert "1,250,000.5 EUR" in page.text
    same = {
        "use__0__to": "not used", "use__0__group": "yes", "use__3__to": "not used", "use__4__nothing": "n/a",
        "const__summary": "{Donor}: {Item}", "const__subject": "arms", "const__sources__0__title": "T",
        "const__body__category": "weapons_ammunition", "const__body__firmness": "announced",
    }  # fmt: skip
    grouped = read(press(editor, page, "do", "look", **same))
    assert "raise questions" in grouped.text
    shown = read(press(editor, grouped, "do", "look", use__4__rows="sum"))
    assert "Rows 2 to 3" in shown.text
    first, count = recorded(press(editor, shown, "do", "record"))
    assert count == 2
    package, jets = contents(editor, first, 2)
    assert package["summary"] == "Germany: Shells; Germany: Howitzers"
    assert package["body"]["money"] == {
        "min_amount": "2501250000.5", "max_amount": "2501250000.5", "currency": "EUR"
    }  # fmt: skip
    assert "money" not in jets["body"]


def test_a_mapping_file_is_where_one_may_begin_also_one_that_no_choices_make(editor: TestClient) -> None:
    made = look(editor, tabbed(rows(3))).data["mapping"][0]
    shown = read(begin(editor, tabbed(rows(3)), kind="", mapping=made))
    assert "All 3 rows can be read" in shown.text
    back = read(press(editor, shown, "do", "columns"))
    assert read(press(editor, back, "do", "look")).data["mapping"] == [made]
    own = made + "leave_out:\n- {column: Country, says: [France], why: Not this one.}\n"
    other = read(begin(editor, tabbed(rows(3)), kind="", mapping=own))
    assert "1 left out, as the mapping says" in other.text
    assert "2 statements would be recorded" in other.text
    refused = press(editor, other, "do", "columns")
    assert refused.status_code == 422
    assert "cannot be chosen on a page" in read(refused).text
    broken = read(begin(editor, tabbed(rows(3)), kind="", mapping="version: 1\nfields: {body.color: Country}\n"))
    assert broken.at_fault() == {"mapping"}
    misfit = read(press(editor, other, "do", "look", mapping=own.replace("column: Link", "column: Lonk")))
    assert "no column of this name" in misfit.text


def test_a_mapping_file_that_a_page_would_cut_down_is_changed_in_its_text_alone(editor: TestClient) -> None:
    made = look(editor, tabbed(rows(3))).data["mapping"][0]
    titled = "title: Ours\n" + made
    shown = read(begin(editor, tabbed(rows(3)), kind="", mapping=titled))
    again = read(press(editor, read(press(editor, shown, "do", "columns")), "do", "look"))
    assert "title: Ours" in again.data["mapping"][0]
    many = "".join(f"      word {nth}: DE\n" for nth in range(70))
    for more in (
        made.replace("actors: {column: Country}", "actors: {column: Country, split: ' & '}"),
        made.replace("actors: {column: Country}", "actors: {column: Country, words: names}").replace(
            "words:\n", f"words:\n  names:\n    known:\n{many}    otherwise: keep\n"
        ),
        made.replace("summary: {column: Summary}", 'summary: {text: ["{Summary}", "{Country} says so."]}'),
    ):
        shown = read(begin(editor, tabbed(rows(3)), kind="", mapping=more))
        assert "All 3 rows can be read" in shown.text
        refused = press(editor, shown, "do", "columns")
        assert refused.status_code == 422
        assert "cannot be chosen on a page" in read(refused).text
    other = begin(editor, tabbed(rows(3)), kind="pledge.withdrawn", mapping=made)
    assert "The mapping file says something else: leave one out." in read(other).text


def test_what_is_the_same_in_all_rows_is_looked_at_before_the_rows_are(editor: TestClient) -> None:
    headings = ["Firmness", "Summary"]
    page = columns(editor, tabbed([["announced", "Something."]], headings))
    same = {
        "const__subject": "air", "const__sources__0__title": "T", "const__body__category": "boats",
        "const__occurred": "soon", "const__actors": "Atlantis", "const__body__quantity__unit": "persons",
        "more__0__to": "Quantity: exactly", "more__0__says": "many",
    }  # fmt: skip
    refused = read(press(editor, page, "do", "look", **same))
    assert refused.at_fault() == {
        "const.body.category", "const.occurred", "const.occurred.basis", "const.actors", "const.body.quantity.exactly"
    }  # fmt: skip
    mended = {
        "const__body__category": "Air", "const__occurred": "by July 2025", "const__occurred__basis": "deduced",
        "const__actors": "Germany", "const__body__quantity__exactly": "12",
    }  # fmt: skip
    first, _ = recorded(press(editor, read(press(editor, refused, "do", "look", **mended)), "do", "record"))
    (said,) = contents(editor, first, 1)
    assert said["occurred"] == {"edtf": "../2025-07", "basis": "deduced"}
    assert said["body"]["quantity"] == {"min": 12, "max": 12, "unit": "persons"}


def test_fields_that_the_pages_do_not_have_are_refused(editor: TestClient) -> None:
    page = columns(editor, tabbed(rows(1)))
    strange = editor.post(f"{PASTE}/columns", data={**page.data, "do": "look", "use.0.colour": "red"})
    assert strange.status_code == 422
    shown = look(editor, tabbed(rows(1)))
    strange = editor.post(f"{PASTE}/rows", data={**shown.data, "do": "record", "on_error": "skip"})
    assert strange.status_code == 422
    assert editor.post(PASTE, data={"table": "x"}).status_code == 415
    for path in ("columns", "rows"):
        assert editor.get(f"{PASTE}/{path}").headers["Location"] == PASTE


# --- sent in again ----------------------------------------------------------------------------------------------------


def test_a_pasted_table_that_was_returned_is_mended_row_by_row_and_sent_in_again_with_a_note(database: str) -> None:
    with browser(database, "ed", "admin") as client:
        register(client, "willing")
        add_person(database, "con", "contributor")
        con, ed = begin_session(database, "con"), begin_session(database, "ed")
        client.cookies.set(COOKIE, con)
        waits = press(client, look(client, tabbed(rows(3))), "do", "record", to_reviewer="Rows of the made-up table.")
        draft_id = waits.headers["Location"].removeprefix("/admin/review/").partition("?")[0]
        client.cookies.set(COOKIE, ed)
        page = get(client, f"/admin/review/{draft_id}")
        assert "Rows of the made-up table." in page.text
        press(client, page, "do", "return", reason="Belgium said 300.")
        assert client.get(f"{PASTE}/again?draft={draft_id}").status_code == 404, "of nobody but its author"
        client.cookies.set(COOKIE, con)
        assert f"{PASTE}/again?draft={draft_id}" in get(client, f"/admin/review/{draft_id}").links
        again = get(client, f"{PASTE}/again?draft={draft_id}")
        assert "Belgium said 300." in again.text
        assert "All 3 rows can be read" in again.text
        row = read(press(client, again, "change", "4"))
        cells = [name.replace(".", "__") for name, texts in row.data.items() if "cell." in name and texts == ["3"]]
        assert len(cells) == 2, "both ends of the number"
        faulty = read(press(client, row, "do", "look", **dict.fromkeys(cells, "many")))
        assert "1 of 3 rows has faults" in faulty.text
        good = read(press(client, faulty, "do", "look", **dict.fromkeys(cells, "300")))
        sent, twice = (press(client, good, "do", "record", to_reviewer="300 it is.") for _ in range(2))
        assert sent.headers["Location"] == twice.headers["Location"]
        second = sent.headers["Location"].removeprefix("/admin/review/").partition("?")[0]
        assert client.get(f"{PASTE}/again?draft={draft_id}").status_code == 409, "it is over"
        client.cookies.set(COOKIE, ed)
        assert client.get(f"/v1/drafts/{draft_id}").json()["draft"]["state"] == "withdrawn"
        page = get(client, f"/admin/review/{second}")
        assert "300 it is." in page.text
        assert press(client, page, "do", "approve").status_code == 303
        told = contents(client, 2, 3)
        assert [one["body"]["quantity"]["max"] for one in told] == [1, 2, 300]
