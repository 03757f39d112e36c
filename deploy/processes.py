"""Programs that we start: each in its own session, with a bare environment."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Account:
    """A user of this machine; `None` in its place always means "whoever we are"."""

    uid: int
    gid: int


def start_program(
    command: list[str],
    *,
    folder: Path,
    account: Account | None = None,
    stdin: int = subprocess.DEVNULL,
    output: IO[bytes] | int,
) -> subprocess.Popen[bytes]:
    """Start `command` in `folder` as `account`, in its own session and a bare environment (no PGPORT of ours)."""
    return subprocess.Popen(  # noqa: S603 - the command is ours
        command,
        cwd=folder,  # entered while we are still ourselves
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else [],
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        stdin=stdin,
        stdout=output,
        stderr=output if output != subprocess.PIPE else subprocess.STDOUT,
        start_new_session=True,
        umask=0o077,
    )


def start_detached(command: list[str], *, folder: Path, log: Path) -> int:
    """Start `command` in `folder` as nobody's child, so that it may outlive us; its output goes to `log`.

    Returns the process id. The shell in between ends at once, and the orphan is left to the system.
    """
    between = ["/bin/sh", "-c", 'log=$1; shift; "$@" >"$log" 2>&1 & echo $!', "start", str(log), *command]
    said, _ = start_program(between, folder=folder, output=subprocess.PIPE).communicate()
    return int(said)
