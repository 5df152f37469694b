"""Unmodified SDK clients while a person is asked: on real sockets, in each mode, over HTTP and over
``lockgate stdio``. The person answers by the service that the command line and the console use."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp.types import CallToolResult, ElicitRequestURLParams, ElicitResult

from support.held_server import HeldServer, together
from support.holding import ASK, CONSOLE, PATIENT, pending, question, steps
from support.real_servers import said
from support.sdk_tasks import TaskFailed, Tasks

pytestmark = pytest.mark.e2e
WAYS = ["http", "stdio"]
MODES = {"legacy": "stream", "auto": "rounds", "2026-07-28": "rounds"}
TOOL, ARGUMENTS = PATIENT["name"], PATIENT["arguments"]


Action = Literal["accept", "decline", "cancel"]


class Person:
    """At the client: opens pages, or does not."""

    def __init__(self, action: Action = "accept") -> None:
        self.opened: list[str] = []
        self._action = action

    async def __call__(self, _: Any, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        self.opened.append(params.url)
        return ElicitResult(action=self._action)


def handle(result: CallToolResult) -> dict[str, Any]:
    assert result.is_error
    return dict((result.meta or {})[ASK])


@pytest.mark.parametrize("automatic", [True, False], ids=["automatic", "on-retry"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_opens_pages_waits_and_gets_the_result(
    tmp_path: Path, mode: str, way: str, automatic: bool
) -> None:
    person = Person()
    async with (
        HeldServer(tmp_path, automatic=automatic).up() as server,
        server.client(way, mode, elicitation_callback=person) as client,
    ):

        async def approve() -> None:
            await server.held()
            await server.decide()

        result, _ = await together(client.call_tool(TOOL, ARGUMENTS), approve())
        assert said(result) == "done"
        assert person.opened == [f"{CONSOLE}/console/approvals/q-1"]
        assert len(server.stage.simulated.calls) == 1
        assert f"told:{MODES[mode]}" in await steps(server.stage)
        assert question(server.stage).state == "succeeded"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_can_nothing_is_told_at_once_and_calls_again(
    tmp_path: Path, mode: str, way: str
) -> None:
    async with HeldServer(tmp_path).up() as server, server.client(way, mode) as client:
        first = await client.call_tool(TOOL, ARGUMENTS)
        assert handle(first)["state"] == "pending"
        assert "lockgate_result with the handle q-1" in said(first)
        await server.decide()
        assert said(await client.call_tool(TOOL, ARGUMENTS)) == "done"
        assert len(server.stage.simulated.calls) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_client_whose_person_declines_takes_the_question_back(
    tmp_path: Path, mode: str, action: Action
) -> None:
    async with (
        HeldServer(tmp_path).up() as server,
        server.client("http", mode, elicitation_callback=Person(action)) as client,
    ):
        result = await client.call_tool(TOOL, ARGUMENTS)
        assert handle(result) == {**handle(result), "handle": "q-1", "state": "cancelled"}
        assert question(server.stage).state == "cancelled"


@pytest.mark.parametrize("mode", MODES)
async def test_a_no_reaches_who_waits(tmp_path: Path, mode: str) -> None:
    async with (
        HeldServer(tmp_path).up() as server,
        server.client("http", mode, elicitation_callback=Person()) as client,
    ):

        async def refuse() -> None:
            await server.held()
            await server.decide("no")

        result, _ = await together(client.call_tool(TOOL, ARGUMENTS), refuse())
        assert handle(result)["state"] == "denied"
        assert server.stage.simulated.calls == []


HARD = 6.0
"""Stands for the 60 s after which many clients give up, with all of ours shortened alike."""


@pytest.mark.parametrize(
    ("mode", "way"), [("legacy", "stdio"), ("auto", "http"), ("2026-07-28", "stdio")]
)
async def test_nobody_answers_and_a_client_with_a_hard_limit_never_runs_into_it(
    tmp_path: Path, mode: str, way: str
) -> None:
    async with HeldServer(tmp_path).up() as server:
        waiting = pending(server.stage)
        waiting.hold_seconds *= HARD / 60
        waiting.progress_seconds *= HARD / 60
        async with server.client(way, mode, elicitation_callback=Person()) as client:
            await client.list_tools()
            began = time.monotonic()
            result = await client.call_tool(TOOL, ARGUMENTS, read_timeout_seconds=HARD)
            took = time.monotonic() - began
        assert handle(result)["state"] == "pending"
        assert took >= waiting.hold_seconds, "it was kept waiting"
        assert waiting.held == 0


async def test_a_client_that_wants_progress_hears_it_while_it_waits(tmp_path: Path) -> None:
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert message == "awaiting approval"
        assert total is None
        heard.append(progress)

    async with HeldServer(tmp_path).up() as server:
        pending(server.stage).progress_seconds = 0.01
        async with server.client("http", "auto", elicitation_callback=Person()) as client:

            async def approve() -> None:
                await _until(lambda: len(heard) > 1)
                await server.decide()

            calling = client.call_tool(TOOL, ARGUMENTS, progress_callback=hear)
            result, _ = await together(calling, approve())
        assert said(result) == "done"
        assert heard == sorted(heard)


@pytest.mark.parametrize("mode", ["auto", "2026-07-28"])
async def test_a_client_that_leaves_is_waited_for_no_more(tmp_path: Path, mode: str) -> None:
    async with HeldServer(tmp_path).up() as server:
        async with server.client("http", mode, elicitation_callback=Person()) as client:
            calling = asyncio.ensure_future(client.call_tool(TOOL, ARGUMENTS))
            await server.held()
            calling.cancel()
            await asyncio.wait([calling])
        await _until(lambda: pending(server.stage).held == 0)
        assert question(server.stage).state == "pending"


MODERN = pytest.mark.parametrize("mode", ["auto", "2026-07-28"])


@MODERN
@pytest.mark.parametrize("way", WAYS)
async def test_a_client_with_tasks_asks_until_it_has_run(
    tmp_path: Path, mode: str, way: str
) -> None:
    tasks = Tasks()
    async with (
        HeldServer(tmp_path).up() as server,
        server.client(way, mode, extensions=[tasks]) as client,
    ):

        async def approve() -> None:
            await _until(lambda: bool(tasks.seen))
            await server.decide()
            tasks.again.set()

        result, _ = await together(client.call_tool(TOOL, ARGUMENTS), approve())
        assert said(result) == "done"
        waiting = f"awaiting approval by a person at {CONSOLE}/console/approvals/q-1"
        assert tasks.seen == [waiting, "completed"]
        assert len(server.stage.simulated.calls) == 1


@MODERN
async def test_a_task_that_somebody_refused_has_failed(tmp_path: Path, mode: str) -> None:
    tasks = Tasks()
    async with (
        HeldServer(tmp_path).up() as server,
        server.client("http", mode, extensions=[tasks]) as client,
    ):

        async def refuse() -> None:
            await _until(lambda: bool(tasks.seen))
            await server.decide("no")
            tasks.again.set()

        with pytest.raises(TaskFailed, match=r"approval\.denied"):
            await together(client.call_tool(TOOL, ARGUMENTS), refuse())


@MODERN
async def test_a_task_that_its_client_cancels_takes_the_question_back(
    tmp_path: Path, mode: str
) -> None:
    async with (
        HeldServer(tmp_path).up() as server,
        server.client("http", mode, extensions=[Tasks(cancels=True)]) as client,
    ):
        with pytest.raises(TaskFailed, match="cancelled"):
            await client.call_tool(TOOL, ARGUMENTS)
        assert question(server.stage).state == "cancelled"


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - it happens on the other side of a socket
            await asyncio.sleep(0)
