"""What was ever written can be read for ever: one event of each kind and version, as it stood in a log.

The bytes and the hashes in the folder were made without this code, from the formats alone (RFC 8785, RFC 9162,
SHA-256). They are never changed. A new version of a kind gets a file of its own beside the old one.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from service.domain.kinds import KINDS, _by_name, parse_event
from service.domain.statement import Event, canonical
from service.log.codec import commit, leaf_hash, lift, prepare
from tests import golden_file

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(FOLDER.glob("*.json"))


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


golden = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@golden
def test_a_stored_event_is_read_as_what_was_stated(file: Path) -> None:
    stored = read(file)
    content, event = lift(stored["kind"], stored["version"], stored["body"].encode())
    assert (event.kind, event.coalition) == (stored["kind"], stored["content"]["coalition"])
    if stored["version"] == KINDS[stored["kind"]].version:
        assert content == stored["content"] == event.content()


@golden
def test_a_golden_file_is_what_the_formats_alone_make_of_it(file: Path) -> None:
    stored = read(file)
    named = {name: stored[name] for name in ("version", "position", "salt")}
    assert golden_file.golden(stored["content"], **named) == stored


@golden
def test_what_was_stated_has_the_same_canonical_bytes_as_ever(file: Path) -> None:
    stored = read(file)
    assert canonical(stored["content"]) == stored["body"].encode()
    if stored["version"] == KINDS[stored["kind"]].version:
        entry = prepare(parse_event(stored["content"]), event_id=stored["event_id"], salt=bytes.fromhex(stored["salt"]))
        assert (entry.body, entry.commitment.hex()) == (stored["body"].encode(), stored["commitment"])


@golden
def test_a_stored_event_has_the_same_leaf_as_ever(file: Path) -> None:
    stored = read(file)
    found = leaf_hash(
        position=stored["position"],
        event_id=stored["event_id"],
        kind=stored["kind"],
        version=stored["version"],
        coalition=stored["content"]["coalition"],
        recorded_at=datetime.fromisoformat(stored["recorded_at"]),
        recorded_by=stored["recorded_by"],
        commitment=commit(stored["body"].encode(), bytes.fromhex(stored["salt"])),
    )
    assert found.hex() == stored["leaf_hash"]


def test_there_is_a_golden_file_of_every_kind_at_every_version() -> None:
    wanted = {f"{name}.v{number}" for name, kind in KINDS.items() for number in range(1, kind.version + 1)}
    missing = wanted - {file.stem for file in FILES}
    assert not missing, f"write those of {sorted(missing)}, with tests/golden_file.py"


def test_a_file_is_named_for_its_kind_and_version() -> None:
    assert [file.stem for file in FILES] == [f"{read(file)['kind']}.v{read(file)['version']}" for file in FILES]


def test_a_golden_file_mentions_most_of_what_its_kind_can_say() -> None:
    thin = {
        file.stem: sorted(missing)
        for file in FILES
        if (body := read(file)["content"].get("body")) is not None
        and len(missing := set(_fields(read(file)["kind"])) - set(body)) > 2
    }
    assert thin == {}


def _fields(kind: str) -> list[str]:
    body: Any = KINDS[kind].model_fields["body"].annotation
    return [name for name in body.model_fields if name != "cleared"]


def test_no_name_of_a_kind_ever_vanishes() -> None:
    written = {read(file)["kind"] for file in FILES}
    assert written <= set(KINDS), "events of these kinds are in logs: a kind may be given up, its name never"


class _Taken(Event):
    family = "pledge"
    kind: Literal["pledge.stated"]


class _Misplaced(Event):
    family = "pledge"
    kind: Literal["meeting.moved"]


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(RuntimeError, match="names are permanent"):
        _by_name((KINDS["pledge.stated"], _Taken))


def test_a_name_begins_with_its_family() -> None:
    with pytest.raises(RuntimeError, match="does not begin with its family"):
        _by_name((_Misplaced,))
