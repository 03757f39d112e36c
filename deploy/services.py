"""Every app and every worker by name: the one table that knows them all.

A service is imported when it is asked for, so that a process holds only its own in memory.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, cast

from fastapi import FastAPI

from deploy.serving import Protocol
from deploy.settings import Environment
from shared.messaging.bus import Bus
from shared.messaging.worker import Worker

Settings = Callable[[Environment], Any]

SERVICES = ("programmes", "ingest", "measures")
"""What stands behind the gateway: each an app and a worker."""
WORKERS: Mapping[str, str] = {
    "programmes": "services.programmes.worker",
    "ingest": "services.ingest.worker",
    "measures": "services.measures.worker",
    "gateway": "gateway.worker",
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


def create_worker(name: str, environment: Environment, bus: Bus) -> Worker:
    """The worker of that name, on this bus."""
    return cast("Worker", import_module(WORKERS[name]).create_worker(environment.url(name), bus))
