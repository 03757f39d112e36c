"""Answers are as the reference says: every read and every statistic, asked well and badly by several kinds of caller.

`python -m benchmarks.fuzz_reference` asks everything, for as long as one likes.
"""

from collections.abc import Iterator, Mapping

import pytest
import requests

from benchmarks.fuzz_reference import CALLERS, ENDLESS, NAMES, NOBODY, ask, cases, operations
from deploy.demo.roles import ROLES
from tests.journeys.journey import Journey

MANY = 2
SAFE = {one.label: one for one in operations() if one.method == "get" or one.path.startswith("/v1/statistics/")}


@pytest.fixture(scope="module")
def bearers(journey: Journey) -> Mapping[str, Mapping[str, str]]:
    known = {name: {"Authorization": journey.http(name).headers["Authorization"]} for name in ROLES}
    return known | {NOBODY: {}}


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_every_read_but_the_endless_one_is_asked() -> None:
    assert len([label for label in SAFE if label.startswith("GET")]) > 60
    assert f"GET {ENDLESS}" not in SAFE


@pytest.mark.parametrize("journey", ["local"], indirect=True, scope="session")
@pytest.mark.parametrize("label", SAFE)
def test_an_answer_is_as_the_reference_says(
    journey: Journey, bearers: Mapping[str, Mapping[str, str]], session: requests.Session, label: str
) -> None:
    number = list(SAFE).index(label)
    for turn, case in enumerate(cases(SAFE[label], NAMES, many=MANY, seed=number)):
        caller = CALLERS[(number + turn) % len(CALLERS)]
        status, wrong = ask(case, caller, url=journey.url, bearers=bearers, session=session)
        assert wrong is None, f"{caller} is answered {status}: {wrong}\n{case.as_curl_command()}"
