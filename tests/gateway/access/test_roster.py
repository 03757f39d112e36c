"""The roster: who is in, and how old that knowledge may be."""

import asyncio

import pytest
from sqlalchemy import text

from gateway.access.commands import register_client
from gateway.access.roster import Roster
from gateway.problems import AccessUncertain


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def roster(database, clock):
    with database.session() as session:
        register_client(session, client_id="a-client", name="x", scopes=["measures:read"])
    roster = Roster(database, trusted_seconds=30, clock=clock)
    roster.read()
    return roster


def test_a_live_client_is_in_with_tokens_of_its_generation_only(roster):
    assert roster.admits("a-client", 1)
    assert not roster.admits("a-client", 2)
    assert not roster.admits("another", 1)


def test_a_revoked_client_is_out_after_one_reading(roster, database):
    with database.session() as session:
        session.execute(text("update client set revoked_at = now()"))
    roster.read()
    assert not roster.admits("a-client", 1)


def test_nobody_is_let_in_on_knowledge_that_is_too_old(roster, clock):
    clock.now += 29
    assert roster.admits("a-client", 1)
    clock.now += 1
    with pytest.raises(AccessUncertain):
        roster.admits("a-client", 1)


def test_nobody_is_let_in_before_the_first_reading(database):
    with pytest.raises(AccessUncertain):
        Roster(database).admits("a-client", 1)


def test_a_database_that_fails_leaves_the_roster_as_it_was(roster, database):
    with database.session() as session:
        session.execute(text("alter table client rename to elsewhere"))
    asyncio.run(roster.try_to_refresh())
    assert roster.admits("a-client", 1)


def test_whoever_asks_for_a_reading_gets_one_that_began_after_they_asked(roster, database):
    """A reading under way may have missed what was committed since; one more serves all who wait."""
    readings = 0
    read = roster.read

    def counted():
        nonlocal readings
        readings += 1
        read()

    roster.read = counted

    async def work():
        await asyncio.gather(*(roster.refresh() for _ in range(10)))

    asyncio.run(work())
    assert readings == 2
