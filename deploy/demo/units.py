"""The twenty acute trusts with a maternity service that the demonstration has figures for.

The codes are those of the catalogue; sizes and populations are invented, in the range that such trusts have.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A trust: `births` and `beds` in an average month, and the people it serves.

    `intensive` where babies come from elsewhere for neonatal intensive care; `deprived` from -1 (few live in deprived
    areas) to 1; `diverse` from 0 to 1.
    """

    code: str
    births: int
    beds: int
    intensive: bool = False
    deprived: float = 0.0
    diverse: float = 0.3


UNITS: tuple[Unit, ...] = (
    Unit("RGT", 460, 1000, intensive=True, deprived=-0.5, diverse=0.4),
    Unit("RM1", 430, 1100, intensive=True, deprived=0.1, diverse=0.15),
    Unit("RAJ", 600, 1500, deprived=0.1),
    Unit("RC9", 560, 1000, deprived=0.4, diverse=0.7),
    Unit("RCX", 250, 450, deprived=0.3, diverse=0.1),
    Unit("RD8", 310, 550, diverse=0.5),
    Unit("RDE", 540, 1200, deprived=0.1, diverse=0.15),
    Unit("RGN", 480, 900, deprived=0.2),
    Unit("RGP", 250, 480, deprived=0.5, diverse=0.1),
    Unit("RGR", 250, 430, deprived=-0.2, diverse=0.1),
    Unit("RQW", 310, 480, deprived=0.2, diverse=0.4),
    Unit("RWG", 350, 650, deprived=-0.5, diverse=0.5),
    Unit("RWH", 390, 680, deprived=-0.4),
    Unit("RTG", 520, 1500, deprived=0.2),
    Unit("RR8", 560, 1800, intensive=True, deprived=0.5, diverse=0.5),
    Unit("RTD", 480, 1600, intensive=True, deprived=0.5, diverse=0.2),
    Unit("RJ1", 530, 1200, intensive=True, deprived=0.4, diverse=0.9),
    Unit("RH8", 380, 1100, deprived=-0.1, diverse=0.05),
    Unit("RA7", 400, 1000, intensive=True, diverse=0.3),
    Unit("RVJ", 440, 950, deprived=-0.1, diverse=0.2),
)
