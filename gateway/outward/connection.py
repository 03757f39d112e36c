"""Connections to addresses that were looked up and checked before, with one end for all that is done over them."""

import ssl
import time
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import httpcore

from gateway.outward.addresses import Target


def authority(one: Target) -> str:
    """The `Host` header of a request to it."""
    host = f"[{one.host}]" if ":" in one.host else one.host
    usual = one.port == (443 if one.url.lower().startswith("https:") else 80)
    return host if usual else f"{host}:{one.port}"


@cache
def tls() -> ssl.SSLContext:
    """Certificates are checked against the authorities that this machine trusts."""
    return ssl.create_default_context()


class Pinned(httpcore.NetworkBackend):
    """Connects to the addresses it was given, whatever name it is asked for, until `ends` (monotonic seconds)."""

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
