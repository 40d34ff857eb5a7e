"""A registry in memory: statements are decided on, folded and shown by the rules of the domain, with no database."""

from typing import Any

import orjson

from service.domain.answers import Moment, in_force, may_be, shape
from service.domain.dates import parse_as_of
from service.domain.decide import Known, decide
from service.domain.kinds import FAMILIES, parse_event
from service.domain.status import status
from service.domain.subject import SubjectKey
from service.domain.timeline import Segment, fold, state_at
from tests.registry import Json, statement

STALE_AFTER_DAYS = 180
LATER = "2026-01-01"


def key_of(subject: str) -> SubjectKey:
    """``family/slug`` or ``family/slug/actor``, within the coalition of the willing."""
    family, slug, *actor = subject.split("/")
    return SubjectKey("willing", family, slug, actor[0] if actor else "")


class Book:
    """A log in memory; what is written in it is seen at once."""

    def __init__(self) -> None:
        self.size = 0
        self._known = Known(coalitions={"willing"})

    def say(self, kind: str = "pledge.stated", on: str = "2025-07-10", **changes: Any) -> str:
        """Records a statement; answers its id."""
        return self.record(statement(kind, occurred={"edtf": on, "basis": "stated"}, **changes))

    def pledge(self, on: str = "2025-07-10", said_by: Json | None = None, actor: str = "GB", **terms: Any) -> str:
        """Records what one country will contribute."""
        speaker: Json = {"said_by": said_by} if said_by else {}
        body = {"category": "ground_troops", "firmness": "announced"} | terms
        return self.say(on=on, actors=[actor], body=body, **speaker)

    def note(self, kind: str, target: str, **content: Any) -> str:
        """Records a note on the record of an earlier event; answers its id."""
        return self.record({"kind": f"record.{kind}", "coalition": "willing", "target": target, **content})

    def record(self, content: Json) -> str:
        """Records any event; answers its id."""
        event_id = f"01980000-0000-7000-8000-{self.size + 1:012x}"
        decide(parse_event(content), event_id=event_id, position=self.size + 1, known=self._known)
        self.size += 1
        return event_id

    def segments(self, subject: str) -> list[Segment]:
        """What the fold makes of all statements about a subject."""
        key = key_of(subject)
        items = [one.item for one in self._known.by_position.values() if key in one.keys]
        told = sorted((item for item in items if item is not None), key=lambda item: item.order)
        return fold(FAMILIES[key.family], told)

    def at(self, subject: str, as_of: str = LATER) -> Any:
        """The state of a subject as of a date, or None."""
        segment = state_at(self.segments(subject), parse_as_of(as_of))
        if segment is None or segment.state is None:
            return None
        return FAMILIES[key_of(subject).family].state.model_validate_json(segment.state)

    def label(self, subject: str = "pledge/ground-troops/GB", as_of: str = LATER) -> str | None:
        """The change that the last statement about a subject made."""
        found: str | None = self.at(subject, as_of).label
        return found

    def rows(self, as_of: str = LATER) -> list[tuple[SubjectKey, Json, list[Json], list[Json]]]:
        """Every subject that has a state: key, state, the statements behind it, rivals."""
        at = parse_as_of(as_of)
        keys = sorted({key for one in self._known.by_position.values() for key in one.keys})
        found = []
        for key in keys:
            segments = self.segments("/".join(key[1:]))
            segment = state_at(segments, at)
            if segment is not None and segment.state is not None:
                behind = [cause for one in segments if one.valid_from <= at for cause in orjson.loads(one.causes)]
                found.append((key, orjson.loads(segment.state), behind, orjson.loads(segment.rivals)))
        return found

    def moment(self, as_of: str) -> Moment:
        """The moment asked about."""
        return Moment(
            parse_as_of(as_of), STALE_AFTER_DAYS, in_force((key, state) for key, state, _, _ in self.rows(as_of))
        )

    def view(self, subject: str = "pledge/ground-troops/GB", as_of: str = LATER) -> Json:
        """A subject as clients see it."""
        moment = self.moment(as_of)
        return next(shape(*row, moment) for row in self.rows(as_of) if row[0] == key_of(subject))

    def status(self, as_of: str = LATER) -> Json:
        """Where the coalition stands."""
        return status(self.rows(as_of), self.moment(as_of), "willing")

    def category(self, name: str = "ground_troops", as_of: str = LATER) -> Json:
        """The commitments of one category in the status."""
        found: Json = next(one for one in self.status(as_of)["commitments"]["by_category"] if one["category"] == name)
        return found

    def possible(self, subject: str = "pledge/ground-troops/GB", as_of: str = LATER) -> list[Json]:
        """What may hold too."""
        segment = state_at(self.segments(subject), parse_as_of(as_of))
        found = [] if segment is None else orjson.loads(segment.possible)
        return [may_be(key_of(subject), one, self.moment(as_of)) for one in found]
