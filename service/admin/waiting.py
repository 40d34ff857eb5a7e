"""Drafts in plain words: what they would record, what that would change, and what has happened to them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from service.admin.again import asked_of
from service.admin.coalitions import NEW as REGISTER
from service.admin.entering import NEW
from service.admin.events import Recorded, amended, find_recorded, said_at
from service.admin.known import words_of_named
from service.admin.paste_pages import PASTE_AGAIN
from service.admin.saving import Outlook, outlook_of
from service.admin.turning import title_of
from service.database import Connection
from service.domain.actors import shown_name
from service.domain.answers import Json
from service.domain.errors import RegistryError, Stale
from service.domain.record import Effective, RecordCorrected, RecordEvent
from service.domain.statement import Event, Statement
from service.domain.subject import SubjectKey, keys_of
from service.drafts.stored import Draft, DraftState
from service.forms.fields import kind_of, ordered
from service.forms.told import Compared, Told, compare, tell_content
from service.forms.words import GLOSSES, heading_of
from service.segments.effective import load_known
from service.segments.similar import find_similar_to_each
from service.web.serving import Services
from service.web.writing import NOTES

_NOTES = {
    "corrected": "Correction of",
    "retracted": "Retraction of",
    "reinstated": "Reinstatement of",
    "disputed": "Dispute about",
    "dispute_settled": "Settlement of a dispute",
    "duplicate": "Marked as a duplicate:",
    "sourced": "Further source of",
}


def title_of_event(event: Event, about: Json | None) -> str:
    """What an event is, in a few words; of a note on the record, with what it is about."""
    if isinstance(event, RecordEvent):
        what = _NOTES[event.kind.partition(".")[2]]
        return what if about is None else f"{what} {_heading(about)[0].lower()}{_heading(about)[1:]}"
    return _heading(event.content())


def _heading(content: Json) -> str:
    return heading_of(content["kind"], content.get("subject") or content.get("name") or "")


# --- in a list --------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A draft in a list: what it is about, who acts, what it says, where that was read, and how good that is."""

    draft: Draft
    title: str
    who: str
    says: str
    source: str
    grade: str

    @property
    def again(self) -> str | None:
        """Where its author changes it, where it was returned to them."""
        return address_again(self.draft)


async def list_rows(connection: Connection, drafts: Sequence[Draft]) -> list[Row]:
    """Drafts as rows of a list: of each, its first event."""
    named = {event.target for one in drafts if isinstance(event := one.events[0], RecordEvent)}
    known = await load_known(connection, sorted(named), ())
    about = {event_id: known.by_position[position] for event_id, position in known.positions.items()
             if position in known.by_position}  # fmt: skip
    return [_row(one, about) for one in drafts]


def _row(one: Draft, about: Mapping[str, Effective]) -> Row:
    event = one.events[0]
    content = event.content()
    target = about.get(event.target) if isinstance(event, RecordEvent) else None
    before: Json = {} if target is None else target.content
    source: Json = next(iter([*content.get("sources", ()), *before.get("sources", ())]), {})
    title = title_of_event(event, before or None)
    many = f"{len(one.events)} statements, the first: " if len(one.events) > 1 else ""
    says = content.get("summary") or content.get("note") or before.get("summary") or ""
    who = ", ".join(map(shown_name, content.get("actors") or before.get("actors") or ()))
    return Row(one, f"{many}{title}", who, says, source.get("title", ""), grade_of(source))


def grade_of(source: Json) -> str:
    """The grade of a source, by letter and number and in words; "" where it has none."""
    given = [(name, str(source[name])) for name in ("reliability", "credibility") if source.get(name) is not None]
    words = ", ".join(GLOSSES[name][grade] for name, grade in given)
    return f"{''.join(grade for _, grade in given)}: {words}" if given else ""


# --- on its page ------------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """One of the things that a draft would record."""

    title: str
    told: list[Told]
    occurred: Json | None
    subjects: list[str]
    target: Recorded | None
    before: list[Told]  # what the event says that it is about, unless that is compared
    compared: list[Compared]  # what a correction changes, as its author saw it
    meanwhile: list[Compared]  # what others have changed since
    words: Mapping[str, str]  # of other statements that it names


async def list_pieces(served: Services, one: Draft, events: Sequence[Event]) -> list[Piece]:
    """What a draft would record, piece by piece."""
    return [await _piece(served, one, event) for event in events]


async def _piece(served: Services, one: Draft, event: Event) -> Piece:
    content = asked_of(event)
    told = tell_content(ordered(type(event)), content)
    occurred = content.get("occurred")
    if not isinstance(event, RecordEvent):
        about = [title_of(key) for key in keys_of(event)] if isinstance(event, Statement) else []
        return Piece(title_of_event(event, None), told, occurred, about, None, [], [], [], {})
    target = await find_recorded(served, event.target)
    fields = ordered(target.kind)
    seen = said_at(target, one.revision)
    title = title_of_event(event, {**target.content, "kind": target.row.kind})
    subjects = [title_of(key) for key in target.effective.keys] if target.effective else []
    compared = compare(fields, seen, amended(seen, content)) if isinstance(event, RecordCorrected) else []
    meanwhile = [] if one.revision is None else compare(fields, seen, said_at(target, None))
    before = [] if compared else tell_content(fields, target.content)
    words = await words_of_named(served, (one.event_id for one in told if one.event_id))
    return Piece(title, told, occurred, subjects, target, before, compared, meanwhile, words)


class Prospect(NamedTuple):
    """What approving a draft now would come to: an outlook or why it is refused, and what has changed since."""

    outlook: Outlook | None
    refusal: RegistryError | None
    changed: list[str]

    @property
    def words(self) -> str:
        """Why it is refused, in the words of a page."""
        return "" if self.refusal is None else refused_words(self.refusal)


def refused_words(error: RegistryError) -> str:
    """Why a draft cannot be recorded; what its author saw is another matter than what they send."""
    if isinstance(error, Stale):
        return (
            "What it is about was changed after it was put up. Return it: in the form its author finds both, "
            "and makes it anew on top of that."
        )
    return error.detail


async def foresee_draft(served: Services, one: Draft, shown: Sequence[Event]) -> Prospect:
    """What approving a draft now would come to, and what is like those of its events that are shown."""
    found = await served.drafts.outlook(one, compare=False)
    outlook = None
    if found.trial is not None:
        async with served.pool.connection() as connection:
            statements = [event for event in shown if isinstance(event, Statement)]
            similar = await find_similar_to_each(connection, statements)
        outlook = await outlook_of(served, found.trial._replace(similar=similar), one.events)
    return Prospect(outlook, found.refusal, [_subject(name) for name in found.changed])


def _subject(name: str) -> str:
    """A subject by its id, in words."""
    coalition, family, slug, *actor = name.split("/")
    return title_of(SubjectKey(coalition, family, slug, actor[0] if actor else ""))


# --- what has happened ------------------------------------------------------------------------------------------------


class Happening(NamedTuple):
    """One thing that happened to a draft: what, by whom, when, and what they said of it."""

    what: str
    by: str
    at: datetime
    says: str
    draft_id: str


def happenings(versions: Sequence[Draft]) -> list[Happening]:
    """What happened to a draft and those that it replaces or is replaced by, in order."""
    found = sorted((one for draft in versions for one in _happenings(draft)), key=lambda one: one[0])
    return [happening for _, happening in found]


def _happenings(one: Draft) -> Iterator[tuple[datetime, Happening]]:
    def happened(what: str, by: str | None, at: datetime | None, says: str | None) -> tuple[datetime, Happening]:
        assert by is not None
        assert at is not None
        return at, Happening(what, by, at, says or "", one.id)

    yield happened("Sent in again" if one.replaces else "Put up", one.author, one.created_at, one.note)
    if one.returned_by is not None:
        yield happened("Returned", one.returned_by, one.returned_at, one.return_reason)
    if one.decided_by is not None and one.replaced_by is None:
        yield happened(str(one.state).capitalize(), one.decided_by, one.decided_at, one.reason)


# --- changed and sent in again ----------------------------------------------------------------------------------------

_FORMS = {kind_of(kind): name for name, (_, kind) in NOTES.items()}


def address_again(one: Draft) -> str | None:
    """Where the author of a returned draft changes it: the form that makes such events; of a list, their table."""
    if one.state is not DraftState.RETURNED:
        return None
    if one.listed:
        return f"{PASTE_AGAIN}?draft={one.id}"
    (event,) = one.events
    if isinstance(event, RecordEvent):
        return f"/admin/events/{event.target}/{_FORMS[event.kind]}?draft={one.id}"
    return f"{NEW if isinstance(event, Statement) else REGISTER}?draft={one.id}"
