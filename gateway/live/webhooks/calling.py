"""One call of a webhook: to the addresses that were checked and no others, within ten seconds, whatever it answers.

No redirect is followed, no proxy asked, no cookie kept, and of the answer only the status is read.
"""

import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import httpcore

from gateway.live.webhooks.addresses import Resolve, Target, callable_addresses

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
        status = _post(one, headers, body, _Pinned(addresses, time.monotonic() + seconds))
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


def _post(one: Target, headers: Mapping[str, str], body: bytes, backend: "_Pinned") -> int:
    with httpcore.ConnectionPool(ssl_context=_tls(), max_connections=1, network_backend=backend) as pool:
        fixed = {"host": _authority(one), "content-length": str(len(body)), "connection": "close"}
        with pool.stream("POST", one.url, headers=list({**headers, **fixed}.items()), content=body) as response:
            return int(response.status)


def _authority(one: Target) -> str:
    host = f"[{one.host}]" if ":" in one.host else one.host
    usual = one.port == (443 if one.url.lower().startswith("https:") else 80)
    return host if usual else f"{host}:{one.port}"


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses it was given, whatever name it is asked for."""

    def __init__(self, addresses: Sequence[str], ends: float) -> None:
        self._addresses, self._ends = addresses, ends
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = self._addresses
        for address in others:
            try:
                return self._connect(address, port)
            except httpcore.ConnectError:
                continue
        return self._connect(last, port)

    def _connect(self, address: str, port: int) -> httpcore.NetworkStream:
        return _Hurried(self._sockets.connect_tcp(address, port, timeout=_left(self._ends)), self._ends)


class _Hurried(httpcore.NetworkStream):
    """A connection with one end for everything: one that drips a byte now and then is not waited for."""

    def __init__(self, stream: httpcore.NetworkStream, ends: float) -> None:
        self._stream, self._ends = stream, ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout=_left(self._ends))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=_left(self._ends))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname=server_hostname, timeout=_left(self._ends))
        return _Hurried(secured, self._ends)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
