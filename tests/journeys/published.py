"""Published figures kept beside the checkout, read as the counts that a supplier would make of them."""

import csv
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from shared.contracts.periods import Period

FOLDER = Path(__file__).parents[2].parent / "shared" / "data"
MSDS = FOLDER / "maternity" / "msds_measures_2025-04_provisional.csv"
EMERGENCY = FOLDER / "deterioration" / "ae_trust_monthly_2021-04_2024-05.csv"
MONTHLY = FOLDER / "deterioration" / "ae_monthly_raw"

Place = tuple[str, str]
"""An organisation, and a period or a measure."""
Pair = tuple[int, int]
"""A numerator and its denominator."""


def as_counts(figures: dict[Place, Pair], *, measure: str) -> bytes:
    """The figures of one measure, by organisation and period, as a file."""
    lines = [f"{code},{period},{measure},{n},{d}" for (code, period), (n, d) in figures.items()]
    return "\n".join(["organisation,period,measure,numerator,denominator", *lines, ""]).encode()


def maternity() -> tuple[dict[Place, Pair], dict[Place, float]]:
    """Of each provider and clinical indicator in April 2025 with both counts: the counts, and the published rate."""
    told: dict[Place, dict[str, str]] = defaultdict(dict)
    for row in _rows(MSDS):
        if row["Org_Level"] == "Provider" and row["IndicatorFamily"] == "CQIM_Rate":
            told[row["Org_Code"], f"mn-{row['Indicator'].lower()}"][row["Currency"].removesuffix(" per Thousand")] = (
                row["Value"]
            )
    whole = {place: said for place, said in told.items() if said["Numerator"].isdigit() and said["Denominator"] != "0"}
    counts = {place: (int(said["Numerator"]), int(said["Denominator"])) for place, said in whole.items()}
    return counts, {place: float(said["Rate"]) for place, said in whole.items() if _is_number(said["Rate"])}


def emergency() -> dict[Place, Pair]:
    """Attendances over four hours, of all, by trust and month; without the months that have no count of the first."""
    return {
        (row["nhs_trust22_code"], _month(row["date"])): (
            int(float(row["attendances_over_4hours"])), int(float(row["total_attendances"])),
        )
        for row in _rows(EMERGENCY)
        if row["attendances_over_4hours"] and float(row["total_attendances"])
    }  # fmt: skip


def monthly_files() -> list[Path]:
    """The monthly files, in order of their months."""
    return sorted(MONTHLY.glob("*.csv"))


def of_a_month(path: Path) -> tuple[dict[Place, Pair], Pair]:
    """Attendances over four hours, of all, by organisation, and what the file says they come to together."""
    figures: dict[Place, Pair] = {}
    total = (0, 0)
    for row in _rows(path):
        label, code = row["Period"].strip(), row["Org Code"].strip()
        pair = (_sum(row, "Attendances over 4hrs"), _sum(row, "A&E attendances"))
        if label.upper() == "TOTAL":
            total = pair
        elif label:
            figures[code, _month(label.removeprefix("MSitAE-").replace("-", " "))] = pair
    return figures, total


def _sum(row: dict[str, str], begins: str) -> int:
    return sum(int(value) for name, value in row.items() if name and name.startswith(begins))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _month(words: str) -> str:
    return Period.of(datetime.strptime(words, "%B %Y").date(), "month").text  # noqa: DTZ007 - a month has no zone


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()
