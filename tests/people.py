"""People under test: who may sign in, and a browser in which somebody has."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.testclient import TestClient

from service.main import create_app
from tests.registry import client_of, settings_for

PASSWORD = "four blue tables"
ORIGIN = "http://testserver"
COOKIE = "registry_session"


@cache
def kept_of(password: str) -> str:
    """What is kept of a password, of the least that Argon2 takes: a hash says itself how dear it is to compare with."""
    return Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1).hash(password)


def add_person(url: str, login: str = "jane", role: str = "admin", name: str = "", password: str = PASSWORD) -> None:
    """Puts somebody into the database who can sign in."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO person (login, name, role, password, created_at) VALUES (%s, %s, %s, %s, now())",
            (login, name or login.title(), role, kept_of(password)),
        )


def begin_session(url: str, login: str = "jane") -> str:
    """Signs somebody in, without a password; answers the cookie."""
    secret = secrets.token_urlsafe(32)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO session (hash, login, began_at, last_used_at, expires_at, address, browser)"
            " VALUES (%s, %s, now(), now(), now() + interval '1 day', '192.0.2.1', 'Firefox on Linux')",
            (hashlib.sha256(secret.encode()).digest(), login),
        )
    return secret


def sends_like_a_browser(client: TestClient, cookie: str | None = None) -> TestClient:
    """The client, with what a browser says of forms from our own pages, and with the cookie of a session."""
    client.headers["Origin"] = ORIGIN
    client.follow_redirects = False
    if cookie is not None:
        client.cookies.set(COOKIE, cookie)
    return client


@contextmanager
def opened(url: str, **settings: Any) -> Iterator[TestClient]:
    """A running registry, and a browser in which nobody is signed in."""
    with client_of(create_app(settings_for(url, **settings)), token=None) as client:
        yield sends_like_a_browser(client)


@contextmanager
def browser(url: str, login: str = "jane", role: str = "admin", **settings: Any) -> Iterator[TestClient]:
    """A running registry, and a browser in which a new person of a role is signed in."""
    add_person(url, login, role)
    with opened(url, **settings) as client:
        yield sends_like_a_browser(client, begin_session(url, login))
