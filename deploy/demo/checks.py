"""What must hold once the demonstration's data is in: each story can be seen by somebody who looks for it."""

import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, NamedTuple

from deploy.demo import stories
from deploy.demo.span import Span
from psip import Client

PATIENCE = 120.0
PAUSE = 0.2
RAISED = frozenset({"concern_high", "concern_low"})
IMPROVED = frozenset({"improvement_high", "improvement_low"})


class Claim(NamedTuple):
    """Something that must hold, and how to find out."""

    said: str
    holds: Callable[[Client], bool]


def check(client: Client, until: date, *, patience: float = PATIENCE) -> list[tuple[str, bool]]:
    """Every claim, and whether it holds. `client` sees everything exactly (the role `national`).

    Figures follow rows within moments: a claim that does not hold yet is tried again for `patience` seconds in all.
    """
    ends = time.monotonic() + patience
    return [(claim.said, _holds_before(ends, claim, client)) for claim in claims(Span.before(until))]


def claims(span: Span) -> Iterator[Claim]:
    """What is claimed, story by story."""
    yield Claim("every file was accepted, and of one with faults the good rows", _files_accepted)
    for shift in stories.SHIFTS:
        wanted = RAISED if shift is stories.RISING_HAEMORRHAGE else IMPROVED
        said = f"{shift.measure} at {shift.organisation} shows {'a concern' if wanted is RAISED else 'an improvement'}"
        yield Claim(said, _varies(shift, wanted))
        if shift.idea is not None:
            yield Claim(f"{shift.measure} at {shift.organisation} is annotated with its change idea", _annotated(shift))
    yield from _about_returns(span)
    yield Claim("the merged trust carries on with both trusts' births, as they are now", _merged(span))


def _about_returns(span: Span) -> Iterator[Claim]:
    for said, (code, back) in (("that is missing", stories.MISSING), ("that is late", stories.LATE)):
        month = span.month(back).text
        yield Claim(f"the births of {month} at {code}, a return {said}, are told as such", _without(code, month))
    code, back = stories.CORRECTION
    month = span.month(back).text
    yield Claim(f"the corrected births of {month} at {code} are version 2, and counted", _corrected(code, month))
    weeks = [span.week(back).text for back in stories.NIL_WEEKS]
    yield Claim(
        f"{stories.NIL_HOME} had nothing to report in {' and '.join(sorted(weeks))}",
        lambda client: all(_status(client, "ch-falls", stories.NIL_HOME, week) == "nil_return" for week in weeks),
    )
    silent = [span.week(back).text for back in stories.SILENT_WEEKS]
    yield Claim(
        f"{stories.SILENT_HOME} sent nothing in {len(silent)} weeks",
        lambda client: all(_status(client, "ch-falls", stories.SILENT_HOME, week) in _NOTHING for week in silent),
    )


_NOTHING = frozenset({"not_submitted", "late"})


def _holds_before(ends: float, claim: Claim, client: Client) -> bool:
    while not claim.holds(client):
        if time.monotonic() >= ends:
            return False
        time.sleep(PAUSE)
    return True


def _files_accepted(client: Client) -> bool:
    statuses = [one["status"] for one in client.each("/v1/submissions", limit=100)]
    return statuses.count("partly_accepted") >= 1 and not {"rejected", "failed"} & set(statuses)


def _varies(shift: stories.Shift, wanted: frozenset[str]) -> Callable[[Client], bool]:
    return lambda client: client.chart(shift.measure, shift.organisation)["variation"] in wanted


def _annotated(shift: stories.Shift) -> Callable[[Client], bool]:
    def holds(client: Client) -> bool:
        drawn = client.chart(shift.measure, shift.organisation)["annotations"]
        return any(one["text"] == shift.idea for one in drawn)

    return holds


def _without(code: str, month: str) -> Callable[[Client], bool]:
    return lambda client: _status(client, "mn-preterm", code, month) in _NOTHING


def _status(client: Client, measure: str, organisation: str, period: str) -> str | None:
    items = client.series(measure, organisation, first=period, last=period).items
    return items[0]["status"] if items else None


def _corrected(code: str, month: str) -> Callable[[Client], bool]:
    def holds(client: Client) -> bool:
        versions = list(client.each("/v1/returns", limit=100, feed="births", organisation=code, period=month))
        now = {one["id"]: one for one in versions if one["current"] and one["version"] == 2}
        items = client.series("mn-preterm", code, first=month, last=month).items
        return len(versions) == 2 and any(now.keys() & set(item["versions"]) for item in items)

    return holds


def _merged(span: Span) -> Callable[[Client], bool]:
    merger = stories.MERGER
    before = [month.text for month in span.months if month.end <= merger.last_day]
    after = [month.text for month in span.months if month.start > merger.last_day]

    def births(client: Client, code: str, basis: Any) -> dict[str, float]:
        items = client.series("mn-preterm", code, org_basis=basis).items
        return {item["period"]: item["denominator"] or 0 for item in items}

    def holds(client: Client) -> bool:
        was, now = (births(client, merger.successor, basis) for basis in ("as_was", "as_is_now"))
        gone = births(client, merger.closed, "as_was")
        joined = all(now.get(month) == was.get(month, 0) + gone.get(month, 0) for month in before)
        return joined and all(now.get(month) == was.get(month) and not gone.get(month) for month in after)

    return holds
