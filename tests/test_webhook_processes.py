"""Webhooks through kills and among several processes: nothing is missed, nothing overtakes, and nobody waits long."""

import http.client
import json
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from tests.processes import Server, serving, wait_until
from tests.receivers import LOOPBACK, Receiver, receiving
from tests.registry import TOKEN, Json, allow, statement


def ask(server: Server, method: str, path: str, content: Any = None) -> tuple[int, Json]:
    """One request to a running server."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    try:
        connection.request(method, path, None if content is None else json.dumps(content), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def say(server: Server, subject: str) -> None:
    """Records a statement."""
    status, content = ask(server, "POST", "/v1/statements", statement(subject=subject))
    assert status == 201, content


def start(server: Server, receiver: Receiver) -> str:
    """Registers the coalition, and subscribes the receiver from the beginning."""
    assert ask(server, "POST", "/v1/coalitions", {"slug": "willing", "name": "Willing"})[0] == 201
    status, made = ask(server, "POST", "/v1/webhooks", {"url": receiver.url, "after": 0})
    assert status == 201, made
    return str(made["id"])


def test_a_service_that_is_killed_while_it_sends_misses_nothing(tmp_path: Path, database: str) -> None:
    allow(database)
    receiver = Receiver()
    with receiving(receiver):
        with serving(tmp_path, "--no-seeds", DATABASE_URL=database, WEBHOOK_NETWORKS=LOOPBACK) as server:
            webhook = start(server, receiver)
            say(server, "first")
            assert wait_until(lambda: receiver.accepted == [1, 2], 20)
            receiver.seconds = 5
            say(server, "second")
            say(server, "third")
            assert wait_until(lambda: receiver.accepted == [1, 2, 3], 20)  # it has it, and has not said so yet
            server.kill()
            killed = time.monotonic()
        receiver.seconds = 0
        with serving(tmp_path, "--no-seeds", DATABASE_URL=database, WEBHOOK_NETWORKS=LOOPBACK) as server:
            say(server, "fourth")
            assert wait_until(lambda: receiver.accepted[-1] == 5, 40)
            assert time.monotonic() - killed < 40  # the lease of the one that was killed has run out
            assert receiver.accepted == [1, 2, 3, 3, 4, 5]
            assert wait_until(lambda: server_position(server, webhook) == 5, 10)


def server_position(server: Server, webhook: str) -> int:
    """How far a webhook has come."""
    position: int = ask(server, "GET", f"/v1/webhooks/{webhook}")[1]["position"]
    return position


def test_two_processes_never_send_to_one_receiver_at_once(tmp_path: Path, database: str) -> None:
    allow(database)
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    settings = {"DATABASE_URL": database, "WEBHOOK_NETWORKS": LOOPBACK}
    with (
        receiving(Receiver(seconds=0.02)) as receiver,
        serving(tmp_path / "one", "--no-seeds", **settings) as one,
        serving(tmp_path / "other", "--no-seeds", **settings) as other,
    ):
        start(one, receiver)

        def write(server: Server, name: str) -> None:
            for number in range(15):
                say(server, f"{name}-{number}")

        writers = [threading.Thread(target=write, args=(server, name)) for server, name in ((one, "a"), (other, "b"))]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        assert wait_until(lambda: len(receiver.accepted) >= 31, 30)
        assert receiver.accepted == list(range(1, 32))
        assert receiver.most_at_once == 1
        with psycopg.connect(database) as connection:
            (causes,) = connection.execute("SELECT array_agg(DISTINCT attempt) FROM webhook_delivery").fetchone() or ()
        assert causes == [1]


def test_when_one_process_is_killed_the_other_goes_on(tmp_path: Path, database: str) -> None:
    allow(database)
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    settings = {"DATABASE_URL": database, "WEBHOOK_NETWORKS": LOOPBACK}
    with (
        receiving(Receiver(seconds=0.3)) as receiver,
        serving(tmp_path / "one", "--no-seeds", **settings) as one,
    ):
        start(one, receiver)
        for number in range(12):
            say(one, f"s-{number}")
        with serving(tmp_path / "other", "--no-seeds", **settings):
            one.kill()
            assert wait_until(lambda: receiver.accepted[-1:] == [13], 60)
    unique = list(dict.fromkeys(receiver.accepted))
    assert unique == list(range(1, 14))
    assert receiver.accepted == sorted(receiver.accepted)
    assert len(receiver.accepted) <= 14  # at most what was under way comes twice


def test_the_service_ends_within_five_seconds_while_receivers_hang(tmp_path: Path, database: str) -> None:
    allow(database)
    with (
        receiving(Receiver(seconds=60)) as receiver,
        serving(tmp_path, "--no-seeds", DATABASE_URL=database, WEBHOOK_NETWORKS=LOOPBACK) as server,
    ):
        webhook = start(server, receiver)
        answers: list[int] = []
        pinging = threading.Thread(
            target=lambda: answers.append(ask(server, "POST", f"/v1/webhooks/{webhook}/ping")[0])
        )
        pinging.start()
        assert wait_until(lambda: len(receiver.got) == 2, 20)
        began = time.monotonic()

        assert server.end() == 0
        assert time.monotonic() - began < 5
        pinging.join()
        assert answers == [503]
        said = server.said()
        assert "Traceback" not in said
        assert receiver.url not in said
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT position, attempts, leased_by FROM webhook").fetchone() == (0, 0, None)
