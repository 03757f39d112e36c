"""Instants as addresses carry them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.instants import Instant

READ = TypeAdapter(Instant).validate_python


@pytest.mark.parametrize(
    "written",
    ["2026-11-24T03:49:43.351044 00:00", "2026-11-24 03:49:43.351044 00:00", "2026-11-24T04:49:43.351044 01:00"],
)
def test_a_plus_that_came_as_a_space_is_a_plus(written):
    assert READ(written) == READ("2026-11-24T03:49:43.351044+00:00")


@pytest.mark.parametrize(
    "written", ["2026-11-24", "2026-11-24 04:00", "2026-11-24T04:00:00", "2026-11-24T04:00:00 0100"]
)
def test_without_an_offset_it_is_no_instant(written):
    with pytest.raises(ValidationError):
        READ(written)
