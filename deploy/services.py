"""Every app and every worker by name: the one table that knows them all."""

from collections.abc import Callable, Mapping

from fastapi import FastAPI

import gateway.app
import services.ingest.app
import services.ingest.worker
import services.measures.app
import services.measures.worker
import services.programmes.app
import services.programmes.worker
from deploy.settings import Environment
from shared.messaging.bus import Bus
from shared.messaging.worker import Worker

APPS: Mapping[str, Callable[[Environment], FastAPI]] = {
    "programmes": lambda environment: services.programmes.app.create_app(environment.programmes()),
    "ingest": lambda environment: services.ingest.app.create_app(environment.ingest()),
    "measures": lambda environment: services.measures.app.create_app(environment.measures()),
    "gateway": lambda environment: gateway.app.create_app(environment.gateway()),
}
WORKERS: Mapping[str, Callable[[Environment, Bus], Worker]] = {
    "programmes": lambda environment, bus: services.programmes.worker.create_worker(environment.programmes(), bus),
    "ingest": lambda environment, bus: services.ingest.worker.create_worker(environment.ingest(), bus),
    "measures": lambda environment, bus: services.measures.worker.create_worker(environment.measures(), bus),
}
