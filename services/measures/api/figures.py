"""Series and charts."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime

from services.measures import queries
from services.measures.api import forms
from services.measures.problems import InvalidPeriod, UnknownMeasure, UnknownOrganisation
from services.measures.queries.organisations import Basis
from services.measures.queries.series import Question
from services.measures.rules.definitions import CHARTS
from shared.contracts.periods import Period
from shared.db import Session
from shared.principal import Principal, Requires
from shared.problems import InvalidRequest, problems

router = APIRouter(tags=["Measures"])
MayRead = Annotated[Principal, Depends(Requires("measures:read"))]
Measure = Annotated[str, Query(description="A measure id, like mn-cqimpreterm.", examples=["mn-cqimpreterm"])]
Organisation = Annotated[str, Query(description="An organisation code, like RGT.", examples=["RGT"])]
From = Annotated[str | None, Query(alias="from", description="The first period.", examples=["2025-04"])]
To = Annotated[str | None, Query(alias="to", description="The last period.", examples=["2026-03"])]
Stratum = Annotated[str | None, Query(description="One stratum, like imd_quintile=1.")]
By = Annotated[str | None, Query(description="All strata of a name, like imd_quintile.")]
KnownAt = Annotated[AwareDatetime | None, Query(description="Answer as known at this instant (RFC 3339).")]
OrgBasis = Annotated[Basis, Query(description="Members as they were in each period, or as they are now.")]


@router.get("/v1/series", responses=problems(UnknownMeasure, UnknownOrganisation, InvalidPeriod))
def get_series(
    request: Request,
    session: Session,
    caller: MayRead,
    measure: Measure,
    organisation: Organisation,
    first: From = None,
    last: To = None,
    stratum: Stratum = None,
    by: By = None,
    known_at: KnownAt = None,
    org_basis: OrgBasis = "as_was",
    form: Annotated[Literal["json", "csv", "parquet"] | None, Query(alias="format")] = None,
) -> Response:
    """One measure for one organisation, period by period, with intervals, statuses and lineage."""
    question = _question(measure, organisation, caller, first, last, stratum, by, known_at, org_basis)
    answer = queries.series.series(session, question)
    return forms.table(request, answer, form=form, name=f"{measure}-{organisation}")


@router.get("/v1/charts/{measure}/{organisation}", responses=problems(UnknownMeasure, UnknownOrganisation))
def get_chart(
    request: Request,
    session: Session,
    caller: MayRead,
    measure: Annotated[str, Path(description="A measure id.", examples=["mn-cqimpreterm"])],
    organisation: Annotated[str, Path(description="An organisation code.", examples=["RGT"])],
    chart: Annotated[
        str | None, Query(description=f"One of {', '.join(CHARTS)}; by default the measure's own.")
    ] = None,
    stratum: Stratum = None,
    first: From = None,
    last: To = None,
    known_at: KnownAt = None,
    org_basis: OrgBasis = "as_was",
    form: Annotated[Literal["json", "svg", "png", "vega-lite", "csv"] | None, Query(alias="format")] = None,
) -> Response:
    """One measure for one organisation, with limits, signals, target and words: all that is needed to draw it."""
    if chart is not None and chart not in CHARTS:
        message = f"{chart!r} is not a chart; choose one of {', '.join(CHARTS)}"
        raise InvalidRequest(message, errors=[{"parameter": "chart", "message": message}])
    question = _question(measure, organisation, caller, first, last, stratum, None, known_at, org_basis)
    resource = queries.series.chart(session, question, kind=chart)
    return forms.chart(request, resource, form=form)


def _question(
    measure: str,
    organisation: str,
    caller: Principal,
    first: str | None,
    last: str | None,
    stratum: str | None,
    by: str | None,
    known_at: datetime | None,
    basis: Basis,
) -> Question:
    begin, end = _period("from", first), _period("to", last)
    if begin is not None and end is not None and begin.grain != end.grain:
        message = f"from is a {begin.grain} and to is a {end.grain}: write both alike"
        raise InvalidPeriod(message, errors=[{"parameter": "to", "message": message}])
    return Question(measure, organisation, caller, begin, end, stratum, by, known_at, basis)


def _period(parameter: str, text: str | None) -> Period | None:
    if text is None:
        return None
    try:
        return Period.parse(text)
    except ValueError as reason:
        raise InvalidPeriod(str(reason), errors=[{"parameter": parameter, "message": str(reason)}]) from reason
