import time
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.model.secret import SecretUnavailable
from lockgate.store.secret_backends.vault import VaultSecrets, _moment
from lockgate.store.secret_backends.vault_http import VaultHttp
from lockgate.store.secret_backends.vault_login import Login
from support.secret_servers import ROOT_TOKEN, Vault

CANARY = "canary-in-the-vault"
TOKEN = Login("token", Reference("env", "T"))
FOUND = Reference("vault", "secret/unit/a", field="token")


class Answering(VaultHttp):
    """Says what a vault would say that is in trouble."""

    def __init__(self, *answers: tuple[int, Mapping[str, Any] | bytes]) -> None:
        super().__init__("https://vault.example")
        self.answers = list(answers)
        self.asked: list[tuple[str, str, str]] = []

    def ask(
        self, verb: str, place: str, token: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, bytes]:
        self.asked.append((verb, place, token))
        status, said = self.answers.pop(0)
        return status, said if isinstance(said, bytes) else orjson.dumps(said)


def entry(**values: Any) -> dict[str, Any]:
    about = {"version": 3, "created_time": "2026-01-02T03:04:05.678901234Z"}
    return {"data": {"data": values, "metadata": about}}


def login(token: str, seconds: int = 60) -> tuple[int, dict[str, Any]]:
    return 200, {"auth": {"client_token": token, "lease_duration": seconds}}


def secrets(http: VaultHttp, how: Login = TOKEN, clock: Any = time.monotonic) -> VaultSecrets:
    return VaultSecrets(http, how, lambda _: "given", clock)


def test_version_and_time_are_the_vaults() -> None:
    found = secrets(Answering((200, entry(token="t")))).read(FOUND)
    assert (found.value, found.version, found.made) == ("t", "3", 1_767_323_045_000)


@pytest.mark.parametrize(
    ("status", "says"),
    [(403, "may not use it"), (429, "too often"), (503, "sealed"), (500, "HTTP 500"),
     (307, "HTTP 307")],
)  # fmt: skip
def test_trouble_is_said_and_says_nothing_of_the_secret(status: int, says: str) -> None:
    http = Answering((status, {"errors": [CANARY]}))
    with pytest.raises(SecretUnavailable, match=says) as caught:
        secrets(http).read(FOUND)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("said", [b"", b"<html>", b"[]", b'{"data": 5}'])
def test_what_is_no_vault_is_no_secret(said: bytes) -> None:
    with pytest.raises(SecretUnavailable):
        secrets(Answering((200, said))).read(FOUND)


def test_a_store_of_version_1_is_named_as_what_it_is() -> None:
    with pytest.raises(ReferenceBroken, match="secret is no key-value store of version 2"):
        secrets(Answering((200, {"data": {"token": "t"}}))).read(FOUND)


def test_a_deleted_version_is_gone(vault: Vault) -> None:
    vault.put("unit/deleted", token="t")
    vault.call("DELETE", "secret/data/unit/deleted")
    deleted = Reference("vault", "secret/unit/deleted", field="token")
    backend = VaultSecrets(VaultHttp(vault.address), TOKEN, lambda _: ROOT_TOKEN)
    with pytest.raises(ReferenceBroken, match="is not in the vault"):
        backend.read(deleted)


def test_one_login_serves_until_it_grows_old() -> None:
    now = [0.0]
    http = Answering(login("a"), (200, entry(token="t")), (200, entry(token="t")),
                     login("b"), (200, entry(token="t")))  # fmt: skip
    backend = secrets(http, Login("approle", Reference("env", "S"), "r"), lambda: now[0])
    backend.read(FOUND)
    now[0] = 39.0
    backend.read(FOUND)
    now[0] = 40.0
    backend.read(FOUND)
    assert [token for _, _, token in http.asked] == ["", "a", "a", "", "b"]
    assert http.asked[0][:2] == ("POST", "/v1/auth/approle/login")


def test_a_login_that_was_revoked_is_made_anew_once() -> None:
    http = Answering(login("a"), (403, {}), login("b"), (403, {}))
    with pytest.raises(SecretUnavailable):
        secrets(http, Login("jwt", Reference("env", "S"), "r", "k8s")).read(FOUND)
    assert http.asked[0][1] == "/v1/auth/k8s/login"
    assert http.answers == []


def test_a_refused_login_is_said_without_what_was_sent(vault: Vault) -> None:
    how = Login("approle", Reference("env", "S"), "nobody")
    vault.approle()
    backend = VaultSecrets(VaultHttp(vault.address), how, lambda _: CANARY)
    with pytest.raises(SecretUnavailable, match="refuses the gateway's approle login") as caught:
        backend.read(FOUND)
    assert CANARY not in str(caught.value)


def test_a_revoked_token_at_a_real_vault_is_replaced(vault: Vault) -> None:
    vault.put("unit/a", token="t")
    role, secret = vault.approle()
    http = VaultHttp(vault.address)
    backend = VaultSecrets(http, Login("approle", Reference("env", "S"), role), lambda _: secret)
    assert backend.read(FOUND).value == "t"
    vault.call("PUT", "sys/leases/revoke-force/auth/approle", {})
    assert backend.read(FOUND).value == "t"


def test_a_signed_statement_of_who_we_are_is_a_login(vault: Vault) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if "jwt/" not in vault.call("GET", "sys/auth")["data"]:
        vault.call("POST", "sys/auth/jwt", {"type": "jwt"})
    vault.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public.decode()]})
    about = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
             "token_policies": ["root-like"], "token_ttl": "60s"}  # fmt: skip
    allowed = 'path "secret/*" { capabilities = ["read"] }'
    vault.call("PUT", "sys/policies/acl/root-like", {"policy": allowed})
    vault.call("POST", "auth/jwt/role/gate", about)
    vault.put("unit/a", token="t")
    claims = {"sub": "gate", "aud": "vault", "exp": int(time.time()) + 60}
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip
    statement = jwt.encode({"alg": "ES256"}, claims, ECKey.import_key(pem))
    how = Login("jwt", Reference("env", "S"), "gate")
    backend = VaultSecrets(VaultHttp(vault.address), how, lambda _: statement)
    assert backend.read(FOUND).value == "t"


def test_a_change_in_between_is_not_lost() -> None:
    http = Answering((200, entry(token="t")), (400, {"errors": ["check-and-set"]}))
    with pytest.raises(SecretUnavailable, match="changed meanwhile"):
        secrets(http).write(FOUND, "new")


def test_a_write_that_is_refused_is_said() -> None:
    with pytest.raises(SecretUnavailable, match="may not use it"):
        secrets(Answering((200, entry(token="t")), (403, {}))).write(FOUND, "new")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-01-02T03:04:05Z", 1_767_323_045_000),
     ("2026-01-02T03:04:05.9+00:00", 1_767_323_045_000),
     ("2026-01-02T05:04:05.123456789+02:00", 1_767_323_045_000), ("never", 0), ("", 0)],
)  # fmt: skip
def test_moments(text: str, expected: int) -> None:
    assert _moment(text) == expected
