"""What is asked and what must come back. Every call has a text of its own."""

from typing import Any, Literal

import msgspec
import orjson

Dialect = Literal["modern", "legacy"]

MODERN, LEGACY = "2026-07-28", "2025-11-25"
ACCEPT = "application/json, text/event-stream"
_META = "io.modelcontextprotocol/"
_ENVELOPE = {
    f"{_META}protocolVersion": MODERN,
    f"{_META}clientCapabilities": {},
    f"{_META}clientInfo": {"name": "bench", "version": "1"},
}
_WORDS = (
    "The invoice of the second quarter was paid late, and nobody asked why. Ms. O'Brien wrote: "
    '"please send it again", so we did; the amount (1,024.50) is unchanged. '
)
_REGIONS = ("eu", "us", "apac")

INPUT_SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 4_000_000},
        "region": {"type": "string", "enum": list(_REGIONS)},
        "days": {"type": "integer", "minimum": 1, "maximum": 31},
        "amount": {"type": "integer"},
    },
    "required": ["text", "region"],
    "additionalProperties": False,
}


class Ask(msgspec.Struct, frozen=True):
    """One request and the text its reply must hold."""

    number: int
    body: bytes
    text: str


def request(number: int, tool: str, size: int, dialect: Dialect) -> Ask:
    """A ``tools/call`` whose body has some ``size`` bytes. The tool echoes ``text``."""
    text = _text(number, max(0, size - _around(tool, dialect)))
    return Ask(number, _body(number, tool, text, dialect), text)


def _around(tool: str, dialect: Dialect) -> int:
    return len(_body(1_000_000, tool, "", dialect))


def _body(number: int, tool: str, text: str, dialect: Dialect) -> bytes:
    arguments = {
        "text": text, "region": _REGIONS[number % 3], "days": 1 + number % 28, "amount": number,
    }  # fmt: skip
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    if dialect == "modern":
        params["_meta"] = _ENVELOPE
    said = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    return orjson.dumps(said)


def _text(number: int, size: int) -> str:
    """No two alike, so that nothing is answered from memory by anybody."""
    start = number % len(_WORDS)
    times = size // len(_WORDS) + 2
    return f"{number} {(_WORDS * times)[start : start + size]}"[: max(size, len(str(number)))]


def headers(tool: str, dialect: Dialect, session: str = "") -> dict[str, str]:
    """MCP's own headers for one such call."""
    said = {"content-type": "application/json", "accept": ACCEPT}
    if dialect == "modern":
        return {**said, "mcp-protocol-version": MODERN, "mcp-method": "tools/call",
                "mcp-name": tool}  # fmt: skip
    said["mcp-protocol-version"] = LEGACY
    return {**said, "mcp-session-id": session} if session else said


def fault(ask: Ask, status: int, body: bytes) -> str:
    """Why this is not the answer to ``ask``; empty where it is. ``body``: JSON, or one event
    stream whose last message is the answer."""
    if status != 200:
        return f"HTTP {status}: {body[:200]!r}"
    try:
        said = orjson.loads(_last_event(body) if not body.startswith(b"{") else body)
    except orjson.JSONDecodeError:
        return f"not JSON: {body[:200]!r}"
    if said.get("id") != ask.number:
        return f"answer to {said.get('id')!r} instead of {ask.number}"
    result = said.get("result")
    if not isinstance(result, dict) or result.get("isError"):
        return f"no result: {body[:300]!r}"
    content = result.get("content")
    if content != [{"type": "text", "text": ask.text}] and not _is_text(content, ask.text):
        return f"another text than was sent: {body[:200]!r}"
    return ""


def _is_text(content: Any, text: str) -> bool:
    """Some proxies add null members to a block."""
    if not isinstance(content, list) or len(content) != 1 or not isinstance(content[0], dict):
        return False
    return content[0].get("type") == "text" and content[0].get("text") == text


def _last_event(body: bytes) -> bytes:
    lines = [line for line in body.splitlines() if line.startswith(b"data:")]
    return lines[-1][5:] if lines else body
