"""Tokens: made, named, used, and ended; nobody but their owner ever has the secret."""

import asyncio
import http.client
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from service.access import Access, Caller, Role, TokenState, create_token, hash_token, revoke_token
from service.database import open_pool
from tests.processes import command, open_folder, serving
from tests.registry import Json, allow, post, registry, statement


def make(client: TestClient, role: str = "editor", owner: str = "jane", **more: Any) -> Json:
    """A new token: what is shown of it, and its secret."""
    made = client.post("/v1/tokens", json={"role": role, "owner": owner, **more})
    assert made.status_code == 201, made.text
    content: Json = made.json()
    assert made.headers["Location"] == f"/v1/tokens/{content['token']['id']}"
    assert made.headers["Cache-Control"] == "no-store"
    return content


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_token_that_is_made_through_the_api_allows_what_its_role_does(database: str) -> None:
    with registry(database) as client:
        editor = bearer(make(client)["secret"])
        recorded = post(client, statement(), **editor)
        assert recorded["event"]["recorded_by"] == "jane"
        assert client.post("/v1/tokens", json={"role": "admin", "owner": "jane"}, headers=editor).status_code == 403
        assert client.get("/v1/tokens", headers=editor).status_code == 403


def test_a_secret_is_answered_once_and_stored_nowhere(database: str) -> None:
    with registry(database) as client:
        made = make(client)
        secret, name = made["secret"], made["token"]["id"]
        assert re.fullmatch(r"pr_[\w-]{40,}", secret)
        for path in ("/v1/tokens", f"/v1/tokens/{name}", "/v1/tokens.csv"):
            assert secret not in client.get(path).text
        me = client.get("/v1/me", headers=bearer(secret))
        assert secret not in me.text
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT t::text FROM token t").fetchall()
        assert not [row for (row,) in rows if secret in row]
        assert connection.execute("SELECT id FROM token WHERE hash = %s", (hash_token(secret),)).fetchone() == (name,)


def test_a_token_is_named_by_the_beginning_of_its_hash_also_one_that_is_older_than_names(database: str) -> None:
    with registry(database) as client:
        assert client.get("/v1/me").json()["token"]["id"] == hash_token("pr_test_admin").hex()[:12]


def test_whoever_asks_is_told_whose_token_it_is(database: str) -> None:
    with registry(database) as client:
        made = make(client, role="reader", expires_at="2999-01-01T00:00:00Z")
        answer = client.get("/v1/me", headers=bearer(made["secret"]))
        del client.headers["Authorization"]
        assert client.get("/v1/me").status_code == 401

    assert answer.headers["Cache-Control"] == "private, no-cache"
    me = answer.json()
    assert (me["owner"], me["role"]) == ("jane", "reader")
    assert me["token"]["expires_at"] == "2999-01-01T00:00:00.000000Z"
    assert me["token"]["created_by"] == "tester"
    assert me["token"]["state"] == "active"


def test_tokens_are_listed_by_page_in_the_order_in_which_they_were_made(database: str) -> None:
    with registry(database) as client:
        made = [make(client, owner=f"owner-{number}")["token"]["id"] for number in range(5)]
        first = client.get("/v1/tokens?limit=4&count=true").json()
        rest = client.get(f"/v1/tokens?limit=4&after={first['next']}").json()
        link = client.get("/v1/tokens?limit=4").headers["Link"]
        of_one = client.get("/v1/tokens?owner=owner-3").json()["items"]

    own = hash_token("pr_test_admin").hex()[:12]
    assert [one["id"] for one in first["items"] + rest["items"]] == [own, *made]
    assert (first["total"], rest["next"]) == (6, None)
    assert f"after={first['next']}" in link
    assert [one["id"] for one in of_one] == [made[3]]


def test_a_revoked_token_is_refused_at_once_and_stays_on_the_list(database: str) -> None:
    with registry(database) as client:
        made = make(client)
        path, header = f"/v1/tokens/{made['token']['id']}", bearer(made["secret"])
        assert client.get("/v1/me", headers=header).status_code == 200
        ended = client.delete(path)
        assert (ended.status_code, ended.content) == (204, b"")
        assert client.get("/v1/me", headers=header).status_code == 401
        kept = client.get(path).json()["token"]
        assert client.delete(path).status_code == 204
        assert client.get(path).json()["token"] == kept
        listed = client.get("/v1/tokens?state=revoked").json()["items"]

    assert (kept["state"], kept["revoked_by"]) == ("revoked", "tester")
    assert kept["revoked_at"] is not None
    assert listed == [kept]


def test_a_revocation_reaches_a_process_that_has_just_used_the_token_within_seconds(database: str) -> None:
    allow(database, "pr_soon_gone", "reader", "somebody")
    with open_folder() as folder, serving(folder, "--no-seeds", DATABASE_URL=database) as server:

        def status() -> int:
            connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
            try:
                connection.request("GET", "/v1/me", headers=bearer("pr_soon_gone"))
                return connection.getresponse().status
            finally:
                connection.close()

        assert status() == 200
        done = command("token", "revoke", hash_token("pr_soon_gone").hex()[:12], DATABASE_URL=database)
        assert (done.returncode, done.stdout) == (0, "")
        revoked = time.monotonic()
        while status() == 200:
            assert time.monotonic() - revoked < 7, "the process still lets it in"
            time.sleep(0.1)
        assert status() == 401


async def _found_while(database: str, meanwhile: Callable[[Access, str, str], Awaitable[None]]) -> list[Any]:
    """What is found of a token by a look-up that is under way while something happens, and by the next."""
    async with open_pool(database, size=4) as pool:
        async with pool.connection() as connection:
            secret, made = await create_token(connection, role=Role.EDITOR, owner="jane")
        access, looked_up, goes_on = Access(pool), asyncio.Event(), asyncio.Event()
        look_up = access._look_up

        async def slow(hashed: bytes, began: float) -> Any:
            found = await look_up(hashed, began)
            looked_up.set()
            await goes_on.wait()
            return found

        access._look_up = slow  # type: ignore[method-assign]  # the database has answered, and its answer is on the way
        under_way = asyncio.create_task(access.find_caller(secret))
        await looked_up.wait()
        await meanwhile(access, secret, made.id)
        goes_on.set()
        return [await under_way, await access.find_caller(secret)]


def test_a_look_up_that_is_under_way_during_a_revocation_lets_nobody_in(database: str) -> None:
    async def revoke(access: Access, _: str, token_id: str) -> None:
        async with open_pool(database, size=1) as pool, pool.connection() as connection:
            await revoke_token(connection, token_id, by="ann")
        access.forget(token_id)

    async def do_nothing(*_: object) -> None:
        pass

    assert asyncio.run(_found_while(database, revoke)) == [TokenState.REVOKED, TokenState.REVOKED]
    assert [one.owner for one in asyncio.run(_found_while(database, do_nothing))] == ["jane", "jane"]


def test_a_token_that_has_just_been_used_lets_nobody_in_once_it_has_expired(database: str) -> None:
    async def use() -> None:
        now = [datetime.now(UTC)]
        async with open_pool(database, size=2) as pool:
            async with pool.connection() as connection:
                until = now[0] + timedelta(minutes=1)
                secret, _ = await create_token(connection, role=Role.EDITOR, owner="jane", expires_at=until)
            access = Access(pool, clock=lambda: 0.0, now=lambda: now[0])
            assert isinstance(await access.find_caller(secret), Caller)
            now[0] = until - timedelta(microseconds=1)
            assert isinstance(await access.find_caller(secret), Caller)
            now[0] = until
            assert await access.find_caller(secret) is TokenState.EXPIRED

    asyncio.run(use())


def test_whoever_has_a_token_that_is_over_is_told_so_and_whoever_guesses_is_not(database: str) -> None:
    with registry(database) as client:
        revoked, expired = make(client), make(client, expires_at="2999-01-01T00:00:00Z")
        client.delete(f"/v1/tokens/{revoked['token']['id']}")
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute("UPDATE token SET expires_at = now() WHERE id = %s", (expired["token"]["id"],))
        told = {}
        for what, secret in {"revoked": revoked["secret"], "expired": expired["secret"], "unknown": "pr_guess"}.items():
            for path in ("/v1/me", "/v1/coalitions"):
                answer = client.get(path, headers=bearer(secret))
                assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
                told[what] = answer.json()["detail"]

    assert "has been revoked" in told["revoked"]
    assert "has expired" in told["expired"]
    assert not re.search("revoked|expired", told["unknown"])


def test_the_command_line_lists_what_it_made(database: str) -> None:
    secret = command("token", "new", "--role", "approver", "--owner", "ann", DATABASE_URL=database).stdout.strip()
    listed = command("token", "list", DATABASE_URL=database)
    assert secret not in listed.stdout
    head, row = (line.split("\t") for line in listed.stdout.splitlines())
    assert head == ["id", "role", "owner", "state", "created_at", "expires_at", "last_used_at"]
    assert row[:4] == [hash_token(secret).hex()[:12], "approver", "ann", "active"]
    assert row[5:] == ["-", "-"]
    refused = command("token", "revoke", "000000000000", DATABASE_URL=database)
    assert refused.returncode == 1
    assert "no token with this id" in refused.stderr


def test_the_use_of_a_token_is_noted_once_a_minute_and_nobody_waits_for_it(database: str) -> None:
    async def use() -> None:
        now = [0.0]
        async with open_pool(database, size=4) as pool:
            async with pool.connection() as connection:
                secret, _ = await create_token(connection, role=Role.EDITOR, owner="jane")
            access = Access(pool, clock=lambda: now[0])

            async def used(*, seconds_later: float) -> Any:
                now[0] += seconds_later
                assert await asyncio.wait_for(access.find_caller(secret), 5) is not None
                async with pool.connection() as connection:
                    row = await (await connection.execute("SELECT last_used_at FROM token")).fetchone()
                return row[0] if row else None

            async def pass_a_minute() -> None:
                with psycopg.connect(database, autocommit=True) as owner:
                    owner.execute("UPDATE token SET last_used_at = last_used_at - interval '61 seconds'")

            first = await used(seconds_later=0)
            assert first is not None
            assert await used(seconds_later=6) == first
            await pass_a_minute()
            remembered = await used(seconds_later=1)
            assert remembered < first
            assert await used(seconds_later=6) > first
            await pass_a_minute()
            with psycopg.connect(database) as other:  # another process is just noting the same
                other.execute("SELECT 1 FROM token FOR UPDATE")
                assert await used(seconds_later=6) < first

    asyncio.run(use())


def test_the_service_cannot_make_a_token_mightier(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET ROLE registry_writer")
        for change in ("role = 'admin'", "owner = 'x'", "expires_at = NULL", "hash = ''"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"UPDATE token SET {change}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM token")


@pytest.mark.parametrize(
    ("content", "status", "pointer"),
    [
        ({"role": "emperor", "owner": "jane"}, 422, "/role"),
        ({"role": "editor"}, 422, "/owner"),
        ({"role": "editor", "owner": ""}, 422, "/owner"),
        ({"role": "editor", "owner": "a\u0000b"}, 422, "/owner"),
        ({"role": "editor", "owner": "jane", "secret": "mine"}, 422, "/secret"),
        ({"role": "editor", "owner": "jane", "expires_at": "2020-01-01T00:00:00Z"}, 422, "/expires_at"),
        ({"role": "editor", "owner": "jane", "expires_at": "soon"}, 422, "/expires_at"),
        ({"role": "editor", "owner": "jane", "expires_at": 4102444800}, 422, "/expires_at"),
        ([], 422, ""),
    ],
)
def test_a_token_is_not_made(database: str, content: Any, status: int, pointer: str) -> None:
    with registry(database) as client:
        refused = client.post("/v1/tokens", json=content)
        assert len(client.get("/v1/tokens").json()["items"]) == 1

    assert refused.status_code == status
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/tokens?after=000000000000", 400),
        ("GET", "/v1/tokens?after=%00", 400),
        ("GET", "/v1/tokens?state=lost", 400),
        ("GET", "/v1/tokens?role=admin", 400),
        ("GET", "/v1/tokens?limit=0", 400),
        ("GET", "/v1/tokens/000000000000", 404),
        ("GET", "/v1/tokens/%00", 404),
        ("DELETE", "/v1/tokens/000000000000", 404),
        ("DELETE", "/v1/tokens/000000000000?force=true", 400),
        ("POST", "/v1/tokens?dry_run=perhaps", 400),
        ("POST", "/v1/tokens?sure=true", 400),
        ("GET", "/v1/me?as_of=2025", 400),
        ("PUT", "/v1/tokens", 405),
    ],
)
def test_what_cannot_be_asked_of_tokens_is_refused(database: str, method: str, path: str, status: int) -> None:
    with registry(database) as client:
        assert client.request(method, path).status_code == status
