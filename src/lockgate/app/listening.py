"""The socket that clients reach."""

import socket

from lockgate.app.settings import Settings

_BACKLOG = 512


def listen_at(settings: Settings) -> socket.socket:
    return listen(settings.listen.host, settings.listen.port)


def listen(host: str, port: int) -> socket.socket:
    """Raises ``OSError`` where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
