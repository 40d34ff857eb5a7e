"""What clients of the API rely on: the shapes of answers, filters, pages, and what may be kept for how long."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from service.main import create_app
from tests.conftest import fresh_database
from tests.registry import Json, client_of, note, post, register, registry, settings_for, statement

EVENT_KEYS = {"event_id", "position", "recorded_at", "recorded_by", "schema_version", "kind", "coalition"}
BASIS_KEYS = {"as_of", "known_position", "known_at", "log_root", "rules_version", "url"}
COMMITMENT_KEYS = {
    "id", "coalition", "subject", "actor", "category", "firmness", "status", "conditional", "conditions", "quantity",
    "money", "delivered", "attributed_only", "disputed", "stale", "first_stated", "last_stated", "age_days", "change",
    "places", "starts", "ends", "deadline", "description", "statements", "independent_sources",
}  # fmt: skip
STATUS_KEYS = {
    "coalition", "phase", "force", "headquarters", "command", "leads", "members", "stances", "commitments",
    "claimed_figures", "conditions_outstanding", "conditions_met", "ceasefire", "meetings", "warnings", "basis",
    "possible",
}  # fmt: skip
MEETING_KEYS = {
    "id", "coalition", "subject", "title", "status", "date", "format", "level", "place", "hosts", "chairs",
    "participants", "claimed_participants", "outcomes", "statements",
}  # fmt: skip
WARNING_KEYS = {
    "id", "coalition", "subject", "issuer", "official", "said_by", "status", "targets", "trigger", "consequence",
    "threat", "severity", "explicit", "first_issued", "last_issued", "times", "statements",
}  # fmt: skip
CEASEFIRE_KEYS = {
    "id", "coalition", "subject", "title", "proposers", "state", "scope", "duration_days", "unconditional", "terms",
    "answers", "statements",
}  # fmt: skip
POSITION_KEYS = {
    "id", "coalition", "subject", "actor", "topic", "stance", "text", "occurred", "attributed_only", "statements",
}  # fmt: skip
PINS = "as_of=2026-01-01&known_position={}"


def pledge(actor: str = "GB", slug: str = "ground-troops", on: str = "2025-07-10", **terms: Any) -> Json:
    body = {"category": "ground_troops", "firmness": "announced"} | terms
    return statement(actors=[actor], subject=slug, occurred={"edtf": on, "basis": "stated"}, body=body)


@pytest.fixture(scope="module")
def filled(server_url: str, template: str) -> Iterator[TestClient]:
    """A registry that holds a little of each family; tests only read from it."""
    with fresh_database(server_url, template) as url, registry(url) as client:
        register(client, "others")
        money = {"amount": "1000000.00", "currency": "EUR"}
        post(
            client,
            [
                pledge("GB", conditions=[{"kind": "ceasefire_in_force", "text": "Once."}], places=["Lviv"]),
                pledge("FR", firmness="committed", quantity={"max": 5000, "unit": "persons"}, description="Brigades."),
                pledge("DE", "money", category="financial", money=money, deadline="2025-08-01"),
                pledge("PL", firmness="ruled_out"),
                pledge("EE", on="2024-01-10"),
                pledge("LT", on="2026-02", firmness="ready"),
                statement("pledge.delivered", actors=["FR"], body={"quantity": {"min": 5, "unit": "persons"}}),
                statement("position.stated", subject="force"),
                statement("position.stated", subject="force", actors=["TR"], said_by={"actor": "GB"}),
                statement("warning.issued", subject="war", actors=["RU"], addressees=["GB"]),
                statement("meeting.announced", subject="paris", actors=[], body={"date": "2026-09-04"}),
                statement("meeting.announced", subject="someday", actors=[], body={"title": "Planners"}),
                statement("meeting.held", subject="kyiv", actors=[]),
                statement("ceasefire.proposed", subject="truce", actors=["US"], addressees=["RU"]),
                statement("ceasefire.answered", subject="truce", actors=["RU"]),
                statement("coalition.stated", subject="plan", actors=[]),
                statement("membership.stated", subject="members"),
                statement(coalition="others"),
            ],
            "/v1/statements/batch",
        )  # fmt: skip
        yield client


def get(client: TestClient, address: str) -> Json:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    content: Json = answer.json()
    return content


def codes(client: TestClient, query: str) -> list[str]:
    found = get(client, f"/v1/coalitions/willing/commitments?as_of=2026-01-01&{query}")
    return sorted(one["actor"]["code"] for one in found["items"])


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("commitments", COMMITMENT_KEYS),
        ("pledges", COMMITMENT_KEYS),
        ("positions", POSITION_KEYS),
        ("warnings", WARNING_KEYS),
        ("meetings", MEETING_KEYS),
        ("ceasefires", CEASEFIRE_KEYS),
    ],
)
def test_every_item_of_a_list_has_every_key_of_its_shape(filled: TestClient, path: str, keys: set[str]) -> None:
    content = get(filled, f"/v1/coalitions/willing/{path}")
    assert {"items", "next", "basis", "possible"} <= set(content)
    assert content["items"]
    for one in content["items"]:
        assert keys <= set(one), keys - set(one)
        assert one["id"].startswith(f"willing/{path.removesuffix('s').replace('commitment', 'pledge')}/")


def test_a_commitment_has_the_values_of_its_shape(filled: TestClient) -> None:
    items = get(filled, "/v1/coalitions/willing/commitments?as_of=2026-01-01")["items"]
    by_code = {one["actor"]["code"]: one for one in items}
    britain, france = by_code["GB"], by_code["FR"]
    assert britain["id"] == "willing/pledge/ground-troops/GB"
    assert britain["actor"] == {"code": "GB", "name": "United Kingdom"}
    assert britain["conditions"] == [
        {"kind": "ceasefire_in_force", "text": "Once.", "status": "outstanding", "responsible": None}
    ]
    assert (britain["conditional"], britain["quantity"], britain["money"], britain["places"]) == (
        True,
        None,
        None,
        ["Lviv"],
    )
    assert france["quantity"] == {"min": None, "max": 5000, "unit": "persons", "approximate": False, "text": None}
    assert set(france["change"]) == {"label", "from", "to"}
    assert by_code["DE"]["money"] == {"min_amount": "1000000.00", "max_amount": "1000000.00", "currency": "EUR"}
    assert [set(one) for one in britain["statements"]] == [{"event_id", "position", "occurred", "label"}]
    assert (britain["first_stated"], britain["last_stated"], britain["age_days"]) == ("2025-07-10", "2025-07-10", 175)
    assert britain["independent_sources"] == 1


def test_a_status_has_every_key_of_its_shape(filled: TestClient) -> None:
    found = get(filled, "/v1/coalitions/willing/status?as_of=2026-01-01")
    assert set(found) >= STATUS_KEYS
    assert {"named", "claimed"} <= set(found["members"])
    assert found["members"]["named"] == [{"code": "GB", "name": "United Kingdom", "role": "member"}]
    assert {"supportive", "undecided", "opposed"} <= set(found["stances"]["multinational-force"])
    assert {"by_category", "anonymous"} <= set(found["commitments"])
    for one in found["commitments"]["by_category"]:
        assert {"category", "countries", "by_firmness", "totals", "attributed"} <= set(one)
        assert one["countries"] == sorted(one["countries"])
        for total in one["totals"]:
            assert {"known_min", "known_max", "unknown_count"} <= set(total)
            assert ("unit" in total) != ("currency" in total)
    assert {"in_force", "proposals"} <= set(found["ceasefire"])
    (proposal,) = found["ceasefire"]["proposals"]
    assert proposal == {
        "subject": "truce",
        "title": "Thirty days",
        "proposers": ["US"],
        "state": "rejected",
        "answers": {"RU": "rejected"},
    }
    assert {"last_held", "next_announced", "unconfirmed", "undated"} <= set(found["meetings"])
    assert set(found["meetings"]["last_held"]) >= MEETING_KEYS
    assert {"active", "unofficial"} <= set(found["warnings"])
    assert set(found["warnings"]["active"][0]) >= WARNING_KEYS
    assert found["phase"] == "planning"


def test_a_country_has_its_role_its_stances_and_its_commitments(filled: TestClient) -> None:
    found = get(filled, "/v1/countries/GB/commitments")
    assert {"country", "roles", "stances", "commitments", "basis", "possible"} <= set(found)
    assert found["country"] == {"code": "GB", "name": "United Kingdom"}
    assert found["roles"] == {"willing": "member"}
    assert [one["id"] for one in found["commitments"]] == [
        "others/pledge/ground-troops/GB", "willing/pledge/ground-troops/GB",
    ]  # fmt: skip
    assert all(set(one) >= COMMITMENT_KEYS for one in found["commitments"])
    assert all(set(one) >= POSITION_KEYS for one in found["stances"])
    one_only = get(filled, "/v1/countries/GB/commitments?coalition=others")
    assert [one["coalition"] for one in one_only["commitments"]] == ["others"]


def test_a_meeting_a_ceasefire_and_a_position_have_the_values_of_their_shapes(filled: TestClient) -> None:
    meetings = {one["subject"]: one for one in get(filled, "/v1/coalitions/willing/meetings")["items"]}
    assert set(meetings["paris"]["date"]) == {"edtf", "earliest", "latest"}
    assert (meetings["someday"]["date"], meetings["someday"]["status"]) == (None, "announced")
    (truce,) = get(filled, "/v1/coalitions/willing/ceasefires")["items"]
    assert {"answer", "occurred"} <= set(truce["answers"]["RU"])
    positions = {one["actor"]["code"]: one for one in get(filled, "/v1/coalitions/willing/positions")["items"]}
    assert (positions["TR"]["attributed_only"], positions["GB"]["attributed_only"]) == (True, False)
    (warning,) = get(filled, "/v1/coalitions/willing/warnings")["items"]
    assert (warning["issuer"], warning["official"], warning["times"]) == ({"code": "RU", "name": "Russia"}, True, 1)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/coalitions",
        "/v1/coalitions/willing",
        "/v1/coalitions/willing/status",
        "/v1/coalitions/willing/commitments",
        "/v1/countries/GB/commitments",
        "/v1/subjects/willing/pledge/ground-troops",
        "/v1/subjects/willing/pledge/ground-troops/history",
        "/v1/coalitions/willing/timeline",
    ],
)
def test_every_computed_answer_names_its_basis_whose_address_repeats_it_byte_for_byte(
    filled: TestClient, path: str
) -> None:
    first = filled.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    basis = first.json()["basis"]
    assert set(basis) == BASIS_KEYS
    assert basis["as_of"].endswith("Z")
    assert len(basis["log_root"]) == 64
    again = filled.get(basis["url"])
    assert again.content == first.content
    assert again.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_pinned_answer_stays_the_same_bytes_whatever_is_recorded_since(database: str) -> None:
    with registry(database) as client:
        said = post(client, pledge())["event"]["event_id"]
        addresses = [
            f"{path}?{PINS.format(2)}"
            for path in (
                "/v1/coalitions", "/v1/coalitions/willing", "/v1/coalitions/willing/status",
                "/v1/coalitions/willing/commitments", "/v1/countries/GB/commitments",
                "/v1/subjects/willing/pledge/ground-troops", "/v1/subjects/willing/pledge/ground-troops/history",
                "/v1/coalitions/willing/timeline",
            )
        ]  # fmt: skip
        before = [client.get(address).content for address in addresses]
        note(client, said, "corrections", {"changes": {"subject": "air", "actors": ["FR"]}, "reason": "entry_error"})
        note(client, said, "retraction", {"reason": "legal"})
        post(client, pledge(on="2025-01-01", firmness="ready"))
        register(client, "another")
        assert [client.get(address).content for address in addresses] == before
    with registry_again(database) as client:
        assert [client.get(address).content for address in addresses] == before


def registry_again(url: str) -> Any:
    """The same registry in a new process, as it were: nothing is remembered."""
    return client_of(create_app(settings_for(url)))


# --- read after write -------------------------------------------------------------------------------------------------


def test_what_is_recorded_answers_with_its_event_its_place_and_the_states_it_made(database: str) -> None:
    with registry(database) as client:
        answer = client.post("/v1/statements", json=pledge() | {"actors": ["FR", "UK"]})
        assert answer.status_code == 201
        event = answer.json()["event"]
        assert set(event) >= EVENT_KEYS
        assert event["actors"] == ["FR", "GB"]
        assert answer.headers["Location"] == f"/v1/events/{event['event_id']}"
        assert answer.headers["ETag"] == client.get(answer.headers["Location"]).headers["ETag"]
        assert [one["id"] for one in answer.json()["states"]] == [
            "willing/pledge/ground-troops/FR", "willing/pledge/ground-troops/GB",
        ]  # fmt: skip
        assert all(set(one) >= COMMITMENT_KEYS for one in answer.json()["states"])


def test_reading_right_after_writing_sees_it(database: str) -> None:
    with registry(database) as client:
        for number in range(10):
            made = post(client, pledge(slug=f"number-{number}"))
            found = get(client, f"/v1/subjects/willing/pledge/number-{number}")
            assert found["basis"]["known_position"] >= made["event"]["position"]
            (item,) = found["items"]
            assert item["statements"] == made["states"][0]["statements"]


def test_the_states_of_a_write_equal_those_that_are_read(database: str) -> None:
    with registry(database) as client:
        post(client, statement("ceasefire.took_effect", subject="truce", actors=[]))
        made = post(client, pledge(conditions=[{"kind": "ceasefire_in_force"}]))
        (state,) = made["states"]
        assert state["conditions"][0]["status"] == "met"
        (read,) = get(client, "/v1/subjects/willing/pledge/ground-troops")["items"]
        assert read == state
        (listed,) = get(client, "/v1/coalitions/willing/pledges")["items"]
        assert listed == state


def _in_days(number: int) -> Json:
    day = datetime.now(UTC).date() + timedelta(days=number)
    return {"edtf": day.isoformat(), "basis": "stated"}


@pytest.mark.parametrize(
    ("begins", "ends", "status"),
    [(-9, None, "met"), (-9, 3, "outstanding"), (1, 3, "outstanding"), (3, None, "met"), (3, 7, "met")],
)
def test_a_statement_dated_in_the_future_is_answered_with_the_ceasefires_of_that_day(
    database: str, begins: int, ends: int | None, status: str
) -> None:
    """It is dated in five days; the ceasefire begins and ends in so many."""
    with registry(database) as client:
        post(client, statement("ceasefire.took_effect", subject="truce", actors=[], occurred=_in_days(begins)))
        if ends is not None:
            post(client, statement("ceasefire.ended", subject="truce", actors=[], occurred=_in_days(ends)))
        said = pledge(conditions=[{"kind": "ceasefire_in_force"}]) | {"occurred": _in_days(5)}
        tried = client.post("/v1/statements?dry_run=true", json=said).json()
        made = post(client, said)
        (read,) = get(client, f"/v1/subjects/willing/pledge/ground-troops?as_of={said['occurred']['edtf']}")["items"]

    assert made["states"] == [read]
    for (state,) in (tried["states"], made["states"]):
        assert state["conditions"][0]["status"] == status


def test_a_batch_is_recorded_in_order_with_all_its_states(database: str) -> None:
    with registry(database) as client:
        made = post(client, [pledge("FR"), pledge("GB")], "/v1/statements/batch")
        assert [one["position"] for one in made["events"]] == [2, 3]
        assert len(made["states"]) == 2


def test_a_coalition_is_registered_under_its_slug(database: str) -> None:
    with registry(database, coalition=None) as client:
        force = {"name": "Force", "aliases": ["F"]}
        content: Json = {"slug": "friends", "name": "Friends", "aliases": ["F-group"], "force": force}
        post(client, content, "/v1/coalitions")
        found = get(client, "/v1/coalitions/friends")
        assert {"slug", "name", "aliases", "force", "first_event", "last_event"} <= set(found)
        assert (found["slug"], found["aliases"], found["force"]) == ("friends", ["F-group"], force)
        assert (found["first_event"], found["last_event"]) == (None, None)
        post(client, pledge() | {"coalition": "friends"})
        assert get(client, "/v1/coalitions/friends")["last_event"] == "2025-07-10T23:59:59.999999Z"


def test_a_retry_with_its_key_gets_the_same_answer_and_records_once(database: str) -> None:
    with registry(database) as client:
        first = client.post("/v1/statements", json=pledge(), headers={"Idempotency-Key": '"one"'})
        again = client.post("/v1/statements", json=pledge(), headers={"Idempotency-Key": "one"})
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first.headers
        assert (again.headers["Location"], again.headers["ETag"]) == (first.headers["Location"], first.headers["ETag"])
        assert get(client, "/v1/events?after=2")["items"] == []


def test_retries_that_arrive_at_once_record_once_and_none_is_lost(database: str) -> None:
    with registry(database) as client, ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(
                lambda _: client.post("/v1/statements", json=pledge(), headers={"Idempotency-Key": "k"}), range(24)
            )
        )
        done = [one for one in found if one.status_code == 201]
        assert len({one.content for one in done}) == 1
        for one in found:
            assert one.status_code in (201, 409)
            assert one.status_code == 201 or int(one.headers["Retry-After"]) > 0
        assert get(client, "/v1/events?after=2")["items"] == []


def test_every_note_on_the_record_answers_like_a_statement_and_changes_the_etag(database: str) -> None:
    with registry(database) as client:
        said = post(client, pledge())["event"]["event_id"]
        other = post(client, pledge(firmness="ready"))["event"]["event_id"]
        etags = {client.get(f"/v1/events/{said}").headers["ETag"]}
        reason = {"reason": "better_source"}
        notes: list[tuple[str, Json]] = [
            ("corrections", {"changes": {"summary": "Better."}, **reason}),
            ("sources", {"sources": [{"title": "Another"}]}),
            ("disputes", {"rivals": [{"event_id": other}]}),
            ("duplicates", {"original": other}),
            ("retraction", reason),
            ("reinstatement", reason),
        ]
        for what, content in notes:
            made = note(client, said, what, content)
            assert EVENT_KEYS | {"target"} <= set(made["event"])
            assert "states" in made
            etags.add(client.get(f"/v1/events/{said}").headers["ETag"])
        assert len(etags) == len(notes) + 1
        found = get(client, f"/v1/events/{said}")
        assert [one["kind"] for one in found["record"]] == [
            "record.corrected", "record.sourced", "record.disputed", "record.duplicate", "record.retracted",
            "record.reinstated",
        ]  # fmt: skip
        assert (found["event"]["summary"], found["effective"]["summary"]) == (statement()["summary"], "Better.")
        assert (found["corrected"], found["retracted"], found["duplicate_of"]) == (True, False, other)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["UK", "GBR", "Britain", "gb", "United%20Kingdom", "Великобритания"])
def test_another_name_of_a_country_leads_to_its_code(filled: TestClient, name: str) -> None:
    answer = filled.get(f"/v1/countries/{name}/commitments?as_of=2025-07-10", follow_redirects=False)
    assert answer.status_code == 308
    assert answer.headers["Location"] == "/v1/countries/GB/commitments?as_of=2025-07-10"
    assert answer.json() == {
        "detail": "A country is asked for by its code, which is GB here. Follow `url`, as `curl -L` does.",
        "url": answer.headers["Location"],
    }
    table = filled.get(f"/v1/countries/{name}/commitments.csv", follow_redirects=False)
    assert table.json()["url"] == table.headers["Location"] == "/v1/countries/GB/commitments.csv"
    followed = filled.get(f"/v1/countries/{name}/commitments")
    assert followed.json()["country"]["code"] == "GB"


@pytest.mark.parametrize(
    ("name", "sentence"), [("Germny", "Near to it: Germany (DE)"), ("org:nato", "?country= takes others")]
)
def test_what_is_no_country_is_not_found_and_told_what_to_ask_instead(
    filled: TestClient, name: str, sentence: str
) -> None:
    answer = filled.get(f"/v1/countries/{name}/commitments")
    assert answer.status_code == 404
    assert sentence in answer.json()["detail"]


@pytest.mark.parametrize("family", ["pledges", "positions", "warnings", "meetings", "ceasefires"])
def test_the_first_three_parts_of_an_id_are_the_address_of_its_subject(filled: TestClient, family: str) -> None:
    states = filled.get(f"/v1/coalitions/willing/{family}").json()["items"]
    assert states
    for one in states:
        address = "/".join(one["id"].split("/")[:3])
        assert one["id"] in [found["id"] for found in filled.get(f"/v1/subjects/{address}").json()["items"]]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/coalitions/willing/commitments", "/v1/coalitions/willing/commitments.atom",
        "/v1/coalitions/willing/timeline", "/v1/events/stream",
    ],
)  # fmt: skip
def test_a_filter_by_an_actor_that_nobody_knows_is_refused_alike_everywhere_with_the_nearest_names(
    filled: TestClient, path: str
) -> None:
    for named, sentence in (("Germny", "Near to it: Germany (DE)"), ("", "Send a country's ISO code or name")):
        refused = filled.get(path, params={"country": named})
        assert refused.status_code == 400, refused.text
        (fault,) = refused.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("/query/country", "unknown_actor")
        assert sentence in fault["detail"] == refused.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/coalitions/willing/timeline", "/v1/events/stream"])
def test_a_filter_by_a_kind_that_there_is_not_is_refused_alike_everywhere(filled: TestClient, path: str) -> None:
    refused = filled.get(path, params={"kind": "pledge.broken"})
    assert refused.status_code == 400, refused.text
    (fault,) = refused.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/query/kind", "unknown_kind")
    assert "pledge.stated" in fault["detail"] == refused.json()["detail"]


def test_an_actor_in_a_body_that_nobody_knows_has_the_code_that_a_filter_has(filled: TestClient) -> None:
    for path, body, pointer in (
        ("/v1/statements", statement(actors=["FR", "Germny"]), "/actors/1"),
        ("/v1/webhooks", {"url": "https://example.org/hook", "country": "Germny"}, "/country"),
    ):
        refused = filled.post(path, json=body)
        assert refused.status_code == 422, refused.text
        (fault,) = refused.json()["errors"]
        assert (fault["pointer"], fault["code"]) == (pointer, "unknown_actor")
        assert "Near to it: Germany (DE)" in fault["detail"]


def test_actors_are_found_by_code_name_or_alias(filled: TestClient) -> None:
    for sought in ("GB", "Britain", "GBR", "Royaume-Uni"):
        assert "GB" in [one["code"] for one in get(filled, f"/v1/actors?q={sought}")["items"]], sought


# --- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["DE", "EE", "FR", "GB", "PL"]),
        ("country=GB", ["GB"]),
        ("country=Britain", ["GB"]),
        ("country=US", []),
        ("category=financial", ["DE"]),
        ("firmness=announced", ["DE", "EE", "GB"]),
        ("min_firmness=announced", ["DE", "EE", "FR", "GB"]),
        ("min_firmness=ruled_out", ["DE", "EE", "FR", "GB", "PL"]),
        ("status=lapsed", ["DE"]),
        ("status=conditional", ["GB"]),
        ("status=partly_delivered", ["FR"]),
        ("stale=true", ["EE"]),
        ("stale=false&category=ground_troops", ["FR", "GB", "PL"]),
    ],
)
def test_commitments_are_filtered(filled: TestClient, query: str, expected: list[str]) -> None:
    assert codes(filled, query) == expected


def test_what_is_possible_is_listed_apart_from_what_is_definite(filled: TestClient) -> None:
    found = get(filled, "/v1/coalitions/willing/commitments?as_of=2026-02-10")
    assert "LT" not in [one["actor"]["code"] for one in found["items"]]
    (possible,) = found["possible"]
    assert (possible["subject"], possible["occurred"]) == ("willing/pledge/ground-troops/LT", "2026-02")
    assert set(possible["state"]) >= COMMITMENT_KEYS


def test_what_is_possible_is_filtered_like_what_is_definite(database: str) -> None:
    with registry(database) as client:
        post(client, pledge(on="2025-11"))
        post(client, statement("ceasefire.proposed", subject="truce", occurred={"edtf": "2025-11", "basis": "stated"}))
        for query, count in (("country=GB", 1), ("country=FR", 0), ("", 1)):
            found = get(client, f"/v1/coalitions/willing/commitments?as_of=2025-11-10&{query}")
            assert [one["subject"] for one in found["possible"]] == ["willing/pledge/ground-troops/GB"] * count


def timeline(client: TestClient, query: str) -> list[tuple[str, str]]:
    found = get(client, f"/v1/coalitions/willing/timeline?as_of=2026-01-01&{query}")
    return [(one["kind"], one["occurred"]["edtf"]) for one in found["items"]]


def test_a_timeline_is_in_the_order_of_what_occurred(filled: TestClient) -> None:
    days = [day for _, day in timeline(filled, "")]
    assert days == sorted(days)
    assert days[0] == "2024-01-10"
    assert len(days) == 16


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("kind=pledge", 6),
        ("kind=pledge.delivered", 1),
        ("country=FR", 2),
        ("country=Britain", 5),
        ("from=2025", 15),
        ("to=2024", 1),
        ("from=2024-01-10&to=2024-01-10", 1),
        ("q=bRIGADES", 1),
        ("q=nothing%20of%20the%20kind", 0),
        ("kind=meeting&country=GB", 0),
    ],
)
def test_a_timeline_is_filtered(filled: TestClient, query: str, count: int) -> None:
    assert len(timeline(filled, query)) == count


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["commitments", "pledges", "timeline"])
def test_pages_agree_while_the_log_grows(database: str, path: str) -> None:
    with registry(database) as client:
        for number in range(5):
            post(client, pledge(slug=f"b-{number}"))
        seen: list[str] = []
        positions = set()
        address = f"/v1/coalitions/willing/{path}?limit=2"
        after = ""
        while True:
            found = get(client, address + after)
            assert len(found["items"]) <= 2
            seen += [one.get("id") or one["subject"] for one in found["items"]]
            positions.add((found["basis"]["known_position"], found["basis"]["as_of"]))
            post(client, pledge(slug="a-new"))
            post(client, pledge(slug="z-new"))
            if found["next"] is None:
                break
            after = f"&after={found['next']}"
        assert [one.split("/")[-2] if "/" in one else one for one in seen] == [f"b-{number}" for number in range(5)]
        assert len(positions) == 1


def test_a_page_as_long_as_the_list_is_the_last(filled: TestClient) -> None:
    assert get(filled, "/v1/coalitions/willing/meetings?limit=3")["next"] is None
    assert get(filled, "/v1/coalitions/willing/meetings?limit=2")["next"] is not None


def test_the_address_of_a_pages_basis_repeats_that_page(filled: TestClient) -> None:
    first = get(filled, "/v1/coalitions/willing/commitments?limit=2")
    second = filled.get(f"/v1/coalitions/willing/commitments?limit=2&after={first['next']}")
    assert filled.get(second.json()["basis"]["url"]).content == second.content


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_difference_says_what_moved_and_what_was_learned_and_why(database: str) -> None:
    with registry(database) as client:
        said = post(client, pledge(on="2025-03-01"))["event"]
        moved = post(client, pledge(on="2025-06-01", firmness="committed"))["event"]
        changes = {"changes": {"body": {"description": "A battalion."}}, "reason": "entry_error"}
        learned = note(client, said["event_id"], "corrections", changes)["event"]
        query = f"from=2025-03-01&to=2025-07-01&from_position={moved['position']}&to_position={learned['position']}"
        found = get(client, f"/v1/coalitions/willing/changes?{query}")
        rows = {one["because"]: one for one in found["items"]}
        assert set(rows) == {"learned", "moved"}
        for row in rows.values():
            assert {"subject", "before", "after", "because", "causes"} <= set(row)
            assert row["subject"] == "willing/pledge/ground-troops/GB"
        assert (rows["learned"]["before"]["description"], rows["learned"]["after"]["description"]) == (
            None, "A battalion.",
        )  # fmt: skip
        assert (rows["moved"]["before"]["firmness"], rows["moved"]["after"]["firmness"]) == ("announced", "committed")
        assert [one["event_id"] for one in rows["learned"]["causes"]] == [learned["event_id"]]
        assert [one["event_id"] for one in rows["moved"]["causes"]] == [moved["event_id"]]
        assert set(found["from"]) == set(found["to"]) == BASIS_KEYS
        assert get(client, found["to"]["url"]) == found


def test_time_alone_moves_what_nothing_was_recorded_of(database: str) -> None:
    with registry(database) as client:
        post(client, pledge(deadline="2025-09-01"))
        (row,) = get(client, "/v1/coalitions/willing/changes?from=2025-08-01&to=2025-10-01")["items"]
        assert (row["because"], row["before"]["status"], row["after"]["status"]) == ("moved", "standing", "lapsed")
        assert row["causes"] == []


def test_between_a_point_and_itself_nothing_changes(filled: TestClient) -> None:
    assert get(filled, "/v1/coalitions/willing/changes?from=2025-08-01&to=2025-08-01")["items"] == []


# --- the log and the history ------------------------------------------------------------------------------------------


def test_the_log_is_read_in_order_as_cloudevents(filled: TestClient) -> None:
    read: list[Json] = []
    after: int | None = 0
    while after is not None:
        found = get(filled, f"/v1/events?after={after}&limit=7")
        read += found["items"]
        after = found["next"]
    assert [one["position"] for one in read] == list(range(1, 21))
    for one in read:
        assert {"specversion", "id", "source", "type", "time", "datacontenttype", "position", "data"} <= set(one)
        assert (one["specversion"], one["datacontenttype"]) == ("1.0", "application/json")
        assert one["data"]["kind"] == one["type"]
        assert one["source"] == f"/v1/coalitions/{one['data']['coalition']}"
    assert read[2]["subject"] == "ground-troops"
    times = [one["time"] for one in read]
    assert times == sorted(set(times))


def test_a_history_has_every_event_and_every_state_on_both_axes(database: str) -> None:
    with registry(database) as client:
        said = post(client, pledge(on="2025-03-01"))["event"]["event_id"]
        note(client, said, "corrections", {"changes": {"body": {"firmness": "ready"}}, "reason": "entry_error"})
        found = get(client, "/v1/subjects/willing/pledge/ground-troops/history")
        assert [one["kind"] for one in found["events"]] == ["pledge.stated", "record.corrected"]
        definite = [one for one in found["states"] if one["state"]]
        assert [(one["known_from"], one["known_to"], one["state"]["firmness"]) for one in definite] == [
            (2, 3, "announced"), (3, None, "ready"),
        ]  # fmt: skip
        assert all({"subject", "valid_from", "valid_to"} <= set(one) for one in found["states"])
        earlier = get(client, "/v1/subjects/willing/pledge/ground-troops/history?as_of=2026-01-01&known_position=2")
        assert len(earlier["events"]) == 1
        assert {one["known_to"] for one in earlier["states"]} == {None}


def test_known_then_answers_what_was_known_then(database: str) -> None:
    with registry(database) as client:
        first = post(client, pledge())["event"]
        second = post(client, pledge(on="2025-08-01", firmness="committed"))["event"]
        address = "/v1/countries/GB/commitments?as_of=2026-01-01&known_at="
        for event, firmness in ((first, "announced"), (second, "committed")):
            found = get(client, address + event["recorded_at"])
            assert [one["firmness"] for one in found["commitments"]] == [firmness]
            assert (found["basis"]["known_position"], found["basis"]["known_at"]) == (
                event["position"], event["recorded_at"],
            )  # fmt: skip
        assert get(client, address + "2020-01-01T00:00:00Z")["basis"]["known_position"] == 0


def test_the_address_of_a_basis_names_both_axes_and_keeps_every_filter(filled: TestClient) -> None:
    last = get(filled, "/v1/events?limit=500")["items"][-1]
    found = get(filled, f"/v1/coalitions/willing/commitments?country=Britain&known_at={last['time']}")
    query = parse_qs(urlsplit(found["basis"]["url"]).query)
    assert set(query) == {"as_of", "known_position", "country"}
