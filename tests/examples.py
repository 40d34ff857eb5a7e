"""The examples of the OpenAPI document: requests that the service takes, and what it answers to them.

    python -m tests.examples

tells the story below to a registry, and writes what was sent and answered into `service/web/examples.json`. A test
tells it again and compares. What differs each time, such as when it was recorded, is put down as always the same.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from service.main import create_app
from service.migrate import migrate
from service.postgres import private_postgres
from tests.processes import open_folder
from tests.receivers import LOOPBACK, receiving
from tests.registry import TOKEN, Json, allow, client_of, settings_for

FILE = Path(__file__).parents[1] / "service" / "web" / "examples.json"
_CONTRIBUTOR = "pr_contributor"
_SOURCE = {
    "title": "Ministers speak after the meeting",
    "publisher": "An example paper",
    "url": "https://example.org/ministers",
    "published_on": "2025-07-11",
    "type": "press",
    "reliability": "B",
    "credibility": 2,
}


def said(kind: str, subject: str, on: str, summary: str, **more: Any) -> Json:
    """A statement of the story."""
    return {
        "kind": kind,
        "coalition": "example",
        "subject": subject,
        "occurred": {"edtf": on, "basis": "stated"},
        "summary": summary,
        "sources": [_SOURCE],
    } | more


PLEDGE = said(
    "pledge.stated", "ground-troops", "2025-07-10", "Both will send soldiers once a ceasefire holds.",
    actors=["FR", "GB"], addressees=["UA"], channel="speech", wording="paraphrase", language="en", place="Exampleton",
    said_by={"actor": "GB", "name": "Jane Doe", "post": "Prime Minister"},
    body={
        "category": "ground_troops", "firmness": "announced",
        "quantity": {"min": 5000, "max": 10000, "unit": "persons", "approximate": True},
        "conditions": [{"kind": "ceasefire_in_force"}], "places": ["Exampleton"],
    },
)  # fmt: skip
MONEY = said(
    "pledge.stated", "reconstruction", "2025-08", "A sum is promised, of which nobody says when it will be paid.",
    actors=["NL"],
    body={
        "category": "reconstruction", "firmness": "committed", "money": {"amount": "1000000.00", "currency": "EUR"},
    },
)  # fmt: skip
STORY = [
    PLEDGE,
    MONEY,
    said("pledge.delivered", "reconstruction", "2025-09-01", "A first part was paid.", actors=["NL"],
         body={"money": {"amount": "250000.00", "currency": "EUR"}}),
    said("pledge.withdrawn", "training", "2025-09-02", "There will be no training after all.", actors=["DE"],
         body={"category": "training", "reason": "Other duties."}),
    said("position.stated", "multinational-force", "2025-07-12", "The force is welcome.", actors=["UA"],
         body={"topic": "multinational-force", "stance": "supportive"}),
    said("warning.issued", "foreign-troops", "2025-07-13", "Whoever sends soldiers will be answered.", actors=["RU"],
         said_by={"actor": "RU", "name": "John Roe", "post": "Spokesperson"},
         body={"targets": ["FR", "GB"], "trigger": "soldiers arrive", "threat": "other", "severity": "medium",
               "explicit": False}),
    said("warning.withdrawn", "airspace", "2025-07-14", "The warning about flights is taken back.", actors=["RU"]),
    said("warning.carried_out", "trade", "2025-07-15", "The border was closed to goods, as threatened.", actors=["RU"]),
    said("meeting.announced", "leaders-2025-09", "2025-08-20", "The leaders will meet in September.",
         body={"title": "Leaders", "date": "2025-09", "format": "in_person", "level": "leaders", "hosts": ["FR"]}),
    said("meeting.held", "planners-2025-07", "2025-07-16", "The planners have met.",
         body={"title": "Planners", "date": "2025-07-16", "level": "planners",
               "participants": [{"actor": "GB", "name": "Jane Doe", "role": "chair"}], "claimed_participants": 30,
               "outcomes": [{"kind": "working-group", "text": "A group for logistics."}]}),
    said("meeting.cancelled", "ministers-2025-10", "2025-10-01", "The ministers do not meet.",
         body={"reason": "No date suits all."}),
    said("ceasefire.proposed", "thirty-days", "2025-07-17", "Thirty days without fire are proposed.",
         actors=["US"], addressees=["RU", "UA"],
         body={"title": "Thirty days", "scope": "general", "duration_days": 30,
               "terms": [{"topic": "prisoners", "text": "All are exchanged."}]}),
    said("ceasefire.answered", "thirty-days", "2025-07-18", "It is accepted, if others do the same.", actors=["UA"],
         body={"answer": "accepted_with_conditions", "conditions": ["The other side accepts too."]}),
    said("ceasefire.took_effect", "energy", "2025-07-19", "No power station is fired at from today."),
    said("ceasefire.violated", "energy", "2025-07-20", "A power station was hit.", body={"text": "It still stands."}),
    said("ceasefire.ended", "energy", "2025-07-21", "It is over."),
    said("ceasefire.withdrawn", "seven-days", "2025-07-22", "The proposal of seven days is taken back."),
    said("coalition.stated", "organisation", "2025-07-23", "A headquarters is being set up.",
         said_by={"actor": "FR", "name": "Jean Dupont", "post": "Minister"},
         body={"phase": "planning", "leads": ["FR", "GB"], "target_strength": {"max": 30000, "unit": "persons"},
               "headquarters": [{"place": "Exampleton", "role": "headquarters", "host": "FR"}],
               "conditions": [{"kind": "ceasefire_in_force"}]}),
    said("membership.stated", "members", "2025-07-24", "They take part.", actors=["FR", "GB", "NL"],
         body={"role": "member"}),
]  # fmt: skip
NOTES: list[tuple[str, int, Json]] = [
    ("corrections", 0, {"changes": {"body": {"quantity": {"max": 9000}}}, "reason": "entry_error", "note": "A slip."}),
    ("sources", 0, {"sources": [{"title": "The same, told by a wire", "type": "wire"}]}),
    ("retraction", 3, {"reason": "entry_error", "note": "It was another country."}),
    ("reinstatement", 3, {"reason": "better_source"}),
]
_POINT = "as_of=2025-12-31&known_position={head}"
QUESTIONS = {
    "listCoalitions": "/v1/coalitions?{point}",
    "getCoalition": "/v1/coalitions/example?{point}",
    "getCoalitionStatus": "/v1/coalitions/example/status?{point}",
    "getCountryCommitments": "/v1/countries/GB/commitments?{point}",
    "listCommitments": "/v1/coalitions/example/commitments?limit=1&count=true&{point}",
    "listPledges": "/v1/coalitions/example/pledges?limit=1&{point}",
    "listPositions": "/v1/coalitions/example/positions?limit=1&{point}",
    "listWarnings": "/v1/coalitions/example/warnings?limit=1&{point}",
    "listMeetings": "/v1/coalitions/example/meetings?limit=1&{point}",
    "listCeasefires": "/v1/coalitions/example/ceasefires?limit=1&{point}",
    "getSubject": "/v1/subjects/example/ceasefire/thirty-days?{point}",
    "getSubjectHistory": "/v1/subjects/example/ceasefire/thirty-days/history?{point}",
    "getTimeline": "/v1/coalitions/example/timeline?limit=2&{point}",
    "getChanges": "/v1/coalitions/example/changes?from=2025-07-10&to=2025-07-16&to_position={head}&from_position=1",
    "listEvents": "/v1/events?limit=2",
    "getEvent": "/v1/events/{pledge}",
    "findActors": "/v1/actors?q=united&limit=2&{point}",
    "getVersion": "/version",
    "getIndex": "/",
}
LED = [
    ("getCountryCommitments", 308, "/v1/countries/Germany/commitments"),
    ("getIndex", 303, "/"),
]
"""What is answered with the way to another address."""


def tell(client: TestClient) -> Json:
    """Tells the story; gives what was sent and answered, by operation."""
    examples: dict[str, dict[str, Json]] = {}

    def write(operation: str, path: str, body: Any, name: str, **headers: str) -> Json:
        kept = examples.setdefault(operation, {"request": {}})
        kept["request"][name] = body
        for query, status in (("?dry_run=true", 200), ("", 201)):
            answer = client.post(path + query, json=body, headers=headers)
            assert answer.status_code == status, answer.text
            kept.setdefault(str(status), {name: answer.json()})
        content: Json = answer.json()
        return content

    force = {"name": "Example force", "aliases": ["The force"]}
    write("registerCoalition", "/v1/coalitions", {"slug": "example", "name": "An example", "force": force}, "coalition")
    batch = [PLEDGE | {"subject": "air", "summary": "Aircraft too.", "body": {"category": "air", "firmness": "ready"}}]
    write("recordBatch", "/v1/statements/batch", batch, "batch")
    events = [write("recordStatement", "/v1/statements", one, one["kind"])["event"]["event_id"] for one in STORY]
    for what, index, body in NOTES:
        note(client, write, events[index], what, body)
    note(client, write, events[6], "duplicates", {"original": _again(client, STORY[6])})
    rivals = {"rank": "normal", "rivals": [{"event_id": _again(client, STORY[4]), "rank": "preferred"}]}
    dispute = note(client, write, events[4], "disputes", rivals)["event"]
    ranks = [{"event_id": dispute["target"], "rank": "deprecated"}, *dispute["rivals"]]
    write("recordSettlement", f"/v1/events/{dispute['event_id']}/settlement", {"ranks": ranks}, "settlement")
    names = {"head": len(client.get("/v1/events?limit=500").json()["items"]), "pledge": events[0]}
    names["point"] = _POINT.format(**names)
    for operation, address in QUESTIONS.items():
        answer = client.get(address.format(**names))
        assert answer.status_code == 200, answer.text
        examples[operation] = {"200": {"answer": answer.json()}}
    for operation, status, address in LED:
        browser = {"Accept": "text/html"}
        answer = client.get(address.format(**names), headers=browser, follow_redirects=False)
        assert answer.status_code == status, answer.text
        examples[operation][str(status)] = {"answer": answer.json()}
    lines = "".join(f"{json.dumps(one)}\n" for one in (STORY[0] | {"summary": "And again."}, {"kind": "pledge.stated"}))
    headers = {"Content-Type": "application/jsonl"}
    imported = client.post("/v1/import?on_error=skip&dry_run=true", content=lines, headers=headers)
    examples["importStatements"] = {"200": {"report": imported.json()}}
    asked = _Asked(client, examples)
    _draft(asked)
    token_ids = _let_in(asked)
    with receiving() as receiver:
        _subscribe(asked, receiver.url)
        told = json.dumps(_settled(examples)).replace(receiver.url, "https://hooks.example.org/registry")
    for token_id in token_ids:
        told = told.replace(token_id, "0" * len(token_id))
    settled: Json = json.loads(told)
    return settled


class _Asked:
    """Asks one thing after the other, and keeps each as the example of its operation."""

    def __init__(self, client: TestClient, examples: dict[str, dict[str, Json]]) -> None:
        self._client = client
        self._examples = examples

    def ask(self, operation: str, method: str, path: str, body: Json | None = None, token: str = TOKEN) -> Json:
        """What is answered."""
        answer = self._client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.is_success, answer.text
        content: Json = answer.json()
        kept = self._examples.setdefault(operation, {} if body is None else {"request": {"request": body}})
        kept[str(answer.status_code)] = {"answer": content}
        return content


def _draft(asked: _Asked) -> None:
    """What a contributor writes, and what becomes of it."""
    drafts = []
    for number, note_on_it in enumerate(("Please look at the date.", "The second.", "The third.")):
        body = MONEY | {"subject": f"draft-{number}", "actors": ["NO"]}
        put_up = {"path": "/v1/statements", "body": body, "note": note_on_it}
        asked.ask("putUpDraft", "POST", "/v1/drafts?dry_run=true", put_up, _CONTRIBUTOR)
        drafts.append(asked.ask("putUpDraft", "POST", "/v1/drafts", put_up, _CONTRIBUTOR)["draft"]["id"])
    asked.ask("recordStatement", "POST", "/v1/statements", MONEY | {"subject": "draft-4"}, _CONTRIBUTOR)
    asked.ask("listDrafts", "GET", "/v1/drafts?limit=1&count=true")
    asked.ask("getDraft", "GET", f"/v1/drafts/{drafts[0]}")
    asked.ask("approveDraft", "POST", f"/v1/drafts/{drafts[0]}/approval?dry_run=true", {"reason": "As in the source."})
    asked.ask("approveDraft", "POST", f"/v1/drafts/{drafts[0]}/approval", {"reason": "As in the source."})
    returned = asked.ask("recordStatement", "POST", "/v1/statements", MONEY | {"subject": "draft-5"}, _CONTRIBUTOR)
    reason = {"reason": "The source names another sum."}
    asked.ask("returnDraft", "POST", f"/v1/drafts/{returned['draft']['id']}/return", reason)
    asked.ask("rejectDraft", "POST", f"/v1/drafts/{drafts[1]}/rejection", {"reason": "Not in the source."})
    asked.ask("withdrawDraft", "POST", f"/v1/drafts/{drafts[2]}/withdrawal", {"reason": "A slip."}, _CONTRIBUTOR)


def _let_in(asked: _Asked) -> list[str]:
    """What an admin does with tokens; gives the ids of those that were made, or would have been."""
    wanted = {"role": "editor", "owner": "jane", "expires_at": "2036-01-01T00:00:00Z"}
    queries = ("?dry_run=true", "")
    ids = [asked.ask("createToken", "POST", f"/v1/tokens{query}", wanted)["token"]["id"] for query in queries]
    token_id = ids[-1]
    asked.ask("getToken", "GET", f"/v1/tokens/{token_id}")
    asked.ask("listTokens", "GET", "/v1/tokens?owner=jane")
    asked.ask("getMe", "GET", "/v1/me")
    asked.ask("revokeToken", "DELETE", f"/v1/tokens/{token_id}?dry_run=true")
    return ids


def _subscribe(asked: _Asked, url: str) -> None:
    """What can be done with a webhook."""
    wanted = {"url": url, "description": "Our copy.", "coalition": "example", "kind": "pledge"}
    asked.ask("createWebhook", "POST", "/v1/webhooks?dry_run=true", wanted)
    path = f"/v1/webhooks/{asked.ask('createWebhook', 'POST', '/v1/webhooks', wanted)['id']}"
    delivery = asked.ask("pingWebhook", "POST", f"{path}/ping")
    asked.ask("resendDelivery", "POST", f"{path}/deliveries/{delivery['id']}/resend")
    asked.ask("listDeliveries", "GET", f"{path}/deliveries?limit=1")
    asked.ask("rotateSecret", "POST", f"{path}/secret")
    asked.ask("changeWebhook", "PATCH", path, {"state": "paused"})
    asked.ask("getWebhook", "GET", path)
    asked.ask("listWebhooks", "GET", "/v1/webhooks")
    asked.ask("deleteWebhook", "DELETE", f"{path}?dry_run=true")


def note(client: TestClient, write: Any, event_id: str, what: str, body: Json) -> Json:
    """A note on an event of the story."""
    etag = client.get(f"/v1/events/{event_id}").headers["ETag"]
    path = f"/v1/events/{event_id}/{what}"
    content: Json = write(f"record{what.capitalize()}", path, body, what, **{"If-Match": etag})
    return content


def _again(client: TestClient, statement: Json) -> str:
    answer = client.post("/v1/statements", json=statement | {"summary": f"{statement['summary']} Told again."})
    event_id: str = answer.json()["event"]["event_id"]
    return event_id


_THEN = "2026-11-22T10:00:00.000000Z"
_ALWAYS: Json = {
    "time": _THEN,
    "former_valid_until": "2026-11-23T10:00:00.000000Z",
    "log_root": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
    "age_days": 174,
    "took_ms": 12,
    "schema": "0001",
}


def _settled(part: Any) -> Any:
    """Without what differs each time."""
    if isinstance(part, dict):
        return {name: _settled(_always(name, value)) for name, value in part.items()}
    return [_settled(one) for one in part] if isinstance(part, list) else part


def _always(name: str, value: Any) -> Any:
    if value is None or isinstance(value, dict | list):
        return value
    if name == "secret":
        return f"{value.partition('_')[0]}_{'A' * 43}="
    return _THEN if name.endswith("_at") and name != "expires_at" else _ALWAYS.get(name, value)


def _ids() -> Iterator[str]:
    for number in range(1, 1000):
        yield f"019a8f3e-0000-7000-8000-{number:012}"


@contextmanager
def storyteller(url: str) -> Iterator[TestClient]:
    """A registry whose ids are always the same."""
    allow(url, owner="editor")
    allow(url, _CONTRIBUTOR, "contributor", "contributor")
    ids = _ids()
    settings = settings_for(url, webhook_networks=LOOPBACK)
    with client_of(create_app(settings, new_id=lambda: next(ids), new_salt=lambda: bytes(32))) as client:
        yield client


def render(examples: Json) -> str:
    """The file: an example to a line."""
    lines = []
    for operation, parts in sorted(examples.items()):
        told = [
            f'  "{part}": {{\n'
            + ",\n".join(f'   "{name}": {json.dumps(one, ensure_ascii=False)}' for name, one in ones.items())
            + "\n  }"
            for part, ones in parts.items()
        ]
        lines.append(f' "{operation}": {{\n' + ",\n".join(told) + "\n }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Writes the file anew."""
    with open_folder() as folder, private_postgres(folder, durable=False) as url:
        migrate(url)
        with storyteller(url) as client:
            FILE.write_text(render(tell(client)), encoding="utf-8")


if __name__ == "__main__":
    main()
