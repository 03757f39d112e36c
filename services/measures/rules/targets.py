"""Targets: where the figure should be by now, whether it is, and whether the process as it is can get there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

Path = Literal["linear", "compounding", "stepped"]
Status = Literal["on_track", "behind", "met", "missed", "lapsed"]
Direction = Literal["increase", "decrease"]


@dataclass(frozen=True, slots=True)
class Target:
    """From `baseline` on the day `start` to `value` by the day `due`, in the measure's own unit.

    `path` says how the figure should move: by equal amounts (`linear`), by equal proportions (`compounding`, which
    needs a baseline and a value of the same sign), or in `steps`, the value from each day on (`stepped`).
    Raises ValueError for a target that has no trajectory.
    """

    baseline: float
    start: date
    value: float
    due: date
    path: Path = "linear"
    steps: tuple[tuple[date, float], ...] = ()

    def __post_init__(self) -> None:
        if self.due <= self.start:
            raise ValueError(f"the target is due on {self.due}, not after its baseline of {self.start}")
        if self.path == "compounding" and self.baseline * self.value <= 0:
            raise ValueError("a compounding trajectory needs a baseline and a value above 0")
        if self.path == "stepped" and not self.steps:
            raise ValueError("a stepped trajectory needs its steps")

    @property
    def direction(self) -> Direction:
        """Which way the target asks the figure to go."""
        return "increase" if self.value >= self.baseline else "decrease"


@dataclass(frozen=True, slots=True)
class Prospect:
    """Whether the process as it is reaches a target: `always`, `never` or `by_chance`; `reason` is a sentence."""

    reaches: Literal["always", "never", "by_chance"]
    reason: str


def trajectory(target: Target, day: date) -> float:
    """Where the figure should be on the day: the baseline until the start, the target's value from its due day."""
    if day >= target.due:
        return target.value
    if day <= target.start:
        return target.baseline
    if target.path == "stepped":
        return max(((on, value) for on, value in target.steps if on <= day), default=(day, target.baseline))[1]
    share = (day - target.start).days / (target.due - target.start).days
    if target.path == "compounding":
        return float(target.baseline * (target.value / target.baseline) ** share)
    return target.baseline + (target.value - target.baseline) * share


def reaches(figure: float, wanted: float, direction: Direction) -> bool:
    """Whether the figure is as good as the wanted one, or better."""
    return figure >= wanted if direction == "increase" else figure <= wanted


def status(target: Target, figure: float | None, *, on: date | None, today: date) -> Status | None:
    """How the target stands, judged by the newest `figure`, which describes the time up to the day `on`.

    `met` as soon as a figure reaches the value; `missed` when the figure of the due day, or of a later one, does not;
    `lapsed` when the due day has passed and no figure reaches so far; before it `on_track` or `behind` the trajectory.
    None when there is no figure yet and the target is not yet due.
    """
    if figure is None or on is None:
        return "lapsed" if today > target.due else None
    if reaches(figure, target.value, target.direction):
        return "met"
    if on >= target.due:
        return "missed"
    if today > target.due:
        return "lapsed"
    return "on_track" if reaches(figure, trajectory(target, on), target.direction) else "behind"


_PROSPECTS: Mapping[str, Literal["always", "never", "by_chance"]] = {
    "pass": "always",
    "fail": "never",
    "inconsistent": "by_chance",
}


def prospect(assurance: str | None, value: float, lower: float | None, upper: float | None) -> Prospect | None:
    """Whether the present process reaches `value`, from the assurance of its chart and the limits it now has.

    None where the chart gives no assurance, or has no limits to give it from.
    """
    verdict = _PROSPECTS.get(assurance or "")
    if verdict is None or lower is None or upper is None:
        return None
    limits = f"between {lower:.3g} and {upper:.3g}"
    sentences = {
        "always": f"Unless it changes, the process will keep figures {limits}, always reaching {value:.3g}.",
        "never": f"Unless it changes, the process will keep figures {limits}, never reaching {value:.3g}.",
        "by_chance": f"Unless it changes, the process will keep figures {limits}, reaching {value:.3g} only by chance.",
    }
    return Prospect(verdict, sentences[verdict])
