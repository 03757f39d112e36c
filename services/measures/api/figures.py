"""Series and charts, and everything behind one figure."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from services.measures import queries, schemas
from services.measures.api import forms
from services.measures.api.parameters import (
    AskedBy,
    By,
    From,
    Measure,
    MeasurePath,
    Organisation,
    OrganisationPath,
    Stratum,
    To,
    period_of,
    question,
)
from services.measures.problems import InvalidPeriod, NoSuchFigure, UnknownMeasure, UnknownOrganisation
from services.measures.rules.definitions import CHARTS
from shared.caching import answer_with_etag
from shared.db import Session
from shared.problems import InvalidRequest, problems
from shared.tables import TableForm

router = APIRouter(tags=["Measures"])


@router.get(
    "/v1/series",
    responses=problems(UnknownMeasure, UnknownOrganisation, InvalidPeriod)
    | schemas.answers(schemas.Series, "csv", "parquet"),
)
def get_series(
    request: Request,
    session: Session,
    asked: AskedBy,
    measure: Measure,
    organisation: Organisation,
    first: From = None,
    last: To = None,
    stratum: Stratum = None,
    by: By = None,
    form: TableForm = None,
) -> Response:
    """One measure for one organisation, period by period, with intervals, statuses and lineage."""
    wanted = question(measure, organisation, asked, first=first, last=last, stratum=stratum, by=by)
    answer = queries.series.series(session, wanted)
    return forms.table(request, answer, form=form, name=f"{measure}-{organisation}", of=schemas.Series)


@router.get(
    "/v1/charts/{measure}/{organisation}",
    responses=problems(UnknownMeasure, UnknownOrganisation)
    | schemas.answers(schemas.Chart, "svg", "png", "vega-lite", "csv"),
)
def get_chart(
    request: Request,
    session: Session,
    asked: AskedBy,
    measure: MeasurePath,
    organisation: OrganisationPath,
    chart: Annotated[
        str | None, Query(description=f"One of {', '.join(CHARTS)}; by default the measure's own.")
    ] = None,
    stratum: Stratum = None,
    first: From = None,
    last: To = None,
    form: Annotated[
        Literal["json", "svg", "png", "vega-lite", "csv"] | None,
        Query(alias="format", description="By default what Accept asks for, else JSON."),
    ] = None,
) -> Response:
    """One measure for one organisation, with limits, signals, target and words: all that is needed to draw it."""
    if chart is not None and chart not in CHARTS:
        message = f"{chart!r} is not a chart; choose one of {', '.join(CHARTS)}"
        raise InvalidRequest(message, errors=[{"parameter": "chart", "message": message}])
    wanted = question(measure, organisation, asked, first=first, last=last, stratum=stratum)
    resource = queries.series.chart(session, wanted, kind=chart)
    return forms.chart(request, resource, form=form)


@router.get(
    "/v1/explain",
    responses=problems(UnknownMeasure, UnknownOrganisation, NoSuchFigure, InvalidPeriod)
    | schemas.answers(schemas.Explanation),
)
def explain_figure(
    request: Request,
    session: Session,
    asked: AskedBy,
    measure: Measure,
    organisation: Organisation,
    period: Annotated[str, Query(description="The period of the figure.", examples=["2026-03"])],
    stratum: Stratum = None,
) -> Response:
    """One figure, from its formula and numbers to its definition, the returns behind it and its place on the chart."""
    when = period_of("period", period)
    assert when is not None  # noqa: S101 - the parameter is required
    answer = queries.explain.explain(session, question(measure, organisation, asked, stratum=stratum), when)
    return answer_with_etag(request, answer)
