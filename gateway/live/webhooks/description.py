"""What a receiver is sent, for the reference: the section `webhooks` of the OpenAPI document."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.live.kinds import CELLS, RESET, SIGNAL, SUBMISSION, TEST

Described = dict[str, Any]
_TEXT: Described = {"type": "string"}
_TEXTS: Described = {"type": "array", "items": _TEXT}
_INSTANT: Described = {"type": "string", "format": "date-time"}
_NUMBER: Described = {"type": "integer"}
_AT: Final = "2026-10-05T12:30:00Z"
_HEADERS: Final = (
    ("webhook-id", "The event: the same at every attempt.", "0199b0c5-7a10-7c3e-9d55-3f2b8a6f0c11"),
    ("webhook-timestamp", "When this attempt was made, in Unix seconds.", "1760000000"),
    (
        "webhook-signature",
        "`v1,` and an HMAC-SHA256 (base64) of id, timestamp and body with dots between; two while a secret changes.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
)
_EVENTS: Final[Mapping[str, tuple[str, Described, Described]]] = {
    SUBMISSION: (
        "A submission was dealt with: read its receipt.",
        {"id": _TEXT, "feed": _TEXT, "organisation": {"type": ["string", "null"]}, "status": _TEXT,
         "submitted_by": _TEXT, "completed_at": _INSTANT},
        {"id": "0199b0c5-0000-7000-8000-000000000001", "feed": "births", "organisation": "RGT", "status": "accepted",
         "submitted_by": "example-trust", "completed_at": _AT,
         "links": {"submission": "/v1/submissions/0199b0c5-0000-7000-8000-000000000001"}},
    ),
    CELLS: (
        "Figures of an organisation were computed anew: read its series and charts again.",
        {"organisation": _TEXT, "measures": _TEXTS, "periods": _TEXTS, "data_version": _NUMBER,
         "changed_at": _INSTANT},
        {"organisation": "RGT", "measures": ["mn-preterm"], "periods": ["2026-09"], "data_version": 17,
         "changed_at": _AT, "links": {"matrix": "/v1/matrix?organisation=RGT"}},
    ),
    SIGNAL: (
        "A chart began, or ceased, to show special-cause variation.",
        {"organisation": _TEXT, "measure": _TEXT, "period": _TEXT, "variation": _TEXT, "state": _TEXT,
         "data_version": _NUMBER, "detected_at": _INSTANT},
        {"organisation": "RGT", "measure": "mn-preterm", "period": "2026-09", "variation": "concern_high",
         "state": "detected", "data_version": 17, "detected_at": _AT,
         "links": {"chart": "/v1/charts/mn-preterm/RGT"}},
    ),
    RESET: (
        "What came after the webhook's cursor was no longer kept: read afresh what you hold.",
        {"missed": {"const": True}, "kept_after": _NUMBER, "newest": _NUMBER},
        {"missed": True, "kept_after": 8000, "newest": 9000},
    ),
    TEST: (
        "Its owner wanted to see whether the webhook works.",
        {"webhook": _TEXT},
        {"webhook": "0199b0c5-0000-7000-8000-000000000002"},
    ),
}  # fmt: skip


def described() -> Described:
    """Every event as a call of a webhook, with its headers, its body and an example."""
    return {name: {"post": _call(name, *event)} for name, event in _EVENTS.items()}


def _call(name: str, summary: str, fields: Described, example: Described) -> Described:
    body = {"type": name, "timestamp": _AT, "data": example} | ({"cursor": "42"} if "links" in example else {})
    data = {"type": "object", "required": list(fields), "properties": fields | {"links": {"type": "object"}}}
    schema = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {"type": {"const": name}, "timestamp": _INSTANT, "cursor": _TEXT, "data": data},
    }
    return {
        "operationId": f"receive_{name.replace('.', '_')}",
        "summary": summary,
        "tags": ["Webhooks"],
        "parameters": [
            {"name": header, "in": "header", "required": True, "description": about, "schema": _TEXT, "example": one}
            for header, about, one in _HEADERS
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "examples": {name: {"value": body}}}},
        },
        "responses": {"2XX": {"description": "Taken. Anything else, or nothing in ten seconds, is tried again."}},
    }
