"""Figures that trusts have counted already: a row a month and measure, in the columns of `measure-counts`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from deploy.demo.span import Span, chance
from deploy.demo.stories import course, open_months, share_of
from deploy.demo.units import UNITS, Unit

Whole = npt.NDArray[np.int64]

OCCUPANCY = 0.93
STAY_DAYS = 4.4
OBSERVED_DAILY = 4.3
DOSES_DAILY = 9.5

POOLS: Mapping[str, float] = {
    "admissions": 1 / STAY_DAYS,
    "observations": OBSERVED_DAILY,
    "first_triggers": 0.06 / STAY_DAYS,
    "high_triggers": 0.035 / STAY_DAYS,
    "doses": DOSES_DAILY,
    "critical_doses": DOSES_DAILY * 0.06,
    "incidents": 0.0011,
    "discharges": 0.95 / STAY_DAYS,
}
"""What events are drawn from: how many there are in an occupied bed day."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A measure: events drawn from a pool (of `POOLS`, `bed_days`, or the events of an earlier measure) at `rate`.

    The rate goes to `rate_now` by the end of the span. The denominator is the pool, or what `per` names. `varies` is
    how much trusts differ (as a share), `stirs` how much months do beyond chance, `begins` the first month of a
    collection that is newer than the span.
    """

    measure: str
    pool: str
    rate: float
    rate_now: float | None = None
    per: str | None = None
    varies: float = 0.1
    stirs: float = 0.0
    begins: date | None = None


MARTHA = date(2024, 9, 1)
"""When calls under Martha's Rule began to be collected: 10,119 by December 2025, 34% for deterioration (3,457), 1,885
of them with a change of treatment (DOMAIN.md section 1.3)."""

COUNTED: tuple[Counted, ...] = (
    Counted("ss-falls", "bed_days", 0.0066),
    Counted("ss-falls-harm", "ss-falls", 0.026, per="bed_days", varies=0.2),
    Counted("ss-pu", "bed_days", 0.0011, varies=0.2),
    Counted("ss-doc", "incidents", 0.90, varies=0.04),
    Counted("md-arrest", "admissions", 0.0012, varies=0.15),
    Counted("md-unpicu", "admissions", 0.0048, varies=0.2),
    Counted("md-obs-ontime", "observations", 0.84, 0.88, varies=0.03, stirs=0.008),
    Counted("md-news2-comp", "observations", 0.93, 0.95, varies=0.02, stirs=0.005),
    Counted("md-news5-esc", "first_triggers", 0.74, 0.78, varies=0.06, stirs=0.01),
    Counted("md-news7-resp", "high_triggers", 0.80, 0.82, varies=0.05, stirs=0.01),
    Counted("md-martha-calls", "bed_days", 0.00014, 0.00034, varies=0.3, begins=MARTHA),
    Counted("md-martha-det", "md-martha-calls", 0.34, varies=0.05, begins=MARTHA),
    Counted("md-martha-change", "md-martha-det", 0.545, varies=0.05, begins=MARTHA),
    Counted("md-martha-c1", "bed_days", 0.45, 0.80, varies=0.1, stirs=0.01, begins=MARTHA),
    Counted("ms-omit", "doses", 0.014, 0.012, varies=0.15, stirs=0.04),
    Counted("ms-omit-crit", "critical_doses", 0.055, 0.050, varies=0.15, stirs=0.03),
    Counted("ms-sevharm", "bed_days", 0.00003, varies=0.1),
    Counted("ms-dms", "discharges", 0.012, 0.018, varies=0.3, stirs=0.05),
)
"""Falls: 6.6 to 6.8 per 1,000 occupied bed days in a typical acute trust. The other rates are of a plausible order."""


def counts(unit: Unit, span: Span) -> pl.DataFrame:
    """All figures of a trust: `organisation`, `period`, `measure`, `numerator`, `denominator`, `stratum` (blank)."""
    generator = chance("counts", unit.code)
    pools = _pools(unit, span, generator)
    frames = []
    for one in COUNTED:
        pools[one.measure] = _events(one, unit, pools[one.pool], generator)
        columns = {"numerator": pools[one.measure], "denominator": pools[one.per or one.pool]}
        frames.append(pl.DataFrame(columns).with_columns(
            pl.lit(unit.code).alias("organisation"),
            pl.Series("period", [month.text for month in span.months]),
            pl.lit(one.measure).alias("measure"),
            pl.lit(None, pl.String).alias("stratum"),
        ).filter(pl.Series([one.begins is None or month.start >= one.begins for month in span.months])))  # fmt: skip
    sent = [month.text for month in open_months(unit.code, span)]
    order = ("organisation", "period", "measure", "numerator", "denominator", "stratum")
    return pl.concat(frames).filter(pl.col("period").is_in(sent)).select(order)


def _pools(unit: Unit, span: Span, generator: np.random.Generator) -> dict[str, Whole]:
    """How many of each there were, month by month; a few more occupied beds in winter."""
    beds = {one.code: one.beds for one in UNITS}
    days = np.array([share_of(unit.code, beds, month) * month.end.day for month in span.months])
    season = np.array([1 + 0.025 * np.cos((month.start.month - 1) / 6 * np.pi) for month in span.months])
    bed_days = days * OCCUPANCY * season * generator.normal(1, 0.01, len(days))
    drawn = {name: np.asarray(generator.poisson(bed_days * share), np.int64) for name, share in POOLS.items()}
    return {"bed_days": np.asarray(bed_days, np.int64), **drawn}


def _events(one: Counted, unit: Unit, pool: Whole, generator: np.random.Generator) -> Whole:
    likely = np.linspace(one.rate, one.rate_now or one.rate, len(pool))
    likely *= np.exp(chance("level", one.measure, unit.code).normal(0, one.varies))
    likely *= np.exp(generator.normal(0, one.stirs, len(pool)))
    likely *= course(unit.code, one.measure, len(pool))
    return np.asarray(generator.binomial(pool, np.clip(likely, 0, 0.98)), np.int64)
