"""What holds for any file: every row is accounted for, the same again changes nothing, and what is told is enough."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.builders import as_csv, some_births, some_counts
from tests.ingest.conftest import Ingest

ANY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
DAMAGE = {
    "pregnancy_outcome": ("77", "", "#N/A", "1.0", "Live birth"),
    "gestation_length_at_birth": ("39+2", "31", "1,000", "abc", "1e400", "999999999999999999999"),
    "baby_birth_datetime": ("yesterday", "31/02/2026 04:00", "46000", "2026-05-01", "2999-01-01T00:00"),
    "provider_org_code": ("not a code", "ZZ", "#REF!"),
    "imd_decile": ("11", "0", "-1", "3%"),
    "ethnic_category": ("Q9", "943 476 5919", "SW1A 1AA"),
    "delivery_method": ("\ufffd", "'8", "8 8"),
}
damages = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from([(column, value) for column, values in DAMAGE.items() for value in values]),
    ),
    max_size=12,
)
cells = st.one_of(
    st.sampled_from(["RGT", "RGN", "R9Z", "2026-05", "mn-cqimpreterm", "ch-falls", "1", "400", "-3", "", " ", "0.5"]),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12),
)
rows_of_counts = st.lists(
    st.fixed_dictionaries(
        dict.fromkeys(("organisation", "period", "measure", "numerator", "denominator"), cells),
        optional={"stratum": cells, "remarks": cells},
    ),
    min_size=1,
    max_size=8,
)


def chunked(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    """The body in pieces cut anywhere."""
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        yield body[start:end]


def reconciles(receipt: dict[str, Any]) -> bool:
    rows = dict(receipt["rows"])
    effect = receipt["effect"]
    total = sum(group["count"] for group in receipt["faults"])
    return (
        rows.pop("received") == sum(rows.values())
        and min(rows.values()) >= 0
        and total == receipt["faults_total"]
        and effect["added"] + effect["changed"] <= rows["accepted"]
    )


def errors(receipt: dict[str, Any]) -> list[dict[str, Any]]:
    return [group for group in receipt["faults"] if group["severity"] == "error"]


@ANY
@given(rows=rows_of_counts, cuts=st.lists(st.integers(0, 10_000), max_size=6))
def test_any_rows_in_any_chunks_are_accounted_for_and_the_same_again_changes_nothing(
    ingest: Ingest, rows: list[dict[str, str]], cuts: list[int]
) -> None:
    body = json.dumps(rows).encode()
    first = ingest.send(chunked(body, cuts), content_type="application/json")  # type: ignore[arg-type]
    assert first.status_code in (201, 403, 422), first.text
    if first.status_code != 201:
        return
    assert reconciles(first.json())
    again = ingest.send(body, content_type="application/json").json()
    assert reconciles(again)
    assert (again["rows"]["accepted"], again["returns"]) == (0, [])
    assert again["effect"] == {"added": 0, "changed": 0, "removed": 0}


@ANY
@given(body=st.binary(max_size=400) | st.text(max_size=400).map(str.encode), kind=st.sampled_from(["csv", "json", "x"]))
def test_bytes_that_are_no_file_are_a_problem_and_never_an_error_of_ours(
    ingest: Ingest, body: bytes, kind: str
) -> None:
    types = {"csv": "text/csv", "json": "application/x-ndjson", "x": "application/vnd.apache.parquet"}
    answer = ingest.send(body, content_type=types[kind])
    assert answer.status_code < 500, answer.text
    if answer.status_code == 201:
        assert reconciles(answer.json())


@ANY
@given(damage=damages)
def test_when_everything_reported_is_mended_the_next_submission_is_clean(
    ingest: Ingest, damage: list[tuple[int, tuple[str, str]]]
) -> None:
    good = some_births(6)
    bad = [dict(row) for row in good]
    for line, (column, value) in damage:
        bad[line][column] = value
    told = ingest.send(as_csv(bad), "births").json()
    assert reconciles(told)
    mended = [dict(row) for row in bad]
    for group in errors(told):
        for line in group["rows"]:
            mended[line - 2][group["column"]] = good[line - 2][group["column"]]
    clean = ingest.send(as_csv(mended), "births").json()
    assert (errors(clean), clean["rows"]["rejected"]) == ([], 0)


@ANY
@given(damage=damages)
def test_rejected_rows_corrected_one_by_one_leave_none_rejected_and_the_chain_intact(
    ingest: Ingest, damage: list[tuple[int, tuple[str, str]]]
) -> None:
    good = some_births(6)
    bad = [dict(row) for row in good]
    for line, (column, value) in damage:
        if column != "provider_org_code":
            bad[line][column] = value
    told = ingest.send(as_csv(bad), "births").json()
    wrong = [(line, group["column"]) for group in errors(told) for line in group["rows"]]
    for line in sorted({line for line, _ in wrong}):
        mended = {column: good[line - 2][column] for at, column in wrong if at == line}
        ingest.client.patch(f"/v1/quarantine/{told['id']}/{line}", json=mended, headers=ingest.as_())
    after = ingest.get(told["links"]["self"]).json()
    assert reconciles(after)
    assert after["rows"]["rejected"] == 0
    assert ingest.get(f"/v1/submissions/{told['id']}/verify").json()["intact"]


@pytest.mark.parametrize("months", [1, 3])
def test_a_request_that_is_cut_off_leaves_nothing(ingest: Ingest, months: int) -> None:
    body = as_csv(some_counts(months=months))

    def cut_off() -> Iterator[bytes]:
        yield body[:40]
        raise ConnectionError("the line went dead")

    with pytest.raises(ConnectionError):
        ingest.send(cut_off())  # type: ignore[arg-type]
    assert ingest.get("/v1/submissions").json()["items"] == []
    assert ingest.send(body).json()["rows"]["accepted"] == months
