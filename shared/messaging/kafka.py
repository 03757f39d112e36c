"""The bus over Apache Kafka: the only file that imports kafka.

Every acknowledgement of a batch is awaited and the producer is idempotent, so what `publish` returned from is kept by
all in-sync replicas, once and in order. A consumer belongs to one thread; it commits only after the database has.
`max_poll_interval_ms` is far above the longest batch, so that a slow one does not cost the group a rebalance.
"""

import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import CommitFailedError, KafkaError, TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

from shared.contracts.event import Topic
from shared.messaging.bus import BusUnavailable, Message
from shared.settings import KafkaSettings

_LARGEST = 1_500_000
_QUARTER_HOUR_MS = 900_000
_ANSWER_MS = 30_000


class KafkaBus:
    """A bus on a Kafka cluster."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self._producer: KafkaProducer | None = None
        self._writing = threading.Lock()  # a thread that gives up on the producer closes it under nobody else

    def ensure(self, topics: Sequence[Topic]) -> None:
        """Create the topics that do not exist, with the replication the settings ask for."""
        with _reaching(), closing(KafkaAdminClient(**self.settings.connection())) as admin:
            there = set(admin.list_topics())
            for topic in topics:
                if topic.name not in there:
                    self._create(admin, topic)

    def _create(self, admin: KafkaAdminClient, topic: Topic) -> None:
        configs = {
            "cleanup.policy": "compact" if topic.compacted else "delete",
            "min.insync.replicas": str(self.settings.min_insync),
            "max.message.bytes": str(_LARGEST),
        }
        new = NewTopic(topic.name, topic.partitions, self.settings.replication, topic_configs=configs)
        try:
            admin.create_topics([new], wait_for_metadata=True)
        except TopicAlreadyExistsError:
            return

    def publish(self, messages: Sequence[Message]) -> None:
        """Send all, then wait for every acknowledgement."""
        with self._writing, _reaching():
            try:
                producer = self._producer or self._connect()
                pending = [self._send(producer, one) for one in messages]
                producer.flush(timeout=30)
                for future in pending:
                    future.get(timeout=30)
            except BaseException:
                self._drop_producer()
                raise

    def _connect(self) -> KafkaProducer:
        self._producer = KafkaProducer(
            **self.settings.connection(),
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            linger_ms=2,
            batch_size=262_144,
            max_request_size=_LARGEST,
            max_block_ms=10_000,
            delivery_timeout_ms=30_000,
            request_timeout_ms=10_000,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        return self._producer

    @staticmethod
    def _send(producer: KafkaProducer, message: Message) -> Any:
        count = len(producer.partitions_for(message.topic))
        return producer.send(
            message.topic,
            key=message.key.encode(),
            value=message.body,
            headers=[(name, value.encode()) for name, value in message.headers.items()],
            partition=zlib.crc32(message.ordering_key.encode()) % count,
        )

    def subscribe(self, group: str, topics: Sequence[str]) -> "KafkaSubscription":
        """Join the group."""
        return KafkaSubscription(self.settings, group, topics)

    def answers(self) -> bool:
        """Whether a broker answers."""
        try:
            KafkaAdminClient(**self.settings.connection(), bootstrap_timeout_ms=3000).close()
        except (KafkaError, OSError):
            return False
        return True

    def close(self) -> None:
        """Let go of the producer."""
        self._drop_producer()

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=1)
        except KafkaError:  # closing sends what waits first, and leaves off where it cannot: its thread goes on
            producer._sender.force_close()


class KafkaSubscription:
    """A member of a consumer group."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str]) -> None:
        self._topics = list(topics)
        with _reaching():
            self._consumer = KafkaConsumer(
                **settings.connection(),
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_poll_interval_ms=_QUARTER_HOUR_MS,
                session_timeout_ms=10_000,
                fetch_max_wait_ms=50,
                fetch_max_bytes=4_000_000,
                max_partition_fetch_bytes=2_000_000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        self._consumer.subscribe(self._topics)
        self._begun: dict[TopicPartition, int] = {}  # the first offset polled since the last commit
        self._done: dict[TopicPartition, int] = {}  # the one after the last

    def poll(self, *, limit: int, seconds: float) -> list[Message]:
        """The next messages; in order within each partition."""
        with _reaching():
            found = self._consumer.poll(timeout_ms=int(seconds * 1000), max_records=limit)
        messages = []
        for partition, records in found.items():
            self._begun.setdefault(partition, records[0].offset)
            self._done[partition] = records[-1].offset + 1
            messages += [self._message(record) for record in records]
        return messages

    @staticmethod
    def _message(record: Any) -> Message:
        key = (record.key or b"").decode(errors="replace")
        return Message(
            topic=record.topic,
            key=key,
            ordering_key=key,
            headers={name: value.decode(errors="replace") for name, value in record.headers},
            body=bytes(record.value or b""),
        )

    def commit(self) -> None:
        """Keep the group's place. A place lost to a rebalance is no harm: the inbox drops what comes twice."""
        places = {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in self._done.items()}
        with _reaching(), suppress(CommitFailedError):
            if places:
                self._consumer.commit(places)
        self._begun.clear()
        self._done.clear()

    def rewind(self) -> None:
        """Go back to what was last committed. Asks nobody: it is called when a broker may be away."""
        assigned = self._consumer.assignment()
        for partition, offset in self._begun.items():
            if partition in assigned:  # what no longer is has another reader, who begins at the group's place
                self._consumer.seek(partition, offset)
        self._begun.clear()
        self._done.clear()

    def lag(self) -> int:
        """How many messages of the topics the group has not committed."""
        total = 0
        with _reaching():
            for topic in self._topics:
                partitions = [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic)]
                first = self._consumer.beginning_offsets(partitions)
                last = self._consumer.end_offsets(partitions)
                for partition in partitions:
                    committed = self._consumer.committed(partition, timeout_ms=_ANSWER_MS) or 0
                    total += last[partition] - max(first[partition], committed)
        return total

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError) as error:
        raise BusUnavailable(f"{type(error).__name__}: {error}") from error
