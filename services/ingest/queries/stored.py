"""Where published rows are kept: the outbox names the place of a large part and does not hold its bytes once more.

A part is written in the transaction of its message, never changed and never deleted, so it is there when it is sent.
"""

from typing import Final, LiteralString

from services.ingest.rules.rows import JSON
from shared.contracts.ingest import ReturnPublished

ROWS_AT: Final[LiteralString] = (
    "(select rows from return_part where version_id = split_part(stored, '/', 1)"
    " and part = split_part(stored, '/', 2)::int)"
)
"""The rows at a place, as SQL: what the relay of ingest is given."""


def place_of_rows(event: ReturnPublished) -> str | None:
    """Where the rows of an event are kept; None for the few of a JSON document, which are quicker carried."""
    return None if event.content_type == JSON else f"{event.version_id}/{event.part}"
