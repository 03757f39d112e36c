"""One broker or three on loopback, each also a controller (KRaft), kept in one folder.

The folder holds `kafka.json` (what was made: ports and process ids) and a folder for each broker with its settings, its
log and its data. Ports are chosen once and kept, so that clients find the cluster again after a restart. Brokers
outlive the process that starts them; `stop` ends them. After a `kill -9` a start on the same folder has everything that
was acknowledged.
"""

import base64
import json
import shutil
import socket
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from deploy.kafka.classpath import KafkaUnavailable, class_path, java
from deploy.kafka.probe import brokers_seen
from deploy.ports import free_ports
from deploy.processes import start_detached, start_program

START_SECONDS = 90.0
FORMAT_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05
SIZES = (1, 3)
JAVA_OPTIONS = (
    *("-Xmx512m", "-Djava.net.preferIPv4Stack=true"),
    *("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"),
)

SETTINGS = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={size}
min.insync.replicas={majority}
offsets.topic.replication.factor={size}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={size}
transaction.state.log.min.isr={majority}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={size}
share.coordinator.state.topic.min.isr={majority}
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""  # the last: how long a killed broker's registration bars its successor


@dataclass(frozen=True)
class Broker:
    """One broker: its number, its loopback ports for clients and for the other controllers, its process id."""

    node: int
    port: int
    controller_port: int
    pid: int | None = None


class Kafka:
    """The cluster of one folder; `brokers` is 1 or 3 and is fixed by the first start."""

    def __init__(self, data_dir: Path, *, brokers: int = 1) -> None:
        if brokers not in SIZES:
            raise ValueError(f"a cluster has 1 broker or 3, not {brokers}")
        self.data_dir = data_dir.resolve()
        self.size = brokers

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def brokers(self) -> list[Broker]:
        """What the folder holds; `pid` is None where nothing runs. Empty before the first start."""
        try:
            noted = json.loads(self._file.read_text())
        except FileNotFoundError:
            return []
        brokers = [Broker(**one) for one in noted]
        return [broker if self._process(broker) else replace(broker, pid=None) for broker in brokers]

    @property
    def bootstrap(self) -> str:
        """What a client connects to, `127.0.0.1:port,...`; empty before the first start."""
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)

    def start(self) -> None:
        """Start every broker that does not run; returns when all answer and know one another (2 to 8 s).

        Raises `KafkaUnavailable` with the reason, and then leaves nothing running.
        """
        brokers = self.brokers or self._make()
        if len(brokers) != self.size:
            raise KafkaUnavailable(
                f"{self.data_dir} holds {len(brokers)} broker(s), not {self.size}: name another folder"
            )
        if not any(broker.pid for broker in brokers) and not all(map(_has_its_ports, brokers)):
            brokers = _brokers(self.size)
        for broker in brokers:
            self._write_settings(broker, brokers)
        brokers = [broker if broker.pid else self._launch(broker) for broker in brokers]
        self._file.write_text(json.dumps([asdict(broker) for broker in brokers], indent=1))
        try:
            self._await(brokers)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every broker, in order or by force after 15 s; safe to call at any time."""
        for ask in (psutil.Process.terminate, psutil.Process.kill):
            running = [process for broker in self.brokers if (process := self._process(broker))]
            for process in running:
                with suppress(psutil.NoSuchProcess):
                    ask(process)
            if self._all_end():
                return

    @property
    def _file(self) -> Path:
        return self.data_dir / "kafka.json"

    def _folder(self, broker: Broker) -> Path:
        return self.data_dir / f"broker-{broker.node}"

    def _settings(self, broker: Broker) -> Path:
        return self._folder(broker) / "server.properties"

    def _log(self, broker: Broker) -> Path:
        return self._folder(broker) / "server.log"

    def _process(self, broker: Broker) -> psutil.Process | None:
        """The broker's process, if the number noted for it still is one (and not a stranger's, or a zombie's)."""
        if broker.pid is None:
            return None
        try:
            process = psutil.Process(broker.pid)
            return process if str(self._settings(broker)) in process.cmdline() else None
        except psutil.Error:
            return None

    def _make(self) -> list[Broker]:
        """Format the storage of a new cluster. Nothing counts as made until `kafka.json` is written."""
        brokers = _brokers(self.size)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        formatting = []
        with ExitStack() as logs:
            for broker in brokers:
                shutil.rmtree(self._folder(broker), ignore_errors=True)
                self._folder(broker).mkdir(mode=0o700, parents=True)
                self._write_settings(broker, brokers)
                # "=", because the id of a cluster may begin with a dash
                command = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
                command += ["-c", str(self._settings(broker))]
                log = logs.enter_context(self._log(broker).open("wb"))
                command = [java(), "-XX:TieredStopAtLevel=1", "-cp", class_path(), *command]
                formatting.append(start_program(command, folder=self._folder(broker), output=log))
            codes = [process.wait(FORMAT_SECONDS) for process in formatting]
        for broker, code in zip(brokers, codes, strict=True):
            if code != 0:
                raise KafkaUnavailable(f"the storage of a broker could not be formatted:\n{self._last_lines(broker)}")
        return brokers

    def _write_settings(self, broker: Broker, brokers: Sequence[Broker]) -> None:
        text = SETTINGS.format(
            **asdict(broker),
            voters=",".join(f"{one.node}@127.0.0.1:{one.controller_port}" for one in brokers),
            data=self._folder(broker) / "data",
            size=self.size,
            majority=self.size // 2 + 1,
        )
        self._settings(broker).write_text(text)

    def _launch(self, broker: Broker) -> Broker:
        command = [java(), *JAVA_OPTIONS, "-cp", class_path(), "kafka.Kafka", str(self._settings(broker))]
        return replace(broker, pid=start_detached(command, folder=self._folder(broker), log=self._log(broker)))

    def _await(self, brokers: Sequence[Broker]) -> None:
        deadline = time.monotonic() + START_SECONDS
        waiting = list(brokers)
        while waiting := [broker for broker in waiting if brokers_seen(broker.port) != self.size]:
            for broker in waiting:
                if self._process(broker) is None:
                    raise KafkaUnavailable(f"broker {broker.node} stopped while starting:\n{self._last_lines(broker)}")
            if time.monotonic() > deadline:
                logs = ", ".join(str(self._log(broker)) for broker in waiting)
                raise KafkaUnavailable(f"Kafka is not ready after {START_SECONDS:.0f} s; see {logs}")
            time.sleep(POLL_SECONDS)

    def _all_end(self) -> bool:
        """Whether all brokers end in time; one that nobody has reaped yet counts as ended."""
        deadline = time.monotonic() + STOP_SECONDS
        while any(broker.pid for broker in self.brokers):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _last_lines(self, broker: Broker) -> str:
        return "\n".join(self._log(broker).read_text(errors="replace").splitlines()[-10:])


def up(data_dir: Path, *, brokers: int = 1) -> Kafka:
    """`psip kafka up`: start the cluster of a folder, making it the first time; it keeps running when we end."""
    kafka = Kafka(data_dir, brokers=brokers)
    kafka.start()
    return kafka


def down(data_dir: Path) -> int:
    """`psip kafka down`: stop the brokers of a folder; how many were running."""
    kafka = Kafka(data_dir)
    running = sum(broker.pid is not None for broker in kafka.brokers)
    kafka.stop()
    return running


def status(data_dir: Path) -> list[tuple[Broker, bool]]:
    """`psip kafka status`: each broker of a folder and whether it answers."""
    return [(broker, brokers_seen(broker.port) > 0) for broker in Kafka(data_dir).brokers]


def _brokers(size: int) -> list[Broker]:
    ports = free_ports(2 * size)
    return [Broker(node, ports[2 * node - 2], ports[2 * node - 1]) for node in range(1, size + 1)]


def _has_its_ports(broker: Broker) -> bool:
    with socket.socket() as first, socket.socket() as second:
        for one, port in ((first, broker.port), (second, broker.controller_port)):
            one.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # as the broker does: not put off by old connections
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
