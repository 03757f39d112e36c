"""Births: a row a baby, as a trust's maternity system would write them, with ids that mean nothing elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from deploy.demo import rates
from deploy.demo.span import Span, chance
from deploy.demo.stories import course, open_months, share_of
from deploy.demo.units import UNITS, Unit
from shared.contracts.periods import Period

Moments = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]

SEASON = 0.03
MINUTE = np.timedelta64(60_000, "ms")
CLOCKS_CHANGE, CHANGING = 60, 120
"""The minute of the day from which clocks may be put forward or back, and for how long; nobody is born in it."""
LATEST = 23 * 60 + 30


@dataclass(frozen=True, slots=True)
class Draw:
    """What the rows of one trust are drawn with; `month` is the place of each row's month in the span."""

    unit: Unit
    chance: np.random.Generator
    month: Whole
    periods: int

    def happens(self, likelihood: Floats | float) -> Flags:
        """Whether something of that likelihood happens, for each row."""
        return self.chance.random(len(self.month)) < likelihood

    def between(self, low: Floats | float, high: Floats | float) -> Floats:
        """A number for each row."""
        return self.chance.uniform(low, high, len(self.month))

    def trend(self, ends: tuple[float, float]) -> Floats:
        """What goes evenly from one rate to another over the span, for each row."""
        straight: Floats = np.linspace(*ends, self.periods)
        return straight[self.month]

    def story(self, measure: str) -> Floats:
        """What the stories multiply the rate of a measure by, for each row."""
        return course(self.unit.code, measure, self.periods)[self.month]


def births(unit: Unit, span: Span) -> pl.DataFrame:
    """All births of a trust in the span, in the columns of the feed, with `period` (as the contract writes it)."""
    months = open_months(unit.code, span)
    offset = span.months.index(months[0]) if months else 0
    generator = chance("births", unit.code)
    sizes = {one.code: one.births for one in UNITS}
    expected = [share_of(unit.code, sizes, month) * _season(month) for month in months]
    counts = generator.poisson(expected)
    mothers = Draw(unit, generator, np.repeat(np.arange(len(months)) + offset, counts), len(span.months))
    columns = _mothers(mothers)
    twins = columns["births_per_labour"] == 2
    which = np.repeat(np.arange(len(twins)), np.where(twins, 2, 1))
    babies = Draw(unit, generator, mothers.month[which], len(span.months))
    columns = {name: values[which] for name, values in columns.items()}
    order = np.ones(len(which), np.int64)
    order[1:] += which[1:] == which[:-1]
    columns |= _babies(babies, columns, which, order, _moments(babies, which, span))
    return _framed(unit, span, babies.month, columns)


def _season(month: Period) -> float:
    """A few more births in late summer."""
    return float(1 + SEASON * np.cos((month.start.month - 9) / 6 * np.pi))


def _mothers(draw: Draw) -> dict[str, Any]:
    """What is true of a mother and her labour, row by row."""
    unit, size = draw.unit, len(draw.month)
    decile = np.clip(np.round(draw.chance.normal(5.5 - 2.2 * unit.deprived, 2.9, size)), 1, 10).astype(np.int64)
    first = draw.happens(rates.FIRST_BABY)
    again = ~first & draw.happens(rates.CAESAREAN_BEFORE)
    twins = draw.happens(rates.TWIN_MATERNITIES)
    delivery = _delivery(draw, first, again, twins)
    smoking = np.asarray(rates.SMOKING_BY_DECILE)[decile - 1]
    at_booking = draw.happens(smoking * draw.trend(rates.SMOKING_BOOKING))
    still = np.clip(draw.trend(rates.SMOKING_DELIVERY) / draw.trend(rates.SMOKING_BOOKING), 0, 1)
    spontaneous = ~draw.happens(rates.INDUCED)
    return {
        "ethnic_category": _ethnicity(draw),
        "imd_decile": decile,
        "previous_live_births": np.where(first, 0, 1 + draw.chance.poisson(0.55, size)),
        "previous_caesarean_sections": np.where(again, 1 + draw.happens(0.2), 0),
        "previous_stillbirths": np.where(~first & draw.happens(0.006), 1, 0),
        "smoking_status_booking": _smoking(at_booking, draw.happens(0.015)),
        "smoking_status_delivery": _smoking(at_booking & draw.happens(still), draw.happens(0.02)),
        "births_per_labour": np.where(twins, 2, 1),
        "delivery_method": delivery,
        "labour_onset_method": np.where(delivery == "7", "2", np.where(spontaneous, "1", "4")),
        "blood_loss_ml": _blood_loss(draw),
        "genital_tract_trauma": np.where(
            (delivery < "5") & draw.happens(rates.TEAR), "10217006", ""
        ),
    }  # fmt: skip


def _ethnicity(draw: Draw) -> Texts:
    least, most = (np.array(list(table.values())) for table in (rates.ETHNICITY_LEAST, rates.ETHNICITY_MOST))
    mix = (1 - draw.unit.diverse) * least / least.sum() + draw.unit.diverse * most / most.sum()
    return draw.chance.choice(np.array(list(rates.ETHNICITY_LEAST)), size=len(draw.month), p=mix)


def _smoking(smokes: Flags, unknown: Flags) -> Texts:
    return np.where(unknown, "Unknown", np.where(smokes, "Smoker", "Non-Smoker / Ex-Smoker"))


def _delivery(draw: Draw, first: Flags, again: Flags, twins: Flags) -> Texts:
    """The method of delivery: 7 planned and 8 unplanned caesarean, 3 and 4 instrumental, 0 spontaneous."""
    elective = draw.happens(np.where(again, rates.ELECTIVE_AGAIN, rates.ELECTIVE) * np.where(twins, 2, 1))
    emergency = draw.happens(np.where(first | again, rates.EMERGENCY_FIRST, rates.EMERGENCY_LATER))
    instrumental = draw.happens(np.where(first, rates.INSTRUMENTAL_FIRST, rates.INSTRUMENTAL_LATER))
    tool = np.where(draw.happens(0.55), "3", "4")
    return np.where(elective, "7", np.where(emergency, "8", np.where(instrumental, tool, "0")))


def _blood_loss(draw: Draw) -> Whole:
    likely = rates.HAEMORRHAGE * _own_level(draw.unit, "haemorrhage", 0.12) * draw.story("mn-cqimpph")
    usual = np.minimum(draw.chance.lognormal(6.0, 0.5, len(draw.month)), 1490)
    loss = np.where(draw.happens(likely), 1500 + draw.chance.exponential(400, len(draw.month)), usual)
    return (loss / 10).astype(np.int64) * 10


def _own_level(unit: Unit, name: str, spread: float) -> float:
    """How a trust differs from the average in something, always."""
    return float(np.exp(chance("level", name, unit.code).normal(0, spread)))


def _moments(draw: Draw, which: Whole, span: Span) -> Moments:
    """When each baby was born: twins within the half hour, nobody while clocks change, all within their month."""
    starts = np.array([month.start for month in span.months], "datetime64[ms]")
    days = np.array([month.end.day for month in span.months])
    mothers = int(which[-1]) + 1 if len(which) else 0
    day, minute = draw.chance.random(mothers)[which], draw.chance.random(mothers)[which]
    minutes = (minute * (LATEST - CHANGING)).astype(np.int64)
    minutes += np.where(minutes < CLOCKS_CHANGE, 0, CHANGING)
    minutes[1:] += np.where(which[1:] == which[:-1], draw.chance.integers(3, 30, len(which))[1:], 0)
    days_in = (day * days[draw.month]).astype(np.int64)
    return np.asarray(starts[draw.month] + (days_in * 24 * 60 + minutes) * MINUTE)


def _babies(draw: Draw, mother: Mapping[str, Any], which: Whole, order: Whole, born: Moments) -> dict[str, Any]:
    """What is true of a baby."""
    band = _band(draw, mother, which)
    days = np.floor(_of(band, "first") + draw.between(0, 1) * (_of(band, "last") - _of(band, "first") + 1))
    fate = 1 + rates.STILLBIRTH_BY_DEPRIVATION * (5.5 - mother["imd_decile"])
    for code, factor in rates.STILLBIRTH_BY_ETHNICITY.items():
        fate = fate * np.where(mother["ethnic_category"] == code, factor, 1)
    stillborn = draw.happens(_of(band, "stillborn") * fate * 0.93)
    alive = ~stillborn
    dies = alive & draw.happens(_of(band, "dies") * fate)
    admitted = alive & draw.happens(_of(band, "admitted"))
    return {
        "birth_order": order,
        "baby_birth_datetime": born,
        "gestation_length_at_birth": days.astype(np.int64),
        "pregnancy_outcome": np.where(alive, "01", np.where(draw.happens(0.9), "02", "03")),
        "birth_weight_grams": _weight(draw, days, mother["births_per_labour"]),
        "fetus_presentation": np.where(draw.happens(0.955), "01", "02"),
        "apgar_5": _blank(np.where(draw.happens(rates.LOW_APGAR * np.where(days < 259, 4, 1)), 5, 9), alive),
        "first_feed": np.where(~alive, "", _first_feed(draw)),
        "neonatal_admission": _blank(admitted, alive),
        "neonatal_death_datetime": _blank(born + (draw.between(1, 27 * 24) * 60).astype(np.int64) * MINUTE, dies),
        **_pathway(draw, days, born, alive),
    }


def _band(draw: Draw, mother: Mapping[str, Any], which: Whole) -> Whole:
    """Which band of gestation each baby is born in; twins are born together."""
    first = np.array([one.first for one in rates.BANDS])
    shares = {1: np.array([one.single for one in rates.BANDS]), 2: np.array([one.twin for one in rates.BANDS])}
    worse = 1 + rates.PRETERM_BY_DEPRIVATION * (5.5 - mother["imd_decile"])
    worse = worse * _own_level(draw.unit, "preterm", 0.05)
    very = rates.WITH_INTENSIVE_CARE if draw.unit.intensive else rates.WITHOUT_INTENSIVE_CARE
    luck = draw.chance.random(len(which))[which]
    band = np.zeros(len(which), np.int64)
    for babies, share in shares.items():
        early = share * np.where(first < rates.VERY_PRETERM, very, 1.0) * (first < rates.PRETERM)
        edges = np.cumsum(early)[None, :-1] * worse[:, None]
        preterm = edges[:, (first < rates.PRETERM).sum() - 1]
        term = np.cumsum(np.where(first < rates.PRETERM, 0, share)) / share[first >= rates.PRETERM].sum()
        edges = np.where(first[:-1] < rates.PRETERM, edges, preterm[:, None] + term[:-1] * (1 - preterm[:, None]))
        here = mother["births_per_labour"] == babies
        band[here] = (luck[here, None] > edges[here]).sum(axis=1)
    return band


def _of(band: Whole, name: str) -> Floats:
    values: Floats = np.array([getattr(one, name) for one in rates.BANDS], np.float64)
    return values[band]


def _weight(draw: Draw, days: Floats, babies: Whole) -> Whole:
    """About the median for the gestation, twins a little lighter."""
    median = np.interp(days, (154, 196, 224, 238, 259, 280, 297), (500, 1050, 1700, 2200, 2950, 3500, 3700))
    spread = draw.chance.normal(1, 0.13, len(days)) * np.where(babies == 2, 0.9, 1)
    return np.clip(median * spread, 300, 6000).astype(np.int64)


def _first_feed(draw: Draw) -> Texts:
    luck = draw.between(0, 1)
    own, donor = rates.BREAST_MILK, rates.BREAST_MILK + rates.DONOR_MILK
    return np.where(luck < own, "01", np.where(luck < donor, "02", "03"))


def _pathway(draw: Draw, days: Floats, born: Moments, alive: Flags) -> dict[str, Any]:
    """What is done for a baby that comes before 34 weeks, before birth and in the first hour."""
    early = days < rates.VERY_PRETERM
    steroids = np.clip(rates.STEROIDS * _own_level(draw.unit, "steroids", 0.08), 0, 0.95)
    in_time, given = draw.happens(steroids), draw.happens(rates.STEROIDS_TOO_EARLY)
    hours = np.where(in_time, draw.between(2, 150), draw.between(200, 500))
    cord = np.clip(
        draw.trend(rates.CORD_LATE) * _own_level(draw.unit, "cord", 0.06) * draw.story("mn-opt-ocm"), 0, 0.95
    )
    seconds = np.where(draw.happens(cord), draw.between(60, 150), draw.between(5, 58))
    warm = draw.happens(rates.WARM)
    degrees = np.where(warm, draw.between(36.5, 37.5), draw.between(35.3, 36.4))
    taken = born + draw.between(10, 55).astype(np.int64) * MINUTE
    magnesium = (days < rates.MAGNESIUM) & draw.happens(rates.MAGNESIUM_GIVEN)
    return {
        "steroid_course_complete_datetime": _blank(
            born - (hours * 60).astype(np.int64) * MINUTE, early & (in_time | given)
        ),
        "mgso4_datetime": _blank(born - (draw.between(0.5, 20) * 60).astype(np.int64) * MINUTE, magnesium),
        "cord_clamp_seconds": _blank(seconds.astype(np.int64), early & alive),
        "admission_temp_c": _blank(np.round(degrees, 1), early & alive),
        "admission_temp_datetime": _blank(taken, early & alive),
    }


def _blank(values: npt.NDArray[Any], kept: Flags) -> pl.Series:
    """The values where they are kept; nothing elsewhere."""
    return pl.select(pl.when(pl.Series(kept)).then(pl.Series(values))).to_series()


def _framed(unit: Unit, span: Span, month: Whole, columns: Mapping[str, Any]) -> pl.DataFrame:
    """The rows in the order of the feed's columns, with what is the same for a whole return."""
    return_of = _returns(unit, span, range(len(span.months)))
    frame = pl.DataFrame(dict(columns)).with_columns(pl.Series("_month", month))
    number = pl.int_range(pl.len())
    twin = pl.col("birth_order") - 1
    frame = frame.with_columns(
        pl.format("{}-B{}", pl.lit(unit.code), number).alias("baby_local_id"),
        pl.format("{}-P{}", pl.lit(unit.code), number - twin).alias("pregnancy_id"),
        pl.format("{}-D{}", pl.lit(unit.code), number - twin).alias("labour_delivery_id"),
        pl.lit(unit.code).alias("submitting_org_code"),
        pl.lit(unit.code).alias("provider_org_code"),
        pl.lit("1.0.0").alias("schema_version"),
        pl.lit("01").alias("nhs_number_status"),
    )
    texts = frame.select(pl.col(pl.String)).columns
    frame = frame.with_columns(pl.when(pl.col(texts) != "").then(pl.col(texts)).name.keep())
    known = pl.col("neonatal_death_datetime") < pl.col("extract_datetime")
    return (
        frame.join(return_of, on="_month", how="left", maintain_order="left")
        .with_columns(pl.when(known).then(pl.col("neonatal_death_datetime")))
        .drop("_month")
    )


def _returns(unit: Unit, span: Span, months: Sequence[int]) -> pl.DataFrame:
    extracted = [datetime.combine(span.extracted(span.months[one]), time()) for one in months]
    return pl.DataFrame(
        {
            "_month": pl.Series(list(months), dtype=pl.Int64),
            "period": [span.months[one].text for one in months],
            "reporting_period_start": [span.months[one].start for one in months],
            "extract_datetime": extracted,
            "submission_status": ["final" if span.is_final(span.months[one]) else "provisional" for one in months],
        }
    )
