"""Many statements about one subject: what is shown of them, and that others do not wait while they are recorded."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from service import preparing
from service.domain import timeline
from service.segments import rebuild, revise
from service.submission import Submission
from service.trial import try_out
from tests import oracle
from tests.judging import bench, judge, judge_answers, rows_of
from tests.processes import Server, exchange
from tests.profiles import histories as so_many
from tests.registry import TOKEN, Json, entry, note, post, record, recording, registration, registry, statement
from tests.strategies import History, histories
from tests.test_feed import running, start
from tests.test_stopping import ended

_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
_SUBJECT = "/v1/subjects/willing/pledge/ground-troops"
_LONGEST_WAIT = 2.0  # seconds, on a machine that does other things too: alone it is a tenth of that


def crowd(size: int) -> list[Json]:
    """Statements of one actor about one subject, all of one day, each with other terms."""
    draw = random.Random(size)
    return [
        statement(
            summary=f"The {number}.",
            body={
                "category": "ground_troops",
                "firmness": draw.choice(["considering", "announced", "committed"]),
                "quantity": {"min": number, "unit": "persons"},
            },
        )
        for number in range(size)
    ]


def newest_first(size: int) -> list[Json]:
    """The same, each of the day before the last: each changes what all those sent earlier made of it."""
    return [
        {**one, "occurred": {"edtf": str(date(2025, 7, 10) - timedelta(days=nth)), "basis": "stated"}}
        for nth, one in enumerate(crowd(size))
    ]


def joint(size: int) -> list[Json]:
    """Statements of eighty actors each, all about subjects of their own."""
    return [statement(subject=f"s-{nth}", actors=[f"person:p-{actor}" for actor in range(80)]) for nth in range(size)]


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_of_many_that_may_hold_the_first_are_shown_and_the_others_counted(database: str) -> None:
    with registry(database) as client:
        post(client, crowd(60), "/v1/statements/batch")
        during = client.get(f"{_SUBJECT}?as_of=2025-07-10T12:00:00Z").json()["possible"]
        after = client.get(f"{_SUBJECT}?as_of=2025-07-10").json()

        assert [one["more"] for one in during] == [0] * (timeline.MOST_POSSIBLE - 1) + [60 - timeline.MOST_POSSIBLE]
        assert after["possible"] == []
        (shown,) = after["items"]
        assert len(shown["statements"]) == timeline.MOST_REFERENCES
        note(client, during[0]["event_id"], "retraction", {"reason": "entry_error"})
        again = client.get(f"{_SUBJECT}?as_of=2025-07-10T12:00:00Z").json()["possible"]
        assert [one["event_id"] for one in again[:-1]] == [one["event_id"] for one in during[1:]]
        assert again[-1]["more"] == 59 - timeline.MOST_POSSIBLE
    assert asyncio.run(rebuild.verify(database)) == []


def test_whatever_is_left_out_the_segments_say_what_a_fold_from_nothing_says(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (timeline, oracle):
        monkeypatch.setattr(place, "MOST_POSSIBLE", 1)
    with bench(database) as opened:

        @so_many(40)
        @given(histories())
        def holds(history: History) -> None:
            ledger = opened.record(history)
            judge(opened, ledger)
            judge_answers(ledger)

        holds()


# --- how long it takes ------------------------------------------------------------------------------------------------


@contextmanager
def asking(server: Server) -> Iterator[list[float]]:
    """Somebody who asks all the time; how long each answer took."""
    waits: list[float] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            began = time.monotonic()
            exchange(server.port, "GET", _SUBJECT)
            waits.append(time.monotonic() - began)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield waits
    finally:
        done.set()
        thread.join()


def send(server: Server, said: list[Json], *, dry_run: bool = False) -> tuple[int, Json]:
    """Sends statements as one request; gives the status and the answer."""
    path = f"/v1/statements/batch{'?dry_run=true' if dry_run else ''}"
    reply = exchange(server.port, "POST", path, json.dumps(said).encode(), _HEADERS)
    return reply.status, reply.content


@pytest.mark.parametrize("said", [crowd(300), newest_first(200)], ids=["of one day", "newest first"])
def test_nobody_waits_while_many_statements_about_one_subject_are_recorded(
    tmp_path: Path, database: str, said: list[Json]
) -> None:
    with running(tmp_path, database) as server:
        start(server)
        with asking(server) as waits:
            assert send(server, said, dry_run=True)[0] == 200
            assert send(server, said)[0] == 201
        assert max(waits) < _LONGEST_WAIT, f"the longest of {len(waits)} waits"


@pytest.mark.parametrize("said", [crowd(1000), newest_first(1000)], ids=["of one day", "newest first"])
def test_what_would_tell_too_much_anew_is_refused_at_once_and_what_to_do_is_said(
    tmp_path: Path, database: str, said: list[Json]
) -> None:
    with running(tmp_path, database) as server:
        start(server)
        began = time.monotonic()
        (tried, told), (status, refused) = send(server, said, dry_run=True), send(server, said)
        assert time.monotonic() - began < _LONGEST_WAIT
        assert (tried, status) == (422, 422)
        assert told["errors"] == refused["errors"]
        (fault,) = refused["errors"]
        assert fault["code"] == "entangled"
        assert fault["pointer"] in {f"/{nth}" for nth in range(300, 330)}
        assert send(server, said[::-1][:300])[0] == 201  # oldest first
        assert exchange(server.port, "GET", "/v1/events?after=301").content["items"] == []  # all of it, and no more


def test_a_list_about_too_many_subjects_is_refused_and_what_to_do_is_said(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_MOST_SUBJECTS", 160)
    with registry(database) as client:
        for query in ("", "?dry_run=true"):
            refused = client.post(f"/v1/statements/batch{query}", json=joint(3))
            assert refused.status_code == 422
            (fault,) = refused.json()["errors"]
            assert (fault["pointer"], fault["code"]) == ("/2", "too_wide")
        assert client.get("/v1/events?after=1").json()["items"] == []
        post(client, joint(2), "/v1/statements/batch")


def test_others_get_their_turn_while_a_list_about_many_subjects_is_tried_out(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, refold = [0], revise.Planes.refold
    folded_in = set[int]()

    def watched(*given: Any) -> None:
        folded_in.add(turns[0])
        refold(*given)

    async def try_it() -> None:
        async with recording(database) as (pool, recorder):
            await record(recorder, registration("willing"))
            entries = tuple(map(entry, joint(20)))
            trial = asyncio.create_task(
                try_out(pool, Submission(entries, recorded_by="tester", render=lambda _: b"", listed=True))
            )
            monkeypatch.setattr(revise.Planes, "refold", watched)
            while not trial.done():
                await asyncio.sleep(0)
                turns[0] += 1
            assert len((await trial).recorded.states) == 20 * 80

    asyncio.run(try_it())
    assert len(folded_in) > 3, "in many turns, not in one"


def test_a_stop_does_not_wait_for_many_statements_about_one_subject(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server:
        start(server)
        sending = threading.Thread(target=send, args=(server, newest_first(200)))
        sending.start()
        time.sleep(0.5)
        assert ended(server) < 5
        sending.join()


# --- one by one, as an import does ------------------------------------------------------------------------------------


def test_single_statements_are_all_recorded_however_much_each_tells_anew(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_MOST_TOLD_ANEW", 20)
    monkeypatch.setattr(revise, "MOST_CHANGES", 10)
    rows = b"".join(json.dumps(one).encode() + b"\n" for one in newest_first(30))
    with registry(database) as client:
        tried = client.post("/v1/import?dry_run=true", content=rows, headers={"Content-Type": "application/jsonl"})
        assert tried.json()["complete"], tried.text
        told = client.post("/v1/import", content=rows, headers={"Content-Type": "application/jsonl"})
        assert told.status_code in {200, 201}, told.text
        (shown,) = client.get(f"{_SUBJECT}?as_of=2025-07-10").json()["items"]
        assert len(shown["statements"]) == 30
    assert asyncio.run(rebuild.verify(database)) == []
    before = rows_of(database)
    asyncio.run(rebuild.rebuild(database))
    assert rows_of(database) == before
