"""Dates are read where there is no doubt, and never guessed."""

import polars as pl
import pytest

from services.ingest.rules import encodings

HEAD = "provider,baby_id,born,outcome,status,booked\n"


def booked(judge, births, *dates):
    lines = [f"RGT,B{n},2026-10-05T10:30,01,final,{one}\n" for n, one in enumerate(dates)]
    return judge(births, HEAD + "".join(lines))


@pytest.mark.parametrize(
    "text",
    [
        "2026-04-05",
        "05/04/2026",
        "5/4/2026",
        "05-04-2026",
        "05.04.2026",
        "20260405",
        "05-Apr-2026",
        "5 April 2026",
        "2026-04-05 00:00:00",
    ],
)
def test_ways_of_writing_a_date(judge, births, text):
    assert [one.isoformat() for one in booked(judge, births, text).accepted["booked"]] == ["2026-04-05"]


def test_a_column_of_days_first_is_trusted(judge, births):
    judged = booked(judge, births, "05/04/2026", "28/03/2026", "04/04/2026")

    assert judged.errors == []


def test_a_column_that_mixes_ways_is_trusted_only_where_day_and_month_cannot_be_exchanged(judge, births):
    judged = booked(judge, births, "2026-03-05", "28/03/2026", "2026-03-28", "04/04/2026", "05/03/2026")

    assert judged.errors == [(2, "booked", "ambiguous-date"), (6, "booked", "ambiguous-date")]


def test_one_date_with_the_month_first_casts_doubt_on_the_others(judge, births):
    judged = booked(judge, births, "03/28/2026", "03/04/2026", "28/03/2026")

    assert judged.errors == [(2, "booked", "month-first-date"), (3, "booked", "ambiguous-date")]


def test_a_mixture_found_out_after_rows_were_accepted_refuses_the_file(judge, births):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings.rechunked, "__defaults__", (150,))
        judged = booked(judge, births, *["2026-03-05"] * 4, "28/03/2026")

    assert judged.accepted.height == 3
    assert judged.errors[-1] == (None, "booked", "mixed-dates")


def test_a_date_of_birth_is_not_quoted_when_it_is_wrong(birth):
    judged = birth(mother_born="12/03/87")

    assert judged.faults.select("code", "found").rows() == [("not-a-date", "[withheld]")]
    assert judged.faults.schema["found"] == pl.String
