"""The newest periods of an aggregate wait until most members have sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.gathering import gathered


@pytest.mark.parametrize(
    ("senders", "judged"),
    [
        ([], 0),
        ([3], 1),
        ([40, 40, 40], 3),
        ([40, 40, 5], 2),
        ([40, 40, 36], 3),
        ([40, 40, 35], 2),
        ([40, 40, 30, 5], 2),
        ([5, 10, 20, 40], 4),
    ],
)
def test_periods_in_which_fewer_than_nine_in_ten_have_sent_are_left_off_the_end(
    senders: list[int], judged: int
) -> None:
    assert gathered(senders) == judged


def test_a_gap_long_ago_holds_nothing_up() -> None:
    assert gathered([40] * 6 + [1] + [40] * 6) == 13


def test_those_who_left_for_good_are_no_longer_waited_for() -> None:
    assert gathered([40] * 12 + [30] * 5) == 12
    assert gathered([40] * 12 + [30] * 8) == 20


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_what_can_be_judged_grows_with_what_comes(senders: list[int]) -> None:
    fuller = [*senders[:-1], senders[-1] + 50]
    assert gathered(fuller) == len(senders)
    assert 1 <= gathered(senders) <= len(senders)
