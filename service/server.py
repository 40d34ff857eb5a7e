"""The web server: it runs the application until a signal stops it, and says where it serves."""

import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any

import uvicorn

from service.accounts.links import make_link
from service.accounts.people import is_anybody_there
from service.journal import Journal
from service.main import create_app
from service.settings import Settings
from service.web.document import Application
from service.web.malformed import protocol
from service.web.serving import Services

_LOGGER = logging.getLogger(__name__)


def serve_until_stopped(settings: Settings, journal: Journal, secret: str | None, is_over: Callable[[], bool]) -> bool:
    """Serves until SIGINT or SIGTERM, and answers whether it ever did; signals end nothing any more afterwards.

    ``secret`` is the local token, which is printed with the address; ``is_over`` tells whether a signal came before
    they were heeded here. Raises `SystemExit` where the web server cannot start, and has said why.
    """
    config = uvicorn.Config(
        create_app(settings, journal=journal),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        http=protocol(head_seconds=settings.head_seconds, stall_seconds=settings.stall_seconds),
    )
    server = _Server(config, secret, is_over)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # PostgreSQL is ended in peace
    return server.started


class _Server(uvicorn.Server):
    """Says where it serves once it does, with the port that it was given."""

    def __init__(self, config: uvicorn.Config, secret: str | None, is_over: Callable[[], bool]) -> None:
        super().__init__(config)
        self._secret = secret
        self._is_over = is_over

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends the live streams and the deliveries first: the server waits for every answer to come to its end.

        A stop is short, and no further signal cuts it shorter: what is being written would be left without an answer.
        """
        if self.should_exit:
            return
        served = getattr(getattr(self.config.app, "state", None), "services", None)
        if served is not None:
            served.feed.close()
            served.courier.close()
        _LOGGER.info("stopping on signal %s", sig)
        super().handle_exit(sig, frame)

    async def startup(self, sockets: Any = None) -> None:  # noqa: ANN401 - uvicorn's signature
        """Starts, then prints the address, the local token, and how to sign in."""
        await super().startup(sockets)
        self.should_exit = self.should_exit or self._is_over()
        if self.should_exit or not self.started:
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"address: http://{shown}:{port}")
        _LOGGER.info("serving at http://%s:%s", shown, port)
        if self._secret:
            print(f"token:   {self._secret}")
        else:
            print("token:   make one with ./run token new --role editor")
        print(f"sign in: {await self._way_in(host, port)}")
        sys.stdout.flush()

    async def _way_in(self, host: str, port: int) -> str:
        """The page to sign in on; as long as there is nobody who can, a link that makes the first admin, once."""
        app = self.config.app
        assert isinstance(app, Application)
        served: Services = app.state.services
        base = served.settings.address(host, port)
        async with served.pool.connection() as connection:
            if await is_anybody_there(connection):
                return f"{base}/admin"
            lasts = timedelta(hours=served.settings.link_hours)
            return base + await make_link(connection, None, by=None, lasts=lasts)
