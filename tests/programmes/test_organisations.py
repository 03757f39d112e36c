"""Organisations over HTTP: who they are, who held them when, what became of them."""

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest

from services.programmes.commands import Act, register_organisations
from services.programmes.hierarchy import Hierarchies
from services.programmes.problems import InvalidOrganisation
from services.programmes.rules.organisations import Organisation
from shared.contracts.programmes import Edge, OrganisationChanged, Succession

THEN = datetime(2026, 5, 1, 9, tzinfo=UTC)
APRIL = date(2026, 4, 1)
LAST_DAY = date(2026, 3, 31)


def some_organisations() -> list[Organisation]:
    """The East of England around 1 April 2026, when one ICB was split between two."""
    in_region = Edge(parent="Y61", hierarchy="region")
    split = (Succession(successor="T6Y0W", on=APRIL), Succession(successor="D7T5G", on=APRIL))
    return [
        Organisation(code="ENGLAND", name="England", kind="national"),
        Organisation(
            code="Y61", name="East of England", kind="region", edges=(Edge(parent="ENGLAND", hierarchy="national"),)
        ),
        Organisation(
            code="QJG", name="Suffolk and North East Essex", kind="icb", closed=LAST_DAY, edges=(in_region,),
            successions=split,
        ),
        Organisation(code="T6Y0W", name="Norfolk and Suffolk", kind="icb", opened=APRIL, edges=(in_region,)),
        Organisation(code="D7T5G", name="Essex", kind="icb", opened=APRIL, edges=(in_region,), unverified=True),
        Organisation(
            code="RDE", name="East Suffolk and North Essex NHS FT", kind="trust", identifiers={"ons": "E1"},
            edges=(
                Edge(parent="QJG", hierarchy="icb", end=APRIL),
                Edge(parent="D7T5G", hierarchy="icb", start=APRIL),
            ),
        ),
        Organisation(code="RDE01", name="Colchester", kind="site", edges=(Edge(parent="RDE", hierarchy="provider"),)),
        Organisation(
            code="VM001", name="The Larches", kind="care_home", identifiers={"cqc": "1-1000000001"},
            edges=(Edge(parent="T6Y0W", hierarchy="icb", start=APRIL),),
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def east(new_registry):
    """To be read only."""
    registry = new_registry()
    registry.register(*some_organisations())
    return registry


@pytest.fixture
def changing(registry):
    """To be changed."""
    registry.register(*some_organisations())
    return registry


def codes(answer):
    return [item["code"] for item in answer["items"]]


@pytest.mark.parametrize("path", ["", "/RDE", "/RDE/ancestors", "/RDE/members", "/RDE/successors"])
def test_somebody_unknown_is_told_nothing(east, path):
    assert east.send("GET", f"/v1/organisations{path}").status_code == 401


@pytest.mark.parametrize("path", ["", "/RDE", "/RDE/ancestors", "/RDE/members", "/RDE/successors"])
def test_reading_needs_the_scope(east, path):
    assert east.ask("GET", f"/v1/organisations{path}", scopes="measures:read").status_code == 403


@pytest.mark.parametrize("path", ["", "/ancestors", "/members", "/successors"])
def test_an_unknown_code_is_a_404_problem(east, path):
    answer = east.ask("GET", f"/v1/organisations/XYZ{path}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/unknown-organisation"


@pytest.mark.parametrize("identifier", ["VM001", "vm001", "1-1000000001"])
def test_any_identifier_finds_the_organisation(east, identifier):
    assert east.get(f"/v1/organisations/{identifier}")["name"] == "The Larches"


def test_the_list_holds_what_was_open_on_the_day(east):
    assert codes(east.get("/v1/organisations?kind=icb&at=2026-03-31")) == ["QJG"]
    assert codes(east.get("/v1/organisations?kind=icb&at=2026-04-01")) == ["D7T5G", "T6Y0W"]


def test_a_fact_from_memory_is_labelled(east):
    labels = {item["code"]: item["unverified"] for item in east.get("/v1/organisations?kind=icb")["items"]}
    assert labels == {"D7T5G": True, "T6Y0W": False}


def test_members_follow_the_day(east):
    assert codes(east.get("/v1/organisations/QJG/members?at=2026-03-31")) == ["RDE", "RDE01"]
    assert codes(east.get("/v1/organisations/D7T5G/members?at=2026-04-01")) == ["RDE", "RDE01"]
    assert codes(east.get("/v1/organisations/T6Y0W/members?at=2026-04-01")) == ["VM001"]


def test_within_and_kind_narrow_the_list(east):
    assert codes(east.get("/v1/organisations?within=Y61&kind=site&at=2026-04-01")) == ["RDE01"]


def test_ancestors_are_own_and_inherited(east):
    above = east.get("/v1/organisations/RDE01/ancestors?at=2026-05-01")["items"]
    assert {(one["hierarchy"], one["code"]) for one in above} == {
        ("provider", "RDE"), ("icb", "D7T5G"), ("region", "Y61"), ("national", "ENGLAND"),
    }  # fmt: skip


def test_ancestors_members_and_successors_of_any_node_at_any_date_are_one_answer(east):
    then = east.get("/v1/organisations/QJG?around=true&at=2026-03-31")
    now = east.get("/v1/organisations/QJG?around=true&at=2026-05-01")

    assert [one["code"] for one in then["members"]] == ["RDE", "RDE01"]
    assert {one["code"] for one in then["ancestors"]} == {"Y61", "ENGLAND"}
    assert [one["code"] for one in then["standing_for"]] == ["QJG"]
    assert (now["members"], now["members_total"]) == ([], 0)
    assert sorted(one["code"] for one in now["standing_for"]) == ["D7T5G", "T6Y0W"]
    assert sorted(step["successor"] for step in now["successors"]) == ["D7T5G", "T6Y0W"]


def test_a_split_is_two_successors(east):
    answer = east.get("/v1/organisations/QJG/successors?at=2026-05-01")
    assert sorted(step["successor"] for step in answer["items"]) == ["D7T5G", "T6Y0W"]
    assert sorted(one["code"] for one in answer["standing_for"]) == ["D7T5G", "T6Y0W"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("essex", ["D7T5G", "RDE"]),
        ("suff nor", ["RDE", "T6Y0W"]),
        ("rde", ["RDE", "RDE01"]),
        ("1-1000000001", ["VM001"]),
        ("!!", []),
    ],
)
def test_words_are_found_by_their_beginnings(east, q, found):
    answer = east.ask("GET", "/v1/organisations", params={"q": q, "at": "2026-05-01"})
    assert codes(answer.json()) == found


@pytest.mark.parametrize("query", ["kind=icb", "within=ENGLAND", "q=es", "within=ENGLAND&q=es", ""])
def test_pages_put_together_are_the_whole_list(east, query):
    whole = codes(east.get(f"/v1/organisations?{query}&at=2026-05-01"))
    path, seen = f"/v1/organisations?{query}&at=2026-05-01&limit=2", []
    while path:
        answer = east.ask("GET", path)
        seen += codes(answer.json())
        path = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == whole
    assert len(whole) > 1


def test_what_one_has_already_is_not_sent_again(east):
    first = east.ask("GET", "/v1/organisations/RDE")
    again = east.ask("GET", "/v1/organisations/RDE", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_change_elsewhere_leaves_the_etag_alone(changing):
    before = changing.ask("GET", "/v1/organisations/RDE?at=2026-05-01").headers["ETag"]
    changing.register(Organisation(code="Y99", name="Elsewhere", kind="region"))
    assert changing.ask("GET", "/v1/organisations/RDE?at=2026-05-01").headers["ETag"] == before


def test_known_at_gives_what_was_believed_then(changing):
    learned = datetime(2026, 6, 1, tzinfo=UTC)
    moved = Organisation(
        code="VM001", name="Larches House", kind="care_home", edges=(Edge(parent="D7T5G", hierarchy="icb"),)
    )
    changing.register(moved, at=learned)
    now = changing.get("/v1/organisations/VM001?at=2026-05-01")
    then = changing.get("/v1/organisations/VM001?at=2026-05-01&known_at=2026-05-31T00:00:00Z")
    assert (now["name"], now["within"]["icb"]) == ("Larches House", "D7T5G")
    assert (then["name"], then["within"]["icb"]) == ("The Larches", "T6Y0W")
    assert codes(changing.get("/v1/organisations/T6Y0W/members?at=2026-05-01&known_at=2026-05-31T00:00:00Z")) == [
        "VM001"
    ]


def test_a_misspelt_filter_is_refused(east):
    answer = east.ask("GET", "/v1/organisations?knd=icb")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "knd"


def test_the_whole_new_state_is_published_with_what_was_believed_before(changing):
    learned = datetime(2026, 6, 1, tzinfo=UTC)
    changing.register(Organisation(code="RDE", name="ESNEFT", kind="trust"), at=learned)
    last = changing.published(OrganisationChanged)[-1]
    assert (last.code, last.name, last.recorded_at) == ("RDE", "ESNEFT", learned)
    assert [(edge.parent, edge.superseded_at) for edge in last.edges] == [("QJG", learned), ("D7T5G", learned)]


def test_saying_the_same_again_changes_and_publishes_nothing(changing):
    before = len(changing.published(OrganisationChanged))
    changing.register(*some_organisations())
    assert len(changing.published(OrganisationChanged)) == before


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        (Organisation(code="A", name="A", kind="trust", edges=(Edge(parent="NOPE", hierarchy="icb"),)), "NOPE"),
        (Organisation(code="Y61", name="Y", kind="region", edges=(Edge(parent="Y61", hierarchy="national"),)), "Y61"),
        (
            Organisation(
                code="RDE", name="R", kind="trust",
                edges=(Edge(parent="D7T5G", hierarchy="icb"), Edge(parent="T6Y0W", hierarchy="icb", start=APRIL)),
            ),
            "icb",
        ),
        (Organisation(code="B", name="B", kind="care_home", identifiers={"cqc": "1-1000000001"}), "VM001"),
    ],
)  # fmt: skip
def test_what_cannot_be_true_is_refused_with_the_place(east, wrong, names):
    with pytest.raises(InvalidOrganisation, match=names) as refusal:
        east.register(wrong)
    assert refusal.value.errors[0]["pointer"] == "/0"


def test_what_was_not_committed_is_told_to_nobody_else(registry):
    kept = Hierarchies()
    with suppress(RuntimeError), registry.database.session() as session:
        register_organisations(session, [Organisation(code="R99", name="Never", kind="trust")], Act("tester", THEN))
        assert kept.beside(session).code_of("R99") == "R99"
        with registry.database.session() as another:
            assert kept.known(another).code_of("R99") is None
        raise RuntimeError

    with registry.database.session() as session:
        assert kept.known(session).code_of("R99") is None
