"""A small proxy that cuts connections: before a request has arrived whole, after its effect, or within the answer."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

HEADER = "X-Fate"
_PATIENCE = 60.0


class Fate(StrEnum):
    """What becomes of an exchange; the request names it in a header."""

    WHOLE = "whole"
    REQUEST_CUT = "request-cut"  # before the last bytes have gone on
    LEFT = "left"  # the whole request has gone on, and nobody waits for the answer
    ANSWER_LOST = "answer-lost"  # the answer has come, so that the effect is there, and is not passed on
    ANSWER_CUT = "answer-cut"  # only its first half is


@contextmanager
def cutting(port: int) -> Iterator[int]:
    """The port of a proxy to another port of this machine."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        threading.Thread(target=_accept, args=(listening, port), daemon=True).start()
        yield listening.getsockname()[1]


def _accept(listening: socket.socket, port: int) -> None:
    with contextlib.suppress(OSError):  # it was closed
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_exchange, args=(client, port), daemon=True).start()


def _exchange(client: socket.socket, port: int) -> None:
    with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", port), _PATIENCE) as server:
        client.settimeout(_PATIENCE)
        request = _read_message(client)
        fate = Fate(_header(request, HEADER) or Fate.WHOLE)
        if fate is Fate.REQUEST_CUT:
            server.sendall(request[: -max(len(request) // 5, 1)])
            return
        server.sendall(request)
        if fate is Fate.LEFT:
            return
        answer = _read_message(server)
        if fate is Fate.WHOLE:
            client.sendall(answer)
        elif fate is Fate.ANSWER_CUT:
            client.sendall(answer[: len(answer) // 2])


def _read_message(connection: socket.socket) -> bytes:
    """A request or an answer of known length, whole."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += _some(connection)
    head, _, body = read.partition(b"\r\n\r\n")
    length = int(_header(head, "Content-Length") or 0)
    while len(body) < length:
        body += _some(connection)
    return head + b"\r\n\r\n" + body


def _some(connection: socket.socket) -> bytes:
    found = connection.recv(65536)
    if not found:
        raise ConnectionResetError
    return found


def _header(message: bytes, name: str) -> str:
    found = re.search(rb"(?im)^%b: *([^\r\n]*)" % name.encode(), message.partition(b"\r\n\r\n")[0])
    return found[1].decode() if found else ""
