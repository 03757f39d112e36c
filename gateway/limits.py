"""How much one caller may ask: counted in windows of a minute, told on every answer, refused with the exact wait.

Headers as in draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy: "client";q=6000;w=60` and
`RateLimit: "client";r=5987;t=41` (5987 requests left, 41 seconds until the next window). An answer with figures also
has `"cells"`: how many figures the client may still read.
"""

from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil
from typing import NamedTuple

from gateway.counts import WINDOW, Counted, Counts
from gateway.problems import TooManyCells, TooManyRequests
from gateway.wire import Headers

CELLS = "x-psip-cells"
"""The header in which an answer of measures says how many figures it holds; it goes no further than the gateway."""


def cells_of(told: str) -> int:
    """That number; 0 where it is none."""
    return int(told) if told.isascii() and told.isdigit() else 0


class Allowance(NamedTuple):
    """What is left after this request, as headers; `wait` is None, or the seconds until the next may be made."""

    headers: Headers
    wait: int | None

    def beside(self, other: "Allowance") -> "Allowance":
        """Both, in the same headers."""
        theirs = dict(other.headers)
        joined = [
            (name, b"%b, %b" % (value, theirs[name]) if name in theirs else value) for name, value in self.headers
        ]
        return Allowance(joined, self.wait)


class Limit:
    """One policy, such as 6000 requests a minute for each client."""

    def __init__(self, counts: Counts, name: str, quota: int) -> None:
        self._counts, self._quota = counts, quota
        self._prefix, self._name = f"{name}:", name.encode()
        self._policy = (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (self._name, quota, WINDOW))

    async def take(self, caller: str) -> Allowance:
        """Count one request of this caller."""
        counted = await self._counts.add(self._prefix + caller, 1)
        return self._allowance(counted, within=counted.total <= self._quota)

    async def look(self, caller: str) -> Allowance:
        """What is left, without counting anything."""
        counted = await self._counts.add(self._prefix + caller, 0)
        return self._allowance(counted, within=counted.total < self._quota)

    async def charge(self, caller: str, amount: int) -> Allowance:
        """Count so much of this caller; `wait` where nothing is left after it."""
        counted = await self._counts.add(self._prefix + caller, amount)
        return self._allowance(counted, within=counted.total < self._quota)

    def _allowance(self, counted: Counted, *, within: bool) -> Allowance:
        seconds = min(WINDOW, max(1, ceil(counted.left)))
        left = b'"%b";r=%d;t=%d' % (self._name, max(0, self._quota - counted.total), seconds)
        return Allowance([self._policy, (b"ratelimit", left)], None if within else seconds)


class Limits:
    """The gateway's limits: requests a minute by client, by address without a token, failures to prove who one is;
    and cells a minute by client."""

    def __init__(self, counts: Counts, *, client: int, anonymous: int, failures: int, cells: int) -> None:
        self.client = Limit(counts, "client", client)
        self.anonymous = Limit(counts, "anonymous", anonymous)
        self.failures = Limit(counts, "failures", failures)
        self.cells = Limit(counts, "cells", cells)


def neighbourhood(address: str) -> str:
    """What is counted as one caller without a token: an address; of IPv6 the /64, which one machine has to itself."""
    try:
        one = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Network((one, 64), strict=False)) if isinstance(one, IPv6Address) else address


def too_many(allowance: Allowance) -> TooManyRequests:
    """The refusal, with the true time to wait."""
    wait = str(allowance.wait)
    return TooManyRequests(f"try again in {wait} seconds", headers={"Retry-After": wait})


def too_many_cells(allowance: Allowance) -> TooManyCells:
    """The refusal of another read, likewise."""
    wait = str(allowance.wait)
    return TooManyCells(f"try again in {wait} seconds", headers={"Retry-After": wait})
