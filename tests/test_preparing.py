"""What a process knows of the end of the record is never mistaken for the record: somebody else may have written."""

import asyncio
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.database import Connection
from service.log import append
from service.log.append import Tail
from service.preparing import Standing
from service.segments import rebuild, revise
from tests.judging import bench, judge
from tests.profiles import histories as so_many
from tests.registry import entry, record, recording, registration, statement
from tests.strategies import History, histories


def test_processes_that_write_by_turns_know_of_each_other(database: str) -> None:
    with bench(database) as one, bench(database) as other:

        @so_many(40)
        @given(histories(), st.data())
        def holds(history: History, data: st.DataObject) -> None:
            ledger = one.record(history, batches=[])
            for moment in history.batches():
                writer = data.draw(st.sampled_from([one, other]))
                ledger = writer.go_on(ledger, history, [moment])
            judge(one, ledger)

        holds()


@pytest.mark.parametrize(
    ("segments_of_a_subject", "bytes_of_all"),
    [(1, 10**9), (2, 10**9), (16, 0), (3, 200_000)],
    ids=["the-last-only", "the-last-two", "nothing", "little"],
)
def test_what_is_kept_of_a_subject_is_enough_or_else_it_is_read_again(
    database: str, monkeypatch: pytest.MonkeyPatch, segments_of_a_subject: int, bytes_of_all: int
) -> None:
    monkeypatch.setattr(revise, "LONGEST", segments_of_a_subject)
    monkeypatch.setattr(revise, "MOST_KEPT", bytes_of_all)
    with bench(database) as registry:

        @so_many(25)
        @given(histories())
        def holds(history: History) -> None:
            judge(registry, registry.record(history))

        holds()


def test_a_rebuild_between_two_writes_leaves_nothing_behind_in_memory(database: str) -> None:
    with bench(database) as registry:

        @so_many(5)
        @given(histories(most=12))
        def holds(history: History) -> None:
            ledger = registry.record(history, batches=[])
            for moment in history.batches():
                _burn_a_number(database)  # else the new tables number their subjects as the old ones did
                ledger = registry.go_on(ledger, history, [moment])
                assert asyncio.run(rebuild.rebuild(database)) == []
            judge(registry, ledger)

        holds()


def _burn_a_number(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT nextval(pg_get_serial_sequence('subject', 'id'))")


def _pledge(actor: str, number: int) -> Any:
    return entry(statement(actors=[actor], summary=f"The {number}."))


def test_what_was_prepared_on_a_batch_that_failed_is_prepared_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write() -> list[Any]:
        second, ahead = asyncio.Event(), Standing.prepare_ahead
        monkeypatch.setattr(Standing, "prepare_ahead", lambda *given: _made(ahead(*given), second))
        async with recording(database) as (_, recorder):
            await record(recorder, registration("willing"))
            await record(recorder, *(_pledge(actor, 0) for actor in ("FR", "GB")))
            monkeypatch.setattr(append, "write", _failing_once_others_wait(append.write, second))
            prepared.clear()
            second.clear()
            first = asyncio.create_task(record(recorder, _pledge("FR", 1)))
            await asyncio.sleep(0.05)
            others = [asyncio.create_task(record(recorder, _pledge(actor, 2))) for actor in ("FR", "GB")]
            return await asyncio.gather(first, *others, return_exceptions=True)

    prepared: list[bool] = []

    async def _made(preparing: Any, second: asyncio.Event) -> Any:
        batch = await preparing
        prepared.append(batch is not None)
        if len(prepared) > 1:
            second.set()
        return batch

    failed, *recorded = asyncio.run(write())
    assert prepared[:2] == [True, True]  # the second while the first was being written
    assert isinstance(failed, RuntimeError)
    assert sorted(one.events[0].position for one in recorded) == [4, 5]
    assert asyncio.run(rebuild.verify(database)) == []


def _failing_once_others_wait(write: Any, others: asyncio.Event) -> Any:
    tries: list[Tail] = []

    async def wait_and_fail(connection: Connection, tail: Tail) -> None:
        tries.append(tail)
        if len(tries) == 1:
            await others.wait()
            raise RuntimeError("this write fails")
        await write(connection, tail)

    return wait_and_fail
