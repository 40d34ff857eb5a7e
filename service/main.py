"""The composition root: the only place that wires the rooms together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from service import memory
from service.access import Access, Role
from service.accounts.openid import Client, Provider
from service.accounts.sessions import Seen
from service.admin import (
    account,
    audit,
    entering,
    finding,
    lookups,
    noting,
    paste_rows,
    pasting,
    people,
    providing,
    review,
    signing_in,
    start,
    static,
)
from service.admin import coalitions as coalition_pages
from service.admin import events as events_page
from service.admin import tokens as token_pages
from service.admin import webhooks as webhook_pages
from service.admin.refusing import Refusing
from service.api import (
    actors,
    coalitions,
    commitments,
    deliveries,
    drafts,
    events,
    imports,
    statements,
    subjects,
    timeline,
    tokens,
    webhooks,
)
from service.database import open_pool
from service.domain.errors import Unavailable
from service.drafts.deciding import Drafts
from service.feed import Feed
from service.ids import new_event_id
from service.journal import Journal
from service.load.room import Places
from service.log.codec import new_salt
from service.record import Recorder
from service.segments.named import Naming
from service.settings import Settings, parse_networks, parse_pairs
from service.web import docs, kinds_of_problem, operations
from service.web.document import Application
from service.web.formats import Suffixes
from service.web.limits import Limited
from service.web.metrics import Metrics
from service.web.observed import Observed
from service.web.pinned import PinnedAnswers
from service.web.problems import handle_errors
from service.web.serving import Services, utc_now
from service.webhooks.addresses import Addresses, Resolve, resolve_by_system
from service.webhooks.courier import Courier
from service.webhooks.sending import Sender


def create_app(
    settings: Settings,
    *,
    journal: Journal | None = None,
    clock: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = new_event_id,
    new_salt: Callable[[], bytes] = new_salt,
    resolve: Resolve = resolve_by_system,
) -> Application:
    """The application over a migrated database; clock, ids, salts, look-up of hosts and journal are arguments."""
    metrics, url = Metrics(), settings.database_url
    provider = _provider(settings)
    addresses = Addresses(parse_networks(settings.webhook_networks), resolve)
    sender = Sender(addresses, clock, agent=f"pledge-registry/{operations.VERSION}")

    @asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[None]:
        async with (
            open_pool(url, size=settings.pool_size, longest=settings.read_seconds) as pool,
            open_pool(url, size=settings.write_pool_size, longest=settings.write_seconds) as writing,
            Feed(pool, most=settings.most_streams) as feed,
            Courier(writing, sender, new_id=new_id, observe=metrics.count_delivery) as courier,
            Recorder(writing, observe=metrics.appends.observe, announce=_both(feed.poke, courier.poke)) as recorder,
        ):
            memory.settle()
            waiting = Drafts(pool, writing, recorder, new_id=new_id, new_salt=new_salt)
            access, importing = Access(writing, now=clock), Places(settings.imports_at_once)
            app.state.services = Services(
                settings, pool, writing, recorder, feed, courier, access, Seen(), waiting, importing, Naming(),
                provider, metrics, clock, new_id, new_salt,
            )  # fmt: skip
            yield

    app = Application(
        sends={"receiveEvent": webhooks.SENT},
        title="Pledge registry",
        version=operations.VERSION,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    handle_errors(app)
    busiest_first = (statements, commitments, coalitions, subjects, timeline, events, actors)
    for room in (*busiest_first, drafts, tokens, webhooks, deliveries, imports, docs, kinds_of_problem, operations):
        app.router.routes.extend(room.router.routes)
    for_writers = (entering, pasting, paste_rows, noting, review)
    for_editors = (finding, *for_writers, events_page, coalition_pages, lookups, audit, webhook_pages)
    for page in (static, signing_in, providing, start, account, *for_editors, people, token_pages):
        app.router.routes.extend(page.router.routes)
    app.router.routes.extend(start.last.routes)

    app.add_middleware(Suffixes)
    app.add_middleware(PinnedAnswers, most_bytes=settings.pinned_cache_bytes, metrics=metrics)
    app.add_middleware(Limited, reads=settings.reads_per_minute, writes=settings.writes_per_minute, metrics=metrics)
    app.add_middleware(Observed, metrics=metrics, journal=journal)
    app.add_middleware(Refusing)
    return app


def _provider(settings: Settings) -> Provider | None:
    """The provider that people sign in by, where one is set."""
    if not settings.oidc_issuer:
        return None
    given = parse_pairs(settings.oidc_roles) or {role.value: role.value for role in Role}
    try:
        roles = {said: Role(meant) for said, meant in given.items()}
    except ValueError:
        raise Unavailable(f"OIDC_ROLES names a role that there is not; there are {', '.join(Role)}.") from None
    return Provider(
        Client(
            settings.oidc_issuer,
            settings.oidc_client_id,
            settings.oidc_client_secret.get_secret_value(),
            settings.oidc_role_claim,
            roles,
        )
    )


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        first()
        second()

    return call
