"""A registry under test: the real application over a real database, and short ways to say what was stated."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from fastapi import FastAPI
from starlette.testclient import TestClient

from service.access import hash_token
from service.database import Pool, open_pool
from service.domain.kinds import KINDS, parse_event
from service.ids import new_event_id
from service.log.codec import Entry, prepare
from service.main import create_app
from service.record import Recorder
from service.settings import Settings
from service.submission import Recorded, Submission

TOKEN = "pr_test_admin"
Json = dict[str, Any]


def settings_for(url: str, **changes: Any) -> Settings:
    """The settings of a registry over a database, without rate limits unless they are given."""
    return Settings(database_url=url, **{"reads_per_minute": 0, "writes_per_minute": 0, **changes})


def allow(url: str, token: str = TOKEN, role: str = "admin", owner: str = "tester") -> None:
    """Puts a token of a role into the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO token (hash, role, owner, created_at) VALUES (%s, %s, %s, now())",
            (hash_token(token), role, owner),
        )


@contextmanager
def client_of(app: FastAPI, token: str | None = TOKEN) -> Iterator[TestClient]:
    """A client of the running application, that sends a token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client


@contextmanager
def registry(url: str, *, coalition: str | None = "willing", **changes: Any) -> Iterator[TestClient]:
    """A running registry with one coalition, and a client that may do everything."""
    allow(url)
    with client_of(create_app(settings_for(url, **changes))) as client:
        if coalition:
            register(client, coalition)
        yield client


def register(client: TestClient, slug: str) -> None:
    """Registers a coalition."""
    made = client.post("/v1/coalitions", json={"slug": slug, "name": slug.title()})
    assert made.status_code == 201, made.text


def statement(kind: str = "pledge.stated", **changes: Any) -> Json:
    """A valid statement of a kind; ``changes`` replace its fields."""
    bodies: dict[str, Json] = {
        "pledge.stated": {"category": "ground_troops", "firmness": "announced"},
        "position.stated": {"topic": "multinational-force", "stance": "supportive"},
        "warning.issued": {"trigger": "foreign troops", "consequence": "war", "severity": "high"},
        "meeting.announced": {"title": "Leaders", "date": "2025-09-04"},
        "meeting.held": {"title": "Leaders", "date": "2025-09-04"},
        "ceasefire.proposed": {"title": "Thirty days", "duration_days": 30},
        "ceasefire.answered": {"answer": "rejected"},
        "coalition.stated": {"phase": "planning"},
        "membership.stated": {"role": "member"},
    }
    said: Json = {
        "kind": kind,
        "coalition": "willing",
        "subject": "ground-troops",
        "occurred": {"edtf": "2025-07-10", "basis": "stated"},
        "actors": ["GB"],
        "summary": "What was said, in our own words.",
        "sources": [{"title": "A report"}],
    }
    if kind in bodies:
        said["body"] = bodies[kind]
    elif KINDS[kind].model_fields["body"].is_required():
        said["body"] = golden_content(kind)["body"]
    return said | changes


def golden_content(kind: str) -> Json:
    """What the golden event of a kind says, in its present version."""
    file = Path(__file__).parent / "golden" / f"{kind}.v{KINDS[kind].version}.json"
    content: Json = json.loads(file.read_text(encoding="utf-8"))["content"]
    return content


def post(client: TestClient, said: Json | list[Json], path: str = "/v1/statements", **headers: str) -> Json:
    """Records something that must be accepted; answers the whole answer."""
    answer = client.post(path, json=said, headers=headers)
    assert answer.status_code == 201, answer.text
    content: Json = answer.json()
    return content


def note(client: TestClient, event_id: str, what: str, content: Json) -> Json:
    """Records a note on an event (a correction, a retraction, …) with its present ETag."""
    etag = client.get(f"/v1/events/{event_id}").headers["ETag"]
    return post(client, content, f"/v1/events/{event_id}/{what}", **{"If-Match": etag})


@asynccontextmanager
async def recording(url: str) -> AsyncIterator[tuple[Pool, Recorder]]:
    """A pool and a recorder over a database, without any door."""
    async with open_pool(url, size=4) as pool, Recorder(pool) as recorder:
        yield pool, recorder


def entry(content: Json) -> Entry:
    """Content as an entry for the log."""
    return prepare(parse_event(content), event_id=new_event_id(), salt=bytes(32))


def registration(slug: str) -> Entry:
    """The registration of a coalition as an entry."""
    return entry({"kind": "coalition.registered", "coalition": slug, "name": slug.title()})


async def record(recorder: Recorder, *entries: Entry) -> Recorded:
    """Records entries together; answers what was recorded."""
    kept: list[Recorded] = []

    def render(recorded: Recorded) -> bytes:
        kept.append(recorded)
        return b""

    await recorder.record(Submission(entries=entries, recorded_by="tester", render=render))
    return kept[-1]
