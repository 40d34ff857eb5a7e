"""Dry runs of imports: what they foresee is what recording then leaves, and costs no more for a larger file."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.subject import SubjectKey
from service.load.checked import Good
from service.load.touched import Touched
from service.reading.occurrences import Occurrences
from tests.registry import Json, post, registry, statement
from tests.test_imports import BAD, lines, report_of, said, size_of


def pledged(day: str, firmness: str, actors: list[str], subject: str = "troops", **changes: Json | str) -> Json:
    """A pledge of a day."""
    body = {"category": "ground_troops", "firmness": firmness}
    occurred = {"edtf": day, "basis": "stated"}
    said = statement(occurred=occurred, actors=actors, subject=subject, body=body, said_by={"actor": actors[0]})
    return said | {"summary": f"{subject} {firmness}."} | changes


def timeless(state: Json) -> Json:
    """A state without the names and numbers that only recording gives, and the day of the question."""
    rest = {name: value for name, value in state.items() if name not in ("statements", "age_days")}
    return rest | {"statements": [(one["occurred"], one["label"]) for one in state["statements"]]}


def test_the_states_of_a_dry_run_are_those_that_recording_leaves(database: str) -> None:
    rows = [
        {"kind": "coalition.registered", "coalition": "others", "name": "Others"},
        pledged("2025-05-01", "committed", ["GB", "FR"]),
        pledged("2025-03-01", "announced", ["FR"]),  # late: said before what stands above it
        pledged("2025-04-01", "announced", ["DE"], coalition="others"),
        pledged("2025-04-02", "announced", ["IT"], coalition="nobody"),
    ]
    with registry(database) as client:
        post(client, pledged("2025-04-01", "considering", ["GB"]))
        report = report_of(client, lines(rows), "?dry_run=true&on_error=skip")
        assert size_of(database) == 2
        report_of(client, lines(rows), "?on_error=skip")
        after = [
            one
            for slug in ("willing", "others")
            for one in client.get(f"/v1/coalitions/{slug}/commitments").json()["items"]
        ]

    foreseen = {state["id"]: timeless(state) for state in report["states"] if "firmness" in state}
    assert foreseen == {state["id"]: timeless(state) for state in after}
    assert foreseen["willing/pledge/troops/GB"]["firmness"] == "committed"
    assert [state["id"] for state in report["states"]][:1] == ["others/coalition/registration"]
    assert (report["further_subjects"], report["complete"]) == (0, True)


def test_what_is_foreseen_names_no_event_that_is_not_recorded(database: str) -> None:
    with registry(database) as client:
        known = post(client, pledged("2025-04-01", "considering", ["GB"]))["event"]["event_id"]
        report = report_of(client, lines([pledged("2025-05-01", "announced", ["GB"])]), "?dry_run=true")

    (state,) = report["states"]
    assert [one["event_id"] for one in state["statements"]] == [known, None]


def test_of_many_subjects_some_are_foreseen_and_the_others_counted(database: str) -> None:
    with registry(database) as client:
        report = report_of(client, lines(said(700, row_3=BAD)), "?dry_run=true&on_error=skip")

    assert 0 < len(report["states"]) <= 100
    assert len(report["states"]) + report["further_subjects"] == 699
    assert (report["kinds"], report["refused"]) == ({"pledge.stated": 699}, 1)


def test_every_row_of_a_dry_run_is_compared_with_what_is_recorded(database: str) -> None:
    with registry(database) as client:
        report_of(client, lines(said(600)))
        retold = [one | {"quote": "Word for word."} for one in said(600)]
        report = report_of(client, lines(retold), "?dry_run=true")

    assert report["similar_rows"] == 600
    assert all(row["similar"][0]["summary"] == f"Row {row['row']}." for row in report["results"])


SUBJECTS = st.lists(st.integers(0, 30), max_size=4, unique=True)


@given(rows=st.lists(st.tuples(SUBJECTS, st.integers(1, 2**18)), max_size=700))
def test_a_subject_that_is_foreseen_has_all_its_rows_and_few_are_kept(rows: list[tuple[list[int], int]]) -> None:
    with Occurrences() as seen:
        touched = Touched(seen)
        for first, (slugs, size) in enumerate(rows, start=1):
            touched.add(Good(first, first, "pledge.stated", "k", b" " * size), keys(slugs))
            assert len(touched._rows) <= 250
            assert sum(len(row.body) for row in touched._rows.values()) == touched._size <= 2**20
        followed, kept = touched.followed({"willing"})

    about = {first: set(keys(slugs)) for first, (slugs, _) in enumerate(rows, start=1)}
    wanted = {first for first, them in about.items() if them & set(followed)}
    assert {row.first for row in kept} == wanted
    assert touched.count == len({key for them in about.values() for key in them})


def keys(slugs: Iterable[int]) -> list[SubjectKey]:
    """Subjects by number."""
    return [SubjectKey("willing", "pledge", f"subject-{slug}", "GB") for slug in slugs]


@pytest.mark.parametrize("registered", [True, False])
def test_nothing_is_foreseen_about_a_coalition_that_would_not_be_registered(registered: bool) -> None:
    with Occurrences() as seen:
        touched = Touched(seen)
        touched.add(Good(1, 1, "pledge.stated", "k", b"{}"), keys([1]))
        followed, kept = touched.followed({"willing"} if registered else set())
    assert (len(followed), len(kept)) == ((1, 1) if registered else (0, 0))
