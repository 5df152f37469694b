import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
import pytest

from lockgate.app.gateway import CAPABILITIES, Gateway
from lockgate.model import Call, JournalDown, Permit, Reply, StoreDown
from lockgate.pipeline.sessions import Cursors, Rounds, Sessions
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.session_states import MemorySessionStates
from lockgate.upstream.link import Hears
from lockgate.wire.methods import METHODS
from support.scenario import Stage
from support.staged import BOB, SCHEMA, Speaker, Waiting, named, regate, rows, stage_of

ERAS = ["legacy", "modern"]
PATIENT = {"name": "get_patient", "arguments": {"patient_id": "p-1"}}


async def ask(client: Speaker, era: str, method: str, params: Any = None, id: object = 1) -> Any:
    if era == "modern":
        return await client.modern(method, params, id)
    if not client.session:
        await client.open()
    return await client.legacy(method, params, id)


class Answering:
    """An upstream that gives the same answer to everything but a list of tools."""

    def __init__(self, stage: Stage, answer: object, *, is_error: bool = False) -> None:
        self.raw = orjson.dumps(answer)
        self.is_error = is_error
        self.seen: list[Call] = []
        self._stage = stage

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        self.seen.append(permit.call)
        if permit.call.method == "tools/list":
            return await self._stage.simulated.send(permit, hears)
        return Reply(permit.call, self.raw, self.is_error)


def answering(answer: object, *, is_error: bool = False) -> tuple[Stage, Answering]:
    stage = stage_of()
    upstream = Answering(stage, answer, is_error=is_error)
    regate(stage, sender=upstream)
    return stage, upstream


# Greeting.


async def test_exactly_what_is_forwarded_is_announced() -> None:
    forwarded = {
        name.split("/")[0] for name, row in METHODS.items() if row.kind in ("list", "item")
    }
    announced = {"completion": "completions"}
    wanted: dict[str, Any] = {announced.get(area, area): {} for area in forwarded}
    for area in ("tools", "prompts", "resources"):
        wanted[area] = {"listChanged": True}
    wanted["resources"]["subscribe"] = True
    wanted["logging"] = {}
    alice = Speaker(stage_of())
    opened = (await alice.open()).result
    found = (await alice.modern("server/discover")).result
    assert opened["capabilities"] == wanted == orjson.loads(CAPABILITIES)
    # Tasks are of the modern era.
    assert found["capabilities"] == wanted | {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    assert opened["serverInfo"]["name"] == "lockgate"
    assert opened["serverInfo"] == found["_meta"]["io.modelcontextprotocol/serverInfo"]
    assert "Lockgate" in opened["instructions"]
    assert found["supportedVersions"] == ["2026-07-28", "2025-11-25", "2025-06-18"]


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("1999-01-01", "2025-11-25")],
)
async def test_initialize_agrees_on_a_version_and_opens_a_session(asked: str, agreed: str) -> None:
    stage = stage_of()
    alice = Speaker(stage)
    said = await alice.open(asked)
    assert said.result["protocolVersion"] == agreed
    assert said.answer.session
    assert (await alice.legacy("tools/list")).status == 200
    (row,) = [r for r in await rows(stage) if r.kind == "session.opened"]
    assert row.header["endpoint"] == "/mcp/clinic"


async def test_discover_opens_none() -> None:
    stage = stage_of()
    assert (await Speaker(stage).modern("server/discover")).answer.session == ""
    assert await rows(stage) == []


async def test_ping_is_of_the_legacy_era() -> None:
    alice = Speaker(stage_of())
    assert (await alice.legacy("ping")).result == {}
    assert (await alice.modern("ping")).reason == "wire.unknown-method"


@pytest.mark.parametrize(("era", "status"), [("legacy", 200), ("modern", 404)])
async def test_an_unknown_method_is_refused_as_its_era_has_it(era: str, status: int) -> None:
    stage = stage_of()
    said = await ask(Speaker(stage), era, "tools/invent", id="x")
    assert (said.status, said.body["id"], said.error["code"]) == (status, "x", -32601)
    assert not stage.simulated.calls


async def test_notifications_are_taken_without_a_word() -> None:
    alice = Speaker(stage_of())
    await alice.open()
    for method in ("notifications/initialized", "notifications/unheard-of"):
        answer = (await alice.notify(method)).answer
        assert (answer.status, answer.body) == (202, b"")


# Calls.


@pytest.mark.parametrize("era", ERAS)
async def test_a_permitted_call_is_answered_in_the_words_of_its_era(era: str) -> None:
    stage = stage_of(result={"content": [], "resultType": "complete", "vendor": 1})
    said = await ask(Speaker(stage), era, "tools/call", PATIENT, "x")
    assert said.body["id"] == "x"
    assert said.result["vendor"] == 1
    assert ("resultType" in said.result) == (era == "modern")
    assert dict(stage.simulated.calls[0].arguments) == {"patient_id": "p-1"}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("token", ["mine", 7])
async def test_progress_comes_under_the_clients_own_token(era: str, token: object) -> None:
    alice = Speaker(stage_of(notices=[{"progressToken": "the gateway's", "progress": 1}]))
    await ask(alice, era, "tools/call", {**PATIENT, "_meta": {"progressToken": token}})
    assert alice.heard == [{"jsonrpc": "2.0", "method": "notifications/progress",
                            "params": {"progressToken": token, "progress": 1}}]  # fmt: skip


async def test_who_asked_for_no_progress_gets_none() -> None:
    alice = Speaker(stage_of(notices=[{"progress": 1}]))
    assert (await ask(alice, "modern", "tools/call", PATIENT)).result
    assert alice.heard == []


async def test_what_was_not_released_is_not_answered() -> None:
    secret = "not in the shape that the method has"
    stage, upstream = answering({"content": secret})
    said = await Speaker(stage).modern("tools/call", PATIENT)
    assert said.reason == "reply.shape"
    assert secret.encode() not in said.answer.body
    assert len(upstream.seen) == 2, "the answer did come, after our own list"


async def test_the_model_is_told_the_reason_and_the_wait_but_never_which_policy() -> None:
    policy = '@id("hidden-name") permit(principal, action, resource);'
    stage = stage_of(policy=policy, limits=(1, 1, 8))
    alice = Speaker(stage)
    assert (await alice.modern("tools/call", PATIENT)).reason == ""
    said = await alice.modern("tools/call", PATIENT)
    assert said.reason == "quota.exceeded"
    assert 0 < said.result["_meta"]["lockgate/retry_after_ms"] <= 60_000
    assert said.result["_meta"]["lockgate/call"] == alice.last
    stage = stage_of(policy='@id("hidden-name") forbid(principal, action == Action::"tools/call",'
                            " resource); permit(principal, action, resource);")  # fmt: skip
    denied = await Speaker(stage).modern("tools/call", PATIENT)
    assert denied.reason == "policy.denied"
    assert b"hidden-name" not in denied.answer.body
    assert "hidden-name" in str([row.header for row in await rows(stage)])


@pytest.mark.parametrize("method", ["tools/call", "tools/list"])
async def test_what_cannot_be_recorded_does_not_happen(method: str) -> None:
    stage = stage_of("journal: down")
    said = await Speaker(stage).modern(method, PATIENT if method == "tools/call" else {}, "x")
    # The tool must be listed before it can be called; that could not be recorded either.
    assert said.reason == "journal.unavailable"
    assert said.body["id"] == "x"
    assert not stage.simulated.calls


async def test_mirrored_arguments_are_held_against_the_body_where_headers_exist() -> None:
    schema = {
        "type": "object",
        "properties": {"patient_id": {"type": "string", "x-mcp-header": "Patient"}},
    }
    alice = Speaker(stage_of(tools={"get_patient": schema}))
    said = await alice.modern("tools/call", PATIENT, mcp_param_patient="p-2")
    assert (said.status, said.reason) == (400, "wire.header-mismatch")
    assert (await alice.modern("tools/call", PATIENT, mcp_param_patient="p-1")).reason == ""
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        **PATIENT, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                             "io.modelcontextprotocol/clientCapabilities": {}}}})  # fmt: skip
    assert (await alice.post(body, mirrored=False)).reason == ""
    assert (await alice.post(body)).reason == "wire.header-mismatch"
    for name, wrong in (("mcp-param-patient", "p-2"), ("mcp-method", "tools/list")):
        said = await alice.post(body, {name: wrong}, mirrored=False)
        assert (said.status, said.reason) == (400, "wire.header-mismatch")


async def test_what_runs_cannot_hide_behind_another_spelling_of_what_is_judged() -> None:
    stage = stage_of()
    for more in ({"Name": "delete_patient"}, {"argument\u017f": {"patient_id": "p-2"}}):
        said = await Speaker(stage).modern("tools/call", {**PATIENT, **more})
        assert (said.status, said.reason) == (400, "wire.ambiguous-key")
    assert not stage.simulated.calls


# Names of several upstreams.


async def test_names_are_told_apart_on_the_endpoint_over_all_only() -> None:
    stage = stage_of()
    over_all, one = Speaker(stage, "/mcp"), Speaker(stage)
    assert named((await over_all.modern("tools/list")).result["tools"]) == ["clinic__get_patient"]
    assert named((await one.modern("tools/list")).result["tools"]) == ["get_patient"]
    assert (await over_all.modern("tools/call", PATIENT)).reason == "resolve.unknown-tool"
    outer = {**PATIENT, "name": "clinic__get_patient"}
    assert (await one.modern("tools/call", outer)).reason == "resolve.unknown-tool"
    assert (await over_all.modern("tools/call", outer)).reason == ""
    (sent,) = stage.simulated.calls
    assert (sent.target, sent.decoded["name"]) == ("get_patient", "get_patient")


@pytest.mark.parametrize(
    ("path", "uri"), [("/mcp", "lockgate+clinic:file:///a"), ("/mcp/clinic", "file:///a")]
)
async def test_uris_are_rewritten_on_the_endpoint_over_all_only(path: str, uri: str) -> None:
    stage = stage_of(
        result={"content": [{"type": "resource_link", "name": "a", "uri": "file:///a"}]}
    )
    tool = "clinic__get_patient" if path == "/mcp" else "get_patient"
    said = await Speaker(stage, path).modern("tools/call", {"name": tool})
    assert said.result["content"][0]["uri"] == uri


@pytest.mark.parametrize(
    ("path", "uri"), [("/mcp", "lockgate+clinic:file:///a"), ("/mcp/clinic", "file:///a")]
)
@pytest.mark.parametrize(("era", "code"), [("legacy", -32002), ("modern", -32602)])
async def test_an_upstreams_error_is_told_in_the_clients_terms(
    era: str, code: int, path: str, uri: str
) -> None:
    other = -32602 if era == "legacy" else -32002
    error = {"code": other, "message": "none", "data": {"uri": "file:///a", "why": "gone"}}
    stage, upstream = answering(error, is_error=True)
    said = await ask(Speaker(stage, path), era, "resources/read", {"uri": uri})
    assert said.error == {"code": code, "message": "none", "data": {"uri": uri, "why": "gone"}}
    assert upstream.seen[0].target == "file:///a"


# Cancelling and ids.


async def running(stage: Stage) -> tuple[Speaker, Waiting, "asyncio.Task[Any]"]:
    """Alice's call number 7, under way at the upstream."""
    upstream = Waiting(stage.simulated)
    regate(stage, sender=upstream)
    alice = Speaker(stage)
    await alice.open()
    task = asyncio.ensure_future(alice.legacy("tools/call", PATIENT, 7))
    await asyncio.wait_for(upstream.reached.wait(), 5)
    return alice, upstream, task


async def test_a_call_is_cancelled_from_its_own_session() -> None:
    stage = stage_of()
    alice, _, task = await running(stage)
    assert (await alice.notify("notifications/cancelled", {"requestId": 7})).status == 202
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()
    outcome = (await rows(stage))[-1]
    assert (outcome.kind, outcome.reason) == ("call.outcome", "call.cancelled")


async def test_nobody_else_cancels_it_and_no_other_id_does() -> None:
    stage = stage_of()
    alice, upstream, task = await running(stage)
    bob, elsewhere, nowhere = Speaker(stage, who=BOB), Speaker(stage), Speaker(stage)
    for other in (bob, elsewhere):
        await other.open()
        assert (await other.notify("notifications/cancelled", {"requestId": 7})).status == 202
    stolen = Speaker(stage, who=BOB)
    stolen.session = alice.session
    for outsider, reason in ((stolen, "session.unknown"), (nowhere, "session.missing")):
        said = await outsider.notify("notifications/cancelled", {"requestId": 7})
        assert said.reason == reason
    for params in ({"requestId": "7"}, {"requestId": 8}, {"requestId": None}, {}):
        assert (await alice.notify("notifications/cancelled", params)).status == 202
    upstream.finish.set()
    assert (await task).reason == ""


async def test_an_id_in_flight_is_not_used_twice() -> None:
    stage = stage_of()
    alice, upstream, task = await running(stage)
    twice = await alice.legacy("ping", id=7)
    assert (twice.reason, twice.body["id"]) == ("wire.duplicate-id", 7)
    assert (await alice.legacy("ping", id="7")).result == {}
    upstream.finish.set()
    assert (await task).reason == ""
    assert (await alice.legacy("ping", id=7)).result == {}


async def test_progress_after_a_reload_is_still_inspected() -> None:
    """A running call keeps the gate it began with."""
    stage = stage_of()
    upstream = Waiting(stage.simulated)
    regate(stage, sender=upstream)
    alice = Speaker(stage)
    asked = {**PATIENT, "_meta": {"progressToken": 1}}
    task = asyncio.ensure_future(alice.modern("tools/call", asked))
    await asyncio.wait_for(upstream.reached.wait(), 5)
    regate(stage, sender=Answering(stage, {}), journal=None)
    assert upstream.hears is not None
    for raw in (b'{"progress":"half"}', b'{"progress":1}'):
        upstream.hears.note("notifications/progress", raw)
    upstream.finish.set()
    assert (await task).reason == ""
    assert [n["params"]["progress"] for n in alice.heard] == [1]


# Refusals.


async def test_a_refused_request_is_in_the_journal_cut_to_size() -> None:
    stage = stage_of()
    regate(stage, result_cap=20)
    alice = Speaker(stage)
    said = await alice.post(b'{"jsonrpc": "2.0", "id": 1, \xff')
    assert (said.status, said.reason) == (400, "wire.not-json")
    (row,) = await rows(stage)
    assert (row.kind, row.effect, row.reason) == ("call.refused", "deny", "wire.not-json")
    assert row.call == alice.last == said.error["data"]["call"]
    assert orjson.loads(row.slots["args"]) == '{"jsonrpc": "2.0", "'
    assert orjson.loads(row.slots["actor"])["subject"] == "alice"


async def test_the_journal_names_the_method_where_it_is_known() -> None:
    stage = stage_of()
    said = await Speaker(stage).modern("tools/call", {"name": "nothing"}, "x")
    assert said.body["id"] == "x"
    row = next(r for r in await rows(stage) if r.kind == "call.refused")
    assert (row.header["method"], row.reason) == ("tools/call", "resolve.unknown-tool")


async def test_what_answers_no_request_says_so_by_its_status() -> None:
    alice = Speaker(stage_of())
    await alice.open()
    said = await alice.notify("notifications/cancelled", {"_meta": 5})
    assert (said.status, said.body["id"], said.reason) == (400, None, "wire.bad-params")
    asked = await alice.legacy("tools/list", {"_meta": 5}, "x")
    assert (asked.status, asked.body["id"], asked.reason) == (200, "x", "wire.bad-params")


async def test_an_endpoint_that_a_reload_took_away_is_gone() -> None:
    stage = stage_of()
    state = stage.gateway.state
    stage.gateway.state = msgspec.structs.replace(state, endpoints={})
    said = await Speaker(stage).modern("tools/list")
    assert (said.status, said.reason) == (404, "wire.bad-path")


# Sessions.


async def test_an_ended_session_is_over() -> None:
    stage = stage_of()
    alice = Speaker(stage)
    await alice.open()
    answer = (await alice.end()).answer
    assert (answer.status, answer.body) == (204, b"")
    assert (await alice.legacy("tools/list")).reason == "session.unknown"
    closed = [r for r in await rows(stage) if r.kind.startswith("session.")]
    assert [r.kind for r in closed] == ["session.opened", "session.closed"]
    assert closed[0].header == closed[1].header


async def test_only_ones_own_session_can_be_ended() -> None:
    stage = stage_of()
    alice, bob = Speaker(stage), Speaker(stage, who=BOB)
    await alice.open()
    assert (await bob.end()).reason == "session.missing"
    bob.session = alice.session
    said = await bob.end()
    assert (said.status, said.reason) == (404, "session.unknown")
    assert (await alice.legacy("ping")).result == {}
    refused = [r for r in await rows(stage) if r.kind == "call.refused"]
    assert [r.reason for r in refused] == ["session.missing", "session.unknown"]


async def test_a_session_of_one_endpoint_is_none_of_another() -> None:
    stage = stage_of()
    alice = Speaker(stage)
    await alice.open()
    alice.path = "/mcp"
    assert (await alice.legacy("ping")).reason == "session.unknown"


class Forgotten:
    """Nobody can say which sessions were ended."""

    async def end(self, session_id: str, expires: int) -> None:
        raise StoreDown("simulated")

    def ended(self, session_id: str) -> bool:
        raise StoreDown("simulated")


async def test_a_session_that_may_have_been_ended_is_not_resumed() -> None:
    stage = stage_of()
    sealer = AesGcmSealer(b"s" * 32)
    stage.gateway = Gateway(
        stage.gateway.state, Sessions(sealer, Forgotten(), 60_000), Cursors(sealer), Rounds(sealer),
        MemorySessionStates(lambda: 0), sealer, lambda reason, peer: None,
    )  # fmt: skip
    alice = Speaker(stage)
    await alice.open()
    for said in (await alice.legacy("tools/list", id=5), await alice.end()):
        assert (said.status, said.reason) == (404, "session.unknown")
    refused = [r.reason for r in await rows(stage) if r.kind == "call.refused"]
    assert refused == ["session.unknown"] * 2


class Unusable:
    """Approvals that can be read but not used up."""

    async def consume(self, ids: Sequence[str]) -> bool:
        raise StoreDown("simulated")


async def test_a_store_that_fails_within_a_call_has_nothing_to_do_with_the_session() -> None:
    stage = stage_of(hold={"get_patient": "owner"})
    alice = Speaker(stage)
    assert (await alice.modern("tools/call", PATIENT)).reason == "approval.needed"
    await stage.journal.flush()
    stage.approve("owner")
    regate(stage, approvals=Unusable())
    said = await alice.modern("tools/call", PATIENT)
    assert (said.status, said.reason) == (200, "pipeline.failed")
    assert not stage.simulated.calls


async def test_pages_go_on_under_a_cursor_that_is_ones_own() -> None:
    stage = stage_of(tools={f"t{n:03}": SCHEMA for n in range(250)})
    alice = Speaker(stage)
    first = (await alice.modern("tools/list")).result
    rest = (await alice.modern("tools/list", {"cursor": first["nextCursor"]})).result
    assert len(first["tools"]) + len(rest["tools"]) == 250
    stolen = await Speaker(stage, who=BOB).modern("tools/list", {"cursor": first["nextCursor"]})
    assert stolen.reason == "cursor.invalid"


async def test_while_the_journal_is_not_well_refused_requests_are_only_counted() -> None:
    stage = stage_of("journal: down")
    alice = Speaker(stage)
    assert (await alice.modern("tools/invent")).reason == "wire.unknown-method"
    with pytest.raises(JournalDown):
        await stage.journal.flush()
    waiting = stage.journal.backlog
    assert stage.counted == []
    assert (await alice.modern("tools/invent")).reason == "wire.unknown-method"
    assert stage.counted == [("wire.unknown-method", "192.0.2.1")]
    assert stage.journal.backlog == waiting
