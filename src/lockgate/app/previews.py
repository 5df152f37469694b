"""Previews of held calls: Lockgate's own calls to what an upstream offers for that."""

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import orjson

from lockgate.app.gateway import State
from lockgate.app.stamps import stamp
from lockgate.approval.payload import StoredCall
from lockgate.approval.preview import NoPreview, PreviewRule, arguments_for
from lockgate.model import SYSTEM, Call, JournalDown, Reply
from lockgate.pipeline.resolve import ToolBook
from lockgate.pipeline.run import SILENT, Refused, run

LONGEST = 20_000
"""Characters that are shown."""
FRESH_SECONDS = 30.0
"""How long what an upstream said is shown again: pages ask for it whenever anything changes."""

Rules = Mapping[tuple[str, str], PreviewRule]
"""By upstream and held tool."""
Stands = Callable[[StoredCall, int], bool]
"""Whether whoever asked would be let in still. With when: milliseconds since the Unix epoch."""


class _Asked(msgspec.Struct, frozen=True):
    at: float
    said: "asyncio.Future[str]"


class Previews:
    """The call is the ``system`` principal's, over the connection of whoever asked: policy must
    permit it, and it is inspected and recorded as every call."""

    def __init__(
        self,
        rules: Callable[[], Rules],
        state: Callable[[], State],
        tools: ToolBook,
        stands: Stands,
    ) -> None:
        self._rules = rules
        self._state = state
        self._tools = tools
        self._stands = stands
        self._asked: dict[tuple[str, bytes], _Asked] = {}
        """By the held call and what it would send. Only those that are fresh."""

    def offered(self, upstream: str, tool: str) -> bool:
        return (upstream, tool) in self._rules()

    async def preview(self, held: StoredCall, asked: int) -> str:
        """``asked``: when. Raises ``NoPreview``."""
        rule = self._rules().get((held.upstream.name, held.target))
        if rule is None:
            raise NoPreview("this tool has none")
        if not self._stands(held, asked):  # nor is their connection used any more
            raise NoPreview("whoever asked is not let in any more")
        now = asyncio.get_running_loop().time()
        self._asked = {k: one for k, one in self._asked.items() if now - one.at < FRESH_SECONDS}
        key = (held.id, held.params)
        if key not in self._asked:
            asking = asyncio.create_task(self._ask(held, rule))
            asking.add_done_callback(_noticed)
            self._asked[key] = _Asked(now, asking)
        # Whoever leaves the page takes nothing from others who look at it.
        return await asyncio.shield(self._asked[key].said)

    async def _ask(self, held: StoredCall, rule: PreviewRule) -> str:
        call = self._call(held, rule)
        try:
            answer = await run(call, self._state().gate, SILENT)
        except JournalDown:
            raise NoPreview("nothing can be recorded now") from None
        if isinstance(answer, Refused):
            raise NoPreview(f"it was refused: {answer.reason}")
        said = answer.said
        if not isinstance(said, Reply) or said.is_error:
            raise NoPreview("the upstream answered with an error")
        return _text(said)

    def _call(self, held: StoredCall, rule: PreviewRule) -> Call:
        place = self._state().resolver.upstreams.get(held.upstream.name)
        terms = held.call().terms
        tool = self._tools.get(held.upstream.name, terms, rule.tool)
        if place != held.upstream or tool is None:
            raise NoPreview(f"{held.upstream.name} does not offer {rule.tool} now")
        arguments = arguments_for(rule, held.arguments)
        params = orjson.dumps({"name": rule.tool, "arguments": arguments})
        ours = msgspec.structs.replace(SYSTEM, on_behalf=held.principal.holder)
        return Call(stamp().id, ours, "tools/call", place, rule.tool, params, tool, held.envelope)


def _noticed(asked: "asyncio.Task[str]") -> None:
    """Also where nobody waits for it any more."""
    if not asked.cancelled():
        asked.exception()


def _text(said: Reply) -> str:
    parts = said.decoded.get("content", [])
    texts = [part.get("text", "") for part in parts if isinstance(part, dict)]
    found = "\n".join(text for text in texts if isinstance(text, str))
    return found if len(found) <= LONGEST else f"{found[:LONGEST]} ... ({len(found)} characters)"
