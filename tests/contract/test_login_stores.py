"""What every place for a person's login must do."""

from pathlib import Path

import msgspec
import pytest

from lockgate.app.login.grant import Grant
from lockgate.app.login.keychain import Keychain
from lockgate.app.login.store import InsecureFile, LoginStore
from support.memory_keyring import MemoryKeyring

GATE, ISSUER = "https://gate.example/mcp", "https://id.example"
GRANT = Grant(
    GATE, GATE, ISSUER, "cli", f"{ISSUER}/token", "", "at-1", "rt-1", 1.5, 100.25, "a b", "u-1",
    "Ådne",
)  # fmt: skip


@pytest.fixture(params=["file", "keychain"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LoginStore:
    if request.param == "file":
        return InsecureFile(tmp_path / "kept" / "login.json")
    return Keychain(MemoryKeyring(), tmp_path)


def test_what_is_put_is_got_whole(store: LoginStore) -> None:
    assert store.get(GRANT.gateway) is None
    store.put(GRANT)
    assert store.get(GRANT.gateway) == GRANT
    assert store.get("https://other.example/mcp") is None


def test_a_newer_one_takes_its_place(store: LoginStore) -> None:
    store.put(GRANT)
    newer = msgspec.structs.replace(GRANT, access_token="at-2")
    store.put(newer)
    assert store.get(GRANT.gateway) == newer


def test_what_is_forgotten_is_gone_and_may_be_forgotten_again(store: LoginStore) -> None:
    store.put(GRANT)
    store.forget("https://other.example/mcp")
    assert store.get(GRANT.gateway) == GRANT
    store.forget(GRANT.gateway)
    store.forget(GRANT.gateway)
    assert store.get(GRANT.gateway) is None


def test_its_place_is_said_without_what_is_kept(store: LoginStore) -> None:
    store.put(GRANT)
    assert store.place
    assert "at-1" not in store.place
    assert store.lock.name.endswith(".lock")
