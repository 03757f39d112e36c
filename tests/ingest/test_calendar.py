"""What is due, who has sent and who has not. Periods of the past are late or missing; the present month is due."""

import io
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from shared.principal import Supposed
from tests.ingest.builders import an_organisation, as_csv, some_births, some_counts
from tests.ingest.conftest import Ingest

NOW = f"{datetime.now(UTC):%Y-%m}"


@pytest.fixture
def told(ingest: Ingest) -> Ingest:
    """RGT sent two months and RGN the first of them only; CLOSED sent and then closed."""
    ingest.hear(an_organisation("RZZ", within=("QUE",)))
    ingest.send(as_csv(some_births(2, month="2025-01")), "births")
    ingest.send(as_csv(some_births(2, month="2025-02")), "births")
    ingest.send(as_csv(some_births(2, month="2025-01", organisation="RGN")), "births")
    ingest.send(b"", "births", nil="true", organisation="RZZ", period=NOW)
    return ingest


def test_the_calendar_says_what_came_late_and_what_is_missing(told: Ingest) -> None:
    items = told.get("/v1/calendar", feed="births", **{"from": "2025-01", "to": "2025-02"}).json()["items"]
    assert [(one["organisation"], one["period"], one["status"]) for one in items] == [
        ("RGN", "2025-01", "late"), ("RGN", "2025-02", "missing"),
        ("RGT", "2025-01", "late"), ("RGT", "2025-02", "late"),
    ]  # fmt: skip
    assert (items[0]["opens"], items[0]["due"], items[0]["final_due"]) == ("2025-02-01", "2025-02-28", "2025-03-31")
    assert items[0]["days_late"] > 300


def test_the_calendar_of_one_organisation_comes_in_pages(told: Ingest) -> None:
    asked = {"feed": "births", "organisation": "RGT", "from": "2025-01", "to": "2025-03", "limit": 2}
    first = told.get("/v1/calendar", **asked).json()
    rest = told.get("/v1/calendar", **asked, cursor=first["next_cursor"]).json()
    assert [one["period"] for one in first["items"] + rest["items"]] == ["2025-01", "2025-02", "2025-03"]
    assert rest["next_cursor"] is None


def test_completeness_says_who_has_and_who_has_not(told: Ingest) -> None:
    answer = told.get("/v1/completeness", feed="births", period="2025-02").json()
    assert answer["expected"] == 2
    assert answer["counts"] == {"due": 0, "received": 0, "late": 1, "missing": 1, "nil": 0, "exempt": 0}
    assert {one["organisation"]: one["status"] for one in answer["items"]} == {"RGN": "missing", "RGT": "late"}
    now = told.get("/v1/completeness", feed="births", period=NOW).json()
    assert {one["organisation"]: one["status"] for one in now["items"]} == {"RGN": "due", "RGT": "due", "RZZ": "nil"}


def test_completeness_within_an_organisation_is_of_its_members(told: Ingest) -> None:
    answer = told.get("/v1/completeness", feed="births", period="2025-02", within="QUE").json()
    assert [one["organisation"] for one in answer["items"]] == ["RGT"]


def test_who_sends_for_other_periods_is_not_expected_for_these(ingest: Ingest) -> None:
    for organisation, period in (("RGT", "2025-26"), ("RGN", "2026-Q1"), ("QUE", "2026-02")):
        ingest.send(as_csv([some_counts(organisation=organisation)[0] | {"period": period}]))
    asked = {"feed": "measure-counts"}
    months = ingest.get("/v1/calendar", **asked, **{"from": "2026-02", "to": "2026-03"}).json()["items"]
    assert [(one["organisation"], one["period"]) for one in months] == [("QUE", "2026-02"), ("QUE", "2026-03")]
    for period, organisation in (("2026-Q3", "RGN"), ("2026-27", "RGT")):
        items = ingest.get("/v1/completeness", **asked, period=period).json()["items"]
        assert [one["organisation"] for one in items] == [organisation]


def test_an_organisation_that_has_closed_is_exempt(told: Ingest) -> None:
    told.hear(an_organisation("RGN", closed=date(2025, 1, 31)))
    answer = told.get("/v1/completeness", feed="births", period="2025-02").json()
    assert (answer["expected"], answer["counts"]["exempt"]) == (1, 1)


def test_a_withdrawn_return_is_missing_again(told: Ingest) -> None:
    newest = told.get("/v1/submissions", feed="births").json()["items"]
    february = next(one for one in newest if one["returns"] and one["returns"][0]["period"] == "2025-02")
    told.client.delete(february["links"]["self"], headers=told.as_())
    answer = told.get("/v1/completeness", feed="births", period="2025-02").json()
    assert {one["organisation"]: one["status"] for one in answer["items"]} == {"RGN": "missing", "RGT": "missing"}


def test_a_caller_sees_the_calendar_of_its_own_organisations_only(told: Ingest) -> None:
    mine = told.as_("RGT", client="trust")
    answer = told.get("/v1/completeness", feed="births", period="2025-02", who=mine).json()
    assert [one["organisation"] for one in answer["items"]] == ["RGT"]
    assert told.get("/v1/calendar", organisation="RGN", who=mine).json()["items"] == []


def test_those_who_have_not_sent_are_listed_to_be_reminded(told: Ingest) -> None:
    items = told.get("/v1/reminders", feed="births", period="2025-02").json()["items"]
    assert [one["organisation"] for one in items] == ["RGN"]
    assert items[0]["sentence"] == "RGN NHS Trust: Births for 2025-02 was due on Monday 31 March 2025."


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        ("/v1/completeness", {"feed": "births", "period": "2025-W02"}, "period"),
        ("/v1/completeness", {"feed": "births", "period": "soon"}, "period"),
        ("/v1/completeness", {"feed": "nonsense", "period": "2025-02"}, "feed"),
        ("/v1/calendar", {"from": "yesterday"}, "from"),
        ("/v1/calendar", {"from": "1900"}, "from"),
        ("/v1/calendar", {"cursor": "x"}, "cursor"),
    ],
)
def test_a_question_that_makes_no_sense_names_its_parameter(
    ingest: Ingest, path: str, query: dict[str, str], parameter: str
) -> None:
    answer = ingest.get(path, **query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_a_caller_in_the_sandbox_is_answered_as_if_it_were_then(told: Ingest) -> None:
    then = told.as_("*", supposed=Supposed(clock=datetime(2025, 2, 10, 9, tzinfo=UTC)))

    items = told.get("/v1/calendar", who=then, feed="births", **{"from": "2025-01", "to": "2025-02"}).json()["items"]
    counts = told.get("/v1/completeness", who=then, feed="births", period="2025-02").json()["counts"]
    reminders = told.get("/v1/reminders", who=then, feed="births", period="2025-02").json()["items"]

    assert [one["status"] for one in items if (one["organisation"], one["period"]) == ("RGN", "2025-02")] == ["due"]
    assert (counts["due"], counts["missing"]) == (1, 0)
    assert reminders == []


PLACES: dict[str, dict[str, Any]] = {
    "/v1/returns": {"feed": "births", "organisation": "RGN"},
    "/v1/calendar": {"feed": "births", "organisation": "RGN", "from": "2025-01", "to": "2025-02"},
    "/v1/completeness": {"feed": "births", "period": "2025-02"},
    "/v1/reminders": {"feed": "births", "period": "2025-02"},
}


@pytest.mark.parametrize("path", PLACES)
def test_what_had_been_sent_by_an_instant_is_told_as_it_was_then(told: Ingest, path: str) -> None:
    then = datetime.now(UTC).isoformat()
    before = told.get(path, **PLACES[path], known_at=then).json()
    told.send(as_csv(some_births(2, month="2025-02", organisation="RGN")), "births")
    told.client.delete(newest(told, "2025-01", "RGN")["links"]["self"], headers=told.as_())
    assert told.get(path, **PLACES[path], known_at=then).json() == before
    assert told.get(path, **PLACES[path]).json()["items"] != before["items"]


@pytest.mark.parametrize("path", PLACES)
def test_an_answer_about_returns_says_what_it_stands_on(told: Ingest, path: str) -> None:
    before = told.get(path, **PLACES[path]).json()
    receipt = told.send(as_csv(some_births(3, month="2025-02", organisation="RGN")), "births").json()
    after = told.get(path, **PLACES[path]).json()
    assert after["data_version"] > before["data_version"]
    assert datetime.fromisoformat(after["as_of"]) == datetime.fromisoformat(receipt["received_at"])
    assert (after["known_at"], after["org_basis"]) == (None, "as_was")


@pytest.mark.parametrize("path", PLACES)
def test_a_list_of_returns_is_the_same_as_csv_and_as_parquet(told: Ingest, path: str) -> None:
    whole = told.get(path, **PLACES[path])
    as_csv = told.get(path, **PLACES[path], format="csv")
    accept = {**told.as_(), "Accept": "application/vnd.apache.parquet"}
    as_parquet = pl.read_parquet(io.BytesIO(told.client.get(path, params=PLACES[path], headers=accept).content))
    items = whole.json()["items"]
    assert items
    assert as_csv.text.splitlines()[0].split(",") == as_parquet.columns == list(items[0])
    assert as_parquet["organisation"].to_list() == [one["organisation"] for one in items]
    assert as_csv.headers["X-Data-Version"] == str(whole.json()["data_version"])


def test_a_table_without_rows_has_its_columns(told: Ingest) -> None:
    empty = told.get("/v1/returns", feed="births", organisation="RGN", period="2019-01", format="csv")
    assert empty.text.startswith("id,feed,organisation,period,version,")


def test_members_are_those_of_the_period_or_those_of_now(told: Ingest) -> None:
    told.hear(an_organisation("RGT", within=("QUE",), until=date(2026, 1, 1)))
    asked: dict[str, Any] = {"feed": "births", "period": "2025-02", "within": "QUE"}
    assert [one["organisation"] for one in told.get("/v1/completeness", **asked).json()["items"]] == ["RGT"]
    assert told.get("/v1/completeness", **asked, org_basis="as_is_now").json()["items"] == []


@pytest.mark.parametrize(
    ("path", "asked", "named"),
    [
        ("/v1/returns", {"feed": "birth"}, "feed"),
        ("/v1/returns", {"period": "2025-13"}, "period"),
        ("/v1/submissions", {"feed": "birth"}, "feed"),
        ("/v1/quarantine", {"feed": "birth"}, "feed"),
        ("/v1/completeness", {"feed": "births", "period": "2025-02", "org_basis": "then"}, "org_basis"),
    ],
)
def test_a_name_there_is_not_is_refused(told: Ingest, path: str, asked: dict[str, Any], named: str) -> None:
    answer = told.get(path, **asked)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == named


def newest(told: Ingest, period: str, organisation: str) -> Any:
    """The receipt of the newest submission for a return."""
    found = told.get("/v1/submissions", feed="births").json()["items"]
    return next(
        one
        for one in found
        for each in one["returns"]
        if (each["period"], each["organisation"]) == (period, organisation)
    )
