"""The sandbox: honoured where it is on, refused elsewhere, and told to services only in the signed principal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import sandbox
from shared.principal import AS_IT_IS, Principal, Supposed, Verifier
from shared.problems import InvalidRequest

ADDRESS = "/v1/calendar"
THE_13TH = "2026-10-13T09:00:00+01:00"


@pytest.fixture(scope="module")
def playground(listen: Any) -> Iterator[Any]:
    with listen(sandbox=True) as gateway:
        yield gateway


def ask(gateway: Any, **headers: str) -> httpx.Response:
    written = {name.replace("_", "-"): value for name, value in headers.items()}
    answer: httpx.Response = gateway.http.get(ADDRESS, headers=gateway.client().bearer | written)
    return answer


def principal(gateway: Any) -> Principal:
    return Verifier(gateway.settings.principal_key).verify(gateway.upstream.last["x-psip-principal"])


def test_a_service_is_told_the_instant_in_the_principal_and_not_in_a_header(playground: Any) -> None:
    assert ask(playground, X_Sandbox_Clock=THE_13TH).status_code == 200

    assert principal(playground).supposed.clock == datetime(2026, 10, 13, 8, tzinfo=UTC)
    assert not {"x-sandbox-clock", "x-scenario"} & playground.upstream.last.keys()


def test_the_instant_is_of_one_request_and_not_of_the_next(playground: Any) -> None:
    bearer = playground.client().bearer

    playground.http.get(ADDRESS, headers=bearer | {"X-Sandbox-Clock": THE_13TH})
    playground.http.get(ADDRESS, headers=bearer)

    assert principal(playground).supposed == AS_IT_IS


@pytest.mark.parametrize(
    ("name", "supposed"), [("org-closed", Supposed(closed=True)), ("kafka-down", Supposed(outage=15.0))]
)
def test_what_services_are_to_suppose_is_told_in_the_principal(playground: Any, name: str, supposed: Supposed) -> None:
    assert ask(playground, X_Scenario=name).status_code == 200

    assert principal(playground).supposed == supposed
    assert "x-scenario" not in playground.upstream.last


def test_a_quarter_later_is_later_than_now_or_than_the_instant_asked_for(playground: Any) -> None:
    ask(playground, X_Scenario="late-return", X_Sandbox_Clock=THE_13TH)
    later = principal(playground).supposed.clock
    ask(playground, X_Scenario="late-return")
    from_now = principal(playground).supposed.clock

    assert later == datetime(2026, 10, 13, 8, tzinfo=UTC) + timedelta(days=92)
    assert from_now is not None
    assert from_now > datetime.now(UTC) + timedelta(days=91)


def test_a_slow_answer_waits_before_anything_is_done(playground: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[tuple[float, int]] = []

    async def pause(asked: sandbox.Asked) -> None:
        waited.append((asked.seconds, len(playground.upstream.seen)))

    monkeypatch.setattr(sandbox.Asked, "pause", pause)
    before = len(playground.upstream.seen)

    assert ask(playground, X_Scenario="slow").status_code == 200

    assert waited[-1] == (3.0, before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Sandbox-Clock", "the 13th"),
        ("X-Sandbox-Clock", "2026-10-13T09:00:00"),
        ("X-Sandbox-Clock", "9999-10-13T09:00:00Z"),
        ("X-Sandbox-Clock", ""),
        ("X-Scenario", "earthquake"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(playground: Any, name: str, value: str) -> None:
    answer = playground.http.get(ADDRESS, headers=playground.client().bearer | {name: value})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == name


@pytest.mark.parametrize(
    ("name", "value"), [("X-Sandbox-Clock", THE_13TH), *(("X-Scenario", name) for name in sandbox.SCENARIOS)]
)
def test_elsewhere_it_is_refused_and_nothing_is_done(gateway: Any, name: str, value: str) -> None:
    before = len(gateway.upstream.seen)

    answer = gateway.http.post("/v1/submissions", headers=gateway.client().bearer | {name: value})

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/only-in-the-sandbox"
    assert len(gateway.upstream.seen) == before


def test_nobody_learns_whether_it_is_a_sandbox_without_a_token(playground: Any) -> None:
    answer = playground.http.get(ADDRESS, headers={"X-Sandbox-Clock": "nonsense"})

    assert answer.status_code == 401


def test_a_scenario_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(InvalidRequest, match="slow, late-return, busy, org-closed, kafka-down"):
        sandbox.asked([(b"x-scenario", b"flood")], sandbox=True)


def test_every_scenario_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "front-end.md").read_text()

    assert [name for name in sandbox.SCENARIOS if f"| `{name}` |" not in guide] == []
