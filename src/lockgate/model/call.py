"""One MCP request, decoded and attributed."""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec
import orjson

from lockgate.model.canonical import Json, canonical
from lockgate.model.principal import Principal
from lockgate.model.terms import Terms
from lockgate.model.tool import Tool
from lockgate.model.upstream import Upstream

EraName = Literal["legacy", "modern"]


class Envelope(msgspec.Struct, frozen=True):
    """How the call came. Self-declared by the client, so never an input to policy."""

    era: EraName = "modern"
    version: str = "2026-07-28"
    client: str = ""
    """``clientInfo`` as ``name/version``."""
    capabilities: bytes = b"{}"
    """The client's own declared capabilities, raw."""
    endpoint: str = "/mcp"
    peer: str = ""
    """Network address of the caller. Personal data: recorded only in the ``net`` slot."""
    progress: bool = False
    """The client asked for progress."""
    log_level: str = ""
    """The least severe level of log messages the client wants (RFC 5424 names); empty: none."""
    session: str = ""
    """Id of the legacy client's session; empty for modern clients."""
    asks: bytes = b"{}"
    """``capabilities`` cut down to what an upstream may ask of the client, in one spelling."""

    def terms(self, holder: str) -> Terms:
        """On what terms connections are held for calls that come like this."""
        if self.asks == b"{}":
            return Terms(holder)
        return Terms(holder, self.era, self.asks, self.session)


class Call(msgspec.Struct, frozen=True):
    """One MCP request by one principal to one upstream. Nobody downstream re-reads the wire.

    ``digest`` names exactly this call by this principal, computed once. Permits and approvals are
    bound to it. It covers ``params`` whole; the per-request protocol envelope is not part of them.
    """

    id: str
    principal: Principal
    method: str
    """As the specification spells it: ``tools/call``, ``resources/read`` ..."""
    upstream: Upstream
    target: str
    """Tool or prompt name or resource URI as the upstream knows it; empty for lists."""
    params: bytes = b"{}"
    """The raw JSON object that will be sent, without the protocol's own ``_meta`` keys."""
    tool: Tool | None = None
    envelope: Envelope = Envelope()
    origin: str = ""
    """Digest of the call as the client made it, where an obligation has changed it since."""
    part_of: str = ""
    """Id of the call that is the first part of the same request: a list over several upstreams."""
    digest: str = ""
    decoded: Mapping[str, Any] = {}

    def __post_init__(self) -> None:
        decoded = orjson.loads(self.params)
        msgspec.structs.force_setattr(self, "decoded", decoded)
        msgspec.structs.force_setattr(self, "digest", _digest(self))

    @property
    def terms(self) -> Terms:
        """Whose connection to the upstream carries this call."""
        return self.envelope.terms(self.principal.holder)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The tool or prompt arguments, decoded; empty where the method has none."""
        found = self.decoded.get("arguments")
        return found if isinstance(found, dict) else {}

    def rewritten(self, params: bytes) -> "Call":
        """The call an obligation made of this one: a new call with a new digest, judged anew."""
        return msgspec.structs.replace(self, params=params, origin=self.origin or self.digest)


def _digest(call: Call) -> str:
    place = [call.upstream.name, call.upstream.fingerprint]
    who = [call.principal.id, call.principal.agent, call.method, *place, call.target]
    body = orjson.dumps(who) + canonical(call.params, cast("Json", call.decoded))
    return hashlib.sha256(b"lockgate/call/v1\0" + body).hexdigest()
