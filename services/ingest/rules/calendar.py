"""How an organisation stands for a period of a feed: in time, late, missing, nothing to say, or not asked."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from services.ingest.rules.reference import Organisation
from shared.contracts.periods import Period
from shared.contracts.windows import Days, london_day

Status = Literal["due", "received", "late", "missing", "nil", "exempt"]
STATUSES: tuple[Status, ...] = ("due", "received", "late", "missing", "nil", "exempt")


@dataclass(frozen=True, slots=True)
class Standing:
    """What is held of a return: when it first came (versions withdrawn since left out), and its current version."""

    first_received: datetime
    kind: str
    version: int
    status: str


def status(
    period: Period, of: Days, *, organisation: Organisation | None, standing: Standing | None, today: date
) -> Status:
    """How an organisation stands for a period: it has sent in time (`received`), `late` or, whenever that came, a `nil`
    return, or it has not: then it is `due` to the end of the due day (for ever where there is none) and `missing` from
    then on. One that did not exist in the period is `exempt`, unless it sent something all the same."""
    if standing is not None:
        if standing.kind == "nil":
            return "nil"
        return "late" if of.due is not None and london_day(standing.first_received) > of.due else "received"
    if organisation is not None and not _existed(organisation, period):
        return "exempt"
    return "due" if of.due is None or today <= of.due else "missing"


def days_late(of: Days, standing: Standing | None, *, today: date) -> int:
    """How many days after the due day the return came, or has not come yet; 0 where it is not late."""
    if of.due is None:
        return 0
    came = today if standing is None else london_day(standing.first_received)
    return max(0, (came - of.due).days)


def _existed(one: Organisation, period: Period) -> bool:
    return (one.opened is None or one.opened <= period.end) and (one.closed is None or one.closed >= period.start)
