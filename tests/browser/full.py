"""A registry that is full enough to look at: the seeds, and something of everything that pages show."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from socket import socket
from typing import NamedTuple

from service.access import Role
from service.load.seeds import load_seeds
from tests.browser.windows import served
from tests.people import add_person, begin_session
from tests.processes import ROOT, exchange
from tests.registry import Json, allow, recording, statement

PEOPLE = {"ann": Role.ADMIN, "ed": Role.EDITOR, "eve": Role.APPROVER, "con": Role.CONTRIBUTOR}
NAMES = {"ann": "Ann Archer", "ed": "Ed Miller", "eve": "Eve Novák", "con": "Con Okafor"}


class Full(NamedTuple):
    """A running registry, and what its pages are about."""

    base: str
    url: str
    pages: dict[str, str]  # the addresses of pages, by what is shown


def let_in(url: str, people: Mapping[str, str]) -> None:
    """Lets people of some roles sign in, and gives each a token."""
    for login, role in people.items():
        add_person(url, login, role, NAMES.get(login, ""))
        allow(url, f"pr_of_{login}", role, login)


def call(base: str, login: str, path: str, content: Json, **headers: str) -> Json:
    """Sends something to the API with somebody's token; it must be taken."""
    sent = {"Authorization": f"Bearer pr_of_{login}", "Content-Type": "application/json", **headers}
    reply = exchange(_port_of(base), "POST", path, json.dumps(content).encode(), sent)
    assert reply.status in (200, 201, 202), reply.body
    answer: Json = reply.content
    return answer


def _port_of(base: str) -> int:
    return int(base.rpartition(":")[2])


@contextmanager
def filled(url: str) -> Iterator[Full]:
    """Over a migrated database, a registry with the seeds, four people, and notes, drafts, tokens and a webhook."""
    let_in(url, PEOPLE)
    _apart(lambda: asyncio.run(_load(url)))
    with served(url, webhook_networks="127.0.0.0/8") as base, socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # where nobody listens
        yield Full(base, url, _fill(base, url, f"http://127.0.0.1:{nobody.getsockname()[1]}/hook"))


def _apart(work: Callable[[], None]) -> None:
    """Does something in a thread of its own: the one that drives a browser has a loop already."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


async def _load(url: str) -> None:
    async with recording(url) as (_, recorder):
        await load_seeds(recorder, ROOT / "seeds")


def _fill(base: str, url: str, hook_url: str) -> dict[str, str]:
    """Something of everything; where it is shown."""
    ids: dict[str, str] = {}

    def record(name: str, said: Json, by: str = "ed") -> str:
        ids[name] = call(base, by, "/v1/statements", said)["event"]["event_id"]
        return ids[name]

    def note(name: str, on: str, what: str, content: Json) -> None:
        etag = exchange(_port_of(base), "GET", f"/v1/events/{ids[on]}").headers["ETag"]
        answer = call(base, "ed", f"/v1/events/{ids[on]}/{what}", content, **{"If-Match": etag})
        ids[name] = answer["event"]["event_id"]

    record("pledge", PLEDGE)
    record("again", {**PLEDGE, "summary": "Paris repeats that its jets will watch the sky.", "sources": [SECOND]})
    note("corrected", "pledge", "corrections", CORRECTION)
    note("sourced", "pledge", "sources", {"sources": [SECOND]})
    note("duplicate", "again", "duplicates", {"original": ids["pledge"]})
    record(
        "rival",
        {**PLEDGE, "summary": "Paris rules out jets of its own.", "body": {"category": "air", "firmness": "ruled_out"}},
    )
    dispute = {
        "rivals": [{"event_id": ids["rival"], "rank": "normal"}],
        "rank": "preferred",
        "note": "Two accounts of one speech.",
    }
    note("disputed", "pledge", "disputes", dispute)
    record("wrong", statement(summary="Entered by mistake.", subject="a-mistake"))
    note("retracted", "wrong", "retraction", {"reason": "entry_error", "note": "It was about another country."})
    record("long", MEETING)
    drafts = [
        call(base, "con", "/v1/statements", {**SHIPS, "summary": summary})["draft"]["id"]
        for summary in ("The Hague offers two ships against mines.", "The Hague might send a frigate.")
    ]
    call(base, "eve", f"/v1/drafts/{drafts[1]}/return", {"reason": "Which frigate, and when? The source says more."})
    hook = call(base, "ann", "/v1/webhooks", {"url": hook_url, "description": "The newsroom"})["id"]
    call(base, "ann", "/v1/tokens", {"owner": "importer", "role": "editor"})
    begin_session(url, "ann")
    at = {name: f"/admin/events/{event_id}" for name, event_id in ids.items()}
    return {
        **at,
        "draft": f"/admin/review/{drafts[0]}",
        "returned": f"/admin/review/{drafts[1]}",
        "webhook": f"/admin/webhooks/{hook}",
    }


SOURCE: Json = {
    "title": "What the ministers said in Toulon", "publisher": "A paper", "published_on": "2025-08-30", "type": "press",
    "language": "en", "reliability": "B", "credibility": 2, "url": "https://example.org/toulon",
}  # fmt: skip
SECOND: Json = {"title": "Statement after the council in Toulon", "type": "official", "published_on": "2025-08-29"}
PLEDGE: Json = {
    "kind": "pledge.stated", "coalition": "willing", "subject": "air-policing", "actors": ["FR"],
    "occurred": {"edtf": "2025-08-29", "basis": "stated"}, "channel": "speech", "place": "Toulon",
    "said_by": {"actor": "FR", "name": "A Minister", "post": "Minister of the Armed Forces"},
    "summary": "Paris says that its jets will watch the sky over the force.",
    "body": {
        "category": "air", "firmness": "announced", "quantity": {"min": 6, "max": 8, "unit": "jets"},
        "conditions": [{"kind": "ceasefire_in_force", "text": "Once the guns fall silent."}],
    },
    "sources": [SOURCE],
}  # fmt: skip
CORRECTION: Json = {
    "changes": {"occurred": {"edtf": "2025-08-28"}, "body": {"quantity": {"min": 8, "max": 8, "unit": "jets"}}},
    "reason": "source_corrected",
    "note": "The paper had the day wrong, and the number with it.",
}
SHIPS: Json = statement(actors=["NL"], subject="mine-hunters", body={"category": "maritime", "firmness": "announced"})
MEETING: Json = statement(
    "meeting.held",
    subject="many-at-the-table",
    summary="Many met at one long table.",
    body={
        "title": "The long table",
        "date": "2025-09-04",
        "participants": [
            {
                "actor": "FR",
                "name": f"A Participant Called {number}",
                "post": "Minister of Foreign Affairs",
                "mode": "remote",
            }
            for number in range(60)
        ],
    },
)
