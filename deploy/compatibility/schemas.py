"""Whether every value that one JSON Schema allows is allowed by another, and where not.

Only what our contracts use is understood: types, enumerations, bounds, objects, arrays, unions. What is not understood
(a pattern, a format) counts as kept only where it has not changed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
Document = Mapping[str, Any]
Reason = tuple[str, str]
"""Where in the value (`/items/0/value`; empty for the whole), and what is wrong there."""

LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems")
HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
AS_THEY_ARE = ("pattern", "format", "uniqueItems")
EVERY_TYPE = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


def lost(
    given: Schema, given_in: Document, allowed: Schema, allowed_in: Document, *, closed: bool = True
) -> list[Reason]:
    """Why a value of the schema `given` may not be one of `allowed`; empty when every one is.

    Each schema is looked up in the document it stands in. Without `closed`, fields that `allowed` does not name are
    allowed whatever it says: readers pass over what they do not know.
    """
    return list(_Comparison(given_in, allowed_in, closed=closed).lost(given, allowed, ""))


class _Comparison:
    """One comparison. A pair of references is looked into once: what it refers to may refer to itself."""

    def __init__(self, given_in: Document, allowed_in: Document, *, closed: bool) -> None:
        self._given_in, self._allowed_in, self._closed = given_in, allowed_in, closed
        self._under_way: set[tuple[str, str]] = set()

    def lost(self, given: Schema, allowed: Schema, at: str) -> Iterator[Reason]:
        pair = (given.get("$ref", ""), allowed.get("$ref", ""))
        if all(pair):
            if pair in self._under_way:
                return
            self._under_way.add(pair)
        choices = list(alternatives(allowed, self._allowed_in))
        for one in alternatives(given, self._given_in):
            yield from self._best(one, choices, at)
        self._under_way.discard(pair)

    def _best(self, one: Schema, choices: list[Schema], at: str) -> list[Reason]:
        """Nothing if any choice takes it; else what is wrong with the choice that is nearest."""
        found = [(not _types(one) <= _types(choice), list(self._single(one, choice, at))) for choice in choices]
        return min(found, key=lambda judged: (judged[0], len(judged[1])), default=(False, []))[1]

    def _single(self, given: Schema, allowed: Schema, at: str) -> Iterator[Reason]:
        """The same for two schemas without unions."""
        if not _types(given) <= _types(allowed):
            yield at, f"may be {_named(given)}; only {_named(allowed)} is allowed"
            return
        mine, theirs = _values(given), _values(allowed)
        if theirs is not None and (mine is None or not mine <= theirs):
            more = "anything" if mine is None else ", ".join(sorted(mine - theirs))
            yield at, f"may be {more}; only {', '.join(sorted(theirs))} is allowed"
            return
        if mine is None:
            yield from _bounds(given, allowed, at)
        if "object" in _types(given):
            yield from self._objects(given, allowed, at)
        if "array" in _types(given) and allowed.get("items"):
            yield from self.lost(given.get("items", {}), allowed["items"], f"{at}/*")

    def _objects(self, given: Schema, allowed: Schema, at: str) -> Iterator[Reason]:
        mine, theirs = given.get("properties", {}), allowed.get("properties", {})
        surely = set(given.get("required", ())) & mine.keys()
        for name in sorted(set(allowed.get("required", ())) - surely):
            yield f"{at}/{name}", "may be missing" if name in mine else "is missing"
        for name in mine.keys() & theirs.keys():
            yield from self.lost(mine[name], theirs[name], f"{at}/{name}")
        others = allowed.get("additionalProperties", True)
        if others is True or (others is False and not self._closed):
            return
        for name in sorted(mine.keys() - theirs.keys()):
            if others is False:
                yield f"{at}/{name}", "is not allowed"
            else:
                yield from self.lost(mine[name], others, f"{at}/{name}")
        more = given.get("additionalProperties", True)
        if more is not False and others is not False:
            yield from self.lost({} if more is True else more, others, f"{at}/*")


def fields(schema: Schema, document: Document, at: str = "", within: frozenset[str] = frozenset()) -> Iterator[str]:
    """The place of every field that a schema names, however deep; what refers to itself is looked into once."""
    union = schema.get("anyOf") or schema.get("oneOf") or ()
    if "$ref" in schema and schema["$ref"] not in within:
        reference = schema["$ref"]
        yield from fields(resolved(reference, document), document, at, within | {reference})
    for one in union:
        yield from fields(one, document, at, within)
    for name, inner in schema.get("properties", {}).items():
        yield f"{at}/{name}"
        yield from fields(inner, document, f"{at}/{name}", within)
    if isinstance(schema.get("items"), Mapping):
        yield from fields(schema["items"], document, f"{at}/*", within)


def alternatives(schema: Schema, document: Document) -> Iterator[Schema]:
    """The schemas of which a value is one: unions and lists of types taken apart, references followed."""
    if "$ref" in schema:
        yield from alternatives(resolved(schema["$ref"], document), document)
    elif union := schema.get("anyOf") or schema.get("oneOf"):
        for one in union:
            yield from alternatives(one, document)
    elif isinstance(schema.get("type"), list):
        for name in schema["type"]:
            yield {**schema, "type": name}
    else:
        yield schema


def resolved(reference: str, document: Document) -> Any:
    """What a reference within the document leads to."""
    node: Any = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step.replace("~1", "/").replace("~0", "~")]
    return node


def _types(schema: Schema) -> frozenset[str]:
    told = schema.get("type")
    if told is None:
        return EVERY_TYPE if _values(schema) is None else frozenset()
    return frozenset({told}) | ({"integer"} if told == "number" else set())


def _values(schema: Schema) -> frozenset[str] | None:
    if "const" in schema:
        return frozenset({str(schema["const"])})
    return frozenset(map(str, schema["enum"])) if "enum" in schema else None


def _named(schema: Schema) -> str:
    return str(schema.get("type", "anything"))


def _bounds(given: Schema, allowed: Schema, at: str) -> Iterator[Reason]:
    for name in (*LOWEST, *HIGHEST):
        limit, mine = allowed.get(name), given.get(name)
        if limit is not None and (mine is None or (mine < limit if name in LOWEST else mine > limit)):
            yield at, f"has the {name} {'none' if mine is None else mine}; only {limit} is allowed"
    for name in AS_THEY_ARE:
        if name in allowed and given.get(name) != allowed[name]:
            yield at, f"has the {name} {given.get(name, 'none')}; only {allowed[name]} is allowed"
