"""Opens links of either kind, and keeps what an upstream's links have in common."""

from collections.abc import Callable

from pyreqwest.client import Client

from lockgate.upstream.child import Tail
from lockgate.upstream.link import Link
from lockgate.upstream.opening import EraMemory
from lockgate.upstream.send_http import build_client, open_http
from lockgate.upstream.send_stdio import open_stdio
from lockgate.upstream.target import Bounds, HttpTarget, Registered, StdioTarget


class Connector:
    """One pool of HTTP connections an upstream, one memory of eras, one tail of stderr lines."""

    def __init__(
        self,
        build: Callable[[Bounds], Client] = build_client,
        memory: EraMemory | None = None,
    ) -> None:
        self._build = build
        self._memory = memory or EraMemory()
        self._clients: dict[str, tuple[HttpTarget, Client]] = {}
        self._tails: dict[str, Tail] = {}

    async def __call__(self, registered: Registered) -> Link:
        """Raises ``SendFailed``."""
        target = registered.target
        if isinstance(target, StdioTarget):
            tail = self._tails.setdefault(registered.name, Tail())
            return await open_stdio(registered, target, self._memory, tail)
        client = self._client(registered, target)
        return await open_http(registered, target, client, self._memory)

    def stderr_tail(self, name: str) -> tuple[str, ...]:
        """The last lines that this upstream's programs wrote to stderr. For operators only."""
        tail = self._tails.get(name)
        return tail.lines() if tail else ()

    async def close(self) -> None:
        """After all links are closed."""
        for _, client in self._clients.values():
            await client.close()
        self._clients.clear()

    def _client(self, registered: Registered, target: HttpTarget) -> Client:
        known, client = self._clients.get(registered.name, (None, None))
        if client is None or known != target:
            # The old one goes with the last link that still uses it.
            client = self._build(registered.bounds)
            self._clients[registered.name] = (target, client)
        return client
