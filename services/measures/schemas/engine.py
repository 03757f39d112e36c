"""The shapes of the chart engine, as it declares them itself."""

from typing import Any

import msgspec


def whole_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of one of the engine's structures, with what it refers to written out in its place."""
    schema = msgspec.json.schema(kind)
    definitions = schema.pop("$defs")

    def written_out(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return written_out(definitions[node["$ref"].rpartition("/")[2]])
            return {key: written_out(value) for key, value in node.items()}
        return [written_out(one) for one in node] if isinstance(node, list) else node

    found: dict[str, Any] = written_out(schema)
    return found
