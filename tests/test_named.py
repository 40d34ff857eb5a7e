"""People and groups by name: exactly, in part, or nearly; and as what was recorded, corrected or retracted has it."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from service.domain.named import NOBODY, Called, Names
from tests.people import browser
from tests.registry import Json, note, post, statement

MACRON = "person:emmanuel-macron"
NAMES = Names({
    Called(MACRON, "Emmanuel Macron"): 3,
    Called(MACRON, "Еммануель Макрон"): 1,
    Called("person:emmanuel-moreau", "Emmanuel Moreau"): 1,
    Called("person:jose-martin", "José Martín"): 2,
    Called("person:jose-martin-lopez", "José Martín"): 1,
    Called("group:western-countries", ""): 2,
    Called("coalition:willing", "Coalition of the Willing"): 1,
})  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Emmanuel Macron", MACRON),
        ("EMMANUEL  MACRON", MACRON),
        ("Еммануель Макрон", MACRON),
        ("Western countries", "group:western-countries"),
        ("the Coalition of the Willing", "coalition:willing"),
    ],
)
def test_a_name_that_one_goes_by_leads_to_them(text: str, code: str) -> None:
    assert NAMES.find(text) == code


@pytest.mark.parametrize("text", ["Macron", "Emmanuel", "José Martín", "Jane Doe", "", "—"])
def test_a_part_of_a_name_and_one_that_two_go_by_lead_to_nobody_by_themselves(text: str) -> None:
    assert NAMES.find(text) is None


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Macron", [MACRON]),
        ("macr", [MACRON]),
        ("Marcon", [MACRON]),
        ("Макрон", [MACRON]),
        ("Emanuel Marcon", [MACRON]),
        ("Emmanuel", [MACRON, "person:emmanuel-moreau"]),
        ("Jose Martin", ["person:jose-martin", "person:jose-martin-lopez"]),
        ("Westen countries", ["group:western-countries"]),
        ("Vladimir", []),
        ("", []),
    ],
)
def test_part_of_a_name_and_one_misspelt_lead_to_whom_they_may_mean_the_most_named_first(
    text: str, codes: list[str]
) -> None:
    assert [one.code for one in NAMES.suggest(text)][: len(codes) or 1] == codes


def test_somebody_is_shown_by_the_name_used_most_and_a_group_by_its_words() -> None:
    assert NAMES.get(MACRON).name == "Emmanuel Macron"
    assert NAMES.get(MACRON).aliases == ("Еммануель Макрон",)
    assert NAMES.most_named(2) == ["Emmanuel Macron", "Western countries"], "of one name that two have, nobody is meant"
    assert NOBODY.suggest("Macron") == []


@given(st.text(max_size=40), st.text(max_size=40))
def test_whoever_was_named_is_found_by_that_name_or_offered_for_it(name: str, other: str) -> None:
    one = Called.of(None, name) if name else Called.of("person:jane-doe", None)
    names = Names({one: 1, Called.of(None, other or "x"): 1})
    found = names.find(names.get(one.code).name)
    assert found in (one.code, None)
    assert names.suggest(other, 3) == names.suggest(other)[:3]


@pytest.fixture
def client(database: str) -> Iterator[TestClient]:
    """A browser over a registry with one coalition."""
    with browser(database) as one:
        post(one, {"slug": "willing", "name": "Those Willing"}, "/v1/coalitions")
        yield one


def codes(client: TestClient, q: str) -> list[str]:
    """Whom the page of actors has first for a name."""
    return re.findall('<th scope="row"><code>([a-z]+:[^<]+)', client.get("/admin/actors", params={"q": q}).text)


def said_by(**speaker: object) -> Json:
    return {"actor": "FR", "post": "President", **speaker}


def test_who_is_known_follows_what_was_recorded_corrected_retracted_and_reinstated(client: TestClient) -> None:
    assert codes(client, "Macron") == []
    event_id = post(client, statement(actors=["FR"], said_by=said_by(name="Emanuel Marcon")))["event"]["event_id"]
    assert codes(client, "Macron") == ["person:emanuel-marcon"]
    changes = {"said_by": {"name": "Emmanuel Macron"}, "addressees": ["group:western-countries"]}
    note(client, event_id, "corrections", {"changes": changes, "reason": "entry_error"})
    assert codes(client, "Macron") == [MACRON], "what was misspelt is gone with its correction"
    assert codes(client, "western countries") == ["group:western-countries"]
    note(client, event_id, "retraction", {"reason": "other"})
    assert codes(client, "Macron") == codes(client, "western") == []
    note(client, event_id, "reinstatement", {"reason": "other"})
    assert codes(client, "Macron") == [MACRON]
    said = {"actor": MACRON, "name": "Еммануель Макрон"}
    post(
        client,
        statement(subject="other", actors=[MACRON], said_by=said, summary="person:-", quote=f"person:{'x' * 90}"),
    )
    body = {
        "title": "Leaders",
        "date": "2025-09-04",
        "participants": [{"actor": "DE", "name": "Friedrich Merz"}],
        "chairs": ["group:western-countries"],
    }
    post(client, statement("meeting.held", subject="talks", actors=[], body=body))
    assert codes(client, "Макрон") == [MACRON], "by every name that was given to them"
    assert codes(client, "merz") == ["person:friedrich-merz"]
    assert codes(client, "western") == ["group:western-countries"], "wherever a statement names them"
    assert codes(client, "those willing") == ["coalition:willing"]
