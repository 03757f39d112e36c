"""Is a measure's definition one that can be computed, charted and answered for? Every fault at once, with its place."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from services.programmes.rules import conditions
from services.programmes.rules.conditions import NUMBERS, TIMES, Problem, fields_of
from shared.contracts.periods import GRAINS, Period

COUNTED = "measure-counts"
KINDS = ("process", "outcome", "balancing", "data-quality")
IMPROVEMENTS = ("increase", "decrease", "neutral")
CHARTS = ("xmr", "p", "pp", "u", "up", "c", "g", "t", "run")
NEED_A_DENOMINATOR = ("p", "pp", "u", "up")
NEED_DATES = ("g", "t")
MOST_TOGETHER = 24
DISCLOSURES = ("msds", "mhsds", "small-numbers", "none")
STRATA: Mapping[str, tuple[str, ...]] = {
    "imd_quintile": ("imd_quintile", "imd_decile"),
    "ethnic_group": ("ethnic_category", "patient_ethnicity"),
    "age_band": ("age_band", "age_bracket", "age", "age_years"),
    "sex": ("sex", "gender", "person_gender_code_stated"),
}
"""Each stratum and the fields that can give it; figures counted elsewhere may carry any of them."""

NEEDED = ("id", "version", "name", "programme", "kind", "numerator", "multiplier", "unit", "period", "improvement")
ALLOWED = {
    *NEEDED, "denominator", "why_it_matters", "chart", "strata", "minimum_denominator", "disclosure", "baseline",
    "rolling", "quality", "review", "examples", "notes", "source", "unverified", "facts", "status",
}  # fmt: skip
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHARE = re.compile(r"percent|proportion|per\b")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def problems(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Everything wrong with a definition (API.md) as (JSON Pointer, message); empty when it may be published.

    `feeds` holds each published feed specification by id, code lists embedded.
    """
    found = [(f"/{name}", "is needed") for name in NEEDED if definition.get(name) in (None, "")]
    found += [(f"/{name}", "is not part of a definition") for name in definition if name not in ALLOWED]
    found += _words(definition)
    found += _half(definition, "numerator", feeds)
    found += _half(definition, "denominator", feeds)
    found += _chart(definition)
    found += _strata(definition, feeds)
    found += _numbers(definition)
    found += _quality(definition, feeds)
    found += _rolling(definition)
    found += _baseline(definition)
    found += _review(definition)
    found += _examples(definition, feeds)
    return found


_ONE_OF: Mapping[str, Sequence[str]] = {
    "kind": KINDS, "improvement": IMPROVEMENTS, "chart": CHARTS, "period": GRAINS, "disclosure": DISCLOSURES,
}  # fmt: skip


def _words(definition: Mapping[str, Any]) -> Iterator[Problem]:
    for name, allowed in _ONE_OF.items():
        if definition.get(name) is not None and definition[name] not in allowed:
            yield f"/{name}", f"{definition[name]!r} is not one of {', '.join(allowed)}"
    if definition.get("id") and not _SLUG.fullmatch(str(definition["id"])):
        yield "/id", "write it in lower case with hyphens, such as mn-opt-steroid"
    if definition.get("version") and not _VERSION.fullmatch(str(definition["version"])):
        yield "/version", "write three numbers, such as 1.0.0"


def _half(definition: Mapping[str, Any], name: str, feeds: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    half = definition.get(name)
    if half is None:
        return
    pointer = f"/{name}"
    if not isinstance(half, Mapping):
        yield pointer, 'write {"feed": ..., "where": ..., "value": ...}'
        return
    yield from ((f"{pointer}/{key}", "is not part of it: feed, where, value") for key in set(half) - _HALF)
    feed = feeds.get(str(half.get("feed")))
    if feed is None:
        yield f"{pointer}/feed", f"{half.get('feed')!r} is not a feed; the feeds are {', '.join(sorted(feeds))}"
        return
    fields = fields_of(feed)
    if half.get("where") is not None:
        yield from conditions.problems(half["where"], fields, f"{pointer}/where")
    yield from _value(half.get("value", "count"), fields, f"{pointer}/value")
    if half["feed"] == COUNTED and not _counts_itself(half, name, definition.get("id")):
        yield pointer, f"counted figures are the sum of {name} where measure equals the id of the measure"


_HALF = {"feed", "where", "value"}
_TAKES: Mapping[str, tuple[str, ...]] = {"sum": NUMBERS, "dates": TIMES, "distinct": ()}


def _counts_itself(half: Mapping[str, Any], name: str, measure: object) -> bool:
    return half.get("where") == {"field": "measure", "equals": measure} and half.get("value") == {"sum": name}


def _value(value: object, fields: conditions.Fields, pointer: str) -> Iterator[Problem]:
    if value == "count":
        return
    if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in _TAKES:
        yield pointer, 'a value is "count", {"sum": f}, {"distinct": f} or {"dates": f}'
        return
    ((kind, name),) = value.items()
    field = fields.get(name) if isinstance(name, str) else None
    if field is None:
        yield f"{pointer}/{kind}", f"{name!r} is not a field of the feed"
    elif _TAKES[kind] and field["type"] not in _TAKES[kind]:
        yield (
            f"{pointer}/{kind}",
            f"{name} is {field['type']}: {kind} takes a field that is {' or '.join(_TAKES[kind])}",
        )


def _chart(definition: Mapping[str, Any]) -> Iterator[Problem]:
    chart, numerator = definition.get("chart"), definition.get("numerator")
    if chart in NEED_A_DENOMINATOR and definition.get("denominator") is None:
        yield "/denominator", f"a {chart} chart divides by it: give a denominator, or chart it as c, xmr or run"
    elif definition.get("denominator") is None and _SHARE.match(str(definition.get("unit"))):
        yield "/denominator", f"{definition['unit']!r} is of something: give a denominator, or another unit"
    takes = numerator.get("value") if isinstance(numerator, Mapping) else None
    dated = isinstance(takes, Mapping) and "dates" in takes
    if chart in NEED_DATES and not dated:
        yield "/numerator/value", f'a {chart} chart counts between events: write {{"dates": field}}'
    if dated and chart not in NEED_DATES:
        yield "/chart", "dates are charted by what lies between them: g or t"


def _strata(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    for number, name in enumerate(definition.get("strata") or ()):
        if not isinstance(name, str) or name not in STRATA:
            yield f"/strata/{number}", f"{name!r} is not a stratum; the strata are {', '.join(STRATA)}"
            continue
        for feed in _feeds_of(definition, feeds):
            if feed != COUNTED and not set(STRATA[name]) & set(fields_of(feeds[feed])):
                yield f"/strata/{number}", f"the feed {feed} has no {' or '.join(STRATA[name])} to derive {name} from"


def _feeds_of(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The published feeds that the numerator and the denominator use, each once."""
    halves = [half for name in ("numerator", "denominator") if isinstance(half := definition.get(name), Mapping)]
    return list(dict.fromkeys(str(half.get("feed")) for half in halves if str(half.get("feed")) in feeds))


def _numbers(definition: Mapping[str, Any]) -> Iterator[Problem]:
    for name, lowest, words in (("multiplier", 0, "above 0"), ("minimum_denominator", -1, "of 0 or more")):
        value = definition.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > lowest or value == float("inf"):
            yield f"/{name}", f"give a number {words}"


def _quality(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    gates = definition.get("quality") or ()
    if not isinstance(gates, list | tuple):
        yield "/quality", "write a list of gates"
        return
    for number, gate in enumerate(gates):
        pointer = f"/quality/{number}"
        if not isinstance(gate, Mapping) or set(gate) - _GATE or gate.get("meets") is None:
            yield pointer, 'write {"feed": ..., "where": ..., "meets": ..., "at_least": 0.9, "says": "..."}'
            continue
        share = gate.get("at_least")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            yield f"{pointer}/at_least", "give a share above 0 and up to 1, such as 0.9"
        if gate.get("feed") == COUNTED or gate.get("feed") not in _feeds_of(definition, feeds):
            yield f"{pointer}/feed", "name a feed whose rows the measure reads"
            continue
        fields = fields_of(feeds[gate["feed"]])
        for part in ("where", "meets"):
            if gate.get(part) is not None:
                yield from conditions.problems(gate[part], fields, f"{pointer}/{part}")


def _rolling(definition: Mapping[str, Any]) -> Iterator[Problem]:
    length = definition.get("rolling")
    if length is None:
        return
    if isinstance(length, bool) or not isinstance(length, int) or not 2 <= length <= MOST_TOGETHER:
        yield "/rolling", f"give a whole number of periods from 2 to {MOST_TOGETHER}, or leave it out"
    for name in ("numerator", "denominator"):
        half = definition.get(name)
        value = half.get("value", "count") if isinstance(half, Mapping) else "count"
        if value != "count" and not (isinstance(value, Mapping) and "sum" in value):
            yield f"/{name}/value", "rolling figures add up periods: count, or sum a field"
    if definition.get("chart") not in (None, "run"):
        yield "/chart", "windows overlap, and no control chart holds for figures that share rows: leave it out, or run"


_GATE = {"feed", "where", "meets", "at_least", "says"}


def _baseline(definition: Mapping[str, Any]) -> Iterator[Problem]:
    baseline = definition.get("baseline")
    if baseline is None:
        return
    if not isinstance(baseline, Mapping) or set(baseline) != {"from", "to"}:
        yield "/baseline", 'write {"from": "2025-04", "to": "2026-03"}'
        return
    periods = []
    for name in ("from", "to"):
        try:
            periods.append(Period.parse(str(baseline[name])))
        except ValueError as reason:
            yield f"/baseline/{name}", str(reason)
    if len(periods) == 2 and periods[1].end < periods[0].start:
        yield "/baseline/to", "the baseline ends before it begins"


def _review(definition: Mapping[str, Any]) -> Iterator[Problem]:
    review = definition.get("review")
    if review is None:
        return
    if not isinstance(review, Mapping):
        yield "/review", "write the author, the checker and the dates reviewed and next_review"
        return
    for name in ("author", "checker", "reviewed", "next_review"):
        if not review.get(name):
            yield f"/review/{name}", "is needed"
    if review.get("author") and review.get("author") == review.get("checker"):
        yield "/review/checker", "the checker is somebody other than the author"
    days = {}
    for name in ("reviewed", "next_review"):
        try:
            days[name] = date.fromisoformat(str(review.get(name) or "0001-01-01"))
        except ValueError:
            yield f"/review/{name}", "write a day such as 2026-09-01"
    if len(days) == 2 and review.get("next_review") and days["next_review"] <= days["reviewed"]:
        yield "/review/next_review", "the next review comes after the last"


def _examples(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    used = _feeds_of(definition, feeds)
    for number, example in enumerate(definition.get("examples") or ()):
        pointer = f"/examples/{number}"
        if not isinstance(example, Mapping) or set(example) != {"rows", "expect"}:
            yield pointer, "an example has rows and expect"
            continue
        yield from _expectation(example["expect"], pointer)
        if isinstance(example["rows"], Mapping):
            by_feed = example["rows"]
        elif len(used) > 1:
            yield f"{pointer}/rows", f"say which feed they are of: {', '.join(used)}"
            continue
        else:
            by_feed = dict.fromkeys(used, example["rows"])
        for feed, rows in by_feed.items():
            yield from _rows(rows, feeds.get(feed), feed, f"{pointer}/rows")


def _expectation(expect: object, pointer: str) -> Iterator[Problem]:
    if not isinstance(expect, Mapping) or "numerator" not in expect or set(expect) - {"numerator", "denominator"}:
        yield f"{pointer}/expect", "write the numerator and the denominator that the rows give"


def _rows(rows: Any, feed: Mapping[str, Any] | None, name: str, pointer: str) -> Iterator[Problem]:
    if feed is None:
        yield f"{pointer}/{name}", f"{name!r} is not a feed"
        return
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
        yield pointer, "give a list of rows, each an object of fields"
        return
    known = fields_of(feed)
    for number, row in enumerate(rows):
        yield from (
            (f"{pointer}/{number}/{field}", f"{field!r} is not a field of the feed {name}")
            for field in row
            if field not in known
        )
