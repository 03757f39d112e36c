"""Counting in windows of a minute: in this process, in what replicas share, and while that is away."""

import asyncio
import shutil
import subprocess
from tempfile import TemporaryDirectory

import orjson
import pytest
from joserfc.jwk import ECKey

from gateway import shared_counts
from gateway.counts import WINDOW, Counted, CountsAway, CountsWhileTheyCan, OwnCounts
from gateway.shared_counts import SharedCounts
from tests.gateway.conftest import listening

SERVER = shutil.which("valkey-server") or shutil.which("redis-server")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def added(counts, *amounts, key="a"):
    async def add():
        return [await counts.add(key, amount) for amount in amounts]

    return asyncio.run(add())


def test_a_window_begins_with_the_first_and_ends_a_minute_later(clock):
    counts = OwnCounts(clock=clock)
    assert added(counts, 1, 2) == [Counted(1, WINDOW), Counted(3, WINDOW)]
    clock.now += WINDOW - 1
    assert added(counts, 1) == [Counted(4, 1)]
    clock.now += 1
    assert added(counts, 1) == [Counted(1, WINDOW)]


def test_to_look_counts_nothing(clock):
    counts = OwnCounts(clock=clock)
    assert [one.total for one in added(counts, 0, 5, 0, 0)] == [0, 5, 5, 5]
    added(counts, 0, key="somebody else")
    assert list(counts._windows) == ["a"]


def test_one_key_does_not_count_for_another(clock):
    counts = OwnCounts(clock=clock)
    added(counts, 5)
    assert added(counts, 1, key="b")[0].total == 1


def test_however_many_come_only_so_many_are_remembered_and_the_newest_are(clock):
    counts = OwnCounts(most=10, clock=clock)
    for number in range(100):
        added(counts, 1, key=str(number))
    assert len(counts._windows) <= 10
    assert added(counts, 1, key="99")[0].total == 2


def test_what_has_ended_is_forgotten(clock):
    counts = OwnCounts(clock=clock)
    for number in range(100):
        added(counts, 1, key=str(number))
    clock.now += WINDOW
    added(counts, 1)
    assert len(counts._windows) == 1


class Shared:
    """Shared counts that can be away."""

    def __init__(self):
        self.away, self.asked = False, 0

    async def add(self, key, amount):
        self.asked += 1
        if self.away:
            raise CountsAway("nobody there")
        return Counted(1000 + amount, 7.0)


def test_while_the_shared_counts_are_away_each_counts_for_itself(clock):
    shared = Shared()
    counts = CountsWhileTheyCan(shared, OwnCounts(clock=clock), clock=clock)
    assert added(counts, 1) == [Counted(1001, 7.0)]
    shared.away = True
    assert [one.total for one in added(counts, 1, 1, 1)] == [1, 2, 3]
    assert shared.asked == 2


def test_shared_counts_that_are_back_are_used_again_after_a_moment(clock):
    shared = Shared()
    counts = CountsWhileTheyCan(shared, OwnCounts(clock=clock), clock=clock)
    shared.away = True
    added(counts, 1)
    shared.away = False
    assert added(counts, 1)[0].total == 2
    clock.now += 1
    assert added(counts, 1)[0].total == 1001


# With a real server


@pytest.fixture(scope="module")
def shared_url():
    if SERVER is None:
        pytest.skip("neither valkey-server nor redis-server is on the PATH")
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_counts, "PATIENCE", 60)  # a busy machine is not what is tested
        address = f"{folder}/s"
        command = [SERVER, "--port", "0", "--unixsocket", address, "--save", "", "--appendonly", "no"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert any("ready to accept connections" in line.lower() for line in server.stdout), "it ended instead"
            yield f"unix://{address}"
            server.kill()


def test_the_server_counts_as_this_process_would(shared_url):
    async def count():
        one, two = SharedCounts(shared_url), SharedCounts(shared_url)
        counted = [await one.add("k", 0), await one.add("k", 2), await two.add("k", 3), await one.add("k", 0)]
        await one.close()
        await two.close()
        return counted

    counted = asyncio.run(count())
    assert [one.total for one in counted] == [0, 2, 5, 5]
    assert all(WINDOW - 10 < one.left <= WINDOW + 1 for one in counted)


def test_replicas_count_together(shared_url, new_database):
    token_key = orjson.dumps(ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True)).decode()
    same = {"limits_url": shared_url, "token_key": token_key, "requests_per_minute": 3}
    url = new_database("gateway")
    with listening(url, **same) as one, listening(url, **same) as other:
        bearer = one.client().bearer
        answers = [gateway.http.get("/v1/series", headers=bearer) for gateway in (one, other, one, other, one)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[3].headers["Retry-After"]) <= WINDOW


def test_a_gateway_whose_shared_counts_are_away_lets_callers_in(listen):
    with listen(limits_url="redis://127.0.0.1:9", requests_per_minute=2) as gateway:
        bearer = gateway.client().bearer
        statuses = [gateway.http.get("/v1/series", headers=bearer).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
