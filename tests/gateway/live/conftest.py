"""Things that happen, put into the log, and a reader of streams."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.live import log, places
from shared.contracts.ingest import SubmissionCompleted
from shared.contracts.measures import CellsChanged, SignalDetected
from shared.contracts.programmes import Edge, OrganisationChanged
from shared.db import Database, now
from tests.gateway.conftest import listening


def cells_changed(organisation="RGT", measures=("mn-preterm",), **others) -> CellsChanged:
    fields = {"periods": ["2026-09"], "submissions": ["s-1"], "data_version": 7, "changed_at": now()}
    return CellsChanged(organisation=organisation, measures=list(measures), **(fields | others))


def submitted(submission="s-1", by="somebody", organisations=("RGT",), **others) -> SubmissionCompleted:
    fields = {"feed": "births", "status": "accepted", "rows": {"received": 3}, "faults_total": 0, "returns": []}
    fields |= {"organisation": organisations[0] if organisations else None, "completed_at": now()}
    return SubmissionCompleted(id=submission, submitted_by=by, organisations=list(organisations), **(fields | others))


def signalled(organisation="RGT", measure="mn-preterm", small=False, **others) -> SignalDetected:
    fields = {"period": "2026-09", "variation": "concern_high", "data_version": 7, "detected_at": now()}
    return SignalDetected(organisation=organisation, measure=measure, small=small, **(fields | others))


def organisation(code, kind, *above) -> OrganisationChanged:
    edges = [Edge(parent=parent, hierarchy=hierarchy) for parent, hierarchy in above]
    return OrganisationChanged(code=code, name=code, kind=kind, edges=edges, recorded_at=now())


def happen(database: Database, *events) -> list[int]:
    """Put these into the log; the position of each."""
    with database.session() as session:
        before = log.bounds(session).newest
        log.note(session, events)
        session.flush()
        return [one.position for one in log.after(session, before, limit=len(events))]


def settle_places(database: Database) -> None:
    """RGT and RM1 are trusts; RGT lies in the ICB QUE, and site RGT01 in RGT."""
    with database.session() as session:
        places.adopt_organisations(
            session,
            [
                organisation("QUE", "icb"),
                organisation("RGT", "trust", ("QUE", "icb")),
                organisation("RGT01", "site", ("RGT", "provider")),
                organisation("RM1", "trust"),
            ],
        )


@dataclass
class Heard:
    """A stream as its reader hears it."""

    response: httpx.Response
    last_id: str | None = None
    _lines: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._lines = self.response.iter_lines()

    def block(self) -> dict[str, Any] | None:
        """The next block; None at the end of the stream."""
        found: dict[str, Any] = {}
        for line in self._lines:
            if not line:
                self.last_id = found.get("id", self.last_id)
                return found
            name, _, value = line.partition(": ")
            found[name or "comment"] = value
        return None

    def event(self) -> dict[str, Any] | None:
        """The next event, with its data read; None at the end of the stream."""
        while (block := self.block()) is not None:
            if "data" in block:
                return block | {"data": json.loads(block["data"])}
        return None

    def events(self, count: int) -> list[dict[str, Any]]:
        found = [self.event() for _ in range(count)]
        assert None not in found
        return found  # type: ignore[return-value]


@contextmanager
def hearing(gateway, headers, *, after=None, **params) -> Iterator[Heard]:
    """A stream, open and at its place."""
    headers = headers | ({} if after is None else {"Last-Event-ID": str(after)})
    with (
        httpx.Client(base_url=gateway.url, timeout=60) as http,
        http.stream("GET", "/v1/stream", headers=headers, params=params) as response,
    ):
        if response.status_code != 200:
            response.read()
        heard = Heard(response)
        if response.status_code == 200:
            assert "retry" in (heard.block() or {})
        yield heard


@pytest.fixture(scope="module")
def placed(new_database) -> Iterator[Any]:
    """A gateway that knows where the organisations lie."""
    url = new_database("gateway")
    with closing(Database(url)) as database:
        settle_places(database)
    with listening(url) as gateway:
        yield gateway
