"""One call of a webhook: to the addresses that were checked and no others, within ten seconds, whatever it answers.

No redirect is followed, no proxy asked, no cookie kept, and of the answer only the status is read.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

import httpcore

from gateway.outward.addresses import Resolve, Target, callable_addresses
from gateway.outward.connection import Pinned, authority, tls

SECONDS = 10.0
GONE = 410


class Outcome(NamedTuple):
    """What became of a call: the status answered, or None; why it failed, or None."""

    status: int | None
    reason: str | None

    @property
    def delivered(self) -> bool:
        """Whether it was taken."""
        return self.reason is None


def call(
    one: Target, headers: Mapping[str, str], body: bytes, *, resolve: Resolve, sandbox: bool, seconds: float = SECONDS
) -> Outcome:
    """POST the body; what goes wrong on the way is the outcome. Raises NotCallable."""
    addresses = callable_addresses(one, resolve=resolve, sandbox=sandbox)
    try:
        status = _post(one, headers, body, Pinned(addresses, time.monotonic() + seconds))
    except httpcore.TimeoutException:
        return Outcome(None, f"no answer within {seconds:g} seconds")
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        return Outcome(None, _REASONS.get(type(error), "the connection was broken off"))
    if 200 <= status < 300:
        return Outcome(status, None)
    return Outcome(status, "redirects are not followed" if 300 <= status < 400 else f"answered {status}")


_REASONS: Mapping[type[Exception], str] = {
    httpcore.ConnectError: "no connection: refused, or the certificate is not good",
    httpcore.RemoteProtocolError: "the answer was not HTTP",
}


def _post(one: Target, headers: Mapping[str, str], body: bytes, backend: Pinned) -> int:
    with httpcore.ConnectionPool(ssl_context=tls(), max_connections=1, network_backend=backend) as pool:
        fixed = {"host": authority(one), "content-length": str(len(body)), "connection": "close"}
        with pool.stream("POST", one.url, headers=list({**headers, **fixed}.items()), content=body) as response:
            return int(response.status)
