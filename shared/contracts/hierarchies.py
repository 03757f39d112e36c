"""Which hierarchies are followed downwards from a kind of organisation, to find what lies within it.

Hierarchies do not mix: a safety-collaborative footprint is a list of organisations, not a roll-up of ICBs, so a trust
whose ICB lies in one footprint may itself lie in another.
"""

from collections.abc import Mapping

_NATIONAL = ("national", "region", "icb", "provider")
DOWNWARDS: Mapping[str, tuple[str, ...]] = {
    "national": _NATIONAL,
    "region": _NATIONAL,
    "icb": ("icb", "provider"),
    "hin": ("psc", "provider"),
}
"""By kind of organisation; see `downwards` for the others."""


def downwards(kind: str) -> tuple[str, ...]:
    """The hierarchies whose edges lead to what lies within an organisation of this kind: for most, their own sites."""
    return DOWNWARDS.get(kind, ("provider",))
