"""Whoever guesses passwords waits, longer each time: by login, whether anybody has it or not, and by address.

An attempt counts as failed before it is looked at, and is forgiven when it was none: so that many at once are no way
round. A login is kept as a hash, for some people type their password into the wrong field.
"""

import hashlib
from math import ceil
from typing import NamedTuple

from service.database import Connection, fetch
from service.domain.errors import RegistryError

LONGEST_WAIT = 900
"""Seconds."""
_FIRST_WAIT = 5
_FORGOTTEN_AFTER = "1 day"


class Guessed(NamedTuple):
    """What attempts are counted for, and how many may fail before there is a wait."""

    what: str
    free: int

    @property
    def key(self) -> bytes:
        """As it is kept."""
        return hashlib.sha256(self.what.encode()).digest()


def by_login(login: str) -> Guessed:
    """Attempts at one login, from wherever."""
    return Guessed(f"login {login}", 5)


def by_address(address: str) -> Guessed:
    """Attempts from one address, at whatever login."""
    return Guessed(f"address {address}", 20)


class Waits(RegistryError):
    """There were too many attempts; ``seconds`` have to pass."""

    def __init__(self, seconds: int) -> None:
        minutes = ceil(seconds / 60)
        wait = f"{seconds} seconds" if seconds <= 90 else f"{minutes} minutes"  # noqa: PLR2004 - as people say it
        super().__init__(
            f"There were too many attempts to sign in. Wait {wait}, then try again; each further failure makes the "
            "wait longer. Whoever has forgotten a password asks an admin for a new link."
        )
        self.seconds = seconds


# The wait after the last free attempt is five seconds; it doubles until it is a quarter of an hour.
_COUNT = f"""
INSERT INTO attempt AS a (guessed, failures, last_at, waits_until)
VALUES (%(key)s, 1, clock_timestamp(), clock_timestamp())
ON CONFLICT (guessed) DO UPDATE SET
    (failures, last_at, waits_until) = (
        SELECT failed, now, now + CASE WHEN failed < %(free)s THEN interval '0' ELSE
            make_interval(secs => least({LONGEST_WAIT}, {_FIRST_WAIT} * 2.0 ^ least(failed - %(free)s, 20))) END
        FROM clock_timestamp() AS now,
             LATERAL (SELECT CASE WHEN a.last_at < now - interval '{_FORGOTTEN_AFTER}' THEN 1
                                  ELSE a.failures + 1 END AS failed) AS counted
    )
WHERE a.waits_until <= clock_timestamp()
RETURNING failures
"""
_WAIT = "SELECT extract(epoch FROM waits_until - clock_timestamp())::float8 FROM attempt WHERE guessed = %(key)s"
_FORGIVE = "DELETE FROM attempt WHERE guessed = %(key)s"
_TAKE_BACK = """
UPDATE attempt SET failures = greatest(failures - 1, 0), waits_until = clock_timestamp() WHERE guessed = %(key)s
"""
_SWEEP = f"DELETE FROM attempt WHERE last_at < clock_timestamp() - interval '{_FORGOTTEN_AFTER}'"


async def count_attempt(connection: Connection, guessed: Guessed) -> None:
    """Counts an attempt as failed; raises `Waits` where it comes too early, and then it is not looked at."""
    values = {"key": guessed.key, "free": guessed.free}
    if await fetch(connection, _COUNT, values):
        return
    rows = await fetch(connection, _WAIT, values)
    raise Waits(max(1, ceil(rows[0][0])) if rows else 1)


async def forgive_login(connection: Connection, login: Guessed) -> None:
    """Forgets all attempts at a login."""
    await connection.execute(_FORGIVE.encode(), {"key": login.key})


async def forgive(connection: Connection, login: Guessed, address: Guessed) -> None:
    """The attempt was none: of the login all is forgotten, of the address this one."""
    await forgive_login(connection, login)
    await connection.execute(_TAKE_BACK.encode(), {"key": address.key})
    await connection.execute(_SWEEP.encode())
