"""Topics, created from the contracts: partitions and compaction are said where the event is defined."""

from shared.contracts.event import Topic
from shared.messaging.bus import Bus
from shared.messaging.cloudevents import EVENTS


def topics() -> list[Topic]:
    """Every topic of the platform, each once."""
    return list(dict.fromkeys(event.TOPIC for event in EVENTS))


def ensure(bus: Bus) -> list[Topic]:
    """Create the topics that do not exist; all of them are returned."""
    wanted = topics()
    bus.ensure(wanted)
    return wanted
