"""Parameters that many reads take, and what is made of them."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query

from services.measures.problems import InvalidPeriod
from services.measures.queries.asking import Asked
from services.measures.queries.organisations import Basis
from services.measures.queries.series import Question
from shared.contracts.periods import Period
from shared.instants import Instant
from shared.principal import Principal, Requires

MayRead = Annotated[Principal, Depends(Requires("measures:read"))]
Measure = Annotated[str, Query(description="A measure id, like mn-cqimpreterm.", examples=["mn-cqimpreterm"])]
MeasurePath = Annotated[str, Path(description="A measure id.", examples=["mn-cqimpreterm"])]
Organisation = Annotated[str, Query(description="An organisation code, like RGT.", examples=["RGT"])]
OrganisationPath = Annotated[str, Path(description="An organisation code.", examples=["RGT"])]
MaybeOrganisation = Annotated[str | None, Query(description="One organisation, like QUE.", examples=["QUE"])]
Within = Annotated[str | None, Query(description="All that lie within this organisation.", examples=["QUE"])]
From = Annotated[str | None, Query(alias="from", description="The first period.", examples=["2025-04"])]
To = Annotated[str | None, Query(alias="to", description="The last period.", examples=["2026-03"])]
Stratum = Annotated[str | None, Query(description="One stratum, like imd_quintile=1.")]
By = Annotated[str | None, Query(description="All strata of a name, like imd_quintile.")]
KnownAt = Annotated[Instant | None, Query(description="Answer as known at this instant (RFC 3339).")]
OrgBasis = Annotated[Basis, Query(description="Members as they were in each period, or as they are now.")]


async def asked(caller: MayRead, known_at: KnownAt = None, org_basis: OrgBasis = "as_was") -> Asked:
    """Who asks, as known when, and with whose members: what every read takes."""
    return Asked(caller, known_at, org_basis)


AskedBy = Annotated[Asked, Depends(asked)]


def question(
    measure: str,
    organisation: str,
    asked_by: Asked,
    *,
    first: str | None = None,
    last: str | None = None,
    stratum: str | None = None,
    by: str | None = None,
) -> Question:
    """A question about one series; raises InvalidPeriod for a range that is not written as two like periods."""
    begin, end = period_of("from", first), period_of("to", last)
    if begin is not None and end is not None and begin.grain != end.grain:
        message = f"from is a {begin.grain} and to is a {end.grain}: write both alike"
        raise InvalidPeriod(message, errors=[{"parameter": "to", "message": message}])
    known_at: datetime | None = asked_by.known_at
    return Question(measure, organisation, asked_by.caller, begin, end, stratum, by, known_at, asked_by.basis)


def period_of(parameter: str, text: str | None) -> Period | None:
    """The period in a parameter. Raises InvalidPeriod, which names the parameter."""
    if text is None:
        return None
    try:
        return Period.parse(text)
    except ValueError as reason:
        raise InvalidPeriod(str(reason), errors=[{"parameter": parameter, "message": str(reason)}]) from reason
