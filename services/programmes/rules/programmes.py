"""Is a programme whole: do its drivers serve its aims, and its change ideas its drivers?"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from services.programmes.rules.conditions import Problem

KINDS = ("programme", "theme")
STATUSES = ("active", "closed")
NEEDED = ("id", "version", "kind", "name", "status", "owner", "source", "aim", "setting")
IDEAS = ("idea", "bundle", "tool")
STAGES = ("aware", "engaged", "testing", "implementing", "embedded")
"""How far an organisation has come with a programme or a change idea, in this order."""


def problems(programme: Mapping[str, Any], measures: Collection[str]) -> list[Problem]:
    """Everything wrong with a programme as (JSON Pointer, message); `measures` are the ids of those that exist.

    A programme has `aim`, `setting`, `driver` (primary, each with `secondary`) and `change_idea` lists; each entry has
    a `source` and says whether it is `unverified`.
    """
    found = [(f"/{name}", "is needed") for name in NEEDED if not programme.get(name)]
    for name, allowed in (("kind", KINDS), ("status", STATUSES)):
        if programme.get(name) and programme[name] not in allowed:
            found.append((f"/{name}", f"{programme[name]!r} is not one of {', '.join(allowed)}"))
    found += _days(programme, "")
    drivers = programme.get("driver", ())
    aims = _ids(programme.get("aim", ()))
    found += _entries(programme, "aim", ("id", "text"), {})
    found += _entries(programme, "setting", ("name",), {})
    found += _entries(programme, "driver", ("id", "name"), {"aims": aims, "measures": measures})
    for number, driver in enumerate(drivers):
        nested = {"secondary": driver.get("secondary", ())}
        found += [
            (f"/driver/{number}{pointer}", message)
            for pointer, message in _entries(nested, "secondary", ("id", "name"), {"measures": measures})
        ]
    found += _entries(
        programme, "change_idea", ("id", "name", "kind"), {"drivers": _ids(drivers), "measures": measures}
    )
    found += [
        (f"/change_idea/{number}/kind", f"{idea['kind']!r} is not one of {', '.join(IDEAS)}")
        for number, idea in enumerate(programme.get("change_idea", ()))
        if idea.get("kind") and idea["kind"] not in IDEAS
    ]
    return found


def _ids(entries: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(entry.get("id")) for entry in entries}


def _entries(
    whole: Mapping[str, Any], name: str, needed: Sequence[str], refers: Mapping[str, Collection[str]]
) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, entry in enumerate(whole.get(name, ())):
        pointer = f"/{name}/{number}"
        for key in (*needed, "source"):
            if not entry.get(key):
                yield f"{pointer}/{key}", "is needed"
        if not isinstance(entry.get("unverified"), bool):
            yield f"{pointer}/unverified", "say true or false"
        if entry.get("id") in seen:
            yield f"{pointer}/id", f"{entry['id']!r} is already the id of another {name}"
        seen.add(entry.get("id") or f"#{number}")
        yield from _days(entry, pointer)
        for key, known in refers.items():
            yield from (
                (f"{pointer}/{key}/{place}", f"{one!r} does not exist")
                for place, one in enumerate(entry.get(key, ()))
                if one not in known
            )


def _days(entry: Mapping[str, Any], pointer: str) -> Iterator[Problem]:
    days = {}
    for key in ("valid_from", "valid_to", "by"):
        if entry.get(key) is not None:
            try:
                days[key] = date.fromisoformat(str(entry[key]))
            except ValueError:
                yield f"{pointer}/{key}", "write a day such as 2026-10-05"
    if "valid_from" in days and "valid_to" in days and days["valid_to"] < days["valid_from"]:
        yield f"{pointer}/valid_to", "ends before it begins"
