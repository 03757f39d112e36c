"""The sandbox: another day, and trouble that a client should have met before it is made live.

`X-Sandbox-Clock` and `X-Scenario` are honoured where `PSIP_SANDBOX` is on (`psip demo`). Elsewhere they are refused:
who sends them believes to be in a sandbox and must not find out by having changed something. Services are told what
to suppose in the signed principal, never in a header that a caller writes.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from gateway.problems import OnlyInTheSandbox
from gateway.wire import Headers
from shared.principal import AS_IT_IS, Supposed
from shared.problems import InvalidRequest

CLOCK, SCENARIO = "X-Sandbox-Clock", "X-Scenario"
NAMES: Final[Mapping[bytes, str]] = {name.lower().encode(): name for name in (CLOCK, SCENARIO)}
YEARS = range(2000, 2101)
BUSY_SECONDS = 2
OUTAGE_SECONDS = 15.0


class Scenario(NamedTuple):
    """What happens.

    The answer waits for so many seconds, it is so much later than it is, the platform is busy, every organisation
    `closed` long ago, or Kafka is away for the seconds of an `outage`.
    """

    seconds: float = 0.0
    later: timedelta = timedelta()
    busy: bool = False
    closed: bool = False
    outage: float = 0.0


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "slow": Scenario(seconds=3.0),
    "late-return": Scenario(later=timedelta(days=92)),
    "busy": Scenario(busy=True),
    "org-closed": Scenario(closed=True),
    "kafka-down": Scenario(outage=OUTAGE_SECONDS),
}


class Asked(NamedTuple):
    """What a request asks of the sandbox: what services are to suppose, the seconds to wait, or a refusal."""

    supposed: Supposed = AS_IT_IS
    seconds: float = 0.0
    busy: bool = False

    async def pause(self) -> None:
        """Wait as the scenario says."""
        if self.seconds:
            await asyncio.sleep(self.seconds)


NOTHING = Asked()


def asked(headers: Headers, *, sandbox: bool) -> Asked:
    """What the headers ask for. Raises OnlyInTheSandbox elsewhere, and InvalidRequest for what cannot be."""
    told = {NAMES[name]: value.decode("latin-1").strip() for name, value in headers if name in NAMES}
    if not told:
        return NOTHING
    if not sandbox:
        raise OnlyInTheSandbox(f"{' and '.join(sorted(told))}: this is not a sandbox, and nothing was done")
    clock = _instant(told[CLOCK]) if CLOCK in told else None
    scenario = _scenario(told[SCENARIO]) if SCENARIO in told else Scenario()
    if scenario.later:
        clock = (clock or datetime.now(UTC)) + scenario.later
    return Asked(Supposed(clock, scenario.closed, scenario.outage), scenario.seconds, scenario.busy)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or found.year not in YEARS:
        raise _wrong(CLOCK, "write an instant with its offset, like 2026-10-13T09:00:00Z")
    return found.astimezone(UTC)


def _scenario(text: str) -> Scenario:
    if text not in SCENARIOS:
        raise _wrong(SCENARIO, f"there is no such scenario; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[text]


def _wrong(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {message}", errors=[{"parameter": name, "message": message}])
