"""Tests of the producer of the Kafka bus when a broker goes away in the middle."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from kafka.errors import KafkaTimeoutError

from shared.messaging.bus import BusUnavailable, Message
from shared.messaging.kafka import KafkaBus
from shared.settings import KafkaSettings

MESSAGE = Message(topic="births", key="RGT", ordering_key="RGT", headers={}, body=b"{}")


def a_stuck_producer() -> Mock:
    """A producer whose batch is never acknowledged: neither flushing nor closing comes to an end."""
    stuck = Mock(_sender=SimpleNamespace(force_close=Mock()))
    stuck.partitions_for.return_value = {0}
    stuck.flush.side_effect = stuck.close.side_effect = KafkaTimeoutError("Timeout waiting for future")
    return stuck


def test_a_producer_that_is_stuck_is_abandoned_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, fresh = a_stuck_producer(), Mock()
    fresh.partitions_for.return_value = {0}
    made = Mock(side_effect=[stuck, fresh])
    monkeypatch.setattr("shared.messaging.kafka.KafkaProducer", made)
    bus = KafkaBus(KafkaSettings(bootstrap="127.0.0.1:9"))
    with pytest.raises(BusUnavailable):
        bus.publish([MESSAGE])
    bus.publish([MESSAGE])
    assert fresh.send.call_count == 1
    assert stuck._sender.force_close.call_count == 1
