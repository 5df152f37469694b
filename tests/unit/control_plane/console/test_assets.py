import re
from collections.abc import Iterator
from itertools import product

import pytest

from lockgate.control_plane.console.assets import ASSETS, FOR_GOOD, href
from lockgate.control_plane.console.pages import HEADERS
from support.console_desk import ConsoleDesk

STYLE = ASSETS["style.css"].body.decode()
GROUNDS = ("ground", "surface", "sunk")
PAIRED = {"accent": "accent-ground", "ok": "ok-ground", "warn": "warn-ground", "bad": "bad-ground",
          "on-accent": "accent"}  # fmt: skip
"""What is written on which ground of its own."""


async def test_each_is_served_under_a_name_of_its_content_and_kept_for_good(
    desk: ConsoleDesk,
) -> None:
    assert {"style.css", "live.js", "htmx.min.js", "icon.svg"} == set(ASSETS)
    for name, one in ASSETS.items():
        found = await desk.browser().get(href(name))
        assert (found.status, found.body) == (200, one.body)
        assert found.all("cache-control") == [FOR_GOOD]
        assert found.header("content-type") == one.kind
        strict = {k: v for k, v in HEADERS.items() if k != "cache-control"}
        assert all(found.all(k) == [v] for k, v in strict.items())
        assert re.fullmatch(r"/console/static/[a-z.]+\.[0-9a-f]{16}\.\w+", one.href)


async def test_no_other_file_is_served(desk: ConsoleDesk) -> None:
    for name in ("style.css", "htmx.LICENSE.txt", "..%2Fpages.py", "style.0000000000000000.css"):
        assert (await desk.browser().get(f"/console/static/{name}")).status == 404


def test_the_style_needs_nothing_from_elsewhere() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "prefers-reduced-motion" in STYLE


def test_all_that_every_page_loads_is_small() -> None:
    assert sum(len(one.body) for one in ASSETS.values()) < 75_000, "100 kB with the page itself"


# Contrast (WCAG 2.1, 1.4.3 and 1.4.11).


def tokens(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text))


LIGHT = tokens(STYLE.partition("@media")[0])
DARK = LIGHT | tokens(STYLE.partition("@media (prefers-color-scheme: dark)")[2])


def luminance(colour: str) -> float:
    """WCAG 2.1, "relative luminance"."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(part * by for part, by in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def pairs() -> Iterator[tuple[str, str, float]]:
    """Every foreground with every ground that it may stand on, and the ratio that it takes."""
    for front, ground in product(("text", "muted", "accent"), GROUNDS):
        yield front, ground, 4.5
    for front, ground in PAIRED.items():
        yield front, ground, 4.5
    yield "text", "accent-ground", 4.5
    yield "bad", "surface", 4.5
    for front, ground in product(("edge", "accent", "bad"), GROUNDS):
        yield front, ground, 3.0
    for front, ground in product(("chart-ok", "chart-warn", "chart-bad"), ("surface", "ground")):
        yield front, ground, 3.0


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "least"), list(pairs()))
def test_contrast(theme: dict[str, str], front: str, ground: str, least: float) -> None:
    assert contrast(theme[front], theme[ground]) >= least


def test_every_colour_is_a_token_and_every_token_is_looked_at() -> None:
    rules = STYLE.rpartition("--chart-bad: #e8706a;")[2]
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl", rules), "no colour beside the tokens"
    seen = {name for front, ground, _ in pairs() for name in (front, ground)}
    decorative = {"line"}
    assert set(LIGHT) - decorative == seen
    assert set(LIGHT) == set(DARK)
    assert set(re.findall(r"var\(--([a-z-]+)\)", rules)) <= set(LIGHT)


def test_what_is_written_on_a_coloured_ground_is_a_pair_that_is_looked_at() -> None:
    known = {(front, ground) for front, ground, _ in pairs()}
    for body in re.findall(r"\{([^{}]*)\}", STYLE):
        front = re.search(r"(?<![a-z-])color: var\(--([a-z-]+)\)", body)
        ground = re.search(r"background(?:-color)?: var\(--([a-z-]+)\)", body)
        if front and ground:
            assert (front[1], ground[1]) in known
