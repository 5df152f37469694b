"""The provider that other tests rely on does what they rely on."""

import base64
import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

from support.oidc_provider import (
    AGENT,
    CLIENTS,
    LOGIN,
    MFA,
    ROBOT,
    Provider,
    Refused,
    running_provider,
)

RESOURCE = "https://gate.example/mcp"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


def claims(token: str) -> dict[str, Any]:
    return part(token, 1)


def part(token: str, number: int) -> dict[str, Any]:
    said = token.split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
    return found


@pytest.mark.parametrize("client", [LOGIN, AGENT])
def test_a_person_gets_a_token_for_a_resource(provider: Provider, client: str) -> None:
    tokens = provider.token("doctor", resource=RESOURCE, client=client)
    assert part(tokens.access_token, 0)["typ"] == "at+jwt"
    said = claims(tokens.access_token)
    assert (said["iss"], said["sub"], said["aud"]) == (provider.issuer, "doctor", RESOURCE)
    assert (said["groups"], said["acr"]) == (["doctors", "staff"], MFA)
    assert said["client_id"] == client
    assert tokens.scope == "mcp:tools"
    assert tokens.refresh_token
    assert claims(tokens.id_token)["aud"] == client


def test_refresh_tokens_rotate_and_a_used_one_ends_the_grant(provider: Provider) -> None:
    first = provider.token("alice", resource=RESOURCE)
    second = provider.grant(LOGIN, grant_type="refresh_token", refresh_token=first.refresh_token)
    assert claims(second.access_token)["aud"] == RESOURCE
    assert second.refresh_token != first.refresh_token
    for used in (first, second):
        with pytest.raises(Refused, match="invalid_grant"):
            provider.grant(LOGIN, grant_type="refresh_token", refresh_token=used.refresh_token)


def test_tokens_are_bound_to_a_dpop_key_also_with_nonces(provider: Provider) -> None:
    key = ECKey.generate_key("P-256")
    for nonce in (False, True):
        provider.set(dpopNonce=nonce)
        tokens = provider.token("bob", resource=RESOURCE, dpop=key)
        assert tokens.token_type == "DPoP"
        assert claims(tokens.access_token)["cnf"]["jkt"] == key.thumbprint()
    provider.set(dpopNonce=False)


def test_opaque_tokens_are_introspected_until_the_grant_is_revoked(provider: Provider) -> None:
    provider.set(opaque=["https://opaque.example/"])
    token = provider.token("alice", resource="https://opaque.example/").access_token
    assert "." not in token
    assert provider.introspect(token)["sub"] == "alice"
    assert provider.revoke("alice", LOGIN) >= 1
    assert provider.introspect(token)["active"] is False


def test_keys_rotate_and_it_goes_and_comes(provider: Provider) -> None:
    old = provider.token("alice", resource=RESOURCE)
    kid = provider.rotate_keys()
    provider.stop()
    provider.start()
    new = provider.grant(LOGIN, grant_type="refresh_token", refresh_token=old.refresh_token)
    assert part(new.access_token, 0)["kid"] == kid
    assert provider.log("token")[-1]["grant_type"] == "refresh_token"


def test_with_tls_a_robot_s_token_can_be_bound_to_its_certificate() -> None:
    own = trustme.CA().issue_cert("robot.example").private_key_and_cert_chain_pem.bytes()
    with running_provider(tls=True, resources=[RESOURCE]) as provider:
        assert provider.issuer.startswith("https://")
        bound = {"tls_client_certificate_bound_access_tokens": True}
        provider.put_client({"client_id": ROBOT, **CLIENTS[ROBOT], **bound})
        token = provider.client_credentials(resource=RESOURCE, identity=own).access_token
        der = x509.load_pem_x509_certificate(own[own.index(b"-----BEGIN CERT") :]).public_bytes(
            Encoding.DER
        )
        digest = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
        assert claims(token)["cnf"] == {"x5t#S256": digest}
        with pytest.raises(Refused, match="invalid_target"):
            provider.client_credentials(resource="https://other.example/mcp")


def test_clients_are_told_when_a_person_logs_out(provider: Provider) -> None:
    heard: list[str] = []

    class Told(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Told) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/logout"
        provider.put_client(
            {"client_id": AGENT, **CLIENTS[AGENT], "backchannel_logout_uri": address}
        )
        provider.token("bob", resource=RESOURCE, client=AGENT)
        assert provider.log_out("bob") == 1
        thread.join(10)
    (said,) = heard
    logout = claims(said.removeprefix("logout_token="))
    assert (logout["sub"], logout["aud"]) == ("bob", AGENT)
    assert "http://schemas.openid.net/event/backchannel-logout" in logout["events"]


def test_who_is_refused_gets_no_token(provider: Provider) -> None:
    with pytest.raises(Refused, match="access_denied"):
        provider.token("mallory", resource=RESOURCE)
