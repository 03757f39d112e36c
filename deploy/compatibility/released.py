"""The contracts of released versions, one folder each; what this version does not keep of the last one's promises.

What was decided to be broken all the same stands in `accepted.toml` there, with the reason; a release empties it.
"""

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deploy import contracts, openapi
from deploy.compatibility.promises import Broken, broken_events, broken_http

FOLDER = Path(__file__).parents[2] / "contracts"
ACCEPTED = "accepted.toml"
NOTHING_ACCEPTED = """\
# Promises of the last release that are broken on purpose, as `make check` names their places. A release empties this.
#
# [[broken]]
# where = "GET /v1/example, answer 200/field"
# why = "..."
"""


def newest(folder: Path) -> Path | None:
    """The folder of the last release's contracts; None before the first."""
    found = [one for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []
    return max(found, key=lambda one: tuple(map(int, one.name.split("."))), default=None)


def accepted(folder: Path) -> set[str]:
    """The places where a promise is broken on purpose."""
    file = folder / ACCEPTED
    told = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    without = [one["where"] for one in told.get("broken", ()) if not one.get("why")]
    if without:
        raise SystemExit(f"{file.name}: say why for {', '.join(without)}")
    return {one["where"] for one in told.get("broken", ())}


def unkept(folder: Path, *, http: dict[str, Any], events: dict[str, Any], today: str) -> list[Broken]:
    """The promises of the last release in the folder that these contracts do not keep and nobody accepted."""
    release = newest(folder)
    if release is None:
        return []
    found = broken_http(read(release / "openapi.json"), http, today=today)
    found += broken_events(read(release / "asyncapi.json"), events)
    agreed = accepted(folder)
    return [one for one in found if one.where not in agreed]


def release(folder: Path, version: str) -> Path:
    """Keep the contracts as those of a release, for all time. Raises SystemExit where it has been released."""
    into = folder / version
    if into.exists():
        raise SystemExit(f"{version} has been released: give pyproject.toml the next version")
    into.mkdir(parents=True)
    for file in (openapi.FILE, contracts.FILE):
        (into / file.name).write_text(json.dumps(read(file), separators=(",", ":"), ensure_ascii=False) + "\n")
    (folder / ACCEPTED).write_text(NOTHING_ACCEPTED, encoding="utf-8")
    return into


def report(found: Iterable[Broken], against: str) -> str:
    """What to print."""
    lines = [f"promises of {against} that are not kept:", *(f"\n{one}" for one in found)]
    return "\n".join([*lines, f"\nIf it must be, add `where` and `why` under [[broken]] to contracts/{ACCEPTED}."])


def read(file: Path) -> dict[str, Any]:
    """A contract."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
