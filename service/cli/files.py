"""Commands that take files in, and give the log as one."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import orjson
import typer

from service.cli.ground import bar, fail, migrated, read_settings, recording, talk
from service.database import open_pool
from service.ids import new_event_id
from service.load.checked import Spool
from service.load.imports import Import, Importer, OnError
from service.load.room import room_on_disk
from service.load.told import told_outlook, told_refused
from service.log.codec import new_salt
from service.log.read import event_json, read_events, read_size
from service.reading.mapping import parse_mapping
from service.reading.opening import Form, form_of, open_rows
from service.reading.row import Rows
from service.trial import Trial

_PAGE = 500


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="statements, as a file")],
    *,
    form: Annotated[Form | None, typer.Option("--format", help="what the file is; else its name tells")] = None,
    mapping: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="what makes statements of a CSV")
    ] = None,
    on_error: Annotated[OnError, typer.Option(help="whether a bad row stops all")] = OnError.STOP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Record nothing.")] = False,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="where a line for each row is written")] = None,
) -> None:
    """Record the statements of a file. Repeating it, also after more was put into it, records nothing twice."""
    read_as = form or form_of(file.name)
    if read_as is None:
        fail(
            "The name of the file does not tell what it is: say it with --format jsonl or --format csv. A "
            "spreadsheet is saved as CSV before."
        )
    meant = None if mapping is None else parse_mapping(mapping.read_bytes())
    with (
        room_on_disk(),
        file.open("rb") as source,
        Spool() as spool,
        _opened(report) if report else contextlib.nullcontext() as out,
        migrated() as url,
    ):
        rows = open_rows(source, read_as, meant)
        write = out.write if out else lambda _: None
        # A dry run goes on behind a bad row, to tell of all of them.
        asked = OnError.SKIP if dry_run else on_error
        done = asyncio.run(_import(url, source, rows, spool, asked, write, dry_run))
    _tell(told_refused(done))
    print("\n".join(told_outlook(done)) if dry_run else done.recorded)
    if done.error is not None:
        raise done.error
    if dry_run and spool.bad and on_error is OnError.STOP:
        fail("Nothing would be recorded, as rows are refused; with --on-error skip the others would be.")


async def _import(
    url: str, source: BinaryIO, rows: Rows, spool: Spool, on_error: OnError, write: Callable[[bytes], object],
    dry_run: bool,
) -> Import:  # fmt: skip
    async with recording(url) as (pool, recorder):
        importer = Importer(pool, recorder, "import", new_event_id, new_salt)
        wanted = Import(importer, spool, on_error)
        size = os.fstat(source.fileno()).st_size
        with bar("checking", "bytes") as progress:
            await wanted.check(rows, lambda: progress(os.lseek(source.fileno(), 0, os.SEEK_CUR), size))
        stale_after, done = read_settings().stale_after_days, 0
        with bar("trying out" if dry_run else "importing", "rows") as progress:
            trying = wanted.try_out(lambda trial: _states_of(trial, stale_after)) if dry_run else wanted.record()
            async for told in trying:
                write(b"".join(orjson.dumps(row) + b"\n" for row in told))
                done += len(told)
                progress(done, spool.rows)
        return wanted


def _states_of(trial: Trial, stale_after_days: int) -> list[dict[str, Any]]:
    from service.api.imports import states_of  # noqa: PLC0415 - only a dry run loads the web's libraries

    return states_of(trial, stale_after_days)


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        talk.print(line, markup=False, soft_wrap=True)


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("wb")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}.")


def export(
    file: Annotated[Path | None, typer.Argument(dir_okay=False, writable=True, help="default: standard output")] = None,
) -> None:
    """Write the log as JSON Lines, one event to a line, in order."""
    with migrated() as url, bar("exporting", "events") as progress:
        target = contextlib.nullcontext(sys.stdout.buffer) if file is None else _opened(file)
        with target as out:
            asyncio.run(_export(url, out.write, progress))


async def _export(url: str, write: Callable[[bytes], object], progress: Callable[[int, int], None]) -> None:
    async with open_pool(url, size=2) as pool, pool.connection() as connection:
        size, done = await read_size(connection), 0
        while found := await read_events(connection, after=done, limit=_PAGE):
            write(b"".join(orjson.dumps(event_json(event)) + b"\n" for event in found))
            done = found[-1].position
            progress(done, max(done, size))
