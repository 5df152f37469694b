from pathlib import Path

import msgspec
import pytest

from lockgate.app.demo import scenes_wire
from lockgate.app.demo.folder import ALICE
from lockgate.app.demo.scenes_wire import Post, posts, reason_of, request, send
from lockgate.model import REASONS
from support.demo_stage import staged, untrue

LISTING = {"mcp-method": "tools/list", "mcp-name": ""}


async def test_each_post_is_wrong_in_one_way_only(tmp_path: Path) -> None:
    """The right one beside them is answered, so it is the one wrong thing that is refused."""
    async with staged(tmp_path) as stage:
        right = Post("", "", request(1, "tools/list", {}), LISTING)
        assert (await send(stage, ALICE, right)).status_code == 200
        assert not await untrue(scenes_wire.show_malformed, stage)
        assert not await untrue(scenes_wire.show_anothers_state, stage)


async def test_another_answer_than_the_catalogues_does_not_go_unnoticed(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        wrong = msgspec.structs.replace(posts()[0], reason="wire.not-json")
        answer = await send(stage, ALICE, wrong)
        assert reason_of(answer) == "wire.duplicate-key"
        assert not scenes_wire._is_catalogued(answer, wrong.reason)
        assert scenes_wire._is_catalogued(answer, "wire.duplicate-key")
        right = Post("", "", request(1, "tools/list", {}), LISTING)
        assert reason_of(await send(stage, ALICE, right)) == ""


@pytest.mark.parametrize("post", posts(), ids=lambda post: post.what)
def test_what_is_expected_is_in_the_catalogue(post: Post) -> None:
    assert REASONS[post.reason].http >= 400
