"""Who lies within whom: the members of an organisation over time, and whose exact figures a caller may see."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from services.measures.models import Organisation
from services.measures.problems import UnknownOrganisation
from services.measures.queries.moment import NOW, Moment, recorded
from shared.contracts.hierarchies import HIERARCHY_OF, LIES_BY, chain, downwards
from shared.principal import Principal

Basis = Literal["as_was", "as_is_now"]

_COLUMNS = select(Organisation.code, Organisation.name, Organisation.kind)
_CURRENT = _COLUMNS.where(Organisation.known(None))
_NEARNESS = {"trust": 1, "care_home_provider": 1, "provider_group": 2, "peer_group": 2, "icb": 3, "hin": 4, "region": 5,
             "national": 6}  # fmt: skip
ENGLAND = "ENGLAND"
AGGREGATES = frozenset(HIERARCHY_OF) | {"care_home_provider"}


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

    def holds(self, day: date) -> bool:
        """Whether it was a member on the day."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


def place(session: Session, code: str, when: Moment = NOW) -> Place:
    """The organisation that a code or other identifier (a CQC location id) names. Raises UnknownOrganisation."""
    return when.found(("place", code), lambda: _place(session, code, when))


def _place(session: Session, code: str, when: Moment) -> Place:
    found = session.execute(_CURRENT.where(Organisation.code == code.upper())).one_or_none()
    if found is None:
        named = text("exists (select 1 from jsonb_each_text(identifiers) where value = :value)")
        found = session.execute(_CURRENT.where(named.bindparams(value=code))).first()
    if found is None:
        raise UnknownOrganisation(f"no organisation has the code {code[:40]!r}")
    then = None if when.at is None else _then(session, found.code, when.at)
    return then or Place(*found)


def _then(session: Session, code: str, at: datetime) -> Place | None:
    """The organisation as it was known at the instant."""
    found = session.execute(_COLUMNS.where(Organisation.code == code, Organisation.known(at))).one_or_none()
    return None if found is None else Place(*found)


def members(session: Session, of: Place, *, basis: Basis, when: Moment = NOW) -> list[Membership]:
    """Whose figures make up this organisation's: itself or, for an aggregate, what lies within it.

    `as_was`: each while it lay within. `as_is_now`: what lies within today, for all time, with those it succeeded.
    """
    return members_of(session, [of], basis=basis, when=when)[of.code]


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose figures a caller sees exactly: everybody's, or those of some organisations."""

    everything: bool
    codes: frozenset[str] = frozenset()

    def exact(self, code: str) -> bool:
        """Whether the figures of this organisation are shown as they are."""
        return self.everything or code in self.codes


def sight(session: Session, caller: Principal, when: Moment = NOW) -> Sight:
    """What the caller sees exactly: a national one everything, a member its own and what lies within it.

    That is as the registry has it now, whenever the read is as of.
    """
    if caller.audience == "national":
        return Sight(everything=True)
    if caller.audience != "member":
        return Sight(everything=False)
    if caller.for_everyone:
        return Sight(everything=True)
    present = NOW if when.at is not None else when
    codes = present.found(("inside", caller.organisations), lambda: _inside(session, caller.organisations))
    return Sight(False, caller.organisations | codes)


def _inside(session: Session, codes: Iterable[str]) -> frozenset[str]:
    """What lies, or ever lay, within these."""
    inside = members_of(session, places(session, codes=codes), basis="as_was")
    return frozenset(one.code for each in inside.values() for one in each)


def places(session: Session, *, codes: Iterable[str], when: Moment = NOW) -> list[Place]:
    """The organisations of these codes that are known, in order of code."""
    known = _COLUMNS.where(Organisation.known(when.at))
    rows = session.execute(known.where(Organisation.code.in_(list(codes))).order_by(Organisation.code))
    return [Place(*row) for row in rows]


def places_of_kind(
    session: Session, kind: str, *, within: Place | None, basis: Basis, when: Moment = NOW
) -> list[Place]:
    """Every organisation of that kind, or those that lie (or ever lay, as it was) within another."""
    return when.found(("kind", kind, within, basis), lambda: _places_of_kind(session, kind, within, basis, when))


def _places_of_kind(session: Session, kind: str, within: Place | None, basis: Basis, when: Moment) -> list[Place]:
    query = _COLUMNS.where(Organisation.kind == kind, Organisation.known(when.at)).order_by(Organisation.code)
    if within is not None:
        inside = members(session, within, basis=basis, when=when)
        query = query.where(Organisation.code.in_({one.code for one in inside} | {within.code}))
    return [Place(*row) for row in session.execute(query)]


def members_of(
    session: Session, places: Sequence[Place], *, basis: Basis, when: Moment = NOW
) -> dict[str, list[Membership]]:
    """The members of each of these organisations, as `members`, in one read."""
    own = () if basis == "as_is_now" else (one.code for one in places if not one.is_aggregate)
    found = {code: [Membership(code, None, None)] for code in own}
    others = {one.code: one for one in places if one.code not in found}

    def ask(codes: Iterable[str]) -> dict[str, list[Membership]]:
        return _members_of(session, [others[code] for code in codes], basis, when)

    return found | when.found_of(("members", basis), others, ask)


def _members_of(session: Session, places: Sequence[Place], basis: Basis, when: Moment) -> dict[str, list[Membership]]:
    wholes = [one for one in places if one.is_aggregate]
    found = {one.code: [Membership(one.code, None, None)] for one in places if not one.is_aggregate}
    found |= _within(session, wholes, when)
    if basis == "as_was":
        return found
    return {code: _as_now(session, each, when) for code, each in found.items()}


def apart(places: Iterable[Place], members: Mapping[str, Sequence[Membership]]) -> list[Place]:
    """Those of these organisations that do not count in another of them: whom one has succeeded, as it is now, does."""
    here = list(places)
    succeeded = {one.code for each in here if not each.is_aggregate for one in members[each.code]
                 if one.code != each.code}  # fmt: skip
    return [one for one in here if one.code not in succeeded]


def ancestors(session: Session, of: Place, when: Moment = NOW) -> list[str]:
    """What the organisation lies within today, nearest first: provider, ICB and collaborative, region, England."""
    return when.found(("ancestors", of), lambda: _ancestors(session, of, when))


def _ancestors(session: Session, of: Place, when: Moment) -> list[str]:
    rows = session.execute(
        text(
            f"""
            with recursive above (child, hierarchy, parent) as (
                select e.child, e.hierarchy, e.parent from edge e where e.child = :code and {recorded("e")}
                   and coalesce(e.start, '-infinity') <= :today and :today < coalesce(e."end", 'infinity')
                union
                select e.child, e.hierarchy, e.parent from above a
                  join edge e on e.child = a.parent and {recorded("e")}
                   and coalesce(e.start, '-infinity') <= :today and :today < coalesce(e."end", 'infinity')
            )
            select a.child, a.hierarchy, a.parent, o.kind from above a left join organisation o
              on o.code = a.parent and o.superseded_at is null
            """  # noqa: S608 - the condition is ours
        ),
        {"code": of.code, "today": when.today, "at": when.at},
    )
    steps = {(row.child, row.hierarchy): (row.parent, _NEARNESS.get(row.kind, 0)) for row in rows}
    nearness = dict(steps.values())
    above = {code for way in LIES_BY for code in chain(of.code, way, lambda *step: steps.get(step, (None,))[0])}
    found = sorted(above - {of.code, ENGLAND}, key=lambda code: (nearness[code], code))
    return found + ([] if of.code == ENGLAND else [ENGLAND])


def _within(session: Session, of: Sequence[Place], when: Moment) -> dict[str, list[Membership]]:
    """What lies within each of these, and when."""
    reach = [(one.code, step, rank) for one in of for rank, step in enumerate(downwards(one.kind))]
    if not reach:
        return {one.code: [] for one in of}
    roots, steps, ranks = zip(*reach, strict=True)
    rows = session.execute(
        text(
            f"""
            with recursive reach (root, hierarchy, rank) as (
                select * from unnest(cast(:roots as text[]), cast(:steps as text[]), cast(:ranks as int[]))
            ), within (root, code, days) as (
                select distinct root, root, daterange(null, null) from reach
                union
                select w.root, e.child, stretch
                from within w join edge e on e.parent = w.code join reach r on r.root = w.root
                 and r.hierarchy = e.hierarchy
                cross join lateral unnest(
                    datemultirange(w.days * daterange(e.start, e."end")) - coalesce((
                        select range_agg(daterange(nearer.start, nearer."end"))
                        from edge nearer join reach before on before.root = w.root
                         and before.hierarchy = nearer.hierarchy and before.rank < r.rank
                        where nearer.child = e.child and {recorded("nearer")}
                    ), '{{}}')
                ) as stretch
                where {recorded("e")} and (w.days && daterange(e.start, e."end"))
            )
            select root, code, lower(days) as first, upper(days) as last from within where code <> root
            """  # noqa: S608 - the condition is ours
        ),
        {"roots": list(roots), "steps": list(steps), "ranks": list(ranks), "at": when.at},
    )
    found: dict[str, list[Membership]] = {one.code: [] for one in of}
    for row in rows:
        found[row.root].append(Membership(row.code, row.first, row.last))
    return {code: _merged(each) for code, each in found.items()}


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


def _as_now(session: Session, found: Sequence[Membership], when: Moment) -> list[Membership]:
    today = when.today
    present = {one.code for one in found if one.holds(today)}
    return [Membership(code, None, None) for code in sorted(present | _predecessors(session, present, when))]


def _predecessors(session: Session, codes: set[str], when: Moment) -> set[str]:
    """Those whose whole work passed to these: an organisation that split is counted nowhere twice."""
    rows = session.execute(
        text(
            f"""
            with recursive before (code) as (
                select s.code from succession s where s.successor = any(:codes) and {recorded("s")}
                union
                select s.code from succession s join before b on s.successor = b.code where {recorded("s")}
            )
            select code from before
            where not exists (
                select 1 from succession other
                where other.code = before.code and {recorded("other")}
                  and other.successor <> all(:codes) and other.successor not in (select code from before)
            )
            """  # noqa: S608 - the condition is ours
        ),
        {"codes": list(codes), "at": when.at},
    )
    return set(rows.scalars()) - codes
