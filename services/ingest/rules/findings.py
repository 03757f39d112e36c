"""The faults of one block as they are found: which rows are rejected, and what is to be said of each."""

import numpy as np
import polars as pl

from services.ingest.rules.faults import Severity, faults, no_faults, of_the_file
from services.ingest.rules.identity import redacted


class Findings:
    """Collects faults row by row.

    Rows that could not be laid out (`spoilt`) are rejected and judged no further, but for what they
    identify."""

    def __init__(self, lines: pl.Series, found: pl.DataFrame) -> None:
        self.lines = lines
        self.spoilt = np.zeros(len(lines), bool)
        if found.height:
            errors = found.filter((pl.col("severity") == "error") & pl.col("line").is_not_null())
            self.spoilt |= lines.is_in(errors["line"].implode()).to_numpy()
        self.rejected = self.spoilt.copy()
        self._said = [found]

    def add(
        self,
        rows: pl.Series,
        code: str,
        *,
        column: str | None,
        severity: Severity = "error",
        cells: pl.Series | None = None,
        found: pl.Series | str | None = None,
        hint: pl.Series | str = "",
        expected: str = "",
        example: str = "",
    ) -> None:
        """A fault in each of the rows (null counts as false). `cells` are quoted after redaction, `found` as it is."""
        if not rows.any():
            return
        chosen = rows.fill_null(value=False).to_numpy()
        if code != "identifiable-data":
            chosen = chosen & ~self.spoilt
        if not chosen.any():
            return
        mask = pl.Series(chosen)
        self._said.append(
            faults(
                self.lines.filter(mask),
                code,
                column=column,
                severity=severity,
                found=redacted(cells.filter(mask))
                if cells is not None
                else found.filter(mask)
                if isinstance(found, pl.Series)
                else found,
                hint=hint.filter(mask).fill_null("") if isinstance(hint, pl.Series) else hint,
                expected=expected,
                example=example,
            )
        )
        if severity == "error":
            self.rejected |= chosen

    def add_for_file(self, code: str, *, column: str | None, severity: Severity = "warning", **said: str) -> None:
        """A fault of the whole file; an error rejects every row."""
        self._said.append(of_the_file(code, column=column, severity=severity, **said))
        if severity == "error":
            self.rejected[:] = True

    @property
    def faults(self) -> pl.DataFrame:
        """All faults, by line (those of the whole file first)."""
        told = [one for one in self._said if one.height]
        return pl.concat(told).sort("line", maintain_order=True, nulls_last=False) if told else no_faults()
