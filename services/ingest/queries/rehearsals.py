"""The one question that ingest asks another service: what would these returns change? Only a dry run asks it.

The answer is worth waiting a little for and not more: a dry run without it is still a check of every row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import msgspec
import structlog

from services.ingest.settings import IngestSettings
from shared.contracts.ingest import ReturnPublished
from shared.principal import HEADER

SECONDS = 10.0
MOST_RETURNS = 500
MOST_BYTES = 16_000_000
TOO_MANY = f"Signals and targets are worked out for {MOST_RETURNS} returns at most: try a part of the file."
NOT_NOW = "Signals and targets could not be worked out just now: the cells are those that might change."
NOTHING: Mapping[str, Any] = {"signals": [], "targets": [], "notices": []}
log = structlog.get_logger()


class Rehearsals:
    """Asks measures, at the address that the settings name."""

    def __init__(self, settings: IngestSettings) -> None:
        self._client = httpx.Client(base_url=settings.measures_url, timeout=SECONDS) if settings.measures_url else None

    def ask(self, returns: Sequence[ReturnPublished], principal: str) -> Mapping[str, Any]:
        """The `cells`, `signals` and `targets` that would change, or `notices` that say why this is not told.

        `principal` is the signed one of the caller: what is shown is what they may see.
        """
        if not returns:
            return NOTHING
        if self._client is None:
            return {**NOTHING, "notices": [NOT_NOW]}
        if len(returns) > MOST_RETURNS or sum(len(one.rows) for one in returns) > MOST_BYTES:
            return {**NOTHING, "notices": [TOO_MANY]}
        headers = {HEADER: principal, "Content-Type": "application/msgpack"}
        try:
            answer = self._client.post("/internal/rehearsals", content=msgspec.msgpack.encode(returns), headers=headers)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("measures was not reached", why=type(error).__name__)
            return {**NOTHING, "notices": [NOT_NOW]}
        return {**NOTHING, **answer.json()}

    def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            self._client.close()
