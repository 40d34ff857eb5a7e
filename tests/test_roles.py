"""Who may do what: every address with every role, held to the table in docs/roles.md."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from starlette.testclient import TestClient

from service.access import hash_token
from tests.registry import allow, registry

TABLE = Path(__file__).parent.parent / "docs" / "roles.md"
ROLES = ("nobody", "over", "reader", "contributor", "editor", "approver", "admin")
PARTS = {
    "coalition": "willing", "code": "GB", "family": "pledge", "slug": "ground-troops", "file": "none", "name": "none",
    "event_id": "019a8f3e-0000-7000-8000-000000000000", "draft_id": "019a8f3e-0000-7000-8000-000000000000",
    "webhook_id": "019a8f3e-0000-7000-8000-000000000000", "delivery_id": "019a8f3e-0000-7000-8000-000000000000",
    "token_id": "000000000000",
}  # fmt: skip
ENDLESS = "/v1/events/stream"
MEANT = {"yes": None, "401": 401, "403": 403}


def written() -> dict[tuple[str, str], dict[str, str]]:
    """The table: by method and address, what each role gets."""
    found = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if (named := re.fullmatch(r"`([A-Z]+) (\S+)`", cells[0])) is not None:
            found[named[1], named[2]] = dict(zip(ROLES, cells[1:], strict=True))
    return found


@contextmanager
def everybody(url: str, *, reading_is_open: bool) -> Iterator[tuple[TestClient, dict[str, list[dict[str, str]]]]]:
    """A registry, and for each role the headers of somebody who has it; `over` are an expired and a revoked token."""
    with registry(url, reading_is_open=reading_is_open) as client:
        del client.headers["Authorization"]
        for role in ROLES[2:]:
            allow(url, f"pr_{role}", role, role)
        for over, column in (("pr_expired", "expires_at"), ("pr_revoked", "revoked_at")):
            allow(url, over, "admin", "somebody")
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute(f"UPDATE token SET {column} = now() WHERE hash = %s".encode(), (hash_token(over),))
        tokens = {role: [f"pr_{role}"] for role in ROLES[2:]} | {"over": ["pr_expired", "pr_revoked"]}
        known = {role: [{"Authorization": f"Bearer {one}"} for one in mine] for role, mine in tokens.items()}
        yield client, known | {"nobody": [{}]}


def test_the_table_has_every_address_and_nothing_else(database: str) -> None:
    with registry(database) as client:
        paths = client.get("/openapi.json").json()["paths"]
    assert set(written()) == {(method.upper(), path) for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize("reading_is_open", [True, False])
def test_every_address_lets_in_whom_the_table_says_and_nobody_else(database: str, reading_is_open: bool) -> None:
    wrong = []
    with everybody(database, reading_is_open=reading_is_open) as (client, callers):
        for (method, path), cells in written().items():
            address = path.format(**PARTS) + ("?nonsense=1" if path == ENDLESS else "")
            for role, cell in cells.items():
                expected = MEANT[("yes" if reading_is_open else "401") if cell == "open" else cell]
                for headers in callers[role]:
                    answer = client.request(method, address, headers=headers)
                    status = answer.status_code
                    if status >= 500 or (status if status in (401, 403) else None) != expected:
                        wrong.append((method, path, role, cell, status))
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert wrong == []
