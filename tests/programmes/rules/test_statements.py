"""What a file says, set against what is held: taken up from its day on, unless somebody keeps it otherwise."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from services.programmes.rules.organisations import Organisation, Organisations, problems
from services.programmes.rules.statements import Statement, brought, changed, curated, kept
from shared.contracts.programmes import Edge, Name, Override, Succession

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
TRUST = Organisation(
    code="RGT", name="Old Name", kind="trust", edges=(Edge(parent="QA", hierarchy="icb", start=date(2022, 7, 1)),)
)
ICBS = [Organisation(code=code, name=code, kind="icb") for code in ("QA", "QB", "QC")]
SHUT = Organisation(code="QX", name="QX", kind="icb", closed=date(2020, 1, 1))
WHY = Override(reason="the board says so", by="lead", at=datetime(2026, 5, 2, tzinfo=UTC))


def after(said, *, before=TRUST, on=APRIL):
    others = [*ICBS, SHUT, *([before] if before else [])]
    return brought(before, said, Organisations(others), on=on, source="a file")


def said(**facts):
    return Statement(code="RGT", row=2, kind="trust", **facts)


def test_a_new_name_holds_from_the_day_of_the_file_and_the_old_one_until_then():
    one, _ = after(said(name="New Name"))

    assert one.name == "New Name"
    assert (one.called(date(2026, 3, 31)), one.called(APRIL)) == ("Old Name", "New Name")


def test_a_name_that_is_only_written_otherwise_is_the_same_name():
    one, _ = after(said(name="OLD name"))
    assert changed(TRUST, one) == ()


def test_a_move_ends_the_old_place_on_the_day_and_begins_the_new_one():
    one, _ = after(said(parents={"icb": "QB"}))

    assert [(edge.parent, edge.start, edge.end) for edge in one.edges] == [
        ("QA", date(2022, 7, 1), APRIL), ("QB", APRIL, None),
    ]  # fmt: skip
    assert problems([*ICBS, one]) == []


def test_a_move_before_another_that_is_known_lasts_until_that():
    later = msgspec.structs.replace(
        TRUST, edges=(Edge(parent="QA", hierarchy="icb", end=MAY), Edge(parent="QB", hierarchy="icb", start=MAY))
    )
    one, _ = after(said(parents={"icb": "QC"}), before=later)

    assert [(edge.parent, edge.end) for edge in one.edges] == [("QA", APRIL), ("QC", MAY), ("QB", None)]


def test_what_closes_is_held_by_nothing_after_its_last_day():
    one, _ = after(said(closed=date(2026, 3, 31)))
    assert (one.closed, one.edges[0].end) == (date(2026, 3, 31), APRIL)


def test_what_closed_stays_closed_when_a_file_does_not_say_so():
    gone = msgspec.structs.replace(TRUST, closed=date(2026, 3, 31))
    one, left = after(said(), before=gone)
    assert (one.closed, left) == (gone.closed, ("closed, which the file does not say: it stays closed",))


@pytest.mark.parametrize(
    ("parent", "why"),
    [("QZ", "its icb QZ is not registered"), ("QX", "its icb QX was not open on the day the file tells of")],
)
def test_a_place_that_is_not_there_is_left_out_and_said(parent, why):
    one, left = after(said(parents={"icb": parent}))
    assert (changed(TRUST, one), left) == ((), (why,))


def test_an_older_file_leaves_what_a_later_one_said():
    once, _ = after(said(name="New Name"), on=MAY)
    again, left = after(said(name="Old Name", parents={"icb": "QB"}), before=once, on=APRIL)
    assert (changed(once, again), left) == ((), ("is told of by a later file already",))


def test_a_successor_is_added_to_those_that_are_known():
    split = msgspec.structs.replace(TRUST, successions=(Succession(successor="QA", on=APRIL),))
    step = Statement(code="RGT", row=2, successions=(Succession(successor="QB", on=APRIL),))
    one, _ = after(step, before=split)
    assert [step.successor for step in one.successions] == ["QA", "QB"]


def test_saying_the_same_again_changes_nothing():
    file = said(name="New Name", parents={"icb": "QB"}, opened=date(1993, 4, 1), attributes={"postcode": "CB2 0QQ"})
    once, _ = after(file)
    twice, _ = after(file, before=once)
    assert changed(once, twice) == ()


def test_what_nobody_registered_is_not_made_up_from_a_succession():
    assert after(Statement(code="RZZ", row=2), before=None) == (None, ("is not registered",))


def test_a_fact_kept_by_hand_wins_and_the_rest_is_taken_up():
    mine = curated(TRUST, msgspec.structs.replace(TRUST, name="My Name"), WHY)
    theirs, _ = after(said(name="Their Name", parents={"icb": "QB"}), before=mine)

    one, names = kept(mine, theirs)

    assert (one.name, names, one.overrides) == ("My Name", ("name",), {"name": WHY})
    assert Organisations([*ICBS, one]).parent("RGT", "icb", APRIL) == "QB"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            (Name(name="A"), Name(name="B", start=APRIL)),
            "has two names from 2026-04-01: 'A' and 'B'; end the first on the day the second starts",
        ),
        (
            (Name(name="A", end=APRIL), Name(name="C", start=APRIL)),
            "its name is 'B', but the last of its names is 'C': say the same in both",
        ),
        (
            (Name(name="B", start=MAY, end=APRIL),),
            "its name 'B' ends on 2026-04-01, not after its start 2026-05-01",
        ),
    ],
)
def test_names_that_contradict_each_other_are_refused_with_the_remedy(names, message):
    assert problems([Organisation(code="R1", name="B", kind="trust", names=names)]) == [("R1", message)]
