from xml.etree import ElementTree

from bench.flame import WIDTH, grown, svg

STACKS = {"a;b": 60, "a;c": 30, "d": 10}


def test_time_adds_up_towards_the_root() -> None:
    root = grown(STACKS)
    assert root.spent == 100
    assert {name: node.spent for name, node in root.below.items()} == {"a": 90, "d": 10}
    assert root.below["a"].below["b"].spent == 60


def test_the_picture_is_svg_with_a_box_as_wide_as_its_time() -> None:
    tree = ElementTree.fromstring(svg(STACKS, "a < b"))  # noqa: S314 - our own text
    boxes = {
        str(group[0].text).split()[0]: float(group[1].attrib["width"])
        for group in tree
        if group.tag.endswith("g")
    }
    assert boxes == {"all": WIDTH, "a": 1080, "b": 720, "c": 360, "d": 120}
