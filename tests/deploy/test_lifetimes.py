"""What runs for the length of a block is stopped at its end, however the block or its beginning went."""

import fcntl
from pathlib import Path
from typing import Self

import pytest

from deploy import cli
from deploy.lifetimes import Lifetime
from deploy.serving import PortTaken, bound


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


def test_a_port_that_is_taken_is_said_with_the_remedy() -> None:
    with bound() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} cannot be had .*: choose another with --port"):
            bound(port)


def test_at_the_terminal_what_cannot_be_started_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "postgres").mkdir()
    monkeypatch.setattr("sys.argv", ["psip", "demo", "--data-dir", str(tmp_path)])
    with (tmp_path / "postgres/supervisor.json").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="is in use by another process: stop it, or choose another data folder"):
            cli.main()
