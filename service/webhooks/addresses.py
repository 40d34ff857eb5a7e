"""Where may be sent to: a subscriber names any address, and the service must not knock at doors of its own network.

A name is resolved once, every address that it has is checked, and the connection is made to a checked address itself:
a name that answers differently the second time (DNS rebinding) is not asked a second time.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import httpx2

from service.settings import Network

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → addresses; raises OSError where there are none."""

_WEB_PORTS = (80, 443)
_FREE_PORTS = range(1024, 65_536)  # below them other protocols listen, which could take a request for theirs
_RESOLVING_SECONDS = 5.0

# Said here, not asked of `ipaddress`, whose answers differ between patches of Python (IANA's registries, 2026).
_REFUSED = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # a cloud's own services, at a public address
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_GLOBAL = IPv6Network("2000::/3")  # nothing outside it is anybody's on the internet
_TRANSLATED = IPv6Network("64:ff9b::/96")  # IPv4 behind a translator (RFC 6052)


class Unreachable(Exception):
    """Nothing may be sent there: the name has no address, or one that is refused."""

    def __init__(self, *, refused: bool) -> None:
        super().__init__("the address is refused" if refused else "the name has no address")
        self.refused = refused


def parse_url(text: str) -> str:
    """An address that a webhook can have; raises ValueError with a sentence. What it leads to is not looked at here."""
    if re.search(r"[\x00-\x20\x7f\\]", text):
        raise ValueError("An address has no spaces, control characters or backslashes.")
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        raise ValueError("This is no address.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("Send an address that begins with https:// or http:// and names a host.")
    if url.userinfo:
        raise ValueError("Leave user and password out of the address; deliveries are signed instead.")
    if url.fragment or text.endswith("#"):
        raise ValueError("Leave the fragment out of the address: it is never sent.")
    if "%" in url.host:
        raise ValueError("A host has no zone.")
    if url.port is not None and url.port not in _WEB_PORTS and url.port not in _FREE_PORTS:
        raise ValueError("The port has to be 80, 443, or one from 1024 to 65535.")
    return text


def is_public(address: Address) -> bool:
    """Whether an address is somebody's on the internet; one with an IPv4 address in it is judged by that."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in _TRANSLATED else None)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL:
            return False
    return not any(address in network for network in _REFUSED)


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system finds them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Addresses:
    """Finds the addresses of hosts, and lets through none that is not public, or allowed by name of its network."""

    def __init__(self, allowed: Sequence[Network] = (), resolve: Resolve = resolve_by_system) -> None:
        self._allowed = allowed
        self._resolve = resolve

    async def find(self, url: httpx2.URL) -> list[str]:
        """Where to connect for a URL, any of them; raises `Unreachable`, also where only one of them is refused."""
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            async with asyncio.timeout(_RESOLVING_SECONDS):
                found = [ip_address(one) for one in await self._resolve(host, port)]
        except (OSError, ValueError, TimeoutError):
            raise Unreachable(refused=False) from None
        if not found:
            raise Unreachable(refused=False)
        if not all(is_public(address) or self._is_allowed(address) for address in found):
            raise Unreachable(refused=True)
        return list(dict.fromkeys(map(str, found)))

    def _is_allowed(self, address: Address) -> bool:
        named = (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
        return any(named in network for network in self._allowed)


class CheckedTransport(httpx2.AsyncHTTPTransport):
    """Connects to checked addresses alone; the receiver still sees its own name, in Host and in TLS."""

    def __init__(self, addresses: Addresses, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._addresses = addresses

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request to the first address that can be connected to; raises `Unreachable`."""
        *others, last = await self._addresses.find(request.url)
        for address in others:
            try:
                return await super().handle_async_request(_addressed(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await super().handle_async_request(_addressed(request, last))


def _addressed(request: httpx2.Request, address: str) -> httpx2.Request:
    """The same request to one address; its headers have the name already, and TLS is told it, to check it."""
    name = request.url.raw_host.decode("ascii")
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions | {"sni_hostname": name},
    )
