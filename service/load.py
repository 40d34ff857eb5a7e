"""Files → the log, through the write path: JSON Lines of statements, and the seeds.

Both are safe to repeat: each part has a key of its own, and what was recorded under it before is not recorded again.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from service.domain.errors import Fault, Invalid, RegistryError
from service.domain.kinds import parse_event, parse_statement
from service.domain.statement import Event, canonical
from service.ids import new_event_id
from service.log.codec import SALT_BYTES, Entry, prepare
from service.record import Recorder
from service.submission import Recorded, Retry, Submission

Json = dict[str, Any]
ROWS_AT_ONCE = 500
_LOADED_BY = "import"


# --- JSON Lines -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file, by their numbers, with the bytes read so far and what they hash to.

    The hash is what the part is recorded under: it stays the same when something behind the part is mended.
    """

    first: int
    last: int
    events: tuple[Event, ...]
    read: int
    so_far: bytes


async def import_lines(recorder: Recorder, path: Path, progress: Callable[[int, int], None] = lambda *_: None) -> int:
    """Records the statements of a JSON Lines file, one to a line; answers how many lines there were.

    Stops at the first part with a fault, which it names by line and pointer; the parts before it are recorded, and a
    repetition goes on from there, also when what comes after them was mended. Raises `Invalid` for a malformed line,
    and what the log refuses.
    """
    size = (await asyncio.to_thread(path.stat)).st_size
    writing: asyncio.Task[Part] | None = None
    lines = 0
    try:
        for part in _parts(path):
            entries = _prepare_part(part)  # made ready while the part before it is written
            if writing is not None:
                progress((await writing).read, size)
            writing = asyncio.create_task(_record_part(recorder, part, entries))
            await asyncio.sleep(0)
            lines = part.last
    finally:
        if writing is not None:  # its refusal comes before a fault in what follows it
            progress((await writing).read, size)
    return lines


def _parts(path: Path) -> Iterator[Part]:
    events: list[Event] = []
    first = number = read = 0
    so_far = hashlib.sha256()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            read += len(line)
            so_far.update(line)
            if line.strip():
                first = first or number
                events.append(_parse_line(line, number))
            if len(events) == ROWS_AT_ONCE:
                yield Part(first, number, tuple(events), read, so_far.digest())
                events, first = [], 0
    if events:
        yield Part(first, number, tuple(events), read, so_far.digest())


def _parse_line(line: bytes, number: int) -> Event:
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"Line {number} is not valid JSON: {error.msg}.") from None
    if not isinstance(content, dict):
        raise Invalid(f"Line {number} is not a JSON object.")
    try:
        if content.get("kind") == "coalition.registered":
            return parse_event(content)
        return parse_statement(content)
    except Invalid as error:
        raise _at_line(number, error) from None


def _at_line(number: int, error: RegistryError) -> Invalid:
    faults = tuple(Fault(f"line {number}: {fault.pointer}", fault.code, fault.detail) for fault in error.faults)
    return Invalid(f"Line {number} is not valid.", *faults)


def _prepare_part(part: Part) -> tuple[Entry, ...]:
    return tuple(prepare(event, event_id=new_event_id(), salt=secrets.token_bytes(SALT_BYTES)) for event in part.events)


async def _record_part(recorder: Recorder, part: Part, entries: tuple[Entry, ...]) -> Part:
    retry = Retry(_LOADED_BY, f"{part.so_far.hex()}/{part.first}-{part.last}", part.so_far)
    submission = Submission(entries=entries, recorded_by=_LOADED_BY, render=lambda _: b"", retry=retry)
    try:
        await recorder.record(submission)
    except RegistryError as error:
        where = f"Lines {part.first} to {part.last} were refused as a whole, none of them is recorded: {error.detail}"
        raise Invalid(where, *error.faults) from None
    return part


# --- seeds ------------------------------------------------------------------------------------------------------------

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
    entry = prepare(event, event_id=new_event_id(), salt=secrets.token_bytes(SALT_BYTES))
    digest = hashlib.sha256(canonical(entry.content)).digest()
    submission = Submission(
        entries=(entry,),
        recorded_by=_SEEDED_BY,
        render=_render_id,
        retry=Retry(_SEEDED_BY, name, digest),
    )
    answer = await recorder.record(submission)
    return answer.content.decode(), not answer.replayed


def _render_id(recorded: Recorded) -> bytes:
    return recorded.events[0].entry.event_id.encode()
