"""The composition root: the only place that wires the rooms together."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from service import memory
from service.access import Access
from service.api import actors, coalitions, commitments, events, statements, subjects, timeline
from service.database import fetch, open_pool
from service.ids import new_event_id
from service.log.codec import SALT_BYTES
from service.record import Recorder
from service.settings import Settings
from service.web.pinned import PinnedAnswers
from service.web.problems import handle_errors
from service.web.serving import Services, utc_now


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = new_event_id,
    new_salt: Callable[[], bytes] = lambda: secrets.token_bytes(SALT_BYTES),
) -> FastAPI:
    """The application over a migrated database; the clock, ids and salts are arguments."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_pool(settings.database_url, size=settings.pool_size) as pool, Recorder(pool) as recorder:
            memory.settle()
            app.state.services = Services(settings, pool, recorder, Access(pool), clock, new_id, new_salt)
            yield

    app = FastAPI(
        title="Pledge registry",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    handle_errors(app)
    for room in (statements, commitments, coalitions, subjects, timeline, events, actors):  # the busiest first
        app.router.routes.extend(room.router.routes)

    @app.get("/healthz", include_in_schema=False)
    async def get_health() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.get("/readyz", include_in_schema=False)
    async def get_readiness() -> PlainTextResponse:
        async with app.state.services.pool.connection() as connection:
            await fetch(connection, "SELECT size FROM log_head")
        return PlainTextResponse("ok\n")

    app.add_middleware(PinnedAnswers, most_bytes=settings.pinned_cache_bytes)
    return app
