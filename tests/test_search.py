"""Text search: words of what was stated and names of who stated it, as they were known at the position asked about."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from service.segments.search import _folded, fold, parse_sought
from tests.conftest import fresh_database
from tests.registry import Json, note, post, registry, statement

OF_EUROPE = st.text(st.characters(max_codepoint=0x052F, categories=("L", "Mn", "N", "P", "Zs")), max_size=60)


@pytest.fixture(scope="module")
def filled(server_url: str, template: str) -> Iterator[TestClient]:
    """Statements with all kinds of texts in them; tests only read from it."""
    with fresh_database(server_url, template) as url, registry(url) as client:
        for one in (
            statement(subject="brigades", summary="Two Brigades go to Łódź; “soon”, he said.",
                      said_by={"actor": "GB", "name": "Keir Starmer", "post": "Prime Minister"}),
            statement(subject="trucks", actors=["FR"], addressees=["UA"], summary="Trucks for the Élysée's friends.",
                      body={"category": "logistics", "firmness": "announced", "description": "Heavy lorries.",
                            "places": ["Rzeszów"], "conditions": [{"kind": "other", "text": "The bridge holds."}]}),
            statement("position.stated", subject="force", actors=["UA"], summary="Україна ПІДТРИМУЄ сили.",
                      body={"topic": "multinational-force", "stance": "supportive", "text": "Strongly for it."}),
            statement("meeting.held", subject="kyiv", actors=[], summary="They met.", place="Kyiv", body={
                "title": "Summit of leaders", "date": "2025-09-04",
                "outcomes": [{"kind": "plan", "text": "A roadmap."}],
                "participants": [{"actor": "DE", "name": "Friedrich Merz", "post": "Chancellor"}]}),
            statement("warning.issued", subject="troops", actors=["RU"], summary="A “threat” — twofold.",
                      body={"trigger": "foreign troops", "consequence": 'a "legitimate" target, D:\\aims'}),
            statement("ceasefire.proposed", subject="truce", actors=["US"], summary="A proposal.",
                      body={"title": "Thirty days", "terms": [{"topic": "energy", "text": "No strikes on plants."}]}),
            statement("ceasefire.took_effect", subject="truce", actors=["US"], summary="It holds.",
                      occurred={"edtf": "2025-07-20", "basis": "stated"}),
            statement(subject="later", summary="Brigades, perhaps.", actors=["PL"],
                      occurred={"edtf": "2025-07/2027-07", "basis": "deduced"}),
        ):  # fmt: skip
            post(client, one)
        yield client


def found(client: TestClient, path: str, **query: Any) -> Json:
    """An answer about the beginning of 2026."""
    pinned = {} if "after" in query else {"as_of": "2026-01-01"}
    answer = client.get(f"/v1/coalitions/willing/{path}", params=pinned | query)
    assert answer.status_code == 200, answer.text
    content: Json = answer.json()
    return content


def subjects(client: TestClient, path: str, **query: Any) -> list[str]:
    """The subjects that are found."""
    return [one["subject"] for one in found(client, path, **query)["items"]]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("brigades", ["brigades"]),
        ("BRIGADES", ["brigades"]),
        ("lodz", ["brigades"]),
        ("ŁÓDŹ", ["brigades"]),
        ("elysee", ["trucks"]),
        ("Élysée trucks", ["trucks"]),
        ("trucks  elysee", ["trucks"]),
        ("trucks brigades", []),
        ("підтримує", ["force"]),
        ("ПІДТРИМУЄ СИЛИ", ["force"]),
        ("starmer", ["brigades"]),
        ("prime minister", ["brigades"]),
        ("merz", ["kyiv"]),
        ("summit", ["kyiv"]),
        ("roadmap", ["kyiv"]),
        ("lorries", ["trucks"]),
        ("rzeszow", ["trucks"]),
        ("bridge", ["trucks"]),
        ("legitimate target", ["troops"]),
        ("plants", ["truce"]),
        ("strongly", ["force"]),
        ("Britain", ["brigades"]),
        ("Vereinigtes Königreich", ["brigades"]),
        ("konigreich", ["brigades"]),
        ("Великобритания", ["brigades"]),
        ("United Kingdom brigades", ["brigades"]),
        ("Frankreich", ["trucks"]),
        ("Ukraine", ["trucks", "force"]),
        ("україна", ["trucks", "force"]),
        ("France Britain", []),
        ("logistics", []),  # a code, as are the names of members:
        ("supportive", []),
        ("participants", []),
        ("summary", []),
        ("%", []),
        ("_", []),
        ("\\", ["troops"]),
        ('"legitimate"', ["troops"]),
        ("“threat” —", ["troops"]),
        ("twofold threats", []),
        ("D:\\AIMS", ["troops"]),
        ('legitimate"target', []),
    ],
)
def test_every_word_is_in_the_texts_or_names_of_a_statement(filled: TestClient, q: str, expected: list[str]) -> None:
    assert subjects(filled, "timeline", q=q) == expected


@pytest.mark.parametrize("q", ["", "   "])
def test_nothing_that_is_sought_is_in_everything(filled: TestClient, q: str) -> None:
    for path in ("timeline", "commitments", "meetings"):
        assert subjects(filled, path, q=q) == subjects(filled, path) != []


@pytest.mark.parametrize(
    ("path", "q", "expected"),
    [
        ("commitments", "lodz", ["brigades"]),
        ("pledges", "lodz", ["brigades"]),
        ("commitments", "bridge", ["trucks"]),
        ("commitments", "Frankreich lorries", ["trucks"]),
        ("commitments", "summit", []),
        ("positions", "strongly", ["force"]),
        ("warnings", "legitimate", ["troops"]),
        ("meetings", "merz roadmap", ["kyiv"]),
        ("ceasefires", "thirty", ["truce"]),
        ("ceasefires", "holds", ["truce"]),
    ],
)
def test_lists_of_subjects_have_those_of_which_a_statement_is_found(
    filled: TestClient, path: str, q: str, expected: list[str]
) -> None:
    assert subjects(filled, path, q=q) == expected


def test_a_search_goes_with_filters_counts_pages_and_tables(filled: TestClient) -> None:
    assert subjects(filled, "commitments", q="the", country="FR") == ["trucks"]
    assert subjects(filled, "commitments", q="the", country="GB") == []
    assert subjects(filled, "timeline", q="brigades", kind="meeting") == []
    first = found(filled, "commitments", q="r", limit=1, count=True)
    assert (first["total"], len(first["items"])) == (2, 1)
    assert [*subjects(filled, "commitments", q="r", after=first["next"])] == ["trucks"]
    assert "q=brigades" in found(filled, "timeline", q="brigades")["basis"]["url"]
    assert filled.get("/v1/coalitions/willing/commitments.jsonl?q=lodz").text.count("\n") == 1


def test_what_may_also_hold_is_searched_too(filled: TestClient) -> None:
    for path in ("timeline", "commitments"):
        assert len(found(filled, path, q="brigades")["possible"]) == 1
        assert found(filled, path, q="trucks")["possible"] == []
    before = found(filled, "commitments", q="perhaps")
    assert (before["items"], len(before["possible"])) == ([], 1)
    assert subjects(filled, "commitments", q="perhaps", as_of="2028") == ["later"]


@pytest.mark.parametrize("path", ["timeline", "commitments"])
def test_a_correction_is_found_by_its_words_from_its_position_on_and_by_no_earlier_ones(
    database: str, path: str
) -> None:
    with registry(database) as client:
        said = post(client, statement(summary="They send trucks."))["event"]["event_id"]
        changes = {"changes": {"summary": "They send tanks.", "actors": ["FR"]}, "reason": "entry_error"}
        note(client, said, "corrections", changes)

        for q in ("trucks", "Britain"):
            assert len(subjects(client, path, q=q, known_position=2)) == 1
            assert subjects(client, path, q=q, known_position=3) == subjects(client, path, q=q) == []
        for q in ("tanks", "France"):
            assert subjects(client, path, q=q, known_position=2) == []
            assert len(subjects(client, path, q=q)) == 1
        assert subjects(client, path, q="tanks", as_of="2025-07-09") == []

        note(client, said, "retraction", {"reason": "entry_error"})
        assert subjects(client, path, q="tanks") == []
        assert len(subjects(client, path, q="tanks", known_position=3)) == 1


def test_a_late_statement_is_found_by_when_it_occurred(database: str) -> None:
    with registry(database) as client:
        post(client, statement(summary="They send tanks."))
        post(client, statement(summary="Trucks first.", occurred={"edtf": "2025-03-01", "basis": "stated"}))

        assert len(subjects(client, "commitments", q="trucks", as_of="2025-04-01")) == 1
        assert subjects(client, "commitments", q="trucks", as_of="2025-04-01", known_position=2) == []
        assert subjects(client, "commitments", q="tanks", as_of="2025-04-01") == []


def test_parameters_of_a_search_are_checked(filled: TestClient) -> None:
    for path in ("timeline", "commitments", "meetings"):
        for q in ("x" * 201, "a\x00b"):
            refused = filled.get(f"/v1/coalitions/willing/{path}", params={"q": q})
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/query/q")
    assert filled.get("/v1/coalitions?q=x").status_code == 400
    assert filled.get("/v1/coalitions/unheard/commitments?q=x").status_code == 404


@given(texts=st.lists(OF_EUROPE, min_size=1, max_size=20))
def test_the_database_folds_a_text_as_its_question_is_folded(server_url: str, texts: list[str]) -> None:
    with psycopg.connect(server_url) as connection:
        rows = connection.execute(
            f"SELECT {_folded('one.text')} FROM unnest(%s::text[]) WITH ORDINALITY AS one(text, n) ORDER BY n",
            (texts,),
        ).fetchall()
    assert [row[0] for row in rows] == [fold(text) for text in texts]


def test_a_question_is_its_words_once_each_with_whom_they_may_name() -> None:
    sought = parse_sought("Türkei  TÜRKEI brigades")
    assert sought.words == ("turkei", "brigades")
    assert sought.codes == ("TR", "")
    assert parse_sought(None).words == ()
