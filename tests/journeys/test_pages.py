"""Pages in one answer, on the whole platform."""

from tests.journeys.journey import Journey

STATUSES = {"trust": "ok", "front_end": "forbidden"}


def test_a_page_has_every_part_that_its_reader_may_read(journey: Journey) -> None:
    for role, returns in STATUSES.items():
        page = journey.http(role).get("/v1/pages/organisations/RXK", params={"strict": "true"})

        assert page.status_code == 200, page.text
        statuses = {name: part["status"] for name, part in page.json()["parts"].items()}
        assert statuses.pop("returns") == returns
        assert set(statuses.values()) == {"ok"}
        assert page.json()["parts"]["organisation"]["data"]["code"] == "RXK"
        assert page.json()["parts"]["matrix"]["age"] is None or page.json()["parts"]["matrix"]["age"] >= 0


def test_the_page_of_a_programme_has_what_its_leads_ask_for(journey: Journey) -> None:
    page = journey.as_("front_end").get("/v1/pages/programmes/matneosip", strict="true")

    parts = {name: part["data"] for name, part in page["parts"].items()}
    assert parts["programme"]["id"] == "matneosip"
    assert {one["programme"] for one in parts["measures"]["items"]} == {"matneosip"}
    assert parts["driver_diagram"]


def test_a_page_of_what_is_not_there_is_not_there(journey: Journey) -> None:
    answers = [
        journey.http("front_end").get(f"/v1/pages/{address}")
        for address in ("organisations/NOWHERE", "programmes/nothing")
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert [answer.json()["type"] for answer in answers] == [
        "/problems/unknown-organisation",
        "/problems/unknown-programme",
    ]
