"""A receiver of webhooks: a small server on loopback that keeps what it was sent, and answers as a test wants."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.registry import Json

LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Got:
    """One request."""

    headers: dict[str, str]
    body: bytes
    status: int
    path: str

    @property
    def content(self) -> Json:
        """What it said."""
        content: Json = json.loads(self.body)
        return content


@dataclass
class Receiver:
    """What was received, and what is answered: a status by the number of the request, from 1."""

    got: list[Got] = field(default_factory=list)
    status: Callable[[int], int] = lambda _: 204
    seconds: float = 0.0  # before it answers
    flood: bool = False  # answers with a body that has no end
    port: int = 0
    open_at_once: int = 0
    most_at_once: int = 0
    ending: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def accepted(self) -> list[int]:
        """The positions that it has said yes to, in order."""
        return [one.content["position"] for one in self.got if one.status < 300 and "position" in one.content]

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Keeps a request, and answers it."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        with self.lock:
            self.open_at_once += 1
            self.most_at_once = max(self.most_at_once, self.open_at_once)
            status = self.status(len(self.got) + 1)
            self.got.append(
                Got({name.lower(): value for name, value in request.headers.items()}, body, status, request.path)
            )
        self.ending.wait(self.seconds)
        with self.lock:
            self.open_at_once -= 1
        request.send_response(status)
        if 300 <= status < 400:
            request.send_header("Location", f"http://127.0.0.1:{self.port}/elsewhere")
        if not self.flood:
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.end_headers()
        while not self.ending.is_set():
            request.wfile.write(b"x" * 65_536)


@contextmanager
def receiving(receiver: Receiver | None = None) -> Iterator[Receiver]:
    """A receiver that listens; again on the same port where it did before."""
    answering = receiver or Receiver()
    answering.ending.clear()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            try:
                answering.answer(self)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Listening(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Listening(("127.0.0.1", answering.port), Handler)
    answering.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield answering
    finally:
        answering.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()
