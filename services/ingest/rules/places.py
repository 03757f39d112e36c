"""Whose row it is, and for when: organisations by code or identifier, periods by column or from a date."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from services.ingest.rules.feeds import Feed
from services.ingest.rules.findings import Findings
from services.ingest.rules.reference import RECENTLY, Reference, standing
from shared.contracts.periods import EXAMPLES, GRAINS, Grain, Period

ORGANISATION, PERIOD = "_organisation", "_period"


@dataclass(frozen=True, slots=True)
class Place:
    """For each row: the organisation's code (as sent where it is not known), the period, its grain, and `unknown`."""

    organisation: pl.Series
    period: pl.Series
    grain: pl.Series
    unknown: pl.Series


class Places:
    """Finds the organisation and period of each row, with what the request said for rows that do not say."""

    def __init__(
        self,
        feed: Feed,
        reference: Reference,
        *,
        today: date,
        organisation: str | None,
        period: str | None,
        allowed: Collection[str] | None,
    ) -> None:
        self._feed = feed
        self._organisations = reference.organisations
        self._today = today
        self._organisation = organisation.strip().upper() if organisation else None
        self._period = Period.parse(period) if period else None
        self._allowed = None if allowed is None else frozenset(code.upper() for code in allowed)
        self._periods: dict[str, Period] = {}

    def fills(self, column: str) -> bool:
        """Whether the request already says what a blank in this column leaves open."""
        filled = self._feed.organisation if self._organisation else ()
        return column in filled or (self._period is not None and column in self._feed.period_columns)

    def names(self, column: str) -> bool:
        """Whether the column may name the organisation or the period of a row."""
        return column in self._feed.organisation or column in self._feed.period_columns

    def judge(
        self, rows: pl.DataFrame, found: Findings, unread: Mapping[str, pl.Series], *, sent: pl.Series | None = None
    ) -> Place:
        """The place of each row, with faults for those that have none or may not have it."""
        period, grain = self._judge_period(rows, found, unread)
        organisation, unknown = self._judge_organisation(rows, found, unread, sent)
        self._judge_standing(organisation, period, found)
        return Place(organisation, period, grain, unknown)

    # organisations

    def _judge_organisation(
        self, rows: pl.DataFrame, found: Findings, unread: Mapping[str, pl.Series], sent: pl.Series | None
    ) -> tuple[pl.Series, pl.Series]:
        columns = self._feed.organisation
        if sent is None:
            said = pl.lit(self._organisation, dtype=pl.String)
            sent = rows.select(pl.coalesce(*columns, said).alias(ORGANISATION))[ORGANISATION]
        codes = {text: one.code for text in sent.unique() if text and (one := self._organisations.get(text))}
        resolved = sent.replace_strict(codes, default=None, return_dtype=pl.String)
        self._judge_absence(sent, columns, found, unread, "no-organisation", "an organisation code, like RGT")
        organisation, unknown = resolved, pl.Series(np.zeros(len(sent), bool))
        if resolved.null_count() > sent.null_count():
            unknown = resolved.is_null() & sent.is_not_null()
            organisation = resolved.zip_with(~unknown, sent)
        organisation = organisation.alias(ORGANISATION)
        if self._allowed is not None:
            strange = ~organisation.is_in(list(self._allowed)) & ~sent.is_in(list(self._allowed))
            found.add(strange, "not-yours", column=columns[0], cells=sent, expected="an organisation you act for")
            unknown = unknown & ~strange
        return organisation, unknown

    def _judge_absence(
        self,
        values: pl.Series,
        columns: tuple[str, ...],
        found: Findings,
        unread: Mapping[str, pl.Series],
        code: str,
        expected: str,
    ) -> None:
        """Rows that say nothing, unless a fault of their own was found in one of the columns already."""
        if not values.null_count():
            return
        absent = values.is_null()
        for name in columns:
            absent = absent & ~unread[name] if name in unread else absent
        if any(self._feed.by_name[name].required for name in columns) and absent.any():
            absent = absent & ~pl.Series(found.rejected)
        found.add(absent, code, column=columns[0] if columns else None, expected=expected)

    def _judge_standing(self, organisation: pl.Series, period: pl.Series, found: Findings) -> None:
        """Whether each organisation was open in the period it reports."""
        pairs = pl.DataFrame({ORGANISATION: organisation, PERIOD: period})
        told = []
        for code, text in pairs.unique().iter_rows():
            one = self._organisations.get(code) if text is not None else None
            said, hint = standing(one, self._parsed(text), grace_days=self._feed.grace_days) if one else ("", "")
            if said:
                told.append((code, text, said, hint))
        if not told:
            return
        schema = dict.fromkeys((ORGANISATION, PERIOD, "code", "hint"), pl.String)
        judged = pairs.join(
            pl.DataFrame(told, schema, orient="row"), on=[ORGANISATION, PERIOD], how="left", maintain_order="left"
        )
        for code in judged["code"].drop_nulls().unique().sort():
            found.add(
                judged["code"] == code,
                code,
                column=self._feed.organisation[0],
                severity="warning" if code == RECENTLY else "error",
                cells=organisation,
                hint=judged["hint"],
                expected="an organisation that was open in the period",
            )

    # periods

    def _judge_period(
        self, rows: pl.DataFrame, found: Findings, unread: Mapping[str, pl.Series]
    ) -> tuple[pl.Series, pl.Series]:
        columns = self._feed.period_columns
        texts = [self._period_texts(rows[name]) for name in columns]
        said = pl.lit(self._period.text if self._period else None, dtype=pl.String)
        period = pl.select(pl.coalesce(*texts, said)).to_series().alias(PERIOD)
        period = (
            period if len(period) == rows.height else pl.repeat(period[0], rows.height, dtype=pl.String, eager=True)
        )
        known = {text: self._parsed(text) for text in period.unique() if text is not None}
        grain = period.replace_strict({t: p.grain for t, p in known.items()}, default=None, return_dtype=pl.String)
        expected = "a period, like 2026-10" if self._feed.period == "any" else self._example()
        self._judge_absence(period, columns, found, unread, "no-period", expected)
        column = columns[0] if columns else None
        if self._feed.period != "any":
            wrong = grain != self._feed.period
            found.add(wrong, "wrong-period-grain", column=column, cells=period, expected=expected)
        if future := [text for text, one in known.items() if one.start > self._today]:
            begins = period.is_in(future)
            found.add(begins, "period-in-future", column=column, cells=period, expected="a period that has begun")
        return period.alias(PERIOD), grain

    def _example(self) -> str:
        grain: Grain = next(one for one in GRAINS if one == self._feed.period)
        return f"a {grain.replace('_', ' ')}, like {EXAMPLES[grain]}"

    def _parsed(self, text: str) -> Period:
        if text not in self._periods:
            self._periods[text] = Period.parse(text)
        return self._periods[text]

    def _period_texts(self, values: pl.Series) -> pl.Series:
        """A period as written, or the period of the feed's grain that holds a date."""
        if values.dtype not in (pl.Date, pl.Datetime):
            return values
        grain: Grain = next((one for one in GRAINS if one == self._feed.period), "day")
        days = values.cast(pl.Date)
        texts = {day: Period.of(day, grain).text for day in days.unique() if day is not None}
        return days.replace_strict(texts, default=None, return_dtype=pl.String)
