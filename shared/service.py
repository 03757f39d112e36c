"""How every service is built: the same doors, problems, health, metrics and trails, whatever is behind them."""

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import Any

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import problems
from shared.db import Database
from shared.principal import Verifier
from shared.reference import Described
from shared.settings import ServiceSettings
from shared.telemetry import Metrics, Trail, follow

Check = Callable[[], bool]
Count = Callable[[], int]
log = structlog.get_logger()
_QUIET = re.compile(r"/health/|/metrics")


def create_service(
    settings: ServiceSettings,
    *,
    database: Database,
    routers: Sequence[APIRouter],
    checks: Mapping[str, Check] | None = None,
    counts: Mapping[str, Count] | None = None,
    description: str = "",
    middleware: Sequence[Middleware] = (),
    beside: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> FastAPI:
    """An app with the service's routes and what every service has; `checks` and `counts` are added to `/health/ready`.

    A count (of messages that wait, or are parked) is also a gauge of `/metrics`; it never makes a service unready.
    `middleware` sees a request once it has its ids; `beside` is entered before the first request, left after the last.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            async with beside():
                yield
        finally:
            database.close()

    app = Described(
        title=settings.service,
        description=description,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/internal/openapi.json",  # for the gateway, which merges them; not in its table
        redirect_slashes=False,
        dependencies=[Depends(no_unknown_parameters)],
        middleware=middleware,
        generate_unique_id_function=operation_id,
    )
    app.state.settings, app.state.database, app.state.metrics = settings, database, metrics
    app.state.verifier = Verifier(settings.principal_key)
    problems.install(app)
    app.described = routers
    for router in routers:
        app.include_router(router)
    for name, count in (counts or {}).items():
        metrics.count(name, partial(_counted, count))
    app.include_router(_health(metrics, {"database": database.answers, **(checks or {})}, counts or {}))
    app.add_middleware(FollowTrail, metrics=metrics)
    return app


def operation_id(route: APIRoute) -> str:
    """The function's own name: operation ids are chosen by hand and stay."""
    return route.name


async def no_unknown_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have: a misspelt filter must not be ignored."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = _parameters(route)
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        errors = [{"parameter": name, "message": f"unknown parameter; this takes: {names}"} for name in unknown]
        raise problems.InvalidRequest(f"unknown parameter {unknown[0]}; this takes: {names}", errors=errors)


def _parameters(route: APIRoute) -> frozenset[str]:
    known: frozenset[str] | None = getattr(route, "known_parameters", None)
    if known is None:
        fields = get_flat_params(route.dependant)
        known = frozenset(field.alias for field in fields if isinstance(field.field_info, Query))
        route.known_parameters = known  # type: ignore[attr-defined]
    return known


def _health(metrics: Metrics, checks: Mapping[str, Check], counts: Mapping[str, Count]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/health/ready")
    def ready() -> Response:
        states = {name: "ok" if _passes(check) else "failed" for name, check in checks.items()}
        whole = all(state == "ok" for state in states.values())
        content: dict[str, Any] = {"status": "ready" if whole else "not ready", "checks": states}
        if counts:
            content["messages"] = {name: _counted(count) for name, count in counts.items()}
        return JSONResponse(content, status_code=200 if whole else 503)

    @router.get("/metrics")
    def show_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _counted(count: Count) -> int | None:
    try:
        return count()
    except Exception as error:  # what cannot be counted is not known; the checks say why
        log.warning("count failed", error=type(error).__name__)
        return None


def _passes(check: Check) -> bool:
    try:
        return check()
    except Exception as error:  # a check that cannot be made has failed, whatever the reason
        log.warning("health check failed", error=type(error).__name__)
        return False


class FollowTrail:
    """Gives every request its ids, echoes them, counts the request and writes one log line about it.

    An error nobody foresaw is answered here, not further out: the answer carries the ids, and the server's own log,
    which writes whatever the error says, never hears of it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        trail = Trail.begin(headers.get(b"x-request-id"), headers.get(b"x-correlation-id"), headers.get(b"traceparent"))
        scope.setdefault("state", {})["request_id"] = trail.request_id
        follow(trail)
        began, status = time.perf_counter(), 0

        async def send_with_ids(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ids = ((b"x-request-id", trail.request_id), (b"x-correlation-id", trail.correlation_id))
                message["headers"] = [*message.get("headers", ()), *((name, one.encode()) for name, one in ids)]
            await send(message)

        try:
            await self.app(scope, receive, send_with_ids)
        except Exception as error:
            if status:  # the answer has begun: breaking it off is all that is left
                raise
            await problems.unexpected(error, request_id=trail.request_id)(scope, receive, send_with_ids)
        finally:
            self._record(scope, status or 500, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        self.metrics.requests.labels(scope["method"], route, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        if not _QUIET.match(scope["path"]):
            log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))
