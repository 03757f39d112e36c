"""Every app and every worker by name: the one table that knows them all.

A service is imported when it is asked for, so that a process holds only its own in memory.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, cast

from fastapi import FastAPI

from deploy.serving import Protocol
from deploy.settings import Environment
from shared.messaging.bus import Bus
from shared.messaging.worker import Worker

Settings = Callable[[Environment], Any]

SERVICES = ("programmes", "measures", "ingest")
"""What stands behind the gateway, each an app and a worker; ingest asks measures, so it starts after."""


class Kind(NamedTuple):
    """A worker: its module, the database it works on, whether it is on the bus, what else it is told, and what there
    makes it."""

    module: str
    database: str
    on_bus: bool = True
    told: Callable[[Environment], Mapping[str, Any]] = lambda _: {}
    made_by: str = "create_worker"


WORKERS: Mapping[str, Kind] = {
    "programmes": Kind("services.programmes.worker", "programmes"),
    "ingest": Kind("services.ingest.worker", "ingest"),
    "measures": Kind("services.measures.worker", "measures"),
    "judge": Kind("services.measures.worker", "measures", on_bus=False, made_by="create_judge"),
    "gateway": Kind("gateway.worker", "gateway"),
    "webhooks": Kind("gateway.live.webhooks.worker", "gateway", on_bus=False, told=Environment.webhooks),
}
APPS: Mapping[str, tuple[str, Settings]] = {
    "programmes": ("services.programmes.app", Environment.programmes),
    "ingest": ("services.ingest.app", Environment.ingest),
    "measures": ("services.measures.app", Environment.measures),
    "gateway": ("gateway.app", Environment.gateway),
}


def create_app(name: str, environment: Environment) -> FastAPI:
    """The app of that name, with its settings from the environment."""
    module, settings = APPS[name]
    return cast("FastAPI", import_module(module).create_app(settings(environment)))


def protocol(name: str) -> Protocol:
    """How that app reads HTTP: the gateway by its own doorway, which has an end to patience with slow callers."""
    return cast("Protocol", import_module("gateway.doorway").Doorway) if name == "gateway" else "httptools"


def create_worker(name: str, environment: Environment, bus: Callable[[], Bus]) -> Worker:
    """The worker of that name; `bus` is asked for only if it is on it."""
    kind = WORKERS[name]
    create = getattr(import_module(kind.module), kind.made_by)
    on = (bus(),) if kind.on_bus else ()
    return cast("Worker", create(environment.url(kind.database), *on, **kind.told(environment)))
