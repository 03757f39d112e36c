"""The audit: every token, refusal, write, export and exact read, with who, when and from where.

What changes the gateway's own database is recorded in the same transaction (`record`). What passes through to a service
is recorded beside the requests by `AuditLog`, in batches, because the door must not wait for a disk.
"""

import asyncio
from collections import deque
from typing import Any

import structlog
from sqlalchemy.orm import Session

from gateway.access.models import AuditEntry
from shared.db import Database, copy_rows, now
from shared.telemetry import trail

BATCH = 1000
_COLUMNS = {
    "at": "timestamptz", "event": "text", "client_id": "text", "request_id": "text", "address": "text",
    "method": "text", "route": "text", "status": "int4", "detail": "jsonb",
}  # fmt: skip
log = structlog.get_logger()


def record(
    session: Session, event: str, *, client_id: str | None, address: str | None = None, status: int | None = None,
    **detail: Any,
) -> None:  # fmt: skip
    """Write down that something happened, in the transaction in which it happens."""
    following = trail()
    entry = AuditEntry(
        at=now(), event=event, client_id=client_id, address=address, status=status, detail=detail,
        request_id=following.request_id if following else None,
    )  # fmt: skip
    session.add(entry)


class AuditLog:
    """Entries that wait, a tenth of a second or so, to be written together.

    When more than `most` wait - the database is away, or somebody floods the door - further ones are counted and the
    count is written: `audit.overflowed`.
    """

    def __init__(self, database: Database, *, most: int = 20_000) -> None:
        self._database, self._most = database, most
        self._waiting: deque[dict[str, Any]] = deque()
        self._lost = 0

    def note(
        self,
        event: str,
        *,
        client_id: str | None,
        address: str | None,
        method: str,
        route: str,
        status: int,
        **detail: str,
    ) -> None:
        """Have this written soon. Never waits."""
        if len(self._waiting) >= self._most:
            self._lost += 1
            return
        following = trail()
        self._waiting.append(
            {
                "at": now(),
                "event": event,
                "client_id": client_id,
                "request_id": following.request_id if following else None,
                "address": address,
                "method": method,
                "route": route,
                "status": status,
                "detail": detail,
            }
        )

    def write(self) -> None:
        """Write what waits. What cannot be written now keeps its place."""
        while self._waiting or self._lost:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            lost, self._lost = self._lost, 0
            rows = [*batch, _overflow(lost)] if lost else batch
            try:
                with self._database.session() as session:
                    copy_rows(session, "audit", _COLUMNS, ([one[name] for name in _COLUMNS] for one in rows))
            except Exception:
                self._waiting.extendleft(reversed(batch))
                self._lost += lost
                raise

    async def try_to_write(self) -> None:
        """Write what waits, if that can be done now."""
        if not self._waiting and not self._lost:
            return
        try:
            await asyncio.to_thread(self.write)
        except Exception as error:
            log.warning("the audit cannot be written", error=type(error).__name__, waiting=len(self._waiting))


def _overflow(lost: int) -> dict[str, Any]:
    nothing = dict.fromkeys(("client_id", "request_id", "address", "method", "route", "status"))
    return {"at": now(), "event": "audit.overflowed", **nothing, "detail": {"not_recorded": lost}}
