"""Published files of organisations: which layout they are, what they say, and which row is wrong."""

from datetime import date
from pathlib import Path

import pytest

from services.programmes.rules.organisation_files import UnreadableFile, read_file

ODS = "code,name,national_grouping,high_level_health_geography,postcode,open_date,close_date,gor_or_group\n"
TRUST = "RGT,CAMBRIDGE UNIVERSITY HOSPITALS NHS FOUNDATION TRUST,Y61,QUE,CB2 0QQ,19930401,,D\n"
BARE = (
    "RGT,CAMBRIDGE UNIVERSITY HOSPITALS NHS FOUNDATION TRUST,Y61,QUE,,,,,,CB2 0QQ,19930401,20260331,,,D,,,,,,,0,,,,,\n"
)
CQC = "Location Name,Location ID,Care homes beds,Location HSCA start date,Location HSCA end date,Provider Name,"
CQC += "Provider ID\n"
PUBLISHED = Path(__file__).parents[3].parent / "shared" / "data" / "reference"


def read(name, text, **kwargs):
    return read_file(name, text.encode(), **kwargs)


@pytest.mark.parametrize("content", [ODS + TRUST, BARE.replace("20260331", "")])
def test_an_ods_file_is_read_with_a_header_and_as_it_is_published_without(content):
    (trust,) = read("etr.csv", content).statements

    assert (trust.code, trust.kind, trust.name) == (
        "RGT", "trust", "Cambridge University Hospitals NHS Foundation Trust",
    )  # fmt: skip
    assert (trust.opened, trust.closed, trust.parents) == (date(1993, 4, 1), None, {"region": "Y61", "icb": "QUE"})


def test_the_name_of_an_ods_file_says_which_organisations_it_holds():
    assert read("ods_ets_2026.csv", ODS + TRUST).statements[0].kind == "site"
    assert read("anything.csv", ODS + TRUST, kind="practice").statements[0].kind == "practice"


def test_an_ods_file_that_does_not_say_which_it_holds_is_refused_with_the_words_to_use():
    with pytest.raises(UnreadableFile, match=r"organisations\.csv does not say .* etr \(trust\)"):
        read("organisations.csv", ODS + TRUST)


def test_successors_of_one_organisation_are_put_together():
    (split,) = read("succ.csv", "old_code,new_code,date\nQJG,T6Y0W,20260401\nQJG,D7T5G,2026-04-01\n").statements

    assert [(step.successor, step.on) for step in split.successions] == [
        ("T6Y0W", date(2026, 4, 1)), ("D7T5G", date(2026, 4, 1)),
    ]  # fmt: skip


def test_of_cqc_locations_care_homes_and_their_providers_are_taken():
    rows = "The Larches,1-111,20,2011-01-17,,Kent Homes,1-999\nAt home,1-112,,2011-01-17,,Kent Homes,1-999\n"

    provider, home = read("locations.csv", CQC + rows).statements

    assert (provider.kind, provider.code) == ("care_home_provider", "1-999")
    assert (home.kind, home.identifiers, home.parents) == ("care_home", {"cqc": "1-111"}, {"provider": "1-999"})
    assert home.attributes["beds"] == 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ODS + TRUST.replace("19930401", "soon"), "row 2: open_date 'soon' is not a day: write it as 20260401"),
        (ODS + TRUST.replace("RGT", ""), "row 2: code is blank: it is needed"),
        (ODS + TRUST + TRUST.replace("QUE", "QMJ"), "row 3: RGT is in row 2 already, said otherwise: keep one"),
        (ODS + TRUST.replace("RGT", "R G T"), "row 2: code 'R G T' is not a code: letters and digits, at most 16"),
        (
            CQC + "The Larches,1-111,some,2011-01-17,,Kent Homes,1-999\n",
            "row 2: Care homes beds 'some' is not a number",
        ),
        (ODS + TRUST.replace("CAMBRIDGE", '"CAMBRIDGE') + TRUST, "etr.csv, line 3: unexpected end of data; give the"),
        ((ODS + TRUST).encode("utf-16").decode("cp1252"), "etr.csv is not text; give the file as it was published"),
        ("a,b\n1,2\n", "row 1: this layout is not known; known are ODS, ODS predecessors"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_the_remedy(content, message):
    with pytest.raises(UnreadableFile) as refusal:
        read("etr.csv", content)
    assert message in str(refusal.value)


def test_what_a_spreadsheet_makes_of_a_file_is_read_as_well():
    (provider, home) = read(
        "locations.csv", (CQC + "The Larches,1-111,20.0,17/01/2011,,Kent Homes,1-999\n,,,,,,\n").replace("\n", "\r")
    ).statements
    assert (home.attributes["beds"], home.opened, provider.code) == (20, date(2011, 1, 17), "1-999")


def test_every_row_that_is_wrong_is_named_at_once():
    with pytest.raises(UnreadableFile) as refusal:
        read("etr.csv", ODS + TRUST.replace("19930401", "x") + TRUST.replace("RGT", ""))
    assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == ["row 2", "row 3"]


@pytest.mark.published
@pytest.mark.parametrize(
    ("name", "layout", "count"),
    [
        ("ods_etr_trusts_snapshot_2020.csv", "ODS", 227),
        ("ods_etr_trusts_snapshot_2021.csv", "ODS", 218),
        ("ods_etr_trusts_snapshot_2025.csv", "ODS", 273),
        ("ods_epraccur_gp_practices.csv", "ODS", 15971),
        ("ods_predecessor_successor_25k.csv", "ODS predecessors and successors", 24805),
        ("cqc_locations_sample.csv", "CQC locations", 578),
        ("cqc_directory_sample.csv", "CQC directory", 17),
    ],
)
def test_the_published_files_are_read_whole(name, layout, count):
    path = PUBLISHED / name
    if not path.exists():
        pytest.skip("the published files are not here")

    file = read_file(name, path.read_bytes())

    assert (file.layout, len(file.statements)) == (layout, count)


def test_a_care_home_lies_in_its_own_icb_and_a_site_in_that_of_its_trust():
    row = "V1,HOME,Y56,QRV,N1 1AA,20200401,,A1\n"
    (home,) = read_file("ecarehomesite.csv", (ODS + row).encode()).statements
    (site,) = read_file("ets.csv", (ODS + row).encode()).statements
    assert (home.parents, site.parents) == ({"icb": "QRV", "provider": "A1"}, {"provider": "A1"})
