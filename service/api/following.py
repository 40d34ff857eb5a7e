"""Feeds: what each event changed, for whoever follows a coalition, a country or a subject in a feed reader.

An entry is an event and what it did. A correction or a retraction is an entry too: nothing that was read vanishes
silently. What time alone brings about is no event, and in no feed.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.api.answering import FIRST_PAGE, LONGEST_PAGE, NO_SUBJECT, check_coalition, known_actor
from service.domain.actors import find_actors, name_of
from service.domain.coalition import REGISTRATION
from service.domain.dates import END, TICK, render_instant
from service.domain.errors import Unknown
from service.domain.record import is_event_id
from service.domain.statement import Slug
from service.domain.subject import SubjectKey
from service.domain.telling import Effect, because, tell
from service.log.read import NO_EVENT, EventRow
from service.segments.effects import Concerned, Part, find_effects, find_subjects, list_concerning
from service.segments.query import Basis, Point, basis_at
from service.web.asking import Asked, find_point, read_query
from service.web.atom import Entry, Feed, Link, render_feed
from service.web.formats import ATOM, FORMATS
from service.web.sending import JSON, REVALIDATE, kept_for_ever, send_bytes
from service.web.serving import Services, services

_ATOM = FORMATS[ATOM].media_type


class AskedFeed(BaseModel):
    """Which part of a feed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    known_at: str | None = Field(None, description="as far as known at this instant; default the head of the log")
    known_position: int | None = Field(None, ge=0, le=2**62, description="as far as known at this position")
    after: int | None = Field(None, ge=0, le=2**62, description="the position behind which a part begins")
    limit: int = Field(FIRST_PAGE, ge=1, le=LONGEST_PAGE, description="how many events a part is made of")


class AskedCountryFeed(AskedFeed):
    """Which part of a country's feed."""

    coalition: Slug | None = Field(None, description="one coalition; default all")


class AskedActorFeed(AskedFeed):
    """Which part of the feed of some actors."""

    q: str = Field("", max_length=100, description="a code, a name or a part of one, in any language")


class AskedCommitmentFeed(AskedFeed):
    """Which part of a feed of commitments."""

    country: str | None = Field(None, max_length=100, description="code or name of an actor")


@dataclass(frozen=True, slots=True)
class Followed:
    """What a feed is about: whose events, by which values, and which subjects of those that an event changes."""

    title: str
    concerned: Concerned
    values: Mapping[str, Any]
    keep: Callable[[SubjectKey], bool] = lambda _: True


async def follow_log(request: Request) -> Response:
    """Everything."""
    return await answer_feed(request, Followed("All that is recorded", Concerned.LOG, {}))


async def follow_event(request: Request, event_id: str) -> Response:
    """One event, and the notes on the record that are about it."""
    followed = Followed(f"Event {event_id}", Concerned.EVENT, {"event_id": event_id})
    if not is_event_id(event_id):
        raise Unknown(NO_EVENT)
    return await answer_feed(request, followed, without=NO_EVENT)


async def follow_actors(request: Request) -> Response:
    """Everything about the actors that a look-up finds, in every coalition."""
    asked = read_query(request, AskedActorFeed)
    codes = frozenset(one.code for one in find_actors(asked.q))
    values = {"actors": sorted(codes), "coalition": None}
    followed = Followed("Actors", Concerned.ACTORS, values, lambda key: key.actor in codes)
    return await answer_feed(request, followed, asked)


async def follow_coalitions(request: Request) -> Response:
    """Which coalitions there are."""
    return await answer_feed(
        request, Followed("Coalitions", Concerned.REGISTRATIONS, {}, lambda key: key.slug == REGISTRATION)
    )


async def follow_coalition(request: Request, coalition: str) -> Response:
    """Everything about a coalition."""
    return await answer_feed(request, Followed(f"Coalition {coalition}", Concerned.COALITION, {"coalition": coalition}))


async def follow_family(request: Request, coalition: str, family: str) -> Response:
    """The subjects of one family in a coalition; of pledges those of one country, where one is named."""
    asked = read_query(request, AskedCommitmentFeed if family == "pledge" else AskedFeed)
    country = known_actor(asked.country) if isinstance(asked, AskedCommitmentFeed) else None
    followed = Followed(
        f"Coalition {coalition}: {family}" + (f" of {name_of(country)}" if country else ""),
        Concerned.FAMILY,
        {"coalition": coalition, "family": family, "actor": country},
        lambda key: key.family == family and country in (None, key.actor),
    )
    return await answer_feed(request, followed, asked)


async def follow_country(request: Request, country: str) -> Response:
    """Everything about a country, in every coalition or in one."""
    asked = read_query(request, AskedCountryFeed)
    followed = Followed(
        name_of(country) + (f" in coalition {asked.coalition}" if asked.coalition else ""),
        Concerned.ACTORS,
        {"actors": [country], "coalition": asked.coalition},
        lambda key: key.actor == country and asked.coalition in (None, key.coalition),
    )
    return await answer_feed(request, followed, asked)


async def follow_subject(request: Request, coalition: str, family: str, slug: str) -> Response:
    """One subject, all its actors."""
    followed = Followed(
        f"Coalition {coalition}: {family} {slug}",
        Concerned.SUBJECT,
        {"coalition": coalition, "family": family, "slug": slug},
        lambda key: key[:3] == (coalition, family, slug),
    )
    return await answer_feed(request, followed, without=NO_SUBJECT)


async def answer_feed(
    request: Request, followed: Followed, asked: AskedFeed | None = None, *, without: str = ""
) -> Response:
    """The feed of what is followed, or a part of it.

    Where nothing has happened yet the feed is empty or, with a sentence for being ``without``, `Unknown` is raised.
    """
    served = services(request)
    asked = asked or read_query(request, AskedFeed)
    async with served.pool.connection() as connection:
        known = Asked(as_of=None, known_at=asked.known_at, known_position=asked.known_position)
        point = await find_point(known, connection, served.clock())
        basis = await basis_at(connection, point)
        part = await list_concerning(
            connection, followed.concerned, followed.values,
            known=basis.known_position, after=asked.after, limit=asked.limit,
        )  # fmt: skip
        if part.total == 0:
            if followed.values.get("coalition") is not None:
                await check_coalition(connection, followed.values["coalition"], basis.known_position)
            if without:
                raise Unknown(without)
        events = [event for event, _ in part.events]
        effects = await find_effects(connection, events, stale_after_days=served.settings.stale_after_days)
        idle = [event.position for event in events if not effects.get(event.position)]
        subjects = await find_subjects(connection, idle)
        began = await basis_at(connection, Point(point.as_of, 0))
    feed = _feed(request, served, followed, asked, part, effects, subjects, began)
    return send_bytes(request, render_feed(feed), f"{_ATOM}; charset=utf-8", headers=_kept(served, feed))


def _kept(served: Services, feed: Feed) -> dict[str, str]:
    return {"Cache-Control": kept_for_ever(served) if feed.is_archive else REVALIDATE, "Vary": "Accept"}


def _feed(
    request: Request,
    served: Services,
    followed: Followed,
    asked: AskedFeed,
    part: Part,
    effects: Mapping[int, list[Effect]],
    subjects: Mapping[int, list[str]],
    began: Basis,
) -> Feed:
    entries = []
    for event, own in part.events:
        done = effects.get(event.position, [])
        if own or any(followed.keep(effect.key) for effect in done):
            entries.append(_entry(event, done, subjects.get(event.position, [])))
    own_address = _address(request)
    return Feed(
        id=_id(part.first_event, own_address),
        title=followed.title,
        updated=entries[-1].updated if entries else began.known_at,
        rights=served.settings.licence,
        links=[*_links(request, asked, part, own_address)],
        entries=entries[::-1],
        is_archive=asked.after is not None and len(part.events) == asked.limit,
    )


def _id(first_event: str | None, address: str) -> str:
    """A name for a feed that no other has: of the log, by its first event, and of what the feed is about."""
    of_log = uuid.UUID(first_event) if first_event else uuid.NAMESPACE_URL
    return uuid.uuid5(of_log, address).urn


def _links(request: Request, asked: AskedFeed, part: Part, own: str) -> Iterator[Link]:
    query = f"?{request.url.query}" if request.url.query else ""
    yield Link("self", f"{own.partition('?')[0]}{query}", media_type=_ATOM)
    yield Link("alternate", _page(own), media_type=JSON)
    if asked.after is not None:
        yield Link("current", own, media_type=_ATOM)
    if part.earlier is not None:
        joint = "&" if "?" in own else "?"
        earlier = urlencode({"after": part.earlier, "limit": asked.limit})
        yield Link("prev-archive", f"{own}{joint}{earlier}", media_type=_ATOM)


def _address(request: Request) -> str:
    """A feed's own address: what it is about, without which part of it."""
    path: str = request.scope["raw_path"].decode("ascii")
    if not path.endswith(_SUFFIX):
        path += _SUFFIX
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in AskedFeed.model_fields]
    return f"{path}?{urlencode(kept)}" if kept else path


def _page(own: str) -> str:
    path, question, query = own.partition("?")
    return f"{path.removesuffix(_SUFFIX)}{question}{query}"


_SUFFIX = ".atom"


def _entry(event: EventRow, effects: Sequence[Effect], subjects: Sequence[str]) -> Entry:
    sentences = tell(event.kind, effects, subjects)
    more = f" And {len(sentences) - 1} more." if len(sentences) > 1 else ""
    return Entry(
        id=uuid.UUID(event.event_id).urn,
        title=sentences[0] + more,
        text=" ".join(sentences),
        updated=event.recorded_at,
        links=[Link("alternate", f"/v1/events/{event.event_id}", media_type=JSON), *_states(event, effects)],
        terms=[event.kind, *because(event.kind, effects)],
    )


def _states(event: EventRow, effects: Sequence[Effect]) -> Iterator[Link]:
    """The ways to each subject as it was and as it is, at the first moment that differs."""
    known: dict[tuple[str, str, str, datetime], bool] = {}
    for effect in effects:
        which = (*effect.key[:3], min(effect.at, _LAST))
        known[which] = known.get(which, False) or effect.before is not None
    for (coalition, family, slug, at), was_known in known.items():
        name = f"{family}/{slug}"
        if was_known:
            yield Link("related", _state(coalition, name, at, event.position - 1), f"before: {name}", JSON)
        yield Link("related", _state(coalition, name, at, event.position), f"after: {name}", JSON)


_LAST = END - TICK


def _state(coalition: str, name: str, at: datetime, position: int) -> str:
    point = urlencode({"as_of": render_instant(at), "known_position": position})
    return f"/v1/subjects/{coalition}/{name}?{point}"
