"""Version numbers: which comes next, which is later, what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.programmes.rules import versions

NUMBERS = st.tuples(*[st.integers(0, 30)] * 3)


def test_the_first_version_is_the_first():
    assert versions.after(None) == "1.0.0"


@given(NUMBERS)
def test_the_next_version_is_later(numbers):
    version = ".".join(map(str, numbers))
    assert versions.is_later(versions.after(version), version)


@given(NUMBERS, NUMBERS)
def test_versions_order_as_their_numbers_do(one, other):
    assert versions.is_later(".".join(map(str, one)), ".".join(map(str, other))) == (one > other)


@pytest.mark.parametrize("text", ["1", "1.0", "1.0.0.0", "v1.0.0", "1.0.x", ""])
def test_anything_else_is_not_a_version(text):
    with pytest.raises(ValueError, match=r"three numbers, such as 1\.0\.0"):
        versions.parts(text)
