"""What a caller may see and change: the organisations it acts for, what lies within them, and what holds them."""

from dataclasses import dataclass
from datetime import date

from services.programmes.hierarchy import Hierarchy
from services.programmes.problems import NotYours
from shared.principal import Principal

NATIONAL = "ENGLAND"
"""The code of the whole; what it owns is everybody's to read."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """A caller on a day, before the organisations as they were known."""

    principal: Principal
    hierarchy: Hierarchy
    today: date

    @property
    def who(self) -> str:
        """The name under which the caller's changes are recorded."""
        return self.principal.client_id

    @property
    def everywhere(self) -> bool:
        """Whether the caller acts for every organisation there is."""
        return self.principal.for_everyone or NATIONAL in self.principal.organisations

    def holds(self, code: str) -> bool:
        """Whether the caller acts for the organisation: it is one of its own, or lies within one."""
        return self.everywhere or self.hierarchy.lies_within(code, self.principal.organisations, self.today)

    def sees(self, code: str) -> bool:
        """Whether what is said of the organisation is the caller's business: it holds it, or is held by it."""
        if code == NATIONAL or self.holds(code):
            return True
        return any(self.hierarchy.lies_within(mine, (code,), self.today) for mine in self.principal.organisations)

    def held(self) -> frozenset[str] | None:
        """The codes of all organisations that `holds` lets through; None for everyone."""
        if self.everywhere:
            return None
        mine = self.principal.organisations
        return mine.union(*(self.hierarchy.members(code, self.today) for code in mine))

    def seen(self) -> frozenset[str] | None:
        """The codes of all organisations that `sees` lets through; None for everyone."""
        held = self.held()
        if held is None:
            return None
        above = (self.hierarchy.above(code, self.today) for code in self.principal.organisations)
        return held.union({NATIONAL}, *above)

    def demand(self, code: str) -> None:
        """Raises NotYours when the caller does not act for the organisation."""
        if not self.holds(code):
            raise NotYours(f"{self.who} does not act for {code}, nor for an organisation that holds it")
