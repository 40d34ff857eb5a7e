"""The server under load: a process that runs the application exactly as `serve` does, with one trivial route beside.

`python -m benchmarks.server app|constant [profile]` prints its port. `constant` answers the same bytes to anything,
with nothing behind: what the load generator reaches there is its own ceiling. The journal tells of no request, as on a
terminal.
"""

import asyncio
import contextlib
import cProfile
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, cast

import uvicorn
import uvloop

from benchmarks.machine import BenchError, environment, module
from service.main import create_app
from service.settings import Settings

TRIVIAL = "/bench/trivial"
_HOST = "127.0.0.1"
_STOP_SECONDS = 30


@contextlib.contextmanager
def running_server(url: str = "", *, profile: Path | None = None) -> Iterator[int]:
    """The port of a server over a database; without one, of the constant server."""
    words = ["app" if url else "constant", *([str(profile)] if profile else [])]
    with subprocess.Popen(
        module("benchmarks.server", *words), stdout=subprocess.PIPE, env=environment(url), text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.strip().isdecimal():
                raise BenchError("The server did not start; see above.")
            yield int(line)
            if process.poll() is not None:
                raise BenchError(f"The server ended under load, with status {process.returncode}.")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


class _Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:  # noqa: ANN401 - uvicorn's signature
        await super().startup(sockets)
        if self.started:
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)


def _serve_app() -> None:
    app = create_app(Settings(database_url=os.environ["DATABASE_URL"]))

    @app.get(TRIVIAL)
    async def get_trivial() -> dict[str, str]:
        return {"status": "ok"}

    config = uvicorn.Config(app, host=_HOST, port=0, log_level="warning", access_log=False, timeout_graceful_shutdown=3)
    with contextlib.suppress(KeyboardInterrupt):
        _Server(config).run()


class _Constant(asyncio.Protocol):
    _ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n" + b'{"status":"ok"}'

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has one of its own

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(self._ANSWER)


async def _serve_constant() -> None:
    server = await asyncio.get_running_loop().create_server(_Constant, _HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _leave(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _main(what: str, profile: str | None = None) -> None:
    signal.signal(signal.SIGTERM, _leave)
    if what == "constant":
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(_serve_constant())
    elif profile is None:
        _serve_app()
    else:
        watched = cProfile.Profile()
        watched.runcall(_serve_app)
        watched.dump_stats(profile)


if __name__ == "__main__":
    _main(*sys.argv[1:])
