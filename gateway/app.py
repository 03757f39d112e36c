"""The gateway, put together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
from fastapi import FastAPI
from prometheus_client import Gauge
from starlette.middleware import Middleware

import gateway
from gateway import documentation
from gateway.access import api as access
from gateway.access.audit import AuditLog
from gateway.access.client_keys import ClientKeys
from gateway.access.issuers import Issuers
from gateway.access.roster import Roster
from gateway.access.tokens import Tokens
from gateway.conformance import api as conformance
from gateway.conformance.checks import Ledger
from gateway.counts import CountsWhileTheyCan, OwnCounts
from gateway.deprecations import DEPRECATED, Deprecation
from gateway.door import Door
from gateway.limits import Limits
from gateway.live import api as live
from gateway.live.hub import Hub
from gateway.live.webhooks import api as webhooks
from gateway.live.webhooks.queries import waiting_deliveries
from gateway.live.webhooks.signatures import Signatures
from gateway.openapi import Documents
from gateway.origins import Origins
from gateway.outward import addresses
from gateway.outward.documents import fetch
from gateway.pages import api as pages
from gateway.proxy import Proxy
from gateway.repeats import sealed_answers
from gateway.routes import Routes
from gateway.settings import GatewaySettings
from gateway.visitors import Visitors
from shared import repeats
from shared.db import Database
from shared.messaging.counts import message_counts
from shared.principal import Signer
from shared.service import create_service

if TYPE_CHECKING:
    from gateway.shared_counts import SharedCounts

ROSTER_SECONDS = 0.5  # a revocation is felt everywhere within this and a reading
AUDIT_SECONDS = 0.1
LIVE_SECONDS = 0.2


def create_app(settings: GatewaySettings, *, going: Iterable[Deprecation] = DEPRECATED) -> FastAPI:
    """The gateway as an ASGI application. It begins to serve, and to read its clients, when its lifespan begins.

    `going` are the operations that are deprecated.
    """
    database = Database(
        settings.database_url, pool_size=settings.pool_size, statement_seconds=settings.statement_seconds
    )
    tokens = Tokens(
        settings.token_key.get_secret_value(),
        issuer=settings.issuer,
        audience=settings.token_audience,
        seconds=settings.token_seconds,
        more_keys=settings.more_token_keys,
    )
    shared = _shared_counts(settings)
    limits = Limits(
        CountsWhileTheyCan(shared, OwnCounts()) if shared else OwnCounts(),
        client=settings.requests_per_minute,
        anonymous=settings.anonymous_per_minute,
        failures=settings.failures_per_minute,
        cells=settings.cells_per_minute,
    )
    proxy = Proxy(settings.upstreams, public_url=settings.issuer)
    roster, audit = Roster(database), AuditLog(database)
    hub = Hub(database, roster.admits)
    from_outside = partial(fetch, resolve=addresses.look_up, sandbox=settings.sandbox)
    fetching = anyio.CapacityLimiter(access.FETCHING_AT_ONCE)
    visitors = Visitors(
        tokens,
        roster,
        Signer(settings.principal_private_key.get_secret_value()),
        issuers=Issuers(settings.issuers, from_outside),
        fetching=fetching,
    )
    ledger = Ledger() if settings.sandbox else None
    door = Middleware(
        Door,
        routes=Routes(),
        visitors=visitors,
        roster=roster,
        limits=limits,
        proxy=proxy,
        audit=audit,
        operations_networks=settings.operations_networks,
        going=going,
        ledger=ledger,
    )

    allowed = settings.allowed_origins
    origins = [Middleware(Origins, allowed=allowed)] if allowed else []

    @asynccontextmanager
    async def beside() -> AsyncIterator[None]:
        await roster.try_to_refresh()
        await hub.try_to_turn()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(repeat(roster.try_to_refresh, every=ROSTER_SECONDS, until=stop))
            tasks.create_task(repeat(audit.try_to_write, every=AUDIT_SECONDS, until=stop))
            tasks.create_task(repeat(hub.try_to_turn, every=LIVE_SECONDS, until=stop))
            yield
            proxy.close()
            stop.set()
        if shared is not None:
            await shared.close()

    app = create_service(
        settings,
        database=database,
        routers=[access.router, live.router, webhooks.router, pages.router, conformance.router, documentation.router],
        checks={"clients": roster.current},
        counts={"parked": message_counts(database)["parked"], "deliveries": partial(waiting_deliveries, database)},
        description=gateway.__doc__ or "",
        middleware=[*origins, door],
        beside=beside,
    )
    open_streams = Gauge("psip_streams", "Streams that are open.", registry=app.state.metrics.registry)
    open_streams.set_function(lambda: hub.streams)
    alone = Gauge(
        "psip_service_left_alone", "Whether a service has failed too often to be asked.", ["service"],
        registry=app.state.metrics.registry,
    )  # fmt: skip
    for name, service in proxy.services.items():
        alone.labels(name).set_function(partial(getattr, service, "left_alone"))
    app.state.tokens, app.state.limits, app.state.hub = tokens, limits, hub
    app.state.closing = hub.close
    repeats.install(app, sealed_answers(settings.webhook_key.get_secret_value()))
    app.state.signatures = Signatures(settings.webhook_key.get_secret_value())
    app.state.resolve = addresses.look_up
    app.state.looking_up = anyio.CapacityLimiter(webhooks.LOOKING_UP_AT_ONCE)
    app.state.documents, app.state.merged = Documents(proxy), None
    app.state.going, app.state.proxy = going, proxy
    app.state.ledger = ledger
    app.state.client_keys, app.state.fetching = ClientKeys(from_outside), fetching
    app.state.hashing = anyio.CapacityLimiter(access.HASHING_AT_ONCE)
    return app


def _shared_counts(settings: GatewaySettings) -> "SharedCounts | None":
    if not settings.limits_url:
        return None
    from gateway.shared_counts import SharedCounts

    return SharedCounts(settings.limits_url.get_secret_value())


async def repeat(work: Callable[[], Awaitable[None]], *, every: float, until: asyncio.Event) -> None:
    """Do something every so many seconds until told to stop, and then once more: nothing is left half-done."""
    while not until.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await until.wait()
        await work()
