"""That the scenes pass is for the end-to-end test; here, that they fail before an open gate."""

from pathlib import Path

from lockgate.app.demo import scenes_policy
from lockgate.app.demo.upstreams import clinic
from support.demo_stage import PERMIT_ALL, staged, untrue


async def test_an_open_gate_does_not_go_unnoticed(tmp_path: Path) -> None:
    policies = {"clinic.cedar": PERMIT_ALL}
    async with staged(tmp_path, clinic(tmp_path), policies=policies) as stage:
        assert not await untrue(scenes_policy.show_reads, stage)
        assert "Only Alice sees" in await untrue(scenes_policy.show_lists, stage)
        assert "p-001's notes" in await untrue(scenes_policy.show_refused_writes, stage)
        assert "anyway" in await untrue(scenes_policy.show_hidden_tools, stage)
        assert "conditional" in await untrue(scenes_policy.show_argument_rule, stage)
        assert "owner decides" in await untrue(scenes_policy.show_held_call, stage)
        assert not await untrue(scenes_policy.show_schema, stage)  # no policy has a say in it
