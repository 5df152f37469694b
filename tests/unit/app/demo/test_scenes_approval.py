"""That the scene passes is for the end-to-end test; here, that it fails before an open gate."""

from pathlib import Path

from lockgate.app.demo import scenes_approval
from lockgate.app.demo.upstreams import clinic
from support.demo_stage import PERMIT_ALL, staged, untrue


async def test_an_open_gate_does_not_go_unnoticed(tmp_path: Path) -> None:
    policies = {"clinic.cedar": PERMIT_ALL}
    async with staged(tmp_path, clinic(tmp_path), policies=policies) as stage:
        assert "Nothing is changed" in await untrue(scenes_approval.show_prescription, stage)
