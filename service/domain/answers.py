"""States → the shapes that clients rely on. Pure: a state as stored, the moment asked about, and nothing else.

The fold stores what follows from a subject's own statements. What crosses subjects or depends on the day of the
question (a condition that a ceasefire meets, age, staleness) is added here, when it is asked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from service.domain.actors import name_of
from service.domain.ceasefire import IN_FORCE
from service.domain.conditions import UNMET
from service.domain.dates import parse_edtf
from service.domain.kinds import FAMILIES
from service.domain.subject import SubjectKey
from service.domain.timeline import RULES_VERSION

Json = dict[str, Any]
_LIVE = frozenset({"standing", "conditional", "partly_delivered", "overdue"})


@dataclass(frozen=True, slots=True)
class Moment:
    """When a question asks about, and what holds across subjects then."""

    as_of: datetime
    stale_after_days: int
    in_force: frozenset[str] = frozenset()  # coalitions with a ceasefire in force

    @property
    def rules(self) -> str:
        """The version of the rules that made an answer, with the settings that it depends on."""
        return f"{RULES_VERSION}/stale-{self.stale_after_days}"


def in_force_keys(states: Iterable[tuple[SubjectKey, Json | None]]) -> frozenset[SubjectKey]:
    """The ceasefires that are in force, among states of any family."""
    return frozenset(key for key, state in states if key.family == "ceasefire" and state and state["state"] in IN_FORCE)


def in_force(states: Iterable[tuple[SubjectKey, Json | None]]) -> frozenset[str]:
    """The coalitions that have a ceasefire in force."""
    return frozenset(key.coalition for key in in_force_keys(states))


def actor(code: str) -> Json:
    """An actor, by code and name."""
    return {"code": code, "name": name_of(code)}


def statements(references: Iterable[Json]) -> list[Json]:
    """The statements behind a state, each with the change that it made."""
    return [{name: one[name] for name in ("event_id", "position", "occurred", "label")} for one in references]


def independent_sources(references: Iterable[Json]) -> int:
    """How many originals stand behind a state: copies of one corroborate nothing."""
    return len({origin for one in references for origin in one["origins"]})


def commitment(key: SubjectKey, state: Json, references: list[Json], rivals: list[Json], moment: Moment) -> Json:
    """What one actor has promised, in the terms that stand."""
    conditions = conditions_at(key, state, moment)
    conditional = any(condition["status"] in UNMET for condition in conditions)
    status = commitment_status(key, state, moment)
    age = _age(state["last_stated"], moment)
    return {
        "id": str(key),
        "coalition": key.coalition,
        "subject": key.slug,
        "actor": actor(key.actor),
        "category": state["category"],
        "firmness": state["firmness"],
        "status": status,
        "conditional": conditional,
        "conditions": conditions,
        "quantity": state["quantity"],
        "money": state["money"],
        "delivered": state["delivered"],
        "attributed_only": state["attributed_only"],
        "disputed": bool(rivals),
        "stale": status in _LIVE and age is not None and age > moment.stale_after_days,
        "first_stated": state["first_stated"],
        "last_stated": state["last_stated"],
        "age_days": age,
        "change": state["change"],
        "places": state["places"],
        "starts": state["starts"],
        "ends": state["ends"],
        "deadline": state["deadline"],
        "beneficiary": state["beneficiary"],
        "description": state["description"],
        "statements": statements(references),
        "statement_count": state["statement_count"],
        "independent_sources": independent_sources(references),
        "rivals": rivals,
    }


def conditions_at(key: SubjectKey, state: Json, moment: Moment) -> list[Json]:
    """`ceasefire_in_force` follows from the ceasefires of the coalition; the rest is as stated."""
    if key.coalition not in moment.in_force:
        return list(state["conditions"])
    return [
        {**condition, "status": "met"}
        if condition["kind"] == "ceasefire_in_force" and condition["status"] == "outstanding"
        else condition
        for condition in state["conditions"]
    ]


def commitment_status(key: SubjectKey, state: Json, moment: Moment) -> str:
    """What has become of a commitment, once the conditions that others bring about are weighed."""
    status: str = state["status"]
    if status != "conditional" or key.coalition not in moment.in_force:
        return status
    if any(condition["status"] in UNMET for condition in conditions_at(key, state, moment)):
        return status
    starts = state["starts"]
    return "overdue" if starts and parse_edtf(starts).latest < moment.as_of else "standing"


def _age(last_stated: str | None, moment: Moment) -> int | None:
    return None if last_stated is None else (moment.as_of.date() - date.fromisoformat(last_stated)).days


def organisation(key: SubjectKey, state: Json, references: list[Json], rivals: list[Json], moment: Moment) -> Json:
    """Facts of a coalition's organisation."""
    return {
        **_about(key),
        **{name: state[name] for name in FAMILIES["coalition"].shows},
        "conditions": conditions_at(key, state, moment),
        **_common(state, references, rivals),
    }


def _about(key: SubjectKey) -> Json:
    return {"id": str(key), "coalition": key.coalition, "subject": key.slug}


def _common(state: Json, references: list[Json], rivals: list[Json]) -> Json:
    return {
        "disputed": bool(rivals),
        "change": state["change"],
        "first_stated": state["first_stated"],
        "last_stated": state["last_stated"],
        "statements": statements(references),
        "statement_count": state["statement_count"],
        "independent_sources": independent_sources(references),
        "rivals": rivals,
    }


_CROSSING = {"pledge": commitment, "coalition": organisation}
"""The families whose shape has more than follows from their own statements."""


def _shape(key: SubjectKey, state: Json, references: list[Json], rivals: list[Json], moment: Moment) -> Json:
    if key.family in _CROSSING:
        return _CROSSING[key.family](key, state, references, rivals, moment)
    family = FAMILIES[key.family]
    whose = {family.whose: actor(key.actor) if key.actor else None} if family.whose else {}
    shown = {name: state[name] for name in family.shows}
    return {**_about(key), **whose, **shown, **_common(state, references, rivals)}


def shape(key: SubjectKey, state: Json, references: list[Json], rivals: list[Json], moment: Moment) -> Json:
    """A subject's state in the shape of its family."""
    return _shape(key, state, references, [rival(key, one, moment) for one in rivals], moment)


def rival(key: SubjectKey, one: Mapping[str, Any], moment: Moment) -> Json:
    """One side of a dispute: the statement, and the state that it would make."""
    return {
        **{name: one[name] for name in ("event_id", "position", "occurred", "counts")},
        "state": _shape(key, one["state"], [], [], moment),
    }


def may_be(key: SubjectKey, one: Mapping[str, Any], moment: Moment) -> Json:
    """What may also hold: a statement that may have happened by now, and the state that it would make.

    ``more`` counts those about the same subject that are not shown after it.
    """
    return {
        "subject": str(key),
        **{name: one[name] for name in ("event_id", "position", "occurred")},
        "more": one.get("more", 0),
        "state": _shape(key, one["state"], [], [], moment),
    }
