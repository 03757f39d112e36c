"""Organisations beside one another: funnels, the matrix, signals; and strata beside one another."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.measures import queries, schemas
from services.measures.api import forms
from services.measures.api.parameters import (
    AskedBy,
    From,
    MaybeOrganisation,
    MeasurePath,
    OrganisationPath,
    To,
    Within,
    period_of,
    question,
)
from services.measures.problems import InvalidPeriod, NotComparable, UnknownMeasure, UnknownOrganisation
from services.measures.queries.signals import State
from shared import paging
from shared.db import Session
from shared.problems import InvalidRequest, problems
from shared.tables import TableForm

router = APIRouter(tags=["Measures"])
KINDS = ("region", "icb", "hin", "trust", "site", "care_home_provider", "care_home", "practice",
         "provider_group", "peer_group")  # fmt: skip


@router.get(
    "/v1/funnels/{measure}",
    responses=problems(UnknownMeasure, UnknownOrganisation, InvalidPeriod, NotComparable)
    | schemas.answers(schemas.Funnel, "csv", "parquet"),
)
def get_funnel(
    request: Request,
    session: Session,
    asked: AskedBy,
    measure: MeasurePath,
    period: Annotated[
        str | None, Query(description="By default the newest with figures.", examples=["2026-03"])
    ] = None,
    level: Annotated[str, Query(description=f"The kind of organisation: {', '.join(KINDS)}.")] = "trust",
    within: Within = None,
    form: TableForm = None,
) -> Response:
    """A measure over all organisations of a kind in one period: which differ from the rest by more than chance."""
    if level not in KINDS:
        message = f"{level!r} is not a kind of organisation; choose one of {', '.join(KINDS)}"
        raise InvalidRequest(message, errors=[{"parameter": "level", "message": message}])
    when = period_of("period", period)
    answer = queries.funnels.funnel_of(session, asked, measure, period=when, level=level, within=within)
    return forms.table(request, answer, form=form, name=f"{measure}-funnel", of=schemas.Funnel)


@router.get(
    "/v1/inequalities/{measure}/{organisation}",
    responses=problems(UnknownMeasure, UnknownOrganisation, InvalidPeriod)
    | schemas.answers(schemas.Inequalities, "csv", "parquet"),
)
def get_inequalities(
    request: Request,
    session: Session,
    asked: AskedBy,
    measure: MeasurePath,
    organisation: OrganisationPath,
    by: Annotated[str, Query(description="imd_quintile, ethnic_group, age_band or sex.")] = "imd_quintile",
    first: From = None,
    last: To = None,
    form: TableForm = None,
) -> Response:
    """A measure by stratum over a year (or the range asked for): rates, gap, ratio, SII, RII and the share unknown."""
    wanted = question(measure, organisation, asked, first=first, last=last, by=by)
    answer = queries.inequalities.inequalities(session, wanted)
    return forms.table(request, answer, form=form, name=f"{measure}-{organisation}-{by}", of=schemas.Inequalities)


@router.get("/v1/matrix", responses=problems(UnknownOrganisation) | schemas.answers(schemas.Matrix, "csv", "parquet"))
def get_matrix(
    request: Request,
    session: Session,
    asked: AskedBy,
    organisation: MaybeOrganisation = None,
    within: Within = None,
    programme: Annotated[str | None, Query(description="Only the measures of a programme.")] = None,
    form: TableForm = None,
) -> Response:
    """What every measure of an organisation, or of all within one, is doing, and whether it will reach its target."""
    _one_of_two(organisation, within)
    answer = queries.matrix.matrix(session, asked, organisation=organisation, within=within, programme=programme)
    return forms.table(request, answer, form=form, name="matrix", of=schemas.Matrix)


@router.get("/v1/signals", responses=problems(UnknownOrganisation) | schemas.answers(schemas.Signals, "csv", "parquet"))
def list_signals(
    request: Request,
    session: Session,
    asked: AskedBy,
    organisation: MaybeOrganisation = None,
    within: Within = None,
    measure: Annotated[str | None, Query(description="Only those of a measure.")] = None,
    state: Annotated[State | None, Query(description="Those that stand, or those that have ended.")] = None,
    since: Annotated[date | None, Query(alias="from", description="Found on this day or later.")] = None,
    budget: Annotated[
        float | None,
        Query(ge=0, description="How many false alarms you accept: only rules that rare are told of."),
    ] = None,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
    form: TableForm = None,
) -> Response:
    """Special-cause variation found as figures arrived, in the order it was found."""
    if organisation is not None:
        _one_of_two(organisation, within)
    after = paging.decode(cursor, parts=(int,))
    stated, rows = queries.signals.signals(
        session, asked, organisation=organisation, within=within, measure=measure, state=state, since=since,
        budget=budget, after=None if after is None else int(after[0]), limit=limit,
    )  # fmt: skip
    head = Response()
    page = paging.page(rows, limit=limit, key=lambda one: [one["id"]], request=request, response=head)
    links = {name: value for name, value in head.headers.items() if name == "link"}
    return forms.table(request, stated | page, form=form, name="signals", of=schemas.Signals, headers=links)


def _one_of_two(organisation: str | None, within: str | None) -> None:
    if (organisation is None) == (within is None):
        message = "say either organisation or within"
        raise InvalidRequest(message, errors=[{"parameter": "organisation", "message": message}])
