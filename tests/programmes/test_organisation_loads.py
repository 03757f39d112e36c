"""Files and catalogues are loaded over what is known: the difference first, curated facts kept, nothing twice."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from services.programmes.commands import load_organisations
from services.programmes.problems import InvalidOrganisation
from services.programmes.rules.catalogue import load as national
from services.programmes.rules.organisation_files import read_file
from services.programmes.rules.organisations import Organisation
from shared.contracts.programmes import Edge, OrganisationChanged

ON, NOW = date(2026, 9, 1), datetime(2026, 9, 2, 9, tzinfo=UTC)
HEADER = "code,name,national_grouping,high_level_health_geography,postcode,open_date,close_date,gor_or_group\n"
NEW = "RZ9,NEW MODEL NHS TRUST,Y61,D7T5G,CB1 1AA,20260401,,D\n"
RENAMED = "RDE,EAST COAST NHS TRUST,Y61,T6Y0W,CO4 5JL,20180701,,D\n"
CLOSING = "RGT,CAMBRIDGE NHS TRUST,Y61,D7T5G,CB2 0QQ,20040701,20260831,D\n"
WRITE = {"scopes": "programmes:read programmes:write", "organisations": ["ENGLAND"], "client": "curator"}


def some_organisations():
    icb = {"kind": "icb", "edges": (Edge(parent="Y61", hierarchy="region"),)}
    held = {"kind": "trust", "source": "ODS etr", "edges": (Edge(parent="D7T5G", hierarchy="icb"),)}
    return [
        Organisation(code="ENGLAND", name="England", kind="national"),
        Organisation(code="Y61", name="East", kind="region", edges=(Edge(parent="ENGLAND", hierarchy="national"),)),
        Organisation(code="D7T5G", name="Essex", **icb),
        Organisation(code="T6Y0W", name="Norfolk and Suffolk", **icb),
        Organisation(code="RDE", name="East Suffolk and North Essex NHS FT", **held),
        Organisation(code="RGT", name="Cambridge NHS Trust", **held),
    ]


@pytest.fixture
def east(registry):
    registry.register(*some_organisations())
    registry.forget_events()
    return registry


def load(registry, *rows, apply=True, name="etr.csv", header=HEADER):
    file = read_file(name, (header + "".join(rows)).encode())
    with registry.database.session() as session:
        return load_organisations(session, file, on=ON, now=NOW, apply=apply)


def changes(registry):
    return registry.get("/v1/changes?who=operator", organisations=["ENGLAND"])["items"]


def test_the_difference_is_told_before_anything_is_written(east):
    told = load(east, NEW, RENAMED, CLOSING, apply=False)

    assert [one.code for one in told.added] == ["RZ9"]
    assert [(one.code, one.after) for one in told.closed] == [("RGT", date(2026, 8, 31))]
    assert {(one.code, one.facet) for one in told.changed if one.code == "RDE"} >= {("RDE", "name"), ("RDE", "icb")}
    assert east.published(OrganisationChanged) == []
    assert changes(east) == []


def test_what_is_applied_is_published_and_on_record_with_the_file_and_its_hash(east):
    told = load(east, NEW, RENAMED, CLOSING)

    assert {one.code for one in east.published(OrganisationChanged)} == {"RZ9", "RDE", "RGT"}
    assert {one["why"] for one in changes(east)} == {f"etr.csv sha256:{told.sha256}"}
    assert [one["action"] for one in changes(east)].count("registered") == 1


def test_loading_the_same_file_again_writes_nothing(east):
    load(east, NEW, RENAMED, CLOSING)
    east.forget_events()

    again = load(east, NEW, RENAMED, CLOSING)

    assert (again.empty, again.unchanged) == (True, 3)
    assert east.published(OrganisationChanged) == []


def test_a_renamed_organisation_is_shown_by_the_name_it_had_on_the_day(east):
    load(east, RENAMED)

    names = [east.get(f"/v1/organisations/RDE?at={day}")["name"] for day in ("2026-08-31", "2026-09-01")]
    learned = east.get("/v1/organisations/RDE?at=2026-09-01")["names"][-1]

    assert names == ["East Suffolk and North Essex NHS FT", "East Coast NHS Trust"]
    assert (learned["start"], datetime.fromisoformat(learned["recorded_at"])) == ("2026-09-01", NOW)
    assert [one["code"] for one in east.get("/v1/organisations?q=suffolk north essex")["items"]] == ["RDE"]


def test_who_belonged_where_before_the_file_is_still_answered(east):
    load(east, RENAMED)
    members = {
        day: east.get(f"/v1/organisations/D7T5G/members?at={day}")["items"] for day in ("2026-08-31", "2026-09-01")
    }
    assert [[one["code"] for one in items] for items in members.values()] == [["RDE", "RGT"], ["RGT"]]


def curate(registry, **facts):
    shown = registry.ask("GET", "/v1/organisations/RDE", **WRITE).json()
    return registry.ask("PUT", "/v1/organisations/RDE?reason=System+membership", json=shown | facts, **WRITE)


def test_what_is_changed_against_a_source_needs_a_reason(east):
    shown = east.get("/v1/organisations/RDE")
    answer = east.ask("PUT", "/v1/organisations/RDE", json=shown | {"name": "ESNEFT"}, **WRITE)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "reason"


def test_a_fact_kept_by_hand_wins_over_a_file_which_says_so(east):
    kept = curate(east, name="ESNEFT").json()["overrides"]["name"]
    assert (kept["reason"], kept["by"]) == ("System membership", "curator")

    told = load(east, RENAMED)

    assert [(one.code, one.facet, one.reason) for one in told.kept] == [("RDE", "name", "System membership")]
    now = east.get("/v1/organisations/RDE?at=2026-09-02")
    assert (now["name"], now["within"]["icb"]) == ("ESNEFT", "T6Y0W")


def test_a_fact_is_let_go_by_leaving_it_out_of_what_is_kept(east):
    curate(east, name="ESNEFT")
    assert curate(east, overrides={}).json()["overrides"] == {}

    told = load(east, RENAMED)

    assert told.kept == ()
    assert east.get("/v1/organisations/RDE?at=2026-09-02")["name"] == "East Coast NHS Trust"


def test_an_edited_catalogue_leaves_what_is_kept_by_hand_and_what_it_did_not_edit(registry):
    catalogue = national()
    registry.load(catalogue)
    load(registry, "RGT,CAMBRIDGE NEW TRUST,Y61,D7T5G,CB2 0QQ,20040701,,D\n")
    curate(registry, name="ESNEFT")

    edited = [
        msgspec.structs.replace(one, name="Edited") if one.code in ("RDE", "RGN") else one
        for one in catalogue.organisations
    ]
    loaded = registry.load(msgspec.structs.replace(catalogue, organisations=tuple(edited)))

    names = [registry.get(f"/v1/organisations/{code}?at=2026-10-01")["name"] for code in ("RDE", "RGN", "RGT")]
    assert names == ["ESNEFT", "Edited", "Cambridge New Trust"]
    assert (loaded.organisations, loaded.kept) == (1, 1)


def test_a_file_that_would_contradict_the_registry_is_refused_with_the_row(east):
    sites = "RDE,SITE,Y61,,CB1 1AA,,,RGT\nRGT,SITE,Y61,,CB1 1AA,,,RDE\n"
    with pytest.raises(InvalidOrganisation, match="row 2, RDE: lies within itself in provider: end one of the edges"):
        load(east, sites, name="ets.csv")


def test_who_would_succeed_itself_is_left_out_and_the_rest_of_the_file_is_taken_up(east):
    told = load(east, "RGT,RGT,20260401\nRDE,RGT,20260401\n", name="succ.csv", header="old_code,new_code,date\n")

    assert told.left_out == {"it would succeed itself": 1}
    assert [one["successor"] for one in east.get("/v1/organisations/RDE/successors")["items"]] == ["RGT"]
    assert east.get("/v1/organisations/RGT/successors")["items"] == []


def test_homes_and_their_providers_come_in_one_file_and_are_found_by_either_code(east):
    east.register(Organisation(code="VN1", name="Larches", kind="care_home", identifiers={"cqc": "1-111"}))
    header = "Location Name,Location ID,Care homes beds,Location HSCA start date,Provider Name,Provider ID\n"
    rows = "The Larches,1-111,20,2011-01-17,Kent Homes,1-999\nThe Elms,1-112,8,2012-01-17,Kent Homes,1-999\n"

    told = load(east, rows, name="locations.csv", header=header)

    assert {one.code for one in told.added} == {"1-999", "1-112"}
    assert {one.code for one in told.changed} == {"VN1"}
    members = east.get("/v1/organisations/1-999/members?at=2026-09-02")["items"]
    assert [one["code"] for one in members] == ["1-112", "VN1"]
