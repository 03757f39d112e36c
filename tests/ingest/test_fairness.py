"""A huge file does not hold up small ones, a client has a quota, and nothing is taken when the disk is full."""

import asyncio
import tempfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from deploy.serving import Server
from services.ingest.api import body, turns
from services.ingest.api.turns import Turns
from services.ingest.app import create_app
from services.ingest.problems import TooBusy
from services.ingest.settings import IngestSettings
from shared.db import Database
from shared.principal import Signer, new_key
from tests.ingest.builders import a_feed, a_measure, an_organisation, as_csv, some_counts
from tests.ingest.conftest import Ingest


@pytest.fixture
def settled(new_database: Callable[[str], SecretStr]) -> Callable[..., Any]:
    """Ingest with other settings."""

    @contextmanager
    def start(**more: Any) -> Iterator[Ingest]:
        private, public = new_key()
        url = new_database("ingest")
        settings = IngestSettings(
            database_url=url, principal_key=public, pseudonym_key=SecretStr("k" * 64), pool_size=3, **more
        )
        database = Database(url, pool_size=2)
        with Server(create_app(settings)) as server:
            one = Ingest(server.url, database, Signer(private))
            one.hear(a_feed("measure-counts"), a_measure("mn-cqimpreterm"), an_organisation("RGT"))
            yield one
            one.client.close()
        database.close()

    return start


def test_a_client_that_has_used_its_rows_is_told_when_to_come_back_and_others_are_not_held_up(settled: Any) -> None:
    with settled(rows_per_minute=3) as ingest:
        key = {"Idempotency-Key": "k"}
        first = ingest.send(as_csv(some_counts(months=3)), headers=key)
        refused = ingest.send(as_csv(some_counts(months=2)))
        assert (first.status_code, refused.status_code) == (201, 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["type"] == "/problems/too-many-rows"
        assert ingest.send(as_csv(some_counts(months=3)), headers=key).json() == first.json()
        assert ingest.send(as_csv(some_counts()), who=ingest.as_(client="another")).status_code == 201


def test_nothing_is_taken_when_the_disk_is_nearly_full(settled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(turns.shutil, "disk_usage", lambda _: usage(100, 50, 50))
    with settled(spare_room=40) as ingest:
        answer = ingest.send(as_csv(some_counts()))
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/no-room")
        assert int(answer.headers["retry-after"]) > 0
        assert ingest.get("/v1/submissions").json()["items"] == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_for_which_the_database_has_no_room_is_refused_before_it_is_read(
    settled: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, declared: bool
) -> None:
    usage = namedtuple("usage", "total used free")
    room = {str(tmp_path): 60, tempfile.gettempdir(): 10_000_000}
    monkeypatch.setattr(turns.shutil, "disk_usage", lambda volume: usage(0, 0, room[str(volume)]))
    rows = as_csv(some_counts())
    with settled(spare_room=50, database_volume=tmp_path) as ingest:
        answer = ingest.send(rows if declared else iter([rows]))
        assert answer.status_code == (503 if declared else 201), answer.text
        room[str(tmp_path)] = 49
        refused = ingest.send(iter([rows]))
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/no-room")
        assert int(refused.headers["retry-after"]) > 0


def test_a_body_of_unknown_length_is_refused_on_its_way_when_room_runs_out(
    settled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    looks = chain([100], repeat(40))
    monkeypatch.setattr(turns.shutil, "disk_usage", lambda _: usage(0, 0, next(looks)))
    monkeypatch.setattr(body, "_LOOK_EVERY", 1000)
    with settled(spare_room=50) as ingest:
        refused = ingest.send(iter([b"x" * 1001] * 5))
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/no-room")


def test_a_small_body_passes_while_large_ones_hold_every_turn() -> None:
    async def claim() -> list[str]:
        order: list[str] = []
        some = Turns(large=10, at_once=1, most_waiting=1)
        async with some.turn(11):
            async with some.turn(10):
                order.append("small")
            waiting = asyncio.create_task(_hold(some, order))
            await asyncio.sleep(0)
            with pytest.raises(TooBusy) as refused:
                await _hold(some, order)
            assert int(refused.value.headers["Retry-After"]) > 0
            order.append("first large")
        await waiting
        return order

    assert asyncio.run(claim()) == ["small", "first large", "second large"]


def test_a_turn_is_given_back_when_its_holder_fails() -> None:
    async def claim() -> list[str]:
        order: list[str] = []
        some = Turns(large=10, at_once=1, most_waiting=0)
        with pytest.raises(ZeroDivisionError):
            async with some.turn(11):
                raise ZeroDivisionError
        await _hold(some, order)
        return order

    assert asyncio.run(claim()) == ["second large"]


async def _hold(some: Turns, order: list[str]) -> None:
    async with some.turn(11):
        order.append("second large")


def test_the_rows_of_dry_runs_count_too(settled: Any) -> None:
    with settled(rows_per_minute=3) as ingest:
        first = ingest.send(as_csv(some_counts(months=3)), dry_run="true")
        refused = ingest.send(as_csv(some_counts(months=1)), dry_run="true")
        assert (first.status_code, refused.status_code) == (201, 429)
        assert ingest.get("/v1/submissions").json()["items"] == []
