"""uvicorn's server, ending in order and accepting also from a socket that several workers share."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from lockgate.app.seat import Door, Greeter, greet


class Server(uvicorn.Server):
    """Says when it answers, and leaves the rest of an orderly end to its caller."""

    def __init__(
        self, config: uvicorn.Config, stopping: Callable[[], None], greeter: Greeter | None = None
    ) -> None:
        """``greeter``: of connections that begin with a TLS handshake."""
        super().__init__(config)
        self.ready: Callable[[], None] = _silently
        self.shared = False
        """Other workers accept from the same socket."""
        self._stopping = stopping
        """Ends what would go on for as long as its client likes."""
        self._greeter = greeter
        self._door: Door | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        own_door = self.shared or self._greeter is not None
        await super().startup([] if own_door else sockets)
        if self.started:
            if own_door and sockets:
                self._door = Door(sockets[0], self._connection, self._greeter or greet)
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        if self._door is not None:
            self._door.close()
        await super().shutdown(sockets)

    def _connection(self) -> asyncio.Protocol:
        """As uvicorn makes one for each connection that it accepts itself."""
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        with self.capture_signals():
            await self._serve(sockets)
            # Obeyed. uvicorn would raise them again, which ends the process before the journal
            # is written to its end and the upstreams are gone.
            self._captured_signals.clear()


def _silently() -> None:
    """Nobody waits for it."""
