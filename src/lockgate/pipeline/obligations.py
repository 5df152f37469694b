"""What policy demands beside a yes, done to the raw JSON. Each is idempotent."""

from lockgate.model import Call, Catalogue, Obligation, Reply
from lockgate.wire.edit import drop, drop_items, get, put
from lockgate.wire.methods import METHODS

ON_CALL = frozenset({"drop"})
ON_LIST = frozenset({"hide", "conditional"})

CONDITIONAL = "lockgate/conditional"
"""``_meta`` key of a listed entry whose use depends on the arguments."""


def rewrite(call: Call, obligations: tuple[Obligation, ...]) -> Call:
    """Do the obligations on a call. The same object comes back when there was nothing to do."""
    params = call.params
    for owed in obligations:
        if owed.kind == "drop" and get(params, owed.pointer) is not None:
            params = drop(params, owed.pointer)
    return call if params == call.params else call.rewritten(params)


def reshape(catalogue: Catalogue, obligations: tuple[Obligation, ...]) -> Reply:
    """Do the obligations on a list: mark conditional entries, then remove hidden ones."""
    reply = catalogue.reply
    raw = reply.raw
    for owed in obligations:
        if owed.kind == "conditional":
            raw = _mark(raw, owed.pointer)
    hidden = [int(o.pointer.rsplit("/", 1)[1]) for o in obligations if o.kind == "hide"]
    if hidden:
        raw = drop_items(raw, f"/{METHODS[reply.call.method].array}", hidden)
    return reply if raw == reply.raw else Reply(reply.call, raw)


def _mark(raw: bytes, pointer: str) -> bytes:
    return put(raw, f"{pointer}/_meta/{CONDITIONAL.replace('/', '~1')}", b"true")
