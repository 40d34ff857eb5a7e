"""Where webhooks may be sent: not into the service's own network, by no spelling, and by no name that leads there."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from service.main import create_app
from service.settings import Settings, parse_networks
from service.webhooks.addresses import Addresses, Unreachable, is_public, parse_url, resolve_by_system
from service.webhooks.messages import Message
from service.webhooks.sending import Failure, Outcome, Sender
from tests.receivers import LOOPBACK, receiving
from tests.registry import allow, client_of, post, register, settings_for, statement

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.1",
    "2606:4700:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip
REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "5f00::1",
]  # fmt: skip
LOCAL_SPELLINGS = [
    "localhost", "LOCALHOST", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0", "[::1]", "[::ffff:7f00:1]", "[::]",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_somebodys_on_the_internet_may_be_sent_to(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_within_an_address_is_judged_as_itself(address: object) -> None:
    for prefix in ("::ffff:", "64:ff9b::"):
        assert is_public(ip_address(f"{prefix}{address}")) == is_public(ip_address(str(address)))


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_is_public(address: object) -> None:
    found = ip_address(str(address))
    if (
        is_public(found)
        and getattr(found, "ipv4_mapped", None) is None
        and found not in parse_networks("64:ff9b::/96")[0]
    ):
        assert found.is_global
        assert not found.is_multicast
        assert not found.is_reserved


class Names:
    """A resolver of a test's own, which counts how often it is asked, and may answer otherwise each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def find(url: str, names: Names | None = None, allowed: str = "") -> list[str]:
    """The addresses that a URL leads to."""
    return asyncio.run(Addresses(parse_networks(allowed), names or resolve_by_system).find(httpx2.URL(url)))


@pytest.mark.parametrize("host", LOCAL_SPELLINGS)
def test_no_spelling_of_this_machine_gets_through(host: str) -> None:
    parse_url(f"http://{host}:8000/")
    with pytest.raises(Unreachable) as refused:
        find(f"http://{host}:8000/")
    assert refused.value.refused


@pytest.mark.parametrize("address", REFUSED)
def test_a_name_that_leads_there_is_refused_also_beside_a_good_address(address: str) -> None:
    for found in ([address], ["8.8.8.8", address], [address, "8.8.8.8"]):
        with pytest.raises(Unreachable) as refused:
            find("https://hook.example/", Names(found))
        assert refused.value.refused


def test_a_network_that_is_allowed_is_and_no_other_is() -> None:
    allowed = "10.1.0.0/16, fd00::/8"
    assert find("https://hook.example/", Names(["10.1.2.3", "fd00::1", "::ffff:10.1.2.3"]), allowed)
    for other in ("10.2.0.1", "127.0.0.1", "fe80::1"):
        with pytest.raises(Unreachable):
            find("https://hook.example/", Names([other]), allowed)


def test_a_setting_that_names_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        Settings(webhook_networks="10.0.0.1/8")
    assert create_app(Settings(webhook_networks="10.0.0.0/8, ::1/128"))


def test_a_name_without_an_address_is_told_apart() -> None:
    for names in (Names([]), Names(["no address"])):
        with pytest.raises(Unreachable) as unknown:
            find("https://hook.example/", names)
        assert not unknown.value.refused


def send(url: str, names: Names, allowed: str = LOOPBACK, times: int = 1) -> list[Outcome]:
    """Sends a message, as the service does."""

    async def sending() -> list[Outcome]:
        sender = Sender(Addresses(parse_networks(allowed), names), lambda: datetime.now(UTC), agent="test")
        async with sender.connected() as line:
            return [await line.send(url, Message("1", b"{}"), [bytes(32)]) for _ in range(times)]

    return asyncio.run(sending())


def test_the_connection_is_made_to_the_address_that_was_checked() -> None:
    with receiving() as receiver:
        names = Names(["127.0.0.1"])
        (outcome,) = send(f"http://hook.example:{receiver.port}/path?a=b", names)
        assert outcome.accepted  # no other resolver knows this name
        assert names.asked == ["hook.example"]
        assert receiver.got[0].headers["host"] == f"hook.example:{receiver.port}"
        assert receiver.got[0].path == "/path?a=b"


def test_a_name_that_turns_to_this_machine_after_it_was_checked_gets_nothing() -> None:
    with receiving() as receiver:
        url = f"http://hook.example:{receiver.port}/"
        names = Names(["127.0.0.2"], ["127.0.0.1"])
        first, second = send(url, names, "127.0.0.2/32", times=2)
        assert first.failure is Failure.CONNECTION  # where it was allowed to go, nobody listens
        assert second.failure is Failure.ADDRESS
        assert receiver.got == []


def test_the_next_address_is_tried_where_nobody_listens_at_the_first() -> None:
    with receiving() as receiver:
        (outcome,) = send(f"http://hook.example:{receiver.port}/", Names(["127.0.0.2", "127.0.0.3", "127.0.0.1"]))
        assert outcome.accepted
        assert len(receiver.got) == 1


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        (outcome,) = send(f"http://hook.example:{receiver.port}/", Names(["127.0.0.1"]))
        assert outcome.accepted
        assert proxy.got == []


@contextmanager
def listening(speak: "ssl.SSLContext | None" = None) -> Iterator[tuple[int, list[bytes]]]:
    """A port, and what was first said to it; with TLS it answers 204."""
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                if speak is None:
                    heard.append(connection.recv(4096))
                else:
                    connection = speak.wrap_socket(connection, server_side=True)
                    heard.append(connection.recv(4096))
                    connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                    while connection.recv(4096):  # what is closed on unread is reset, and the answer with it
                        pass
            except OSError:
                pass
            finally:
                connection.close()

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_tls_is_told_the_name_and_not_the_address() -> None:
    with listening() as (port, heard):
        (outcome,) = send(f"https://hook.example:{port}/", Names(["127.0.0.1"]))
        assert outcome.failure in (Failure.TLS, Failure.CONNECTION)
        assert b"hook.example" in heard[0]  # the server's name, in the clear


def test_a_certificate_has_to_be_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, trusted = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hook.example").configure_cert(context)
    with listening(context) as (port, heard):
        (unknown,) = send(f"https://hook.example:{port}/", Names(["127.0.0.1"]))
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        (right,) = send(f"https://hook.example:{port}/", Names(["127.0.0.1"]))
        (wrong,) = send(f"https://other.example:{port}/", Names(["127.0.0.1"]))
    assert (unknown.failure, right.failure, wrong.failure) == (Failure.TLS, None, Failure.TLS)
    assert len(heard) == 1
    assert heard[0].startswith(b"POST / HTTP/1.1\r\n")


def test_a_webhook_is_checked_when_it_is_made_and_again_when_it_is_sent(database: str) -> None:
    names = Names(["8.8.8.8"], ["10.0.0.1"])
    allow(database)
    with client_of(create_app(settings_for(database), resolve=names)) as client:
        register(client, "willing")
        made = client.post("/v1/webhooks", json={"url": "https://hook.example/"})
        assert made.status_code == 201
        refused = client.post("/v1/webhooks", json={"url": "https://inner.example/"})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["code"] == "address_refused"
        post(client, statement())
        told = client.post(f"/v1/webhooks/{made.json()['id']}/ping").json()
        assert (told["failure"], told["status"]) == ("address", None)
        assert names.asked[:2] == ["hook.example", "inner.example"]
        assert set(names.asked[2:]) == {"hook.example"}
