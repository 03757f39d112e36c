"""What is written in these tests, and what may be said of the answers."""

A_HOME = {
    "code": "VM001",
    "name": "The Larches",
    "kind": "care_home",
    "identifiers": {"cqc": "1-1000000001"},
    "edges": [{"parent": "T6Y0W", "hierarchy": "icb", "start": "2026-04-01"}],
}
A_PROGRAMME = {
    "id": "falls-east",
    "name": "Fewer falls in the east",
    "aims": [{"id": "fewer", "text": "A quarter fewer falls by March 2028"}],
    "drivers": [{"id": "huddles", "name": "Safety huddles", "aims": ["fewer"]}],
    "change_ideas": [{"id": "daily-huddle", "name": "A huddle a day", "drivers": ["huddles"]}],
}
A_MEASURE = {
    "id": "east-falls",
    "name": "Falls per 1,000 resident days",
    "programme": "falls-east",
    "kind": "outcome",
    "numerator": {"feed": "care-home-weekly", "value": {"sum": "falls"}},
    "denominator": {"feed": "care-home-weekly", "value": {"sum": "resident_days"}},
    "multiplier": 1000,
    "unit": "per 1,000 resident days",
    "period": "week",
    "improvement": "decrease",
    "chart": "u",
    "examples": [
        {"rows": [{"falls": 3, "resident_days": 350}], "expect": {"numerator": 3, "denominator": 350}},
    ],
}
A_TARGET = {
    "id": "falls-east-2028",
    "name": "A quarter fewer falls by March 2028",
    "programme": "falls-east",
    "measure": "ch-falls",
    "kind": "relative_change",
    "baseline": {"value": 6.0, "period": "2025-26"},
    "value": -25,
    "due": "2028-03-31",
    "direction": "decrease",
    "scope": "EAST",
}
AN_ENROLMENT = {"organisation": "RGT", "programme": "matneosip", "stage": "engaged", "since": "2026-01-05"}
AN_ANNOTATION = {
    "kind": "change_idea",
    "organisation": "RGT",
    "measure": "mn-stillbirth",
    "on": "2026-02-01",
    "text": "PERIPrem began",
}
A_STEP = AN_ANNOTATION | {
    "kind": "step_change",
    "text": "Fewer since February",
    "evidence": "nine points below the mean",
}


def good(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def refused(answer, status, slug):
    assert (answer.status_code, answer.json().get("type")) == (status, f"/problems/{slug}"), answer.text
    return answer.json()
