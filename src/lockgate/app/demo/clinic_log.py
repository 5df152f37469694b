"""The clinic's own record of who asked it for what: evidence that is not the gateway's."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext


class AccessLog(NamedTuple):
    """Middleware: a line in ``file`` for each ``tools/call`` that arrives, before anything looks at
    its arguments. Several processes may write to one file."""

    file: Path

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        if ctx.method == "tools/call":
            name = str((ctx.params or {}).get("name"))
            with self.file.open("a") as log:
                log.write(name.encode("unicode_escape").decode()[:100] + "\n")
        return await call_next(ctx)


def read_log(file: Path) -> Counter[str]:
    """How often each tool was called; nothing where there is no file yet."""
    return Counter(file.read_text().splitlines() if file.exists() else ())
