"""The rows of a pasted table: what recording them would come to, and recording all of them or none.

They are read and checked by the import's own first pass; what is good is then one request to the write path, and so one
transaction. A row that an import has recorded before, word for word, is not recorded again.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import orjson

from service.access import Caller, Role
from service.admin.saving import outlook_of, record_once
from service.admin.turning import Turn, title_of
from service.database import snapshot
from service.domain.errors import Fault, RegistryError, Unavailable
from service.domain.kinds import read_event
from service.domain.statement import Event, Statement
from service.domain.subject import keys_of
from service.domain.telling_dates import tell_occurred
from service.forms.fields import ordered
from service.forms.pasting.faults import for_pasting
from service.forms.told import tell_content
from service.load.checked import Bad, Checked, Good, LeftOut, Spool
from service.load.checking import beside, check
from service.log.codec import prepare
from service.reading.mapping import Mapping
from service.reading.opening import Form, open_rows
from service.segments.similar import Similar, find_similar_to_each
from service.submission import Recorded, Retry, Submission
from service.trial import try_out
from service.web.serving import Services

_APART = frozenset({"subject", "occurred", "actors", "summary", "sources"})  # of a row: said before the rest


class Line(NamedTuple):
    """A row, or several that the mapping draws together: what it would say, or what is wrong with it."""

    first: int
    last: int
    state: str  # "new", "before", "left out", "at fault"
    title: str = ""
    summary: str = ""
    rest: str = ""
    faults: tuple[Fault, ...] = ()
    similar: tuple[Similar, ...] = ()
    twin: int | None = None  # an earlier row that says the same, word for word

    @property
    def rows(self) -> str:
        """How it is called."""
        return f"Row {self.first}" if self.first == self.last else f"Rows {self.first} to {self.last}"


class Looked(NamedTuple):
    """What recording a pasted table would come to."""

    lines: tuple[Line, ...]
    events: tuple[Event, ...]  # to be recorded, in the order of the rows
    turns: tuple[Turn, ...] = ()
    further: int = 0  # subjects beside those
    refusal: tuple[Fault, ...] = ()  # of all of it together

    @property
    def at_fault(self) -> tuple[Line, ...]:
        """The rows that cannot be recorded."""
        return tuple(line for line in self.lines if line.faults)

    @property
    def alike(self) -> tuple[Line, ...]:
        """The rows that look like something that is recorded already, or say what a row before them says."""
        return tuple(line for line in self.lines if line.similar or line.twin)

    def count(self, state: str) -> int:
        """How many rows there are of a state."""
        return sum(line.state == state for line in self.lines)


class Kept(NamedTuple):
    """What became of a table: events from a position on, or a draft."""

    first: int
    many: int
    draft_id: str | None = None


async def look(served: Services, caller: Caller, table: str, mapping: Mapping | None) -> Looked:
    """What recording a table, small enough for a page, would come to; raises `Invalid` where it cannot be read.

    Without a mapping, its columns are named like fields.
    """
    checked = await _check(served, caller, table, mapping)
    news = [one for one in checked if isinstance(one, Good) and one.is_new]
    events = await beside(lambda: tuple(read_event(one.body, one.kind) for one in news))
    async with snapshot(served.pool) as connection:
        statements = [event for event in events if isinstance(event, Statement)]
        similar = iter(await find_similar_to_each(connection, statements))
    alike = {
        one.first: tuple(next(similar)) if isinstance(event, Statement) else ()
        for one, event in zip(news, events, strict=True)
    }
    twins = _twins(news)
    lines = await beside(lambda: tuple(_line(one, alike.get(one.first, ()), twins.get(one.first)) for one in checked))
    if not events:
        return Looked(lines, events)
    try:
        trial = await try_out(served.pool, _submission(served, caller, events), compare=False)
    except Unavailable:
        raise
    except RegistryError as error:
        return Looked(lines, events, refusal=tuple(_at_rows(error, news)))
    outlook = await outlook_of(served, trial, events)
    return Looked(lines, events, outlook.turns, outlook.more)


async def _check(served: Services, caller: Caller, table: str, mapping: Mapping | None) -> list[Checked]:
    file = io.BytesIO(table.encode("utf-8", "surrogatepass"))
    with Spool() as spool:
        rows = open_rows(file, Form.CSV, mapping)
        await check(rows, spool, served.pool, client=f"import/{caller.owner}", passed=lambda: None)
        return list(spool)


def _twins(news: Sequence[Good]) -> dict[int, int]:
    """The rows that say what an earlier one says, each with that."""
    first: dict[bytes, int] = {}
    return {one.first: before for one in news if (before := first.setdefault(one.body, one.first)) != one.first}


def _at_rows(error: RegistryError, news: Sequence[Good]) -> Iterator[Fault]:
    """What refuses all of it, at the row that is to blame."""
    for fault in error.faults or (Fault("", "refused", error.detail),):
        place = fault.pointer.split("/")[1:2]
        at = int(place[0]) if place and place[0].isdecimal() else None
        row = news[at].first if at is not None and at < len(news) else None
        yield Fault("", fault.code, for_pasting(fault.detail), row)


def _line(one: Checked, similar: tuple[Similar, ...], twin: int | None) -> Line:
    if isinstance(one, LeftOut):
        return Line(one.first, one.last, "left out", rest=one.why)
    if isinstance(one, Bad):
        faults = tuple(replace(fault, detail=for_pasting(fault.detail)) for fault in one.faults)
        return Line(one.first, one.last, "at fault", faults=faults)
    event = read_event(one.body, one.kind)
    title = ", ".join(map(title_of, keys_of(event)[:_MOST_NAMED]))
    if not isinstance(event, Statement):
        return Line(one.first, one.last, "new" if one.is_new else "before", title)
    told = tell_content([field for field in ordered(type(event)) if field.name not in _APART], event.content())
    when = tell_occurred(event.occurred.edtf, event.occurred.basis)
    rest = "; ".join(f"{part.label.lower()}: {part.words}" for part in told)
    state = "new" if one.is_new else "before"
    return Line(one.first, one.last, state, f"{title}, {when}", event.summary, rest, similar=similar, twin=twin)


_MOST_NAMED = 6


def seen_of(table: str, mapping: str, looked: Looked) -> str:
    """What a preview has shown: recording asks for it, so that nothing is recorded that nobody has looked at."""
    alike = [[one.event_id for one in line.similar] for line in looked.lines]
    return hashlib.sha256(orjson.dumps([table, mapping, alike])).hexdigest()


async def record(
    served: Services, caller: Caller, events: tuple[Event, ...], retry: Retry, *, note: str | None, replaces: str
) -> Kept:
    """Records all of them or none; or puts them up together, with a note, where their author may not record or does so
    in place of another draft.
    """
    if replaces or not caller.role.allows(Role.EDITOR):
        draft, _ = await served.drafts.put_up(
            events, author=caller.owner, listed=True, note=note, replaces=replaces or None, retry=retry
        )
        return Kept(0, len(events), draft.id)
    answer = await record_once(served.recorder, _submission(served, caller, events, retry))
    return Kept(answer.position, orjson.loads(answer.content)["count"])


def _submission(served: Services, caller: Caller, events: tuple[Event, ...], retry: Retry | None = None) -> Submission:
    return Submission(
        entries=tuple(prepare(event, event_id=served.new_id(), salt=served.new_salt()) for event in events),
        recorded_by=caller.owner,
        render=_render,
        retry=retry,
        listed=True,
        brief=retry is not None,
    )


def _render(recorded: Recorded) -> bytes:
    return orjson.dumps({"count": len(recorded.events)})
