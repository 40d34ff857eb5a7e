"""Where a coalition stands: the states of all its subjects at one point, drawn together. Pure, at query time.

Totals add what is known, the lower and the upper ends apart, and say how many are unknown. They never mix units,
currencies or rungs, nor take in what others attribute to a country, what nobody in particular has promised, or what is
only considered (domain model §5; the counting rules follow UN OCHA FTS).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from service.domain.actors import is_country, is_group, is_person
from service.domain.answers import Json, Moment, actor, commitment_status, conditions_at, shape
from service.domain.pledge import LADDER, NOT_COUNTED, Firmness
from service.domain.quantities import render_number
from service.domain.subject import SubjectKey

Subject = tuple[SubjectKey, Json, list[Json], list[Json]]  # key, state, references, rivals
_GONE = frozenset({"withdrawn", "lapsed"})
_RUNGS = tuple(rung.value for rung in LADDER)
_COUNTED = tuple(rung.value for rung in LADDER if rung not in NOT_COUNTED)


def status(subjects: Sequence[Subject], moment: Moment, coalition: str) -> Json:
    """The coalition's status (the contract's shape, without basis)."""
    families: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        families[subject[0].family].append(subject)
    organisation = _organisation(families["coalition"], moment)
    conditions = organisation.pop("conditions")
    figures = organisation.pop("figures")
    return {
        "coalition": {
            "slug": coalition,
            "name": organisation.pop("name") or coalition,
            "aliases": organisation.pop("aliases"),
        },
        **organisation,
        "members": _members(families["membership"]),
        "stances": _stances(families["position"]),
        "commitments": _commitments(families["pledge"], moment),
        "claimed_figures": figures,
        "conditions_outstanding": [one for one in conditions if one["status"] == "outstanding"],
        "conditions_met": [one for one in conditions if one["status"] == "met"],
        "ceasefire": _ceasefire(families["ceasefire"], moment, coalition),
        "meetings": _meetings(families["meeting"], moment),
        "warnings": _warnings(families["warning"], moment),
    }


_FACTS = ("phase", "force", "command", "mandate", "readiness", "name", "description")
_LISTS = ("aliases", "leads", "headquarters")


def _organisation(subjects: Sequence[Subject], moment: Moment) -> Json:
    """The facts of all coalition-level subjects; where several state one, the last to be stated stands."""
    facts: Json = dict.fromkeys(_FACTS) | {name: [] for name in _LISTS}
    facts |= {"figures": [], "conditions": []}
    for key, state, _, _ in sorted(subjects, key=lambda one: (one[1]["last_stated"] or "", one[0])):
        force = _joined(facts["force"], state["force"])
        facts |= {name: state[name] for name in (*_FACTS, *_LISTS) if state[name]} | {"force": force}
        facts["figures"] += state["figures"]
        facts["conditions"] += conditions_at(key, state, moment)
    facts["leads"] = sorted(facts["leads"])
    return facts


def _joined(before: Json | None, after: Json | None) -> Json | None:
    """A force under the name last stated, with all the aliases that it was ever given under that name."""
    if before is None or after is None or before["name"] != after["name"]:
        return after or before
    return {**after, "aliases": list(dict.fromkeys([*before["aliases"], *after["aliases"]]))}


def _members(subjects: Sequence[Subject]) -> Json:
    named = [
        {**actor(key.actor), "role": state["role"]}
        for key, state, _, _ in subjects
        if state["official"] and state["role"] not in (None, "none") and not is_group(key.actor)
    ]
    claims = [claim for _, state, _, _ in subjects for claim in state["claims"]]
    return {
        "named": sorted(named, key=lambda member: str(member["code"])),
        "claimed": [
            {name: claim[name] for name in ("count", "said_by", "occurred", "event_id")}
            for claim in sorted(claims, key=lambda claim: (claim["occurred"], claim["event_id"]))
        ],
    }


def _stances(subjects: Sequence[Subject]) -> Json:
    """Per topic, who stands where; what others attribute to a country is kept apart."""
    topics: dict[str, dict[str, list[str]]] = {}
    for key, state, _, _ in subjects:
        if state["stance"] is None or not is_country(key.actor):
            continue
        rows = topics.setdefault(state["topic"], {"supportive": [], "undecided": [], "opposed": [], "attributed": []})
        rows["attributed" if state["attributed_only"] else state["stance"]].append(key.actor)
    return {topic: {name: sorted(set(codes)) for name, codes in topics[topic].items()} for topic in sorted(topics)}


class _Standing(NamedTuple):
    """What a total needs to know of one commitment."""

    code: str
    state: Json
    status: str


def _commitments(subjects: Sequence[Subject], moment: Moment) -> Json:
    categories: dict[str, list[_Standing]] = defaultdict(list)
    anonymous: list[Json] = []
    people: list[Json] = []
    for key, state, references, rivals in subjects:
        if is_country(key.actor) or key.actor.startswith("org:"):
            one = _Standing(key.actor, state, commitment_status(key, state, moment))
            categories[state["category"]].append(one)
        else:
            view = shape(key, state, references, rivals, moment)
            (people if is_person(key.actor) else anonymous).append(view)
    return {
        "by_category": [_category(name, categories[name]) for name in sorted(categories)],
        "anonymous": anonymous,
        "people": people,
    }


def _category(name: str, all_of_it: Sequence[_Standing]) -> Json:
    own = [one for one in all_of_it if not one.state["attributed_only"]]
    countries = [one for one in own if is_country(one.code)]
    rungs: dict[str, list[_Standing]] = defaultdict(list)
    for one in countries:
        if one.status not in _GONE and one.state["firmness"] is not None:
            rungs[one.state["firmness"]].append(one)
    return {
        "category": name,
        "countries": _codes(one for rung in _COUNTED for one in rungs.get(rung, ())),
        "by_firmness": {rung: _codes(rungs[rung]) for rung in _RUNGS if rung in rungs},
        "totals": [
            total for rung in _COUNTED if rung in rungs for total in _totals(rung, [one.state for one in rungs[rung]])
        ],
        "attributed": _codes(one for one in all_of_it if one.state["attributed_only"]),
        "organisations": _codes(one for one in own if not is_country(one.code)),
    }


def _codes(found: Iterable[_Standing]) -> list[str]:
    return sorted({one.code for one in found})


def _totals(rung: str, states: Sequence[Json]) -> list[Json]:
    """One row for each unit and currency that anyone named, or one that says how many named no number."""
    if not states:
        return []
    units: dict[tuple[str, str], list[tuple[Any, Any]]] = defaultdict(list)
    for state in states:
        quantities, sums = _measures(rung, state)
        for quantity in quantities:
            if quantity["unit"] and (quantity["min"], quantity["max"]) != (None, None):
                units["unit", quantity["unit"]].append((quantity["min"], quantity["max"]))
        for money in sums:
            units["currency", money["currency"]].append((money["min_amount"], money["max_amount"]))
    if not units:
        units["unit", ""] = []
    return [_total(rung, what, measure or None, ends, len(states)) for (what, measure), ends in sorted(units.items())]


def _measures(rung: str, state: Json) -> tuple[list[Json], list[Json]]:
    """What a commitment adds to a total: what it pledges or, once it is delivered, what is known to have arrived."""
    arrived = state["delivered"] if rung == Firmness.DELIVERED else None
    if arrived and (arrived["quantities"] or arrived["money"]):
        return arrived["quantities"], arrived["money"]
    return [one for one in (state["quantity"],) if one], [one for one in (state["money"],) if one]


def _total(rung: str, what: str, measure: str | None, ends: Sequence[tuple[Any, Any]], count: int) -> Json:
    low = [Decimal(end) for end, _ in ends if end is not None]
    high = [Decimal(end) for _, end in ends if end is not None]
    return {
        "firmness": rung,
        what: measure,
        "known_min": _sum(low, what),
        "known_max": _sum(high, what),
        "unknown_count": count - len(ends),
        "open_min_count": len(ends) - len(low),
        "open_max_count": len(ends) - len(high),
    }


def _sum(ends: Sequence[Decimal], what: str) -> int | str | None:
    if not ends:
        return None
    total = sum(ends, Decimal(0))
    return f"{total:f}" if what == "currency" else render_number(total)


def _ceasefire(subjects: Sequence[Subject], moment: Moment, coalition: str) -> Json:
    return {
        "in_force": coalition in moment.in_force,
        "proposals": [
            {
                "subject": key.slug,
                "title": state["title"],
                "proposers": sorted(state["proposers"]),
                "state": state["state"],
                "answers": {party: answer["answer"] for party, answer in state["answers"].items()},
            }
            for key, state, _, _ in subjects
        ],
    }


def _meetings(subjects: Sequence[Subject], moment: Moment) -> Json:
    views = [shape(*subject, moment) for subject in subjects]
    dated = sorted((view for view in views if view["date"]), key=lambda view: (view["date"]["latest"], view["id"]))
    held = [view for view in dated if view["status"] == "held"]
    return {
        "last_held": held[-1] if held else None,
        "next_announced": next((view for view in dated if view["status"] == "announced"), None),
        "unconfirmed": [view for view in dated if view["status"] == "unconfirmed"],
        "undated": [view for view in views if not view["date"]],
    }


def _warnings(subjects: Sequence[Subject], moment: Moment) -> Json:
    views = [shape(*subject, moment) for subject in subjects if subject[1]["status"] == "active"]
    return {
        "active": [view for view in views if view["official"]],
        "unofficial": [view for view in views if not view["official"]],
    }
