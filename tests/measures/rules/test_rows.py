"""Published rows decoded into one frame."""

import io
from datetime import date, datetime

import polars as pl
import pytest

from services.measures.rules.feeds import Feed
from services.measures.rules.rows import JSON, PARQUET, UnreadableRows, frame_of, placed

at = datetime.fromisoformat
SPEC = Feed.of(
    {
        "id": "births",
        "field": [
            {"name": "baby id", "type": "text"},
            {"name": "days", "type": "integer"},
            {"name": "temperature", "type": "decimal"},
            {"name": "admitted", "type": "boolean"},
            {"name": "born", "type": "datetime"},
            {"name": "booked", "type": "date"},
            {"name": "lsoa", "type": "text", "keep": False},
            {"name": "mother_born", "type": "date", "identifier": "birth_date"},
        ],
    }
)


def parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


def test_bodies_of_both_kinds_become_one_typed_frame_that_remembers_them() -> None:
    # given a JSON body with every field, and a Parquet body with one
    sent = b'[{"baby id": "B1", "days": 221, "temperature": 36, "admitted": true, "born": "2026-05-03T04:12:00"'
    sent += b', "booked": "2026-01-02"}]'
    bodies = [(PARQUET, parquet(pl.DataFrame({"days": [7, 8]}))), (JSON, sent), (JSON, b"[]")]

    frame = frame_of(bodies, SPEC)

    assert frame.sort("days").select("_body", "days").rows() == [(0, 7), (0, 8), (1, 221)]
    told = frame.filter(pl.col("_body") == 1).drop("_body").rows()
    assert told == [("B1", 221, 36.0, True, at("2026-05-03T04:12"), date(2026, 1, 2))]


def test_parquet_whose_heights_are_known_is_read_at_once_and_is_the_same() -> None:
    bodies = [(PARQUET, parquet(pl.DataFrame(one))) for one in ({"days": [1, 2], "x": ["", ""]}, {"admitted": [True]})]

    frame = frame_of([*bodies, (JSON, b'[{"days": 9}]')], SPEC, heights=[2, 1, 1])

    assert frame.select("_body", "days", "admitted").sort("_body", "days").rows() == [
        (0, 1, None), (0, 2, None), (1, None, True), (2, 9, None),
    ]  # fmt: skip


def test_rows_of_which_no_column_is_read_are_still_rows() -> None:
    # given bodies of both kinds, for a measure that only counts rows
    bodies = [(JSON, b'[{"days": 7}, {"days": 8}]'), (PARQUET, parquet(pl.DataFrame({"days": [9]})))]

    assert frame_of(bodies, SPEC, only=frozenset()).rows() == [(0,), (0,), (1,)]


@pytest.mark.parametrize("heights", [[1, 2, 1], [3, 1, None], None])
def test_heights_that_are_not_those_of_the_bodies_misplace_no_row(heights: list[int | None] | None) -> None:
    bodies = [(PARQUET, parquet(pl.DataFrame({"days": days}))) for days in ([1, 2, 3], [4], [5])]

    frame = frame_of(bodies, SPEC, heights=heights)

    assert frame.select("_body", "days").sort("days").rows() == [(0, 1), (0, 2), (0, 3), (1, 4), (2, 5)]


def test_the_parts_of_a_return_may_be_told_apart_or_not() -> None:
    bodies = [(PARQUET, parquet(pl.DataFrame({"days": days}))) for days in ([1, 2], [3], [4])]

    frame = frame_of(bodies, SPEC, heights=[3, 0, 1])

    assert frame.select("_body", "days").sort("days").rows() == [(0, 1), (0, 2), (0, 3), (2, 4)]


def test_types_that_are_not_the_feeds_own_are_cast_even_when_heights_are_known() -> None:
    narrow = parquet(pl.DataFrame({"days": pl.Series([7], dtype=pl.Int16)}))

    assert frame_of([(PARQUET, narrow)] * 2, SPEC, heights=[1, 1])["days"].to_list() == [7, 7]


def test_rows_are_counted_where_none_of_their_columns_is_read() -> None:
    body = (PARQUET, parquet(pl.DataFrame({"days": [1, 2, 3]})))

    assert frame_of([body], SPEC, only=frozenset()).height == 3
    assert frame_of([body, body], SPEC, only=frozenset(), heights=[3, 3])["_body"].to_list() == [0, 0, 0, 1, 1, 1]


def test_absent_columns_and_blank_text_are_null() -> None:
    frame = frame_of([(JSON, b'[{"baby id": "  "}, {"unheard_of": 1}]')], SPEC)

    assert frame.drop("_body").rows() == [(None,) * 6] * 2


def test_columns_that_are_not_kept_are_not_in_the_frame() -> None:
    assert {"lsoa", "mother_born"}.isdisjoint(frame_of([(JSON, b'[{"lsoa": "E01"}]')], SPEC).columns)


def test_an_instant_with_an_offset_is_held_as_london_wall_clock() -> None:
    frame = frame_of([(JSON, b'[{"born": "2026-07-01T23:30:00Z"}]')], SPEC)

    assert frame["born"].to_list() == [at("2026-07-02T00:30")]


def test_rows_take_the_organisation_and_period_of_their_body() -> None:
    frame = frame_of([(JSON, b'[{"days": 1}]'), (JSON, b'[{"days": 2}, {"days": 3}]')], SPEC)

    told = placed(frame, [("RGT", "2026-01"), ("RDE", "2026-02")])

    assert told.select("days", "_organisation", "_period").rows() == [
        (1, "RGT", "2026-01"), (2, "RDE", "2026-02"), (3, "RDE", "2026-02"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        (JSON, b'[{"days": "many"}]'),
        (JSON, b'{"days": 1}'),
        (PARQUET, b"PAR1 not really PAR1"),
        (PARQUET, parquet(pl.DataFrame({"days": ["many"]}))),
        ("text/csv", b"days\n1\n"),
    ],
)
def test_a_body_that_is_not_rows_of_the_feed_is_named_by_its_place(body: tuple[str, bytes]) -> None:
    with pytest.raises(UnreadableRows) as refused:
        frame_of([(JSON, b"[]"), body], SPEC)

    assert refused.value.body == 1
    assert "many" not in str(refused.value)
