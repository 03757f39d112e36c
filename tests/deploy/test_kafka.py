"""A real broker started by us: it keeps what it acknowledged, tells how it is, and says why it cannot be had."""

import gc
import logging
import os
import select
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from deploy.kafka import broker, classpath
from deploy.kafka.broker import Kafka, down, status, up
from deploy.kafka.classpath import KafkaUnavailable, why_unavailable


@pytest.fixture(scope="module")
def available() -> None:
    """Skips, with the reason, where no broker can run; fails instead where `PSIP_REQUIRE_KAFKA=1` wants one."""
    reason = why_unavailable()
    if reason and os.environ.get("PSIP_REQUIRE_KAFKA") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def kafka(available: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def make_topic(kafka: Kafka, name: str, **configs: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.create_topics([NewTopic(name, 1, -1, topic_configs=configs)], wait_for_metadata=True)
    admin.close()


def produce(kafka: Kafka, topic: str, words: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", compression_type="zstd")
    for pending in [producer.send(topic, word) for word in words]:
        pending.get(timeout=60)
    producer.close()


def consume(kafka: Kafka, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=60_000
    )
    words = [record.value for _, record in zip(range(count), consumer, strict=False)]
    consumer.close()
    return words


def kill(kafka: Kafka, *nodes: int) -> None:
    for pid in [one.pid for one in kafka.brokers if one.node in nodes and one.pid]:
        ended = os.pidfd_open(pid)  # readable once the process is dead, reaped or not
        os.kill(pid, signal.SIGKILL)
        select.select([ended], [], [])
        os.close(ended)


@pytest.fixture
def refusals(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The client leaves the sockets of refused connections to the collector: collect them while that is no error.

    Nor may a record of its log keep them: it holds the exception, which holds the socket.
    """
    caplog.set_level(logging.CRITICAL + 1, logger="kafka")
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.kafka
@pytest.mark.usefixtures("refusals")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_messages_survive_the_death_of_the_broker_and_clients_find_it_again(kafka: Kafka) -> None:
    make_topic(kafka, "deaths")
    produce(kafka, "deaths", [b"before"])
    address = kafka.bootstrap
    kill(kafka, 1)
    assert status(kafka.data_dir) == [(broker.Broker(1, *ports(kafka)), False)]
    kafka.start()
    produce(kafka, "deaths", [b"after"])
    assert kafka.bootstrap == address
    assert consume(kafka, "deaths", 2) == [b"before", b"after"]


def ports(kafka: Kafka) -> tuple[int, int]:
    return kafka.brokers[0].port, kafka.brokers[0].controller_port


@pytest.mark.kafka
def test_status_names_a_running_broker_and_up_leaves_it_alone(kafka: Kafka) -> None:
    (told, answers), *others = status(kafka.data_dir)
    assert (told.node, answers, others) == (1, True, [])
    assert up(kafka.data_dir).brokers == [told]


@pytest.mark.kafka
def test_the_broker_listens_on_loopback_only(kafka: Kafka) -> None:
    sockets = psutil.Process(kafka.brokers[0].pid).net_connections(kind="inet")
    assert {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN} <= {"127.0.0.1", "::ffff:127.0.0.1"}


@pytest.mark.kafka
def test_a_topic_is_not_made_by_a_misspelt_name(kafka: Kafka) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.describe_topics(["mispelt"])
    assert "mispelt" not in admin.list_topics()
    admin.close()


@pytest.mark.kafka
def test_down_stops_the_broker_and_down_again_finds_none(kafka: Kafka) -> None:
    process = psutil.Process(kafka.brokers[0].pid)
    assert down(kafka.data_dir) == 1
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert down(kafka.data_dir) == 0
    assert [answers for _, answers in status(kafka.data_dir)] == [False]


@pytest.mark.kafka
@pytest.mark.usefixtures("refusals")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_three_brokers_keep_accepting_when_one_dies(available: None, tmp_path: Path) -> None:
    kafka = Kafka(tmp_path, brokers=3)
    try:
        kafka.start()
        make_topic(kafka, "shared", **{"min.insync.replicas": "2"})
        produce(kafka, "shared", [b"by three"])
        kill(kafka, 2)
        produce(kafka, "shared", [b"by two"])
        assert consume(kafka, "shared", 2) == [b"by three", b"by two"]
        with pytest.raises(KafkaUnavailable, match=r"holds 3 broker\(s\), not 1"):
            up(tmp_path, brokers=1)
    finally:
        kill(kafka, 1, 2, 3)


def test_a_cluster_of_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 broker or 3, not 2"):
        Kafka(tmp_path, brokers=2)


def test_an_empty_folder_has_no_brokers_and_nothing_to_stop(tmp_path: Path) -> None:
    assert status(tmp_path) == []
    assert down(tmp_path) == 0


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache and only the programs that a test puts into the folder returned."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path / "bin"


def test_without_java_the_reason_is_java(bare_machine: Path) -> None:
    assert why_unavailable() == "Kafka needs Java 17 or newer, and there is no java on the PATH"


@pytest.mark.parametrize("version", ['openjdk version "11.0.20"', 'java version "1.8.0_401"', "not a Java"])
def test_an_old_java_is_named(bare_machine: Path, version: str) -> None:
    program(bare_machine, "java", f"echo '{version}' >&2")
    assert version in (why_unavailable() or "")


def test_without_maven_the_reason_is_maven(bare_machine: Path) -> None:
    program(bare_machine, "java", "echo 'openjdk version \"21.0.1\"' >&2")
    assert why_unavailable() == "the Kafka server is fetched with Maven, and there is no mvn on the PATH"


def test_when_the_server_cannot_be_fetched_maven_is_quoted(bare_machine: Path) -> None:
    program(bare_machine, "java", "echo 'openjdk version \"21.0.1\"' >&2")
    program(bare_machine, "mvn", "echo '[ERROR] the network is unreachable'; exit 1")
    assert why_unavailable() == "Maven could not fetch the Kafka server: [ERROR] the network is unreachable"


def test_maven_is_asked_once_and_again_when_a_file_has_gone(bare_machine: Path, tmp_path: Path) -> None:
    jar = tmp_path / "kafka.jar"
    jar.touch()
    record = f'echo asked >> {tmp_path}/asked; for a in "$@"; do case $a in -Dmdep.outputFile=*)'
    program(bare_machine, "mvn", f'{record} printf %s {jar} > "${{a#*=}}";; esac; done')
    assert [classpath.class_path() for _ in range(2)] == [str(jar)] * 2
    assert (tmp_path / "asked").read_text().split() == ["asked"]
    jar.unlink()
    classpath.class_path()
    assert (tmp_path / "asked").read_text().split() == ["asked", "asked"]
