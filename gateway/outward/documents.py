"""A JSON document fetched from outside: no redirect, no proxy, no cookie; soon or not at all, small or not at all."""

import time
from typing import Any

import httpcore
import orjson

from gateway.outward.addresses import NotCallable, Resolve, callable_addresses, target
from gateway.outward.connection import Pinned, authority, tls

SECONDS = 5.0
LARGEST = 256 * 1024
OK = 200


class NotFetched(Exception):
    """The document could not be had, and why."""


def fetch(
    url: str, *, resolve: Resolve, sandbox: bool, seconds: float = SECONDS, largest: int = LARGEST
) -> dict[str, Any]:
    """The JSON object at `url`, within so many seconds and of at most `largest` bytes. Raises NotFetched.

    https and public addresses only; in a sandbox http and addresses of this machine too.
    """
    try:
        one = target(url, sandbox=sandbox)
        addresses = callable_addresses(one, resolve=resolve, sandbox=sandbox)
        headers = {"host": authority(one), "accept": "application/json", "connection": "close"}
        backend = Pinned(addresses, time.monotonic() + seconds)
        with (
            httpcore.ConnectionPool(ssl_context=tls(), max_connections=1, network_backend=backend) as pool,
            pool.stream("GET", one.url, headers=list(headers.items())) as response,
        ):
            return _document(response, largest)
    except NotCallable as error:
        raise NotFetched(str(error)) from error
    except httpcore.TimeoutException as error:
        raise NotFetched(f"no answer within {seconds:g} seconds") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        raise NotFetched("no connection, or it was broken off") from error


def _document(response: httpcore.Response, largest: int) -> dict[str, Any]:
    if response.status != OK:
        raise NotFetched(f"answered {response.status}; redirects are not followed")
    body = bytearray()
    for part in response.iter_stream():
        body += part
        if len(body) > largest:
            raise NotFetched(f"larger than {largest} bytes")
    try:
        document = orjson.loads(body)
    except ValueError as error:
        raise NotFetched("not JSON") from error
    if not isinstance(document, dict):
        raise NotFetched("not a JSON object")
    return document
