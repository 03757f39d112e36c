"""What care homes send each week: who lived there, what happened to them, and what was done about it."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from deploy.demo.organisations import Home, homes
from deploy.demo.span import Span, chance
from deploy.demo.stories import NIL_HOME, NIL_WEEKS, SILENT_HOME, SILENT_WEEKS, course

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

DAYS = 7
OCCUPANCY = (0.82, 0.97)
DOSES_DAILY = 8.2
HURT = 0.22
"""Of falls."""
KINDS: Mapping[str, float] = {
    "omission": 0.42, "wrong_time": 0.23, "wrong_dose": 0.12, "record_error": 0.1, "wrong_drug": 0.06,
    "wrong_resident": 0.03, "wrong_route": 0.02, "wrong_form": 0.02,
}  # fmt: skip
"""Medicine errors by kind."""

RATES: Mapping[str, float] = {
    "falls": 5.6,
    "calls_999": 1.5,
    "emergency_admissions": 1.1,
    "deaths": 0.75,
    "new_pressure_ulcers": 0.3,
    "escalations_sbard": 2.2,
}
"""Events in 1,000 resident days, of a plausible order. Residents in England's homes die at about this rate."""
ERRORS = 1.4
"""Medicine errors in 1,000 doses due."""
HUDDLES = 0.72
HUDDLES_PLANNED = 2 * DAYS
"""Of the huddles planned, one at each handover of the day, how many are held."""
EVENTS = ("falls", "falls_with_injury", "med_errors", "calls_999", "conveyances", "emergency_admissions", "deaths",
          "new_pressure_ulcers", "escalations_sbard")  # fmt: skip
"""What there is none of in a week of a nil return."""


def weekly(span: Span) -> pl.DataFrame:
    """Every row of every home, week by week, in the columns of the feed, with `period` (as the contract writes it)."""
    frame = pl.concat([_of(home, span) for home in homes()])
    silent = [span.week(back).text for back in SILENT_WEEKS]
    return frame.filter(~((pl.col("_home") == SILENT_HOME) & pl.col("period").is_in(silent))).drop("_home")


def _of(home: Home, span: Span) -> pl.DataFrame:
    generator = chance("weeks", home.code)
    weeks = len(span.weeks)
    level = generator.uniform(*OCCUPANCY)
    residents = np.clip(np.round(home.beds * (level + np.cumsum(generator.normal(0, 0.004, weeks)))), 6, home.beds)
    days = (residents * DAYS - generator.integers(0, 4, weeks)).astype(np.int64)
    columns = _capacity(home, residents.astype(np.int64), days, generator) | _events(home, days, generator)
    nil = np.isin(np.arange(weeks)[::-1], NIL_WEEKS) & (home.code == NIL_HOME)
    for name in (*EVENTS, *(f"med_errors_{kind}" for kind in KINDS)):
        columns[name] = np.where(nil, 0, columns[name])
    return pl.DataFrame({
        "_home": pl.repeat(home.code, weeks, eager=True),
        "period": [week.text for week in span.weeks],
        "schema_version": pl.repeat("1.0.0", weeks, eager=True),
        "extract_datetime": [datetime.combine(week.end, time()) + timedelta(days=1) for week in span.weeks],
        "submission_status": ["final" if span.is_final(week) else "provisional" for week in span.weeks],
        "cqc_location_id": pl.repeat(home.cqc, weeks, eager=True),
        "week_ending": [week.end for week in span.weeks],
        **columns,
        "nil_return": nil,
    })  # fmt: skip


def _capacity(home: Home, residents: Whole, days: Whole, generator: np.random.Generator) -> dict[str, Any]:
    vacant = home.beds - residents
    reserved = generator.binomial(vacant, 0.2)
    nurses, carers = max(1, home.beds // 8), max(6, int(home.beds * 0.8))
    return {
        "beds_registered": np.full(len(days), home.beds),
        "beds_occupied": residents,
        "vacant_reserved": reserved,
        "vacant_accepting": vacant - reserved,
        "resident_days": days,
        "staff_nurses_employed": np.full(len(days), nurses),
        "staff_care_employed": carers + generator.integers(-2, 3, len(days)),
        "staff_agency": generator.poisson(carers * 0.06, len(days)),
    }


def _events(home: Home, days: Whole, generator: np.random.Generator) -> dict[str, Any]:
    weeks = len(days)
    drawn = {name: generator.poisson(days / 1000 * rate * _level(home, name)) for name, rate in RATES.items()}
    doses = (days * DOSES_DAILY).astype(np.int64)
    errors = generator.poisson(doses / 1000 * ERRORS * _level(home, "errors") * course(home.code, "ms-ch-admin", weeks))
    kinds = generator.multinomial(errors, list(KINDS.values())).T
    held = HUDDLES * _level(home, "huddles") * course(home.code, "ms-ch-huddle", weeks)
    return drawn | {
        "falls_with_injury": generator.binomial(drawn["falls"], HURT),
        "conveyances": generator.binomial(drawn["calls_999"], 0.7),
        "med_doses_due": doses,
        "med_errors": errors,
        **{f"med_errors_{kind}": count for kind, count in zip(KINDS, kinds, strict=True)},
        "safety_huddles_planned": np.full(weeks, HUDDLES_PLANNED),
        "safety_huddles_held": generator.binomial(HUDDLES_PLANNED, np.clip(held, 0, 0.96)),
        "deterioration_checks_done": generator.binomial(days, 0.6),
    }  # fmt: skip


def _level(home: Home, name: str) -> float:
    """How a home differs from the average in something, always."""
    return float(np.exp(chance("level", name, home.code).normal(0, 0.2)))
