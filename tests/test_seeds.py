"""The seed files: well formed, resolvable in load order, deduced dates, and no article's own words."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.domain.coalition import CoalitionRegistered
from service.domain.kinds import parse_statement
from service.domain.record import Rank, Reason, merge_patch
from service.domain.statement import Basis, Statement, Wording

ROOT = Path(__file__).parents[1]
SEEDS = ROOT / "seeds"
COALITION = SEEDS / "coalition-willing.yaml"
FILES = tuple(SEEDS / f"article-{number:03}.yaml" for number in range(5))
ARTICLES = tuple(sorted((ROOT.parent / "shared" / "articles").glob("*.txt")))

ENTRY_KINDS = {
    "statement": None,
    "correction": {"target", "changes", "reason", "note"},
    "duplicate": {"target", "original", "note"},
    "dispute": {"target", "rank", "rivals", "note"},
}
LONGEST_SHARED_RUN = 7
WORD = re.compile(r"[^\W_]+")
APOSTROPHES = re.compile("['\u2019]")


def load(path: Path) -> dict[str, Any]:
    """Read one seed file."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def entries(path: Path) -> list[dict[str, Any]]:
    """Give an article's entries in their order."""
    listed: list[dict[str, Any]] = load(path)["entries"]
    return listed


def statements(path: Path) -> Iterator[tuple[str, Statement]]:
    """Give an article's statements, validated, with their keys."""
    for entry in entries(path):
        if "statement" in entry:
            yield entry["key"], parse_statement(entry["statement"])


def full_key(path: Path, key: str) -> str:
    """Name an entry together with its file."""
    return key if ":" in key else f"{path.stem}:{key}"


def named_by(entry: dict[str, Any]) -> list[str]:
    """List the targets that a correction, a duplicate or a dispute names."""
    if "correction" in entry:
        return [entry["correction"]["target"]]
    if "duplicate" in entry:
        return [entry["duplicate"]["target"], entry["duplicate"]["original"]]
    if "dispute" in entry:
        return [entry["dispute"]["target"], *(rival["event"] for rival in entry["dispute"]["rivals"])]
    return []


def words(text: str) -> list[str]:
    """Take a text apart into words, without case and punctuation."""
    return WORD.findall(APOSTROPHES.sub("", text.casefold()))


def runs(text: str, length: int) -> Iterator[tuple[str, ...]]:
    """Give every run of so many consecutive words."""
    found = words(text)
    return (tuple(found[start : start + length]) for start in range(len(found) - length + 1))


def every(kind: str) -> list[Any]:
    """Give every entry of one kind, as parameters that are named by their keys."""
    return [
        pytest.param(path, entry[kind], id=full_key(path, entry["key"]))
        for path in FILES
        for entry in entries(path)
        if kind in entry
    ]


def test_every_seed_file_is_known_to_this_test() -> None:
    assert set(SEEDS.glob("*.yaml")) == {COALITION, *FILES}


def test_the_coalition_and_its_force_can_be_registered() -> None:
    (coalition,) = load(COALITION)["coalitions"]
    registered = CoalitionRegistered(
        kind="coalition.registered",
        coalition=coalition["slug"],
        name=coalition["name"],
        aliases=coalition["aliases"],
        force=coalition["force"],
    )
    assert registered.coalition == "willing"
    assert registered.force is not None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_says_what_its_article_is_and_holds_entries(path: Path) -> None:
    document = load(path)
    assert set(document) == {"about", "source", "entries"}
    assert len(words(document["about"])) > 50
    for entry in entries(path):
        (kind,) = set(entry) - {"key"}
        assert kind in ENTRY_KINDS
        assert ENTRY_KINDS[kind] in (None, set(entry[kind])), entry["key"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_keys_are_slugs_and_unique_in_their_file(path: Path) -> None:
    keys = Counter(entry["key"] for entry in entries(path))
    assert not [key for key, times in keys.items() if times > 1]
    assert not [key for key in keys if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key)]


@pytest.mark.parametrize(("path", "statement"), every("statement"))
def test_a_statement_is_valid_graded_and_about_the_registered_coalition(path: Path, statement: dict[str, Any]) -> None:
    parsed = parse_statement(statement)
    (coalition,) = load(COALITION)["coalitions"]
    assert parsed.coalition == coalition["slug"]
    assert all(source.reliability and source.credibility for source in parsed.sources)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dates_are_deduced_since_no_article_states_its_own(path: Path) -> None:
    stated = [key for key, statement in statements(path) if statement.occurred.basis is Basis.STATED]
    assert not stated


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_quoted(path: Path) -> None:
    quoted = [entry["key"] for entry in entries(path) if "quote" in entry.get("statement", {})]
    assert not quoted


def test_targets_are_statements_recorded_earlier_in_load_order() -> None:
    recorded: set[str] = set()
    for path in FILES:
        for entry in entries(path):
            missing = {full_key(path, name) for name in named_by(entry)} - recorded
            assert not missing, entry["key"]
            if "statement" in entry:
                recorded.add(full_key(path, entry["key"]))


def test_corrections_change_something_into_a_valid_statement() -> None:
    contents: dict[str, Any] = {}
    for path in FILES:
        for entry in entries(path):
            if "statement" in entry:
                contents[full_key(path, entry["key"])] = parse_statement(entry["statement"]).content()
            if "correction" in entry:
                name = full_key(path, entry["correction"]["target"])
                changed = merge_patch(contents[name], entry["correction"]["changes"])
                assert changed != contents[name], entry["key"]
                contents[name] = parse_statement(changed).content()


@pytest.mark.parametrize(("path", "correction"), every("correction"))
def test_a_correction_gives_its_reason_and_a_note(path: Path, correction: dict[str, Any]) -> None:
    assert Reason(correction["reason"])
    assert len(words(correction["note"])) > 5
    assert not {"kind", "coalition"} & set(correction["changes"])


def test_duplicates_are_of_one_kind_and_never_chained() -> None:
    kinds = {full_key(path, key): parsed.kind for path in FILES for key, parsed in statements(path)}
    pairs = [
        (full_key(param.values[0], param.values[1]["target"]), full_key(param.values[0], param.values[1]["original"]))
        for param in every("duplicate")
    ]
    for target, original in pairs:
        assert kinds[target] == kinds[original]
    assert not {target for target, _ in pairs} & {original for _, original in pairs}


@pytest.mark.parametrize(("path", "dispute"), every("dispute"))
def test_a_dispute_ranks_statements_about_one_subject(path: Path, dispute: dict[str, Any]) -> None:
    subjects = {
        (parsed.kind, parsed.subject)
        for other in FILES
        for key, parsed in statements(other)
        if full_key(other, key) in {full_key(path, name) for name in named_by({"dispute": dispute})}
    }
    assert len(subjects) == 1
    assert all(Rank(rank) for rank in (dispute["rank"], *(rival["rank"] for rival in dispute["rivals"])))


def test_no_seed_shares_a_run_of_words_with_an_article() -> None:
    """Own words only; where the articles are not beside the project, there is nothing to compare with."""
    length = LONGEST_SHARED_RUN + 1
    printed = {run for article in ARTICLES for run in runs(article.read_text(encoding="utf-8"), length)}
    for path in sorted(SEEDS.iterdir()):
        copied = [" ".join(run) for run in runs(path.read_text(encoding="utf-8"), length) if run in printed]
        assert not copied, path.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_where_the_report_itself_speaks_it_is_a_summary(path: Path) -> None:
    unattributed = [key for key, statement in statements(path) if statement.said_by is None]
    assert unattributed
    for key, statement in statements(path):
        assert statement.said_by is not None or statement.wording is Wording.SUMMARY, key
