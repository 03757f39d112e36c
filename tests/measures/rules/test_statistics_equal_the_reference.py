"""Every interval, funnel, inequality, CUSUM and suppression figure equals the published implementation's.

Synthetic cases travel with the project (vectors/); the cases on real data are read from ../shared/reference, beside the
checkout, where it is present.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.measures.rules import cusum, disclosure, funnel, inequality, phe_funnel
from services.measures.rules.indicators import intervals
from services.measures.rules.intervals import byars_lower, byars_upper
from services.measures.rules.invalid import InvalidRow

Case = dict[str, Any]
Columns = dict[str, list[Any]]

VECTORS = Path(__file__).parent / "vectors"
REFERENCE = Path(__file__).parents[3].parent / "shared" / "reference"
FILES = ("funnel", "indicator_ci", "risk_adjusted_cusum", "suppression")
METHODS = {"Wilson": "wilson", "Exact": "exact", "Byars": "byar", "Student's t-distribution": "student"}


def carried() -> list[Case]:
    names = (*FILES, "bernoulli_cusum")
    return [case for name in names for case in json.loads(gzip.decompress((VECTORS / f"{name}.json.gz").read_bytes()))]


def published() -> list[Any]:
    if not REFERENCE.is_dir():
        return [pytest.param(None, marks=pytest.mark.skip(reason="../shared/reference is not beside the checkout"))]
    cases = [case for name in FILES for case in json.loads((REFERENCE / f"{name}.json").read_text())]
    charts = json.loads((REFERENCE / "qicharts.json").read_text())
    return cases + [case for case in charts if case["method"] == "bernoulli_cusum"]


def name_of(case: Any) -> str | None:
    return case["id"] if isinstance(case, dict) else None


def same(found: Any, expected: Any, place: str) -> None:
    """Numbers within 1e-9 of max(1, |expected|), everything else exactly; null is what is not finite."""
    if isinstance(expected, list):
        assert len(found) == len(expected), place
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            same(one, other, f"{place}[{index}]")
    elif expected is None:
        assert found is None or isnan(found), place
    elif isinstance(expected, str):
        assert found == expected, place
    else:
        assert found is not None, place
        assert abs(found - expected) <= 1e-9 * max(1, abs(expected)), f"{place}: {found} is not {expected}"


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def groups_of(case: Case) -> Iterator[list[dict[str, Any]]]:
    """Rows of each group, in order of the group's name; a row each where nothing groups them."""
    by, rows = case["options"].get("group_by"), rows_of(case["inputs"])
    if not by:
        yield from ([row] for row in rows)
        return
    for key in sorted({tuple(row[name] for name in by) for row in rows}):
        yield [row for row in rows if tuple(row[name] for name in by) == key]


def levels_of(case: Case) -> list[tuple[float, str, str]]:
    confidence = case["options"]["confidence"]
    if isinstance(confidence, list):
        return [(0.95, "lower95_0cl", "upper95_0cl"), (0.998, "lower99_8cl", "upper99_8cl")]
    return [(confidence, "lowercl", "uppercl")]


def check_intervals(case: Case, method: str, rows: list[dict[str, Any]], multiplier: float) -> None:
    expected = case["expected"]
    for confidence, lower, upper in levels_of(case):
        found = intervals(method, rows, confidence=confidence, multiplier=multiplier)
        same([row.value for row in found], expected["value"], "value")
        same([row.lower for row in found], expected[lower], lower)
        same([row.upper for row in found], expected[upper], upper)
        names = ["dobson" if name.startswith("Dobson") else METHODS[name] for name in expected["method"]]
        assert [row.method for row in found] == names


def simple(method: str) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        rows = [
            {"numerator": sum(row["x"] for row in group), "denominator": sum(row["n"] for row in group)}
            for group in groups_of(case)
        ]
        check_intervals(case, method, rows, case["options"]["multiplier"])

    return check


def check_mean(case: Case) -> None:
    groups = groups_of(case) if case["options"]["group_by"] else [rows_of(case["inputs"])]
    check_intervals(case, "mean", [{"values": [row["x"] for row in group]} for group in groups], 1)


def standardised(method: str) -> Callable[[Case], None]:
    names = {
        "x": "numerator",
        "n": "denominator",
        "stdpop": "weight",
        "x_ref": "reference_numerator",
        "n_ref": "reference_denominator",
        "freq": "frequency",
        "ageband": "band",
    }

    def check(case: Case) -> None:
        rows = [
            {"bands": [{names[key]: value for key, value in band.items() if key in names} for band in group]}
            for group in groups_of(case)
        ]
        check_intervals(case, method, rows, case["options"].get("multiplier", case["options"].get("refvalue")))

    return check


def check_byars(case: Case) -> None:
    bound = byars_lower if case["method"] == "byars_lower" else byars_upper
    same(bound(case["inputs"]["x"], case["options"]["confidence"]).tolist(), case["expected"]["value"], "value")


def check_quantile(case: Case) -> None:
    options = case["options"]
    column = next(name for name in case["inputs"] if name not in {"area", *(options["group_by"] or ())})
    for group in groups_of(case) if options["group_by"] else [rows_of(case["inputs"])]:
        found = inequality.quantiles(
            [row[column] for row in group], options["nquantiles"], highest_first=options["invert"]
        )
        wanted = {row["area"]: row["quantile"] for row in rows_of(case["expected"])}
        assert found == [wanted[row["area"]] for row in group]


def check_sii(case: Case) -> None:
    options, expected = case["options"], case["expected"]
    fields = {"quantile": "quantile_field", "population": "population_field", "value": "value_field", "se": "se_field"}
    fields |= {"lower": "lower_field", "upper": "upper_field"}
    named = {name: options[key] for name, key in fields.items() if options.get(key)}
    found = inequality.inequality(
        [{name: row[column] for name, column in named.items()} for row in rows_of(case["inputs"])],
        value_type=("mean", "rate", "proportion")[options["value_type"]],
        multiplier=options["multiplier"],
        transform=options["transform"],
        confidence=options["confidence"],
        repetitions=options["repetitions"],
    )
    for name in ("sii", "rii", "intercept"):
        same(getattr(found, name), expected[name][0], name)
    for name in ("sii", "rii"):
        lower, upper = (
            next(expected[key][0] for key in expected if key.startswith(f"{name}_{side}")) for side in SIDES
        )
        near = 0.02 * (upper - lower)
        assert abs(getattr(found, f"{name}_lower") - lower) <= near
        assert abs(getattr(found, f"{name}_upper") - upper) <= near


SIDES = ("lower", "upper")
KINDS = {"SR": "standardised_ratio", "PR": "proportion", "RC": "ratio_of_counts"}


def check_funnel(case: Case) -> None:
    options, expected = case["options"], case["expected"]
    kind, method = KINDS[options["data_type"]], (options["sr_method"] or "SHMI").lower()
    adjust, both = options["draw_adjusted"], options["draw_adjusted"] and options["draw_unadjusted"]
    found = funnel.funnel(
        rows_of(case["inputs"]),
        kind=kind,
        method=method,
        adjust=adjust,
        always_adjust=both,
        trim=options["trim_by"],
        multiplier=options["multiplier"],
        limit={95: 95, 99: 99.8}[options["limit"]],
        round_expected=options["shmi_rounding"],
    )
    same([found.phi, found.tau2, found.target], [expected[name] for name in ("phi", "tau2", "target")], "dispersion")
    assert found.adjusted == expected["draw_adjusted"]
    for name, theirs in {"group": "group", "numerator": "numerator", "denominator": "denominator"}.items():
        same([getattr(row, name) for row in found.rows], expected[theirs], name)
    same([row.ratio for row in found.rows], expected["ratio"], "ratio")
    same([row.z for row in found.rows], expected["uzscore"], "z")
    prefix = "od_" if found.adjusted else ""
    for name, theirs in LIMITS.items():
        same([getattr(row, name) for row in found.rows], expected[prefix + theirs], name)
    if adjust or options["draw_unadjusted"]:
        assert [int(row.outlier) for row in found.rows] == expected["outlier"]
    check_scores(case, found, kind, method)
    check_curve(case, found, kind, method)


LIMITS = {"lower_95": "lcl95", "upper_95": "ucl95", "lower_998": "lcl998", "upper_998": "ucl998"}


def check_scores(case: Case, found: funnel.Funnel, kind: Any, method: Any) -> None:
    x, n = (np.array([getattr(row, name) for row in found.rows]) for name in ("numerator", "denominator"))
    scored = funnel.scores(x, n, found.target, funnel.family(kind, method), case["options"]["trim_by"])
    same([value if abs(value) < np.inf else None for value in scored.y.tolist()], case["expected"]["Y"], "Y")
    same(scored.trimmed.tolist(), case["expected"]["trimmed_zscore"], "trimmed z")


def check_curve(case: Case, found: funnel.Funnel, kind: Any, method: Any) -> None:
    """Both sets of lines, at the 15 sampled denominators, whichever the answer uses."""
    sample = case["expected"]["limits_curve_sample"]
    for prefix, tau2 in (("", None), ("od_", found.tau2)):
        curve = funnel.limits_curve(
            [row.denominator for row in found.rows],
            kind=kind,
            method=method,
            target=found.target,
            tau2=tau2,
            multiplier=case["options"]["multiplier"],
        )
        at = [int(np.abs(curve["denominator"] - value).argmin()) for value in sample["denominator"]]
        same(curve["denominator"][at].tolist(), sample["denominator"], "denominator")
        for name, theirs in LIMITS.items():
            same(curve[name][at].tolist(), sample[prefix + theirs], prefix + name)


def table_of(case: Case) -> dict[str, Any]:
    """The columns of a table under the names that the public-health funnels know."""
    inputs, options = case["inputs"], case["options"]
    columns = {
        "numerators": next(inputs[name] for name in ("numerator", "obs", "count") if name in inputs),
        "denominators": next(inputs[name] for name in ("denominator", "expected", "pop") if name in inputs),
    }
    if "rate_field" in options:
        columns["rates"] = inputs[options["rate_field"]]
    return columns


def options_of(case: Case, *names: str) -> dict[str, Any]:
    return {name: case["options"][name] for name in names if name in case["options"]}


def check_phe_limits(case: Case) -> None:
    options = options_of(case, "statistic", "ratio_type", "rate_type", "multiplier", "years_of_data")
    found = phe_funnel.calculate_funnel_limits(**table_of(case), **options)
    expected = {
        name.lower(): column for name, column in case["expected"].items() if name not in {"statistic", "method"}
    }
    assert set(found) == set(expected)
    for name, column in expected.items():
        same(found[name], column, name)


def check_phe_significance(case: Case) -> None:
    options = options_of(case, "statistic", "rate_type", "multiplier")
    assert phe_funnel.assign_funnel_significance(**table_of(case), **options) == case["expected"]["significance"]


def check_phe_points(case: Case) -> None:
    options = options_of(case, "rate_type", "multiplier", "years_of_data")
    found = phe_funnel.calculate_funnel_points(**table_of(case), **options)
    same(found["rate_chart"], case["expected"][f"{case['options']['rate_field']}_chart"], "rate_chart")
    same(found["denominator_derived"], case["expected"]["denominator_derived"], "denominator_derived")


def check_cusum(case: Case) -> None:
    p, y, options, expected = case["inputs"]["p"], case["inputs"]["y"], case["options"], case["expected"]
    found = cusum.risk_adjusted_cusum(
        p,
        y,
        odds_ratio_up=options["ra_up"],
        odds_ratio_down=options["ra_down"],
        limit_up=options["h_up"],
        limit_down=options["h_down"],
        reset=options["reset"],
    )
    for name, column in asdict(found).items():
        same(column, expected[name], name)
    for side, ratio in (("up", options["ra_up"]), ("down", options["ra_down"])):
        scores = [cusum.log_likelihood_score(risk, event, ratio) for risk, event in zip(p, y, strict=True)]
        same(scores, expected[f"llr_{side}"], f"llr_{side}")
    limits = {"limit_up": options["h_up"], "limit_down": options["h_down"]} if options["reset"] else {}
    drawn = cusum.eo_cusum(p, y, slack_up=options["eo_k1"], slack_down=options["eo_k2"], **limits)
    same(drawn.up, expected["eocusum_up"], "eocusum_up")
    same(drawn.down, expected["eocusum_down"], "eocusum_down")


def check_bernoulli(case: Case) -> None:
    options = case["options"]
    found = cusum.bernoulli_cusum(
        case["inputs"]["x"], odds_ratio=options["or"], limit=options["limit"], target=options["target"]
    )
    names = {"score_up": "s_up", "score_down": "s_down"}
    for name, column in asdict(found).items():
        same(column, case["expected"][names.get(name, name)], name)


def check_suppression(case: Case) -> None:
    options = case["options"]
    found = disclosure.suppress_values(
        case["inputs"]["values"], replacement=options["replacement"], upper=options["upper"]
    )
    assert found == case["expected"]["values"]


CHECKS: dict[str, Callable[[Case], None]] = {
    "phe_proportion": simple("proportion"),
    "phe_rate": simple("rate"),
    "phe_mean": check_mean,
    "phe_quantile": check_quantile,
    "phe_sii": check_sii,
    "calculate_dsr": standardised("dsr"),
    "calculate_ISRatio": standardised("is_ratio"),
    "calculate_ISRate": standardised("is_rate"),
    "byars_lower": check_byars,
    "byars_upper": check_byars,
    "funnel_plot": check_funnel,
    "calculate_funnel_limits": check_phe_limits,
    "assign_funnel_significance": check_phe_significance,
    "calculate_funnel_points": check_phe_points,
    "risk_adjusted_cusum": check_cusum,
    "bernoulli_cusum": check_bernoulli,
    "suppress_value": check_suppression,
}


def equals_the_reference(case: Case) -> None:
    if "error" in case["expected"]:
        with pytest.raises(InvalidRow):
            CHECKS[case["method"]](case)
    else:
        CHECKS[case["method"]](case)


@pytest.mark.parametrize("case", carried(), ids=name_of)
def test_a_synthetic_case_has_the_figures_the_reference_gave(case: Case) -> None:
    equals_the_reference(case)


@pytest.mark.published
@pytest.mark.parametrize("case", published(), ids=name_of)
def test_a_published_case_has_the_figures_the_reference_gave(case: Case) -> None:
    equals_the_reference(case)
