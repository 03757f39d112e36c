"""The reference: an OpenAPI document as a page that people can read."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import groupby
from typing import Any

import orjson
from fastapi.responses import HTMLResponse

from gateway.explorer.pages import page, paragraphs, table
from gateway.openapi import Document, operations
from shared.problems import MEDIA_TYPE

SCHEMAS = "#/components/schemas/"


def reference(document: Document) -> HTMLResponse:
    """Every operation of the document, by tag, with its parameters, body and answers; then their shapes."""
    by_tag = sorted(operations(document), key=lambda one: (_tag(one[2]), one[0], one[1]))
    parts = [f"<h1>Reference</h1>{paragraphs(document['info'].get('description', ''))}"]
    for tag, group in groupby(by_tag, key=lambda one: _tag(one[2])):
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts += [_operation(path, method, operation) for path, method, operation in group]
    shapes = document.get("components", {}).get("schemas", {})
    parts.append("<h2>Shapes</h2>" if shapes else "")
    parts += [_shape(name, schema) for name, schema in sorted(shapes.items())]
    return page("Reference", "".join(parts))


def _tag(operation: Document) -> str:
    return str(operation.get("tags", ["Other"])[0]).capitalize()


def _operation(path: str, method: str, operation: Document) -> str:
    first, _, rest = str(operation.get("description", operation.get("summary", ""))).partition("\n\n")
    return (
        f'<details id="{escape(operation.get("operationId", ""))}"><summary><span class="method">{method}</span> '
        f"<code>{escape(path)}</code> <span>{escape(first)}</span></summary>"
        f'{paragraphs(rest)}<p class="quiet">{_need(operation)}</p>'
        f"{_parameters(operation.get('parameters', []))}{_body(operation.get('requestBody'))}"
        f"{_answers(operation.get('responses', {}))}</details>"
    )


def _need(operation: Document) -> str:
    if not operation.get("security"):
        return "Open to everyone."
    scopes = [scope for need in operation["security"] for scope in need.get("oauth2", [])]
    return f"Needs the scope <code>{escape(', '.join(scopes))}</code>." if scopes else "Any client with a token."


def _parameters(parameters: Iterable[Document]) -> str:
    rows = [
        (
            f"<code>{escape(one['name'])}</code>",
            escape(one["in"]) + (", required" if one.get("required") else ""),
            _kind(one.get("schema", {})),
            escape(one.get("description", "")),
        )
        for one in parameters
    ]
    return f"<h3>Parameters</h3>{table(('Parameter', 'In', 'Kind', 'Meaning'), rows)}" if rows else ""


def _body(body: Document | None) -> str:
    if not body:
        return ""
    return f"<h3>Body</h3>{paragraphs(body.get('description', ''))}{_content(body.get('content', {}))}"


def _answers(answers: Mapping[str, Document]) -> str:
    rows = [
        (escape(status), escape(answer.get("description", "")) + _links(answer) + _content(answer.get("content", {})))
        for status, answer in answers.items()
    ]
    return f"<h3>Answers</h3>{table(('Status', 'Answer'), rows)}" if rows else ""


def _links(answer: Document) -> str:
    slugs = answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
    return "".join(f' <a href="/problems/{escape(slug)}">{escape(slug)}</a>' for slug in slugs)


def _content(content: Mapping[str, Document]) -> str:
    parts = []
    for kind, media in content.items():
        if kind == MEDIA_TYPE:
            continue
        schema = media.get("schema", {})
        parts.append(f"<p><code>{escape(kind)}</code> {_kind(schema)}</p>{_fields(schema)}")
        values = [one["value"] for one in media.get("examples", {}).values() if "value" in one]
        values += [media["example"]] if "example" in media else []
        parts += [f'<pre tabindex="0"><code>{escape(_text(value))}</code></pre>' for value in values]
    return "".join(parts)


def _shape(name: str, schema: Document) -> str:
    return (
        f'<details id="shape-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{paragraphs(schema.get('description', ''))}{_fields(schema) or _kind(schema)}</details>"
    )


def _fields(schema: Document) -> str:
    required = schema.get("required", [])
    rows = [
        (
            f"<code>{escape(name)}</code>",
            _kind(one) + (", required" if name in required else ""),
            escape(one.get("description", "")),
        )
        for name, one in schema.get("properties", {}).items()
    ]
    return table(("Field", "Kind", "Meaning"), rows)


def _kind(schema: Document) -> str:
    """What a value may be, in a few words; shapes are links."""
    return " or ".join(_kinds(schema))


def _kinds(schema: Document) -> Iterator[str]:
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).removeprefix(SCHEMAS))
        yield f'<a href="#shape-{name}">{name}</a>'
    for several in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(several, []):
            yield from _kinds(one)
    if "enum" in schema or "const" in schema:
        yield ", ".join(f"<code>{escape(str(one))}</code>" for one in schema.get("enum", [schema.get("const")]))
    elif "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        yield from (_named(str(kind), schema) for kind in kinds)


def _named(kind: str, schema: Document) -> str:
    if kind == "array" and isinstance(schema.get("items"), dict):
        return f"list of {_kind(schema['items']) or 'anything'}"
    return escape(f"{kind} ({schema['format']})" if "format" in schema else kind)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
