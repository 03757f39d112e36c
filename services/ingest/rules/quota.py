"""How many rows a client may have dealt with in a minute, and when it may send again."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)


def seconds_to_wait(sent: Iterable[tuple[datetime, int]], *, quota: int, now: datetime) -> int:
    """Whole seconds until a client may send again; 0 where it may now.

    `sent` are the instants and rows of what it sent before. It may send while it has used less than its quota in the
    last minute, so that one file larger than the quota is still taken.
    """
    recent = sorted((at, rows) for at, rows in sent if at > now - WINDOW)
    used, ready = sum(rows for _, rows in recent), now
    for at, rows in recent:
        if used < quota:
            break
        used, ready = used - rows, at + WINDOW
    return math.ceil((ready - now).total_seconds())
