"""How a return that has not come stands, by the window of its feed."""

from datetime import date

from services.measures.rules.statuses import ReturnState
from shared.contracts.periods import Period
from shared.contracts.windows import Window, days


def absent(period: Period, window: Window, *, today: date) -> ReturnState:
    """`awaited` to the end of the due day, `late` to the last day it may still come, `missing` from then on.

    A feed without a due day awaits nothing once the period is over: what is not there is `missing`.
    """
    if period.end >= today:
        return "awaited"
    of = days(period, window)
    if of.due is None or today > (of.final_due or of.due):
        return "missing"
    return "awaited" if today <= of.due else "late"
