"""A gate that speaks TLS and knows workloads, and real proxies in front of it."""

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from support.certificates import DOMAIN, Authority, Issued, client_context
from support.client import Said, Wire, enveloped, mirror, parse_answer, posted
from support.gateway import PERMIT_ALL, ROOT, Gateway, child
from support.processes import until

HOST = "gate.example"
BASE = f"https://{HOST}"
"""Where clients believe the gate to be."""
_OUTLIVES_NOBODY = (
    '"$@" </dev/null & child=$!; trap "" TERM INT; read -r _; kill $child; wait $child'
)
WORKLOADS = {
    "desk": {"spiffe": f"{DOMAIN}/desk"},
    "reporter": {"spiffe": f"{DOMAIN}/reporter", "kind": "service", "owner": "bob"},
    "batch": {"dns": "batch.example", "kind": "service", "owner": "bob"},
}
PROXIES = {
    "envoy": {"spiffe": f"{DOMAIN}/envoy", "form": "xfcc"},
    "nginx": {"subject": "CN=nginx", "form": "nginx"},
    "balancer": {"dns": "balancer.example", "form": "client-cert"},
}


class Front:
    """``gate`` is not started here."""

    def __init__(
        self,
        folder: Path,
        policy: str = PERMIT_ALL,
        ask: str = "optional",
        **listen: Any,
    ) -> None:
        """``ask``: ``listen.tls.client_certificate``."""
        self.folder = folder
        self.authority = Authority("Clinic")
        self.stranger = Authority("Clinic")
        """Of the same name, and not trusted."""
        self.server = self.authority.issue("gate", dns=(HOST, "localhost"))
        self.server.write(folder, "gate")
        self.ca = self.authority.write(folder / "ca.pem")
        self.crl = folder / "crl.pem"
        self.revoke()
        named = {"certificate": "gate.pem", "key": "gate.key", "client_ca": "ca.pem",
                 "client_crl": "crl.pem"}  # fmt: skip
        tls = {name: str(folder / file) for name, file in named.items()}
        tls["client_certificate"] = ask
        self.gate = Gateway(
            folder / "gate", {"echo": child("modern")}, policy, workloads=WORKLOADS,
            limits={"calls_per_minute": 1_000_000, "burst": 1_000_000},  # clients wait by asking
            listen={"port": 0, "hosts": [HOST], "tls": tls, "proxies": PROXIES, **listen},
        )  # fmt: skip
        self.alice = self.gate.key("alice")

    def revoke(self, *revoked: Issued, **odd: Any) -> None:
        new = self.crl.with_suffix(".new")
        new.write_text(self.authority.revoke(*revoked, **odd))
        new.replace(self.crl)

    @property
    def port(self) -> int:
        return int(self.gate.base.rpartition(":")[2])

    def context(self, shown: Issued | None) -> ssl.SSLContext:
        """Of a client that shows this certificate."""
        files = shown.write(self.folder / "shown", shown.name) if shown else None
        return client_context(self.ca, files)

    async def ask(
        self, shown: Issued | None = None, key: str = "", at: int = 0, **headers: str
    ) -> Said | None:
        """List the tools over a new connection to the gate, or to the proxy at that port. None:
        there was no connection. ``headers``: written with underscores."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": enveloped(None)}
        sent = mirror("tools/list", {}) | {"connection": "close"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["authorization"] = f"Bearer {key}"
        raw = _post(json.dumps(body).encode(), sent)
        try:
            async with self.wire(shown, at) as wire:
                await wire.send(raw)
                said = await wire.rest()
        except (ssl.SSLError, ConnectionError):
            return None
        return parse_answer(said) if said else None

    @asynccontextmanager
    async def wire(self, shown: Issued | None = None, at: int = 0) -> AsyncIterator[Wire]:
        """A connection to the gate, or to the proxy at that port."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", at or self.port, ssl=self.context(shown), server_hostname="localhost"
        )
        try:
            yield Wire(reader, writer)
        finally:
            writer.close()

    async def reason(self, *asked: Any, **more: Any) -> str:
        """Of the refusal; empty where the tools were listed."""
        said = await self.ask(*asked, **more)
        if said is None:
            return "no connection"
        assert (said.status == 200) == (said.reason == ""), said.text
        return said.reason

    def who(self) -> list[dict[str, Any]]:
        """Everybody whose call is in the journal, in order."""
        return [row.slots["actor"] for row in self.gate.rows(kind="call.intent")]

    def counted(self, reason: str) -> int:
        """Refusals for this reason in the journal."""
        rows = self.gate.rows(kind="auth.refused")
        return sum(row.header["reasons"].get(reason, 0) for row in rows)

    @contextmanager
    def envoy(self, own: Issued | None = None) -> Iterator[int]:
        """The port of an Envoy that shows the gate ``own``, or no certificate."""
        port = free_port()
        file = self.folder / "envoy.json"
        file.write_text(json.dumps(_envoy(self, port, own)))
        program = str(ROOT / ".tools/servers/bin/envoy")
        argv = [program, "-c", str(file), "--concurrency", "1", "--use-dynamic-base-id"]
        with _running([*argv, "--log-level", "warning"], self.folder / "envoy.log", port):
            yield port

    @contextmanager
    def nginx(self, own: Issued | None = None, verify: str = "optional") -> Iterator[int]:
        """The same for nginx. ``verify``: its ``ssl_verify_client``."""
        port = free_port()
        file = self.folder / "nginx.conf"
        file.write_text(_nginx(self, port, own, verify))
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, "nginx is missing: run scripts/setup_servers.sh"
        argv = [program, "-p", str(self.folder), "-e", "stderr", "-c", str(file)]
        with _running(argv, self.folder / "nginx.log", port):
            yield port

    @contextmanager
    def haproxy(self, own: Issued) -> Iterator[int]:
        """The same for HAProxy, by the recipe of docs/certificates.md, but for its places."""
        port = free_port()
        file = self.folder / "haproxy.cfg"
        file.write_text(_haproxy(self, port, own))
        program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, "haproxy is missing: run scripts/setup_servers.sh"
        argv = [program, "-db", "-f", str(file)]
        with _running(argv, self.folder / "haproxy.log", port):
            yield port


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _post(body: bytes, headers: dict[str, str]) -> bytes:
    key = headers.pop("authorization", "").removeprefix("Bearer ")
    raw = posted(BASE, "/mcp", key or "none", body, headers)
    return raw if key else raw.replace(b"authorization: Bearer none\r\n", b"")


@contextmanager
def _running(argv: list[str], log: Path, port: int) -> Iterator[None]:
    """Until the block is left, or this process ends, however it does."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["sh", "-c", _OUTLIVES_NOBODY, "sh", *argv],
            stdin=subprocess.PIPE, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: _answers(process, port, log), 30)
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(process: "subprocess.Popen[bytes]", port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def _envoy(front: Front, port: int, own: Issued | None) -> dict[str, Any]:
    downstream = {
        "common_tls_context": {
            "tls_certificates": [_files(*front.server.write(front.folder, "gate"))],
            "validation_context": {"trusted_ca": {"filename": str(front.ca)}},
        }
    }
    shown = [_files(*own.write(front.folder, "envoy"))] if own else []
    upstream = {
        "sni": "localhost",
        "common_tls_context": {
            "tls_certificates": shown,
            "validation_context": {"trusted_ca": {"filename": str(front.ca)}},
        },
    }
    manager = {
        "stat_prefix": "front",
        "use_remote_address": True,
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {
            "cert": True, "chain": True, "subject": True, "uri": True, "dns": True,
        },
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": _typed(
                "envoy.extensions.filters.http.router.v3.Router", {})}
        ],
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "gate"}}],
        }]},
    }  # fmt: skip
    network = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    sockets = "envoy.extensions.transport_sockets.tls.v3."
    listener = {
        "address": _address(port),
        "filter_chains": [{
            "filters": [{"name": "http", "typed_config": _typed(network, manager)}],
            "transport_socket": {"name": "tls", "typed_config": _typed(
                f"{sockets}DownstreamTlsContext", downstream)},
        }],
    }  # fmt: skip
    cluster = {
        "name": "gate", "type": "STATIC",
        "load_assignment": {"cluster_name": "gate", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": _address(front.port)}}]}]},
        "transport_socket": {"name": "tls", "typed_config": _typed(
            f"{sockets}UpstreamTlsContext", upstream)},
    }  # fmt: skip
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _typed(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/{name}", **value}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _files(certificate: Path, key: Path) -> dict[str, Any]:
    return {
        "certificate_chain": {"filename": str(certificate)},
        "private_key": {"filename": str(key)},
    }


def _nginx(front: Front, port: int, own: Issued | None, verify: str) -> str:
    folder = front.folder
    shown = own.write(folder, "nginx") if own else None
    ours = (
        f"proxy_ssl_certificate {shown[0]}; proxy_ssl_certificate_key {shown[1]};" if shown else ""
    )
    places = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off;
{places}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/gate.pem; ssl_certificate_key {folder}/gate.key;
    ssl_client_certificate {front.ca}; ssl_verify_client {verify};
    location / {{
      proxy_pass https://127.0.0.1:{front.port};
      {ours}
      proxy_ssl_trusted_certificate {front.ca}; proxy_ssl_verify on; proxy_ssl_name localhost;
      proxy_ssl_server_name on;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Ssl-Client-Cert $ssl_client_escaped_cert;
    }}
  }}
}}
"""


def _haproxy(front: Front, port: int, own: Issued) -> str:
    documented = (ROOT / "docs" / "certificates.md").read_text()
    text = documented.partition("```haproxy\n")[2].partition("```")[0]
    places = {
        "bind :443": f"bind 127.0.0.1:{port}",
        "gate.internal:8443": f"127.0.0.1:{front.port}",
        "str(gate.internal)": "str(localhost)",
        "verifyhost gate.internal": "verifyhost localhost",
        "/etc/haproxy/gate.pem": _with_key(front.server, front.folder / "haproxy-gate.pem"),
        "/etc/haproxy/balancer.pem": _with_key(own, front.folder / "haproxy-own.pem"),
        "/etc/haproxy/clients-ca.pem": str(front.ca),
        "/etc/haproxy/gate-ca.pem": str(front.ca),
    }
    for place, here in places.items():
        assert text.count(place) == 1, place
        text = text.replace(place, here)
    return text


def _with_key(one: Issued, file: Path) -> str:
    certificate, key = one.write(file.parent, file.stem)
    file.write_text(certificate.read_text() + key.read_text())
    return str(file)
