"""Examples worked out by hand, and the same by the compiler that computes figures."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.measures.rules.conditions import condition
from services.measures.rules.definitions import run_examples
from services.measures.rules.feeds import Feed
from services.measures.rules.rows import JSON, frame_of
from services.programmes.rules.catalogue import load
from services.programmes.rules.conditions import fields_of
from services.programmes.rules.examples import held, meets, problems

CATALOGUE = load()
FEED = {
    "id": "visits",
    "period": "month",
    "field": [
        {"name": "n", "type": "integer"},
        {"name": "m", "type": "decimal"},
        {"name": "word", "type": "text"},
        {"name": "done", "type": "boolean"},
        {"name": "day", "type": "date"},
        {"name": "at", "type": "datetime"},
        {"name": "later", "type": "datetime"},
    ],
}
FIELDS = fields_of(FEED)
READ = Feed.of(FEED)
DAYS = ("2026-03-28", "2026-03-29", "2026-03-30")
MOMENTS = tuple(f"{day}T{hour}" for day in DAYS for hour in ("00:00:00", "01:30:00", "12:00:00"))
ZONED = (*MOMENTS, "2026-03-29T12:00:00+01:00", "2026-03-29T23:30:00Z")
VALUES = {
    "n": st.integers(-2, 2),
    "m": st.sampled_from([-1.5, 0.0, 0.5, 2.0]),
    "word": st.sampled_from(["a", "b", "", " "]),
    "done": st.booleans(),
    "day": st.sampled_from(DAYS),
    "at": st.sampled_from(ZONED),
    "later": st.sampled_from(ZONED),
}
ROWS = st.lists(st.fixed_dictionaries({}, optional={name: st.none() | one for name, one in VALUES.items()}), max_size=5)
LITERALS = {
    "n": st.integers(-2, 2),
    "m": st.sampled_from([-1.5, 0.0, 0.5, 2.0]),
    "day": st.sampled_from(DAYS),
    "at": st.sampled_from((*DAYS, *MOMENTS)),
}


@st.composite
def comparisons(draw):
    """Any comparison that a definition may make."""
    name = draw(st.sampled_from([*LITERALS, "word", "done", "later"]))
    if name in ("word", "done", "later"):
        literal = {"word": st.sampled_from(["a", "b"]), "done": st.booleans(), "later": st.sampled_from(MOMENTS)}[name]
        operators = {"equals": literal, "in": st.lists(literal, min_size=1, max_size=2), "is": st.just("blank")}
        operators["not_in"] = operators["in"]
    else:
        literal = LITERALS[name]
        pairs = st.tuples(literal, literal).filter(
            lambda pair: not isinstance(pair[0], str) or len(pair[0]) == len(pair[1])
        )
        order = literal | st.sampled_from({"n": ["m"], "m": ["n"], "day": ["at"], "at": ["later", "day"]}[name])
        operators = {
            "equals": literal,
            "in": st.lists(literal, min_size=1, max_size=2),
            "not_in": st.lists(literal, min_size=1, max_size=2),
            "between": pairs.map(sorted).map(list),
            **dict.fromkeys(("at_least", "at_most", "above", "below"), order),
            "is": st.sampled_from(["present", "blank"]),
        }
        if name in ("day", "at"):
            operators["before"] = st.just("later")
            operators["within"] = st.builds(
                lambda hours: {"field": "later", "hours": hours}, st.sampled_from([0, 12, 48])
            )
    asked = draw(st.sampled_from(sorted(operators)))
    return {"field": name, asked: draw(operators[asked])}


CONDITIONS = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=4,
)


@settings(max_examples=300)
@given(CONDITIONS, ROWS)
def test_a_condition_means_the_same_row_by_row_as_it_does_compiled(where, rows):
    frame = frame_of([(JSON, msgspec.json.encode(rows))], READ)
    compiled = frame.select(condition(where, READ).alias("met"))["met"].to_list() if rows else []

    by_hand = [meets(where, {name: held(FIELDS[name], value) for name, value in row.items()}, FIELDS) for row in rows]

    assert by_hand == compiled[: len(rows)]


@pytest.mark.parametrize("measure", sorted(CATALOGUE.measures))
def test_every_definition_of_the_catalogue_has_examples_that_hold_by_either_way(measure):
    definition = CATALOGUE.measures[measure]
    assert problems(definition, CATALOGUE.feeds) == []
    assert run_examples(definition, CATALOGUE.feeds) == []


def test_figures_counted_elsewhere_need_no_example():
    counted = next(one for one in CATALOGUE.measures.values() if one["numerator"]["feed"] == "measure-counts")
    assert problems({**counted, "examples": []}, CATALOGUE.feeds) == []
