"""What became of the rows of a block: accepted, waiting, rejected or a repeat of an earlier one."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.ingest.rules.blocks import LINE
from services.ingest.rules.feeds import Feed
from services.ingest.rules.findings import Findings
from services.ingest.rules.places import ORGANISATION, PERIOD
from services.ingest.rules.pseudonyms import SEALABLE

ACCEPTED, WAITING, REJECTED, DUPLICATE = "accepted", "waiting", "rejected", "duplicate"
_OUTCOMES = pl.Series([ACCEPTED, REJECTED, DUPLICATE, WAITING])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the rows of a block.

    `accepted` and `waiting` have every kept field of the feed by its canonical name and type, then `_organisation`
    (code), `_period` (as the contract writes it) and `line`; in a waiting row `_organisation` is as sent where it is
    not known. `faults` are of `faults.FAULTS`. `outcomes` has `line` and `outcome` for every row received.
    `refused` has the line of each rejected row, its organisation and period as far as they are known, and its declared
    identifiers where they are valid and its organisation is in no doubt.
    `counts` are `received`, `accepted`, `waiting`, `rejected` and `duplicate`; the first is the sum of the others.
    Declared identifiers are still in the clear: `pseudonyms.pseudonymise` comes next.
    """

    accepted: pl.DataFrame
    waiting: pl.DataFrame
    faults: pl.DataFrame
    outcomes: pl.DataFrame
    refused: pl.DataFrame
    counts: dict[str, int]


def verdict(feed: Feed, placed: pl.DataFrame, found: Findings, *, waits: np.ndarray, repeats: np.ndarray) -> Verdict:
    """Sort typed rows with their places (`placed`); a row that is rejected neither waits nor repeats another."""
    rejected = found.rejected
    repeats = repeats & ~rejected
    waits = waits & ~rejected & ~repeats
    outcome = np.select([rejected, repeats, waits], [1, 2, 3], 0)
    kept = placed.drop([one.name for one in feed.fields if not one.keep and one.name in placed.columns])
    told = found.faults
    tally = np.bincount(outcome, minlength=len(_OUTCOMES)).tolist()
    return Verdict(
        accepted=_those(kept, outcome == 0),
        waiting=_those(kept, waits),
        faults=told,
        outcomes=pl.DataFrame({LINE: found.lines, "outcome": _OUTCOMES.gather(outcome)}),
        refused=_refused(feed, _those(placed, rejected), told),
        counts={"received": len(outcome), **dict(zip(_OUTCOMES, tally, strict=True))},
    )


def _those(rows: pl.DataFrame, chosen: np.ndarray) -> pl.DataFrame:
    """The rows that are chosen: mostly all or none."""
    if chosen.all():
        return rows
    return rows.filter(pl.Series(chosen)) if chosen.any() else rows.clear()


def _refused(feed: Feed, rejected: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    names = [one.name for one in feed.fields if one.identifier in SEALABLE and one.name in rejected.columns]
    if rejected.is_empty():
        return rejected.select(LINE, ORGANISATION, PERIOD, *names)
    doubted = told.filter(pl.col("column").is_in(feed.organisation) & (pl.col("severity") == "error"))
    sure = rejected[ORGANISATION].is_not_null() & ~rejected[LINE].is_in(doubted["line"].drop_nulls().implode())
    return rejected.select(LINE, ORGANISATION, PERIOD, *(pl.when(sure).then(pl.col(name)) for name in names))
