"""Whether to ask somebody who has failed again and again: a rule without a clock, which is handed the time.

closed     it is asked; so many failures in a row, with no success between them, open it
open       it is not asked, and whoever wants to is told at once how long it will be
half-open  the pause is over: one may try. Well, and it is closed; not, and it is open for twice as long
"""

from math import ceil
from typing import Literal

State = Literal["closed", "open", "half-open"]


class Breaker:
    """One circuit. Times are seconds of a clock that never goes back.

    `failures` in a row open it for `pause` seconds, twice that after each trial that fails, `longest` at most. A trial
    that never says how it went stands in nobody's way for longer than one more pause.
    """

    def __init__(self, *, failures: int = 5, pause: float = 1.0, longest: float = 8.0) -> None:
        self._failures, self._pause, self._longest = failures, pause, longest
        self._in_a_row = 0
        self._open_for = pause
        self._trial_at: float | None = None  # the instant of the next trial, while it is open
        self._trying = False

    def state(self, now: float) -> State:
        """What it is at this instant."""
        if self._trial_at is None:
            return "closed"
        return "half-open" if self._trying or now >= self._trial_at else "open"

    def may_ask(self, now: float) -> bool:
        """Whether to ask. While it is half-open, who is told so is the one who tries."""
        if self._trial_at is None:
            return True
        if now < self._trial_at:
            return False
        self._trying, self._trial_at = True, now + self._open_for
        return True

    def wait(self, now: float) -> int:
        """Whole seconds until somebody may try; at least one."""
        return max(1, ceil((self._trial_at or now) - now))

    def succeeded(self) -> None:
        """An answer came: it is closed."""
        self._in_a_row, self._trial_at, self._trying, self._open_for = 0, None, False, self._pause

    def failed(self, now: float) -> None:
        """No answer came. While it is open only the failure of a trial counts: others were asked before."""
        if self._trial_at is None:
            self._in_a_row += 1
            if self._in_a_row >= self._failures:
                self._trial_at = now + self._open_for
        elif self._trying:
            self._trying = False
            self._open_for = min(2 * self._open_for, self._longest)
            self._trial_at = now + self._open_for
