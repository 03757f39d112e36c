"""What cannot be charted is refused by name and place."""

import msgspec
import pytest

from services.measures.rules.spc import InvalidSeries, Ruleset, Series, evaluate, pointer, read

GOOD = {"id": "a", "labels": ["1", "2", "3"], "values": [1, 2, 3]}
RATES = {"chart": "p", "denominators": [10, 10, 10]}
CONTRADICTIONS = [
    ({"values": [1, 2]}, "values", None),
    ({"denominators": [1, 2]}, "denominators", None),
    ({"chart": "pie"}, "chart", None),
    ({"chart": "u"}, "denominators", None),
    ({"chart": "c", "denominators": [1, 1, 1]}, "denominators", None),
    ({**RATES, "denominators": [10, -1, 10]}, "denominators", 1),
    ({**RATES, "values": [1, 2, 11]}, "values", 2),
    ({**RATES, "chart": "u", "denominators": [5, 0, 5]}, "values", 1),
    ({"chart": "c", "values": [1, -2, 3]}, "values", 1),
    ({"chart": "t", "values": [1, 2, 0]}, "values", 2),
    ({"values": [1, float("nan"), 3]}, "values", 1),
    ({"values": [1, None, float("inf")]}, "values", 2),
    ({"values": [1, [2], 3]}, "values", 1),
    ({"chart": "xbar", "values": [[1, 2], [3, 4], 5]}, "values", 2),
    ({"chart": "s", "values": [[1, 2], [3, float("nan")], None]}, "values", 1),
    ({"denominators": [1, 1, float("inf")]}, "denominators", 2),
    ({"rebase": [1, 3]}, "rebase", 1),
    ({"rebase": [-1]}, "rebase", 0),
    ({"exclude": [0, 7]}, "exclude", 1),
    ({"fix_after": 11}, "fix_after", None),
    ({"chart": "i", "fix_after": 0}, "fix_after", None),
    ({"target": float("nan")}, "target", None),
    ({"multiplier": 0}, "multiplier", None),
    ({"centre": float("inf")}, "centre", None),
    ({**RATES, "centre": 1.5}, "centre", None),
    ({"improvement": "up"}, "improvement", None),
    ({"labels": ["1", "2", "1"]}, "labels", 2),
]


@pytest.mark.parametrize(("change", "field", "index"), CONTRADICTIONS)
def test_a_series_that_contradicts_itself_is_refused_with_its_place(change, field, index):
    """Given a good series and one at fault, when charted, then the refusal names the second, field and index."""
    with pytest.raises(InvalidSeries) as refusal:
        evaluate([Series(**GOOD), Series(**{**GOOD, "id": "b", **change})])
    fault = refusal.value
    assert (fault.series, fault.id, fault.field, fault.index) == (1, "b", field, index)
    assert fault.pointer == "/series/1/" + field + ("" if index is None else f"/{index}")
    assert "series 'b'" in str(fault)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"series": [{"labels": ["1"], "values": [1], "target": "five"}]}', "/series/0/target"),
        (b'{"series": [{"labels": ["1"], "values": ["x"]}]}', "/series/0/values/0"),
        (b'{"series": [{"labels": ["1"], "values": [[1, "x"]]}]}', "/series/0/values/0"),
        (b'{"series": [{"labels": [], "values": []}, {"labels": ["1"]}]}', "/series/1"),
        (b'{"series": [{"labels": [], "values": [], "goal": 3}]}', "/series/0/goal"),
        (b'{"series": [{"labels": ["1", "2"], "values": [1, NaN]}]}', "/series/0/values/1"),
        (b'{"series": [{"labels": [], "values": []}, {"target": -Infinity}]}', "/series/1/target"),
        (b'{"series": [{"chart": "s", "labels": ["1"], "values": [[1, Infinity]]}]}', "/series/0/values/0"),
    ],
)
def test_a_body_of_the_wrong_types_is_refused_with_its_place(body, pointer):
    """Given a request with a wrong type in one place, when it is read, then the refusal points there."""
    with pytest.raises(InvalidSeries) as refusal:
        read(body)
    assert refusal.value.pointer == pointer


@pytest.mark.parametrize("body", [b"{", b"[NaN]", b'{"series": NaN}', b'{"series": [NaN]}', b"[" * 100_000, b"\xff"])
def test_what_is_no_json_anywhere_is_refused_as_that(body):
    """Given a body that is not JSON, outside any series, when it is read, then the fault is of the request."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        read(body)


def test_a_body_that_is_no_request_is_not_blamed_on_a_series():
    """Given a body without series, when it is read, then the fault is of the request."""
    with pytest.raises(msgspec.ValidationError, match="series"):
        read(b"{}")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"series": 1}', "/series"),
        (b'{"series": [], "ruleset": 1}', "/ruleset"),
        (b'{"series": [], "ruleset": {"runs": 1}}', "/ruleset/runs"),
        (b'{"series": [], "ruleset": {"trend_points": 2}}', "/ruleset"),
        (b"{", ""),
    ],
)
def test_a_fault_outside_the_series_has_its_place_too(body, place):
    """Given a request with a fault that is in no series, when it is read, then there is a pointer to it."""
    with pytest.raises(msgspec.DecodeError) as refusal:
        read(body)
    assert pointer(refusal.value) == place


def test_a_request_is_read_with_its_ruleset():
    """Given a request with nulls for what it leaves open, when it is read, then series and ruleset are there."""
    body = b'{"series": [{"id": "a", "labels": ["1"], "values": [1], "rebase": null}], "ruleset": {"shift_points": 6}}'
    request = read(body)
    assert request.series[0].values == [1.0]
    assert request.ruleset == Ruleset(shift_points=6)


def test_a_trend_of_two_points_is_no_rule():
    """Given a ruleset with windows below three, when it is made, then it is refused."""
    with pytest.raises(ValueError, match="3 points"):
        Ruleset(trend_points=2)


@pytest.mark.parametrize(
    ("body", "place", "taken"),
    [
        (
            b'{"series": [{"id": "a", "chart": "run", "labels": [], "values": [], "targt": 1}]}',
            "/series/0/targt",
            "target",
        ),
        (b'{"series": [], "rules": {}}', "`rules`", "series, ruleset"),
        (b'{"series": [], "ruleset": {"trend": 6}}', "`trend`", "trend_points"),
    ],
)
def test_a_field_there_is_not_is_named_with_those_there_are(body: bytes, place: str, taken: str) -> None:
    with pytest.raises((InvalidSeries, msgspec.ValidationError)) as wrong:
        read(body)

    assert place in str(wrong.value)
    assert taken in str(wrong.value).partition("this takes: ")[2]
