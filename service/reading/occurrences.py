"""How often a file says the same thing: counted on disk, as a file may say any number of things."""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Self

import orjson


def digest_of(words: Sequence[str]) -> bytes:
    """What several words are told apart by."""
    return hashlib.sha256(orjson.dumps(words)).digest()


class Occurrences:
    """How often a file has said the same thing so far.

    Two deliveries on one day may read alike and are two. A row's key counts them, so that they stay two however often
    the file is sent, and a row that others were put before, or after, keeps its key.
    """

    def __init__(self) -> None:
        # A file of its own, gone when it is closed. One thread at a time counts, not always the same.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for command in ("PRAGMA journal_mode = OFF", "PRAGMA cache_size = -8192", _TABLE, "BEGIN"):
            self._database.execute(command)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def count(self, digest: bytes) -> int:
        """The how manieth of its content this is, from 1."""
        with closing(self._database.execute(_COUNT, (digest,))) as found:
            number: int = found.fetchone()[0]
        return number


_TABLE = "CREATE TABLE seen (digest BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID"
_COUNT = "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"
