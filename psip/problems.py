"""What went wrong with a request, in words that say what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx

LATER = frozenset({429, 503})
"""The request was not carried out, as a rule; it may be sent again when `Retry-After` says."""
UNCERTAIN = frozenset({502, 504})
"""It may have been carried out: it may be sent again where that does no harm."""
LONGEST_PAUSE = 60.0
"""Seconds: whoever asks for a longer pause is asked again after this one."""


class PsipProblem(Exception):
    """The platform's answer was a problem (RFC 9457).

    `errors` names the places in the request that are wrong (`pointer` or `parameter`, and `message`); give the
    `request_id` to whoever runs the platform, who finds the request by it. `retry_after` is in seconds, where the
    platform said when to come again.
    """

    def __init__(
        self,
        title: str,
        detail: str,
        status: int,
        errors: Sequence[Mapping[str, Any]] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(title, detail, status)
        self.title, self.detail, self.status = title, detail, status
        self.errors, self.request_id, self.retry_after = list(errors), request_id, retry_after

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """The problem that an answer tells of, whether or not the platform itself wrote it."""
        told = _object(response)
        oauth = told.get("error_description") or told.get("error")
        return cls(
            str(told.get("title") or response.reason_phrase or "The request failed"),
            str(told.get("detail") or oauth or response.headers.get("Location") or response.text[:300]),
            response.status_code,
            told.get("errors") or (),
            told.get("request_id") or response.headers.get("X-Request-ID"),
            seconds_asked(response),
        )

    def __str__(self) -> str:
        said = f"{self.status} {self.title}"
        if self.detail and self.detail != self.title:
            said += f" {self.detail}"
        return said if self.request_id is None else f"{said} (request {self.request_id})"


def seconds_asked(response: httpx.Response) -> float | None:
    """The seconds that `Retry-After` asks for (never a date, as the platform gives it); None where it is not there."""
    told = response.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else None


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        told = response.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
