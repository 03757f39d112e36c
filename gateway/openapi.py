"""One OpenAPI 3.1 document of everything in THE TABLE, merged from what the services say of themselves.

Each service answers `GET /internal/openapi.json` (not in the table, so nobody outside can ask). A route that is not in
the table is not in the document; what the table says - scopes, refusals - is added here, to every operation.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from http import HTTPStatus
from typing import Any

import orjson
import structlog

from gateway import conventions, examples
from gateway.deprecations import DEPRECATED, Deprecation
from gateway.live.webhooks.description import described
from gateway.pool import Patience
from gateway.problems import (
    AccessUncertain,
    AmbiguousAddress,
    BrokenAnswer,
    ServiceUnreachable,
    TooManyCells,
    TooManyRequests,
)
from gateway.proxy import Proxy
from gateway.routes import ANY_CLIENT, FIGURES, GATEWAY, OPERATIONS, PUBLIC, SCOPES, SERVICES, Row
from gateway.wire import UpstreamError
from shared.problems import MEDIA_TYPE, AnswerTooLate, Forbidden, InvalidRequest, Problem, Unauthenticated
from shared.problems import document as problem_document

Document = dict[str, Any]
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
FRESH_SECONDS = 300.0
RETRY_SECONDS = 5.0  # how soon a service that did not answer is asked again
LARGEST_DOCUMENT = 16_000_000
EVERYWHERE = (InvalidRequest, TooManyRequests)
WITH_A_NAME_IN_THE_PATH = (AmbiguousAddress,)
WITH_A_TOKEN = (Unauthenticated, AccessUncertain)
WITH_A_SCOPE = (Forbidden,)
WITH_FIGURES = (TooManyCells,)
BEHIND_THE_DOOR = (BrokenAnswer, ServiceUnreachable, AnswerTooLate)
DESCRIPTION = """Rows that trusts and care homes send become charts of how care is improving.

**A first call.** `POST /oauth2/token` with your client id and secret gives a token; send it as
`Authorization: Bearer ...`. Errors are `application/problem+json` (RFC 9457); each `type` is a page that explains it.
Lists are paged with `limit` and `cursor`. Every answer says what is left of your allowance (`RateLimit`).
"""
PROBLEM_SCHEMA: Document = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "The page that explains this kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong this time."},
        "request_id": {"type": ["string", "null"], "description": "Finds this request in the logs."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["message"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where in the body (JSON Pointer)."},
                    "parameter": {"type": "string", "description": "Which parameter."},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
log = structlog.get_logger()


class Documents:
    """What each service says of itself, fetched when somebody asks and kept for five minutes."""

    def __init__(self, proxy: Proxy, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._proxy, self._clock = proxy, clock
        self._kept: Mapping[str, Document] = {}
        self._until: dict[str, float] = {}

    async def fetch(self) -> Mapping[str, Document]:
        """The document of every service that has one; an older one where a service does not answer now.

        It is the same object until a service has been asked again: what was made of it can be kept as long.
        """
        stale = [name for name in sorted(SERVICES) if self._until.get(name, 0) <= self._clock()]
        answers = zip(stale, await asyncio.gather(*map(self._ask, stale)), strict=True)
        told = {name: document for name, document in answers if document is not None}
        for name in stale:
            self._until[name] = self._clock() + (FRESH_SECONDS if name in told else RETRY_SECONDS)
        if told:
            self._kept = {**self._kept, **told}
        return self._kept

    async def _ask(self, service: str) -> Document | None:
        asked = self._proxy.services[service]
        head = b"GET /internal/openapi.json HTTP/1.1\r\nhost: %b\r\naccept: application/json\r\n\r\n"
        try:
            head %= asked.pool.origin.authority
            answer = await asked.send(head, repeatable=True, patience=Patience(read=10))
            body = bytearray()
            try:
                while len(body) < LARGEST_DOCUMENT and (part := await answer.read(10)):
                    body += part
            finally:
                answer.close()
            found = orjson.loads(body) if answer.status == HTTPStatus.OK else None
        except (UpstreamError, ValueError) as error:
            log.warning("a service does not describe itself", service=service, error=type(error).__name__)
            return None
        return found if isinstance(found, dict) else None


def merged(
    documents: Mapping[str, Document],
    rows: Iterable[Row],
    *,
    server: str,
    version: str,
    going: Iterable[Deprecation] = DEPRECATED,
) -> Document:
    """The one document. `documents` is by service; operations that the table does not lead to are left out.

    Those in `going` are marked as deprecated.
    """
    table = {_shape(row.path): row for row in rows}
    paths: dict[str, Document] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM_SCHEMA}
    for service in sorted(documents, key=lambda name: (name != GATEWAY, name)):
        document = _with_schemas_renamed(documents[service], taken=schemas, service=service)
        kept = dict(_reachable(document, service, table))
        for path, methods in kept.items():
            paths.setdefault(path, {}).update(methods)
        schemas |= _used(document.get("components", {}).get("schemas", {}), kept)
    deprecated = {(one.method, _shape(one.path)): one for one in going}
    for path, method, operation in operations({"paths": paths}):
        conventions.say(operation, method.lower())
        examples.give(operation)
        if (method, _shape(path)) in deprecated:
            deprecated[method, _shape(path)].mark(operation)
    whole: Document = {
        "openapi": "3.1.0",
        "info": {"title": "Patient safety improvement platform", "version": version, "description": DESCRIPTION},
        "servers": [{"url": server}],
        "paths": dict(sorted(paths.items())),
        "webhooks": described(),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "headers": deepcopy(conventions.HEADERS),
            "securitySchemes": _security_schemes(server),
        },
    }
    return whole


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Path, method (upper case) and operation, in the order of the document."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method.upper(), operation


def _reachable(document: Document, service: str, table: Mapping[str, Row]) -> Iterator[tuple[str, Document]]:
    for path, item in document.get("paths", {}).items():
        row = table.get(_shape(path))
        if row is None or row.service != service:
            continue
        kept = {
            method: _as_the_table_says(operation, row, row.needs[method.upper()])
            for method, operation in item.items()
            if row.needs.get(method.upper(), OPERATIONS) != OPERATIONS
        }
        if kept:
            yield path, kept


def _as_the_table_says(operation: Document, row: Row, need: str) -> Document:
    """The operation with its scope, and with the refusals and failures every such operation shares."""
    answers = operation.setdefault("responses", {})
    invalid = answers.get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if invalid.get("$ref", "").endswith("/HTTPValidationError"):  # the framework's own, which is never sent
        del answers["422"]
    scopes = [] if need in (PUBLIC, ANY_CLIENT) else [need]
    operation["security"] = [] if need == PUBLIC else [{"oauth2": scopes}]
    common = (
        *EVERYWHERE,
        *(WITH_A_NAME_IN_THE_PATH if "{" in row.path else ()),
        *(WITH_A_TOKEN if need != PUBLIC else ()),
        *(WITH_A_SCOPE if scopes else ()),
        *(WITH_FIGURES if FIGURES in scopes else ()),
        *(BEHIND_THE_DOOR if row.service != GATEWAY else ()),
    )
    for kind in common:
        _add_problem(answers, kind)
    operation["responses"] = dict(sorted(answers.items()))
    return operation


def _add_problem(answers: Document, kind: type[Problem]) -> None:
    """Add a problem beside those that the service names."""
    entry = answers.setdefault(str(kind.status), {"description": kind.title(), "content": {}})
    media = entry.setdefault("content", {}).setdefault(MEDIA_TYPE, {})
    media.setdefault("schema", {"$ref": f"{_REF}Problem"})
    example = {"value": problem_document(kind(), request_id="01J9ZQ")}
    media.setdefault("examples", {}).setdefault(kind.slug, example)


def _security_schemes(server: str) -> Document:
    scopes = {
        scope: f"{'Change' if scope.endswith(':write') else 'Read'} {scope.partition(':')[0]}" for scope in SCOPES
    }
    flow = {"tokenUrl": f"{server}/oauth2/token", "scopes": dict(sorted(scopes.items()))}
    return {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}}


def _shape(path: str) -> str:
    return "/".join("{}" if step.startswith("{") else step for step in path.split("/"))


def _with_schemas_renamed(document: Document, *, taken: Mapping[str, Any], service: str) -> Document:
    """A copy whose schemas do not have the names of other services' different ones."""
    schemas = document.get("components", {}).get("schemas", {})
    clashes = {
        name: f"{service.capitalize()}{name}"
        for name, schema in schemas.items()
        if name in taken and name != "Problem" and taken[name] != schema
    }
    copy: Document = _renamed(deepcopy(document), {f"{_REF}{old}": f"{_REF}{new}" for old, new in clashes.items()})
    if schemas:
        kept = copy["components"]["schemas"]
        kept = {clashes.get(name, name): schema for name, schema in kept.items() if name != "Problem"}
        copy["components"]["schemas"] = kept
    return copy


_REF = "#/components/schemas/"


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: names.get(value, value) if key == "$ref" and isinstance(value, str) else _renamed(value, names)
            for key, value in node.items()
        }
    return [_renamed(one, names) for one in node] if isinstance(node, list) else node


def _used(schemas: Mapping[str, Any], root: Any) -> dict[str, Any]:
    """The schemas that are referred to, directly or through one another."""
    found: dict[str, Any] = {}
    waiting = list(_references(root))
    while waiting:
        name = waiting.pop()
        if name in schemas and name not in found:
            found[name] = schemas[name]
            waiting.extend(_references(schemas[name]))
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_REF)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
