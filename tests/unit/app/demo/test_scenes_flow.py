from pathlib import Path

from lockgate.app.demo import scenes_flow
from lockgate.app.demo.folder import BURST
from lockgate.app.demo.upstreams import clinic
from support.demo_stage import staged, untrue


async def test_no_limit_and_calls_past_the_journal_do_not_go_unnoticed(tmp_path: Path) -> None:
    def unlimited(config: str) -> str:
        return config.replace(f"burst: {BURST}", "burst: 100000")

    async with staged(tmp_path, clinic(tmp_path), edit=unlimited) as stage:
        assert "150 are answered, 0 refused" in await untrue(scenes_flow.show_rate_limit, stage)
        assert not await untrue(scenes_flow.show_journal, stage)
        with stage.folder.access_log.open("a") as log:
            log.write("delete_patient\n")
        assert "exactly those" in await untrue(scenes_flow.show_journal, stage)


async def test_a_client_that_hears_nothing_does_not_go_unnoticed() -> None:
    hearing = scenes_flow.Hearing()
    await hearing(1, 2, None)
    assert not hearing.full.is_set()
    await hearing(2, 2, None)
    assert hearing.full.is_set()
    assert hearing.steps == [1, 2]


def test_a_limit_lets_through_what_it_says_and_no_more() -> None:
    assert scenes_flow._within(BURST, 0.0)
    assert scenes_flow._within(BURST + 5, 2.0)
    assert not scenes_flow._within(BURST + 6, 2.0)
    assert not scenes_flow._within(BURST // 2, 2.0)
