"""Bytes put aside come back piece by piece, however many there are."""

import pytest

from services.ingest.commands import pieces
from services.ingest.commands.pieces import Pieces


@pytest.mark.parametrize("in_memory", [4_000_000, 10])
def test_pieces_come_back_in_order_and_more_can_be_added_after(monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr(pieces, "_IN_MEMORY", in_memory)
    some = Pieces()
    sent = [b"first", b"", b"x" * 30, b"last"]
    for piece in sent:
        some.add(piece)

    assert list(some) == sent
    some.add(b"more")
    assert list(some) == [*sent, b"more"]
    assert len(some) == 5
