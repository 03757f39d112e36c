"""What holds for every file: rows reconcile, chunks do not matter, and what was reported is all there is."""

import json
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.rules import encodings
from services.ingest.rules.faults import Tally

GOOD = {
    "provider": ["RGT", "rgt", "1-123456789", "OLD"],
    "born": ["2026-05-28T10:30", "2026-05-28 10:30:00", "2026-05-28T09:30Z"],
    "outcome": ["01", "98"],
    "gestation": ["275", "", "280.0"],
    "temperature": ["36.8", ""],
    "admitted": ["no", ""],
    "booked": ["2026-01-28", ""],
    "notes": ["well", ""],
    "status": ["final", "Provisional"],
}
BAD = {
    "provider": ["", "R G T", "NEW", "XYZ"],
    "born": ["", "2026-05-28", "soon", "2027-05-28T10:30"],
    "outcome": ["", "1", "live"],
    "gestation": ["39+2", "1,000", "999"],
    "temperature": ["#N/A", "368"],
    "admitted": ["maybe", "yes"],
    "booked": ["45567", "2026-06-28", "03/28/2026"],
    "notes": ["call 943 476 5919", "x" * 201],
    "status": ["draft"],
}
columns = list(GOOD)


@st.composite
def births_rows(draw):
    rows = []
    for number in range(draw(st.integers(1, 25))):
        row = {name: draw(st.sampled_from(GOOD[name])) for name in columns}
        for name in draw(st.lists(st.sampled_from(columns), max_size=2)):
            row[name] = draw(st.sampled_from(BAD[name]))
        row["baby_id"] = f"B{draw(st.integers(0, max(number, 3)))}"
        rows.append(row)
    return rows


def as_csv(rows):
    names = [*columns, "baby_id"]
    lines = [",".join(f'"{row[name]}"' for name in names) for row in rows]
    return "\n".join([",".join(names), *lines, ""])


@settings(max_examples=60)
@given(rows=births_rows(), block=st.integers(300, 900))
def test_every_row_is_accounted_for_and_blocks_do_not_matter(judge, births, rows, block):
    whole = judge(births, as_csv(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings.rechunked, "__defaults__", (block,))
        parts = judge(births, as_csv(rows))

    count = whole.counts
    assert count["received"] == len(rows)
    assert count["received"] == count["accepted"] + count["waiting"] + count["rejected"] + count["duplicate"]
    assert (count["accepted"], count["waiting"]) == (whole.accepted.height, whole.waiting.height)
    assert parts.counts == count or "mixed-dates" in {code for *_, code in parts.errors}
    faulty = {line for line, _, _ in whole.errors}
    assert count["rejected"] == len(faulty)
    assert not faulty & {*whole.accepted["line"], *whole.waiting["line"]}


@settings(max_examples=60)
@given(rows=births_rows())
def test_when_everything_reported_is_mended_the_next_submission_is_clean(judge, births, rows):
    first = judge(births, as_csv(rows))
    for line, column, code in first.errors:
        if code == "conflicting-duplicate":
            rows[line - 2] = None
            continue
        if rows[line - 2] is not None:
            rows[line - 2][column] = mended(column)
            if code == "weightless":
                rows[line - 2]["admitted"] = "no"
    again = judge(births, as_csv([row for row in rows if row is not None]))

    left = [code for *_, code in again.errors]
    assert left == [] or set(left) <= {"conflicting-duplicate", *crossing(first)}


def mended(column):
    return GOOD[column][0]


def crossing(first):
    """What is said of two columns together can only be judged once both can be read."""
    return (
        {"weightless", "booked-after-birth", "organisation-not-open", "organisation-closed"} if first.errors else set()
    )


def test_a_file_is_known_by_its_records_across_blocks(judge, births):
    rows = [
        dict.fromkeys(columns, "") | {name: GOOD[name][0] for name in columns} | {"baby_id": f"B{n % 50}"}
        for n in range(120)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings.rechunked, "__defaults__", (700,))
        judged = judge(births, as_csv(rows))

    assert judged.counts == {"received": 120, "accepted": 50, "waiting": 0, "rejected": 0, "duplicate": 70}


def test_a_record_is_known_across_blocks_of_which_later_ones_have_more_columns(judge, births):
    one = {"provider": "RGT", "baby_id": "B1", "born": "2026-10-05T10:30", "outcome": "01", "status": "final"}
    more = one | {"baby_id": "B2", "gestation": 275, "temperature": 36.5}
    said = [one, more, one, more, more | {"gestation": None}, more | {"admitted": True, "temperature": 36.5}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings.rechunked, "__defaults__", (150,))
        judged = judge(births, "\n".join(map(json.dumps, said)) + "\n", content_type="application/x-ndjson")

    assert judged.counts == {"received": 6, "accepted": 2, "waiting": 0, "rejected": 2, "duplicate": 2}


def test_ten_thousand_copies_of_one_fault_are_one_group(judge, births):
    rows = [{name: GOOD[name][0] for name in columns} | {"outcome": "1", "baby_id": f"B{n}"} for n in range(10_000)]
    tally = Tally()
    tally.add(judge(births, as_csv(rows)).faults)

    (group,) = tally.groups()
    assert (group["count"], group["rows"], group["hint"]) == (10_000, [*range(2, 22)], "01 means Live birth")


def test_rows_in_any_order_have_the_same_outcome(judge, births):
    rows = [
        {name: GOOD[name][0] for name in columns} | {"baby_id": f"B{n}", "outcome": "1" if n % 3 else "01"}
        for n in range(30)
    ]
    shuffled = random.Random(5).sample(rows, len(rows))

    one, other = judge(births, as_csv(rows)), judge(births, as_csv(shuffled))
    assert one.counts == other.counts
    assert one.accepted["baby_id"].sort().equals(other.accepted["baby_id"].sort())
    assert one.faults.select(pl.exclude("line")).equals(other.faults.select(pl.exclude("line")))
