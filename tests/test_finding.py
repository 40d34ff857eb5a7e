"""Finding statements on their page: by words, coalition, kind, country and period, page by page."""

import re

import pytest
from starlette.testclient import TestClient

from service.admin.pages import PAGE_ROWS
from tests.pages import get, read
from tests.registry import Json, note, post, register, statement

PATH = "/admin/statements"


def found(client: TestClient, **asked: str) -> list[str]:
    """The ids of what is found, on all pages."""
    ids: list[str] = []
    answer = client.get(PATH, params=asked)
    while True:
        page = read(answer)
        ids += [link.rpartition("/")[2] for link in page.links if link.startswith("/admin/events/")]
        following = [given["href"] for tag, given in page.elements if tag == "a" and given.get("rel") == "next"]
        if not following:
            return ids
        answer = client.get(following[0])


def said(client: TestClient, *statements: Json) -> list[str]:
    """Records statements; answers their ids."""
    return [one["event_id"] for one in post(client, list(statements), "/v1/statements/batch")["events"]]


def on(day: str) -> Json:
    """When something occurred."""
    return {"edtf": day, "basis": "stated"}


def test_statements_are_found_by_kind_country_and_period_together(editor: TestClient) -> None:
    ids = said(
        editor,
        statement(occurred=on("2025-03-17")),
        statement(occurred=on("2025-07"), actors=["FR"]),
        statement("position.stated", occurred=on("2025-07-20"), actors=["FR", "GB"]),
        statement("meeting.held", occurred=on("2026-01-05"), subject="leaders", actors=[]),
    )
    for asked, which in [
        ({"kind": "pledge"}, [0, 1]),
        ({"kind": "position.stated"}, [2]),
        ({"country": "Frankreich"}, [2, 1]),
        ({"country": "GB"}, [0, 2]),
        ({"since": "2025-07-21"}, [1, 3]),
        ({"until": "1 July 2025"}, [0, 1]),
        ({"since": "July 2025", "until": "July 2025"}, [2, 1]),
        ({"country": "FR", "kind": "pledge", "since": "2025", "until": "2025"}, [1]),
        ({"country": "FR", "kind": "pledge", "since": "2026"}, []),
        ({"coalition": "willing"}, [0, 2, 1, 3]),
        ({"q": "words", "kind": "meeting"}, [3]),
        ({"q": "nowhere"}, []),
        ({"q": "words\x00", "kind": "meeting"}, [3]),
    ]:
        assert found(editor, **asked) == [ids[number] for number in which], asked
    assert "2 statements, in the order" in get(editor, f"{PATH}?kind=pledge").text
    assert "One statement, in the order" in get(editor, f"{PATH}?kind=meeting").text
    assert "No statement fits all of this." in get(editor, f"{PATH}?country=FR&since=2026").text


def test_what_is_sought_stays_filled_in(editor: TestClient) -> None:
    filled = {"q": "troops", "kind": "pledge", "country": "Frankreich", "since": "July 2025", "until": "2025-08"}
    page = read(editor.get(PATH, params=filled))
    assert {name: texts[-1] for name, texts in page.data.items()} == filled


def test_what_is_found_is_what_it_is_taken_to_say_now_and_nothing_retracted(editor: TestClient) -> None:
    corrected, retracted = said(editor, statement(), statement(summary="Something else."))
    note(editor, corrected, "corrections", {"changes": {"occurred": {"edtf": "2024-01-01"}}, "reason": "entry_error"})
    note(editor, retracted, "retraction", {"reason": "other"})
    assert found(editor, until="2024") == [corrected]
    assert found(editor, kind="pledge") == [corrected]


def test_pages_leave_nothing_out_and_agree_while_others_record(editor: TestClient) -> None:
    ids = said(editor, *[statement(subject=f"s{number}", summary="&" * 4000) for number in range(60)])
    first = get(editor, f"{PATH}?kind=pledge")
    assert "60 statements" in first.text
    late = said(editor, statement(occurred=on("2025-07-10"), subject="later"))
    following = next(given["href"] for tag, given in first.elements if given.get("rel") == "next")
    assert "kind=pledge&" in following
    second = get(editor, following)
    assert "60 statements" in second.text
    assert found(editor, kind="pledge") == [*ids, *late]
    shown = [link for page in (first, second) for link in page.links if link.startswith("/admin/events/")]
    assert shown == [f"/admin/events/{event_id}" for event_id in ids[:50]]


def test_what_was_recorded_last_has_pages_too(editor: TestClient) -> None:
    ids = said(editor, *[statement(subject=f"s{number}") for number in range(60)])
    listed = found(editor)
    assert listed[:-1] == list(reversed(ids))
    assert len(listed) == 61, "and the registration"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"kind": "pact"}, "kind"),
        ({"country": "Nowhereland"}, "country"),
        ({"since": "lately"}, "since"),
        ({"since": "2026", "until": "2025"}, "until"),
        ({"coalition": "unheard"}, "coalition"),
        ({"after": "x"}, "after"),
        ({"after": "1_2"}, "after"),
        ({"after": "1_2_yesterday"}, "after"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_sought_is_said_and_nothing_is_listed(
    editor: TestClient, asked: dict[str, str], field: str
) -> None:
    answer = editor.get(PATH, params=asked)
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert "/admin/events/" not in answer.text


def test_where_there_are_several_coalitions_all_are_looked_through_or_the_one_that_is_chosen(
    editor: TestClient,
) -> None:
    register(editor, "able")
    (mine,), (other,) = said(editor, statement()), said(editor, statement(coalition="able", occurred=on("2025-01-02")))
    assert found(editor, q="words") == found(editor, kind="pledge") == [other, mine]
    assert found(editor, q="words", coalition="able") == [other]
    assert found(editor, coalition="willing") == [mine]
    assert {mine, other} < set(found(editor)), "what was recorded last is of all"


def test_pages_over_all_coalitions_are_in_one_order_count_all_and_name_the_coalition_of_each(
    editor: TestClient,
) -> None:
    register(editor, "able")
    days = [f"2025-{month:02}-{day:02}" for month in range(1, 7) for day in range(1, 21)]
    ids = said(
        editor,
        *[
            statement(subject=f"s{number}", occurred=on(day), coalition=("willing", "able")[number % 3 == 0])
            for number, day in enumerate(days)
        ],
    )
    first, named = editor.get(f"{PATH}?kind=pledge").text, '<span class="quiet">Able,</span>'
    assert "120 statements" in first
    assert first.count(named) == len(range(0, PAGE_ROWS, 3))
    assert found(editor, kind="pledge") == found(editor, since="2025") == ids
    assert named not in editor.get(f"{PATH}?coalition=able").text


def test_no_text_of_a_filter_or_a_statement_becomes_markup(editor: TestClient) -> None:
    markup = '<img src=x onerror="alert(1)">'
    said(editor, statement(summary=markup, sources=[{"title": markup}]))
    for asked in ({"q": markup}, {"q": "onerror"}, {"country": markup}, {"since": markup}):
        answer = editor.get(PATH, params=asked)
        assert markup in read(answer).text or 'value="&lt;img' in answer.text
        assert not re.search("<img", answer.text)
