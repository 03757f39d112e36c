"""Whether a receipt says what it said when it was given, and whether any receipt of its client is gone or changed."""

from typing import Any

import orjson
import zstandard
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ingest.models import ReceiptEntry, Submission
from services.ingest.queries.receipts import digest, said

_AT_ONCE = 500


def verification(session: Session, one: Submission) -> dict[str, Any]:
    """The links of a submission's receipt, checked, and the whole chain of its client they belong to.

    `intact` is false when what the receipt says now is not what its last link says, or when any link of the client's
    chain was changed, added or taken out; `broken_at` names the first such link.
    """
    links: list[dict[str, Any]] = []
    number, previous, broken = 0, None, None
    entries = select(ReceiptEntry).where(ReceiptEntry.client_id == one.client_id).order_by(ReceiptEntry.number)
    for entry in session.execute(entries.execution_options(yield_per=_AT_ONCE)).scalars():
        number += 1
        if broken is None and not _holds(entry, number, previous):
            broken = entry.number
        previous = entry.sha256
        if entry.submission_id == one.id:
            links.append(_link(entry))
    now = said(one)
    stands = bool(links) and links[-1]["sha256"] == digest(now) == one.receipt_sha256
    return {
        "submission": one.id,
        "receipt_sha256": one.receipt_sha256,
        "computed_sha256": digest(now),
        "intact": stands and broken is None,
        "receipt_intact": stands,
        "chain": {"client": one.client_id, "links": number, "intact": broken is None, "broken_at": broken},
        "links": links,
        "as_of": one.linked_at,
        "data_version": one.link,
    }


def _holds(entry: ReceiptEntry, number: int, previous: str | None) -> bool:
    """Whether a link is the next one, tied to the one before, and still says what its digest is of."""
    if entry.number != number or entry.previous_sha256 != previous:
        return False
    try:
        content = zstandard.ZstdDecompressor().decompress(entry.said)
    except zstandard.ZstdError:
        return False
    if digest(content) != entry.sha256:
        return False
    told = orjson.loads(content)
    return bool(told["previous_receipt_sha256"] == previous and told["id"] == entry.submission_id)


def _link(entry: ReceiptEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "event": entry.event,
        "written_at": entry.written_at,
        "previous_sha256": entry.previous_sha256,
        "sha256": entry.sha256,
    }
