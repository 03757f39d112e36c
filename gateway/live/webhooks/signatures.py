"""Signatures as in Standard Webhooks 1.0: HMAC-SHA256 over id, timestamp and body, with a secret of each webhook.

No secret is stored. Each follows from the installation's key and the webhook's id and number: a copy of the database
signs nothing, and the key alone is what must be kept and can be changed.
"""

import base64
import hmac
from collections.abc import Iterable
from hashlib import sha256

PREFIX = "whsec_"


class Signatures:
    """Makes secrets, and what they sign. `key` is the installation's, as text."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def secret(self, webhook_id: str, number: int) -> str:
        """The webhook's secret of that number, as its owner is shown it."""
        return PREFIX + base64.b64encode(self._raw(webhook_id, number)).decode()

    def headers(
        self, webhook_id: str, numbers: Iterable[int], *, event_id: str, at: int, body: bytes
    ) -> dict[str, str]:
        """The headers of one delivery, signed with each of the secrets that are good. `at` is in Unix seconds."""
        signed = b"%b.%d.%b" % (event_id.encode(), at, body)
        signatures = (hmac.digest(self._raw(webhook_id, number), signed, sha256) for number in numbers)
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(at),
            "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in signatures),
        }

    def _raw(self, webhook_id: str, number: int) -> bytes:
        return hmac.digest(self._key, f"webhook {webhook_id} {number}".encode(), sha256)
