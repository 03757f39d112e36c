"""The national catalogue, loaded and read: programmes, measures, targets, feeds."""

import io
from datetime import UTC, datetime, timedelta

import msgspec
import openpyxl
import pytest
from sqlalchemy import text

from services.programmes.commands import Loaded
from services.programmes.problems import PublishedOtherwise
from services.programmes.rules.catalogue import load
from shared.contracts.event import Event
from shared.contracts.programmes import (
    FeedPublished,
    MeasurePublished,
    OrganisationChanged,
    ProgrammePublished,
    TargetSet,
)

LOADED = datetime(2026, 5, 1, 9, tzinfo=UTC)
CATALOGUE = load()
LISTS = ("programmes", "measures", "targets", "feeds")


@pytest.fixture(scope="module")
def national(new_registry):
    """To be read only."""
    registry = new_registry()
    registry.load(CATALOGUE, now=LOADED)
    return registry


@pytest.fixture
def changing(registry):
    """To be changed."""
    registry.load(CATALOGUE, now=LOADED)
    return registry


def whole_list(registry, path):
    """Every item of a list, page by page."""
    items = []
    while path:
        answer = registry.ask("GET", path)
        items += answer.json()["items"]
        path = answer.links["next"]["url"] if "next" in answer.links else None
    return items


def test_loading_writes_everything_once(registry):
    assert registry.load(CATALOGUE) == Loaded(
        organisations=len(CATALOGUE.organisations),
        feeds=len(CATALOGUE.feeds),
        programmes=len(CATALOGUE.programmes),
        measures=len(CATALOGUE.measures),
        targets=len(CATALOGUE.targets),
    )


def test_loading_the_same_again_writes_and_publishes_nothing(changing):
    before = len(changing.published(Event))
    assert changing.load(load(), now=LOADED + timedelta(days=1)) == Loaded()
    assert len(changing.published(Event)) == before


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (OrganisationChanged, len(CATALOGUE.organisations)),
        (FeedPublished, len(CATALOGUE.feeds)),
        (ProgrammePublished, len(CATALOGUE.programmes)),
        (MeasurePublished, len(CATALOGUE.measures)),
        (TargetSet, len(CATALOGUE.targets)),
    ],
)
def test_everything_is_published_with_its_whole_state(national, kind, count):
    assert len(national.published(kind)) == count


def test_a_published_feed_carries_its_code_lists(national):
    births = next(event for event in national.published(FeedPublished) if event.feed == "births")
    assert births.spec["code_lists"]["PREGNANCY_OUTCOME"]["01"] == "Live birth"


def test_a_changed_measure_needs_a_new_version(changing):
    changed = msgspec.structs.replace(
        CATALOGUE, measures={"ch-falls": {**CATALOGUE.measures["ch-falls"], "name": "Something else"}}
    )
    with pytest.raises(PublishedOtherwise, match=r"ch-falls 1\.0\.0"):
        changing.load(changed)


def test_a_new_version_supersedes_and_the_old_one_stays(changing):
    newer = {**CATALOGUE.measures["ch-falls"], "name": "Falls, counted anew", "version": "1.1.0"}
    loaded = changing.load(msgspec.structs.replace(CATALOGUE, measures={"ch-falls": newer}), now=LOADED + timedelta(1))
    assert loaded == Loaded(measures=1)
    assert changing.get("/v1/measures/ch-falls")["name"] == "Falls, counted anew"
    assert changing.get("/v1/measures/ch-falls/versions/1.0.0")["name"] == CATALOGUE.measures["ch-falls"]["name"]
    assert changing.get(f"/v1/measures/ch-falls?known_at={LOADED:%Y-%m-%dT%H:%M:%S}Z")["version"] == "1.0.0"
    assert [one["version"] for one in changing.get("/v1/measures/ch-falls/versions")["items"]] == ["1.1.0", "1.0.0"]


NATION = {"scopes": "programmes:read programmes:write", "organisations": ["ENGLAND"]}


def with_falls(catalogue, **facts):
    falls = {**catalogue.measures["ch-falls"], **facts}
    return msgspec.structs.replace(catalogue, measures={**catalogue.measures, "ch-falls": falls})


def test_what_people_made_of_it_since_is_not_undone_by_a_catalogue_that_says_the_same_of_it(changing):
    target = changing.get("/v1/targets/stillbirths-2025")
    met = changing.ask("PUT", f"/v1/targets/{target['id']}", json=target | {"status": "met"}, **NATION)
    retired = changing.ask("POST", "/v1/measures/mn-stillbirth/retire", **NATION)
    assert (met.status_code, retired.status_code) == (200, 200)

    loaded = changing.load(with_falls(CATALOGUE, version="1.1.0"), now=LOADED + timedelta(1))

    assert loaded == Loaded(measures=1)
    assert changing.get(f"/v1/targets/{target['id']}")["status"] == "met"
    assert changing.get("/v1/measures/mn-stillbirth")["status"] == "retired"


def test_a_version_that_people_have_gone_beyond_does_not_come_back(changing):
    changing.load(with_falls(CATALOGUE, version="1.2.0"), now=LOADED + timedelta(1))
    assert changing.load(with_falls(CATALOGUE, version="1.1.0"), now=LOADED + timedelta(2)) == Loaded()
    assert changing.get("/v1/measures/ch-falls")["version"] == "1.2.0"


def test_what_was_published_cannot_be_altered_in_the_database_either(national):
    for table in ("measure", "feed"):
        with pytest.raises(Exception, match="was published and never changes"), national.database.session() as session:
            session.execute(text(f"update {table} set document = '{{}}'"))


@pytest.mark.parametrize("name", LISTS)
def test_somebody_unknown_is_told_nothing(national, name):
    assert national.send("GET", f"/v1/{name}").status_code == 401


@pytest.mark.parametrize("name", LISTS)
def test_reading_needs_the_scope(national, name):
    assert national.ask("GET", f"/v1/{name}", scopes="submissions:write").status_code == 403


@pytest.mark.parametrize("name", LISTS)
def test_an_unknown_id_is_a_404_problem(national, name):
    answer = national.ask("GET", f"/v1/{name}/no-such")
    assert (answer.status_code, answer.json()["type"]) == (404, f"/problems/unknown-{name[:-1]}")


@pytest.mark.parametrize("name", LISTS)
def test_the_list_holds_the_catalogue_whatever_the_size_of_a_page(national, name):
    ids = [item["id"] for item in whole_list(national, f"/v1/{name}?limit=7")]
    assert ids == sorted(getattr(CATALOGUE, name))


@pytest.mark.parametrize("path", ["programmes", "measures/ch-falls", "feeds/births", "feeds/births/template.xlsx"])
def test_what_one_has_already_is_not_sent_again(national, path):
    first = national.ask("GET", f"/v1/{path}")
    again = national.ask("GET", f"/v1/{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)


@pytest.mark.parametrize("document", ["schema", "table-schema", "template.csv", "template.xlsx", "guide"])
def test_a_document_about_a_feed_says_in_headers_what_it_stands_on(national, document):
    feed = national.ask("GET", "/v1/feeds/births").json()
    answer = national.ask("GET", f"/v1/feeds/births/{document}")
    assert answer.headers["X-Data-Version"] == str(feed["data_version"])
    assert datetime.fromisoformat(answer.headers["X-As-Of"]) == datetime.fromisoformat(feed["as_of"])


def test_a_programme_is_shown_with_all_that_belongs_to_it(national):
    shown = national.get("/v1/programmes/matneosip")
    assert "mn-stillbirth" in shown["measures"]
    assert "stillbirths-2025" in shown["targets"]
    assert {"aims", "drivers", "change_ideas", "settings", "principles"} <= set(shown)
    assert {one["id"] for one in shown["sets"]} == {"2021", "2023"}
    assert (shown["unverified"], shown["organisation"]) == (True, "ENGLAND")


def test_a_lapsed_ambition_says_so(national):
    assert national.get("/v1/targets/stillbirths-2025")["status"] == "missed"
    assert "stillbirths-2025" in {item["id"] for item in whole_list(national, "/v1/targets?status=missed")}


def test_a_measure_is_found_by_its_catalogue_code_however_it_is_written(national):
    assert national.get("/v1/measures/CH-Falls") == national.get("/v1/measures/ch-falls")


def test_measures_can_be_asked_for_by_programme_and_kind(national):
    items = whole_list(national, "/v1/measures?programme=matneosip&kind=outcome")
    assert items
    assert all((item["programme"], item["kind"]) == ("matneosip", "outcome") for item in items)


@pytest.mark.parametrize(
    ("asked", "named", "known"),
    [
        ("measures?kind=outcomes", "kind", "outcome"),
        ("measures?status=published", "status", "live"),
        ("programmes?status=open", "status", "active"),
        ("targets?status=open", "status", "missed"),
        ("organisations?kind=hospital", "kind", "trust"),
        ("organisations/ENGLAND/members?kind=hospital", "kind", "trust"),
    ],
)
def test_a_value_there_is_not_is_refused_with_those_there_are(national, asked, named, known):
    answer = national.ask("GET", f"/v1/{asked}")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["parameter"] == named
    assert f"'{known}'" in error["message"]


def test_before_the_catalogue_was_loaded_nothing_was_known(national):
    assert national.get("/v1/measures?known_at=2026-04-30T00:00:00Z")["items"] == []


@pytest.mark.parametrize("feed", sorted(CATALOGUE.feeds))
def test_a_feed_is_described_for_programs_spreadsheets_and_people(national, feed):
    shown = national.get(f"/v1/feeds/{feed}")
    names = [field["name"] for field in shown["fields"]]
    assert list(national.get(f"/v1/feeds/{feed}/schema")["properties"]) == names
    assert [field["name"] for field in national.get(f"/v1/feeds/{feed}/table-schema")["fields"]] == names
    assert national.ask("GET", shown["links"]["template.csv"]).text.strip().split(",") == names
    book = openpyxl.load_workbook(io.BytesIO(national.ask("GET", shown["links"]["template.xlsx"]).content))
    assert [cell.value for cell in book.worksheets[0][1]] == names
    guide = national.ask("GET", shown["links"]["guide"])
    assert guide.headers["Content-Type"].startswith("text/html")
    assert all(name in guide.text for name in names)


def test_the_list_of_feeds_leaves_out_what_is_long(national):
    assert "fields" not in national.get("/v1/feeds")["items"][0]


def test_thirty_six_icbs_are_left_of_forty_two(national):
    before = whole_list(national, "/v1/organisations?kind=icb&at=2026-03-31")
    after = whole_list(national, "/v1/organisations?kind=icb&at=2026-04-01")
    assert (len(before), len(after)) == (42, 36)
