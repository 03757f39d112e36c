"""THE TABLE of live events: the name callers know each by, the scope it needs, and what of it they are shown.

What is shown are names, keys and links. No figure is here that disclosure control would alter: who may see figures asks
for them, and is given those of its audience.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from shared.contracts.event import Event
from shared.contracts.ingest import SubmissionCompleted
from shared.contracts.measures import CellsChanged, SignalDetected

SUBMISSION, CELLS, SIGNAL = "submission.completed", "cells.changed", "signal.detected"
RESET, TEST = "reset", "webhook.test"
"""What is in no log: that something was missed, and that somebody wanted to see whether a webhook works."""


class Kind(NamedTuple):
    """One kind of live event, made from the contract's `event`.

    `shows` are the fields everybody sees who may see it, `inside` those only callers who act for the organisation;
    `at` is the field with its instant, `organisations` and `measures` those with what it is about.
    """

    name: str
    event: type[Event]
    scope: str
    at: str
    shows: tuple[str, ...]
    organisations: str
    measures: str | None = None
    client: str | None = None
    inside: tuple[str, ...] = ()
    links: Mapping[str, str] = {}


KINDS: Final = (
    Kind(
        SUBMISSION,
        SubmissionCompleted,
        scope="submissions:read",
        at="completed_at",
        shows=("id", "feed", "organisation", "status", "submitted_by", "completed_at"),
        organisations="organisations",
        client="submitted_by",
        links={"submission": "/v1/submissions/{id}"},
    ),
    Kind(
        CELLS,
        CellsChanged,
        scope="measures:read",
        at="changed_at",
        shows=("organisation", "measures", "periods", "data_version", "changed_at"),
        organisations="organisation",
        measures="measures",
        inside=("submissions",),
        links={"matrix": "/v1/matrix?organisation={organisation}"},
    ),
    Kind(
        SIGNAL,
        SignalDetected,
        scope="measures:read",
        at="detected_at",
        shows=("organisation", "measure", "period", "variation", "state", "data_version", "detected_at"),
        organisations="organisation",
        measures="measure",
        links={"chart": "/v1/charts/{measure}/{organisation}"},
    ),
)
BY_EVENT: Final[Mapping[type[Event], Kind]] = {kind.event: kind for kind in KINDS}
BY_NAME: Final[Mapping[str, Kind]] = {kind.name: kind for kind in KINDS}
NAMES: Final = tuple(BY_NAME)


def written(event: Event) -> dict[str, Any]:
    """The event as a row of the log, without its position and id."""
    kind = BY_EVENT[type(event)]
    fields = msgspec.to_builtins(event)
    at: datetime = getattr(event, kind.at)
    shown = {name: fields[name] for name in kind.shows}
    links = {name: link.format_map(fields) for name, link in kind.links.items()}
    return {
        "name": kind.name,
        "at": at,
        "organisations": list(_several(fields[kind.organisations])),
        "measures": list(_several(fields[kind.measures])) if kind.measures else [],
        "client_id": fields[kind.client] if kind.client else None,
        "small": bool(fields.get("small", False)),
        "data": shown | {"links": links},
        "inside": {name: fields[name] for name in kind.inside},
    }


def _several(value: str | Iterable[str]) -> Iterable[str]:
    return (value,) if isinstance(value, str) else value
