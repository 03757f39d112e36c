"""`psip organisations load`: what a published file would change, said first; then, if wanted, the change."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.running import running_database
from services.programmes.commands import Difference, load_organisations
from services.programmes.problems import InvalidOrganisation
from services.programmes.rules.organisation_files import UnreadableFile, read_file
from shared.db import now


def load(file: Path, data_dir: Path, *, on: date, kind: str | None, apply: bool) -> Difference:
    """The difference a file would make, or made. Raises SystemExit with the rows that are wrong, and the remedy."""
    try:
        content = read_file(file.name, file.read_bytes(), kind=kind)
        with running_database("programmes", data_dir).session() as session:
            return load_organisations(session, content, on=on, now=now(), apply=apply)
    except OSError as reason:
        raise SystemExit(f"{file} cannot be read: {reason.strerror}") from None
    except UnreadableFile as reason:
        raise SystemExit(str(reason)) from None
    except InvalidOrganisation as reason:
        raise SystemExit("\n".join(error["message"] for error in reason.errors)) from None


def tell(one: Difference, out: Console, *, applied: bool, most: int) -> None:
    """Say what the file adds, changes and closes, what is kept against it, and what it says that has no place."""
    out.print(f"{one.file}: {one.layout}, sha256 {one.sha256[:12]}", highlight=False)
    _list(out, "added", [f"{new.code} {new.name} ({new.kind})" for new in one.added], most)
    _list(out, "closed", [f"{gone.code} {gone.name}: on {gone.after}" for gone in one.closed], most)
    changed = [new for new in one.changed if new not in one.closed]
    lines = [f"{new.code} {new.name}: {new.facet} {_short(new.before)} -> {_short(new.after)}" for new in changed]
    _list(out, "changed", lines, most)
    kept = [
        f"{mine.code} {mine.name}: {mine.facet} stays {_short(mine.ours)}, not {_short(mine.theirs)}: {mine.reason}"
        for mine in one.kept
    ]
    _list(out, "kept by hand", kept, most)
    _list(out, "left out", [f"{count:,} times: {why}" for why, count in one.left_out.items()], most)
    out.print(f"unchanged: {one.unchanged:,}", highlight=False)
    if one.empty:
        out.print("there is nothing to write")
    else:
        out.print("written" if applied else "nothing was written: say --apply to write it")


def _list(out: Console, title: str, lines: Sequence[str], most: int) -> None:
    out.print(f"{title}: {len(lines):,}", highlight=False)
    for line in lines[:most]:
        out.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if len(lines) > most:
        out.print(f"  ... and {len(lines) - most:,} more", highlight=False)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_short(part) for part in value) or "nothing"
    if isinstance(value, tuple):
        return " ".join(str(part) for part in value if part)
    return "nothing" if value in (None, "", {}) else str(value)
