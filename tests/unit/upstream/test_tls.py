"""Mutual TLS with an upstream, over real connections."""

import ssl
from pathlib import Path

import pytest
import trustme

from lockgate.model import SendFailed
from lockgate.upstream.http1 import HttpClient
from lockgate.upstream.target import Tls
from lockgate.upstream.tls import context_of
from unit.upstream.test_http1 import OK, Server, listening


def certified(folder: Path) -> tuple[ssl.SSLContext, Tls]:
    """A server that demands certificates, and what a client needs."""
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    authority.configure_trust(serving)
    serving.verify_mode = ssl.CERT_REQUIRED
    ours = authority.issue_cert("lockgate.example")
    ours.private_key_pem.write_to_path(folder / "key.pem")
    ours.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    places = (str(folder / name) for name in ("cert.pem", "key.pem", "ca.pem"))
    return serving, Tls(*places)


def test_where_nothing_is_configured_the_systems_way_is_used() -> None:
    assert context_of(Tls()) is None


async def test_an_upstream_sees_our_certificate(tmp_path: Path) -> None:
    serving, tls = certified(tmp_path)
    async with listening(Server(OK), serving) as port:
        client = HttpClient(f"https://127.0.0.1:{port}/", 5, context_of(tls))
        response = await client.send("GET", {})
        assert response.status == 200
        response.close()
        await client.close()


async def test_without_it_an_upstream_that_demands_one_is_not_reached(tmp_path: Path) -> None:
    serving, tls = certified(tmp_path)
    async with listening(Server(OK), serving) as port:
        bare = context_of(Tls(authorities=tls.authorities))
        client = HttpClient(f"https://127.0.0.1:{port}/", 5, bare)
        with pytest.raises(SendFailed):
            await client.send("GET", {})
        await client.close()


@pytest.mark.parametrize("broken", ["missing", "no certificate", "locked"])
def test_files_that_cannot_be_used_are_told_and_not_shown(tmp_path: Path, broken: str) -> None:
    _, tls = certified(tmp_path)
    if broken == "missing":
        (tmp_path / "cert.pem").unlink()
    elif broken == "no certificate":
        (tmp_path / "cert.pem").write_text("s3cret")
    else:
        (tmp_path / "key.pem").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\ns3cret\n")
    with pytest.raises(SendFailed) as failed:
        context_of(tls)
    assert failed.value.reason == "upstream.credential"
    assert "s3cret" not in str(failed.value)
