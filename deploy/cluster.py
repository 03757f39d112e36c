"""The whole system as processes of its own on this machine, over Kafka: as in production, to be measured and killed.

`Cluster` starts PostgreSQL and a broker, then every API, every worker and the gateway as `psip` processes, each with
its environment. Any of them can be killed and started again.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import httpx
from pydantic import SecretStr

from deploy import migrate, secrets, topics
from deploy.databases import SERVICE_DATABASES, ensure_databases, service_url
from deploy.kafka.broker import Kafka
from deploy.lifetimes import Lifetime
from deploy.platform import load_catalogue
from deploy.ports import free_ports
from deploy.postgres import Postgres
from deploy.services import SERVICES, WORKERS
from shared.messaging.kafka import KafkaBus
from shared.settings import KafkaSettings

READY_SECONDS = 60.0
GATEWAY = "gateway"


class Cluster(Lifetime):
    """Every process of the platform, from `start()` to `stop()`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._arguments: dict[str, tuple[str, ...]] = {}
        self.kafka = Kafka(self.data_dir / "kafka")
        self._stack = ExitStack()
        names = (*SERVICES, GATEWAY)
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))

    @property
    def base_url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self._ports[GATEWAY]}"

    def start(self) -> Self:
        """Start everything; returns when the gateway and all it stands before are ready."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        secrets.ensure(self.data_dir / "secrets")
        self.server_url = self._stack.enter_context(Postgres(self.data_dir / "postgres")).server_url
        ensure_databases(self.server_url)
        for name in SERVICE_DATABASES:
            migrate.migrate(name, self.url(name))
        self._stack.enter_context(self.kafka)
        bus = KafkaBus(KafkaSettings(bootstrap=self.kafka.bootstrap))
        topics.ensure(bus)
        bus.close()
        load_catalogue(self.url("programmes"))
        for name in WORKERS:
            self.run(f"{name}-worker", "worker", name)
        for name in SERVICES:
            self.run(name, "api", name, "--port", str(self._ports[name]))
        self.run(GATEWAY, "api", GATEWAY, "--port", str(self._ports[GATEWAY]))
        for port in self._ports.values():
            _await_ready(f"http://127.0.0.1:{port}")
        return self

    def url(self, database: str) -> SecretStr:
        """The address of one database."""
        return SecretStr(service_url(self.server_url, database))

    def run(self, name: str, *arguments: str) -> None:
        """Start one process of `psip` with these arguments."""
        self._arguments[name] = arguments
        log = (self.data_dir / f"{name}.log").open("ab")
        command = [sys.executable, "-m", "deploy.cli", *arguments]
        self.processes[name] = subprocess.Popen(command, env=self._environment(name), stdout=log, stderr=log)  # noqa: S603
        log.close()

    def _environment(self, name: str) -> dict[str, str]:
        urls = {f"PSIP_{one.upper()}_URL": f"http://127.0.0.1:{self._ports[one]}" for one in SERVICES}
        return (
            os.environ
            | urls
            | {
                "PSIP_DATABASE_URL": self.server_url,
                "PSIP_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
                "PSIP_SECRETS_DIR": str(self.data_dir / "secrets"),
                "PSIP_PUBLIC_URL": self.base_url,
                "PSIP_HEARTBEAT": str(self.data_dir / f"{name}.heartbeat"),
                "PSIP_LOG_LEVEL": "WARNING",
                "PYTHONPATH": str(migrate.ROOT),
            }
        )

    def kill(self, name: str) -> None:
        """`kill -9` of one process."""
        self.processes[name].kill()
        self.processes[name].wait()

    def restart(self, name: str) -> None:
        """Start one process again after `kill`."""
        self.run(name, *self._arguments[name])

    def stop(self) -> None:
        """Stop every process in order, then what lies beneath."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._stack.close()


def _await_ready(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health/ready").status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"{url} was not ready within {READY_SECONDS:.0f} s")
