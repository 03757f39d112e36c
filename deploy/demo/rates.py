"""The rates that births are drawn from: what happens to how many, by gestation and by circumstance.

Overall: 7.5% of babies come before 37 weeks (7.7% in 2021), 3.8 in 1,000 are stillborn (2024), 1.4 in 1,000 born alive
from 24 weeks die within 28 days (2023), and 68% of those before 34 weeks have their cord clamped late (2023): DOMAIN.md
section 1.2. The rest is of the order that English services publish, and is not to be quoted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DAYS_IN_WEEK = 7


@dataclass(frozen=True, slots=True)
class Band:
    """Babies born from `first` to `last` days of gestation: how many, and what becomes of them.

    `single` and `twin` are shares of singletons and twins; `stillborn`, `dies` (within 28 days) and `admitted` (to a
    neonatal unit) are chances.
    """

    first: int
    last: int
    single: float
    twin: float
    stillborn: float
    dies: float
    admitted: float


BANDS: tuple[Band, ...] = (
    Band(154, 167, 0.0006, 0.004, 0.0, 0.55, 1.0),
    Band(168, 195, 0.0034, 0.022, 0.23, 0.13, 1.0),
    Band(196, 223, 0.0062, 0.058, 0.09, 0.025, 1.0),
    Band(224, 237, 0.0078, 0.092, 0.022, 0.006, 1.0),
    Band(238, 258, 0.0430, 0.380, 0.012, 0.003, 0.32),
    Band(259, 272, 0.2500, 0.414, 0.0014, 0.0007, 0.075),
    Band(273, 286, 0.5550, 0.028, 0.0008, 0.0003, 0.042),
    Band(287, 297, 0.1340, 0.002, 0.0014, 0.0005, 0.060),
)
PRETERM, VERY_PRETERM, MAGNESIUM = 259, 238, 210
"""Born before these days: preterm (37+0), due the optimisation pathway (34+0), due magnesium (30+0)."""
WITH_INTENSIVE_CARE, WITHOUT_INTENSIVE_CARE = 1.75, 0.68
"""How many of the births before 34 weeks a unit has, with and without neonatal intensive care: mothers are moved."""

TWIN_MATERNITIES = 0.0142
FIRST_BABY = 0.43
CAESAREAN_BEFORE = 0.24
"""Of mothers who had a baby before."""

ELECTIVE, ELECTIVE_AGAIN = 0.11, 0.52
"""Planned caesareans, without and with a caesarean before."""
EMERGENCY_FIRST, EMERGENCY_LATER = 0.36, 0.19
INSTRUMENTAL_FIRST, INSTRUMENTAL_LATER = 0.22, 0.05
INDUCED = 0.36

HAEMORRHAGE = 0.030
TEAR = 0.029
LOW_APGAR = 0.013
BREAST_MILK = 0.735
DONOR_MILK = 0.004
SMOKING_BOOKING, SMOKING_DELIVERY = (0.098, 0.078), (0.074, 0.056)
"""At the beginning and at the end of the three years."""

STEROIDS, STEROIDS_TOO_EARLY = 0.56, 0.2
MAGNESIUM_GIVEN = 0.86
CORD_LATE = (0.62, 0.70)
WARM = 0.76
"""Temperature taken within the hour and between 36.5 and 37.5 C."""

PRETERM_BY_DEPRIVATION, STILLBIRTH_BY_DEPRIVATION = 0.030, 0.085
"""How much the rate of each decile of deprivation differs from the next, as a share of the average; 1 is the worst."""
SMOKING_BY_DECILE: Sequence[float] = (1.75, 1.55, 1.35, 1.15, 1.0, 0.85, 0.72, 0.6, 0.5, 0.4)
STILLBIRTH_BY_ETHNICITY: Mapping[str, float] = {"M": 1.8, "N": 1.8, "P": 1.7, "H": 1.25, "J": 1.5, "K": 1.4}

ETHNICITY_LEAST: Mapping[str, float] = {
    "A": 0.86, "B": 0.005, "C": 0.06, "D": 0.006, "E": 0.004, "F": 0.006, "G": 0.006, "H": 0.012, "J": 0.006,
    "K": 0.003, "L": 0.008, "M": 0.001, "N": 0.009, "P": 0.002, "R": 0.004, "S": 0.008, "Z": 0.006, "99": 0.004,
}  # fmt: skip
ETHNICITY_MOST: Mapping[str, float] = {
    "A": 0.30, "B": 0.012, "C": 0.15, "D": 0.02, "E": 0.015, "F": 0.015, "G": 0.02, "H": 0.08, "J": 0.09,
    "K": 0.05, "L": 0.05, "M": 0.04, "N": 0.11, "P": 0.02, "R": 0.015, "S": 0.05, "Z": 0.03, "99": 0.013,
}  # fmt: skip
"""Ethnic category of mothers where populations are least and most diverse."""
