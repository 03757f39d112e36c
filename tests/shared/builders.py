"""Small events and rows for the tests of the floor."""

from datetime import UTC, datetime

from msgspec import structs

from shared.contracts.event import Envelope, Event
from shared.contracts.measures import CellsChanged, SignalDetected
from shared.messaging.bus import Message
from shared.messaging.cloudevents import encode
from shared.messaging.outbox import new_id

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def a_signal(measure: str = "falls", *, organisation: str = "RGT") -> SignalDetected:
    return SignalDetected(
        organisation=organisation, measure=measure, period="2026-09", variation="improving", data_version=1,
        detected_at=NOON,
    )  # fmt: skip


def changed_cells(organisation: str = "RGT") -> CellsChanged:
    return CellsChanged(
        organisation=organisation, measures=["falls"], periods=["2026-09"], data_version=1, changed_at=NOON
    )


def some_signals(count: int) -> list[Event]:
    return [a_signal(f"measure-{number}") for number in range(count)]


def on_the_bus(event: Event, *, id: str | None = None, **headers: str) -> Message:  # noqa: A002
    """The event as a message that another service sent; `headers` replace what it would carry."""
    message = encode(event, Envelope(id=id or new_id(), source="/psip/elsewhere", time=NOON))
    return structs.replace(message, headers=message.headers | headers)
