"""One key, one effect: whatever is cut off, repeated, sent at once or out of order, over a real server.

A state machine sends statements, batches and corrections through a proxy that cuts connections, and repeats them at
will. What it knows of each key follows from what the server has said, and from where the connection was cut; in the end
the log is held against that.
"""

import http.client
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.conftest import fresh_database
from tests.cutting import HEADER, Fate, cutting
from tests.processes import Reply, Server, exchange, open_folder, serving
from tests.profiles import histories
from tests.registry import TOKEN, Json, allow, statement

_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


@dataclass
class Write:
    """A request with a key, and what is known of it."""

    key: str
    path: str
    content: Any
    marks: tuple[str, ...]  # the texts by which what it records is found again
    if_match: str | None = None
    answer: tuple[int, bytes, str | None, str | None] | None = None  # that of its effect, once it was read whole
    may_have_arrived: bool = False
    arrived: bool = False

    def body(self) -> bytes:
        """What is sent."""
        return json.dumps(self.content).encode()


def answered(reply: Reply) -> tuple[int, bytes, str | None, str | None]:
    """What has to be the same in every answer to a key."""
    return reply.status, reply.body, reply.headers["Location"], reply.headers["ETag"]


@dataclass
class Registry:
    """A running server, the proxy before it, and clients that send at once."""

    server: Server
    proxy: int
    clients: ThreadPoolExecutor
    url: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def send(self, write: Write, fate: Fate = Fate.WHOLE, *, body: bytes | None = None) -> Reply | None:
        """Sends a request through the proxy; None where no whole answer came."""
        headers = {**_HEADERS, "Idempotency-Key": write.key, HEADER: fate.value}
        headers |= {"If-Match": write.if_match} if write.if_match else {}
        try:
            return exchange(self.proxy, "POST", write.path, body or write.body(), headers)
        except (OSError, http.client.HTTPException):
            return None

    def events(self, after: int) -> list[Json]:
        """What was recorded behind a position."""
        found: list[Json] = []
        while page := self.server.get(f"/v1/events?limit=500&after={after}")["items"]:
            found += page
            after = page[-1]["position"]
        return found

    def etag(self, event_id: str) -> str:
        """The present ETag of an event."""
        etag = exchange(self.server.port, "GET", f"/v1/events/{event_id}").headers["ETag"]
        assert etag
        return etag


@pytest.fixture(scope="module")
def registry(server_url: str, template: str) -> Iterator[Registry]:
    """A registry with one coalition."""
    with (
        open_folder() as folder,
        fresh_database(server_url, template) as url,
        ThreadPoolExecutor(16) as clients,
    ):
        allow(url)
        with (
            serving(folder, "--no-seeds", DATABASE_URL=url) as server,
            cutting(server.port) as proxy,
        ):
            made = Registry(server, proxy, clients, url)
            registration = Write("start", "/v1/coalitions", {"slug": "willing", "name": "Willing"}, ())
            reply = made.send(registration)
            assert reply is not None
            assert reply.status == 201
            yield made
            assert server.end() == 0
            told = [json.loads(line) for line in server.said().splitlines()]
            assert [line for line in told if line["level"] in ("warning", "error")] == []


class Retrying(RuleBasedStateMachine):
    """Clients that do all that clients with bad connections do."""

    registry: ClassVar[Registry]

    @initialize()
    def begin(self) -> None:
        """One statement is there, to be corrected."""
        self.writes: list[Write] = []
        self.names = f"case-{next(self.registry.numbers)}"
        self.last = self.registry.server.get("/v1/events?count=true&limit=1")["total"]
        self._send(self._statement(), Fate.WHOLE)
        first = self.writes[0].answer
        assert first
        self.event_id: str = json.loads(first[1])["event"]["event_id"]

    def _mark(self) -> str:
        return f"{self.names} says {next(self.registry.numbers)}"

    def _new(self, path: str, content: Any, marks: tuple[str, ...], if_match: str | None = None) -> Write:
        write = Write(f"{self.names}/{len(self.writes)}", path, content, marks, if_match)
        self.writes.append(write)
        return write

    def _statement(self) -> Write:
        mark = self._mark()
        return self._new("/v1/statements", statement(subject=self.names, summary=mark), (mark,))

    def _batch(self, size: int) -> Write:
        marks = tuple(self._mark() for _ in range(size))
        said = [statement(subject=self.names, summary=mark) for mark in marks]
        return self._new("/v1/statements/batch", said, marks)

    def _correction(self, etag: str) -> Write:
        mark = self._mark()
        content = {"changes": {"place": mark}, "reason": "entry_error", "note": mark}
        return self._new(f"/v1/events/{self.event_id}/corrections", content, (mark,), etag)

    def _send(self, write: Write, fate: Fate) -> None:
        """Sends a request, and takes in what that says about its key."""
        self._take(write, self.registry.send(write, fate), fate)

    def _take(self, write: Write, reply: Reply | None, fate: Fate) -> None:
        may_run_still, had_arrived = write.may_have_arrived and not write.arrived, write.arrived
        write.may_have_arrived |= fate is not Fate.REQUEST_CUT
        if reply is None:
            assert fate is not Fate.WHOLE
            write.arrived |= fate in (Fate.ANSWER_LOST, Fate.ANSWER_CUT) and write.if_match is None
            return
        assert fate is Fate.WHOLE
        if reply.status == 409:
            assert may_run_still or had_arrived
            assert reply.headers["Retry-After"] == "1"
            time.sleep(0.05)
            self._send(write, Fate.WHOLE)
            return
        if write.answer is not None:
            assert (answered(reply), reply.headers["Idempotency-Replayed"]) == (write.answer, "true")
        elif reply.status == 201:
            assert had_arrived is False or reply.headers["Idempotency-Replayed"] == "true"
            write.answer, write.arrived = answered(reply), True
        else:  # somebody else was quicker; nothing is kept of a refusal
            assert (reply.status, write.if_match is None, had_arrived) == (412, False, False)

    @rule(fate=st.sampled_from(Fate), size=st.integers(0, 3))
    def record(self, fate: Fate, size: int) -> None:
        """A new statement, or a batch of some."""
        self._send(self._batch(size) if size else self._statement(), fate)

    @rule(fate=st.sampled_from(Fate))
    def correct(self, fate: Fate) -> None:
        """A correction of the first statement, as it stands now."""
        self._send(self._correction(self.registry.etag(self.event_id)), fate)

    @rule(data=st.data(), fate=st.sampled_from(Fate))
    def repeat(self, data: st.DataObject, fate: Fate) -> None:
        """Any earlier request again, whatever has been sent since."""
        self._send(data.draw(st.sampled_from(self.writes)), fate)

    @rule(data=st.data(), times=st.integers(2, 5))
    def repeat_at_once(self, data: st.DataObject, times: int) -> None:
        """Any earlier request several times at once: one effect, and its answer to all who are not told to wait."""
        write = data.draw(st.sampled_from(self.writes))
        sent = [self.registry.clients.submit(self.registry.send, write) for _ in range(times)]
        replies = [one.result() for one in sent]
        told = [reply for reply in replies if reply is not None and reply.status != 409]
        assert None not in replies
        assert told, "at least one of them runs"
        assert sum(one.status == 201 and one.headers["Idempotency-Replayed"] is None for one in told) <= 1
        write.may_have_arrived = True
        for reply in sorted(told, key=lambda one: one.headers["Idempotency-Replayed"] or ""):
            self._take(write, reply, Fate.WHOLE)

    @rule(data=st.data(), at_once=st.booleans())
    def reuse(self, data: st.DataObject, at_once: bool) -> None:
        """Another request under a key that is taken: refused, also while the first is being repeated."""
        write = data.draw(st.sampled_from(self.writes))  # of all: what has arrived by now may differ from run to run
        if not write.arrived:
            self._send(write, Fate.WHOLE)
        if not write.arrived:
            return
        other = self.registry.clients.submit(self.registry.send, write, body=write.body() + b" ")
        if at_once:
            self._send(write, Fate.WHOLE)
        refused = other.result()
        assert refused is not None
        if refused.status != 409:  # both came in one batch: told to wait before anything is compared
            assert refused.status == 422
            assert [one["pointer"] for one in refused.content["errors"]] == ["/header/idempotency-key"]

    @rule(cut=st.sampled_from([Fate.WHOLE, Fate.ANSWER_LOST]))
    def edit_against_each_other(self, cut: Fate) -> None:
        """Two editors correct what both have read: one is told that it was changed, and so is nobody else."""
        for write in self.writes:
            if write.if_match and not write.answer:
                self._send(write, Fate.WHOLE)  # one whose client has left may still be on its way
        etag = self.registry.etag(self.event_id)
        pair = [self._correction(etag), self._correction(etag)]
        fates = [cut, Fate.WHOLE]
        sent = [self.registry.clients.submit(self.registry.send, *one) for one in zip(pair, fates, strict=True)]
        for write, fate, reply in zip(pair, fates, [one.result() for one in sent], strict=True):
            self._take(write, reply, fate)
            self._send(write, Fate.WHOLE)  # whoever lost the answer finds out by asking again
        assert sorted(write.answer is None for write in pair) == [False, True]

    def teardown(self) -> None:
        """Each key has had its effect once, or none; settled by one more try."""
        if not hasattr(self, "last"):
            return
        before = self._recorded()
        for write in self.writes:
            found = [before[mark] for mark in write.marks]
            whole = [[1] * len(found)] if write.arrived else [[0] * len(found), [1] * len(found)]
            assert found in (whole if write.may_have_arrived else [[0] * len(found)]), write
            self._send(write, Fate.WHOLE)
        after = self._recorded()
        expected = Counter(mark for write in self.writes if write.answer for mark in write.marks)
        assert after == expected

    def _recorded(self) -> Counter[str]:
        events = self.registry.events(self.last)
        told = [event["data"].get("note") or event["data"]["summary"] for event in events]
        return Counter(mark for mark in told if mark.startswith(f"{self.names} "))


def test_a_key_has_one_effect_and_one_answer_whatever_becomes_of_the_connections(registry: Registry) -> None:
    class OverTheServer(Retrying):
        pass

    OverTheServer.registry = registry
    run_state_machine_as_test(OverTheServer, settings=settings(histories(40), stateful_step_count=20))


# --- whose keys -------------------------------------------------------------------------------------------------------


def _try(port: int, token: str, key: str) -> Reply:
    headers = {**_HEADERS, "Authorization": f"Bearer {token}", "Idempotency-Key": key}
    return exchange(port, "POST", "/v1/statements", json.dumps(statement()).encode(), headers)


def test_a_key_has_one_effect_also_when_several_processes_are_asked_at_once(registry: Registry) -> None:
    with open_folder() as folder, serving(folder, "--no-seeds", DATABASE_URL=registry.url) as other:
        for number in range(5):
            ports = [registry.server.port, other.port] * 4
            tries = [registry.clients.submit(_try, port, TOKEN, f"everywhere-{number}") for port in ports]
            replies = [one.result() for one in tries]
            told = [reply for reply in replies if reply.status == 201]
            assert {reply.status for reply in replies} <= {201, 409}
            assert [reply.headers["Idempotency-Replayed"] for reply in told].count(None) == 1
            assert len({answered(reply) for reply in told}) == 1
            for port in {*ports}:
                assert answered(_try(port, TOKEN, f"everywhere-{number}")) == answered(told[0])


def test_tokens_of_one_owner_share_their_keys_and_no_other_owner_does(registry: Registry) -> None:
    allow(registry.url, "pr_next", owner="tester")
    allow(registry.url, "pr_other", owner="somebody-else")
    port = registry.server.port
    first, replaced, other = (_try(port, token, "shared") for token in (TOKEN, "pr_next", "pr_other"))

    assert (answered(replaced), replaced.headers["Idempotency-Replayed"]) == (answered(first), "true")
    assert (other.status, other.headers["Idempotency-Replayed"]) == (201, None)
    assert other.content["event"]["event_id"] != first.content["event"]["event_id"]
