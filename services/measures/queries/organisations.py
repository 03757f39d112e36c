"""Who lies within whom: the members of an organisation over time, and whose exact figures a caller may see."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from services.measures.models import Organisation
from services.measures.problems import UnknownOrganisation
from shared.principal import Principal

Basis = Literal["as_was", "as_is_now"]

# Hierarchies do not mix: a safety-collaborative footprint is a list of organisations, not a roll-up of ICBs.
_NATIONAL = ("national", "region", "icb", "provider")
HIERARCHIES: Mapping[str, Sequence[str]] = {
    "national": _NATIONAL,
    "region": _NATIONAL,
    "icb": ("icb", "provider"),
    "hin": ("psc", "provider"),
}
_OWN = ("provider",)
AGGREGATES = frozenset(HIERARCHIES) | {"care_home_provider"}


@dataclass(frozen=True, slots=True)
class Place:
    """An organisation as the reads know it."""

    code: str
    name: str
    kind: str

    @property
    def is_aggregate(self) -> bool:
        """Whether its figures are those of its members taken together."""
        return self.kind in AGGREGATES


class Membership(NamedTuple):
    """`code` counts as a member for periods that begin from `start` until the day before `end` (null: no bound)."""

    code: str
    start: date | None
    end: date | None


def place(session: Session, code: str) -> Place:
    """The organisation that a code or other identifier (a CQC location id) names. Raises UnknownOrganisation."""
    columns = select(Organisation.code, Organisation.name, Organisation.kind)
    found = session.execute(columns.where(Organisation.code == code.upper())).one_or_none()
    if found is None:
        named = text("exists (select 1 from jsonb_each_text(identifiers) where value = :value)")
        found = session.execute(columns.where(named.bindparams(value=code))).first()
    if found is None:
        raise UnknownOrganisation(f"no organisation has the code {code[:40]!r}")
    return Place(*found)


def members(session: Session, of: Place, *, basis: Basis, today: date) -> list[Membership]:
    """Whose figures make up this organisation's: itself or, for an aggregate, what lies within it.

    `as_was`: each while it lay within. `as_is_now`: what lies within today, for all time, with those it succeeded.
    """
    found = _within(session, of) if of.is_aggregate else [Membership(of.code, None, None)]
    if basis == "as_was":
        return found
    present = {one.code for one in found if _open(one, today)}
    return [Membership(code, None, None) for code in sorted(present | _predecessors(session, present))]


def exact_for(session: Session, caller: Principal, of: Place) -> bool:
    """Whether the caller sees exact figures here: a national one, or a member where this is its own or within it."""
    if caller.audience == "national":
        return True
    if caller.audience != "member":
        return False
    if caller.for_everyone or of.code in caller.organisations:
        return True
    own = session.execute(
        select(Organisation.code, Organisation.name, Organisation.kind).where(
            Organisation.code.in_(caller.organisations)
        )
    )
    return any(of.code in {one.code for one in _within(session, Place(*row))} for row in own)


def _within(session: Session, of: Place) -> list[Membership]:
    rows = session.execute(
        text(
            """
            with recursive within (code, first, last) as (
                select :code, date '-infinity', date 'infinity'
                union
                select e.child, greatest(w.first, coalesce(e.start, '-infinity')),
                       least(w.last, coalesce(e."end", 'infinity'))
                from within w join edge e on e.parent = w.code
                where e.superseded_at is null and e.hierarchy = any(:hierarchies)
                  and greatest(w.first, coalesce(e.start, '-infinity')) < least(w.last, coalesce(e."end", 'infinity'))
            )
            select code, nullif(first, '-infinity'), nullif(last, 'infinity') from within where code <> :code
            """
        ),
        {"code": of.code, "hierarchies": list(HIERARCHIES.get(of.kind, _OWN))},
    )
    return _merged(Membership(*row) for row in rows)


def _merged(found: Iterable[Membership]) -> list[Membership]:
    """One stretch for each unbroken membership: an organisation that is within by two paths counts once."""
    stretches: dict[str, list[Membership]] = defaultdict(list)
    for one in sorted(found, key=lambda m: (m.code, m.start or date.min)):
        before = stretches[one.code][-1] if stretches[one.code] else None
        if before is not None and (before.end is None or (one.start or date.min) <= before.end):
            end = None if before.end is None or one.end is None else max(before.end, one.end)
            stretches[one.code][-1] = Membership(one.code, before.start, end)
        else:
            stretches[one.code].append(one)
    return [one for each in stretches.values() for one in each]


def _open(one: Membership, today: date) -> bool:
    return (one.start is None or one.start <= today) and (one.end is None or today < one.end)


def _predecessors(session: Session, codes: set[str]) -> set[str]:
    """Those whose whole work passed to these: an organisation that split is counted nowhere twice."""
    rows = session.execute(
        text(
            """
            with recursive before (code) as (
                select s.code from succession s where s.successor = any(:codes)
                union
                select s.code from succession s join before b on s.successor = b.code
            )
            select code from before
            where not exists (
                select 1 from succession other
                where other.code = before.code
                  and other.successor <> all(:codes) and other.successor not in (select code from before)
            )
            """
        ),
        {"codes": list(codes)},
    )
    return set(rows.scalars()) - codes
