"""A whole house for upstream credentials: a real OIDC provider, a server that demands its tokens,
a gateway before both."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import msgspec

from support import scim_gateway
from support.gateway import Gateway
from support.oidc_provider import CLIENTS, Provider, running_provider

SERVER = str(Path(__file__).parent / "guarded_server.py")
GATE, SIGN_IN = "lockgate", "lockgate-console"
SECRET = "secret-of-lockgate-" + "y" * 24
_ENVIRONMENT = {"GATE_SECRET": SECRET, "SCIM_SECRET": scim_gateway.SECRET}


class House(msgspec.Struct, frozen=True):
    provider: Provider
    upstream: str
    gate: Gateway


@contextmanager
def guarded_server(issuer: str, *tls: str) -> Iterator[str]:
    """Its MCP endpoint."""
    process = subprocess.Popen(
        [sys.executable, SERVER, issuer, *tls], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def house(
    folder: Path,
    credential: Mapping[str, Any],
    *,
    workers: int = 1,
    console: bool = False,
    people: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> Iterator[House]:
    """``credential``: what joins ``issuer`` and ``client`` in it. ``console``: people sign in to
    it, at the same provider. ``people``: the gateway's section of that name. ``settings`` of the
    provider."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    robot = {"client_secret": SECRET, "redirect_uris": [], "response_types": [],
             "grant_types": ["client_credentials"]}  # fmt: skip
    with (
        running_provider(
            clients={**CLIENTS, GATE: robot, SIGN_IN: signing_in(base)}, **settings
        ) as provider,
        guarded_server(provider.issuer) as upstream,
    ):
        gate = Gateway(
            folder,
            {"guarded": {"url": upstream, "credential": {
                "issuer": provider.issuer,
                "client": {"id": GATE, "secret": "env:GATE_SECRET"},
                "scopes": ["mcp:tools"],
                **credential,
            }}},
            listen={"port": port, "workers": workers},
            console=({"issuer": provider.issuer, "origin": base, "client_id": SIGN_IN,
                      "client_secret": "env:GATE_SECRET"} if console else {}),
            fetch={"internal": [provider.issuer, origin(upstream)]},
            people=dict(people),
        )  # fmt: skip
        gate.environment |= _ENVIRONMENT
        gate.key("alice"), gate.key("bob")
        with gate:
            provider.put_client(
                {"client_id": GATE, "client_secret": SECRET,
                 "redirect_uris": [f"{gate.base}/connect/callback"],
                 "grant_types": ["authorization_code", "refresh_token", "client_credentials"]}
            )  # fmt: skip
            yield House(provider, upstream, gate)


def signing_in(base: str) -> dict[str, Any]:
    """The client that a gateway at ``base`` is where people sign in to it."""
    return {"client_secret": SECRET, "grant_types": ["authorization_code"],
            "redirect_uris": [f"{base}/console/callback"]}  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def link_in(text: str) -> str:
    """The link that a refusal gives."""
    found = re.search(r"<(http[^>]+)>", text)
    assert found, text
    return found[1]
