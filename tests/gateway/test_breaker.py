"""Who has failed again and again is left alone for a while, and then tried by one."""

import pytest

from gateway.breaker import Breaker


def opened(at=100.0, **others):
    breaker = Breaker(failures=3, pause=1.0, longest=4.0, **others)
    for _ in range(3):
        breaker.failed(at)
    return breaker


def test_failures_in_a_row_open_it():
    breaker = Breaker(failures=3)
    breaker.failed(0)
    breaker.failed(0)
    assert breaker.may_ask(0)
    breaker.failed(0)
    assert (breaker.may_ask(0), breaker.state(0)) == (False, "open")


def test_one_success_between_failures_keeps_it_closed():
    breaker = Breaker(failures=3)
    for _ in range(10):
        breaker.failed(0)
        breaker.failed(0)
        breaker.succeeded()
    assert (breaker.may_ask(0), breaker.state(0)) == (True, "closed")


@pytest.mark.parametrize(("now", "wait"), [(100.0, 1), (100.4, 1), (100.999, 1)])
def test_while_it_is_open_it_says_how_long(now, wait):
    breaker = opened()
    assert not breaker.may_ask(now)
    assert breaker.wait(now) == wait


def test_after_the_pause_one_may_try_and_the_others_wait():
    breaker = opened()
    assert breaker.state(101.0) == "half-open"
    assert [breaker.may_ask(101.0) for _ in range(3)] == [True, False, False]


def test_a_trial_that_goes_well_closes_it():
    breaker = opened()
    breaker.may_ask(101.0)
    breaker.succeeded()
    assert (breaker.state(101.0), breaker.may_ask(101.0), breaker.may_ask(101.0)) == ("closed", True, True)


def test_each_trial_that_fails_doubles_the_pause_up_to_the_longest():
    breaker, now, waits = opened(), 100.0, []
    for _ in range(4):
        now += breaker.wait(now)
        assert breaker.may_ask(now)
        breaker.failed(now)
        waits.append(breaker.wait(now))
    assert waits == [2, 4, 4, 4]


def test_after_a_success_it_begins_with_the_short_pause_again():
    breaker = opened()
    breaker.may_ask(101.0)
    breaker.failed(101.0)
    breaker.may_ask(103.0)
    breaker.succeeded()
    for _ in range(3):
        breaker.failed(200.0)
    assert breaker.wait(200.0) == 1


def test_failures_of_those_who_had_asked_before_it_opened_do_not_lengthen_the_pause():
    breaker = opened()
    for _ in range(100):
        breaker.failed(100.5)
    assert breaker.may_ask(101.0)


def test_a_late_answer_closes_it():
    breaker = opened()
    breaker.succeeded()
    assert breaker.may_ask(100.0)


def test_a_trial_that_is_never_heard_of_again_does_not_stand_in_the_way():
    breaker = opened()
    assert breaker.may_ask(101.0)
    assert not breaker.may_ask(101.9)
    assert breaker.may_ask(102.0)
