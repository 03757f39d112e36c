"""Keys that their owner publishes at an address and changes when it likes.

They are fetched when first needed and then every ten minutes. A token that names a key we do not have makes us look
again, at most twice a minute whatever arrives. While the address does not answer, the keys we have are good for an
hour.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog

from gateway.access.jose import Keys, UnusableKeys
from gateway.outward.documents import NotFetched

FRESH_SECONDS = 600.0
GOOD_SECONDS = 3600.0
PAUSE_SECONDS = 30.0
MOST_KEYS = 50
log = structlog.get_logger()

Fetch = Callable[[], Mapping[str, Any]]


class KeysUnavailable(Exception):
    """There are no keys, and they cannot be fetched just now."""


class RemoteKeys:
    """The keys at one address, kept. `fetch` gives the JWKS; it may take seconds, and raises NotFetched.

    Of a set only the keys that could verify something are taken: providers publish keys for encryption beside them.
    """

    def __init__(
        self, fetch: Fetch, algorithms: Collection[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch, self._algorithms, self._clock = fetch, frozenset(algorithms), clock
        self._fetching = threading.Lock()
        self._keys: Keys | None = None
        self._fetched_at = self._tried_at = float("-inf")

    def due(self, token: str) -> bool:
        """Whether the keys should be fetched before this token is verified, and may be."""
        age = self._clock() - self._fetched_at
        wanted = age >= FRESH_SECONDS or self._keys is None or not self._keys.may_verify(token)
        return wanted and self._clock() - self._tried_at >= PAUSE_SECONDS

    def prepare(self, token: str) -> None:
        """Fetch the keys if that is due. Those who come meanwhile wait, and find that it has been done."""
        with self._fetching:
            if not self.due(token):
                return
            self._tried_at = self._clock()
            try:
                self._keys = usable(self._fetch().get("keys"), self._algorithms)
                self._fetched_at = self._clock()
            except (NotFetched, UnusableKeys) as error:
                log.warning("keys cannot be fetched", why=str(error))

    def verify(self, token: str) -> tuple[dict[str, Any], bytes]:
        """The header and payload of a token, with the keys there are. Raises NotVerified or KeysUnavailable."""
        keys = self._keys
        if keys is None or self._clock() - self._fetched_at >= GOOD_SECONDS:
            raise KeysUnavailable
        return keys.verify(token)


def usable(jwks: Any, algorithms: frozenset[str]) -> Keys:
    """The keys of a published set that could verify something. Raises UnusableKeys where there are none."""
    if not isinstance(jwks, Sequence) or isinstance(jwks, str) or len(jwks) > MOST_KEYS:
        raise UnusableKeys(f"there must be `keys`, a list of at most {MOST_KEYS}")
    return Keys([one for one in jwks if _is_usable(one, algorithms)], algorithms)


def _is_usable(jwk: Any, algorithms: frozenset[str]) -> bool:
    try:
        Keys([jwk], algorithms)
    except UnusableKeys:
        return False
    return True
