"""Two versions of a feed may be sent at once: the receipt says by which of them the rows were judged."""

from typing import Any

import pytest

from shared.contracts.programmes import FeedPublished
from tests.ingest.builders import NOW, as_csv, feed_spec, some_births
from tests.ingest.conftest import Ingest

WEIGHT = {"name": "birth_weight_group", "title": "Weight group", "type": "code", "values": ["low", "usual"],
          "required": True, "example": "low", "description": "A column of the second version."}  # fmt: skip


def publish(ingest: Ingest, version: str, **more: Any) -> None:
    spec = feed_spec("births")
    minor = int(version.split(".")[0])
    spec |= {"version": version, "field": [*spec["field"], *([WEIGHT] if minor > 1 else [])]} | more
    ingest.hear(FeedPublished(feed="births", version=version, spec=spec, published_at=NOW.replace(year=2026 + minor)))


@pytest.fixture
def two(ingest: Ingest) -> Ingest:
    publish(ingest, "2.0.0")
    return ingest


def first(**more: Any) -> bytes:
    return as_csv([{k: v for k, v in row.items() if k != "schema_version"} | more for row in some_births(2)])


def warned(receipt: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["found"], one["expected"]) for one in receipt["faults"] if one["code"] == "older-version"]


def test_rows_of_the_version_before_are_recognised_by_their_columns_and_land_with_a_warning(two: Ingest) -> None:
    receipt = two.send(first(), "births").json()

    assert (receipt["feed_version"], receipt["rows"]["accepted"]) == ("1.0.0", 2)
    assert warned(receipt) == [("1.0.0", "2.0.0")]


def test_rows_of_the_newest_version_are_judged_by_it(two: Ingest) -> None:
    receipt = two.send(first(birth_weight_group="heavy"), "births").json()

    assert (receipt["feed_version"], receipt["rows"]["rejected"], warned(receipt)) == ("2.0.0", 2, [])


def test_what_the_rows_say_of_their_version_counts_for_more_than_their_columns(two: Ingest) -> None:
    old = two.send(first(birth_weight_group="low", schema_version="1.0.0"), "births").json()
    new = two.send(first(schema_version="2.0.0"), "births").json()

    assert (old["feed_version"], new["feed_version"]) == ("1.0.0", "2.0.0")
    assert "missing-column" in {one["code"] for one in new["faults"]}


def test_a_sender_may_name_the_version(two: Ingest) -> None:
    receipt = two.send(first(), "births", feed_version="2.0.0").json()

    assert (receipt["feed_version"], receipt["status"]) == ("2.0.0", "rejected")


def test_a_version_before_the_last_two_may_not_be_sent(two: Ingest) -> None:
    publish(two, "3.0.0")
    answer = two.send(first(), "births", feed_version="1.0.0")

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-feed-version")
    assert "3.0.0, 2.0.0" in answer.json()["detail"]
    assert answer.json()["errors"][0]["parameter"] == "feed_version"


def test_the_rows_of_two_versions_follow_one_another_in_one_return(two: Ingest) -> None:
    two.send(first(), "births")
    same = two.send(first(birth_weight_group=""), "births", feed_version="1.0.0").json()
    more = two.send(first(birth_weight_group="low"), "births").json()

    assert (same["rows"]["unchanged"], more["effect"]["changed"]) == (2, 2)
    versions = two.get("/v1/returns", feed="births").json()["items"]
    assert sorted((one["version"], one["current"]) for one in versions) == [(1, False), (2, True)]


def test_a_rejected_row_is_mended_by_the_version_it_was_judged_by(two: Ingest) -> None:
    receipt = two.send(first(pregnancy_outcome="77"), "births").json()
    answer = two.client.patch(f"/v1/quarantine/{receipt['id']}/2", json={"pregnancy_outcome": "01"}, headers=two.as_())

    assert answer.status_code == 200, answer.text
