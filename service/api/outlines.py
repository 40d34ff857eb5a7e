"""What each answer can hold, and which of it are tables: what `fields` may name, and the columns that there always are.

The members are those of the models that the document has (`answered`); what these leave open, the kinds of statements
and the order in which an answer says things fill in.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import get_args

from pydantic import BaseModel

from service.api.answered import (
    ActorFound,
    ActorPage,
    CategoryOfCommitments,
    Changes,
    Coalition,
    CoalitionAnswer,
    CoalitionPage,
    CommitmentPage,
    CountryAnswer,
    Difference,
    History,
    Member,
    Possible,
    Proposal,
    Rectangle,
    Status,
    SubjectAnswer,
    TimelineItem,
    TimelinePage,
)
from service.api.recorded import CloudEvent, CloudEventData, Content, Event, EventAnswer, EventPage
from service.api.shapes import Claim, Figure, State
from service.domain.answers import Json, Moment, shape
from service.domain.kinds import FAMILIES, KINDS, STATEMENTS
from service.domain.pledge import LADDER
from service.domain.subject import SubjectKey
from service.web.fields import Each, Kind, Members, Outline, Row, Table, members_of, merged

# --- states -----------------------------------------------------------------------------------------------------------

_SHOWN: Mapping[str, type[BaseModel]] = {shown.family: shown for shown in get_args(State)}
_NO_MOMENT = Moment(datetime(1, 1, 1, tzinfo=UTC), 1)


def _of_family(name: str) -> Members:
    """The members of a family's states, in the order in which an answer has them."""
    nothing = FAMILIES[name].state().model_dump(mode="json")
    members = members_of(_SHOWN[name])
    return {member: members[member] for member in shape(SubjectKey("", name, "", "GB"), nothing, [], [], _NO_MOMENT)}


OF_FAMILY = {name: _of_family(name) for name in FAMILIES}
_ANY_STATE = merged(*OF_FAMILY.values())


def _possible(state: Members) -> Members:
    return {**members_of(Possible), "state": state}


# --- events -----------------------------------------------------------------------------------------------------------

_WORDS: Members = merged(*(members_of(kind) for kind in KINDS.values()))  # of all kinds, those of their bodies too
_NEVER_STATED = _WORDS.keys() - merged(*(members_of(kind) for kind in STATEMENTS)).keys()
_FIRST = ("event_id", "position", "recorded_at", "recorded_by", "schema_version", "corrected", "disputed")


def _written(model: type[BaseModel]) -> Members:
    """The members of what says what was recorded: first which event it is, last its body."""
    members = members_of(model)
    first = {name: members[name] for name in _FIRST if name in members}
    return {**first, **{name: one for name, one in members.items() if name not in first}, "body": _WORDS["body"]}


_RECORDED = _written(Event)
_TOLD: Members = {name: one for name, one in _written(TimelineItem).items() if name not in _NEVER_STATED}
_CLOUD_EVENT: Members = {**members_of(CloudEvent), "data": _written(CloudEventData)}


# --- lists ------------------------------------------------------------------------------------------------------------


def listing(page: Members, item: Members | None = None, *, possible: Members | None = None) -> Outline:
    """The outline of a page of items.

    ``item`` is given where the page says less, ``possible`` where the page has that too. What `fields` names is
    of the items; and of what is possible, where that is of the same shape or would make a state that is.
    """
    if item is None:
        items = page["items"]
        assert isinstance(items, Each), "a page has items"
        item = items.of
    tables, each = {"items": Table(("items",), item)}, ["items"]
    if possible is not None:
        tables["possible"] = Table(("possible",), possible)
        page = {**page, "possible": Each(possible)}
        each += ["possible"] if possible is item else ["possible.state"] if possible.get("state") is item else []
    return Outline({**page, "items": Each(item)}, tables, tuple(each))


STATES = {
    name: listing(members_of(CommitmentPage) | members_of(SubjectAnswer), state, possible=_possible(state))
    for name, state in OF_FAMILY.items()
}
"""Lists of subjects, and one with all its actors, by their family."""

TIMELINE = listing(members_of(TimelinePage), _TOLD, possible=_TOLD)
CHANGES = listing(members_of(Changes), {**members_of(Difference), "before": _ANY_STATE, "after": _ANY_STATE})
EVENTS = listing(members_of(EventPage), _CLOUD_EVENT)
ACTORS = listing(
    members_of(ActorPage), {name: members_of(ActorFound)[name] for name in ("code", "name", "kind", "aliases")}
)
COALITIONS = listing(members_of(CoalitionPage), possible=_possible(OF_FAMILY["coalition"]))


# --- documents --------------------------------------------------------------------------------------------------------

COALITION = Outline(members_of(CoalitionAnswer), {"coalition": Table(("",), members_of(Coalition))})


def _roles(found: Json | None) -> list[Row]:
    return [{"coalition": coalition, "role": role} for coalition, role in (found or {}).items()]


_OTHER_STATES = _possible(_ANY_STATE)
_COUNTRY: Members = members_of(CountryAnswer) | {
    "stances": Each(OF_FAMILY["position"]),
    "commitments": Each(OF_FAMILY["pledge"]),
    "possible": Each(_OTHER_STATES),
}
COUNTRY = Outline(
    _COUNTRY,
    {
        "commitments": Table(("commitments",), OF_FAMILY["pledge"]),
        "stances": Table(("stances",), OF_FAMILY["position"]),
        "possible": Table(("possible",), _OTHER_STATES),
        "roles": Table(("roles",), {"coalition": Kind.TEXT, "role": Kind.TEXT}, _roles),
        "country": Table(("",), {"country": _COUNTRY["country"]}),
    },
)


def _history(state: Members) -> Outline:
    states: Members = {**members_of(Rectangle), "state": state}
    return Outline(
        {**members_of(History), "events": Each(_RECORDED), "states": Each(states)},
        {"states": Table(("states",), states), "events": Table(("events",), _RECORDED)},
    )


HISTORIES = {name: _history(state) for name, state in OF_FAMILY.items()}
"""Histories of a subject, by its family."""

_EFFECTIVE = _written(Content)
_EVENT: Members = members_of(EventAnswer) | {
    "event": _RECORDED,
    "record": Each(_RECORDED),
    "effective": _EFFECTIVE,
}
EVENT = Outline(
    _EVENT,
    {
        "event": Table(("event",), _RECORDED),
        "record": Table(("record",), _RECORDED),
        "effective": Table(("effective",), _EFFECTIVE),
        "standing": Table(("",), {name: one for name, one in _EVENT.items() if isinstance(one, Kind)}),
    },
)


# --- status -----------------------------------------------------------------------------------------------------------


def _stances(found: Json | None) -> list[Row]:
    return [
        {"topic": topic, "stance": stance, "countries": countries}
        for topic, stances in (found or {}).items()
        for stance, countries in stances.items()
    ]


_PLEDGE, _MEETING, _WARNING = (OF_FAMILY[name] for name in ("pledge", "meeting", "warning"))
_CATEGORY: Members = {**members_of(CategoryOfCommitments), "by_firmness": dict.fromkeys(map(str, LADDER), Kind.TEXT)}
_NAMED: Members = {name: members_of(Member)[name] for name in ("code", "name", "role")}
_CLAIMED, _FIGURE, _PROPOSAL = members_of(Claim), members_of(Figure), members_of(Proposal)
_STATUS: Members = members_of(Status) | {
    "members": {"named": Each(_NAMED), "claimed": Each(_CLAIMED)},
    "commitments": {"by_category": Each(_CATEGORY), "anonymous": Each(_PLEDGE), "people": Each(_PLEDGE)},
    "meetings": {
        "last_held": _MEETING,
        "next_announced": _MEETING,
        "unconfirmed": Each(_MEETING),
        "undated": Each(_MEETING),
    },
    "warnings": {"active": Each(_WARNING), "unofficial": Each(_WARNING)},
    "possible": Each(_OTHER_STATES),
}
_FACTS = (
    "coalition", "phase", "force", "command", "mandate", "readiness", "description", "leads", "headquarters",
    "conditions_outstanding", "conditions_met",
)  # fmt: skip
STATUS = Outline(
    _STATUS,
    {
        "commitments": Table(("commitments.by_category",), _CATEGORY),
        "anonymous": Table(("commitments.anonymous",), _PLEDGE),
        "people": Table(("commitments.people",), _PLEDGE),
        "members": Table(("members.named",), _NAMED),
        "claimed_members": Table(("members.claimed",), _CLAIMED),
        "claimed_figures": Table(("claimed_figures",), _FIGURE),
        "stances": Table(("stances",), dict.fromkeys(("topic", "stance", "countries"), Kind.TEXT), _stances),
        "ceasefires": Table(("ceasefire.proposals",), _PROPOSAL),
        "meetings": Table(
            ("meetings.last_held", "meetings.next_announced", "meetings.unconfirmed", "meetings.undated"), _MEETING
        ),
        "warnings": Table(("warnings.active", "warnings.unofficial"), _WARNING),
        "possible": Table(("possible",), _OTHER_STATES),
        "coalition": Table(
            ("",), {**{name: _STATUS[name] for name in _FACTS}, "ceasefire": {"in_force": Kind.BOOLEAN}}
        ),
    },
)
