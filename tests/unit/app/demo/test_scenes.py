import asyncio
from io import StringIO
from typing import cast

import pytest

from lockgate.app.demo.narration import LeftOut, Narrator, Telling
from lockgate.app.demo.scenes import SCENES, Scene, play_scenes
from lockgate.app.demo.stage import Stage

STAGE = cast("Stage", None)
"""These scenes do not look at it."""


async def _good(stage: Stage, told: Telling) -> None:
    told.that("So it is.", True)


async def _untrue(stage: Stage, told: Telling) -> None:
    told.that("So it is not.", False)


async def _broken(stage: Stage, told: Telling) -> None:
    raise KeyError("name")


async def test_one_scene_that_goes_wrong_does_not_end_the_others() -> None:
    out = StringIO()
    scenes = [Scene(f.__name__, "", f) for f in (_untrue, _broken, _good)]
    results = await play_scenes(STAGE, Narrator(out), scenes)
    assert [r.as_told for r in results] == [False, False, True]
    assert [r.wrong for r in results] == ["So it is not.", "KeyError: 'name'", ""]
    assert [r.checked for r in results] == [0, 0, 1]
    assert out.getvalue().count("So it is not.") == 1
    assert "This scene broke off. KeyError" in out.getvalue()
    assert "1. _untrue" in out.getvalue()


async def test_a_scene_that_cannot_be_shown_says_what_would_make_it() -> None:
    async def absent(stage: Stage, told: Telling) -> None:
        raise LeftOut("It needs a moon.")

    out = StringIO()
    (result,) = await play_scenes(STAGE, Narrator(out), [Scene("", "", absent)])
    assert (result.as_told, result.left_out, result.checked) == (True, "It needs a moon.", 0)
    assert "--  This scene is left out. It needs a moon." in out.getvalue()


async def test_whoever_ends_the_demo_ends_its_scene() -> None:
    async def stopped(stage: Stage, told: Telling) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await play_scenes(STAGE, Narrator(StringIO()), [Scene("", "", stopped)])


def test_every_scene_has_a_name_of_its_own_and_says_why() -> None:
    assert len({scene.name for scene in SCENES}) == len(SCENES)
    assert all(scene.why.endswith(".") for scene in SCENES)
    assert SCENES[-1].name == "The journal proves it"
