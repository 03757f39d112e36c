"""A chart resource as a Vega-Lite specification: the same colours, shapes and lines as the drawn image."""

from collections.abc import Mapping
from typing import Any

from services.measures.rules.drawing import COLOURS, INK, LINE, RED, SHAPES

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def vega_lite(chart: Mapping[str, Any]) -> dict[str, Any]:
    """The specification, data included; nothing in it is fetched or worked out."""
    layers = [
        *(_rule(line) for line in ("centre", "lower", "upper")),
        *([] if chart["target"] is None else [_target(chart["target"])]),
        *([] if not chart["annotations"] else [_annotations(chart)]),
        _values(),
        _markers(),
    ]
    return {
        "$schema": SCHEMA,
        "title": {"text": f"{chart['name']}: {chart['organisation_name']}", "subtitle": chart["summary"]},
        "description": chart["alt_text"],
        "width": 800,
        "height": 360,
        "data": {"values": [{**point, "order": number} for number, point in enumerate(chart["points"])]},
        "encoding": {
            "x": {
                "field": "label",
                "type": "ordinal",
                "sort": {"field": "order"},
                "title": chart["axes"]["x"]["title"],
            },
            "y": {
                "type": "quantitative",
                "title": chart["axes"]["y"]["title"],
                "scale": {"domain": chart["axes"]["y"]["domain"], "zero": False},
            },
        },
        "layer": layers,
    }


def _y(field: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative"}


def _rule(line: str) -> dict[str, Any]:
    dashed = {} if line == "centre" else {"strokeDash": [6, 4]}
    mark = {
        "type": "line",
        "interpolate": "step",
        "color": INK,
        "strokeWidth": 1.2,
        "invalid": "break-paths-show-domains",
    }
    return {"mark": {**mark, **dashed}, "encoding": {"y": _y(line), "detail": {"field": "segment"}}}


def _target(target: Mapping[str, Any]) -> dict[str, Any]:
    mark = {"type": "rule", "color": RED, "strokeDash": [3, 3], "strokeWidth": 1.6}
    return {"mark": mark, "encoding": {"x": None, "y": {"datum": target["value"], "type": "quantitative"}}}


def _annotations(chart: Mapping[str, Any]) -> dict[str, Any]:
    labels = [point["label"] for point in chart["points"]]
    values = [{"label": labels[note["point"]], "text": note["text"]} for note in chart["annotations"]]
    encoding = {"y": None, "tooltip": {"field": "text"}}
    return {
        "data": {"values": values},
        "mark": {"type": "rule", "color": INK, "strokeDash": [1, 4]},
        "encoding": encoding,
    }


def _values() -> dict[str, Any]:
    return {
        "mark": {"type": "line", "color": LINE, "invalid": "break-paths-show-domains"},
        "encoding": {"y": _y("value"), "detail": {"field": "segment"}},
    }


def _markers() -> dict[str, Any]:
    signals = list(COLOURS)
    return {
        "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
        "encoding": {
            "y": _y("value"),
            "color": {"field": "signal", "scale": {"domain": signals, "range": [COLOURS[name] for name in signals]}},
            "shape": {"field": "signal", "scale": {"domain": signals, "range": [SHAPES[name] for name in signals]}},
            "tooltip": [{"field": name} for name in ("label", "value", "status", "rule")],
        },
    }
