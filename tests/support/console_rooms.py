"""What rooms of the console show, in tests: calls on record, keys, upstreams."""

from typing import Any

import orjson

from lockgate.control_plane.services.upstream_rows import ToolRow, UpstreamRow
from lockgate.model import AuditEvent, EventKind, KeyRecord
from support.console_desk import ConsoleDesk

DAY = 86_400_000
TOOL = ToolRow("send", "Sends a letter.", "a1b2c3d4e5f6a7b8", "data-owner")
MAIL = UpstreamRow(
    "mail", "http", "/mcp/mail", "internal", "eu", ("letters",), "principal", "account", "open",
    "", 2, 1, ("2026-07-28",), (TOOL,),
)  # fmt: skip
BROKEN = UpstreamRow(
    "ledger", "stdio", "/mcp/ledger", "untrusted", "", (), "shared", "static", "failing",
    "upstream.crashed", 0, 0, (), (),
)  # fmt: skip


def put_call(
    desk: ConsoleDesk,
    call: str,
    effect: str = "permit",
    reason: str = "policy.permitted",
    outcome: str = "",
    **more: Any,
) -> None:
    """One call on record, judged like this; ``outcome``: reason of one that went on. ``more``: of
    its header, and ``who``, ``agent``, ``args``, ``at``."""
    at = more.pop("at", desk.now_ms())
    actor = {"kind": "person", "subject": more.pop("who", "alice"), "agent": more.pop("agent", "")}
    slots: Any = {"actor": orjson.dumps(actor), "args": orjson.dumps(more.pop("args", {})),
                  "net": b'{"peer":"192.0.2.9"}'}  # fmt: skip
    said = {"method": "tools/call", "upstream": "mail", "target": "send", **more}
    verdict = {"control": "policy.cedar", "effect": effect, "reason": reason}
    judged = {"verdicts": [verdict], "facts": {"clock.now": {"known": at}}, **said}
    _put(desk, f"{call}-1", call, "call.intent", at, effect, reason, judged, slots)
    if outcome:
        ends = "permit" if outcome == "policy.permitted" else "deny"
        result = {"result": b'{"content":[]}'}
        _put(desk, f"{call}-2", call, "call.outcome", at + 120, ends, outcome, said, result)


def _put(desk: ConsoleDesk, id: str, call: str, kind: EventKind, at: int, effect: str, reason: str,
         header: Any, slots: Any) -> None:  # fmt: skip
    desk.events.append([AuditEvent(id, call, kind, at, effect, reason, header, slots)])


def put_key(desk: ConsoleDesk, id: str = "abcdefghijkl", **more: Any) -> KeyRecord:
    said = {"kind": "personal", "owner": "carol", "subject": "carol", "agent": "",
            "roles": frozenset({"developer"}), "hash": "h" * 64, "created": desk.now_ms() - DAY,
            "expires": desk.now_ms() + 30 * DAY, **more}  # fmt: skip
    record = KeyRecord(id=id, **said)
    desk.keys.add(record)
    return record
