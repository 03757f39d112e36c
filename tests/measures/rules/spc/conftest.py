"""Cases that published packages computed: the made-up ones travel with the checkout, the others lie beside it."""

import gzip
import json
from pathlib import Path

import pytest

CARRIED = Path(__file__).parents[1] / "vectors"
PUBLISHED = Path(__file__).parents[5] / "shared" / "reference"

# the argument by which a test asks to be run once for every case: file, and whether the reference refuses it
CASES = {
    "xmr_case": ("xmr_plotthedots", False),
    "refused_xmr_case": ("xmr_plotthedots", True),
    "shewhart_case": ("qicharts", False),
    "phases_case": ("runcharter", False),
    "refused_phases_case": ("runcharter", True),
}


def pytest_generate_tests(metafunc):
    for argument in CASES.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(argument, [*_carried(*CASES[argument]), *_published(*CASES[argument])])


def _wanted(case, refused):
    return ("error" in case["expected"]) is refused and case["method"] != "bernoulli_cusum"


def _carried(name, refused):
    cases = json.loads(gzip.decompress((CARRIED / f"{name}.json.gz").read_bytes()))
    return [pytest.param(case, id=case["id"]) for case in cases if _wanted(case, refused)]


def _published(name, refused):
    path = PUBLISHED / f"{name}.json"
    if not path.exists():
        reason = "the published figures are not beside this checkout"
        return [pytest.param(None, id="published", marks=[pytest.mark.published, pytest.mark.skip(reason=reason)])]
    # those made up are carried: here only those on real data
    return [
        pytest.param(case, id=case["id"], marks=pytest.mark.published)
        for case in json.loads(path.read_bytes())
        if case["provenance"] != "synthetic" and _wanted(case, refused)
    ]
