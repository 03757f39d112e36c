"""Grouped faults: exact totals, the first twenty rows, bounded memory."""

import polars as pl

from services.ingest.rules import faults
from services.ingest.rules.faults import Tally


def found(lines, values, severity="error"):
    return faults.faults(lines, "not-in-code-list", column="outcome", severity=severity, found=pl.Series(values))


def test_faults_of_several_blocks_are_grouped_by_value_with_exact_counts_and_the_first_twenty_rows():
    tally = Tally()
    tally.add(found(range(2, 32), ["1"] * 30))
    tally.add(found(range(32, 62), ["1"] * 29 + ["2"]))

    first, second = tally.groups()
    assert (first["found"], first["count"], first["rows"]) == ("1", 59, [*range(2, 22)])
    assert (second["found"], second["count"], second["rows"]) == ("2", 1, [61])
    assert tally.total == 60


def test_errors_come_before_warnings():
    tally = Tally()
    tally.add(found([1, 2], ["w", "w"], severity="warning"))
    tally.add(found([3], ["e"]))

    assert [group["severity"] for group in tally.groups()] == ["error", "warning"]


def test_beyond_the_limit_new_values_are_counted_together(monkeypatch):
    monkeypatch.setattr(faults, "MOST_GROUPS", 3)
    tally = Tally()
    tally.add(found(range(10), [str(n) for n in range(10)]))

    groups = tally.groups()
    assert len(groups) == 4
    assert sum(group["count"] for group in groups) == tally.total == 10
    assert {group["found"] for group in groups if group["count"] == 7} == {"[other values]"}
