"""Measure definitions, compiled once and applied to any number of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, cast, get_args

import msgspec
import polars as pl

from services.measures.rules.conditions import condition
from services.measures.rules.feeds import COUNTED, Feed, InvalidDefinition
from services.measures.rules.quality import Gate, gates
from services.measures.rules.rows import JSON, UnreadableRows, frame_of
from services.measures.rules.strata import STRATA, stratum
from shared.contracts.periods import GRAINS, Grain
from shared.contracts.windows import Window

ValueKind = Literal["count", "sum", "distinct", "dates"]
Improvement = Literal["increase", "decrease", "neutral"]

CHARTS = ("auto", "run", "xmr", "i", "mr", "ip", "p", "pp", "u", "up", "c", "g", "t", "xbar", "s")
"""Kinds of chart a definition may ask for; `auto` lets the figures decide."""

_OF_THE_RETURN = ("reporting_period_start", "reporting_period_end")
"""Period columns that date the return; the others date the event."""

MOST_TOGETHER = 24
"""The most periods that a rolling figure may be of."""

_FINENESS: Mapping[str, int] = {"day": 0, "week": 1, "month": 2, "quarter": 3, "year": 4, "financial_year": 4}


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """A numerator or a denominator: which rows of which feed count, and what is taken of them.

    `rows` is true for the rows that count. `strata` gives each stratum's value. `day` is the date of a row, null when
    the period of the figure is the period of the return. `counted` marks figures that arrive ready counted.
    """

    feed: str
    rows: pl.Expr
    kind: ValueKind
    field: str | None
    strata: Mapping[str, pl.Expr]
    day: pl.Expr | None
    counted: bool


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A measure's definition (API.md) compiled against its feeds; `source` is the definition as it was written.

    `window` says when returns are due; `rolling` of how many periods together each figure is, mostly 1.
    """

    measure: str
    version: str
    name: str
    numerator: Half
    denominator: Half | None
    strata: tuple[str, ...]
    multiplier: float
    unit: str
    period: Grain
    chart: str
    improvement: Improvement
    minimum_denominator: float
    disclosure: str | None
    gates: tuple[Gate, ...]
    window: Window
    rolling: int
    source: Mapping[str, Any]

    @classmethod
    def compile(cls, definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> Self:
        """The definition, ready to be applied. `feeds` holds the specification of each feed by id.

        Raises InvalidDefinition, which names the place, for anything that could not be computed.
        """
        grain = _one_of(definition, "period", GRAINS, "month")
        strata = tuple(definition.get("strata", ()))
        denominator = definition.get("denominator")
        return cls(
            measure=_required(definition, "id"),
            version=str(definition.get("version", "")),
            name=str(definition.get("name", definition["id"])),
            numerator=_half(definition, "numerator", feeds, strata, grain),
            denominator=None if denominator is None else _half(definition, "denominator", feeds, strata, grain),
            strata=strata,
            multiplier=_number(definition, "multiplier", 1.0),
            unit=str(definition.get("unit", "")),
            period=cast("Grain", grain),
            chart=_one_of(definition, "chart", CHARTS, "auto"),
            improvement=cast("Improvement", _one_of(definition, "improvement", get_args(Improvement), "neutral")),
            minimum_denominator=_number(definition, "minimum_denominator", 0.0),
            disclosure=definition.get("disclosure"),
            gates=_gates(definition, feeds),
            window=Window.from_spec(feeds[definition["numerator"]["feed"]]),
            rolling=_rolling(definition),
            source=definition,
        )

    def columns(self, feed: str) -> frozenset[str]:
        """The columns of a feed that the figures depend on."""
        used: set[str] = set()
        for half in self.halves:
            if half.feed == feed:
                expressions = [half.rows, *half.strata.values(), *([] if half.day is None else [half.day])]
                used.update(name for one in expressions for name in one.meta.root_names())
                used.update([half.field] if half.field is not None else [])
        for gate in self.gates:
            if gate.feed == feed:
                used.update(gate.columns)
        return frozenset(used)

    @property
    def halves(self) -> tuple[Half, ...]:
        """The numerator and, unless the measure is a plain count, the denominator."""
        return (self.numerator,) if self.denominator is None else (self.numerator, self.denominator)

    @property
    def proportion(self) -> bool:
        """Whether the events are among the cases, so that no more than all of them can be."""
        return self.denominator is not None and (self.unit in ("percent", "proportion") or self.chart in ("p", "pp"))

    @property
    def feeds(self) -> tuple[str, ...]:
        """The feeds whose returns move this measure, in the order numerator, denominator, counted figures."""
        return tuple(dict.fromkeys([*(half.feed for half in self.halves), COUNTED]))


def run_examples(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong with the definition's executable examples: empty when each gives its expected figures.

    An example's `rows` is a list of rows, or one list for each feed by id where the measure uses two.
    Raises InvalidDefinition as `Definition.compile` does.
    """
    compiled = Definition.compile(definition, feeds)
    failures: list[str] = []
    for number, example in enumerate(definition.get("examples", ())):
        failures += (f"example {number + 1}: {failure}" for failure in _failures(compiled, example, feeds))
    return failures


def _failures(definition: Definition, example: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> list[str]:
    used = tuple(dict.fromkeys(half.feed for half in definition.halves))
    rows = example["rows"] if isinstance(example["rows"], Mapping) else {used[0]: example["rows"]}
    if not isinstance(example["rows"], Mapping) and len(used) > 1:
        return [f"rows must say which feed they are of: {', '.join(used)}"]
    frames = {}
    for feed in used:
        unknown = {name for row in rows.get(feed, ()) for name in row} - set(Feed.of(feeds[feed]).fields)
        if unknown:
            return [f"the feed {feed} has no field {', '.join(sorted(unknown))}"]
        try:
            frames[feed] = frame_of([(JSON, msgspec.json.encode(rows.get(feed, [])))], Feed.of(feeds[feed]))
        except UnreadableRows as reason:
            return [str(reason)]
    expected = example["expect"]
    found = {"numerator": _value(definition.numerator, frames)}
    if definition.denominator is not None:
        found["denominator"] = _value(definition.denominator, frames)
    return [
        f"expected {part} {expected[part]}, found {value:g}"
        for part, value in found.items()
        if part in expected and (expected[part] is None or float(expected[part]) != value)
    ]


def _value(half: Half, frames: Mapping[str, pl.DataFrame]) -> float:
    rows = frames[half.feed].filter(half.rows)
    if half.kind == "count" or half.field is None:
        return float(rows.height)
    column = rows[half.field].drop_nulls()
    return float({"sum": column.sum, "distinct": column.n_unique, "dates": column.len}[half.kind]())


def _half(
    definition: Mapping[str, Any], name: str, feeds: Mapping[str, Mapping[str, Any]], strata: Sequence[str], grain: str
) -> Half:
    pointer = f"/{name}"
    part = definition.get(name)
    if not isinstance(part, Mapping):
        raise InvalidDefinition(pointer, "give the feed, the rows that count (where) and the value")
    if part.get("feed") not in feeds:
        raise InvalidDefinition(f"{pointer}/feed", f"{part.get('feed')!r} is not a published feed")
    feed = Feed.of(feeds[part["feed"]])
    kind, field = _kind(part.get("value", "count"), feed, f"{pointer}/value")
    counted = feed.id == COUNTED
    if counted and (kind != "sum" or field != name or part.get("where") != _is_measure(definition["id"])):
        raise InvalidDefinition(pointer, f"counted figures are the sum of {name} where measure equals the measure's id")
    derived = {} if counted else {one: stratum(one, feed, f"/strata/{i}") for i, one in enumerate(strata)}
    for number, one in enumerate(strata):
        if one not in STRATA:
            raise InvalidDefinition(f"/strata/{number}", f"{one!r} is none of the strata {', '.join(STRATA)}")
    rows = condition(part.get("where"), feed, f"{pointer}/where")
    return Half(feed.id, rows, kind, field, derived, None if counted else _day(feed, grain), counted)


def _gates(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> tuple[Gate, ...]:
    found = gates(definition, feeds)
    read = {part["feed"] for name in ("numerator", "denominator") if (part := definition.get(name))}
    for number, gate in enumerate(found):
        if gate.feed not in read:
            raise InvalidDefinition(f"/quality/{number}/feed", f"the measure reads no rows of {gate.feed}")
    return found


def _rolling(definition: Mapping[str, Any]) -> int:
    """Of how many periods together each figure is."""
    length = definition.get("rolling", 1)
    if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= MOST_TOGETHER:
        raise InvalidDefinition("/rolling", f"give a whole number of periods from 1 to {MOST_TOGETHER}")
    for name in ("numerator", "denominator"):
        value = (definition.get(name) or {}).get("value", "count")
        if length > 1 and value != "count" and "sum" not in value:
            raise InvalidDefinition(f"/{name}/value", "rolling figures add up periods: count, or sum a field")
    return length


def _is_measure(measure: str) -> dict[str, str]:
    return {"field": "measure", "equals": measure}


def _kind(value: Any, feed: Feed, pointer: str) -> tuple[ValueKind, str | None]:
    if value == "count":
        return "count", None
    if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in ("sum", "distinct", "dates"):
        raise InvalidDefinition(pointer, 'a value is "count", {"sum": f}, {"distinct": f} or {"dates": f}')
    ((kind, name),) = value.items()
    field = feed.field(name, f"{pointer}/{kind}")
    needed = {"sum": "number", "dates": "time"}.get(kind, field.family)
    if field.family != needed:
        raise InvalidDefinition(f"{pointer}/{kind}", f"{name} is {field.type}; this value needs a {needed} field")
    return cast("ValueKind", kind), name


def _day(feed: Feed, grain: str) -> pl.Expr | None:
    """The date that puts a row into a period of `grain`; None when the return's own period does.

    A coarser grain than the feed's takes the first of its period columns that is filled, which stands for the
    return; a finer one prefers those that date the event.
    """
    if feed.period in (grain, "any"):
        return None
    finer = _FINENESS[grain] < _FINENESS[feed.period]
    if not feed.dates:
        if finer:
            raise InvalidDefinition("/period", f"a return of {feed.id} is a {feed.period}: no {grain} is in it")
        return None
    columns = sorted(feed.dates, key=lambda name: name in _OF_THE_RETURN) if finer else feed.dates
    return pl.coalesce([pl.col(name).cast(pl.Date) for name in columns])


def _required(definition: Mapping[str, Any], name: str) -> str:
    value = definition.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidDefinition(f"/{name}", "is needed")
    return value


def _number(definition: Mapping[str, Any], name: str, default: float) -> float:
    value = definition.get(name, default)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise InvalidDefinition(f"/{name}", f"{value!r} is not a number of 0 or more")
    return float(value)


def _one_of(definition: Mapping[str, Any], name: str, allowed: Sequence[str], default: str) -> str:
    value = definition.get(name, default)
    if value not in allowed:
        raise InvalidDefinition(f"/{name}", f"{value!r} is not one of {', '.join(allowed)}")
    return str(value)
