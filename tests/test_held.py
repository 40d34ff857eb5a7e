"""Whoever else holds the gate keeps nobody waiting for long: writes are refused without a trace, and a stop ends."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from service.log.append import LOCK_HEAD, TAKE_GATE
from tests.processes import Reply, Server, exchange, wait_until
from tests.registry import TOKEN, statement
from tests.test_feed import Listener, running, start

FOREIGN = (TAKE_GATE, LOCK_HEAD, "LOCK TABLE event IN SHARE MODE")


@contextmanager
def held(url: str, lock: str = TAKE_GATE) -> Iterator[None]:
    """Somebody else's transaction that holds a lock, and does nothing."""
    with psycopg.connect(url) as connection:
        connection.execute(lock.encode())
        yield
        connection.rollback()


def send(server: Server, *, key: str = "", **changes: Any) -> Reply:
    """Sends a statement, whatever is answered."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    headers |= {"Idempotency-Key": key} if key else {}
    return exchange(server.port, "POST", "/v1/statements", json.dumps(statement(**changes)).encode(), headers)


def test_a_write_that_somebody_else_keeps_waiting_is_refused_and_leaves_nothing(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server:
        start(server)
        for position, lock in enumerate(FOREIGN, start=2):
            with held(database, lock):
                began = time.monotonic()
                refused = send(server, key=lock)
                waited = time.monotonic() - began
            assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
            assert "nothing was recorded" in refused.content["detail"]
            assert 2 < waited < 6
            assert len(server.events()) == position - 1

            recorded = send(server, key=lock)
            assert (recorded.status, recorded.headers["Idempotency-Replayed"]) == (201, None)
            assert recorded.content["event"]["position"] == position
        assert "Traceback" not in server.said()


def test_those_who_wait_behind_one_another_wait_no_longer_together(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server, ThreadPoolExecutor(24) as clients:
        start(server)
        with held(database):
            began, answers = time.monotonic(), []
            for number in range(24):  # some in each lane, and the rest behind them
                answers.append(clients.submit(send, server, subject=f"s-{number}"))
                time.sleep(0.02)
            assert [one.result().status for one in answers] == [503] * 24
            assert time.monotonic() - began < 6
        assert send(server).status == 201
        assert len(server.events()) == 2


def test_a_stop_ends_in_five_seconds_while_somebody_else_holds_the_gate(tmp_path: Path, database: str) -> None:
    with running(tmp_path, database) as server, ThreadPoolExecutor(8) as clients:
        start(server)
        listener = Listener()
        listener.listen(server)
        with held(database):
            answers = [clients.submit(send, server, subject=f"s-{number}") for number in range(8)]
            assert wait_until(lambda: _waiting(database))
            time.sleep(0.2)
            began = time.monotonic()
            assert server.end() == 0
            assert time.monotonic() - began < 5
            assert {one.result().status for one in answers} == {503}
        assert listener.ended.wait(5)
        assert "Traceback" not in server.said()


def _waiting(url: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return bool(row and row[0])
