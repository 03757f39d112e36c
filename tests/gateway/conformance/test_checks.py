"""The ledger: each check is met by what a client did, and by nothing less."""

from typing import Any

import pytest

from gateway.conformance.checks import CHECKS, Deed, Ledger

NOON = 1_790_000_000.0


class Clock:
    """A clock that the test moves."""

    now = NOON

    def __call__(self) -> float:
        return self.now


def a_submission(**changes: Any) -> Deed:
    told: dict[str, Any] = {
        "method": "POST",
        "path": "/v1/submissions",
        "query": {},
        "compressed": False,
        "status": 201,
    }
    return Deed(**(told | changes))


def a_read(path: str, status: int = 200) -> Deed:
    return Deed("GET", path, {}, False, status)


def met(*deeds: Deed) -> set[str]:
    ledger = Ledger(clock=Clock())
    for deed in deeds:
        ledger.note("me", deed)
    return set(ledger.of("me").met)


REJECTED = a_read("/v1/submissions/{id}/rejected")
CORRECTED = Deed("PATCH", "/v1/quarantine/{id}/{line}", {}, False, 200)


@pytest.mark.parametrize(
    ("deeds", "checks"),
    [
        ([a_submission()], set()),
        ([a_submission(query={"dry_run": "true"})], {"dry-run"}),
        ([a_submission(query={"dry_run": "true"}, status=422)], set()),
        ([a_submission(compressed=True, status=202)], {"compressed"}),
        ([a_submission(replayed=True)], {"key-resent"}),
        ([a_submission(query={"nil": "true"})], {"nil-return"}),
        ([a_read("/v1/submissions/{id}")], {"receipt-read"}),
        ([a_read("/v1/submissions/{id}", 404)], set()),
        ([a_read("/v1/calendar")], {"calendar-read"}),
        ([CORRECTED], {"row-mended"}),
        ([CORRECTED._replace(status=422)], set()),
        ([REJECTED], set()),
        ([a_submission(), REJECTED], set()),
        ([REJECTED, a_submission()], {"row-mended"}),
        ([REJECTED, a_submission(status=422)], set()),
        ([REJECTED, a_submission(query={"dry_run": "true"})], {"dry-run"}),
    ],
)
def test_a_check_is_met_by_doing_it(deeds: list[Deed], checks: set[str]) -> None:
    assert met(*deeds) == checks


def test_a_client_that_waits_as_long_as_it_was_asked_has_shown_so_until_it_comes_too_soon() -> None:
    clock = Clock()
    ledger = Ledger(clock=clock)
    ledger.came("me")
    assert not ledger.of("me").met

    ledger.told_to_wait("me", 2)
    clock.now += 2
    ledger.came("me")
    assert set(ledger.of("me").met) == {"wait-respected"}

    ledger.told_to_wait("me", 2)
    clock.now += 1
    ledger.came("me")
    assert not ledger.of("me").met


def test_what_one_client_shows_is_not_anothers() -> None:
    ledger = Ledger(clock=Clock())
    ledger.signed("me")

    assert (ledger.of("me").met, ledger.of("you").met) == ({"signed-token": NOON}, {})


def test_checks_have_names_of_their_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
