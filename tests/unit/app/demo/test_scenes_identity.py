"""That the scene passes is for the end-to-end test; here, that it fails before an open gate."""

from pathlib import Path
from typing import cast

import pytest

from lockgate.app.demo.narration import LeftOut, NotAsTold
from lockgate.app.demo.scenes_identity import show_sign_in, tell_sign_in
from lockgate.app.demo.second_gate import POLICIES, open_second_gate
from lockgate.app.demo.stage import Stage
from support.demo_provider import installed
from support.demo_stage import PERMIT_ALL, telling


@pytest.mark.node
@pytest.mark.parametrize(
    ("machines", "claim"),
    [(PERMIT_ALL, "the same record: refused"), ("", "without a certificate. Refused")],
    ids=["everything is permitted", "no rule asks for a certificate"],
)
async def test_an_open_gate_does_not_go_unnoticed(
    tmp_path: Path, machines: str, claim: str
) -> None:
    file = tmp_path / "machines.cedar"
    file.write_text(machines)
    async with open_second_gate(tmp_path / "second", installed(), (POLICIES[0], file)) as gate:
        with pytest.raises(NotAsTold, match=claim):
            await tell_sign_in(gate, telling())


async def test_without_node_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LeftOut, match=r"needs Node\.js"):
        await show_sign_in(cast("Stage", None), telling())
