"""TLS handshakes at the door. Those that fail are counted under the reason why."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from lockgate.app.seat import Protocols

log = logging.getLogger("lockgate.ingress")

_SHUTDOWN_SECONDS = 2.0
_NO_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE"


class TlsGreeter:
    """``context``: of the next handshake; ``seconds``: how long one may take; ``refused``: told
    reason and peer."""

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        seconds: float,
        refused: Callable[[str, str], None],
    ) -> None:
        self._context = context
        self._seconds = seconds
        self._refused = refused

    async def __call__(self, protocol: Protocols, connection: socket.socket) -> None:
        try:
            peer = str(connection.getpeername()[0])
        except OSError:  # it has left again
            connection.close()
            return
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                protocol,
                connection,
                ssl=self._context(),
                ssl_handshake_timeout=self._seconds,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
        except (OSError, EOFError) as failure:
            connection.close()
            reason = reason_of(failure)
            if reason:
                # The client hears nothing: the loop closes before it sends OpenSSL's alert.
                log.info("TLS handshake refused: %s (%s)", reason, failure)
                self._refused(reason, peer)


def reason_of(failure: Exception) -> str:
    """Empty where the client has merely left."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return "auth.certificate"
    if isinstance(failure, ssl.SSLError):
        return "auth.missing" if failure.reason == _NO_CERTIFICATE else "wire.not-tls"
    if isinstance(failure, TimeoutError | ConnectionAbortedError):
        return "wire.too-slow"
    return ""
