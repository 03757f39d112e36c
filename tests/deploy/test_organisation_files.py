"""`psip organisations load` says what a file would do, and what is wrong with one that cannot be taken."""

from datetime import date
from io import StringIO

import pytest
from rich.console import Console

from deploy.organisation_files import load, tell
from services.programmes.commands.organisation_files import Changed, Difference, Kept
from services.programmes.rules.organisations import Organisation

ON = date(2026, 10, 1)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"etr\.csv cannot be read: No such file"):
        load(tmp_path / "etr.csv", tmp_path, on=ON, kind=None, apply=False)


def test_a_file_of_another_layout_is_refused_before_anything_is_asked_of_the_registry(tmp_path):
    path = tmp_path / "etr.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit, match="row 1: this layout is not known; known are ODS"):
        load(path, tmp_path, on=ON, kind=None, apply=False)


def test_a_good_file_without_a_registry_says_how_to_start_one(tmp_path, monkeypatch):
    monkeypatch.delenv("PSIP_DATABASE_URL", raising=False)
    path = tmp_path / "succ.csv"
    path.write_text("old_code,new_code,date\nQJG,D7T5G,20260401\n")
    with pytest.raises(SystemExit, match="start it, or set PSIP_DATABASE_URL"):
        load(path, tmp_path, on=ON, kind=None, apply=False)


def told(**facts):
    whole = {"file": "etr.csv", "sha256": "0" * 64, "layout": "ODS", "added": (), "changed": (), "closed": (),
             "kept": (), "left_out": {}, "unchanged": 3}  # fmt: skip
    text = StringIO()
    tell(Difference(**whole | facts), Console(file=text, width=200), applied=False, most=1)
    return text.getvalue()


def test_what_is_added_changed_closed_kept_and_left_out_is_told_apart():
    closing = Changed("R2", "Two", "closed", None, date(2026, 9, 30))
    moving = Changed("R3", "Three", "icb", [("", "QA", "")], [("", "QB", "")])
    text = told(
        added=(Organisation(code="R1", name="One", kind="trust"),),
        changed=(closing, moving),
        closed=(closing,),
        kept=(Kept("R4", "Four", "name", ["Four"], ["Vier"], "as people say it"),),
        left_out={"is not registered": 1200},
    )
    for line in (
        "added: 1\n  R1 One (trust)",
        "closed: 1\n  R2 Two: on 2026-09-30",
        "changed: 1\n  R3 Three: icb QA -> QB",
        "kept by hand: 1\n  R4 Four: name stays Four, not Vier: as people say it",
        "left out: 1\n  1,200 times: is not registered",
        "nothing was written: say --apply to write it",
    ):
        assert line in text


def test_a_long_list_is_cut_with_the_number_of_the_rest():
    text = told(added=tuple(Organisation(code=f"R{n}", name="N", kind="trust") for n in range(3)))
    assert "added: 3\n  R0 N (trust)\n  ... and 2 more" in text


def test_nothing_new_is_said_so():
    assert "there is nothing to write" in told()
