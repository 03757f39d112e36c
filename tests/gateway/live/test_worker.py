"""The gateway's worker: what services publish gets into the log, once and in order, whichever bus carries it."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.live import log, places
from gateway.live.models import LiveEvent
from gateway.worker import create_worker
from shared.contracts.event import Envelope, Event
from shared.contracts.measures import CellsChanged
from shared.contracts.programmes import OrganisationChanged
from shared.db import Database, now
from shared.messaging import cloudevents
from shared.messaging.bus import Bus
from shared.messaging.cloudevents import EVENTS
from shared.messaging.kafka import KafkaBus
from shared.messaging.local import LocalBus
from shared.messaging.outbox import new_id
from shared.settings import KafkaSettings
from tests.gateway.live.conftest import cells_changed, happen, organisation, signalled, submitted

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
def bus(request: pytest.FixtureRequest, new_database) -> Iterator[Bus]:
    if request.param == "local":
        one: Bus = LocalBus(new_database(None).get_secret_value().replace("+psycopg", ""))
    else:
        one = KafkaBus(KafkaSettings(bootstrap=request.getfixturevalue("kafka_bootstrap")))
    one.ensure([event.TOPIC for event in EVENTS])
    yield one
    one.close()


def publish(bus: Bus, *events: Event) -> None:
    bus.publish([cloudevents.encode(one, Envelope(id=new_id(), source="/psip/tests", time=now())) for one in events])


def test_what_was_published_is_in_the_log_once_and_in_the_order_of_its_organisation(
    bus: Bus, new_database, monkeypatch: pytest.MonkeyPatch
):
    """In a group of its own and of an organisation of its own: other tests use the same broker."""
    monkeypatch.setattr("gateway.worker.SERVICE", f"gateway-{new_id()}")
    url, mine, numbers = new_database("gateway"), "ZZ9", range(30)
    publish(bus, organisation(mine, "trust"), *(cells_changed(mine, data_version=number) for number in numbers))
    publish(bus, submitted("s-9", organisations=[mine]), signalled(mine, small=True))
    with closing(create_worker(url, bus)) as worker, closing(Database(url)) as database:
        while not worker.settled():
            worker.step(seconds=0.2)
        found = told_of(mine, database)
        with database.session() as session:
            assert places.known(session).knows(mine)
        worker.consumer.subscription.rewind()
        worker.step()
        assert len(told_of(mine, database)) == len(found) == len(numbers) + 2

    assert [one.data["data_version"] for one in found if one.name == "cells.changed"] == list(numbers)
    assert {one.name for one in found} == {"cells.changed", "submission.completed", "signal.detected"}
    assert [one.small for one in found if one.name == "signal.detected"] == [True]


def told_of(code: str, database: Database) -> list[LiveEvent]:
    with database.session() as session:
        return [one for one in log.after(session, 0, limit=100_000) if code in one.organisations]


def test_what_is_older_than_the_log_reaches_back_is_left_out(database: Database):
    long_ago = now() - log.KEPT - timedelta(seconds=1)
    assert happen(database, cells_changed(changed_at=long_ago)) == []
    assert len(happen(database, cells_changed())) == 1


def test_only_the_beginning_of_the_log_is_forgotten_so_that_a_gap_is_always_noticed(database: Database):
    """An old event behind a newer one stays: the log forgets up to a position, not here and there."""
    early = now() - timedelta(days=5)
    positions = happen(
        database,
        *(CellsChanged(organisation="RGT", measures=[], periods=[], data_version=1, changed_at=at)
          for at in (early, early, now(), early)),
    )  # fmt: skip
    with database.session() as session:
        log.forget(session, before=now() - timedelta(days=1))
        bounds = log.bounds(session)
        kept = [one.position for one in log.after(session, 0, limit=10)]
    assert kept == positions[2:]
    assert bounds == (positions[1], positions[3])
    assert not bounds.holds(positions[0])
    assert bounds.holds(positions[1])


def test_a_position_is_never_seen_before_a_lower_one(database: Database):
    """Two writers at once: the second waits until the first has committed, so no reader passes a place to be filled."""
    with database.session() as first:
        log.note(first, [cells_changed()])
        first.flush()
        with database.session() as second:
            second.execute(text("set local lock_timeout = '50ms'"))
            with pytest.raises(Exception, match="lock"):
                log.note(second, [cells_changed()])
            second.rollback()


def test_where_organisations_lie_follows_what_is_heard(database: Database):
    def lies(code: str) -> bool:
        with database.session() as session:
            known = places.known(session)
        return code in known.within(frozenset({"QUE"}), now().date())

    def hear(*events: OrganisationChanged) -> None:
        with database.session() as session:
            places.adopt_organisations(session, events)

    hear(organisation("QUE", "icb"), organisation("RGT", "trust", ("QUE", "icb")))
    hear(organisation("S1", "site", ("RGT", "provider")))
    assert (lies("RGT"), lies("S1"), lies("QUE")) == (True, True, True)
    hear(organisation("RGT", "trust"))
    assert (lies("RGT"), lies("S1")) == (False, False)


def test_after_a_restore_no_place_that_was_given_before_passes_for_one_of_now(database: Database):
    """The statements are those that operators are told to run."""
    guide = (ROOT / "docs/operators.md").read_text()
    (statements,) = re.findall(r"^```sql\n(select setval.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    given = happen(database, cells_changed(), cells_changed())
    with database.session() as session:
        for one in statements.strip().split(";")[:-1]:
            session.execute(text(one))
    with database.session() as session:
        bounds = log.bounds(session)
    assert not any(bounds.holds(position) for position in (*given, given[-1] + 5000))
    (after,) = happen(database, cells_changed())
    assert after == bounds.newest + 1
