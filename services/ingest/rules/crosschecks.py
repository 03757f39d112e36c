"""Judging whole rows, once their cells have been read: what is missing, what contradicts itself, what scores wrong."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import polars as pl

from services.ingest.rules import news2
from services.ingest.rules.conditions import Types, broken, fields_of, met
from services.ingest.rules.counts import count_findings
from services.ingest.rules.faults import WITHHELD
from services.ingest.rules.feeds import Feed, Rule
from services.ingest.rules.findings import Findings
from services.ingest.rules.places import Place, Places


class CrossChecks:
    """What a feed asks of whole rows."""

    def __init__(self, feed: Feed, places: Places) -> None:
        self._feed, self._places = feed, places

    def judge(self, cells: pl.DataFrame, rows: pl.DataFrame, unread: Mapping[str, pl.Series], found: Findings) -> None:
        """Say what is wrong with rows whose `cells` were read as `rows`, but for those that were `unread`."""
        self._judge_missing(cells, rows, found)
        self._judge_rules(rows, unread, found)
        if self._feed.recomputed == news2.NAME:
            for wrong in news2.findings(rows):
                found.add(**wrong._asdict(), severity="warning")

    def judge_counts(self, rows: pl.DataFrame, place: Place, measures: Mapping[str, object], found: Findings) -> None:
        """Say what is wrong with figures already counted."""
        for bad, code, column, expected, hint in count_findings(rows, place.period, place.grain, measures):
            shown = self._together(rows, ("numerator", "denominator") if "than" in code else (column,), bad)
            found.add(bad, code, column=column, found=shown, expected=expected, hint=hint)

    def _judge_missing(self, cells: pl.DataFrame, rows: pl.DataFrame, found: Findings) -> None:
        bare = self._bare(rows)
        for column in cells:
            name = column.name
            field = self._feed.by_name[name]
            if not field.required or self._places.fills(name) or not column.null_count():
                continue
            missing = column.is_null()
            if bare is not None and not self._places.names(name) and name not in self._feed.key:
                missing = missing & ~bare
            found.add(
                missing,
                "missing-value",
                column=name,
                expected=field.expected,
                hint=field.hint,
                example=field.example,
            )

    def _bare(self, rows: pl.DataFrame) -> pl.Series | None:
        """Rows that need say no more than whose they are: nil returns, and records to be deleted."""
        nil, action = self._feed.nil_column, self._feed.action_column
        if nil is not None:
            return rows[nil].fill_null(value=False)
        return (rows[action] == "delete").fill_null(value=False) if action is not None else None

    def _judge_rules(self, rows: pl.DataFrame, unread: Mapping[str, pl.Series], found: Findings) -> None:
        """Cross-field rules, in rows where every field they read could be read."""
        if not self._feed.rules:
            return
        breaks = rows.select(_breaking(self._feed))
        for n, rule in enumerate(self._feed.rules):
            failing = breaks[str(n)] & ~pl.Series(found.spoilt)
            if not failing.any():
                continue
            for name in _read_by(rule, _types(self._feed)):
                failing = failing & ~unread[name] if name in unread else failing
            found.add(
                failing,
                rule.code,
                column=rule.columns[0],
                severity=rule.severity,
                found=self._together(rows, rule.columns, failing),
                expected=rule.expected,
                hint=rule.hint,
            )

    def _together(self, rows: pl.DataFrame, columns: tuple[str, ...], chosen: pl.Series) -> pl.Series:
        """The values that a rule speaks of, `falls=3, falls_with_injury=4`, where chosen; no identifiers, no text."""
        fields = (self._feed.by_name[name] for name in columns)
        shown = [one.name for one in fields if one.identifier is None and one.type != "text"]
        parts = [pl.format(name + "={}", pl.col(name).cast(pl.String).fill_null("blank")) for name in shown]
        said = pl.concat_str(parts, separator=", ") if parts else pl.lit(WITHHELD)
        return rows.select(pl.when(chosen.fill_null(value=False)).then(said)).to_series()


@lru_cache(maxsize=64)
def _breaking(feed: Feed) -> Sequence[pl.Expr]:
    """For each rule of a feed, named by its number, which rows break it."""
    types = _types(feed)
    return [_breaks(rule, types).alias(str(n)) for n, rule in enumerate(feed.rules)]


def _types(feed: Feed) -> Types:
    return {one.name: one.type for one in feed.fields}


def _breaks(rule: Rule, types: Types) -> pl.Expr:
    applies = met(rule.where, types) if rule.where else pl.lit(value=True)
    return broken(rule.check, types) & applies


def _read_by(rule: Rule, types: Types) -> frozenset[str]:
    return fields_of(rule.check, types) | (fields_of(rule.where, types) if rule.where else frozenset())
