"""The driver diagram of a programme: what serves what, from change ideas to aims; as nodes and edges, and drawn."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from textwrap import wrap
from typing import Any, NamedTuple

Value = dict[str, Any]

COLUMNS: Mapping[str, str] = {
    "aim": "Aims",
    "driver": "Primary drivers",
    "secondary": "Secondary drivers",
    "change_idea": "Change ideas",
}
"""The columns of the diagram, from left to right."""

WIDTH, GAP, LINE, PAD = 250, 60, 16, 10  # of a box, between columns, of a line of text, within a box; pixels
LETTERS = 34  # in a line
FILLS = {"aim": "#d5e8f7", "driver": "#e3f1e5", "secondary": "#f2f7e3", "change_idea": "#f6ecf5"}
STYLE = 'role="img" aria-labelledby="title about" font-family="Arial, sans-serif" font-size="13" fill="#212b32"'


def driver_diagram(programme: Mapping[str, Any]) -> Value:
    """`nodes` (`id`, `kind`, `text`, `measures`, `unverified`) and `edges` (`from` serves `to`) of a programme.

    A primary driver that names no aim serves them all. Node ids are `kind:id`, a secondary driver's under its driver.
    """
    nodes = [*_nodes(programme)]
    known = {node["id"] for node in nodes}
    edges = [edge for edge in _edges(programme) if edge["to"] in known]
    return {"programme": programme["id"], "name": programme["name"], "nodes": nodes, "edges": edges}


def _nodes(programme: Mapping[str, Any]) -> Iterator[Value]:
    for aim in programme.get("aims", ()):
        yield _node("aim", aim["id"], aim["text"], aim)
    for driver in programme.get("drivers", ()):
        yield _node("driver", driver["id"], driver["name"], driver)
        for second in driver.get("secondary", ()):
            yield _node("secondary", f"{driver['id']}/{second['id']}", second["name"], second)
    for idea in programme.get("change_ideas", ()):
        yield _node("change_idea", idea["id"], idea["name"], idea)


def _node(kind: str, name: str, text: str, entry: Mapping[str, Any]) -> Value:
    said = {"measures": list(entry.get("measures", ())), "unverified": bool(entry.get("unverified"))}
    return {"id": f"{kind}:{name}", "kind": kind, "text": text, **said}


def _edges(programme: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    aims = [aim["id"] for aim in programme.get("aims", ())]
    for driver in programme.get("drivers", ()):
        for aim in driver.get("aims") or aims:
            yield {"from": f"driver:{driver['id']}", "to": f"aim:{aim}"}
        for second in driver.get("secondary", ()):
            yield {"from": f"secondary:{driver['id']}/{second['id']}", "to": f"driver:{driver['id']}"}
    for idea in programme.get("change_ideas", ()):
        for driver in idea.get("drivers", ()):
            yield {"from": f"change_idea:{idea['id']}", "to": f"driver:{driver}"}


class Box(NamedTuple):
    """A node with its place on the drawing, in pixels."""

    node: Value
    lines: Sequence[str]
    x: int
    y: int
    height: int


def drawn(diagram: Mapping[str, Any]) -> str:
    """The diagram as an SVG document with a title and a description; all of its text is escaped."""
    boxes = {box.node["id"]: box for box in _boxes(diagram["nodes"])}
    height = max((box.y + box.height for box in boxes.values()), default=40) + 20
    width = len(COLUMNS) * (WIDTH + GAP) - GAP + 40
    title = escape(f"Driver diagram: {diagram['name']}")
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {STYLE}>',
            f'<title id="title">{title}</title><desc id="about">{escape(_described(diagram))}</desc>',
            *(
                f'<text x="{_left(place)}" y="24" font-weight="bold">{escape(name)}</text>'
                for place, name in enumerate(COLUMNS.values())
            ),
            *(_line(boxes[edge["to"]], boxes[edge["from"]]) for edge in diagram["edges"]),
            *map(_box, boxes.values()),
            "</svg>",
        ]
    )


def _boxes(nodes: Sequence[Value]) -> Iterator[Box]:
    for place, kind in enumerate(COLUMNS):
        y = 40
        for node in nodes:
            if node["kind"] == kind:
                lines = wrap(node["text"] + (" (unverified)" if node["unverified"] else ""), LETTERS) or [""]
                height = len(lines) * LINE + 2 * PAD
                yield Box(node, lines, _left(place), y, height)
                y += height + 12


def _left(place: int) -> int:
    return 20 + place * (WIDTH + GAP)


def _box(box: Box) -> str:
    lines = "".join(
        f'<text x="{box.x + PAD}" y="{box.y + PAD + 12 + number * LINE}">{escape(line)}</text>'
        for number, line in enumerate(box.lines)
    )
    fill = FILLS[box.node["kind"]]
    frame = (
        f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{box.height}" rx="4" fill="{fill}" stroke="#768692"/>'
    )
    return f"<g>{frame}{lines}</g>"


def _line(to: Box, start: Box) -> str:
    x1, y1 = to.x + WIDTH, to.y + to.height // 2
    x2, y2 = start.x, start.y + start.height // 2
    middle = (x1 + x2) // 2
    return f'<path d="M{x2} {y2}C{middle} {y2} {middle} {y1} {x1} {y1}" fill="none" stroke="#768692"/>'


def _described(diagram: Mapping[str, Any]) -> str:
    texts = {node["id"]: node["text"] for node in diagram["nodes"]}
    return "; ".join(f"{texts[edge['from']]} serves {texts[edge['to']]}" for edge in diagram["edges"])
