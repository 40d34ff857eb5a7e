"""What can be set from outside: read once, at the start, from the environment."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.journal import Level, Look

Network = IPv4Network | IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks, separated by commas; raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def parse_origin(text: str) -> str:
    """The scheme, host and port of an address, or nothing; raises ValueError where it says more."""
    text = text.strip().rstrip("/")
    parts = urlsplit(text)
    if text and (
        parts.scheme not in ("http", "https") or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ValueError("is no address such as https://registry.example, without a path")
    return text.lower()


def parse_pairs(text: str) -> dict[str, str]:
    """What means what, as `name=value`, separated by commas; raises ValueError."""
    pairs = [part.rpartition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and value.strip() for name, _, value in pairs):
        raise ValueError("is no list such as staff=editor,leads=approver")
    return {name.strip(): value.strip() for name, _, value in pairs}


class Settings(BaseSettings):
    """Every setting, by the name of its environment variable (upper case)."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field("", description="a PostgreSQL of version 15 or later; empty: a private one is started")
    state_dir: Path = Field(Path(".state"), description="where the private PostgreSQL lives")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: any free one")
    reading_is_open: bool = Field(True, description="whether reading needs no token")
    stale_after_days: int = Field(180, ge=1, le=36500, description="after how many days a commitment is stale")
    licence: str = Field("CC-BY-4.0", min_length=1, description="under which tables may be passed on, as they say")
    pool_size: int = Field(10, ge=2, le=200, description="connections to the database for what only reads")
    write_pool_size: int = Field(6, ge=4, le=200, description="further ones for what writes, which no read takes")
    read_seconds: int = Field(10, ge=1, le=3600, description="how long a query of an answer may take")
    write_seconds: int = Field(30, ge=1, le=3600, description="how long a statement of a write may take")
    request_seconds: int = Field(60, ge=1, le=3600, description="how long a request may take until its answer begins")
    head_seconds: int = Field(10, ge=1, le=3600, description="how long a client may take to send a request's head")
    stall_seconds: int = Field(20, ge=1, le=3600, description="how long a client may neither send nor take a byte")
    most_streams: int = Field(1000, ge=1, le=100_000, description="how many may listen to the log at once")
    pinned_cache_bytes: int = Field(64 * 2**20, ge=0, description="memory for pinned answers, which never change")
    largest_import: int = Field(2**30, ge=1024, description="bytes of a file that is imported")
    imports_at_once: int = Field(2, ge=1, le=100, description="how many files one process imports at the same time")
    log_format: Look = Field(Look.AUTO, description="how lines look: json, text, or text on a terminal alone")
    log_level: Level = Field(Level.AUTO, description="which lines are written: info has one for each request")
    largest_table: int = Field(20_000, ge=1, le=1_000_000, description="rows of a table that is asked for whole")
    largest_body: int = Field(8 * 2**20, ge=1024, description="bytes of a request's body")
    reads_per_minute: int = Field(6000, ge=0, description="requests that read, of one client; 0: any number")
    writes_per_minute: int = Field(1200, ge=0, description="requests that write, of one client; 0: any number")
    trusted_proxies: str = Field(
        "", description="addresses or networks of proxies whose X-Forwarded-For is believed, separated by commas"
    )
    public_url: str = Field(
        "", description="address under which browsers reach the service, such as https://registry.example"
    )
    session_idle_minutes: int = Field(240, ge=1, le=525_600, description="after how long unused a session ends")
    session_hours: int = Field(168, ge=1, le=8_760, description="after how long a session ends in any case")
    link_hours: int = Field(48, ge=1, le=8_760, description="for how long a link works that is good for one use")
    oidc_issuer: str = Field("", description="address of a provider of OpenID Connect; empty: none")
    oidc_client_id: str = Field("", description="the name under which the provider knows the service")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="with which the service shows that it is that")
    oidc_role_claim: str = Field("", description="claim that gives roles; empty: who signs in was invited, by e-mail")
    oidc_roles: str = Field(
        "", description="what the claim's values mean, such as staff=editor,leads=approver; empty: they are the roles"
    )
    webhook_networks: str = Field(
        "", description="networks of one's own that webhooks may reach, separated by commas, such as 10.0.0.0/8"
    )

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, text: str) -> str:
        try:
            conninfo_to_dict(text)
        except psycopg.ProgrammingError:  # its message may repeat the password
            raise ValueError("is no address such as postgresql://user:password@host/database") from None
        return text

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, text: str) -> str:
        return parse_origin(text)

    @field_validator("oidc_issuer")
    @classmethod
    def _is_an_address(cls, text: str) -> str:
        parts = urlsplit(text)
        is_local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
        if text and not (parts.hostname and (parts.scheme == "https" or is_local)):
            raise ValueError("is no address of https")
        return text

    @field_validator("oidc_roles")
    @classmethod
    def _are_roles(cls, text: str) -> str:
        parse_pairs(text)
        return text

    @model_validator(mode="after")
    def _knows_its_provider(self) -> "Settings":
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise ValueError("OIDC_ISSUER and OIDC_CLIENT_ID are set together or not at all")
        return self

    @field_validator("webhook_networks", "trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        parse_networks(text)
        return text

    def address(self, host: str, port: int) -> str:
        """Where people reach the service: what is set, else where it listens, which may be on all addresses."""
        everywhere = host in ("0.0.0.0", "::")  # noqa: S104 - no binding
        here = "localhost" if everywhere else f"[{host}]" if ":" in host else host
        return self.public_url or f"http://{here}:{port}"
