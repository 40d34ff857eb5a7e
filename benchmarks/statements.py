"""The data of the benchmarks: statements made from a seed, the same in every run.

A coalition has forty countries with four subjects each, about which rounds of statements are made, a month apart. One
statement in ten is late: it tells of a day some months before what was said of its subject already. When a coalition's
rounds are over the next one begins, so that the log grows by subjects, and each subject's history stays as long as
those of real ones.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

Json = dict[str, Any]

ASKED_COALITION = "asked"
ASKED_COUNTRY = "GB"
COUNTRIES = (
    "GB", "FR", "DE", "PL", "IT", "ES", "NL", "BE", "DK", "SE", "NO", "FI", "EE", "LV", "LT", "CZ", "SK", "HU",
    "RO", "BG", "GR", "HR", "SI", "AT", "CH", "IE", "PT", "LU", "IS", "AL", "MK", "ME", "RS", "MD", "TR", "CA",
    "AU", "NZ", "JP", "KR",
)  # fmt: skip
ASKED_PLEDGES = 10
_ROUNDS = 12
_ASKED_ROUNDS = 5
_LATE = 0.1
_FIRST_DAY = date(2024, 1, 1)
_ROUND_DAYS = 30
_LADDER = ("considering", "announced", "declared_intent", "committed", "allocated", "ready")
_CATEGORIES = ("ground_troops", "air", "maritime", "training", "logistics", "intelligence", "financial", "basing",
               "monitoring_verification", "weapons_ammunition")  # fmt: skip
_STANCES = ("supportive", "undecided", "opposed")
_WORDS = (
    "ministers", "parliament", "force", "ceasefire", "after", "the", "agreement", "brigade", "pledged", "support",
    "would", "stay", "until", "review", "next", "autumn", "budget", "allies", "training", "mission", "engineers",
    "airspace", "patrol", "harbour", "escorts", "funds", "mandate", "staff", "of", "and", "for", "in",
)  # fmt: skip


def registration(slug: str) -> Json:
    """What registers a coalition, as a line of an import."""
    return {"kind": "coalition.registered", "coalition": slug, "name": f"Coalition {slug}"}


def coalition_slug(number: int) -> str:
    """The slug of one of the coalitions by which the log grows."""
    return f"coalition-{number:05}"


def asked_statements(seed: int) -> Iterator[Json]:
    """The coalition that is asked about: its asked country has ten commitments of five statements each."""
    yield from _organisation(ASKED_COALITION)
    further = [(ASKED_COUNTRY, f"pledge-{number}") for number in range(3, ASKED_PLEDGES)]
    yield from _rounds(ASKED_COALITION, Random(f"{seed}/asked"), _ASKED_ROUNDS, further)


def growing_statements(seed: int) -> Iterator[tuple[int, Json]]:
    """Statements without end, each with the number of its coalition."""
    number = 0
    while True:
        slug = coalition_slug(number)
        for one in (*_organisation(slug), *_rounds(slug, Random(f"{seed}/{number}"), _ROUNDS, [])):
            yield number, one
        number += 1


def _organisation(slug: str) -> Iterator[Json]:
    random = Random(slug)
    said = {"coalition": slug, "occurred": _occurred(_FIRST_DAY), "summary": _words(random, 20)}
    yield {"kind": "coalition.stated", "subject": "organisation", "actors": ["FR", "GB"], **said,
           "sources": [_source(random)], "body": {"phase": "planning"}}  # fmt: skip
    yield {"kind": "ceasefire.proposed", "subject": "thirty-days", "actors": ["US"], **said,
           "sources": [_source(random)], "body": {"title": "Thirty days", "duration_days": 30}}  # fmt: skip


def _rounds(slug: str, random: Random, rounds: int, further: list[tuple[str, str]]) -> Iterator[Json]:
    names = ("pledge-0", "pledge-1", "pledge-2", "force")
    subjects = [(country, name) for country in COUNTRIES for name in names] + further
    for number in range(rounds):
        random.shuffle(subjects)
        for country, name in subjects:
            day = _FIRST_DAY + timedelta(days=(number + 4) * _ROUND_DAYS + random.randrange(_ROUND_DAYS))
            if random.random() < _LATE:
                day -= timedelta(days=random.randrange(45, 120))
            yield _statement(slug, country, name, day, random)


def _statement(slug: str, country: str, name: str, day: date, random: Random) -> Json:
    """One statement of about a kilobyte."""
    is_pledge = name.startswith("pledge-")
    return {
        "kind": "pledge.stated" if is_pledge else "position.stated",
        "coalition": slug,
        "subject": name,
        "occurred": _occurred(day),
        "actors": [country],
        "said_by": {"actor": country, "name": f"Speaker of {country}", "post": "Minister of Defence"},
        "channel": "speech",
        "wording": "paraphrase",
        "summary": _words(random, 40),
        "quote": _words(random, 20),
        "language": "en",
        "sources": [_source(random)],
        "body": _pledge(name, random) if is_pledge else _position(random),
    }


def _pledge(name: str, random: Random) -> Json:
    return {
        "category": _CATEGORIES[int(name.removeprefix("pledge-"))],
        "firmness": random.choice(_LADDER),
        "quantity": {"min": random.randrange(1, 200) * 10, "unit": "persons"},
        "conditions": [{"kind": "ceasefire_in_force"}],
        "description": _words(random, 8),
    }


def _position(random: Random) -> Json:
    return {"topic": "multinational-force", "stance": random.choice(_STANCES), "text": _words(random, 12)}


def _occurred(day: date) -> Json:
    return {"edtf": day.isoformat(), "basis": "stated"}


def _source(random: Random) -> Json:
    number = random.randrange(10**6)
    return {
        "title": f"Report {number}",
        "publisher": "A news agency",
        "url": f"https://news.example/reports/{number}",
        "published_on": "2024-01-01",
        "type": "press",
        "reliability": "B",
        "credibility": 2,
    }


def _words(random: Random, count: int) -> str:
    return " ".join(random.choices(_WORDS, k=count)).capitalize() + "."
