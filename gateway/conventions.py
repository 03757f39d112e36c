"""What every operation shares beside its own, for the reference: headers sent and answered, and the 304."""

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
_REF = "#/components/headers/"
_TEXT: Document = {"type": "string"}

HEADERS: Document = {
    "X-Request-ID": {"description": "Finds this request in the logs; yours, if you sent one.", "schema": _TEXT},
    "X-Correlation-ID": {"description": "Ties together all that follows from one act; yours, or new.", "schema": _TEXT},
    "RateLimit-Policy": {"description": 'Your allowance: `"client";q=6000;w=60`, so many in seconds.', "schema": _TEXT},
    "RateLimit": {"description": 'What is left of it, and for how long: `"client";r=5999;t=60`.', "schema": _TEXT},
    "Retry-After": {"description": "Seconds to wait before sending it again.", "schema": _TEXT},
    "WWW-Authenticate": {"description": "How to say who you are.", "schema": _TEXT},
    "ETag": {
        "description": "Names this content: send it as `If-None-Match`, or as `If-Match`.",
        "schema": _TEXT,
    },
    "Link": {"description": 'The next page: `<...>; rel="next"`; absent on the last.', "schema": _TEXT},
    "Location": {"description": "Where it is from now on.", "schema": _TEXT},
    "X-As-Of": {"description": "When it was true; in JSON this is `as_of`.", "schema": _TEXT},
    "X-Data-Version": {"description": "Grows with every change; in JSON this is `data_version`.", "schema": _TEXT},
}
"""Every header of an answer that several operations have."""

ALWAYS = ("X-Request-ID", "X-Correlation-ID", "RateLimit-Policy", "RateLimit")
SENT = {
    "X-Request-ID": "An id of your own for this request: it is in the answer, the events and the logs.",
    "X-Correlation-ID": "An id of your own for all that belongs together.",
    "If-None-Match": "An ETag you have: a 304 says that it is still true.",
    "If-Match": "The ETag you read: a 412 says that somebody changed it since.",
}
LONGEST = 128
ENDLESS = "text/event-stream"
ON_REFUSAL = {"401": ("WWW-Authenticate",), "412": ("ETag",), "429": ("Retry-After",), "503": ("Retry-After",)}
MADE = ("201", "202")


def say(operation: Document, method: str) -> None:
    """Say of one operation (its method in lower case) what it shares with all others; and put it under one heading."""
    operation["tags"] = [operation["tags"][-1].capitalize()] if operation.get("tags") else []
    answers: Document = operation["responses"]
    good = answers.get("200", {})
    is_read = method == "get" and "200" in answers and ENDLESS not in good.get("content", {})
    if is_read:
        answers["304"] = {"description": "You have it already (`If-None-Match`)."}
        operation["responses"] = answers = dict(sorted(answers.items()))
    _take(operation, "X-Request-ID", "X-Correlation-ID", *(["If-None-Match"] if is_read else []))
    if "412" in answers:
        _take(operation, "If-Match")
    for status, answer in answers.items():
        headers = answer.setdefault("headers", {})
        headers.update({name: {"$ref": _REF + name} for name in _headers(operation, status, is_read=is_read)})


def _take(operation: Document, *names: str) -> None:
    given = operation.setdefault("parameters", [])
    there = {one["name"].lower() for one in given if one["in"] == "header"}
    own = {**_TEXT, "maxLength": LONGEST, "pattern": "^[A-Za-z0-9._:/+=@-]+$"}
    given += [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": SENT[name],
            "schema": own if name.startswith("X-") else _TEXT,
        }
        for name in names
        if name.lower() not in there
    ]


def _headers(operation: Document, status: str, *, is_read: bool) -> Iterator[str]:
    yield from ALWAYS
    yield from ON_REFUSAL.get(status, ())
    if status in MADE and operation["responses"][status].get("content"):
        yield "Location"
    if is_read and status in ("200", "304"):
        yield "ETag"
        if any(kind != "application/json" for kind in operation["responses"]["200"].get("content", {})):
            yield from ("X-As-Of", "X-Data-Version")
    if status == "200" and any(one["name"] == "cursor" for one in operation["parameters"]):
        yield "Link"
