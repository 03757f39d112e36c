"""What is planted in the figures for somebody to find.

| story       | where    | what                                                                                     |
|-------------|----------|------------------------------------------------------------------------------------------|
| improvement | RGT      | optimal cord management steps up 13 months ago, after a change idea that is annotated    |
| improvement | RWG      | falls step down 10 months ago, after a change idea                                       |
| improvement | VN001    | a care home holds its safety huddles from 40 weeks ago on; medicine errors fall          |
| concern     | RAJ      | major haemorrhage rises over two months, almost a year ago, and stays                    |
| missing     | RQW      | no births return for one month, 7 months ago                                             |
| missing     | VN012    | a care home sends nothing for three weeks                                                |
| late        | RCX      | the newest births return has not come yet                                                |
| correction  | RGN      | the births of 5 months ago are sent again, with those that were left out                 |
| merger      | RVJ, RA7 | RVJ closed on 30 June 2026 and sends no more; RA7 carries on with the births of both     |
| nil return  | VN007    | a care home says for two weeks that there was nothing to report                          |
| faults      | RGR      | the births of 2 months ago have rows with mistakes: the good rows land, the bad are told |

Everything is counted back from the newest period, so that the stories stay where they are as time goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from deploy.demo.span import Span
from shared.contracts.periods import Period

Course = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shift:
    """From `back` periods before the newest, what a measure counts is `factor` times what it was.

    The change takes `over` periods. `before` is how it compared with the average until then. `idea` is the change idea
    behind it, which is annotated on the day it began.
    """

    organisation: str
    measure: str
    back: int
    factor: float
    over: int = 1
    before: float = 1.0
    idea: str | None = None


@dataclass(frozen=True, slots=True)
class Merger:
    """The work of `closed` passed to `successor`; `last_day` was its last."""

    closed: str
    successor: str
    last_day: date


_CORD = "Resuscitaire at the bedside: the cord is clamped after 60 seconds or later"
_FALLS = "Bay watch: somebody is always with those who may fall"
_HUDDLES = "A safety huddle of ten minutes at every handover"
IMPROVED_CORD = Shift("RGT", "mn-opt-ocm", 13, 1.75, before=0.8, idea=_CORD)
IMPROVED_FALLS = Shift("RWG", "ss-falls", 10, 0.7, idea=_FALLS)
IMPROVED_HUDDLES = Shift("VN001", "ms-ch-huddle", 40, 2.0, before=0.6, idea=_HUDDLES)
FEWER_ERRORS = Shift("VN001", "ms-ch-admin", 40, 0.35, over=8, before=1.8)
RISING_HAEMORRHAGE = Shift("RAJ", "mn-cqimpph", 11, 2.5, over=2)
SHIFTS = (IMPROVED_CORD, IMPROVED_FALLS, IMPROVED_HUDDLES, FEWER_ERRORS, RISING_HAEMORRHAGE)

MERGER = Merger("RVJ", "RA7", date(2026, 6, 30))
MISSING = ("RQW", 7)
LATE = ("RCX", 0)
CORRECTION = ("RGN", 5)
LEFT_OUT = 0.12
"""The share of births that the return which is corrected had left out."""
FAULTY = ("RGR", 2)
NIL_HOME, NIL_WEEKS = "VN007", (8, 9)
SILENT_HOME, SILENT_WEEKS = "VN012", (20, 21, 22)


def course(organisation: str, measure: str, periods: int) -> Course:
    """What the rate of a measure is multiplied by in each of so many periods, the newest last; 1 without a story."""
    factors = np.ones(periods)
    back = np.arange(periods)[::-1]
    for shift in SHIFTS:
        if (shift.organisation, shift.measure) == (organisation, measure):
            done = np.clip((shift.back - back + 1) / shift.over, 0.0, 1.0)
            factors *= shift.before * (1 + (shift.factor - 1) * done)
    return factors


def birth_months(code: str, span: Span) -> list[Period]:
    """The months for which a trust sends births, in order."""
    skipped = {span.month(back) for trust, back in (MISSING, LATE) if trust == code}
    return [month for month in open_months(code, span) if month not in skipped]


def open_months(code: str, span: Span) -> list[Period]:
    """The months in which a trust was open from the first day to the last."""
    return [month for month in span.months if code != MERGER.closed or month.end <= MERGER.last_day]


def share_of(code: str, sizes: Mapping[str, int], month: Period) -> int:
    """The size of a trust in a month: what was that of the trust that closed is its successor's afterwards."""
    taken_over = code == MERGER.successor and month.start > MERGER.last_day
    return sizes[code] + (sizes[MERGER.closed] if taken_over else 0)
