"""Promises 1 to 3 while processes are killed: what was acknowledged is there once, and where it was said to be.

`./run torture` does the same for as long as one likes. A failure prints the seed with which it can be tried again.
"""

import secrets
from collections import Counter

import pytest

from tests.processes import open_folder
from tests.registry import Json
from tests.torture import Death, Sent, Target, Torture, Writers, judge


def _torture(*deaths: Death) -> Counter[str]:
    """Asserts that nothing went wrong; gives how often each status was answered, 0 standing for no answer."""
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    with open_folder() as folder:
        registry = Torture(folder, seed)
        assert registry.run(deaths) == []
    return registry.statuses


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_while_many_write() -> None:
    statuses = _torture(*[Death.SERVER] * 4)
    assert statuses["0"] >= 4


def test_nothing_acknowledged_is_lost_when_postgresql_is_killed_and_the_server_brings_it_back() -> None:
    statuses = _torture(*[Death.POSTMASTER] * 3)
    assert set(statuses) <= {"201", "503"}
    assert statuses["503"] > 0


def test_nothing_acknowledged_is_lost_when_processes_stand_still_or_die_within_a_commit() -> None:
    _torture(Death.PAUSE, Death.BACKEND, Death.PAUSE_AND_DEATH)


# The judge itself: it must see each way in which a registry could fail


def _event(position: int, summary: str) -> Json:
    return {"position": position, "type": "pledge.stated", "data": {"summary": summary}}


_SENT = [
    Sent(("a",), "key", (1,)),
    Sent(("b", "c"), None, (2, 3)),
    Sent(("d", "e"), None),
]
_LOG = [_event(position, summary) for position, summary in enumerate("abcde", start=1)]


def _judged(log: list[Json], sent: list[Sent]) -> list[str]:
    writers = Writers(Target("", 0, ""), 1, 0)
    writers.sent = [sent]
    return judge(writers, log)


def test_the_judge_is_content_with_what_was_acknowledged_and_with_what_may_or_may_not_be_there() -> None:
    assert _judged(_LOG, _SENT) == []
    assert _judged(_LOG[:3], _SENT) == []


@pytest.mark.parametrize(
    ("log", "sent", "sentence"),
    [
        (_LOG[:2], _SENT, "acknowledged"),
        (_LOG[:4], _SENT, "only a part"),
        ([*_LOG, _event(6, "a")], _SENT, "acknowledged"),
        ([*_LOG, _event(6, "e")], _SENT, "more than once"),
        ([*_LOG, _event(6, "f")], _SENT, "nobody sent"),
        ([*_LOG[:4], _event(6, "e")], _SENT, "positions"),
        ([*_LOG[:3], _event(4, "e"), _event(5, "d")], _SENT, "one piece"),
        (_LOG[:1], [Sent(("a",), "key")], "never answered"),
        (_LOG[:2], [Sent(("b",), None, (2,)), Sent(("a",), None, (1,))], "stands before"),
    ],
)
def test_the_judge_sees_what_is_lost_doubled_torn_or_out_of_order(
    log: list[Json], sent: list[Sent], sentence: str
) -> None:
    assert any(sentence in one for one in _judged(log, sent))
