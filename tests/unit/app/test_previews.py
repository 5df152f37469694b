import asyncio

import orjson
import pytest
from msgspec.structs import replace

from lockgate.app.previews import LONGEST, Previews
from lockgate.approval.payload import StoredCall
from lockgate.approval.preview import NoPreview, PreviewRule
from lockgate.model import Envelope
from lockgate.upstream.catalogue import tools_in
from support.scenario import Stage
from support.staged import SCHEMA, rows, stage_of

RULE = PreviewRule("dry_run", {"patient_id": "{/patient_id}"})
TOOLS = {"delete_patient": SCHEMA, "dry_run": SCHEMA}


def held(stage: Stage, tool: str = "delete_patient") -> StoredCall:
    return StoredCall("c-1", stage.principal, "tools/call", stage.upstream, tool,
                      b'{"name":"delete_patient","arguments":{"patient_id":"p-1"}}', None,
                      Envelope())  # fmt: skip


async def listed(**given: object) -> tuple[Stage, Previews]:
    """A stage whose tools were listed for whoever asks."""
    stage = stage_of(tools=TOOLS, **given)
    terms, raw = held(stage).call().terms, orjson.dumps({"tools": stage.simulated.tools})
    stage.simulated.book.put(stage.upstream, terms, tools_in(stage.upstream, raw))
    rules = {("clinic", "delete_patient"): RULE}
    return stage, Previews(lambda: rules, lambda: stage.gateway.state, stage.simulated.book,
                           lambda _, asked: asked == 1)  # fmt: skip


async def test_the_upstream_says_what_it_would_do() -> None:
    stage, previews = await listed(result={"content": [{"type": "text", "text": "1 patient"}]})
    assert previews.offered("clinic", "delete_patient")
    assert not previews.offered("clinic", "dry_run")
    assert await previews.preview(held(stage), 1) == "1 patient"
    (asked,) = stage.simulated.calls
    assert (asked.target, asked.arguments) == ("dry_run", {"patient_id": "p-1"})
    assert (asked.principal.id, asked.principal.holder) == ("system:lockgate", stage.principal.id)
    intents = [r for r in await rows(stage) if r.kind == "call.intent"]
    assert [r.effect for r in intents] == ["permit"], "it is on record like every call"


async def test_policy_must_permit_it() -> None:
    stage, previews = await listed(policy="permit(principal is Person, action, resource);")
    with pytest.raises(NoPreview, match=r"policy\.no-rule"):
        await previews.preview(held(stage), 1)
    assert stage.simulated.calls == []


async def test_there_is_none() -> None:
    stage, previews = await listed()
    with pytest.raises(NoPreview, match="has none"):
        await previews.preview(held(stage, "get_patient"), 1)
    stage.simulated.fault = "unreachable"
    with pytest.raises(NoPreview, match=r"upstream\.unreachable"):
        await previews.preview(held(stage), 1)


async def test_what_is_too_long_is_cut_and_said_so() -> None:
    long = {"content": [{"type": "text", "text": "x" * (LONGEST + 1)}]}
    stage, previews = await listed(result=long)
    assert (await previews.preview(held(stage), 1)).endswith(f"({LONGEST + 1} characters)")


async def test_however_many_look_the_upstream_is_asked_once_in_a_while() -> None:
    """Open pages ask again whenever any question changes."""
    stage, previews = await listed(result={"content": [{"type": "text", "text": "1 patient"}]})
    said = await asyncio.gather(*(previews.preview(held(stage), 1) for _ in range(5)))
    assert (set(said), len(stage.simulated.calls)) == ({"1 patient"}, 1)
    other = replace(held(stage), params=b'{"name":"x","arguments":{"patient_id":"p-2"}}')
    await previews.preview(other, 1)
    assert len(stage.simulated.calls) == 2


async def test_of_whoever_is_let_in_no_more_the_connection_is_not_used() -> None:
    """As approved calls are not carried out for them."""
    stage, previews = await listed()
    with pytest.raises(NoPreview, match="not let in"):
        await previews.preview(held(stage), 2)
    assert stage.simulated.calls == []
