"""What came of a call that a person approved, as it is handed to whoever asked, afterwards."""

from datetime import UTC, datetime

import orjson

from lockgate.model import Call, Reply
from lockgate.model.inquiry import Inquiry, Kept
from lockgate.wire import edit
from lockgate.wire.held import META


def kept_reply(call: Call, kept: Kept, one: Inquiry) -> Reply:
    """As if ``call``, the same that ran for ``one``, had been answered just now."""
    if kept.is_error:
        return Reply(call, kept.raw, is_error=True)
    meta = edit.get(kept.raw, "/_meta") or b"{}"
    parent = {"parent": one.parent} if one.parent else {}
    told = orjson.dumps(
        {"handle": one.id, "state": one.state, "ran_at": moment(one.used), **parent}
    )
    said = edit.merge(meta if edit.is_object(meta) else b"{}", {META: told})
    return Reply(call, edit.merge(kept.raw, {"_meta": said}))


def moment(at: int) -> str:
    """Milliseconds since the Unix epoch, as RFC 3339 writes it, in UTC."""
    return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="seconds")[:19] + "Z"
