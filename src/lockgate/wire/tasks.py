"""Tasks (MCP extension ``io.modelcontextprotocol/tasks``, SEP-2663): a tool call that is answered
with a handle at once, and asked about, told more or cancelled by requests of their own."""

from collections.abc import Mapping
from typing import cast

import orjson

from lockgate.model import Json
from lockgate.wire import edit
from lockgate.wire.capabilities import TASKS
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.rounds import MOST_REQUESTS, read_requests

TASK = "task"
GET, UPDATE, CANCEL = "tasks/get", "tasks/update", "tasks/cancel"
INPUT_REQUIRED = "input_required"
STATUSES = frozenset({"working", INPUT_REQUIRED, "completed", "failed", "cancelled"})
LONGEST_ID = 1_024
"""Of an upstream's own task id, in characters: it travels through a header."""

REQUIRED: Mapping[str, Json] = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
"""``data`` of the error (-32021) for a request that does not declare the extension."""

_ID = "taskId"


def is_task(raw: bytes) -> bool:
    """Whether a result is a handle instead. Cheap for those that cannot be."""
    return b'"task"' in raw and edit.get(raw, "/resultType") == b'"task"'


def with_id(raw: bytes, outer: str) -> bytes:
    """A result as the client may get it: ``outer`` stands where the upstream's own id stood."""
    return edit.merge(raw, {_ID: orjson.dumps(outer)}) if _ID in edit.members(raw) else raw


def questions(raw: bytes) -> Mapping[str, tuple[str, bytes]]:
    """Method and params of each question in a ``tasks/get`` result, under the upstream's key.

    Raises ``WireRefusal("reply.shape")``.
    """
    asked = edit.members(raw).get("inputRequests")
    return read_requests(asked) if asked is not None else {}


def check_update(params: bytes) -> None:
    """Raises ``WireRefusal("wire.bad-params")`` where ``tasks/update`` brings no answers."""
    found = edit.members(params).get("inputResponses")
    if found is None or not edit.is_object(found):
        raise WireRefusal("wire.bad-params", "inputResponses is not an object")
    if len(edit.members(found)) > MOST_REQUESTS:
        raise WireRefusal("wire.bad-params", "inputResponses holds too many answers")


def not_declared() -> WireRefusal:
    """The answer to a request about a task that does not declare the extension."""
    return WireRefusal("task.not-declared", data=cast("dict[str, Json]", dict(REQUIRED)))
