"""Every operation of the reference, asked by every kind of client: is each answer as the reference says?

Run `python -m benchmarks fuzz_reference`, or `python -m benchmarks.fuzz_reference SECONDS [SEED]`.
schemathesis makes the requests from `gateway/openapi.json`, good ones and bad; a platform of its own with a little in
it answers them; the callers are the seven roles of the demonstration and one without a token. Wrong are an answer of
5xx, a status, content type or header that the reference does not tell of, and a body that differs from its schema.
Each way in which an operation is wrong is printed once, with the request that shows it.
"""

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Mapping
from itertools import count, cycle
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deploy.demo.roles import ROLES
from deploy.openapi import FILE
from deploy.platform import Platform
from gateway.access import commands
from shared.db import Database
from shared.telemetry import configure_logging

SECONDS, SEED = 90.0, 20261123
MANY = 2  # requests of an operation for each kind of caller, in one round
NOBODY = "nobody"
CALLERS = (*ROLES, NOBODY)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = "/v1/stream"  # its answer has no end; tests/gateway/live reads it

Bearers = Mapping[str, Mapping[str, str]]
Known = Mapping[str, tuple[str, ...]]


class Wrong(NamedTuple):
    """One answer that is not as the reference says."""

    operation: str
    caller: str
    status: int
    message: str
    request: str


def reference() -> Any:
    """The document, for schemathesis, but for what never ends."""
    document = json.loads(FILE.read_text(encoding="utf-8"))
    del document["paths"][ENDLESS]
    return schemathesis.openapi.from_dict(document)


def operations() -> list[APIOperation]:
    """Each operation of the document."""
    return [found.ok() for found in reference().get_all_operations()]


def cases(operation: APIOperation, known: Known, *, many: int, seed: int) -> list[Any]:
    """So many requests of an operation, about half as it wants them; the same seed gives the same ones."""
    made: list[Any] = []
    good = operation.as_strategy(GenerationMode.POSITIVE)
    ways = [good, good]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bad = operation.as_strategy(GenerationMode.NEGATIVE)
    if operation.body or operation.query or operation.headers or operation.path_parameters:
        ways.append(bad)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=many,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(st.one_of(ways), st.data())
    def make(case: Any, data: st.DataObject) -> None:
        for part in (case.path_parameters, case.query):
            for name in part or ():
                if name in known and data.draw(st.integers(0, 3)):
                    part[name] = data.draw(st.sampled_from(known[name]))
        made.append(case)

    make()
    return made


def ask(case: Any, caller: str, *, url: str, bearers: Bearers, session: requests.Session) -> tuple[int, str | None]:
    """The status that one request gets from a caller, and in what the answer is not as the reference says."""
    response = case.call(base_url=url, session=session, headers=dict(bearers[caller]), timeout=30)
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as found:
        return response.status_code, "; ".join(f"{one.title}: {one.message}" for one in found.exceptions)
    return response.status_code, None


def wrong_answers(
    some: Iterable[APIOperation], known: Known, *, url: str, bearers: Bearers, many: int, seed: int
) -> tuple[int, list[Wrong]]:
    """Ask each operation so many things for each kind of caller: how often was asked, and what was wrong."""
    asked, wrong = 0, []
    with requests.Session() as session:
        for operation in some:
            made = cases(operation, known, many=many * len(CALLERS), seed=seed)
            for case, caller in zip(made, cycle(CALLERS), strict=False):
                status, message = ask(case, caller, url=url, bearers=bearers, session=session)
                asked += 1
                if message is not None:
                    shown = case.as_curl_command(headers={"Authorization": "[...]"})
                    wrong.append(Wrong(operation.label, caller, status, message, shown))
    return asked, wrong


def callers(platform: Platform) -> dict[str, dict[str, str]]:
    """The headers by which each kind of caller is known: the roles of the demonstration, now registered, and nobody."""
    bearers: dict[str, dict[str, str]] = {NOBODY: {}}
    database = Database(platform.environment.url("gateway"), pool_size=1)
    try:
        for name, role in ROLES.items():
            with database.session() as session:
                secret = commands.register_client(session, **role.registration)
            answer = requests.post(
                f"{platform.base_url}/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(role.client_id, secret),
                timeout=30,
            )
            answer.raise_for_status()
            bearers[name] = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    finally:
        database.close()
    return bearers


def furnish(platform: Platform, bearers: Bearers) -> dict[str, tuple[str, ...]]:
    """Put one of everything into the platform; what parameters may name, by their names."""
    ids = {}
    platform.settle()
    for name, (caller, path, body) in THINGS.items():
        answer = requests.post(f"{platform.base_url}{path}", json=body, headers={**bearers[caller]}, timeout=30)
        answer.raise_for_status()
        ids[name] = str(answer.json().get("id") or answer.json().get("client_id"))
    platform.settle()
    here = {name: (value,) for name, value in ids.items()}
    return {
        **NAMES,
        "submission_id": here["submission"],
        "id": (*here["webhook"], *NAMES["measure"], *NAMES["target"]),
        "annotation": here["annotation"],
        "enrolment": here["enrolment"],
        "client_id": here["client"],
        "programme": (*NAMES["programme"], *here["programme"]),
    }


ROWS = [
    {"organisation": "RGT", "period": f"2025-{month:02}", "measure": "md-arrest", "numerator": 20 + month % 3,
     "denominator": 2000}
    for month in range(1, 13)
]  # fmt: skip
BAD_ROW = {"organisation": "RGT", "period": "2025-01", "measure": "md-arrest", "numerator": "many"}
PROGRAMME = {
    "id": "fewer-falls",
    "name": "Fewer falls",
    "aims": [{"id": "fewer", "text": "A quarter fewer"}],
    "drivers": [{"id": "huddles", "name": "Huddles", "aims": ["fewer"]}],
    "change_ideas": [{"id": "daily-huddle", "name": "A huddle a day", "drivers": ["huddles"]}],
}
DRAFT = {
    "id": "local-arrests",
    "name": "Arrests",
    "programme": "fewer-falls",
    "kind": "outcome",
    "numerator": {"feed": "measure-counts", "where": {"field": "measure", "equals": "local-arrests"},
                  "value": {"sum": "numerator"}},
    "denominator": None,
    "multiplier": 1,
    "unit": "count",
    "period": "month",
    "improvement": "decrease",
    "chart": "c",
    "minimum_denominator": 1,
    "disclosure": "small-numbers",
}  # fmt: skip
THINGS: Mapping[str, tuple[str, str, Any]] = {
    "submission": ("trust", "/v1/submissions?feed=measure-counts", [*ROWS, BAD_ROW]),
    "programme": ("psc", "/v1/programmes", PROGRAMME),
    "draft": ("psc", "/v1/measures", DRAFT),
    "enrolment": ("psc", "/v1/enrolments", {"organisation": "RGT", "programme": "fewer-falls"}),
    "annotation": (
        "psc",
        "/v1/annotations",
        {"kind": "known_issue", "organisation": "RGT", "measure": "md-arrest", "on": "2025-06-01", "text": "A change"},
    ),
    "webhook": ("trust", "/v1/webhooks", {"url": "https://93.184.215.14/"}),
    "client": ("national", "/v1/clients", {"client_id": "somebody-else", "name": "A", "scopes": ["measures:read"]}),
}
"""What is put in: by whom, where, and what."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "organisation": ("RGT", "EAST", "ENGLAND"),
    "code": ("RGT", "EAST", "RM1"),
    "within": ("EAST", "ENGLAND"),
    "measure": ("md-arrest", "mn-cqimpreterm", "local-arrests"),
    "target": ("stillbirths-2025",),
    "programme": ("matneosip",),
    "feed": ("births", "measure-counts", "incidents"),
    "period": ("2025-06", "2025"),
    "from": ("2025-01",),
    "to": ("2025-12",),
    "level": ("trust",),
    "line": ("14",),
    "version": ("1.0.0",),
    "by": ("imd_quintile",),
    "limit": ("2",),
}
"""What parameters may name in the catalogue, by their names."""


def main(seconds: float, seed: int) -> int:
    """Ask for so long; 1 if any answer was wrong."""
    asked, kinds = 0, {}
    configure_logging("CRITICAL")
    with tempfile.TemporaryDirectory() as folder, Platform(Path(folder), working=False) as platform:
        bearers = callers(platform)
        known = furnish(platform, bearers)
        some, end = operations(), time.monotonic() + seconds
        for seed_now in count(seed):
            for operation in some:
                if time.monotonic() > end:
                    break
                more, wrong = wrong_answers(
                    [operation], known, url=platform.base_url, bearers=bearers, many=MANY, seed=seed_now
                )
                asked += more
                for one in wrong:
                    kinds.setdefault((one.operation, one.status, one.message.splitlines()[0]), one)
            if time.monotonic() > end:
                break
    for one in kinds.values():
        print(f"{one.operation} as {one.caller} answers {one.status}: {one.message}\n  {one.request}")
    print(f"{asked:,} requests to {len(some)} operations by {len(CALLERS)} kinds of caller")
    print(f"{len(kinds)} ways of being wrong")
    return int(bool(kinds))


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(float(given[0]) if given else SECONDS, int(given[1]) if len(given) > 1 else SEED))
