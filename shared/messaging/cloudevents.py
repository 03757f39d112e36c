"""Events to messages and back: CloudEvents 1.0, Kafka's binary mode (attributes in headers, data in the body)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from shared.contracts import ingest, measures, programmes
from shared.contracts.event import Envelope, Event
from shared.messaging.bus import Message

EVENTS: tuple[type[Event], ...] = (*programmes.PUBLISHED, *ingest.PUBLISHED, *measures.PUBLISHED)
BY_TYPE: Mapping[str, type[Event]] = {event.TYPE: event for event in EVENTS}
JSON = "application/json"


class NotAnEvent(Exception):
    """A message that is not an event we know, or not one that can be read."""


def encode(event: Event, envelope: Envelope) -> Message:
    """The message that carries the event."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": envelope.id,
        "ce_type": event.TYPE,
        "ce_source": envelope.source,
        "ce_time": envelope.time.isoformat(),
        "ce_subject": event.key,
        "content-type": JSON,
    }
    if envelope.correlation_id:
        headers["ce_correlationid"] = envelope.correlation_id
    if envelope.traceparent:
        headers["traceparent"] = envelope.traceparent
    if event.BODY is None:
        body = msgspec.json.encode(event)
    else:
        body = getattr(event, event.BODY)
        fields = msgspec.to_builtins(event, builtin_types=(bytes,))
        headers["content-type"] = fields["content_type"]
        headers |= {_attribute(name): _text(fields[name]) for name in _carried(event) if fields[name] is not None}
    return Message(topic=event.TOPIC.name, key=event.key, ordering_key=event.ordering_key, headers=headers, body=body)


def decode(message: Message) -> tuple[Event, Envelope]:
    """The event in a message, and what travelled with it. Raises NotAnEvent, naming what is wrong."""
    headers = message.headers
    kind = BY_TYPE.get(headers.get("ce_type", ""))
    if kind is None:
        raise NotAnEvent(f"unknown event type {headers.get('ce_type')!r}")
    try:
        envelope = Envelope(
            id=headers["ce_id"],
            source=headers["ce_source"],
            time=datetime.fromisoformat(headers["ce_time"]),
            correlation_id=headers.get("ce_correlationid"),
            traceparent=headers.get("traceparent"),
        )
        if kind.BODY is None:
            return msgspec.json.decode(message.body, type=kind), envelope
        fields: dict[str, Any] = {
            name: headers[_attribute(name)] for name in _carried(kind) if _attribute(name) in headers
        }
        fields |= {kind.BODY: message.body, "content_type": headers["content-type"]}
        return msgspec.convert(fields, kind, strict=False), envelope
    except (KeyError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise NotAnEvent(f"{kind.__name__} cannot be read: {error}") from error


def topics(events: Iterable[type[Event]] = EVENTS) -> list[str]:
    """The topics these events travel on, each once."""
    return list(dict.fromkeys(event.TOPIC.name for event in events))


def _carried(event: Event | type[Event]) -> list[str]:
    return [name for name in event.__struct_fields__ if name not in (event.BODY, "content_type")]


def _attribute(field: str) -> str:
    return "ce_" + field.replace("_", "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
