"""Feeds as the catalogue has them, and rows of them, for tests of ingest."""

import csv
import io
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from shared.contracts.programmes import Edge, FeedPublished, MeasurePublished, OrganisationChanged

CATALOGUE = Path(__file__).parents[2] / "services" / "programmes" / "catalogue"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def feed_spec(name: str) -> dict[str, Any]:
    """A feed of the catalogue with its code lists embedded, as it is published."""
    spec = tomllib.loads((CATALOGUE / "feeds" / f"{name}.toml").read_text())
    wanted = {field[key] for field in spec["field"] for key in ("codes", "each_of") if key in field}
    lists: dict[str, dict[str, str]] = {one: {} for one in wanted}
    with (CATALOGUE / "codelists.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["list"] in lists:
                lists[row["list"]][row["code"]] = row["label"]
    return spec | {"code_lists": lists}


def a_feed(name: str) -> FeedPublished:
    spec = feed_spec(name)
    return FeedPublished(feed=spec["id"], version=spec["version"], spec=spec, published_at=NOW)


def an_organisation(
    code: str,
    *,
    within: tuple[str, ...] = (),
    hierarchy: str = "icb",
    edges: tuple[tuple[str, str], ...] = (),
    until: date | None = None,
    **more: Any,
) -> OrganisationChanged:
    placed = [
        Edge(parent=parent, hierarchy=way, end=until) for parent, way in (*((one, hierarchy) for one in within), *edges)
    ]
    given = {"opened": date(1993, 4, 1), "kind": "trust", **more}
    return OrganisationChanged(code=code, name=f"{code} NHS Trust", edges=placed, recorded_at=NOW, **given)


def a_measure(measure: str, *, unit: str = "percent") -> MeasurePublished:
    return MeasurePublished(
        measure=measure, version="1.0.0", definition={"id": measure, "unit": unit}, published_at=NOW
    )


def some_counts(*, months: int = 3, organisation: str = "RGT", measure: str = "mn-cqimpreterm") -> list[dict[str, Any]]:
    return [
        {"organisation": organisation, "period": f"2026-{month:02}", "measure": measure, "numerator": 30 + month,
         "denominator": 400}
        for month in range(1, months + 1)
    ]  # fmt: skip


def some_births(
    count: int = 5, *, month: str = "2026-05", organisation: str = "RGT", **changes: Any
) -> list[dict[str, Any]]:
    """Births as a trust's system would send them; identifiers are local ones."""
    return [
        {
            "schema_version": "1.0.0", "source_message_id": f"m{n}", "submitting_org_code": organisation,
            "provider_org_code": organisation, "pregnancy_id": f"P{n}", "births_per_labour": 1,
            "baby_local_id": f"B{n}", "baby_birth_datetime": f"{month}-{n % 28 + 1:02}T04:12:00",
            "pregnancy_outcome": "01", "gestation_length_at_birth": 221 + n % 60, "delivery_method": "8",
            "ethnic_category": "N", "imd_decile": n % 10 + 1,
        } | changes
        for n in range(count)
    ]  # fmt: skip


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
