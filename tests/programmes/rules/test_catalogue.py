"""The catalogue that is shipped is whole, right and labelled; a broken one says where and what to mend."""

import csv
import shutil
from collections import Counter
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from services.programmes.rules import catalogue as catalogues
from services.programmes.rules.catalogue import Catalogue, InvalidCatalogue, load
from services.programmes.rules.organisations import Organisations

NOVEMBER = date(2026, 11, 1)
FIELD_TABLE = Path(__file__).parents[4] / "shared" / "domain" / "event_fields.csv"
SPREAD_OUT = {("care_home_weekly", "med_errors_by_type")}


@pytest.fixture(scope="module")
def national() -> Catalogue:
    return load()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the shipped catalogue that a test may spoil."""
    with resources.as_file(resources.files("services.programmes.catalogue")) as shipped:
        return Path(shutil.copytree(shipped, tmp_path / "catalogue"))


def spoil(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(InvalidCatalogue) as refused:
        load(folder)
    return [str(fault) for fault in refused.value.faults]


def test_it_holds_every_organisation_of_the_tables(national: Catalogue) -> None:
    kinds = Counter(one.kind for one in national.organisations)
    assert kinds == {"national": 1, "region": 7, "icb": 48, "hin": 15, "trust": 274}


def test_thirty_six_icbs_and_202_trusts_are_open_in_november_2026(national: Catalogue) -> None:
    still_open = Counter(one.kind for one in national.organisations if one.exists(NOVEMBER))
    assert (still_open["icb"], still_open["trust"]) == (36, 202)


def test_it_holds_every_measure_feed_code_list_and_programme(national: Catalogue) -> None:
    assert (len(national.measures), len(national.feeds), len(national.code_lists)) == (81, 6, 42)
    assert sum(len(codes) for codes in national.code_lists.values()) == 317
    assert Counter(one["kind"] for one in national.programmes.values()) == {"programme": 6, "theme": 2}
    assert [len(group["programmes"]) for group in national.programme_sets] == [5, 4]


def test_thirty_one_closed_trusts_and_twelve_closed_icbs_name_their_successors(national: Catalogue) -> None:
    # 32 rows of the table; the one whose closed body is in no register is kept with its successor.
    by_kind = Counter(one.kind for one in national.organisations if one.successions)
    assert by_kind == {"trust": 31, "icb": 12}
    (heir,) = [one for one in national.organisations if one.code == "G6V2S"]
    assert heir.attributes["predecessors"] == ["RNK", "RRP", "TAF"]


def test_an_icb_that_was_split_has_several_successors(national: Catalogue) -> None:
    registry = Organisations(national.organisations)
    assert registry.standing_for("QNQ", NOVEMBER) == ("QRL", "S0E4D", "S9B9J")
    assert registry.standing_for("QNQ", date(2026, 3, 31)) == ("QNQ",)


def test_a_trust_moves_to_its_new_icb_on_the_day_icbs_merged(national: Catalogue) -> None:
    registry = Organisations(national.organisations)
    assert registry.parent("RDE", "icb", date(2026, 3, 31)) == "QJG"
    assert registry.parent("RDE", "icb", date(2026, 4, 1)) == "D7T5G"


def test_a_trust_that_crossed_a_regional_border_was_in_its_old_region_before(national: Catalogue) -> None:
    registry = Organisations(national.organisations)
    assert registry.parent("RPG", "region", date(2026, 3, 31)) == "Y56"
    assert registry.parent("RPG", "region", date(2026, 4, 1)) == "Y59"


def test_every_open_trust_has_one_place_in_every_hierarchy(national: Catalogue) -> None:
    registry = Organisations(national.organisations)
    for day in (date(2022, 7, 1), date(2026, 3, 31), date(2026, 4, 1), NOVEMBER):
        trusts = [one.code for one in national.organisations if one.kind == "trust" and one.exists(day)]
        for hierarchy, kind in (("icb", "icb"), ("region", "region"), ("psc", "hin")):
            placed = Counter(
                trust
                for whole in national.organisations
                if whole.kind == kind
                for trust in registry.members(whole.code, day, kind="trust", hierarchy=hierarchy)
            )
            assert placed == Counter(trusts)
        assert registry.members("ENGLAND", day, kind="trust") == tuple(sorted(trusts))


def test_east_cheshire_lies_in_one_system_and_in_the_footprint_of_another(national: Catalogue) -> None:
    registry = Organisations(national.organisations)
    assert dict(registry.ancestors("RJN", NOVEMBER)) == {
        "icb": "QYG", "region": "Y62", "psc": "MAN", "national": "ENGLAND",
    }  # fmt: skip


def test_an_icb_shared_between_two_footprints_belongs_wholly_to_neither(national: Catalogue) -> None:
    registry = Organisations(national.organisations)
    assert registry.parent("Z9B2Z", "psc", NOVEMBER) is None
    assert registry.by_code["Z9B2Z"].attributes["psc_in_part"] == ["ICHP", "UCLP"]


def test_names_are_friendly_and_the_ods_spelling_is_kept(national: Catalogue) -> None:
    names = {one.code: one for one in national.organisations}
    assert names["RGT"].name == "Cambridge University Hospitals NHS Foundation Trust"
    assert names["RGT"].attributes["ods_name"] == "CAMBRIDGE UNIVERSITY HOSPITALS NHS FOUNDATION TRUST"
    assert names["RJ1"].name == "Guy's and St Thomas' NHS Foundation Trust"
    assert names["QNC"].name == "NHS Staffordshire and Stoke-on-Trent Integrated Care Board"


def test_what_comes_from_memory_says_so(national: Catalogue) -> None:
    names = {one.code: one for one in national.organisations}
    assert names["TAJ"].unverified
    assert not names["RGT"].unverified
    assert names["RGT"].attributes["unverified"] == ["trust_type", "maternity_provider", "psc"]
    assert national.measures["ch-falls"]["unverified"]
    assert not national.measures["mn-cqimpreterm"]["unverified"]
    for measure in national.measures.values():
        if measure["source"].startswith("M "):
            assert measure["unverified"], measure["id"]


def test_every_fact_names_its_source(national: Catalogue) -> None:
    for one in national.organisations:
        assert one.source, one.code
    for entry in (*national.measures.values(), *national.targets.values(), *national.programmes.values()):
        assert entry["source"], entry["id"]


def test_feeds_carry_the_code_lists_they_use(national: Catalogue) -> None:
    births = national.feeds["births"]
    assert births["code_lists"]["PREGNANCY_OUTCOME"]["01"] == "Live birth"
    assert "LFPSE_PHYSICAL_HARM" not in births["code_lists"]


def test_the_rate_of_falls_is_a_u_chart_and_preterm_birth_a_p_chart(national: Catalogue) -> None:
    falls, preterm = national.measures["ch-falls"], national.measures["mn-cqimpreterm"]
    assert (falls["chart"], falls["multiplier"], falls["period"]) == ("u", 1000, "week")
    assert (preterm["chart"], preterm["multiplier"], preterm["period"]) == ("p", 1000, "month")


def test_every_measure_computed_from_rows_has_an_example(national: Catalogue) -> None:
    for measure in national.measures.values():
        if measure["numerator"]["feed"] != "measure-counts":
            assert measure["examples"], measure["id"]


def test_the_seven_maternity_ambitions_have_run_out(national: Catalogue) -> None:
    ambitions = ("stillbirths-2025", "neonatal-deaths-2025", "maternal-deaths-2025", "brain-injury-2025",
                 "preterm-2025", "smoke-free-2023", "optimisation-2025")  # fmt: skip
    assert {national.targets[one]["status"] for one in ambitions} == {"missed", "lapsed"}


def test_no_target_with_a_date_behind_it_is_still_active(national: Catalogue) -> None:
    overdue = [
        one["id"]
        for one in national.targets.values()
        if one["status"] == "active" and one.get("due") and date.fromisoformat(one["due"]) < NOVEMBER
    ]
    assert overdue == []


def test_a_programme_knows_its_measures_targets_sets_and_principles(national: Catalogue) -> None:
    mental_health = national.programmes["mhsip"]
    assert (mental_health["status"], mental_health["valid_to"]) == ("closed", "2023-09-30")
    assert mental_health["measures"] == ["mh-ri-rate", "mh-ri-people", "mh-secl", "mh-rt"]
    assert "restrictive-practice-2023-09" in mental_health["targets"]
    assert mental_health["sets"] == ["2021"]
    assert len(mental_health["principle"]) == 8


@pytest.mark.published
def test_every_field_of_the_field_table_is_in_its_feed(national: Catalogue) -> None:
    if not FIELD_TABLE.exists():
        pytest.skip("the field table is not kept beside this checkout")
    with FIELD_TABLE.open(newline="") as table:
        asked = [(row["feed"], row["field"]) for row in csv.DictReader(table)]
    carried = {
        (name.replace("-", "_"), field["name"]) for name, feed in national.feeds.items() for field in feed["field"]
    }
    assert set(asked) - carried == SPREAD_OUT


def test_a_measure_that_names_an_unknown_field_is_refused_with_its_place(copy: Path) -> None:
    spoil(copy / "measures" / "care-homes.toml", 'sum = "falls"', 'sum = "tumbles"')
    assert faults_of(copy) == [
        "measures/care-homes.toml, ch-falls/numerator/value/sum: 'tumbles' is not a field of the feed"
    ]


def test_every_fault_of_every_file_is_reported_at_once(copy: Path) -> None:
    spoil(copy / "trusts.csv", ",QUE,S1Y5D,Y61,EAST,", ",QUE,S1Y5D,Y61,NOWHERE,")
    spoil(copy / "targets.toml", 'measure = "mn-stillbirth"', 'measure = "mn-still"')
    spoil(copy / "programmes" / "medsip.toml", 'drivers = ["opioids"]', 'drivers = ["pain"]')
    spoil(copy / "feeds" / "births.toml", 'example = "221"', 'example = "31"')
    found = "\n".join(faults_of(copy))
    assert "NOWHERE is not registered: register it first" in found
    assert "targets.toml, stillbirths-2025/measure: 'mn-still' does not exist" in found
    assert "programmes/medsip.toml, /change_idea/0/drivers/0: 'pain' does not exist" in found
    assert "feeds/births.toml, /field/32/example: '31' would not be accepted in this column" in found


def test_a_measure_without_a_definition_is_named(copy: Path) -> None:
    spoil(copy / "measures" / "care-homes.toml", 'id = "ch-falls"', 'id = "ch-fall"')
    found = faults_of(copy)
    assert "measures.csv, ch-falls: has no definition: write one in measures/" in found
    assert "measures, ch-fall: is not in measures.csv: say there what it counts, and its source" in found


def test_the_same_id_twice_is_refused(copy: Path) -> None:
    spoil(copy / "targets.toml", 'id = "neonatal-deaths-2025"', 'id = "stillbirths-2025"')
    assert "targets.toml, stillbirths-2025: is there twice: keep one" in faults_of(copy)


def test_a_file_that_is_not_toml_or_not_there_is_named(copy: Path) -> None:
    (copy / "feeds" / "births.toml").write_text("id = births")
    assert faults_of(copy)[0].startswith("feeds/births.toml, /: is not TOML")
    (copy / "regions.csv").unlink()
    (copy / "feeds" / "births.toml").unlink()
    assert faults_of(copy) == ["regions.csv, /: cannot be read: the catalogue needs it"]


def test_reading_it_twice_gives_equal_values(national: Catalogue) -> None:
    assert catalogues.load() == national


def test_oxleas_is_registered_in_one_icb_and_works_in_another(national: Catalogue) -> None:
    registry, day = Organisations(national.organisations), NOVEMBER
    assert registry.parent("RPG", "icb", day) == "QKS"
    assert registry.parent("RPG", "system", day) == "QKK"
    assert "RPG" in registry.members("QKK", day)
    assert "RPG" not in registry.members("QKS", day)
    assert "RPG" in registry.members("QKS", day, hierarchy="icb")
