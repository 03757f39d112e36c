"""The process dies before or after any statement it sends to the database: nothing is lost, nothing counts twice.

Every statement, COPY and commit of a change is a seam. A change is made once whole to count its seams, and then again
and again, each time dying at the next of them. Dying is losing the connection: what PostgreSQL does not have
committed by then it rolls back. The sender, who got no answer, sends the same again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from tests.ingest.builders import an_organisation, as_csv, some_counts
from tests.ingest.conftest import Ingest
from tests.ingest.test_properties import reconciles


@dataclass
class Seams:
    """Counts the seams passed, and dies at the one that is to be the last. (The next test's database is being made.)"""

    last: int
    database: str | None
    passed: int = 0

    @property
    def died(self) -> bool:
        return self.passed >= self.last

    def pass_(self, connection: psycopg.Connection[Any]) -> None:
        if connection.closed or connection.info.dbname != self.database:
            return
        self.passed += 1
        if self.passed == self.last:
            connection.pgconn.finish()
            raise psycopg.OperationalError("the process died here")


@contextmanager
def dying(last: int, database: str | None) -> Iterator[Seams]:
    """Every statement and COPY has a seam before it; a commit has one before and one after."""
    one, cursor, connection = Seams(last, database), psycopg.Cursor, psycopg.Connection
    execute, many, copy, commit = cursor.execute, cursor.executemany, cursor.copy, connection.commit

    def before(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: psycopg.Cursor[Any], *given: Any, **more: Any) -> Any:
            one.pass_(self.connection)
            return real(self, *given, **more)

        return call

    def around(self: psycopg.Connection[Any]) -> None:
        one.pass_(self)
        commit(self)
        one.pass_(self)

    with pytest.MonkeyPatch.context() as patch:
        for name, real in (("execute", execute), ("executemany", many), ("copy", copy)):
            patch.setattr(cursor, name, before(real))
        patch.setattr(connection, "commit", around)
        yield one


Scene = Callable[[Ingest, str], tuple[Callable[[], Any], Callable[[Any], None]]]
"""For a month: something to do (again, if it died), and what must hold then, given its answer."""


def sent(ingest: Ingest, month: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """A file with good, bad, repeated, waiting and identifying rows."""
    good = some_counts(months=1)[0] | {"period": month}
    rows = [good, good, good | {"organisation": "RGN"}, good | {"numerator": "x"}, good | {"organisation": "R9Z"},
            good | {"measure": "ch-falls", "stratum": "943 476 5919"}]  # fmt: skip
    body = as_csv([{"stratum": "", **row} for row in rows])

    def act() -> Any:
        return ingest.send(body, headers={"Idempotency-Key": month})

    def check(answer: Any) -> None:
        receipt = answer.json()
        assert reconciles(receipt)
        counts = {"received": 6, "accepted": 2, "unchanged": 0, "duplicate": 1, "waiting": 1, "rejected": 2}
        assert receipt["rows"] == counts
        assert [stored(ingest, name, receipt["sha256"]) for name in ("submission", "waiting_row")] == [1, 1]
        assert told(ingest, month) == [("RGN", "1"), ("RGT", "1")]
        again = ingest.send(body).json()
        assert reconciles(again)
        assert (again["rows"]["unchanged"], again["returns"]) == (2, [])

    return act, check


def withdrawn(ingest: Ingest, month: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    row = some_counts(months=1)[0] | {"period": month}
    ingest.send(as_csv([row]))
    second = ingest.send(as_csv([row | {"numerator": 1}])).json()

    def act() -> Any:
        return ingest.client.delete(f"/v1/submissions/{second['id']}", headers=ingest.as_())

    def check(answer: Any) -> None:
        assert answer.status_code in (200, 409)  # done, or done before it died
        assert ingest.get(second["links"]["self"]).json()["status"] == "withdrawn"
        assert told(ingest, month) == [("RGT", "1"), ("RGT", "2"), ("RGT", "3")]

    return act, check


def corrected(ingest: Ingest, month: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    row = some_counts(months=1)[0] | {"period": month, "numerator": "x"}
    receipt = ingest.send(as_csv([row])).json()

    def act() -> Any:
        return ingest.client.patch(f"/v1/quarantine/{receipt['id']}/2", json={"numerator": 1}, headers=ingest.as_())

    def check(answer: Any) -> None:
        assert answer.status_code in (200, 409)
        after = ingest.get(receipt["links"]["self"]).json()
        assert reconciles(after)
        assert (after["rows"]["accepted"], after["rows"]["rejected"]) == (1, 0)
        assert told(ingest, month) == [("RGT", "1")]

    return act, check


def landed(ingest: Ingest, month: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    code = f"W{month.replace('-', '')[2:]}"
    receipt = ingest.send(as_csv([some_counts(months=1)[0] | {"period": month, "organisation": code}])).json()

    def act() -> Any:
        ingest.hear(an_organisation(code))

    def check(_: Any) -> None:
        after = ingest.get(receipt["links"]["self"]).json()
        assert reconciles(after)
        assert after["rows"]["accepted"] == 1
        assert told(ingest, month) == [(code, "1")]

    return act, check


def stored(ingest: Ingest, table: str, sha256: str) -> int:
    """How many rows of a table are of submissions with this content."""
    key = "id" if table == "submission" else "submission_id"
    query = f"select count(*) from {table} where {key} in (select id from submission where sha256 = :sha256)"
    with ingest.database.session() as session:
        return int(session.execute(text(query), {"sha256": sha256}).scalar_one())


def told(ingest: Ingest, month: str) -> list[tuple[str, str]]:
    """The organisation and sequence of each return of the month that was published."""
    query = "select headers from outbox where topic = 'ingest.returns.v1' and headers->>'ce_period' = :month"
    with ingest.database.session() as session:
        found = [row.headers for row in session.execute(text(query), {"month": month})]
    return sorted((one["ce_organisation"], one["ce_sequence"]) for one in found)


def tried(act: Callable[[], Any]) -> Any:
    """What somebody gets who tries: an answer, or nothing."""
    try:
        return act()
    except Exception:
        return None


def months() -> Iterator[str]:
    return (f"{2025 - n // 12}-{12 - n % 12:02}" for n in range(240))


@pytest.mark.parametrize("scene", [sent, withdrawn, corrected, landed], ids=lambda scene: scene.__name__)
def test_dying_at_any_seam_loses_nothing_and_counts_nothing_twice(ingest: Ingest, scene: Scene) -> None:
    for last, month in enumerate(months(), start=1):
        act, check = scene(ingest, month)
        with dying(last, ingest.database.engine.url.database) as one:
            answer = tried(act)
        no_answer = answer is None or answer.status_code >= 500
        check(act() if no_answer and one.died else answer)
        if not one.died:
            break
    assert last > 10
