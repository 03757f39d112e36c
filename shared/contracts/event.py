"""The shape every event shares: a fact with a name, a topic and a key.

An event is sent as a CloudEvent 1.0 in Kafka's binary mode. Its fields travel as one JSON document; an event that
carries rows (`BODY` names the field) sends those bytes as the message and its other fields as CloudEvents
attributes, so that a megabyte of Parquet is never wrapped in text.
"""

from datetime import datetime
from typing import Annotated, ClassVar, NamedTuple

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True, description="A moment, with its offset from UTC.")]


class Topic(NamedTuple):
    """A Kafka topic: its name, how many partitions, and whether only the newest message of a key is kept."""

    name: str
    partitions: int
    compacted: bool


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact in the past tense. Subclasses set `TYPE`, `TOPIC` and `KEY` and say in their docstring what happened."""

    TYPE: ClassVar[str]
    TOPIC: ClassVar[Topic]
    KEY: ClassVar[tuple[str, ...]]
    BODY: ClassVar[str | None] = None

    @property
    def ordering_key(self) -> str:
        """Messages with the same ordering key stay in the order they were published (it chooses the partition)."""
        return "/".join(str(getattr(self, name)) for name in self.KEY)

    @property
    def key(self) -> str:
        """The message key: on a compacted topic only the newest message of a key is kept."""
        return self.ordering_key


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What travels with an event: who said it, when, and on whose behalf (CloudEvents attributes)."""

    id: str
    source: str
    time: Instant
    correlation_id: str | None = None
    traceparent: str | None = None
