"""Forms: each follows from its model; what is filled in is what the API takes; what is wrong stands at its field."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import Fault, Invalid
from service.domain.kinds import KINDS, STATEMENTS, parse_event, parse_statement
from service.domain.pledge import PledgeStated
from service.domain.statement import Flag, Line, Statement, Value
from service.domain.telling_dates import tell_date, tell_occurred, tell_when
from service.forms.dates import parse_written
from service.forms.fields import Field, Widget, fields_of, form_around, form_of, kind_of
from service.forms.pasting.written import write_table
from service.forms.reading import fill_form, read_form, slug_of
from service.forms.shown import Page, Shown, show
from service.forms.told import compare, tell_content
from service.reading.opening import Form as FileForm
from service.reading.opening import open_rows
from service.web.writing import NOTES, Registration
from tests import strategies
from tests.registry import Json, statement

ROOT = Path(__file__).parents[1]
PLEDGE = form_of(PledgeStated)
SAID: Json = {
    "subject": ["ground troops"],
    "occurred.edtf": ["2025-07-10"],
    "occurred.basis": ["stated"],
    "actors": ["GB"],
    "summary": ["What was said."],
    "sources.0.title": ["A report"],
    "body.category": ["ground_troops"],
    "body.firmness": ["announced"],
}


def content_of(data: Json, kind: type[Statement] = PledgeStated) -> Json:
    """What a form comes to once the model has taken it, as the log would hold it."""
    filled = read_form(form_of(kind).fields, data)
    assert (filled.faults, filled.unknown) == ((), ())
    return parse_statement({"kind": kind_of(kind), "coalition": "willing", **filled.content}).content()


def filled_in(**changes: str | list[str] | None) -> Json:
    """A form with a valid pledge; names have two underscores for each dot."""
    data = dict(SAID)
    for name, value in changes.items():
        path = name.replace("__", ".")
        if value is None:
            data.pop(path, None)
        else:
            data[path] = [value] if isinstance(value, str) else value
    return data


def sent(data: Json) -> Json:
    """Data as browsers send them: lines are broken by two characters."""
    return {name: [one.replace("\n", "\r\n") for one in given] for name, given in data.items()}


def refused(data: Json, kind: type[Statement] = PledgeStated, *, add: str = "") -> Page:
    """The page on which a form comes back that was refused."""
    filled = read_form(form_of(kind).fields, data)
    faults: tuple[Fault, ...] = ()
    try:
        parse_statement({"kind": kind_of(kind), "coalition": "willing", **filled.content})
    except Invalid as refusal:
        faults = refusal.faults
    return show(form_of(kind), filled, faults, add=add)


def find(page: Page, name: str) -> Shown:
    """A field of a page."""

    def search(one: Shown) -> Shown | None:
        return one if one.name == name else next(filter(None, map(search, one.parts)), None)

    found = next(filter(None, (search(one) for part in page.parts for one in part.fields)), None)
    assert found is not None, name
    return found


# --- fields follow from models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", STATEMENTS, ids=kind_of)
def test_every_kind_of_statement_has_a_form_with_all_its_fields(kind: type[Statement]) -> None:
    form = form_of(kind)
    assert {field.name for field in form.fields} == set(kind.model_fields) - {"kind", "coalition"}
    listed = [name for section in form.sections for name in section.names]
    assert sorted(listed) == sorted(field.name for field in form.fields)


@pytest.mark.parametrize("note", [*dict.fromkeys(note for note, _ in NOTES.values()), Registration, *KINDS.values()])
def test_every_note_on_the_record_and_every_kind_has_a_form(note: type[Value]) -> None:
    assert all(field.label for field in fields_of(note))


def test_a_new_kind_has_its_form_as_soon_as_it_has_its_class() -> None:
    class Terms(Value):
        until: Line | None = None
        partly: Flag | None = None

    class PledgeSuspended(Statement):
        """The pledge rests for a while."""

        family: ClassVar[str] = "pledge"
        kind: Literal["pledge.suspended"]
        body: Terms = Terms()

    form = form_of(PledgeSuspended)
    (body,) = (field for field in form.fields if field.name == "body")
    assert [(part.name, part.widget) for part in body.parts] == [("until", Widget.LINE), ("partly", Widget.TRUTH)]
    assert "The pledge rests for a while." in [section.hint for section in form.sections]


def test_a_type_that_nobody_knows_how_to_ask_for_is_refused_when_the_form_is_made() -> None:
    class Odd(Value):
        when: complex

    with pytest.raises(TypeError, match=r"Odd\.when"):
        fields_of(Odd)


def test_nothing_is_chosen_beforehand_and_every_choice_has_words() -> None:
    def choices(field: Field) -> list[Field]:
        return [field, *(one for part in field.parts for one in choices(part))]

    for kind in STATEMENTS:
        page = show(form_of(kind), read_form(form_of(kind).fields, {}))
        for part in page.parts:
            for shown in part.fields:
                assert (shown.value, shown.values) == ("", ())
        for field in form_of(kind).fields:
            assert all(option.words for one in choices(field) for option in one.options)


# --- what is filled in is what the API takes --------------------------------------------------------------------------


def test_what_is_left_blank_stays_unset() -> None:
    assert content_of(SAID) == {
        "kind": "pledge.stated",
        "coalition": "willing",
        "subject": "ground-troops",
        "occurred": {"edtf": "2025-07-10", "basis": "stated"},
        "actors": ["GB"],
        "summary": "What was said.",
        "sources": [{"title": "A report"}],
        "body": {"category": "ground_troops", "firmness": "announced"},
    }


def without_empty(value: Any) -> Any:
    """A content without values in which nothing is said: a form cannot tell them from what is left out."""
    if isinstance(value, list):
        return [without_empty(one) for one in value]
    if not isinstance(value, dict):
        return value
    members = {name: without_empty(member) for name, member in value.items()}
    return {name: member for name, member in members.items() if member not in ({}, [])}


def check_round_trip(content: Json) -> None:
    event = parse_event({**content, "coalition": "willing"})
    fields = form_of(type(event)).fields
    said = event.content()
    filled = read_form(fields, sent(fill_form(fields, said)))
    again = parse_event({"kind": event.kind, "coalition": "willing", **filled.content}).content()
    assert without_empty(again) == without_empty(said)
    assert (filled.faults, filled.unknown, filled.unclear) == ((), (), {})


@given(strategies.statements())
def test_any_statement_filled_into_its_form_is_sent_as_the_same_statement(content: Json) -> None:
    check_round_trip(content)


@pytest.mark.parametrize("file", sorted(ROOT.glob("seeds/article-*.yaml")), ids=lambda file: file.stem)
def test_every_seed_filled_into_its_form_is_sent_as_the_same_statement(file: Path) -> None:
    for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["entries"]:
        if "statement" in entry:
            check_round_trip(entry["statement"])


def read_again(contents: list[Json]) -> list[Json]:
    """What the table of some statements is read as."""
    rows = open_rows(BytesIO(write_table(contents).encode()), FileForm.CSV)
    return [without_empty(row.content) for row in rows if row.content is not None and not row.faults]


@given(st.lists(strategies.statements(), min_size=1, max_size=3))
def test_any_statements_written_as_a_table_are_read_as_the_same_statements(contents: list[Json]) -> None:
    said = [parse_statement({**one, "coalition": "willing"}).content() for one in contents]
    assert read_again(said) == [without_empty(one) for one in said]


def test_texts_that_a_table_might_take_for_something_else_are_read_as_they_were_written() -> None:
    odd: Json = {"summary": "=1+1", "quote": 'two\nlines\tand a tab; "quoted"', "tags": ["a-b", "c"], "place": "'-5"}
    said = parse_statement({**statement(**odd), "sources": [{"title": "One"}, {"title": "; Two"}]}).content()
    assert read_again([said, statement("warning.issued")])[0] == without_empty(said)


@pytest.mark.parametrize("file", sorted(ROOT.glob("tests/golden/*.json")), ids=lambda file: file.stem)
def test_an_event_of_every_kind_filled_into_its_form_is_sent_as_the_same_event(file: Path) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))["content"]
    event = parse_event(content)
    fields = form_of(type(event)).fields
    given_by_the_page = {name: content[name] for name in ("kind", "coalition", "target", "changes") if name in content}
    filled = read_form(fields, sent(fill_form(fields, content)))
    again = parse_event({**given_by_the_page, **filled.content})
    assert without_empty(again.content()) == without_empty(event.content())


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(str.strip)


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3), st.none() | st.booleans(), st.none() | st.booleans())
def test_texts_truths_and_lists_come_back_as_they_were(
    text: str, texts: list[str], official: bool | None, approximate: bool | None
) -> None:
    voice = {} if official is None else {"official": official}
    told = {} if approximate is None else {"approximate": approximate}
    check_round_trip(
        strategies.said(
            "2025-01",
            summary=f"{text}\n{text}",
            said_by={"name": "A Minister", **voice},
            body={
                "category": "air",
                "firmness": "ready",
                "quantity": {"text": text.strip(), **told},
                "places": texts,
                "conditions": [{"kind": "other", "text": one} for one in texts],
            },
        )
    )


@pytest.mark.parametrize(
    ("given_in", "quantity"),
    [
        ({"exactly": "500"}, {"min": 500, "max": 500}),
        ({"max": "30,000"}, {"max": 30000}),
        ({"min": "1 500", "max": "2 000"}, {"min": 1500, "max": 2000}),
        ({"min": "0.25"}, {"min": "0.25"}),
    ],
)
def test_a_quantity_is_exact_a_range_or_one_bound(given_in: dict[str, str], quantity: Json) -> None:
    data = filled_in(**{f"body__quantity__{name}": value for name, value in given_in.items()})
    body = content_of(data | {"body.quantity.unit": ["persons"]})["body"]
    assert body["quantity"] == {**quantity, "unit": "persons"}


def test_a_quantity_may_be_words_only() -> None:
    assert content_of(filled_in(body__quantity__text="thousands"))["body"]["quantity"] == {"text": "thousands"}


def test_money_is_kept_as_the_text_that_was_written() -> None:
    body = content_of(filled_in(body__money__exactly="1,000,000.00", body__money__currency="eur"))["body"]
    assert body["money"] == {"min_amount": "1000000.00", "max_amount": "1000000.00", "currency": "EUR"}


def test_an_exact_number_beside_its_ends_is_refused_at_its_field() -> None:
    page = refused(filled_in(body__quantity__exactly="5", body__quantity__max="6", body__quantity__unit="persons"))
    assert find(page, "body.quantity.exactly").errors == ("Give either an exact number or its ends.",)


def test_a_number_with_a_comma_for_its_fraction_is_not_taken_for_another() -> None:
    page = refused(filled_in(body__quantity__exactly="1,5", body__quantity__unit="persons"))
    assert find(page, "body.quantity.exactly").errors
    assert len(page.problems) == 1, "said once, where it was written"


@pytest.mark.parametrize(("chosen", "official"), [("yes", True), ("no", False), ("", None)])
def test_a_truth_has_three_states(chosen: str, official: bool | None) -> None:
    said_by = content_of(filled_in(said_by__name="A Presenter", said_by__official=chosen))["said_by"]
    assert said_by.get("official") is official


def test_what_is_no_longer_said_is_ticked() -> None:
    assert content_of(filled_in(body__cleared=["conditions", "money"]))["body"]["cleared"] == ["conditions", "money"]


def test_rows_that_were_left_blank_are_none_and_the_others_are_counted_anew() -> None:
    data = filled_in(
        body__conditions__0__kind="", body__conditions__2__kind="mandate", body__conditions__7__kind="peace_agreement"
    )
    filled = read_form(PLEDGE.fields, data)
    assert [one["kind"] for one in filled.content["body"]["conditions"]] == ["mandate", "peace_agreement"]
    assert filled.data["body.conditions.1.kind"] == ["peace_agreement"]


@pytest.mark.parametrize("words", ["Ground troops", "ground-troops", "  Ground, troops! ", "GROUND TROOPS"])
def test_a_slug_is_made_from_words(words: str) -> None:
    assert slug_of(words) == "ground-troops"
    assert content_of(filled_in(subject=words))["subject"] == "ground-troops"


def test_an_event_is_named_by_its_id_or_by_the_address_of_its_page() -> None:
    event_id = "019a8f3e-0000-7000-8000-000000000000"
    fields = form_of(NOTES["duplicates"][0]).fields
    for text in (event_id, f" https://registry.example/admin/events/{event_id}?x=1 "):
        assert read_form(fields, {"original": [text]}).content == {"original": event_id}


def test_names_that_the_form_does_not_have_are_told() -> None:
    assert read_form(PLEDGE.fields, {**SAID, "body.colour": ["red"]}).unknown == ("body.colour",)


# --- actors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Germany", "DE", "deu", "Deutschland", "Німеччина", "Alemania"])
def test_an_actor_is_named_by_code_or_name_in_any_language(name: str) -> None:
    assert content_of(filled_in(actors=name))["actors"] == ["DE"]
    assert find(refused(filled_in(actors=name)), "actors").echo == "Germany"


@pytest.mark.parametrize("names", ["Germany; France", "DE, FR", "Allemagne\nFrance", "Germany; France; "])
def test_several_actors_stand_in_one_field(names: str) -> None:
    assert content_of(filled_in(actors=names))["actors"] == ["DE", "FR"]


def test_a_name_with_a_comma_in_it_is_one_name() -> None:
    assert content_of(filled_in(actors="Korea, Republic of; FR"))["actors"] == ["KR", "FR"]


def test_an_unclear_name_is_refused_with_those_that_it_may_mean_and_one_of_them_is_chosen() -> None:
    data = filled_in(actors="France; Korea")
    shown = find(refused(data), "actors")
    assert shown.errors
    (unclear,) = shown.unclear
    assert unclear.text == "Korea"
    assert {"KP", "KR"} <= {choice.code for choice in unclear.choices}
    assert content_of({**data, "actors?Korea": ["KR"]})["actors"] == ["FR", "KR"]


def test_a_name_that_no_actor_has_may_be_a_persons_or_a_groups() -> None:
    (unclear,) = find(refused(filled_in(actors="Keir Starmer")), "actors").unclear
    assert {"person:keir-starmer", "group:keir-starmer"} <= {choice.code for choice in unclear.choices}


def test_a_part_of_a_state_leads_to_the_state() -> None:
    (unclear,) = find(refused(filled_in(said_by__actor="Scotland")), "said_by.actor").unclear
    assert unclear.choices[0].code == "GB"


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edtf", "words"),
    [
        ("2025-07-10", "10 July 2025"),
        ("2025-03", "March 2025"),
        ("2025", "2025"),
        ("2025-11~", "about November 2025"),
        ("2025-11?", "November 2025, uncertain"),
        ("2025-11%", "about November 2025, uncertain"),
        ("2025-21", "spring 2025"),
        ("202X", "some year from 2020 to 2029"),
        ("2025-XX", "some month of 2025"),
        ("2025-01-XX", "some day of January 2025"),
        ("2025-XX-XX", "some day of 2025"),
        ("../2025-03-17", "on or before 17 March 2025"),
        ("/2025-03-17", "on or before 17 March 2025"),
        ("../2025-03", "in or before March 2025"),
        ("2025-03-24/2025-03-30", "between 24 and 30 March 2025"),
        ("2025-03-24/2025-04-02", "between 24 March 2025 and 2 April 2025"),
        ("2025-03/2025-05", "between March 2025 and May 2025"),
        ("2025-07-10T16:30:00+02:00", "10 July 2025, 14:30 UTC"),
    ],
)
def test_a_date_is_told_in_plain_words(edtf: str, words: str) -> None:
    assert tell_date(edtf) == words


def test_how_a_date_is_known_is_told_with_it() -> None:
    page = refused(filled_in(occurred__edtf="by 17 March 2025", occurred__basis="deduced"))
    assert find(page, "occurred.edtf").echo == "on or before 17 March 2025, deduced"
    assert tell_occurred("../2025-03-17", "deduced") == "on or before 17 March 2025, deduced"
    assert tell_occurred("2025-03-17", "stated") == "17 March 2025"


@pytest.mark.parametrize(
    ("edtf", "words"),
    [
        ("2025-07-10", "on 10 July 2025"),
        ("2025-07-10?", "on 10 July 2025, uncertain"),
        ("2025-07-10T14:30:00Z", "on 10 July 2025, 14:30 UTC"),
        ("2025-03", "in March 2025"),
        ("2025-21", "in spring 2025"),
        ("2025", "in 2025"),
        ("2025-03-17~", "about 17 March 2025"),
        ("2025-01-XX", "some day of January 2025"),
        ("../2025-03", "in or before March 2025"),
        ("2025-03-24/2025-03-30", "between 24 and 30 March 2025"),
    ],
)
def test_in_a_sentence_a_date_has_its_word_before_it(edtf: str, words: str) -> None:
    assert tell_when(edtf) == words


@given(strategies.dates())
def test_every_date_has_words(edtf: str) -> None:
    assert "X" not in tell_date(edtf)
    assert tell_when(edtf).endswith(tell_date(edtf))


def told(**said: Any) -> list[tuple[str, str, str]]:
    """What a pledge says beside its category, as it is told."""
    content = {"sources": said.pop("sources", []), "body": said}
    return [(one.label, one.words, one.edtf) for one in tell_content(PLEDGE.fields, content)]


def test_a_content_is_told_with_its_dates_in_words_and_with_their_notation() -> None:
    source = {"published_on": "2025-07-12"}
    assert told(sources=[source]) == [("Source 1: published on", "12 July 2025", "2025-07-12")]
    assert told(deadline="2025-11~") == [("Deadline", "about November 2025", "2025-11~")]


def test_both_ends_of_a_range_that_are_the_same_are_told_at_once() -> None:
    number = {"min": 500, "max": 500, "unit": "persons"}
    assert told(quantity=number)[0] == ("Quantity: exactly", "500", "")
    assert [label for label, *_ in told(quantity=number | {"max": 600})[:2]] == [
        "Quantity: at least", "Quantity: at most",
    ]  # fmt: skip
    assert told(money={"min_amount": "1.5", "max_amount": "1.5"}) == [("Money: exactly", "1.5", "")]
    before, after = ({"body": {"quantity": one}} for one in (number, number | {"min": 400}))
    words = [
        (one.label, one.before and one.before.words, one.after and one.after.words)
        for one in compare(PLEDGE.fields, before, after)
    ]
    assert words == [
        ("Quantity: at least", None, "400"), ("Quantity: at most", None, "500"), ("Quantity: exactly", "500", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "edtf"),
    [
        ("2025-07-10", "2025-07-10"),
        ("10 July 2025", "2025-07-10"),
        ("July 10, 2025", "2025-07-10"),
        ("July 2025", "2025-07"),
        ("by 17 March 2025", "../2025-03-17"),
        ("25.11.2025", "2025-11-25"),
        ("by 11/25/2025", "../2025-11-25"),
        ("on or before 17 March 2025", "../2025-03-17"),
        ("between 24 March 2025 and 30 March 2025", "2025-03-24/2025-03-30"),
        ("between 24 and 30 March 2025", "2025-03-24/2025-03-30"),
        ("from 24 to 30 March 2025", "2025-03-24/2025-03-30"),
        ("24-30 March 2025", "2025-03-24/2025-03-30"),
        ("24 \u2013 30 March 2025", "2025-03-24/2025-03-30"),
        ("28 March to 3 April 2025", "2025-03-28/2025-04-03"),
        ("between March and May 2025", "2025-03/2025-05"),
        ("about November 2025", "2025-11~"),
    ],
)
def test_a_date_is_written_in_edtf_or_in_words(text: str, edtf: str) -> None:
    assert content_of(filled_in(occurred__edtf=text))["occurred"]["edtf"] == edtf
    assert find(refused(filled_in(occurred__edtf=text)), "occurred.edtf").echo == tell_date(edtf)


@pytest.mark.parametrize(
    "edtf",
    ["2025-03-17", "2025-03", "2025", "../2025-03-17", "../2025-03", "2025-03-21/2025-03-22", "2025-03-28/2025-04-03",
     "2025-03/2025-05", "2025-11~"],
)  # fmt: skip
def test_a_date_may_be_written_as_pages_tell_it(edtf: str) -> None:
    assert parse_written(tell_date(edtf)) == edtf


@pytest.mark.parametrize("text", ["31.2.2025", "31 April 2025", "by 29 February 2025", "between 24 and 31 April 2025"])
def test_of_a_day_that_the_calendar_does_not_have_that_is_said(text: str) -> None:
    shown = find(refused(filled_in(occurred__edtf=text)), "occurred.edtf")
    assert shown.value == text, "as it was written"
    assert shown.errors == ("That date does not exist in the calendar. Write one that does, such as 2025-02-28.",)


@pytest.mark.parametrize("text", ["3/4/2025", "next Tuesday", "between 21 and 22", "32.1.2025", "21 and 22 Mai 2025"])
def test_what_is_no_date_or_may_be_two_stays_as_it_was_written(text: str) -> None:
    assert parse_written(text) == text


@pytest.mark.parametrize(
    ("parts", "edtf"),
    [
        ({"precision": "day", "date": "2025-07-10"}, "2025-07-10"),
        ({"precision": "month", "date": "2025-07-10"}, "2025-07"),
        ({"precision": "year", "date": "July 2025"}, "2025"),
        ({"precision": "by", "date": "2025-03-17"}, "../2025-03-17"),
        ({"precision": "between", "date": "2025-03-24", "until": "2025-03-30"}, "2025-03-24/2025-03-30"),
        ({"precision": "month", "date": "2025-11", "about": "yes"}, "2025-11~"),
        ({"date": "2025-07-10"}, "2025-07-10"),
    ],
)
def test_a_date_is_picked_by_how_precisely_it_is_known(parts: dict[str, str], edtf: str) -> None:
    data = filled_in(occurred__edtf=None, **{f"occurred__edtf__{part}": value for part, value in parts.items()})
    assert content_of(data)["occurred"]["edtf"] == edtf
    shown = find(refused(data), "occurred.edtf")
    assert (shown.value, shown.echo, shown.picked) == (edtf, tell_date(edtf), {})


@pytest.mark.parametrize(
    "parts",
    [
        {"precision": "by"},
        {"precision": "day", "date": "2025-07"},
        {"precision": "between", "date": "2025-03-24"},
        {"precision": "by", "date": "2025-03-24", "until": "2025-03-30"},
        {"date": "2025-03-24", "until": "2025-03-30"},
    ],
)
def test_parts_of_a_date_that_do_not_go_together_are_refused_at_its_field_and_kept(parts: dict[str, str]) -> None:
    data = filled_in(occurred__edtf=None, **{f"occurred__edtf__{part}": value for part, value in parts.items()})
    shown = find(refused(data), "occurred.edtf")
    assert shown.errors
    assert shown.picked == parts


def test_a_date_that_is_written_and_picked_has_to_be_the_same() -> None:
    picked = {"occurred__edtf__precision": "by", "occurred__edtf__date": "2025-07-10"}
    assert content_of(filled_in(occurred__edtf="../2025-07-10", **picked))["occurred"]["edtf"] == "../2025-07-10"
    assert find(refused(filled_in(**picked)), "occurred.edtf").errors


# --- what is wrong stands at its field --------------------------------------------------------------------------------


def test_every_fault_stands_at_its_field_and_in_the_summary_with_a_link_to_it() -> None:
    data = filled_in(summary=None, body__firmness=None, sources__0__title=None, sources__1__url="nonsense")
    page = refused(data)
    for name in ("summary", "body.firmness", "sources.0.title", "sources.0.url"):
        assert find(page, name).errors, name
        assert find(page, name).id in {problem.id for problem in page.problems}
    assert len(page.problems) == 4
    assert "Title (1)" in {problem.label for problem in page.problems}


def test_what_a_whole_value_lacks_leads_to_the_field_that_the_sentence_names() -> None:
    page = refused(filled_in(body__quantity__exactly="5"))
    assert find(page, "body.quantity.unit").errors == ("A number needs its “Unit”, such as persons.",)
    page = refused(filled_in(actors=None))
    assert find(page, "actors").errors == ("Name at least one actor: whoever says or does this.",)
    assert [problem.id for problem in page.problems] == ["f-actors"]


def test_a_fault_of_what_no_field_shows_stands_in_the_summary_alone() -> None:
    page = show(PLEDGE, read_form(PLEDGE.fields, SAID), [Fault("/coalition", "unknown_coalition", "Unknown.")])
    assert [(problem.detail, problem.id) for problem in page.problems] == [("Unknown.", None)]


def test_a_list_grows_by_a_row_when_asked_and_a_required_one_begins_with_one() -> None:
    page = refused(filled_in(sources__0__title=None))
    assert (len(find(page, "sources").parts), len(find(page, "body.conditions").parts)) == (1, 0)
    grown = refused(filled_in(body__conditions__0__kind="mandate"), add="body.conditions")
    assert len(find(grown, "body.conditions").parts) == 2


def test_a_folded_section_is_opened_where_something_is_said_or_wrong_in_it() -> None:
    more = {part.section.title: part.opened for part in refused(SAID).parts}
    assert (more["What it is about"], more["More"]) == (True, False)
    assert next(part.opened for part in refused(filled_in(quote="Yes.")).parts if part.section.title == "More")
    assert next(part.opened for part in refused(filled_in(tags="é")).parts if part.section.title == "More")


def test_what_is_filled_in_stays_as_it_was_written_when_it_is_refused() -> None:
    page = refused(filled_in(occurred__edtf="next Tuesday", body__quantity__exactly="many"))
    assert find(page, "occurred.edtf").value == "next Tuesday"
    assert find(page, "body.quantity.exactly").value == "many"


def test_a_correction_asks_for_the_statement_and_for_the_reason() -> None:
    form = form_around("changes", PledgeStated, NOTES["corrections"][0])
    data = {**{f"changes.{name}": value for name, value in SAID.items()}, "reason": ["entry_error"]}
    filled = read_form(form.fields, data)
    assert filled.content["changes"]["body"] == {"category": "ground_troops", "firmness": "announced"}
    page = show(form, filled, [Fault("/changes/body/firmness", "enum", "Unknown.")])
    assert find(page, "changes.body.firmness").errors == ("Unknown.",)
