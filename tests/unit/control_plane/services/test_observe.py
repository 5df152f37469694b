import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from lockgate.control_plane.services.deployment import Deployment, Machine, TlsFiles, UpstreamPlan
from lockgate.control_plane.services.observe import (
    see_clients,
    see_dates,
    see_path,
    see_port,
    see_secrets,
    see_upstream,
)
from support.certificates import HOUR, Authority


@contextmanager
def answering(status: int, body: bytes, tls: Path | None = None) -> Iterator[int]:
    """``tls``: a folder for the certificate of a server that speaks it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*Authority().issue("gate").write(tls, "gate"))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, tmp_path, {"PATH": "/usr/bin:/bin", "SET": "x"}, "linux", "a")


def test_paths(tmp_path: Path) -> None:
    file = tmp_path / "a"
    assert not see_path(file).exists
    file.write_text("")
    file.chmod(0o640)
    assert (see_path(file).exists, see_path(file).mode, see_path(file).ours) == (True, 0o640, True)


def test_secrets_are_those_referred_to_and_those_kept(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "pepper.key").write_text("")
    plan = UpstreamPlan("a", ("x",), env={"A": "file:/run/a", "B": "env:B", "C": "env:"})
    made = Deployment(tmp_path, tmp_path, "127.0.0.1", 1, "u", (plan,))
    assert [p.path for p in see_secrets(made)] == ["/run/a", str(tmp_path / "secrets/pepper.key")]
    files = TlsFiles(Path("/run/gate.pem"), Path("/run/gate.key"))
    with_tls = msgspec.structs.replace(made, tls=files)
    assert "/run/gate.key" in [p.path for p in see_secrets(with_tls)]


def test_a_free_port() -> None:
    assert not see_port("127.0.0.1", free_port(), 1).taken


def test_a_lockgate_that_is_ready_or_not() -> None:
    with answering(200, b'{"status":"ready","service":"lockgate"}') as port:
        seen = see_port("0.0.0.0", port)  # noqa: S104
        assert (seen.taken, seen.lockgate, seen.ready, seen.detail) == (True, True, True, "")
    with answering(503, b'{"service":"lockgate","broken":["journal"]}') as port:
        seen = see_port("127.0.0.1", port)
        assert (seen.lockgate, seen.ready) == (True, False)
        assert "journal" in seen.detail


def test_until_when_certificates_and_lists_hold(tmp_path: Path) -> None:
    ca = Authority()
    issued = ca.issue("gate")
    certificate, key = issued.write(tmp_path, "gate")
    lists = tmp_path / "crl.pem"
    lists.write_text(ca.revoke(until=2 * HOUR) + ca.revoke(until=HOUR))
    shown, revoked = see_dates(TlsFiles(certificate, key, lists))
    until = issued.certificate.not_valid_after_utc.timestamp()
    assert (shown.name, shown.until, shown.trouble) == ("certificate", until * 1000, "")
    assert (revoked.name, revoked.trouble) == ("revocation", "")
    assert abs(revoked.until / 1000 - until) < 60, "the first of them that ends"
    lists.write_text("odd")
    absent, odd = see_dates(TlsFiles(tmp_path / "absent", key, lists))
    assert (absent.trouble, bool(odd.trouble)) == ("No such file or directory", True)
    assert see_dates(None) == ()


def test_a_lockgate_that_speaks_tls(tmp_path: Path) -> None:
    with answering(200, b'{"status":"ready","service":"lockgate"}', tmp_path) as port:
        assert see_port("127.0.0.1", port, tls=True).ready
    with answering(200, b'{"status":"ready","service":"lockgate"}') as port:
        seen = see_port("127.0.0.1", port, tls=True)
        assert (seen.taken, seen.lockgate) == (True, False)


@pytest.mark.parametrize("body", [b"hello", b"[]", b'{"status":"ready"}'])
def test_another_program_on_the_port(body: bytes) -> None:
    with answering(200, body) as port:
        seen = see_port("127.0.0.1", port)
    assert (seen.taken, seen.lockgate) == (True, False)


def test_something_that_does_not_speak_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen = see_port("127.0.0.1", listener.getsockname()[1], 0.05)
    assert (seen.taken, seen.lockgate) == (True, False)


def test_programs(machine: Machine, tmp_path: Path) -> None:
    assert see_upstream(UpstreamPlan("a", ("sh",)), machine).found
    assert not see_upstream(UpstreamPlan("a", ("no-such-program",)), machine).found
    assert not see_upstream(UpstreamPlan("a", ("sh",), env={"PATH": "/nowhere"}), machine).found
    own = tmp_path / "run"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o700)
    assert see_upstream(UpstreamPlan("a", ("./run",), cwd=str(tmp_path)), machine).found


def test_hosts(machine: Machine) -> None:
    with answering(200, b"") as port:
        assert see_upstream(UpstreamPlan("a", url=f"http://127.0.0.1:{port}/mcp"), machine, 1).found
    gone = see_upstream(UpstreamPlan("a", url=f"http://127.0.0.1:{free_port()}/mcp"), machine, 1)
    assert not gone.found
    assert not see_upstream(UpstreamPlan("a", url="http://[bad/"), machine, 1).found


def test_references_that_lead_nowhere(machine: Machine) -> None:
    plan = UpstreamPlan("a", ("sh",), env={"A": "env:GONE", "B": "file:/gone", "C": "env:SET"})
    seen = see_upstream(plan, machine)
    assert len(seen.unset) == len(seen.missing) == 1
    assert "GONE" in seen.unset[0]
    assert "/gone" in seen.missing[0]


def test_clients_on_this_machine(machine: Machine, tmp_path: Path) -> None:
    gate = "http://127.0.0.1:1/mcp"
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text(
        '{"mcpServers": {"a": {"command": "x"}, "b": {"command": "x", "disabled": true}, '
        f'"g": {{"url": "{gate}"}}}}}}'
    )
    (tmp_path / ".claude.json").write_text("{}")
    found = [(c.client, c.bypassing, c.connected) for c in see_clients(machine, gate)]
    assert found == [("cursor", ("a",), True)]
