from pathlib import Path

from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

from lockgate.app.demo.folder import ALICE, BOB, REPORTS
from lockgate.app.demo.stage import ERAS, Started, effect_of, said_by
from lockgate.app.demo.upstreams import Behind, clinic
from lockgate.model import Effect
from support.demo_stage import folder_of, staged


async def test_a_stage_tells_what_was_said_recorded_and_reached(tmp_path: Path) -> None:
    heard: list[Started] = []
    async with staged(tmp_path, clinic(tmp_path)) as stage:
        await stage.start_all(heard.append)
        assert len(stage.started["clinic"].tools) == 11
        versions = {stage.client(who, era).protocol_version for who in (ALICE, BOB) for era in ERAS}
        assert versions == {"2026-07-28", "2025-11-25"}
        assert stage.client(REPORTS, "modern")
        before = await stage.now()
        asked = {"patient_id": "p-001"}
        yes = await stage.call(ALICE, "modern", "clinic__get_patient", asked)
        no = await stage.call(ALICE, "legacy", "clinic__get_billing", asked)
        none = await stage.call(ALICE, "legacy", "clinic__nothing", {})
        then = await stage.since(before)
    assert (yes.ok, yes.reason, yes.data["name"]) == (True, "", "Ada Example")
    assert (no.ok, no.reason) == (False, "policy.no-rule")
    assert no.call == then.calls[-1].event.call
    assert (none.ok, none.reason) == (False, "resolve.unknown-tool")
    assert then.reached == {"get_patient": 1}
    kinds = ["call.intent", "call.outcome", "call.intent"]
    assert [row.event.kind for row in then.calls] == kinds
    assert [*map(effect_of, then.calls)] == [Effect.PERMIT, Effect.PERMIT, Effect.DENY]
    assert [one.name for one in heard] == ["clinic"] * 3


async def test_an_upstream_that_does_not_start_is_a_problem_not_the_end(tmp_path: Path) -> None:
    async with staged(tmp_path, Behind("broken", "", ("/nowhere/at/all",))) as stage:
        await stage.start_all(lambda _: None)
        assert stage.started["broken"].tools == ()
        assert stage.started["broken"].problem.startswith("upstream.")


async def test_an_error_is_an_answer_too() -> None:
    async def fail() -> CallToolResult:
        raise MCPError(-31000, "No.", {"reason": "a.b", "call": "c"})

    said = await said_by(fail())
    assert (said.ok, said.text, said.reason, said.call) == (False, "No.", "a.b", "c")


def test_a_folder_knows_what_is_behind_the_gate(tmp_path: Path) -> None:
    assert folder_of(tmp_path, clinic(tmp_path)).has("clinic")
