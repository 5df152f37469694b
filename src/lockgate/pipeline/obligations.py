"""What policy demands beside a yes, done to the raw JSON. Each is idempotent."""

from lockgate.model import Call, Catalogue, Obligation, Reply
from lockgate.wire.edit import drop, get, is_object, members, merge
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
    """Do the obligations on a list, in one pass: mark the conditional, leave out the hidden."""
    hidden = {o.pointer for o in obligations if o.kind == "hide"}
    marked = {o.pointer for o in obligations if o.kind == "conditional"}
    kept = [
        _mark(item.raw) if item.pointer in marked else item.raw
        for item in catalogue.items
        if item.pointer not in hidden
    ]
    reply = catalogue.reply
    if kept == [item.raw for item in catalogue.items]:
        return reply
    array = METHODS[reply.call.method].array
    return Reply(reply.call, merge(reply.raw, {array: b"[" + b",".join(kept) + b"]"}))


def _mark(raw: bytes) -> bytes:
    meta = members(raw).get("_meta", b"{}")
    meta = meta if is_object(meta) else b"{}"
    if members(meta).get(CONDITIONAL) == b"true":
        return raw
    return merge(raw, {"_meta": merge(meta, {CONDITIONAL: b"true"})})
