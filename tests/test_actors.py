"""Every way a source may write an actor, and the one code that it becomes."""

import subprocess
import sys

import pycountry
import pytest
from babel import Locale
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from service.domain.actors import (
    COUNTRIES,
    ORGANISATIONS,
    Actor,
    ActorCode,
    find_actors,
    get_actor,
    is_country,
    is_group,
    is_person,
    name_of,
    parse_actor,
    person_code,
)
from service.domain.spellings import all_names

SLUGS = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True).filter(lambda slug: len(slug) <= 80)
OPEN_CODES = st.builds("{}:{}".format, st.sampled_from(["person", "group", "coalition", "force"]), SLUGS)
CLOSED_CODES = st.sampled_from(sorted(COUNTRIES | ORGANISATIONS))


@pytest.fixture(autouse=True, scope="module")
def names() -> None:
    """Load the names before a property test is timed."""
    find_actors("", 1)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("GB", "GB"),
        ("gb", "GB"),
        (" GB ", "GB"),
        ("GBR", "GB"),
        ("Britain", "GB"),
        ("Great Britain", "GB"),
        ("UK", "GB"),
        ("Uk", "GB"),
        ("U.K.", "GB"),
        ("U. K.", "GB"),
        ("the United Kingdom", "GB"),
        ("ROYAUME-UNI", "GB"),
        ("Großbritannien", "GB"),
        ("Grande-Bretagne", "GB"),
        ("Великобританія", "GB"),
        ("Türkiye", "TR"),
        ("TÜRKİYE", "TR"),
        ("Turkiye", "TR"),
        ("Turkey", "TR"),
        ("Турция", "TR"),
        ("Туреччина", "TR"),
        ("USA", "US"),
        ("U.S.", "US"),
        ("U.S.A.", "US"),
        ("us", "US"),
        ("America", "US"),
        ("United States of America", "US"),
        ("Сполучені Штати", "US"),
        ("США", "US"),
        ("ЄС", "org:eu"),
        ("Holland", "NL"),
        ("The Netherlands", "NL"),
        ("Pays-Bas", "NL"),
        ("Czech Republic", "CZ"),
        ("Czechia", "CZ"),
        ("Tschechien", "CZ"),
        ("Russia", "RU"),
        ("Russian Federation", "RU"),
        ("Россия", "RU"),
        ("Nga", "RU"),
        ("South Korea", "KR"),
        ("ROK", "KR"),
        ("Korea, Republic of", "KR"),
        ("DPRK", "KP"),
        ("Kosovo", "XK"),
        ("XKX", "XK"),
        ("xk", "XK"),
        ("Ukraine", "UA"),
        ("The Ukraine", "UA"),
        ("Україна", "UA"),
        ("Moldova", "MD"),
        ("Moldova, Republic of", "MD"),
        ("North Macedonia", "MK"),
        ("Vatican", "VA"),
        ("Holy See", "VA"),
        ("Cote d'Ivoire", "CI"),
        ("Côte d\N{RIGHT SINGLE QUOTATION MARK}Ivoire", "CI"),
        ("Bosnia & Herzegovina", "BA"),
        ("Bosnia-Herzegovina", "BA"),
        ("Saint Lucia", "LC"),
        ("Allemagne", "DE"),
        ("Ελλάδα", "GR"),
        ("ישראל", "IL"),
        ("ایران", "IR"),
        ("日本", "JP"),
        ("法国", "FR"),
        ("Łotwa", "LV"),
        ("lotwa", "LV"),
        ("Áo", "AT"),
        ("NATO", "org:nato"),
        ("nato", "org:nato"),
        ("org:NATO", "org:nato"),
        ("НАТО", "org:nato"),  # noqa: RUF001
        ("EU", "org:eu"),
        ("European Union", "org:eu"),
        ("Union européenne", "org:eu"),
        ("the European Commission", "org:european-commission"),
        ("Council of Europe", "org:coe"),
        ("European Council", "org:european-council"),
        ("U.N.", "org:un"),
        ("ООН", "org:un"),  # noqa: RUF001
        ("Weimar+", "org:weimar-plus"),
        ("JEF", "org:jef"),
        ("person:vladimir-solovyov", "person:vladimir-solovyov"),
        ("group:other-nations", "group:other-nations"),
        ("coalition:willing", "coalition:willing"),
        ("force:mnf-u", "force:mnf-u"),
        ("person:" + "a" * 80, "person:" + "a" * 80),
    ],
)
def test_an_actor_may_be_written_in_many_ways_and_has_one_code(written: str, code: str) -> None:
    assert parse_actor(written) == code


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("", "No actor"),
        ("   ", "No actor"),
        ("!!!", "No actor"),
        ("Atlantis-upon-Sea", "No actor"),
        ("ZZ", "No actor"),
        ("AC", "No actor"),
        ("England", "part of the United Kingdom"),
        ("Scotland", "part of the United Kingdom"),
        ("Congo", "CD .* or CG"),
        ("Korea", "KP .* or KR"),
        ("Kongo", r"CD \(.*\) or CG \("),
        ("united kindom", r"United Kingdom \(GB\)"),
        ("Gremany", r"Germany \(DE\)"),
        ("org:natoo", r"NATO \(org:nato\)"),
        ("org:ukraine", "No actor"),
        ("org:", "No actor"),
        ("person:", "colon"),
        ("person:Jane", "colon"),
        ("person:jane--doe", "colon"),
        ("person:-jane", "colon"),
        ("person:jane\n", "colon"),
        ("person:" + "a" * 81, "colon"),
        ("group:other nations", "colon"),
        ("coalition:володимир", "colon"),
        ("planet:mars", "No actor"),
        ("\ud800", "No actor"),
        ("x" * 101, "at most 100"),
        ("GB" * 100_000, "at most 100"),
    ],
)
def test_what_names_no_single_actor_is_refused_with_a_sentence(written: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint) as refusal:
        parse_actor(written)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize("written", ["Gremany", "united kindom", "<script>alert(1)</script>", "Ruritania"])
def test_a_refusal_does_not_repeat_what_was_sent_and_suggests_at_most_three(written: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_actor(written)
    message = str(refusal.value)
    assert written not in message
    assert message.count(" (") <= 3


@given(st.text(max_size=120))
@example("ẞ")
@example("İ")
def test_any_text_becomes_a_code_that_stays_itself_or_is_refused(text: str) -> None:
    try:
        code = parse_actor(text)
    except ValueError:
        return
    assert parse_actor(code) == code
    assert name_of(code)


def test_the_countries_are_those_of_iso_3166_and_kosovo() -> None:
    assert {country.alpha_2 for country in pycountry.countries} | {"XK"} == COUNTRIES


def test_every_alpha_3_code_means_its_country() -> None:
    for country in pycountry.countries:
        assert parse_actor(country.alpha_3) == country.alpha_2


def test_every_name_that_iso_gives_a_country_means_it_save_the_one_that_two_share() -> None:
    for country in pycountry.countries:
        if country.name != "Congo":
            assert parse_actor(country.name) == country.alpha_2


def test_every_english_name_means_its_own_actor() -> None:
    for code in COUNTRIES | ORGANISATIONS:
        assert parse_actor(name_of(code)) == code


def test_every_actor_answers_to_its_aliases() -> None:
    for code in COUNTRIES | ORGANISATIONS:
        for alias in get_actor(code).aliases:
            assert parse_actor(alias) == code


def test_no_english_name_means_two_actors() -> None:
    meanings: dict[str, set[str]] = {}
    for key, code, tier in all_names():
        if tier < 2:
            meanings.setdefault(key, set()).add(code)
    assert {key: codes for key, codes in meanings.items() if len(codes) > 1} == {}


@pytest.mark.parametrize("language", ["en", "uk", "ru", "fr", "de", "pl", "tr", "it", "es", "fi", "et", "zh"])
def test_a_name_in_a_major_language_means_its_country_unless_it_is_ambiguous(language: str) -> None:
    for code, name in Locale.parse(language).territories.items():
        if code in COUNTRIES:
            try:
                assert parse_actor(name) == code
            except ValueError as refusal:
                assert "different" in str(refusal) or "Two states" in str(refusal)  # noqa: PT017


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("GB", "United Kingdom"),
        ("TR", "Türkiye"),
        ("CZ", "Czechia"),
        ("RU", "Russia"),
        ("US", "United States"),
        ("XK", "Kosovo"),
        ("MM", "Myanmar"),
        ("BA", "Bosnia and Herzegovina"),
        ("org:nato", "NATO"),
        ("org:eu", "European Union"),
        ("person:vladimir-solovyov", "Vladimir Solovyov"),
        ("group:other-nations", "other nations"),
        ("coalition:willing", "willing"),
        ("force:reassurance-force", "Reassurance Force"),
    ],
)
def test_a_code_has_the_name_that_the_press_uses(code: str, name: str) -> None:
    assert name_of(code) == name


@pytest.mark.parametrize("code", ["", "gb", "GBR", "ZZ", "United Kingdom", "org:none", "person:", "person:A"])
def test_only_codes_have_names(code: str) -> None:
    with pytest.raises(ValueError, match="code"):
        name_of(code)
    with pytest.raises(ValueError, match="code"):
        get_actor(code)


@given(OPEN_CODES | CLOSED_CODES)
def test_every_code_is_kept_and_has_a_name_and_a_kind(code: str) -> None:
    assert parse_actor(code) == code
    actor = get_actor(code)
    assert actor.name == name_of(code) != ""
    assert is_country(code) == (actor.kind == "country")
    assert is_group(code) == (actor.kind == "group")
    assert is_person(code) == (actor.kind == "person")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Vladimir Solovyov", "person:vladimir-solovyov"),
        ("Emmanuel MACRON", "person:emmanuel-macron"),
        ("Łukasz Żółć", "person:lukasz-zolc"),
        ("Seán O'Neil", "person:sean-oneil"),
        ("Jean-Noël Barrot", "person:jean-noel-barrot"),
    ],
)
def test_a_person_has_a_code_that_can_be_read(name: str, code: str) -> None:
    assert person_code(name) == code


def test_a_name_in_another_script_has_a_code_of_its_own() -> None:
    codes = {person_code(name) for name in ("Володимир", "Владимир", "Володимир Z", "Владимир Z", "习近平")}
    assert len(codes) == 5
    assert person_code("Володимир") == person_code("ВОЛОДИМИР")


def test_a_long_name_is_cut_and_stays_apart_from_its_likes() -> None:
    assert person_code("x" * 200) != person_code("x" * 201)


@given(st.text(max_size=200) | st.just("\ud800"))
@example("")
@example("...")
def test_every_text_makes_a_persons_code(name: str) -> None:
    code = person_code(name)
    assert parse_actor(code) == code
    assert is_person(code)
    assert name_of(code)


def test_the_best_match_comes_first() -> None:
    assert find_actors("GB", 5)[0].code == "GB"
    assert find_actors("deu", 5)[0].code == "DE"
    assert find_actors("united k", 5)[0].code == "GB"
    assert find_actors("Турц", 5)[0].code == "TR"
    assert find_actors("nato", 5)[0].code == "org:nato"
    assert find_actors("britain", 5)[0].code == "GB"
    assert [actor.code for actor in find_actors("korea", 2)] == ["KP", "KR"]


def test_a_found_actor_is_shown_with_its_name_kind_and_aliases() -> None:
    (actor,) = find_actors("Türkiye", 1)
    assert actor == Actor("TR", "Türkiye", "country", ("TUR", "Turkey", "Republic of Türkiye", "Republic of Turkey"))


def test_an_empty_search_lists_everything_by_name() -> None:
    found = find_actors("", 1000)
    assert {actor.code for actor in found} == COUNTRIES | ORGANISATIONS
    assert [actor.name for actor in found[:3]] == ["Afghanistan", "African Union", "Åland Islands"]


@pytest.mark.parametrize("q", ["!!", "qqqq", "x" * 5000])
def test_a_search_for_nothing_known_is_empty(q: str) -> None:
    assert find_actors(q, 10) == []


@given(st.text(max_size=20), st.integers(-3, 5))
def test_a_search_never_gives_more_than_was_asked_nor_one_actor_twice(q: str, limit: int) -> None:
    found = find_actors(q, limit)
    assert len(found) <= max(limit, 0)
    assert len({actor.code for actor in found}) == len(found)


@given(CLOSED_CODES)
def test_every_actor_is_found_by_its_name_first(code: str) -> None:
    assert find_actors(name_of(code), 1)[0].code == code


class Pledge(BaseModel):
    """Something with an actor."""

    actor: ActorCode


def test_an_actor_field_holds_the_code() -> None:
    assert Pledge(actor="Britain").actor == "GB"


@pytest.mark.parametrize("value", ["Atlantis", "", "x" * 101, 826, None])
def test_an_actor_field_refuses_what_names_no_actor(value: object) -> None:
    with pytest.raises(ValidationError):
        Pledge.model_validate({"actor": value})


def test_every_example_in_the_schema_is_a_code() -> None:
    schema = TypeAdapter(ActorCode).json_schema()
    assert schema["description"]
    assert [parse_actor(code) for code in schema["examples"]] == schema["examples"]


def test_codes_are_read_without_loading_any_names() -> None:
    program = (
        "import sys; from service.domain.actors import name_of, parse_actor\n"
        "assert [parse_actor(c) for c in ('GB', 'org:nato', 'person:a')] == ['GB', 'org:nato', 'person:a']\n"
        "assert name_of('GB') == 'United Kingdom'\n"
        "sys.exit('babel' in sys.modules or 'pycountry' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
