"""Commands that look after the data: the schema, what is recorded, what was computed from it."""

import asyncio

import typer

from service.cli.ground import bar, database, fail, migrated, read_settings, record_seeds
from service.examine import examine
from service.log.leaves import Finding
from service.migrate import migrate as migrate_database
from service.segments import rebuild as rebuilding


def migrate() -> None:
    """Bring the database to the present schema."""
    with database(read_settings()) as url:
        print(migrate_database(url))


def seed() -> None:
    """Record what the seed files say, unless it already is."""
    with migrated() as url:
        print(asyncio.run(record_seeds(url)))


def rebuild() -> None:
    """Compute every state anew from the log, beside the live ones, and put them in their place."""
    with migrated() as url, bar("rebuilding", "events") as progress:
        findings = asyncio.run(rebuilding.rebuild(url, progress))
    _report(findings, "the states were not what the log says, and have been replaced")


def verify() -> None:
    """Check that every leaf is its event's, and every state what a fresh fold makes."""
    with migrated() as url, bar("verifying", "events") as progress:
        findings = asyncio.run(rebuilding.verify(url, progress))
    _report(findings, "the database does not hold what the log says: restore it, or run ./run rebuild for states")


def _report(findings: list[Finding], otherwise: str) -> None:
    for finding in findings:
        print(f"{finding.where}: {finding.what} ({finding.count})")
    if findings:
        fail(otherwise)
    print("ok")


def doctor() -> None:
    """Look at everything that the service needs, and say what to do where something is wrong."""
    settings = read_settings()
    with database(settings) as url:
        found = examine(url)
    for check in found:
        print(f"{'ok ' if check.ok else 'NO '} {check.what}{'' if check.ok else ': ' + check.remedy}")
    if not all(check.ok for check in found):
        raise typer.Exit(1)
