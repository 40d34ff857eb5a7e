"""Feeds tell what each event changed, of the past too, and what was told once is never told otherwise."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from starlette.testclient import TestClient

from service.main import create_app
from service.web.atom import Entry, Feed, Link, render_feed
from tests.conftest import fresh_database
from tests.judging import bench
from tests.profiles import histories as so_many
from tests.registry import Json, client_of, note, post, registry, settings_for, statement
from tests.strategies import History, histories
from tests.test_mementos import FIRST

ATOM = "{http://www.w3.org/2005/Atom}"
HISTORY = "{http://purl.org/syndication/history/1.0}"
TYPE = "application/atom+xml"
BRITISH = "pledge ground-troops of United Kingdom"
TROOPS = "/v1/subjects/willing/pledge/ground-troops"


class Told(NamedTuple):
    """An entry of a feed, as a reader has it."""

    id: str
    title: str
    text: str
    terms: list[str]
    links: dict[str, list[str]]


def links_of(element: Element) -> dict[str, list[str]]:
    """The addresses of a feed or an entry, by relation, or by title where they have one."""
    found: dict[str, list[str]] = {}
    for link in element.findall(f"{ATOM}link"):
        name = link.attrib.get("title", link.attrib["rel"]).partition(":")[0]
        found.setdefault(name, []).append(link.attrib["href"])
    return found


def text_of(element: Element, name: str) -> str:
    """The text of a part that there is once."""
    (found,) = element.findall(f"{ATOM}{name}")
    assert found.text
    return found.text


def entries_of(feed: Element) -> list[Told]:
    """The entries of a feed, which have all that RFC 4287 asks for."""
    found = []
    for entry in feed.findall(f"{ATOM}entry"):
        assert text_of(entry, "updated")
        terms = [one.attrib["term"] for one in entry.findall(f"{ATOM}category")]
        name, title, text = (text_of(entry, part) for part in ("id", "title", "summary"))
        found.append(Told(name, title, text, terms, links_of(entry)))
    assert len({one.id for one in found}) == len(found), "no entry comes twice"
    return found


def read(client: TestClient, address: str, **headers: str) -> Element:
    """A feed, parsed."""
    answer = client.get(address, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, f"{TYPE}; charset=utf-8"), answer.text
    feed = fromstring(answer.content)
    assert feed.tag == f"{ATOM}feed"
    for name in ("id", "title", "updated", "rights"):
        text_of(feed, name)
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    assert len(links_of(feed)["self"]) == 1
    return feed


def told(client: TestClient, address: str) -> list[Told]:
    """The entries of a feed, newest first."""
    return entries_of(read(client, address))


def pledge(day: str, actors: tuple[str, ...] = ("GB",), **terms: Any) -> Json:
    """A pledge of ground troops."""
    body = {"category": "ground_troops", "firmness": "announced", **terms}
    return statement(occurred={"edtf": day, "basis": "stated"}, actors=list(actors), body=body)


def soldiers(count: int) -> Json:
    """So many soldiers."""
    return {"min": count, "max": count, "unit": "persons"}


@pytest.fixture
def client(database: str) -> Iterator[TestClient]:
    """A registry with one coalition."""
    with registry(database) as opened:
        yield opened


def test_an_entry_says_in_a_sentence_who_did_what_from_which_state_to_which_as_of_which_day(client: TestClient) -> None:
    event = post(client, pledge("2025-03-01", ("GB", "FR"), quantity=soldiers(5)))["event"]
    post(client, pledge("2025-06-01", firmness="committed"))
    second, first, registered = told(client, "/v1/coalitions/willing.atom")

    assert first.id == f"urn:uuid:{event['event_id']}"
    assert first.title == (
        "Pledge ground-troops of France and United Kingdom goes from nothing known to announced, 5 persons, "
        "as of 1 March 2025."
    )  # fmt: skip
    assert second.title == (
        "Pledge ground-troops of United Kingdom goes from announced, 5 persons to committed, 5 persons, "
        "as of 1 June 2025."
    )  # fmt: skip
    assert registered.title == "Registered: coalition registration goes from nothing known to Willing."
    assert [one.terms for one in (second, first, registered)] == [
        ["pledge.stated", "moved"], ["pledge.stated", "moved"], ["coalition.registered", "learned"],
    ]  # fmt: skip
    assert first.links["alternate"] == [f"/v1/events/{event['event_id']}"]


def test_late_entries_corrections_retractions_and_reinstatements_are_learned_and_none_vanishes(
    client: TestClient,
) -> None:
    post(client, pledge("2025-03-01", quantity=soldiers(5)))
    post(client, pledge("2025-06-01", firmness="committed"))
    late = post(client, pledge("2025-04-01", quantity=soldiers(9)))["event"]["event_id"]
    note(client, late, "corrections", {"changes": {"body": {"quantity": soldiers(8)}}, "reason": "entry_error"})
    note(client, late, "retraction", {"reason": "entry_error"})
    note(client, late, "reinstatement", {"reason": "other"})
    entries = told(client, f"{TROOPS}.atom")[:4]

    assert [one.title for one in reversed(entries)] == [
        f"Late entry: {BRITISH} goes from announced, 5 persons to announced, 9 persons, as of 1 April 2025.",
        f"Corrected: {BRITISH} goes from announced, 9 persons to announced, 8 persons, as of 1 April 2025.",
        f"Retracted: {BRITISH} goes from announced, 8 persons to announced, 5 persons, as of 1 April 2025.",
        f"Reinstated: {BRITISH} goes from announced, 5 persons to announced, 8 persons, as of 1 April 2025.",
    ]  # fmt: skip
    assert {one.terms[1] for one in entries} == {"learned"}


def test_disputes_duplicates_and_sources_are_entries_even_where_nothing_stands_otherwise(client: TestClient) -> None:
    one = post(client, pledge("2025-03-01"))["event"]["event_id"]
    other = post(client, pledge("2025-03-01", firmness="committed"))["event"]["event_id"]
    dispute = note(client, one, "disputes", {"rivals": [{"event_id": other}]})["event"]["event_id"]
    settled = {"ranks": [{"event_id": one, "rank": "deprecated"}, {"event_id": other, "rank": "preferred"}]}
    post(client, settled, f"/v1/events/{dispute}/settlement")
    note(client, other, "sources", {"sources": [{"title": "Another report"}]})
    copy = post(client, pledge("2025-03-01", firmness="committed"))["event"]["event_id"]
    note(client, copy, "duplicates", {"original": other})
    note(client, copy, "retraction", {"reason": "duplicate_entry"})
    titles = [entry.title for entry in told(client, f"{TROOPS}.atom")]

    assert titles[0] == "Retracted: nothing stands otherwise of pledge ground-troops."
    assert titles[1].startswith(f"Told twice: {BRITISH} stays committed")
    assert titles[3] == f"Further source: {BRITISH} stays committed, as of 1 March 2025."
    assert titles[4].startswith(f"Dispute settled: {BRITISH} goes from ")
    assert ", disputed, as of 1 March 2025." in titles[5]
    assert titles[5].startswith(f"Disputed: {BRITISH} goes from ")


def test_a_correction_of_what_no_state_shows_names_its_subject(client: TestClient) -> None:
    said = post(client, statement())["event"]["event_id"]
    note(client, said, "corrections", {"changes": {"summary": "Better.", "subject": "troops"}, "reason": "entry_error"})
    note(client, said, "corrections", {"changes": {"summary": "Best."}, "reason": "entry_error"})
    idle, moved = told(client, "/v1/coalitions/willing.atom")[:2]

    assert idle.text == "Corrected: nothing stands otherwise of pledge troops."
    assert "Corrected: pledge ground-troops of United Kingdom goes from announced to nothing known" in moved.text
    assert "Corrected: pledge troops of United Kingdom goes from nothing known to announced" in moved.text
    assert moved.title.endswith(" And 1 more.")
    assert told(client, f"{TROOPS}.atom")[0] == idle


def test_what_hangs_on_a_ceasefire_is_told_with_it_in_the_countrys_feed_too(client: TestClient) -> None:
    conditions = [{"kind": "ceasefire_in_force"}]
    post(client, statement("ceasefire.proposed", subject="truce", actors=["US"]))
    post(client, pledge("2025-03-01", ("GB", "PL"), conditions=conditions))
    post(client, pledge("2025-03-01", ("FR",)))
    post(client, statement("ceasefire.answered", subject="truce", actors=["RU"]))
    when = {"edtf": "2025-08-01", "basis": "stated"}
    truce = post(client, statement("ceasefire.took_effect", subject="truce", actors=[], occurred=when))["event"]
    freed = "Pledge ground-troops of Poland and United Kingdom goes from announced, conditional to announced, as of "

    entry = told(client, "/v1/coalitions/willing.atom")[0]
    assert entry.id == f"urn:uuid:{truce['event_id']}"
    assert entry.title == (
        "Ceasefire truce goes from rejected, rejected by Russia to in force, rejected by Russia, as of 1 August 2025. "
        "And 1 more."
    )
    assert freed in entry.text
    british = told(client, "/v1/countries/GB/commitments.atom")
    assert british[0] == entry, "an event is told alike in every feed"
    assert [one.terms[0] for one in british] == ["ceasefire.took_effect", "pledge.stated"]
    assert [one.terms[0] for one in told(client, "/v1/countries/FR/commitments.atom")] == ["pledge.stated"]
    assert [one.terms[0] for one in told(client, f"{TROOPS}.atom")] == [
        "ceasefire.took_effect", "pledge.stated", "pledge.stated",
    ]  # fmt: skip


def test_an_entry_leads_to_the_state_before_and_after(client: TestClient) -> None:
    post(client, pledge("2025-03-01"))
    event = post(client, pledge("2025-06-01", firmness="committed"))["event"]
    entry = told(client, f"{TROOPS}.atom")[0]
    before, after = (client.get(entry.links[name][0]) for name in ("before", "after"))

    assert "immutable" in before.headers["Cache-Control"]
    assert [answer.json()["items"][0]["firmness"] for answer in (before, after)] == ["announced", "committed"]
    assert after.json()["basis"]["known_position"] == event["position"]


@pytest.mark.parametrize(
    "address",
    [
        "/v1/coalitions", "/v1/coalitions/willing", "/v1/coalitions/willing/status",
        "/v1/coalitions/willing/commitments",
        "/v1/coalitions/willing/pledges", "/v1/coalitions/willing/timeline", "/v1/coalitions/willing/changes",
        "/v1/countries/GB/commitments", TROOPS, f"{TROOPS}/history", "/v1/events",
    ],
)  # fmt: skip
def test_every_list_and_view_is_a_feed_by_suffix_and_by_accept(client: TestClient, address: str) -> None:
    post(client, pledge("2025-03-01"))
    by_suffix, by_accept = read(client, f"{address}.atom"), read(client, address, Accept=TYPE)

    assert entries_of(by_suffix) == entries_of(by_accept) != []
    assert text_of(by_suffix, "id") == text_of(by_accept, "id")
    etag = client.get(f"{address}.atom").headers["ETag"]
    assert client.get(f"{address}.atom", headers={"If-None-Match": etag}).status_code == 304
    assert links_of(by_suffix)["alternate"] == [address]


def test_what_does_not_concern_a_feed_leaves_it_as_it_is(client: TestClient) -> None:
    post(client, pledge("2025-03-01"))
    post(client, pledge("2025-03-01", ("FR",), quantity=soldiers(1)))
    kept = client.get("/v1/countries/GB/commitments.atom").headers["ETag"]
    post(client, pledge("2025-05-01", ("FR",)))
    again = client.get("/v1/countries/GB/commitments.atom", headers={"If-None-Match": kept})
    assert again.status_code == 304
    assert client.get("/v1/countries/GB/commitments.atom?coalition=willing").status_code == 200
    ids = {text_of(read(client, f"/v1/countries/{code}/commitments.atom"), "id") for code in ("GB", "FR", "FJ")}
    assert len(ids) == 3
    assert told(client, "/v1/countries/FJ/commitments.atom") == []
    assert len(told(client, "/v1/coalitions/willing/commitments.atom?country=GB")) == 1
    assert len(told(client, "/v1/coalitions/willing/commitments.atom")) == 3


def test_a_feed_can_be_read_as_it_was_known(client: TestClient) -> None:
    post(client, pledge("2025-03-01"))
    early = client.get("/v1/coalitions/willing.atom").content
    post(client, pledge("2025-06-01", firmness="committed"))
    then = entries_of(fromstring(client.get("/v1/coalitions/willing.atom?known_position=2").content))
    assert then == entries_of(fromstring(early))


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/v1/coalitions/unheard.atom", 404), (f"{TROOPS}-not.atom", 404), ("/v1/subjects/willing/moods/x.atom", 404),
        ("/v1/countries/Nowhere/commitments.atom", 404), ("/v1/coalitions/willing.atom?as_of=2025", 400),
        ("/v1/coalitions/willing.atom?limit=0", 400), ("/v1/coalitions/willing.atom?known_position=99", 400),
        ("/v1/countries/GB/commitments.atom?country=FR", 400), ("/v1/actors.atom?as_of=2025", 400),
        ("/v1/events/019a8f3e-0000-7000-8000-000000000000.atom", 404), ("/v1/events/nonsense.atom", 404),
        ("/v1/tokens.atom", 406),
    ],
)  # fmt: skip
def test_what_is_no_feed_is_refused(client: TestClient, address: str, status: int) -> None:
    post(client, pledge("2025-03-01"))
    assert client.get(address).status_code == status


# --- parts that never change ------------------------------------------------------------------------------------------


def archives(client: TestClient, address: str) -> Iterator[tuple[str, bytes, Element]]:
    """The parts before a feed, newest first."""
    earlier = links_of(read(client, address)).get("prev-archive", [])
    while earlier:
        answer = client.get(earlier[0])
        feed = fromstring(answer.content)
        assert feed.find(f"{HISTORY}archive") is not None
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        yield earlier[0], answer.content, feed
        earlier = links_of(feed).get("prev-archive", [])


def test_the_parts_of_a_feed_hold_all_of_it_and_stay_byte_for_byte_whatever_is_recorded(client: TestClient) -> None:
    kept: dict[str, bytes] = {}
    for number in range(1, 12):
        event = post(client, pledge(f"2025-03-{20 - number:02}", quantity=soldiers(number)))["event"]
        if number % 4 == 0:
            note(client, event["event_id"], "retraction", {"reason": "entry_error"})
        feed = read(client, "/v1/coalitions/willing.atom?limit=3")
        assert feed.find(f"{HISTORY}archive") is None
        found = [one.id for one in entries_of(feed)]
        assert len(found) == min(3, event["position"] + (number % 4 == 0))
        for address, content, part in archives(client, "/v1/coalitions/willing.atom?limit=3"):
            assert kept.setdefault(address, content) == content
            assert links_of(part)["current"] == ["/v1/coalitions/willing.atom"]
            found += [one.id for one in entries_of(part)]
        everything = [one.id for one in told(client, "/v1/coalitions/willing.atom?limit=500")]
        assert list(dict.fromkeys(found)) == everything
    assert len(kept) == 4


def test_what_real_histories_did_is_told_of_every_event_once_and_never_otherwise(database: str) -> None:
    with bench(database) as recorder, client_of(create_app(settings_for(database)), token=None) as client:

        @so_many(12)
        @given(histories(14))
        def holds(history: History) -> None:
            ledger = recorder.record(history)
            whole = told(client, f"/v1/coalitions/{ledger.coalition}.atom?limit=500")
            assert [one.id for one in reversed(whole)] == [f"urn:uuid:{one.event_id}" for one in ledger.log]
            by_id = {one.id: one for one in whole}
            for code, family in itertools.product(("GB", "FR"), ("pledges", "ceasefires")):
                for address in (f"/v1/countries/{code}/commitments.atom?coalition={ledger.coalition}&limit=500",
                                f"/v1/coalitions/{ledger.coalition}/{family}.atom?limit=500"):  # fmt: skip
                    for one in told(client, address):
                        assert by_id[one.id] == one, "an event is told alike in every feed"
            _judge_entries(client, whole)
            middle = ledger.positions[len(ledger.positions) // 2]
            then = told(client, f"/v1/coalitions/{ledger.coalition}.atom?limit=500&known_position={middle}")
            assert then == [one for one in whole if one in then]
            assert len(then) == len([one for one in ledger.log if one.position <= middle])

        holds()


def _judge_entries(client: TestClient, entries: list[Told]) -> None:
    """Where an entry says that something changed, the answers that it leads to differ."""
    for entry in entries:
        if "stays" in entry.text or "nothing known" in entry.text or "otherwise" in entry.text:
            continue
        for before, after in zip(entry.links["before"], entry.links["after"], strict=True):
            shown = [client.get(address).json() for address in (before, after)]
            assert shown[0]["items"] != shown[1]["items"], entry.title
            known = [int(parse_qs(urlsplit(one).query)["known_position"][0]) for one in (before, after)]
            assert known[1] == known[0] + 1


def test_any_text_makes_valid_xml() -> None:
    odd = "a<b>&\"'\x00\x0b\x1f\x7f\ufffe\uffff\ud800 тут 🕊 ]]>"
    link = Link("related", "/v1/x?a=1&b=<2>", odd)
    feed = Feed(odd, odd, FIRST, odd, [link], [Entry(odd, odd, odd, FIRST, [link], [odd])])
    (entry,) = fromstring(render_feed(feed)).findall(f"{ATOM}entry")
    assert text_of(entry, "title").startswith("a<b>&\"'")
    assert links_of(entry) == {text_of(entry, "title"): ["/v1/x?a=1&b=<2>"]}


def test_what_was_said_of_a_retracted_statement_does_not_live_on_in_a_feed(client: TestClient) -> None:
    said = post(client, statement(summary="A sentence that must go."))["event"]["event_id"]
    note(client, said, "retraction", {"reason": "legal", "note": "A note that stays apart."})
    text = client.get("/v1/coalitions/willing.atom").text
    assert "must go" not in text
    assert "stays apart" not in text


@pytest.fixture(scope="module")
def seeded(server_url: str, template: str) -> Iterator[TestClient]:
    """A registry with a statement of every kind."""
    with fresh_database(server_url, template) as url, registry(url) as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "changes", "who", "what"),
    [
        ("position.stated", {"subject": "force"}, "Position force of United Kingdom", "supportive"),
        ("warning.issued", {"subject": "war", "actors": ["RU"]},
         "Warning war of Russia", "active, high severity"),
        ("meeting.announced", {"subject": "summit", "actors": []},
         "Meeting summit", "announced, on 4 September 2025"),
        ("meeting.held", {"subject": "held", "actors": []}, "Meeting held", "held, on 4 September 2025"),
        ("ceasefire.proposed", {"subject": "truce", "actors": ["US"]}, "Ceasefire truce", "proposed"),
        ("coalition.stated", {"subject": "organisation", "actors": []},
         "Coalition organisation", "phase planning"),
        ("membership.stated", {"subject": "role"}, "Membership role of United Kingdom", "member"),
        ("membership.stated", {"subject": "count", "actors": [], "body": {"claimed_count": 31}},
         "Membership count", "31 members claimed"),
        ("pledge.stated", {"subject": "money", "body": {"category": "financial", "firmness": "committed",
         "money": {"max_amount": "1000000.00", "currency": "EUR"}}},
         "Pledge money of United Kingdom", "committed, up to 1000000.00 EUR"),
        ("pledge.stated", {"subject": "said", "said_by": {"actor": "FR"}},
         "Pledge said of United Kingdom", "announced, as others say"),
        ("pledge.withdrawn", {"subject": "back"}, "Pledge back of United Kingdom", "withdrawn"),
    ],
)  # fmt: skip
def test_every_kind_is_told_in_words(seeded: TestClient, kind: str, changes: Json, who: str, what: str) -> None:
    post(seeded, statement(kind, **changes))
    found = told(seeded, "/v1/coalitions/willing.atom")[0]
    assert found.title == f"{who} goes from nothing known to {what}, as of 10 July 2025."
