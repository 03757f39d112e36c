"""Filling the demonstration: sends its data and checks what it should show, as a program of its own.

The platform serves from another process, so neither waits for the other's interpreter, and what making the data takes
of memory is given back when this ends.

`python -m deploy.demo.fill HANDLE [--empty]`, where HANDLE is the `demo.json` of a demonstration that is serving.
"""

import json
import signal
import sys
from pathlib import Path

from rich.console import Console

from deploy.demo import checks, load
from psip import Client
from shared.db import now


def main(handle: Path, *, empty: bool) -> int:
    """Send the data and check what it should show; 0 when all of it holds. Empty means only the invented homes."""
    out, serving = Console(), json.loads(handle.read_text())

    def client_for(role: str) -> Client:
        secret = serving["clients"][role]
        return Client(serving["base_url"], secret["client_id"], secret["client_secret"])

    if empty:
        with client_for("national") as national:
            load.register_homes(national)
        return 0
    until = now().date()
    with load.bar(out) as progress:
        sent = load.load(client_for, until, progress)
    wrong = [one for one in sent if not one.as_planned]
    for one in wrong:
        out.print(f"[bold]not as planned[/]: {one.name}: {one.receipt.status} {one.receipt.rows}")
    with client_for("national") as national:
        held = checks.check(national, until)
    for said, holds in held:
        out.print(f"{'holds' if holds else '[bold]DOES NOT HOLD[/]'}  {said}")
    return int(bool(wrong) or not all(holds for _, holds in held))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the platform is interrupted with us, and says so
    sys.exit(main(Path(sys.argv[1]), empty="--empty" in sys.argv[2:]))
