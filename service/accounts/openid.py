"""Signing in by a provider (OpenID Connect): the code flow with PKCE, of which Authlib knows the rules.

What ties the way there to the way back (state, nonce, verifier) follows from one secret that the browser keeps in a
cookie for ten minutes: nothing is stored here, and whoever has not begun cannot end.
"""

import hmac
import logging
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from service.access import Role
from service.domain.errors import Refused, Unavailable

_LOGGER = logging.getLogger(__name__)
_DISCOVERY = "/.well-known/openid-configuration"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_SCOPE = "openid email profile"
_SIGNED_BY = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
"""With a key of the provider's own: neither unsigned nor by a secret that we have too."""
_KEPT_SECONDS = 3600
_PATIENCE_SECONDS = 10
_LEEWAY_SECONDS = 60


class Client(NamedTuple):
    """What the provider knows of us, and we of it."""

    issuer: str
    client_id: str
    client_secret: str
    role_claim: str
    roles: dict[str, Role]


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who somebody is, as the provider says: the role too, where a claim has it."""

    issuer: str
    subject: str
    email: str | None
    login: str
    name: str
    role: Role | None


class NotVouched(Refused):
    """The provider does not say who it is, or not in a way that can be believed."""


_AGAIN = "Signing in there did not come to its end here; begin again from this page."


def derive(secret: str, what: str) -> str:
    """A value that only whoever has the secret can know: 43 characters that are safe in an address."""
    return urlsafe_b64encode(hmac.digest(secret.encode(), what.encode(), sha256)).decode().rstrip("=")


class Provider:
    """A provider of OpenID Connect; what it says of itself is remembered for an hour."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: KeySet | None = None

    @property
    def host(self) -> str:
        """How people know it."""
        return urlsplit(self._client.issuer).netloc

    @property
    def gives_roles(self) -> bool:
        """Whether it says which role somebody has; else whoever signs in was invited before."""
        return bool(self._client.role_claim)

    async def begin(self, secret: str, back: str) -> str:
        """Where the browser goes to sign in; it comes ``back`` to an address of ours."""
        metadata = await self._describe()
        async with self._session(back) as session:
            address: str
            address, _ = session.create_authorization_url(
                metadata["authorization_endpoint"],
                state=derive(secret, "state"),
                code_verifier=derive(secret, "verifier"),
                nonce=derive(secret, "nonce"),
            )
        return address

    async def finish(self, secret: str, back: str, answer: dict[str, str]) -> Vouched:
        """Who has come back, with what the provider gave the browser along.

        Raises `NotVouched`; `Unavailable` where the provider does not answer.
        """
        if not secret:
            raise NotVouched("This browser has not begun to sign in there, or too long ago; begin again from here.")
        if not hmac.compare_digest(answer.get("state", "").encode(), derive(secret, "state").encode()):
            raise NotVouched(_AGAIN)
        if answer.get("iss", self._client.issuer) != self._client.issuer:  # RFC 9207
            raise NotVouched(_AGAIN)
        if "code" not in answer:
            raise NotVouched("The provider has not let you in, or you have not let it tell us who you are.")
        metadata = await self._describe()
        try:
            async with self._session(back) as session:
                token = await session.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=answer["code"],
                    code_verifier=derive(secret, "verifier"),
                )
            claims = await self._claims_of(token, derive(secret, "nonce"))
        except httpx2.HTTPError as error:
            raise _silent() from error
        except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError) as error:
            _LOGGER.warning("what the sign-in provider answered is not valid: %s", type(error).__name__)
            raise NotVouched(_AGAIN) from error
        return self._vouched(claims)

    def _session(self, back: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            client_id=self._client.client_id,
            client_secret=self._client.client_secret,
            scope=_SCOPE,
            redirect_uri=back,
            code_challenge_method="S256",
            timeout=_PATIENCE_SECONDS,
        )

    async def _describe(self) -> dict[str, Any]:
        """What the provider says of itself; it has to be the one that is meant."""
        if self._metadata is not None and time.monotonic() - self._metadata[0] < _KEPT_SECONDS:
            return self._metadata[1]
        found = await self._get(self._client.issuer.rstrip("/") + _DISCOVERY)
        endpoints = all(isinstance(found.get(name), str) for name in _ENDPOINTS)
        if found.get("issuer") != self._client.issuer or not endpoints:
            _LOGGER.error("the sign-in provider calls itself otherwise than OIDC_ISSUER does, or is none")
            raise Unavailable("The sign-in provider is not the one that is set; whoever runs the service can mend it.")
        self._metadata, self._keys = (time.monotonic(), found), None
        return found

    async def _get(self, address: str) -> dict[str, Any]:
        try:
            async with httpx2.AsyncClient(timeout=_PATIENCE_SECONDS) as session:
                found = (await session.get(address)).raise_for_status().json()
        except (httpx2.HTTPError, ValueError) as error:
            raise _silent() from error
        return found if isinstance(found, dict) else {}

    async def _claims_of(self, token: dict[str, Any], nonce: str) -> dict[str, Any]:
        """What the provider says of whoever has signed in, once its signature and all that ties it to us hold."""
        try:
            decoded = jwt.decode(token["id_token"], await self._read_keys(), algorithms=_SIGNED_BY)
        except InvalidKeyIdError:  # the provider has new keys
            self._keys = None
            decoded = jwt.decode(token["id_token"], await self._read_keys(), algorithms=_SIGNED_BY)
        ours = {"essential": True, "value": self._client.client_id}
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {"iss": {"essential": True, "value": self._client.issuer}, "aud": ours},
            {"nonce": nonce, "client_id": self._client.client_id, "access_token": token.get("access_token")},
        )
        claims.validate(leeway=_LEEWAY_SECONDS)
        return dict(claims)

    async def _read_keys(self) -> KeySet:
        if self._keys is None:
            metadata = await self._describe()
            self._keys = KeySet.import_key_set(await self._get(metadata["jwks_uri"]))  # type: ignore[arg-type]  # checked there
        return self._keys

    def _vouched(self, claims: dict[str, Any]) -> Vouched:
        email = _text(claims, "email").strip().lower() or None
        if claims.get("email_verified") is not True:  # else anybody could claim to be whoever was invited
            email = None
        login = _text(claims, "preferred_username") or (email or "").partition("@")[0]
        return Vouched(
            issuer=self._client.issuer,
            subject=_text(claims, "sub"),
            email=email,
            login=login,
            name=_text(claims, "name") or login,
            role=self._role_in(claims) if self.gives_roles else None,
        )

    def _role_in(self, claims: dict[str, Any]) -> Role:
        """The highest of the roles that the claim has; raises `NotVouched` where it has none."""
        given = claims.get(self._client.role_claim)
        said = given if isinstance(given, list) else [given]
        roles = [self._client.roles[one] for one in said if isinstance(one, str) and one in self._client.roles]
        if not roles:
            raise NotVouched("The provider knows you, and gives you no role here; ask whoever looks after it.")
        return max(roles, key=list(Role).index)


def _text(claims: dict[str, Any], name: str) -> str:
    found = claims.get(name)
    return found if isinstance(found, str) else ""


def _silent() -> Unavailable:
    return Unavailable("The sign-in provider does not answer; try again in a moment, or sign in with a password.")
