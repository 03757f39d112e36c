"""Step changes to suggest to a person: sustained runs on one side of a median (runcharter 0.2.0).

Nothing is ever rebased by these: a rebase is a judgement that somebody makes and signs.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

from services.measures.rules.spc.series import InvalidSeries

Direction = Literal["above", "below", "both"]


class Phase(NamedTuple):
    """A stretch of a run chart. Indices of points: its median comes from `start` to `end`, and holds to `extend_to`."""

    median: float
    start: int
    end: int
    extend_to: int


def suggest_step_changes(
    values: Sequence[float | None], *, baseline_points: int = 13, run_points: int = 9, direction: Direction = "both"
) -> list[Phase]:
    """The baseline phase, and a phase from each run of `run_points` useful points on one side of the median before it.

    Points on the median, and missing ones, neither count nor break a run. Each phase after the first is a suggested
    rebase at its `start`. Raises `InvalidSeries` for fewer than `baseline_points` + `run_points` points.
    """
    needed = baseline_points + run_points
    baseline = [value for value in values[:baseline_points] if value is not None]
    if len(values) < needed or not baseline:
        raise InvalidSeries(f"needs {needed} points or more", series=0, field="values")
    found = [(float(median(baseline)), 0, baseline_points - 1)]
    while (run := _first_run(values, found[-1], run_points, direction)) is not None:
        found.append((float(median(value for index in run if (value := values[index]) is not None)), run[0], run[-1]))
    ends = [start for _, start, _ in found[1:]] + [len(values) - 1]
    return [Phase(*phase, extend_to) for phase, extend_to in zip(found, ends, strict=True)]


_SIDES = {"above": (1,), "below": (-1,), "both": (1, -1)}


def _first_run(
    values: Sequence[float | None], phase: tuple[float, int, int], run_points: int, direction: Direction
) -> list[int] | None:
    """Indices of the first run that is long enough after the end of the phase."""
    centre, _, end = phase
    run: list[int] = []
    side = 0
    for index in range(end + 1, len(values)):
        value = values[index]
        if value is None or value == centre:
            continue
        now = 1 if value > centre else -1
        run = [*run, index] if now == side else [index]
        side = now
        if len(run) == run_points and side in _SIDES[direction]:
            return run
    return None
