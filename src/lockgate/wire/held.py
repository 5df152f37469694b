"""A call that waits for a person, as its client is told of it. What is said here names nobody and
holds nothing of the call."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import orjson

from lockgate.model import Json
from lockgate.model.inquiry import Inquiry
from lockgate.wire import edit

META = "lockgate/approval"
"""Member of a tool result's ``_meta``, of a task's, and ``approval`` of an error's ``data``."""
REQUEST = "lockgate/approval"
"""Key of our own question among ``inputRequests``."""
POLL_MS = 2_000
"""How often a client may ask about a task that waits for a person."""

Status = Literal["working", "completed", "failed", "cancelled"]

_WAITING = {
    "pending": "This needs approval by a person and waits for it until {until}",
    "approved": "This was approved by a person and may run until {until}",
    "used": "This was approved by a person and is running",
}
_WHERE = {"pending": " (they answer at {page})"}


class Handle(msgspec.Struct, frozen=True):
    """Of one question. Whoever else comes with it learns nothing: it only names the question."""

    id: str
    state: str
    expires: int
    """Milliseconds since the Unix epoch; 0 where nothing runs out any more."""
    page: str = ""
    """Where people sign in and look at it; empty where there is no console."""

    @property
    def waits(self) -> bool:
        """Something is still to come of it."""
        return self.state in _WAITING

    @property
    def said(self) -> dict[str, Json]:
        found: dict[str, Json] = {"handle": self.id, "state": self.state}
        if self.waits:
            found["expires_at"] = moment(self.expires)
        if self.page:
            found["page"] = self.page
        return found

    @property
    def sentence(self) -> str:
        """One sentence that a model can pass on."""
        where = _WHERE.get(self.state, "").format(page=self.page) if self.page else ""
        said = _WAITING[self.state].format(until=moment(self.expires))
        return (
            f"{said}{where}: tell the user, then call lockgate_result with the handle {self.id} "
            "or call again with identical arguments."
        )


def handle_of(one: Inquiry, console: str = "") -> Handle:
    """``console``: origin of the console, empty where there is none."""
    page = f"{console}/console/approvals/{one.id}" if console else ""
    return Handle(one.id, one.state, one.expires, page)


def url_question(handle: Handle) -> bytes:
    """Params of an elicitation by URL (MCP 2025-11-25 and 2026-07-28): the page is for people who
    sign in there, the address lets nobody in."""
    said = {
        "mode": "url",
        "message": "This call needs approval by a person. The page shows what waits, and lets "
        "those answer who may.",
        "url": handle.page,
    }
    return orjson.dumps(said)


def action_in(responses: bytes | None) -> str:
    """What the client's person did about our own question: ``accept``, ``decline``, ``cancel``, or
    nothing. Whatever else an answer holds says nothing about the approval: the client wrote it."""
    found = edit.members(responses or b"{}").get(REQUEST)
    said = orjson.loads(found) if found is not None else None
    return action_of(said)


def action_of(said: Any) -> str:
    """As ``action_in``, of one decoded answer."""
    action = said.get("action") if isinstance(said, dict) else None
    return action if isinstance(action, str) else ""


def task_of(one: Inquiry, handle: Handle, status: Status) -> dict[str, Json]:
    """What is said of a task that waits for a person (SEP-2663), but for its ``taskId``."""
    changed = max(one.created, one.decided, one.used, one.ended)
    return {
        "status": status,
        **({"statusMessage": _message(handle)} if status == "working" else {}),
        "createdAt": moment(one.created),
        "lastUpdatedAt": moment(changed),
        "ttlMs": max(0, one.kept_until - one.created),
        "pollIntervalMs": POLL_MS,
        "_meta": {META: handle.said},
    }


def encode(said: Mapping[str, Json]) -> bytes:
    return orjson.dumps(said)


def moment(ms: int) -> str:
    """UTC, in seconds (RFC 3339)."""
    return datetime.fromtimestamp(ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def _message(handle: Handle) -> str:
    if handle.state != "pending":
        return "approved, running"
    return f"awaiting approval by a person{f' at {handle.page}' if handle.page else ''}"
