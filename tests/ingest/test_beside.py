"""Work is done beside the reading of the next block, in its order, and what it raises is heard."""

from collections.abc import Callable

import pytest

from services.ingest.commands.beside import Beside
from services.ingest.rules.faults import Unreadable


def test_large_and_small_pieces_of_work_are_done_in_the_order_they_came() -> None:
    done: list[int] = []
    with Beside() as beside:
        for number, rows in enumerate((10, 3000, 5, 4000, 1, 9000, 9000, 9000)):
            beside.do(lambda number=number: done.append(number), rows=rows)  # type: ignore[misc]

    assert done == list(range(8))


def fails() -> None:
    raise Unreadable("cut-off", "The file ends in the middle of a row.")


def begun(*works: Callable[[], None]) -> None:
    with Beside() as beside:
        for work in works:
            beside.do(work, rows=3000)


def test_what_the_work_raises_comes_out() -> None:
    done: list[str] = []
    with pytest.raises(Unreadable):
        begun(lambda: done.append("first"), fails)

    assert done == ["first"]
