"""Operations that are going: since when, until when, and what to use instead. The table; what is not in it stays.

Every answer of such an operation says so (`Deprecation`, RFC 9745; `Sunset`, RFC 8594), and so does the reference.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any, Final, NamedTuple

from gateway.wire import Headers


class Deprecation(NamedTuple):
    """One operation that is going. `path` is as in THE TABLE; from the day of its `sunset` on it may be gone."""

    method: str
    path: str
    since: date
    sunset: date
    instead: str

    def headers(self) -> Headers:
        """What its answers say."""
        since = int(datetime.combine(self.since, time(), UTC).timestamp())
        sunset = format_datetime(datetime.combine(self.sunset, time(), UTC), usegmt=True)
        return [
            (b"deprecation", f"@{since}".encode()),
            (b"sunset", sunset.encode()),
            (b"link", b'</docs>; rel="deprecation"'),
        ]

    def mark(self, operation: dict[str, Any]) -> None:
        """Say it of the operation in the OpenAPI document."""
        told = f"**Deprecated** since {self.since}; it may be gone from {self.sunset} on. {self.instead}"
        operation |= {"deprecated": True, "x-sunset": self.sunset.isoformat()}
        operation["description"] = f"{told}\n\n{operation.get('description', '')}".strip()


DEPRECATED: Final[tuple[Deprecation, ...]] = ()

Announcements = Mapping[tuple[str, str], Headers]


def announcements(going: Iterable[Deprecation] = DEPRECATED) -> Announcements:
    """The headers to add, by method and path of the table."""
    return {(one.method, one.path): one.headers() for one in going}
