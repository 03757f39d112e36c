"""What callers and listeners rely on in a released contract, and where a newer one does not keep it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from deploy.compatibility.schemas import Document, Schema, fields, lost

METHODS = ("get", "put", "post", "delete", "patch")
KEEP = "keep it; to be rid of it, name it in gateway/deprecations.py and remove it after its sunset"
OPTIONAL = "make it optional, with what happened before as its default"
WIDER = "accept what was accepted before"
PROMISED = "answer as before; put what is new in a field of its own"
NEW_EVENT = "leave the event as it was, and publish the new one beside it for a release"


class Broken(NamedTuple):
    """A promise that is not kept: where, what, and what to do about it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}\n    {self.what}\n    {self.remedy}"


def broken_http(old: Document, new: Document, *, today: str) -> list[Broken]:
    """The promises of an OpenAPI document that the newer one breaks.

    An operation may go once the sunset that the old document told (`x-sunset`) has come; `today` is an ISO day.
    """
    found: list[Broken] = []
    for path, item in old["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            where = f"{method.upper()} {path}"
            now = _operation(new, path, method)
            if now is not None:
                found += _Operation(where, item[method], old, now, new).broken()
            elif item[method].get("x-sunset", "9999") > today:
                found.append(Broken(where, "the operation is gone", KEEP))
    return found


def broken_events(old: Document, new: Document) -> list[Broken]:
    """The promises of an AsyncAPI document that the newer one breaks: topics, events, and what they carry."""
    found = []
    for name, channel in old["channels"].items():
        if name not in new["channels"]:
            found.append(Broken(f"topic {name}", "the topic is gone", NEW_EVENT))
            continue
        now = new["channels"][name]
        if channel["bindings"]["kafka"]["partitions"] != now["bindings"]["kafka"]["partitions"]:
            found.append(Broken(f"topic {name}", "other partitions: order by key is lost", "keep their number"))
        found += [
            Broken(f"topic {name}", f"{event} is not on it any more", NEW_EVENT)
            for event in channel["messages"].keys() - now["messages"].keys()
        ]
    for name, message in old["components"]["messages"].items():
        now = new["components"]["messages"].get(name)
        if now is None:
            found.append(Broken(f"event {name}", "the event is gone", NEW_EVENT))
            continue
        for part in ("headers", "payload"):
            kept = _given(message[part], old, now[part], new)
            found += [Broken(f"event {name}, {part}{at}", what, NEW_EVENT) for at, what in kept]
    return found


def _operation(document: Document, path: str, method: str) -> Mapping[str, Any] | None:
    """The operation at an address, whatever its placeholders are called."""
    shape = _shape(path)
    found = (item[method] for other, item in document["paths"].items() if _shape(other) == shape and method in item)
    return next(found, None)


def _shape(path: str) -> str:
    return "/".join("{}" if step.startswith("{") else step for step in path.split("/"))


def _given(old: Schema, old_in: Document, new: Schema, new_in: Document) -> Iterator[tuple[str, str]]:
    """What readers of the old schema may meet in values of the new one that they were not told of."""
    seen = set()
    for at, what in lost(new, new_in, old, old_in, closed=False):
        seen.add(at)
        yield at, what
    gone = set(fields(old, old_in)) - set(fields(new, new_in)) - seen
    yield from ((at, "is gone") for at in sorted(gone) if not any(at.startswith(f"{one}/") for one in gone | seen))


class _Operation:
    """One operation in both documents."""

    def __init__(self, where: str, old: Schema, old_in: Document, new: Schema, new_in: Document) -> None:
        self.where, self.old, self.old_in, self.new, self.new_in = where, old, old_in, new, new_in

    def broken(self) -> Iterator[Broken]:
        if self.old["operationId"] != self.new["operationId"]:
            told = f"it is called {self.new['operationId']} and was called {self.old['operationId']}"
            yield Broken(self.where, told, "call it as before: clients made from the document do")
        yield from self._scopes()
        yield from self._parameters()
        yield from self._body()
        yield from self._answers()

    def _scopes(self) -> Iterator[Broken]:
        old, new = (
            {scope for way in one.get("security", ()) for scopes in way.values() for scope in scopes}
            for one in (self.old, self.new)
        )
        if new - old:
            needs = f"it needs the scope {', '.join(sorted(new - old))}"
            yield Broken(self.where, needs, "ask for the scope it needed: clients hold no other")

    def _parameters(self) -> Iterator[Broken]:
        old, new = ({(p["in"], p["name"]): p for p in one.get("parameters", ())} for one in (self.old, self.new))
        for key, parameter in new.items():
            asked = parameter.get("required", False) and key[0] != "path"
            if asked and not old.get(key, {}).get("required", False):
                yield Broken(f"{self.where}, {key[0]} parameter {key[1]}", "it has become required", OPTIONAL)
        for key in old:
            where = f"{self.where}, {key[0]} parameter {key[1]}"
            if key in new:
                missed = lost(old[key].get("schema", {}), self.old_in, new[key].get("schema", {}), self.new_in)
                yield from (Broken(f"{where}{at}", what, WIDER) for at, what in missed)
            elif key[0] != "path":
                yield Broken(where, "the parameter is gone", KEEP)

    def _body(self) -> Iterator[Broken]:
        old, new = self.old.get("requestBody"), self.new.get("requestBody")
        where = f"{self.where}, body"
        if new is not None and new.get("required") and not (old or {}).get("required"):
            yield Broken(where, "it has become required", OPTIONAL)
        for kind, told in (old or {}).get("content", {}).items():
            now = (new or {}).get("content", {}).get(kind)
            if now is None:
                yield Broken(where, f"{kind} is not taken any more", KEEP)
                continue
            schemas = told.get("schema", {}), now.get("schema", {})
            missed = lost(schemas[0], self.old_in, schemas[1], self.new_in)
            yield from (Broken(f"{where}{at}", what, WIDER) for at, what in missed)
            gone = (
                set(fields(schemas[0], self.old_in)) - set(fields(schemas[1], self.new_in)) - {at for at, _ in missed}
            )
            yield from (Broken(f"{where}{at}", "the field is gone", KEEP) for at in sorted(gone))

    def _answers(self) -> Iterator[Broken]:
        for status, answer in self.old["responses"].items():
            if not status.startswith("2"):
                continue
            where = f"{self.where}, answer {status}"
            now = self.new["responses"].get(status)
            if now is None:
                yield Broken(where, "it is not given any more", PROMISED)
                continue
            for kind, told in answer.get("content", {}).items():
                if kind not in now.get("content", {}):
                    yield Broken(where, f"{kind} is not given any more", PROMISED)
                    continue
                schemas = told.get("schema", {}), now["content"][kind].get("schema", {})
                given = _given(schemas[0], self.old_in, schemas[1], self.new_in)
                yield from (Broken(f"{where}{at}", what, PROMISED) for at, what in given)
