"""The feeds of the catalogue can be compiled, and their own examples pass their own rules."""

import csv
import tomllib
from pathlib import Path

import pytest

from services.ingest.rules.feeds import Feed
from services.ingest.rules.reference import Organisation, Reference

CATALOGUE = Path(__file__).parents[3] / "services" / "programmes" / "catalogue"
FEEDS = sorted(CATALOGUE.glob("feeds/*.toml"))


def spec(path):
    lists: dict[str, dict[str, str]] = {}
    with (CATALOGUE / "codelists.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            lists.setdefault(row["list"], {})[row["code"]] = row["label"]
    return tomllib.loads(path.read_text()) | {"code_lists": lists}


@pytest.mark.parametrize("path", FEEDS, ids=lambda path: path.stem)
def test_a_row_of_a_feeds_own_examples_is_accepted(judge, path):
    feed = Feed.from_spec(spec(path))
    row = {field.name: field.example for field in feed.fields if field.example}
    measures = {row.get("measure", ""): {"proportion": True}}
    known = {row[name]: Organisation(row[name]) for name in feed.organisation if name in row}
    text = ",".join(row) + "\n" + ",".join(f'"{value}"' for value in row.values()) + "\n"
    judged = judge(feed, text, reference=Reference(known, measures))

    assert judged.errors == []
    assert judged.counts["accepted"] == 1
