"""A page's past by header: whoever speaks RFC 7089 is led to what was known when, and to a list of all of it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from hypothesis import given
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from service.api.past import LinkSet
from service.main import create_app
from tests.conftest import fresh_database
from tests.judging import bench
from tests.profiles import histories as so_many
from tests.registry import Json, client_of, note, post, registry, settings_for, statement
from tests.strategies import History, histories

STATUS, COUNTRY = "/v1/coalitions/willing/status", "/v1/countries/GB/commitments"
PAGES = [STATUS, COUNTRY, f"{COUNTRY}?coalition=willing"]
LINKS, LINKSET = "application/link-format", "application/linkset+json"
OF_A_REQUEST = {"x-request-id", "ratelimit", "ratelimit-policy"}
FIRST = datetime(2025, 9, 1, 12, tzinfo=UTC)


class Link(NamedTuple):
    """A link, as RFC 6690 and RFC 8288 write it."""

    address: str
    attributes: dict[str, str]

    @property
    def relations(self) -> set[str]:
        """What it is to the page."""
        return set(self.attributes["rel"].split())


_LINK = re.compile(r'<([^<>"\s]*)>((?:; [a-z]+="[^"]*")*)(?:,\s|\Z)')
_ATTRIBUTE = re.compile(r'; ([a-z]+)="([^"]*)"')


def parse_links(text: str) -> list[Link]:
    """Links, strictly: nothing may stand between or after them."""
    found, at = [], 0
    while at < len(text):
        match = _LINK.match(text, at)
        assert match, f"no link at {text[at:]!r}"
        attributes = _ATTRIBUTE.findall(match[2])
        assert len(dict(attributes)) == len(attributes), "no attribute comes twice"
        found.append(Link(match[1], dict(attributes)))
        at = match.end()
    return found


def related(links: list[Link], relation: str) -> list[str]:
    """The addresses that have a relation to the page."""
    return [one.address for one in links if relation in one.relations]


def spread(url: str, apart: timedelta = timedelta(seconds=10)) -> dict[int, datetime]:
    """Lets the events of a log have been recorded so far apart, as if years of work stood in it; answers when each was.

    Only the owner of the tables can do that, and `./run verify` would find out.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.execute("ALTER TABLE event DISABLE TRIGGER ALL")
        connection.execute("UPDATE event SET recorded_at = %s + position * %s::interval", (FIRST, apart))
        connection.execute("UPDATE log_head SET recorded_at = %s + size * %s::interval", (FIRST, apart))
        connection.execute("ALTER TABLE event ENABLE TRIGGER ALL")
        return dict(connection.execute("SELECT position, recorded_at FROM event").fetchall())


def http_date(instant: datetime) -> str:
    """An instant as HTTP writes it."""
    return format_datetime(instant, usegmt=True)


def ask(client: TestClient, page: str, at: datetime | str, **headers: str) -> Any:
    """A page as of a date in `Accept-Datetime`, without following where it leads."""
    date = at if isinstance(at, str) else http_date(at)
    return client.get(page, headers={"Accept-Datetime": date, **headers}, follow_redirects=False)


def lasting(answer: Any) -> dict[str, str]:
    """The headers of an answer, without those that each request has of its own."""
    return {name: value for name, value in answer.headers.items() if name not in OF_A_REQUEST}


def point_of(address: str) -> tuple[str, int]:
    """The point that a memento's address names."""
    query = parse_qs(urlsplit(address).query)
    return query["as_of"][0], int(query["known_position"][0])


@pytest.fixture(scope="module")
def told(server_url: str, template: str) -> Iterator[tuple[TestClient, dict[int, datetime]]]:
    """A registry with a correction, a retraction, a ceasefire, and something that is none of Britain's business."""
    with fresh_database(server_url, template) as url, registry(url) as client:
        conditions = [{"kind": "ceasefire_in_force"}]
        body = {"category": "ground_troops", "firmness": "announced", "conditions": conditions}
        post(client, statement("ceasefire.proposed", subject="truce", actors=["US"]))  # 2
        said = post(client, statement(body=body))["event"]["event_id"]  # 3
        post(client, statement(actors=["FR"]))  # 4
        note(
            client, said, "corrections", {"changes": {"body": {"firmness": "committed"}}, "reason": "entry_error"}
        )  # 5
        post(client, statement("ceasefire.took_effect", subject="truce", actors=[]))  # 6
        note(client, said, "retraction", {"reason": "entry_error"})  # 7
        post(client, {"slug": "other", "name": "Other"}, "/v1/coalitions")  # 8
        yield client, spread(url)


def test_the_page_leads_to_its_past_and_says_that_it_answers_by_date(told: Any) -> None:
    client, _ = told
    for page in PAGES:
        found = client.get(page)
        links = parse_links(found.headers["Link"])
        path, _, query = page.partition("?")

        assert (found.status_code, "Memento-Datetime" in found.headers) == (200, False)
        assert related(links, "original") == related(links, "timegate") == [page]
        assert related(links, "timemap") == [f"{path}/timemap" + (f"?{query}" if query else "")]
        assert "accept-datetime" in found.headers["Vary"].lower()
        again = client.get(page, headers={"If-None-Match": found.headers["ETag"]})
        assert again.status_code == 304
        assert (again.headers["Vary"], again.headers["Link"]) == (found.headers["Vary"], found.headers["Link"])


def test_a_date_leads_to_what_was_known_by_then_about_that_very_moment(told: Any) -> None:
    client, recorded_at = told
    for page, expected in {
        STATUS: {2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 7},
        COUNTRY: {3: 3, 4: 3, 5: 5, 6: 6, 7: 7, 8: 7},
    }.items():
        for position, memento in expected.items():
            led = ask(client, page, recorded_at[position])
            end_of_the_second = recorded_at[position].strftime("%Y-%m-%dT%H:%M:%S.999999Z")
            assert led.status_code == 302
            assert point_of(led.headers["Location"]) == (end_of_the_second, memento), (page, position)
            assert "Memento-Datetime" not in led.headers
            assert "accept-datetime" in led.headers["Vary"].lower()

            found = client.get(led.headers["Location"])
            assert found.headers["Memento-Datetime"] == http_date(recorded_at[memento])
            assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert related(parse_links(found.headers["Link"]), "original") == [page]
            assert "datetime" not in found.headers["Vary"].lower()
            assert found.json()["basis"]["known_position"] == memento


def test_whoever_follows_with_the_header_still_in_hand_arrives(told: Any) -> None:
    client, recorded_at = told
    date = http_date(recorded_at[5] + timedelta(seconds=3))
    found = client.get(COUNTRY, headers={"Accept-Datetime": date}, follow_redirects=True)

    assert [one.status_code for one in found.history] == [302]
    assert found.headers["Memento-Datetime"] == http_date(recorded_at[5])
    assert [one["firmness"] for one in found.json()["commitments"]] == ["committed"]


def test_before_the_first_is_the_first_and_after_the_last_is_the_last(told: Any) -> None:
    client, recorded_at = told
    early = ask(client, COUNTRY, "Sun, 06 Nov 1994 08:49:37 GMT")
    late = ask(client, COUNTRY, "Thu, 31 Dec 2099 23:59:59 GMT")
    at = recorded_at[3].strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    assert (early.status_code, point_of(early.headers["Location"])) == (302, (at, 3))
    assert (late.status_code, point_of(late.headers["Location"])[1]) == (302, 7)
    assert client.get(late.headers["Location"]).status_code == 200
    assert late.json()["url"] == late.headers["Location"]
    assert late.json()["detail"].startswith("The page as it was known then has an address of its own.")


def test_the_way_names_the_mementos_around_it(told: Any) -> None:
    client, recorded_at = told
    links = parse_links(ask(client, COUNTRY, recorded_at[5]).headers["Link"])
    around = {name: [point_of(one)[1] for one in related(links, name)] for name in ("first", "prev", "next", "last")}

    assert around == {"first": [3], "prev": [3], "next": [6], "last": [7]}
    assert [point_of(one)[1] for one in related(links, "memento")] == [3, 5, 6, 7]
    for one in links:
        if "memento" in one.relations:
            found = client.get(one.address)
            assert found.headers["Memento-Datetime"] == one.attributes["datetime"]


def test_a_question_about_a_day_is_led_to_what_was_known_of_that_day(told: Any) -> None:
    client, recorded_at = told
    led = ask(client, f"{COUNTRY}?as_of=2025-08-01&coalition=willing", recorded_at[4])

    assert point_of(led.headers["Location"]) == ("2025-08-01T23:59:59.999999Z", 3)
    assert "coalition=willing" in led.headers["Location"]
    around = [one.address for one in parse_links(led.headers["Link"]) if "memento" in one.relations]
    assert {point_of(address)[0] for address in around} == {"2025-08-01T23:59:59.999999Z"}
    assert client.get(led.headers["Location"]).json()["commitments"][0]["firmness"] == "announced"


@pytest.mark.parametrize(
    "date",
    [
        "", "yesterday", "2025-06-01T12:00:00Z", "Mon, 01 Jun 2025 12:00:00 GMT", "Sun, 01 Jun 2025 12:00:00 +0000",
        "Sun, 31 Jun 2025 12:00:00 GMT", "Sun, 1 Jun 2025 12:00:00 GMT", "Sunday, 01-Jun-25 12:00:00 GMT",
        "Sun, 01 Jun 2025 12:00:00 GMT, Sun, 01 Jun 2025 12:00:00 GMT", "Sun, 01 Jun 2025 12:00:00",
    ],
)  # fmt: skip
def test_what_is_no_date_of_http_is_refused(told: Any, date: str) -> None:
    client, _ = told
    for page in PAGES:
        refused = ask(client, page, date)
        assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
        assert [one["pointer"] for one in refused.json()["errors"]] == ["/header/accept-datetime"]


@pytest.mark.parametrize("point", ["known_position=3", "known_at=2025-06-01T12:00:00Z"])
def test_a_date_and_a_point_of_knowledge_exclude_each_other(told: Any, point: str) -> None:
    client, recorded_at = told
    for page in (STATUS, COUNTRY):
        refused = ask(client, f"{page}?{point}", recorded_at[5])
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "ambiguous")


def test_a_page_without_a_past_says_so(told: Any) -> None:
    client, recorded_at = told
    for page in ("/v1/countries/FJ/commitments", "/v1/coalitions/unheard/status", f"{COUNTRY}?coalition=other"):
        path, _, query = page.partition("?")
        assert ask(client, page, recorded_at[5]).status_code == 404
        assert client.get(f"{path}/timemap?{query}".rstrip("?")).status_code == 404


def test_a_table_is_led_to_the_same_table_of_then(told: Any) -> None:
    client, recorded_at = told
    led = ask(client, f"{COUNTRY}.csv", recorded_at[4])
    found = client.get(led.headers["Location"])

    assert urlsplit(led.headers["Location"]).path == f"{COUNTRY}.csv"
    assert related(parse_links(led.headers["Link"]), "original") == [COUNTRY]
    assert (found.status_code, found.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert found.headers["Memento-Datetime"] == http_date(recorded_at[3])


def test_from_memory_a_memento_is_the_same_with_all_its_headers(told: Any) -> None:
    client, recorded_at = told
    address = ask(client, STATUS, recorded_at[6]).headers["Location"]
    del client.headers["Authorization"]  # what is asked with a token is never answered from memory
    first, second = client.get(address), client.get(address, headers={"Accept-Datetime": http_date(recorded_at[2])})
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})

    assert (first.content, lasting(first)) == (second.content, lasting(second))
    assert (again.status_code, again.headers["Memento-Datetime"]) == (304, http_date(recorded_at[6]))
    assert again.headers["Link"] == first.headers["Link"]


def test_a_list_of_mementos_names_the_type_that_it_is_in(told: Any) -> None:
    client, _ = told
    assert f'type="{LINKS}"' in client.get(f"{STATUS}/timemap").text
    assert f'"type":"{LINKSET}"' in client.get(f"{STATUS}/timemap.json").text


def test_the_head_alone_says_the_same(told: Any) -> None:
    client, recorded_at = told
    address = ask(client, STATUS, recorded_at[6]).headers["Location"]
    for asked in (address, f"{STATUS}?as_of=2026-01-01", f"{STATUS}/timemap", "/v1/events"):
        whole, head = client.get(asked), client.head(asked)
        assert (head.status_code, head.content, lasting(head)) == (200, b"", lasting(whole)), asked
    led = client.head(STATUS, headers={"Accept-Datetime": http_date(recorded_at[6])}, follow_redirects=False)
    assert (led.status_code, led.headers["Location"]) == (302, address)
    assert client.head("/v1/statements").status_code == 405


# --- the list of mementos ---------------------------------------------------------------------------------------------


def test_the_list_has_every_memento_and_each_is_what_it_says(told: Any) -> None:
    client, recorded_at = told
    for page, positions in {STATUS: [1, 2, 3, 4, 5, 6, 7], COUNTRY: [3, 5, 6, 7]}.items():
        answer = client.get(f"{page}/timemap")
        links = parse_links(answer.text)
        mementos = [one for one in links if "memento" in one.relations]

        assert answer.headers["Content-Type"] == LINKS
        assert related(links, "original") == related(links, "timegate") == [page]
        (own,) = [one for one in links if "self" in one.relations]
        assert own == Link(f"{page}/timemap", {
            "rel": "self", "type": LINKS, "from": http_date(recorded_at[positions[0]]),
            "until": http_date(recorded_at[positions[-1]]),
        })  # fmt: skip
        assert [point_of(one.address)[1] for one in mementos] == positions
        assert [point_of(one)[1] for name in ("first", "last") for one in related(links, name)] == [
            positions[0], positions[-1],
        ]  # fmt: skip
        for one, position in zip(mementos, positions, strict=True):
            found = client.get(one.address)
            assert found.headers["Memento-Datetime"] == one.attributes["datetime"] == http_date(recorded_at[position])


@pytest.mark.parametrize(
    ("suffix", "accept", "expected"),
    [
        ("", "*/*", LINKS), ("", LINKS, LINKS), ("", LINKSET, LINKSET), ("", "application/json", LINKSET),
        (".json", "*/*", LINKSET), ("", f"{LINKS};q=0.4, {LINKSET};q=0.6", LINKSET),
        ("", f"{LINKSET};q=0.4, {LINKS}", LINKS),
    ],
)  # fmt: skip
def test_the_list_comes_as_links_or_as_a_set_of_links(told: Any, suffix: str, accept: str, expected: str) -> None:
    client, _ = told
    found = client.get(f"{COUNTRY}/timemap{suffix}", headers={"Accept": accept})
    assert (found.status_code, found.headers["Content-Type"]) == (200, expected)
    again = client.get(f"{COUNTRY}/timemap{suffix}", headers={"Accept": accept, "If-None-Match": found.headers["ETag"]})
    assert again.status_code == 304


def test_both_lists_say_the_same_but_their_own_type(told: Any) -> None:
    client, _ = told
    links = parse_links(client.get(f"{COUNTRY}/timemap").text)
    answer = client.get(f"{COUNTRY}/timemap", headers={"Accept": LINKSET})
    TypeAdapter(LinkSet).validate_json(answer.content)
    ((context,),) = answer.json().values()
    expected: Json = {"anchor": COUNTRY}
    for one in links:
        attributes = {
            name: LINKSET if name == "type" else [value] for name, value in one.attributes.items() if name != "rel"
        }  # each names its own type
        for relation in one.attributes["rel"].split():
            expected.setdefault(relation, []).append({"href": one.address, **attributes})
    assert context == expected


def test_a_long_list_leads_to_its_rest_and_its_parts_are_the_whole(told: Any) -> None:
    client, _ = told
    whole = related(parse_links(client.get(f"{STATUS}/timemap").text), "memento")
    address, parts, firsts, lasts = f"{STATUS}/timemap?limit=3", list[str](), 0, 0
    while address:
        links = parse_links(client.get(address).text)
        parts += related(links, "memento")
        firsts += len(related(links, "first"))
        lasts += len(related(links, "last"))
        others = [one for one in related(links, "timemap") if one != address]
        address = others[0] if others else ""
    assert (parts, firsts, lasts) == (whole, 1, 1)
    assert len(whole) == 7


def test_a_list_is_not_served_as_a_table_nor_with_unknown_parameters(told: Any) -> None:
    client, _ = told
    assert client.get(f"{STATUS}/timemap.csv").status_code == 404
    assert client.get(f"{STATUS}/timemap?as_of=2025").status_code == 400
    moved = client.get("/v1/countries/Britain/commitments/timemap?limit=2", follow_redirects=False)
    assert (moved.status_code, moved.headers["Location"]) == (308, "/v1/countries/GB/commitments/timemap?limit=2")


# --- real histories ---------------------------------------------------------------------------------------------------


@contextmanager
def reading(url: str) -> Iterator[TestClient]:
    """A client of a registry that was just started."""
    with client_of(create_app(settings_for(url)), token=None) as client:
        yield client


def without_basis(answer: Any) -> Json:
    """What an answer says, apart from on what basis."""
    return {name: value for name, value in answer.json().items() if name != "basis"}


def test_at_every_position_a_date_leads_to_what_the_answer_pinned_at_that_position_says(database: str) -> None:
    with bench(database) as recorder, reading(database) as client:

        @so_many(12)
        @given(histories(12))
        def holds(history: History) -> None:
            ledger = recorder.record(history)
            recorded_at = spread(database, timedelta(seconds=0.7))  # now and then two within a second
            for page in (f"/v1/coalitions/{ledger.coalition}/status",
                         f"/v1/countries/GB/commitments?coalition={ledger.coalition}"):  # fmt: skip
                _judge_past(client, page, {one: recorded_at[one] for one in ledger.positions})

        holds()


def _judge_past(client: TestClient, page: str, recorded_at: dict[int, datetime]) -> None:
    path, _, query = page.partition("?")
    listed = client.get(f"{path}/timemap?{query}")
    if listed.status_code == 404:  # Britain has no part in it
        assert client.get(page).json()["commitments"] == []
        return
    mementos = {point_of(one)[1]: one for one in related(parse_links(listed.text), "memento")}
    for position, at in recorded_at.items():
        second = at.replace(microsecond=0) + timedelta(seconds=1)
        by_then = max(one for one, when in recorded_at.items() if when < second)
        led = ask(client, page, at).headers["Location"]
        as_of, known = point_of(led)
        found = client.get(led)
        assert known in mementos
        assert found.headers["Memento-Datetime"] == http_date(recorded_at[known])
        if by_then < min(mementos):
            assert known == min(mementos), "before the first is the first"
            continue
        pinned = client.get(page, params={**parse_qs(query), "as_of": as_of, "known_position": by_then})
        assert without_basis(found) == without_basis(pinned), f"{page} at {position}"
        if by_then in mementos:
            assert (known, found.content) == (by_then, pinned.content)
