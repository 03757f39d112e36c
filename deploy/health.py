"""Whether a process is well, as an exit status: `python -m deploy.health ready HOST:PORT` or `... alive`.

The standard library alone, since every container asks every few seconds.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

TIMEOUT_SECONDS = 8
STALE_SECONDS = 30.0


def ready(address: str) -> None:
    """Return if the app at host:port is ready. Raises SystemExit that says what is not, OSError without an answer."""
    with closing(HTTPConnection(address, timeout=TIMEOUT_SECONDS)) as connection:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(answer.read().decode())


def alive() -> None:
    """Return if a worker touched PSIP_HEARTBEAT a moment ago. Raises SystemExit that says how long ago it was."""
    file = Path(os.environ["PSIP_HEARTBEAT"])
    age = time.time() - file.stat().st_mtime if file.exists() else float("inf")
    if age > STALE_SECONDS:
        raise SystemExit(f"no progress for {age:.0f} s")


CHECKS: dict[str, Callable[..., None]] = {"ready": ready, "alive": alive}

if __name__ == "__main__":
    CHECKS[sys.argv[1]](*sys.argv[2:])
