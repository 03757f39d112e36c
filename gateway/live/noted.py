"""An event of the log as it is held in memory: made once, shown to everybody who may see it."""

from typing import Any

import orjson

from gateway.live.models import LiveEvent


class Noted:
    """One event; its frames are written when the first reader needs them, and then kept."""

    __slots__ = ("_frames", "client_id", "data", "inside", "measures", "name", "organisations", "position", "small")

    def __init__(self, row: LiveEvent) -> None:
        self.position, self.name = row.position, row.name
        self.organisations, self.measures = frozenset(row.organisations), frozenset(row.measures)
        self.client_id, self.small = row.client_id, row.small
        self.data: dict[str, Any] = row.data
        self.inside: dict[str, Any] = row.inside
        self._frames: dict[bool, bytes] = {}

    def shown(self, *, inside: bool) -> dict[str, Any]:
        """The data of the event; `inside` adds what is for those it concerns."""
        return self.data | self.inside if inside else self.data

    def frame(self, *, inside: bool) -> bytes:
        """The event as a stream carries it."""
        if inside not in self._frames:
            self._frames[inside] = frame(self.name, self.position, self.shown(inside=inside))
        return self._frames[inside]


def frame(name: str, position: int, data: dict[str, Any]) -> bytes:
    """One server-sent event (WHATWG HTML, 9.2)."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (position, name.encode(), orjson.dumps(data))
