"""The contract of the events, for machines: AsyncAPI 3.0 made from the event classes (`make contracts` writes it)."""

import inspect
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from deploy import openapi
from gateway.documentation import VERSION
from shared.contracts.event import Event, Topic
from shared.messaging.cloudevents import EVENTS, JSON

FILE = Path(__file__).parent.parent / "shared" / "contracts" / "asyncapi.json"
LISTENERS = ("services.programmes", "services.ingest", "services.measures", "gateway")
KAFKA = "0.5.0"  # of AsyncAPI's Kafka bindings
TITLE = "Events of the Patient Safety Improvement Platform"
ABOUT = (
    "What the services tell one another, as CloudEvents 1.0 in Kafka's binary mode: attributes in the headers, data in "
    "the body. Delivery is at least once and in order per key; `ce_id` tells a message that comes again. A new "
    "optional field keeps the version; anything else is a new type, published beside the old one for a release."
)
ATTRIBUTES: Mapping[str, dict[str, Any]] = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": {"type": "string", "description": "Unique; a message that comes again has the same."},
    "ce_source": {"type": "string", "format": "uri-reference", "examples": ["/psip/ingest"]},
    "ce_time": {"type": "string", "format": "date-time", "description": "When the event was written down."},
    "ce_subject": {"type": "string", "description": "The message key."},
    "ce_correlationid": {"type": "string", "description": "The X-Correlation-Id of the request it began with."},
    "traceparent": {"type": "string", "description": "W3C Trace Context."},
}
OPTIONAL = {"ce_correlationid", "traceparent"}


def asyncapi() -> dict[str, Any]:
    """The document. Docstrings become its text, msgspec's JSON Schemas its payloads, topics its channels."""
    _, schemas = msgspec.json.schema_components(EVENTS, ref_template="#/components/schemas/{name}")
    topics = dict.fromkeys(event.TOPIC for event in EVENTS)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": TITLE, "version": VERSION, "description": ABOUT},
        "defaultContentType": JSON,
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": _operations(),
        "components": {
            "messages": {event.__name__: _message(event, schemas[event.__name__]) for event in EVENTS},
            "schemas": schemas,
        },
    }


def document() -> str:
    """The document as it stands in the file."""
    return json.dumps(asyncapi(), indent=2, ensure_ascii=False) + "\n"


def write() -> list[Path]:
    """Write the contracts of the events and of the gateway; the files that were written."""
    FILE.write_text(document(), encoding="utf-8")
    openapi.FILE.write_text(openapi.document(), encoding="utf-8")
    return [FILE, openapi.FILE]


def _channel(topic: Topic) -> dict[str, Any]:
    events = [event for event in EVENTS if topic == event.TOPIC]
    policy = "compact" if topic.compacted else "delete"
    return {
        "address": topic.name,
        "description": "Only the newest message of a key is kept." if topic.compacted else "Kept for a time.",
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in events},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": [policy]},
                "bindingVersion": KAFKA,
            }
        },
    }


def _operations() -> dict[str, Any]:
    """Who sends and who receives what: the publisher by the contract's file, the listeners by their handlers."""
    operations = {}
    for event in EVENTS:
        publisher = event.__module__.rpartition(".")[2]
        operations[f"{publisher}-sends-{event.__name__}"] = _operation("send", event)
    for package in LISTENERS:
        for event in import_module(f"{package}.events").HANDLERS:
            operations[f"{package.rpartition('.')[2]}-receives-{event.__name__}"] = _operation("receive", event)
    return operations


def _operation(action: str, event: type[Event]) -> dict[str, Any]:
    channel = f"#/channels/{event.TOPIC.name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{event.__name__}"}],
    }


def _message(event: type[Event], schema: Mapping[str, Any]) -> dict[str, Any]:
    doc = inspect.getdoc(event) or ""
    headers = {"ce_type": {"const": event.TYPE}, **ATTRIBUTES}
    required = [name for name in headers if name not in OPTIONAL]
    payload: dict[str, Any] = {"$ref": f"#/components/schemas/{event.__name__}"}
    if event.BODY is not None:
        payload = {"description": f"`{event.BODY}`, of the type that the header `content-type` says."}
        carried = [name for name in schema["properties"] if name not in (event.BODY, "content_type")]
        headers |= {"ce_" + name.replace("_", ""): schema["properties"][name] for name in carried}
        required += ["ce_" + name.replace("_", "") for name in carried if name in schema["required"]]
    return {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": doc.splitlines()[0],
        "description": doc,
        "headers": {"type": "object", "properties": headers, "required": required},
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": "/".join(event.KEY)}, "bindingVersion": KAFKA}},
    }
