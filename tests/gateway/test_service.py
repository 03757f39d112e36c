"""A service that fails again and again is left alone for a moment, and whose fault a failure is."""

import asyncio

import pytest

from gateway.pool import Origin, Patience
from gateway.problems import BodyTooLarge
from gateway.proxy import problem_of
from gateway.service import ClientGone, LeftAlone, Service
from gateway.wire import Broken, CannotConnect, ConnectTooSlow, PoolTooSlow, TooSlow


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Connections:
    """The connections of a service that does as it is told: raises, or answers."""

    def __init__(self):
        self.does, self.asked = None, 0

    async def send(self, *_, **__):
        self.asked += 1
        if self.does is not None:
            raise self.does
        return "an answer"


@pytest.fixture
def service():
    one = Service("measures", Origin("127.0.0.1", 9), clock=Clock())
    one.pool = Connections()
    return one


def ask(service, times=1):
    async def asked():
        return await service.send(b"", patience=Patience())

    told = []
    for _ in range(times):
        try:
            told.append(asyncio.run(asked()))
        except Exception as error:
            told.append(error)
    return told


@pytest.mark.parametrize("failure", [CannotConnect, ConnectTooSlow, Broken, TooSlow])
def test_after_five_failures_it_is_not_asked_and_callers_are_told_at_once(service, failure):
    service.pool.does = failure()
    told = ask(service, 8)
    assert [type(one) for one in told] == [failure] * 5 + [LeftAlone] * 3
    assert (service.pool.asked, service.left_alone) == (5, True)
    assert (problem_of(told[-1]).status, problem_of(told[-1]).headers) == (503, {"Retry-After": "1"})


def test_when_it_answers_again_it_is_asked_again(service):
    service.pool.does = CannotConnect()
    ask(service, 5)
    service.pool.does = None
    assert isinstance(ask(service)[0], LeftAlone)
    service._clock.now += 1
    assert ask(service, 3) == ["an answer"] * 3
    assert not service.left_alone


def because(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "fault",
    [because(Broken(), ClientGone()), because(Broken(), BodyTooLarge()), PoolTooSlow()],
    ids=["hung up", "too large", "every connection in use"],
)
def test_what_callers_do_is_no_failure_of_the_service(service, fault):
    service.pool.does = fault
    ask(service, 20)
    assert (service.pool.asked, service.left_alone) == (20, False)


@pytest.mark.parametrize(
    ("error", "status", "remedy"),
    [
        (CannotConnect(), 503, "can be repeated after"),
        (ConnectTooSlow(), 503, "can be repeated after"),
        (PoolTooSlow(), 503, "can be repeated after"),
        (LeftAlone(7), 503, "can be repeated after"),
        (Broken(), 502, "same Idempotency-Key"),
        (TooSlow(), 504, "same Idempotency-Key"),
    ],
)
def test_every_failure_is_a_problem_with_its_remedy(error, status, remedy):
    problem = problem_of(error)
    assert problem.status == status
    assert remedy in problem.detail
    assert ("Retry-After" in problem.headers) == (status == 503)


def test_how_long_it_is_left_alone_is_what_callers_are_told_to_wait():
    assert problem_of(LeftAlone(7)).headers == {"Retry-After": "7"}
