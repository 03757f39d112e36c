"""The contracts: every event is described, named by the rules, read as it was written, and read for ever."""

import base64
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from deploy import contracts
from shared.contracts.event import Envelope, Event
from shared.messaging import cloudevents
from shared.messaging.bus import Message
from shared.messaging.cloudevents import EVENTS, NotAnEvent, decode, encode
from tests.shared.builders import NOON, a_signal

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))
CLOUDEVENTS = {"specversion", "id", "source", "type", "datacontenttype", "dataschema", "subject", "time"}
every_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
every_sample = pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
whole = st.integers(-(2**53), 2**53)
anything = st.recursive(
    st.none() | st.booleans() | whole | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
STRATEGIES: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.AnyType: lambda _: anything,
    inspect.BoolType: lambda _: st.booleans(),
    inspect.BytesType: lambda _: st.binary(max_size=50),
    inspect.DateTimeType: lambda it: st.datetimes(timezones=st.just(UTC)) if it.tz else st.datetimes(),
    inspect.DateType: lambda _: st.dates(),
    inspect.DictType: lambda it: st.dictionaries(values(it.key_type), values(it.value_type), max_size=3),
    inspect.IntType: lambda _: whole,
    inspect.ListType: lambda it: st.lists(values(it.item_type), max_size=3),
    inspect.LiteralType: lambda it: st.sampled_from(it.values),
    inspect.Metadata: lambda it: values(it.type),
    inspect.NoneType: lambda _: st.none(),
    inspect.StrType: lambda _: texts,
    inspect.StructType: lambda it: structs(it),
    inspect.UnionType: lambda it: st.one_of([values(one) for one in it.types]),
}


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Any value of the type that a contract gives a field."""
    return STRATEGIES[type(kind)](kind)


def structs(kind: inspect.StructType) -> st.SearchStrategy[Any]:
    """Any value of a struct; its optional fields are sometimes left out."""
    fields = {one.name: values(one.type) for one in kind.fields}
    required = {one.name: fields.pop(one.name) for one in kind.fields if one.required}
    return st.fixed_dictionaries(required, optional=fields).map(lambda given: kind.cls(**given))


def events() -> st.SearchStrategy[Event]:
    return st.sampled_from(EVENTS).flatmap(lambda event: values(inspect.type_info(event)))


ENVELOPE = Envelope(
    id="1", source="/psip/tests", time=NOON, correlation_id="ward-7", traceparent=f"00-{'a' * 32}-{'b' * 16}-01"
)


@given(events())
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    message = encode(event, ENVELOPE)

    assert decode(message) == (event, ENVELOPE)
    assert (message.topic, message.key) == (event.TOPIC.name, event.key)
    assert message.key.startswith(message.ordering_key)


@given(events(), st.data())
def test_what_is_spoilt_on_the_way_is_refused_in_one_way(event: Event, data: st.DataObject) -> None:
    message = encode(event, ENVELOPE)
    headers = dict(message.headers)
    headers[data.draw(st.sampled_from(sorted(headers)))] = data.draw(texts)
    body = data.draw(st.sampled_from([message.body, message.body[:-1], b"", b"null"]))

    with suppress(NotAnEvent):
        decode(msgspec.structs.replace(message, headers=headers, body=body))


def test_what_is_not_known_of_an_envelope_is_left_out() -> None:
    envelope = Envelope(id="1", source="/psip/tests", time=NOON)
    message = encode(a_signal(), envelope)

    assert "ce_correlationid" not in message.headers
    assert "traceparent" not in message.headers
    assert decode(message)[1] == envelope


@every_event
def test_an_event_says_what_happened(event: type[Event]) -> None:
    assert event.__doc__
    assert event.__doc__ != Event.__doc__


@every_event
def test_an_event_and_its_topic_are_named_by_the_rules(event: type[Event]) -> None:
    publisher = event.__module__.rpartition(".")[2]
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", event.__name__).lower()

    assert re.fullmatch(rf"nhs\.psip\.{publisher}\.{kebab}\.v[1-9]", event.TYPE)
    assert re.fullmatch(rf"{publisher}\.[a-z]+s\.v[1-9]", event.TOPIC.name)
    assert event.TOPIC.partitions >= 1
    assert event.KEY
    assert set(event.KEY) <= set(event.__struct_fields__)


def test_no_two_events_share_a_type_and_no_two_topics_a_name() -> None:
    assert len({event.TYPE for event in EVENTS}) == len(EVENTS)
    topics = {event.TOPIC for event in EVENTS}
    assert len({topic.name for topic in topics}) == len(topics)


@every_event
def test_what_a_return_carries_in_headers_hides_none_of_cloudevents_own(event: type[Event]) -> None:
    if event.BODY is None:
        return
    names = [name.replace("_", "") for name in event.__struct_fields__ if name not in (event.BODY, "content_type")]

    assert len(set(names)) == len(names)
    assert not set(names) & (CLOUDEVENTS | {"correlationid"})
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in names)
    assert "content_type" in event.__struct_fields__


def read_sample(file: Path) -> tuple[Message, dict[str, Any]]:
    """A recorded message, and its fields as they were understood when it was recorded."""
    sample = json.loads(file.read_text(encoding="utf-8"))
    body = base64.b64decode(sample["body_base64"]) if "body_base64" in sample else sample["body"].encode()
    key = sample["key"]
    message = Message(topic=sample["topic"], key=key, ordering_key=key, headers=sample["headers"], body=body)
    return message, sample["fields"]


@every_sample
def test_a_recorded_message_is_understood_for_ever(file: Path) -> None:
    message, fields = read_sample(file)

    event, envelope = decode(message)

    understood = msgspec.to_builtins(event)
    assert {name: understood[name] for name in fields} == fields
    assert event.key == message.key
    assert event.TOPIC.name == message.topic
    assert envelope.id == message.headers["ce_id"]


@every_event
def test_every_version_of_an_event_is_recorded_once_whole_and_once_with_the_least(event: type[Event]) -> None:
    names = {file.stem for file in SAMPLES}

    missing = {event.TYPE, f"{event.TYPE}.least"} - names
    assert not missing, (
        f"record a message of {event.__name__} as tests/shared/samples/{missing}.json; it stays for ever"
    )


@every_event
def test_a_new_optional_field_leaves_the_recorded_messages_readable(
    event: type[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = msgspec.defstruct(
        event.__name__, [("told_by", str | None, None)], bases=(event,), frozen=True, kw_only=True,
        module=event.__module__,
    )  # fmt: skip
    monkeypatch.setitem(cast("dict[str, type[Event]]", cloudevents.BY_TYPE), event.TYPE, cast("type[Event]", grown))

    for file in SAMPLES:
        message, fields = read_sample(file)
        if message.headers["ce_type"] == event.TYPE:
            read = msgspec.to_builtins(decode(message)[0])
            assert read.items() >= fields.items()
            assert read["told_by"] is None


@every_sample
def test_an_older_reader_passes_over_a_field_it_does_not_know(file: Path) -> None:
    message, fields = read_sample(file)
    headers = message.headers | {"ce_toldby": "the night shift"}
    body = message.body
    if (
        "body_base64" not in file.read_text()
        and message.headers["content-type"] == "application/json"
        and body[:1] == b"{"
    ):
        body = json.dumps(json.loads(body) | {"told_by": "the night shift"}).encode()

    event, _ = decode(msgspec.structs.replace(message, headers=headers, body=body))

    assert msgspec.to_builtins(event).items() >= fields.items()


def test_the_asyncapi_document_is_current() -> None:
    written = contracts.FILE.read_text(encoding="utf-8") if contracts.FILE.exists() else ""

    assert written == contracts.document(), f"{contracts.FILE.name} is out of date: run `make contracts` and commit it"


def references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [one for inner in node.values() for one in references(inner)]
    return [one for inner in node for one in references(inner)] if isinstance(node, list) else []


def test_the_asyncapi_document_hangs_together() -> None:
    document = contracts.asyncapi()

    assert set(document["channels"]) == {event.TOPIC.name for event in EVENTS}
    assert set(document["components"]["messages"]) == {event.__name__ for event in EVENTS}
    assert {one["action"] for one in document["operations"].values()} == {"send", "receive"}
    for reference in set(references(document)):
        node: Any = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_the_asyncapi_document_says_where_each_event_is_and_how_it_is_kept() -> None:
    document = contracts.asyncapi()
    channel = document["channels"]["ingest.returns.v1"]
    message = document["components"]["messages"]["ReturnPublished"]

    assert channel["bindings"]["kafka"]["partitions"] == 6
    assert channel["bindings"]["kafka"]["topicConfiguration"] == {"cleanup.policy": ["compact"]}
    assert message["headers"]["properties"]["ce_type"] == {"const": "nhs.psip.ingest.return-published.v1"}
    assert "ce_feedversion" in message["headers"]["required"]
    assert "ce_rows" not in message["headers"]["properties"]
    assert document["operations"]["measures-receives-ReturnPublished"]["action"] == "receive"


@given(events())
def test_an_event_carries_the_headers_that_the_document_promises(event: Event) -> None:
    promised = contracts.asyncapi()["components"]["messages"][type(event).__name__]["headers"]

    headers = encode(event, ENVELOPE).headers

    assert set(promised["required"]) <= set(headers)
    assert set(headers) <= {*promised["properties"], "content-type"}


def test_a_document_nested_without_end_is_refused_like_any_other() -> None:
    message = encode(a_signal(), ENVELOPE)
    headers = message.headers | {"ce_type": "nhs.psip.programmes.feed-published.v1"}
    body = b'{"spec": {"a": ' + b"[" * 100_000

    with pytest.raises(NotAnEvent, match="FeedPublished cannot be read"):
        decode(msgspec.structs.replace(message, headers=headers, body=body))
