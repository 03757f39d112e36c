"""Figures of many organisations at once: those of an area are the same, read with its members' or by themselves."""

from datetime import date

from services.measures.queries.definitions import definitions_of
from services.measures.queries.organisations import Membership
from services.measures.queries.wholes import Series, wholes
from tests.measures.builders import (
    BIRTHS_FEED,
    COUNTS_FEED,
    MONTHS,
    a_feed,
    a_measure,
    a_return,
    an_organisation,
    counted,
)
from tests.measures.conftest import Measures

ALWAYS = (None, None)
TRUSTS = {code: [Membership(code, *ALWAYS)] for code in ("RGT", "RGN", "RDE")}
STATUSES = ("final", "provisional", "final")
AREA = [
    Membership("RDE", None, date(2026, 4, 1)),
    Membership("RGN", date(2026, 3, 1), None),
    Membership("RGT", None, date(2026, 2, 1)),
    Membership("RGT", date(2026, 5, 1), None),
]


def of_the_area(found: list[Series]) -> list[Series]:
    return sorted(one for one in found if one.place == "QUE")


def test_an_area_is_the_same_with_its_members_and_by_itself(measures: Measures) -> None:
    measures.hear(
        a_feed(BIRTHS_FEED), a_feed(COUNTS_FEED), a_measure(), a_measure("deaths", denominator=None, chart="c"),
        *(an_organisation(code) for code in (*TRUSTS, "QUE")),
    )  # fmt: skip
    for number, code in enumerate(TRUSTS):
        rows = [counted("preterm", 20.0 + number, 200.0), counted("deaths", 3.0 + number, None)]
        months = [
            a_return(rows, feed="measure-counts", organisation=code, period=month, status=STATUSES[number])
            for month in MONTHS[-8:]
        ]
        measures.hear_together([*months, a_return(rows, feed="measure-counts", organisation=code, period="2026-W10")])

    with measures.database.session() as session:
        known = definitions_of(session)
        together = of_the_area([*wholes(session, known, {**TRUSTS, "QUE": AREA})])
        alone = of_the_area([*wholes(session, known, {"QUE": AREA})])

    assert together == alone
    assert {(one.measure, one.grain) for one in alone} == {
        ("preterm", "month"),
        ("preterm", "week"),
        ("deaths", "month"),
        ("deaths", "week"),
    }
    (months,) = (one for one in alone if (one.measure, one.grain) == ("preterm", "month"))
    assert dict(zip(months.periods, months.provisional, strict=True)) == {
        period: period >= "2026-03" for period in MONTHS[-8:]
    }
    assert dict(zip(months.periods, months.senders, strict=True))["2026-01"] == 2
    assert dict(zip(months.periods, months.numerators, strict=True))["2026-03"] == 21.0 + 22.0


def test_an_area_of_whose_members_none_sent_anything_has_no_series(measures: Measures) -> None:
    measures.hear(a_feed(BIRTHS_FEED), a_measure())
    with measures.database.session() as session:
        assert [*wholes(session, definitions_of(session), {**TRUSTS, "QUE": AREA, "QXU": []})] == []
