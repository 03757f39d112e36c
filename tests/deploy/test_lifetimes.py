"""What runs for the length of a block is stopped at its end, however the block or its beginning went."""

from typing import Self

import pytest

from deploy.lifetimes import Lifetime


class Lamp(Lifetime):
    """Lit from `start` to `stop`; one that is broken is lit half-way when it fails."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken, self.lit = broken, False

    def start(self) -> Self:
        self.lit = True
        if self.broken:
            raise RuntimeError("broken")
        return self

    def stop(self) -> None:
        self.lit = False


def test_it_runs_in_the_block_and_no_longer() -> None:
    with Lamp() as lamp:
        assert lamp.lit
    assert not lamp.lit


def test_it_is_stopped_when_the_block_fails() -> None:
    lamp = Lamp()
    with pytest.raises(ValueError, match="in the block"), lamp:
        raise ValueError("in the block")
    assert not lamp.lit


def test_what_was_started_by_half_is_stopped() -> None:
    lamp = Lamp(broken=True)
    with pytest.raises(RuntimeError, match="broken"), lamp:
        pass
    assert not lamp.lit
