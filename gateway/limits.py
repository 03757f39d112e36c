"""How much one caller may ask: counted in windows of a minute, told on every answer, refused with the exact wait.

Headers as in draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy: "client";q=6000;w=60` and
`RateLimit: "client";r=5987;t=41` (5987 requests left, 41 seconds until the next window).
"""

import time
from typing import NamedTuple

from limits import RateLimitItemPerMinute
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string

from gateway.problems import TooManyRequests
from gateway.wire import Headers

WINDOW = 60


class Allowance(NamedTuple):
    """What is left after this request, as headers; `wait` is None, or the seconds until the next may be made."""

    headers: Headers
    wait: int | None


class Limit:
    """One policy, such as 6000 requests a minute for each client."""

    def __init__(self, limiter: FixedWindowRateLimiter, name: str, quota: int) -> None:
        self._limiter, self._item = limiter, RateLimitItemPerMinute(quota, namespace=f"psip:{name}")
        self._name = name.encode()
        self._policy = (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (self._name, quota, WINDOW))

    async def take(self, caller: str) -> Allowance:
        """Count one request of this caller."""
        within = await self._limiter.hit(self._item, caller)
        return await self._allowance(caller, within=within)

    async def look(self, caller: str) -> Allowance:
        """What is left, without counting anything."""
        within = await self._limiter.test(self._item, caller)
        return await self._allowance(caller, within=within)

    async def _allowance(self, caller: str, *, within: bool) -> Allowance:
        window = await self._limiter.get_window_stats(self._item, caller)
        seconds = max(1, min(WINDOW, int(window.reset_time - time.time()) + 1))
        left = b'"%b";r=%d;t=%d' % (self._name, window.remaining, seconds)
        return Allowance([self._policy, (b"ratelimit", left)], None if within else seconds)


class Limits:
    """The gateway's limits, counted in this process or in the Redis that its replicas share."""

    def __init__(self, url: str, *, client: int, anonymous: int, failures: int) -> None:
        """`url` is `async+memory://` or `async+redis://host:6379`; the others are requests a minute."""
        limiter = FixedWindowRateLimiter(storage_from_string(url))
        self.client = Limit(limiter, "client", client)
        self.anonymous = Limit(limiter, "anonymous", anonymous)
        self.failures = Limit(limiter, "failures", failures)


def too_many(allowance: Allowance) -> TooManyRequests:
    """The refusal, with the true time to wait."""
    wait = str(allowance.wait)
    return TooManyRequests(f"try again in {wait} seconds", headers={"Retry-After": wait})
