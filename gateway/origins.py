"""Pages of other origins: which may call from a browser (CORS). None, unless the operators name them."""

import re
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.problems import OriginNotAllowed
from gateway.routes import TABLE
from shared import problems
from shared.telemetry import trail

METHODS: Final = tuple(sorted({"HEAD", *(method for row in TABLE for method in row.needs)}))
SENT: Final = (
    "Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", "If-Match", "If-None-Match",
    "Last-Event-ID", "Prefer", "Traceparent", "X-Correlation-ID", "X-Request-ID", "X-Sandbox-Clock", "X-Scenario",
)  # fmt: skip
"""Headers that a page may send."""
READ: Final = (
    "Content-Disposition", "Deprecation", "ETag", "Idempotency-Replayed", "Link", "Location", "RateLimit",
    "RateLimit-Policy", "Retry-After", "Sunset", "WWW-Authenticate", "X-Correlation-ID", "X-Data-Version",
    "X-Request-ID",
)  # fmt: skip
"""Headers that a page may read."""
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")


class Origins(CORSMiddleware):
    """Lets pages of the origins named call, with a token that they show themselves: cookies are never used."""

    def __init__(self, app: ASGIApp, *, allowed: Iterable[str]) -> None:
        super().__init__(
            app, allow_origins=list(allowed), allow_methods=METHODS, allow_headers=SENT, expose_headers=READ
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser is told before it sends what a page asks of it."""
        told = super().preflight_response(request_headers)
        if told.status_code < 400:
            return Response(status_code=204, headers=self._without_body(told))
        now = trail()
        refused = problems.answer(OriginNotAllowed(), request_id=now.request_id if now else None)
        refused.headers["Vary"] = told.headers["Vary"]
        return refused

    @staticmethod
    def _without_body(told: Response) -> dict[str, str]:
        return {name: value for name, value in told.headers.items() if not name.startswith("content-")}


def origin(text: str) -> str:
    """The origin, as browsers write it. Raises ValueError for what is none, such as `*`, `null` or a path."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f"{text!r} is not an origin: write scheme, host and port, like https://pages.example")
    return text
