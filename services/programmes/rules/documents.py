"""Programmes as they are shown and sent: lists named in the plural, as the public contract has them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PLURALS: Mapping[str, str] = {
    "aim": "aims",
    "setting": "settings",
    "driver": "drivers",
    "change_idea": "change_ideas",
    "principle": "principles",
}
"""The lists of a programme: their name in a catalogue file (an entry at a time) and in the contract."""

DERIVED = ("measures", "targets")
"""What a programme is shown with but is not said in it: each measure and target names its programme."""


def programme_document(written: Mapping[str, Any], sets: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A programme as it is stored and shown, from how a catalogue file writes it.

    `sets` are the sets of national programmes; each that it belongs to is shown with its dates.
    """
    lists = {plural: list(written.get(name, ())) for name, plural in PLURALS.items()}
    rest = {key: value for key, value in written.items() if key not in PLURALS and key not in DERIVED}
    belongs = [
        {key: one[key] for key in ("id", "name", "valid_from", "valid_to") if key in one}
        for one in sets
        if one["id"] in written.get("sets", ())
    ]
    return rest | lists | {"sets": belongs}


def as_written(document: Mapping[str, Any]) -> dict[str, Any]:
    """The programme as a catalogue file would write it, for `programmes.problems`."""
    singular = {plural: name for name, plural in PLURALS.items()}
    return {singular.get(key, key): value for key, value in document.items()}


def pointer_as_sent(pointer: str) -> str:
    """Where a fault found in the written form lies in the document that was sent."""
    _, first, *rest = pointer.split("/") if pointer else ("", "")
    return "/" + "/".join([PLURALS.get(first, first), *rest])


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where two versions of a document differ, but for their number: each place with what it said, and says now.

    A place is a JSON Pointer to the smallest part that differs; what one of them lacks is null.
    """
    return [
        {"pointer": pointer, "before": was, "after": now}
        for pointer, was, now in _differences(before, after, "")
        if pointer != "/version"
    ]


def _differences(before: Any, after: Any, pointer: str) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            yield from _differences(before.get(name), after.get(name), f"{pointer}/{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (was, now) in enumerate(zip(before, after, strict=True)):
            yield from _differences(was, now, f"{pointer}/{number}")
    else:
        yield pointer, before, after
