"""The seeds → the log. Each entry has a key of its own, and what was recorded under it before is not recorded again."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import orjson
import yaml

from service.domain.answers import Json
from service.domain.errors import Invalid, RegistryError
from service.domain.kinds import parse_event, parse_statement
from service.domain.statement import Event, canonical
from service.ids import new_event_id
from service.log.codec import new_salt, prepare
from service.record import Recorder
from service.submission import Retry, Submission, render_id

_SEEDED_BY = "seeds"
_NOTES = {"correction": "corrected", "duplicate": "duplicate", "dispute": "disputed", "retraction": "retracted"}


async def load_seeds(recorder: Recorder, folder: Path) -> int:
    """Records what the seed files say, each entry under its own key; answers how many were new.

    Entries refer to one another by key: `key` in the same file, `file:key` in another. An entry that was recorded and
    whose file has been changed since is refused: a change is a correction, to be added as one.
    """
    ids: dict[str, str] = {}
    added = 0
    for path, content in await asyncio.to_thread(_read_seeds, folder):
        entries = [
            *({"key": one["slug"], "coalition": one} for one in content.get("coalitions", ())),
            *content.get("entries", ()),
        ]
        for one in entries:
            name = f"{path.stem}:{one['key']}"
            try:
                event = _seed_event(one, path.stem, ids)
                ids[name], new = await _record_seed(recorder, event, name)
            except RegistryError as error:
                faults = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in error.faults)
                raise Invalid(f"The seed {name} was refused: {error.detail} {faults}".strip()) from error
            added += new
    return added


def _read_seeds(folder: Path) -> list[tuple[Path, Json]]:
    """The seed files in the order in which they are loaded: coalitions first, then by name."""
    paths = sorted(folder.glob("*.yaml"), key=lambda path: (not path.name.startswith("coalition"), path.name))
    return [(path, yaml.safe_load(path.read_text(encoding="utf-8"))) for path in paths]


def _seed_event(one: Json, file: str, ids: dict[str, str]) -> Event:
    """The event that an entry of a seed file stands for."""
    if "statement" in one:
        return parse_statement(_plain(one["statement"]))
    if "coalition" in one:
        given = dict(one["coalition"])
        return parse_event({"kind": "coalition.registered", "coalition": given.pop("slug"), **given})
    what = next((name for name in _NOTES if name in one), None)
    if what is None:
        raise Invalid("An entry needs a statement, a correction, a duplicate, a dispute or a retraction.")
    given = _plain(one[what])
    return parse_event(
        {"kind": f"record.{_NOTES[what]}", "coalition": one.get("of", "willing"), **_resolved(given, file, ids)}
    )


def _resolved(given: Json, file: str, ids: dict[str, str]) -> Json:
    """The same note with event ids in place of keys."""

    def find(key: str) -> str:
        name = key if ":" in key else f"{file}:{key}"
        if name not in ids:
            raise Invalid(f"No entry before this one has the key {name}.")
        return ids[name]

    found = {**given, "target": find(given["target"])}
    if "original" in given:
        found["original"] = find(given["original"])
    if "rivals" in given:
        found["rivals"] = [
            {"event_id": find(rival["event"]), **({"rank": rival["rank"]} if "rank" in rival else {})}
            for rival in given["rivals"]
        ]
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401 - any YAML
    """YAML's own dates as the text that they were."""
    content = orjson.dumps(value, default=str)
    return orjson.loads(content)


async def _record_seed(recorder: Recorder, event: Event, name: str) -> tuple[str, bool]:
    entry = prepare(event, event_id=new_event_id(), salt=new_salt())
    digest = hashlib.sha256(canonical(entry.content)).digest()
    submission = Submission(
        entries=(entry,),
        recorded_by=_SEEDED_BY,
        render=render_id,
        retry=Retry(_SEEDED_BY, name, digest),
    )
    answer = await recorder.record(submission)
    return answer.content.decode(), not answer.replayed
