"""Signing in by a provider of OpenID Connect, which is a real one over HTTP."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import psycopg
import pytest
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from starlette.testclient import TestClient

from service.domain.errors import Unavailable
from service.main import create_app
from service.settings import Settings
from tests.people import COOKIE, add_person, opened
from tests.provider import CLIENT_ID, CLIENT_SECRET, Provider, providing
from tests.registry import allow, settings_for
from tests.test_signing_in import do

JANE = {"sub": "248289761001", "email": "Jane@Example.org", "email_verified": True, "name": "Jane Doe"}
BEGIN, BACK = "/admin/sign-in/provider", "/admin/sign-in/provider/back"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with providing() as one:
        one.claims = dict(JANE)
        yield one


def knows(provider: Provider, **more: Any) -> dict[str, Any]:
    """The settings of a registry that knows the provider."""
    return {
        "oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET, **more,
    }  # fmt: skip


def invite(url: str, login: str = "jane", email: str = "jane@example.org", role: str = "editor") -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO person (login, name, email, role, created_at) VALUES (%s, 'Jane', %s, %s, now())",
            (login, email, role),
        )


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def visit(address: str) -> str:
    """Where a page of the provider, over HTTP, sends the browser."""
    with pytest.raises(HTTPError) as answered:
        build_opener(_Stay).open(address, timeout=30)
    with answered.value as answer:
        assert answer.code == 302
        return str(answer.headers["Location"])


def go(client: TestClient, begin: str = BEGIN) -> Any:
    """There and back, as a browser is led."""
    there = client.get(begin)
    assert there.status_code == 303, there.text
    back = visit(there.headers["Location"])
    assert back.startswith(f"http://testserver{BACK}?")
    return client.get(back.removeprefix("http://testserver"))


def test_whoever_was_invited_signs_in_by_the_provider_and_is_known_from_then_on(
    database: str, provider: Provider
) -> None:
    invite(database)
    with opened(database, **knows(provider)) as client:
        assert urlsplit(provider.issuer).netloc in client.get("/admin/sign-in").text
        signed_in = go(client, f"{BEGIN}?next=/admin/account")
        assert (signed_in.status_code, signed_in.headers["Location"]) == (303, "/admin/account")
        assert client.get("/v1/me").json() == {"owner": "jane", "role": "editor", "token": None}
        client.cookies.clear()
        provider.claims |= {"email": "jane@elsewhere.example", "name": "Jane Roe"}
        assert go(client).status_code == 303
        assert client.get("/v1/me").json()["owner"] == "jane"


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "john@example.org"},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": None},
    ],
)
def test_whoever_was_not_invited_or_whose_address_nobody_has_verified_stays_outside(
    database: str, provider: Provider, changed: dict[str, Any]
) -> None:
    invite(database)
    provider.claims |= changed
    with opened(database, **knows(provider)) as client:
        refused = go(client)
        assert (refused.status_code, "Ask an admin to invite you" in refused.text) == (422, True)
        assert COOKIE not in client.cookies


def test_an_invitation_by_e_mail_is_good_for_one_account_of_the_provider(database: str, provider: Provider) -> None:
    invite(database)
    with opened(database, **knows(provider)) as client:
        assert go(client).status_code == 303
        client.cookies.clear()
        provider.claims |= {"sub": "another"}
        assert go(client).status_code == 422


def test_whoever_is_disabled_stays_outside_whatever_the_provider_says(database: str, provider: Provider) -> None:
    invite(database)
    with opened(database, **knows(provider, oidc_role_claim="groups")) as client:
        provider.claims |= {"groups": ["admin"]}
        assert go(client).status_code == 303
        do(database, "UPDATE person SET disabled_at = now()")
        assert client.get("/v1/me").status_code == 401
        assert "may not sign in here any more" in go(client).text


def test_a_claim_gives_the_role_each_time_and_lets_in_whoever_is_new(database: str, provider: Provider) -> None:
    more = {"oidc_role_claim": "groups", "oidc_roles": "staff=contributor, leads=approver"}
    provider.claims |= {"preferred_username": "jdoe", "groups": ["staff", "others", "leads"]}
    with opened(database, **knows(provider, **more)) as client:
        assert go(client).status_code == 303
        assert client.get("/v1/me").json() == {"owner": "jdoe", "role": "approver", "token": None}
        provider.claims |= {"groups": "staff"}
        assert go(client).status_code == 303
        assert client.get("/v1/me").json()["role"] == "contributor"
        client.cookies.clear()
        for groups in (["others"], [], None, "approver", {"leads": True}):
            provider.claims |= {"groups": groups}
            assert "gives you no role here" in go(client).text


def test_nobody_new_takes_over_a_login_that_is_somebodys(database: str, provider: Provider) -> None:
    add_person(database, "jane", "admin")
    provider.claims |= {"preferred_username": "jane", "groups": ["reader"]}
    with opened(database, **knows(provider, oidc_role_claim="groups")) as client:
        assert "cannot be a login here, or is somebody&#39;s" in go(client).text
        provider.claims |= {"preferred_username": "Jane Doe!"}
        assert "cannot be a login here" in go(client).text
        allow(database, "pr_of_a_program", "admin", "Nightly")
        provider.claims |= {"preferred_username": "nightly"}
        assert "is somebody&#39;s" in go(client).text, "what a program has put up would be theirs"
        assert COOKIE not in client.cookies


SPOILT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another issuer": lambda claims: claims | {"iss": "https://evil.example"},
    "another client": lambda claims: claims | {"aud": "somebody-else"},
    "several clients and none of them named": lambda claims: claims | {"aud": [CLIENT_ID, "other"]},
    "another nonce": lambda claims: claims | {"nonce": "x" * 43},
    "no nonce": lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "too old": lambda claims: claims | {"exp": int(time.time()) - 120},
    "no end": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "nobody": lambda claims: {name: value for name, value in claims.items() if name != "sub"},
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_what_the_provider_says_of_another_or_for_another_is_not_believed(
    database: str, provider: Provider, spoilt: str
) -> None:
    invite(database)
    provider.spoil = SPOILT[spoilt]
    with opened(database, **knows(provider)) as client:
        refused = go(client)
        assert (refused.status_code, COOKIE in client.cookies) == (422, False)


def test_what_another_key_has_signed_is_not_believed_and_a_new_key_is_fetched(
    database: str, provider: Provider
) -> None:
    invite(database)
    with opened(database, **knows(provider)) as client:
        assert go(client).status_code == 303
        provider.new_key()
        client.cookies.clear()
        assert go(client).status_code == 303, "the provider has changed its key"
        provider.signs_with = RSAKey.generate_key(2048, {"kid": str(provider.key.kid)})
        client.cookies.clear()
        assert go(client).status_code == 422
        assert provider.asked.count("/.well-known/openid-configuration") == 1


def test_the_way_back_is_for_the_browser_that_began_and_once(database: str, provider: Provider) -> None:
    invite(database)
    with opened(database, **knows(provider)) as client:
        there = client.get(BEGIN)
        cookie = there.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=lax", "Max-Age=600"} <= set(cookie.split("; "))
        back = visit(there.headers["Location"]).removeprefix("http://testserver")
        with opened(database, **knows(provider)) as victim:
            assert "has not begun to sign in" in victim.get(back).text
            victim.get(BEGIN)
            assert victim.get(back).status_code == 422, "with the state of another browser"
            assert COOKIE not in victim.cookies
        kept = dict(client.cookies)
        assert client.get(back).status_code == 303
        for name, value in kept.items():
            client.cookies.set(name, value)
        client.cookies.delete(COOKIE)
        assert client.get(back).status_code == 422, "a code is good for one use"


def test_a_code_without_its_verifier_or_the_secret_opens_nothing(database: str, provider: Provider) -> None:
    invite(database)
    with opened(database, **knows(provider, oidc_client_secret="wrong")) as client:
        assert go(client).status_code == 422
    with opened(database, **knows(provider)) as client:
        there = client.get(BEGIN)
        told = dict(pair.split("=", 1) for pair in urlsplit(there.headers["Location"]).query.split("&"))
        back = visit(there.headers["Location"].replace(told["code_challenge"], "A" * 43))
        assert client.get(back.removeprefix("http://testserver")).status_code == 422


def test_whoever_does_not_want_to_tell_the_provider_is_led_back_to_the_page(database: str, provider: Provider) -> None:
    provider.denies = True
    with opened(database, **knows(provider)) as client:
        assert "has not let you in" in go(client).text


def test_a_provider_that_is_silent_or_another_than_is_meant_is_said_to_be(database: str, provider: Provider) -> None:
    with opened(database, **knows(provider, oidc_issuer="http://127.0.0.1:9")) as client:
        said = client.get(BEGIN)
        assert (said.status_code, "does not answer" in said.text) == (503, True)
        assert "Sign in with 127.0.0.1:9" in client.get("/admin/sign-in").text
    metadata, provider.metadata = provider.metadata, lambda: {"issuer": provider.issuer}  # type: ignore[method-assign]  # for once
    with opened(database, **knows(provider)) as client:
        assert client.get(BEGIN).status_code == 503
    provider.metadata = metadata  # type: ignore[method-assign]  # as it was
    issuer = provider.issuer
    provider.issuer = "https://evil.example"
    with opened(database, **(knows(provider) | {"oidc_issuer": issuer})) as client:
        assert "is not the one that is set" in client.get(BEGIN).text
    with opened(database) as client:
        assert client.get(BEGIN).status_code == client.get(BACK).status_code == 404
        assert "Sign in with" not in client.get("/admin/sign-in").text


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "http://provider.example", "oidc_client_id": "x"},
        {"oidc_issuer": "https://provider.example"},
        {"oidc_client_id": "x"},
        {"oidc_roles": "staff"},
        {"public_url": "https://registry.example/path"},
        {"public_url": "registry.example"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)


def test_a_role_that_there_is_not_is_refused_at_the_start(provider: Provider) -> None:
    with pytest.raises(Unavailable, match="OIDC_ROLES"):
        create_app(settings_for("", **knows(provider, oidc_roles="staff=owner")))


def test_the_secret_is_in_nothing_that_is_printed_of_the_settings(provider: Provider) -> None:
    assert CLIENT_SECRET not in repr(settings_for("", **knows(provider)))
