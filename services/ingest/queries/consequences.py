"""What a dry run would have done: the returns that would differ, and the measures that are made from them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ingest.models import Measure
from services.ingest.rules.counts import FEED as COUNTS
from services.ingest.rules.feeds import Feed

_MOST = 1000


def consequences(
    session: Session, feed: Feed, differences: Sequence[dict[str, Any]], counted: frozenset[str]
) -> dict[str, Any]:
    """`returns` (rows before and after, records added, changed and removed), `measures` made from the feed, and the
    `cells` (measure, organisation, period) that might change; 1,000 of each at most, with exact totals.

    `counted` are the measures that rows of `measure-counts` change.
    """
    made = select(Measure.measure).where(Measure.feeds.contains([feed.id])).order_by(Measure.measure)
    measures = sorted(counted) if feed.id == COUNTS else list(session.execute(made).scalars())
    cells = (
        {"measure": measure, "organisation": one["organisation"], "period": one["period"]}
        for one in differences
        for measure in measures
    )
    return {
        "returns": list(differences[:_MOST]),
        "returns_total": len(differences),
        "measures": measures,
        "cells": [cell for cell, _ in zip(cells, range(_MOST), strict=False)],
        "cells_total": len(differences) * len(measures),
    }
