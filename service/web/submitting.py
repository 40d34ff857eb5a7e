"""What a door submits to the write path, and what came of it, as it is answered."""

import orjson

from service.access import Caller
from service.domain.answers import Json, Moment, shape
from service.domain.dates import render_instant
from service.log.append import Appended
from service.log.codec import prepare
from service.submission import Recorded, Retry, Submission
from service.trial import Trial
from service.web.serving import Services
from service.web.writing import Write


def submission_of(served: Services, caller: Caller, write: Write, retry: Retry | None) -> Submission:
    """A write as it is submitted in a caller's name; its answer has the events and the states that they produced."""
    stale_after = served.settings.stale_after_days
    return Submission(
        entries=tuple(prepare(event, event_id=served.new_id(), salt=served.new_salt()) for event in write.events),
        recorded_by=caller.owner,
        render=lambda recorded: orjson.dumps(content_of(recorded, stale_after, many=write.many)),
        retry=retry,
        revision=write.revision,
        listed=write.many,
    )


def content_of(recorded: Recorded, stale_after_days: int, *, many: bool) -> Json:
    """The events that a request recorded, and the states that they produced."""
    moment = Moment(recorded.at, stale_after_days, recorded.in_force)
    states = [
        shape(row.key, row.state, row.references, row.rivals, moment)
        for row in recorded.states
        if row.state is not None
    ]
    events = [_event(one) for one in recorded.events]
    return {"events": events, "states": states} if many else {"event": events[0], "states": states}


def tried(trial: Trial, stale_after_days: int, *, many: bool) -> Json:
    """What would be answered, without the names and numbers that only recording gives."""
    content = content_of(trial.recorded, stale_after_days, many=many)
    for event in content["events"] if many else [content["event"]]:
        for given in ("event_id", "position", "recorded_at", "recorded_by"):
            del event[given]
    for state in content["states"]:
        for reference in state["statements"]:
            if reference["position"] > trial.size:
                reference |= {"event_id": None, "position": None}
    similar = [[one.render() for one in found] for found in trial.similar]
    return {**content, "similar": similar if many else similar[0]}


def _event(one: Appended) -> Json:
    return {
        "event_id": one.entry.event_id,
        "position": one.position,
        "recorded_at": render_instant(one.recorded_at),
        "recorded_by": one.recorded_by,
        "schema_version": one.entry.event.version,
        **one.entry.content,
    }
