"""Dates and times as people and machines write them.

Read without doubt: `2026-10-05`, `20261005`, `05-Oct-2026`, `5 October 2026`, and `05/10/2026` (also with hyphens or
full stops), which is day first because it is sent from England. Times add `T10:30` or ` 10:30`, seconds, fractions,
and an offset or Z, which is converted to the wall clock of Europe/London.

A spreadsheet set to American dates turns 05/10/2026 into 2026-05-10 and leaves 28/10/2026 as it is. A column that
mixes both ways of writing, or holds a date that can only be month first, is therefore not trusted: those of its dates
whose day and month could have been exchanged are faults. Rows that were read before the mixture showed itself make
the file a fault (`Written.too_late`). Two-digit years and day numbers of a spreadsheet are reported, not guessed.
"""

from dataclasses import dataclass

import polars as pl

_SLASHED = r"^([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})(?:$|[T ])"
_EARLIEST, _LATEST = 1880, 2120
_MIDNIGHT = r"[T ]00:00(?::00(?:\.0+)?)?$"
_PARTS = r"^(.+?)[T ]([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,][0-9]+)? ?(Z|z|[+-][0-9]{2}:?[0-9]{2})?$"
_WITH_MONTH_NAMES = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y")
_ISO = {16: "%H:%M", 19: "%H:%M:%S"}

_DAY, _MONTH = pl.col("value").dt.day(), pl.col("value").dt.month()
_EXCHANGEABLE = (_DAY <= 12) & (_DAY != _MONTH)
_WRITTEN = {
    "year_first": pl.col("cell").str.contains(r"^[0-9]{4}-"),
    "day_first": pl.col("cell").str.contains(_SLASHED),
    "exchangeable": _EXCHANGEABLE,
}
"""What cells and the dates they were read as tell of how a column is written."""

Reading = tuple[pl.Series, list[tuple[str, str, str]]]
"""Values, and the table of patterns that says why the others have none."""


@dataclass(slots=True)
class Written:
    """How the dates of one column were written so far in the file."""

    year_first: bool = False
    day_first: bool = False
    month_first: bool = False
    exchangeable: bool = False
    too_late: bool = False
    """Doubt came up after exchangeable dates had been accepted."""

    @property
    def mixed(self) -> bool:
        """Whether day and month may have been exchanged."""
        return self.month_first or (self.year_first and self.day_first)

    def doubtful(self, cells: pl.Series, values: pl.Series) -> pl.Series | None:
        """Rows whose day and month may have been exchanged, given these cells and the dates they were read as."""
        mixed_before, exchangeable_before = self.mixed, self.exchangeable
        column = pl.DataFrame({"cell": cells, "value": values})
        self._learn(column)
        if self.mixed:
            self.too_late = self.too_late or (not mixed_before and exchangeable_before)
            return column.select(_EXCHANGEABLE).to_series()
        return None

    def _learn(self, column: pl.DataFrame) -> None:
        unsure = {name: how.any() for name, how in _WRITTEN.items() if not getattr(self, name)}
        seen = column.select(**unsure).row(0, named=True) if unsure else {}
        for name, found in seen.items():
            setattr(self, name, bool(found))
        if self.day_first and not self.month_first:
            unread = column.filter(pl.col("value").is_null())["cell"]
            beyond = unread.str.extract(_SLASHED, 2).cast(pl.Int64, strict=False) > 12
            self.month_first = bool(beyond.any())


def fast_dates(cells: pl.Expr) -> pl.Expr:
    """Cells that are ISO dates; all others null."""
    return cells.str.to_date("%Y-%m-%d", strict=False)


def fast_datetimes(cells: pl.Expr, sample: pl.Series) -> pl.Expr:
    """Cells written like the first of the sample, where that is ISO without an offset; all others null."""
    first = sample.drop_nulls().head(1) if sample.null_count() else sample.head(1)
    text = first[0] if len(first) else ""
    if len(text) not in _ISO or text[10] not in "T ":
        return pl.lit(None, dtype=pl.Datetime("us"))
    form = f"%Y-%m-%d{text[10]}{_ISO[len(text)]}"
    return cells.str.to_datetime(form, strict=False, time_unit="us")


def plausible(values: pl.Series) -> pl.Series:
    """Dates and instants of our time; a year like 26 or 20260 is a slip of the pen."""
    ours = values.dt.year().is_between(_EARLIEST, _LATEST)
    return values if ours.all() else values.set(~ours, None)


def dates(cells: pl.Series) -> Reading:
    """Dates in every way of writing them that leaves no doubt; a time of midnight is allowed and dropped."""
    values = _any_date(cells.str.replace(_MIDNIGHT, ""))
    return values, [*_WHY_NOT, (r"[T ][0-9]{1,2}:[0-9]{2}", "not-a-date", "leave out the time"), ("", "not-a-date", "")]


_WHY_NOT = [
    (r"^#", "excel-error", ""),
    (r"^[3-6][0-9]{4}(?:\.[0-9]+)?$", "excel-serial-date", "a spreadsheet counts days: format the column as a date"),
    (r"^[0-9]{1,2}[/.-](?:1[3-9]|[2-9][0-9])[/.-][0-9]{4}", "month-first-date", "write the year first: 2026-10-05"),
    (r"^[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{2}(?:$|[T ])", "not-a-date", "write the year in four digits"),
]


def _any_date(cells: pl.Series) -> pl.Series:
    day, month, year = (cells.str.extract(_SLASHED, n) for n in (1, 2, 3))
    ordered = pl.select(pl.concat_str(year, month.str.zfill(2), day.str.zfill(2), separator="-")).to_series()
    eight = cells.set(~cells.str.contains(r"^[0-9]{8}$"), None)
    read = pl.coalesce(
        cells.str.to_date("%Y-%m-%d", strict=False),
        ordered.str.to_date("%Y-%m-%d", strict=False),
        *(cells.str.to_date(form, strict=False) for form in _WITH_MONTH_NAMES),
        eight.str.to_date("%Y%m%d", strict=False),
    )
    return plausible(pl.select(read).to_series())


def datetimes(cells: pl.Series) -> Reading:
    """Dates with a time of day, in every way of writing them that leaves no doubt, on the clock of Europe/London."""
    day = _any_date(cells.str.extract(_PARTS, 1))
    clock = cells.str.extract(_PARTS, 2).str.zfill(5)
    seconds = pl.select(pl.when(clock.str.len_chars() == 5).then(clock + ":00").otherwise(clock)).to_series()
    hours = seconds.str.to_time("%H:%M:%S", strict=False)
    offset = cells.str.extract(_PARTS, 3)
    parts = pl.DataFrame({"day": day, "hours": hours})
    values = _on_london_clock(parts.select(pl.col("day").dt.combine(pl.col("hours"))).to_series(), offset)
    missing = (r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}|[0-9]{8})$", "time-missing", "")
    return values, [*_WHY_NOT, missing, ("", "not-a-datetime", "")]


def _on_london_clock(wall: pl.Series, offset: pl.Series) -> pl.Series:
    minutes = (
        offset.str.replace_all(":", "").str.slice(1, 2).cast(pl.Int64, strict=False) * 60
        + offset.str.replace_all(":", "").str.slice(3, 2).cast(pl.Int64, strict=False)
    ).fill_null(0)
    frame = pl.DataFrame({"wall": wall.cast(pl.Datetime("us")), "offset": offset, "minutes": minutes})
    signed = pl.when(pl.col("offset").str.starts_with("-")).then(-pl.col("minutes")).otherwise(pl.col("minutes"))
    instant = (pl.col("wall") - pl.duration(minutes=signed)).dt.replace_time_zone("UTC")
    london = instant.dt.convert_time_zone("Europe/London").dt.replace_time_zone(None)
    return frame.select(pl.when(pl.col("offset").is_null()).then(pl.col("wall")).otherwise(london)).to_series()
