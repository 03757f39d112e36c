"""The gate: what would break a caller or a listener is found, with its place; what would not is let through."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from deploy.compatibility.promises import broken_events, broken_http

TODAY = "2026-11-23"
Document = dict[str, Any]
Change = Callable[[Document], object]


def http() -> Document:
    """A small document: one thing to send, one to read, and a shape that holds itself."""
    receipt = {
        "type": "object",
        "required": ["id", "status", "rows"],
        "properties": {
            "id": {"type": "string"},
            "status": {"type": "string", "enum": ["accepted", "rejected"]},
            "rows": {"type": "integer"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Receipt"}},
        },
    }
    sending = {
        "type": "object",
        "additionalProperties": False,
        "required": ["rows"],
        "properties": {
            "rows": {"type": "array", "items": {"type": "string"}},
            "size": {"type": "number", "maximum": 9},
        },
    }
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}}}
    feed = {"in": "query", "name": "feed", "schema": {"type": "string", "enum": ["births", "incidents"]}}
    send = {
        "operationId": "send",
        "security": [{"oauth2": ["submissions:write"]}],
        "parameters": [feed],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Sending"}}}},
        "responses": {"201": answer},
    }
    read = {"operationId": "read", "parameters": [], "responses": {"200": answer, "404": {}}}
    return {
        "paths": {"/v1/submissions": {"post": send}, "/v1/submissions/{id}": {"get": read}},
        "components": {"schemas": {"Receipt": receipt, "Sending": sending}},
    }


def send(document: Document) -> Document:
    return document["paths"]["/v1/submissions"]["post"]


def body(document: Document) -> Document:
    return document["components"]["schemas"]["Sending"]


def answer(document: Document) -> Document:
    return document["components"]["schemas"]["Receipt"]


def changed(change: Change) -> list[tuple[str, str]]:
    new = http()
    change(new)
    return [(one.where, one.what) for one in broken_http(http(), new, today=TODAY)]


SENT, READ = "POST /v1/submissions", "GET /v1/submissions/{id}"
ANSWERS = (f"{SENT}, answer 201", f"{READ}, answer 200")

OF_THE_REQUEST: dict[str, tuple[Change, str, str]] = {
    "an operation": (lambda d: d["paths"].pop("/v1/submissions"), SENT, "the operation is gone"),
    "a name": (lambda d: send(d).update(operationId="post"), SENT, "it is called post and was called send"),
    "a scope": (lambda d: send(d).update(security=[{"oauth2": ["all"]}]), SENT, "it needs the scope all"),
    "a parameter": (lambda d: send(d).update(parameters=[]), f"{SENT}, query parameter feed", "the parameter is gone"),
    "a required parameter": (
        lambda d: send(d)["parameters"].append({"in": "query", "name": "of", "required": True}),
        f"{SENT}, query parameter of", "it has become required",
    ),
    "a parameter's value": (
        lambda d: send(d)["parameters"][0]["schema"]["enum"].pop(),
        f"{SENT}, query parameter feed", "may be incidents; only births is allowed",
    ),
    "a required field": (
        lambda d: body(d)["required"].append("size"), f"{SENT}, body/size", "may be missing",
    ),
    "a new required field": (
        lambda d: body(d).update(required=["rows", "of"], properties=body(d)["properties"] | {"of": {}}),
        f"{SENT}, body/of", "is missing",
    ),
    "a field": (lambda d: body(d)["properties"].pop("size"), f"{SENT}, body/size", "is not allowed"),
    "a bound": (
        lambda d: body(d)["properties"]["size"].update(maximum=5),
        f"{SENT}, body/size", "has the maximum 9; only 5 is allowed",
    ),
    "a pattern": (
        lambda d: body(d)["properties"]["rows"]["items"].update(pattern="^a"),
        f"{SENT}, body/rows/*", "has the pattern none; only ^a is allowed",
    ),
    "a type": (
        lambda d: body(d)["properties"]["size"].update(type="integer"),
        f"{SENT}, body/size", "may be number; only integer is allowed",
    ),
    "a form": (
        lambda d: send(d)["requestBody"].update(content={"text/csv": {}}),
        f"{SENT}, body", "application/json is not taken any more",
    ),
    "a body": (lambda d: send(d)["requestBody"].update(required=True), f"{SENT}, body", "it has become required"),
    "a status": (
        lambda d: send(d).update(responses={"202": send(d)["responses"]["201"]}),
        f"{SENT}, answer 201", "it is not given any more",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_THE_REQUEST)
def test_a_caller_who_sends_what_it_always_sent_is_not_let_down(name: str) -> None:
    change, where, what = OF_THE_REQUEST[name]

    assert changed(change) == [(where, what)]


OF_THE_ANSWER: dict[str, tuple[Change, str, str]] = {
    "a field gone": (
        lambda d: (answer(d)["properties"].pop("rows"), answer(d)["required"].remove("rows")), "/rows", "is missing",
    ),
    "an optional field gone": (lambda d: answer(d)["properties"].pop("note"), "/note", "is gone"),
    "a field that need not be there": (lambda d: answer(d)["required"].remove("id"), "/id", "may be missing"),
    "a null": (
        lambda d: answer(d)["properties"].update(rows={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        "/rows", "may be null; only integer is allowed",
    ),
    "another type": (
        lambda d: answer(d)["properties"]["rows"].update(type="number"),
        "/rows", "may be number; only integer is allowed",
    ),
    "a value nobody was told of": (
        lambda d: answer(d)["properties"]["status"]["enum"].append("failed"),
        "/status", "may be failed; only accepted, rejected is allowed",
    ),
    "anything": (lambda d: answer(d)["properties"].update(id={}), "/id", "may be anything; only string is allowed"),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_THE_ANSWER)
def test_a_caller_who_reads_what_it_always_read_is_not_let_down(name: str) -> None:
    change, at, what = OF_THE_ANSWER[name]

    assert changed(change) == [(f"{where}{at}", what) for where in ANSWERS]


HARMLESS: dict[str, Change] = {
    "nothing": lambda d: None,
    "a new operation": lambda d: d["paths"].update({"/v1/new": {"get": {"operationId": "new", "responses": {}}}}),
    "another name for a placeholder": lambda d: d["paths"].update(
        {"/v1/submissions/{submission}": d["paths"].pop("/v1/submissions/{id}")}
    ),
    "a parameter that may be left out": lambda d: send(d)["parameters"].append({"in": "query", "name": "of"}),
    "a field that may be left out": lambda d: body(d)["properties"].update(of={"type": "string"}),
    "a field more in an answer": lambda d: answer(d)["properties"].update(more={"type": "string"}),
    "a value less in an answer": lambda d: answer(d)["properties"]["status"]["enum"].pop(),
    "a value more in a request": lambda d: send(d)["parameters"][0]["schema"]["enum"].append("observations"),
    "a wider bound": lambda d: body(d)["properties"]["size"].update(maximum=99),
    "a field that is there from now on": lambda d: answer(d)["required"].append("note"),
    "a scope less": lambda d: send(d).update(security=[]),
    "another description": lambda d: send(d).update(description="Rows."),
    "a refusal more": lambda d: send(d)["responses"].update({"409": {}}),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_harms_nobody_is_let_through(name: str) -> None:
    assert changed(HARMLESS[name]) == []


@pytest.mark.parametrize(("sunset", "gone"), [("2026-11-23", False), ("2026-11-24", True)])
def test_an_operation_may_go_when_its_sunset_has_come(sunset: str, gone: bool) -> None:
    old, new = http(), http()
    send(old)["x-sunset"] = sunset
    del new["paths"]["/v1/submissions"]

    assert bool(broken_http(old, new, today=TODAY)) == gone


def test_what_is_broken_says_what_to_do_about_it() -> None:
    new = http()
    del new["paths"]["/v1/submissions"]

    (one,) = broken_http(http(), new, today=TODAY)

    assert str(one).splitlines()[0] == "POST /v1/submissions"
    assert "gateway/deprecations.py" in str(one)


def events() -> Document:
    payload = {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}}
    topic = {
        "messages": {"OrganisationChanged": {}},
        "bindings": {"kafka": {"topic": "programmes.organisations.v1", "partitions": 6}},
    }
    message = {"headers": {"properties": {"ce_id": {"type": "string"}}, "required": ["ce_id"]}, "payload": payload}
    return {
        "channels": {"programmes.organisations.v1": topic},
        "components": {"messages": {"OrganisationChanged": message}},
    }


def message(document: Document) -> Document:
    return document["components"]["messages"]["OrganisationChanged"]


OF_AN_EVENT: dict[str, tuple[Change, str]] = {
    "a topic": (lambda d: d["channels"].clear(), "topic programmes.organisations.v1"),
    "an event": (lambda d: d["components"]["messages"].clear(), "event OrganisationChanged"),
    "the order": (
        lambda d: d["channels"]["programmes.organisations.v1"]["bindings"]["kafka"].update(partitions=7),
        "topic programmes.organisations.v1",
    ),
    "the topic of an event": (
        lambda d: d["channels"]["programmes.organisations.v1"]["messages"].clear(), "topic programmes.organisations.v1",
    ),
    "a field": (lambda d: message(d)["payload"].update(properties={}), "event OrganisationChanged, payload/code"),
    "a header": (lambda d: message(d)["headers"].update(required=[]), "event OrganisationChanged, headers/ce_id"),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_AN_EVENT)
def test_a_listener_is_not_let_down(name: str) -> None:
    change, where = OF_AN_EVENT[name]
    new = events()
    change(new)

    assert [one.where for one in broken_events(events(), new)] == [where]


def test_an_event_may_say_more() -> None:
    new = deepcopy(events())
    message(new)["payload"]["properties"]["name"] = {"type": "string"}

    assert broken_events(events(), new) == []
