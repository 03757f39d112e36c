"""Text cells to typed values, and why a cell could not be one.

Each type has a fast reading of the whole column. What that leaves over is read once more, each distinct text once,
with patience and with an explanation: a frame of `cell`, `value`, `code`, `hint` (`code` null where it was mended).
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from services.ingest.rules.dates import Written, dates, datetimes, fast_dates, fast_datetimes, plausible
from services.ingest.rules.feeds import WEEKDAYS, Field
from shared.contracts.periods import Period

EXCEL_ERROR = r"^(?:#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!)|#{3,})$"
EXCEL_SCIENTIFIC = r"^[0-9](?:\.[0-9]+)?[Ee]\+?[0-9]{2}$"
ORGANISATION = r"^(?:[A-Z0-9]{3,9}|1-[0-9]{8,12}|ENGLAND)$"
_HINTED = 200


@dataclass(frozen=True, slots=True)
class Typed:
    """A column as typed values, and for each row the code and hint of what is wrong (null where nothing is).

    `code` and `hint` are None where nothing is wrong in the whole column.
    """

    values: pl.Series
    code: pl.Series | None = None
    hint: pl.Series | None = None

    def but(self, rows: pl.Series, code: str, hint: pl.Series | str = "") -> "Typed":
        """The same with a code in these rows (null counts as not) and no value there."""
        chosen = rows.fill_null(value=False)
        nothing = pl.repeat(None, len(rows), dtype=pl.String, eager=True)
        codes, hints = (nothing if self.code is None else self.code), (nothing if self.hint is None else self.hint)
        said = hint.zip_with(chosen, hints) if isinstance(hint, pl.Series) else hints.set(chosen, hint)
        return Typed(self.values.set(chosen, None), codes.set(chosen, code), said)


def cleaned(cells: pl.DataFrame) -> pl.DataFrame:
    """Text cells without white space at their ends; blank ones null."""
    loose = cells.select(pl.all().str.contains(r"^\s|\s$|^$").any()).row(0, named=True)
    names = [name for name, said in loose.items() if said]
    return cells.with_columns(pl.col(names).str.strip_chars().replace("", None)) if names else cells


def fast(fields: Sequence[Field], cells: pl.DataFrame) -> pl.DataFrame:
    """The fast reading of all columns at once: typed values where the cells are written the usual way, else null."""
    return cells.select(_FAST[one.type](one, cells[one.name]).alias(one.name) for one in fields)


def possible(values: pl.Series) -> pl.Series:
    """Values without dates of other centuries and numbers that are none (infinity)."""
    if values.dtype.is_temporal():
        return plausible(values)
    if values.dtype.is_float() and not values.is_finite().all():
        return values.set(~values.is_finite(), None)
    return values


def typed(field: Field, cells: pl.Series, values: pl.Series, written: Written) -> Typed:
    """Read what the fast reading left of one column. `written` remembers how its dates were written so far."""
    values = possible(values)
    found = Typed(values)
    if values.null_count() > cells.null_count():
        left = values.is_null() & cells.is_not_null()
        odd = _PATIENT[field.type](field, cells.filter(left).unique().alias("cell"))
        read = cells.alias("cell").set(~left, None).to_frame().join(odd, on="cell", how="left", maintain_order="left")
        filled = pl.select(pl.coalesce(values, read["value"].cast(values.dtype))).to_series()
        found = Typed(filled, read["code"], read["hint"]) if odd["code"].null_count() < odd.height else Typed(filled)
    return _on_weekday(field, _dates_told_apart(field, cells, _in_range(field, found), written))


def _in_range(field: Field, found: Typed) -> Typed:
    if field.minimum is None and field.maximum is None:
        return found
    least, most = found.values.min(), found.values.max()
    if least is None or not (_below(least, field.minimum) or _below(field.maximum, most)):
        return found
    beyond = ~found.values.is_between(
        -math.inf if field.minimum is None else field.minimum, math.inf if field.maximum is None else field.maximum
    )
    return found.but(beyond, "out-of-range")


def _below(one: Any, other: Any) -> bool:
    return one is not None and other is not None and bool(one < other)


def _dates_told_apart(field: Field, cells: pl.Series, found: Typed, written: Written) -> Typed:
    if field.type not in ("date", "datetime"):
        return found
    doubtful = written.doubtful(cells, found.values)
    return found if doubtful is None or not doubtful.any() else found.but(doubtful, "ambiguous-date")


def _on_weekday(field: Field, found: Typed) -> Typed:
    """Dates that must fall on one day of the week; the hint is the next such day."""
    if field.weekday is None:
        return found
    late = field.weekday + 1 - found.values.dt.weekday().cast(pl.Int64)
    if (late == 0).all():
        return found
    meant = found.values.dt.offset_by(pl.select(pl.format("{}d", late % 7)).to_series())
    name = WEEKDAYS[field.weekday].capitalize()
    hint = pl.select(pl.format(f"the {name} that ends the week is {{}}", meant.dt.to_string("%Y-%m-%d"))).to_series()
    return found.but(late != 0, "wrong-weekday", hint)


def _explained(cells: pl.Series, value: pl.Series | None, table: list[tuple[str, str, str]]) -> pl.DataFrame:
    """Give each cell without a value the code and hint of the first pattern of the table that it fits."""
    code: pl.Expr = pl.lit(None, dtype=pl.String)
    hint: pl.Expr = pl.lit(None, dtype=pl.String)
    for pattern, its_code, its_hint in reversed(table):
        fits = pl.col("cell").str.contains(pattern)
        code = pl.when(fits).then(pl.lit(its_code)).otherwise(code)
        hint = pl.when(fits).then(pl.lit(its_hint)).otherwise(hint)
    missing = pl.col("value").is_null()
    values = value if value is not None else pl.lit(None, dtype=pl.String)
    return (
        cells.to_frame()
        .with_columns(values.alias("value"))
        .with_columns(code=pl.when(missing).then(code), hint=pl.when(missing).then(hint))
    )


_NUMBERS = [
    (EXCEL_ERROR, "excel-error", ""),
    (r"^[+-]?[0-9]{1,3}(?:[, ][0-9]{3})+(?:\.[0-9]+)?$", "thousands-separator", "write it without separators"),
]
_WHY_NOT = [
    (r"%$", "write the number without a percent sign"),
    (r"^[+-]?[0-9]+,[0-9]{1,2}$", "write a full stop, not a comma"),
    (r"^[<>*†‡]", "send the true figure: small numbers are hidden later"),
    (r"(?i)^(?:n/?a|null|none|nil|unknown|not known|-+|\.+)$", "leave the cell blank where the value is not known"),
    (r"(?i)^[0-9.]+ ?[a-z]+$", "write the number without its unit"),
    (r"", ""),
]


def _integers(_: Field, cells: pl.Series) -> pl.DataFrame:
    whole = cells.str.extract(r"^([+-]?[0-9]{1,18})\.0+$").cast(pl.Int64, strict=False)
    fraction = (r"^[+-]?[0-9]*\.[0-9]+$", "not-an-integer", "a whole number is needed here: check the unit")
    why = [(pattern, "not-an-integer", hint) for pattern, hint in _WHY_NOT]
    return _explained(cells, whole, [*_NUMBERS, fraction, *why])


def _decimals(_: Field, cells: pl.Series) -> pl.DataFrame:
    return _explained(cells, None, [*_NUMBERS, *((pattern, "not-a-number", hint) for pattern, hint in _WHY_NOT)])


_TRUTHS = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "y", "Y", "1", "t", "T"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "n", "N", "0", "f", "F"), False),
}


def _texts(field: Field, cells: pl.Series) -> pl.DataFrame:
    short = cells.set(cells.str.contains(f"{EXCEL_ERROR}|{EXCEL_SCIENTIFIC}"), None)
    if field.longest is not None:
        short = short.set(short.str.len_chars() > field.longest, None)
    table = [(EXCEL_ERROR, "excel-error", ""), (EXCEL_SCIENTIFIC, "excel-scientific", "")]
    if field.each_of:
        short = short.set(~short.str.contains(_each_of(field)), None)
        return _explained(cells, short, [*table, ("", "not-in-code-list", "write codes with a bar between, like 4|3")])
    return _explained(cells, short, [*table, ("", "too-long", f"at most {field.longest} characters")])


def _fast_texts(field: Field, _: pl.Series) -> pl.Expr:
    cells = pl.col(field.name)
    good = ~cells.str.contains(f"{EXCEL_ERROR}|{EXCEL_SCIENTIFIC}")
    if field.longest is not None:
        good = good & (cells.str.len_bytes() <= field.longest)
    if field.each_of:
        good = good & cells.str.contains(_each_of(field))
    return pl.when(good).then(cells)


def _each_of(field: Field) -> str:
    """A pattern of codes of a list with a bar between."""
    one = "(?:" + "|".join(map(re.escape, field.each_of)) + ")"
    return rf"^{one}(?:\|{one})*$"


def _codes(field: Field, cells: pl.Series) -> pl.DataFrame:
    """Codes in another case are read; for the first 200 others the nearest code is named."""
    by_case = _by_case(field.codes)
    value = pl.Series([by_case.get(cell.casefold()) for cell in cells], dtype=pl.String)
    odd = _explained(cells, value, [(EXCEL_ERROR, "excel-error", ""), ("", "not-in-code-list", "")])
    asked = odd.filter(pl.col("code") == "not-in-code-list")["cell"].sort().head(_HINTED)
    hints = {cell: hint for cell in asked if (hint := nearest_code(cell, field.codes))}
    return odd.with_columns(
        pl.col("cell").replace_strict(hints, default=pl.col("hint"), return_dtype=pl.String).alias("hint")
    )


def _by_case(codes: Mapping[str, str]) -> dict[str, str]:
    folded: dict[str, list[str]] = {}
    for code in codes:
        folded.setdefault(code.casefold(), []).append(code)
    return {one: same[0] for one, same in folded.items() if len(same) == 1}


def nearest_code(found: str, codes: Mapping[str, str]) -> str:
    """A hint that names the code the sender probably meant: by zeros in front, by its display text, by likeness."""
    bare = found.lstrip("0") or "0"
    for code, display in codes.items():
        if (code.lstrip("0") or "0") == bare and found.isascii() and found.isdigit():
            return _meant(code, display)
    by_display = {display.casefold(): code for code, display in codes.items()}
    near = difflib.get_close_matches(found.casefold()[:80], by_display, n=1, cutoff=0.75)
    if near:
        return _meant(by_display[near[0]], codes[by_display[near[0]]])
    like = difflib.get_close_matches(found[:80], list(codes), n=1, cutoff=0.75) if len(found) > 2 else []
    return _meant(like[0], codes[like[0]]) if like else ""


def _meant(code: str, display: str) -> str:
    return f"{code} means {display}" if display and display != code else f"perhaps {code}"


def _periods(_: Field, cells: pl.Series) -> pl.DataFrame:
    value = pl.Series([_period(cell) for cell in cells], dtype=pl.String)
    table = [
        (EXCEL_ERROR, "excel-error", ""),
        (r"(?i)^[a-z]{3,9}[- ][0-9]{2,4}$", "not-a-period", "a spreadsheet turns 2026-10 into Oct-26: write 2026-10"),
        (r"^[0-9]{4}/[0-9]{2}$", "not-a-period", "write it with a hyphen, like 2026-27"),
        (r"^[0-9]{1,2}/[0-9]{4}$", "not-a-period", "write the year first, like 2026-10"),
        ("", "not-a-period", ""),
    ]
    return _explained(cells, value, table)


def _period(text: str) -> str | None:
    try:
        return Period.parse(re.sub(r"[wq]", lambda letter: letter[0].upper(), text)).text
    except ValueError:
        return None


def _organisations(_: Field, cells: pl.Series) -> pl.DataFrame:
    upper = cells.str.to_uppercase()
    code = upper.set(~upper.str.contains(ORGANISATION), None)
    return _explained(cells, code, [(EXCEL_ERROR, "excel-error", ""), ("", "not-an-organisation-code", "")])


def _fast_organisations(field: Field, _: pl.Series) -> pl.Expr:
    return pl.when(pl.col(field.name).str.contains(ORGANISATION)).then(pl.col(field.name))


def _fast_codes(field: Field, _: pl.Series) -> pl.Expr:
    return pl.when(pl.col(field.name).is_in(list(field.codes))).then(pl.col(field.name))


_FAST: dict[str, Callable[[Field, pl.Series], pl.Expr]] = {
    "text": _fast_texts,
    "code": _fast_codes,
    "integer": lambda field, _: pl.col(field.name).cast(pl.Int64, strict=False),
    "decimal": lambda field, _: pl.col(field.name).cast(pl.Float64, strict=False),
    "boolean": lambda field, _: pl.col(field.name).replace_strict(_TRUTHS, default=None, return_dtype=pl.Boolean),
    "date": lambda field, _: fast_dates(pl.col(field.name)),
    "datetime": lambda field, cells: fast_datetimes(pl.col(field.name), cells),
    "period": lambda *_: pl.lit(None, dtype=pl.String),
    "organisation": _fast_organisations,
}
_PATIENT: dict[str, Callable[[Field, pl.Series], pl.DataFrame]] = {
    "text": _texts,
    "code": _codes,
    "integer": _integers,
    "decimal": _decimals,
    "boolean": lambda _, cells: _explained(cells, None, [(EXCEL_ERROR, "excel-error", ""), ("", "not-yes-or-no", "")]),
    "date": lambda _, cells: _explained(cells, *dates(cells)),
    "datetime": lambda _, cells: _explained(cells, *datetimes(cells)),
    "period": _periods,
    "organisation": _organisations,
}
DTYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "code": pl.String(),
    "integer": pl.Int64(),
    "decimal": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
    "period": pl.String(),
    "organisation": pl.String(),
}
"""The column type of each field type in typed frames."""
