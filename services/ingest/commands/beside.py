"""What is done with one block while the next is being read and judged.

The work goes on in its order on a thread of its own, so that a large file has the use of two cores; no more than two
pieces of it are in hand at a time.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

_FEW = 2_000  # rows that take less time than starting a thread
_IN_HAND = 1  # besides the one that is being done: more would only wait, in memory


class Beside:
    """Does work in the order it is given; all of it is done when the `with` ends well, none is begun after an error.

    What the work raises comes out of a later `do`, or at the end.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._in_hand: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, reason: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            while self._in_hand and kind is None:
                self._in_hand.popleft().result()
        finally:
            self._thread.shutdown(cancel_futures=True)

    def do(self, work: Callable[[], None], *, rows: int) -> None:
        """Do this next; at once if there are few rows to it and nothing is in hand."""
        if rows <= _FEW and not self._in_hand:
            work()
            return
        self._in_hand.append(self._thread.submit(work))
        if len(self._in_hand) > _IN_HAND:
            self._in_hand.popleft().result()
