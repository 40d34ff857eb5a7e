"""What is chosen of a pasted table, and the mapping file that it makes: pure, without pages."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.kinds import STATEMENTS
from service.domain.pledge import PledgeStated
from service.domain.statement import Statement
from service.forms.fields import kind_of
from service.forms.pasting.asked import ask
from service.forms.pasting.called import OPTIONS
from service.forms.pasting.choices import NOT_USED, STYLES, Choices, Use, faults_of, find_option
from service.forms.pasting.made import read_back, write_mapping
from service.forms.pasting.mending import mend
from service.forms.pasting.proposing import guessed, propose
from service.forms.pasting.sheets import Sheet, read_sheet
from service.forms.pasting.targets import BASIS, OCCURRED, Reads, Target, targets_of
from service.reading.columns import find_place
from service.reading.mapping import parse_mapping

HEADINGS = ["Donor", "Announced", "Kind", "Firmness", "Item", "Pieces", "Amount", "Link", "NO", "1: a", "'quoted'"]
CELLS = [
    "Germany", "France; Italy", "24.2.2023", "2023-02", "until 3/4/2023", "air", "announced", "1.000", "€ 2,5 Mrd.",
    "n/a", "https://aid.example/1", "yes", "0", "", "Shells: 12", "# no", "- a", "{Donor}", "null",
]  # fmt: skip


@pytest.mark.parametrize("kind", STATEMENTS, ids=kind_of)
def test_every_field_of_every_kind_can_be_filled_by_a_mapping_and_has_a_name_of_its_own(kind: type[Statement]) -> None:
    targets = targets_of(kind)
    assert len({one.label for one in targets.values()}) == len(targets)
    for target in targets.values():
        for name in target.fills:
            assert name == OCCURRED or find_place(kind, name) is not None, name
    needed = {path for path, one in targets.items() if one.needed}
    assert {"subject", "occurred", "summary", "sources.0.title"} <= needed


@pytest.mark.parametrize(
    ("headings", "cells", "proposed"),
    [
        (["Source"], ["https://a.example/1"], ["sources.0.url"]),
        (["Source"], ["A report"], ["sources.0.title"]),
        (["Source", "Article"], ["https://a.example/1", "A report"], ["sources.0.url", "sources.0.title"]),
        (["Source", "Link"], ["https://a.example/1", "http://b.example"], ["", "sources.0.url"]),
        (["Wo", "Woher"], ["https://a.example/1", "https://a.example/2"], ["sources.0.url", ""]),
        (["Archived copy"], ["https://a.example/1"], ["sources.0.archive_url"]),
        (["Summary"], ["https://a.example/1"], ["summary"]),
        (["Source"], ["seen at https://a.example/1"], ["sources.0.title"]),
    ],
)
def test_a_column_of_addresses_is_proposed_as_the_address_of_a_source(
    headings: list[str], cells: list[str], proposed: list[str]
) -> None:
    uses = propose(PledgeStated, "willing", table(headings, [cells]), None).uses
    assert [use.to for use in uses] == proposed


@pytest.mark.parametrize(
    ("word", "means"),
    [("Pledged", "announced"), ("declaration  of intent", "declared_intent"), ("ready", "ready"), ("Paid", "delivered"),
     ("Commitment", ""), ("Signed", ""), ("strong", "")],
)  # fmt: skip
def test_a_word_that_means_one_rung_is_proposed_with_it_and_no_other(word: str, means: str) -> None:
    (use,) = propose(PledgeStated, "willing", table(["Strength"], [[word]]), None).uses
    assert (use.to, use.words) == ("body.firmness", {word: means})


def test_words_that_are_known_stand_for_one_option_each_and_for_no_other_by_its_name() -> None:
    fields = [one for kind in STATEMENTS for one in targets_of(kind).values() if one.reads is Reads.WORDS]
    for name, meant in OPTIONS.items():
        named = [one for one in fields if one.field.name == name]
        for word, value in meant.items():
            assert any(value in one.options for one in named), value
            assert {find_option(one, word) for one in named} <= {None, value}, word


def table(headings: list[str], rows: list[list[str]]) -> Sheet:
    """A table of cells."""
    lines = ["\t".join(row) for row in (headings, *rows)]
    return read_sheet("\n".join(lines) + "\n")


@st.composite
def chosen(draw: st.DrawFn) -> tuple[Choices, Sheet]:
    """A table, and choices about it as a page lets them be made: nothing is left undecided."""
    headings = draw(st.lists(st.sampled_from(HEADINGS), min_size=2, max_size=6, unique=True))
    row = st.lists(st.sampled_from(CELLS), min_size=len(headings), max_size=len(headings))
    sheet = table(headings, [[*draw(row)[:-1], "x"] for _ in range(draw(st.integers(1, 4)))])
    kind = draw(st.sampled_from(STATEMENTS))
    targets = targets_of(kind)
    to = draw(
        st.lists(st.sampled_from([NOT_USED, *targets]), min_size=len(headings), max_size=len(headings), unique=True)
    )
    uses = [guessed(kind, Use(column, path), sheet) for column, path in zip(headings, to, strict=True)]
    flags = draw(st.lists(st.booleans(), min_size=4, max_size=4))
    uses = [
        replace(
            use, style=use.style or draw(st.sampled_from(list(STYLES))), group=flags[0] and nth == 0,
            month_end=flags[1] and targets[use.to].reads is Reads.DATE if use.to in targets else False,
            nothing="n/a; -" if use.to in targets and targets[use.to].reads is Reads.NUMBER and flags[2] else "",
        )
        for nth, use in enumerate(uses)
    ]  # fmt: skip
    left = [path for path in targets if path not in to]
    further = draw(st.lists(st.sampled_from(left), max_size=4, unique=True))
    constants = {path: said(targets[path]) for path in left if path in further or targets[path].needed}
    if OCCURRED in to:
        constants.pop(BASIS, None)
    if flags[3] and "summary" in constants:
        constants["summary"] = f"{{{headings[0]}}} said so."
    title = draw(st.sampled_from(["", "A: table # of ours"]))
    return Choices(kind, "willing", tuple(uses), constants, title=title), sheet


def said(target: Target) -> str:
    """Something that a field may say in all rows."""
    by_reading = {Reads.NAMES: "DE", Reads.NUMBER: "5", Reads.DATE: "2025-07-10", Reads.CURRENCY: "EUR"}
    return next(iter(target.options)) if target.reads is Reads.WORDS else by_reading.get(target.reads, "said")


@given(chosen())
def test_choices_without_faults_make_a_mapping_file_that_gives_them_back(made: tuple[Choices, Sheet]) -> None:
    choices, sheet = made
    faults = faults_of(choices, sheet.columns)
    ask(choices, sheet, faults)  # can be shown, whatever is chosen
    if faults:
        return
    mapping = parse_mapping(write_mapping(choices).encode())
    assert mapping.columns >= set(sheet.columns)
    back = read_back(mapping, sheet.columns)
    assert back is not None
    assert {(use.column, use.to) for use in back.uses} == {(use.column, use.to) for use in choices.uses}
    assert (back.constants, back.title) == (choices.constants, choices.title)


@given(st.lists(st.lists(st.sampled_from(CELLS), min_size=3, max_size=3), min_size=1, max_size=5))
def test_whatever_a_table_says_it_can_be_asked_about(rows: list[list[str]]) -> None:
    sheet = table(HEADINGS[:3], [[*row[:-1], "x"] for row in rows])
    choices = propose(PledgeStated, "willing", sheet, None)
    assert [use.column for use in choices.uses] == list(sheet.columns)
    ask(choices, sheet, faults_of(choices, sheet.columns))


CELL = st.text(st.sampled_from('ab;"\n\t ,ü='), max_size=6)


@given(st.data(), st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=5))
def test_a_mended_cell_is_all_that_changes(data: st.DataObject, rows: list[list[str]]) -> None:
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in [["one", "two"], *rows]]
    text = "".join(";".join(row) + "\n" for row in quoted)
    if not any(cell.strip() for row in rows for cell in row):
        return
    sheet = read_sheet(text)
    nth, column, cell = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 1)), data.draw(CELL)
    mended, lost = mend(text, sheet, {(nth + 2, column): (rows[nth][column], cell)})
    rows[nth][column] = cell
    assert not lost
    if any(said.strip() for row in rows for said in row):
        records = {record.number: list(record.cells) for record in read_sheet(mended).records}
        assert records == {
            number: row for number, row in enumerate(rows, start=2) if any(said.strip() for said in row)
        }  # fmt: skip
    else:
        assert mended.splitlines()[0] == "one;two"
