"""What a bus promises, whichever it is: Kafka in production, a log table in the one-process platform.

`publish` returns when every message is kept, in order per ordering key, or raises. A subscription of a group gets
every message of its topics at least once; what was polled and not committed is polled again after `rewind` or a
restart. `tests/shared/test_bus.py` holds every implementation to this.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from shared.contracts.event import Topic

LARGEST_BODY = 1_400_000  # bytes; a bus refuses messages of 1.5 MB, of which keys and headers need some


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on a topic. Messages with one `ordering_key` keep their order; a compacted topic keeps the newest `key`."""

    topic: str
    key: str
    ordering_key: str
    headers: dict[str, str]
    body: bytes


class BusUnavailable(Exception):
    """The bus cannot be reached, or did not keep what it was given; trying again later is right."""


class Subscription(Protocol):
    """One member of a group, reading some topics. Belongs to one thread."""

    def poll(self, *, limit: int, seconds: float) -> list[Message]:
        """The next messages, at most `limit`, waiting up to `seconds` for the first. Empty when there are none."""

    def commit(self) -> None:
        """Everything polled so far is dealt with and will not be polled again by this group."""

    def rewind(self) -> None:
        """Go back to what was last committed."""

    def lag(self) -> int:
        """How many messages of the topics this group has not committed yet."""

    def close(self) -> None:
        """Leave the group."""


class Bus(Protocol):
    """Where facts are kept and read."""

    def ensure(self, topics: Sequence[Topic]) -> None:
        """Create the topics that do not exist."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Keep the messages, in order. Raises BusUnavailable if any was not kept; then all may be sent again."""

    def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        """Join a group that reads these topics from the beginning, or from where the group last committed."""

    def answers(self) -> bool:
        """Whether the bus can be reached now."""

    def close(self) -> None:
        """Let go of connections."""
