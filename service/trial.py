"""What recording something would come to, with nothing recorded: the write path up to where it would write."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from service.database import Connection, Pool, snapshot
from service.domain.errors import RegistryError
from service.domain.statement import Statement
from service.domain.subject import SubjectKey
from service.log.append import READ_HEAD, Head, Tail
from service.preparing import Standing
from service.segments.query import FIND_BACKGROUND, Background, StateRow
from service.segments.similar import Similar, find_similar_to_each
from service.submission import Recorded, Submission


class Trial(NamedTuple):
    """What would be recorded after how many events, and for each event the recorded statements that are like it.

    ``find_turns`` has the moments at which something may be otherwise, by subject, and ``states_at`` how what it
    touches would stand at one: also where what comes later has the last word.
    """

    recorded: Recorded
    size: int
    similar: list[list[Similar]]
    find_turns: Callable[[], dict[SubjectKey, set[datetime]]]
    states_at: Callable[[datetime], list[StateRow]]


async def try_out(pool: Pool, submission: Submission, *, compare: bool = True) -> Trial:
    """What a request would record now; raises what would refuse it. Takes no lock, and so waits for nobody.

    Looks for similar statements unless it is not to ``compare``.
    """
    async with snapshot(pool) as connection:
        return await _try_out(connection, submission, compare=compare)


async def _try_out(connection: Connection, submission: Submission, *, compare: bool) -> Trial:
    slugs = sorted({entry.event.coalition for entry in submission.entries})
    async with connection.cursor(binary=True) as cursor:
        row = await (await cursor.execute(READ_HEAD.encode())).fetchone()
        assert row is not None
        head = Head.of(row)
        await cursor.execute(FIND_BACKGROUND.encode(), (slugs, slugs))
        background = Background.of(await cursor.fetchall())
    prepared = await Standing().prepare(connection, [submission], head, background, create=False)
    for _, refusal in prepared.refused:
        assert isinstance(refusal, RegistryError)
        raise refusal
    (accepted,) = prepared.accepted
    recorded = accepted.record(Tail.after(head), background.truces)
    stated = {nth: one.event for nth, one in enumerate(submission.entries) if isinstance(one.event, Statement)}
    similar: list[list[Similar]] = [[] for _ in submission.entries]
    if compare:
        found = await find_similar_to_each(connection, list(stated.values()))
        for nth, alike in zip(stated, found, strict=True):
            similar[nth] = alike
    return Trial(recorded, head.size, similar, accepted.find_turns, accepted.states_at)
