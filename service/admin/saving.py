"""Before something is saved, what it would change; and saving it, through the same write path as the API.

Every form is served with a key of its own: however often its button is pressed, one thing is recorded.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError

from service.access import Caller, Role
from service.admin.turning import Past, Turn, find_past, is_late, shape_of, states_before
from service.admin.typed import faults_at
from service.domain.answers import Moment, in_force
from service.domain.errors import Fault, Invalid, RegistryError, Running
from service.domain.statement import Event, Statement, Text
from service.domain.telling import Effect, tell
from service.domain.telling_dates import tell_day
from service.keys import find_kept
from service.record import Recorder
from service.segments.similar import Similar
from service.submission import Answer, Retry, Submission
from service.trial import Trial, try_out
from service.web.serving import Services
from service.web.submitting import submission_of
from service.web.writing import Write


class Outlook(NamedTuple):
    """What saving something would come to."""

    turns: tuple[Turn, ...]
    sentences: tuple[str, ...]
    similar: tuple[Similar, ...]
    late: bool  # later statements about the same are known: they go on having the last word
    more: int = 0  # further subjects that it would change
    past: Past | None = None  # what it would change of another day than this one
    ahead: str = ""  # the day of which it is, where that is yet to come


class Saved(NamedTuple):
    """What was saved: an event, or a draft that waits for somebody else."""

    event_id: str | None
    draft_id: str | None = None

    @property
    def page(self) -> str:
        """Where it can be seen, with what was done."""
        return f"/admin/events/{self.event_id}?done=recorded" if self.event_id else page_of(self.draft_id, "waits")


def page_of(draft_id: str | None, done: str) -> str:
    """The page of a draft, with what was done."""
    return f"/admin/review/{draft_id}?done={done}"


async def foresee(served: Services, caller: Caller, write: Write) -> Outlook:
    """What saving would come to now; raises what it would be refused for."""
    trial = await try_out(served.pool, submission_of(served, caller, write, None))
    return await outlook_of(served, trial, write.events)


async def outlook_of(served: Services, trial: Trial, events: Sequence[Event]) -> Outlook:
    """What a trial of recording these events says, in words; of several, without sentences."""
    stale_after = served.settings.stale_after_days
    async with served.pool.connection() as connection:
        rows = trial.recorded.states[:_MOST_TURNS]
        before = await states_before(connection, trial.recorded.at, [row.key for row in rows])
        truces = Moment(trial.recorded.at, stale_after, in_force((row.key, row.state) for row in before.values()))
        then = Moment(trial.recorded.at, stale_after, trial.recorded.in_force)
        effects = []
        for row in rows:
            late = any(isinstance(event, Statement) and is_late(event, before.get(row.key)) for event in events)
            shown = shape_of(before.get(row.key), truces), shape_of(row, then)
            effects.append(Effect(row.key, trial.recorded.at, *shown, late))
        turns = tuple(Turn.of(effect.key, effect.before, effect.after) for effect in effects)
        past = await find_past(connection, trial, turns, stale_after) if len(events) == 1 else None
    return Outlook(
        turns,
        tuple(tell(events[0].kind, effects)) if effects and len(events) == 1 else (),
        tuple({one.event_id: one for found in trial.similar for one in found}.values())[:_MOST_SIMILAR],
        any(effect.late for effect in effects),
        len(trial.recorded.states) - len(rows),
        past,
        _ahead(trial.recorded.at, trial.recorded.events[-1].recorded_at),
    )


_MOST_TURNS = 50
_MOST_SIMILAR = 20


def _ahead(at: datetime, now: datetime) -> str:
    """The day of which an outlook is, where that is yet to come."""
    return tell_day(at) if at.date() > now.date() else ""


class Resembles(RegistryError):
    """Something alike is recorded already, and whoever saves has not seen that yet."""

    def __init__(self, outlook: Outlook) -> None:
        super().__init__("Something alike is recorded already.")
        self.outlook = outlook


class Seen(NamedTuple):
    """Statements of which whoever saves knows: those that they were warned of, and those that they just entered."""

    warned: frozenset[str] = frozenset()
    entered: frozenset[str] = frozenset()

    def knows(self, one: Similar, subject: str) -> bool:
        """Whether it need not be shown: of what was just entered, only what is about the same."""
        return one.event_id in self.warned or (one.event_id in self.entered and one.content["subject"] != subject)


async def save(
    served: Services, caller: Caller, write: Write, *, key: str, path: str, body: bytes, seen: Seen | None = None,
    replaces: str = "", to_reviewer: str = "",
) -> Saved:  # fmt: skip
    """Records what a form says, or puts it up where its author may not record, or does so in place of another draft.

    With ``seen`` it raises `Resembles` where something alike is recorded of which whoever saves does not know.
    """
    note = read_note_to_reviewer(to_reviewer)
    said = body if note is None else body + b"\x00" + note.encode()
    retry = retry_of(caller, key, f"{path}?draft={replaces}" if replaces else path, said)
    (event,) = write.events
    if seen is not None and isinstance(event, Statement):
        outlook = await foresee(served, caller, write)
        is_known = all(seen.knows(one, event.subject) for one in outlook.similar)
        if not is_known and not await is_kept(
            served, retry
        ):  # else the button was pressed twice: it is alike to itself
            raise Resembles(outlook)
    if replaces or not caller.role.allows(Role.EDITOR):
        draft, _ = await served.drafts.put_up(
            write.events,
            author=caller.owner,
            revision=write.revision,
            note=note,
            replaces=replaces or None,
            retry=retry,
        )
        return Saved(None, draft.id)
    answer = await record_once(served.recorder, submission_of(served, caller, write, retry))
    return Saved(orjson.loads(answer.content)["event"]["event_id"])


_NOTE: TypeAdapter[str] = TypeAdapter(Text)


def read_note_to_reviewer(typed: str) -> str | None:
    """What an author tells whoever reviews what they put up; None for nothing. Raises `Invalid`."""
    if not typed.strip():
        return None
    try:
        return _NOTE.validate_python(typed.replace("\r\n", "\n"))
    except ValidationError as error:
        detail = f"The note to whoever reviews it: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
        raise Invalid(detail, Fault("/to_reviewer", "note", detail)) from None


async def record_once(recorder: Recorder, submission: Submission) -> Answer:
    """Records what a form says. Where its button was pressed before, and that is still under way, it is waited for:
    of two answers a browser shows the later one, which has to say what came of the first.
    """
    while True:
        try:
            return await recorder.record(submission)
        except Running:
            await asyncio.sleep(_PATIENCE_SECONDS)
            submission = submission.again()


_PATIENCE_SECONDS = 0.05


def retry_of(caller: Caller, key: str, path: str, body: bytes) -> Retry:
    """By what it is recognised that the button of a form was pressed again."""
    return Retry(f"form/{caller.owner}", _checked(key), hashlib.sha256(path.encode() + b"\x00" + body).digest())


async def is_kept(served: Services, retry: Retry) -> bool:
    """Whether something was recorded under a key already."""
    async with served.pool.connection() as connection:
        return bool(await find_kept(connection, retry.client, [retry.key]))


def _checked(key: str) -> str:
    """The key that a form was served with."""
    if not key or len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable():
        detail = "This form has lost its key; load the page again, and send it from there."
        raise Invalid(detail, Fault("", "no_key", detail))
    return key


_LONGEST_KEY = 255


def told_of(error: RegistryError) -> list[Fault]:
    """What is wrong, in the words of a page: it has no headers, and its key is its own affair."""
    saved = "This was saved already, and you changed it since. Save it again if it is to be recorded besides."
    return [Fault("", one.code, saved) if one.pointer == KEY else one for one in faults_at(error)]


def key_after(error: RegistryError, served: Services) -> str | None:
    """A new key where the form's was used already, so that it can be saved as another statement."""
    used = any(fault.pointer == KEY for fault in error.faults)
    return served.new_id() if used else None


KEY = "/header/idempotency-key"
