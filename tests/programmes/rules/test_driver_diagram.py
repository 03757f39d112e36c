"""Driver diagrams: what serves what, as nodes and edges and as a drawing."""

from xml.etree import ElementTree

from services.programmes.rules.driver_diagram import drawn, driver_diagram


def a_programme():
    return {
        "id": "falls",
        "name": "Falls <& harm>",
        "aims": [{"id": "fewer", "text": "Fewer falls"}, {"id": "milder", "text": "Milder falls", "unverified": True}],
        "drivers": [
            {"id": "huddles", "name": "Huddles", "secondary": [{"id": "daily", "name": "Daily", "measures": ["m"]}]},
            {"id": "shoes", "name": "Shoes", "aims": ["milder"]},
        ],
        "change_ideas": [{"id": "board", "name": "A board", "drivers": ["huddles", "gone"]}],
    }


def test_every_part_serves_what_it_names_and_a_driver_that_names_nothing_serves_every_aim():
    edges = {(edge["from"], edge["to"]) for edge in driver_diagram(a_programme())["edges"]}
    assert edges == {
        ("driver:huddles", "aim:fewer"),
        ("driver:huddles", "aim:milder"),
        ("secondary:huddles/daily", "driver:huddles"),
        ("driver:shoes", "aim:milder"),
        ("change_idea:board", "driver:huddles"),
    }


def test_the_drawing_is_xml_that_says_everything_in_words():
    root = ElementTree.fromstring(drawn(driver_diagram(a_programme())))
    words = " ".join(root.itertext())
    assert "Driver diagram: Falls <& harm>" in words
    assert "A board serves Huddles" in words
    assert "Milder falls (unverified)" in words


def test_boxes_of_a_column_do_not_overlap():
    programme = a_programme() | {"aims": [{"id": f"a{n}", "text": "word " * 10 * (n + 1)} for n in range(5)]}
    root = ElementTree.fromstring(drawn(driver_diagram(programme)))
    frames = [frame.attrib for frame in root.iter("{http://www.w3.org/2000/svg}rect") if frame.attrib["x"] == "20"]
    ends = [float(frame["y"]) + float(frame["height"]) for frame in frames]
    assert all(end < float(after["y"]) for end, after in zip(ends, frames[1:], strict=False))


def test_a_programme_without_parts_is_an_empty_drawing():
    assert driver_diagram({"id": "x", "name": "X"})["nodes"] == []
    ElementTree.fromstring(drawn(driver_diagram({"id": "x", "name": "X"})))
