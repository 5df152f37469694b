"""The Tasks extension (SEP-2663) for the public Python SDK, as a program that uses it would write
it: the SDK has the place for it, but not the extension."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel


class Task(Result):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    result_type: Literal["task"] = "task"
    task_id: str
    status: str


class Known(Result):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    task_id: str
    status: str
    status_message: str = ""
    result: CallToolResult | None = None
    error: dict[str, Any] | None = None


class About(RequestParams):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    task_id: str


class GetTask(Request[About, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    params: About
    name_param: ClassVar[str | None] = "taskId"


class CancelTask(Request[About, Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: About
    name_param: ClassVar[str | None] = "taskId"


class TaskFailed(Exception):
    """Carries the error, or the status where there is none."""


class Tasks(ClientExtension):
    """Asks once, then again each time that ``again`` is set."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self, *, cancels: bool = False) -> None:
        self.again = asyncio.Event()
        self.seen: list[str] = []
        """What each ``tasks/get`` said."""
        self._cancels = cancels

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Task, resolve=self._settle)]

    async def _settle(self, task: Task, told: ClaimContext) -> CallToolResult:
        params = About(task_id=task.task_id)
        if self._cancels:
            await told.session.send_request(CancelTask(params=params), Result)
        while True:
            self.again.clear()
            known = await told.session.send_request(GetTask(params=params), Known)
            assert known.task_id == task.task_id
            self.seen.append(known.status_message or known.status)
            if known.result is not None:
                return known.result
            if known.status != "working":
                raise TaskFailed(known.error["data"]["reason"] if known.error else known.status)
            await self.again.wait()
