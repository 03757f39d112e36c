"""What a caller may not see is answered as if it were not there: word for word, whatever is asked of it."""

from collections.abc import Mapping

import httpx
import pytest

from tests.ingest.builders import as_csv
from tests.journeys.journey import Journey

OUTSIDER = "outsider"
SCOPES = ("clients:read", "clients:write", "webhooks:read", "webhooks:write", "programmes:write", "measures:read")
NOWHERE = "01a00000-0000-7000-8000-000000000000"
DRAFT = {
    "id": "hidden-arrests",
    "name": "Arrests",
    "programme": "mandetsip",
    "kind": "outcome",
    "numerator": {
        "feed": "measure-counts",
        "where": {"field": "measure", "equals": "hidden-arrests"},
        "value": {"sum": "numerator"},
    },
    "denominator": None,
    "multiplier": 1,
    "unit": "count",
    "period": "month",
    "improvement": "decrease",
    "chart": "c",
    "minimum_denominator": 1,
    "disclosure": "small-numbers",
}
ASKED: tuple[tuple[str, str, str], ...] = (
    ("submission", "GET", "/v1/submissions/{}"),
    ("submission", "GET", "/v1/submissions/{}/faults"),
    ("submission", "GET", "/v1/submissions/{}/annotated"),
    ("submission", "GET", "/v1/submissions/{}/rejected"),
    ("submission", "GET", "/v1/submissions/{}/original"),
    ("submission", "GET", "/v1/submissions/{}/verify"),
    ("submission", "DELETE", "/v1/submissions/{}"),
    ("submission", "GET", "/v1/quarantine/{}/3"),
    ("submission", "GET", "/v1/quarantine/{}/2"),
    ("submission", "POST", "/v1/quarantine/{}/3/replay"),
    ("submission", "POST", "/v1/quarantine/{}/3/waive"),
    ("submission", "PATCH", "/v1/quarantine/{}/3"),
    ("webhook", "GET", "/v1/webhooks/{}"),
    ("webhook", "GET", "/v1/webhooks/{}/deliveries"),
    ("webhook", "PATCH", "/v1/webhooks/{}"),
    ("webhook", "DELETE", "/v1/webhooks/{}"),
    ("webhook", "POST", "/v1/webhooks/{}/test"),
    ("webhook", "POST", "/v1/webhooks/{}/rotate"),
    ("webhook", "POST", "/v1/webhooks/{}/replay"),
    ("client", "GET", "/v1/clients/{}"),
    ("client", "POST", "/v1/clients/{}/revoke"),
    ("client", "POST", "/v1/clients/{}/rotate"),
    ("draft", "GET", "/v1/measures/{}/draft"),
    ("draft", "DELETE", "/v1/measures/{}/draft"),
    ("draft", "POST", "/v1/measures/{}/publish"),
    ("draft", "POST", "/v1/measures/{}/preview"),
    ("draft", "POST", "/v1/measures/{}/retire"),
    ("draft", "GET", "/v1/measures/{}"),
    ("draft", "GET", "/v1/measures/{}/versions"),
    ("draft", "GET", "/v1/series?measure={}&organisation=RGT"),
    ("draft", "GET", "/v1/charts/{}/RGT"),
    ("draft", "GET", "/v1/explain?measure={}&organisation=RGT&period=2025-07"),
    ("draft", "GET", "/v1/exports/{}"),
    ("organisation", "GET", "/v1/returns?organisation={}"),
    ("organisation", "GET", "/v1/calendar?feed=births&organisation={}&from=2025-07&to=2025-08"),
    ("organisation", "GET", "/v1/completeness?feed=measure-counts&period=2025-07&within={}"),
    ("organisation", "GET", "/v1/quarantine?organisation={}"),
)
BODIES: Mapping[str, object] = {
    "/waive": {"reason": "Counted twice by mistake."},
    "/3": {"numerator": 14},
    "/v1/webhooks/{}": {"enabled": False},
    "/replay": {"after": "1"},
}
NOT_THERE = {
    "submission": NOWHERE,
    "webhook": NOWHERE,
    "client": "nobody-at-all",
    "draft": "nothing-at-all",
    "organisation": "RZ9",
}


@pytest.fixture(scope="module")
def there(journey: Journey) -> Mapping[str, str]:
    """One of each thing that the outsider, a trust, may not see; by its name."""
    journey.introduce(OUTSIDER, "RGT", like="trust", also=SCOPES)
    good, bad = ({"organisation": "RM1", "period": "2025-07", "measure": "md-arrest", "numerator": n, "denominator": 9}
                 for n in (1, "many"))  # fmt: skip
    receipt = journey.as_("supplier").submit(as_csv([good, bad]), feed="measure-counts")
    national = journey.as_("national")
    national.post("/v1/measures", DRAFT)
    national.post("/v1/clients", {"client_id": "hidden-client", "name": "A", "scopes": ["audit:read"]})
    webhook = national.post("/v1/webhooks", {"url": "https://93.184.215.14/"})
    journey.settle()
    return {
        "submission": receipt.id,
        "webhook": webhook["id"],
        "client": "hidden-client",
        "draft": DRAFT["id"],
        "organisation": "RM1",
    }


def asked(journey: Journey, method: str, path: str, name: str) -> httpx.Response:
    ending = next((end for end in BODIES if path.endswith(end)), None)
    body = BODIES[ending] if ending and method in ("POST", "PATCH") else None
    return journey.http(OUTSIDER).request(method, path.format(name), json=body)


def told(answer: httpx.Response, name: str) -> tuple[int, str, list[str]]:
    """All that an answer tells, but for the name that was asked and what is new in every answer."""
    body = answer.text.replace(name, "{}").replace(answer.headers["X-Request-ID"], "")
    return answer.status_code, body, sorted(set(answer.headers) - {"date", "etag"})


@pytest.mark.parametrize(("what", "method", "path"), ASKED)
def test_what_is_there_and_may_not_be_seen_is_answered_as_what_is_not_there(
    journey: Journey, there: Mapping[str, str], what: str, method: str, path: str
) -> None:
    hidden = told(asked(journey, method, path, there[what]), there[what])
    absent = told(asked(journey, method, path, NOT_THERE[what]), NOT_THERE[what])

    assert hidden == absent
    assert hidden[0] in (200, 404)
    assert (hidden[0] == 404) != (what == "organisation")
