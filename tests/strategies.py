"""Random histories: what people say in any order, with the dates that sources give, and what editors note about it.

Few actors, few subjects and few days, so that statements meet: equal dates, overlapping ones, deadlines that pass
between two of them. Most of what is generated is accepted; what the registry refuses is left out by whoever records it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from service.domain.kinds import parse_event
from service.log.codec import Entry, prepare
from tests.oracle import Json, patch

Draw = st.DrawFn

MOST_EVENTS = 25
DAYS = ("2025-01-01", "2025-01-10", "2025-01-15", "2025-01-20", "2025-01-31", "2025-02-01", "2025-02-14", "2025-03-05")
MONTHS = ("2025-01", "2025-02", "2025-01~", "2025-03?")
INSTANTS = (
    "2025-01-10T00:00:00Z", "2025-01-10T23:59:59.999999Z", "2025-01-15T12:00:00Z", "2025-01-20T14:30:00+02:00",
    "2025-02-01T00:00:00Z", "2025-02-01T00:00:00.000001Z",
)  # fmt: skip
SPANS = ("2024-21", "2025", "202X", "2025-01-XX")
ACTORS = ("FR", "GB", "PL")
REASONS = ("entry_error", "source_corrected", "better_source")
RANKS = ("preferred", "normal", "deprecated")
SOURCES: tuple[Json, ...] = (
    {"title": "A report", "publisher": "A paper"},
    {"title": "A retelling", "publisher": "Another paper", "derived_from": "a wire"},
    {"title": "A second retelling", "derived_from": "A  wire"},
    {"title": "The communiqué", "url": "https://example.org/communique"},
)


@dataclass(frozen=True, slots=True)
class History:
    """What happens, event by event, and how it is recorded.

    An event names an earlier one by ``#`` and its index. Of each event, ``cuts`` says how it is recorded: 0 in the same
    request as the event before it, 1 in a request of its own that arrives at the same moment, 2 after that one is done.
    """

    contents: tuple[Json, ...]
    cuts: tuple[int, ...]

    def batches(self) -> list[list[list[int]]]:
        """The indices of the events, by moment and by request."""
        moments: list[list[list[int]]] = []
        for index, cut in enumerate(self.cuts):
            if cut == 2 or not moments:
                moments.append([[index]])
            elif cut == 1:
                moments[-1].append([index])
            else:
                moments[-1][-1].append(index)
        return moments


def one_by_one(*contents: Json) -> History:
    """A history of which every event is recorded by itself."""
    return History(contents, (2,) * len(contents))


def bound(history: History, index: int, coalition: str, ids: Sequence[str]) -> Entry:
    """An event of a history as an entry for the log, once it is known what each is called."""
    event = parse_event({**_named(history.contents[index], ids), "coalition": coalition})
    return prepare(event, event_id=ids[index], salt=bytes(32))


_INDEX = re.compile(r"#([0-9]+)")


def _named(value: Any, ids: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _named(member, ids) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_named(member, ids) for member in value]
    found = _INDEX.fullmatch(value) if isinstance(value, str) else None
    return ids[int(found[1])] if found else value


def named_in(value: Any) -> set[int]:
    """The indices of the events that an event names."""
    if isinstance(value, Mapping):
        return set[int]().union(*map(named_in, value.values()))
    if isinstance(value, list | tuple):
        return set[int]().union(*map(named_in, value))
    found = _INDEX.fullmatch(value) if isinstance(value, str) else None
    return {int(found[1])} if found else set()


# --- what is told in so many words ------------------------------------------------------------------------------------


def said(day: str, kind: str = "pledge.stated", **changes: Any) -> Json:
    """A statement about British ground troops."""
    return {
        "kind": kind,
        "subject": "ground-troops",
        "occurred": {"edtf": day, "basis": "stated"},
        "actors": ["GB"],
        "summary": "What was said.",
        "sources": [{"title": "A report"}],
        **changes,
    }


def pledged(day: str, count: int | None = None, firmness: str = "announced", **terms: Any) -> Json:
    """A pledge of so many soldiers."""
    quantity: Json = {} if count is None else {"quantity": {"min": count, "max": count, "unit": "persons"}}
    return said(day, body={"category": "ground_troops", "firmness": firmness, **quantity, **terms})


def delivered(day: str, count: int) -> Json:
    """The arrival of so many soldiers."""
    return said(day, "pledge.delivered", body={"quantity": {"min": count, "max": count, "unit": "persons"}})


def note(kind: str, target: int, **content: Any) -> Json:
    """A note on the record of an event, by its index."""
    if kind in ("corrected", "retracted", "reinstated"):
        content = {"reason": "entry_error", **content}
    return {"kind": f"record.{kind}", "target": f"#{target}", **content}


# --- statements -------------------------------------------------------------------------------------------------------


@st.composite
def dates(draw: Draw) -> str:
    """A date as sources give it: to the day, to the month, an interval, on or before, or to the instant."""
    first, last = sorted((draw(st.sampled_from(DAYS)), draw(st.sampled_from(DAYS))))
    found: str = draw(
        st.one_of(
            st.sampled_from(DAYS),
            st.sampled_from(INSTANTS),
            st.sampled_from(MONTHS),
            st.just(f"{first}/{last}"),
            st.just(f"../{last}"),
            st.sampled_from(SPANS),
        )
    )
    return found


def _some(draw: Draw, **fields: st.SearchStrategy[Any]) -> Json:
    """Some of the fields: a statement rarely mentions all."""
    return {name: draw(values) for name, values in fields.items() if draw(st.booleans())}


def _cleared(draw: Draw, body: Json, *names: str) -> Json:
    """The body, which may also take away what it does not set."""
    free = [name for name in names if name not in body]
    if not free or draw(st.integers(0, 4)) > 0:
        return body
    return {**body, "cleared": [draw(st.sampled_from(free))]}


_QUANTITIES = st.sampled_from(
    [
        {"min": 500, "max": 500, "unit": "persons"},
        {"max": 30000, "unit": "persons", "approximate": True},
        {"min": 3, "max": 4, "unit": "aircraft"},
        {"text": "thousands"},
    ]
)
_CONDITIONS = st.lists(
    st.builds(
        lambda kind, status: {"kind": kind, "status": status},
        st.sampled_from(["ceasefire_in_force", "mandate", "us_backing"]),
        st.sampled_from(["outstanding", "met", "failed"]),
    ),
    min_size=1,
    max_size=2,
)
_WHENS = st.one_of(st.sampled_from(DAYS), st.sampled_from(MONTHS[:2]), st.sampled_from(INSTANTS))


def _pledged(draw: Draw) -> Json:
    body = {
        "category": draw(st.sampled_from(["ground_troops", "air"])),
        "firmness": draw(
            st.sampled_from(["announced", "committed", "considering", "ruled_out", "declared_intent", "ready"])
        ),
        **_some(draw, quantity=_QUANTITIES, conditions=_CONDITIONS, deadline=_WHENS, starts=_WHENS),
    }
    return _cleared(draw, body, "quantity", "conditions", "deadline", "starts", "ends")


def _delivered(draw: Draw) -> Json:
    return _some(draw, quantity=_QUANTITIES, complete=st.booleans())


def _withdrawn(draw: Draw) -> Json:
    return _some(draw, reason=st.just("Parliament refused."))


def _stance(draw: Draw) -> Json:
    return {"topic": "force", "stance": draw(st.sampled_from(["supportive", "undecided", "opposed"]))}


def _warned(draw: Draw) -> Json:
    return _some(draw, targets=st.just(["FR"]), severity=st.sampled_from(["low", "high"]), trigger=st.just("troops"))


def _met(draw: Draw) -> Json:
    participants = st.lists(st.sampled_from([{"actor": "GB"}, {"actor": "FR", "role": "host"}]), min_size=1, max_size=2)
    body = _some(
        draw, title=st.just("Leaders"), date=_WHENS, place=st.sampled_from(["Paris", "Kyiv"]), participants=participants
    )
    return _cleared(draw, body, "date", "place")


def _proposed(draw: Draw) -> Json:
    terms = st.just([{"topic": "prisoners", "text": "All for all."}])
    body = _some(draw, duration_days=st.sampled_from([5, 30]), expires=_WHENS, scope=st.just("air"), terms=terms)
    return _cleared(draw, body, "duration_days", "expires", "terms")


def _answered(draw: Draw) -> Json:
    return {"answer": draw(st.sampled_from(["accepted", "rejected", "reserved"]))}


def _nothing(_: Draw) -> Json:
    return {}


def _organised(draw: Draw) -> Json:
    figures = st.just([{"what": "troops", "quantity": {"max": 30000, "unit": "persons"}}])
    return _some(draw, phase=st.sampled_from(["planning", "ready"]), leads=st.just(["FR", "GB"]), figures=figures)


def _joined(draw: Draw) -> Json:
    return {"role": draw(st.sampled_from(["member", "lead", "none"])), **_some(draw, claimed_count=st.just(26))}


_BODIES = {
    "pledge.stated": (_pledged, ("ground-troops", "air-policing")),
    "pledge.delivered": (_delivered, ("ground-troops", "air-policing")),
    "pledge.withdrawn": (_withdrawn, ("ground-troops", "air-policing")),
    "position.stated": (_stance, ("force",)),
    "warning.issued": (_warned, ("troops",)),
    "warning.withdrawn": (_nothing, ("troops",)),
    "meeting.announced": (_met, ("summit",)),
    "meeting.held": (_met, ("summit",)),
    "meeting.cancelled": (_nothing, ("summit",)),
    "ceasefire.proposed": (_proposed, ("truce",)),
    "ceasefire.answered": (_answered, ("truce",)),
    "ceasefire.took_effect": (_nothing, ("truce",)),
    "ceasefire.violated": (_nothing, ("truce",)),
    "ceasefire.ended": (_nothing, ("truce",)),
    "coalition.stated": (_organised, ("organisation",)),
    "membership.stated": (_joined, ("role",)),
}
_OFTEN = ("pledge.stated",) * 8 + (
    "pledge.delivered",
    "ceasefire.proposed",
    "ceasefire.took_effect",
    "meeting.announced",
)
_KINDS = (*_OFTEN, *_BODIES)
_VOICES: tuple[Json | None, ...] = (
    None,
    None,
    None,
    {"actor": "GB", "name": "A Minister"},
    {"actor": "US"},
    {"actor": "GB", "name": "A Presenter", "official": False},
)


@st.composite
def statements(draw: Draw, index: int = 0) -> Json:
    """What somebody said or did."""
    kind = draw(st.sampled_from(_KINDS))
    body, slugs = _BODIES[kind]
    actors = draw(st.lists(st.sampled_from(ACTORS), min_size=1, max_size=2, unique=True))
    content: Json = {
        "kind": kind,
        "subject": draw(st.sampled_from(slugs)),
        "occurred": {"edtf": draw(dates()), "basis": "stated"},
        "actors": actors,
        "body": body(draw),
        "summary": f"Statement {index if draw(st.integers(0, 5)) else 0}.",
        "sources": draw(st.lists(st.sampled_from(SOURCES), min_size=1, max_size=2)),
    }
    if kind.startswith("ceasefire.") and draw(st.booleans()):
        content["addressees"] = ["PL"]
    voice = draw(st.sampled_from(_VOICES))
    return content if voice is None else {**content, "said_by": voice}


# --- notes on the record ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Book:
    """What a history has come to, as far as is needed to note something about it."""

    contents: list[Json] = field(default_factory=list)
    saying: dict[int, Json] = field(default_factory=dict)  # statements, as corrected so far
    retracted: set[int] = field(default_factory=set)
    twins: set[int] = field(default_factory=set)
    disputes: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def write(self, content: Json) -> None:
        self.contents.append(content)

    def pick(self, draw: Draw, among: Sequence[int]) -> int:
        return draw(st.sampled_from(sorted(among)))


def _replacing(old: Json, new: Json) -> Json:
    """The merge patch that puts new members in place of all old ones."""
    return dict.fromkeys(set(old) - set(new)) | new


def _correct(draw: Draw, book: _Book) -> Json | None:
    standing = sorted(set(book.saying) - book.retracted)
    if not standing:
        return None
    target = book.pick(draw, standing)
    old = book.saying[target]
    body, slugs = _BODIES[old["kind"]]
    what = draw(st.sampled_from(["date", "body", "subject", "actors", "voice", "date and subject"]))
    changes: Json = {}
    if "date" in what:
        changes["occurred"] = {"edtf": draw(dates())}
    if "subject" in what:
        changes["subject"] = draw(st.sampled_from((*slugs, "moved")))
    if what == "body":
        changes["body"] = _replacing(old["body"], body(draw))
    if what == "actors":
        changes["actors"] = draw(st.lists(st.sampled_from(ACTORS), min_size=1, max_size=3, unique=True))
    if what == "voice":
        voice = draw(st.sampled_from(_VOICES))
        changes["said_by"] = voice and _replacing(old.get("said_by", {}), voice)
    said = patch(old, changes)
    if said == old:
        return None
    book.saying[target] = said
    content = {"kind": "record.corrected", "target": f"#{target}", "changes": changes, "reason": "entry_error"}
    return {**content, "sources": [draw(st.sampled_from(SOURCES))]} if draw(st.integers(0, 3)) == 0 else content


def _retract(draw: Draw, book: _Book) -> Json | None:
    standing = sorted(set(book.saying) - book.retracted)
    if not standing:
        return None
    target = book.pick(draw, standing)
    book.retracted.add(target)
    return {"kind": "record.retracted", "target": f"#{target}", "reason": draw(st.sampled_from(REASONS))}


def _reinstate(draw: Draw, book: _Book) -> Json | None:
    gone = book.retracted | book.twins
    if not gone:
        return None
    target = book.pick(draw, sorted(gone))
    (book.retracted if target in book.retracted else book.twins).remove(target)
    return {"kind": "record.reinstated", "target": f"#{target}", "reason": "other"}


def _source(draw: Draw, book: _Book) -> Json | None:
    if not book.saying:
        return None
    sources = draw(st.lists(st.sampled_from(SOURCES), min_size=1, max_size=2))
    return {"kind": "record.sourced", "target": f"#{book.pick(draw, sorted(book.saying))}", "sources": sources}


def _pair(draw: Draw, book: _Book) -> Json | None:
    """Two statements of one kind, told to be one; where there are none, the first is said again."""
    first = book.pick(draw, sorted(book.saying)) if book.saying else None
    if first is None:
        return None
    same = [one for one, said in book.saying.items() if said["kind"] == book.saying[first]["kind"] and one != first]
    if not same:
        book.saying[len(book.contents)] = book.saying[first]
        return book.saying[first]
    target, original = book.pick(draw, same), first
    book.twins.add(target)
    return {"kind": "record.duplicate", "target": f"#{target}", "original": f"#{original}"}


def _dispute(draw: Draw, book: _Book) -> Json | None:
    if len(book.saying) < 2:
        return None
    target = book.pick(draw, sorted(book.saying))
    near = sorted(
        (one for one in book.saying if one != target),
        key=lambda one: (book.saying[one]["subject"] != book.saying[target]["subject"], one),
    )
    rivals = draw(st.lists(st.sampled_from(near[:3]), min_size=1, max_size=2, unique=True))
    ranked = [{"event_id": f"#{one}", "rank": draw(st.sampled_from(RANKS))} for one in rivals]
    book.disputes[len(book.contents)] = (target, *rivals)
    rank = draw(st.sampled_from(RANKS))
    return {"kind": "record.disputed", "target": f"#{target}", "rank": rank, "rivals": ranked}


def _settle(draw: Draw, book: _Book) -> Json | None:
    if not book.disputes:
        return None
    dispute = book.pick(draw, sorted(book.disputes))
    parties = book.disputes.pop(dispute)
    ranks = [{"event_id": f"#{one}", "rank": draw(st.sampled_from(RANKS))} for one in parties]
    return {"kind": "record.dispute_settled", "target": f"#{dispute}", "ranks": ranks}


_NOTES = (
    _correct, _correct, _correct, _correct, _retract, _retract, _reinstate, _reinstate, _pair, _pair, _dispute,
    _dispute, _settle, _settle, _source,
)  # fmt: skip


@st.composite
def histories(draw: Draw, most: int = MOST_EVENTS, *, cuts: bool = True) -> History:
    """A history of at most so many events, and how it is recorded."""
    book = _Book()
    for _ in range(draw(st.integers(1, most))):
        note = draw(st.sampled_from(_NOTES))(draw, book) if draw(st.integers(0, 9)) < 4 else None
        if note is None:
            note = draw(statements(len(book.contents)))
            book.saying[len(book.contents)] = note
        book.write(note)
    drawn = [draw(st.sampled_from((2, 2, 2, 1, 1, 0))) if cuts else 2 for _ in book.contents]
    return History(tuple(book.contents), tuple(drawn))
