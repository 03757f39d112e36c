"""Quality gates: what must hold of enough rows of a return before its figures count.

`quality` of a definition is a list of gates: `{"feed": "births", "where": {...}, "meets": {...}, "at_least": 0.9}`. Of
the rows of the feed that are looked at (`where`; all without it) the share that `meets` the condition must be at least
that much. Figures of an organisation and period that fail a gate are kept and shown to no chart: they are
`low_quality`, and aggregates leave the organisation out. Figures that arrive ready counted have no rows to look at.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from services.measures.rules.conditions import condition
from services.measures.rules.feeds import COUNTED, Feed, InvalidDefinition

PARTS = frozenset({"feed", "where", "meets", "at_least", "says"})


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """One gate, compiled: of the rows of `feed` that are `looked_at`, the share that are `met` is `at_least` this."""

    feed: str
    looked_at: pl.Expr
    met: pl.Expr
    at_least: float
    says: str

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the feed that it reads."""
        return frozenset(name for one in (self.looked_at, self.met) for name in one.meta.root_names())


def gates(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> tuple[Gate, ...]:
    """The gates of a definition. Raises InvalidDefinition, which names the place."""
    return tuple(_gate(one, feeds, f"/quality/{n}") for n, one in enumerate(definition.get("quality") or ()))


def _gate(given: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]], pointer: str) -> Gate:
    if not isinstance(given, Mapping) or set(given) - PARTS or given.get("meets") is None:
        raise InvalidDefinition(pointer, 'write {"feed": ..., "where": ..., "meets": ..., "at_least": 0.9}')
    if given.get("feed") not in feeds or given["feed"] == COUNTED:
        raise InvalidDefinition(f"{pointer}/feed", f"{given.get('feed')!r} is not a published feed of rows")
    share = given.get("at_least")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise InvalidDefinition(f"{pointer}/at_least", "give a share above 0 and up to 1, such as 0.9")
    feed = Feed.of(feeds[given["feed"]])
    looked_at = condition(given.get("where"), feed, f"{pointer}/where")
    met = condition(given["meets"], feed, f"{pointer}/meets")
    return Gate(feed.id, looked_at, met, float(share), str(given.get("says") or f"gate {pointer}"))


def failures(
    frame: pl.DataFrame, period: pl.Expr, gated: Iterable[tuple[str, Sequence[Gate]]], *, feed: str
) -> dict[tuple[str, str, str], list[str]]:
    """What fails, in words, by (measure, organisation, period); what passes every gate is not in it.

    `frame` has the feed's columns and `_organisation` (`rows.placed`); `period` gives each row's period of the figure.
    A return none of whose rows is looked at passes.
    """
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    asked = [(measure, gate) for measure, each in gated for gate in each if gate.feed == feed]
    if not asked or not frame.height:
        return {}
    present = pl.col("_organisation").is_not_null()
    sums = [
        expression.sum().alias(f"{number}.{name}")
        for number, (_, gate) in enumerate(asked)
        for name, expression in (("rows", gate.looked_at & present), ("met", gate.looked_at & gate.met & present))
    ]
    for row in frame.group_by("_organisation", period.alias("_gate_period")).agg(sums).iter_rows(named=True):
        for number, (measure, gate) in enumerate(asked):
            rows, met = row[f"{number}.rows"], row[f"{number}.met"]
            if rows and met / rows < gate.at_least:
                words = f"{gate.says}: {met:,} of {rows:,} rows, {gate.at_least * 100:.6g}% needed"
                found[measure, row["_organisation"], row["_gate_period"]].append(words)
    return dict(found)
